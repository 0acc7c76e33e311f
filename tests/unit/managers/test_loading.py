from __future__ import annotations

import logging
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from traitlets import TraitError
from traitlets.config import Config

from jupyter_hpcenv import managers
from jupyter_hpcenv.managers import load_managers
from jupyter_hpcenv.managers.contract import Manager
from jupyter_hpcenv.managers.module_only import ModulesManager
from jupyter_hpcenv.managers.venv import VenvManager
from jupyter_hpcenv.site import Site

ALONE = EntryPoint("modules", "jupyter_hpcenv.managers.module_only:ModulesManager", managers.GROUP)
OURS = EntryPoint("venv", "jupyter_hpcenv.managers.venv:VenvManager", managers.GROUP)


def load(monkeypatch: pytest.MonkeyPatch, *entries: EntryPoint, **config: Any) -> dict[str, Manager]:
    monkeypatch.setattr(managers, "entry_points", lambda group: list(entries))
    return load_managers(Config(config), Site())


def test_our_own_is_installed() -> None:
    found = load_managers(Config(), Site())
    assert isinstance(found["venv"], VenvManager)
    assert isinstance(found["modules"], ModulesManager)


def test_what_a_request_gets_that_names_none_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Doors show the first manager as the one that will be taken."""
    assert list(load(monkeypatch, ALONE, OURS)) == ["venv", "modules"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("broken", "no_such_package.at_all:Manager"),
        ("wrong", "builtins:dict"),
        ("../evil", "jupyter_hpcenv.managers.venv:VenvManager"),
        ("venv", "collections:OrderedDict"),
    ],
)
def test_a_bad_one_is_reported_and_hides_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, value: str
) -> None:
    with caplog.at_level(logging.WARNING):
        found = load(monkeypatch, EntryPoint(name, value, managers.GROUP), OURS)
    assert list(found) == ["venv"]
    assert isinstance(found["venv"], VenvManager)
    assert name.split("/")[-1] in caplog.text


def test_traits_come_from_the_configuration_and_credentials_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = load(monkeypatch, OURS, VenvManager={"installer": "pip", "find_links": ["/wheels"]})["venv"]
    assert isinstance(manager, VenvManager)
    assert (manager.installer, manager.find_links) == ("pip", ["/wheels"])
    for section in ({"index_url": "https://me:pw@example.org/simple"}, {"find_links": ["https://t@example.org"]}):
        with pytest.raises(TraitError, match="netrc"):
            load(monkeypatch, OURS, VenvManager=section)
