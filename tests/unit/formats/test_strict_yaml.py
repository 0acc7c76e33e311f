from __future__ import annotations

import contextlib
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_hpcenv.errors import InvalidRequest
from jupyter_hpcenv.formats.plain_text import clean, line, shown
from jupyter_hpcenv.formats.strict_yaml import DEEPEST, Node, load


def plain(node: Node) -> Any:
    """Return the tree without its lines."""
    if isinstance(node.value, list):
        return [plain(each) for each in node.value]
    if isinstance(node.value, dict):
        return {key: plain(each) for key, each in node.value.items()}
    return node.value


@pytest.fixture(params=["libyaml", "python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of PyYAML's two parsers; the second is there where the first could not be compiled."""
    if request.param == "python":
        monkeypatch.delattr(yaml, "CSafeLoader")
    return str(request.param)


@pytest.mark.parametrize(
    "text",
    ["1.10", "3.10", "1e3", "0x1F", "0o17", "017", "12:30:45", "2024-01-05", "on", "Yes", "n", ".inf", "9" * 50_000],
)
def test_a_scalar_is_what_stands_there(parser: str, text: str) -> None:
    assert plain(load(f"a: {text}\nb: [{text}]\n{text[:900]}: c\n")) == {"a": text, "b": [text], text[:900]: "c"}


def test_nothing_is_nothing_only_where_nothing_stands(parser: str) -> None:
    assert plain(load("a:\nb: ~\nc: null\nd: ''\ne: 'null'\n")) == {
        "a": None,
        "b": None,
        "c": None,
        "d": "",
        "e": "null",
    }
    assert plain(load("# only a comment\n")) is None
    assert plain(load("")) is None


def test_values_know_their_lines(parser: str) -> None:
    root = load("---\na: 1\n\nb:\n  - x\n  - {c: y}\n").entries("The file")
    listed = root["b"].items("b")
    assert [root["a"].line, listed[0].line, listed[1].entries("c")["c"].line] == [2, 5, 6]
    for ask in (
        lambda: root["a"].items("The list"),
        lambda: root["a"].entries("The keys"),
        lambda: root["b"].text("The text"),
        lambda: listed[1].field("d"),
        lambda: listed[1].entries("c")["c"].field("d"),
    ):
        with pytest.raises(InvalidRequest, match=r"^Line [256]: ") as caught:
            ask()
        assert caught.value.hints
    assert (listed[1].optional("d"), listed[1].optional("c"), listed[1].field("c")) == ("", "y", "y")


BOMB = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))


@pytest.mark.parametrize(
    ("text", "number", "why"),
    [
        (BOMB, 1, "Anchors"),
        ("a: 1\nb: *a\n", 2, "aliases"),
        ("a: 1\na: 2\n", 2, "twice"),
        ("a: 1\n'a': 2\n", 2, "twice"),
        ("x: {a: 1, a: 2}\n", 1, "twice"),
        ("a: {b: 1}\n<<: {c: 2}\n", 2, "merges"),
        ("a: !!python/object/apply:os.system ['true']\n", 1, "Tags"),
        ("a:\n  !!python/name:os.system x\n", 2, "Tags"),
        ("a: !!str x\n", 1, "Tags"),
        ("a: ! x\n", 1, "Tags"),
        ("!!set {a, b}\n", 1, "Tags"),
        ("%TAG ! tag:example.org,2000:\n---\na: 1\n", 1, "directive"),
        ("%YAML 1.1\n---\na: 1\n", 1, "directive"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: 1\n...\n---\nb: 2\n", 3, "second document"),
        ("a:\n" + "- " * 30 + "x\n", 2, "nested"),
        ("[" * 100_000, 1, "nested"),
        ("\n".join("  " * depth + f"a{depth}:" for depth in range(200)), DEEPEST + 1, "nested"),
        ("{{ a }}: b\n", 1, "can not be a key"),
        ("? [a]\n: b\n", 1, "can not be a key"),
        (": b\n", 1, "no YAML"),
        ("~: b\n", 1, "A key"),
        ('"a\\nb": c\n', 1, "A key"),
        ('"a\\u202Eb": c\n', 1, "A key"),
        ("a: [b\n", 2, "no YAML"),
        ("a: b: c\n", 1, "no YAML"),
        ("a: 1\n\tb: 2\n", 2, "no YAML"),
        ("{% set x = 1 %}\na: 1\n", 1, "no YAML"),
        ("a: @b\n", 1, "no YAML"),
        ("a: `b`\n", 1, "no YAML"),
        ('a: "\\ud800"\n', 1, ""),
    ],
)
def test_what_is_refused_names_its_line(parser: str, text: str, number: int, why: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        load(text).entries("The file")["a"].text("A")
    assert caught.value.message.startswith(f"Line {number}: ")
    assert why in caught.value.message
    assert caught.value.message.isprintable()


def test_an_escape_that_means_nothing_is_refused(parser: str) -> None:
    with pytest.raises(InvalidRequest):
        load('a: "\\UFFFFFFFF"\n')


def test_templates_are_named_as_such() -> None:
    with pytest.raises(InvalidRequest) as caught:
        load("{% if x %}\na: 1\n{% endif %}\n")
    assert "Templates" in caught.value.hints[0]


@pytest.mark.parametrize("escape", ["\\0", "\\e[31m", "\\n", "\\u202e", "\\u2028", "\\N"])
def test_escapes_bring_nothing_invisible(parser: str, escape: str) -> None:
    node = load(f'a: "x{escape}y"\n').entries("The file")["a"]
    with pytest.raises(InvalidRequest, match="invisible"):
        node.text("A value")


KEY = st.from_regex(r"[a-z]{1,4}", fullmatch=True)
VALUE = st.recursive(
    st.one_of(st.none(), st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEY, inner, max_size=3)),
    max_leaves=8,
)


@settings(deadline=None)
@given(value=st.dictionaries(KEY, VALUE, max_size=4), flow=st.booleans())
def test_both_parsers_read_what_pyyaml_writes(value: dict[str, Any], flow: bool) -> None:
    text = yaml.dump(value, allow_unicode=True, default_flow_style=flow, Dumper=NoAliases)
    fast, slow = load(text), _slowly(text)
    assert plain(fast) == plain(slow) == value


class NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _slowly(text: str) -> Node:
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(yaml, "CSafeLoader")
        return load(text)


@settings(deadline=None)
@given(st.text(st.sampled_from("ab:-?[]{}&*!|>'\"%#@`~\n \t0.,"), max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (load, _slowly):
        with contextlib.suppress(InvalidRequest):
            read(text)


def test_text_is_cleaned_or_refused() -> None:
    assert clean("\ufeffa\r\nb\tc\n", limit=20) == "a\nb\tc\n"
    hidden = [
        "\0",
        "\x1b",
        "\x7f",
        "\x85",
        "\u2028",
        "\u2029",
        "\u202e",
        "\u2066",
        "\u200f",
        "\ud800",
        "\ufeff",
        "\r",
        "\f",
    ]
    for character in hidden:
        with pytest.raises(InvalidRequest, match="Line 2: the file holds") as caught:
            clean(f"a\nb{character}c\n", limit=20)
        assert caught.value.message.isprintable()
    with pytest.raises(InvalidRequest, match="at most 3"):
        clean("abcd", limit=3)


def test_passwords_are_not_shown() -> None:
    for text in (
        "https://u:pw@h/",
        "https://pw@h/",
        "https://h/t/pw/c",
        "https://h/?token=pw",
        "https://h/a?x=1&y=pw#z",
    ):
        assert "pw" not in shown(text)
    assert shown("a\x1b[31m\u202e") == "a\ufffd[31m\ufffd"
    assert len(shown("x" * 500)) <= 120


def test_a_line_is_put_in_front_of_the_message() -> None:
    with pytest.raises(InvalidRequest, match=r"^Line 7: What\.$") as caught, line(7):
        raise InvalidRequest("What.", hints=["Do."], reason="because")
    assert (caught.value.hints, caught.value.reason) == (("Do.",), "because")
