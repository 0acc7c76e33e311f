"""The site's policy holds at every door, and in the worker."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.models import CreateRequest

from ..cli.conftest import Cli

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "admins" / "policy.md"


@pytest.fixture
def user(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    return Cli(home, tmp_path_factory.mktemp("uv-cache"))


@pytest.fixture
def rule(user: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "policy.toml"
    user.env["HPCENV_POLICY"] = str(path)
    monkeypatch.setenv("HPCENV_POLICY", str(path))
    path.write_text("version = 1\n")
    return path


REFUSED = {
    "managers": ('managers = ["conda"]', ["create", "no", "six"]),
    "installers": ('installers = ["pip"]', ["create", "no", "--installer", "uv"]),
    "pythons": ('pythons = ["2.7"]', ["create", "no"]),
    "locations": ('locations = {venv = ["scratch"]}', ["create", "no"]),
    "vcs": ("vcs = false", ["create", "no", "six @ git+https://git.example.org/six"]),
    "urls": ("urls = false", ["create", "no", "six @ https://files.example.org/six-1.0-py3-none-any.whl"]),
    "hashes": ("hashes = true", ["create", "no", "six"]),
    "denied": ('denied = {six = "Take the module."}', ["create", "no", "--file", "pyproject.toml"]),
    "environments": ("environments = 1", ["create", "no"]),
    "sharing": ("sharing = false", ["share", "there", "--everybody"]),
}


def test_each_rule_refuses_before_anything_is_claimed(user: Cli, rule: Path) -> None:
    user.data_of("create", "there", "--no-kernel")
    (user.home / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["six"]\n')
    for name, (text, words) in REFUSED.items():
        rule.write_text(f'version = 1\ncontact = "help@example.org"\n[enforced]\n{text}\n')
        refused = user.document(*words)
        assert refused.get("error", {}).get("code") == "forbidden_by_policy", (name, refused)
        assert f"rule “{name}” of {rule}" in refused["error"]["reason"]
        assert "help@example.org" in refused["error"]["hints"][-1]
    assert [row["name"] for row in user.data_of("list")] == ["there"]
    rule.write_text("version = 1\n[enforced.denied]\nsix = 'Take the module.'\n")
    done = user("install", "there", "six")
    assert (done.returncode, "does not allow" in done.stderr, "Take the module." in done.stderr) == (5, True, True)
    copied = user.document("clone", "there", "copy", "--no-kernel")
    assert copied["ok"], copied
    rule.write_text("version = 1\n")
    user.data_of("install", "there", "six")
    rule.write_text("version = 1\n[enforced.denied]\nsix = ''\n")
    assert user.document("clone", "there", "copy-2")["error"]["code"] == "forbidden_by_policy"


def test_a_policy_that_is_not_understood_refuses_changes_and_nothing_else(user: Cli, rule: Path) -> None:
    user.data_of("create", "there", "--no-kernel")
    rule.write_text("version = 1\n[enforced]\neditables = false\n")
    for words in (["create", "no"], ["install", "there", "six"], ["share", "there", "--everybody"]):
        assert user.document(*words)["error"]["code"] == "broken_policy"
    assert [row["name"] for row in user.data_of("list")] == ["there"]
    assert user("delete", "there").returncode == 0
    assert user("policy").returncode == 1
    assert "editables" in user("policy").stderr


def test_the_worker_asks_once_more(rule: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that came between the request and the build holds for the build."""
    admission = Admission()
    started: list[Path] = []
    monkeypatch.setattr(type(admission.operations), "_start", lambda self, folder: started.append(folder.path) or 0)
    admission.submit("create", CreateRequest(name="late", packages=["six"], kernel=False))
    rule.write_text("version = 1\n[enforced.denied]\nsix = ''\n")
    argv = [sys.executable, "-m", "jupyter_hpcenv.worker", str(started[0])]
    assert subprocess.run(argv, timeout=60).returncode == 1
    (operation,) = admission.operations.list()
    assert (operation.state, (operation.error or {})["code"]) == ("failed", "forbidden_by_policy")
    assert admission.catalog.environments() == []


def test_the_page_as_printed(user: Cli, rule: Path) -> None:
    text = PAGE.read_text()
    example = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert example
    (user.home / "hpcenv_policy.toml").write_text(example[1])
    rule.write_text(example[1])
    commands = re.findall(r"^\$ jupyter hpcenv (.*?)(?:  +#.*)?$", text, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        done = user(*command.split())
        assert done.returncode == 0, done.stderr
        assert "Compute nodes do not reach the internet." in done.stdout
    told = Admission().facts()["policy"]["files"]
    assert [each["path"] for each in told] == [str(rule)]
    assert told[0]["enforced"]["environments"] == 20
    from jupyter_hpcenv.policy.reading import Enforced

    rows = re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == {
        field.name for field in msgspec.structs.fields(Enforced)
    }
