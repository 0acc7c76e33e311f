"""Make the rows of the list: from a record, from the copy of one that is out of reach, or from what is wrong."""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from .. import activation
from ..errors import HpcenvError
from ..models import ActivationFile, Environment, EnvironmentState, Record
from ..site import Site
from ..site.target import as_record, current
from .foreign import foreign_id


class Look:
    """What all rows of one list share, so that it is asked of the disk once: kernelspecs and interpreters."""

    def __init__(self, published: Mapping[str, str], target: str, site: Site) -> None:
        self.published = published
        """Where each kernelspec of this user lies, by name."""
        self._target = target
        self._site = site
        self._there: dict[str, bool] = {}
        self._kind: str | None = None

    def there(self, path: str) -> bool:
        """Tell whether an interpreter, or a modulefile, exists; many environments share one."""
        found = self._there.get(path)
        if found is None:
            found = self._there[path] = os.path.exists(path)  # noqa: PTH110  a text, as records have it
        return found

    def gone(self, record: Record) -> tuple[str, ...]:
        """Return which modules of a record have no modulefile any more, on machines like this one."""
        captured = record.modules.loaded.get(self._target, []) if record.modules else []
        return tuple(module.name for module in captured if module.path and not self.there(module.path))

    def activation(self, record: Record, *, own: bool) -> list[ActivationFile]:
        """Return the activation files of a record, without a look at the disk where it has none."""
        return activation.files_of(record, self._site, own=own) if record.activation else []

    def here(self, record: Record) -> Record | None:
        """Return what an environment is on this kind of computer; None where it has builds for others alone."""
        if not record.target:
            return record
        if self._kind is None:
            self._kind = current(self._site.target_variables)
        if self._kind in record.builds:
            return as_record(record, self._kind)
        return record if self._kind == record.target else None

    def stands(self, record: Record) -> tuple[bool, tuple[str, ...]]:
        """Return how what a row says of the world outside its record stands."""
        used = self.here(record)
        if used is None:
            return True, ()
        return not used.python or self.there(used.python_path), self.gone(used)


def row_at(place: str, location: str, record: Record, look: Look, *, own: bool) -> Environment:
    """Return the row of the record that lies at *place*; where it lies decides over what it says."""
    told: dict[str, Any]
    if record.prefix != place:
        message = f"It was copied or moved here from {record.prefix}; its programs still point there."
        name = os.path.basename(place)  # noqa: PTH119
        told = {"id": foreign_id(Path(place)), "name": name, "state": "broken", "message": message}
        told |= {"kernels": [], "activation": []}  # those are the original's
    elif (used := look.here(record)) is None:
        told = {}  # nothing here can tell how a build for another kind of computer is
    elif used.python and not look.there(used.python_path):
        message = f"Its Python {used.python} is gone from {used.python_path}."
        told = {"state": "python_gone", "message": message}
    elif gone := look.gone(used):
        named = ", ".join(f"“{name}”" for name in gone)
        told = {"state": "module_missing", "message": f"Modules that it needs are gone: {named}."}
    else:
        told = {}
    return _row(record, look, own=own, **{"prefix": place, "location": location, **told})


def slow_row(copy: Record, look: Look, why: str = "") -> Environment:
    """Return the row of an environment whose filesystem hangs, or can not be read now."""
    message = why or f"The filesystem of {copy.prefix} does not answer now."
    return _row(copy, look, own=True, state="slow", message=message)


def missing_row(copy: Record, look: Look) -> Environment:
    """Return the row of an environment that is gone though nobody deleted it."""
    return _row(copy, look, own=True, state="missing", message=f"Its prefix {copy.prefix} is gone.")


def damaged_row(copy: Record, look: Look, why: str) -> Environment:
    """Return the row of an environment of one's own whose record can not be used, while a copy of it can."""
    return _row(copy, look, own=True, state="broken", message=why)


def unusable_row(prefix: Path, location: str, state: EnvironmentState, error: HpcenvError) -> Environment:
    """Return the row of a prefix whose record can not be used."""
    uid, owner = -1, ""
    with contextlib.suppress(OSError, KeyError):  # an account may have no name here, and own it all the same
        uid = prefix.lstat().st_uid
        owner = pwd.getpwuid(uid).pw_name
    return Environment(
        id=foreign_id(prefix),
        name=prefix.name,
        location=location,
        prefix=str(prefix),
        manager="",
        installer="",
        python="",
        state=state,
        origin="own" if uid == os.geteuid() else "shared",
        owner=owner,
        message=error.message,
    )


def _row(record: Record, look: Look, *, own: bool, **told: Any) -> Environment:
    values: dict[str, Any] = {
        "id": record.id,
        "name": record.name,
        "location": record.location,
        "prefix": record.prefix,
        "manager": record.manager,
        "installer": record.installer,
        "python": record.python,
        "state": "ready",
        "origin": "own" if own else "shared",
        "display_name": record.display_name,
        "owner": record.owner,
    }
    if "kernels" not in told:
        values["kernels"] = [
            msgspec.structs.replace(kernel, path=look.published.get(kernel.name, ""))
            for kernel in record.kernels
            if own or kernel.name in look.published
        ]
    if "activation" not in told:
        values["activation"] = look.activation(record, own=own)
    return Environment(**{**values, **told})
