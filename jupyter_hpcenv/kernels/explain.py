"""Be the kernel of an environment that can not be used: answer every cell with the reason.

This file is copied into each kernelspec folder and started by its ``launch`` as ``explain.py REASON …``
followed by what the kernel would have been given. It needs ipykernel and nothing of jupyter_hpcenv, so
that it goes on working after jupyter_hpcenv is gone. The reply is an error, never “ok”: otherwise
nbconvert would end well with nothing computed. Restarting the kernel runs ``launch`` again.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from pathlib import Path
from typing import Any

BOLD, PLAIN = "\x1b[1m", "\x1b[0m"


def explanation(reason: str, facts: dict[str, str]) -> list[str]:
    """Return what failed, what it means and what to do, a paragraph each; called for every cell."""
    name = facts.get("name") or "this kernel"
    prefix = facts.get("prefix") or "an unknown folder"
    if reason == "missing":
        title = f"The environment “{name}” is not there."
        why = (
            f"Its folder {prefix} does not exist, or can not be entered from this computer. It may have been "
            "removed, renamed or purged, or its filesystem may not be mounted here."
        )
    elif reason == "python_gone":
        title = f"The Python of the environment “{name}” is gone."
        why = (
            f"{prefix}/bin/python {_state_of(prefix)}. An environment can not run without the Python it was made from."
        )
    else:
        title = f"The environment “{name}” is not complete."
        why = f"Its launch script {prefix}/.hpcenv/launch is missing or may not be executed."
    again = "create the environment again in the Environments panel or with “jupyter hpcenv create”"
    return [
        title,
        f"{why} Nothing was run.",
        f"What to do: if the folder or the Python can come back, bring it back; otherwise {again}. "
        "Then restart this kernel. Another kernel can be chosen from the menu Kernel, Change Kernel.",
    ]


def _state_of(prefix: str) -> str:
    link = os.path.join(prefix, "bin", "python")  # noqa: PTH118  Path would resolve what is to be shown
    for _ in range(40):  # as many links as Linux follows
        if not os.path.islink(link):  # noqa: PTH114
            break
        link = os.path.join(os.path.dirname(link), os.readlink(link))  # noqa: PTH115, PTH118, PTH120
    if os.path.exists(link):  # noqa: PTH110
        return f"leads to {link}, which may not be executed"
    return f"leads to {link}, which does not exist"


def facts_of(folder: Path) -> dict[str, str]:
    """Return what the kernelspec beside this file says of the environment."""
    try:
        facts = json.loads((folder / "kernel.json").read_text(encoding="utf-8"))["metadata"]["hpcenv"]
        return {key: value for key, value in facts.items() if isinstance(value, str)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def connection_file(arguments: list[str]) -> str:
    """Return the connection file among the arguments that were meant for the kernel; empty if there is none."""
    for option, value in itertools.pairwise(arguments):
        if option == "-f":
            return value
    return ""


def main(arguments: list[str]) -> int:
    """Run the kernel; return 1, with the reason on standard error, if this Python has no ipykernel."""
    reason = arguments[0] if arguments else "incomplete"
    facts = facts_of(Path(__file__).parent)
    try:
        from ipykernel.kernelapp import IPKernelApp
        from ipykernel.kernelbase import Kernel
    except ImportError:
        print("\n".join(explanation(reason, facts)), file=sys.stderr)
        return 1

    class ExplainingKernel(Kernel):
        implementation = "jupyter_hpcenv-explanation"
        implementation_version = "1"
        # Python, as the notebook says already: anything else would be saved into the notebook.
        language_info = {  # noqa: RUF012  a trait of Kernel
            "name": "python",
            "version": "3",
            "mimetype": "text/x-python",
            "file_extension": ".py",
            "codemirror_mode": {"name": "ipython", "version": 3},
            "pygments_lexer": "ipython3",
            "nbconvert_exporter": "python",
        }
        banner = "\n".join(explanation(reason, facts))

        async def do_execute(
            self,
            code: Any,
            silent: Any,
            store_history: Any = True,
            user_expressions: Any = None,
            allow_stdin: Any = False,
            **_: Any,  # later versions of ipykernel pass more
        ) -> dict[str, Any]:
            title, *rest = explanation(reason, facts)
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

    IPKernelApp.launch_instance(argv=["-f", connection_file(arguments)], kernel_class=ExplainingKernel)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
