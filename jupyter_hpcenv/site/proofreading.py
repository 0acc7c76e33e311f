"""Check a site's templates before anybody depends on them: render each, and let the real shell read the outcome.

Nothing that is rendered is run. A template that is wrong would otherwise show when somebody's kernel does not start.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from ..errors import HpcenvError, NotFound
from ..process import environment, run
from .config import Site
from .rendering import PACKAGE_TEMPLATES, find, render, source_of

_SCRIPTS = Path(__file__).parent / "scripts"
_LUAS = ("lua", "lua5.4", "lua5.3", "lua5.2", "lua5.1", "luajit")

#: Which programs read what a template gives, by the template's ending; each gets the file as its last argument.
_READERS: dict[str, list[list[str]]] = {
    ".sh.j2": [["bash", "-n"], ["sh", "-n"]],
    ".csh.j2": [["tcsh", "-fn"]],
    ".fish.j2": [["fish", "--no-config", "--no-execute"]],
    ".lua.j2": [["lua", str(_SCRIPTS / "parse.lua")]],
    ".tcl.j2": [["tclsh", str(_SCRIPTS / "complete.tcl")]],
    "": [["bash", "-n"]],
}


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A template and the file that it comes from."""

    name: str
    path: str
    own: bool
    """True for the site's, false for ours."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a template, or why it could not be read through."""

    template: str
    path: str
    line: int
    """Of the template where it can not be rendered, of the rendered text where the shell refuses it; 0 if unknown."""
    message: str
    fatal: bool
    """False if only the program that reads it is missing here."""


def list_templates(site: Site) -> list[Template]:
    """Return the templates by name, each from where it would be used; raises `Refused` like `render`."""
    found = []
    for name in sorted(path.name for path in PACKAGE_TEMPLATES.glob("*.j2")):
        path = find(name, site.template_dirs)
        found.append(Template(name=name, path=str(path), own=path.parent != PACKAGE_TEMPLATES))
    return found


def show_template(name: str, site: Site, *, built_in: bool = False) -> str:
    """Return the text of a template as it would be used, or ours; raises `NotFound` if there is none of that name."""
    if not (PACKAGE_TEMPLATES / name).is_file() or "/" in name:
        raise NotFound(f"There is no template {name!r}.", hints=["List the templates to see their names."])
    return source_of(name, () if built_in else site.template_dirs)


def check_templates(site: Site, samples: Mapping[str, Sequence[Mapping[str, object]]]) -> list[Finding]:
    """Return what is wrong with the templates in *samples*, each rendered with all its samples; none: all is well.

    The rooms that own templates give the samples. Called by the check of templates; never raises for a template.
    """
    findings: list[Finding] = []
    with tempfile.TemporaryDirectory(prefix="hpcenv-") as folder:
        for name, values in sorted(samples.items()):
            findings += _check(name, values, site, Path(folder))
    return findings


def _check(name: str, values: Sequence[Mapping[str, object]], site: Site, folder: Path) -> list[Finding]:
    path = ""
    try:
        path = str(find(name, site.template_dirs))
        texts = [render(name, site.template_dirs, each) for each in values]
    except HpcenvError as error:
        line = re.search(r"line (\d+): ", error.message)
        number = int(line[1]) if line else 0
        return [Finding(template=name, path=path, line=number, message=error.message, fatal=True)]
    for text in texts:
        if not text.strip():
            message = f"The template {path} gives nothing at all."
            return [Finding(template=name, path=path, line=0, message=message, fatal=True)]
        for reader in _readers(name, text):
            findings = _read(reader, text, name, path, folder)
            if findings:
                return findings  # what one sample shows, the others would repeat
    return []


def _readers(name: str, text: str) -> list[list[str]]:
    """Return the programs that must be able to read *text*; a script that names bash as its own is for bash alone."""
    if text.startswith("#!/bin/bash"):
        return [["bash", "-n"]]
    return next(readers for ending, readers in _READERS.items() if name.endswith(ending))


def _read(reader: list[str], text: str, name: str, path: str, folder: Path) -> list[Finding]:
    names = _LUAS if reader[0] == "lua" else (reader[0],)
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        message = f"What {path} gives could not be read through: there is no {reader[0]} here."
        return [Finding(template=name, path=path, line=0, message=message, fatal=False)]
    script = folder / "rendered"
    script.write_text(text, encoding="utf-8")
    done = run([program, *reader[1:], str(script)], env=environment(), timeout=30)
    said = [line.replace(str(script), "it") for line in done.tail if line.strip()]
    if done.ok and not (reader[0] == "tcsh" and said):  # tcsh ends well whatever it read
        return []
    line = re.search(r"(?:line |it:)\s*(\d+)", "\n".join(said))
    words = "; ".join(said[:3]) or f"status {done.returncode}"
    message = f"The template {path} gives a script that {reader[0]} can not read: {words}."
    return [Finding(template=name, path=path, line=int(line[1]) if line else 0, message=message, fatal=True)]
