"""The doctor's door: what is wrong with an environment or the account, and what can be mended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from .output import table
from .session import Session, with_session

if TYPE_CHECKING:
    from ..admission.doctoring import Done
    from ..doctor import Finding
    from ..lifecycle.health import Health

Told = TypeVar("Told", "Finding", "Done")


@click.command()
@click.argument("reference", metavar="[ENVIRONMENT]", default="")
@click.option("--fix", is_flag=True, help="Mend what can be mended; without it, it is only said how.")
@click.option("--dry-run", is_flag=True, help="With --fix: only say what would be done.")
@click.option("--put-back", default="", metavar="WORD", help="Bring back what --fix put aside.")
@click.option("--files", is_flag=True, help="Compare the environment's files with what was installed, by their sizes.")
@click.option("--hash", "hashes", is_flag=True, help="The same, each byte.")
@with_session
def check(session: Session, reference: str, fix: bool, dry_run: bool, put_back: str, files: bool, hashes: bool) -> None:
    """Look what is wrong with an environment; without one, with your account and all environments of yours.

    Each finding says what it breaks, and what --fix would do, or why there is nothing that we could do. Nothing is
    started, and without --fix nothing is changed. With --files (--hash) the files of an environment are compared with
    what was installed: missing, changed, unreadable, and strange, which belong to no package.
    ENVIRONMENT is its id, NAME or LOCATION/NAME.
    """
    desk, output = session.admission, session.output
    if sum((fix, bool(put_back), files or hashes)) > 1:
        raise click.UsageError("Of --fix, --put-back and --files (--hash) only one can be done at a time.")
    if dry_run and not fix:
        raise click.UsageError("--dry-run says what --fix would do: give both.")
    if put_back:
        path = desk.put_back(put_back)
        output.result({"path": path}, [f"{path} is back."])
    elif files or hashes:
        if not reference:
            raise click.UsageError("Name the environment whose files are meant.")
        health = desk.health(reference, hashes=hashes)
        output.result(health, _compared(health, desk.catalog.find(reference).name))
    elif fix:
        done = desk.mend(reference, dry_run=dry_run)
        nothing = ["There is nothing that could be mended from here."]
        output.result(done, _by_owner(done, _mended, session, reference) or nothing)
    else:
        found = desk.examine(reference)
        output.result(found, _by_owner(found, _found, session, reference) or ["Nothing is wrong."])


def _by_owner(found: Sequence[Told], lines: Callable[[Told], list[str]], session: Session, reference: str) -> list[str]:
    """Return the *lines* of each; of all environments, below the name of the one that is meant."""
    if reference:
        return [line for each in found for line in lines(each)]
    names = {row.id: f"{row.location}/{row.name}".lstrip("/") for row in session.admission.catalog.environments()}
    shown: list[str] = []
    for owner in dict.fromkeys(each.environment for each in found):
        shown += [""] if shown else []
        shown.append(f"{names.get(owner, owner) if owner else 'Your account'}:")
        shown += [line for each in found if each.environment == owner for line in lines(each)]
    return shown


def _found(each: Finding) -> list[str]:
    act = "With --fix: " if each.fix else ""
    return [f"{each.code}: {each.message}", f"  {each.breaks}", f"  {act}{each.advice}"]


def _mended(each: Done) -> list[str]:
    lines = [f"{each.code}: {each.message}"]
    if each.operation:
        lines.append(f"  Follow it: jupyter hpcenv log {each.operation} --follow")
    if each.undo:
        lines.append(f"  Undo it: jupyter hpcenv check --put-back {each.undo}")
    return lines


def _compared(found: Health, name: str) -> list[str]:
    how = "byte by byte" if found.hashed else "by their sizes"
    lines = table(
        ("WHAT", "PACKAGE", "FILE", "WHY"),
        [(each.kind, each.package, each.path, each.message) for each in found.problems],
    )
    more = sum(found.counts.values()) - len(found.problems)
    rest = [f"… and {more:,} more."] if more else []
    end = f"{found.files:,} files of {name} were compared {how}: "
    bad = {kind: count for kind, count in found.counts.items() if kind != "strange"}
    if not bad:
        return [*(lines if found.problems else []), *rest, end + "they are as they were installed."]
    told = ", ".join(f"{count:,} {kind}" for kind, count in bad.items())
    return [
        *lines,
        *rest,
        end + told + ".",
        f"Build it again with the same versions: “jupyter hpcenv rebuild {name}”.",
        "If the same files are damaged then, the cache of packages has them so: “jupyter hpcenv caches --clean”, and "
        "build it again.",
    ]


COMMANDS = (check,)
