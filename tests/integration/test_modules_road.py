"""The main road with modules, on the real systems: what a kernel sees is what an interactive shell would see.

One environment is built for each system by the command line and shared by the tests of this file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from jupyter_hpcenv.admission.modules import Modules
from jupyter_hpcenv.site import Site

from ..cli.conftest import Cli
from ..modules import systems, trees

pytestmark = pytest.mark.filterwarnings("default")  # jupyter_client warns of its own; these tests are about modules

#: Set by shells, by us on purpose, or by the interpreter's start.
OURS = {
    *("_", "SHLVL", "PWD", "OLDPWD", "BASH_ENV", "ENV", "LC_CTYPE"),
    "__MODULES_LMINIT",  # how a session of the Tcl system began
    *("VIRTUAL_ENV", "PYTHONNOUSERSITE", "OMP_NUM_THREADS", "GREETING"),
}

SCIPY = {"lmod": ["gcc/12", "openmpi/4.1", "SciPy-bundle"], "tcl": ["gcc/12", "openmpi/4.1", "SciPy-bundle"]}

CODE = "import json, os, sys; print(json.dumps({'environ': dict(os.environ), 'prefix': sys.prefix, 'path': sys.path}))"


class Made(NamedTuple):
    """An environment with modules, and where everything of it lies."""

    system: str
    init: str
    modulepath: str
    cli: Cli
    shell: dict[str, str]
    environment: dict[str, Any]

    @property
    def spec(self) -> Path:
        return Path(self.environment["kernels"][0]["path"])

    def interactive(self, *modules: str, first: tuple[str, ...] = ()) -> dict[str, str]:
        """Return the environment of a shell in which somebody typed ``module load``."""
        load = f"module load {' '.join(modules)}"
        if first:
            script = f". {self.init} && module load {' '.join(first)} && module purge && {load}"
            return environ(["bash", "-c", f"{{ {script}; }} >/dev/null && env -0"], self.shell)
        empty = {name: value for name, value in self.shell.items() if name != "MODULEPATH"}
        script = f". {self.init}; export MODULEPATH=${{MODULEPATH:+$MODULEPATH:}}{self.modulepath}; {load}"
        return environ(["bash", "-c", f"{{ {script}; }} >/dev/null && env -0"], empty)

    def kernel(self, env: dict[str, str]) -> dict[str, Any]:
        """Run code through the kernelspec's own launch script."""
        done = subprocess.run(
            [str(self.spec / "launch"), "-c", CODE], env=env, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))


def environ(argv: list[str], env: dict[str, str]) -> dict[str, str]:
    done = subprocess.run(argv, env=env, capture_output=True, timeout=60, check=True)
    entries = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def compared(found: dict[str, str], prefix: str) -> dict[str, str]:
    """Leave out what is no module's doing, and our own folder at the head of PATH."""
    kept = {name: value for name, value in found.items() if name not in OURS and not name.startswith("BASH_FUNC_")}
    kept["PATH"] = kept["PATH"].removeprefix(f"{prefix}/bin:")
    return kept


@pytest.fixture(scope="module", params=["lmod", "tcl"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    system = str(request.param)
    init = systems.need(system)
    root = tmp_path_factory.mktemp(f"site-{system}")
    modulepath = getattr(trees, f"write_{system}")(root, os.path.realpath(sys.executable))
    cli = Cli(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("cache"))
    shell = {"HOME": str(cli.home), "PATH": "/usr/local/bin:/usr/bin:/bin", "MODULEPATH": modulepath}
    cli.env.update(environ(["bash", "-c", f". {init}; env -0"], {**shell, "PATH": cli.env["PATH"]}))
    arguments = [word for module in SCIPY[system] for word in ("--module", module)]
    document = cli.document(
        *("create", "layered", *arguments, "packaging", "--var", "OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}")
    )
    assert document["ok"], document["error"]
    return Made(system, init, modulepath, cli, shell, document["data"])


def test_names_are_resolved_and_captured(made: Made) -> None:
    modules = made.environment["modules"]
    assert modules["system"] == made.system
    assert modules["asked"] == SCIPY[made.system]
    assert modules["load"] == ["gcc/12", "openmpi/4.1", "SciPy-bundle/2023.07"]
    (loaded,) = modules["loaded"].values()
    assert {"gcc/12", "Python/3.11.7"} <= {each["name"] for each in loaded}
    assert all(len(each["digest"]) == 64 and Path(each["path"]).is_file() for each in loaded)


def test_python_and_installer_follow_the_modules(made: Made) -> None:
    environment = made.environment
    assert os.path.realpath(environment["python_path"]) == os.path.realpath(sys.executable)
    assert environment["system_site_packages"] is True
    assert environment["installer"] == "pip"


@pytest.mark.parametrize("server", [(), ("gcc/13", "bulk1/1.0")], ids=["empty", "server-modules"])
def test_kernel_sees_what_an_interactive_shell_sees(made: Made, server: tuple[str, ...]) -> None:
    """From an environment as empty as a batch system's, and from a server with modules of its own."""
    start = {"HOME": str(made.cli.home), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    if server:
        start = environ(
            ["bash", "-c", f". {made.init} && module load {' '.join(server)} >/dev/null && env -0"], made.shell
        )
        assert "gcc/13" in start["LOADEDMODULES"]
    prefix = made.environment["prefix"]
    wanted = compared(made.interactive(*made.environment["modules"]["load"], first=server), prefix)
    for attempt in ("live", "cached"):
        found = made.kernel(start)
        assert found["prefix"] == prefix
        assert compared(found["environ"], prefix) == wanted, attempt
        assert found["environ"]["OMP_NUM_THREADS"] == "1"
    assert list((made.cli.data / "hpcenv" / "launch-cache").iterdir()), "the second start was to reuse the first"
    assert made.kernel({**start, "SLURM_CPUS_PER_TASK": "7"})["environ"]["OMP_NUM_THREADS"] == "7"


def test_packages_of_modules_stay_the_ones_imported(made: Made) -> None:
    """numpy is the module's: pip found it there, and installed nothing over it."""
    code = "import sitepkg, packaging, importlib.metadata as m; print(sitepkg.__file__, m.version('numpy'))"
    done = subprocess.run(
        [str(made.spec / "launch"), "-c", code], env=made.shell, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "/scipy/pylib/sitepkg/" in done.stdout
    assert "1.25.1" in done.stdout


def test_a_real_kernel_runs(made: Made) -> None:
    specs = KernelSpecManager(kernel_dirs=[str(made.spec.parent)])
    manager = KernelManager(kernel_name=made.spec.name, kernel_spec_manager=specs)
    manager.start_kernel(env={**made.shell, "PATH": os.environ["PATH"]})
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        reply = client.execute_interactive(
            "import os", user_expressions={"m": "os.environ['LOADEDMODULES']", "cc": "os.environ['CC']"}, timeout=30
        )
        shown = {name: each["data"]["text/plain"] for name, each in reply["content"]["user_expressions"].items()}
        assert "SciPy-bundle/2023.07" in shown["m"]
        assert shown["cc"] == "'gcc-12'"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_missing_module_is_refused_at_submit_with_what_is_near(made: Made) -> None:
    error = made.cli.error_of("create", "nope", "--module", "gcc/12", "--module", "SciPy-bundel")
    assert error["code"] == "module_not_found"
    assert any("SciPy-bundle" in hint for hint in error["hints"])
    assert made.cli.data_of("list", "nope") == []


def test_a_module_that_went_is_explained_in_the_notebook(made: Made) -> None:
    """The same kernelspec, after the site took the module away, answers each cell with the reason."""
    modulefile = next(
        Path(each["path"])
        for each in next(iter(made.environment["modules"]["loaded"].values()))
        if each["name"] == "openmpi/4.1"
    )
    aside = modulefile.with_name(".aside")
    modulefile.rename(aside)
    specs = KernelSpecManager(kernel_dirs=[str(made.spec.parent)])
    manager = KernelManager(kernel_name=made.spec.name, kernel_spec_manager=specs)
    try:
        manager.start_kernel(env={**made.shell, "PATH": os.environ["PATH"]})
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=60)
            reply = client.execute_interactive("1", timeout=30)
            assert reply["content"]["status"] == "error"
            said = "\n".join(reply["content"]["traceback"])
            assert "openmpi/4.1" in said
            aside.rename(modulefile)
            manager.restart_kernel()
            client.wait_for_ready(timeout=60)
            assert client.execute_interactive("1", timeout=30)["content"]["status"] == "ok"
        finally:
            client.stop_channels()
    finally:
        if aside.exists():
            aside.rename(modulefile)
        manager.shutdown_kernel(now=True)


def test_modules_are_changed_and_the_kernel_is_proven_again(made: Made) -> None:
    """What does not load changes nothing; what does is in the next kernel."""
    before = made.cli.data_of("show", "layered")
    error = made.cli.error_of("edit", "layered", "--module", "broken/1.0")
    assert error["code"] == "module_failed"
    assert "licence server unreachable" in error["reason"]
    assert made.cli.data_of("show", "layered") == before
    load = [word for module in (*before["modules"]["load"], "bulk2/1.0") for word in ("--module", module)]
    after = made.cli.data_of("edit", "layered", *load)
    assert after["revision"] == before["revision"] + 1
    assert made.kernel(made.shell)["environ"]["BULK2"] == "v"
    restored = [word for module in before["modules"]["load"] for word in ("--module", module)]
    made.cli.data_of("edit", "layered", *restored)
    assert "BULK2" not in made.kernel(made.shell)["environ"]


def test_a_list_of_modules_in_a_file(made: Made, tmp_path: Path) -> None:
    (tmp_path / "modules.txt").write_text("# as vsc-venv takes it\ngcc/12\nnosuch/1.0\n")
    error = made.cli.error_of("create", "nope", "--modules-file", str(tmp_path / "modules.txt"))
    assert error["code"] == "module_not_found"
    assert "nosuch/1.0" in error["message"]


def test_the_command_lists_modules(made: Made) -> None:
    found = made.cli.data_of("modules", "openmpi")
    assert "openmpi/4.1" in {each["name"] for each in found}
    if made.system == "lmod":
        (numpy,) = {each["module"] for each in made.cli.data_of("modules", "--provides", "numpy")} - {
            "SciPy-bundle/2023.07-core"
        }
        assert numpy == "SciPy-bundle/2023.07"
        assert any(each["prerequisites"][0] == ["gcc/12"] for each in found if each["name"] == "openmpi/4.1")


def test_modulefile_is_installed_and_lives_with_the_environment(made: Made) -> None:
    """A shell of the real system loads it; it goes with the environment, and comes back with it."""
    request = ("create", "lonely", "--no-kernel", "--installer", "uv")
    made.cli.data_of(*request, "--module", "gcc/12", "--var", "LONELY=yes")
    found = made.cli.data_of("activation", "lonely", "--dialect", made.system, "--install")
    assert found["use"].startswith("module use ")
    (file,) = made.cli.data_of("show", "lonely")["activation"]
    assert file == {"dialect": made.system, "name": "hpcenv/lonely", "path": found["path"]}
    assert {row["name"]: row["activation"] for row in made.cli.data_of("list")} == {"layered": [], "lonely": [file]}
    lines = made.cli("list").stdout.splitlines()
    below = next(number for number, line in enumerate(lines) if line.startswith("lonely ")) + 1
    assert lines[below] == f"  {made.system} hpcenv/lonely {found['path']}"
    assert len(lines) == 4  # the other one has no line of its own
    script = f". {made.init}; {found['use']}; {found['command']}; "
    ask = 'python -c \'import sys, os; print(sys.prefix, os.environ["CC"], os.environ["LONELY"])\''
    argv = ["bash", "-c", f"{script}{ask}; module unload hpcenv/lonely; echo ${{CC-none}} ${{LONELY-none}}"]
    said = subprocess.run(argv, env=made.shell, capture_output=True, text=True, timeout=60)
    prefix = made.cli.data_of("show", "lonely")["prefix"]
    assert said.stdout.splitlines() == [f"{prefix} gcc-12 yes", "none none"], said.stderr
    made.cli.data_of("edit", "lonely", "--var", "LONELY=no")
    assert "no" in Path(found["path"]).read_text().split("LONELY", 1)[1][:40]
    made.cli.data_of("delete", "lonely")
    assert not Path(found["path"]).exists()
    made.cli.data_of("restore", "lonely")
    assert Path(found["path"]).exists()
    made.cli.data_of("delete", "lonely", "--now")
    assert not Path(found["path"]).exists()


def test_modules_that_brought_packages_do_not_go_without_a_word(made: Made) -> None:
    chain = [word for module in SCIPY[made.system] for word in ("--module", module)]
    made.cli.data_of("create", "emptied", "--no-kernel", "--installer", "uv", *chain)
    done = made.cli("edit", "emptied", "--module", "gcc/12", "--module", "openmpi/4.1")
    assert done.returncode == 0
    warning = "Warning: The modules that are gone from emptied brought numpy: what needs that can not be imported now."
    assert warning in done.stderr.splitlines()
    assert made.cli.data_of("edit", "emptied", "--module", "gcc/12")["warnings"] == []
    made.cli.data_of("delete", "emptied", "--now")


@pytest.mark.parametrize("dialect", ["bash", "csh", "fish"])
def test_shells_see_what_the_kernel_sees(made: Made, dialect: str) -> None:
    """The line that is shown is typed into the real shell; what it gives is what the kernel has."""
    command = made.cli.data_of("activation", "layered", "--dialect", dialect)["command"]
    shell = {"bash": ["bash", "--norc", "-c"], "csh": ["tcsh", "-f", "-c"], "fish": ["fish", "--no-config", "-c"]}
    ask = "python -c 'import sys, os; print(sys.prefix, os.environ[\"LOADEDMODULES\"])'"
    lines = f"{command}\n{ask}" if dialect != "csh" else f"{command} ; {ask}"
    done = subprocess.run([*shell[dialect], lines], env=made.shell, capture_output=True, text=True, timeout=60)
    there = made.kernel(made.shell)
    assert done.stdout.split() == [there["prefix"], there["environ"]["LOADEDMODULES"]], done.stderr


def test_a_batch_script_is_printed_and_runs(made: Made, tmp_path: Path) -> None:
    text = made.cli.data_of("activation", "layered", "--dialect", "sbatch")["text"]
    (tmp_path / "job").write_text(f"{text}\npython -c 'import sys; print(sys.prefix)'\n")
    done = subprocess.run(["bash", str(tmp_path / "job")], env=made.shell, capture_output=True, text=True, timeout=60)
    assert made.environment["prefix"] in done.stdout, done.stderr
    assert "#SBATCH" in text


def test_what_became_of_modules_is_shown_and_a_refresh_takes_it_over(made: Made) -> None:
    """A modulefile that changed is drift until somebody refreshes; one that is gone is a state of its row."""
    loaded = next(iter(made.environment["modules"]["loaded"].values()))
    modulefile = next(Path(each["path"]) for each in loaded if each["name"] == "gcc/12")
    text = modulefile.read_text()
    aside = modulefile.with_name(".aside")
    try:
        modulefile.write_text(text.replace("gcc-12", "gcc-12.9"))
        (drift,) = made.cli.data_of("show", "layered")["drift"]
        assert (drift["module"], drift["kind"]) == ("gcc/12", "changed")
        assert made.kernel(made.shell)["environ"]["CC"] == "gcc-12.9"
        assert made.cli.data_of("refresh", "layered")["drift"] == []
        modulefile.rename(aside)
        (row,) = made.cli.data_of("list", "layered")
        assert row["state"] == "module_missing"
        assert "“gcc/12”" in row["message"]
        outcome = made.cli("refresh", "--all")
        assert outcome.returncode == 2
        assert "gcc/12" in outcome.stdout
    finally:
        if aside.exists():
            aside.rename(modulefile)
        modulefile.write_text(text)
        made.cli.data_of("refresh", "layered")


def test_a_sites_template_is_checked_refused_and_refreshed(made: Made, tmp_path: Path) -> None:
    """Wrong: named with file and line, and nothing is changed. Right: a refresh brings it into every environment."""
    if made.system != "lmod":
        return  # templates know of no system
    folder = tmp_path / "templates"
    folder.mkdir(mode=0o755)
    epilogue, option = folder / "launch_epilogue.sh.j2", ("-D", f"Site.template_dirs={[str(folder)]!r}")
    epilogue.write_text("export SITE_SAYS=hello\nexport BROKEN={{ nothing }}\n")
    launch = Path(made.environment["prefix"], ".hpcenv", "launch")
    before = launch.read_text()
    checked = made.cli("templates", "check", *option)
    assert checked.returncode == 1
    assert "launch_epilogue.sh.j2" in checked.stdout
    assert "line 2" in checked.stdout
    error = made.cli.error_of("refresh", "layered", *option)
    assert "launch_epilogue.sh.j2" in error["message"]
    assert launch.read_text() == before
    epilogue.write_text("export SITE_SAYS=hello\n")
    assert made.cli("templates", "check", *option).returncode == 0
    made.cli.data_of("refresh", "layered", *option)
    assert made.kernel(made.shell)["environ"]["SITE_SAYS"] == "hello"
    made.cli.data_of("refresh", "layered")
    assert "SITE_SAYS" not in made.kernel(made.shell)["environ"]


def test_a_build_without_a_module_system_says_so(made: Made) -> None:
    error = made.cli.error_of("create", "nope", "--module", "gcc/12", "-D", "Site.module_system=none")
    assert error["code"] == "no_module_system"
    assert error["hints"]


def test_a_package_that_a_module_has_is_told(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before pip fetches a generic wheel; with the module nothing is said."""
    if made.system != "lmod":
        return  # modulefiles in Tcl have no list of extensions
    for name, value in made.cli.env.items():
        if name.startswith(("LMOD_", "MODULE")):
            monkeypatch.setenv(name, value)
    asked = Modules(Site())
    (said,) = asked.has_them(["packaging>=24", "NumPy==1.25"], [])
    assert "SciPy-bundle/2023.07" in said
    assert "--module gcc/12 --module openmpi/4.1 --module SciPy-bundle/2023.07" in said or "2023.07-core" in said
    assert asked.has_them(["numpy"], ["SciPy-bundle/2023.07", "SciPy-bundle/2023.07-core"]) == []
    monkeypatch.delenv("MODULEPATH")
    assert asked.has_them(["numpy"], []) == []


def test_the_module_of_a_python_is_captured_unasked(made: Made) -> None:
    """Somebody loads Python/3.11.7 and names its interpreter by path: without the module it might not start."""
    start = {**made.shell, "PATH": made.cli.env["PATH"]}
    loaded = environ(
        ["bash", "-c", f". {made.init} && module load Python/3.11.7 bulk1/1.0 >/dev/null && env -0"], start
    )
    request = ("create", "unasked", "--no-kernel", "--installer", "uv", "--python", os.path.realpath(sys.executable))
    made.cli.data_of(*request, **{name: value for name, value in loaded.items() if name != "HOME"})
    assert made.cli.data_of("show", "unasked")["modules"]["load"] == ["Python/3.11.7"]
    made.cli.data_of("delete", "unasked", "--now")


def test_what_would_hide_behind_a_modules_package_is_refused(made: Made) -> None:
    """Another numpy could be installed, and would never be imported: what needs it would be proven and then fail."""
    modules = [word for module in SCIPY[made.system] for word in ("--module", module)]
    error = made.cli.error_of("create", "nope", "--no-kernel", *modules, "numpy>=2")
    assert error["code"] == "requirements_conflict"
    assert any("A module fixes the version" in hint for hint in error["hints"])
    others = [each for each in made.cli.data_of("pythons") if not each["version"].startswith("3.11.")]
    for other in others[:1]:
        error = made.cli.error_of("create", "nope", *modules, "--python", other["path"])
        assert error["code"] == "invalid_request"
        assert "bring packages for Python" in error["message"]


def test_a_template_that_no_shell_can_read_changes_nothing(made: Made, tmp_path: Path) -> None:
    """It renders well, and what it gives is no script: refused before anything is written, naming the template."""
    if made.system != "lmod":
        return  # templates know of no system
    folder = tmp_path / "templates"
    folder.mkdir(mode=0o755)
    (folder / "launch_prologue.sh.j2").write_text("if true; then\n")
    option = ("-D", f"Site.template_dirs={[str(folder)]!r}")
    launch = Path(made.environment["prefix"], ".hpcenv", "launch")
    before = launch.read_text()
    error = made.cli.error_of("edit", "layered", "--display-name", "Other", *option)
    assert f"The template {folder / 'launch_prologue.sh.j2'} makes of launch.sh.j2 a script" in error["message"]
    assert launch.read_text() == before
    assert "nope" not in [row["name"] for row in made.cli.data_of("list")]
    assert made.cli.error_of("create", "nope", *option)["message"] == error["message"]
