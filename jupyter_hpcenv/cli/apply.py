"""``apply``: bring what a manifest asks for to everybody, or say what that would do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import HpcenvError, InvalidRequest
from .session import Session, is_terminal, with_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..admission.applying import Report
    from ..manifest import Step

#: What a dry run ends with where something would be changed, as Ansible and cron's users expect it.
CHANGES = 2


class _Command(click.Command):
    """Ends with 1 for every error, a wrong option too: 2 says that there are changes."""

    def make_context(self, *arguments: Any, **more: Any) -> click.Context:
        try:
            return super().make_context(*arguments, **more)
        except click.UsageError as error:
            raise _failure(
                InvalidRequest(error.format_message(), hints=["Read “jupyter hpcenv apply --help”."])
            ) from error


@click.command(cls=_Command)
@click.argument("manifest", metavar="MANIFEST", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--prune", is_flag=True, help="Move to the trash what the manifest does not ask for any more.")
@click.option(
    "--prune-limit", type=click.IntRange(min=0), metavar="N", help="Remove up to N; default: as configured, else 10."
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    help="Build and remove no more than N in this run, the first ones.",
)
@click.option("--verify", is_flag=True, help="Compare all files with what was installed, not only the chief ones.")
@click.option(
    "--rollback", metavar="NAME", default="", help="Give everybody the release of NAME before the one in use."
)
@click.option(
    "--forward", metavar="NAME", default="", help="Give everybody the release of NAME again that a rollback holds back."
)
@with_session
def apply(
    session: Session,
    manifest: Path,
    dry_run: bool,
    prune: bool,
    prune_limit: int | None,
    limit: int | None,
    verify: bool,
    rollback: str,
    forward: str,
) -> int:
    """Bring the environments of a manifest to everybody: build, test, switch and publish what is missing.

    What is as the manifest says is left alone; what is damaged is built again; what a killed run left is finished. It
    is run by an account for building, never by root.

    It ends with 0 when all is done and 1 when something failed; with “--dry-run” with 0 when nothing would be changed,
    2 when something would, 1 when that can not be said.
    """
    from ..admission.applying import Options, refuse_root

    live = is_terminal() and not session.output.as_json
    try:
        refuse_root()
        options = Options(dry_run=dry_run, prune=prune, verify=verify, limit=limit, prune_limit=prune_limit)
        run = session.admission.applying(manifest, lambda step: session.output.say(_line(step)) if live else None)
        if (rollback or forward) and (dry_run or prune or (rollback and forward)):
            word, other = ("--rollback", "--forward") if rollback else ("--forward", "--rollback")
            raise InvalidRequest(f"{word} stands alone.", hints=[f"Leave --dry-run, --prune and {other} out."])
        if rollback or forward:
            report = run.roll_back(rollback) if rollback else run.go_forward(forward)
        else:
            report = run.plan(options) if dry_run else run.apply(options)
    except HpcenvError as error:
        _failure(error)
        raise
    if report.failed:
        _show_failed(session, report, live)
        return 1
    session.output.result(report, _lines(report, live))
    return CHANGES if dry_run and report.changes else 0


def _failure(error: HpcenvError) -> HpcenvError:
    error.exit_code = 1  # type: ignore[misc]  # whatever it is elsewhere
    return error


def _show_failed(session: Session, report: Report, live: bool) -> None:
    """Show the report all the same: what failed hindered nothing else."""
    import msgspec

    from .output import SCHEMA

    count = len(report.failed)
    hints = [f"{_name(step)}: {hint}" for step in report.failed for hint in step.hints]
    error = HpcenvError(
        f"{count} of {len(report.steps)} could not be done: {', '.join(_name(step) for step in report.failed)}.",
        hints=hints,
        reason="\n".join(f"{_name(step)}: {step.error}" for step in report.failed),
    )
    if session.output.as_json:
        data = msgspec.to_builtins(report)
        session.output.document({"schema": SCHEMA, "ok": False, "error": error.body(), "data": data})
        return
    session.output.result(report, _lines(report, live))
    session.output.error(error)


def _lines(report: Report, told: bool) -> Iterator[str]:
    """Yield what was done, but for what was *told* when it was done, and the sum of it."""
    for step in report.steps:
        if (step.act != "unchanged" or step.error) and not (told and (step.done or step.error)):
            yield _line(step)
    unchanged = sum(step.act == "unchanged" for step in report.steps)
    changes, failed = len(report.changes), len(report.failed)
    rest = len(report.steps) - unchanged - changes - failed
    verb = "would be changed" if report.dry_run else "changed"
    more = f", {rest} left alone" if rest else ""
    yield f"{report.label}: {unchanged} as they should be, {changes} {verb}, {failed} failed{more}."


_DOING = {
    "build": ("is built", "was built"),
    "repair": ("is repaired", "was repaired"),
    "change": ("gets other packages", "got other packages"),
    "replace": ("is replaced", "was replaced"),
    "finish": ("is published", "was published"),
    "retire": ("is not offered any more", "is not offered any more"),
    "prune": ("goes to the trash", "went to the trash"),
    "held": ("is held back", "is held back"),
    "skipped": ("is skipped", "is skipped"),
    "left": ("stays", "stays"),
    "unchanged": ("is as it should be", "is as it should be"),
    "error": ("is not possible", "is not possible"),
}


def _line(step: Step) -> str:
    if step.error:
        return f"{_name(step)}: {step.error}"
    return f"{_name(step)} {_DOING[step.act][step.done]}." + (f" {step.why}" if step.why else "")


def _name(step: Step) -> str:
    return f"{step.name} {step.release}".strip()


COMMANDS = (apply,)
