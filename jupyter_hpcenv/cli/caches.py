"""The verb about what installers keep: caches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from .output import size, table
from .session import Session, with_session

if TYPE_CHECKING:
    from ..admission.caching import Moving
    from ..models import Cache, CleanedCache


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--clean", is_flag=True, help="Clean them: all, or those that are named.")
@click.option("--dry-run", is_flag=True, help="With --clean: only say what would go.")
@click.option("--move-off-home", default="", metavar="LOCATION", help="Say how they are moved there; nothing is moved.")
@with_session
def caches(session: Session, names: tuple[str, ...], clean: bool, dry_run: bool, move_off_home: str) -> None:
    """Show where uv, pip and conda keep packages that they have fetched, and how large that is.

    --clean leaves what is in use by a build on any host, what environments link to, and what is not yours, and says
    why. Whatever goes is fetched again when it is needed. NAME is the name of a cache, as it is shown.
    """
    if dry_run and not clean:
        raise click.UsageError("--dry-run says what --clean would do: give both.")
    if move_off_home and (clean or names):
        raise click.UsageError("--move-off-home stands alone.")
    desk, output = session.admission, session.output
    if move_off_home:
        moving = desk.caching.moving(move_off_home)
        output.result(moving, moving_lines(moving))
    elif clean:
        from ..models import CleanCaches

        cleaned = desk.clean_caches(CleanCaches(caches=list(names), dry_run=dry_run))
        output.result(cleaned, _cleaned(cleaned, dry_run))
    else:
        found = desk.caches(wait=True)
        if unknown := set(names) - {each.name for each in found}:
            from ..errors import NotFound

            known = ", ".join(each.name for each in found)
            raise NotFound(f"There is no cache {min(unknown)!r}.", hints=[f"These exist: {known}."])
        chosen = [each for each in found if not names or each.name in names]
        output.result(chosen, _shown(chosen))


def _shown(found: Sequence[Cache]) -> Iterator[str]:
    rows = [
        (each.name, "not known" if each.bytes is None else size(each.bytes), f"{each.files or 0:,}", each.path)
        for each in found
    ]
    head, *lines = table(("CACHE", "SIZE", "FILES", "WHERE"), rows)
    yield head
    for each, line in zip(found, lines, strict=True):
        yield line
        yield from (f"  {note}" for note in each.notes)
        if each.reason:
            yield f"  {each.reason}" if each.cleanable else f"  Cleaning leaves it alone. {each.reason}"


def _cleaned(found: Sequence[CleanedCache], dry_run: bool) -> list[str]:
    rows = [
        (each.name, size(each.bytes) if each.done else "left", f"{each.files:,}" if each.done else "", each.reason)
        for each in found
    ]
    return table(("CACHE", "WOULD GO" if dry_run else "WENT", "FILES", ""), rows)


def moving_lines(moving: Moving) -> Iterator[str]:
    """Yield what a person writes into start-up files; `setup --user` shows it, too."""
    files = {"bash": "~/.bashrc", "csh": "~/.cshrc", "fish": "~/.config/fish/config.fish"}
    for shell, lines in moving.shells.items():
        yield f"In {files[shell]}, for {shell}:"
        yield from (f"  {line}" for line in lines)
    yield from moving.notes


COMMANDS = (caches,)
