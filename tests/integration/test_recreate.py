"""Every file that describes an environment is read, and every export of one makes the very same again."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.managers import exact
from jupyter_hpcenv.managers.conda.installed import read
from jupyter_hpcenv.managers.contract import Choice, Surroundings
from jupyter_hpcenv.managers.packages import list_packages
from jupyter_hpcenv.models import PythonFact

from ..cli.conftest import Cli
from ..conda.conftest import _server, channel, channel_server, channels  # noqa: F401
from ..conda.conftest import cache as conda_cache  # noqa: F401
from ..conda.serving import ChannelServer
from ..conftest import require
from ..layering.profiles import wheel
from ..modules import systems, trees

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
EXPECTED = {"six": "1.16.0", "idna": "3.10"}
#: Digests of six 1.16.0 and idna 3.10, as the index publishes them.
SIX = "sha256:8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254"
IDNA = "sha256:946d195a0d259cbba61165e88e65941f16e9b36ea6ddb97f00452bae8b1287d3"

PYLOCK = f"""
lock-version = "1.0"
created-by = "a test"
requires-python = ">=3.9"
[[packages]]
name = "six"
version = "1.16.0"
wheels = [{{ url = "https://files.example.org/six.whl", hashes = {{ sha256 = "{SIX[7:]}" }} }}]
[[packages]]
name = "idna"
version = "3.10"
marker = "python_version >= '3'"
wheels = [{{ url = "https://files.example.org/idna.whl", hashes = {{ sha256 = "{IDNA[7:]}" }} }}]
[[packages]]
name = "toml"
version = "0.10.2"
marker = "python_version < '3'"
wheels = [{{ url = "https://files.example.org/toml.whl", hashes = {{ sha256 = "{IDNA[7:]}" }} }}]
"""
PYPROJECT = """
[project]
name = "demo"
requires-python = ">=3.9"
dependencies = ["six==1.16.0"]
[project.optional-dependencies]
net = ["idna==3.10"]
"""
PIPFILE = '[packages]\nsix = "==1.16.0"\n[dev-packages]\nidna = "==3.10"\n'
PIPFILE_LOCK = json.dumps(
    {
        "_meta": {"hash": {}, "pipfile-spec": 6, "requires": {"python_version": MINOR}, "sources": []},
        "default": {"six": {"hashes": [SIX], "version": "==1.16.0"}},
        "develop": {"idna": {"hashes": [IDNA], "version": "==3.10"}},
    }
)
CAPSULE = json.dumps(
    {
        "hpcenv_capsule": 1,
        "manager": "venv",
        "python": f"{MINOR}.0",
        "requests": ["six==1.16.0", "idna<3.11"],
        "packages": [
            {"name": "six", "version": "1.16.0", "hashes": [SIX]},
            {"name": "idna", "version": "3.10", "hashes": [IDNA]},
        ],
        "kernel": {"display_name": "Of a capsule", "language": "python"},
    }
)
HASHED = f"six==1.16.0 --hash={SIX}\nidna==3.10 --hash={IDNA}\n"

#: What is read: name of the file, its text, and what is said besides.
READ: dict[str, tuple[str, list[str]]] = {
    "requirements.txt": ("six==1.16.0\nidna==3.10\n", []),
    "hashed.txt": (HASHED, []),
    "pyproject.toml": (PYPROJECT, ["--extra", "net"]),
    "pylock.toml": (PYLOCK, []),
    "Pipfile": (PIPFILE, ["--group", "dev"]),
    "Pipfile.lock": (PIPFILE_LOCK, ["--group", "dev"]),
    "capsule.json": (CAPSULE, []),
}
WRITTEN = ["requirements.txt", "requirements-full.txt", "requirements-hashed.txt", "pylock.toml", "capsule.json"]


@pytest.fixture(scope="module")
def uv_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uv-cache")


@pytest.fixture
def user(home: Path, uv_cache: Path) -> Cli:
    return Cli(home, uv_cache)


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory, uv_cache: Path) -> Cli:
    """A user who has an environment with a kernel, and who collects what is built of the same files."""
    cli = Cli(tmp_path_factory.mktemp("rich"), uv_cache)
    cli.data_of("create", "whole", "six==1.16.0", "--display-name", "Mine", "--installer", "uv")
    return cli


def versions(prefix: str) -> dict[str, str]:
    """Return what is in a virtual environment besides its tool pip."""
    return {each.name: each.version for each in list_packages(Path(prefix)) if each.name != "pip"}


@pytest.fixture(scope="module")
def built() -> dict[tuple[str, str], dict[str, str]]:
    """What came of each text that was exported so far: a text that comes again is not built again."""
    return {}


@pytest.mark.parametrize("file", READ)
def test_what_is_read_and_each_export_of_it_give_the_same(
    rich: Cli, built: dict[tuple[str, str], dict[str, str]], file: str
) -> None:
    """One import, then every export of what it made, each built again: always the same packages."""
    text, options = READ[file]
    (rich.home / file).write_text(text)
    name = file.replace(".", "-")
    made = rich.data_of("create", name, "--file", file, *options, "--no-kernel", "--python", MINOR, "--installer", "uv")
    assert versions(made["prefix"]) == EXPECTED
    for form in WRITTEN:
        written = rich.data_of("export", name, "--format", form)["text"].replace(f'"{name}"', '"again"')
        assert "file:" not in written
        if (form, written) not in built:
            (rich.home / form).write_text(written)
            again = rich.data_of("create", f"{name}-{form}", "--file", form, "--no-kernel", "--installer", "uv")
            built[form, written] = versions(again["prefix"])
        assert built[form, written] == EXPECTED, form


@pytest.mark.parametrize("form", ["requirements-hashed.txt", "pylock.toml", "capsule.json"])
def test_the_kernel_of_what_is_built_from_a_lockfile_is_proven(rich: Cli, form: str) -> None:
    """The export of an environment with a kernel has all of the kernel."""
    rich.data_of("export", "whole", "-o", form, "--force")
    again = rich.data_of("create", f"again-{form}", "--file", form, "--installer", "uv")
    assert again["preflight"]["kind"] == "kernel"
    assert versions(again["prefix"]) == versions(rich.data_of("show", "whole")["prefix"])
    title = "Mine" if form == "capsule.json" else f"again-{form} (Python {MINOR})"
    assert again["kernels"][0]["display_name"] == title
    assert (again["packages"] == ["six==1.16.0"]) is (form == "capsule.json")


def test_pip_installs_what_a_lockfile_lists(user: Cli) -> None:
    (user.home / "pylock.toml").write_text(PYLOCK)
    made = user.data_of("create", "a", "--file", "pylock.toml", "--installer", "pip", "--no-kernel")
    assert (versions(made["prefix"]), made["installer"]) == (EXPECTED, "pip")


def test_a_lockfile_without_ipykernel_gets_it_besides(user: Cli) -> None:
    (user.home / "hashed.txt").write_text(HASHED)
    made = user.data_of("create", "a", "toml", "--file", "hashed.txt", "--installer", "uv")
    assert made["preflight"]["kind"] == "kernel"
    assert versions(made["prefix"]).items() >= {**EXPECTED, "toml": "0.10.2"}.items()
    assert made["packages"] == ["toml", "six==1.16.0", "idna==3.10"]


@pytest.mark.parametrize(
    ("file", "installer"),
    [
        ("hashed.txt", "uv"),
        ("pylock.toml", "uv"),
        ("Pipfile.lock", "uv"),
        ("capsule.json", "uv"),
        ("hashed.txt", "pip"),
    ],
)
def test_an_archive_of_another_digest_is_refused(user: Cli, file: str, installer: str) -> None:
    text, _ = READ[file]
    (user.home / file).write_text(text.replace(SIX[7:], "0" * 64))
    error = user.error_of("create", "a", "--file", file, "--no-kernel", "--installer", installer)
    assert error["message"] == "The archive of six==1.16.0 is not the one that the file names by its digest."
    assert not user.data_of("list")


def test_a_python_that_a_file_does_not_want_is_refused(user: Cli) -> None:
    """The first Python of the machine is not taken where the file wants another one."""
    there = [each["version"] for each in user.data_of("pythons")]
    require("a second Python", len(set(there)) > 1)
    first, other = there[0], next(each for each in there if each != there[0])
    (user.home / "pyproject.toml").write_text(PYPROJECT.replace(">=3.9", f"=={other}"))
    made = user.data_of("create", "a", "--file", "pyproject.toml", "--no-kernel")
    assert made["python"] == other
    error = user.error_of("create", "b", "--file", "pyproject.toml", "--no-kernel", "--python", first)
    assert f"asks for Python =={other}" in error["message"]
    (user.home / "pyproject.toml").write_text(PYPROJECT.replace(">=3.9", ">=3.99"))
    assert user.error_of("create", "b", "--file", "pyproject.toml")["code"] == "python_not_found"


def test_a_lockfile_for_other_computers_is_refused(user: Cli) -> None:
    other = PYLOCK.replace('created-by = "a test"', "created-by = 'a'\nenvironments = [\"sys_platform == 'win32'\"]")
    (user.home / "pylock.toml").write_text(other)
    assert "for other computers" in user.error_of("create", "b", "--file", "pylock.toml")["message"]


def test_a_digest_that_nobody_knows_is_said(user: Cli, tmp_path: Path) -> None:
    """What came from a wheelhouse that is gone: its version stays, with what Compute Canada calls it, and a note."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    wheel(folder, "hpclocal", "1.0+computecanada")
    links = {"UV_FIND_LINKS": str(folder)}
    user.data_of("create", "a", "hpclocal", "six==1.16.0", "--no-kernel", "--installer", "uv", **links)
    for form in ("requirements-hashed.txt", "pylock.toml", "capsule.json"):
        found = user.data_of("export", "a", "--format", form)
        notes = " ".join(found["notes"])
        assert "No digest is known of hpclocal" in notes, form
        assert SIX[7:] in found["text"], form  # the others have theirs all the same
        assert ("1.0+computecanada" in found["text"]) == (form != "pylock.toml")
    known = user.data_of("export", "a", "--format", "requirements-hashed.txt", **links)
    assert "hpclocal==1.0+computecanada \\\n    --hash=sha256:" in known["text"]
    (user.home / "hashed.txt").write_text(known["text"])
    again = user.data_of("create", "b", "--file", "hashed.txt", "--no-kernel", "--installer", "uv", **links)
    assert versions(again["prefix"]) == {"hpclocal": "1.0+computecanada", "six": "1.16.0"}


class Said:
    """A reporter that keeps the lines of the log."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def line(self, kind: str, text: str) -> None:
        self.lines.append((kind, text))

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: None


@pytest.mark.parametrize("as_source", [False, True])
def test_what_modules_bring_is_never_replaced(user: Cli, tmp_path: Path, as_source: bool) -> None:
    """A module has another six: it stays, and the log says so. A clone has what its source has, whatever lies below."""
    below = tmp_path / "below"
    below.mkdir()
    with zipfile.ZipFile(wheel(tmp_path, "six", "1.15.0")) as archive:
        archive.extractall(below)
    with zipfile.ZipFile(wheel(tmp_path, "toml", "0.10.2")) as archive:
        archive.extractall(below)
    prefix = Path(user.data_of("create", "a", "--no-kernel", "--installer", "uv")["prefix"])
    python = PythonFact(path=sys.executable, real="", version=MINOR, source="path", label="")
    lines = [*HASHED.splitlines(), f"toml==0.10.2 --hash={SIX}"]
    options: dict[str, Any] = {"locked": lines[:2] if as_source else lines, "as_source": as_source}
    choice = Choice(python=python, creator="venv", installer="uv", kernel=False, options=options)
    around = Surroundings(modules=["x"], environ={"PYTHONPATH": str(below)}, brings_packages=True)
    env, report, folder = {**user.env, "PYTHONPATH": str(below)}, Said(), tmp_path / "private"
    folder.mkdir()
    wanted = ["six", "idna"] if as_source else ["six", "toml", "idna"]
    exact.install(choice, wanted, prefix, folder, env, around, report, {})
    said = [text for kind, text in report.lines if kind in ("warning", "output")]
    if as_source:
        assert versions(str(prefix)) == EXPECTED
        return
    assert versions(str(prefix)) == {"idna": "3.10"}
    assert "Already there, from below: toml==0.10.2 (there: 0.10.2)." in said
    assert any("never replaced: six==1.16.0 (there: 1.15.0)" in text for text in said)


def test_no_variable_path_or_secret_is_in_a_capsule(user: Cli, tmp_path: Path) -> None:
    """Canaries wherever an environment can hold something of its owner's; then in every form of export."""
    canary = "canary-5e11"
    project = tmp_path / canary
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools>=64"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "mine"\nversion = "1"\n[tool.setuptools]\npy-modules = []\n'
    )
    (user.home / "requirements.txt").write_text(f"six==1.16.0\n-e {project}\n")
    arguments = ["create", "a", "--file", "requirements.txt", "--no-kernel", "--installer", "uv"]
    made = user.data_of(*arguments, "--var", f"MY_TOKEN={canary}", "--var", f"DATA=/data/{canary}")
    assert "mine" in versions(made["prefix"])
    found = user.data_of("export", "a", "--format", "capsule.json")
    assert canary not in found["text"]
    assert str(user.home) not in found["text"]
    assert set(json.loads(found["text"])) == {
        *("hpcenv_capsule", "name", "manager", "python", "platform", "system_site_packages", "modules", "kernel"),
        *("requests", "channels", "packages", "conda"),
    }
    assert "mine is not in it" in " ".join(found["notes"])
    assert "MY_TOKEN" in " ".join(found["notes"])
    for form in ("requirements-hashed.txt", "pylock.toml"):
        assert canary not in user.data_of("export", "a", "--format", form)["text"]


def test_modules_come_along_and_what_they_bring_stays(user: Cli, tmp_path: Path) -> None:
    """By a capsule and by a clone; a capsule that lists another numpy than the module's does not replace that."""
    init = systems.need("lmod")
    path = trees.write_lmod(tmp_path, os.path.realpath(sys.executable))
    shell = {"HOME": str(user.home), "PATH": user.env["PATH"], "MODULEPATH": path}
    said = subprocess.run(["bash", "-c", f". {init}; env -0"], env=shell, capture_output=True, text=True, check=True)
    user.env.update(entry.split("=", 1) for entry in said.stdout.split("\0") if "=" in entry)
    modules = [word for name in ("gcc/12", "openmpi/4.1", "SciPy-bundle") for word in ("--module", name)]
    made = user.data_of("create", "first", "toml==0.10.1", *modules, "--no-kernel")
    text = user.data_of("export", "first", "--format", "capsule.json")["text"]
    plain = json.loads(text)
    assert plain["modules"] == made["modules"]["load"] == ["gcc/12", "openmpi/4.1", "SciPy-bundle/2023.07"]
    assert str(tmp_path) not in text
    plain["packages"].append({"name": "numpy", "version": "1.24.0", "hashes": [SIX]})
    (user.home / "capsule.json").write_text(json.dumps(plain))
    again = user.data_of("create", "again", "--file", "capsule.json", "--no-kernel")
    clone = user.data_of("clone", "first", "clone", "--no-kernel")
    for each in (again, clone):
        assert each["modules"]["load"] == made["modules"]["load"]
        assert each["system_site_packages"] is True
        assert versions(each["prefix"]) == versions(made["prefix"])
        assert versions(each["prefix"])["toml"] == "0.10.1"
    log = user("log", again["operation"]).stdout
    assert "never replaced: numpy==1.24.0 (there: 1.25.1)" in log


PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "users" / "recreate.md"


def test_the_page_for_users_says_what_works(user: Cli) -> None:
    """Run each command of the page as it is printed there, in a folder with a project of that shape."""
    other = next(iter(sorted(Path(os.environ.get("HPCENV_TEST_PYENV", "/")).glob("versions/3.12.*/bin"))), None)
    require("a Python 3.12", other is not None)
    grouped = PYPROJECT + '[dependency-groups]\ntest = ["iniconfig"]\n'
    (user.home / "pyproject.toml").write_text(grouped)
    commands = re.findall(r"^\$ (.+)$", PAGE.read_text(), re.MULTILINE)
    assert len(commands) == 9
    env = {**user.env, "PATH": f"{user.env['PATH']}:{other}"}
    for command in commands:
        done = subprocess.run(command, shell=True, env=env, cwd=user.home, capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    made = {each["name"]: versions(each["prefix"]) for each in user.data_of("list")}
    assert set(made) == {"climate", "from-hashes", "from-lock", "from-capsule", "climate-copy", "climate-next"}
    assert made["climate"] == made["from-hashes"] == made["from-lock"] == made["from-capsule"] == made["climate-copy"]
    assert made["climate"].items() >= EXPECTED.items()
    assert made["climate-next"].items() >= EXPECTED.items()


# -- conda ------------------------------------------------------------------


@pytest.fixture
def forge(home: Path, channel: Path, conda_cache: Path, user: Cli) -> Cli:  # noqa: F811
    """A user whose configuration names the channel of the tests."""
    (home / ".condarc").write_text(f"channels:\n  - file://{channel}\npkgs_dirs:\n  - {conda_cache}\n")
    return user


def builds(prefix: str) -> set[tuple[str, str, str]]:
    return {(each.name, each.version, each.build) for each in read(Path(prefix))}


ENVIRONMENT = f"dependencies:\n  - python={MINOR}\n  - hpc-tiny=1.0\n"
CONDA_WRITTEN = ["environment.yml", "environment-full.yml", "explicit.txt", "pixi.lock", "capsule.json"]


@pytest.mark.parametrize("form", CONDA_WRITTEN)
def test_each_export_of_a_conda_environment_gives_the_same(forge: Cli, form: str) -> None:
    (forge.home / "environment.yml").write_text(ENVIRONMENT)
    made = forge.data_of("create", "first", "--manager", "conda", "--file", "environment.yml", "--no-kernel")
    forge.data_of("export", "first", "--format", form, "-o", "described")
    manager = [] if form == "capsule.json" else ["--manager", "conda"]
    again = forge.data_of("create", "again", *manager, "--file", "described", "--no-kernel")
    assert builds(again["prefix"]) == builds(made["prefix"])
    if form != "capsule.json":
        return
    assert again["manager"] == "conda"
    text = (forge.home / "described").read_text()
    assert str(forge.home) not in text
    assert "file:" not in text
    assert json.loads(text)["requests"] == [f"python {MINOR}.*", "hpc-tiny 1.0.*"]
    error: dict[str, Any] = forge.error_of("create", "x", "--manager", "modules", "--file", "described")
    assert "that conda made" in error["message"]


def test_a_capsule_of_a_served_channel_pins_addresses_and_digests(
    forge: Cli,
    channel_server: ChannelServer,  # noqa: F811
) -> None:
    served = channel_server.url("main")
    made = forge.data_of("create", "first", "hpc-tiny=1.0", "--manager", "conda", "-c", served, "--no-kernel")
    forge.data_of("export", "first", "--format", "capsule.json", "-o", "capsule.json")
    plain = json.loads((forge.home / "capsule.json").read_text())
    [tiny] = plain["conda"]
    assert tiny["url"].startswith(served)
    assert len(tiny["sha256"]) == 64
    again = forge.data_of("create", "again", "--file", "capsule.json", "--no-kernel")
    assert builds(again["prefix"]) == builds(made["prefix"]) == {("hpc-tiny", "1.0", tiny["build"])}
    assert again["packages"] == made["packages"]
