"""The reference says what is there: an undocumented option, route or event fails here."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", CHECKOUT / "scripts" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["configuration.md", "rest.md", "events.md"])
def test_the_generated_pages_are_up_to_date(reference: ModuleType, page: str) -> None:
    written = (CHECKOUT / "docs" / "reference" / page).read_text()
    assert written == reference.PAGES[page](), "run python scripts/reference.py"


def test_each_option_has_a_help_of_a_sentence(reference: ModuleType) -> None:
    for kind in (reference.Site, reference.VenvManager, reference.CondaManager):
        for name, trait in kind.class_own_traits(config=True).items():
            assert trait.help.strip().endswith("."), f"{kind.__name__}.{name}"


def test_links_between_pages_lead_somewhere() -> None:
    pages = [CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md", *(CHECKOUT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
