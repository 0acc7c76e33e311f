from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest


def configured(cli: Any, text: str, name: str = "jupyter_hpcenv_config.py", folder: Path | None = None) -> Path:
    place = (folder or cli.config) / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    return place


def names(cli: Any, *arguments: str, **more: str) -> set[str]:
    return {row["name"] for row in cli.data_of("locations", *arguments, **more)}


def test_the_files_of_the_server_count(cli: Any) -> None:
    system = cli.home / "site"
    configured(cli, "c.Site.locations = {'far': '/far'}\nc.Site.trash_days = 3\n", folder=system)
    assert names(cli) == {"home"}
    assert names(cli, JUPYTER_CONFIG_PATH=str(system)) == {"far"}
    configured(cli, '{"Site": {"locations": {"near": "/near"}}}', "jupyter_hpcenv_config.json")
    assert names(cli) == {"near"}
    assert names(cli, JUPYTER_CONFIG_PATH=str(system)) == {"far"}  # Jupyter puts these folders first
    configured(cli, "c.Site.locations = {'third': '/third'}\n", "jupyter_config.py")
    assert names(cli) == {"near"}


def test_a_file_may_be_named(cli: Any) -> None:
    configured(cli, "c.Site.locations = {'near': '/near'}\n")
    other = configured(cli, "c.Site.locations = {'other': '/other'}\n", "mine.py", cli.home)
    assert names(cli, "--config", str(other)) == {"other"}
    assert names(cli, "--config", "mine.py") == {"other"}
    error = cli.error_of("locations", "--config", "absent.py")
    assert "absent.py" in error["message"]


def test_a_trait_may_be_set(cli: Any) -> None:
    assert names(cli, "-D", "Site.locations={'set': '/set'}") == {"set"}
    assert cli.error_of("locations", "-D", "nonsense")["code"] == "invalid_request"
    assert "trash_days" in cli.error_of("locations", "-D", "Site.trash_days='many'")["reason"]


@pytest.mark.parametrize(
    ("text", "name", "line"),
    [
        ("c.Site.trash_days = 3\nthis is no Python\n", "jupyter_hpcenv_config.py", "line 2"),
        ("\n\nraise RuntimeError('gone')\n", "jupyter_hpcenv_config.py", "line 3"),
        ("import sys\nsys.exit('leaving')\n", "jupyter_hpcenv_config.py", "line 2"),
        ('{"Site": ', "jupyter_hpcenv_config.json", "line 1"),
        ("c = = 1", "jupyter_config.py", "line 1"),
    ],
)
def test_a_broken_file_is_named(cli: Any, text: str, name: str, line: str) -> None:
    place = configured(cli, text, name)
    error = cli.error_of("list")
    assert str(place) in error["message"]
    assert line in error["message"]
    done = cli("list")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_a_value_that_can_not_be_is_an_error_that_names_its_file(cli: Any) -> None:
    configured(cli, "c.Site.trash_days = 3\n", "jupyter_config.py")
    place = configured(cli, "c.Site.locations = {'No.Dots': '/x'}\n")
    error = cli.error_of("list")
    assert str(place) in error["message"]
    assert "jupyter_config.py" not in error["message"]
    assert "No.Dots" in error["reason"]


def test_a_trait_that_does_not_exist_is_a_warning(cli: Any) -> None:
    configured(cli, "c.Site.locatoins = {}\n")
    done = cli("list", "--json")
    assert done.returncode == 0
    assert "Warning: " in done.stderr
    assert "locatoins" in done.stderr


def test_what_a_file_prints_does_not_get_into_the_answer(cli: Any) -> None:
    configured(cli, "print('hello from the site')\n")
    done = cli("list", "--json")
    cli.data_of("list")
    assert "hello from the site" in done.stderr


def test_root_is_told_once(cli: Any) -> None:
    done = cli("list", "--json")
    assert done.stderr.count("You are root") == (1 if os.geteuid() == 0 else 0)
    assert done.returncode == 0
