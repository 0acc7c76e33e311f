"""The doctor as a program: what it says, what it mends, and its page as it is printed."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/users/check.md"


def test_the_page_about_checks_as_printed(cli: Any) -> None:
    made = cli.data_of("create", "climate")
    (kernel,) = made["kernels"]
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    commands = [shlex.split(line[2:], comments=True)[2:] for block in blocks for line in block.splitlines()]
    look, account, preview, fix, files = commands
    assert cli(*look).stdout == "Nothing is wrong.\n"
    shutil.rmtree(kernel["path"])
    printed = re.search(r"```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert printed is not None
    assert printed[1] in cli(*look).stdout
    assert f"home/climate:\n{printed[1]}" in cli(*account).stdout
    assert "climate:" not in cli(*look).stdout
    assert cli(*preview).stdout.startswith("kernel_unpublished: It would be proven again")
    assert not Path(kernel["path"]).exists()
    done = cli(*fix)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("kernel_unpublished: It was proven again"), done.stdout
    assert (Path(kernel["path"]) / "kernel.json").exists()
    assert cli(*look).stdout == "Nothing is wrong.\n"
    assert "they are as they were installed" in cli(*files).stdout


def test_what_was_put_aside_comes_back(cli: Any) -> None:
    folder = cli.home / ".local/share/jupyter/kernels/old"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps({"argv": ["/gone/python"], "display_name": "old"}))
    found = [each for each in cli.data_of("check") if each["code"] == "kernel_stale"]
    assert [each["fix"] for each in found] == ["put_aside"]
    done = [each for each in cli.data_of("check", "--fix") if each["code"] == "kernel_stale"]
    assert [(each["done"], folder.exists()) for each in done] == [(True, False)]
    assert cli.data_of("check", "--put-back", done[0]["undo"]) == {"path": str(folder)}
    assert (folder / "kernel.json").exists()
    assert cli.error_of("check", "--put-back", done[0]["undo"])["code"] == "not_found"
    assert cli.error_of("check", "nobody")["code"] == "not_found"


def test_only_one_thing_at_a_time(cli: Any) -> None:
    assert "only one" in cli("check", "x", "--fix", "--files").stderr
    assert "Name the environment" in cli("check", "--hash").stderr
