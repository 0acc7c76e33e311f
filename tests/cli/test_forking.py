"""A command that was forked gives what one gives whose interpreter was started for it."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest

from . import forking


def started(cli: Any, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*cli.argv, *arguments], env=cli.env, cwd=cli.home, input=stdin, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "--json"),
        ("show", "climate"),
        ("show", "absent"),
        ("list", "--bogus"),
        ("list", "-D", "\x1b]52;c;x\x07\u202e"),
        ("create", "x", "--file", "-"),
        ("--help",),
    ],
    ids=lambda arguments: arguments[-1],
)
def test_it_is_the_same(user: Any, arguments: tuple[str, ...]) -> None:
    assert forking.can_fork(user.env)
    real, forked = started(user, *arguments, stdin="num py\n"), forking.run(arguments, user.env, user.home, "num py\n")
    assert (forked.returncode, forked.stdout, forked.stderr) == (real.returncode, real.stdout, real.stderr)
    assert real.stdout + real.stderr


def test_its_surroundings_are_the_same(cli: Any) -> None:
    """What a configuration file sees, which is Python that runs within the command."""
    cli.config.mkdir()
    said = "import os, sys\nprint(sys.argv, sorted(os.environ.items()), os.getcwd(), sys.executable, sys.path[0],"
    said += " [each.encoding for each in (sys.stdin, sys.stdout, sys.stderr)], os.umask(0), os.nice(0),"
    said += " [n for n in range(3, 99) if os.path.exists(f'/proc/self/fd/{n}')])\n"
    (cli.config / "jupyter_hpcenv_config.py").write_text(said)
    real, forked = started(cli, "list", "a b", "é"), cli("list", "a b", "é")
    assert real.returncode == forked.returncode == 0
    assert real.stderr == forked.stderr
    assert "'é'" in real.stderr


def test_a_terminal_is_one(user: Any) -> None:
    status, seen = forking.on_a_terminal(["show", "absent"], user.env, user.home)
    assert status == 3
    assert "\x1b[31;1mError: \x1b[0m" in seen


def test_who_ends_by_a_signal_does(cli: Any) -> None:
    cli.config.mkdir()
    (cli.config / "jupyter_hpcenv_config.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    assert cli("list").returncode == started(cli, "list").returncode == -9
    (cli.config / "jupyter_hpcenv_config.py").unlink()
    assert cli("list").returncode == 0


def test_what_an_interpreter_reads_at_its_start_needs_a_real_one(cli: Any) -> None:
    assert not forking.can_fork({**cli.env, "PYTHONPATH": os.fspath(cli.home)})
    assert not forking.can_fork({**cli.env, "LC_ALL": "C"})
