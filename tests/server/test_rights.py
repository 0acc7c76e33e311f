"""Every route, with every degree of rights; and what a web page that is not ours can do: nothing."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_hpcenv.server.routes import ROUTES, Route

from .conftest import ID, KERNEL, OPERATION, SOME_REQUEST, Ask, Rights, StandIn, check_error

CALLERS: dict[str, tuple[str, ...]] = {
    "reader": ("read",),
    "writer": ("read", "write"),
    "owner": ("read", "write", "execute"),
}
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "environments"): SOME_REQUEST,
    ("POST", "plans"): SOME_REQUEST,
    ("PATCH", "environments/{environment}"): {"display_name": "Climate"},
    ("POST", "environments/{environment}/activation"): {"dialect": "lmod"},
    ("POST", "environments/{environment}/changes"): {"install": ["numpy"]},
    ("POST", "environments/{environment}/move"): {"location": "scratch"},
    ("POST", "environments/{environment}/share"): {"everybody": True},
    ("POST", "adopted"): {"prefix": "/nowhere/else"},
    ("POST", "caches/clean"): {"caches": ["uv"], "dry_run": True},
    ("POST", "modules/check"): {"modules": ["gcc/12"]},
}


def address(route: Route) -> str:
    return route.path.format(environment=ID, kernel=KERNEL, operation=OPERATION, preset="dask-mpi", target="zen5")


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


def body_of(route: Route) -> Any:
    return BODIES.get((route.method, route.path))


routes = pytest.mark.parametrize("route", ROUTES, ids=name_of)


@routes
@pytest.mark.parametrize("caller", ["nobody", *CALLERS])
async def test_route(desk: StandIn, ask: Ask, jp_serverapp: Any, route: Route, caller: str) -> None:
    rights = Rights(*CALLERS.get(caller, ("read", "write", "execute")))
    jp_serverapp.web_app.settings["authorizer"] = rights
    headers = {"Authorization": "token wrong"} if caller == "nobody" else {}
    response = await ask(route.method, address(route), body=body_of(route), headers=headers)
    if caller == "nobody":
        check_error(response, 403, "not_authenticated")
        assert rights.asked == []
    elif route.action not in CALLERS[caller]:
        check_error(response, 403, "forbidden")
    else:
        assert response.code == route.status, response.body
        assert bool(response.body) == (route.answer is not None)
    if caller != "nobody":
        assert rights.asked == [(route.action, "hpcenv")]
    if response.code == 403:
        assert desk.asked == [], "nothing is asked of the desk for who may not"


async def session(client: Any, app: Any, base: str) -> str:
    """Log in as a browser does, and return its cookies."""
    login = await client.fetch(
        f"{base}login?token={app.identity_provider.token}", follow_redirects=False, raise_error=False
    )
    cookies = "; ".join(cookie.split(";")[0] for cookie in login.headers.get_list("Set-Cookie"))
    assert "username-" in cookies, "the tests that use it are worth nothing without a session"
    return cookies


@pytest.mark.parametrize("open_by_default", [True, False])
async def test_servers_own_switch(desk: StandIn, ask: Ask, jp_serverapp: Any, open_by_default: bool) -> None:
    """Servers that refuse every undecorated method, and those that do not, treat ours alike."""
    jp_serverapp.web_app.settings["allow_unauthenticated_access"] = open_by_default
    nobody = {"Authorization": "token wrong"}
    for path in ("environments", "nothing"):
        check_error(await ask("GET", path, headers=nobody), 403, "not_authenticated")
        check_error(await ask("POST", path, body=SOME_REQUEST, headers=nobody), 403, "not_authenticated")
    assert desk.asked == []
    assert (await ask("GET", "environments")).code == 200
    assert (await ask("POST", "environments", body=SOME_REQUEST)).code == 202


def test_actions() -> None:
    """Reading has no effect, and what runs code of packages or modules needs more than the right to write."""
    reading = {name_of(route) for route in ROUTES if route.action == "read" and route.method != "GET"}
    assert reading == {"POST presets/{preset}"}  # it only answers what a request would be
    assert all(route.action == "read" for route in ROUTES if route.method == "GET")
    assert {name_of(route) for route in ROUTES if route.action == "execute"} == {
        "POST environments",
        "PATCH environments/{environment}",  # a change of modules or variables is proven by starting the kernel
        "POST environments/{environment}/changes",
        "POST environments/{environment}/refresh",
        "POST environments/{environment}/rebuild",
        "POST environments/{environment}/move",
        "POST environments/{environment}/builds",
        "POST environments/{environment}/undo",
        "POST environments/{environment}/repair",
        "POST environments/{environment}/share",
        "POST environments/{environment}/unshare",
        "POST environments/{environment}/use",  # starts a colleague's Python
        "POST adopted",
        "POST modules/check",
        "POST plans",  # captures modules, and works for long
    }


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method != "GET"], ids=name_of)
async def test_cookie_alone_changes_nothing(
    desk: StandIn, ask: Ask, jp_serverapp: Any, http_server_client: Any, jp_base_url: str, route: Route
) -> None:
    """A page that makes the browser send its cookie, but can not read the XSRF token, gets 403."""
    cookies = await session(http_server_client, jp_serverapp, jp_base_url)
    response = await ask(
        route.method, address(route), body=body_of(route), headers={"Cookie": cookies, "Authorization": ""}
    )
    check_error(response, 403, "forbidden")
    assert desk.asked == []
    if route.method in ("POST", "PUT", "PATCH"):
        plain = await ask(
            route.method,
            address(route),
            body=body_of(route),
            headers={"Cookie": cookies, "Authorization": "", "Content-Type": "text/plain"},
        )
        check_error(plain, 403, "forbidden")
        assert desk.asked == []


async def test_cookie_with_xsrf_token(
    desk: StandIn, ask: Ask, jp_serverapp: Any, http_server_client: Any, jp_base_url: str
) -> None:
    """JupyterLab in a browser: the cookie, and the XSRF token that it could read."""
    cookies = await session(http_server_client, jp_serverapp, jp_base_url)
    page = await http_server_client.fetch(f"{jp_base_url}login")
    [token] = [cookie.split(";")[0] for cookie in page.headers.get_list("Set-Cookie") if cookie.startswith("_xsrf=")]
    headers = {
        "Cookie": f"{cookies}; {token}",
        "Authorization": "",
        "X-XSRFToken": token.removeprefix("_xsrf=").strip('"'),
    }
    response = await ask("POST", "environments", body=SOME_REQUEST, headers=headers)
    assert response.code == 202, response.body


async def test_foreign_origin(
    desk: StandIn, ask: Ask, jp_serverapp: Any, http_server_client: Any, jp_base_url: str
) -> None:
    cookies = await session(http_server_client, jp_serverapp, jp_base_url)
    assert (await ask("GET", "environments", headers={"Cookie": cookies, "Authorization": ""})).code == 200
    desk.asked.clear()
    headers = {"Cookie": cookies, "Authorization": "", "Origin": "https://elsewhere.example"}
    response = await ask("GET", "environments", headers=headers)
    check_error(response, 404, "not_found")
    assert desk.asked == []


@pytest.mark.parametrize("path", ["nothing", "environment", f"environments/{ID}/nothing"])
async def test_unknown_route(desk: StandIn, ask: Ask, path: str) -> None:
    check_error(await ask("GET", path), 404, "not_found")
    check_error(await ask("POST", path), 404, "not_found")
    check_error(await ask("GET", path, headers={"Authorization": "token wrong"}), 403, "not_authenticated")


async def test_wrong_method(desk: StandIn, ask: Ask) -> None:
    response = await ask("DELETE", "environments")
    check_error(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == "GET, POST"


async def test_background_reading_is_no_activity(desk: StandIn, ask: Ask, jp_serverapp: Any) -> None:
    settings = jp_serverapp.web_app.settings
    settings["api_last_activity"] = before = "untouched"
    await ask("GET", "operations?no_track_activity=1")
    assert settings["api_last_activity"] == before
    await ask("GET", "operations")
    assert settings["api_last_activity"] != before
