"""Environment Modules (Tcl), 4.2 and later."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ModuleFailed
from . import tclscript
from .contract import Available
from .real import RealSystem
from .search import version_key
from .verdict import Verdict
from .watching import below_home

_COMMAND = re.compile(r"(/[^\s'\"`;]*modulecmd\.tcl)")
_VERSION = re.compile(r"Modules Release (\d[\w.+-]*)")
_CONFIG = re.compile(r"siteconfig \{\{\} \{?(/[^}\s]+)")
_WHATIS = re.compile(
    r"^[ \t]*module-whatis[ \t]+(?:\{([^{}]*)\}|\"([^\"\\$\[]*)\"|([^\s\"{$\[][^\n$\[]*))", re.MULTILINE
)
_EXTENSIONS = re.compile(r"^[ \t]*extensions[ \t]+([^\n$\[]+)", re.MULTILINE)
_LONGEST = 65_536  # bytes of a modulefile that are read for its description


class Tcl(RealSystem):
    """Environment Modules; it knows no hierarchy, so that all that there is can be loaded at once."""

    name = "tcl"
    steering = (
        *("MODULERCFILE", "MODULES_SITECONFIG", "MODULES_AUTO_HANDLING", "MODULES_IMPLICIT_REQUIREMENT"),
        *("MODULES_IMPLICIT_DEFAULT", "MODULES_EXTENDED_DEFAULT", "MODULES_ADVANCED_VERSION_SPEC", "MODULES_ICASE"),
        *("MODULES_MCOOKIE_CHECK", "MODULES_RUN_QUARANTINE", "MODULES_COLLECTION_TARGET", "MODULES_PROTECTED_ENVVARS"),
        *("MODULES_VARIANT_SHORTCUT", "MODULES_SET_SHELL_STARTUP", "MODULES_TAG_ABBREV"),
    )

    @staticmethod
    def command_of(home: Path) -> str:
        """Return the program of an installation, as its start file names it; empty if it names none."""
        with contextlib.suppress(OSError):
            match = _COMMAND.search((home / "init/bash").read_text(errors="replace"))
            return match[1] if match else ""
        return ""

    @property
    def command(self) -> str:
        """The program that answers."""
        return (self.command_of(Path(self.home)) if self.home else "") or self.environ.get("MODULES_CMD", "")

    def _source(self) -> str:
        with contextlib.suppress(OSError):
            return Path(self.command).read_text(errors="replace")
        return ""

    @property
    def version(self) -> str:
        """The version that its program names."""
        match = _VERSION.search(self._source())
        return match[1] if match else ""

    def list_modules(self, path: str) -> list[Available]:
        """Ask the program, which reads no modulefile for it; descriptions are read from the files, never evaluated."""
        _, err = self.ask([self.command, "python", "avail", "-j"], path)
        try:
            listed = _json(err)
        except ValueError as error:
            raise ModuleFailed(
                "The list of modules could not be read.",
                hints=["See whether “module avail” works in a terminal, and tell staff."],
                reason=err.strip()[:2000],
            ) from error
        return _parsed(listed)

    def collections(self) -> list[str]:
        """Return what ``module savelist`` shows: for the collection target only, where one is set."""
        ending = self.environ.get("MODULES_COLLECTION_TARGET", "")
        names = []
        for top in below_home(self.environ, ".module"):
            with contextlib.suppress(OSError):
                for file in Path(top).iterdir():
                    stem, dot, found = file.name.rpartition(".")
                    if file.name.startswith(".") or not file.is_file():
                        continue
                    if not ending:
                        names.append(file.name)
                    elif dot and found == ending:
                        names.append(stem)
        return sorted(names)

    def alternates(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Read which other names each loaded module has: symbolic versions and aliases."""
        found = {}
        for entry in environ.get("__MODULES_LMALTNAME", "").split(":"):
            full, *names = entry.split("&")
            for name in names:
                found[name.removeprefix("as|").removeprefix("al|")] = full
        return found

    def verdict(self, path: str, text: str) -> Verdict:
        """Judge it as Tcl."""
        return tclscript.judge(path, text)

    def _etc(self) -> str:
        match = _CONFIG.search(self._source())
        return match[1].rpartition("/")[0] if match else ""

    def rc_files(self) -> list[str]:
        """Return the rc files of site and user, and what the start file evaluates."""
        named, etc = self.environ.get("MODULERCFILE", ""), self._etc()
        return [
            *([named, f"{named}/modulerc"] if named else []),
            *([f"{etc}/rc", f"{etc}/initrc"] if etc else []),
            *below_home(self.environ, ".modulerc"),
        ]

    def settings(self) -> list[str]:
        """Return the site's configuration and its list of folders."""
        etc = self._etc()
        return [f"{etc}/siteconfig.tcl", f"{etc}/modulespath", self.command] if etc else [self.command]

    def hooked(self) -> str:
        """Tell of the site's own Tcl, which may do anything at any load."""
        etc, extra = self._etc(), self.environ.get("MODULES_SITECONFIG", "")
        if not etc:
            return "Where the site configures its module system is not known."
        for path in [f"{etc}/siteconfig.tcl", *([extra] if extra else [])]:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                try:
                    text = Path(path).read_text(errors="replace")
                except PermissionError:
                    return f"{path} can not be read."
                if re.search(r"^\s*[^#\s]", text, re.MULTILINE):
                    return f"The site’s own {path} takes part in every load."
        if self.environ.get("MODULES_RUN_QUARANTINE"):
            return "The module system runs in a quarantine of variables."
        if self.init != f"{self.home}/init/bash":
            return f"The start file {self.init} is the site’s own and may do anything."
        return ""


def _json(text: str) -> dict[str, Any]:
    """Return the object in *text*: what modulefiles print may stand before and after it."""
    decoder = json.JSONDecoder()
    for match in re.finditer(r"^\{", text, re.MULTILINE):
        with contextlib.suppress(ValueError):
            found, _ = decoder.raw_decode(text, match.start())
            if isinstance(found, dict):
                return found
    if not text.strip() or re.search(r"^(ERROR|Module ERROR|WARNING)", text, re.MULTILINE):
        return {}
    raise ValueError("there is no JSON in it")


def _parsed(listed: dict[str, Any]) -> list[Available]:
    found: dict[str, Available] = {}
    for modules in listed.values():
        for name, facts in modules.items() if isinstance(modules, dict) else ():
            if not isinstance(facts, dict) or facts.get("type") not in ("modulefile", "virtual"):
                continue
            description, extensions = _described(str(facts.get("pathname", "")))
            module = Available(
                name=name,
                default="default" in facts.get("symbols", []),
                description=description,
                extensions=extensions,
                path=str(facts.get("pathname", "")),
                properties=sorted(str(tag) for tag in facts.get("tags", [])),
            )
            found.setdefault(name, module)
    ordered = sorted(found.values(), key=lambda module: version_key(module.name), reverse=True)
    names: dict[str, list[Available]] = {}
    for module in ordered:
        names.setdefault(module.name.rpartition("/")[0] or module.name, []).append(module)
    for versions in names.values():
        if not any(module.default for module in versions):
            versions[0].default = True  # the highest is meant where nobody chose
    return sorted(ordered, key=lambda module: (module.name.partition("/")[0].casefold(), not module.default))


def _described(path: str) -> tuple[str, list[str]]:
    """Return description and extensions as far as they stand literally in a modulefile."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            text = file.read(_LONGEST).decode(errors="replace")
    except OSError:
        return "", []
    lines = [(a or b or c).strip() for a, b, c in _WHATIS.findall(text)]
    extensions = [each for line in _EXTENSIONS.findall(text) for each in re.split(r"[\s,{}\"]+", line) if "/" in each]
    plain: list[str] = []
    for line in lines:
        head, _, rest = line.partition(":")
        if head.strip().lower() == "extensions":  # as EasyBuild writes them: numpy-1.25.1, scipy-1.11.1
            extensions += ["/".join(each.strip().rsplit("-", 1)) for each in rest.split(",") if "-" in each]
        elif head.strip().lower() == "description":
            plain.insert(0, rest.strip())
        else:
            plain.append(line)
    return (plain[0] if plain else ""), list(dict.fromkeys(extensions))
