"""Pages say what works: each command is run as it is printed, in a home of its own.

What a page can not know is put in before: where Pythons and channels of this machine are, and small packages of the
same names instead of large ones. Where the kernel is not the point, it is left out (`--no-kernel`). Alternatives (“any
one of these”) each begin without the environment of the one before.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import nbformat
import pytest

from ..cli.conftest import Cli
from ..conda.archives import tiny
from ..conda.channel import fill, index
from ..conda.conftest import channel, channels  # noqa: F401
from ..conftest import require
from ..layering.conftest import kernel_prefix  # noqa: F401
from ..layering.profiles import wheel
from ..modules import systems, trees
from . import printed

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def user(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Somebody whose index has the packages that pages speak of, in a version that nobody else has."""
    cli = Cli(home, tmp_path_factory.mktemp("uv"))
    shelf = tmp_path_factory.mktemp("shelf")
    for name in ("xarray", "netCDF4", "dask", "mpi4py"):
        wheel(shelf, name, "9999.1")
    cli.env["UV_FIND_LINKS"] = str(shelf)
    return cli


def page(path: str, **put: str) -> str:
    """Return the text of a page; *put* are words of it for which there is something else here."""
    text = (printed.CHECKOUT / path).read_text()
    for what, instead in put.items():
        there = PLACES[what]
        assert there in text, f"{path} does not speak of {there}"
        text = text.replace(there, instead)
    return text


#: What pages call something that lies elsewhere here.
PLACES = {
    "python": "/opt/python/3.13/bin/python3",
    "templates": "/etc/jupyter/hpcenv/templates",
    "minor": "--python 3.12",
}


def run(user: Cli, commands: list[str], **put: str) -> dict[str, str]:
    """Run commands one after the other, and return what each printed."""
    return {command: printed.run(command, user.env, user.home, **put) for command in commands}


def other_python(minor: str) -> Path:
    """Return the folder of another Python's programs."""
    found = next(iter(sorted(Path(os.environ.get("HPCENV_TEST_PYENV", "/")).glob(f"versions/{minor}.*/bin"))), None)
    require(f"a Python {minor}", found is not None)
    assert found is not None
    return found


def lmod(user: Cli, modulepath: str) -> str:
    """Give the user the variables of a shell with modules, and return the line that such a shell begins with.

    With modules pip installs, which then takes the small packages alone.
    """
    user.env |= {"PIP_FIND_LINKS": user.env["UV_FIND_LINKS"], "PIP_NO_INDEX": "1"}
    init = systems.need("lmod")
    shell = {"HOME": str(user.home), "PATH": user.env["PATH"], "MODULEPATH": modulepath}
    said = subprocess.run(["bash", "-c", f". {init}; env -0"], env=shell, capture_output=True, text=True, check=True)
    user.env.update(entry.split("=", 1) for entry in said.stdout.split("\0") if "=" in entry)
    return f". {init}"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of conda packages that fills as tests install."""
    return tmp_path_factory.mktemp("packages")


@pytest.fixture
def forge(user: Cli, channel: Path, packages: Path, tmp_path: Path) -> Cli:  # noqa: F811
    """The same user with channels: Python and ipykernel, and small packages of the names that pages speak of."""
    fill(tmp_path / "forge", [tiny("xarray"), tiny("netcdf4", "1.7"), tiny("pytorch", depends=["__cuda >=12"])])
    fill(tmp_path / "bioconda", [tiny("bedtools")])
    for each in ("forge", "bioconda"):
        index(tmp_path / each)
    (user.home / ".condarc").write_text(
        f"channel_alias: file://{tmp_path}\nchannels: [forge, 'file://{channel}']\npkgs_dirs: ['{packages}']\n"
    )
    return user


def test_the_readme(forge: Cli, tmp_path: Path) -> None:
    (tmp_path / "modules" / "SciPy-bundle").mkdir(parents=True)
    (tmp_path / "modules" / "SciPy-bundle" / "2023.07.lua").write_text('setenv("BUNDLE", "loaded")\n')
    commands = [each for each in printed.commands(page("README.md")) if each.startswith("jupyter ")]
    assert len(commands) == 6
    lmod(forge, str(tmp_path / "modules"))
    run(forge, [f"{each} --no-kernel" if " create " in each else each for each in commands])
    assert {each["name"]: each["manager"] for each in forge.data_of("list")} == {"sim": "venv", "genes": "conda"}
    assert [each["name"] for each in forge.data_of("trash")] == ["climate"]


def test_the_tutorial(user: Cli) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import sys, xarray\nprint(sys.prefix)")])
    nbformat.write(notebook, user.home / "YOUR-NOTEBOOK.ipynb")
    said = run(user, printed.commands(page("docs/tutorial/first-environment.md")))
    assert len(said) == 6
    done = nbformat.read(user.home / "YOUR-NOTEBOOK.nbconvert.ipynb", 4)
    assert done.cells[0].outputs[0].text.strip() == user.data_of("show", "climate")["prefix"]


def test_the_page_about_choosing(user: Cli) -> None:
    user.env["PATH"] += f":{other_python('3.12')}"
    text = page("docs/how-to/users/choose.md", python=str(other_python("3.13") / "python3"))
    run(user, [f"{command} --no-kernel" for command in printed.commands(text)])
    versions = {each["name"]: each["python"].rpartition(".")[0] for each in user.data_of("list")}
    assert versions == {"a": "3.12", "b": "3.13"}


def test_the_page_about_requirements(user: Cli) -> None:
    (user.home / "requirements.txt").write_text("xarray>=2024\n")
    (command,) = printed.commands(page("docs/how-to/users/requirements.md"))
    run(user, [f"{command} --no-kernel"])
    assert "xarray" in {each["name"] for each in user.data_of("packages", "climate")}


def test_the_page_about_conda(forge: Cli) -> None:
    (forge.home / "environment.yml").write_text(f"dependencies: [python={MINOR}, xarray]\n")
    first, of_a_file, planned, on_a_node = printed.commands(
        page("docs/how-to/users/conda.md", minor=f"--python {MINOR}")
    )
    run(forge, [first])
    assert {"xarray", "netcdf4", "ipykernel"} <= {each["name"] for each in forge.data_of("packages", "climate")}
    forge.data_of("delete", "climate", "--now")
    assert "xarray" in run(forge, [planned])[planned]
    run(forge, [f"{of_a_file} --no-kernel", f"{on_a_node} --no-kernel"])
    assert {each["name"] for each in forge.data_of("list")} == {"climate", "torch"}


def test_the_page_about_modules(user: Cli, tmp_path: Path, kernel_prefix: Path) -> None:  # noqa: F811
    begin = lmod(user, trees.write_lmod(tmp_path / "site", str(kernel_prefix / "bin" / "python3")))
    text = page("docs/how-to/users/modules.md")
    search, provides, loaded, *creates, variable, other, parallel, bundle = printed.commands(text)
    printed_there = re.search(r"^SciPy-bundle.*$", text, re.MULTILINE)
    assert printed_there
    said = run(user, [search, provides, loaded])
    shown = [line.replace(" default ", " ").split() for line in said[search].splitlines()]  # of two versions here
    assert printed_there[0].split() in shown
    assert "SciPy-bundle/2023.07" in said[provides]
    (user.home / "modules.txt").write_text("gcc/12\nopenmpi/4.1\n")
    begin += " && module load gcc/12 openmpi/4.1 && module save work >/dev/null 2>&1"
    by_name, *by_others = creates
    assert len(by_others) == 3
    for command in by_others:
        run(user, [f"{command} --no-kernel"], before=begin)
        assert user.data_of("show", "sim")["modules"]["load"] == ["gcc/12", "openmpi/4.1"]
        user.data_of("delete", "sim", "--now")
    run(user, [f"{by_name} --no-kernel", variable, other, f"{parallel} --no-kernel", bundle])
    made = {each["name"]: user.data_of("show", each["name"]) for each in user.data_of("list")}
    assert made["sim"]["modules"]["load"] == ["gcc/13", "openmpi/4.1"]
    assert made["sim"]["variables"] == {"OMP_NUM_THREADS": "${SLURM_CPUS_PER_TASK:-1}"}
    assert made["bundle"]["manager"] == "modules"
    assert set(made) == {"sim", "parallel", "bundle"}


def test_the_page_about_shells_and_jobs(user: Cli, tmp_path: Path) -> None:
    begin = lmod(user, str(tmp_path))
    made = user.data_of("create", "sim", "xarray", "--no-kernel")
    venv.create(user.home / "old" / "venv", symlinks=True)
    bash, job, local, install, *others = printed.commands(page("docs/how-to/users/batch.md"))
    run(user, [bash])
    for command in (job, local):
        run(user, [command])
        assert "#SBATCH" in (user.home / "job.sh").read_text()
    told = run(user, [install])[install].splitlines()
    where = "python -c 'import sys; print(sys.prefix)'"
    use = " && ".join(line for line in map(str.strip, told) if line.startswith("module "))
    assert printed.run(f"{use} && {where}", user.env, user.home, before=begin).strip() == made["prefix"]
    assert others[-1].startswith("module load ")
    there = printed.run(" && ".join([*others, where]), user.env, user.home, before=begin)
    assert there.strip() == str(user.home / "old" / "venv")


def test_the_page_about_templates(user: Cli, tmp_path: Path) -> None:
    folder = str(tmp_path / "templates")
    listing, *makes, check = printed.commands(page("docs/how-to/admins/modules.md", templates=folder))
    assert "launch.sh.j2" in run(user, [listing, *makes])[listing]
    user.config.mkdir(exist_ok=True)
    (user.config / "jupyter_hpcenv_config.py").write_text(f"c.Site.template_dirs = [{folder!r}]\n")
    said = run(user, [listing, check])
    assert folder in said[listing]
    with (tmp_path / "templates" / "activate.lua.j2").open("a") as template:
        template.write("{{ nobody_knows }}\n")
    with pytest.raises(AssertionError, match="nobody_knows"):
        run(user, [check])


def test_the_page_about_what_comes_up_later(user: Cli, tmp_path: Path) -> None:
    text = (
        page("docs/how-to/admins/everyday.md").replace("/home/user1/", f"{user.home}/").replace("/opt/jupyter/bin/", "")
    )
    user.data_of("create", "sim", "--no-kernel")
    look, _, setup, refresh, _, shown, needs, as_json, debug = printed.commands(text)
    said = run(user, [look, setup, refresh, needs, as_json, debug])
    assert " sim " in said[look]
    assert "sim: Refreshed." in said[refresh]
    assert "environments" in (user.home / "gcc.json").read_text()
    (policy,) = printed.blocks(text, "toml")
    (tmp_path / "policy.toml").write_text(policy)
    user.env["HPCENV_POLICY"] = str(tmp_path / "policy.toml")
    assert "Maintenance until Monday" in run(user, [shown])[shown]
    words = (["create", "no"], ["clone", "sim", "no"], ["install", "sim", "six"], ["share", "sim", "--everybody"])
    for refused in words:
        assert "Maintenance until Monday, 8:00." in user.error_of(*refused)["message"], refused
    user.data_of("delete", "sim")


def test_the_page_about_presets(forge: Cli, tmp_path: Path) -> None:
    text = page("docs/how-to/admins/presets.md")
    folder = tmp_path / "presets"
    (folder / "dask-mpi").mkdir(parents=True)
    (folder / "dask-mpi" / "environment.yml").write_text("dependencies: [dask]\n")
    for name, said in zip(("pytorch-gpu", "dask-mpi"), printed.blocks(text, "yaml"), strict=True):
        (folder / f"{name}.yaml").write_text(said)
    for name in ("CUDA/12.4.0", "CUDA/12.1.1", "GCCcore/12.3.0", "OpenMPI/5.0.3"):
        (tmp_path / "modules" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "modules" / f"{name}.lua").write_text(f'setenv("LOADED_{name[0]}", "{name}")\n')
    lmod(forge, str(tmp_path / "modules"))
    forge.env["PATH"] += f":{other_python('3.12')}"
    for name in ("torch", "pytest"):
        wheel(Path(forge.env["UV_FIND_LINKS"]), name, "9999.1")
    forge.config.mkdir(exist_ok=True)
    (forge.config / "jupyter_hpcenv_config.py").write_text(f"c.Site.preset_folders = [{str(folder)!r}]\n")
    check, listing, show, create = printed.commands(text)
    said = run(forge, [check, listing, show, f"{create} --no-kernel"])
    assert "PyTorch on GPU" in said[listing]
    assert "CUDA/12.1.1" in said[show]
    assert forge.data_of("show", "mine")["modules"]["load"] == ["GCCcore/12.3.0", "CUDA/12.1.1"]
    assert {"torch", "pytest"} <= {each["name"] for each in forge.data_of("packages", "mine")}
