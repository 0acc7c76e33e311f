"""Modulefiles in the real Lmod and the real Tcl Modules: load, import, unload, byte for byte."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_hpcenv import activation
from jupyter_hpcenv.models import Record
from jupyter_hpcenv.site import Site

from .conftest import Modules, make, make_prefix, run, snapshot

MINOR = "{}.{}".format(*sys.version_info)
VARIABLES = {
    "PLACES": "{0:4}:&2",
    "OMP_NUM_THREADS": "${SLURM_CPUS_PER_TASK:-1}",
    "TITLE": '100% "it\'s" `id` $(id) [x] {y\\',
    "EMPTY": "",
}


class Session:
    """One shell that loads what was installed."""

    def __init__(self, modules: Modules, site: Site, folder: Path) -> None:
        self.modules, self.site, self.folder = modules, site, folder
        self.start = f". {modules.init}\nmodule use {modules.folder}\n"

    def install(self, record: Record, *, several: bool = False) -> str:
        activation.install(self.modules.system, record, self.site, several=several)
        return activation.module_name(record, several=several)

    def run(self, script: str, around: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        use = activation.use_line(self.modules.system, self.site)
        return run("bash", f"{self.start}{use}\nset +e\n{script}", self.folder, around)

    def same(self) -> bool:
        before, after = snapshot(self.folder / "before"), snapshot(self.folder / "after")
        assert after == before
        return True


@pytest.fixture
def session(modules: Modules, site: Site, tmp_path: Path) -> Session:
    return Session(modules, site, tmp_path)


@pytest.mark.parametrize("around", [{}, {"TITLE": "old: $x:", "VIRTUAL_ENV": "/old", "PYTHONNOUSERSITE": "0"}])
def test_load_import_unload(session: Session, prefix: Path, around: dict[str, str]) -> None:
    record = make(
        prefix, python=f"{MINOR}.0", variables=VARIABLES, modules=session.modules.set("gcc/12", "openmpi/4.1")
    )
    name = session.install(record)
    done = session.run(
        f"module load bulk1/1.0\nenv -0 > before\nmodule load {name}\nenv -0 > during\n"
        "python -c 'import sys, only_in_climate; print(sys.prefix)'\nmodule load bulk2/1.0\n"
        f"module unload {name}\necho $LOADEDMODULES\nmodule unload bulk2/1.0\nenv -0 > after\n",
        around,
    )
    assert done.stdout.splitlines() == [str(prefix), "bulk1/1.0:bulk2/1.0"], done.stderr
    during = snapshot(session.folder / "during")
    assert during["PATH"].split(":")[0] == f"{prefix}/bin"
    assert during["LOADEDMODULES"].split(":") == ["bulk1/1.0", "gcc/12", "openmpi/4.1", name]
    expected = {"VIRTUAL_ENV": str(prefix), "VIRTUAL_ENV_PROMPT": "climate", "PYTHONNOUSERSITE": "1"}
    expected |= {**VARIABLES, "OMP_NUM_THREADS": "1", "CC": "gcc-12"}
    assert {key: during.get(key) for key in expected} == expected
    assert "PYTHONPATH" not in during
    assert session.same()


def test_variables_of_the_scheduler_are_filled_in(session: Session, prefix: Path) -> None:
    values = {"A": "n=${SLURM_CPUS_PER_TASK:-1}!", "B": "${PBS_NCPUS}x", "C": "${SLURM_EMPTY:-2}", "D": "${HOME}"}
    name = session.install(make(prefix, variables=values))
    around = {"SLURM_CPUS_PER_TASK": "a b'$(id)`\"*", "SLURM_EMPTY": ""}
    done = session.run(
        f"env -0 > before\nmodule load {name}\nprintenv A B C D\nSLURM_CPUS_PER_TASK=2 SLURM_EMPTY=3 PBS_NCPUS=4\n"
        f'module unload {name}\nSLURM_CPUS_PER_TASK="a b\'\\$(id)\\`\\"*" SLURM_EMPTY=; unset PBS_NCPUS\n'
        "env -0 > after\n",
        around,
    )
    assert done.stdout.split("\n") == ["n=a b'$(id)`\"*!", "x", "2", "${HOME}", ""], done.stderr
    assert session.same()


def test_modules_loaded_before_stay(session: Session, prefix: Path) -> None:
    name = session.install(make(prefix, modules=session.modules.set("gcc/12", "openmpi/4.1")))
    done = session.run(
        f"module load gcc/12\nenv -0 > before\nmodule load {name}\nmodule unload {name}\nenv -0 > after\n"
    )
    assert snapshot(session.folder / "before")["LOADEDMODULES"] == "gcc/12", done.stderr
    assert session.same()


def test_folders_of_modules_are_added_only_if_missing(session: Session, prefix: Path) -> None:
    name = session.install(make(prefix, modules=session.modules.set("gcc/12")))
    script = f"module load {name}\necho $LOADEDMODULES $MODULEPATH\nmodule unload {name}\nenv -0 > after\n"
    last = session.folder / "last"  # else ours would be the last one anyway
    last.mkdir()
    there = session.run(f"module use --append {last}\nenv -0 > before\n{script}")
    assert there.stdout.startswith(f"gcc/12:{name} "), there.stderr
    folders = there.stdout.split()[1].split(":")
    assert folders.count(session.modules.folder) == 1
    assert session.same()
    missing = session.run(f"module unuse {session.modules.folder}\nenv -0 > before\n{script}")
    assert missing.stdout.startswith(f"gcc/12:{name} "), missing.stderr
    assert session.modules.folder in missing.stdout.split()[1].split(":")
    assert session.same()


@pytest.mark.parametrize("first", ["gcc/13", "intel/2023"])
def test_module_that_would_be_pushed_out_is_named(session: Session, prefix: Path, first: str) -> None:
    name = session.install(make(prefix, modules=session.modules.set("gcc/12")))
    done = session.run(
        f"module load {first}\nenv -0 > before\nmodule load {name}; echo $?\nenv -0 > after\n",
    )
    assert done.stdout == "1\n"
    assert first.split("/")[0] in done.stderr
    assert session.same()


@pytest.mark.parametrize("asked", ["nosuch/1", "broken/1.0"])
def test_environment_is_not_loaded_without_its_modules(session: Session, prefix: Path, asked: str) -> None:
    name = session.install(make(prefix, modules=session.modules.set("gcc/12", asked)))
    done = session.run(f"env -0 > before\nmodule load {name}; echo $?\nenv -0 > after\n")
    assert done.stdout == "1\n"
    assert asked in done.stderr
    assert session.same()


def test_missing_prefix_is_told(session: Session, tmp_path: Path) -> None:
    name = session.install(make(tmp_path / "it's [gone] $x"))
    done = session.run(f"env -0 > before\nmodule load {name}; echo $?\nenv -0 > after\n")
    assert done.stdout == "1\n"
    assert "is not there" in done.stderr
    assert "[gone] $x" in " ".join(done.stderr.split())
    assert session.same()


def test_one_environment_at_a_time(session: Session, prefix: Path, tmp_path: Path) -> None:
    first = session.install(make(prefix, variables={"ONE": "1"}))
    other = make_prefix(tmp_path / "ocean")
    second = session.install(make(other, id="f" * 32, name="ocean", variables={"TWO": "2"}))
    done = session.run(
        f"env -0 > before\nmodule load {first}\nmodule load {second}; echo $? $LOADEDMODULES $ONE.$TWO\n"
        "module unload hpcenv\nenv -0 > after\n"
    )
    swapped = session.modules.system == "lmod"  # Lmod puts the second in the place of the first, Tcl Modules refuses
    assert done.stdout == (f"0 {second} .2\n" if swapped else f"1 {first} 1.\n"), done.stderr
    assert session.same()


@pytest.mark.parametrize("together", [True, False], ids=["one command", "two commands"])
def test_several_load_together_when_the_pythons_match(
    session: Session, prefix: Path, tmp_path: Path, together: bool
) -> None:
    record = make(prefix, python=f"{MINOR}.0", modules=session.modules.set("gcc/12"))
    first = session.install(record, several=True)
    other = make(make_prefix(tmp_path / "ocean"), id="f" * 32, name="ocean", python=f"{MINOR}.9")
    second = session.install(other, several=True)
    load = f"module load {first} {second}\n" if together else f"module load {first}\nmodule load {second}\n"
    for unload in (f"module unload {first}\nmodule unload {second}\n", f"module unload {second} {first}\n"):
        done = session.run(
            f"env -0 > before\n{load}python -c 'import only_in_climate, only_in_ocean; print(1)'\n"
            f"{unload}env -0 > after\n",
            {"PYTHONPATH": "/old", "PYTHONNOUSERSITE": "0"},
        )
        assert done.stdout == "1\n", done.stderr
        assert session.same()


@pytest.mark.parametrize("together", [True, False], ids=["one command", "two commands"])
def test_several_are_refused_when_the_pythons_differ(
    session: Session, prefix: Path, tmp_path: Path, together: bool
) -> None:
    first = session.install(make(prefix, python="3.11.7"), several=True)
    other = make(make_prefix(tmp_path / "ocean"), id="f" * 32, name="ocean", python="3.12.1")
    second = session.install(other, several=True)
    load = f"module load {first} {second}\n" if together else f"module load {first}\nmodule load {second}\n"
    done = session.run(f"{load}echo $? $HPCENV_PYTHON\n")
    status, *loaded = done.stdout.split()
    assert status == "1"
    assert loaded in ([], ["3.11"])
    assert "ocean has Python 3.12" in " ".join(done.stderr.split())


def test_the_two_kinds_exclude_each_other(session: Session, prefix: Path) -> None:
    alone = session.install(make(prefix))
    several = session.install(make(prefix), several=True)
    for first, second in ((alone, several), (several, alone)):
        done = session.run(f"module load {first}\nenv -0 > before\nmodule load {second}; echo $?\nenv -0 > after\n")
        assert done.stdout == "1\n", done.stderr
        assert session.same()


def test_nothing_but_modules(session: Session) -> None:
    name = session.install(make("", modules=session.modules.set("gcc/12"), variables={"ONE": "1"}))
    done = session.run(
        f"env -0 > before\nmodule load {name}\necho $LOADEDMODULES $ONE $VIRTUAL_ENV\n"
        f"module unload {name}\nenv -0 > after\n"
    )
    assert done.stdout == f"gcc/12:{name} 1\n", done.stderr
    assert session.same()


@pytest.mark.parametrize("handling", ["0", "1"])
@pytest.mark.parametrize("several", [False, True])
def test_tcl_as_before_version_5(site: Site, prefix: Path, tmp_path: Path, handling: str, several: bool) -> None:
    """Modules 4 has no pushenv and handles requirements by itself only if told to; only 5.2 can be had here."""
    session = Session(Modules("tcl", tmp_path / "tree"), site, tmp_path)
    record = make(prefix, variables=VARIABLES, modules=session.modules.set("gcc/12", "openmpi/4.1"))
    name = session.install(record, several=several)
    path = activation.install_path("tcl", record, site, several=several)
    text = path.read_text()
    assert text.count("[llength [info commands pushenv]]") == several
    path.write_text(text.replace("[llength [info commands pushenv]]", "0"))
    done = session.run(
        f"env -0 > before\nmodule load {name}\nprintenv TITLE PYTHONNOUSERSITE\nmodule unload {name}\nenv -0 > after\n",
        {"TITLE": "old $x", "PYTHONNOUSERSITE": "0", "EMPTY": "", "MODULES_AUTO_HANDLING": handling},
    )
    assert done.stdout.splitlines() == [VARIABLES["TITLE"], "1"], done.stderr
    assert session.same()
