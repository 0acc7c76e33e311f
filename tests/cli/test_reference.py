"""Compare docs/reference/cli.md with the program; as a program, this file brings the page up to date."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from jupyter_hpcenv.cli.app import app
from jupyter_hpcenv.cli.failure import kinds

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"
MARK = "<!-- {}: {}; written by tests/cli/test_reference.py -->"


def commands() -> str:
    """Return the chapter about the subcommands."""
    whole = click.Context(app, info_name="jupyter hpcenv")
    return "\n".join(line for name in sorted(app.commands) for line in _command(name, app.commands[name], whole))


def _command(name: str, command: click.Command, parent: click.Context) -> list[str]:
    context = click.Context(command, info_name=name, parent=parent)
    paragraphs = [" ".join(part.split()) for part in (command.help or "").split("\n\n")]
    title = context.command_path.removeprefix("jupyter hpcenv ")
    lines = [f"### {title}", "", f"    {command.get_usage(context).removeprefix('Usage: ')}", ""]
    for paragraph in paragraphs:
        lines += [paragraph, ""]
    rows = []
    for parameter in command.params:
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record:
            rows.append(f"| `{record[0].replace('|', chr(92) + '|')}` | {record[1]} |")
    if rows:
        lines += ["| Option | |", "|---|---|", *rows, ""]
    if isinstance(command, click.Group):
        for inner in sorted(command.commands):
            lines += _command(inner, command.commands[inner], context)
    return lines


def exit_codes() -> str:
    """Return the table of exit codes."""
    lines = ["| Exit code | `code` | Meaning |", "|---|---|---|", "| 0 | | It worked. |"]
    for kind in sorted(kinds(), key=lambda kind: kind.exit_code):
        if kind.__module__ == "jupyter_hpcenv.errors":
            meaning = "Any other error." if kind.code == "error" else (kind.__doc__ or "").partition("\n")[0]
            lines.append(f"| {kind.exit_code} | `{kind.code}` | {meaning} |")
    return "\n".join([*lines, ""])


PARTS = {"commands": commands, "exit codes": exit_codes}


def bring_up_to_date(text: str) -> str:
    """Return the page with each generated part replaced."""
    for name, render in PARTS.items():
        begin, end = re.escape(MARK.format("begin", name)), re.escape(MARK.format("end", name))
        new = f"{MARK.format('begin', name)}\n{render()}{MARK.format('end', name)}"
        text, count = re.subn(f"{begin}.*?{end}", lambda _, new=new: new, text, flags=re.DOTALL)
        assert count == 1, f"docs/reference/cli.md has no part “{name}”"
    return text


def test_the_page_says_what_the_program_does() -> None:
    page = PAGE.read_text()
    assert page == bring_up_to_date(page), "run python tests/cli/test_reference.py"


def test_every_subcommand_and_option_has_a_help_text() -> None:
    for name, command in app.commands.items():
        assert command.help, name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (name, parameter.name)


def test_the_page_says_what_json_has_of_each_command() -> None:
    (table,) = re.findall(r"^\| Command \| `data` \|\n(.*?)\n\n", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    told = {name for row in table.splitlines() for name in re.findall(r"`([^`]+)`", row.split(" | ")[0])}
    for name, command in app.commands.items():
        names = {f"{name} {each}" for each in command.commands} if isinstance(command, click.Group) else {name}
        assert names <= told, name


def test_every_exit_code_is_in_the_table() -> None:
    table = exit_codes()
    for kind in kinds():
        if kind.__module__ == "jupyter_hpcenv.errors":
            assert f"| {kind.exit_code} | `{kind.code}` |" in table


if __name__ == "__main__":
    PAGE.write_text(bring_up_to_date(PAGE.read_text()))
    sys.exit(0)
