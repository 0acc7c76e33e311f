"""Run one command line and translate what comes out of it: the only place here that catches errors."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from types import FrameType

import click

from ..errors import Cancelled, HpcenvError, InvalidRequest
from .output import Output

PROGRAM = "jupyter hpcenv"


def run(arguments: list[str]) -> int:
    """Run the command and return its exit code; see docs/reference/cli.md for the codes."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a C locale must not end in a traceback
    # Options may be what is wrong, so whether JSON is wanted can not wait until they are parsed.
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    output = Output("--json" in options)
    ended: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        ended.append(number)
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:  # who runs us under nohup has said that it shall not count
            with contextlib.suppress(ValueError):  # only the main thread may
                signal.signal(number, end)
    try:
        _check_text(arguments)
        from .app import app

        # Not app.main(): click would end the process itself when a pipe breaks.
        with app.make_context(PROGRAM, arguments or ["--help"]) as context:
            answer = app.invoke(context)
        sys.stdout.flush()
        return answer if isinstance(answer, int) else 0
    except click.exceptions.Exit as done:  # --help and --version
        return done.exit_code
    except BrokenPipeError:
        # Who read our output has enough (“| head”): end in silence, with what a shell sees of other programs then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except click.ClickException as error:
        return _fail(output, _usage(error))
    except HpcenvError as error:
        return _fail(output, error)
    except (KeyboardInterrupt, click.Abort):
        if ended:  # what was begun is put back by now: end as everybody expects of that signal
            signal.signal(ended[0], signal.SIG_DFL)
            os.kill(os.getpid(), ended[0])
        return _fail(output, Cancelled("Stopped."))
    except Exception as error:  # noqa: BLE001  a fault of ours: programs still get their object, people no wall of text
        if os.environ.get("HPCENV_DEBUG"):
            traceback.print_exc()
        return _fail(output, _unknown(error))


def _fail(output: Output, error: HpcenvError) -> int:
    with contextlib.suppress(BrokenPipeError):
        output.error(error)
    return error.exit_code


def _check_text(arguments: list[str]) -> None:
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise InvalidRequest("An argument is not UTF-8 text.", hints=["Type it again."]) from None


def _usage(error: click.ClickException) -> HpcenvError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else PROGRAM
    message = error.format_message()
    return InvalidRequest(message if message.endswith((".", "?")) else message + ".", hints=[f"Read “{path} --help”."])


def _unknown(error: Exception) -> HpcenvError:
    return HpcenvError(
        f"jupyter_hpcenv met an error that it does not know: {type(error).__name__}: {error}.",
        hints=["Set HPCENV_DEBUG=1 and repeat the command to see where; show that to the people who maintain it."],
    )
