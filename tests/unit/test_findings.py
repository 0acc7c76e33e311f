"""Each code of a finding is on the page about checks, and each on the page is one; so are the fixes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/how-to/users/check.md").read_text()


def texts(node: ast.expr) -> set[str]:
    """Return the texts that an expression may be."""
    if isinstance(node, ast.IfExp):
        return texts(node.body) | texts(node.orelse)
    assert isinstance(node, ast.Constant)
    return {str(node.value)}


def findings() -> Iterator[tuple[set[str], set[str]]]:
    """Yield codes and fixes of each place in the code that makes a finding."""
    for path in (ROOT / "jupyter_hpcenv/doctor").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding":
                words = {word.arg: word.value for word in node.keywords}
                yield texts(words["code"]), texts(words["fix"]) if "fix" in words else {""}


def test_the_page_has_each_code_with_its_fix() -> None:
    told = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", PAGE, re.MULTILINE))
    made: dict[str, set[str]] = {}
    for codes, fixes in findings():
        for code in codes:
            made.setdefault(code, set()).update(fixes)
    assert set(told) == set(made)
    assert len(made) > 20
    for code, fixes in made.items():
        words = {fix.replace("_", " ") for fix in fixes if fix}
        if code.startswith("module_"):  # one place makes both; integration tests show which has which
            assert told[code] == {"module_changed": "refresh", "module_gone": "—"}[code]
        else:
            assert told[code].partition(",")[0] == ("".join(words) or "—"), code
