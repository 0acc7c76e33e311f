from __future__ import annotations

import os
import sys
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
    for name in ("PYENV_ROOT", "PYENV_VERSION"):  # a shim of pyenv's sets the second for all that it starts
        monkeypatch.delenv(name, raising=False)

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


def test_what_the_policy_forbids_comes_last_and_says_so(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recommended = install(tmp_path / "apps" / "best", "3.11.2") / "python3.11"
    install(home / ".pyenv" / "versions" / "3.12.4", "3.12.4")
    policy = tmp_path / "policy.toml"
    policy.write_text('version = 1\n[enforced]\npythons = ["3.12"]\n[reasons]\npythons = "It is built for us."\n')
    monkeypatch.setenv("HPCENV_POLICY", str(policy))
    found = find_pythons(site(python_paths=[str(recommended)]))
    assert [(fact.version, fact.default) for fact in found] == [("3.12.4", True), ("3.11.2", False)]
    assert found[0].forbidden == ""
    assert found[1].forbidden == "The site does not allow this: Python 3.11.2. It is built for us."
    assert choose_python("", found).version == choose_python("3", found).version == "3.12.4"
    assert choose_python("3.11", found).version == "3.11.2", "the gate refuses what was asked for by name"
    policy.write_text('version = 1\n[enforced]\npythons = ["3.9"]\n')
    found = find_pythons(site(python_paths=[str(recommended)]))
    assert [fact.default for fact in found] == [False, False], "the gate says then why"
    policy.write_text("version = 2\n")
    assert [fact.default for fact in find_pythons(site(python_paths=[str(recommended)]))] == [True, False]


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


def test_a_virtual_environment_stands_for_its_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = install(tmp_path / "base", "3.12.4")
    for name, home in (("outer", base), ("inner", tmp_path / "outer" / "bin")):
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / "bin" / "python3").symlink_to(home / "python3")
        (tmp_path / name / "pyvenv.cfg").write_text(f"home = {home}\nversion = 3.12.4\n")
    inner = tmp_path / "inner" / "bin"
    monkeypatch.setenv("PATH", str(inner))
    (found,) = find_pythons(site())
    assert found.path == str(base / "python3.12")
    assert choose_python(str(inner / "python3"), []).path == str(base / "python3.12")


def test_environments_that_name_each_other_end(tmp_path: Path) -> None:
    folder = install(tmp_path / "loop", "3.12.4")
    (tmp_path / "loop" / "pyvenv.cfg").write_text(f"home = {folder}\n")
    with pytest.raises(PythonNotFound):
        choose_python(str(folder / "python3"), [])


def test_too_old_is_said_so(tmp_path: Path) -> None:
    old = install(tmp_path / "old", "3.8.18")
    for wanted in ("3.8", "3.8.18", "2.7", str(old / "python3.8")):
        with pytest.raises(PythonNotFound, match=r"3\.9 or later"):
            choose_python(wanted, [])


def test_a_free_threaded_python_is_labelled_and_taken_only_when_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = install(tmp_path / "t", "3.13.1")
    (folder / "python3.13").rename(folder / "python3.13t")
    (tmp_path / "t/lib/python3.13").rename(tmp_path / "t/lib/python3.13t")
    (folder / "python3").unlink()
    (folder / "python").unlink()
    monkeypatch.setenv("PATH", str(folder))
    (alone_,) = find_pythons(site())
    assert "free-threaded" in alone_.label
    monkeypatch.setenv("PATH", f"{folder}:{install(tmp_path / 'plain', '3.13.0')}")
    assert choose_python("3.13", find_pythons(site())).version == "3.13.0"


def test_what_everybody_can_replace_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = install(tmp_path / "open", "3.12.4")
    folder.chmod(0o777)
    monkeypatch.setenv("PATH", str(folder))
    assert find_pythons(site()) == []
    with pytest.raises(PythonNotFound, match="everybody"):
        choose_python(str(folder / "python3"), [])


def test_pyenvs_chosen_version_leads_its_tree(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = home / ".pyenv"
    for version in ("3.11.7", "3.12.1", "3.13.0", "3.10.9"):
        install(root / "versions" / version, version)
    assert [fact.version for fact in find_pythons(site())] == ["3.13.0", "3.12.1", "3.11.7", "3.10.9"]
    (root / "version").write_text("3.11.7\n")
    assert find_pythons(site())[0].version == "3.11.7"
    monkeypatch.setenv("PYENV_VERSION", "3.10.9:3.12.1")
    assert [fact.version for fact in find_pythons(site())][:2] == ["3.10.9", "3.12.1"]


def test_the_last_number_is_read_from_the_program_where_no_header_tells_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = install(tmp_path / "usr", "3.11.0", header=False)
    (folder / "python3.11").write_bytes(b"\x7fELF\0noise 3.11.9 noise\0" + b"x" * 5000 + b"\0003.11.2+\0more")
    monkeypatch.setenv("PATH", str(folder))
    (found,) = find_pythons(site())
    assert found.version == "3.11.2"


def test_an_interpreter_that_no_file_describes_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    wrapper = tmp_path / "my-python"
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    wrapper.chmod(0o755)
    found = choose_python(str(wrapper), [])
    assert found.version == "{}.{}.{}".format(*sys.version_info)
    assert Path(found.path).resolve() == Path(sys._base_executable).resolve()  # type: ignore[attr-defined]
    for wrong in ("#!/bin/sh\necho no\n", "#!/bin/sh\nexit 3\n"):
        wrapper.write_text(wrong)
        with pytest.raises(PythonNotFound, match="does not answer"):
            choose_python(str(wrapper), [])
