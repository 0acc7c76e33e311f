"""Whatever lies in a record, a log, the trash or a status: a terminal gets text, and no escape but our own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.cli.clean import clean

from . import forking
from .conftest import Cli

CORPUS = {
    "html": '<img src=x onerror="alert(1)"><script>alert(1)</script>',
    "markup": "[bold red]styled[/] [link=https://example.org/]click[/link] :smile:",
    "ansi": "\x1b[31mred\x1b[2J\x1b[1;1H\x1b[?1049h\x1b[6n\x1bc",
    "clipboard": "a\x1b]52;c;ZXZpbA==\x07b\x9d52;c;ZXZpbA==\x9c",
    "link": "\x1b]8;;https://example.org/\x1b\\click\x1b]8;;\x1b\\",
    "title": "\x1b]0;title\x07\x1bPq#0\x1b\\\x1b_apc\x1b\\",
    "bidi": "safe\u202egnp.exe\u2066x\u2069\u200f\u061c",
    "nul": "a\x00b\x08\x08c\x7fd\x85e",
    "long": "x" * 50_000,
    "emoji": "👩‍💻🏳️‍🌈" * 20,
    "newline": "one\r\nError: \rtwo\u2028three",
    "format": "%s %d {0} ${HOME} $(id) `id` {{7*7}}",
}
STATES = {"manager", "creator", "installer", "state", "id", "version", "prefix", "operation", "kernelspec", "platform"}

#: What our bar and our colours send: colours, the cursor's being shown, and lines that are drawn anew.
OURS = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[hl]|\x1b\[[12]?K|\x1b\[\d*A|\r")
STEERING = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u061c\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def poison(value: Any, text: str) -> Any:
    """Return *value* with every text in it replaced, but for those that are checked when they are read."""
    if isinstance(value, str):
        return text
    if isinstance(value, list):
        return [poison(each, text) for each in value]
    if isinstance(value, dict):
        return {
            key: each if key in STATES and isinstance(each, str) else poison(each, text) for key, each in value.items()
        }
    return value


def replace(path: Path, text: str) -> None:
    path.write_text(json.dumps(poison(json.loads(path.read_text()), text)))


@pytest.fixture(scope="module")
def rich_home(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A user with an environment, another one in the trash, and operations, all of which lie in files."""
    cli = Cli(tmp_path_factory.mktemp("hostile"), cache)
    for name in ("kept", "gone"):
        assert cli("create", name, "--no-kernel").returncode == 0
    assert cli("delete", "gone").returncode == 0
    return cli


@pytest.mark.parametrize("kind", CORPUS)
def test_only_text_reaches_the_terminal(rich_home: Cli, kind: str) -> None:
    cli, text = rich_home, CORPUS[kind]
    data = cli.data / "hpcenv"
    originals = {
        path: path.read_bytes()
        for path in data.rglob("*.json*")
        if path.name in ("environment.json", "status.json", "final.json", "operation.json", "log.jsonl")
    }
    try:
        identifiers = [path.parent.name for path in originals if path.name == "operation.json"]
        for path in originals:
            if path.name == "log.jsonl":
                lines = [json.loads(line) for line in path.read_text().splitlines()]
                path.write_text("".join(json.dumps({**line, "text": text}) + "\n" for line in lines))
            elif path.name in ("status.json", "final.json"):
                status = json.loads(path.read_text())
                error = {"message": text, "reason": text, "code": "build_failed", "hints": [text]}
                for step in status["steps"]:
                    step.update(title=text, detail=text)
                path.write_text(json.dumps({**status, "state": "failed", "error": error}))
            else:
                replace(path, text)
        commands = [["list"], ["trash"], ["operations"], ["kernels"], ["show", text], ["restore", text]]
        commands += [["log", each] for each in identifiers] + [["log", each, "--follow"] for each in identifiers[:1]]
        commands += [["create", text, "--no-kernel"], ["delete", text], ["cancel", identifiers[0]]]
        everything = ""
        for arguments in commands:
            if any("\0" in each for each in arguments):
                continue  # no program can be given that
            if any(len(each.encode()) > 100_000 for each in arguments):
                continue
            _, seen = forking.on_a_terminal(arguments, cli.env, cli.home)
            assert seen, arguments
            everything += seen
            left = STEERING.search(OURS.sub("", seen))
            assert left is None, (arguments, left, seen[max(0, left.start() - 80) : left.end() + 80])
            assert "Traceback" not in seen, arguments
        assert everything.count(clean(text)[:15]) > 3
        plain = cli("log", identifiers[0])
        assert "\x1b" not in plain.stdout + plain.stderr
    finally:
        for path, before in originals.items():
            path.write_bytes(before)
