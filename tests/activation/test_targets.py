"""What chooses among the builds of an environment, in the real shells and module systems."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from jupyter_hpcenv.activation import DIALECTS, install, module_name, render_activation, use_line
from jupyter_hpcenv.errors import InvalidRequest
from jupyter_hpcenv.lifecycle.faces import write_own_scripts, write_scripts
from jupyter_hpcenv.models import Build, ModuleSet, Platform, Record
from jupyter_hpcenv.site import Site
from jupyter_hpcenv.site.target import SCRIPT

from .conftest import DIALECT, SHELLS, Modules, make, make_prefix, run, snapshot

GOLDEN = Path(__file__).parents[1] / "golden"
MINOR = "{}.{}".format(*sys.version_info)
SHOW = "python -c 'import sys; print(sys.prefix)'\n"
NAMES = {"bash": "activate.sh", "csh": "activate.csh", "fish": "activate.fish"}


def of_two(prefix: Path | str, modules: ModuleSet | None = None, python: str = "3.11.7", *, edition: int = 0) -> Record:
    record = make(prefix, target="zen4", targets=["zen4", "zen5"], modules=modules, python=python, edition=edition)
    build = Build(
        target="zen5",
        prefix=f"{prefix}/.hpcenv/builds/zen5",
        python=python,
        python_path=sys.executable,
        modules=modules,
        platform=Platform(cluster="testcluster", os="debian12", arch="x86_64", target="zen5"),
        created=record.created,
        operation=record.operation,
    )
    return msgspec.structs.replace(record, builds={"zen5": build})


@pytest.mark.parametrize("dialect", DIALECTS)
def test_text_is_the_golden_one(dialect: str, site: Site) -> None:
    text = render_activation(dialect, of_two("/scratch/user/it's climate", edition=1), site)
    assert text == (GOLDEN / f"activate-targets.{dialect}").read_text(encoding="utf-8")


def test_what_it_can_not_be_used_with_is_refused(site: Site) -> None:
    for options in ({"several": True}, {"hook": True}):
        with pytest.raises(InvalidRequest, match="several kinds of computers"):
            render_activation("bash", of_two("/p"), site, **options)


@pytest.fixture
def record(prefix: Path, site: Site) -> Record:
    """Two prefixes with all scripts that lie in them."""
    return on_disk(of_two(prefix, python=f"{MINOR}.0"), site)


def on_disk(record: Record, site: Site) -> Record:
    (make_prefix(Path(record.builds["zen5"].prefix)) / ".hpcenv").mkdir()
    Path(record.prefix, ".hpcenv", SCRIPT.name).write_bytes(SCRIPT.read_bytes())
    write_own_scripts(record, site)
    write_scripts(record, site)
    return record


def script(shell: str) -> str:
    """Return the line that sources the script; the prefix has characters that shells would expand."""
    return f"{'source' if shell in DIALECT else '.'} ./here/.hpcenv/{NAMES[DIALECT.get(shell, 'bash')]}\n"


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("target", ["zen4", "zen5"])
def test_a_shell_uses_the_build_for_its_computer_and_puts_all_back(
    shell: str, target: str, record: Record, tmp_path: Path
) -> None:
    (tmp_path / "here").symlink_to(record.prefix)
    text = f"env -0 > before\n{script(shell)}{SHOW}deactivate\nenv -0 > after\n"
    done = run(shell, text, tmp_path, {"VSC_ARCH_LOCAL": target})
    wanted = record.prefix if target == "zen4" else record.builds["zen5"].prefix
    assert (done.stdout.splitlines(), done.stderr) == ([wanted], "")
    assert snapshot(tmp_path / "after") == snapshot(tmp_path / "before")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_says_where_there_is_no_build_or_an_old_one(
    shell: str, record: Record, site: Site, tmp_path: Path
) -> None:
    (tmp_path / "here").symlink_to(record.prefix)
    done = run(shell, f"{script(shell)}echo over\n", tmp_path, {"VSC_ARCH_LOCAL": "zen9"})
    said = done.stdout + done.stderr
    assert "The environment climate has builds for zen4, zen5, and this computer is zen9." in said
    write_scripts(msgspec.structs.replace(record, edition=1), site)
    done = run(shell, f"{script(shell)}{SHOW}", tmp_path, {"VSC_ARCH_LOCAL": "zen5"})
    assert "“jupyter hpcenv build climate --target zen5” builds it anew" in done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == record.builds["zen5"].prefix


@pytest.mark.parametrize("target", ["zen4", "zen5", "zen9"])
def test_a_modulefile_loads_the_build_for_its_computer(
    modules: Modules, target: str, prefix: Path, site: Site, tmp_path: Path
) -> None:
    record = on_disk(of_two(prefix, modules.set("gcc/12"), f"{MINOR}.0"), site)
    install(modules.system, record, site)
    name = module_name(record)
    script = (
        f". {modules.init}\nmodule use {modules.folder}\n{use_line(modules.system, site)}\nset +e\n"
        f"env -0 > before\nmodule load {name} && {SHOW}module unload {name}\nenv -0 > after\n"
    )
    done = run("bash", script, tmp_path, {"VSC_ARCH_LOCAL": target})
    if target == "zen9":
        assert "has builds for zen4, zen5, and this computer is zen9." in " ".join(done.stderr.split())
        return
    assert done.stdout.splitlines() == [prefix.as_posix() if target == "zen4" else record.builds["zen5"].prefix]
    assert snapshot(tmp_path / "after") == snapshot(tmp_path / "before")


@pytest.mark.parametrize("target", ["zen4", "zen5", "zen9"])
def test_a_job_uses_the_build_for_its_node(target: str, record: Record, site: Site, tmp_path: Path) -> None:
    job = tmp_path / "job"
    job.write_text(render_activation("sbatch", record, site) + SHOW, encoding="utf-8")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "VSC_ARCH_LOCAL": target}
    done = subprocess.run(["bash", str(job)], env=env, capture_output=True, text=True, check=False)
    wanted = {"zen4": [record.prefix], "zen5": [record.builds["zen5"].prefix], "zen9": []}[target]
    assert (done.stdout.splitlines(), done.returncode) == (wanted, 1 if target == "zen9" else 0)
