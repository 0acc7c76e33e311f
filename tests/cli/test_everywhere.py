"""One package, updated wherever it is: pins are skipped and said, and one that fails hinders no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ..layering.profiles import wheel


@pytest.fixture
def cli(cli: Any, tmp_path: Path) -> Any:
    """A user with four environments and wheels in two versions, of which one needs the old one."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    cli.config.mkdir()
    (cli.config / "jupyter_hpcenv_config.py").write_text(
        f"c.VenvManager.find_links = [{str(shelf)!r}]\nc.VenvManager.probe_index = False\n"
    )
    wheel(shelf, "hpcdemo", "1.0")
    wheel(shelf, "hpcneeds", "1.0", "hpcdemo<2")
    for name, *packages in (("free", "hpcdemo"), ("pinned", "hpcdemo==1.0"), ("held", "hpcneeds"), ("without", "six")):
        cli.data_of("create", name, *packages, "--no-kernel", "--installer", "uv")
    wheel(shelf, "hpcdemo", "2.0")
    return cli


def versions(cli: Any) -> dict[str, str]:
    found = {}
    for name in ("free", "pinned", "held"):
        found[name] = {each["name"]: each["version"] for each in cli.data_of("packages", name)}["hpcdemo"]
    return found


def test_a_plan_for_each_and_then_a_change_of_each(cli: Any) -> None:
    planned = {each["name"]: each for each in cli.data_of("update", "hpcdemo", "--all-environments", "--dry-run")}
    assert set(planned) == {"free", "pinned", "held"}
    assert planned["pinned"]["pinned"] == "hpcdemo==1.0"
    assert "plan" not in planned["pinned"]
    (change,) = planned["free"]["plan"]["change"]
    assert (change["name"], change["old"]["version"], change["new"]["version"]) == ("hpcdemo", "1.0", "2.0")
    assert versions(cli) == {"free": "1.0", "pinned": "1.0", "held": "1.0"}

    done = cli("update", "HPCdemo", "--all-environments")
    assert "Skipped: it was asked for as “hpcdemo==1.0”." in done.stdout
    assert versions(cli) == {"free": "2.0", "pinned": "1.0", "held": "1.0"}
    assert cli("update", "hpcdemo", "--all-environments").returncode == 0
    assert "No environment of yours has nothing." in cli("update", "nothing", "--all-environments").stdout
    assert "name one PACKAGE" in cli("update", "free", "hpcdemo", "--all-environments").stderr


def test_one_that_fails_hinders_no_other(cli: Any) -> None:
    prefix = Path(cli.data_of("show", "free")["prefix"])
    (prefix / "bin" / "python").unlink()
    (prefix / "bin" / "python").write_text("#!/bin/sh\nexit 3\n")
    (prefix / "bin" / "python").chmod(0o755)
    cli.data_of("create", "other", "hpcdemo==1.0", "--no-kernel", "--installer", "uv")
    cli.data_of("install", "other", "hpcdemo<3")
    done = cli("update", "hpcdemo", "--all-environments")
    assert done.returncode != 0
    assert "Not changed: " in done.stdout
    assert {each["name"]: each["version"] for each in cli.data_of("packages", "other")}["hpcdemo"] == "2.0"
