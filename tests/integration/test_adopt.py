"""An environment of another tool gets a kernel and goes on as it was: nothing is written into it, nothing deleted."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel
from traitlets.config import Config

from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.errors import HpcenvError, Refused, WrongState
from jupyter_hpcenv.models import AdoptRequest

from ..conftest import require


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with ipykernel, as somebody would make it by hand."""
    prefix = tmp_path_factory.mktemp("elsewhere") / "thesis"
    uv, env = [sys.executable, "-m", "uv"], dict(os.environ)
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, str(prefix)], check=True, env=env)
    python = str(prefix / "bin" / "python")
    copies = ["--quiet", "--link-mode", "copy"]  # whose owner does not depend on what becomes of a cache
    subprocess.run([*uv, "pip", "install", *copies, "--python", python, "ipykernel"], check=True, env=env)
    return prefix


@pytest.fixture
def desk(home: Path, tmp_path: Path) -> Admission:
    (tmp_path / "places" / "scratch").mkdir(parents=True)
    return Admission(Config(Site={"locations": {"scratch": str(tmp_path / "places" / "scratch")}}))


def tree(prefix: Path) -> str:
    """Return a digest of all that lies in a prefix, with modes and times."""
    whole = hashlib.sha256()
    for path in sorted([prefix, *prefix.rglob("*")]):
        facts = path.lstat()
        data = path.read_bytes() if stat.S_ISREG(facts.st_mode) else b""
        whole.update(repr((str(path), facts.st_mode, facts.st_uid, facts.st_mtime_ns)).encode() + data)
    return whole.hexdigest()


def test_from_adoption_to_the_end_nothing_is_written(
    desk: Admission, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(built)
    made = desk.adopt(AdoptRequest(prefix=str(built), modulefile=True))
    assert tree(built) == before
    assert (made.name, made.origin, made.state, made.manager) == ("thesis", "adopted", "ready", "venv")
    [kernel] = made.kernels
    assert Path(kernel.path).is_relative_to(Path.home())
    assert [row.id for row in desk.catalog.environments() if row.prefix == str(built)] == [made.id]
    modulefiles = [path for path in (desk.site.data_dir / "modulefiles").rglob("*") if path.is_file()]
    assert len(modulefiles) == 1
    assert str(built) in modulefiles[0].read_text()

    assert "ipykernel==" in desk.export(made.id, "requirements-full.txt").text
    assert "ipykernel" in {package.name for package in desk.packages(made.id)}
    assert desk.activation(made.id, "sh").command == f". '{built}/bin/activate'"
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # what Python itself compiles is not ours
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    manager, client = start_new_kernel(kernel_name=kernel.name)
    try:
        told = {"prefix": "__import__('sys').prefix", "path": "__import__('os').environ.get('PYTHONPATH')"}
        reply = client.execute("", user_expressions=told, reply=True, timeout=60)["content"]["user_expressions"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert reply["prefix"]["data"]["text/plain"] == f"'{built}'"
    assert reply["path"]["data"]["text/plain"] == "None"

    with pytest.raises(Refused):
        desk.unpublish(made.id, kernel.name)
    assert desk.delete("thesis").path == ""
    assert tree(built) == before
    assert not Path(kernel.path).exists()
    assert not [path for path in (desk.site.data_dir / "modulefiles").rglob("*") if path.is_file()]
    assert not list((desk.site.data_dir / "used").iterdir())


def test_without_ipykernel_it_says_how_to_install_it(desk: Admission, tmp_path: Path) -> None:
    prefix = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True)
    before = tree(prefix)
    with pytest.raises(WrongState, match="no ipykernel") as caught:
        desk.adopt(AdoptRequest(prefix=str(prefix)))
    assert f"{prefix}/bin/python -m pip install ipykernel" in caught.value.hints[0]
    assert desk.adopt(AdoptRequest(prefix=str(prefix), kernel=False)).kernels == []
    assert tree(prefix) == before


def test_somebody_elses_only_while_nobody_else_can_write_it(desk: Admission, built: Path, tmp_path: Path) -> None:
    require("root", os.geteuid() == 0)
    prefix = tmp_path / "theirs"
    shutil.copytree(built, prefix, symlinks=True)
    for path in (prefix, *prefix.rglob("*")):
        os.lchown(path, 43_001, 43_001)
    assert desk.adopt(AdoptRequest(prefix=str(prefix), kernel=False)).origin == "adopted"
    desk.delete("theirs")
    for spoilt, mode in ((prefix, 0o777), (next(prefix.glob("lib/python3*/site-packages/ipykernel")), 0o775)):
        kept = stat.S_IMODE(spoilt.stat().st_mode)
        spoilt.chmod(mode)
        with pytest.raises(Refused, match="not only its owner can change it"):
            desk.adopt(AdoptRequest(prefix=str(prefix), kernel=False))
        spoilt.chmod(kept)
    os.chown(prefix / "bin", 43_002, 43_002)
    with pytest.raises(Refused, match="uid 43002"):
        desk.adopt(AdoptRequest(prefix=str(prefix), kernel=False))


def marked(prefix: Path) -> Path:
    """Make what only looks like a virtual environment."""
    (prefix / "bin").mkdir(parents=True, exist_ok=True)
    (prefix / "bin" / "python").symlink_to(sys.executable)
    (prefix / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).parent}\nversion = 3.11.7\n")
    return prefix


@pytest.fixture
def paths(desk: Admission, tmp_path: Path, home: Path) -> dict[str, str]:
    """Twenty paths and more that nobody can have meant, those of homes and locations with a marker file in them."""
    base = tmp_path / "miniforge"
    marked(base)
    (base / "conda-meta").mkdir()
    (base / "conda-meta" / "conda-24.9.0-py311_0.json").write_text("{}")
    (base / "condabin").mkdir()
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "to-home").symlink_to(home)
    (tmp_path / "empty").mkdir()
    marked(home)
    marked(tmp_path / "places")
    marked(tmp_path / "places" / "scratch")
    ours = marked(tmp_path / "places" / "scratch" / "ours")
    (ours / ".hpcenv").mkdir()
    (ours / ".hpcenv" / "environment.json").write_text("{}")
    gone = marked(tmp_path / "gone")
    (gone / "bin" / "python").unlink()
    wide = marked(tmp_path / "wide")
    wide.chmod(0o777)
    return {
        "root": "/",
        "usr": "/usr",
        "etc": "/etc",
        "proc": "/proc/self",
        "home": str(home),
        "tilde": "~",
        "a folder above home": str(home.parent),
        "a link to home": str(tmp_path / "to-home"),
        "out of home and back": f"{home}/../{home.name}",
        "our data": str(desk.site.data_dir),
        "a location": str(tmp_path / "places" / "scratch"),
        "a folder above a location": str(tmp_path / "places"),
        "one of ours": str(ours),
        "in a trash": str(marked(tmp_path / "places" / "scratch" / ".trash-0" / "x")),
        "conda itself": str(base),
        "a file": str(tmp_path / "file"),
        "a pipe": str(tmp_path / "pipe"),
        "a loop of links": str(tmp_path / "loop"),
        "nothing": str(tmp_path / "nothing"),
        "no environment": str(tmp_path / "empty"),
        "no Python": str(gone),
        "everybody's": str(wide),
        "relative": "thesis",
        "no text": "",
        "a colon": f"{tmp_path}/a:b",
        "a line break": f"{tmp_path}/a\nb",
        "a NUL": f"{tmp_path}/a\0b",
    }


NAMES = (
    *("root", "usr", "etc", "proc", "home", "tilde", "a folder above home", "a link to home", "out of home and back"),
    *("our data", "a location", "a folder above a location", "one of ours", "in a trash", "conda itself", "a file"),
    *("a pipe", "a loop of links", "nothing", "no environment", "no Python", "everybody's", "relative", "no text"),
    *("a colon", "a line break", "a NUL"),
)


@pytest.mark.parametrize("name", NAMES)
def test_what_nobody_can_have_meant_is_refused(
    desk: Admission, paths: dict[str, str], name: str, tmp_path: Path
) -> None:
    assert set(paths) == set(NAMES)
    before = sorted((str(path), path.lstat().st_mtime_ns) for path in (tmp_path / "places").rglob("*"))
    with pytest.raises(HpcenvError) as caught:
        desk.adopt(AdoptRequest(prefix=paths[name], kernel=False))
    assert caught.value.http_status < 500
    assert caught.value.hints
    assert desk.catalog.used.all() == {}
    assert sorted((str(path), path.lstat().st_mtime_ns) for path in (tmp_path / "places").rglob("*")) == before


def test_nothing_of_it_runs_before_it_is_trusted(desk: Admission, built: Path, tmp_path: Path) -> None:
    """What others can write is refused; its Python would tell the kernelspec, and run what they wrote."""
    planted = tmp_path / "planted"
    prefix = tmp_path / "open"
    shutil.copytree(built, prefix, symlinks=True)
    spec = next(prefix.glob("lib/python3*/site-packages/ipykernel/kernelspec.py"))
    spec.write_text(f"open({str(planted)!r}, 'w')\n" + spec.read_text())
    spec.chmod(0o666)
    with pytest.raises(Refused, match="not only its owner"):
        desk.adopt(AdoptRequest(prefix=str(prefix)))
    assert not planted.exists()
