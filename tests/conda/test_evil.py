"""The evil packages are evil, and harm is seen: an installer that believes everything comes to harm by each."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from . import evil
from .archives import tiny
from .naive import install
from .victim import MARK, Victim


def harm_by(attack: evil.Attack, victim: Victim) -> list[str]:
    """Install naively, as far as it goes, and look."""
    prefix, cache = victim.root / "envs/env", victim.root / "cache"
    try:
        install(attack.channel, attack.specs, prefix, cache)
    except OSError as error:
        print(f"stopped: {error}")
    return victim.harm(prefix, holders=(cache, attack.channel.parent))


@pytest.mark.parametrize("name", evil.EVILS)
def test_believing_everything_does_harm(tmp_path: Path, name: str) -> None:
    if name == "device" and os.geteuid() != 0:
        pytest.skip("only root makes devices")
    victim = Victim(tmp_path)
    found = harm_by(evil.EVILS[name](tmp_path / "channels/evil", victim), victim)
    print("\n".join(found))
    assert found


@pytest.mark.parametrize("ending", [".conda", ".tar.bz2"])
def test_no_harm_is_seen_in_honest_packages(tmp_path: Path, ending: str) -> None:
    victim = Victim(tmp_path)
    needed = tiny("honest-library", files={"lib/library": MARK}, links={"lib/link": "library"})
    package = tiny("honest", depends=["honest-library"], files={"bin/honest": "#!/bin/sh\n", "share/data": MARK})
    attack = evil.publish(tmp_path / "channels/honest", needed, package, ending=ending)
    assert harm_by(attack, victim) == []
    assert (tmp_path / "envs/env/lib/link").read_bytes() == MARK


def test_all_is_seen_that_lies_where_it_should_not(tmp_path: Path) -> None:
    victim = Victim(tmp_path)
    prefix, records = tmp_path / "envs/env", tmp_path / "records"
    (prefix / "share").mkdir(parents=True)
    records.mkdir()
    (prefix / "share/data").write_bytes(MARK)
    (records / "record").write_text("honest")
    assert victim.harm(prefix, allowed=[records]) == []
    assert victim.harm(prefix) == [f"{records} was made", f"{records / 'record'} was made"]
    (records / "record").write_bytes(MARK)
    assert victim.harm(prefix, allowed=[records]) == [f"{records / 'record'} was written"]
