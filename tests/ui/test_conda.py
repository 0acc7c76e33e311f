"""Conda in the browser: an environment.yml becomes an environment, after a look at what it would install."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from ..conda.channel import build
from ..conda.cpython import home as movable
from ..conda.serving import ChannelServer, Hang
from ..conftest import require
from .test_modules import run_cell
from .test_panel import axe, page_of, wait_for_kernel

WIDE = {"width": 1400, "height": 1000}
NARROW = {"width": 760, "height": 1000}
NARROWEST = {"width": 530, "height": 1000}


#: What is drawn beyond the right edge of a page that can be scrolled sideways.
STICKING_OUT = """page => page.scrollWidth <= page.clientWidth ? [] :
  [...page.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > page.getBoundingClientRect().right + 1)
    .map(e => e.tagName + '.' + e.className)"""


@pytest.fixture(scope="module")
def server() -> Iterator[ChannelServer]:
    """The test channels, over loopback."""
    require("a CPython of this minor version that can be moved (Debian's own can not)", movable() is not None)
    with ChannelServer({each.name: each for each in build().iterdir()}) as server:
        yield server


@pytest.fixture
def channel(server: ChannelServer) -> Iterator[str]:
    """The address of the one that holds everything; a test that has it misbehave leaves it as it was."""
    server.behave()
    yield server.url()
    server.behave()


def described(name: str, channel: str, *packages: str) -> dict[str, Any]:
    """An environment.yml as somebody would choose it from a disk; pip has a package in it."""
    lines = [f"name: {name}", "channels:", f"  - {channel}", "dependencies:", *(f"  - {each}" for each in packages)]
    text = "\n".join([*lines, "  - pip", "  - pip:", "      - iniconfig", ""])
    return {"name": "environment.yml", "mimeType": "text/yaml", "buffer": text.encode()}


def open_form(view: Any) -> Any:
    view.panel.get_by_role("toolbar").get_by_role("button", name="New environment").click()
    return page_of(view)


def choose_file(form: Any, file: dict[str, Any]) -> None:
    form.get_by_text("A file", exact=True).click()
    form.locator('input[type="file"]').set_input_files(file)


def preview_of(form: Any) -> Any:
    return form.get_by_role("region", name="Preview")


def states_of(view: Any, name: str) -> list[str]:
    """How the operations of an environment stand."""
    return [each["state"] for each in view.lab.api("GET", "operations") if each["environment"]["name"] == name]


def look(view: Any, what: str, *, part: Any = None) -> None:
    """Let axe and a camera see the page in front, wide and narrow, light and dark; nothing sticks out sideways."""
    for theme in ("light", "dark"):
        if theme == "dark":
            view.dark()
        for width, size in (("", WIDE), ("-narrow", NARROW), ("-narrowest", NARROWEST)):
            view.page.set_viewport_size(size)
            if part is not None:
                part.scroll_into_view_if_needed()
            view.page.wait_for_timeout(300)
            axe(view, f"{what}{width}, {theme}")
            view.shot(f"{what}{width}-{theme}")
            assert not (found := page_of(view).evaluate(STICKING_OUT)), f"{what}{width}: {found}"
    view.page.set_viewport_size(WIDE)
    view.page.evaluate("window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")
    view.page.locator('body[data-jp-theme-light="true"]').wait_for(state="attached")


def test_an_environment_yml_becomes_an_environment(view: Any, channel: str) -> None:
    page = view.page
    page.set_viewport_size(WIDE)
    form = open_form(view)
    choose_file(form, described("from-yml", channel, "python", "hpc-tiny"))
    expect(form.get_by_role("radio", name="conda")).to_be_checked()
    expect(form.get_by_role("textbox", name="Name", exact=True)).to_have_value("from-yml")
    expect(form.locator(".jp-HpcEnv-chip").get_by_text("environment.yml", exact=True)).to_be_visible()
    look(view, "conda-file")

    form.get_by_role("button", name="Preview", exact=True).first.click()
    preview = preview_of(form)
    table = preview.get_by_role("table")
    expect(table).to_be_visible(timeout=60_000)
    expect(table.get_by_role("row").filter(has_text="hpc-tiny")).to_contain_text("2.0")
    expect(table.get_by_role("row").filter(has_text="ipykernel")).to_have_count(1)
    expect(preview).to_contain_text("to download")
    expect(preview).to_contain_text("iniconfig")
    expect(view.row("from-yml")).to_have_count(0)
    look(view, "conda-preview", part=preview)

    form.get_by_role("textbox", name="Python").fill("3")
    expect(preview).to_have_count(0)
    form.get_by_role("textbox", name="Python").fill("")
    form.get_by_role("button", name="Preview", exact=True).first.click()
    expect(table).to_be_visible(timeout=60_000)
    assert states_of(view, "from-yml") == []  # what was a preview alone is in no list

    form.get_by_role("button", name="Create", exact=True).first.click()
    expect(page.get_by_text("from-yml is ready.").first).to_be_visible(timeout=180_000)
    expect(view.row("from-yml")).to_contain_text("conda")
    look(view, "conda-overview")
    page_of(view).get_by_role("tab", name="Packages").click()
    page_of(view).get_by_role("button", name="pip 1", exact=True).click()
    expect(page_of(view).get_by_role("row").filter(has_text="iniconfig")).to_be_visible()
    page_of(view).get_by_role("button", name=re.compile(r"^conda \d+$")).click()
    expect(page_of(view).get_by_role("row").filter(has_text="hpc-tiny")).to_contain_text("conda, main")
    page_of(view).get_by_role("button", name="All", exact=True).click()
    look(view, "conda-packages")

    page_of(view).get_by_role("button", name="New notebook").first.click()
    wait_for_kernel(view)
    [row] = [row for row in view.lab.api("GET", "environments") if row["name"] == "from-yml"]
    assert row["manager"] == "conda"
    output = run_cell(view, "import sys, iniconfig; print(sys.prefix)")
    expect(output).to_have_text(row["prefix"], timeout=60_000)
    view.shot("conda-notebook-light")


def test_what_can_not_be_solved_says_why(view: Any, channel: str) -> None:
    form = open_form(view)
    form.get_by_text("conda", exact=True).first.click()
    form.get_by_role("textbox", name="Name", exact=True).fill("unsolved")
    form.get_by_role("textbox", name="Channels").fill(channel)
    form.get_by_role("textbox", name="Packages").fill("hpc-tiny >=99")
    view.page.keyboard.press("Enter")
    form.get_by_role("textbox", name="Packages").fill("numpy")
    view.page.keyboard.press("Enter")
    form.get_by_role("checkbox", name=re.compile("GPU")).check()
    view.page.keyboard.type("12.4")
    look(view, "conda-form")
    form.get_by_role("button", name="Preview", exact=True).first.click()
    told = preview_of(form).get_by_role("alert")
    expect(told).to_contain_text("hpc-tiny", timeout=60_000)
    expect(preview_of(form).get_by_label("What the program said").first).to_contain_text("hpc-tiny")
    look(view, "conda-unsolved", part=told)
    assert view.row("unsolved").count() == 0


def test_a_preview_that_takes_long_is_cancelled(view: Any, server: ChannelServer, channel: str) -> None:
    server.misbehave("/other/linux-*", Hang())  # the quick look at submit asks for noarch alone
    form = open_form(view)
    form.get_by_text("conda", exact=True).first.click()
    form.get_by_role("textbox", name="Name", exact=True).fill("waiting")
    form.get_by_role("textbox", name="Channels").fill(f"{channel} {server.url('other')}")
    view.page.keyboard.press("Enter")
    form.get_by_role("button", name=f"Put {server.url('other')} before {channel}").click()
    form.get_by_role("button", name="Preview", exact=True).first.click()
    expect(preview_of(form)).to_contain_text("Solve", timeout=30_000)
    look(view, "conda-solving", part=preview_of(form))
    assert view.row("waiting").count() == 0  # nothing is built
    form.get_by_role("button", name="Cancel preview").first.click()
    expect(preview_of(form)).to_have_count(0)
    deadline = time.monotonic() + 30
    while (states := states_of(view, "waiting")) != ["cancelled"] and time.monotonic() < deadline:
        time.sleep(0.2)
    assert states == ["cancelled"]


def test_a_password_in_a_channel_is_refused_before_it_is_sent(view: Any) -> None:
    sent: list[str] = []
    view.page.on("request", lambda request: sent.append(request.post_data or ""))
    form = open_form(view)
    form.get_by_text("conda", exact=True).first.click()
    form.get_by_role("textbox", name="Name", exact=True).fill("secret")
    form.get_by_role("textbox", name="Channels").fill("https://me:secret-word@channels.example.org/c")
    form.get_by_role("button", name="Preview", exact=True).first.click()
    expect(form.get_by_role("alert").first).to_contain_text("password or token")
    assert not [body for body in sent if "secret-word" in body]
