"""Count what becomes of operations and environments, for the metrics page that Jupyter Server has anyway.

The figures go to the registry that Jupyter Server shows at ``/metrics``. Labels are words of ours alone: no name of an
environment, a package or a person is among them, and what somebody else's verb is called is “other”.
"""

from __future__ import annotations

import functools
from collections import Counter as Tally
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from ..models import EnvironmentState

if TYPE_CHECKING:
    from ..models import Environment, Operation

VERBS = frozenset(
    ("create", "plan", "change", "plan_change", "repair", "rebuild", "move", "build", "share", "unshare"),
)
OTHER = "other"

#: Seconds; a small environment takes some, one with a GPU stack on a busy filesystem half an hour.
_BUCKETS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600)


class _Metrics(NamedTuple):
    operations: Any
    seconds: Any
    changes: Any
    environments: Any


@functools.lru_cache(1)
def _metrics() -> _Metrics:
    """Return the metrics; made when there is something to count, and once, because a registry takes no name twice."""
    from prometheus_client import Counter, Gauge, Histogram

    return _Metrics(
        Counter("hpcenv_operations", "Operations that ended while this server looked.", ["verb", "result"]),
        Histogram(
            "hpcenv_operation_seconds", "From the request of an operation to its end.", ["verb"], buckets=_BUCKETS
        ),
        Counter("hpcenv_environment_changes", "What became of environments, by whomever.", ["action"]),
        Gauge("hpcenv_environments", "Environments of this user, by state.", ["state"]),
    )


def count_operation(operation: Operation) -> None:
    """Count an operation that has ended; the follower of operations calls it once for each."""
    verb, metrics = operation.verb if operation.verb in VERBS else OTHER, _metrics()
    metrics.operations.labels(verb, operation.state).inc()
    if operation.state == "succeeded" and (seconds := _seconds(operation)) is not None:
        metrics.seconds.labels(verb).observe(seconds)


def count_change(action: str) -> None:
    """Count that an environment came, went or changed; the follower of environments calls it."""
    _metrics().changes.labels(action).inc()


def show_environments(rows: Iterable[Environment]) -> None:
    """Say how many environments of the user there are now; the follower of environments calls it."""
    states = Tally(row.state for row in rows if row.origin == "own")
    for state in get_args(EnvironmentState):
        _metrics().environments.labels(state).set(states[state])


def _seconds(operation: Operation) -> float | None:
    try:
        submitted, finished = (
            datetime.fromisoformat(text.replace("Z", "+00:00")) for text in (operation.submitted, operation.finished)
        )
    except ValueError:
        return None
    return max(0.0, (finished - submitted).total_seconds())
