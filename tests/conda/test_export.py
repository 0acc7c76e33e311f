"""What is exported is read again, elsewhere, and gives the very same packages."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from jupyter_hpcenv.managers.conda.installed import read
from jupyter_hpcenv.managers.packages import list_packages

from ..cli.conftest import Cli

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def cli(home: Path, tmp_path_factory: pytest.TempPathFactory, channel: Path, cache: Path) -> Cli:
    (home / ".condarc").write_text(f"channels:\n  - file://{channel}\npkgs_dirs:\n  - {cache}\n")
    return Cli(home, tmp_path_factory.mktemp("uv"))


def names(prefix: str) -> set[tuple[str, str, str]]:
    return {(each.name, each.version, each.build) for each in read(Path(prefix))}


@pytest.mark.parametrize("form", ["environment-full.yml", "explicit.txt", "pixi.lock"])
def test_each_exact_format_gives_the_very_same_packages(cli: Cli, form: str) -> None:
    made = cli.data_of("create", "first", "hpc-tiny=1.0", "numpy", "--manager", "conda", "--python", MINOR)
    cli.data_of("install", "first", "hpc-linked")
    assert cli.data_of("export", "first", "--format", form, "-o", "described")["format"] == form
    again = cli.data_of("create", "second", "--manager", "conda", "--file", "described")
    assert names(again["prefix"]) == names(made["prefix"])
    assert again["preflight"]["kind"] == "kernel"


def test_what_was_asked_for_and_what_pip_installed_come_again(cli: Cli) -> None:
    text = f"dependencies:\n  - python={MINOR}\n  - hpc-tiny<2\n  - pip:\n      - iniconfig==2.0.0\n"
    (cli.home / "environment.yml").write_text(text + "variables:\n  DATA: /data/it's\n  MY_TOKEN: hidden-away\n")
    made = cli.data_of("create", "first", "--manager", "conda", "--file", "environment.yml", "--no-kernel")
    asked = cli.data_of("export", "first")
    assert asked["format"] == "environment.yml"
    assert "hidden-away" not in asked["text"]
    full = cli.data_of("export", "first", "--format", "environment-full.yml")["text"]
    assert "hidden-away" not in full
    explicit = cli.data_of("export", "first", "--format", "explicit.txt")
    assert "iniconfig==2.0.0" in explicit["notes"][0]
    for name, described in (("second", asked["text"]), ("third", full)):
        (cli.home / "described").write_text(described)
        again = cli.data_of("create", name, "--manager", "conda", "--file", "described", "--no-kernel")
        assert names(again["prefix"]) == names(made["prefix"])
        by_pip = {each.name: each.version for each in list_packages(Path(again["prefix"]), not_by="conda")}
        assert by_pip["iniconfig"] == "2.0.0"
        assert again["variables"] == {"DATA": "/data/it's"}


def test_a_format_that_such_an_environment_does_not_have_is_refused(cli: Cli) -> None:
    cli.data_of("create", "a", "hpc-tiny", "--manager", "conda", "--no-kernel")
    error = cli.error_of("export", "a", "--format", "requirements.txt")
    assert error["code"] == "invalid_request"
    assert "explicit.txt" in error["hints"][0]


def test_one_exact_format_leads_to_the_next_and_back(cli: Cli) -> None:
    """Lockfile → explicit list → capsule → lockfile, each written from what the one before made."""
    made = cli.data_of("create", "first", "hpc-tiny=1.0", "pip", "--manager", "conda", "--python", MINOR, "--no-kernel")
    cli.data_of("install", "first", "pip: iniconfig==2.0.0")
    described, source = {}, "first"
    for form in ("pixi.lock", "explicit.txt", "capsule.json", "pixi.lock"):
        described[form, source] = cli.data_of("export", source, "--format", form)["text"]
        (cli.home / "described").write_text(described[form, source])
        name = f"of-{source}"[:40]
        again = cli.data_of("create", name, "--manager", "conda", "--file", "described", "--no-kernel")
        assert names(again["prefix"]) == names(made["prefix"]), form
        source = name
    (first, last) = (text for (form, _), text in described.items() if form == "pixi.lock")
    assert first == last
    cli.data_of("export", "first", "--format", "capsule.json", "-o", "described", "--force")
    whole = cli.data_of("create", "whole", "--file", "described", "--no-kernel")
    assert names(whole["prefix"]) == names(made["prefix"])
    by_pip = {each.name: each.version for each in list_packages(Path(whole["prefix"]), not_by="conda")}
    assert by_pip["iniconfig"] == "2.0.0", "a capsule has what pip installed, too"


def test_the_page_as_printed(cli: Cli) -> None:
    """What docs/how-to/users/packages.md says of conda environments."""
    page = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "users" / "packages.md"
    text = page.read_text().partition("Of a conda environment:")[2]
    commands = re.findall(r"^\$ jupyter hpcenv (.*?)(?:  +#.*)?$", text, re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["export", "export", "create"]
    cli.data_of("create", "climate", "hpc-tiny=1.0", "--manager", "conda", "--no-kernel")
    for command in commands:
        done = cli(*command.split(), *(["--no-kernel"] if command.startswith("create") else []))
        assert done.returncode == 0, done.stderr
    assert "dependencies:" in (cli.home / "environment.yml").read_text()
    assert (cli.home / "explicit.txt").read_text().count("@EXPLICIT") == 1
    assert "hpc-tiny" in [each["name"] for each in cli.data_of("packages", "again")]
