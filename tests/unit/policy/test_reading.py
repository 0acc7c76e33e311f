from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from jupyter_hpcenv.errors import BrokenPolicy
from jupyter_hpcenv.policy import check, policies, rules_of


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "policy.toml"
    monkeypatch.setenv("HPCENV_POLICY", str(path))
    return path


def test_without_a_file_nothing_is_ruled() -> None:
    assert policies() == []


def test_a_file_is_read_and_read_again_when_it_changes(file: Path) -> None:
    file.write_text('version = 1\ncontact = "help@example.org"\n[enforced]\nmanagers = ["venv"]\n')
    (policy,) = policies()
    assert (policy.contact, policy.enforced.managers, policy.path) == ("help@example.org", ["venv"], str(file))
    file.write_text('version = 1\n[enforced]\nmanagers = ["venv", "conda"]\n')
    assert policies()[0].enforced.managers == ["venv", "conda"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("version = 1\n[enforced]\nmanager = ['venv']\n", "`manager`"),
        ("version = 1\n[enforced]\neditable = 'no'\n", "editable"),
        ("version = 1\n[rules]\n", "`rules`"),
        ("version = 2\n", "version 2"),
        ("[enforced]\n", "`version`"),
        ("version = 1\n[reasons]\neditables = 'x'\n", "editables"),
        ("version = 1\npath = 'x'\n", "“path”"),
        ("version = 1\nsaid = ['x']\n", "“said”"),
        ("version = 1\n[enforced.denied]\n'tensorflow>=2' = ''\n", "“tensorflow>=2”"),
        ("version = 1\n[enforced]\npythons = ['>=3.10']\n", "“>=3.10”"),
        ("version = 1\n[enforced]\nenvironments = -1\n", ">= 0"),
        ("version = 1\nversion = 1\n", "not understood"),
        ("\x00", "not understood"),
        ("version = 1\n" + "x = " + "[" * 5_000, "not understood"),
    ],
)
def test_what_is_not_understood_to_its_last_key_refuses(file: Path, text: str, says: str) -> None:
    file.write_text(text)
    with pytest.raises(BrokenPolicy) as refused:
        policies()
    assert says in refused.value.message
    assert str(file) in refused.value.message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[enforced]\nmanager = ['venv']\n", "“enforced” has no key `manager` (did you mean “managers”?)"),
        ("[enfroced]\nmanagers = ['venv']\n", "it has no key `enfroced` (did you mean “enforced”?)"),
        ("managers = ['venv']\n", "it has no key `managers`, which belongs below “[enforced]”"),
        ("[default]\npythn = '3.12'\n", "did you mean “python”?"),
        ("[default]\nzzz = '3.12'\n", "known: installer, python, location"),
        ("[hook]\nrunn = ['/x']\n", "did you mean “run”?"),
        ("[reasons]\neditables = 'x'\n", "did you mean “editable”?"),
    ],
)
def test_a_file_that_is_checked_is_explained_to_staff(file: Path, text: str, says: str) -> None:
    file.write_text(f"version = 1\n{text}")
    with pytest.raises(BrokenPolicy) as told:
        check(file)
    assert says in told.value.message
    assert "before you put it in place" in told.value.hints[0]
    assert "staff" not in told.value.message + told.value.hints[0]
    with pytest.raises(BrokenPolicy) as refused:
        policies()
    assert says in refused.value.message
    assert "staff" in refused.value.hints[0]


def test_rules_that_allow_what_is_allowed_anyway_are_shown(file: Path) -> None:
    file.write_text("version = 1\n[enforced]\neditable = true\nvcs = false\n")
    assert rules_of(policies()[0]) == {"editable": True, "vcs": False}


def test_a_file_that_is_named_and_is_not_there_refuses(file: Path) -> None:
    with pytest.raises(BrokenPolicy, match="not there"):
        policies()


def test_a_file_that_others_can_write_refuses(file: Path) -> None:
    file.write_text("version = 1\n")
    file.chmod(0o666)
    with pytest.raises(BrokenPolicy, match="others than its owner"):
        policies()
    file.chmod(0o644)
    assert len(policies()) == 1


@pytest.mark.parametrize("kind", ["fifo", "folder", "giant"])
def test_what_is_no_file_refuses(file: Path, kind: str) -> None:
    if kind == "fifo":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    else:
        file.write_text("#" * 1_000_001)
    with pytest.raises(BrokenPolicy):
        policies()


def test_every_file_holds(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    further = tmp_path / "further.toml"
    file.write_text("version = 1\n[enforced]\nvcs = false\n")
    further.write_text("version = 1\n[enforced]\nvcs = true\n")
    monkeypatch.setenv("HPCENV_POLICY", f"{file}:{further}")
    assert [policy.enforced.vcs for policy in policies()] == [False, True]


def test_a_link_that_leads_nowhere_is_a_policy_that_can_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its target may lie on a mount that is away just now."""
    place = tmp_path / "etc" / "jupyter" / "hpcenv_policy.toml"
    place.parent.mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    policies()
    place.symlink_to(tmp_path / "away" / "policy.toml")
    with pytest.raises(BrokenPolicy, match="leads nowhere"):
        policies()
