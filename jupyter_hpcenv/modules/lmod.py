"""Lmod: lists by its spider, so that modules behind others are known with the chains that lead to them."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ModuleFailed
from . import lua, tclscript
from .contract import Available
from .real import RealSystem
from .search import version_key
from .verdict import Verdict
from .watching import below_home

_VERSION = re.compile(r'LMOD_VERSION="?([\w.]+)')
_ENTRY = re.compile(r'fullName = "([^"]*)".*?userName = "([^"]*)"', re.DOTALL)
_DEFAULT = re.compile(r"module[_-]version[\s({]+[\"']?([^\s\"',(){}]+)[\"'}]?[\s,]+[\"'{]?default\b")
_QUOTED_PATH = re.compile(r"[\"'](/[^\"'\n]+)[\"']")


class Lmod(RealSystem):
    """Lmod 7.7 and later."""

    name = "lmod"
    steering = (
        *("LMOD_MODULERCFILE", "LMOD_MODULERC", "MODULERCFILE", "LMOD_RC", "LMOD_PACKAGE_PATH", "LMOD_CONFIG_DIR"),
        *("LMOD_EXACT_MATCH", "LMOD_EXTENDED_DEFAULT", "LMOD_AUTO_SWAP", "LMOD_DISABLE_SAME_NAME_AUTOSWAP"),
        *("LMOD_PIN_VERSIONS", "LMOD_SYSTEM_NAME", "LMOD_SYSTEM_DEFAULT_MODULES", "LMOD_TMOD_FIND_FIRST"),
        *("LMOD_TMOD_PATH_RULE", "LMOD_DUPLICATE_PATHS", "LMOD_PREPEND_BLOCK", "LMOD_SETTARG_CMD"),
    )

    @property
    def version(self) -> str:
        """The version that its start file names."""
        with contextlib.suppress(OSError):
            match = _VERSION.search(Path(self.home, "init/bash").read_text(errors="replace"))
            if match:
                return match[1]
        return self.environ.get("LMOD_VERSION", "")

    def list_modules(self, path: str) -> list[Available]:
        """Ask the spider, which reads the site's cache where there is one and never writes it."""
        out, err = self.ask([f"{self.home}/libexec/spider", "-o", "jsonSoftwarePage", path], path)
        try:
            start = re.search(r"^[\[{]", out, re.MULTILINE)
            listed = json.JSONDecoder().raw_decode(out, start.start())[0] if start else json.loads(out or "[]")
            return _parsed(listed or [], self._chosen())  # an empty table of Lua comes as {}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ModuleFailed(
                "Lmod’s list of modules could not be read.",
                hints=["See whether “module spider” works in a terminal, and tell staff."],
                reason=(err or out).strip()[:2000],
            ) from error

    def _chosen(self) -> dict[str, str]:
        """Return the default versions that rc files choose in so many words; the spider does not look at these."""
        found = {}
        for path in self.rc_files():  # the user's own come last, and win
            with contextlib.suppress(OSError):
                code = Path(path).read_text(errors="replace")
                for name in _DEFAULT.findall(re.sub(r"^\s*(?:#|--).*$", "", code, flags=re.MULTILINE)):
                    found[name.rpartition("/")[0]] = name
        return found

    def collections(self) -> list[str]:
        """Return what ``module savelist`` shows: for this system name only, where one is set."""
        suffix = self.environ.get("LMOD_SYSTEM_NAME", "")
        names = set()
        for top in below_home(self.environ, ".config/lmod", ".lmod.d"):
            for file in Path(top).rglob("*"):
                name = str(file.relative_to(top))
                if any(part.startswith((".", "__")) for part in name.split("/")) or name.endswith("~"):
                    continue
                stem, _, ending = name.partition(".")
                if ending == suffix and file.is_file():
                    names.add(stem)
        return sorted(names)

    def alternates(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Read Lmod's own table, which says by which name each module was asked for."""
        encoded = ""
        with contextlib.suppress(ValueError):
            for number in range(1, int(environ.get("_ModuleTable_Sz_", "0")) + 1):
                encoded += environ.get(f"_ModuleTable{number:03d}_", "")
            table = base64.b64decode(encoded, validate=True).decode(errors="replace")
            return {user: full for full, user in _ENTRY.findall(table)}
        return {}

    def verdict(self, path: str, text: str) -> Verdict:
        """Judge Lua files as such, and others as Tcl."""
        return lua.judge(path, text) if path.endswith(".lua") else tclscript.judge(path, text)

    def rc_files(self) -> list[str]:
        """Return the rc files of site and user."""
        named = self.environ.get("LMOD_MODULERCFILE") or self.environ.get("MODULERCFILE") or ""
        named = ":".join([named, self.environ.get("LMOD_MODULERC", "")])
        parent = str(Path(self.home).parent)
        return [
            *(path for path in named.split(":") if path),
            *(f"{parent}/etc/rc", f"{parent}/etc/rc.lua", f"{self.home}/etc/rc", f"{self.home}/etc/rc.lua"),
            *below_home(self.environ, ".modulerc", ".modulerc.lua"),
        ]

    def settings(self) -> list[str]:
        """Return the files of properties and caches, and the time stamps of the caches that they name."""
        parent, config = str(Path(self.home).parent), self.environ.get("LMOD_CONFIG_DIR") or "/etc/lmod"
        files = [
            *(path for path in self.environ.get("LMOD_RC", "").split(":") if path),
            *(f"{self.home}/init/lmodrc.lua", f"{parent}/etc/lmodrc.lua", f"{config}/lmodrc.lua", "/etc/lmodrc.lua"),
            *(f"{config}/lmod_config.lua", f"{self.home}/libexec/SitePackage.lua"),
            *below_home(self.environ, ".lmodrc.lua", ".cache/lmod", ".lmod.d/.cache", ".lmod.d/__cache__"),
        ]
        stamps = []
        for path in files:
            with contextlib.suppress(OSError):
                code = "\n".join(
                    line.partition("--")[0] for line in Path(path).read_text(errors="replace").splitlines()
                )
                stamps += _QUOTED_PATH.findall(code) if path.endswith("lmodrc.lua") or "scDescriptT" in code else []
        return list(dict.fromkeys([*files, *stamps]))

    def hooked(self) -> str:
        """Tell of the site's own Lua, which may do anything at any load."""
        if self.environ.get("LMOD_SETTARG_CMD", ":") not in ("", ":"):
            return "Lmod’s settarg is in use."
        config = self.environ.get("LMOD_CONFIG_DIR") or "/etc/lmod"
        folders = [folder for folder in self.environ.get("LMOD_PACKAGE_PATH", "").split(":") if folder]
        location = self.environ.get("LMOD_SITEPACKAGE_LOCATION", "")
        files = [*(f"{folder}/SitePackage.lua" for folder in folders), *([location] if location else [])]
        for path in [*files, f"{self.home}/libexec/SitePackage.lua", f"{config}/lmod_config.lua"]:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                try:
                    text = Path(path).read_text(errors="replace")
                except PermissionError:
                    return f"{path} can not be read."
                if not _is_bare(text):
                    return f"The site’s own {path} takes part in every load."
        if self.init != f"{self.home}/init/bash":
            return f"The start file {self.init} is the site’s own and may do anything."
        return ""


def _is_bare(text: str) -> bool:
    """Tell whether a Lua file holds nothing but comments and what Lmod ships."""
    code = re.sub(r"--\[(=*)\[.*?\]\1\]", "", text, flags=re.DOTALL)
    code = re.sub(r"--[^\n]*", "", code)
    return not code.replace('require("strict")', "").strip()


def _parsed(packages: list[dict[str, Any]], chosen: Mapping[str, str]) -> list[Available]:
    found: dict[str, Available] = {}
    for package in packages:
        versions = package["versions"]
        if isinstance(versions, dict):  # an empty table of Lua has no kind
            continue
        default = package.get("defaultVersionName", "")
        for version in versions:
            module = _module(version, default)
            known = found.setdefault(module.name, module)
            if known is module:
                continue
            if known.prerequisites and module.prerequisites:
                known.prerequisites = sorted(known.prerequisites + module.prerequisites)
            elif known.prerequisites:
                found[module.name] = module  # one that can be had at once
            known.default = known.default or module.default
    for module in found.values():
        if chosen.get(module.name.rpartition("/")[0]) in found:
            module.default = module.name in chosen.values()
    # Newest first within a name, the default before all others.
    ordered = sorted(found.values(), key=lambda module: version_key(module.name), reverse=True)
    return sorted(ordered, key=lambda module: (module.name.partition("/")[0].casefold(), not module.default))


def _module(version: dict[str, Any], default: str) -> Available:
    properties = version.get("properties")
    provided = version.get("provides")
    chains = version.get("parent")
    return Available(
        name=version["full"],
        default=bool(version.get("markedDefault")) or version.get("versionName") == default,
        description=str(version.get("description", "")).strip(),
        prerequisites=[[str(name) for name in chain] for chain in chains] if isinstance(chains, list) else [],
        extensions=[str(each) for each in provided] if isinstance(provided, list) else [],
        path=version.get("path", ""),
        family=str(version.get("family", "")),
        properties=sorted(properties.get("lmod", {})) if isinstance(properties, dict) else [],
    )
