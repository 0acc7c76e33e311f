"""A file of JupyterLab's file browser becomes an environment: by its context menu, and dragged onto the panel."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from .test_panel import axe, page_of


@pytest.fixture
def requirements(view: Any) -> Any:
    """A requirements file in the file browser, which is open."""
    (view.lab.home / "notebooks/hydro-requirements.txt").write_text("six\n")
    (view.lab.home / "notebooks/notes.md").write_text("# Notes\n")
    view.page.locator('.jp-SideBar [data-id="filebrowser"]').click()
    view.page.evaluate("window.jupyterapp.commands.execute('filebrowser:refresh')")
    item = view.page.locator(".jp-DirListing-item", has_text="hydro-requirements.txt")
    item.wait_for()
    return item


def test_the_context_menu_of_a_file_leads_to_its_environment(view: Any, requirements: Any) -> None:
    requirements.click(button="right")
    offered = view.page.get_by_role("menuitem", name="Create Environment from This File")
    expect(offered).to_be_visible()
    view.shot("from-file-menu-light")
    offered.click()
    form = page_of(view)
    expect(form.get_by_role("textbox", name="Lines of the requirements file")).to_have_value("six\n")
    expect(form.locator(".jp-HpcEnv-chip").get_by_text("hydro-requirements.txt", exact=True)).to_be_visible()
    assert view.lab.api("GET", "operations") == [] or "hydro" not in str(view.lab.api("GET", "operations"))
    form.get_by_role("textbox", name="Name", exact=True).fill("hydro")
    form.get_by_role("button", name="Create", exact=True).last.click()
    view.open_panel()
    expect(view.row("hydro")).to_contain_text("Python", timeout=90_000)
    assert "six" in {each["name"] for each in view.lab.api("GET", f"environments/{found(view)}/packages")}

    page_of(view).get_by_role("tab", name="Export").click(timeout=60_000)
    shown = page_of(view)
    expect(shown.locator("pre")).to_have_text("six\n")
    for theme in ("light", "dark"):
        if theme == "dark":
            view.dark()
        axe(view, f"export, {theme}")
        view.shot(f"export-{theme}")
    shown.get_by_role("tab", name="requirements-full.txt").click()
    expect(shown.locator("pre")).to_contain_text("ipykernel==")
    with view.page.expect_download() as began:
        shown.get_by_role("button", name="Download").click()
    assert began.value.suggested_filename == "hydro-requirements-full.txt"
    assert "six==" in began.value.path().read_text()


def found(view: Any) -> str:
    return next(str(row["id"]) for row in view.lab.api("GET", "environments") if row["name"] == "hydro")


def test_other_files_are_not_offered(view: Any, requirements: Any) -> None:
    view.page.locator(".jp-DirListing-item", has_text="notes.md").click(button="right")
    expect(view.page.get_by_role("menuitem", name="Rename", exact=False).first).to_be_visible()
    expect(view.page.get_by_role("menuitem", name="Create Environment from This File")).to_have_count(0)
    view.page.keyboard.press("Escape")


def test_a_file_is_dragged_from_the_browser_onto_the_form(view: Any, requirements: Any) -> None:
    view.page.evaluate("window.jupyterapp.commands.execute('hpcenv:new')")
    form = page_of(view)
    form.get_by_role("textbox", name="Name", exact=True).wait_for()
    start, end = requirements.bounding_box(), form.bounding_box()
    view.page.mouse.move(start["x"] + 30, start["y"] + 8)
    view.page.mouse.down()
    for part in (0.2, 0.6, 1.0):
        view.page.mouse.move(
            start["x"] + 30 + part * (end["x"] + 200 - start["x"]),
            start["y"] + 8 + part * (end["y"] + 200 - start["y"]),
        )
    view.page.mouse.up()
    expect(form.get_by_role("textbox", name="Lines of the requirements file")).to_have_value("six\n")
