"""What all our handlers share: strict bodies, calls in threads, the flat error body, revisions as ETags."""

from __future__ import annotations

import http
import re
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import msgspec
from jupyter_server.auth.decorator import authorized as demanded
from jupyter_server.base.handlers import APIHandler
from tornado import web

from ... import typed
from ...errors import HpcenvError, InvalidRequest, NotFound, PreconditionFailed
from ...names import is_environment_id, is_operation_id
from ..translate import NotJson, TooLarge, translate

if TYPE_CHECKING:
    from types import TracebackType

    from ...admission import Admission
    from ..app import HpcenvApp

T = TypeVar("T")
Method = TypeVar("Method", bound=Callable[..., Any])
Action = Literal["read", "write", "execute"]

RESOURCE = "hpcenv"
VERBS = ("get", "head", "post", "delete", "patch", "put")

#: Bytes; a requirements file of some thousand lines is a tenth of it.
BODY_LIMIT = 6_000_000
KEY_LIMIT = 200
_JSON = "application/json"
_MERGE_PATCH = "application/merge-patch+json"


def authorized(action: Action) -> Callable[[Method], Method]:
    """Demand that the server's authorizer allows *action* on our resource.

    A typed face of Jupyter Server's decorator. That one keeps what it finds at the first call for all
    later ones, so both words are given here, and only methods of leaf classes are decorated.
    """
    return cast("Callable[[Method], Method]", demanded(action=action, resource=RESOURCE))


class Handler(APIHandler):
    """Base of our handlers; has no method of its own that answers a request."""

    auth_resource = RESOURCE
    _revision = 0
    _etag = ""
    _mark = ""

    @property
    def hpcenv(self) -> HpcenvApp:
        """The extension, which owns the desk that requests are handed in at."""
        return cast("HpcenvApp", self.settings["hpcenv"])

    def set_default_headers(self) -> None:
        """Forbid that a browser answers from its cache without asking."""
        super().set_default_headers()
        self.set_header("Cache-Control", "no-cache")

    async def prepare(self) -> None:  # type: ignore[override]  # as APIHandler itself narrows it
        """Refuse, after authentication, bodies that are too large or do not say that they are JSON."""
        await super().prepare()
        if not self.current_user:
            return  # the method's own decorator says so
        if len(self.request.body) > BODY_LIMIT:
            raise TooLarge(
                f"The body has {len(self.request.body)} bytes; at most {BODY_LIMIT} are read.",
                hints=["Send less, for example a shorter list of requirements."],
            )
        if self.request.method in ("POST", "PUT", "PATCH"):
            kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if kind != _JSON and not (kind == _MERGE_PATCH and self.request.method == "PATCH"):
                raise NotJson(
                    f"A body must be sent as {_JSON}" + (f", not as {kind[:100]}." if kind else "."),
                    hints=[f"Set the header “Content-Type: {_JSON}”."],
                )

    @property
    def _known(self) -> bool:
        """Tell whether the caller is authenticated; False as well for what fails before that is asked."""
        return bool(getattr(self, "_jupyter_current_user", None))

    # -- parsing ----------------------------------------------------------

    def body(self, kind: type[T]) -> T:
        """Return the body as *kind*; raises `InvalidRequest` that names the field which is wrong."""
        try:
            return typed.of_json(self.request.body or b"{}", kind)
        except msgspec.ValidationError as error:
            fields = ", ".join(getattr(kind, "__struct_fields__", ()))
            raise InvalidRequest(
                f"The body is not what is expected here: {_typographic(str(error))}.",
                hints=[f"These fields exist: {fields}.", "See “openapi.json” for what each may be."],
            ) from error
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise InvalidRequest("The body is not JSON.", hints=["Send one JSON object."], reason=str(error)) from error

    def no_body(self) -> None:
        """Refuse a body where none means anything; an empty object is let through."""
        self.body(Nothing)

    def environment_id(self, text: str) -> str:
        """Return *text* if it has the form of an environment's id; raises `NotFound`."""
        if not is_environment_id(text):
            raise NotFound(
                f"There is no environment {text[:100]!r}; here it is named by its id.",
                hints=["List the environments to see their ids."],
            )
        return text

    def operation_id(self, text: str) -> str:
        """Return *text* if it has the form of an operation's id; raises `NotFound`."""
        if not is_operation_id(text):
            raise NotFound(f"There is no operation {text[:100]!r}.", hints=["List the operations to see what exists."])
        return text

    def flag(self, name: str) -> bool:
        """Return a query argument that is 1 or 0; raises `InvalidRequest`."""
        text = self.get_query_argument(name, "0")
        if text not in ("0", "1", "true", "false"):
            raise InvalidRequest(f"{name} is {text[:100]!r}; it can be 1 or 0.", hints=[f"Write “?{name}=1”."])
        return text in ("1", "true")

    def number(self, name: str) -> int:
        """Return a query argument that counts from 0; raises `InvalidRequest`."""
        text = self.get_query_argument(name, "0")
        if not re.fullmatch(r"[0-9]{1,15}", text):
            raise InvalidRequest(
                f"{name} is {text[:100]!r}; it must be a number of 0 or more.", hints=[f"Write “?{name}=0”."]
            )
        return int(text)

    def idempotency_key(self) -> str:
        """Return the key under which a repeated request is known, or an empty text; raises `InvalidRequest`."""
        found = self.request.headers.get_list("Idempotency-Key")
        if not found:
            return ""
        if len(found) > 1 or not re.fullmatch(rf"[!-~](?:[ -~]{{0,{KEY_LIMIT - 2}}}[!-~])?", found[0]):
            raise InvalidRequest(
                f"An Idempotency-Key is one text of 1 to {KEY_LIMIT} printable ASCII characters.",
                hints=["Send a random UUID."],
            )
        return found[0]

    def if_match(self) -> int | None:
        """Return the revision that a change is meant for, or None for any; raises `PreconditionFailed`."""
        text = self.request.headers.get("If-Match", "*").strip()
        if text == "*":
            return None
        found = re.fullmatch(r'"([0-9]{1,15})"', text)
        if found is None:
            raise PreconditionFailed(
                f"If-Match is {text[:100]!r}, which is no ETag of an environment.",
                hints=["Send the ETag that the environment was read with, in its quotes."],
            )
        return int(found[1])

    # -- calling and answering --------------------------------------------

    async def call(self, function: Callable[[Admission], T]) -> T:
        """Run *function* in a thread of ours: what it reads may lie on a slow filesystem."""
        return await self.hpcenv.call(function)

    async def call_slow(self, function: Callable[[Admission], T]) -> T:
        """Run *function* where it holds up nobody who only looks; raises `Busy`."""
        return await self.hpcenv.call_slow(function)

    def reply(self, value: object, status: int = 200, revision: int = 0) -> None:
        """Answer with *value* as JSON, bare; *revision* becomes the ETag."""
        self._revision = revision
        if revision:
            self.set_header("ETag", f'"{revision}"')
        self.set_status(status)
        self.finish(msgspec.json.encode(value))

    def reply_encoded(self, body: bytes, etag: str) -> None:
        """Answer with JSON that was made before, or with 304 and nothing to who has it already."""
        self._etag = etag
        self.finish(body)

    def reply_nothing(self) -> None:
        """Answer that it is done and that there is nothing to say."""
        self.set_status(http.HTTPStatus.NO_CONTENT)
        self.finish()

    def compute_etag(self) -> str | None:
        """Return the revision, or what `reply_encoded` was given, else tornado's hash of the body."""
        return f'"{self._revision}"' if self._revision else self._etag or super().compute_etag()

    def check_etag_header(self) -> bool:
        """Tell whether the caller has this answer; a revision does not say so, because states change without it.

        Tornado from 6.6 on asks only where it made the ETag itself; earlier ones ask always.
        """
        return False if self._revision else super().check_etag_header()

    # -- errors -----------------------------------------------------------

    def log_exception(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Log what we foresaw as one line, the rest with its traceback and the mark that the caller is shown.

        Neither the query nor the body is logged: both may hold what is secret.
        """
        where = f"{self.request.method} {self.request.path}"
        if isinstance(error, HpcenvError):
            level = self.log.warning if error.http_status >= 500 else self.log.debug
            level("hpcenv: %s: %s: %s", where, error.code, error.message)
        elif isinstance(error, web.HTTPError):
            super().log_exception(kind, error, trace)
        else:
            self._mark = secrets.token_hex(4)
            self.log.error("hpcenv: %s: unforeseen error %s", where, self._mark, exc_info=error)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with the flat body, whatever went wrong; tornado calls it."""
        error = kwargs["exc_info"][1] if kwargs.get("exc_info") else web.HTTPError(status_code)
        status, body = translate(error, known=self._known, mark=self._mark)
        self.set_status(status)
        if status == http.HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", ", ".join(verb.upper() for verb in VERBS if verb in vars(type(self))))
        self.finish(msgspec.json.encode(body))


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request that needs none."""


class Unknown(Handler):
    """Answer for every address below ours that is no route."""

    async def prepare(self) -> None:  # type: ignore[override]
        """Raise `NotFound` for who is authenticated, and nothing but 403 for who is not."""
        await super().prepare()
        if not self.current_user:
            raise web.HTTPError(http.HTTPStatus.FORBIDDEN)
        raise web.HTTPError(http.HTTPStatus.NOT_FOUND)


def _typographic(text: str) -> str:
    """Return msgspec's words with typed things in the quotes that the rest of our messages have."""
    return re.sub(r"`([^`]*)`", r"“\1”", text[:1].lower() + text[1:])
