"""Judge Lua modulefiles: which variables they read, and whether anything else than these decides what they do.

Words are weighed, not meanings: a file that uses a word outside the list of harmless ones is loaded each time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from .verdict import Impure, Verdict

_KEYWORDS = frozenset(
    (
        *("and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in", "local", "nil"),
        *("not", "or", "repeat", "return", "then", "true", "until", "while"),
    )
)

#: Functions whose outcome follows from their arguments and from what is loaded. What looks at files, processes,
#: users, time or other modules' presence is missing on purpose, and so is what prints.
_PURE = frozenset(
    (
        *("setenv", "unsetenv", "pushenv", "prepend_path", "append_path", "remove_path", "load", "unload"),
        *("always_unload", "depends_on", "prereq", "prereq_any", "conflict", "family", "add_property"),
        *("remove_property", "extensions", "whatis", "help", "set_alias", "unset_alias", "set_shell_function"),
        *("unset_shell_function", "complete", "uncomplete", "atleast", "between", "latest", "isloaded", "mode"),
        *("myModuleName", "myModuleVersion", "myModuleFullName", "myFileName", "myShellName", "myShellType"),
        *("hierarchyA", "pathJoin", "LmodError", "LmodBreak", "convertToCanonical", "splitFileName", "dirname"),
        *("barefilename", "extname", "removeExt", "module_version", "module_alias", "hide_version", "hide_modulefile"),
        *("string", "table", "math", "tostring", "tonumber", "type", "ipairs", "unpack", "error", "assert"),
        *("_VERSION"),
    )
)

#: What Lmod offers besides; no file gives one of these words a meaning of its own and keeps our trust.
_KNOWN = frozenset(
    (
        *("os", "io", "lfs", "posix", "_G", "_ENV", "load_any", "try_load", "try_add", "mgrload", "always_load"),
        *("depends_on_any", "inherit", "source_sh", "execute", "capture", "subprocess", "print", "require"),
        *("loadfile", "dofile", "load", "loadstring", "isAvail", "isDir", "isFile", "isPending", "LmodMessage"),
        *("LmodWarning", "LmodMsgRaw", "LmodSystemError", "LmodVersion", "userInGroup", "userInGroups"),
        *("loaded_modules", "is_spider", "dbg", "pcall", "xpcall", "next", "pairs", "getenv", "setfenv", "getfenv"),
        *("rawget", "rawset", "setmetatable", "getmetatable", "package", "debug", "requireFullName", "colorize"),
        *("mkdir_recursive", "abspath", "path_regularize", "hostid", "touch"),
    )
)

#: Members of the libraries above that are not pure.
_UNSTEADY = frozenset({"random", "randomseed", "dump"})

#: What names other modules.
_LOADS = frozenset({"load", "unload", "always_unload", "depends_on", "prereq", "prereq_any"})
_RANGES = frozenset({"atleast", "between", "latest"})

_SETS = frozenset({"setenv", "pushenv", "unsetenv", "prepend_path", "append_path", "remove_path"})
_EXTENDS = _SETS - {"setenv", "unsetenv"}

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | --\[(?P<comment>=*)\[ | (?P<line>--[^\n]*)
      | \[(?P<long>=*)\[
      | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
      | (?P<name>[A-Za-z_]\w*)
      | (?P<number>\d[\w.]*)
      | (?P<mark>==|~=|<=|>=|\.\.\.|\.\.|::|[-+*/%^\#<>=(){}\[\];:,.&|~])""",
    re.VERBOSE | re.DOTALL,
)


class _Token(NamedTuple):
    kind: str
    text: str


def judge(path: str, text: str) -> Verdict:
    """Return what the modulefile at *path* depends on."""
    verdict = Verdict(reads=set(), sets=set(), extends=set(), names=set(), needs=[])
    try:
        tokens = _tokens(text)
        _weigh(tokens, verdict)
    except Impure as reason:
        verdict.live = f"{path} {reason}."
    return verdict


def _tokens(text: str) -> list[_Token]:
    found = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if not match:
            raise Impure("could not be understood")
        place = match.end()
        if match["comment"] is not None or match["long"] is not None:
            equals = match["comment"] if match["comment"] is not None else match["long"]
            close = text.find(f"]{equals}]", place)
            if close < 0:
                raise Impure("could not be understood")
            if match["long"] is not None:
                found.append(_Token("string", text[place:close]))
            place = close + len(equals) + 2
        elif match["string"]:
            inside = match["string"][1:-1]
            # An escape could hide a name; no name of a variable has one.
            found.append(_Token("string", inside))
        elif match["name"]:
            found.append(_Token("name", match["name"]))
        elif match["number"]:
            found.append(_Token("number", match["number"]))
        elif match["mark"]:
            found.append(_Token("mark", match["mark"]))
    return found


def _weigh(tokens: Sequence[_Token], verdict: Verdict) -> None:
    own, keys = _own_names(tokens)
    for place, token in enumerate(tokens):
        if token.kind != "name" or token.text in _KEYWORDS or place in keys:
            continue
        before = tokens[place - 1].text if place and tokens[place - 1].kind == "mark" else ""
        if before in (".", ":"):
            if token.text in _UNSTEADY:
                raise Impure(f"uses “{token.text}”, whose outcome nothing foretells")
            continue
        name = token.text
        if name == "os":
            verdict.reads.add(_getenv(tokens, place))
        elif name in _PURE:
            if name in _SETS:
                _note(tokens, place, name, verdict)
            elif name in _LOADS:
                _named(tokens, place, name, verdict)
        elif name not in own:
            raise Impure(f"uses “{name}”, whose outcome may change from one load to the next")


def _named(tokens: Sequence[_Token], place: int, function: str, verdict: Verdict) -> None:
    """Note the modules that a call names; each has to stand there as a text."""
    names: list[str] = []
    depth = 0
    for token in tokens[place + 1 :]:
        if token.kind == "mark" and token.text in "({":
            depth += 1
        elif token.kind == "mark" and token.text in ")}":
            depth -= 1
        elif token.kind == "string":
            names.append(token.text)
        elif not (token == _Token("mark", ",") or (token.kind == "name" and token.text in _RANGES)):
            raise Impure(f"uses “{function}” on a module whose name it puts together")
        if depth <= 0:
            break
    if not names or not all(re.fullmatch(r"[\w.+/@=,~-]+", name) for name in names):
        raise Impure(f"uses “{function}” on a module whose name it puts together")
    verdict.names.update(names)
    verdict.needs += [frozenset(names)] if function == "prereq_any" else [frozenset({name}) for name in names]


def _getenv(tokens: Sequence[_Token], place: int) -> str:
    following = tokens[place + 1 : place + 6]
    shape = [token.text for token in following]
    if shape[:2] != [".", "getenv"]:
        raise Impure(f"uses “os{''.join(shape[:2])}”, whose outcome may change from one load to the next")
    if len(following) > 2 and following[2].kind == "string":
        return _variable(following[2].text)
    if len(following) > 4 and shape[2] == "(" and shape[4] == ")" and following[3].kind == "string":
        return _variable(following[3].text)
    raise Impure("reads a variable whose name it puts together")


def _variable(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*", text):
        raise Impure("reads a variable of an odd name")
    return text


def _note(tokens: Sequence[_Token], place: int, function: str, verdict: Verdict) -> None:
    """Note the variable that a call changes; a name that is put together leaves it unknown what is extended."""
    following = tokens[place + 1 : place + 4]
    if len(following) > 1 and following[0].text in ("(", "{") and following[0].kind == "mark":
        following = following[1:]
        whole = len(following) > 1 and following[1].text in (",", ")", "}")
    else:
        whole = True  # setenv "X" is a call, too
    if following and following[0].kind == "string" and whole:
        verdict.sets.add(following[0].text)
        if function in _EXTENDS:
            verdict.extends.add(following[0].text)
    elif function in _EXTENDS:
        raise Impure(f"uses “{function}” on a variable whose name it puts together")


def _own_names(tokens: Sequence[_Token]) -> tuple[set[str], set[int]]:
    """Return the names that the file itself defines, and the places of names that are only keys of tables."""
    own: set[str] = set()
    keys: set[int] = set()
    depth = 0
    for place, token in enumerate(tokens):
        following = tokens[place + 1] if place + 1 < len(tokens) else _Token("mark", "")
        if token == _Token("mark", "{"):
            depth += 1
        elif token == _Token("mark", "}"):
            depth -= 1
        elif token == _Token("mark", "["):
            pass
        elif token.kind == "name" and following == _Token("mark", "=") and token.text not in _KEYWORDS:
            inside = depth > 0 and place > 0 and tokens[place - 1].text in ("{", ",", ";")
            if inside:
                keys.add(place)
            else:
                own.add(token.text)
        elif token == _Token("name", "local") or token == _Token("name", "for"):
            own |= _listed(tokens, place + 1)
        elif token == _Token("name", "function"):
            own |= _parameters(tokens, place + 1)
    if own & (_PURE | _KNOWN):
        raise Impure("gives a function of the module system another meaning")
    return own, keys


def _listed(tokens: Sequence[_Token], place: int) -> set[str]:
    """Return the names after ``local`` or ``for``: a, b, c."""
    names: set[str] = set()
    while place < len(tokens) and tokens[place].kind == "name" and tokens[place].text not in _KEYWORDS:
        names.add(tokens[place].text)
        if place + 1 >= len(tokens) or tokens[place + 1].text != ",":
            break
        place += 2
    return names


def _parameters(tokens: Sequence[_Token], place: int) -> set[str]:
    """Return the name of a function and those of its parameters."""
    names: set[str] = set()
    while place < len(tokens) and tokens[place].text != ")":
        if tokens[place].kind == "name":
            names.add(tokens[place].text)
        place += 1
    return names
