"""A machine where nothing is installed becomes a JupyterHub with a shared kernel, by the admin page's commands.

They run as they are printed, in mount and process namespaces of their own: what they write lies above the machine's
folders and goes with the namespaces.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from ..conftest import require
from ..serving import CHECKOUT, KEPT

PAGE = CHECKOUT / "docs" / "how-to" / "admins" / "first-day.md"
FOLDERS = ("etc", "home", "opt", "srv", "var")
PORTS = (8000, 8001, 8081)  # those of the page, and JupyterHub's own
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]

#: Above each folder a layer that is thrown away; then the commands, and at the end somebody who waits.
AROUND = """
set -e
mount -t tmpfs none {above}
for folder in {folders}; do
  mkdir -p {above}/$folder/up {above}/$folder/work
  mount -t overlay overlay -o lowerdir=/$folder,upperdir={above}/$folder/up,workdir={above}/$folder/work /$folder
done
rm -rf /etc/jupyter
cat {known} >>/etc/environment
cd /root
. {commands}
until grep -q "JupyterHub is now running" /srv/jupyterhub/hub.log; do sleep 0.2; done
echo EVERYTHING IS DONE
read -r _
"""


def printed() -> str:
    """Return the commands of the page, with the files that some of them write."""
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return "\n".join(line.removeprefix("# ") for block in blocks for line in block.splitlines()) + "\n"


@pytest.fixture
def machine(wheel: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The machine after the page's commands; it goes when its first process does."""
    require("root, who can give a machine users", os.geteuid() == 0)
    for port in PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))  # else somebody else's Hub would answer
    commands, script, above = tmp_path / "commands.sh", tmp_path / "around.sh", tmp_path / "above"
    known = tmp_path / "environment"
    above.mkdir()
    commands.write_text(printed())
    network = {name: os.environ[name] for name in KEPT if name in os.environ and name != "LANG"}
    known.write_text("".join(f"{name}={value}\n" for name, value in network.items()))
    script.write_text(AROUND.format(above=above, folders=" ".join(FOLDERS), commands=commands, known=known))
    wheels = " ".join(filter(None, [os.environ.get("PIP_FIND_LINKS"), str(wheel.parent)]))
    kept = (*KEPT, "NODE_EXTRA_CA_CERTS", "NPM_CONFIG_REGISTRY")
    env = {name: os.environ[name] for name in kept if name in os.environ}
    env |= {
        "HOME": "/root",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PIP_FIND_LINKS": wheels,
    }
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    process = subprocess.Popen(
        [*namespaces, "bash", str(script)],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line == "EVERYTHING IS DONE\n":
            break
    try:
        assert said[-1:] == ["EVERYTHING IS DONE\n"], "".join(said)[-5_000:]
        assert "Nothing is wrong." in "".join(said)
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.timeout(900)  # on two busy cores pip, the Hub's start and two log-ins need minutes
def test_from_pip_install_to_a_kernel_that_a_colleague_opens(machine: subprocess.Popen[str]) -> None:
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert program, "There is no chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=FLAGS)
        page = browser.new_page()
        page.goto("http://127.0.0.1:8000/hub/login")
        page.fill("#username_input", "user2")
        page.fill("#password_input", "another-password")
        page.click("#login_submit")
        tile = page.locator(".jp-LauncherCard[data-category='Notebook']").filter(has_text="stations")
        expect(tile).to_be_visible(timeout=240_000)
        tile.click()
        cell = page.locator(".jp-Notebook:visible .jp-CodeCell .cm-content").first
        cell.click(timeout=240_000)
        expect(page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']").first).to_be_visible(timeout=240_000)
        page.keyboard.type('import os, sys, packaging; print(os.getuid() > 0, os.environ["WEATHER_DATA"], sys.prefix)')
        page.keyboard.press("Control+Enter")
        output = page.locator(".jp-Notebook:visible .jp-OutputArea-output").first
        expect(output).to_have_text("True /srv/weather/2026 /srv/project/stations", timeout=240_000)
        browser.close()
    machine.kill()
    machine.wait()
    assert not Path("/opt/jupyter").exists(), "nothing of it stays on the machine"
    assert "user1:" not in Path("/etc/passwd").read_text()
