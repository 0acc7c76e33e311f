"""Packages of an environment in the browser: nothing is changed unseen, and what went wrong is put back."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from ..layering.profiles import wheel
from .conftest import Lab, start_lab, stop_lab, view_of
from .test_conda import channel, look, server
from .test_modules import run_cell
from .test_panel import BACKEND, made, page_of, wait_for_kernel

__all__ = ["channel", "made", "server"]


def sdist(folder: Path, name: str, gate: Path) -> None:
    """Write a package that says what it is, and whose build waits until there is a file “go” in *gate*."""
    top = f"{name}-1.0"
    files = {
        "pyproject.toml": f'[project]\nname = "{name}"\nversion = "1.0"\n'
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "PKG-INFO": f"Metadata-Version: 2.2\nName: {name}\nVersion: 1.0\n",
        "backend.py": BACKEND.replace("{name}", name).replace(
            "pathlib.Path(__file__).parent", f"pathlib.Path({str(gate)!r})"
        ),
    }
    with tarfile.open(folder / f"{top}.tar.gz", "w:gz") as archive:
        for each, text in files.items():
            entry = tarfile.TarInfo(f"{top}/{each}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab whose site has wheels of its own, one of which keeps ipykernel from starting."""
    wheels = tmp_path_factory.mktemp("wheels")
    wheel(wheels, "hpcdemo", "1.0")
    wheel(wheels, "hpcdemo", "2.0")
    wheel(wheels, "hpcneeds", "1.0", "hpcdemo<2")
    wheel(wheels, "comm", "99.0a1")  # a module without what ipykernel imports from it
    sdist(wheels, "hpcslow", tmp_path_factory.mktemp("gate"))  # nobody opens it
    config = tmp_path_factory.mktemp("site")
    settings = {"VenvManager": {"find_links": [str(wheels)], "probe_index": False}}
    (config / "jupyter_server_config.json").write_text(json.dumps(settings))
    lab = start_lab(tmp_path_factory.mktemp("lab"), JUPYTER_CONFIG_PATH=str(config))
    yield lab
    stop_lab(lab)


@pytest.fixture
def view(lab: Lab, page: Page) -> Iterator[Any]:
    yield from view_of(lab, page)


def open_packages(view: Any, name: str) -> Any:
    """Open the page of an environment at its packages, and return the page."""
    view.open(name)
    form = page_of(view)
    form.get_by_role("tab", name="Packages").click()
    expect(form.get_by_role("grid", name="Packages")).to_be_visible()
    return form


def row_of(form: Any, package: str) -> Any:
    return form.get_by_role("row").filter(has=form.page.get_by_role("checkbox", name=f"Select {package}", exact=True))


def plan_install(form: Any, *packages: str) -> Any:
    """Ask for packages in the field, and return the plan."""
    form.get_by_role("button", name="Install…").click()
    field = form.get_by_role("textbox", name="Packages to install")
    expect(field).to_be_focused()
    for package in packages:
        form.page.keyboard.type(package)
        form.page.keyboard.press("Enter")
    form.page.keyboard.press("Control+Enter")
    return form.get_by_role("complementary", name="Plan", exact=True)


def versions(view: Any, row: dict[str, Any]) -> dict[str, str]:
    """What is on the disk."""
    return {each["name"]: each["version"] for each in view.lab.api("GET", f"environments/{row['id']}/packages")}


def test_a_package_comes_and_goes(view: Any, made: Any) -> None:
    page = view.page
    row = made("changing")
    form = open_packages(view, "changing")
    form.get_by_role("button", name="New notebook").first.click()
    wait_for_kernel(view)
    there = "import importlib.util; print(importlib.util.find_spec('hpcdemo') is not None)"
    expect(run_cell(view, there)).to_have_text("False", timeout=60_000)

    form = open_packages(view, "changing")
    look(view, "packages")
    plan = plan_install(form, "hpcdemo<2")
    expect(plan.get_by_role("heading", name="Plan: install hpcdemo<2")).to_be_focused()
    expect(plan.get_by_role("row").filter(has_text="hpcdemo")).to_contain_text("1.0", timeout=60_000)
    expect(plan).to_contain_text("1 running kernel keeps the old packages until it is restarted.")
    expect(plan).to_contain_text("jupyter hpcenv install changing 'hpcdemo<2'")
    assert "hpcdemo" not in versions(view, row)  # nothing is changed unseen
    assert [each["verb"] for each in view.lab.api("GET", "operations")].count("change") == 0
    look(view, "packages-plan", part=plan)

    plan.get_by_role("button", name="Apply").click()
    expect(form.get_by_text("Installed hpcdemo 1.0.")).to_be_visible(timeout=90_000)
    expect(form.get_by_text("1 running kernel keeps what it has imported until it is restarted.")).to_be_visible()
    expect(row_of(form, "hpcdemo")).to_contain_text("1.0")
    expect(row_of(form, "hpcdemo")).to_contain_text("you")
    assert versions(view, row)["hpcdemo"] == "1.0"
    look(view, "packages-changed")
    page.locator(".lm-TabBar-tabLabel").filter(has_text="Untitled").click()
    expect(run_cell(view, there)).to_have_text("True", timeout=60_000)

    form = open_packages(view, "changing")
    plan = form.get_by_role("complementary", name="Plan", exact=True)
    row_of(form, "hpcdemo").get_by_role("button", name="Update hpcdemo").click()
    expect(plan).to_contain_text("stays at 1.0", timeout=60_000)
    expect(plan.get_by_role("button", name="Apply")).to_have_count(0)
    plan.get_by_role("button", name="Cancel").click()
    expect(row_of(form, "hpcdemo").get_by_role("button", name="Update hpcdemo")).to_be_focused()

    # by keys alone: the table is one tab stop, Space selects, Delete plans
    page.keyboard.press("ArrowLeft")
    expect(form.get_by_role("checkbox", name="Select hpcdemo")).to_be_focused()
    page.keyboard.press("Space")
    expect(form.get_by_text("1 package selected")).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(form.get_by_role("checkbox", name="Select hpcdemo")).not_to_be_focused()
    look(view, "packages-selected", part=row_of(form, "hpcdemo"))
    page.keyboard.press("Delete")
    expect(plan.get_by_role("heading", name="Plan: remove hpcdemo")).to_be_focused()
    expect(plan.get_by_role("row").filter(has_text="hpcdemo")).to_be_visible(timeout=60_000)
    page.keyboard.press("Control+Enter")
    expect(form.get_by_text("Removed hpcdemo.")).to_be_visible(timeout=90_000)
    expect(row_of(form, "hpcdemo")).to_have_count(0)
    assert "hpcdemo" not in versions(view, row)


def test_what_can_not_be_says_why_and_what_fails_is_put_back(view: Any, made: Any) -> None:
    row = made("broken-change", installer="uv")
    before = versions(view, row)
    form = open_packages(view, "broken-change")
    plan = plan_install(form, "hpcneeds", "hpcdemo>=2")
    expect(plan.get_by_role("alert")).to_contain_text("exclude each other", timeout=60_000)
    expect(plan.get_by_label("What the program said").first).to_contain_text("hpcdemo<2")
    expect(plan.get_by_role("button", name="Apply")).to_have_count(0)
    look(view, "packages-conflict", part=plan)
    plan.get_by_role("button", name="Cancel").click()
    form.get_by_role("button", name="Close").click()

    plan = plan_install(form, "comm==99.0a1")
    expect(plan.get_by_role("row").filter(has_text="comm")).to_contain_text("99.0a1", timeout=60_000)
    plan.get_by_role("button", name="Apply").click()
    failed = form.get_by_role("region", name="The last change")
    expect(failed.get_by_role("alert")).to_contain_text("The kernel did not start", timeout=90_000)
    expect(failed).to_contain_text(re.compile("put back|as it was before"))
    assert versions(view, row) == before
    look(view, "packages-failed", part=failed)
    failed.get_by_role("button", name="Remove from list").click()
    expect(failed).to_have_count(0)
    expect(row_of(form, "comm")).to_contain_text(before["comm"])


def test_packages_of_conda_are_changed_alike(view: Any, made: Any, channel: str) -> None:
    specs = ["python", "hpc-tiny", "pip"]
    file = "\n".join(
        [
            "channels:",
            f"  - {channel}",
            "dependencies:",
            *(f"  - {each}" for each in specs),
            "  - pip:",
            "      - iniconfig",
            "",
        ]
    )
    made("of-channels", manager="conda", file=file)
    form = open_packages(view, "of-channels")
    plan = plan_install(form, "hpc-needs-old", "hpc-tiny >=1")
    change = plan.get_by_role("row").filter(has_text="hpc-tiny")
    expect(change).to_contain_text("2.0 → 1.", timeout=60_000)
    expect(plan).to_contain_text("to download")
    look(view, "packages-conda-plan", part=plan)
    plan.get_by_role("button", name="Apply").click()
    expect(form.get_by_text("Installed hpc-needs-old")).to_be_visible(timeout=120_000)
    expect(row_of(form, "hpc-tiny")).to_contain_text("1.")

    row_of(form, "hpc-needs-old").get_by_role("button", name="Remove hpc-needs-old").click()
    expect(plan).to_contain_text("Goes", timeout=60_000)
    plan.get_by_role("button", name="Apply").click()
    expect(form.get_by_text("Removed hpc-needs-old.")).to_be_visible(timeout=120_000)
    expect(row_of(form, "hpc-needs-old")).to_have_count(0)

    row_of(form, "iniconfig").get_by_role("button", name="Remove iniconfig").click()  # pip has brought it
    expect(plan).to_contain_text("iniconfig (removed)", timeout=60_000)
    expect(plan).to_contain_text(re.compile(r"jupyter hpcenv remove of-channels \\\s+'pip: iniconfig'"))
    plan.get_by_role("button", name="Apply").click()
    expect(form.get_by_text("Removed iniconfig.")).to_be_visible(timeout=120_000)
    expect(row_of(form, "iniconfig")).to_have_count(0)


def test_a_change_is_watched_and_cancelled(view: Any, made: Any) -> None:
    row = made("cancelled-change", installer="uv")  # pip would build it to plan
    before = versions(view, row)
    form = open_packages(view, "cancelled-change")
    plan = plan_install(form, "hpcslow")
    expect(plan.get_by_role("row").filter(has_text="hpcslow")).to_contain_text("1.0", timeout=60_000)
    plan.get_by_role("button", name="Apply").click()
    running = form.get_by_role("region", name="Changing packages of cancelled-change")
    expect(running.get_by_role("listitem").filter(has_text="running")).to_be_visible(timeout=60_000)
    expect(running.get_by_role("heading", name="Changing packages of cancelled-change")).to_be_focused()
    expect(running.get_by_role("log")).to_contain_text("hpcslow", timeout=60_000)
    expect(view.row("cancelled-change")).to_contain_text("changing packages")
    expect(view.page.locator(".jp-HpcEnv-statusItem")).to_contain_text("Changing packages of cancelled-change")
    expect(form.get_by_role("button", name="Install…")).to_have_count(0)  # one change at a time
    look(view, "packages-running", part=running)

    view.load()  # it goes on without the page, and is found again
    view.open_panel()
    view.row("cancelled-change").click()
    form = page_of(view)
    running = form.get_by_role("region", name="Changing packages of cancelled-change")
    running.get_by_role("button", name="Cancel change").click()
    expect(form.get_by_text("Cancelled. The packages are as they were.")).to_be_visible(timeout=60_000)
    expect(form.get_by_role("button", name="Install…")).to_be_visible()
    assert versions(view, row) == before
    look(view, "packages-cancelled")
