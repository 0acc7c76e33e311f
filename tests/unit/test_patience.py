from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from jupyter_hpcenv.catalog import Catalog
from jupyter_hpcenv.patience import Patience, Slow
from jupyter_hpcenv.site import Site
from jupyter_hpcenv.site import locations as places


def test_answers_and_exceptions_pass() -> None:
    patience = Patience(30)
    assert patience.ask("a", max, 1, 2) == 2
    with pytest.raises(ZeroDivisionError):
        patience.ask("a", lambda: 1 // 0)


def test_what_hangs_is_slow_at_once_until_it_comes_back() -> None:
    patience, gate = Patience(0.05), threading.Event()
    with pytest.raises(Slow):
        patience.ask("a", gate.wait)
    before = threading.active_count()
    for _ in range(20):
        with pytest.raises(Slow):
            patience.ask("a", gate.wait)
    assert threading.active_count() == before  # no thread is added for a filesystem that hangs
    assert patience.ask("b", lambda: "other") == "other"
    gate.set()
    while True:
        try:
            assert patience.ask("a", lambda: "back") == "back"
            break
        except Slow:
            continue


def test_a_hung_location_is_slow_and_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """os.scandir of one location never returns, as on a dead NFS mount."""
    for name in ("good", "hung"):
        (tmp_path / name).mkdir()
    site = Site(config=Config({"Site": {"locations": {name: str(tmp_path / name) for name in ("hung", "good")}}}))
    catalog = Catalog(site)
    monkeypatch.setattr(catalog, "_patience", Patience(0.1))
    monkeypatch.setattr(places, "_patience", Patience(0.1))
    gate = threading.Event()
    real = places._describe

    def describe(site: Site, name: str) -> Any:
        if name == "hung":
            gate.wait()
        return real(site, name)

    monkeypatch.setattr(places, "_describe", describe)
    listed = catalog._in

    def inside(location: str, *rest: Any) -> Any:
        if location == "hung":
            gate.wait()
        return listed(location, *rest)

    monkeypatch.setattr(catalog, "_in", inside)
    try:
        assert [(place.name, place.state) for place in places.all_locations(site)] == [
            ("hung", "slow"),
            ("good", "ready"),
        ]
        assert places.default_name(site) == "good"
        assert catalog.environments() == []
    finally:
        gate.set()
