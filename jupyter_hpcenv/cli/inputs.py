"""Read what several subcommands take in the same form: variables, files of modules."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

#: Bytes of a file; a longer one is another kind of file.
_LIMIT = 5_000_000


def variable(text: str) -> tuple[str, str]:
    """Return what ``NAME=VALUE`` sets; raises `InvalidVariable`."""
    from ..errors import InvalidVariable

    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidVariable(f"“{text}” sets no variable.", hints=["Write NAME=VALUE."])
    return name, value


def modules_of(names: Sequence[str], file: str) -> list[str]:
    """Return modules that stand on the command line, or in a file of them; raises `InvalidRequest`."""
    from ..formats.modules_file import parse_modules

    return parse_modules(text_of(file, "a list of modules"), file) if file else list(names)


def text_of(file: str, what: str) -> str:
    """Return the text of a file, “-” being standard input; raises `InvalidRequest` where it can not be *what*."""
    from ..errors import InvalidRequest

    try:
        if file == "-":
            data = sys.stdin.buffer.read(_LIMIT + 1)
        else:
            with Path(file).open("rb") as stream:
                data = stream.read(_LIMIT + 1)
        if len(data) > _LIMIT:
            raise InvalidRequest(f"{file} is too long for {what}.", hints=["Give the right file."])
        return data.decode("utf-8-sig")
    except OSError as error:
        raise InvalidRequest(
            f"{file} can not be read: {(error.strerror or str(error)).lower()}.", hints=["Correct the path."]
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{file} is not UTF-8 text.", hints=["Save it as UTF-8."]) from error
