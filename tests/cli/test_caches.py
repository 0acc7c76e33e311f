"""Caches from the command line: the page as it is printed, and what is refused."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/users/caches.md"


def test_the_page_about_caches_as_printed(cli: Any, tmp_path: Path) -> None:
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    commands = [shlex.split(line[2:], comments=True)[2:] for block in blocks for line in block.splitlines()]
    look, preview, clean, move = commands
    cli.config.mkdir()
    scratch = tmp_path.parent / f"{tmp_path.name}-scratch"
    scratch.mkdir()
    places = {"home": "{data_dir}/environments", "scratch": str(scratch)}
    (cli.config / "jupyter_hpcenv_config.py").write_text(f"c.Site.locations = {places!r}\n")
    cache = cli.home / ".cache/uv"
    (cache / "archive-v0").mkdir(parents=True)
    (cache / "archive-v0/package.py").write_bytes(b"x" * 100_000)
    del cli.env["UV_CACHE_DIR"]
    said = cli(*look).stdout
    assert re.search(rf"^uv +1[01]\d\.\d kB +3 +{cache}$", said, re.MULTILINE), said
    assert "It is in your home, and scratch has room: “jupyter hpcenv caches --move-off-home scratch”" in said
    assert re.search(r"^uv +1[01]\d\.\d kB +2 *$", cli(*preview).stdout, re.MULTILINE)
    assert (cache / "archive-v0/package.py").exists()
    moving = cli(*move).stdout
    assert (cache / "archive-v0/package.py").exists()
    done = cli(*clean)
    assert done.returncode == 0, done.stderr
    assert not (cache / "archive-v0").exists()
    (line,) = re.findall(r"^  (export UV_CACHE_DIR=.*)$", moving, re.MULTILINE)
    (told,) = {each["path"] for each in cli.data_of("caches", "uv")}
    assert told == str(cache)
    new = subprocess.run(["sh", "-c", f'{line}; printf %s "$UV_CACHE_DIR"'], capture_output=True, text=True).stdout
    assert cli.data_of("caches", "uv", UV_CACHE_DIR=new)[0]["on_home"] is False


def test_what_makes_no_sense(cli: Any) -> None:
    assert "give both" in cli("caches", "--dry-run").stderr
    assert "stands alone" in cli("caches", "uv", "--move-off-home", "home").stderr
    assert cli.error_of("caches", "nobody")["code"] == "not_found"
    assert cli.error_of("caches", "--clean", "nobody")["code"] == "not_found"
    assert cli.error_of("caches", "--move-off-home", "home")["code"] == "invalid_request"
    assert "give both" in cli("check", "--dry-run").stderr
