"""Say in lines what a plan would change, or what a change did."""

from __future__ import annotations

from typing import Any

from .output import table


def lines(plan: dict[str, Any], end: str = "Nothing was built.") -> list[str]:
    """Return a table of the packages of a plan, and how much there is to fetch; *end* says what became of it."""
    coming = [("new", each["version"], each) for each in plan["install"]]
    coming += [
        ("changes", f"{each['old']['version']} → {each['new']['version']}", each["new"]) for each in plan["change"]
    ]
    coming += [("goes", each["version"], each) for each in plan["remove"]]
    cells: list[tuple[str, ...]] = [
        (word, each["name"], version, each["build"], "" if word == "goes" else _size(each))
        for word, version, each in coming
    ]
    shown: tuple[str, ...] = ("", "PACKAGE", "VERSION", "BUILD", "SIZE")
    if not any(cell[3] or cell[4] for cell in cells):  # pip and uv tell neither
        shown, cells = shown[:3], [cell[:3] for cell in cells]
    head = [*table(shown, cells), _sum(plan, len(cells), end)]
    if not cells and plan["pip"]:
        head = [end]
    elif not cells:
        head = [f"No package comes, goes or changes. {end}"]
    return [
        *head,
        *(f"By pip: {line}" for line in plan["pip"]),
        *plan.get("notes", []),
        *(f"Warning: {text}" for text in plan["warnings"]),
    ]


def _sum(plan: dict[str, Any], count: int, end: str) -> str:
    fetched = f", {plan['download_bytes'] / 1e6:.1f} MB to fetch" if plan["download_bytes"] is not None else ""
    files = f", {plan['files']} files" if plan["files"] is not None else ""
    return f"{count} package{'' if count == 1 else 's'}{fetched}{files}. {end}"


def _size(package: dict[str, Any]) -> str:
    if package["cached"]:
        return "in the cache"
    return f"{package['bytes'] / 1e6:.1f} MB" if package["bytes"] else ""
