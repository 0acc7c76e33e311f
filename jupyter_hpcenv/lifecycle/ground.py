"""Break the ground for a prefix, and clear it again: only what an operation itself began is ever removed.

The folder of a prefix appears whole, by a rename, with the operation's id inside. Whatever else stands at
that place, a folder of the user's or what another operation built, has another id or none, and stays.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Container
from pathlib import Path

from ..errors import BrokenRecord, NameTaken
from ..files import explain, read_regular, remove_tree, rename_new, sync_folder, write_atomic
from ..names import is_operation_id

MARK = Path(".hpcenv") / "operation"
_NEW, _GONE = ".hpcenv-new-", ".hpcenv-gone-"
_OCCUPIED = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


def break_ground(prefix: Path, operation: str, *, closed: bool = False) -> None:
    """Make the folder of a new prefix, *closed* to others if asked; raises `NameTaken` if something stands there."""
    aside = prefix.with_name(_NEW + operation)
    try:
        aside.mkdir(mode=0o700 if closed else 0o777, parents=True)
        (aside / MARK.parent).mkdir()
        write_atomic(aside / MARK, operation.encode(), 0o644)
        rename_new(aside, prefix)
        sync_folder(prefix.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            remove_tree(aside)
        if isinstance(error, OSError):
            if error.errno in _OCCUPIED:
                raise NameTaken(
                    f"Somebody has put something at {prefix} in the meantime.",
                    hints=["Look at what is there; then create it again, or choose another name."],
                ) from error
            raise explain(error, prefix) from error
        raise


def began(prefix: Path) -> str:
    """Return the id of the operation that began the prefix, or an empty text."""
    with contextlib.suppress(OSError, BrokenRecord):
        text = read_regular(prefix / MARK, 100).decode(errors="replace")
        return text if is_operation_id(text) else ""
    return ""


def clear_ground(prefix: Path, operation: str, guard: Callable[[], None]) -> None:
    """Remove what *operation* began and did not finish; what has a record, or another beginner, stays.

    *guard* raises when the operation has another owner by now: who is taken over removes nothing.
    """
    gone = prefix.with_name(_GONE + operation)
    try:
        if began(prefix) == operation and not _committed(prefix):
            guard()
            os.rename(prefix, gone)  # noqa: PTH104  in one step: the mark must not go before the rest
            if began(gone) != operation:
                rename_new(gone, prefix)  # another one was faster
        for leftover in (gone, prefix.with_name(_NEW + operation)):
            if os.path.lexists(leftover):
                remove_tree(leftover)
    except FileNotFoundError:
        return
    except OSError as error:
        raise explain(error, prefix) from error


def _committed(prefix: Path | str) -> bool:
    return os.path.lexists(f"{prefix}/.hpcenv/environment.json")  # a text: this is asked of thousands


def clear_leftovers(folder: Path, finished: Container[str]) -> int:
    """Remove from *folder* what finished operations could not remove when they ended; return how many went.

    That happens when a location was away just then. Called by `reconcile` for each location.
    """
    cleared = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith((_NEW, _GONE)):
                ours = entry.name.removeprefix(_NEW).removeprefix(_GONE) in finished
            else:
                hidden = entry.name.startswith(".") or not entry.is_dir(follow_symlinks=False)
                ours = not hidden and not _committed(entry.path) and began(Path(entry.path)) in finished
            if ours:
                with contextlib.suppress(OSError):
                    remove_tree(Path(entry.path))
                    cleared += 1
    return cleared
