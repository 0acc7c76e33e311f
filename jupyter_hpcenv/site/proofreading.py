"""Check a site's templates before anybody depends on them: render each, and let the real shell read the outcome.

Nothing that is rendered is run. A template that is wrong would otherwise show when somebody's kernel does not start.
"""

from __future__ import annotations

import contextlib
import difflib
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from ..errors import HpcenvError, NotFound
from ..process import environment, run
from .config import Site
from .rendering import PACKAGE_TEMPLATES, find, references_of, render, source_of

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
    return list(dict.fromkeys(findings))  # one that several templates include may be at fault in all of them


def unused(site: Site) -> list[Finding]:
    """Return a finding for each file in the site's folders that looks like a template and that nothing uses.

    A misspelt one would change nothing, and nobody would be told. What another template of the site includes counts.
    """
    known = {path.name for path in PACKAGE_TEMPLATES.glob("*.j2")}
    findings = []
    listed: dict[Path, list[str]] = {}
    for folder in map(Path, folders_of(site)):
        with contextlib.suppress(OSError):  # using it says so
            listed[folder] = sorted(path.name for path in folder.iterdir())
    used = _included(known & {name for names in listed.values() for name in names}, site)
    for folder, names in listed.items():
        for name in names:
            if name in known | used or not (name.endswith(".j2") or f"{name}.j2" in known):
                continue
            meant = difflib.get_close_matches(name, known, 1, 0.8)
            hint = (
                f"; did you mean {meant[0]}?" if meant else ": no template of ours has that name, and none includes it."
            )
            message = f"The file {folder / name} is used by nothing{hint}"
            findings.append(Finding(template=name, path=str(folder / name), line=0, message=message, fatal=False))
    return findings


def folders_of(site: Site) -> list[str]:
    """Return the folders of the site's templates, as they are written in findings."""
    return list(dict.fromkeys(str(Path(each).expanduser()) for each in site.template_dirs))


def _included(names: set[str], site: Site) -> set[str]:
    """Return the names of templates, and of all that they include."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += references_of(name, site.template_dirs)
    return found


def _check(name: str, values: Sequence[Mapping[str, object]], site: Site, folder: Path) -> list[Finding]:
    path = ""
    try:
        path = str(find(name, site.template_dirs))
        texts = [render(name, site.template_dirs, each) for each in values]
    except HpcenvError as error:
        line = re.search(r"line (\d+): ", error.message)
        number = int(line[1]) if line else 0
        return [Finding(template=name, path=path, line=number, message=error.message, fatal=True)]
    for text, each in zip(texts, values, strict=True):
        if not text.strip():
            message = f"The template {path} gives nothing at all."
            return [Finding(template=name, path=path, line=0, message=message, fatal=True)]
        for reader in _readers(name, text):
            findings = _read(reader, text, name, path, folder)
            if findings:
                blamed = _blamed(name, each, reader, site, folder) if findings[0].fatal else name
                if blamed != name:
                    path = str(find(blamed, site.template_dirs))
                    findings = _read(reader, text, blamed, path, folder, within=name)
                return findings  # what one sample shows, the others would repeat
    return []


def _blamed(name: str, values: Mapping[str, object], reader: list[str], site: Site, folder: Path) -> str:
    """Return which template of the site is at fault: the one without which the script can be read."""
    for own in sorted(_included({name}, site), key=lambda each: (each == name, each)):
        try:
            if find(own, site.template_dirs).parent == PACKAGE_TEMPLATES:
                continue
            text = render(name, site.template_dirs, values, built_in={own})
        except (HpcenvError, OSError, ValueError):
            continue  # another one needs it as it is, or there is none of ours by that name
        if not _read(reader, text, name, "", folder):
            return own
    return name


def _readers(name: str, text: str) -> list[list[str]]:
    """Return the programs that must be able to read *text*; a script that names bash as its own is for bash alone."""
    if text.startswith("#!/bin/bash"):
        return [["bash", "-n"]]
    return next(readers for ending, readers in _READERS.items() if name.endswith(ending))


def _read(reader: list[str], text: str, name: str, path: str, folder: Path, *, within: str = "") -> list[Finding]:
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
    makes = f"makes of {within}" if within else "gives"
    message = f"The template {path} {makes} a script that {reader[0]} can not read: {words}."
    return [Finding(template=name, path=path, line=int(line[1]) if line else 0, message=message, fatal=True)]
