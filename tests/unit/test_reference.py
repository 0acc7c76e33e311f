"""The reference says what is there: an undocumented option, route, event, error or verb fails here."""

from __future__ import annotations

import importlib.util
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from jupyter_hpcenv.cli.app import app
from jupyter_hpcenv.cli.failure import kinds
from jupyter_hpcenv.questions.answers import Answers, Place

from ..conftest import require

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", CHECKOUT / "scripts" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(CHECKOUT / "scripts"), *sys.path])
        spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["configuration.md", "rest.md", "events.md", "errors.md"])
def test_the_generated_pages_are_up_to_date(reference: ModuleType, page: str) -> None:
    written = (CHECKOUT / "docs" / "reference" / page).read_text()
    assert written == reference.PAGES[page](), "run python scripts/reference.py"


def test_each_option_has_a_help_of_a_sentence(reference: ModuleType) -> None:
    for kind in (reference.Site, reference.VenvManager, reference.CondaManager, reference.Manifest):
        for name, trait in kind.class_own_traits(config=True).items():
            assert trait.help.strip().endswith("."), f"{kind.__name__}.{name}"


def test_each_error_says_what_it_means_and_what_to_do(reference: ModuleType) -> None:
    page = (CHECKOUT / "docs" / "reference" / "errors.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d+ \| \d+) \| [^|]+\. \| [^|]+\. \|$", page, re.MULTILINE))
    ours = {*kinds(), *reference.every_error()} - {kind for kind in kinds() if kind.__name__.startswith("_")}
    assert rows == {kind.code: f"{kind.http_status} | {kind.exit_code}" for kind in ours}
    for kind in ours - {reference.HpcenvError}:
        assert len(inspect.cleandoc(kind.__doc__ or "").split("\n\n")) == 2, kind.__name__


def test_the_figure_is_what_the_script_draws_and_names_verbs_that_are_there(reference: ModuleType) -> None:
    written = (CHECKOUT / "docs" / "images" / "questions.svg").read_text()
    assert written == reference.figure.drawing(), "run python scripts/reference.py"
    rows = re.findall(r"^\| (\d) \| ([^|]+) \|", (CHECKOUT / "docs" / "index.md").read_text(), re.MULTILINE)
    assert rows == [(str(number), each.asked) for number, each in enumerate(reference.figure.asked(), 1)]
    assert len(rows) == 9
    assert set(reference.figure.verbs()) <= set(app.commands)
    for verb in reference.figure.verbs():
        assert re.search(rf'class="verb"[^>]*>[^<]*\b{verb}\b', written), verb


def test_the_man_pages_are_up_to_date(reference: ModuleType) -> None:
    written = {page.name: page.read_text() for page in (CHECKOUT / "docs" / "man").iterdir()}
    assert written == reference.man.pages(), "run python scripts/reference.py"
    assert set(written) == {"jupyter-hpcenv.1", *(f"jupyter-hpcenv-{name}.1" for name in app.commands)}


def test_man_reads_each_page_without_a_warning() -> None:
    groff = shutil.which("groff")
    require("groff", groff is not None)
    for page in sorted((CHECKOUT / "docs" / "man").glob("*.1")):
        done = subprocess.run(
            [str(groff), "-man", "-Tutf8", "-P-c", "-ww", "-rLL=200n", str(page)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == "", page.name
        shown = re.sub(r".\x08", "", done.stdout)
        name = page.stem.removeprefix("jupyter-hpcenv").removeprefix("-")
        assert shown.lstrip().startswith(f"{page.stem.upper()}(1)")
        for parameter in (app.commands[name] if name else app).params:
            for option in parameter.opts if parameter.param_type_name == "option" else ():
                assert option in shown, (page.name, option)


def test_every_answer_of_the_set_up_is_in_the_table_with_its_type() -> None:
    text = (CHECKOUT / "docs" / "how-to" / "admins" / "setup.md").read_text()
    rows = re.findall(r"^\| (`[^|]*) \| ([^|]*) \|$", text.partition("## All answers")[2].partition("\n## ")[0], re.M)
    told = {name: what.partition(":")[0] for names, what in rows for name in re.findall(r"`(\w+)`", names)}
    kinds = {
        "str": "a text",
        "list[str]": "a list of texts",
        "bool": "`true` or `false`",
        "int | None": "a number",
        "dict[str, str]": "a table of texts",
        "dict[str, Place]": "a table of places",
    }
    assert told == {name: kinds[kind] for name, kind in Answers.__annotations__.items()}
    (places,) = [what for names, what in rows if names == "`locations`"]
    assert set(re.findall(r"`(\w+)`", places)) - {"true", "false"} == set(Place.__struct_fields__)


def test_links_between_pages_lead_somewhere() -> None:
    pages = [CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md", *(CHECKOUT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
