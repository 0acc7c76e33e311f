"""Find the kernels of other languages that packages have put into a prefix, and take over of them what may be.

What a package wrote is input: known fields of known form, a program of the prefix itself, and nothing that a server
would load or that Jupyter would run besides the kernel. One that is odd is refused with a reason; the others stay.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import msgspec

from .. import typed
from ..errors import BrokenRecord, InvalidName, InvalidRequest, NotFound
from ..files import read_regular
from ..models import Kernel, Record
from ..names import check_display_name, check_kernel_name, kernel_name
from ..site.conda_prefix import may_set
from .facts import CONNECTION_FILE, INSTALLED, derived_from

FOLDER = INSTALLED.parent

_MANY = 50  # kernelspecs of a prefix that are looked at
_WORDS, _LENGTH = 100, 8_192  # arguments, and characters of each
_METADATA = 20_000  # bytes
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_REFERENCE = re.compile(r"\$(?:(\$)|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")

#: What a server would act on: it starts the kernel by something else, or takes the kernelspec for one of ours.
_NOT_TAKEN = ("kernel_provisioner", "hpcenv")


class _Odd(Exception):
    """Says why a kernel is not taken over."""


class Language(msgspec.Struct, frozen=True, kw_only=True):
    """A kernel that a package has put into a prefix, as far as it is taken over."""

    source: str
    title: str
    language: str
    program: str
    """Path in the prefix."""
    arguments: list[str]
    variables: dict[str, str] = {}
    """What it sets; ``${NAME}`` stands for another variable, ``${}`` for a dollar."""
    interrupt_mode: str = "signal"
    protocol: str = ""
    metadata: dict[str, Any] = {}


def languages(prefix: Path) -> tuple[list[Language], list[str]]:
    """Return the kernels of a prefix besides ipykernel's own, and a sentence for each that is refused."""
    found, refused = [], []
    for name in _names(prefix):
        try:
            language = _read(prefix, name)
            if language is not None:
                found.append(language)
        except _Odd as error:
            refused.append(_sentence(name, str(error)))
    return found, refused


def language_of(prefix: Path, source: str) -> Language:
    """Return one of them; raises `NotFound` if there is none of that name, `InvalidRequest` for an odd one."""
    try:
        found = _read(prefix, source) if source in _names(prefix) else None
    except _Odd as error:
        raise InvalidRequest(
            _sentence(source, str(error)), hints=["Take another version of the package that brings it."]
        ) from error
    if found is None:
        raise NotFound(
            f"No package of {prefix} brings the kernel {source!r} any more.",
            hints=["Install the package that brings it again."],
        )
    return found


def kernels_of_languages(record: Record) -> tuple[list[Kernel], list[str]]:
    """Return the kernels that a record lists for those of its prefix, and a sentence for each that is refused.

    Only the launch script of a conda environment can start them.
    """
    if record.manager != "conda":
        return [], []
    found, refused = languages(Path(record.prefix))
    kernels: dict[str, Kernel] = {}
    for each in found:
        name = kernel_name(record.location, record.name, each.source)
        try:
            check_kernel_name(name)
            title = check_display_name(f"{record.name} ({each.title})")
        except InvalidName as error:
            refused.append(_sentence(each.source, error.message))
            continue
        kernels.setdefault(name, Kernel(name=name, display_name=title, source=each.source))
    return list(kernels.values()), refused


def _sentence(name: str, why: str) -> str:
    return f"The kernel {name[:60]!r} that a package brings is not published: {why}"


def _names(prefix: Path) -> list[str]:
    """Return the names of the kernelspecs that lie in the prefix itself, ipykernel's left out."""
    folder = prefix / FOLDER
    try:
        if not _inside(prefix, folder):
            return []
        with os.scandir(folder) as entries:
            names = sorted(each.name for each in entries if each.is_dir(follow_symlinks=False))
    except OSError:
        return []
    return [name for name in names if name != INSTALLED.name][:_MANY]


def _inside(prefix: Path, path: Path) -> bool:
    """Tell whether *path* lies in the prefix, with all links followed; raises OSError for what is not there."""
    return path.resolve(strict=True).is_relative_to(prefix.resolve(strict=True))


def _read(prefix: Path, name: str) -> Language | None:
    """Return what the kernelspec of that name says, None if it is ipykernel's; raises `_Odd`."""
    if not _NAME.fullmatch(name):
        raise _Odd("its name has characters that no kernel may have.")
    folder = prefix / FOLDER / name
    try:
        spec = typed.of_json(read_regular(folder / "kernel.json", 100_000))
    except (OSError, BrokenRecord, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _Odd(f"its kernel.json can not be read ({error}).") from error
    if derived_from(spec) is not None:
        return None
    if not isinstance(spec, dict):
        raise _Odd("its kernel.json describes no kernel.")
    program, *arguments = _argv(spec.get("argv"), prefix, folder)
    protocol = spec.get("kernel_protocol_version")
    return Language(
        source=name,
        title=_text(spec.get("display_name"), "display_name"),
        language=_text(spec.get("language"), "language"),
        program=_program(program, prefix),
        arguments=arguments,
        variables=_variables(spec.get("env")),
        interrupt_mode="message" if spec.get("interrupt_mode") == "message" else "signal",
        protocol=protocol if isinstance(protocol, str) and re.fullmatch(r"\d{1,3}(\.\d{1,3}){1,2}", protocol) else "",
        metadata=_metadata(spec.get("metadata")),
    )


def _text(value: object, field: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 80 or not value.isprintable():
        raise _Odd(f"its {field} is no short text.")
    return value


def _argv(argv: object, prefix: Path, folder: Path) -> list[str]:
    """Return the words of the command, with what Jupyter would fill in for the folder that they came from."""
    if not isinstance(argv, list) or not 2 <= len(argv) <= _WORDS:
        raise _Odd("its argv is no list of words.")
    words = []
    for word in argv:
        if not isinstance(word, str) or len(word) > _LENGTH or "\0" in word:
            raise _Odd("its argv holds what is no word.")
        words.append(word.replace("{resource_dir}", str(folder)).replace("{prefix}", str(prefix)))
    if not any(CONNECTION_FILE in word for word in words[1:]):
        raise _Odd("its argv does not say where the connection file goes.")
    return words


def _program(word: str, prefix: Path) -> str:
    """Return the program as a path in the prefix; raises `_Odd` for one that is not of the prefix."""
    path = Path(word) if word.startswith("/") else prefix / "bin" / word
    if ("/" in word and not word.startswith("/")) or ".." in path.parts or word in ("", "."):
        raise _Odd(f"its program {word[:200]!r} is no program of the environment.")
    for root in (prefix, Path(os.path.realpath(prefix))):
        if path.is_relative_to(root):
            inside = str(path.relative_to(root))
            break
    else:
        raise _Odd(f"its program {word[:200]!r} is not of the environment.")
    try:
        if not _inside(prefix, prefix / inside):
            raise _Odd(f"its program {word[:200]!r} leads out of the environment.")
    except OSError as error:
        raise _Odd(f"its program {word[:200]!r} is not there.") from error
    if not (prefix / inside).is_file() or not os.access(prefix / inside, os.X_OK):
        raise _Odd(f"its program {word[:200]!r} can not be run.")
    return inside


def _variables(env: object) -> dict[str, str]:
    """Return the variables that it sets, as the launch script takes them; PATH and its like are not a kernel's to set.

    Jupyter fills in ``$NAME`` and ``${NAME}`` from its own environment, the launch script from that of the kernel.
    """
    if env is None:
        return {}
    if not isinstance(env, dict) or len(env) > _WORDS:
        raise _Odd("its env holds no variables.")
    found = {}
    for name, value in env.items():
        if not isinstance(value, str) or len(value) > _LENGTH or not all(each.isprintable() for each in value):
            raise _Odd(f"its variable {str(name)[:60]!r} has no value that can be set.")
        if name == "PATH":
            continue  # the launch script sees to it
        if not may_set(name):
            raise _Odd(f"its variable {name[:60]!r} is not for a kernel to set.")
        found[name] = _references(value)
    return found


def _references(value: str) -> str:
    """Return *value* with every dollar in braces: ``${NAME}`` for a variable, ``${}`` for one that means itself."""
    pieces, end = [], 0
    for match in _REFERENCE.finditer(value):
        pieces.append(value[end : match.start()].replace("$", "${}"))
        pieces.append("${}" if match[1] else "${" + (match[2] or match[3]) + "}")
        end = match.end()
    return "".join([*pieces, value[end:].replace("$", "${}")])


def _metadata(metadata: object) -> dict[str, Any]:
    if metadata is None:
        return {}
    if not isinstance(metadata, dict) or len(msgspec.json.encode(metadata)) > _METADATA:
        raise _Odd("its metadata is no small object.")
    return {key: value for key, value in metadata.items() if key not in _NOT_TAKEN}
