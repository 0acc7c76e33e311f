"""An answer that was lost: the same request with the same key is the same operation, or the first; never two."""

from __future__ import annotations

from typing import Any

KEY = {"key": "the-same-key"}


def test_the_same_key_after_a_kill_at_each_call(rig: Any) -> None:
    def at(lane: Any, number: int) -> Any:
        lane.back("empty")
        ended = lane.ended("submit", kill=number, options=KEY)
        verdict = rig.verdict(lane.do("submitted_again", options=KEY))
        verdict.missed = ended["outcome"] is not None
        return verdict

    count = rig.changes("submit", "empty", options=KEY)
    rig.sweep("submit (key)", "SIGKILL", range(1, count + 1), at)


def test_the_same_key_after_a_lost_answer(rig: Any) -> None:
    def at(lane: Any, number: int) -> Any:
        lane.back("empty")
        ended = lane.ended("submit", lose=number, options=KEY)
        wrong = rig.answer(ended) + lane.do("submitted_again", options=KEY)
        first = (ended["outcome"] or {}).get("value")
        if first and first not in set(lane.do("state")["operations"]):
            wrong.append(f"{first} was promised and is not there")
        return rig.verdict(wrong)

    rig.sweep("submit (key)", "the answer is lost", range(1, 6), at)
