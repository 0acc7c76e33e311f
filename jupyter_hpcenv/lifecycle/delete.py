"""Move environments to the trash, bring them back, and remove them for good.

To delete is one rename, and the kernelspec goes right after it; what a crash leaves in between is a
kernelspec that explains itself, and it goes as soon as somebody looks.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
from collections.abc import Callable
from pathlib import Path

from .. import activation, claims, kernels
from ..catalog import Catalog, trash
from ..errors import Busy, HpcenvError, LocationUnavailable, NameTaken, NotFound, Refused, WrongState
from ..files import explain, remove_tree, rename_new, sync_folder
from ..models import Environment, TrashItem
from ..site.locations import claims_for
from .faces import publish_faces


def check_deletable(row: Environment) -> None:
    """Raise `Refused` for an environment that is not the user's to delete."""
    if row.origin == "foreign":
        raise Refused(
            f"{row.name} was made by another tool, so jupyter_hpcenv does not delete it.",
            hints=["Delete it with the tool that made it."],
        )
    if row.origin == "shared":
        raise Refused(
            f"{row.name} belongs to {row.owner or 'somebody else'}; only the owner can delete it.",
            hints=["Ask the owner."],
        )


def to_trash(catalog: Catalog, row: Environment, guard: Callable[[], None]) -> TrashItem | None:
    """Move the prefix of *row* to the trash and return the item; None if there was no prefix any more.

    *guard* raises `Busy` when somebody else has taken the claim over; it is asked right before each step.
    """
    prefix = Path(row.prefix)
    if row.state != "missing" and prefix.is_symlink():
        raise Refused(f"{prefix} is a link, so it is not moved.", hints=["Remove the link yourself."])
    folder = trash.make_folder(prefix) if row.state != "missing" else None
    if folder is None:
        guard()
        _unpublish(catalog, row)
        catalog.records.forget(row.id)
        return None
    target = folder / trash.item_name(row.id, prefix)
    guard()
    try:
        os.rename(prefix, target)  # noqa: PTH104
    except OSError as error:
        if not (error.errno == errno.ENOENT and target.is_dir()):  # NFS may lose the answer: look first
            raise _not_moved(error, prefix) from error
    with contextlib.suppress(OSError):
        sync_folder(folder)
    with contextlib.suppress(Busy):  # who took over may have restored it by now, and its kernel is wanted
        guard()
        _unpublish(catalog, row)
    return find_item(catalog, row.id)


def _unpublish(catalog: Catalog, row: Environment) -> None:
    """Take the kernelspecs and activation files of *row* away; what belongs to another environment stays."""
    published = kernels.published(catalog.site)
    for kernel in row.kernels:
        if published.get(kernel.name, {}).get("environment") == row.id:
            kernels.unpublish(kernel.name, catalog.site)
    copy = catalog.records.copies_by_id().get(row.id)
    if copy is not None and copy.activation:
        with contextlib.suppress(HpcenvError):  # what stays finds no environment and says so
            activation.uninstall(copy, catalog.site)


def _not_moved(error: OSError, prefix: Path) -> LocationUnavailable:
    return LocationUnavailable(
        f"{prefix} could not be moved to the trash: {(error.strerror or str(error)).lower()}.",
        hints=["See whether the location is mounted and yours to write. Nothing was changed on disk."],
    )


def find_item(catalog: Catalog, reference: str) -> TrashItem:
    """Return the item of that id, or the newest of that name or ``LOCATION/NAME``; raises `NotFound`."""
    location, _, name = reference.rpartition("/")
    for item in catalog.trash():
        if item.id == reference or (item.name == name and location in ("", item.location)):
            return item
    raise NotFound(f"{reference!r} is not in the trash.", hints=["List the trash to see what can be restored."])


def check_restorable(catalog: Catalog, item: TrashItem) -> None:
    """Raise `NameTaken` if another environment of the location has the name by now; called with the claim held."""
    for row in catalog.environments(location=item.location):
        if row.name.lower() == item.name.lower():
            raise NameTaken(
                f"There is an environment {row.name} in {item.location} by now, so {item.name} can not come back.",
                hints=[f"Delete {row.name} first, then restore {item.name}."],
            )


def restore(catalog: Catalog, item: TrashItem, guard: Callable[[], None]) -> None:
    """Put an item back where it was and publish its kernels; never replaces what is there now.

    *guard* raises `Busy` when somebody else has taken the claim over; it is asked right before each step.
    """
    prefix = Path(item.prefix)
    guard()
    try:
        rename_new(Path(item.path), prefix)
        sync_folder(prefix.parent)
    except FileExistsError:
        raise NameTaken(
            f"{prefix} exists again, so {item.name} can not go back there.",
            hints=["Delete or rename what is there now, then restore."],
        ) from None
    except FileNotFoundError:
        raise WrongState(f"{item.name} is not in the trash any more.", hints=["List the trash again."]) from None
    except OSError as error:
        raise explain(error, prefix) from error
    with contextlib.suppress(NotFound):
        record = catalog.record(item.id)
        guard()
        publish_faces(record, catalog.site)
        catalog.records.write_copy(record)


def mark_gone(catalog: Catalog, item: TrashItem) -> Path:
    """Make an item unrestorable at once, by a rename; its bytes are removed by `sweep`.

    Raises `Busy` for one on which there is a claim: what is being built again lies in the trash meanwhile, and is the
    way back. A claim that was left behind counts, too, until somebody has put right what it was about.
    """
    root = claims_for(catalog.site, item.location, item.prefix)
    if claims.read(claims.path_of(root, item.name)) is not None:
        raise Busy(
            f"{item.name} is being changed, so it stays in the trash for now.", hints=["Try again when that is done."]
        )
    gone = Path(item.path).with_name(trash.gone_name(item.id))
    try:
        os.rename(item.path, gone)  # noqa: PTH104
    except FileNotFoundError:
        raise NotFound(f"{item.name} is not in the trash any more.", hints=["List the trash again."]) from None
    except OSError as error:
        raise explain(error, Path(item.path)) from error
    return gone


def sweep(catalog: Catalog) -> int:
    """Remove what is marked as gone; what resists (a file open on NFS) is tried again next time.

    The copy of the record goes when the bytes have gone: until then it is what leads here from outside
    all locations.
    """
    removed = 0
    for _, folder in catalog.trash_folders():
        for path in trash.marked(folder):
            with contextlib.suppress(OSError):
                remove_tree(path, emptied=functools.partial(_forget, catalog, trash.id_of_marked(path)))
                removed += 1
    return removed


def _forget(catalog: Catalog, identifier: str) -> None:
    kept = {item.id for item in catalog.trash()}
    kept |= {row.id for row in catalog.environments() if row.state != "missing"}
    if identifier not in kept:
        catalog.records.forget(identifier)
