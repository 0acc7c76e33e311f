"""A published kernel lives and dies as Jupyter expects: the real ipykernel, started by our launch script.

One environment is built with uv for the whole file; the package index must be reachable.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jupyter_kernel_test
import nbformat
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from uv import find_uv_bin

from jupyter_hpcenv import kernels, process
from jupyter_hpcenv.kernels.kernelspec import render_stub
from jupyter_hpcenv.models import Kernel, Platform, Record
from jupyter_hpcenv.site import Site

NAME = "hpcenv-home.life"
PATIENCE = 60

pytestmark = pytest.mark.filterwarnings("default")  # jupyter_client warns of its own; these tests are about processes


# -- one environment, published ---------------------------------------------


def build(prefix: Path, *packages: str) -> Path:
    uv = [find_uv_bin(), "--no-config", "--quiet"]
    subprocess.run([*uv, "venv", "--python", sys.executable, str(prefix)], check=True, timeout=PATIENCE)
    target = ["--python", str(prefix / "bin" / "python")]
    subprocess.run([*uv, "pip", "install", *target, *packages], check=True, timeout=5 * PATIENCE)
    return prefix


def record_of(prefix: Path) -> Record:
    return Record(
        id="0123456789abcdef0123456789abcdef",
        name="life",
        location="home",
        prefix=str(prefix),
        manager="venv",
        creator="uv",
        installer="uv",
        python=f"{sys.version_info[0]}.{sys.version_info[1]}",
        python_path=sys.executable,
        variables={"GREETING": "it's $HOME {{7*7}}"},
        display_name="Life",
        kernels=[Kernel(name=NAME, display_name="Life")],
        kernelspec=kernels.derive(prefix),
        platform=Platform(cluster="test", os="test", arch="test"),
        owner="ada",
        created="",
        changed="",
        operation="",
    )


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("life") / "it's my environment", "ipykernel")


@pytest.fixture(scope="module")
def data(prefix: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Jupyter data folder that holds the kernelspec and nothing else."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_DATA_DIR", str(folder))
        site, record = Site(), record_of(prefix)
        launch = kernels.write_launch(record, site)
        proof = kernels.prove(record, launch, process.environment(), lambda: None, PATIENCE)
        assert proof.kind == "kernel"
        kernels.publish(record, record.kernels[0], site)
    return folder


@pytest.fixture(scope="module", autouse=True)
def surroundings(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What TestProtocol starts its kernel in: a class is set up before any fixture of a single test."""
    home = tmp_path_factory.mktemp("class-home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("JUPYTER_DATA_DIR", str(data))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
        yield


@pytest.fixture
def start(data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Start the published kernel as a Jupyter Server would; what is left at the end fails the test."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(data))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    started: list[tuple[KernelManager, BlockingKernelClient]] = []

    def begin(**options: Any) -> tuple[KernelManager, BlockingKernelClient]:
        manager = KernelManager(kernel_name=NAME, **options)
        manager.start_kernel()
        client = manager.client()
        started.append((manager, client))
        client.start_channels()
        client.wait_for_ready(timeout=PATIENCE)
        return manager, client

    yield begin
    for manager, client in started:
        client.stop_channels()
        connection = manager.connection_file
        if manager.has_kernel:
            manager.shutdown_kernel(now=True)
        assert wait_until(lambda connection=connection: not with_argument(connection))


def with_argument(text: str) -> list[int]:
    """Pids of live processes that have *text* in their command line, this one apart."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            state = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[0]
            if state not in "ZX" and text in Path(f"/proc/{entry}/cmdline").read_text(errors="replace"):
                found.append(int(entry))
    return found


def wait_until(condition: Callable[[], bool], patience: float = 30) -> bool:
    until = time.monotonic() + patience
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def value(client: BlockingKernelClient, expression: str) -> str:
    """Evaluate through the shell reply."""
    reply = client.execute("", silent=True, user_expressions={"x": expression}, reply=True, timeout=PATIENCE)
    if reply["content"]["status"] == "aborted":  # the kernel throws away what was asked while it was interrupted
        return value(client, expression)
    return str(reply["content"]["user_expressions"]["x"]["data"]["text/plain"])


def reply_to(client: BlockingKernelClient, message: str) -> dict[str, Any]:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with contextlib.suppress(queue.Empty):
            reply = client.get_shell_msg(timeout=1)
            if reply["parent_header"].get("msg_id") == message:
                content: dict[str, Any] = reply["content"]
                return content
    raise AssertionError("no reply")


# -- what a kernel must be able to do ---------------------------------------


class TestProtocol(jupyter_kernel_test.KernelTests):
    """The suite of jupyter_kernel_test against the published kernelspec."""

    kernel_name = NAME
    language_name = "python"
    file_extension = ".py"
    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('test', file=sys.stderr)"
    code_page_something = "zip?"
    code_generate_error = "raise ValueError('on purpose')"
    code_execute_result = (
        {"code": "1+2+3", "result": "6"},
        {"code": "[n*n for n in range(1, 4)]", "result": "[1, 4, 9]"},
    )
    code_display_data = (
        {"code": "from IPython.display import HTML, display; display(HTML('<b>x</b>'))", "mime": "text/html"},
    )
    code_history_pattern = "1?2*"
    supported_history_operations = ("tail", "search")
    code_inspect_sample = "zip"
    code_clear_output = "from IPython.display import clear_output; clear_output()"
    complete_code_samples = ("1", "print('x')", "def f(x):\n  return x*2\n\n\n")
    incomplete_code_samples = ("print('''hello", "def f(x):\n  x*2")
    invalid_code_samples = ("import = 7q",)
    completion_samples = ({"text": "zi", "matches": {"zip"}},)


def test_kernel_is_the_environments_with_its_variables(start: Callable[..., Any], prefix: Path) -> None:
    _, client = start()
    assert value(client, "__import__('sys').prefix") == repr(str(prefix))
    assert value(client, "__import__('os').environ['GREETING']") == repr("it's $HOME {{7*7}}")
    assert value(client, "__import__('shutil').which('python')") == repr(str(prefix / "bin" / "python"))
    assert value(client, "__import__('os').getppid()") == str(os.getpid())


@pytest.mark.parametrize(
    "busy", ["import time; time.sleep(600)", "import subprocess; subprocess.run(['sleep', '600'])"]
)
def test_interrupt_stops_the_cell_and_keeps_the_state(busy: str, start: Callable[..., Any], prefix: Path) -> None:
    manager, client = start()
    client.execute("kept = 41", reply=True, timeout=PATIENCE)
    message = client.execute(busy)
    assert wait_until(lambda: _is_busy(client))
    manager.interrupt_kernel()
    reply = reply_to(client, message)
    assert (reply["status"], reply["ename"]) == ("error", "KeyboardInterrupt")
    assert value(client, "kept + 1") == "42"


def _is_busy(client: BlockingKernelClient) -> bool:
    """Tell whether the cell has begun (its input was published)."""
    with contextlib.suppress(queue.Empty):
        return bool(client.get_iopub_msg(timeout=1)["msg_type"] == "execute_input")
    return False


def test_restart_gives_a_fresh_kernel_and_leaves_no_other(start: Callable[..., Any]) -> None:
    manager, client = start()
    client.execute("gone = 1", reply=True, timeout=PATIENCE)
    before = with_argument(manager.connection_file)
    manager.restart_kernel()
    client.wait_for_ready(timeout=PATIENCE)
    assert value(client, "'gone' in globals()") == "False"
    after = with_argument(manager.connection_file)
    assert len(before) == len(after) == 1
    assert before != after


def test_running_sees_it_and_shutdown_leaves_nothing(start: Callable[..., Any], prefix: Path) -> None:
    manager, client = start()
    child = value(client, "__import__('subprocess').Popen(['sleep', '600']).pid")
    assert kernels.running_kernels(prefix) == {manager.provisioner.pid: manager.connection_file}
    manager.shutdown_kernel()
    assert wait_until(lambda: kernels.running(prefix) == [])
    assert wait_until(lambda: not _lives(int(child)))
    assert with_argument(manager.connection_file) == []


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


MANAGER = f"""
import sys, time
from jupyter_client.manager import KernelManager
manager = KernelManager(kernel_name={NAME!r})
manager.start_kernel()
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout={PATIENCE})
print(manager.connection_file, flush=True)
time.sleep(600)
"""

PROVER = """
import os, sys, time
from pathlib import Path
from jupyter_hpcenv import kernels, process
import msgspec
from jupyter_hpcenv.models import Record
record = msgspec.json.decode(sys.stdin.buffer.read(), type=Record)
def check():
    if kernels.running(Path(record.prefix)):
        print(kernels.running_kernels(Path(record.prefix)).popitem()[1], flush=True)
        time.sleep(600)
kernels.prove(record, Path(record.prefix) / ".hpcenv/launch", process.environment(), check)
"""


def test_kernel_goes_when_its_manager_is_killed(data: Path) -> None:
    environ = {**os.environ, "JUPYTER_DATA_DIR": str(data)}
    manager = subprocess.Popen([sys.executable, "-c", MANAGER], stdout=subprocess.PIPE, text=True, env=environ)
    _kill_and_see_the_kernel_go(manager)


def test_kernel_of_a_proof_goes_when_the_worker_is_killed(data: Path, prefix: Path) -> None:
    import msgspec

    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    worker = subprocess.Popen(
        [sys.executable, "-c", PROVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ
    )
    assert worker.stdin is not None
    worker.stdin.write(msgspec.json.encode(record_of(prefix)).decode())
    worker.stdin.close()
    _kill_and_see_the_kernel_go(worker)


def _kill_and_see_the_kernel_go(parent: subprocess.Popen[str]) -> None:
    assert parent.stdout is not None
    connection = parent.stdout.readline().strip()
    left = with_argument(connection) if connection else []
    try:
        assert connection
        assert len(left) == 1
        os.kill(parent.pid, signal.SIGKILL)
        assert wait_until(lambda: not with_argument(connection))
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_encrypted_transport_is_accepted(start: Callable[..., Any], data: Path) -> None:
    spec = KernelSpecManager(kernel_dirs=[str(data / "kernels")]).get_kernel_spec(NAME)
    assert spec.metadata["supported_encryption"] == ["curve"]
    if not KernelManager.class_traits().get("transport_encryption"):
        pytest.skip("this jupyter_client knows no encryption")
    manager, client = start(transport_encryption="required")
    assert "curve_publickey" in json.loads(Path(manager.connection_file).read_text())
    assert value(client, "6 * 7") == "42"


# -- outside any server -----------------------------------------------------


def notebook(path: Path, *cells: str) -> Path:
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
    made.metadata["kernelspec"] = {"name": NAME, "display_name": "Life", "language": "python"}
    nbformat.write(made, path)
    return path


def execute(path: Path, data: Path, home: Path, program: str = "nbconvert") -> subprocess.CompletedProcess[str]:
    """Run a notebook with nothing but JUPYTER_PATH telling where kernels are."""
    commands = {
        "nbconvert": ["nbconvert", "--to", "notebook", "--execute", "--output", "out.ipynb", str(path)],
        "papermill": ["papermill", "--kernel", NAME, str(path), str(path.with_name("out.ipynb"))],
    }
    environ = {"HOME": str(home), "PATH": os.defpath, "JUPYTER_PATH": str(data), "JUPYTER_PLATFORM_DIRS": "0"}
    return subprocess.run(
        [sys.executable, "-m", *commands[program]],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@pytest.mark.parametrize("program", ["nbconvert", "papermill"])
def test_notebook_runs_outside_a_server(program: str, data: Path, prefix: Path, home: Path, tmp_path: Path) -> None:
    path = notebook(tmp_path / "in.ipynb", "import sys; print(sys.prefix)")
    done = execute(path, data, home, program)
    assert done.returncode == 0, done.stderr
    outputs = nbformat.read(tmp_path / "out.ipynb", 4).cells[-1].outputs
    assert outputs[0].text.strip() == str(prefix)


# -- environments that can not be used --------------------------------------


def failure_of_a_cell(data: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a notebook by what nbconvert runs it with, here, and return what it fails with.

    That the program itself ends with it is seen once, where the explanation has nothing but a bare Python.
    """
    monkeypatch.setenv("JUPYTER_PATH", str(data))
    cell = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(1)")])
    with pytest.raises(CellExecutionError) as caught:
        NotebookClient(cell, kernel_name=NAME, timeout=PATIENCE).execute()
    return str(caught.value)


@contextlib.contextmanager
def away(path: Path) -> Iterator[None]:
    aside = path.with_name(path.name + ".aside")
    path.rename(aside)
    try:
        yield
    finally:
        aside.rename(path)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("", "is not there"),
        ("bin/python", "The Python of the environment"),
        (".hpcenv/launch", "is not complete"),
    ],
)
def test_broken_environment_fails_notebooks_with_the_explanation(
    part: str, words: str, data: Path, prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with away(prefix / part if part else prefix):
        said = failure_of_a_cell(data, monkeypatch)
    assert words in said
    assert "What to do" in said


def test_base_python_that_is_gone_is_named(data: Path, prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with away(prefix / "bin" / "python"):
        (prefix / "bin" / "python").symlink_to("/opt/gone/bin/python3")
        said = failure_of_a_cell(data, monkeypatch)
        (prefix / "bin" / "python").unlink()
    assert "/opt/gone/bin/python3" in said


def test_restart_tries_again(start: Callable[..., Any], prefix: Path) -> None:
    with away(prefix):
        manager, client = start()
        reply = client.execute("1", reply=True, timeout=PATIENCE)["content"]
        assert reply["status"] == "error"
        assert reply["traceback"][0].startswith("\x1b[1m")
        assert client.kernel_info(reply=True, timeout=PATIENCE)["content"]["language_info"]["name"] == "python"
        manager.interrupt_kernel()
        assert client.execute("2", reply=True, timeout=PATIENCE)["content"]["status"] == "error"
    manager.restart_kernel()
    client.wait_for_ready(timeout=PATIENCE)
    assert value(client, "__import__('sys').prefix") == repr(str(prefix))


@pytest.fixture
def copied(data: Path, prefix: Path, tmp_path: Path) -> Callable[[str, str], Path]:
    """A data folder whose stub names another prefix and another Python for the explanation."""

    def copy(other: str, python: str) -> Path:
        import shutil

        shutil.copytree(data / "kernels", tmp_path / "data" / "kernels")
        folder = tmp_path / "data" / "kernels" / NAME
        record = record_of(prefix)
        record.prefix = other
        (folder / "launch").write_text(render_stub(record, record.kernels[0], python))
        spec = json.loads((folder / "kernel.json").read_text())
        spec["argv"][0] = str(folder / "launch")
        (folder / "kernel.json").write_text(json.dumps(spec))
        return tmp_path / "data"

    return copy


def test_explanation_needs_nothing_of_jupyter_hpcenv(
    copied: Callable[[str, str], Path], prefix: Path, home: Path, tmp_path: Path
) -> None:
    bare = str(prefix / "bin" / "python")
    assert subprocess.run([bare, "-c", "import jupyter_hpcenv"], capture_output=True, check=False, cwd="/").returncode
    done = execute(notebook(tmp_path / "in.ipynb", "print(1)"), copied("/nowhere/at/all", bare), home)
    assert done.returncode != 0
    assert "is not there" in done.stderr
    assert "What to do" in done.stderr


def test_without_any_python_the_reason_is_on_standard_error(copied: Callable[[str, str], Path], tmp_path: Path) -> None:
    folder = copied("/nowhere/at/all", "/opt/gone/python") / "kernels" / NAME
    done = subprocess.run([str(folder / "launch"), "-f", "x"], capture_output=True, text=True, check=False, env={})
    assert done.returncode == 1
    assert done.stderr == "The environment of this kernel can not be used (missing): /nowhere/at/all\n"


# -- older ipykernel --------------------------------------------------------


def test_ipykernel_6_is_derived_and_proven_as_well(tmp_path: Path) -> None:
    older = build(tmp_path / "older", "ipykernel<7")
    record = record_of(older)
    site = Site()
    assert record.kernelspec["metadata"].get("debugger") is True
    proof = kernels.prove(record, kernels.write_launch(record, site), process.environment(), lambda: None, PATIENCE)
    assert proof.kind == "kernel"
