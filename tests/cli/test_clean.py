from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jupyter_hpcenv.cli.clean import clean, clean_lines

#: Texts that are rich in what steers terminals, and any other text.
HOSTILE = st.lists(
    st.one_of(
        st.sampled_from(
            ["\x1b", "\x1b[", "\x1b]", "\x9b", "\x9d", "\x07", "\x9c", "\x1b\\", "\u202e", "\u2066", "52;c;", "31m"]
        ),
        st.text(),
        st.characters(categories=("Cc", "Cf", "Cs", "Zl", "Zp")),
    )
).map("".join)


@given(HOSTILE)
@example("\x1b]52;c;ZXZpbA==\x07")
@example("a\x1b\x1b]0;x\x07b")
def test_nothing_is_left_that_steers(text: str) -> None:
    shown = clean(text)
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert clean(shown) == shown
    shown.encode()


@given(st.text(st.characters(exclude_categories=("C", "Zl", "Zp"))))
def test_what_only_prints_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]52;c;ZXZpbA==\x07name", "name"),
        ("\x1b]8;;http://x/\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9d0;title\x9cname", "name"),
        ("\x1bPq#0\x1b\\sixel", "sixel"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b2Jgone", "gone"),
        ("\x1bcreset", "reset"),
        ("evil\u202egnp.exe", "evilgnp.exe"),
        ("zero\u200bwidth\U000e0041", "zerowidth"),
        ("two\nlines\tand\u2028more", "two lines and more"),
        ("naïve – “日本語” 🐍", "naïve – “日本語” 🐍"),
    ],
)
def test_known_tricks(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_an_unfinished_sequence_hides_no_other_line() -> None:
    assert clean_lines("\x1b]0;never ended\nError: really") == ["", "Error: really"]
