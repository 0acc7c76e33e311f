"""What pages print for people to type: blocks of code, commands, and how a shell would run them."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
DOCS = CHECKOUT / "docs"


def pages() -> list[Path]:
    """Return every page that people read, those outside docs/ included."""
    return [*sorted(CHECKOUT.glob("*.md")), *sorted((CHECKOUT / "binder").glob("*.md")), *sorted(DOCS.rglob("*.md"))]


def name_of(page: Path) -> str:
    """Return how a page is called in the tables of test_commands.py."""
    return page.relative_to(CHECKOUT).as_posix()


def blocks(text: str, language: str) -> list[str]:
    """Return the blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[str]:
    """Return the commands of a page without their comments and without the lines that a shell reads as a file's.

    They stand after “$ ” in blocks of a console, after “# ” where root types them, and are each line of bash blocks.
    """
    found = []
    for block in blocks(text, "console"):
        lines = re.sub(r"(<<'?(\w+)'?.*\n)(?:.*\n)*?\2$", r"\1", block, flags=re.MULTILINE)
        found += re.findall(r"^[$#] ((?:.*\\\n)*.*)$", lines, re.MULTILINE)
    for block in blocks(text, "bash"):
        found += [line for line in block.replace("\\\n", "").splitlines() if line and not line.startswith("#")]
    return [without_comment(command) for command in found]


def without_comment(command: str) -> str:
    """Return a command without what a shell would not read."""
    return re.sub(r"\s+#.*$", "", command)


def programs(command: str) -> Iterator[list[str]]:
    """Yield the words of each program that a line starts, without redirections."""
    lexer = shlex.shlex(command.replace("\\\n", " "), posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words: list[str] = []
    into_file = False
    for word in lexer:
        if set(word) <= set("|&;"):
            yield words
            words, into_file = [], False
        elif set(word) <= set("<>"):
            into_file = True
        elif not into_file:
            words.append(word)
    yield words


def run(command: str, env: Mapping[str, str], cwd: Path, before: str = "") -> str:
    """Run a line as a shell would, and return what it printed; *before* is what that shell has done already."""
    line = f"{before}\n{command}"
    done = subprocess.run(["bash", "-c", line], env=dict(env), cwd=cwd, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, (command, done.stdout[-3000:], done.stderr[-3000:])
    return done.stdout
