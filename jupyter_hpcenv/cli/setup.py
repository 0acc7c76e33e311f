"""The questionnaire's door: setup, for a site, for a user, and to look what is wrong."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .clean import clean
from .output import Output
from .session import Session, with_session

if TYPE_CHECKING:
    from ..admission.setting_up import Own
    from ..questions import Fault, Written

_PROFILES = ("plain-lmod", "easybuild", "cray", "alliance", "conda-only", "laptop")


@click.command()
@click.option("--into", metavar="FOLDER", default="", help="Where the files go; default: etc/jupyter of this Python.")
@click.option("--profile", type=click.Choice(_PROFILES), default=None, help="Start from ready answers.")
@click.option("--answers", "file", metavar="FILE", default="", help="Take answers from TOML or YAML, and ask nothing.")
@click.option("--yes", is_flag=True, help="Ask nothing, and take what was found and what the profile says.")
@click.option("--dry-run", is_flag=True, help="Only show what would be written.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@click.option("--user", is_flag=True, help="Set yourself up: default location, caches off home, adoption.")
@click.option("--check", is_flag=True, help="Look through the configuration that is there, and say what is wrong.")
@with_session
def setup(
    session: Session,
    into: str,
    profile: str | None,
    file: str,
    yes: bool,
    dry_run: bool,
    force: bool,
    user: bool,
    check: bool,
) -> int | None:
    """Set up this site by questions, for the people who run it.

    Looks what there is (module system, Pythons, conda, room, groups, batch system), asks, and writes a commented
    configuration, a policy to fill in, a folder for templates, samples of pip.conf and .condarc, and modulefiles
    with settings for your module of Python. What is there already is never replaced without --force.

    With --user it is about yourself: what it asks, and what it does, needs no rights. With --check nothing is asked or
    written: each fault of the configuration is told with why it matters and what to do; the exit code is 1 if something
    does not work, 0 if there are only risks.
    """
    if check and (user or into or profile or file or yes or dry_run or force):
        raise click.UsageError("--check stands alone (with --config, --define and --json).")
    if user and (into or profile):
        raise click.UsageError("--into and --profile are for a site, not for --user.")
    if session.output.as_json and not (check or yes or file):
        raise click.UsageError("With --json nothing can be asked: give --answers or --yes.")
    if check:
        return _check(session)
    if user:
        _set_up_user(session, file, yes=yes, dry_run=dry_run, force=force)
        return None
    _set_up_site(session.output, into, profile or "", file, yes=yes, dry_run=dry_run, force=force)
    return None


def _set_up_site(output: Output, into: str, profile: str, file: str, *, yes: bool, dry_run: bool, force: bool) -> None:
    from msgspec.structs import replace

    from .. import questions
    from .inputs import text_of

    said: dict[str, Any] = questions.read_answers(text_of(file, "answers"), file) if file else {}
    found = questions.detect()
    answers = questions.propose(found, profile or said.get("profile", ""))
    answers = replace(answers, **{**said, **({"profile": profile} if profile else {})})
    if not file and not yes:
        person = _Person()
        answers = questions.ask(answers, found, person)
        if not into:
            into = person.text("Into which folder?", "Jupyter reads the configuration there.", _default_folder())
    questions.check(answers)
    folder = Path(os.path.expanduser(into or _default_folder()))  # noqa: PTH111  raises for nobody
    if folder.parts[:1] and folder.parts[0].startswith("~"):
        raise click.UsageError(f"There is nobody whose home is {folder.parts[0]}.")
    folder = folder.absolute()
    written = questions.write(questions.plan(answers, folder), force=force, dry_run=dry_run)
    notes = questions.notes(answers, folder)
    needed = questions.variables(folder)
    output.result(
        {"into": str(folder), "files": written, "notes": notes}, _told(written, notes, needed, dry_run=dry_run)
    )


def _default_folder() -> str:
    """Return the folder below this Python, or the system's where this is the system's own."""
    return "/etc/jupyter" if sys.prefix == "/usr" else str(Path(sys.prefix) / "etc" / "jupyter")


def _told(
    written: Sequence[Written], notes: Sequence[str], needed: Mapping[str, str], *, dry_run: bool
) -> Iterator[str]:
    for each in written:
        yield f"{each.path}: {each.what} ({each.done})."
        if dry_run and each.done != "unchanged":
            yield from (f"  {line}".rstrip() for line in each.text.splitlines())
    yield from (f"Left to do: {note}" for note in notes)
    if not dry_run:
        words = [*(f"{name}={shlex.quote(value)}" for name, value in needed.items()), "jupyter hpcenv setup --check"]
        yield f"Look whether it holds: {' '.join(words)}"


def _set_up_user(session: Session, file: str, *, yes: bool, dry_run: bool, force: bool) -> None:
    from .. import questions
    from ..admission import setting_up
    from .inputs import text_of

    if file:
        answers = questions.read_own(text_of(file, "answers"), file)
    elif yes:
        offer = setting_up.offer(session.admission)
        answers = questions.OwnAnswers(caches=offer.caches if offer.strays else "")
    else:
        answers = questions.ask_own(setting_up.offer(session.admission), _Person())
    done = setting_up.carry_out(session.admission, answers, force=force, dry_run=dry_run)
    session.output.result(done, _told_user(done, dry_run=dry_run))


def _told_user(done: Own, *, dry_run: bool) -> Iterator[str]:
    from .caches import moving_lines

    for each in done.files:
        yield f"{each.path}: {each.what} ({each.done})."
    yield from (f"{name} has a kernel now." for name in done.adopted)
    if done.moving is not None:
        yield from moving_lines(done.moving)
    yield from done.notes
    if not (done.files or done.adopted or done.moving or done.notes):
        yield "Nothing was changed: no other default location was chosen, and no cache or environment."
    if not dry_run:
        yield "Make an environment: jupyter hpcenv create NAME PACKAGE"
        yield "Look at your account: jupyter hpcenv check"


def _check(session: Session) -> int:
    from ..admission import setting_up

    faults, files = setting_up.look(session.config_file, session.definitions)
    session.output.result({"files": files, "faults": faults}, _faults(faults, files))
    return 1 if any(each.severity == "broken" for each in faults) else 0


def _faults(faults: Sequence[Fault], files: Sequence[str]) -> Iterator[str]:
    if files:
        yield f"Read: {', '.join(files)}."
    elif any(each.code == "configuration_unreadable" for each in faults):
        yield "No configuration could be read; what it does not tell is looked at as the built-in defaults have it."
    else:
        yield "There is no configuration; the built-in defaults hold."
    for each in faults:
        yield f"{each.code}{' (a risk)' if each.severity == 'risk' else ''}: {each.message}"
        yield f"  {each.breaks}"
        yield f"  {each.advice}"
    if not faults:
        yield "Nothing is wrong."


class _Person:
    """Whoever sits at the terminal; questions go to stderr, so that stdout is the result alone."""

    def text(self, question: str, why: str, default: str) -> str:
        hint = f"{question} (“-”: nothing)" if default else question  # an empty line takes the default
        said = str(self._asked(hint, why, default, type=str, show_default=bool(default))).strip()
        return "" if default and said == "-" else said

    def choice(self, question: str, why: str, options: Sequence[str], default: str) -> str:
        return str(self._asked(question, why, default, type=click.Choice(list(options))))

    def yes(self, question: str, why: str, default: bool) -> bool:
        click.echo(f"\n{clean(why)}", err=True)
        return click.confirm(clean(question), default=default, err=True)

    def say(self, text: str) -> None:
        click.echo(clean(text), err=True)

    def _asked(self, question: str, why: str, default: str, **options: Any) -> Any:
        click.echo(f"\n{clean(why)}", err=True)
        return click.prompt(clean(question), default=default, err=True, prompt_suffix=" ", **options)


COMMANDS = (setup,)
