from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv import claims, process
from jupyter_hpcenv.errors import Busy


def test_one_claim_at_a_time_and_case_does_not_matter(tmp_path: Path) -> None:
    claims.take(tmp_path, "Name", "one", "create", "ann")
    with pytest.raises(Busy, match="being built by ann") as caught:
        claims.take(tmp_path, "name", "two", "create", "bob")
    assert caught.value.reason == "one"
    claims.release(tmp_path, "name", "two")
    assert claims.read(claims.path_of(tmp_path, "name")) is not None
    claims.release(tmp_path, "name", "one")
    claims.take(tmp_path, "name", "two", "create", "bob")


def test_nothing_else_stays_in_the_folder(tmp_path: Path) -> None:
    claims.take(tmp_path, "a", "one", "create", "ann")
    assert os.listdir(tmp_path / ".hpcenv" / "claims") == ["a"]


def dead() -> process.Process:
    child = process.start(["/bin/true"], env={})
    try:
        who = process.identity(child.pid)
    except ProcessLookupError:
        who = process.identity()
        who.start -= 1
    child.stop()
    return who


def test_a_dead_holder_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    who = dead()
    with monkeypatch.context() as patch:
        patch.setattr(claims, "identity", lambda: who)
        claims.take(tmp_path, "a", "one", "create", "ann")
    claims.take(tmp_path, "a", "two", "create", "ann")
    found = claims.read(claims.path_of(tmp_path, "a"))
    assert found is not None
    assert found.holder == "two"
    assert not claims.renew(tmp_path, "a", "one")
    assert claims.renew(tmp_path, "a", "two")


def test_a_holder_on_another_host_counts_until_it_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = process.identity()
    elsewhere.host = "another-node"
    with monkeypatch.context() as patch:
        patch.setattr(claims, "identity", lambda: elsewhere)
        claims.take(tmp_path, "a", "one", "create", "ann")
    with pytest.raises(Busy):
        claims.take(tmp_path, "a", "two", "create", "ann")
    place = claims.path_of(tmp_path, "a")
    old = place.stat().st_mtime - claims.STALE - 5
    os.utime(place, (old, old))
    claims.take(tmp_path, "a", "two", "create", "ann")


def test_a_damaged_claim_is_nobodys(tmp_path: Path) -> None:
    claims.take(tmp_path, "a", "one", "create", "ann")
    claims.path_of(tmp_path, "a").write_bytes(b"{")
    with pytest.raises(Busy):  # not at once: it may be on its way
        claims.take(tmp_path, "a", "two", "create", "ann")


def _race(root: str, holder: str, ready: Any, over: Any, queue: multiprocessing.Queue[str]) -> None:
    ready.wait(60)
    try:
        claims.take(Path(root), "a", holder, "create", "ann")
        queue.put(holder)
    except Busy:
        queue.put("")
    over.wait(60)  # a holder that has ended would rightly be replaced


def test_of_many_at_once_exactly_one_gets_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    queue: multiprocessing.Queue[str] = context.Queue()
    ready, over = context.Barrier(4), context.Event()
    arguments = [(str(tmp_path), f"h{number}", ready, over, queue) for number in range(4)]
    contenders = [context.Process(target=_race, args=each) for each in arguments]
    for contender in contenders:
        contender.start()
    won = [holder for holder in (queue.get(timeout=60) for _ in contenders) if holder]
    over.set()
    for contender in contenders:
        contender.join()
    found = claims.read(claims.path_of(tmp_path, "a"))
    assert found is not None
    assert won == [found.holder]
