"""A JupyterLab of its own for the browser tests, on 127.0.0.1, in an empty home; ended by whoever started it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
ARTEFACTS = Path(__file__).parent / "artefacts"
BUILT = ROOT / "jupyter_hpcenv" / "labextension"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
SCRUBBED = ("PIP_", "UV_", "JUPYTER", "JPY_", "XDG_", "CONDA_", "VIRTUAL_ENV", "WORKON_HOME", "PYTHONPATH")
SCRUBBED += ("MODULE", "LMOD_", "LOADEDMODULES", "_LMFILES_")
KEPT = {"PIP_CERT", "PIP_PROXY", "PIP_INDEX_URL", "UV_CACHE_DIR", "PIP_CACHE_DIR"}

expect.set_options(timeout=15_000)


def _missing(what: str) -> None:
    if os.environ.get("HPCENV_REQUIRE_REAL") == "1":
        pytest.fail(f"{what}, and HPCENV_REQUIRE_REAL=1 forbids to skip the browser tests")
    pytest.skip(what)


@dataclass
class Lab:
    """A running JupyterLab: its address, its token, its folders."""

    url: str
    token: str
    home: Path
    process: subprocess.Popen[bytes]

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the server below ``hpcenv/`` as a script would."""
        request = urllib.request.Request(
            f"{self.url}/hpcenv/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None


def _environment(home: Path) -> dict[str, str]:
    cache = os.environ.get("UV_CACHE_DIR") or str(Path(os.environ["HOME"]) / ".cache" / "uv")
    kept = {k: v for k, v in os.environ.items() if k in KEPT or not k.startswith(SCRUBBED)}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {
        **kept,
        "HOME": str(home),
        "SHELL": "/bin/bash",
        "UV_CACHE_DIR": cache,
        "PIP_CONFIG_FILE": os.devnull,
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTER_PREFER_ENV_PATH": "no",  # else a copy installed beside this Python hides the one just built
        "PYTHONPATH": str(ROOT),
    }


def start_lab(home: Path, **more: str) -> Lab:
    """Start a server on a free port of 127.0.0.1, with *more* variables, and wait until it answers."""
    (home / "notebooks").mkdir(parents=True)
    labconfig = home / "config" / "labconfig"
    labconfig.mkdir(parents=True)
    (labconfig / "page_config.json").write_text(
        json.dumps({"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}})
    )
    server_config = home / "config" / "jupyter_server_config.d"
    server_config.mkdir()
    (server_config / "jupyter_hpcenv.json").write_text(
        json.dumps({"ServerApp": {"jpserver_extensions": {"jupyter_hpcenv": True}}})
    )
    extensions = home / "data" / "labextensions"
    extensions.mkdir(parents=True)
    (extensions / "jupyter-hpcenv").symlink_to(BUILT)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    argv = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"]
    argv += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    argv += [f"--ServerApp.root_dir={home / 'notebooks'}", "--LabApp.extension_manager=readonly"]
    argv += ["--LabApp.expose_app_in_browser=True"]
    with (home / "lab.log").open("wb") as log:
        process = subprocess.Popen(argv, env={**_environment(home), **more}, stdout=log, stderr=subprocess.STDOUT)
    lab = Lab(f"http://127.0.0.1:{port}", token, home, process)
    deadline = time.monotonic() + 60
    while True:
        try:
            lab.api("GET", "site")
            return lab
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                pytest.fail((home / "lab.log").read_text()[-4000:])
            time.sleep(0.1)


def stop_lab(lab: Lab) -> None:
    """End the server and whatever it runs."""
    lab.process.terminate()
    try:
        lab.process.wait(20)
    except subprocess.TimeoutExpired:
        lab.process.kill()
        lab.process.wait()
    ARTEFACTS.mkdir(exist_ok=True)
    shutil.copy(lab.home / "lab.log", ARTEFACTS / "lab.log")


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab for all tests; each test has names of its own in it."""
    if not (BUILT / "package.json").exists():
        _missing("The lab extension is not built: run “npm run build:prod” in labextension/")
    lab = start_lab(tmp_path_factory.mktemp("lab"))
    yield lab
    stop_lab(lab)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium, without a window."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not program:
        _missing("There is no chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class View:
    """A page with JupyterLab in it, and the short ways that tests take."""

    lab: Lab
    page: Page
    context: BrowserContext
    wrong: list[str] = field(default_factory=list)
    """What the browser complained about, ours only."""

    @property
    def panel(self) -> Any:
        return self.page.locator("#jupyter-hpcenv-panel")

    def load(self, *, reset: bool = True) -> None:
        """Open JupyterLab; without *reset* its layout is as it was."""
        self.page.goto(f"{self.lab.url}/lab?{'reset&' if reset else ''}token={self.lab.token}")
        self.ready()
        if reset:
            self.page.locator(".jp-Launcher").wait_for()

    def ready(self) -> None:
        self.page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=60_000)
        self.page.locator("#jp-main-dock-panel").wait_for()

    def open_panel(self) -> None:
        tab = self.page.locator('.jp-SideBar [data-id="jupyter-hpcenv-panel"]')
        tab.wait_for()
        if tab.get_attribute("aria-selected") != "true":  # a click on the open tab would close it
            tab.click()
        self.panel.wait_for()

    def row(self, name: str) -> Any:
        return self.panel.locator(".jp-HpcEnv-row").filter(has=self.page.get_by_text(name, exact=True))

    def open(self, name: str) -> None:
        """Open the page of an environment; while the panel still shows its build, its row leads to that one's page."""
        self.panel.get_by_role("treeitem", name=f"{name}, ready").click()

    def dark(self) -> None:
        """Change to the dark theme, and wait for its colours."""
        self.page.evaluate("window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
        self.page.locator('body[data-jp-theme-light="false"]').wait_for(state="attached")

    def shot(self, name: str) -> None:
        ARTEFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=str(ARTEFACTS / f"{name}.png"))  # disabled animations would end the notifications


@pytest.fixture(scope="session")
def page(browser: Browser) -> Iterator[Page]:
    """One page for all tests: a process of its own for each takes longer than JupyterLab does to load."""
    context = browser.new_context(reduced_motion="reduce")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.on("dialog", lambda dialog: dialog.accept())  # who leaves a notebook that was not saved is asked
    yield page
    context.close()


@pytest.fixture
def view(lab: Lab, page: Page) -> Iterator[View]:
    """A fresh JupyterLab, in a browser that has forgotten the one before, and the panel open."""
    yield from view_of(lab, page)


def view_of(lab: Lab, page: Page) -> Iterator[View]:
    """Give a view of *lab*, and see afterwards that the browser complained about nothing."""
    view = View(lab, page, page.context)

    def complain(error: Any) -> None:
        view.wrong.append(str(error))

    page.set_viewport_size({"width": 1400, "height": 860})
    page.on("pageerror", complain)
    view.load()
    view.open_panel()
    yield view
    page.evaluate("localStorage.clear(); sessionStorage.clear()")
    page.goto("about:blank")
    page.context.clear_cookies()
    page.remove_listener("pageerror", complain)
    assert not view.wrong, view.wrong
