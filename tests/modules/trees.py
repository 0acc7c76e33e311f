"""Write trees of modulefiles: what centres have, and what they wish that they had not.

`write_lmod` is hierarchical (compiler, then MPI), `write_tcl` flat. Both return what MODULEPATH is to be. What is named
alike in both behaves alike, as far as the systems let it. Where a modulefile hangs or ends its shell, it does so
only when it is loaded, so that the tree can be searched.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

#: Loads everywhere without harm; in Lmod some need others first (see `CHAIN`).
HARMLESS = ("gcc/12", "gcc/13", "intel/2023", "Python/3.11.7", "weird/1.0", "shfun/1.0", "needs/3.0-chatty", "site/1.0")

#: What has to be loaded before SciPy-bundle/2023.07 in the hierarchical tree.
CHAIN = ("gcc/12", "openmpi/4.1")

#: Modules whose loading fails, and a piece of what they say.
BROKEN = {"broken/1.0": "licence server unreachable", "broken/2.0": "", "broken/3.0": ""}

#: End the shell that loads them.
EXITING = "broken/5.0-exit"

HANGING = "hang/1.0"

#: Name of a variable that ``reads/1.0`` reads (literally) and ``reads/2.0-dynamic`` (by a name that it puts together).
READ = "HPCENV_TEST_READ"


def write_lmod(root: Path, python: str) -> str:
    """Write the hierarchical Lua tree below *root*/lmod; *python* is the interpreter that Python/3.11.7 points to."""
    top, sw = root / "lmod", software(root)
    core, compiler, mpi = top / "Core", top / "Compiler", top / "MPI"
    home = Path(python).parent.parent

    for version in ("12", "13"):
        _lua(
            core / f"gcc/{version}",
            f"""
            whatis("Name : gcc")
            whatis("Version : {version}")
            whatis("Description: GNU compilers")
            help([[The compilers]])
            family("compiler")
            prepend_path("PATH", "{sw}/gcc/bin")
            prepend_path("LD_LIBRARY_PATH", "{sw}/gcc/lib")
            setenv("CC", "gcc-{version}")
            setenv("EBROOTGCC", "{sw}/gcc")
            prepend_path("MODULEPATH", "{compiler}/gcc/{version}")
            """,
        )
    _write(core / "gcc/.version", '#%Module1.0\nset ModulesVersion "12"\n')
    _lua(
        core / "intel/2023",
        f"""
        family("compiler")
        setenv("CC", "icx")
        prepend_path("MODULEPATH", "{compiler}/intel/2023")
        """,
    )
    for under in ("gcc/12", "gcc/13", "intel/2023"):
        _lua(
            compiler / under / "openmpi/4.1",
            f"""
            whatis("Description: Open MPI 4.1")
            family("mpi")
            prepend_path("PATH", "{sw}/openmpi/bin")
            prepend_path("LD_LIBRARY_PATH", "{sw}/openmpi/lib")
            setenv("MPI_HOME", "{sw}/openmpi")
            prepend_path("MODULEPATH", "{mpi}/{under}/openmpi/4.1")
            """,
        )
    _lua(compiler / "gcc/12/hdf5/1.14", 'setenv("HDF5_DIR", "/opt/hdf5")')
    _lua(mpi / "gcc/12/openmpi/4.1/FFTW/3.3.10", f'prepend_path("LD_LIBRARY_PATH", "{sw}/fftw/lib")')
    _lua(
        core / "Python/3.11.7",
        f"""
        whatis("Description: Python interpreter")
        setenv("EBROOTPYTHON", "{home}")
        prepend_path("PATH", "{home}/bin")
        prepend_path("LD_LIBRARY_PATH", "{home}/lib")
        """,
    )
    for path in (mpi / "gcc/12/openmpi/4.1/SciPy-bundle/2023.07", core / "SciPy-bundle/2023.07-core"):
        _lua(
            path,
            f"""
            whatis("Description: Bundle of Python packages for scientific software")
            depends_on("Python/3.11.7")
            prepend_path("PYTHONPATH", "{sw}/scipy/pylib")
            prepend_path{{"EBPYTHONPREFIXES", "{sw}/scipy", delim=":"}}
            extensions("numpy/1.25.1, scipy/1.11.1, pandas/2.0.3")
            """,
        )

    _lua(core / "broken/1.0", 'LmodError("licence server unreachable\\nask help@hpc")')
    _lua(core / "broken/2.0", 'setenv("X", nosuchfunc(1))')
    _lua(core / "broken/3.0", 'setenv("X", ')
    _lua(core / "broken/5.0-exit", 'execute{cmd="exit 3", modeA={"load"}}\nsetenv("EXECUTED", "1")')
    _lua(core / "executes/1.0", 'execute{cmd="export FROM_EXECUTE=1", modeA={"load"}}\nsetenv("EXECUTED", "1")')
    _lua(core / "hang/1.0", 'if (mode() == "load") then subprocess("sleep 3600") end')
    _lua(core / "hang/2.0-shell", 'execute{cmd="sleep 3600", modeA={"load"}}')
    _lua(core / "bashenv/1.0", f'setenv("BASH_ENV", "{sw}/bash_env.sh")\nsetenv("BASHENV_LOADED", "1")')
    _lua(core / "reads/1.0", f'setenv("READ_SAW", os.getenv("{READ}") or "nothing")')
    _lua(
        core / "reads/2.0-dynamic", f'local n = "{READ[:6]}" .. "{READ[6:]}"\nsetenv("READ_SAW", os.getenv(n) or "no")'
    )
    _lua(core / "reads/3.0-file", f'if (isFile("{root}/switch")) then setenv("SWITCH", "on") end')
    _lua(
        core / "weird/1.0",
        r"""
        setenv("W_SPACE", "a b  c")
        setenv("W_QUOTE", [[it's "q" `bt` $HOME \back]])
        setenv("W_NL", "line1\nline2")
        setenv("W_UTF8", "Zürich µ")
        setenv("W_EMPTY", "")
        setenv("W_SEMI", "a;b&c|d>e<f(g)")
        setenv("W_BANG", "wow!ls")
        append_path("W_LIST", "x y", ";")
        pushenv("CC", "weird cc")
        unsetenv("W_GONE")
        """,
    )
    _lua(
        core / "shfun/1.0",
        f"""
        set_alias("mypy", "python -X importtime")
        set_shell_function("hello", 'echo "hi $*"', 'echo hi $*')
        source_sh("bash", "{sw}/setup.sh")
        """,
    )
    _lua(core / "needs/1.0", 'prereq("gcc", "openmpi")')
    _lua(core / "needs/2.0-conflict", 'conflict("gcc")')
    _lua(
        core / "needs/3.0-chatty",
        """
        LmodMessage("please cite us")
        LmodWarning("deprecated")
        setenv("N3", "1")
        io.stdout:write("stray stdout\\n")
        """,
    )
    _lua(core / "needs/4.0-depmissing", 'depends_on("nosuch/1")')
    _lua(core / "site/1.0", 'add_property("lmod", "sticky")\nsetenv("SITE_LOADED", "1")')

    for name in ("dversion", "dmodulerc", "dlua", "dlink"):
        for version in ("1.0", "2.0", "3.0"):
            _lua(core / name / version, f'setenv("DEFAULT_{name.upper()}", "{version}")')
    _write(core / "dversion/.version", '#%Module1.0\nset ModulesVersion "2.0"\n')
    _write(core / "dmodulerc/.modulerc", "#%Module1.0\nmodule-version dmodulerc/2.0 default\n")
    _write(core / "dlua/.modulerc.lua", 'module_version("dlua/2.0", "default")\n')
    (core / "dlink/default").symlink_to("2.0.lua")
    _lua(core / "secret/.1.0", 'setenv("SECRET", "1")')
    for number in range(1, 9):
        _lua(
            core / f"bulk{number}/1.0",
            f"""
            setenv("BULK{number}", "v")
            prepend_path("PATH", "{sw}/b{number}/bin")
            prepend_path("LD_LIBRARY_PATH", "{sw}/b{number}/lib")
            """,
        )
    return str(core)


def write_tcl(root: Path, python: str) -> str:
    """Write the flat Tcl tree at *root*/tcl; *python* is the interpreter that Python/3.11.7 points to."""
    top, sw = root / "tcl", software(root)
    home = Path(python).parent.parent

    for version in ("12", "13"):
        _tcl(
            top / f"gcc/{version}",
            f"""
            module-whatis {{GNU compilers}}
            conflict intel gcc
            prepend-path PATH {sw}/gcc/bin
            prepend-path LD_LIBRARY_PATH {sw}/gcc/lib
            setenv CC gcc-{version}
            setenv EBROOTGCC {sw}/gcc
            """,
        )
    _write(top / "gcc/.version", "#%Module1.0\nset ModulesVersion 12\n")
    _tcl(top / "intel/2023", "conflict gcc intel\nsetenv CC icx")
    _tcl(
        top / "openmpi/4.1",
        f"""
        module-whatis {{Open MPI 4.1}}
        prereq gcc intel
        prepend-path PATH {sw}/openmpi/bin
        prepend-path LD_LIBRARY_PATH {sw}/openmpi/lib
        setenv MPI_HOME {sw}/openmpi
        """,
    )
    _tcl(top / "hdf5/1.14", "setenv HDF5_DIR /opt/hdf5")
    _tcl(top / "FFTW/3.3.10", f"prereq openmpi\nprepend-path LD_LIBRARY_PATH {sw}/fftw/lib")
    _tcl(
        top / "Python/3.11.7",
        f"""
        module-whatis {{Python interpreter}}
        setenv EBROOTPYTHON {home}
        prepend-path PATH {home}/bin
        prepend-path LD_LIBRARY_PATH {home}/lib
        """,
    )
    _tcl(
        top / "SciPy-bundle/2023.07",
        f"""
        module-whatis {{Bundle of Python packages for scientific software}}
        module load Python/3.11.7
        prepend-path PYTHONPATH {sw}/scipy/pylib
        """,
    )

    _tcl(
        top / "broken/1.0",
        "if {[module-info mode load]} { puts stderr {licence server unreachable, ask help@hpc}; break }",
    )
    _tcl(top / "broken/2.0", "error {licence boom}")
    _tcl(top / "broken/3.0", "setenv X [nosuch]")
    _write(top / "broken/4.0-nomagic", "setenv X 1\n")
    _tcl(top / "broken/5.0-exit", 'if {[module-info mode load]} { puts stdout "exit 3;" }\nsetenv EXECUTED 1')
    _tcl(top / "broken/6.0-tclexit", "if {[module-info mode load]} { exit 7 }")
    _tcl(
        top / "executes/1.0", 'if {[module-info mode load]} { puts stdout "export FROM_EXECUTE=1;" }\nsetenv EXECUTED 1'
    )
    _tcl(top / "hang/1.0", "if {[module-info mode load]} { exec sleep 3600 }")
    _tcl(top / "hang/2.0-shell", 'if {[module-info mode load]} { puts stdout "sleep 3600;" }')
    _tcl(top / "bashenv/1.0", f"setenv BASH_ENV {sw}/bash_env.sh\nsetenv BASHENV_LOADED 1")
    _tcl(
        top / "reads/1.0",
        f"if {{[info exists env({READ})]}} {{ setenv READ_SAW $env({READ}) }} else {{ setenv READ_SAW nothing }}",
    )
    _tcl(
        top / "reads/2.0-dynamic",
        f"set n {READ[:6]}\nappend n {READ[6:]}\nsetenv READ_SAW [expr {{[info exists env($n)] ? $env($n) : {{no}}}}]",
    )
    _tcl(top / "reads/3.0-file", f"if {{[file exists {root}/switch]}} {{ setenv SWITCH on }}")
    _tcl(
        top / "weird/1.0",
        r"""
        setenv W_SPACE {a b  c}
        setenv W_QUOTE {it's "q" `bt` $HOME \back}
        setenv W_NL "line1\nline2"
        setenv W_UTF8 {Zürich µ}
        setenv W_EMPTY {}
        setenv W_SEMI {a;b&c|d>e<f(g)}
        setenv W_BANG {wow!ls}
        append-path -d ";" W_LIST {x y}
        """,
    )
    _tcl(
        top / "shfun/1.0",
        f"""
        set-alias mypy {{python -X importtime}}
        set-function hello {{echo "hi $*"}}
        source-sh bash {sw}/setup.sh
        """,
    )
    _tcl(top / "needs/1.0", "prereq openmpi")
    _tcl(top / "needs/2.0-conflict", "conflict gcc")
    _tcl(top / "needs/3.0-chatty", 'puts stderr "please cite us"\nputs "stray stdout"\nsetenv N3 1')
    _tcl(top / "needs/4.0-depmissing", "prereq nosuch/1")
    _tcl(top / "site/1.0", "setenv SITE_LOADED 1")
    _write(top / "site/.modulerc", "#%Module1.0\nmodule-tag sticky site/1.0\n")

    for name in ("dversion", "dmodulerc", "dlink"):
        for version in ("1.0", "2.0", "3.0"):
            _tcl(top / name / version, f"setenv DEFAULT_{name.upper()} {version}")
    _write(top / "dversion/.version", "#%Module1.0\nset ModulesVersion 2.0\n")
    _write(top / "dmodulerc/.modulerc", "#%Module1.0\nmodule-version dmodulerc/2.0 default\n")
    (top / "dlink/default").symlink_to("2.0")
    _tcl(top / "secret/.1.0", "setenv SECRET 1")
    for number in range(1, 9):
        _tcl(
            top / f"bulk{number}/1.0",
            f"""
            setenv BULK{number} v
            prepend-path PATH {sw}/b{number}/bin
            prepend-path LD_LIBRARY_PATH {sw}/b{number}/lib
            """,
        )
    return str(top)


def big(root: Path, count: int = 3000, system: str = "lmod") -> str:
    """Write *count* modulefiles, three versions a name, and return the folder for MODULEPATH."""
    top = root / f"big-{system}"
    for number in range(count):
        name, version = f"app{number // 3 + 1}", f"{number % 3 + 1}.0"
        variable = name.upper()
        if system == "lmod":
            _write(
                top / f"{name}/{version}.lua",
                f'whatis("Description: {name} {version}")\nsetenv("{variable}", "{version}")\n'
                f'prepend_path("PATH", "/opt/{name}/bin")\nprepend_path("LD_LIBRARY_PATH", "/opt/{name}/lib")\n',
            )
        else:
            _write(
                top / f"{name}/{version}",
                f"#%Module1.0\nmodule-whatis {{{name} {version}}}\nsetenv {variable} {version}\n"
                f"prepend-path PATH /opt/{name}/bin\nprepend-path LD_LIBRARY_PATH /opt/{name}/lib\n",
            )
    return str(top)


def unreadable(root: Path) -> str:
    """Make a folder of modulefiles that only its owner may enter, and not even she may list."""
    top = root / "unreadable"
    _write(top / "closed/1.0", "#%Module1.0\nsetenv CLOSED 1\n")
    top.chmod(0)
    return str(top)


def software(root: Path) -> Path:
    """Write what the modules point to: programs, a script to source, and packages of Python."""
    sw = root / "sw"
    for name in ("gcc", "openmpi", "fftw"):
        (sw / name / "bin").mkdir(parents=True, exist_ok=True)
        (sw / name / "lib").mkdir(exist_ok=True)
    _write(sw / "setup.sh", 'export FROM_SH="sourced ok"\nhfun () { echo hfun; }\n')
    _write(sw / "bash_env.sh", "export POISONED=1\necho poisoned\n")
    packages = sw / "scipy/pylib"
    _write(packages / "sitepkg/__init__.py", '__version__ = "1.25.1"\n')
    info = packages / "numpy-1.25.1.dist-info"
    _write(info / "METADATA", "Metadata-Version: 2.1\nName: numpy\nVersion: 1.25.1\n")
    _write(info / "INSTALLER", "EasyBuild\n")
    _write(info / "RECORD", "".join(f"numpy-1.25.1.dist-info/{n},,\n" for n in ("METADATA", "INSTALLER", "RECORD")))
    return sw


def _lua(path: Path, text: str) -> None:
    _write(path.with_name(f"{path.name}.lua"), textwrap.dedent(text).strip("\n") + "\n")


def _tcl(path: Path, text: str) -> None:
    _write(path, "#%Module1.0\n" + textwrap.dedent(text).strip("\n") + "\n")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
