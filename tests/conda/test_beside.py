"""The page that stands our verbs beside those of conda-env-mod: each is run on real conda packages."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from ..cli.conftest import Cli

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "conda-env-mod.md"


@pytest.fixture
def user(home: Path, channel: Path, cache: Path, tmp_path: Path) -> Cli:
    """Somebody whose site allows prefixes below a project, and who has what the page names."""
    (home / ".condarc").write_text(f"channels:\n  - file://{channel}\npkgs_dirs:\n  - {cache}\n")
    user = Cli(home, tmp_path / "uv-cache")
    user.config.mkdir(parents=True, exist_ok=True)
    project = tmp_path / "project"
    project.mkdir()
    (user.config / "jupyter_hpcenv_config.py").write_text(f"c.Site.prefix_patterns = [{str(project)!r} + '/*']\n")
    (home / "environment.yml").write_text("dependencies:\n  - hpc-tiny\n")
    return user


def test_each_verb_of_the_table_does_what_it_says(user: Cli, tmp_path: Path) -> None:
    commands = re.findall(r"^\| `[^`]+` \| `([^`]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["create"] * 3 + ["delete", "export", "activation"]
    creates, (delete, export, module) = commands[:3], commands[3:]
    for number, command in enumerate(creates):
        words = shlex.split(command.replace("/project", str(tmp_path / "project")))
        words[1] = f"climate{number or ''}"
        made = user.data_of(*words, "--no-kernel")
        assert made["manager"] == "conda"
    (user.home / "environment.yml").unlink()
    assert user(*shlex.split(export)).returncode == 0
    assert "dependencies:" in (user.home / "environment.yml").read_text()
    installed = user.data_of(*shlex.split(module))
    assert Path(installed["path"]).suffix == ".lua"
    assert user(*shlex.split(delete)).returncode == 0
    assert not Path(installed["path"]).exists()
    user.data_of("restore", "climate")
    assert Path(installed["path"]).exists()


def test_what_the_script_made_is_taken_over_as_printed(user: Cli) -> None:
    made = user.data_of("create", "first", "hpc-tiny=1.0", "--manager", "conda", "--python", "3")
    prefix = user.home / ".conda" / "envs" / "climate"
    prefix.parent.mkdir(parents=True, exist_ok=True)
    (Path(made["prefix"]) / ".hpcenv" / "environment.json").unlink()
    Path(made["prefix"]).rename(prefix)
    commands = re.findall(r"^\$ jupyter hpcenv (.*)$", PAGE.read_text(), re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["adopt", "clone", "delete"]
    before = sorted(str(path) for path in prefix.rglob("*"))
    for command in commands:
        done = user(*shlex.split(command.replace("~", str(user.home))))
        assert done.returncode == 0, done.stderr
    assert sorted(str(path) for path in prefix.rglob("*") if "__pycache__" not in path.parts) == [
        path for path in before if "__pycache__" not in path
    ]
    names = {row["name"]: row["origin"] for row in user.data_of("list")}
    assert names["climate-new"] == "own"
    assert names["climate"] == "foreign"
