"""The verbs about room and places, as programs and people see them, and as the how-to pages print them."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

PAGES = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "users"


@pytest.fixture
def cli(cli: Any, tmp_path: Path) -> Any:
    """A user whose site has two locations, one of which is purged."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    cli.config.mkdir()
    (cli.config / "jupyter_hpcenv_config.py").write_text(
        "c.Site.locations = {\n"
        f"    'scratch': {{'root': {str(scratch)!r}, 'purge_days': 30, 'purge_by': 'atime', 'backed_up': False}},\n"
        "    'home': {'root': '{data_dir}/environments', 'quota': 'none', 'backed_up': True},\n"
        "}\n"
        "c.VenvManager.probe_index = False\n"
    )
    return cli


def commands(page: str) -> list[list[str]]:
    """Return the commands of a page as a shell would split them."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", (PAGES / page).read_text(), re.DOTALL):
        lines = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
        found += [shlex.split(line, comments=True) for line in lines]
    assert all(words[:2] == ["jupyter", "hpcenv"] for words in found)
    return [words[2:] for words in found]


def test_the_pages_about_sizes_and_moves_as_printed(cli: Any) -> None:
    made = cli.data_of("create", "climate", "six", "--no-kernel")
    assert made["location"] == "home", "what is purged is not the default"
    for words in commands("sizes.md"):
        done = cli(*words)
        assert done.returncode == 0, (words, done.stderr)
    sizes, one, locations = (cli(*words).stdout for words in commands("sizes.md"))
    assert sizes.splitlines()[:2] == one.splitlines()[:2]
    assert re.search(r"climate +home +\d+\.\d [kM]B +\d", sizes), sizes
    assert re.search(r"scratch .*purged after 30 days by atime, not backed up", sizes), sizes
    assert re.search(r"home +ready .*backed up", locations), locations

    move, listed, rebuild, history, check = commands("move.md")
    done = cli(*move)
    assert done.returncode == 0, done.stderr
    assert "All packages are the same." in done.stdout
    assert "scratch" in cli(*listed).stdout
    moved = cli.data_of("show", "climate")
    assert (moved["id"], moved["location"]) == (made["id"], "scratch")
    shutil.rmtree(moved["prefix"])
    assert "missing" in cli(*listed).stdout
    done = cli(*rebuild)
    assert done.returncode == 0, done.stderr
    assert "climate is back." in done.stdout
    assert cli.data_of("show", "climate")["state"] == "ready"
    told = cli(*history).stdout
    assert re.search(r"create .*\n.* move .*\n.* rebuild ", told), told
    assert "they are as they were installed" in cli(*check).stdout


def test_what_programs_get(cli: Any) -> None:
    made = cli.data_of("create", "climate", "six", "--no-kernel")
    found = cli.data_of("sizes")
    (size,) = found["environments"]
    assert (size["environment"], size["outdated"], size["measuring"]) == (made["id"], False, False)
    assert size["bytes"] > 0
    assert size["files"] > 0
    places = {place["name"]: place for place in found["locations"]}
    assert {place["name"]: set(place) for place in cli.data_of("locations")} == {
        name: set(place) for name, place in places.items()
    }
    assert (places["scratch"]["purge_days"], places["home"]["backed_up"]) == (30, True)
    assert cli.error_of("rebuild", "climate")["code"] == "wrong_state"
    assert cli.error_of("move", "climate", "nowhere")["code"] == "not_found"
    assert cli.error_of("sizes", "nothing")["code"] == "not_found"
    error = cli.error_of("create", "b", "-D", f"Site.least_bytes={10**18}")
    assert error["code"] == "does_not_fit"
    assert cli("create", "b", "-D", f"Site.least_bytes={10**18}").returncode == 7


def test_what_check_finds(cli: Any) -> None:
    made = cli.data_of("create", "climate", "six", "--no-kernel")
    found = cli.data_of("check", "climate", "--files", "--hash")
    assert (found["healthy"], found["hashed"], found["counts"]) == (True, True, {}), found["problems"][:5]
    assert found["files"] > 100, "those of pip, too"
    (six,) = Path(made["prefix"]).glob("lib/python3*/site-packages/six.py")
    six.unlink()
    six.write_text("nothing\n")
    found = cli.data_of("check", "climate", "--files")
    assert (found["healthy"], found["hashed"], found["counts"]) == (False, False, {"changed": 1})
    (problem,) = found["problems"]
    assert (problem["package"], problem["path"]) == ("six", str(six.relative_to(made["prefix"])))
    done = cli("check", "climate", "--files")
    assert done.returncode == 0
    assert "1 changed" in done.stdout
    six.unlink()
    assert cli.data_of("check", "climate", "--files")["counts"] == {"missing": 1}
    shutil.rmtree(made["prefix"])
    error = cli.error_of("check", "climate", "--files")
    assert error["code"] == "wrong_state"
    assert "rebuild" in error["hints"][0]
