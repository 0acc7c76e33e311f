"""Files that end too early: nothing crashes, the others are listed, and the whole file mends everything."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize("which", ["record", "copy", "ticket", "status", "log", "kernelspec", "claim"])
def test_a_file_cut_at_each_byte(rig: Any, which: str) -> None:
    lane = rig.lanes[0]
    lane.back("ready")
    step = {"ticket": 11, "record": 5, "copy": 7, "kernelspec": 7, "claim": 2}.get(which, 5)
    done = lane.do("cut", options={"which": which, "step": step})
    rig.tally.add(which, "cut short", done["count"], done["count"] - len(done["wrong"]))
    assert done["count"] > 50
    assert not done["wrong"], "\n".join(done["wrong"])
    assert not done["violations"]
