"""A build in a job of a real Slurm, in the browser: chosen, waited for, ready."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from ..conftest import require
from ..slurm.cluster import PROGRAMS, TWO, Slurm, missing
from .conftest import start_lab, stop_lab, view_of
from .test_panel import axe, page_of


@pytest.fixture(scope="module")
def slurm() -> Iterator[Slurm]:
    require(f"{', '.join(missing() or PROGRAMS)} of Slurm and munge", not missing())
    with tempfile.TemporaryDirectory(prefix="hpcenv-slurm-") as base:  # a short path: sockets allow 107 characters
        running = Slurm(Path(base), TWO)
        yield running
        running.stop()


@pytest.fixture
def view(page: Page, slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    home = tmp_path_factory.mktemp("lab")
    (home / "config").mkdir()
    profile = {
        "display_name": "Small job",
        "description": "One core for ten minutes.",
        "partition": "zen5",
        "time": "10",
    }
    config = {"Site": {"batch_interval": 1, "kernel_profiles": {"small": profile}}}
    (home / "config" / "jupyter_hpcenv_config.json").write_text(json.dumps(config))
    lab = start_lab(home, **slurm.variables, PATH=f"{os.environ['PATH']}:/usr/sbin")
    try:
        yield from view_of(lab, page)
    finally:
        stop_lab(lab)


def test_a_build_on_a_partition_says_what_it_waits_for_and_gets_ready(view: Any, slurm: Slurm) -> None:
    page = view.page
    slurm.says("scontrol", "update", "PartitionName=zen5", "State=DOWN")
    view.panel.get_by_role("toolbar").get_by_role("button", name="New environment").click()
    form = page_of(view)
    form.get_by_role("textbox", name="Name", exact=True).fill("hydro")
    form.get_by_text("Options", exact=True).click()
    where = form.get_by_label("Built", exact=True)
    where.select_option("zen5")
    expect(form.get_by_text("Its nodes have zen5. The longest time is 4:00:00.")).to_be_visible()
    form.get_by_label("Time", exact=True).fill("3-0")
    form.get_by_label("Runs in", exact=True).select_option("small")
    axe(view, "the form with a partition")
    view.shot("batch-form")
    create = form.locator("aside").get_by_role("button", name="Create", exact=True)
    create.click()
    expect(form.get_by_text("Slurm says “").first).to_be_visible()
    form.get_by_label("Time", exact=True).fill("30")
    create.click()
    waits = page.get_by_text("its partition is down (PartitionDown)").first
    expect(waits).to_be_visible()
    axe(view, "the page of a build that waits")
    view.shot("batch-waits")
    view.dark()
    view.shot("batch-waits-dark")
    slurm.says("scontrol", "update", "PartitionName=zen5", "State=UP")
    expect(view.row("hydro").and_(view.panel.get_by_role("treeitem", name="hydro, ready"))).to_be_visible(
        timeout=120_000
    )
    assert slurm.jobs() == []
    page.get_by_role("button", name="New notebook").first.click()
    cell = page.locator(".jp-Notebook:visible .jp-CodeCell .cm-content").first
    cell.click(timeout=60_000)
    expect(page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']").first).to_be_visible(timeout=60_000)
    page.keyboard.type('import os; print(os.environ["SLURM_JOB_PARTITION"])')
    page.keyboard.press("Control+Enter")
    expect(page.locator(".jp-Notebook:visible .jp-OutputArea-output").first).to_have_text("zen5", timeout=60_000)
    expect(page.get_by_text("The job of this kernel ends in").first).to_be_visible()
    view.shot("batch-notebook")
    assert len(slurm.jobs()) == 1
    page.evaluate("window.jupyterapp.serviceManager.sessions.shutdownAll()")
    while slurm.jobs():  # the test's own timeout bounds it
        page.wait_for_timeout(200)
