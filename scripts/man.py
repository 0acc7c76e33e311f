"""Write the man pages from the commands themselves: docs/man/jupyter-hpcenv.1 and one for each verb.

`python scripts/reference.py` writes them with the other pages; the wheel puts them where `man jupyter-hpcenv-create`
finds them. Only characters of ASCII and groff's own escapes are written, so every man program reads them.
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from jupyter_hpcenv.cli.app import app
from jupyter_hpcenv.cli.failure import kinds

PROGRAM = "jupyter-hpcenv"
NOTE = '.\\" Written by scripts/man.py; change the source, not this page.'
_ESCAPES = {"\\": "\\e", "“": "\\(lq", "”": "\\(rq", "…": "...", "’": "'", "→": "\\(->", "—": "\\(em", "–": "\\(en"}


def pages() -> dict[str, str]:
    """Return the text of each page by the name of its file."""
    written = {f"{PROGRAM}.1": overview()}
    for name, command in sorted(app.commands.items()):
        written[f"{PROGRAM}-{name}.1"] = one(name, command)
    return written


def overview() -> str:
    """Return the page that lists the verbs."""
    lines = [*heading(PROGRAM, app), ".SH COMMANDS"]
    for name, command in sorted(app.commands.items()):
        lines += [".TP", f".BR {roff(f'{PROGRAM}-{name}')} (1)", prose(command.get_short_help_str(limit=200))]
    lines += [".SH OPTIONS", *options(app, context_of(app, None))]
    lines += [".SH EXIT STATUS", ".TP", ".B 0", "It worked."]
    for kind in sorted(kinds(), key=lambda kind: (kind.exit_code, kind.code)):
        if kind.__module__ == "jupyter_hpcenv.errors":
            meaning = "Any other error." if kind.code == "error" else (kind.__doc__ or "").partition("\n")[0]
            lines += [".TP", f".B {kind.exit_code}", prose(f"{kind.code}: {meaning}")]
    lines += [".SH FILES", ".TP", ".I jupyter_hpcenv_config.py"]
    lines.append(prose("Options, in any of the folders of configuration that “jupyter --paths” lists."))
    lines += [".TP", ".I /etc/jupyter/hpcenv_policy.toml"]
    lines.append(prose("What the site allows; no user's configuration overrides it."))
    return "\n".join(lines) + "\n"


def one(name: str, command: click.Command) -> str:
    """Return the page of a verb."""
    parent = context_of(app, None)
    context = context_of(command, parent, name)
    lines = [*heading(f"{PROGRAM}-{name}", command), ".SH DESCRIPTION"]
    for number, paragraph in enumerate(paragraphs(command)):
        lines += [".PP", prose(paragraph)] if number else [prose(paragraph)]
    if isinstance(command, click.Group):
        for word, inner in sorted(command.commands.items()):
            within = context_of(inner, context, word)
            lines += [f".SH {quoted(word.upper())}", synopsis(inner, within)]
            for paragraph in paragraphs(inner):
                lines += [".PP", prose(paragraph)]
            lines += options(inner, within)
    if shown := options(command, context):
        lines += [".SH OPTIONS", *shown]
    lines += [".SH SEE ALSO", f".BR {roff(PROGRAM)} (1)"]
    return "\n".join(lines) + "\n"


def heading(title: str, command: click.Command) -> list[str]:
    """Return the head of a page: its title, one line about it, and how it is called."""
    short = command.get_short_help_str(limit=200).rstrip(".")
    parent = None if command is app else context_of(app, None)
    context = context_of(command, parent, title.removeprefix(f"{PROGRAM}-"))
    return [
        NOTE,
        f'.TH {quoted(title.upper())} 1 "" jupyter_hpcenv "jupyter_hpcenv"',
        *(".nh", ".ad l"),
        ".SH NAME",
        f"{roff(title)} \\- {prose(short)}",
        ".SH SYNOPSIS",
        synopsis(command, context),
    ]


def synopsis(command: click.Command, context: click.Context) -> str:
    """Return how a command is called, its words bold and what stands for something plain."""
    path = context.command_path if command is not app else "jupyter hpcenv"
    return f".B {roff(path)}\n{roff(' '.join(command.collect_usage_pieces(context)))}"


def context_of(command: click.Command, parent: click.Context | None, name: str = "jupyter hpcenv") -> click.Context:
    """Return what click needs to know to describe a command."""
    return click.Context(command, info_name="jupyter hpcenv" if parent is None else name, parent=parent)


def paragraphs(command: click.Command) -> Iterator[str]:
    """Yield the paragraphs of a command's help, each as one line."""
    for paragraph in (command.help or "").replace("\b", "").split("\n\n"):
        if text := " ".join(paragraph.split()):
            yield text


def options(command: click.Command, context: click.Context) -> list[str]:
    """Return the list of a command's options."""
    lines: list[str] = []
    for parameter in command.params:
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record:
            lines += [".TP", f".B {roff(record[0])}", prose(record[1])]
    return lines


def prose(text: str) -> str:
    """Return a text that stands at the beginning of a line and is no request there."""
    shown = roff(" ".join(text.split()))
    return f"\\&{shown}" if shown.startswith((".", "'")) else shown


def roff(text: str) -> str:
    """Return a text as groff prints it unchanged."""
    return "".join(_escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    if letter == "-":
        return "\\-"  # a hyphen that can be copied into a shell
    return _ESCAPES.get(letter) or (letter if letter.isascii() else f"\\[u{ord(letter):04X}]")


def quoted(text: str) -> str:
    """Return an argument of a request."""
    return '"' + roff(text).replace('"', "\\(dq") + '"'
