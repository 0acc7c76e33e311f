"""Whatever goes wrong is answered with the flat body, and nothing more than it should say."""

from __future__ import annotations

import errno
import logging
from typing import Any

import pytest
from tornado.web import HTTPError

from jupyter_hpcenv import errors
from jupyter_hpcenv.server.translate import translate

from .conftest import Ask, StandIn, check_error

OURS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.HpcenvError) and kind.__module__ == errors.__name__
]


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
async def test_each_error_of_ours(desk: StandIn, ask: Ask, kind: type[errors.HpcenvError]) -> None:
    desk.error = kind("It went wrong at 100 %.", hints=["Do this.", "Or that."], reason="the disk said so")
    body = check_error(await ask("GET", "environments"), kind.http_status, kind.code)
    assert body == {
        "message": "It went wrong at 100 %.",
        "reason": "the disk said so",
        "code": kind.code,
        "hints": ["Do this.", "Or that."],
    }


async def test_unforeseen(desk: StandIn, ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    """The caller learns where to look, the log has the traceback; neither has the query of the request."""
    desk.error = ZeroDivisionError("canary-in-the-exception")
    with caplog.at_level(logging.WARNING):
        response = await ask("GET", "environments?query=canary-in-the-query")
    body = check_error(response, 500, "error")
    assert b"canary" not in response.body
    [record] = [record for record in caplog.records if record.exc_info]
    mark = record.getMessage().split()[-1]
    assert mark in body["hints"][0]
    assert "canary-in-the-query" not in record.getMessage()
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
async def test_full_disk(desk: StandIn, ask: Ask, number: int) -> None:
    desk.error = OSError(number, "full", "/data/hpcenv/status.json")
    body = check_error(await ask("GET", "environments"), 507, "disk_full")
    assert "/data/hpcenv" in body["message"]
    assert body["hints"]


async def test_other_refusals_of_the_filesystem(desk: StandIn, ask: Ask) -> None:
    desk.error = PermissionError(errno.EACCES, "Permission denied", "/data/hpcenv")
    body = check_error(await ask("GET", "environments"), 409, "location_unavailable")
    assert "/data/hpcenv" in body["message"]


async def test_next_request_after_an_error(desk: StandIn, ask: Ask) -> None:
    desk.error = ZeroDivisionError()
    assert (await ask("GET", "environments")).code == 500
    desk.error = None
    assert (await ask("GET", "environments")).code == 200


async def test_unusable_configuration(quiet: None, ask: Ask, jp_serverapp: Any) -> None:
    jp_serverapp.web_app.settings["hpcenv"].config.Site.trash_days = -1
    body = check_error(await ask("GET", "environments"), 503, "broken_configuration")
    assert "configuration" in body["message"]
    assert "trash_days" in body["reason"]


def test_http_errors_of_others() -> None:
    """Words of tornado and Jupyter Server keep their percent signs; unknown statuses keep their number."""
    status, body = translate(HTTPError(400, "bad %zz"), known=True, mark="")
    assert (status, body["code"], body["message"]) == (400, "invalid_request", "bad %zz.")
    status, body = translate(HTTPError(418), known=True, mark="")
    assert (status, body["message"]) == (418, "The server answered 418.")
    status, body = translate(HTTPError(409, "%s is busy", "x"), known=True, mark="")
    assert body["message"] == "x is busy."
