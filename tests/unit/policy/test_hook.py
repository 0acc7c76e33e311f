"""The site's hook: it may refuse and change, and what it can not do well refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.errors import BrokenPolicy, Forbidden
from jupyter_hpcenv.models import Changes, CreateRequest
from jupyter_hpcenv.policy import Asked, ask, check, consulted, flat, told

REQUEST = CreateRequest(name="mine", packages=["six"], python="3.12", variables={"TOKEN": "canary"}, file="# canary")


@pytest.fixture
def hooked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    path, hook = tmp_path / "etc" / "jupyter" / "hpcenv_policy.toml", tmp_path / "hook.py"
    path.parent.mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))

    def write(function: str, seconds: float = 10) -> None:
        hook.write_text(f"def look(asked):\n    {function}\n")
        call = f'[hook]\ncall = "{hook}:look"\nseconds = {seconds}\n'
        path.write_text(f'version = 1\ncontact = "help@example.org"\n{call}')

    return write


def test_a_hook_with_nothing_to_say_changes_nothing(hooked: Any) -> None:
    hooked("print('noise', end='')")
    assert consulted("create", REQUEST, "ada") == (REQUEST, [])


def test_it_refuses_with_its_words_and_the_contact(hooked: Any) -> None:
    hooked("return {'refuse': f\"{asked['user']} may not {asked['verb']} {asked['request']['packages']}\"}")
    with pytest.raises(Forbidden, match=r"ada may not create \['six'\]") as refused:
        consulted("create", REQUEST, "ada")
    assert "help@example.org" in refused.value.hints[0]
    with pytest.raises(Forbidden):
        ask("create", Asked(manager="venv", told=told(REQUEST)), "ada")


def test_it_changes_structures_and_the_user_is_told(hooked: Any) -> None:
    hooked("return {'change': {'python': '3.11', 'packages': ['six', '$(id)']}, 'reason': 'No 3.12 here.'}")
    changed, notes = consulted("create", REQUEST, "ada")
    assert (changed.python, changed.packages, changed.name) == ("3.11", ["six", "$(id)"], "mine")
    assert notes == ["The site changed what was asked for (packages, python): No 3.12 here."]
    hooked("return {'change': {'install': ['six<2']}}")
    assert consulted("change", Changes(install=["six"]), "ada")[0].install == ["six<2"]


def test_values_of_variables_are_not_shown(hooked: Any, tmp_path: Path) -> None:
    hooked(f"import json; json.dump(asked, open('{tmp_path}/seen', 'w'))")
    consulted("create", REQUEST, "ada")
    seen = (tmp_path / "seen").read_text()
    assert "canary" not in seen
    request = json.loads(seen)["request"]
    assert (request["variables"], request["file"]) == (["TOKEN"], True)


def test_it_sees_what_a_request_comes_down_to(hooked: Any) -> None:
    """Canonical names, wherever they were read; then it may only refuse."""
    hooked("return {'refuse': 'No.'} if 'six' in (asked['asked'] or {'names': []})['names'] else {}")
    assert consulted("create", REQUEST, "ada") == (REQUEST, [])
    ask("create", flat(Asked(manager="venv"), ["packaging"]), "ada")
    for asked in (flat(Asked(manager="venv"), ["SIX[x]>=1; python_version > '3'"]), Asked(manager="c", names=["six"])):
        with pytest.raises(Forbidden):
            ask("create", asked, "ada")


def test_a_further_policys_hook_may_refuse_and_change_nothing(
    hooked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooked("return {'change': {'python': '3.11'}, 'reason': 'So it is.'}")
    (tmp_path / "own.py").write_text("def look(asked):\n    return {'change': {'python': '3.12'}}\n")
    own = tmp_path / "own.toml"
    own.write_text(f'version = 1\n[hook]\ncall = "{tmp_path}/own.py:look"\n')
    monkeypatch.setenv("HPCENV_POLICY", str(own))
    assert consulted("create", REQUEST, "ada")[0].python == "3.11"
    (tmp_path / "own.py").write_text("def look(asked):\n    return {'refuse': 'Not me.'}\n")
    with pytest.raises(Forbidden, match="Not me"):
        consulted("create", REQUEST, "ada")


BROKEN = {
    "raises": ("raise ValueError('oh')", "ended with status"),
    "is no JSON": ("import sys; print('nonsense'); sys.stdout.flush(); import os; os._exit(0)", "not understood"),
    "has a key too many": ("return {'refused': 'yes'}", "not understood"),
    "takes the name": ("return {'change': {'name': 'other'}}", "wants to change name"),
    "takes variables": ("return {'change': {'variables': {'A': 'b'}}}", "wants to change variables"),
    "changes to another type": ("return {'change': {'packages': 'six'}}", "not understood"),
    "hangs": ("import time; time.sleep(60)", "took too long"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_a_hook_can_not_do_well_refuses(hooked: Any, how: str) -> None:
    function, words = BROKEN[how]
    hooked(function, seconds=1 if how == "hangs" else 10)
    with pytest.raises(BrokenPolicy, match=words):
        consulted("create", REQUEST, "ada")


def test_a_program_gets_the_path_of_the_request_and_no_words_of_it(tmp_path: Path, hooked: Any) -> None:
    hooked("return {}")
    program = tmp_path / "hook"
    program.write_text('#!/bin/sh\ngrep -q \'"six; rm"\' "$1" && echo \'{"refuse": "\'"$#"\'"}\'\n')
    program.chmod(0o755)
    (tmp_path / "etc" / "jupyter" / "hpcenv_policy.toml").write_text(f'version = 1\n[hook]\nrun = ["{program}"]\n')
    with pytest.raises(Forbidden, match="allow this: 1"):
        ask("change", Asked(manager="venv", told={"install": ["six; rm"]}), "ada")


def test_a_hook_that_others_can_write_is_not_run(hooked: Any, tmp_path: Path) -> None:
    hooked(f"open('{tmp_path}/ran', 'w')")
    (tmp_path / "hook.py").chmod(0o666)
    with pytest.raises(BrokenPolicy, match="others than its owner"):
        consulted("create", REQUEST, "ada")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "text",
    [
        '[hook]\nrun = ["hook"]',
        "[hook]",
        '[hook]\nrun = ["/bin/true"]\ncall = "/x.py:f"',
        '[hook]\ncall = "module:f"',
        '[hook]\nrun = ["/bin/true"]\nseconds = 0',
        '[preferred]\n"a b" = "x"',
    ],
)
def test_what_is_written_wrong_is_refused_when_it_is_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(f"version = 1\n{text}\n")
    with pytest.raises(BrokenPolicy):
        check(path)
