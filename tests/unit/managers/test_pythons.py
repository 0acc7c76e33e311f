from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from jupyter_hpcenv import process
from jupyter_hpcenv.errors import InvalidRequest, PythonNotFound
from jupyter_hpcenv.managers import pythons
from jupyter_hpcenv.managers.pythons import choose_python, find_pythons
from jupyter_hpcenv.site import Site


def install(home: Path, version: str, *, header: bool = True) -> Path:
    """Make a folder that looks like an installation; its interpreter must never be started."""
    short = version.rpartition(".")[0]
    (home / "bin").mkdir(parents=True)
    (home / f"lib/python{short}").mkdir(parents=True)
    executable = home / "bin" / f"python{short}"
    executable.write_bytes(b"\x7fELF")
    executable.chmod(0o755)
    (home / "bin" / "python3").symlink_to(executable.name)
    (home / "bin" / "python").symlink_to(executable.name)
    if header:
        (home / f"include/python{short}").mkdir(parents=True)
        (home / f"include/python{short}/patchlevel.h").write_text(f'#define PY_VERSION "{version}"\n')
    return home / "bin"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No interpreters but those of the test, and no program may be started."""
    monkeypatch.setattr(pythons, "_SYSTEM", ("/nowhere", "/nowhere2"))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("PYENV_ROOT", raising=False)

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError(f"started {args}")

    monkeypatch.setattr(process.subprocess, "Popen", refuse)


def site(**traits: Any) -> Site:
    return Site(config=Config({"Site": traits}))


def test_versions_are_read_from_files_in_order_of_trust(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recommended = install(tmp_path / "apps" / "best", "3.11.2") / "python3.11"
    on_path = install(tmp_path / "path", "3.12.4")
    install(tmp_path / "folder" / "3.10.9", "3.10.9", header=False)
    install(home / ".pyenv" / "versions" / "3.13.0", "3.13.0")
    system = install(tmp_path / "system", "3.9.2")
    monkeypatch.setenv("PATH", f"{on_path}:{system}")
    monkeypatch.setattr(pythons, "_SYSTEM", (str(system), "/nowhere"))
    found = find_pythons(site(python_paths=[str(recommended)], python_folders=[str(tmp_path / "folder")]))
    assert [(fact.version, fact.source) for fact in found] == [
        ("3.11.2", "site"),
        ("3.12.4", "path"),
        ("3.10.9", "folder"),
        ("3.13.0", "pyenv"),
        ("3.9.2", "system"),
    ]
    assert [fact.default for fact in found] == [True, False, False, False, False]
    assert "operating system" in found[-1].label
    hidden = find_pythons(site(hide_system_python=True))
    assert "system" not in {fact.source for fact in hidden}


def test_shims_virtual_environments_and_old_pythons_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shims = tmp_path / "shims"
    shims.mkdir()
    (shims / "python3").write_text("#!/bin/sh\nexec pyenv\n")
    (shims / "python3").chmod(0o755)
    venv = install(tmp_path / "venv", "3.12.1")
    (tmp_path / "venv" / "pyvenv.cfg").write_text("home = /x\n")
    old = install(tmp_path / "old", "3.8.18")
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, (shims, venv, old, "relative"))))
    assert find_pythons(site()) == []


def test_one_interpreter_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = install(tmp_path / "one", "3.12.4")
    other = tmp_path / "links"
    other.mkdir()
    (other / "python3").symlink_to(folder / "python3.12")
    monkeypatch.setenv("PATH", f"{other}:{folder}")
    (found,) = find_pythons(site())
    assert found.version == "3.12.4"


def test_a_python_is_chosen_by_version_or_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = install(tmp_path / "a", "3.12.4"), install(tmp_path / "b", "3.1.4")
    install(tmp_path / "c", "3.13.1")
    monkeypatch.setenv("PATH", f"{first}:{tmp_path / 'c' / 'bin'}:{second}")
    found = find_pythons(site())
    assert choose_python("", found) == found[0]
    assert choose_python("3.12", found).version == "3.12.4"
    assert choose_python("python3.13", found).version == "3.13.1"
    assert choose_python("3.12.4", found).version == "3.12.4"
    assert choose_python(str(first / "python3.12"), found).version == "3.12.4"
    with pytest.raises(PythonNotFound) as caught:
        choose_python("3.1", found)  # not a prefix of 3.12
    assert "3.12.4" in caught.value.hints[0]
    for wanted in ("/no/such/python", str(tmp_path)):
        with pytest.raises(PythonNotFound):
            choose_python(wanted, found)
    for wanted in ("-c", "; rm", "latest", "3.12.4.5"):
        with pytest.raises(InvalidRequest):
            choose_python(wanted, found)


def test_without_any_python_it_says_what_to_do() -> None:
    with pytest.raises(PythonNotFound) as caught:
        choose_python("", [])
    assert caught.value.hints
