"""Caches as uv and pip make them: where they are, what is left of them, and that no environment breaks."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.errors import InvalidRequest, NotFound
from jupyter_hpcenv.lifecycle import caches as lifecycle
from jupyter_hpcenv.managers import caches
from jupyter_hpcenv.managers.installers import carried_pip
from jupyter_hpcenv.managers.prefixes import find_uv
from jupyter_hpcenv.models import (
    Cache,
    CleanCaches,
    CleanedCache,
    CreateRequest,
    Environment,
    EnvironmentDetail,
    Operation,
)

Wait = Callable[[Operation], Operation]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that uv has filled with a small package; tests copy it."""
    folder = tmp_path_factory.mktemp("filled")
    fill(folder / "uv", folder / "prefix")
    return folder / "uv"


def fill(cache: Path, prefix: Path, mode: str = "copy") -> None:
    env = {**os.environ, "UV_CACHE_DIR": str(cache), "UV_LINK_MODE": mode}
    subprocess.run([find_uv(), "venv", "-q", "--python", sys.executable, prefix], env=env, check=True)
    python = prefix / "bin" / "python"
    wheel = write_wheel(prefix)
    subprocess.run([find_uv(), "pip", "install", "-q", "--offline", "--python", python, wheel], env=env, check=True)


def write_wheel(folder: Path) -> Path:
    """Write a package that brings one module, in the name of one that there is."""
    path = folder / "idna-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("idna.py", "there = True\n" * 1000)
        wheel.writestr("idna-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: idna\nVersion: 1.0\n")
        wheel.writestr("idna-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("idna-1.0.dist-info/RECORD", "")
    return path


@pytest.fixture
def uv_cache(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That cache as the user's own."""
    cache = tmp_path / "uv"
    shutil.copytree(filled, cache, symlinks=True)
    monkeypatch.setenv("UV_CACHE_DIR", str(cache))
    return cache


def shown(admission: Admission, name: str = "uv") -> Cache:
    (one,) = [each for each in admission.caches(wait=True) if each.name == name]
    return one


def cleaned(admission: Admission, name: str = "uv", *, dry_run: bool = False) -> CleanedCache:
    (one,) = admission.clean_caches(CleanCaches(caches=[name], dry_run=dry_run))
    return one


def imports(prefix: Path) -> bool:
    return subprocess.run([prefix / "bin" / "python", "-c", "import idna"]).returncode == 0


CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "default": ({}, {}),
    "xdg": ({"XDG_CACHE_HOME": "{home}/xdg"}, {}),
    "variables": ({"UV_CACHE_DIR": "{home}/u", "PIP_CACHE_DIR": "{home}/p"}, {}),
    "files": (
        {},
        {
            ".config/uv/uv.toml": 'cache-dir = "{home}/told"\n',
            ".config/pip/pip.conf": "[global]\ncache-dir = {home}/pips\n",
        },
    ),
    "home": ({}, {".pip/pip.conf": "[global]\ncache-dir = ~/tilde\n"}),
    "no-files": ({"UV_NO_CONFIG": "1"}, {".config/uv/uv.toml": 'cache-dir = "/nowhere"\n'}),
    "one-file": ({"UV_CONFIG_FILE": "{home}/my.toml"}, {"my.toml": 'cache-dir = "{home}/mine"\n'}),
}


@pytest.mark.parametrize("case", CASES)
def test_they_are_where_uv_and_pip_say(case: str, home: Path) -> None:
    variables, files = CASES[case]
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text.format(home=home))
    env = {"HOME": str(home), "PATH": os.environ["PATH"]}
    env |= {name: value.format(home=home) for name, value in variables.items()}

    def said(*argv: str) -> str:
        return subprocess.run(argv, env=env, cwd=home, capture_output=True, text=True, check=True).stdout.strip()

    assert str(caches.uv(env).path) == said(find_uv(), "cache", "dir")
    assert str(caches.pip(env).path) == said(*carried_pip(), "cache", "dir", "--disable-pip-version-check")


def test_it_is_measured_and_cleaned_by_uv(admission: Admission, uv_cache: Path, tmp_path: Path) -> None:
    one = shown(admission)
    assert (one.path, one.cleanable, one.used_by, one.measuring) == (str(uv_cache), True, [], False)
    assert one.bytes
    assert one.files
    would = cleaned(admission, dry_run=True)
    assert would.done
    assert one.files - 2 <= would.files <= one.files  # the folder and its lock stay
    assert (uv_cache / "archive-v0").exists()
    went = cleaned(admission)
    assert (went.done, went.bytes, went.files) == (True, would.bytes, would.files)
    assert {each.name for each in uv_cache.iterdir()} <= {".lock"}
    assert shown(admission).files == one.files - went.files
    fill(uv_cache, tmp_path / "again")
    assert imports(tmp_path / "again")


def test_who_does_not_wait_is_told_to_ask_again(
    admission: Admission, uv_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, measure = threading.Event(), admission.caching._caches.measure

    def late(*arguments: Any) -> object:
        assert answered.wait(60)
        return measure(*arguments)

    monkeypatch.setattr(admission.caching._caches, "measure", late)
    (one,) = [each for each in admission.caches() if each.name == "uv"]
    assert (one.bytes, one.measuring) == (None, True)
    answered.set()
    assert admission.caching._thread is not None
    admission.caching._thread.join(30)
    (one,) = [each for each in admission.caches() if each.name == "uv"]
    assert one.bytes
    assert not one.measuring


def test_what_an_environment_links_to_stays(
    admission: Admission, finished: Wait, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An environment whose files are links into the cache, made by uv; also while it is in the trash."""
    cache = tmp_path / "uv"
    monkeypatch.setenv("UV_CACHE_DIR", str(cache))
    monkeypatch.setenv("UV_LINK_MODE", "symlink")
    detail = made(admission, finished)
    assert (Path(detail.prefix) / "bin/python").exists()
    assert "UV_LINK_MODE has uv make links" in cleaned_without_rows(admission).reason
    monkeypatch.delenv("UV_LINK_MODE")
    one = shown(admission)
    assert (one.used_by, one.cleanable) == ([detail.id], False)
    for dry_run in (True, False):
        left = cleaned(admission, dry_run=dry_run)
        assert (left.done, "it would break" in left.reason) == (False, True), left.reason
    assert imports(Path(detail.prefix))
    admission.delete("it")
    assert "it would break" in cleaned(admission).reason
    admission.restore("it")
    assert imports(Path(detail.prefix))
    admission.delete("it", now=True)
    admission.sweep()
    assert shown(admission).used_by == []
    assert cleaned(admission).done


def cleaned_without_rows(admission: Admission) -> CleanedCache:
    """Clean as if no environment were known: then the setting alone says that there may be links."""
    admission.caching._rows = list  # type: ignore[method-assign, assignment]
    try:
        return cleaned(admission)
    finally:
        del admission.caching._rows


def made(admission: Admission, wait: Wait) -> EnvironmentDetail:
    done = wait(admission.submit("create", CreateRequest(name="it", kernel=False, packages=["idna"])))
    assert done.state == "succeeded", done.error
    return admission.catalog.find("it")


def test_hardlinks_survive(admission: Admission, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, prefix = tmp_path / "uv", tmp_path / "prefix"
    fill(cache, prefix, "hardlink")
    monkeypatch.setenv("UV_CACHE_DIR", str(cache))
    would = cleaned(admission, dry_run=True)
    assert "share with it free nothing" in would.reason
    assert cleaned(admission).done
    assert imports(prefix)


def test_nothing_goes_while_something_is_built(admission: Admission, finished: Wait, uv_cache: Path) -> None:
    with (uv_cache / ".lock").open() as lock:  # as uv takes it, here or on another host
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert "is being built from it now" in cleaned(admission).reason
    operation = admission.submit("create", CreateRequest(name="it", kernel=False))
    assert operation.id in cleaned(admission).reason
    assert finished(operation).state == "succeeded"
    assert cleaned(admission, dry_run=True).done


@pytest.mark.parametrize("odd", ["folder", "file", "link", "stranger"])
def test_what_is_not_ones_own_stays(admission: Admission, uv_cache: Path, tmp_path: Path, odd: str) -> None:
    """As root, who could remove anything."""
    if odd == "folder":
        os.chown(uv_cache, 4711, 4711)
    elif odd == "file":
        os.chown(next(uv_cache.rglob("METADATA")), 4711, 4711)
    elif odd == "link":
        (tmp_path / "other").mkdir()
        (uv_cache / "wheels-v9").symlink_to(tmp_path / "other")
    else:
        (uv_cache / "thesis.tex").touch()
    before = sorted(uv_cache.rglob("*"))
    left = cleaned(admission)
    assert not left.done
    words = {"folder": "another user", "file": "another user", "link": "is a link", "stranger": "thesis.tex"}
    assert words[odd] in left.reason
    assert sorted(uv_cache.rglob("*")) == before


def test_a_folder_that_is_more_than_a_cache_stays(
    admission: Admission, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(home))
    assert "more than a cache" in cleaned(admission).reason
    assert home.is_dir()
    monkeypatch.setenv("UV_CACHE_DIR", str(home / "linked"))
    (home / "linked").symlink_to("/etc")
    assert (shown(admission).path, shown(admission).cleanable) == ("/etc", False)
    assert not cleaned(admission).done


def test_a_linked_cache_of_ones_own_is_cleaned(
    admission: Admission, uv_cache: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As staff advise: ~/.cache is a link to scratch."""
    (home / ".cache").symlink_to(uv_cache.parent)
    monkeypatch.delenv("UV_CACHE_DIR")
    one = shown(admission)
    assert (one.path, one.on_home) == (str(uv_cache), False)
    assert cleaned(admission).done
    assert not (uv_cache / "archive-v0").exists()
    assert (home / ".cache").is_symlink()


def test_pip(admission: Admission, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a lock that could tell, what has just changed is left; then pip cleans what is pip's."""
    cache = tmp_path / "pip"
    monkeypatch.setenv("PIP_CACHE_DIR", str(cache))
    command = [*carried_pip(), "download", "-q", "--no-deps", "-d", str(tmp_path / "there"), "idna"]
    subprocess.run(command, check=True)
    (cache / "hpcenv/0123456789abcdef/wheels/a").mkdir(parents=True)
    (cache / "hpcenv/0123456789abcdef/wheels/a/b-1-py3-none-any.whl").write_bytes(b"x" * 5000)
    assert "Try again in a minute" in cleaned(admission, "pip").reason
    for folder in (cache, *(each for each in cache.rglob("*") if each.is_dir())):
        os.utime(folder, (1, 1))
    would = cleaned(admission, "pip", dry_run=True)
    assert would.done
    assert would.files > 1
    went = cleaned(admission, "pip")
    assert went.done, went.reason
    assert [path for path in cache.rglob("*.whl") if path.is_file()] == []
    assert [path for path in cache.rglob("http*/**/*") if path.is_file()] == []


def test_a_pip_that_works_is_seen(admission: Admission, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "pip"
    (cache / "wheels").mkdir(parents=True)
    for folder in (cache / "wheels", cache):
        os.utime(folder, (1, 1))
    monkeypatch.setenv("PIP_CACHE_DIR", str(cache))
    fake = tmp_path / "pip3.11"
    fake.write_text("import sys; print(flush=True); sys.stdin.read()")
    with subprocess.Popen([sys.executable, fake], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as working:
        assert working.stdout is not None
        working.stdout.readline()
        assert f"process {working.pid}" in cleaned(admission, "pip").reason
        working.communicate()
    assert cleaned(admission, "pip").done


def test_the_way_off_home(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said for a location that there is; a trait of the site wins, and a shell understands what is printed."""
    for variable in ("UV_CACHE_DIR", "PIP_CACHE_DIR"):
        monkeypatch.delenv(variable, raising=False)
    scratch = tmp_path / "it's scratch"
    scratch.mkdir()
    places = {
        "home": "{data_dir}/environments",
        "scratch": {"root": str(scratch), "purge_days": 30},
        "inside": str(home / "x"),
    }
    config = Config({"Site": {"locations": places}})
    admission = Admission(config)
    one = shown(admission)
    assert one.on_home
    assert any("--move-off-home scratch" in note for note in one.notes)
    moving = admission.caching.moving("scratch")
    assert set(moving.folders) == {"UV_CACHE_DIR", "PIP_CACHE_DIR"}
    assert any("30 days" in note for note in moving.notes)
    for shell, lines in moving.shells.items():
        script = "\n".join([*lines, 'printf "%s" "$UV_CACHE_DIR"'])
        program = {"csh": "tcsh"}.get(shell, shell)
        done = subprocess.run([program, "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout == moving.folders["UV_CACHE_DIR"], shell
    for name, value in moving.folders.items():
        monkeypatch.setenv(name, value)
    assert not shown(admission).on_home
    assert not any("move-off-home" in note for each in admission.caches() for note in each.notes)
    with pytest.raises(InvalidRequest, match="in your home, too"):
        admission.caching.moving("inside")
    with pytest.raises(NotFound):
        admission.caching.moving("nowhere")
    config.CondaManager.package_cache = str(home / "pkgs")
    assert any("c.CondaManager.package_cache" in note for note in Admission(config).caching.moving("scratch").notes)


def test_conda_caches_are_those_that_are_used(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = {"home": "{data_dir}/environments", "scratch": str(tmp_path)}
    config = Config({"Site": {"locations": places}})
    (home / ".conda/pkgs").mkdir(parents=True)
    found = {each.name: each for each in Admission(config).caches()}
    assert set(found) == {"uv", "pip", "conda", f"conda {home}/.conda/pkgs"}  # that at scratch is not there yet
    assert found["conda"].path.endswith(f"/environments/.hpcenv/packages-{os.geteuid()}-{os.getegid()}")
    (home / ".condarc").write_text(f"pkgs_dirs:\n  - {tmp_path}/pkgs\n  - {home}/.conda/pkgs\n")
    found = {each.name: each for each in Admission(config).caches()}
    assert set(found) == {"uv", "pip", "conda", f"conda {home}/.conda/pkgs"}
    assert found["conda"].path == f"{tmp_path}/pkgs"
    assert any(".condarc" in note for note in found["conda"].notes)


def test_what_can_not_be_looked_into_counts_if_it_is_ones_own(
    admission: Admission, uv_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An environment that is closed: a colleague's leads nowhere of ours, one's own may need the cache."""
    prefix = tmp_path / "closed"
    prefix.mkdir()
    row = Environment(
        id="0" * 32,
        name="closed",
        location="",
        prefix=str(prefix),
        manager="venv",
        installer="",
        python="3.11",
        state="ready",
        origin="foreign",
    )
    monkeypatch.setattr(admission.caching, "_rows", lambda: [row])

    def closed(*arguments: object) -> set[Path]:
        raise PermissionError(errno.EACCES, "Permission denied", str(prefix))

    monkeypatch.setattr(lifecycle, "links_into", closed)
    left = cleaned(admission)
    assert not left.done
    assert f"{prefix} leads into it could not be seen" in left.reason
    os.chown(prefix, 4711, 4711)
    assert cleaned(admission).done
