"""The whole road below the doors: request, claim, operation, worker, prefix, proof, record, kernelspec."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv import claims
from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.errors import (
    Busy,
    InvalidName,
    InvalidRequirement,
    ManagerNotFound,
    NameTaken,
    NotFound,
    PreconditionFailed,
    PreflightFailed,
    PythonNotFound,
    Refused,
    WrongState,
)
from jupyter_hpcenv.models import FINISHED, CreateRequest, EnvironmentPatch, KernelPatch, Operation

Wait = Callable[[Operation], Operation]


def log_of(admission: Admission, operation: Operation) -> str:
    return "\n".join(f"{line.kind} {line.text}" for line in admission.operations.log(operation.id).lines)


def build(admission: Admission, wait: Wait, name: str, **request: Any) -> Operation:
    operation = wait(admission.submit("create", CreateRequest(name=name, **request)))
    assert operation.state == "succeeded", (operation.error, log_of(admission, operation))
    return operation


def inside(kernel_folder: Path, code: str) -> str:
    """Run *code* through the launch stub of a kernelspec."""
    done = subprocess.run([kernel_folder / "launch", "-c", code], stdout=subprocess.PIPE, text=True, check=True, env={})
    return done.stdout.strip()


def test_create_use_change_delete_restore(admission: Admission, finished: Wait, home: Path) -> None:
    operation = build(admission, finished, "first", packages=["six>=1.16"], variables={"GREETING": "it's $HOME"})
    assert [(step.name, step.state) for step in operation.steps][-2:] == [("prove", "done"), ("publish", "done")]
    assert all(step.state == "done" for step in operation.steps)

    (row,) = admission.catalog.environments()
    detail = admission.catalog.find("first")
    assert (row.state, row.origin, row.location, row.manager) == ("ready", "own", "home", "venv")
    assert detail.packages == ["six>=1.16"]
    assert detail.preflight is not None
    assert detail.preflight.kind == "kernel"
    assert detail.platform == admission.site.platform()

    (kernel,) = row.kernels
    assert kernel.name == "hpcenv-home.first"
    folder = Path(kernel.path)
    spec = json.loads((folder / "kernel.json").read_text())
    assert spec["argv"][0] == str(folder / "launch")
    assert "{connection_file}" in spec["argv"]
    assert inside(folder, "import sys; print(sys.prefix)") == row.prefix
    assert inside(folder, "import os; print(os.environ['GREETING'])") == "it's $HOME"
    assert inside(folder, "import shutil; print(shutil.which('pip'))") == f"{row.prefix}/bin/pip"
    assert "six" in {package.name for package in admission.packages("first")}
    assert not list((Path(row.prefix).parent / ".hpcenv" / "claims").iterdir())

    changed = admission.patch(
        "first", EnvironmentPatch(display_name="Other", variables={"GREETING": None, "B": "2"}), detail.revision
    )
    assert (changed.display_name, changed.variables) == ("Other", {"B": "2"})
    assert json.loads((folder / "kernel.json").read_text())["display_name"] == "Other"
    assert inside(folder, "import os; print(os.environ['B'], 'GREETING' in os.environ)") == "2 False"
    with pytest.raises(PreconditionFailed):
        admission.patch("first", EnvironmentPatch(display_name="Third"), detail.revision)

    named = admission.patch("first", EnvironmentPatch(display_name="Named"))
    assert named.preflight is not None
    assert changed.preflight is not None
    assert named.preflight.at > changed.preflight.at  # a name alone is reason enough to prove the kernel again
    (package,) = Path(row.prefix).glob("lib/python3*/site-packages/ipykernel")
    aside = package.rename(package.with_name("aside"))
    with pytest.raises(PreflightFailed):
        admission.patch("first", EnvironmentPatch(display_name="Never"))
    assert admission.catalog.find("first").display_name == "Named"
    assert json.loads((folder / "kernel.json").read_text())["display_name"] == "Named"
    aside.rename(package)

    admission.unpublish("first", kernel.name)
    assert not folder.exists()
    assert admission.catalog.find("first").kernels == []
    assert admission.publish("first", kernel.name, KernelPatch(display_name="Back")).path == str(folder)

    item = admission.delete("first")
    assert not Path(row.prefix).exists()
    assert not folder.exists()
    assert admission.catalog.environments() == []
    assert [each.id for each in admission.catalog.trash()] == [row.id]
    restored = admission.restore(item.id)
    assert (restored.state, restored.id) == ("ready", row.id)
    assert inside(folder, "import six, sys; print(sys.prefix)") == row.prefix

    gone = admission.delete("first", now=True)
    assert gone.path == ""
    assert admission.catalog.trash() == []
    assert admission.sweep() == 1
    assert not list(Path(row.prefix).parent.glob(".trash-*/*"))
    assert list(admission.catalog.records.copies()) == []


def test_without_a_kernel_it_is_proven_by_an_import(admission: Admission, finished: Wait) -> None:
    build(admission, finished, "plain", kernel=False)
    detail = admission.catalog.find("plain")
    assert detail.kernels == []
    assert detail.preflight is not None
    assert detail.preflight.kind == "import"
    assert "ipykernel" not in {package.name for package in admission.packages("plain")}
    with pytest.raises(WrongState):
        admission.publish("plain", "hpcenv-home.plain", KernelPatch())


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"name": "-r"}, InvalidName),
        ({"name": "a", "manager": "none"}, ManagerNotFound),
        ({"name": "a", "python": "2.6"}, PythonNotFound),
        ({"name": "a", "python": "/no/such/python"}, PythonNotFound),
        ({"name": "a", "packages": ["--index-url=x"]}, InvalidRequirement),
        ({"name": "a", "packages": ["x @ https://user:pw@example.org/x.whl"]}, InvalidRequirement),
        ({"name": "a", "requirements": "six\n-r other.txt\n"}, InvalidRequirement),
        ({"name": "a", "location": "nowhere"}, NotFound),
        ({"name": "a", "prefix": "/opt/somewhere/a"}, Refused),
    ],
)
def test_what_can_be_known_now_is_refused_now(
    admission: Admission, request_: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        admission.submit("create", CreateRequest(**request_))
    assert caught.value.hints  # type: ignore[attr-defined]
    assert admission.operations.list() == []
    assert admission.catalog.environments() == []


def test_a_failed_build_leaves_only_its_log(admission: Admission, finished: Wait, tmp_path: Path) -> None:
    project = tmp_path / "broken"
    project.mkdir()
    (project / "pyproject.toml").write_text('[project]\nname = "broken"\nversion = "1"\nrequires-python = ">=99"\n')
    operation = finished(admission.submit("create", CreateRequest(name="bad", packages=[f"-e {project}"])))
    assert operation.state == "failed"
    assert operation.error is not None
    assert operation.error["code"] != "error"
    assert operation.error["hints"]
    assert not Path(operation.environment.prefix).exists()
    assert "error " in log_of(admission, operation)
    root = Path(operation.environment.prefix).parent
    assert not list((root / ".hpcenv" / "claims").iterdir())
    build(admission, finished, "bad", kernel=False)


def test_a_broken_kernel_is_never_published(admission: Admission, finished: Wait, tmp_path: Path) -> None:
    project = tmp_path / "ipykernel_breaker"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "breaker"\nversion = "1"\n[build-system]\nrequires = ["setuptools"]\n'
        'build-backend = "setuptools.build_meta"\n[tool.setuptools]\npy-modules = ["sitecustomize"]\n'
    )
    (project / "sitecustomize.py").write_text(
        "import sys\nif 'ipykernel_launcher' in ' '.join(sys.orig_argv):\n    sys.exit('the module is cursed')\n"
    )
    operation = finished(admission.submit("create", CreateRequest(name="cursed", packages=[str(f"-e {project}")])))
    assert operation.state == "failed"
    assert operation.error is not None
    assert operation.error["code"] == "preflight_failed", operation.error
    assert "the module is cursed" in operation.error["reason"]
    assert not admission.kernels()
    assert not Path(operation.environment.prefix).exists()


def wait_for_step(admission: Admission, operation: Operation, name: str) -> Operation:
    """Wait until a step has begun."""
    while True:
        now = admission.operations.get(operation.id)
        if now.state in FINISHED or any(step.name == name and step.state != "todo" for step in now.steps):
            return now
        time.sleep(0.01)


def test_a_second_request_is_busy_and_a_cancelled_one_leaves_nothing(admission: Admission, finished: Wait) -> None:
    operation = admission.submit("create", CreateRequest(name="slow", packages=["numpy"]))
    with pytest.raises((Busy, NameTaken)):
        admission.submit("create", CreateRequest(name="SLOW"))
    wait_for_step(admission, operation, "resolve")
    admission.operations.cancel(operation.id)
    done = finished(operation)
    assert done.state == "cancelled"
    assert not Path(operation.environment.prefix).exists()
    assert admission.catalog.environments() == []
    build(admission, finished, "slow", kernel=False)


def test_a_killed_worker_leaves_nothing_once_somebody_looks(admission: Admission, finished: Wait) -> None:
    operation = admission.submit("create", CreateRequest(name="killed", packages=["numpy"]))
    wait_for_step(admission, operation, "resolve")
    process = admission.operations.folder(operation.id).status().process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    while admission.operations.get(operation.id).state not in FINISHED:
        time.sleep(0.05)
    assert admission.operations.get(operation.id).state == "interrupted"
    admission.reconcile()
    assert not Path(operation.environment.prefix).exists()
    assert admission.operations.get(operation.id).finished
    assert claims.read(claims.path_of(Path(operation.environment.prefix).parent, "killed")) is None
    build(admission, finished, "killed", kernel=False)


def test_an_operation_outlives_who_submitted_it(admission: Admission, finished: Wait, home: Path) -> None:
    """The submitter is killed; another one follows the operation to its end."""
    script = (
        "from jupyter_hpcenv.admission import Admission\n"
        "from jupyter_hpcenv.models import CreateRequest\nimport os, signal\n"
        "print(Admission().submit('create', CreateRequest(name='orphan', kernel=False)).id, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    import sys

    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert done.returncode == -signal.SIGKILL
    operation = finished(admission.operations.get(done.stdout.strip()))
    assert operation.state == "succeeded", operation.error


def test_the_same_key_is_the_same_operation(admission: Admission, finished: Wait) -> None:
    first = admission.submit("create", CreateRequest(name="keyed", kernel=False), "key-1")
    again = admission.submit("create", CreateRequest(name="keyed", kernel=False), "key-1")
    assert first.id == again.id
    with pytest.raises(WrongState):
        admission.submit("create", CreateRequest(name="other"), "key-1")
    finished(first)
    assert admission.submit("create", CreateRequest(name="keyed", kernel=False), "key-1").id == first.id


def test_faces_that_lag_are_written_again(admission: Admission, finished: Wait) -> None:
    build(admission, finished, "lagging")
    (kernel,) = admission.catalog.find("lagging").kernels
    for path in Path(kernel.path).iterdir():
        path.unlink()
    Path(kernel.path).rmdir()
    assert admission.reconcile()
    assert inside(Path(kernel.path), "print('works')") == "works"


def test_faces_that_somebody_wrote_while_one_waited_for_the_claim_are_left_as_they_are(
    admission: Admission, finished: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(admission, finished, "lagging")
    (kernel,) = admission.catalog.find("lagging").kernels
    spec, aside = Path(kernel.path), Path(kernel.path).with_name("aside")
    spec.rename(aside)
    held, inodes = claims.held, [path.stat().st_ino for path in sorted(aside.iterdir())]

    @contextlib.contextmanager
    def late(*arguments: Any) -> Iterator[Any]:
        with held(*arguments) as guard:
            aside.rename(spec)
            yield guard

    monkeypatch.setattr(claims, "held", late)
    assert admission.reconcile() == []
    assert [path.stat().st_ino for path in sorted(spec.iterdir())] == inodes


def test_names_that_differ_by_case_and_folders_of_somebodys_are_taken(admission: Admission, finished: Wait) -> None:
    build(admission, finished, "Taken", kernel=False)
    root = Path(admission.catalog.find("Taken").prefix).parent
    (root / "theirs").mkdir()
    for name in ("Taken", "taken", "theirs", "THEIRS"):
        with pytest.raises(NameTaken) as caught:
            admission.submit("create", CreateRequest(name=name))
        assert caught.value.hints


def test_foreign_environments_can_not_be_deleted(admission: Admission, home: Path) -> None:
    prefix = home / ".virtualenvs" / "theirs"
    prefix.mkdir(parents=True)
    (prefix / "pyvenv.cfg").write_text("version = 3.11.1\n")
    with pytest.raises(Refused):
        admission.delete("theirs")
    assert (prefix / "pyvenv.cfg").exists()
