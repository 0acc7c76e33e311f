"""Read JSON, TOML and plain values as the types they are said to be, from any thread.

msgspec learns a struct's fields when it first reads one. It keeps what it has learned so far where other threads find
it, and looks at annotations in between, which lets them run: a thread that reads the same struct meanwhile crashes the
process. So here a type is learned by one thread at a time, before anybody reads it. Nothing else in this package calls
msgspec's readers (a rule of the linter).
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar, overload

import msgspec

T = TypeVar("T")

_learning = threading.Lock()
_known: set[Any] = set()


@overload
def of_json(data: bytes | str) -> Any: ...
@overload
def of_json(data: bytes | str, kind: type[T]) -> T: ...
def of_json(data: bytes | str, kind: Any = Any) -> Any:
    """Return what *data* says; raises msgspec.DecodeError, UnicodeDecodeError and RecursionError."""
    _learn(kind)
    return msgspec.json.decode(data, type=kind)


@overload
def of_toml(data: bytes | str) -> Any: ...
@overload
def of_toml(data: bytes | str, kind: type[T]) -> T: ...
def of_toml(data: bytes | str, kind: Any = Any) -> Any:
    """Return what *data* says; raises msgspec.DecodeError, ValueError and RecursionError."""
    _learn(kind)
    return msgspec.toml.decode(data, type=kind)


def of_value(value: Any, kind: type[T], *, strict: bool = True) -> T:
    """Return a plain value as *kind*; with *strict* off, text stands for a number, too. Raises ValidationError."""
    _learn(kind)
    return msgspec.convert(value, kind, strict=strict)


def _learn(kind: type[Any]) -> None:
    if kind not in _known:
        with _learning:
            msgspec.json.Decoder(kind)
        _known.add(kind)
