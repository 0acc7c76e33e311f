"""Each test that docs/explanation/threats.md or scripts/remove_defence.py names is there."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = (CHECKOUT / "docs" / "explanation" / "threats.md").read_text()
NAMED = sorted(set(re.findall(r"`([\w./-]+::[^`]+)`", PAGE)) - {"file::name"})


def exists(test: str) -> bool:
    file, _, name = test.partition("::")
    path = CHECKOUT / file
    if not path.is_file():
        return False
    if path.suffix == ".py":
        group, _, name = name.rpartition("::")  # a method stands below its class
        lead = rf"^class {re.escape(group)}\b(?:.*\n)+?    " if group else "^"
        return re.search(rf"{lead}(async )?def {re.escape(name)}\(", path.read_text(), re.MULTILINE) is not None
    return f"('{name}'," in path.read_text()


@pytest.mark.parametrize("test", NAMED)
def test_the_page_names_tests_that_are_there(test: str) -> None:
    assert exists(test)


def test_each_row_says_what_holds_it() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert [int(number) for number, _, _ in rows] == list(range(1, 36))
    for number, what, held in rows:
        assert "::" in held or held.startswith("later: "), number
        assert "::" not in what
    assert not exists("tests/unit/test_threats.py::test_that_nobody_wrote")


def test_each_defence_is_found_once_and_names_a_test_that_is_there() -> None:
    spec = importlib.util.spec_from_file_location("remove_defence", CHECKOUT / "scripts" / "remove_defence.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for name, defence in script.DEFENCES.items():
        text = (CHECKOUT / "jupyter_hpcenv" / defence.file).read_text()
        assert len(re.findall(defence.there, text)) == 1, name
        assert exists(defence.test), name
