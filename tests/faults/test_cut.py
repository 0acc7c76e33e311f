"""Files that end too early: nothing crashes, the others are listed, and the whole file mends everything."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from .rounds import share


@pytest.mark.parametrize("which", ["record", "copy", "ticket", "status", "final", "log", "kernelspec", "claim"])
def test_a_file_cut_at_each_byte(rig: Any, which: str) -> None:
    rig.lanes[0].back("ready")
    size = rig.lanes[0].do("size", options={"which": which})
    lengths = share(range(size))

    def cut(lane: Any) -> Any:
        lane.back("ready")
        own = lengths[rig.lanes.index(lane) :: len(rig.lanes)]
        return lane.do("cut", options={"which": which, "lengths": own})

    with ThreadPoolExecutor(len(rig.lanes)) as pool:
        done = list(pool.map(cut, rig.lanes))
    count, wrong = sum(each["count"] for each in done), [line for each in done for line in each["wrong"]]
    rig.tally.add(which, "cut short", count, count - len(wrong), of=size)
    assert size > 100
    assert count == len(lengths) >= size / 4
    assert not wrong, "\n".join(wrong)
    assert not [line for each in done for line in each["violations"]]
