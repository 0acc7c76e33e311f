"""Every command that a page prints is run by a test as it is printed there, or named here with the reason why not.

Whatever is run or not, each `jupyter hpcenv …`, in a block or in a sentence, must be one that the program understands.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from jupyter_hpcenv.cli.app import app

from . import printed

PAGES = {printed.name_of(page): page.read_text() for page in printed.pages()}

#: The test that runs all commands of a page.
RUN = {
    "README.md": "tests/docs/test_as_printed.py::test_the_readme",
    "docs/explanation/conda-env-mod.md": "tests/conda/test_beside.py::test_what_the_script_made_is_taken_over_as_printed",  # noqa: E501
    "docs/how-to/admins/everyday.md": "tests/docs/test_as_printed.py::test_the_page_about_what_comes_up_later",
    "docs/how-to/admins/first-day.md": "tests/wheels/test_first_day.py::test_from_pip_install_to_a_kernel_that_a_colleague_opens",  # noqa: E501
    "docs/how-to/admins/jupyterhub.md": "tests/hub/test_spawners.py::test_the_page_as_printed",
    "docs/how-to/admins/kernels-in-jobs.md": "tests/slurm/test_kernels_served.py::test_the_pages_as_printed",
    "docs/how-to/admins/modules.md": "tests/docs/test_as_printed.py::test_the_page_about_templates",
    "docs/how-to/admins/policy.md": "tests/integration/test_policy.py::test_the_page_as_printed",
    "docs/how-to/admins/preinstall.md": "tests/site/test_preinstall.py::test_the_page_as_printed",
    "docs/how-to/admins/presets.md": "tests/docs/test_as_printed.py::test_the_page_about_presets",
    "docs/how-to/admins/setup.md": "tests/site/test_setup.py::test_the_page_as_printed",
    "docs/how-to/admins/watch.md": "tests/cli/test_report.py::test_the_page_as_printed",
    "docs/how-to/users/architectures.md": "tests/slurm/test_targets.py::test_the_page_as_printed",
    "docs/how-to/users/batch.md": "tests/docs/test_as_printed.py::test_the_page_about_shells_and_jobs",
    "docs/how-to/users/caches.md": "tests/cli/test_caches.py::test_the_page_about_caches_as_printed",
    "docs/how-to/users/check.md": "tests/cli/test_doctor.py::test_the_page_about_checks_as_printed",
    "docs/how-to/users/choose.md": "tests/docs/test_as_printed.py::test_the_page_about_choosing",
    "docs/how-to/users/conda.md": "tests/docs/test_as_printed.py::test_the_page_about_conda",
    "docs/how-to/users/jobs.md": "tests/slurm/test_builds.py::test_the_page_as_printed",
    "docs/how-to/users/kernels-in-jobs.md": "tests/slurm/test_kernels_served.py::test_the_pages_as_printed",
    "docs/how-to/users/modules.md": "tests/docs/test_as_printed.py::test_the_page_about_modules",
    "docs/how-to/users/move.md": "tests/cli/test_places.py::test_the_pages_about_sizes_and_moves_as_printed",
    "docs/how-to/users/packages.md": "tests/integration/test_pages.py::test_the_page_about_packages",
    "docs/how-to/users/recreate.md": "tests/integration/test_recreate.py::test_the_page_for_users_says_what_works",
    "docs/how-to/users/requirements.md": "tests/docs/test_as_printed.py::test_the_page_about_requirements",
    "docs/how-to/users/share.md": "tests/crowd/test_share.py::test_the_page_as_printed",
    "docs/how-to/users/sizes.md": "tests/cli/test_places.py::test_the_pages_about_sizes_and_moves_as_printed",
    "docs/how-to/users/undo.md": "tests/integration/test_pages.py::test_the_page_about_undoing",
    "docs/reference/rest.md": "tests/docs/test_from_programs.py::test_the_page_about_rest",
    "docs/tutorial/first-environment.md": "tests/docs/test_as_printed.py::test_the_tutorial",
}

EVERYDAY = "docs/how-to/admins/everyday.md"

#: What no test runs, and why.
NOT_RUN = {
    ("README.md", "scripts/demo"): "the part “demo” of scripts/test runs it",
    ("README.md", "scripts/test"): "it runs this test",
    ("README.md", "python -m pip install ."): "the part “wheels” of scripts/test builds and installs the wheel",
    (EVERYDAY, "/opt/jupyter/bin/pip install --upgrade jupyter_hpcenv"): "needs an index with a later version",
    (EVERYDAY, "/opt/jupyter/bin/pip uninstall --yes jupyter_hpcenv"): "the checkout is not to be removed",
    ("docs/explanation/performance.md", ".venv/bin/python -m benchmarks"): "takes minutes and a quiet machine",
    ("docs/explanation/performance.md", ".venv/bin/python -m benchmarks --quick"): "takes minutes and a quiet machine",
    ("docs/explanation/performance.md", ".venv/bin/python -m benchmarks create list"): "needs a quiet machine",
}


def understood(words: list[str]) -> None:
    """Let the program read a command line, and do nothing; raises what it would complain of."""
    context = app.make_context("jupyter hpcenv", list(words))
    command: click.Command = app
    while isinstance(command, click.Group):
        waiting = [*getattr(context, "_protected_args", ()), *context.args]  # older versions of click part them
        name, inner, rest = command.resolve_command(context, waiting)
        assert inner is not None
        context = inner.make_context(name, rest, parent=context)
        command = inner


def ours(line: str) -> list[list[str]]:
    """Return the words after “jupyter hpcenv” of each such program in a line, whatever variables it gets."""
    found = []
    for words in printed.programs(line):
        while words and re.match(r"\w+=", words[0]):
            words = words[1:]
        if words[:1] == ["su"] and "-c" in words:
            found += ours(words[words.index("-c") + 1])
        elif [Path(word).name for word in words[:2]] == ["jupyter", "hpcenv"]:
            found.append(words[2:])
    return found


def spoken() -> list[tuple[str, str]]:
    """Return the commands of ours that stand in sentences and indented blocks."""
    found = []
    for page, text in PAGES.items():
        prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        prose = re.sub(r"^### .*\n\n    .*$", "", prose, flags=re.MULTILINE)  # usage lines of the reference
        for said in re.findall(r"`(jupyter\s+hpcenv\s[^`]+)`", prose) + re.findall(
            r"^    (jupyter hpcenv .+)$", prose, re.M
        ):
            found.append((page, " ".join(said.split())))
    return found


@pytest.mark.parametrize("page", [page for page, text in PAGES.items() if printed.commands(text)])
def test_each_command_is_run_or_it_is_said_why_not(page: str) -> None:
    left = [each for each in printed.commands(PAGES[page]) if (page, each) not in NOT_RUN]
    assert not left or page in RUN, f"no test runs {left} of {page}"


def test_the_tables_name_what_is_there() -> None:
    for page, test in RUN.items():
        assert printed.commands(PAGES[page]), page
        file, _, function = test.partition("::")
        text = (printed.CHECKOUT / file).read_text()
        assert re.search(rf"^def {function}\(", text, re.MULTILINE), test
        assert Path(page).name in text, f"{test} does not read {page}"
    for page, command in NOT_RUN:
        assert command in printed.commands(PAGES[page]), (page, command)


def test_the_program_understands_each_command_of_a_block() -> None:
    seen = 0
    for page, text in PAGES.items():
        for command in printed.commands(text):
            for words in ours(command):
                seen += 1
                try:
                    understood(words)
                except click.ClickException as error:
                    pytest.fail(f"{page}: {command}\n{error.format_message()}")
    assert seen > 90


def test_the_program_understands_each_command_of_a_sentence() -> None:
    """They may stop where a sentence goes on (“…”), or leave out what comes after."""
    said = spoken()
    assert len(said) > 40
    for page, line in said:
        words = shlex.split(line.removeprefix("jupyter hpcenv ").replace("…", "").replace("[", "").replace("]", ""))
        command = app.commands.get(words[0]) if not words[0].startswith("-") else app
        assert command is not None, f"{page}: there is no “{words[0]}” in {line}"
        known = {name for each in [app, command] for parameter in each.params for name in parameter.opts}
        if isinstance(command, click.Group) and len(words) > 1:
            assert words[1] in command.commands, f"{page}: {line}"
            known |= {name for parameter in command.commands[words[1]].params for name in parameter.opts}
        for word in words[1:]:
            if word.startswith("-") and word not in ("-", "--", "--help", "-h"):
                assert word.split("=")[0] in known, f"{page}: {line} has no {word}"


def test_a_command_that_is_wrong_is_found() -> None:
    for wrong in (
        ["crate", "a"],
        ["create", "a", "--no-such"],
        ["delete"],
        ["templates", "lists"],
        ["create", "--python"],
    ):
        with pytest.raises(click.ClickException):
            understood(wrong)
    understood(["templates", "show", "--built-in", "x"])
    line = "A=1 B='x y' jupyter hpcenv list > f | cat && jupyter hpcenv show 'a b'"
    assert ours(line) == [["list"], ["show", "a b"]]
    assert ours("su - somebody -c '/opt/bin/jupyter hpcenv use it'") == [["use", "it"]]
    assert printed.commands("```console\n# cat >f <<'END'\n# none\nEND\n$ one \\\n  two  # three\n```\n") == [
        "cat >f <<'END'",
        "one \\\n  two",
    ]
