"""Files are recognised by what is in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_hpcenv.errors import InvalidRequest
from jupyter_hpcenv.formats import described_python
from jupyter_hpcenv.formats.requirements import Rules

from .test_pipfile import PIPFILE, lock
from .test_pylock import SIX
from .test_pylock import lock as pylock
from .test_pyproject import PROJECT

ALL = Rules()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (PROJECT, "pyproject.toml"),
        (pylock(SIX), "pylock.toml"),
        (f"# locked\n\n{pylock(SIX)}", "pylock.toml"),
        (PIPFILE, "Pipfile"),
        (lock(), "Pipfile.lock"),
        (f"\ufeff\n{lock()}", "Pipfile.lock"),
        ("six==1\n", "requirements.txt"),
        ("six == 1\n", "requirements.txt"),
        (f"six==1 --hash=sha256:{'1' * 64}\n", "requirements-hashed"),
    ],
)
def test_each_kind_is_recognised(text: str, kind: str) -> None:
    assert described_python.read(text, ALL).kind == kind


@pytest.mark.parametrize("text", ["six", "six==1", "a=1", "-e .", "x @ https://e.org/x", "six===1", "", "# six"])
def test_a_list_of_requirements_is_taken_for_nothing_else(text: str) -> None:
    assert not described_python.looks_described(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("{}", "neither a Pipfile.lock nor a capsule"),
        ("[a]\nb = 1\n", "no kind that is known"),
        ("a = 'b'\n", "no kind that is known"),
        ("{'a': 1}", "no JSON"),
        ("[a\nb]\n", "."),
    ],
)
def test_what_is_none_of_them_is_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as caught:
        described_python.read(text, ALL)
    assert caught.value.hints


def test_extras_of_what_has_none_are_refused() -> None:
    for text in (PIPFILE, lock(), "six\n"):
        with pytest.raises(InvalidRequest, match="has no extras"):
            described_python.read(text, ALL, ["x"])


PIECES = st.sampled_from(
    [
        "[project]\n",
        "dependencies=",
        "['a']\n",
        "[packages]\n",
        'lock-version="1.0"\n',
        "{",
        "}",
        '"_meta"',
        ":",
        "=",
        "\n",
        "--hash=sha256:0",
        "six==1",
        "[[",
        "${X}",
    ]
)


@given(st.lists(PIECES | st.text(max_size=5), max_size=12).map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = described_python.read(text, ALL)
    except InvalidRequest:
        return
    for line in (*found.pip, *(each.name for each in found.locked)):
        assert not line.startswith("-") or line.startswith("-e /")
        assert "\n" not in line
        assert "${" not in line
