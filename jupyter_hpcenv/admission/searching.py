"""Say where a package can be had: in indexes, channels, folders and modules, and whether it is there already."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

from packaging.utils import canonicalize_name

from ..errors import HpcenvError, InvalidRequest, ManagerNotFound
from ..managers.contract import Hit, Manager
from ..managers.searching import check_word
from ..models import Record
from .creating import Means

#: Seconds that all who are asked have together; an index of channels takes some to fetch.
PATIENCE = 20.0
MOST = 200


def search(query: str, record: Record | None, manager: str, limit: int, means: Means) -> list[Hit]:
    """Return at most *limit* hits of each place, what can be installed first.

    With *record* it is looked for what that environment could take; else for new environments, of *manager* or any.
    """
    word = check_word(query)
    if record is not None and manager not in ("", record.manager):
        raise InvalidRequest(
            f"{record.name} is an environment of {record.manager}.",
            hints=["Leave the manager out, or the environment."],
        )
    chosen = _managers(record.manager if record else manager, means)
    limit = max(1, min(limit, MOST))
    jobs: list[Callable[[], list[Hit]]] = [
        *(_job(each, word, record, limit) for each in chosen),
        lambda: _modules(word, means, limit),
    ]
    found = _beside(jobs)
    there = _installed(record, means)
    for hit in found:
        hit.installed = there.get(str(canonicalize_name(hit.name)), "")
    found.sort(key=lambda hit: not hit.version)
    return found


def _managers(name: str, means: Means) -> list[Manager]:
    if name and name not in means.managers:
        raise ManagerNotFound(
            f"There is no manager {name!r}.", hints=[f"These are installed: {', '.join(sorted(means.managers))}."]
        )
    return [each for key, each in sorted(means.managers.items(), reverse=True) if name in ("", key)]


def _job(manager: Manager, word: str, record: Record | None, limit: int) -> Callable[[], list[Hit]]:
    def ask() -> list[Hit]:
        try:
            return manager.search(word, record, limit, PATIENCE)
        except HpcenvError as error:
            return [Hit(name=word, source=manager.name, note=f"Nothing could be asked: {error.message}")]

    return ask


def _beside(jobs: list[Callable[[], list[Hit]]]) -> list[Hit]:
    """Do all jobs at the same time, and return what they found in their order."""
    found: list[list[Hit]] = [[] for _ in jobs]

    def do(number: int) -> None:
        found[number] = jobs[number]()

    threads = [threading.Thread(target=do, args=(number,), daemon=True) for number in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [hit for hits in found for hit in hits]


def _modules(word: str, means: Means, limit: int) -> list[Hit]:
    with contextlib.suppress(HpcenvError, OSError):
        return [
            Hit(
                name=each.package,
                version=each.version,
                versions=1,
                source=f"module {each.module}",
                note=f"Load first: {' '.join(each.prerequisites[0])}." if each.prerequisites else "",
            )
            for each in means.modules.provides(word)[:limit]
        ]
    return []


def _installed(record: Record | None, means: Means) -> dict[str, str]:
    if record is None:
        return {}
    with contextlib.suppress(HpcenvError, OSError):
        there = means.managers[record.manager].list_packages(Path(record.prefix))
        return {str(canonicalize_name(each.name)): each.version for each in there}
    return {}
