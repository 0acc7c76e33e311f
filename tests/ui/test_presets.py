"""Requests that staff prepared, in the browser: chosen, changed by a parameter, built."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .conftest import start_lab, stop_lab, view_of
from .test_panel import axe, page_of

PACKAGING = """
version: 1
title: Packaging tools
description: What our course on packaging uses.
order: 10
parameters:
  test: {title: With a test runner, type: boolean, default: false}
  size: {title: Cores a kernel may use, enum: ["1", "4"], default: "1", description: As many as you ask Slurm for.}
request:
  packages: [packaging, {from: test, choose: {"true": iniconfig, "false": }}]
  variables: {OMP_NUM_THREADS: {from: size}}
"""
BROKEN = "version: 1\ntitle: Old\nrequest: {package: [six]}\n"
PLAIN = "version: 1\ntitle: PyTorch on GPU\ndescription: With the CUDA of this centre.\norder: 20\nrequest: {}\n"


@pytest.fixture
def view(page: Page, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    home = tmp_path_factory.mktemp("lab")
    folder = home / "presets"
    folder.mkdir()
    for name, text in {"packaging": PACKAGING, "old": BROKEN, "pytorch": PLAIN}.items():
        (folder / f"{name}.yaml").write_text(text)
    (home / "config").mkdir()
    config = {"Site": {"preset_folders": [str(folder)]}}
    (home / "config" / "jupyter_hpcenv_config.json").write_text(json.dumps(config))
    lab = start_lab(home)
    try:
        yield from view_of(lab, page)
    finally:
        stop_lab(lab)


def test_a_preset_fills_the_form_and_is_built(view: Any) -> None:
    page = view.page
    view.panel.get_by_role("toolbar").get_by_role("button", name="New environment").click()
    form = page_of(view)
    card = form.get_by_role("radio", name="Packaging tools")
    expect(card).to_be_visible()
    expect(form.get_by_role("radio", name="Line 3: There is no")).to_be_disabled()
    card.check()
    expect(form.locator(".jp-HpcEnv-chipText").filter(has_text="packaging")).to_be_visible()
    form.get_by_role("checkbox", name="With a test runner").check()
    expect(form.locator(".jp-HpcEnv-chipText").filter(has_text="iniconfig")).to_be_visible()
    form.get_by_label("Cores a kernel may use").select_option("4")
    axe(view, "the form with presets")
    form.locator('[data-field="name"]').fill("course")
    view.shot("create-preset-light")
    view.dark()
    view.shot("create-preset-dark")
    page.set_viewport_size({"width": 620, "height": 860})
    view.shot("create-preset-narrow")
    page.set_viewport_size({"width": 1400, "height": 860})
    create = form.locator(".jp-HpcEnv-aside").get_by_role("button", name="Create", exact=True)
    expect(create).to_be_visible()  # once the page is laid out for its width again
    create.click()
    expect(page.get_by_text("course is ready.").first).to_be_visible(timeout=90_000)
    (row,) = [each for each in view.lab.api("GET", "environments") if each["name"] == "course"]
    made = view.lab.api("GET", f"environments/{row['id']}")
    assert made["packages"] == ["packaging", "iniconfig"]
    assert made["variables"] == {"OMP_NUM_THREADS": "4"}
