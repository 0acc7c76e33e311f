"""The report for staff: for people a table, for programs one object, and no name in it steers a terminal."""

from __future__ import annotations

import json
from typing import Any

from ..docs import printed


def test_what_there_is_and_who_needs_what(user: Any) -> None:
    said = user("report")
    assert said.returncode == 0, said.stderr
    head, row, *_ = said.stdout.splitlines()
    assert head.split() == ["OWNER", "LOCATION", "NAME", "PYTHON", "SIZE", "CHANGED", "USED", "MODULES"]
    assert "climate" in row
    assert "--folder" in said.stderr
    (seen,) = user.data_of("report")["environments"]
    assert (seen["name"], seen["location"], seen["state"], seen["bytes"]) == ("climate", "home", "ready", None)
    assert user.data_of("report", "--measure")["environments"][0]["bytes"] > 1_000_000
    assert user.data_of("report", "--module", "gcc") | {"places": []} == {
        "environments": [],
        "places": [],
        "closed": 0,
        "module": "gcc",
    }
    assert "None of those that could be read needs gcc." in user("report", "--module", "gcc").stderr
    everywhere = str(user.home / "*" / "share" / "jupyter" / "hpcenv" / "environments")
    assert "No environment needs gcc." in user("report", "--module", "gcc", "--folder", everywhere).stderr


def test_a_location_that_there_is_not(user: Any) -> None:
    assert user.error_of("report", "--location", "nowhere")["code"] == "not_found"


def test_a_hostile_name_is_only_text(cli: Any) -> None:
    folder = cli.home / "place"
    (folder / "a\x1b]52;c;eA==\x07b" / ".hpcenv").mkdir(parents=True)
    (folder / "a\x1b]52;c;eA==\x07b" / ".hpcenv" / "environment.json").write_text("{")
    said = cli("report", "--folder", str(folder))
    assert said.returncode == 0, said.stderr
    assert "damaged" in said.stdout
    assert "\x1b" not in said.stdout + said.stderr
    assert "\x07" not in said.stdout + said.stderr


def test_the_page_as_printed(user: Any) -> None:
    """docs/how-to/admins/watch.md, for who has one location, home."""
    text = (printed.DOCS / "how-to" / "admins" / "watch.md").read_text()
    text = text.replace("--location scratch", "--location home").replace("/home/*/", f"{user.home.parent}/*/")
    first, second, third, fourth = (line.split(" ", 2)[2] for line in printed.commands(text))
    assert "climate" in user(*first.split()).stdout
    measured = user(*(word.strip("'") for word in second.split())).stdout
    assert "climate" in measured
    assert "MB" in measured
    assert "None of those that could be read needs gcc/12." in user(*third.split()).stderr
    assert json.loads(user(*fourth.split()).stdout)["data"]["module"] == "gcc"
