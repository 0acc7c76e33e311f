"""File servers that give errors while we read: nothing that is there is told to be gone, and nothing crashes."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize("stays", [False, True], ids=["once", "for ever"])
@pytest.mark.parametrize("error", ["ESTALE", "EIO"])
@pytest.mark.parametrize("state", ["ready", "trashed"])
def test_a_list_that_can_not_be_read_is_no_empty_list(rig: Any, state: str, error: str, stays: bool) -> None:
    lane = rig.lanes[0]
    lane.back(state)
    done = lane.do("unanswered", options={"error": error, "stays": stays})
    rig.tally.add(
        f"list ({state})",
        f"{error} {'for ever' if stays else 'once'}",
        done["count"],
        done["count"] - len(done["wrong"]),
        of=done["of"],
    )
    assert done["of"] > 200
    assert done["count"] >= done["of"] / 4
    assert not done["wrong"], "\n".join(done["wrong"])


@pytest.mark.parametrize("error", ["ESTALE", "EIO"])
def test_an_operation_is_followed_to_its_end(rig: Any, error: str) -> None:
    lane = rig.lanes[0]
    lane.back("submitted")
    lane.do("freshen")
    done = lane.do("follow", options={"error": error})
    rig.tally.add("follow", error, done["count"], done["count"] - len(done["wrong"]))
    assert done["count"] > 5
    assert not done["wrong"], "\n".join(done["wrong"])
