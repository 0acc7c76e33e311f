"""Say in lines what a plan would install."""

from __future__ import annotations

from typing import Any

from .output import table


def lines(plan: dict[str, Any]) -> list[str]:
    """Return a table of the packages of a plan, and how much there is to fetch."""
    coming = [("new", each["version"], each) for each in plan["install"]]
    coming += [
        ("changes", f"{each['old']['version']} → {each['new']['version']}", each["new"]) for each in plan["change"]
    ]
    coming += [("goes", each["version"], each) for each in plan["remove"]]
    cells = [(word, each["name"], version, each["build"], _size(each)) for word, version, each in coming]
    files = f", {plan['files']} files" if plan["files"] is not None else ""
    return [
        *table(("", "PACKAGE", "VERSION", "BUILD", "SIZE"), cells),
        f"{len(cells)} packages, {plan['download_bytes'] / 1e6:.1f} MB to fetch{files}. Nothing was built.",
        *(f"pip installs besides: {line}" for line in plan["pip"]),
        *(f"Warning: {text}" for text in plan["warnings"]),
    ]


def _size(package: dict[str, Any]) -> str:
    if package["cached"]:
        return "in the cache"
    return f"{package['bytes'] / 1e6:.1f} MB" if package["bytes"] else "?"
