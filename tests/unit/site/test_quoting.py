"""Every dialect's quoting is read back by the real interpreters, many values in one start."""

from __future__ import annotations

import ast
import configparser
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import yaml as reader
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_hpcenv.errors import InvalidRequest
from jupyter_hpcenv.site.quoting import HERE_END, csh, fish, here, ini, lua, python, sh, tcl, toml, yaml

DIALECTS: dict[str, tuple[Callable[[str], str], list[str]]] = {
    "sh": (sh, ["/bin/sh"]),
    "dash": (sh, ["dash"]),
    "bash": (sh, ["bash", "--norc", "--noprofile"]),
    "bash-posix": (sh, ["bash", "--posix"]),
    "tcsh": (csh, ["tcsh", "-f"]),
    "fish": (fish, ["fish", "--no-config"]),
    "lua": (lua, ["lua"]),
    "tcl": (tcl, ["tclsh"]),
}

NASTY = [
    "",
    " ",
    "\t",
    "-n",
    "--help",
    "!",
    "!!",
    "!$",
    "a!b",
    "\\!",
    "\\\\!",
    "!\\",
    "\\",
    "\\\\",
    "\\'",
    "'",
    "''",
    "'\\''",
    '"',
    "$HOME",
    "${HOME}",
    "$(id)",
    "`id`",
    "~",
    "~root",
    "*",
    "?",
    "[a]",
    "{a,b}",
    "a;b",
    "a&b",
    "a|b",
    "a>b",
    "(a)",
    "#a",
    "a=b",
    "^a^b",
    "%1",
    "{{7*7}}",
    "naïve",
    "日本語",
    "😀",
    "\u202e",
    "\\n",
    "\\x41",
    "a'!\\$b",
]

PRINTABLE = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])
values = st.lists(
    st.one_of(
        st.sampled_from(NASTY),
        st.text(PRINTABLE, max_size=40),
        st.text(st.sampled_from("'\"\\!$`~ -^#{}*?ab\t"), max_size=12),
    ),
    min_size=40,
    max_size=120,
)


def script(dialect: str, texts: list[str]) -> str:
    quote = DIALECTS[dialect][0]
    if dialect == "lua":
        return "".join(f'io.write({quote(text)}, "\\0")\n' for text in texts)
    if dialect == "tcl":  # within braces, too, a word is one word
        return "".join(f"if 1 {{ puts -nonewline {quote(text)}; puts -nonewline \\0 }}\n" for text in texts)
    printf = quote(shutil.which("printf") or "printf")
    lines = [" ".join([printf, quote("%s\\0"), *map(quote, texts[i : i + 20])]) for i in range(0, len(texts), 20)]
    return "\n".join(lines) + "\n"


def read_back(dialect: str, texts: list[str], folder: Path, locale: str, before: str = "") -> list[str]:
    path = folder / "script"
    path.write_text(before + script(dialect, texts), encoding="utf-8")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "LC_ALL": locale}
    done = subprocess.run(
        [*DIALECTS[dialect][1], str(path)], env=environment, capture_output=True, check=False, cwd=folder, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert done.stderr == b""
    return done.stdout.decode().split("\0")[:-1]


def carried(dialect: str, texts: list[str]) -> list[str]:
    """Return the texts without those that Tcl refuses, because Tcl 8 spoils them."""
    return [text for text in texts if dialect != "tcl" or not re.search("[\U00010000-\U0010ffff]", text)]


def test_tcl_refuses_what_tcl_8_spoils() -> None:
    with pytest.raises(InvalidRequest, match="beyond"):
        tcl("a 😀")


def interpreter(dialect: str) -> None:
    program = DIALECTS[dialect][1][0]
    if shutil.which(program) is None:
        if os.environ.get("HPCENV_REQUIRE_REAL") == "1":
            pytest.fail(f"{program} is missing, and HPCENV_REQUIRE_REAL=1 forbids to skip its tests")
        pytest.skip(f"{program} is not installed")


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_hard_values_are_read_back(dialect: str, locale: str, tmp_path: Path) -> None:
    interpreter(dialect)
    texts = carried(dialect, NASTY)
    assert read_back(dialect, texts, tmp_path, locale) == texts


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts=values)
def test_any_printable_text_is_read_back(
    dialect: str, texts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    interpreter(dialect)
    texts = carried(dialect, texts)
    assert read_back(dialect, texts, tmp_path_factory.mktemp("script"), "C.UTF-8") == texts


@pytest.mark.parametrize("setting", ["set backslash_quote\n", "set noglob\n", ""])
def test_csh_settings_of_the_user_do_not_matter(setting: str, tmp_path: Path) -> None:
    interpreter("tcsh")
    assert read_back("tcsh", NASTY, tmp_path, "C.UTF-8", before=setting) == NASTY


@pytest.mark.parametrize("dialect", ["sh", "dash", "bash", "bash-posix"])
def test_lines_of_a_here_document_stay_what_they_are(dialect: str, tmp_path: Path) -> None:
    texts = [*NASTY, f" {HERE_END}", f"{HERE_END} ", f"{HERE_END};id", f"<<{HERE_END}"]
    path = tmp_path / "script"
    path.write_text("\n".join([f"cat <<'{HERE_END}'", *map(here, texts), HERE_END, ""]), encoding="utf-8")
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([*DIALECTS[dialect][1], str(path)], env=environment, capture_output=True, timeout=60)
    assert (done.stdout.decode().split("\n")[:-1], done.stderr) == (texts, b"")


def test_the_line_that_ends_a_here_document_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="would end"):
        here(HERE_END)


@pytest.mark.parametrize("quote", [sh, csh, fish, lua, tcl, here])
@pytest.mark.parametrize("text", ["a\nb", "\n", "a\0b", "a\r", "a\ud800b"])
def test_what_no_shell_carries_is_refused(quote: Callable[[str], str], text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        quote(text)
    assert caught.value.hints


CONTROLS = [*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), "\u2028", "\u2029"]


@pytest.mark.parametrize("quote", [sh, csh, fish, lua, tcl, here])
@given(before=st.text(PRINTABLE), control=st.sampled_from([c for c in CONTROLS if c != "\t"]), after=st.text(PRINTABLE))
def test_a_text_with_a_control_character_is_refused(
    quote: Callable[[str], str], before: str, control: str, after: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        quote(before + control + after)
    assert not any(character in caught.value.message for character in CONTROLS)


def test_what_a_message_shows_of_such_a_text_steers_no_terminal() -> None:
    with pytest.raises(InvalidRequest) as caught:
        sh("\x1b]52;c;eA==\x07")
    assert caught.value.message.isprintable()


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\u2028\u2029"), max_size=40))
def test_any_line_is_read_back_from_the_languages_of_files(text: str) -> None:
    value = {"a": [text, True, 3], text: {"b": text}}
    assert ast.literal_eval(python(value)) == value
    assert msgspec.toml.decode(f"x = {toml(value)}") == {"x": value}
    assert reader.safe_load(f"- {yaml(text)}") == [text]
    if text == text.strip() and text and text[0] not in "#;":
        parser = configparser.RawConfigParser()
        parser.read_string(f"[a]\nb = {ini(text)}\n")
        assert parser.get("a", "b") == text


def test_what_takes_several_lines_is_one_value() -> None:
    value = {"places": {"it's": ["x" * 60, "y" * 60], "b": "z" * 60}}
    assert ast.literal_eval(python(value)) == value
    assert max(map(len, python(value).splitlines())) < 90


@pytest.mark.parametrize("text", ["", " a", "a ", "#a", ";a", "a\nb"])
def test_what_pip_would_read_as_something_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        ini(text)


def test_only_plain_data_is_written_as_a_literal() -> None:
    for write in (python, toml):
        with pytest.raises(TypeError):
            write({"a": object()})
