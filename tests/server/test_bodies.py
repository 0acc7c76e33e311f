"""What is sent is read strictly, and refused by the name of what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_hpcenv.errors import PreconditionFailed
from jupyter_hpcenv.models import CreateRequest
from jupyter_hpcenv.server.handlers.base import BODY_LIMIT

from .conftest import ID, KERNEL, OPERATION, SOME_REQUEST, Ask, StandIn, check_error, detail, told


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json", ""])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "environments"),
        ("PATCH", f"environments/{ID}"),
        ("PUT", f"environments/{ID}/kernels/{KERNEL}"),
        ("POST", f"trash/{ID}/restore"),
        ("POST", f"operations/{OPERATION}/cancel"),
    ],
)
async def test_content_type(desk: StandIn, ask: Ask, method: str, path: str, kind: str) -> None:
    response = await ask(method, path, body=SOME_REQUEST, headers={"Content-Type": kind})
    check_error(response, 415, "not_json")
    assert desk.asked == []


async def test_form_with_files(desk: StandIn, ask: Ask) -> None:
    """Tornado reads such a body itself, before anybody is authenticated; what it refuses looks like our errors."""
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    part = b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nclimate\r\n--x--\r\n'
    check_error(await ask("POST", "environments", body=part, headers=kind), 415, "not_json")
    broken = {"Content-Type": "multipart/form-data"}
    check_error(await ask("POST", "environments", body=part, headers=broken), 400, "invalid_request")
    assert desk.asked == []


async def test_content_type_with_charset(desk: StandIn, ask: Ask) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert (await ask("POST", "environments", body=SOME_REQUEST, headers=headers)).code == 202


async def test_merge_patch_has_a_type_of_its_own(desk: StandIn, ask: Ask) -> None:
    headers = {"Content-Type": "application/merge-patch+json"}
    assert (await ask("PATCH", f"environments/{ID}", body={}, headers=headers)).code == 200
    check_error(await ask("POST", "environments", body=SOME_REQUEST, headers=headers), 415, "not_json")


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({**SOME_REQUEST, "colour": "blue"}, "colour"),
        ({"name": 7}, "name"),
        ({**SOME_REQUEST, "kernel": "yes"}, "kernel"),
        ({**SOME_REQUEST, "kernel": "true"}, "kernel"),
        ({**SOME_REQUEST, "packages": ["numpy", 3]}, "packages[1]"),
        ({**SOME_REQUEST, "variables": {"A": 1}}, "variables"),
        ({}, "name"),
        ([], "array"),
        ("null", "null"),
    ],
)
async def test_wrong_field_is_named(desk: StandIn, ask: Ask, body: Any, word: str) -> None:
    said = check_error(await ask("POST", "environments", body=body), 400, "invalid_request")
    assert word in said["message"]
    assert desk.asked == []


@pytest.mark.parametrize("body", ["{", "name=climate", b"\xff\xfe{}", '{"name": "a"} {}', "[" * 100_000])
async def test_no_json(desk: StandIn, ask: Ask, body: str | bytes) -> None:
    said = check_error(await ask("POST", "environments", body=body), 400, "invalid_request")
    assert "JSON" in said["message"] or "not what is expected" in said["message"]
    assert desk.asked == []


async def test_too_large(desk: StandIn, ask: Ask) -> None:
    body = {**SOME_REQUEST, "requirements": "x" * BODY_LIMIT}
    check_error(await ask("POST", "environments", body=body), 413, "too_large")
    assert desk.asked == []


@pytest.mark.parametrize("path", [f"trash/{ID}/restore", f"operations/{OPERATION}/cancel"])
async def test_body_where_none_means_anything(desk: StandIn, ask: Ask, path: str) -> None:
    check_error(await ask("POST", path, body={"force": True}), 400, "invalid_request")
    assert desk.asked == []
    assert (await ask("POST", path, body="")).code in (200, 202)


async def test_create(desk: StandIn, ask: Ask, jp_base_url: str) -> None:
    response = await ask(
        "POST", "environments", body={"name": "climate", "packages": ["numpy"]}, headers={"Idempotency-Key": "a b-1"}
    )
    assert response.code == 202
    assert response.headers["Location"] == f"{jp_base_url}hpcenv/operations/{OPERATION}"
    assert told(response)["id"] == OPERATION
    assert desk.asked == [("submit", "create", CreateRequest(name="climate", packages=["numpy"]), "a b-1")]


@pytest.mark.parametrize("key", ["", " ", "x" * 201, "a\tb", "schlüssel"])
async def test_bad_idempotency_key(desk: StandIn, ask: Ask, key: str) -> None:
    response = await ask("POST", "environments", body=SOME_REQUEST, headers={"Idempotency-Key": key})
    check_error(response, 400, "invalid_request")
    assert desk.asked == []


async def test_longest_idempotency_key(desk: StandIn, ask: Ask) -> None:
    response = await ask("POST", "environments", body=SOME_REQUEST, headers={"Idempotency-Key": "x" * 200})
    assert response.code == 202


async def test_revision_is_the_etag(desk: StandIn, ask: Ask) -> None:
    response = await ask("GET", f"environments/{ID}")
    assert response.headers["ETag"] == '"3"'
    again = await ask("GET", f"environments/{ID}", headers={"If-None-Match": '"3"'})
    assert again.code == 200, "the state may be another one in the same revision"


async def test_list_that_did_not_change(desk: StandIn, ask: Ask) -> None:
    first = await ask("GET", "environments")
    etag = first.headers["ETag"]
    assert [row["state"] for row in told(first)] == ["ready"]
    assert (await ask("GET", "environments", headers={"If-None-Match": etag})).code == 304
    assert told(await ask("GET", "environments")) == told(first), "the body that was kept"
    desk.detail = detail(state="missing")
    after = await ask("GET", "environments", headers={"If-None-Match": etag})
    assert (after.code, [row["state"] for row in told(after)]) == (200, ["missing"])
    assert after.headers["ETag"] != etag
    filtered = await ask("GET", "environments?location=home")
    assert told(filtered) == told(after), "a list of some is made in the same way"


@pytest.mark.parametrize(("sent", "meant"), [(None, None), ("*", None), ('"3"', 3), ('"12"', 12)])
async def test_if_match(desk: StandIn, ask: Ask, sent: str | None, meant: int | None) -> None:
    headers = {} if sent is None else {"If-Match": sent}
    response = await ask("PATCH", f"environments/{ID}", body={"variables": {"A": None}}, headers=headers)
    assert response.code == 200
    assert response.headers["ETag"] == '"4"'
    assert desk.asked[0][3] == meant


@pytest.mark.parametrize("sent", ["3", 'W/"3"', '"3", "4"', '"-1"', '"abc"', ""])
async def test_if_match_that_is_no_revision(desk: StandIn, ask: Ask, sent: str) -> None:
    response = await ask("PATCH", f"environments/{ID}", headers={"If-Match": sent})
    check_error(response, 412, "precondition_failed")
    assert desk.asked == []


async def test_changed_meanwhile(desk: StandIn, ask: Ask) -> None:
    desk.error = PreconditionFailed("climate was changed in the meantime.", hints=["Read it again."])
    response = await ask("PATCH", f"environments/{ID}", headers={"If-Match": '"2"'})
    check_error(response, 412, "precondition_failed")


@pytest.mark.parametrize("offset", ["-1", "x", "1.5", "0x10", "９", "9" * 30, "+1"])
async def test_bad_log_offset(desk: StandIn, ask: Ask, offset: str) -> None:
    said = check_error(await ask("GET", f"operations/{OPERATION}/log?offset={offset}"), 400, "invalid_request")
    assert "offset" in said["message"]
    assert desk.asked == []


async def test_log_offset(desk: StandIn, ask: Ask) -> None:
    assert told(await ask("GET", f"operations/{OPERATION}/log"))["offset"] == 10
    assert told(await ask("GET", f"operations/{OPERATION}/log?offset=10"))["offset"] == 20


@pytest.mark.parametrize("value", ["yes", "2", "on", ""])
async def test_bad_flag(desk: StandIn, ask: Ask, value: str) -> None:
    check_error(await ask("DELETE", f"environments/{ID}?force={value}"), 400, "invalid_request")
    assert desk.asked == []


async def test_flags(desk: StandIn, ask: Ask) -> None:
    await ask("DELETE", f"environments/{ID}?force=1&now=1")
    assert desk.asked[-1] == ("delete", ID, True, True)
    await ask("DELETE", f"environments/{ID}")
    assert desk.asked[-1] == ("delete", ID, False, False)


async def test_filters(desk: StandIn, ask: Ask) -> None:
    await ask("GET", "environments?location=home&name=climate&query=py numpy")
    assert desk.asked == [("environments", "home", "climate", "py numpy")]


@pytest.mark.parametrize("reference", ["climate", "home%2Fclimate", "..", ID.upper(), ID + "0", "%00" * 32])
async def test_environments_go_by_id_alone(desk: StandIn, ask: Ask, reference: str) -> None:
    for method, path in (("GET", "environments/{}"), ("DELETE", "environments/{}"), ("DELETE", "trash/{}")):
        check_error(await ask(method, path.format(reference)), 404, "not_found")
    assert desk.asked == []


@pytest.mark.parametrize("reference", ["1", "..", "20261121-081502-7f3a9c1", OPERATION + "0"])
async def test_operations_go_by_id_alone(desk: StandIn, ask: Ask, reference: str) -> None:
    for method, path in (("GET", "operations/{}"), ("GET", "operations/{}/log"), ("POST", "operations/{}/cancel")):
        check_error(await ask(method, path.format(reference)), 404, "not_found")
    assert desk.asked == []
