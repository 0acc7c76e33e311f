"""What each further environment takes on disk besides what it shares with uv's cache."""

from __future__ import annotations

import os
from pathlib import Path

from ..kernel import plain, seconds_to_first_reply
from ..measure import Row
from ..world import World, build

NAME = "cache"
GOAL = "none; it is reported"
REFERENCE = "the whole first environment, as if every file were a copy"


def measure(world: World) -> list[Row]:
    """Count what is linked nowhere else, of one further environment whose kernel has run once."""
    first = Path(world.environment.prefix)
    further = Path(build(world.admission, world.name()).prefix)
    by_hand = world.make_raw()
    seconds_to_first_reply(plain(by_hand))
    whole_files, whole_bytes = count(first, own=False)
    own_files, own_bytes = count(further, own=True)
    raw_files, raw_bytes = count(by_hand, own=True)
    compiled = count(further, own=True, suffix=".pyc")
    return [
        Row(
            figure=NAME,
            what="bytes of a further environment",
            ours=own_bytes,
            reference=whole_bytes,
            unit="MB",
            notes=[
                f"of these, bytecode that the proof compiled: {compiled[1] / 1e6:.1f} MB in {compiled[0]} files",
                f"made by hand, after one kernel start: {raw_bytes / 1e6:.1f} MB in {raw_files} files",
            ],
        ),
        Row(
            figure=NAME,
            what="files of a further environment",
            ours=own_files,
            reference=whole_files,
            unit="",
            notes=[f"of these, folders: {sum(len(folders) for _, folders, _ in os.walk(further))}"],
        ),
    ]


def count(prefix: Path, *, own: bool, suffix: str = "") -> tuple[int, int]:
    """Return files and their bytes on disk; with *own* only what no other name is linked to. Folders are files too."""
    files = size = 0
    for folder, folders, names in os.walk(prefix):
        for name in [*folders, *names]:
            facts = Path(folder, name).lstat()
            if name.endswith(suffix) and (name in folders or not own or facts.st_nlink == 1):
                files += 1
                size += facts.st_blocks * 512
    return files, size
