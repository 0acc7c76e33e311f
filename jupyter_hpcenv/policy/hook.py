"""Ask the site's own hook about a request: it may refuse, or change some of it, and says why.

A hook is a program or a Python function that staff own. It gets the request as JSON in a file, never as words of
a command, and without the values of variables, which may be secrets. A hook that fails, says nothing that is
understood, or takes too long refuses: a rule that vanished with its author's typing error would be no rule.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from .. import typed
from ..errors import BrokenPolicy, Forbidden, HpcenvError
from ..models import Changes, CreateRequest, EnvironmentPatch
from ..process import environment, run
from ..trust import who_can_write
from .gate import Asked
from .reading import Policy, is_of_the_system, policies

Request = TypeVar("Request", CreateRequest, Changes)

#: What a hook may change. Names, places and variables are the user's own, and kernels are not what is asked for.
CHANGEABLE = {
    CreateRequest: ("python", "installer", "location", "packages", "modules", "channels", "system_site_packages"),
    Changes: ("install", "update", "remove"),
}

#: Only their names are told: values may be secrets.
_SECRET = ("variables", "build_variables")

#: Texts that may hold anything; what they ask for is told once it is read.
_TEXTS = ("file", "requirements")

_LONGEST = 1_000_000


class Answer(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What a hook answers; all empty: it has nothing to say."""

    refuse: str = ""
    """Why this is not allowed."""
    change: dict[str, Any] = {}
    """Fields of the request, and what they are to be."""
    reason: str = ""
    """Why they are changed; the user reads it."""


def told(request: CreateRequest | Changes | EnvironmentPatch) -> dict[str, Any]:
    """Return a request as a hook sees it."""
    shown: dict[str, Any] = msgspec.to_builtins(request)
    for field in _SECRET:
        if field in shown:
            shown[field] = sorted(shown[field])
    for field in _TEXTS:
        if field in shown:
            shown[field] = bool(shown[field])
    return shown


def consulted(verb: str, request: Request, user: str) -> tuple[Request, list[str]]:
    """Return *request* as the site's hooks want it, and a sentence for each change.

    Raises `Forbidden` where a hook refuses, `BrokenPolicy` where it can not be asked.
    """
    notes: list[str] = []
    for policy in policies():
        if not policy.hook:
            continue
        answer = _ask(policy, verb, told(request), user)
        if answer.change and is_of_the_system(policy):  # anybody can name another, which may only refuse
            request = _changed(policy, request, answer.change)
            fields = ", ".join(sorted(answer.change))
            notes.append(f"The site changed what was asked for ({fields}): {answer.reason or 'it does not say why.'}")
    return request, notes


@contextlib.contextmanager
def with_notes(notes: list[str]) -> Iterator[None]:
    """Let an error begin its hints with what a hook had changed: nobody else knows why that was asked for."""
    try:
        yield
    except HpcenvError as error:
        error.hints = (*notes, *error.hints)
        raise


def ask(verb: str, asked: Asked, user: str) -> None:
    """Let the hooks refuse what a request comes down to, whatever files and environments it was read from.

    What they would change now stays as it is. The worker asks so before it builds: they may know more by then.
    """
    for policy in policies():
        if policy.hook:
            _ask(policy, verb, asked.told, user, asked)


def _ask(policy: Policy, verb: str, shown: dict[str, Any], user: str, asked: Asked | None = None) -> Answer:
    hook = policy.hook
    if hook is None:
        return Answer()
    file, _, function = hook.call.rpartition(":")
    program = Path(file or hook.run[0])
    owners = [Path(policy.path).stat().st_uid]
    if writers := who_can_write(program, owners):
        raise _broken(policy, f"others than its owner can change it: {', '.join(map(str, writers[:3]))}")
    with tempfile.TemporaryDirectory(prefix="hpcenv-hook-") as folder:
        request = Path(folder) / "request.json"
        told_now = {"version": 1, "verb": verb, "user": user, "request": shown, "asked": _read(asked)}
        request.write_text(json.dumps(told_now))
        calling = str(Path(__file__).with_name("calling.py"))
        argv = [sys.executable, "-I", calling, file, function, str(request)] if file else [*hook.run, str(request)]
        try:
            done = run(argv, env=environment(), cwd=Path(folder), timeout=hook.seconds, longest=_LONGEST)
        except (HpcenvError, OSError) as error:
            raise _broken(policy, getattr(error, "message", str(error))) from error
    if not done.ok:
        raise _broken(policy, f"it ended with status {done.returncode}", "\n".join(done.tail[-20:]))
    last = next((line for line in reversed(done.tail) if line.strip()), "{}")
    try:
        answer = typed.of_json(last, Answer)
    except msgspec.DecodeError as error:
        raise _broken(policy, f"its answer is not understood: {error}", last[:1_000]) from error
    if answer.refuse:
        raise Forbidden(
            f"The site does not allow this: {answer.refuse}",
            hints=[f"Ask {policy.contact} if you need it otherwise." if policy.contact else "Ask the site's staff."],
            reason=f"the hook of {policy.path}",
        )
    return answer


def _read(asked: Asked | None) -> dict[str, Any] | None:
    if asked is None:
        return None
    return {name: value for name, value in msgspec.to_builtins(asked).items() if name not in ("told", "more", "locked")}


def _changed(policy: Policy, request: Request, change: dict[str, Any]) -> Request:
    allowed = CHANGEABLE[type(request)]
    if unknown := sorted(set(change) - set(allowed)):
        can = ", ".join(allowed)
        raise _broken(policy, f"it wants to change {', '.join(unknown)}, and can change {can}")
    try:
        return typed.of_value({**msgspec.to_builtins(request), **change}, type(request))
    except msgspec.ValidationError as error:
        raise _broken(policy, f"what it wants to change is not understood: {error}") from error


def _broken(policy: Policy, why: str, reason: str = "") -> BrokenPolicy:
    return BrokenPolicy(
        f"The hook of the site's policy can not be asked, so nothing is changed: {why.rstrip('.')}.",
        hints=["Tell the site's staff; environments that are there can be used as before."],
        reason=reason or f"the hook of {policy.path}",
    )
