"""Every test belongs to exactly one part of ``scripts/test``, so that none is forgotten and none is run twice."""

from __future__ import annotations

import os
import stat
import subprocess
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: Says which files pytest would take, by the arguments that it is given.
_PYTEST = """#!/bin/sh
for word in "$@"; do echo "$word"; done >> "$PARTS"
echo -- >> "$PARTS"
"""


def taken(arguments: list[str]) -> list[Path]:
    """Return the test files of one call of pytest."""
    left = {ROOT / word.removeprefix("--ignore=") for word in arguments if word.startswith("--ignore=")}
    named = [ROOT / word for word in arguments if not word.startswith("-")]
    found = [path for each in named for path in ([each] if each.is_file() else sorted(each.rglob("test_*.py")))]
    assert all(path.exists() for path in [*named, *left])
    return [path for path in found if path not in left]


def test_each_file_of_tests_is_in_one_part(tmp_path: Path) -> None:
    fake, parts = tmp_path / "pytest", tmp_path / "parts"
    fake.write_text(_PYTEST)
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    lines = (ROOT / "scripts/test").read_text().splitlines()
    begun = next(number for number, line in enumerate(lines) if line.startswith("conda_roads="))
    script = [
        line for line in lines[begun:] if line.startswith(("conda_roads", "module_roads", "afterwards", "panel="))
    ]
    calls = [line for line in lines if line.startswith("part_") and "pytest" in line]
    names = [line.partition("(")[0] for line in calls]
    asked = next(line for line in lines if "run_beside " in line and "faults" in line).split()[1:]
    assert {name.removeprefix("part_") for name in names} <= set(asked)
    subprocess.run(
        ["bash", "-euc", "\n".join([*script, *calls, *names])],
        cwd=ROOT,
        env={"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "PARTS": str(parts)},
        check=True,
    )
    runs = [run.split("\n") for run in parts.read_text().split("--\n") if run]
    counted = Counter(path for run in runs for path in taken([word for word in run if word]))
    assert set(counted) == set((ROOT / "tests").rglob("test_*.py"))
    assert [path for path, times in counted.items() if times > 1] == []
