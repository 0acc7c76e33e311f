"""Files that end too early: nothing crashes, the others are listed, and the whole file mends everything."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest


@pytest.mark.parametrize("which", ["record", "copy", "ticket", "status", "final", "log", "kernelspec", "claim"])
def test_a_file_cut_at_each_byte(rig: Any, which: str) -> None:
    def cut(lane: Any) -> Any:
        lane.back("ready")
        return lane.do("cut", options={"which": which, "first": rig.lanes.index(lane), "step": len(rig.lanes)})

    with ThreadPoolExecutor(len(rig.lanes)) as pool:
        done = list(pool.map(cut, rig.lanes))
    count, wrong = sum(each["count"] for each in done), [line for each in done for line in each["wrong"]]
    rig.tally.add(which, "cut short", count, count - len(wrong))
    assert count > 100
    assert not wrong, "\n".join(wrong)
    assert not [line for each in done for line in each["violations"]]
