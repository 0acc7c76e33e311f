"""Check the names that people give and derive the names that we make from them.

Grammar comes before any path is joined: a name that passed here has no separator, no leading dot
and no option dash, so it can be a path component and a program argument.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any

from .errors import InvalidName, InvalidRequest, InvalidVariable

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
LOCATION_PATTERN = r"[a-z][a-z0-9_-]{0,30}"
VARIABLE_PATTERN = r"[A-Za-z_][A-Za-z0-9_]{0,127}"
VARIABLE_LIMIT = 32_768  # bytes; Linux takes 131,072 per string (MAX_ARG_STRLEN)
VARIABLES_LIMIT = 131_072  # bytes of all together
DISPLAY_NAME_LIMIT = 100
PREFIX_LIMIT = 255  # bytes; conda's placeholder is 255 long, so no prefix of any manager is longer

#: Words that are commands, locations of ours, or would hide something of Jupyter's or conda's.
RESERVED = frozenset(
    {"all", "base", "root", "none", "new", "default", "python", "python2", "python3", "trash", "con", "nul"}
)

#: Variables that steer a loader, a shell or the interpreter itself: not a user's to set in a kernel.
STEERING = (
    r"(LD_.*|DYLD_.*|BASH.*|ENV|PROMPT_COMMAND|IFS|SHELLOPTS|PS4|PATH|HOME|_"
    r"|UID|EUID|PPID|GROUPS|SECONDS|S?RANDOM|LINENO|OPTIND|OPTARG|OPTERR|FUNCNAME|DIRSTACK"
    r"|PYTHON(?!(UNBUFFERED|HASHSEED|WARNINGS|BREAKPOINT|FAULTHANDLER|TRACEMALLOC|ASYNCIODEBUG|MALLOC"
    r"|DONTWRITEBYTECODE|UTF8|DEVMODE|INTMAXSTRDIGITS)$).*|__PYVENV_LAUNCHER__"
    r"|VIRTUAL_ENV|CONDA_PREFIX|JPY_.*|JUPYTERHUB_.*|JUPYTER_TOKEN|HPCENV_.*)"
)

#: Names of variables that usually hold a secret; MONKEY, MAX_TOKENS and TOKENIZERS_PARALLELISM are none.
_SECRETIVE = (
    r"(?:^|_)(?:[A-Z0-9]*(?:TOKEN|(?:SECRET|PASSWORD|PASSPHRASE|CREDENTIAL|APIKEY)S?|PASSWD)|PWD|PASS|KEYS?)(?:_|$)"
)

#: What a word for the batch system may be; it becomes the value of an option. Text, as the two above: compiling these
#: takes milliseconds of each server's start, and few starts need them.
_BATCH = {
    "partition": (r"[A-Za-z0-9_][A-Za-z0-9_.,@+-]{0,127}", "a partition's name, or several with commas"),
    "constraint": (r"[A-Za-z0-9_\[(!][A-Za-z0-9_.,:&|!*()\[\]@+-]{0,255}", "features such as “zen4&ib”"),
    "account": (r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,127}", "an account's name"),
    "qos": (r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,127}", "the name of a QOS"),
    "time": (
        r"(\d{1,4}-\d{1,2}(:\d{1,2}){0,2}|\d{1,7}(:\d{1,2}){0,2})",
        "minutes, or “hours:minutes:seconds”, with “days-” before",
    ),
    "memory": (r"\d{1,9}[KMGT]?", "a number with K, M, G or T, such as “4G”"),
    "gpus": (r"([A-Za-z0-9_.-]{1,40}:)?\d{1,4}", "a number, or “type:number”"),
}
_OPTION = r"[a-z][a-z0-9-]{1,40}"

_NAME = re.compile(NAME_PATTERN)
_LOCATION = re.compile(LOCATION_PATTERN)
_VARIABLE = re.compile(VARIABLE_PATTERN)
_ID = re.compile(r"[0-9a-f]{32}")
_OPERATION = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")


def check_name(name: str) -> str:
    """Return *name* if an environment may have it; raise `InvalidName` with what is wrong."""
    if not isinstance(name, str) or not name:
        raise InvalidName("An environment needs a name.", hints=["Give a name, for example “climate”."])
    if len(name) > 63:
        raise InvalidName(f"A name has at most 63 characters; this one has {len(name)}.", hints=["Shorten the name."])
    if not _NAME.fullmatch(name):
        raise InvalidName(
            f"{name!r} can not be a name: use letters, digits, dot, underscore and hyphen, "
            "and begin with a letter or digit.",
            hints=[f"Try {suggestion(name)!r}."],
        )
    if name.lower() in RESERVED or name.lower().startswith("conda-"):
        raise InvalidName(
            f"{name!r} is reserved, because Jupyter or conda uses it for something else.",
            hints=[f"Try {('my-' + name)[:63]!r}."],
        )
    return name


def suggestion(name: str) -> str:
    """Return the allowed name that is nearest to *name*."""
    near = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("._-")[:63]
    return near or "environment"


def check_location_name(name: str) -> str:
    """Return *name* if the site may call a location so; the grammar has no dot (see `kernel_name`)."""
    if not isinstance(name, str) or not _LOCATION.fullmatch(name):
        raise InvalidName(
            f"{name!r} can not name a location: use lower-case letters, digits, underscore and hyphen, "
            "and begin with a letter.",
            hints=["Change the name in c.Site.locations."],
        )
    return name


def check_variable(name: str, value: str) -> None:
    """Raise `InvalidVariable` unless the pair can be exported by every shell and harms no launch."""
    if not _VARIABLE.fullmatch(name):
        raise InvalidVariable(
            f"{name!r} can not name an environment variable: use letters, digits and underscore.",
            hints=["Write it as NAME=VALUE."],
        )
    if re.fullmatch(STEERING, name):
        raise InvalidVariable(
            f"{name} steers the shell, the loader or the interpreter, so an environment must not set it.",
            hints=[f"Leave {name} out; the launch script sets what the kernel needs."],
        )
    if any(ord(c) < 32 or ord(c) == 127 for c in value):
        raise InvalidVariable(
            f"The value of {name} has a line break or another control character in it.",
            hints=["Give a value of one line of printable characters."],
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidVariable(
            f"The value of {name} is not text that can be encoded as UTF-8.", hints=["Use plain text."]
        ) from error
    if len(value.encode()) > VARIABLE_LIMIT:
        raise InvalidVariable(
            f"The value of {name} has {len(value.encode())} bytes; at most {VARIABLE_LIMIT} are possible.",
            hints=["Put the value into a file and let the variable name the file."],
        )


def check_variables(variables: Mapping[str, str]) -> None:
    """Raise `InvalidVariable` unless all of them together can be exported and leave room for a kernel to start."""
    for name, value in variables.items():
        check_variable(name, value)
    total = sum(len(name) + len(value.encode()) + 2 for name, value in variables.items())
    if total > VARIABLES_LIMIT:
        raise InvalidVariable(
            f"The variables have {total} bytes together; at most {VARIABLES_LIMIT} are possible.",
            hints=["Put long values into files and let the variables name those."],
        )


def looks_secret(name: str) -> bool:
    """Tell whether a variable of this name usually holds a secret; of its value nothing is asked."""
    found = re.search(_SECRETIVE, name, re.IGNORECASE)
    return found is not None and not name.upper().endswith(("_FILE", "_PATH", "_DIR"))


#: A password in an address, as in ``postgres://user:password@host``.
_PASSWORD = re.compile(r"://[^/@\s:]*:[^/@\s]+@")


def exportable(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that may leave with an export or a capsule: none that looks like a secret."""
    return {name: value for name, value in variables.items() if not (looks_secret(name) or _PASSWORD.search(value))}


def secret_warnings(variables: Iterable[str]) -> list[str]:
    """Return a sentence for each variable whose name looks like a secret's; values are never named."""
    return [
        f"{name} looks like a secret. Its value lies in the environment's record and launch script, which whoever may "
        f"use the environment can read: put it into a file of your own (chmod 600), and let {name}_FILE name that file."
        for name in sorted(variables)
        if looks_secret(name)
    ]


def check_display_name(text: str) -> str:
    """Return *text* if a launcher card may show it: printable, short, not steering text direction."""
    bidi = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"
    if len(text) > DISPLAY_NAME_LIMIT or not text.isprintable() or any(c in bidi for c in text):
        raise InvalidName(
            f"A display name has at most {DISPLAY_NAME_LIMIT} printable characters on one line.",
            hints=["Shorten it, and leave out control characters."],
        )
    return text


def kernel_name(location: str, name: str, source: str = "") -> str:
    """Return the kernelspec name of an environment's own kernel, for example ``hpcenv-home.climate``.

    Lower case, because `KernelSpecManager` folds case; unambiguous, because a location has no dot. A kernel of
    another language has the name of its kernelspec in the prefix after that: ``hpcenv-home.climate-ir``.
    """
    return f"hpcenv-{location}.{name}{'-' if source else ''}{source}".lower()


def is_kernel_name(name: str) -> bool:
    """Tell whether a kernelspec of this name is one of ours (or made to look like it)."""
    return name.startswith("hpcenv-") and "." in name


def check_kernel_name(name: str) -> str:
    """Return *name* if it has the form of a kernelspec name of ours; raise `InvalidName`."""
    if not re.fullmatch(r"hpcenv-[a-z][a-z0-9_-]{0,30}\.[a-z0-9][a-z0-9._-]{0,62}", name):
        raise InvalidName(f"{name!r} is not the name of a kernel of ours.", hints=["List them with “kernels”."])
    return name


def check_batch_words(words: Mapping[str, Any]) -> None:
    """Raise `InvalidRequest` where a field of a `BatchRequest` can not be a word for the batch system."""
    for field, (pattern, what) in _BATCH.items():
        value = words.get(field, "")
        if value and not re.fullmatch(pattern, value, re.ASCII):
            raise InvalidRequest(f"{value!r} can not be the batch job's {field}.", hints=[f"Give {what}."])
    if not 0 <= (cpus := words.get("cpus", 0)) <= 100_000:
        raise InvalidRequest(f"A batch job can not have {cpus} processors.", hints=["Give a number from 1 on."])
    for option, value in words.get("options", {}).items():
        if not re.fullmatch(_OPTION, option) or not value.isprintable() or not value:
            raise InvalidRequest(
                f"{option!r} with {value!r} can not be an option of the batch system.",
                hints=["Give long options without their hyphens, each with a value."],
            )


def new_environment_id() -> str:
    """Return a random environment id: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def is_environment_id(text: str) -> bool:
    """Tell whether *text* has the form of an environment id."""
    return bool(_ID.fullmatch(text))


def new_operation_id(now: float | None = None) -> str:
    """Return an operation id that sorts by time, for example ``20261121-081502-2f3a9c1e`` (UTC).

    The first three of the last digits are milliseconds: a build can be done within a second.
    """
    moment = time.time() if now is None else now
    return (
        time.strftime("%Y%m%d-%H%M%S-", time.gmtime(moment)) + f"{int(moment % 1 * 1000):03x}{secrets.token_hex(3)[:5]}"
    )


def is_operation_id(text: str) -> bool:
    """Tell whether *text* has the form of an operation id."""
    return bool(_OPERATION.fullmatch(text))
