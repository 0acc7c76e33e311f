"""Turn whatever went wrong into a status and the one flat error body: the server's only translator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tornado.web import HTTPError

from ..errors import HpcenvError, InvalidRequest, LocationUnavailable
from ..files import FULL, explain


class NotJson(InvalidRequest):
    """A body that does not say that it is JSON: a form of a strange web page can not say so.

    Send `Content-Type: application/json`, also where the body is `{}`.
    """

    code = "not_json"
    http_status = 415


class TooLarge(InvalidRequest):
    """A body longer than any request of ours is.

    Send less: a file of requirements with what is asked for, not a whole project.
    """

    code = "too_large"
    http_status = 413


class NotAuthenticated(HpcenvError):
    """The server does not know who asks.

    Log in again, or send a valid token.
    """

    code = "not_authenticated"
    http_status = 403  # as Jupyter Server itself answers its own routes
    exit_code = 5


class Forbidden(HpcenvError):
    """The server knows who asks, and that this one may not.

    Ask whoever runs the server for the right to do that.
    """

    code = "forbidden"
    http_status = 403
    exit_code = 5


def translate(error: BaseException | None, *, known: bool, mark: str) -> tuple[int, dict[str, Any]]:
    """Return status and body for *error*; handlers' `write_error` calls it.

    *known* tells whether the caller is authenticated; *mark* is what the log says beside the traceback.
    """
    if isinstance(error, HTTPError):
        return error.status_code, _of_http(error, known).body() | _code_of(error)
    if isinstance(error, OSError):
        error = _of_filesystem(error) or error
    if not isinstance(error, HpcenvError):
        error = HpcenvError(
            "Something went wrong in the server that jupyter_hpcenv did not foresee.",
            hints=[
                f"Look for “{mark}” in the log of this Jupyter server: what it printed where it was started, "
                "or what JupyterHub or the batch system kept of that.",
                "Report it with those lines.",
            ],
        )
    return error.http_status, error.body()


def _of_filesystem(error: OSError) -> HpcenvError | None:
    """Return what a person can do something about, or None for what is no matter of the disk."""
    name = error.filename if isinstance(error.filename, str) else ""
    if error.errno in FULL:
        return explain(error, Path(name or "the disk"))
    if not name:
        return None
    return LocationUnavailable(
        f"{name} can not be used: {(error.strerror or str(error)).lower()}.",
        hints=["See whether the folder exists, is mounted, and belongs to you."],
    )


def _of_http(error: HTTPError, known: bool) -> HpcenvError:
    said = _said(error)
    if error.status_code in (401, 403) and not known:
        return NotAuthenticated(
            "This server does not know who you are.", hints=["Log in again, or send a valid token."], reason=said
        )
    if error.status_code == 403:
        return Forbidden(
            "You are logged in, but this server does not let you do that.",
            hints=["Reload the page, if you do this in a browser.", "Ask whoever runs the server for the right to."],
            reason=said,
        )
    if error.status_code == 404:
        return HpcenvError("There is nothing at this address.", hints=["See “openapi.json” for what exists."])
    if error.status_code == 405:
        return HpcenvError("That can not be done at this address.", hints=["See “openapi.json” for what can."])
    return HpcenvError(f"{said.rstrip('.')}." if said else f"The server answered {error.status_code}.")


def _code_of(error: HTTPError) -> dict[str, str]:
    codes = {400: "invalid_request", 404: "not_found", 405: "method_not_allowed"}
    found = codes.get(error.status_code)
    return {"code": found} if found else {}


def _said(error: HTTPError) -> str:
    """Return the words that the HTTPError was raised with; tornado doubles the percent signs in them."""
    try:
        return str(error.log_message % error.args) if error.log_message else ""
    except (TypeError, ValueError):
        return str(error.log_message)
