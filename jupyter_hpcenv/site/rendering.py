"""Render templates into scripts: the site's own template if there is one, else the one of the package.

A template is code that runs as the user, so a folder that others can write is refused. Values are
data: nothing in them is ever evaluated, and none reaches the text without a filter that quotes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import HpcenvError, InvalidRequest, Refused
from ..files import read_regular
from ..names import VARIABLE_PATTERN
from . import quoting, references
from .trust import other_movers, other_writers

PACKAGE_TEMPLATES = Path(__file__).parent / "templates"

_SIZE_LIMIT = 100_000
_TIME_LIMIT = 10.0  # seconds; ours take milliseconds
_LONGEST = 1_000_000  # characters of a text, or entries of a list, that a template makes by repeating one
_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*\.j2")


class Quoted(str):
    """Text that a filter has made safe for its place; the only kind that a template may write.

    Any further operation on it (joining, slicing, another filter) gives plain text again.
    """

    __slots__ = ()


def render(
    name: str,
    template_dirs: Sequence[str],
    values: Mapping[str, object],
    *,
    built_in: Container[str] = (),
    package: Path = PACKAGE_TEMPLATES,
) -> str:
    """Return the template *name* filled with *values*; called by whatever generates a script.

    *values* holds plain data: texts, numbers, lists and mappings. Of the templates in *built_in* the package's are
    taken, which lie in *package*. Raises `Refused` for a template that others can write, `InvalidRequest` for a value
    that can not be quoted, and `HpcenvError` with the template's name and line for a template that is wrong or takes
    too long.
    """
    import jinja2  # not at the top: most commands render nothing

    _check_plain(values, "values")
    origin = _find(name, () if name in built_in else template_dirs, package)[1]
    try:
        text: str = _engine(template_dirs, built_in, package).get_template(name).render(values)
    except jinja2.TemplateSyntaxError as error:
        raise _wrong(Path(error.filename or origin), f"line {error.lineno}: {error.message}") from error
    except (
        *(jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError),
        *(MemoryError, RecursionError),
    ) as error:
        at, line = _place(error, origin)
        raise _wrong(at, f"line {line}: {error}" if line else str(error)) from error
    return text


def find(name: str, template_dirs: Sequence[str]) -> Path:
    """Return the file that the template *name* comes from; raises `Refused` like `render`."""
    return _find(name, template_dirs)[1]


def source_of(name: str, template_dirs: Sequence[str]) -> str:
    """Return the text of the template *name* as it would be used; raises `Refused` like `render`."""
    return _find(name, template_dirs)[0]


def _place(error: BaseException, origin: Path) -> tuple[Path, int]:
    """Return the template, and its line, in which an error arose; line 0 if the traceback does not tell."""
    at, line = origin, 0
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.endswith(".j2"):  # jinja2 gives its code the template's file and lines
            at, line = Path(trace.tb_frame.f_code.co_filename), trace.tb_lineno
        trace = trace.tb_next
    return at, line


def references_of(name: str, template_dirs: Sequence[str]) -> set[str]:
    """Return the names of the templates that the template *name* includes or builds on; empty if it can not be read."""
    import jinja2
    from jinja2.meta import find_referenced_templates

    try:
        return set(filter(None, find_referenced_templates(_engine().parse(source_of(name, template_dirs)))))
    except (HpcenvError, OSError, ValueError, jinja2.TemplateError):  # none of that name, or it is wrong itself
        return set()


def _engine(template_dirs: Sequence[str] = (), built_in: Container[str] = (), package: Path = PACKAGE_TEMPLATES) -> Any:
    import jinja2

    from .limits import LimitedEnvironment

    def load(name: str) -> tuple[str, str, None] | None:
        if not _NAME.fullmatch(name):  # a template includes others by their names, never by a path
            return None
        try:
            source, origin = _find(name, () if name in built_in else template_dirs, package)
        except FileNotFoundError:
            return None
        return source, str(origin), None

    engine = LimitedEnvironment(
        _TIME_LIMIT,
        _LONGEST,
        loader=jinja2.FunctionLoader(load),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # shell scripts, no HTML; _only_quoted guards every value
        finalize=_only_quoted,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    engine.filters.update(
        sh=_filter(quoting.sh),
        csh=_filter(quoting.csh),
        fish=_filter(quoting.fish),
        lua=_filter(quoting.lua),
        tcl=_filter(quoting.tcl),
        here=_filter(quoting.here),
        sh_value=_filter(references.sh),
        lua_value=_filter(references.lua),
        tcl_value=_filter(references.tcl),
        csh_setenv=lambda value, name: _filter(lambda text: references.csh(text, _variable(name)))(value),
        fish_export=lambda value, name: _filter(lambda text: references.fish(text, _variable(name)))(value),
        python=lambda value: Quoted(quoting.python(value)),
        toml=lambda value: Quoted(quoting.toml(value)),
        yaml=_filter(quoting.yaml),
        ini=_filter(quoting.ini),
        json=lambda value: Quoted(json.dumps(value, sort_keys=True)),
        comment=_filter(_comment),
        variable=_filter(_variable),
        batch=_filter(_batch),
    )
    return engine


def _only_quoted(value: object) -> object:
    """Refuse a value that no filter has quoted; jinja2 calls this for every expression that is written."""
    if isinstance(value, Quoted):
        return value
    import jinja2

    if isinstance(value, jinja2.StrictUndefined):
        return value  # raises, with the name that is missing, when it is written
    raise TypeError(
        "a value is written without a filter that quotes it: "
        "use sh, csh, fish, lua, tcl, json, batch, comment or variable"
    )


def _filter(quote: Any) -> Any:
    def apply(value: object) -> Quoted:
        import jinja2

        if isinstance(value, jinja2.Undefined):
            str(value)  # raises, with the name that is missing
        if not isinstance(value, str):
            raise TypeError(f"only a text can be quoted, not {type(value).__name__}")
        return Quoted(quote(value))

    return apply


def _comment(text: str) -> str:
    """Return *text* as it may stand in a comment: one line, printable characters only.

    A backslash could make the next line part of the comment (Tcl), an exclamation mark recall a command (csh).
    """
    return "".join(character if character.isprintable() and character not in "\\!" else "?" for character in text)


def _variable(name: str) -> str:
    """Return *name* if it can name an environment variable."""
    if not re.fullmatch(VARIABLE_PATTERN, name):
        raise InvalidRequest(f"{name!r} can not name an environment variable.", hints=["Use letters and digits."])
    return name


def _batch(text: str) -> str:
    """Return *text* as it may stand in a line of options for a batch system, which knows no quoting of its own."""
    if not re.fullmatch(r"[\w.@+][\w.@+-]*", text):
        raise InvalidRequest(
            f"{text[:80]!r} can not be written as an option of a batch system.",
            hints=["Use letters, digits, dot, underscore and hyphen, and begin with a letter or digit."],
        )
    return text


def _check_plain(value: object, where: str) -> None:
    """Raise TypeError (a mistake of ours) unless *value* is plain data: an object would bring its methods along."""
    if value is None or isinstance(value, str | int | float):
        return
    if isinstance(value, list | tuple):
        for each in value:
            _check_plain(each, where)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            _check_plain(each, f"{where}[{key!r}]")
    else:
        raise TypeError(f"{where} is a {type(value).__name__}, not plain data")


def _find(name: str, template_dirs: Sequence[str], package: Path = PACKAGE_TEMPLATES) -> tuple[str, Path]:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a template")
    for folder in map(Path, template_dirs):
        path = folder.expanduser() / name
        try:
            source = _read_trusted(path)
        except FileNotFoundError:
            if not folder.expanduser().is_dir():
                raise Refused(
                    f"The template folder {folder} does not exist or can not be read.",
                    hints=["Create it, or take it out of c.Site.template_dirs."],
                ) from None
            continue
        except OSError as error:
            raise Refused(
                f"The template {path} can not be read: {(error.strerror or str(error)).lower()}.",
                hints=["Make it readable, or take its folder out of c.Site.template_dirs."],
            ) from error
        return source, path
    path = package / name
    return path.read_text(encoding="utf-8"), path


def _read_trusted(path: Path) -> str:
    """Return a site's template if only root and the user can change it, or put another in its place."""
    real = path.resolve(strict=True)
    for each in (real, real.parent, path.parent):
        writers = other_writers(each)
        if writers:
            raise _untrusted(path, f"{each} can be changed by {writers}")
    for each in (real, path.parent):
        movers = other_movers(each)
        if movers:
            raise _untrusted(path, f"{each} can be replaced by {movers}")
    try:
        return read_regular(real, _SIZE_LIMIT).decode()
    except UnicodeDecodeError as error:
        raise _wrong(path, "it is not UTF-8 text") from error


def _untrusted(path: Path, why: str) -> Refused:
    return Refused(
        f"The template {path} is not used, because {why}: a template decides what runs in every kernel.",
        hints=["Take the right to write from group and others, and let root or yourself own it."],
    )


def _wrong(origin: Path, why: str) -> HpcenvError:
    return HpcenvError(
        f"The template {origin} can not be rendered: {why}.", hints=["Correct the template, or take it away."]
    )
