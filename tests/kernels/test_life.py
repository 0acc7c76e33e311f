"""Real kernels under each kind of launch script: they live, obey and die as Jupyter expects, or explain themselves."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from jupyter_hpcenv import kernels, process
from jupyter_hpcenv.kernels.kernelspec import cache_folder
from jupyter_hpcenv.models import ModuleSet
from jupyter_hpcenv.site import Site

from .conftest import make_tree
from .launching import NAME, PATH, Tree, by_hand, cached, carrying, record_of, run, uncached

PATIENCE = 60

pytestmark = pytest.mark.filterwarnings("default")  # jupyter_client warns of its own; these tests are about processes

Start = Callable[..., tuple[KernelManager, BlockingKernelClient]]


@pytest.fixture(scope="module")
def lmod(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return make_tree("lmod", tmp_path_factory.mktemp("tree"))


@pytest.fixture
def data(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(home / "data"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
    monkeypatch.setenv("HPCENV_TEST_MARK", str(home))  # every process of the test carries it
    return home / "data"


@pytest.fixture
def publish(data: Path, prefix: Path) -> Callable[..., Path]:
    """Write launch script and kernelspec of the environment with those modules; return the stub."""

    def write(modules: ModuleSet | None, folder: Path = prefix, site: Site | None = None, **changes: Any) -> Path:
        site = site or Site()
        record = record_of(folder, modules, kernelspec=kernels.derive(prefix), **changes)
        kernels.write_launch(record, site)
        return kernels.publish(record, record.kernels[0], site) / "launch"

    return write


@pytest.fixture
def start(data: Path, home: Path) -> Iterator[Start]:
    """Start the published kernel as a Jupyter Server would; what is left at the end fails the test."""
    started: list[tuple[KernelManager, BlockingKernelClient]] = []

    def begin(**environ: str) -> tuple[KernelManager, BlockingKernelClient]:
        manager = KernelManager(kernel_name=NAME)
        manager.start_kernel(env={**os.environ, **environ})
        client = manager.client()
        started.append((manager, client))
        client.start_channels()
        client.wait_for_ready(timeout=PATIENCE)
        return manager, client

    yield begin
    for manager, client in started:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
    assert wait_until(lambda: others(home) == [])


def others(home: Path) -> list[int]:
    return [pid for pid in carrying(f"HPCENV_TEST_MARK={home}") if pid != os.getpid()]


def wait_until(condition: Callable[[], bool], patience: float = 30) -> bool:
    until = time.monotonic() + patience
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def value(client: BlockingKernelClient, expression: str) -> str:
    asked = {"silent": True, "user_expressions": {"x": expression}, "reply": True, "timeout": PATIENCE}
    reply = client.execute("", **asked)
    while reply["content"]["status"] == "aborted":  # what comes right behind an interrupted cell is not carried out
        reply = client.execute("", **asked)
    return str(reply["content"]["user_expressions"]["x"]["data"]["text/plain"])


def interrupted(manager: KernelManager, client: BlockingKernelClient) -> str:
    """Interrupt a cell that has begun; return the name of its error."""
    message = client.execute("import time; print('begun', flush=True); time.sleep(600)")
    while client.get_iopub_msg(timeout=PATIENCE)["content"].get("text") != "begun\n":
        pass
    manager.interrupt_kernel()
    while True:
        reply = client.get_shell_msg(timeout=PATIENCE)
        if reply["parent_header"].get("msg_id") == message:
            return str(reply["content"]["ename"])


@pytest.mark.parametrize("wrapper", ["live", "cached"])
def test_kernel_lives_and_dies_as_jupyter_expects(
    wrapper: str, lmod: Tree, prefix: Path, publish: Callable[..., Path], start: Start
) -> None:
    publish((uncached if wrapper == "live" else by_hand)(lmod, ["gcc/12"]))
    if wrapper == "cached":
        manager, _ = start()
        manager.shutdown_kernel(now=True)
        assert cached(cache_folder(Site()))
        (prefix / ".hpcenv" / "load.bash").write_text("exit 93\n")  # only the cache can do it
    manager, client = start()
    assert value(client, "__import__('sys').prefix") == repr(str(prefix))
    assert value(client, "__import__('os').getppid()") == str(os.getpid())
    assert value(client, "__import__('os').environ.get('CC')") == "'gcc-12'"
    mine = "[n for n in __import__('os').environ if n in ('HPCENV_EXPLAINER', 'HPCENV_FOLDER', 'HPCENV_CACHE')]"
    assert value(client, mine) == "[]"
    client.execute("kept = 41", reply=True, timeout=PATIENCE)
    assert interrupted(manager, client) == "KeyboardInterrupt"
    assert value(client, "kept + 1") == "42"
    assert list(kernels.running_kernels(prefix).values()) == [manager.connection_file]
    manager.restart_kernel()
    client.wait_for_ready(timeout=PATIENCE)
    assert value(client, "'kept' in globals()") == "False"
    manager.shutdown_kernel()
    assert wait_until(lambda: kernels.running(prefix) == [])


MANAGER = f"""
import sys, time
from jupyter_client.manager import KernelManager
manager = KernelManager(kernel_name={NAME!r})
manager.start_kernel()
if sys.argv[1] == "ready":
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout={PATIENCE})
print("go", flush=True)
time.sleep(600)
"""


@pytest.fixture
def subreaper() -> Iterator[None]:
    """Be the parent of orphans, as a user's systemd is: a kernel knows only pid 1 as a sign that its own has died."""
    prctl, pr_set_child_subreaper = ctypes.CDLL(None).prctl, 36
    assert prctl(pr_set_child_subreaper, 1, 0, 0, 0) == 0
    yield
    prctl(pr_set_child_subreaper, 0, 0, 0, 0)


@pytest.mark.usefixtures("subreaper")
@pytest.mark.parametrize("wrapper", ["live", "failing", "hanging"])
def test_nothing_is_left_when_the_manager_is_killed(
    wrapper: str, lmod: Tree, publish: Callable[..., Path], home: Path
) -> None:
    modules = {
        "live": uncached(lmod, ["gcc/12"]),
        "failing": uncached(lmod, ["broken/1.0"]),
        "hanging": uncached(lmod, ["hang/1.0"]),
    }[wrapper]
    publish(modules, site=Site(module_timeout=2))
    when = "starting" if wrapper == "hanging" else "ready"
    parent = subprocess.Popen([sys.executable, "-c", MANAGER, when], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    try:
        assert parent.stdout.readline() == "go\n"
        if wrapper == "hanging":
            assert wait_until(lambda: any(_runs(pid, "sleep") for pid in others(home)))
        orphans = [pid for pid in others(home) if pid != parent.pid]
        assert orphans
        parent.kill()
        parent.wait()
        assert wait_until(lambda: others(home) == [])
        for pid in orphans:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
        for pid in others(home):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _runs(pid: int, program: str) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip() == program
    return False


# -- explanations -----------------------------------------------------------


def explained(client: BlockingKernelClient) -> list[str]:
    reply = client.execute("1 + 1", reply=True, timeout=PATIENCE)["content"]
    assert reply["status"] == "error"
    return [reply["evalue"], *reply["traceback"]]


@pytest.mark.parametrize(
    ("load", "title", "words"),
    [
        (["gcc/12", "broken/1.0"], "could not be loaded", "licence server unreachable"),
        (["broken/5.0-exit"], "ended the shell", "A module ended the shell"),
        (["hang/1.0"], "took too long", ""),
    ],
)
def test_failing_modules_are_explained_and_a_restart_tries_again(
    load: list[str], title: str, words: str, lmod: Tree, publish: Callable[..., Path], start: Start
) -> None:
    publish(uncached(lmod, load), site=Site(module_timeout=2))
    manager, client = start(STAYS="a\nb", PYTHONHOME="/nowhere")
    said = explained(client)
    assert title in said[0]
    assert words in "\n".join(said)
    assert said[-1].startswith("What to do: ")
    info = client.kernel_info(reply=True, timeout=PATIENCE)["content"]
    assert (info["implementation"], info["language_info"]["name"]) == ("jupyter_hpcenv-explanation", "python")
    around = Path(f"/proc/{manager.provisioner.pid}/environ").read_bytes().split(b"\0")
    assert b"STAYS=a\nb" in around
    assert not [entry for entry in around if entry.startswith((b"LOADEDMODULES=", b"VIRTUAL_ENV=", b"PYTHONHOME="))]
    manager.interrupt_kernel()
    assert title in explained(client)[0]
    publish(uncached(lmod, ["gcc/12"]))
    manager.restart_kernel()
    client.wait_for_ready(timeout=PATIENCE)
    assert value(client, "__import__('os').environ['CC']") == "'gcc-12'"


@contextlib.contextmanager
def without_ipykernel(prefix: Path) -> Iterator[None]:
    package = next(prefix.glob("lib/python*/site-packages/ipykernel"))
    package.rename(package.with_name("ipykernel.aside"))
    launcher = package.with_name("ipykernel_launcher.py")
    launcher.rename(launcher.with_suffix(".aside"))
    try:
        yield
    finally:
        package.with_name("ipykernel.aside").rename(package)
        launcher.with_suffix(".aside").rename(launcher)


@pytest.mark.parametrize("wrapper", ["plain", "live"])
def test_missing_ipykernel_is_explained(
    wrapper: str, lmod: Tree, prefix: Path, publish: Callable[..., Path], start: Start
) -> None:
    stub = publish(None if wrapper == "plain" else uncached(lmod, ["gcc/12"]))
    with without_ipykernel(prefix):
        manager, client = start()
        assert "has no ipykernel" in explained(client)[0]
        around = Path(f"/proc/{manager.provisioner.pid}/environ").read_bytes().split(b"\0")
        assert not [entry for entry in around if entry.startswith((b"CC=", b"VIRTUAL_ENV="))]
        launched = run(prefix / ".hpcenv" / "launch", {"PATH": PATH}, "-m", "ipykernel_launcher", "-f", "x")
        assert "No module named ipykernel_launcher" in launched.stderr
    manager.restart_kernel()
    client.wait_for_ready(timeout=PATIENCE)
    assert value(client, "1 + 1") == "2"
    assert stub.exists()


def test_ipykernel_from_elsewhere_is_found_by_asking(
    lmod: Tree, prefix: Path, publish: Callable[..., Path], start: Start
) -> None:
    publish(None)
    site_packages = next(prefix.glob("lib/python*/site-packages"))
    (site_packages / "elsewhere.pth").write_text(str(site_packages / "elsewhere") + "\n")
    (site_packages / "elsewhere").mkdir()
    try:
        (site_packages / "ipykernel").rename(site_packages / "elsewhere/ipykernel")
        _, client = start()
        assert value(client, "__import__('ipykernel').__file__").endswith('elsewhere/ipykernel/__init__.py"')
    finally:
        (site_packages / "elsewhere/ipykernel").rename(site_packages / "ipykernel")
        (site_packages / "elsewhere.pth").unlink()
        (site_packages / "elsewhere").rmdir()


def test_modules_alone_are_a_kernel(
    lmod: Tree, prefix: Path, publish: Callable[..., Path], start: Start, tmp_path: Path
) -> None:
    module = Path(lmod.path) / "Jupyter/1.0.lua"
    module.parent.mkdir(exist_ok=True)
    module.write_text(f'prepend_path("PATH", "{prefix}/bin")\n')
    folder = tmp_path / "only"
    folder.mkdir()
    publish(uncached(lmod, ["Jupyter/1.0"]), folder, manager="modules")
    _, client = start(VIRTUAL_ENV="/other")
    assert value(client, "__import__('os').environ.get('VIRTUAL_ENV')") == "None"
    assert value(client, "__import__('sys').prefix") == repr(str(prefix))
    record = record_of(folder, uncached(lmod, ["Jupyter/1.0"]), kernelspec=kernels.derive(prefix), manager="modules")
    launch = folder / ".hpcenv" / "launch"
    assert kernels.prove(record, launch, process.environment(), lambda: None, PATIENCE).kind == "kernel"


def test_site_can_turn_explanations_off(lmod: Tree, publish: Callable[..., Path]) -> None:
    stub = publish(uncached(lmod, ["broken/1.0"]), site=Site(explain=False))
    done = run(stub, {"PATH": PATH}, "-m", "ipykernel_launcher", "-f", "/nowhere/k.json")
    assert done.returncode == 1
    assert "licence server unreachable" in done.stderr


def test_notebook_fails_with_the_module_systems_words(
    lmod: Tree, publish: Callable[..., Path], data: Path, home: Path, tmp_path: Path
) -> None:
    publish(uncached(lmod, ["broken/1.0"]))
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(1)")])
    made.metadata["kernelspec"] = {"name": NAME, "display_name": "Modules", "language": "python"}
    nbformat.write(made, tmp_path / "in.ipynb")
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", str(tmp_path / "in.ipynb")]
    environ = {"HOME": str(home), "PATH": PATH, "JUPYTER_PATH": str(data), "JUPYTER_PLATFORM_DIRS": "0"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode != 0
    assert "licence server unreachable" in done.stderr
    assert "What to do" in done.stderr
