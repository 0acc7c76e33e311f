"""The rounds of a sweep: together they have every point, and each alone has every kind."""

from __future__ import annotations

import pytest

from . import rounds
from .conftest import Point, kind_of
from .rounds import LEAST, ROUNDS, share_of

SIZES = (1, 2, LEAST, LEAST + 1, 55, 4 * LEAST - 1, 4 * LEAST, 4 * LEAST + 1, 3712)


@pytest.mark.parametrize("size", SIZES)
def test_all_rounds_together_have_every_point(size: int) -> None:
    shares = [share_of(range(size), number, None) for number in range(ROUNDS)]
    assert set().union(*shares) == set(range(size))
    for each in shares:
        assert {0, size - 1} <= set(each)
        assert each == sorted(set(each))
        assert min(size, LEAST) <= len(each) <= max(LEAST, -(-size // ROUNDS)) + 2


def test_each_round_has_every_kind() -> None:
    """One call of the many is made a single time, and with each error once."""
    many = [Point("write", number, "") for number in range(400)]
    many[201] = Point("fsync", 1, "")
    pairs = [("EIO" if number != 77 else "EINTR", point) for number, point in enumerate(many)]
    for number in range(ROUNDS):
        assert many[201] in share_of(many, number, kind_of)
        assert {("EINTR", many[77]), ("EIO", many[201])} <= set(share_of(pairs, number, kind_of))


def test_commits_go_through_all_rounds() -> None:
    numbers = [rounds.round_of(f"{number:040x}") for number in range(40)]
    assert set(numbers) == set(range(ROUNDS))
    assert rounds.round_of("") == 0


@pytest.mark.parametrize(("told", "number"), [("all", None), ("1", 0), (str(ROUNDS), ROUNDS - 1)])
def test_a_round_can_be_asked_for(monkeypatch: pytest.MonkeyPatch, told: str, number: int | None) -> None:
    monkeypatch.setenv("HPCENV_FAULTS", told)
    monkeypatch.setattr(rounds, "this_round", rounds.this_round.__wrapped__)
    assert rounds.this_round() == number
    assert rounds.asked() == told
    assert (len(rounds.share(range(4 * LEAST))) == 4 * LEAST) is (told == "all")
