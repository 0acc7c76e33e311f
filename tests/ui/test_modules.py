"""Modules in the browser, on a real Lmod: chosen in the form, seen by the notebook, missed in the notebook."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from ..modules import systems, trees
from .conftest import start_lab, stop_lab, view_of
from .test_panel import axe, open_form, page_of, wait_for_kernel


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    systems.need("lmod")
    return Path(trees.write_lmod(tmp_path_factory.mktemp("site"), os.path.realpath(sys.executable)))


@pytest.fixture
def view(tree: Path, page: Page, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    lab = start_lab(tmp_path_factory.mktemp("lab"), MODULEPATH=str(tree))
    try:
        yield from view_of(lab, page)
    finally:
        stop_lab(lab)


def run_cell(view: Any, code: str) -> Any:
    """Type *code* into the first cell of the notebook in front, run it, and return its output."""
    cell = view.page.locator(".jp-Notebook:visible .jp-CodeCell .cm-content").first
    cell.click()
    view.page.keyboard.press("Control+A")
    view.page.keyboard.type(code)
    view.page.keyboard.press("Control+Enter")
    return view.page.locator(".jp-Notebook:visible .jp-OutputArea-output").first


def test_modules_from_the_form_to_the_notebook_and_when_one_is_gone(view: Any, tree: Path) -> None:
    page = view.page
    form = open_form(view, "layered")
    search = (
        form.get_by_role("combobox", name="Search modules")
        .or_(form.get_by_role("searchbox", name="Search modules"))
        .or_(form.get_by_role("textbox", name="Search modules"))
    )
    search.fill("openmpi")
    found = form.get_by_role("list", name="Modules found")
    expect(found).to_be_visible()
    found.get_by_role("button", name="Add both").first.click()
    expect(form.locator(".jp-HpcEnv-chip").filter(has_text="gcc/12")).to_be_visible()
    expect(form.locator(".jp-HpcEnv-chip").filter(has_text="openmpi/4.1")).to_be_visible()
    axe(view, "the form with modules")
    view.shot("create-modules-light")
    form.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_text("layered is ready.").first).to_be_visible(timeout=90_000)
    page_of(view).get_by_role("tab", name="Modules").click()
    expect(page_of(view).get_by_text("openmpi/4.1").first).to_be_visible()
    axe(view, "the tab of modules")
    view.shot("environment-modules-light")
    page_of(view).get_by_role("button", name="New notebook").first.click()
    wait_for_kernel(view)
    output = run_cell(view, "import os; print(os.environ['LOADEDMODULES'])")
    expect(output).to_have_text("gcc/12:openmpi/4.1", timeout=60_000)

    modulefile = tree / "gcc" / "12.lua"
    modulefile.rename(tree / "gcc" / ".aside")
    page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    banner = page.locator(".jp-HpcEnv-banner")
    expect(banner).to_be_visible(timeout=60_000)
    expect(banner).to_contain_text("This kernel can not start")
    output = run_cell(view, "1 + 1")
    expect(output).to_contain_text("gcc/12", timeout=60_000)
    expect(output).to_contain_text("What to do")
    view.shot("module-gone-light")
    view.dark()
    view.shot("module-gone-dark")

    (tree / "gcc" / ".aside").rename(modulefile)
    banner.get_by_role("button", name="Restart kernel").click()
    expect(banner).to_have_count(0, timeout=60_000)  # it goes once the new kernel has said what it is
    output = run_cell(view, "print('it is ' + 'back')")
    expect(output).to_have_text("it is back", timeout=60_000)
