"""Judge Tcl modulefiles: which variables they read, and whether anything else than these decides what they do.

A command outside the list of harmless ones makes a file one that is loaded each time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .tclwords import Word, commands, substitutions
from .verdict import Impure, Verdict

#: Commands whose outcome follows from their arguments and from what is loaded; to hide and forbid can depend on dates.
_PURE = frozenset(
    (
        *("setenv", "unsetenv", "pushenv", "prepend-path", "append-path", "remove-path", "set-alias", "unset-alias"),
        *("set-function", "unset-function", "conflict", "prereq", "prereq-any", "prereq-all", "depends-on"),
        *("always-load", "family", "module-whatis", "module-help", "add-property", "remove-property", "extensions"),
        *(
            "module-version",
            "module-alias",
            "module-virtual",
            "module-tag",
        ),
        *("complete", "uncomplete", "require-fullname", "versioncmp", "is-loaded", "append", "lappend", "incr"),
        *("list", "lindex", "llength", "lrange", "lreverse", "linsert", "lsearch", "lsort", "concat", "join"),
        *("split", "string", "format", "regexp", "regsub", "break", "continue", "return", "error", "exit", "global"),
    )
)

_CHANGES = frozenset({"setenv", "unsetenv", "pushenv", "prepend-path", "append-path", "remove-path"})
_EXTENDS = _CHANGES - {"setenv", "unsetenv"}
_WITH_VALUE = frozenset({"-d", "--delim", "-delim"})

_MODULE_INFO = frozenset({"mode", "name", "version", "specified", "shell", "shelltype", "type", "symbols", "command"})
_FILE = frozenset({"join", "dirname", "tail", "rootname", "extension", "split", "nativename"})
#: Procedures that loading never calls.
_HELP = frozenset({"ModulesHelp", "ModulesDisplay", "ModulesTest"})
_ENV = re.compile(r"(?:::)?env(?:\((.*)\))?", re.DOTALL)


def judge(path: str, text: str) -> Verdict:
    """Return what the modulefile at *path* depends on."""
    verdict = Verdict(reads=set(), sets=set(), extends=set(), names=set(), needs=[])
    try:
        _Judge(verdict).script(text)
    except (Impure, RecursionError) as reason:
        said = str(reason) if isinstance(reason, Impure) else "could not be understood"
        verdict.live = f"{path} {said}."
    return verdict


class _Judge:
    def __init__(self, verdict: Verdict) -> None:
        self._verdict = verdict

    def script(self, text: str) -> None:
        """Judge each command of a script."""
        for words in commands(text):
            self._command(words)

    def _command(self, words: Sequence[Word]) -> None:
        head, rest = words[0], words[1:]
        if not head.literal:
            raise Impure("runs a command whose name it puts together")
        name = head.text.removeprefix("::")
        for word in words:
            if word.quote != "{":
                self._substituted(word.text)
        special = getattr(self, f"_do_{name}", None) if re.fullmatch(r"[a-z]+", name) else None
        if special is not None:
            special(rest)
            return
        if name == "module-info":
            if not rest or rest[0].text not in _MODULE_INFO:
                raise Impure("asks about the user or the session by “module-info”")
        elif name == "getenv":
            self._reads(rest[0] if rest else Word("", ""))
        elif name not in _PURE:
            raise Impure(f"uses “{name}”, whose outcome may change from one load to the next")
        if name != "global":
            self._untouched(rest)
        if name in _CHANGES:
            self._changes(name, rest)
        if name in ("prereq", "prereq-any"):
            self._alternatives(rest)
        elif name in ("prereq-all", "depends-on", "always-load"):
            self._named(rest)
        if any(word.text == "-command" for word in rest):
            raise Impure("hands a command to another one")

    def _substituted(self, text: str) -> None:
        found = substitutions(text)
        for script in found.scripts:
            self.script(script)
        for array, index in found.elements:
            if _ENV.fullmatch(array):
                self._reads(Word("", index))

    def _reads(self, word: Word) -> None:
        if not re.fullmatch(r"[A-Za-z_]\w*", word.text):
            raise Impure("reads a variable whose name it puts together")
        self._verdict.reads.add(word.text)

    def _untouched(self, words: Sequence[Word]) -> None:
        """Refuse the array of variables as a word: it may only be read, by names that stand there."""
        for word in words:
            if _ENV.fullmatch(word.text):
                raise Impure("uses the array of environment variables as a whole")

    def _changes(self, name: str, words: Sequence[Word]) -> None:
        place = 0
        while place < len(words) and words[place].text.startswith("-"):
            place += 2 if words[place].text in _WITH_VALUE else 1
        if place < len(words) and words[place].literal:
            self._verdict.sets.add(words[place].text)
            if name in _EXTENDS:
                self._verdict.extends.add(words[place].text)
        elif name in _EXTENDS:
            raise Impure(f"uses “{name}” on a variable whose name it puts together")

    def _alternatives(self, words: Sequence[Word]) -> None:
        """Of several prerequisites the first that is there is loaded, so that a new one would change the outcome."""
        named = [word for word in words if not word.text.startswith("-")]
        if len(named) > 1 and not all(word.literal for word in named):
            raise Impure("needs one of several modules whose names it puts together")
        self._named(named)
        self._verdict.needs[len(self._verdict.needs) - len(named) :] = [frozenset(word.text for word in named)]

    def _named(self, words: Sequence[Word]) -> None:
        """Note modules that are loaded or unloaded; each has to stand there as a text."""
        named = [word for word in words if not word.text.startswith("-")]
        if not named or not all(word.literal and re.fullmatch(r"[\w.+/@=,~:-]+", word.text) for word in named):
            raise Impure("loads or unloads a module whose name it puts together")
        self._verdict.names.update(word.text for word in named)
        self._verdict.needs += [frozenset({word.text}) for word in named]

    def _expression(self, words: Sequence[Word]) -> None:
        """Judge an expression: it is substituted a second time, so it must be braced, or a plain word."""
        for word in words:
            if word.quote == "{":
                self._substituted(word.text)
            elif not word.literal:
                raise Impure("computes an expression that it puts together")

    def _body(self, word: Word) -> None:
        if not word.literal:
            raise Impure("runs a script that it puts together")
        self.script(word.text)

    # -- commands that hold scripts or expressions, or that have harmless and harmful forms --

    def _do_set(self, words: Sequence[Word]) -> None:
        self._untouched(words[:1])
        if words and not words[0].literal:
            raise Impure("sets a variable whose name it puts together")

    _do_unset = _do_append = _do_lappend = _do_incr = _do_set

    def _do_expr(self, words: Sequence[Word]) -> None:
        self._expression(words)

    def _do_if(self, words: Sequence[Word]) -> None:
        place = 0
        while place < len(words):
            text = words[place].text if not words[place].quote else ""
            if text == "elseif" or place == 0:
                place += 1 if text == "elseif" else 0
                self._expression(words[place : place + 1])
                place += 1
            elif text in ("then", "else"):
                place += 1
            else:
                self._body(words[place])
                place += 1

    def _do_while(self, words: Sequence[Word]) -> None:
        self._expression(words[:1])
        for word in words[1:]:
            self._body(word)

    def _do_for(self, words: Sequence[Word]) -> None:
        if len(words) != 4:
            raise Impure("could not be understood")
        self._expression(words[1:2])
        for place in (0, 2, 3):
            self._body(words[place])

    def _do_foreach(self, words: Sequence[Word]) -> None:
        self._untouched(words[:-1])
        for word in words[-1:]:
            self._body(word)

    def _do_switch(self, words: Sequence[Word]) -> None:
        while words and words[0].text.startswith("-") and words[0].text != "--":
            words = words[1:]
        words = [word for word in words if word.text != "--"][1:]
        if len(words) == 1:
            inside = [word for command in commands(words[0].text) for word in command]
            words = inside
        for body in words[1::2]:
            if body.text != "-":
                self._body(body)

    def _do_catch(self, words: Sequence[Word]) -> None:
        for word in words[:1]:
            self._body(word)

    def _do_proc(self, words: Sequence[Word]) -> None:
        if not words or words[0].text not in _HELP:
            raise Impure("defines a procedure")

    def _do_info(self, words: Sequence[Word]) -> None:
        if len(words) != 2 or words[0].text != "exists" or ("$" in words[1].text.partition("(")[0]):
            raise Impure("looks into the interpreter by “info”")
        match = _ENV.fullmatch(words[1].text)
        if match:
            self._reads(Word("", match[1] or ""))

    def _do_file(self, words: Sequence[Word]) -> None:
        if not words or words[0].text not in _FILE:
            raise Impure("looks at files")
        self._untouched(words)

    def _do_module(self, words: Sequence[Word]) -> None:
        if not words or words[0].text not in ("load", "add", "unload", "rm", "use", "config"):
            raise Impure("uses “module” for other things than to load modules")
        if words[0].text in ("load", "add", "unload", "rm"):
            self._named(words[1:])
