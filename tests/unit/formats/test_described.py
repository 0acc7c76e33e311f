from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_hpcenv.errors import InvalidRequest
from jupyter_hpcenv.formats.described import read
from jupyter_hpcenv.formats.requirements import Rules

from . import test_environment_yml, test_explicit, test_locks, test_strict_yaml

ALL = Rules()
FILES = {
    "environment.yml": test_environment_yml.FILE,
    "explicit": test_explicit.LIST,
    "conda-lock": test_locks.text_of(test_locks.conda_file()),
    "rattler-lock": test_locks.text_of(test_locks.lock_file(7)),
}


@pytest.mark.parametrize("kind", FILES)
def test_each_file_is_recognised(kind: str) -> None:
    found = read(FILES[kind], ALL, "linux-64")
    assert found.kind == kind
    assert found.specs or found.pinned
    assert read("\ufeff# a comment\r\n" + FILES[kind].replace("\n", "\r\n"), ALL, "linux-64").pinned == found.pinned


def test_what_is_slow_to_start_is_not_imported_before_it_is_needed() -> None:
    script = "import sys, jupyter_hpcenv.formats.described; print({'yaml', 'rattler'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "set()"


def test_json_is_yaml() -> None:
    assert read('{"dependencies": ["python=3.10"]}', ALL).specs == ["python 3.10.*"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("# nothing\n\n", "empty"),
        ("numpy>=2\nscipy\n", "list of requirements"),
        ("numpy=1.10=py311_0\n# platform: linux-64\n", "list of requirements"),
        ("-r other.txt\n", "no file of conda"),
        ("[project]\nname = 'x'\n", "TOML"),
        ("[[packages]]\n", "TOML"),
        ("a: b\n", "no file of conda"),
        ("- numpy\n", "no file of conda"),
        ("version: 3\npackage: []\nmetadata: {}\n", "version 3"),
        ("version: 1000\npackages: []\nenvironments: {}\n", "version 1000"),
        ("x" * 6_000_000, "at most"),
        ("<html><body>404</body></html>", "list of requirements"),
        (test_strict_yaml.BOMB + "dependencies: [*i]\n", "Anchors"),
    ],
)
def test_anything_else_is_refused_with_why(text: str, why: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(text, ALL)
    assert why in caught.value.message
    assert caught.value.hints


HOSTILE = {
    "NUL": "\0",
    "escape": "\x1b[31mred",
    "bidi": "\u202etxt.exe",
    "line separator": "\u2028- evil",
    "next line": "\x85- evil",
    "carriage return": "\r- evil",
    "mark": "\ufeff",
    "half a character": "\udcff",
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("what", HOSTILE)
def test_nothing_hides_in_any_file(kind: str, what: str) -> None:
    """Not even in a comment: what a person sees there must be what a program reads."""
    text = FILES[kind]
    for changed in (text + f"# {HOSTILE[what]}\n", text.replace("numpy", f"numpy{HOSTILE[what]}", 1)):
        with pytest.raises(InvalidRequest, match=r"^Line \d+: .*invisible character U\+") as caught:
            read(changed, ALL, "linux-64")
        assert caught.value.message.isprintable()


@pytest.mark.parametrize("kind", ["environment.yml", "conda-lock", "rattler-lock"])
@pytest.mark.parametrize(
    "line",
    [
        "x: !!python/object/apply:os.system [touch canary]",
        "x: !!binary AAAA",
        "x: &a [b]",
        "x: *a",
        "<<: {version: 1}",
        "x: " + "[" * 50 + "]" * 50,
        "x: {{ y }}",
        "? {a: b}\n: c",
        "--- {}\n",
        "%TAG ! x",
        "\tx: y",
    ],
)
def test_no_yaml_does_more_than_it_says(kind: str, line: str) -> None:
    for changed in (f"{line}\n{FILES[kind]}", f"{FILES[kind]}{line}\n"):
        with pytest.raises(InvalidRequest):
            read(changed, ALL, "linux-64")


@pytest.mark.parametrize(
    "text",
    [
        "\n" * 900_000,
        "dependencies:\n  - a " + "#[" * 450_000 + "\n  - num py\n",
        "dependencies:\n  - a" + " >=1," * 180_000 + "\n",
        "dependencies:\n  - a[" + "b=c," * 220_000 + "]\n",
        "dependencies: []\nchannels:\n  - https://example.org/" + "a/" * 400_000 + "\n",
        "@EXPLICIT\nhttps://example.org/noarch/" + "a-" * 450_000 + "\n",
        "@EXPLICIT\nhttps://example.org/" + "//@" * 300_000 + "\n",
    ],
)
def test_long_texts_take_as_long_as_they_are(text: str) -> None:
    """Work that grows with the square of the length would not be done before the limit of all tests."""
    with pytest.raises(InvalidRequest):
        read(text, ALL, "linux-64")


@settings(deadline=None)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_a_damaged_file_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    text = FILES[kind]
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, min(begin + 40, len(text))))
    middle = data.draw(st.text(max_size=10))
    try:
        found = read(text[:begin] + middle + text[end:], ALL, "linux-64")
    except InvalidRequest as error:
        refused = error
    else:
        assert found.kind in FILES
        return
    assert refused.hints
    assert refused.message.isprintable()
