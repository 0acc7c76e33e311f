"""Be the kernel of an environment that can not be used: answer every cell with the reason.

This file is copied into each kernelspec folder and started by its ``launch``, or by the environment's own, as
``explain.py REASON …`` followed by what the kernel would have been given; HPCENV_WORDS holds what a module
system or a script said. It needs ipykernel and nothing of jupyter_hpcenv, so that it goes on working after
jupyter_hpcenv is gone. The reply is an error, never “ok”: otherwise nbconvert would end well with nothing computed.
Restarting the kernel runs ``launch`` again.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import stat
import sys
from pathlib import Path
from typing import Any

BOLD, PLAIN = "\x1b[1m", "\x1b[0m"

_LIMIT = 20_000  # characters of a module system's words

_STEERING = re.compile(
    "\x1b(?!\\[[0-9;]{0,20}m)"  # every escape but colours
    "|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)

#: What failed, by reason: title and sentence. ``{name}`` is the environment's, ``{prefix}`` its folder.
_FAILURES = {
    "missing": (
        "The environment “{name}” is not there.",
        "Its folder {prefix} does not exist, or can not be entered from this computer. It may have been "
        "removed, renamed or purged, or its filesystem may not be mounted here.",
    ),
    "python_gone": (
        "The Python of the environment “{name}” is gone.",
        "{prefix}/bin/python {state}. An environment can not run without the Python it was made from.",
    ),
    "incomplete": (
        "The environment “{name}” is not complete.",
        "Its launch script {prefix}/.hpcenv/launch is missing or may not be executed.",
    ),
    "ipykernel": (
        "The environment “{name}” has no ipykernel.",
        "The package ipykernel, which lets a Python be a kernel, was removed from {prefix}, or does not come with "
        "its modules any more.",
    ),
    "modules": (
        "The modules of the environment “{name}” could not be loaded.",
        "The environment runs only with all of its modules, and at least one could not be loaded here.",
    ),
    "modules_ended": (
        "A module of the environment “{name}” ended the shell that loaded it.",
        "A modulefile has run a command that leaves the shell, so it is not known what would have been loaded.",
    ),
    "modules_late": (
        "The modules of the environment “{name}” took too long to load.",
        "A modulefile may be waiting for something that does not come, or its filesystem may be slow today.",
    ),
    "no_module_system": (
        "There is no module system for the environment “{name}” here.",
        "The environment needs modules, and the module system that it was made with is not on this computer.",
    ),
    "activation": (
        "The environment “{name}” could not be activated.",
        "Its packages bring scripts or variables for activation, and what runs them did not come to its end here.",
    ),
    "activation_ended": (
        "A package of the environment “{name}” ended the shell that activated it.",
        "A script in {prefix}/etc/conda/activate.d has left the shell, so it is not known what would have been set.",
    ),
    "activation_late": (
        "The environment “{name}” took too long to be activated.",
        "A script in {prefix}/etc/conda/activate.d may be waiting for something that does not come, or its filesystem "
        "may be slow today.",
    ),
    "program_gone": (
        "The program of this kernel of the environment “{name}” is gone.",
        "The package that brings it was removed from {prefix}, or has it elsewhere by now.",
    ),
    "withdrawn": (
        "The environment “{name}” is not there any more.",
        "It was made by {owner}, and its folder {prefix} does not exist, or can not be seen from this computer. Its "
        "owner may have deleted it, or its filesystem may not be mounted here.",
    ),
    "closed": (
        "The environment “{name}” is not shared with you any more.",
        "You may not enter its folder {prefix}, which belongs to {owner}.",
    ),
    "untrusted": (
        "The environment “{name}” is not any more what you decided to trust.",
        "Since then somebody has changed who can write {prefix}, or what lies there.",
    ),
    "decision_gone": (
        "The environment “{name}” is not used by you any more.",
        "The launch script that was made for you, to start what lies in {prefix}, is gone.",
    ),
    "build_missing": (
        "The environment “{name}” is not built for this computer.",
        "This computer is {target}, and {prefix} has builds for {builds}. What was built for another kind of computer "
        "may stop here in the middle, so it is not started.",
    ),
    "build_stale": (
        "The build of the environment “{name}” for {target} is older than its packages.",
        "Packages in {prefix} were changed since it was built for {target}, so it would run others than elsewhere.",
    ),
    "build_gone": (
        "The build of the environment “{name}” for {target} is gone.",
        "It has builds for {builds}, but the folder of this one, below {prefix}, is not there any more.",
    ),
    "build_python_gone": (
        "The Python of the environment “{name}” is gone from its build for {target}.",
        "The build lies in {prefix} or below it, and its bin/python can not be run here.",
    ),
    "other_system": (
        "The environment “{name}” was built for another kind of computer.",
        "{prefix} was built on {builds}, and its Python can not run on this computer.",
    ),
    "no_python": (
        "The modules of the environment “{name}” bring no Python.",
        "The environment consists of modules alone, and none of them puts a python on PATH.",
    ),
}

_AGAIN = "build the environment again with “jupyter hpcenv rebuild”"
_MODULES = (
    "ask those who look after the modules, or choose others for the environment in the Environments panel or with "
    "“jupyter hpcenv edit”"
)

_SCRIPTS = (
    "install another version of the package that the script belongs to, or remove the package, in the Environments "
    "panel or with “jupyter hpcenv install” and “jupyter hpcenv remove”"
)

#: The same for an environment of conda, in which Python is a package like others.
_FAILURES_OF_CONDA = {
    "python_gone": (
        "The environment “{name}” has no Python any more.",
        "{prefix}/bin/python {state}. The package python was removed from it, or can not be run here.",
    ),
}
_ADVICE_OF_CONDA = {
    "python_gone": "install python into the environment in the Environments panel or with “jupyter hpcenv install”",
}

_BUILD = (
    "run “jupyter hpcenv build {reference} --target {target}” in a terminal on a computer of that kind (in a job "
    "there, for instance), and wait until it is done"
)

_USE_AGAIN = "use it again in the Environments panel or with “jupyter hpcenv use”, or “adopt” if another tool made it"

#: What to do about it.
_ADVICE = {
    "withdrawn": "ask its owner, or make an environment of your own from the list of its packages",
    "closed": "ask its owner, or make an environment of your own from the list of its packages",
    "untrusted": f"ask its owner to put that right. If all is well, {_USE_AGAIN}",
    "decision_gone": _USE_AGAIN,
    "activation": "see what was said, and whether the temporary folder has room",
    "activation_ended": _SCRIPTS,
    "activation_late": f"try again. If it happens again, {_SCRIPTS}",
    "program_gone": "install the package again in the Environments panel or with “jupyter hpcenv install”",
    "ipykernel": "install ipykernel into the environment in the Environments panel or with “jupyter hpcenv install”",
    "modules": f"“module load” of the same modules in a terminal shows the same. If it fails there too, {_MODULES}",
    "modules_ended": _MODULES,
    "modules_late": f"try again. If it happens again, {_MODULES}",
    "no_module_system": "start on a computer that has it, for example another partition",
    "no_python": _MODULES,
    "other_system": "start it where it was built, or make it here as well: “jupyter hpcenv clone {reference} NEW-NAME”",
    "build_missing": _BUILD,
    "build_stale": _BUILD,
    "build_gone": _BUILD,
    "build_python_gone": _BUILD,
}


def explanation(reason: str, facts: dict[str, str], words: str = "") -> list[str]:
    """Return what failed, what it means and what to do, a paragraph each; called for every cell.

    *words* are what the module system, or the scripts of packages, said themselves.
    """
    reason = reason if reason in _FAILURES else "incomplete"
    name, prefix = facts.get("name") or "this kernel", facts.get("prefix") or "an unknown folder"
    failures, advices = _FAILURES, _ADVICE
    if os.path.isdir(f"{prefix}/conda-meta"):  # noqa: PTH112
        failures, advices = {**_FAILURES, **_FAILURES_OF_CONDA}, {**_ADVICE, **_ADVICE_OF_CONDA}
    title, why = failures[reason]
    owner = facts.get("owner") or "somebody else"
    target, builds = facts.get("target") or "of another kind", facts.get("builds") or "others"
    state = _state_of(prefix) if reason == "python_gone" else ""
    why = why.format(name=name, prefix=prefix, owner=owner, state=state, target=target, builds=builds)
    if reason == "untrusted":
        why = f"{why} {words}".rstrip()
        words = ""
    if facts.get("packages"):
        why = f"{why} The list of its packages, as it was on {facts.get('since')}, is in {facts['packages']}."
    advice = advices.get(reason, f"if the folder or the Python can come back, bring it back; otherwise {_AGAIN}")
    reference = "/".join(filter(None, [facts.get("location", "").replace("elsewhere", ""), name]))
    advice = advice.format(reference=reference, target=target)
    said = cleaned(words)
    speaker = "This was said" if reason.startswith(("activation", "build_")) else "The module system said"
    return [
        title.format(name=name, target=target),
        f"{why} Nothing was run.",
        *([f"{speaker}:\n{said}{PLAIN}"] if said else []),
        f"What to do: {advice}. "
        "Then restart this kernel. Another kernel can be chosen from the menu Kernel, Change Kernel.",
    ]


def distrusted(folder: Path) -> str:
    """Return what is not as it was when this environment's user decided to trust it, by ``trust.json`` in *folder*."""
    try:
        trust = json.loads((folder / "trust.json").read_text(encoding="utf-8"))
        prefix, python = trust["inside"][0], trust["python"]
        facts = os.stat(prefix)  # noqa: PTH116
        if facts.st_uid != trust["uid"]:
            return f"{prefix} belongs to uid {facts.st_uid} now, and belonged to uid {trust['uid']}."
        if facts.st_ino != trust["inode"]:
            return f"Another folder lies at {prefix} now."
        for place in [*trust["inside"], *trust["folders"]]:
            if said := _widened(place, os.stat(place), trust, above=place in trust["folders"]):  # noqa: PTH116
                return said
        real = os.path.realpath(os.path.join(prefix, "bin", "python"))  # noqa: PTH118
        if python and real != python:
            return f"Its Python is {real} now, and was {python}."
        if facts.st_dev != trust["device"]:
            return f"Another filesystem is mounted at {prefix} now."
    except OSError as error:
        return f"{error.filename}: {error.strerror}."
    except (ValueError, KeyError, TypeError, IndexError):
        pass
    return ""


def _widened(place: str, facts: os.stat_result, trust: dict[str, Any], *, above: bool) -> str:
    mode = stat.S_IMODE(facts.st_mode)
    if facts.st_uid not in trust["trusted"]:
        return f"{place} belongs to uid {facts.st_uid} now."
    if not mode & 0o022 or f"{facts.st_uid}:{facts.st_gid}:{mode:o}" in trust["allowed"]:
        return ""
    if above and mode & stat.S_ISVTX:
        return ""
    who = "Everybody" if mode & 0o002 else f"The group {facts.st_gid}"
    return f"{who} can write {place} now (mode {mode:o})."


def cleaned(words: str) -> str:
    """Return the end of *words*, without what steers a terminal or the direction of text; colours stay."""
    words = words.encode(errors="replace").decode()  # bytes that are no text came as surrogates
    return _STEERING.sub("", words[-_LIMIT:].replace("\r\n", "\n")).strip()


def _state_of(prefix: str) -> str:
    link = first = os.path.join(prefix, "bin", "python")  # noqa: PTH118  Path would resolve what is to be shown
    for _ in range(40):  # as many links as Linux follows
        if not os.path.islink(link):  # noqa: PTH114
            break
        link = os.path.join(os.path.dirname(link), os.readlink(link))  # noqa: PTH115, PTH118, PTH120
    state = "may not be executed" if os.path.exists(link) else "does not exist"  # noqa: PTH110
    return state if link == first else f"leads to {link}, which {state}"


def facts_of(folder: Path) -> dict[str, str]:
    """Return what the kernelspec beside this file says of the environment."""
    try:
        facts = json.loads((folder / "kernel.json").read_text(encoding="utf-8"))["metadata"]["hpcenv"]
        return {key: value for key, value in facts.items() if isinstance(value, str)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


_PYTHON: dict[str, Any] = {
    "name": "python",
    "version": "3",
    "mimetype": "text/x-python",
    "file_extension": ".py",
    "codemirror_mode": {"name": "ipython", "version": 3},
    "pygments_lexer": "ipython3",
    "nbconvert_exporter": "python",
}
_OTHER: dict[str, Any] = {"version": "", "mimetype": "text/plain", "file_extension": ".txt"}


def language_of(folder: Path) -> str:
    """Return the language of the kernelspec beside this file."""
    try:
        return str(json.loads((folder / "kernel.json").read_text(encoding="utf-8"))["language"])
    except (OSError, ValueError, KeyError, TypeError):
        return "python"


def connection_file(arguments: list[str]) -> str:
    """Return the connection file among the arguments that were meant for the kernel; empty if there is none."""
    for option, value in itertools.pairwise(arguments):
        if option == "-f":
            return value
    return ""


def main(arguments: list[str]) -> int:
    """Run the kernel; return 1, with the reason on standard error, if this Python has no ipykernel or nobody asks."""
    reason = arguments[0] if arguments else "incomplete"
    facts, language = facts_of(Path(__file__).parent), language_of(Path(__file__).parent)
    words = os.environ.pop("HPCENV_WORDS", "")
    facts["target"], facts["builds"] = os.environ.pop("HPCENV_TARGET", ""), os.environ.pop("HPCENV_BUILDS", "")
    if reason == "untrusted":
        words = distrusted(Path(__file__).parent)
    connection = connection_file(arguments)
    try:
        if not connection:  # started by hand, not by Jupyter
            raise ImportError
        from ipykernel.kernelapp import IPKernelApp
        from ipykernel.kernelbase import Kernel
    except ImportError:
        print("\n".join(explanation(reason, facts, words)), file=sys.stderr)
        return 1

    class ExplainingKernel(Kernel):
        implementation = "jupyter_hpcenv-explanation"
        implementation_version = "1"
        # What the notebook says already: anything else would be saved into the notebook.
        language_info = _PYTHON if language == "python" else {**_OTHER, "name": language}
        banner = "\n".join(explanation(reason, facts, words))

        async def do_execute(
            self,
            code: Any,
            silent: Any,
            store_history: Any = True,
            user_expressions: Any = None,
            allow_stdin: Any = False,
            **_: Any,  # later versions of ipykernel pass more
        ) -> dict[str, Any]:
            title, *rest = explanation(reason, facts, words)
            error = {
                "ename": "EnvironmentUnavailable",
                "evalue": title,
                "traceback": [f"{BOLD}{title}{PLAIN}", *rest],
            }
            if not silent:
                self.send_response(self.iopub_socket, "error", error)  # type: ignore[no-untyped-call]
            return {"status": "error", "execution_count": self.execution_count, **error}

        async def do_debug_request(self, msg: dict[str, Any]) -> dict[str, Any]:
            # JupyterLab asks at once, because the kernelspec of the environment offers a debugger
            return {
                "type": "response",
                "request_seq": msg.get("seq", 0),
                "command": msg.get("command", ""),
                "success": False,
                "message": "There is nothing to debug.",
                "body": {},
            }

    IPKernelApp.launch_instance(argv=["-f", connection], kernel_class=ExplainingKernel)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
