"""Drive the panel in a real browser, on a real JupyterLab, down to a notebook on the new kernel.

Screenshots go to ``artefacts/`` beside this file; look at them after changing the interface.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

BACKEND = """
import pathlib, time, zipfile
HERE = pathlib.Path(__file__).parent
INFO = "{name}-1.0.dist-info"

def build_wheel(folder, config_settings=None, metadata_directory=None):
    while not (HERE / "go").exists():
        time.sleep(0.05)
    wheel = "{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / wheel, "w") as file:
        file.writestr(INFO + "/METADATA", "Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n")
        file.writestr(INFO + "/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        file.writestr(INFO + "/RECORD", "")
    return wheel

build_editable = build_wheel
"""


class Gate:
    """A package of the user's own whose build waits until the test lets it go on."""

    def __init__(self, folder: Path) -> None:
        name = folder.name
        folder.mkdir(parents=True)
        (folder / "pyproject.toml").write_text(
            f'[project]\nname = "{name}"\nversion = "1.0"\n'
            '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        )
        (folder / "backend.py").write_text(BACKEND.replace("{name}", name))
        self.folder = folder
        self.line = f"-e {folder}"

    def open(self) -> None:
        (self.folder / "go").touch()


@pytest.fixture
def gate(lab: Any, request: pytest.FixtureRequest) -> Iterator[Gate]:
    """A gate that is opened in the end, so that no build waits for ever."""
    gate = Gate(lab.home / "src" / f"gate{abs(hash(request.node.name)) % 10_000}")
    yield gate
    gate.open()


@pytest.fixture
def made(lab: Any) -> Callable[[str], dict[str, Any]]:
    """Make an environment by REST, or return it when it is there."""

    def make(name: str, **more: Any) -> dict[str, Any]:
        found = [row for row in lab.api("GET", "environments") if row["name"] == name]
        if not found:
            operation = lab.api("POST", "environments", {"name": name, **more})
            while operation["state"] in ("pending", "running"):
                time.sleep(0.2)
                operation = lab.api("GET", f"operations/{operation['id']}")
            assert operation["state"] == "succeeded", operation["error"]
            found = [row for row in lab.api("GET", "environments") if row["name"] == name]
        return found[0]

    return make


def page_of(view: Any) -> Any:
    """The page in front."""
    return view.page.locator(".jp-HpcEnv-page:visible")


def open_form(view: Any, name: str, requirements: str = "") -> Any:
    """Open the form and fill in a name, and lines of a requirements file."""
    view.panel.get_by_role("toolbar").get_by_role("button", name="New environment").click()
    form = page_of(view)
    form.get_by_role("textbox", name="Name", exact=True).fill(name)
    if requirements:
        form.get_by_text("A file", exact=True).click()
        form.get_by_role("textbox", name="Lines of the requirements file").fill(requirements)
    return form


def wait_for_kernel(view: Any) -> None:
    """Wait until the notebook in front is connected to its kernel.

    JupyterLab loses a cell that is run before (with its own ``python3`` kernel as well), and its
    indicator says “idle” while there is no connection yet.
    """
    view.page.wait_for_function(
        """() => {
          const kernel = window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel;
          return kernel?.connectionStatus === 'connected' && kernel.status === 'idle';
        }""",
        timeout=60_000,
    )


AXE = "context => axe.run(context, {resultTypes: ['violations']}).then(found => found.violations)"


def axe(view: Any, what: str) -> None:
    """Assert that axe finds nothing in our parts: WCAG A and AA, and best practice."""
    targets = [[s] for s in ("#jupyter-hpcenv-panel", ".jp-HpcEnv-page") if view.page.locator(f"{s}:visible").count()]
    if not view.page.evaluate("'axe' in window"):  # to load it anew each time takes longer than its look
        view.page.evaluate(Axe().axe_script)
    found = view.page.evaluate(AXE, {"include": targets})
    said = [f"{v['id']}: {v['help']}: {[n['target'] for n in v['nodes']][:4]}" for v in found]
    assert not said, f"{what}: " + "\n".join(said)


def test_three_clicks_and_a_name_make_a_notebook(view: Any) -> None:
    page = view.page
    page.locator(".jp-LauncherCard").get_by_text("New environment").click()  # 1
    expect(page_of(view).get_by_role("textbox", name="Name", exact=True)).to_be_focused()
    page.keyboard.type("three-clicks")
    expect(page_of(view).get_by_text("Free in home.")).to_be_visible()
    page_of(view).get_by_role("button", name="Create", exact=True).click()  # 2
    expect(page.get_by_text("three-clicks is ready.").first).to_be_visible(timeout=90_000)
    expect(page_of(view).get_by_role("tab", name="Overview")).to_be_visible()
    page_of(view).get_by_role("button", name="New notebook").first.click()  # 3
    wait_for_kernel(view)
    cell = page.locator(".jp-Notebook:visible .jp-CodeCell .cm-content").first
    cell.click()
    page.keyboard.type("import sys; print(sys.prefix)")
    page.keyboard.press("Shift+Enter")
    [row] = [row for row in view.lab.api("GET", "environments") if row["name"] == "three-clicks"]
    expect(page.locator(".jp-OutputArea-output").first).to_have_text(row["prefix"], timeout=60_000)
    expect(view.row("three-clicks").locator(".jp-HpcEnv-rowRunning")).to_be_visible()
    view.shot("notebook-light")


def test_the_new_kernel_is_on_the_launcher_without_reload(view: Any) -> None:
    page = view.page
    open_form(view, "on-launcher").get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_text("on-launcher is ready.").first).to_be_visible(timeout=90_000)
    page.get_by_role("tab", name="Launcher", exact=True).click()
    card = page.locator('.jp-LauncherCard[data-category="Notebook"]').filter(has_text="on-launcher")
    expect(card).to_be_visible()


def test_a_reload_in_the_middle_of_a_build(view: Any, gate: Gate) -> None:
    page = view.page
    open_form(view, "reloaded", gate.line).get_by_role("button", name="Create", exact=True).click()
    expect(page_of(view).get_by_role("button", name="Cancel build")).to_be_visible()
    expect(view.row("reloaded").locator(".jp-HpcEnv-spinner")).to_be_visible()
    expect(page_of(view).get_by_role("log")).to_contain_text("Create the prefix")
    axe(view, "progress")
    view.shot("build-light")
    page.wait_for_timeout(1500)  # the layout is saved after a pause
    view.load(reset=False)
    expect(page_of(view).get_by_role("heading", level=1)).to_have_text("reloaded")
    expect(page_of(view).get_by_role("button", name="Cancel build")).to_be_visible()
    expect(page_of(view).get_by_role("log")).to_contain_text("Create the prefix")
    expect(view.row("reloaded").locator(".jp-HpcEnv-spinner")).to_be_visible()
    gate.open()
    expect(page_of(view).get_by_role("tab", name="Overview")).to_be_visible(timeout=90_000)
    expect(page.get_by_text("reloaded is ready.").first).to_be_visible()
    expect(page.locator("#jp-main-dock-panel .lm-TabBar-tab").filter(has_text="reloaded")).to_have_count(1)


def test_cancel_leaves_nothing(view: Any, gate: Gate) -> None:
    page = view.page
    open_form(view, "cancelled", gate.line).get_by_role("button", name="Create", exact=True).click()
    page_of(view).get_by_role("button", name="Cancel build").click()
    expect(page.get_by_text("Cancelled cancelled. Nothing was left behind.").first).to_be_visible(timeout=30_000)
    expect(view.row("cancelled")).to_have_count(0)
    assert "cancelled" not in [row["name"] for row in view.lab.api("GET", "environments")]
    page_of(view).get_by_role("button", name="Create again").click()
    expect(page_of(view).get_by_role("textbox", name="Name", exact=True)).to_have_value("cancelled")
    expect(page_of(view).get_by_role("textbox", name="Lines of the requirements file")).to_have_value(gate.line)


def test_a_failure_says_why_and_reopens_the_form(view: Any) -> None:
    page = view.page
    form = open_form(view, "failing")
    form.get_by_role("textbox", name="Packages").fill("packaging>=24, packaging<20")
    form.get_by_role("button", name="Create", exact=True).click()
    told = page_of(view).get_by_role("alert").filter(has_text="Why")
    expect(told).to_contain_text("packaging", timeout=60_000)
    expect(view.row("failing")).to_contain_text("Failed:")
    axe(view, "failure")
    view.shot("failure-light")
    page_of(view).get_by_role("button", name="Change the request").click()
    expect(page_of(view).get_by_role("textbox", name="Name", exact=True)).to_have_value("failing")
    expect(page_of(view).get_by_role("button", name="Remove packaging>=24")).to_be_visible()
    view.row("failing").hover()
    view.row("failing").get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Remove from list").click()
    expect(view.row("failing")).to_have_count(0)


def test_what_is_refused_at_once_stands_at_its_field(view: Any) -> None:
    form = open_form(view, "refused")
    form.get_by_role("textbox", name="Packages").fill("hpcenv-there-is-no-such-package")
    form.get_by_role("button", name="Create", exact=True).click()
    expect(form.get_by_role("alert")).to_contain_text("hpcenv-there-is-no-such-package")
    expect(form.get_by_role("textbox", name="Packages")).to_be_focused()
    axe(view, "refused form")
    view.shot("refused-light")


def test_delete_and_undo_by_keyboard(view: Any, made: Any) -> None:
    page = view.page
    environment = made("to-delete", kernel=True)
    view.panel.get_by_role("button", name="Refresh").click()
    view.row("to-delete").wait_for()
    page.locator(".jp-Launcher").wait_for()
    card = page.locator('.jp-LauncherCard[data-category="Notebook"]').filter(has_text="to-delete")
    expect(card).to_be_visible()
    view.row("to-delete").focus()
    page.keyboard.press("Delete")
    expect(page.get_by_text("Deleted to-delete. It stays in the trash for 7 days.").first).to_be_visible()
    expect(view.row("to-delete")).to_have_count(0)
    expect(card).to_have_count(0)
    view.shot("deleted-light")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("to-delete is back.").first).to_be_visible()
    expect(view.row("to-delete")).to_be_visible()
    expect(card).to_be_visible()
    assert view.lab.api("GET", f"environments/{environment['id']}")["state"] == "ready"


def test_open_terminal_has_the_environment_active(view: Any, made: Any) -> None:
    environment = made("in-terminal", kernel=False)
    view.panel.get_by_role("button", name="Refresh").click()
    view.open("in-terminal")
    page_of(view).get_by_role("button", name="Open terminal").first.click()
    terminal = view.page.locator(".jp-Terminal:visible")
    terminal.wait_for()
    terminal.click()
    view.page.wait_for_timeout(1000)
    target = view.lab.home / "notebooks" / "active.txt"
    view.page.keyboard.type(f"echo $VIRTUAL_ENV > {target}\n")
    deadline = time.monotonic() + 15
    while not (target.exists() and target.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert target.read_text().strip() == environment["prefix"]


def test_the_list_by_keyboard(view: Any, made: Any) -> None:
    page = view.page
    made("keys-a", kernel=False)
    made("keys-b")
    view.panel.get_by_role("button", name="Refresh").click()
    view.row("keys-b").wait_for()
    view.panel.locator('[role="tree"] [tabindex="0"]').focus()
    page.keyboard.press("/")
    expect(view.panel.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("keys-")
    expect(view.panel.locator(".jp-HpcEnv-row")).to_have_count(2)
    page.keyboard.press("ArrowDown")
    expect(view.row("keys-a")).to_be_focused()
    page.keyboard.press("Shift+ArrowDown")
    expect(view.panel.get_by_text("2 selected")).to_be_visible()
    view.shot("selection-light")
    page.keyboard.press("Escape")
    expect(view.panel.get_by_text("2 selected")).to_have_count(0)
    page.keyboard.press("Shift+F10")
    expect(page.get_by_role("menuitem", name="New notebook")).to_be_visible()
    view.shot("menu-light")
    page.keyboard.press("Escape")
    view.row("keys-b").focus()
    page.keyboard.press("Enter")
    expect(page_of(view).get_by_role("heading", level=1)).to_have_text("keys-b")


def test_commands_that_anybody_can_call_change_nothing(view: Any) -> None:
    sent: list[str] = []
    view.page.on("request", lambda r: sent.append(r.method) if "/hpcenv/" in r.url and r.method != "GET" else None)
    ids = view.page.evaluate("window.jupyterapp.commands.listCommands().filter(id => id.startsWith('hpcenv:'))")
    named = ["hpcenv:focus-panel", "hpcenv:new", "hpcenv:new-from-file", "hpcenv:open", "hpcenv:refresh"]
    assert sorted(ids) == named
    for command in ids:
        view.page.evaluate(
            """id => window.jupyterapp.commands.execute(id, {name: 'hostile', packages: ['evil'], submit: true,
               environment: 'x', operation: 'y', force: true})""",
            command,
        )
    view.page.wait_for_timeout(500)
    assert sent == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_and_it_looks_right(view: Any, made: Any, gate: Gate, theme: str) -> None:
    page = view.page
    page.set_viewport_size({"width": 1400, "height": 1000})
    made("climate-2025", packages=["packaging>=23"], variables={"OMP_NUM_THREADS": "4"})
    if theme == "dark":
        view.dark()
    view.panel.get_by_role("button", name="Refresh").click()
    view.open("climate-2025")
    for tab in ("Overview", "Packages", "Kernels", "Activate"):
        page_of(view).get_by_role("tab", name=tab).click()
        expect(page_of(view).get_by_role("tabpanel").first).not_to_contain_text("Reading")
        page.wait_for_timeout(300)
        axe(view, f"{tab}, {theme}")
        view.shot(f"environment-{tab.lower()}-{theme}")
    form = open_form(view, "hydro tools")
    form.get_by_role("textbox", name="Packages").fill("xarray, dask[distributed], matplotlib>=3.9")
    page.keyboard.press("Enter")
    form.get_by_role("button", name="Add a variable").click()
    page.keyboard.type("OMP_NUM_THREADS")
    form.get_by_text("Options", exact=True).click()
    page.wait_for_timeout(500)
    axe(view, f"form with an error, {theme}")
    view.shot(f"create-{theme}")
    page.set_viewport_size({"width": 760, "height": 1000})
    page.wait_for_timeout(300)
    axe(view, f"narrow form, {theme}")
    view.shot(f"create-narrow-{theme}")
    page.set_viewport_size({"width": 1400, "height": 1000})
    form.get_by_text("A file", exact=True).click()
    form.get_by_role("textbox", name="Lines of the requirements file").fill(gate.line)
    form.get_by_role("textbox", name="Name", exact=True).fill(f"building-{theme}")
    for name in ("xarray", "dask[distributed]", "matplotlib>=3.9"):
        form.get_by_role("button", name=f"Remove {name}").click()
    form.get_by_role("button", name="Create", exact=True).click()
    expect(page_of(view).get_by_role("log")).to_contain_text("Create the prefix", timeout=30_000)
    page_of(view).get_by_role("searchbox", name="Search the log").fill("prefix")
    axe(view, f"progress, {theme}")
    view.shot(f"progress-{theme}")
    page.set_viewport_size({"width": 760, "height": 1000})
    page.wait_for_timeout(300)
    axe(view, f"narrow progress, {theme}")
    view.shot(f"progress-narrow-{theme}")
    page_of(view).get_by_role("button", name="Cancel build").click()
    expect(page_of(view).get_by_role("button", name="Create again")).to_be_visible(timeout=30_000)
    axe(view, f"cancelled, {theme}")
    page.set_viewport_size({"width": 1400, "height": 1000})
    view.panel.get_by_role("searchbox").fill("no such thing")
    expect(view.panel).to_contain_text("No environment matches")
    axe(view, f"nothing matches, {theme}")
