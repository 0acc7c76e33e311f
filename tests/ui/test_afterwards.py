"""What people ask of an environment afterwards, in the browser: copied, moved, shared, looked after, built again."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from ..crowd.test_users import reachable
from ..layering.profiles import wheel
from .conftest import Lab, start_lab, stop_lab, view_of
from .test_panel import axe, made, page_of

__all__ = ["made"]

WIDE = {"width": 1400, "height": 1000}
NARROW = {"width": 600, "height": 1000}

#: A Python that colleagues can start as well; that of these tests may lie in a home folder.
PYTHON = "/usr/bin/python3"
COLLEAGUE = 43_001

#: What is drawn beyond the right edge of the page, or is wider than what holds it: people see a part of it.
CUT_OFF = """page => [...page.querySelectorAll('*')].filter(e => {
  const box = e.getBoundingClientRect(), style = getComputedStyle(e);
  const scrolls = x => ['auto', 'scroll'].includes(getComputedStyle(x).overflowX);
  for (let over = e.parentElement; over && over !== page; over = over.parentElement) {
    if (scrolls(over)) return false;
  }
  const shown = box.width > 1 && style.visibility !== 'hidden';
  const holds = style.display !== 'inline' && style.overflowX === 'visible' && e.clientWidth > 1;
  const wide = holds && e.scrollWidth > e.clientWidth + 1;
  return shown && (wide || box.right > page.getBoundingClientRect().right + 1);
}).map(e => e.outerHTML.slice(0, 100))"""

#: JupyterLab has laid itself out for the window as it is now, and has drawn that.
LAID_OUT = """() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() =>
  done(Math.round(document.getElementById('main').getBoundingClientRect().width) === window.innerWidth))))"""


@pytest.fixture(scope="module")
def ground() -> Iterator[Path]:
    """A folder that colleagues can reach."""
    with reachable("hpcenv-afterwards-") as folder:
        yield folder


@pytest.fixture(scope="module")
def lab(ground: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab on a site with three locations, in one of which environments may be shared, and a few wheels."""
    wheels = ground / "wheels"
    wheel(wheels, "hpcdemo", "1.0")
    wheel(wheels, "hpcneeds", "1.0", "hpcdemo<2")
    wheel(wheels, "hpcextra", "1.0")
    places = {"shared": ground / "shared", "scratch": ground / "scratch"}
    for each in places.values():
        each.mkdir()
    places["shared"].chmod(0o1777)
    locations = {
        "home": {"root": "{data_dir}/environments", "description": "Your home folder."},
        "shared": {"root": str(places["shared"]), "sharing": True, "description": "For all of the institute."},
        "scratch": {"root": str(places["scratch"]), "purge_days": 30},
    }
    config = tmp_path_factory.mktemp("site")
    settings = {"VenvManager": {"find_links": [str(wheels)], "probe_index": False}, "Site": {"locations": locations}}
    (config / "jupyter_server_config.json").write_text(json.dumps(settings))
    lab = start_lab(
        tmp_path_factory.mktemp("lab"),
        JUPYTER_CONFIG_PATH=str(config),
        PIP_CACHE_DIR=str(tmp_path_factory.mktemp("pip")),  # which no pip of another test uses
    )
    yield lab
    stop_lab(lab)


@pytest.fixture
def view(lab: Lab, page: Page) -> Iterator[Any]:
    yield from view_of(lab, page)


def look(view: Any, what: str, *, part: Any = None, briefly: bool = False) -> None:
    """Let axe and a camera see the page in front, wide and narrow, light and dark; nothing is cut off or sticks out.

    *briefly*: what hardly differs from a page that was looked at is seen wide and light, and narrow and dark.
    """
    for theme in ("light", "dark"):
        if theme == "dark":
            view.dark()
        for width, size in (("", WIDE), ("-narrow", NARROW)):
            if briefly and (theme == "light") != (width == ""):
                continue
            view.page.set_viewport_size(size)
            view.page.wait_for_function(LAID_OUT)
            if part is not None:
                part.scroll_into_view_if_needed()
            axe(view, f"{what}{width}, {theme}")
            view.shot(f"afterwards-{what}{width}-{theme}")
            assert not (found := page_of(view).evaluate(CUT_OFF)), f"{what}{width}: {found}"
    view.page.set_viewport_size(WIDE)
    view.page.evaluate("window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")
    view.page.locator('body[data-jp-theme-light="true"]').wait_for(state="attached")


def open_page(view: Any, name: str) -> Any:
    view.panel.get_by_role("button", name="Refresh").click()
    view.open(name)
    expect(page_of(view).get_by_role("heading", level=1)).to_have_text(name)
    return page_of(view)


def choose(view: Any, label: str) -> None:
    """Choose from the menu of the page in front."""
    page_of(view).get_by_role("button", name="More actions").click()
    view.page.get_by_role("menuitem", name=label).click()


def small(made: Any) -> dict[str, Any]:
    """An environment that whoever changes it leaves as it was; without a kernel, it is made in a moment."""
    return dict(made("small", kernel=False, python=PYTHON, packages=["hpcneeds"]))


def row_of(view: Any, name: str) -> dict[str, Any]:
    (row,) = [row for row in view.lab.api("GET", "environments") if row["name"] == name]
    return dict(row)


def test_health_size_and_export(view: Any, made: Any) -> None:
    row = made("looked-at", kernel=False, python=PYTHON, packages=["hpcneeds"])
    shutil.rmtree(next(Path(row["prefix"]).glob("lib/python3*/site-packages/hpcdemo-1.0.dist-info")))
    form = open_page(view, "looked-at")
    health = form.get_by_role("region", name="Health")
    expect(health).to_contain_text("hpcneeds needs hpcdemo<2, which is not installed.")
    size = view.lab.api("GET", f"environments/{row['id']}/size")
    facts = form.get_by_role("region", name="Facts")
    expect(facts).to_contain_text("files", timeout=30_000)
    expect(facts).to_contain_text("MB")
    assert size["message"] == ""
    look(view, "health")
    form.get_by_role("tab", name="Export").click()
    expect(form.locator("pre")).to_have_text("hpcneeds\n")
    form.get_by_role("tab", name="requirements-full.txt").click()
    expect(form.locator("pre")).to_contain_text("hpcneeds==1.0")
    look(view, "export")


def test_a_copy_is_made_and_moves(view: Any, made: Any) -> None:
    original = small(made)
    open_page(view, "small")
    choose(view, "Clone…")
    form = page_of(view)
    name = form.get_by_role("textbox", name="Name", exact=True)
    expect(name).to_be_focused()
    name.fill("a-copy")
    expect(form.get_by_text("Free in home.")).to_be_visible()
    look(view, "clone")
    form.get_by_role("button", name="Create", exact=True).first.click()
    expect(view.panel.get_by_role("treeitem", name="a-copy, ready")).to_be_visible(timeout=60_000)
    copied = view.lab.api("GET", f"environments/{row_of(view, 'a-copy')['id']}/packages")
    assert copied == view.lab.api("GET", f"environments/{original['id']}/packages")

    form = open_page(view, "a-copy")
    choose(view, "Move to…")
    asked = form.get_by_role("form", name="Move a-copy")
    expect(asked.get_by_role("radio")).to_have_count(2)
    expect(asked.get_by_role("radio").first).to_be_focused()
    asked.get_by_role("radio", name="scratch").check()
    look(view, "move", briefly=True)
    assert row_of(view, "a-copy")["location"] == "home"  # nothing is sent before the button is pressed
    asked.get_by_role("button", name="Move", exact=True).click()
    expect(form.get_by_text("Moved a-copy to scratch.")).to_be_visible(timeout=60_000)
    assert row_of(view, "a-copy")["location"] == "scratch"
    uses = form.get_by_role("region", name="Where you can use it")
    expect(uses).to_contain_text(row_of(view, "a-copy")["prefix"])  # and no longer where it was
    look(view, "moved", briefly=True)


def test_it_is_shared_and_taken_back(view: Any, made: Any) -> None:
    row = made("to-share", kernel=False, python=PYTHON, location="shared")
    form = open_page(view, "to-share")
    choose(view, "Share…")
    asked = form.get_by_role("form", name="Share to-share")
    expect(asked.get_by_role("radio", name="A group")).to_be_focused()
    asked.get_by_role("button", name="Share", exact=True).click()
    expect(asked).to_contain_text("Name one of your groups.")
    look(view, "share")
    assert view.lab.api("GET", f"environments/{row['id']}")["shared"] is None  # nothing is sent before that
    asked.get_by_text("Everybody on this machine").click()
    asked.get_by_role("button", name="Share", exact=True).click()
    expect(form.get_by_text("Shared to-share with everybody on this machine.")).to_be_visible(timeout=60_000)
    assert os.stat(row["prefix"]).st_mode & 0o005 == 0o005
    look(view, "shared", briefly=True)
    form.get_by_role("region", name="Shared").get_by_role("button", name="Stop sharing").click()
    expect(form.get_by_text("to-share is not shared any more: only you can enter it.")).to_be_visible(timeout=60_000)
    assert not os.stat(row["prefix"]).st_mode & 0o077


def test_where_it_can_not_be_shared_is_said_at_once(view: Any, made: Any) -> None:
    small(made)
    form = open_page(view, "small")
    choose(view, "Share…")
    asked = form.get_by_role("form", name="Share small")
    expect(asked).to_contain_text("The location home is not for sharing.")
    expect(asked).to_contain_text("shared is. Move it there first.")
    look(view, "share-closed", briefly=True)
    asked.get_by_role("button", name="Move to…").click()
    expect(form.get_by_role("form", name="Move small")).to_be_visible()


def succeed(view: Any, operation: dict[str, Any]) -> None:
    """Wait for an operation that was begun by REST."""
    while operation["state"] in ("pending", "running"):
        time.sleep(0.1)
        operation = view.lab.api("GET", f"operations/{operation['id']}")
    assert operation["state"] == "succeeded", operation["error"]


@pytest.fixture
def theirs(view: Any, made: Any, ground: Path) -> str:
    """An environment with a kernel that a colleague shares: made here, and given away."""
    row = made("of-a-colleague", python=PYTHON, location="shared")
    operation = view.lab.api("POST", f"environments/{row['id']}/share", {"everybody": True})
    succeed(view, operation)
    for kernel in row["kernels"]:
        shutil.rmtree(kernel["path"])  # the colleague has it, and nobody else
    record = Path(row["prefix"]) / ".hpcenv" / "environment.json"
    shutil.copy2(record, copied := record.with_suffix(".copy"))
    copied.replace(record)  # as another writes it: a file of their own
    for folder, names, files in os.walk(row["prefix"]):
        for each in (folder, *(os.path.join(folder, name) for name in (*names, *files))):
            os.chown(each, COLLEAGUE, COLLEAGUE, follow_symlinks=False)
    (view.lab.home / "data" / "hpcenv" / "environments" / f"{row['id']}.json").unlink()
    return "of-a-colleague"


def test_a_colleagues_is_used_and_left(view: Any, theirs: str) -> None:
    form = open_page(view, theirs)
    expect(form.get_by_role("button", name="Install…")).to_have_count(0)
    use = form.get_by_role("region", name="Use", exact=True)
    expect(use).to_contain_text("To use it is to run what")
    look(view, "use")
    assert row_of(view, theirs)["kernels"] == []
    use.get_by_role("button", name="Use", exact=True).click()
    expect(use.get_by_role("button", name="Stop using")).to_be_visible(timeout=60_000)
    assert len(row_of(view, theirs)["kernels"]) == 1
    look(view, "used", briefly=True)
    use.get_by_role("button", name="Stop using").click()
    expect(use.get_by_role("button", name="Use", exact=True)).to_be_visible(timeout=30_000)
    assert row_of(view, theirs)["kernels"] == []


def test_what_is_gone_is_built_again(view: Any, made: Any) -> None:
    row = small(made)
    shutil.rmtree(row["prefix"])
    view.panel.get_by_role("button", name="Refresh").click()
    view.panel.get_by_role("treeitem", name="small, Folder gone").click()
    form = page_of(view)
    again = form.get_by_role("button", name="Build again")
    expect(again).to_be_visible()
    look(view, "gone", briefly=True)
    again.click()
    expect(form.get_by_text("Built small again.")).to_be_visible(timeout=60_000)
    assert list(Path(row["prefix"]).glob("lib/python3*/site-packages/hpcneeds.py"))
    look(view, "built-again", briefly=True)


def test_the_last_change_is_undone(view: Any, made: Any) -> None:
    row = small(made)
    operation = view.lab.api("POST", f"environments/{row['id']}/changes", {"install": ["hpcextra"]})
    succeed(view, operation)
    form = open_page(view, "small")
    form.get_by_role("tab", name="History").click()
    done = form.get_by_role("region", name="What was done")
    expect(done.get_by_role("listitem").first).to_contain_text("Packages changed")
    done.get_by_text("1 package", exact=True).click()
    expect(done.get_by_text("hpcextra 1.0")).to_be_visible()
    form.get_by_role("button", name="Undo the last change…").click()
    plan = form.get_by_role("region", name="Undo the last change")
    expect(plan.get_by_role("heading", name="Undo the last change")).to_be_focused()
    expect(plan.get_by_role("row").filter(has_text="hpcextra")).to_be_visible()
    look(view, "undo")
    assert "hpcextra" in packages(view, row)  # nothing is undone unseen
    plan.get_by_role("button", name="Undo it").click()
    expect(form.get_by_text("Removed hpcextra.")).to_be_visible(timeout=60_000)
    assert "hpcextra" not in packages(view, row)
    form.get_by_role("tab", name="History").click()
    expect(done.get_by_role("listitem").first).to_contain_text("Last change undone")
    look(view, "history", briefly=True)


def packages(view: Any, row: dict[str, Any]) -> set[str]:
    return {each["name"] for each in view.lab.api("GET", f"environments/{row['id']}/packages")}


def test_what_was_deleted_comes_back_from_the_trash(view: Any, made: Any) -> None:
    row = small(made)
    view.lab.api("DELETE", f"environments/{row['id']}")
    view.panel.get_by_role("button", name="Room and trash").click()
    view.page.get_by_role("menuitem", name="Trash").click()
    trash = page_of(view).get_by_role("list", name="Deleted environments")
    expect(trash.get_by_role("listitem").filter(has_text="small").first).to_contain_text("Kept until")
    look(view, "trash")
    trash.get_by_role("button", name="Restore small").click()
    expect(view.panel.get_by_role("treeitem", name="small, ready")).to_be_visible()
    expect(trash.get_by_role("button", name="Restore small")).to_have_count(0)
    assert row_of(view, "small")["state"] == "ready"


def test_the_trash_makes_room(view: Any, made: Any) -> None:
    row = small(made)
    view.lab.api("DELETE", f"environments/{row['id']}")
    view.panel.get_by_role("button", name="Room and trash").click()
    view.page.get_by_role("menuitem", name="Trash").click()
    trash = page_of(view).get_by_role("list", name="Deleted environments")
    buttons = trash.get_by_role("button", name="Delete small for good…")
    expect(buttons.first).to_be_visible()
    before = buttons.count()
    buttons.first.click()
    asked = view.page.get_by_role("dialog")
    expect(asked).to_contain_text("Delete small for good?")
    assert row["id"] in [each["id"] for each in view.lab.api("GET", "trash")]  # nothing is sent before the answer
    asked.get_by_role("button", name="Delete for good").click()
    expect(buttons).to_have_count(before - 1)
    assert row["id"] not in [each["id"] for each in view.lab.api("GET", "trash")]


def test_room_is_looked_at_and_made(view: Any, made: Any) -> None:
    small(made)
    cache = Path(next(each["path"] for each in view.lab.api("GET", "caches") if each["name"] == "pip"))
    (cache / "http-v2" / "a").mkdir(parents=True)
    (cache / "http-v2" / "a" / "body").write_bytes(b"x" * 1_000_000)
    for each in (cache, *cache.rglob("*")):
        os.utime(each, (time.time() - 3_600,) * 2)  # nobody uses it now
    view.panel.get_by_role("button", name="Room and trash").click()
    view.page.get_by_role("menuitem", name="Room and caches").click()
    room = page_of(view)
    expect(room.get_by_role("region", name="Locations")).to_contain_text("Files that nobody used go after 30 days.")
    sizes = room.get_by_role("table", name="Environments by size")
    expect(sizes.get_by_role("row").filter(has_text="small")).to_contain_text("MB", timeout=30_000)
    look(view, "room")
    caches = room.get_by_role("region", name="Caches")
    caches.get_by_role("button", name="Clean pip…").click()
    asked = caches.get_by_role("group", name="Clean the cache of pip")
    expect(asked.get_by_role("heading")).to_contain_text("Would go: 1", timeout=30_000)
    look(view, "room-clean", part=asked)
    assert (cache / "http-v2" / "a" / "body").exists()
    asked.get_by_role("button", name="Clean", exact=True).click()
    expect(caches.get_by_text("Gone: 1")).to_be_visible(timeout=30_000)
    assert not (cache / "http-v2" / "a" / "body").exists()


def test_a_package_is_searched_while_it_is_typed(view: Any, made: Any) -> None:
    row = small(made)
    form = open_page(view, "small")
    form.get_by_role("tab", name="Packages").click()
    form.get_by_role("button", name="Install…").click()
    field = form.get_by_role("textbox", name="Packages to install")
    expect(field).to_be_focused()
    view.page.keyboard.type("hpcext")
    found = form.get_by_role("list", name="Where hpcext can be had")
    hit = found.get_by_role("listitem").filter(has_text="hpcextra 1.0")
    expect(hit).to_contain_text("folder", timeout=40_000)
    look(view, "search", part=hit)
    hit.get_by_role("button", name="Add hpcextra").click()
    expect(form.get_by_role("button", name="Remove hpcextra")).to_be_visible()
    expect(field).to_have_value("")
    expect(field).to_be_focused()
    assert "hpcextra" not in packages(view, row)
