"""What starts programs holds up nobody who only looks."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from .conftest import Ask, StandIn, check_error


async def test_hanging_checks_hold_up_no_list(desk: StandIn, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight people check a module that hangs: the list answers, and who comes when too many wait is told so."""
    monkeypatch.setattr("jupyter_hpcenv.server.app.WAITING", 8)
    gate = threading.Event()
    answer = StandIn.check

    def hang(self: StandIn, asked: Any, collection: str = "") -> Any:
        gate.wait(30)
        return answer(self, asked, collection)

    monkeypatch.setattr(StandIn, "check", hang)
    body = {"modules": ["hang/1.0"]}
    checks = [asyncio.ensure_future(ask("POST", "modules/check", body=body)) for _ in range(8)]
    try:
        while len([each for each in threading.enumerate() if each.name.startswith("hpcenv-slow")]) < 4:
            await asyncio.sleep(0.01)
        assert (await asyncio.wait_for(ask("GET", "environments"), 10)).code == 200
        check_error(await asyncio.wait_for(ask("POST", "modules/check", body=body), 10), 409, "busy")
    finally:
        gate.set()
    assert [each.code for each in await asyncio.gather(*checks)] == [200] * 8
