"""System calls that fail: a documented answer that names the path, and the same invariant as after a kill."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

VERBS = {
    "submit": "empty",
    "work": "submitted",
    "patch": "ready",
    "change": "ready",
    "unpublish": "ready",
    "publish": "unpublished",
    "delete": "ready",
    "delete_now": "ready",
    "restore": "trashed",
    "empty": "trashed",
}

#: What may go wrong at a call, on disks and on network filesystems; EINTR must not be noticed at all.
ERRORS = {
    "openat": ("ENOSPC", "EROFS", "EDQUOT", "ESTALE", "EIO"),
    "write": ("ENOSPC", "EIO", "EDQUOT", "EINTR"),
    "fsync": ("EIO", "EDQUOT", "ESTALE", "EINTR"),
    "close": ("EDQUOT", "EIO", "ENOSPC"),
    "rename": ("EIO", "EXDEV", "EROFS", "ESTALE"),
    "link": ("ENOLCK", "EIO", "EPERM", "EXDEV"),
    "unlink": ("EIO", "ESTALE", "EBUSY"),
    "unlinkat": ("EBUSY", "EIO"),
    "mkdir": ("ENOSPC", "EROFS", "EDQUOT"),
    "rmdir": ("ENOTEMPTY", "EBUSY"),
    "fchmod": ("EPERM", "EROFS"),
    "utimensat": ("EPERM", "ESTALE"),
}


def failing(points: list[Any], every: int) -> list[tuple[str, Any]]:
    """Give each call its errors in turn, and take one of *every* points at which a call gives the same error."""
    turns = {call: itertools.cycle(errors) for call, errors in ERRORS.items()}
    alike: dict[tuple[str, str], list[tuple[str, Any]]] = {}
    for point in points:
        if point.call in turns:
            error = next(turns[point.call])
            alike.setdefault((point.call, error), []).append((error, point))
    return [chosen for group in alike.values() for chosen in group[::every]]


@pytest.mark.parametrize(("verb", "state"), VERBS.items(), ids=list(VERBS))
def test_a_call_that_fails(rig: Any, verb: str, state: str) -> None:
    points = rig.points(verb, state, tuple(ERRORS))
    rig.sweep(verb, "a call fails", failing(points, 6), rig.fail(verb, state))


@pytest.mark.parametrize(("verb", "state"), VERBS.items(), ids=list(VERBS))
def test_a_rename_or_link_that_is_done_and_reports_an_error(rig: Any, verb: str, state: str) -> None:
    count = len(rig.points(verb, state, ("rename", "renameat2", "link", "linkat")))
    rig.sweep(verb, "the answer is lost", range(1, count + 1), rig.lose(verb, state))
