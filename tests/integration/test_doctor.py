"""A test for each finding: a real environment or account is broken so, it is found, and mended where it can be."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from traitlets.config import Config

from jupyter_hpcenv import doctor
from jupyter_hpcenv.admission import Admission, doctoring
from jupyter_hpcenv.doctor import Finding
from jupyter_hpcenv.models import FINISHED, CreateRequest, EnvironmentDetail, Location, Operation

from ..conftest import require

Wait = Callable[[Operation], Operation]


def made(admission: Admission, wait: Wait, name: str = "it", **request: Any) -> EnvironmentDetail:
    done = wait(admission.submit("create", CreateRequest(name=name, **{"kernel": False, **request})))
    assert done.state == "succeeded", done.error
    return admission.catalog.find(name)


def found(admission: Admission, code: str, reference: str = "it") -> Finding:
    """Return the one finding of that code, and see that it says all that it has to say."""
    (one,) = [each for each in doctoring.examine(admission.catalog, reference) if each.code == code]
    assert all((one.message, one.breaks, one.advice))
    return one


def mended(admission: Admission, reference: str = "it") -> list[doctoring.Done]:
    verbs = doctoring.Verbs(admission.rebuild, admission.refresh)
    done = doctoring.mend(doctoring.examine(admission.catalog, reference), admission.catalog, verbs)
    for each in done:
        assert each.done, each.message
        while each.operation and admission.operations.get(each.operation).state not in FINISHED:
            time.sleep(0.05)
        assert not each.operation or admission.operations.get(each.operation).state == "succeeded"
    return done


def is_theirs(finding: Finding) -> bool:
    """Leave out what this computer itself has: its disk, and the kernelspecs beside the Python of these tests."""
    return finding.code != "quota_nearly_full" and not finding.path.startswith((sys.prefix, "/usr"))


def answers(kernel: Path) -> str:
    """Start a kernel as Jupyter would, and return what a cell in it says."""
    script = (
        "import sys; from jupyter_client.manager import start_new_kernel\n"
        "manager, client = start_new_kernel(kernel_name=sys.argv[1])\n"
        "said = []\n"
        "client.execute_interactive('print(6 * 7)', output_hook=lambda m: said.append(m['content'].get('text', '')))\n"
        "client.stop_channels(); manager.shutdown_kernel(now=True); print(''.join(said).strip())\n"
    )
    done = subprocess.run([sys.executable, "-c", script, kernel.name], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_nothing_is_found_where_nothing_is_wrong(admission: Admission, finished: Wait) -> None:
    made(admission, finished)
    (admission.site.data_dir / "environments").chmod(0o700)
    assert doctoring.examine(admission.catalog, "it") == []
    assert [each for each in doctoring.examine(admission.catalog) if is_theirs(each)] == []


def test_a_prefix_that_is_gone_is_built_again(admission: Admission, finished: Wait) -> None:
    detail = made(admission, finished, kernel=True)
    shutil.rmtree(detail.prefix)
    assert found(admission, "prefix_gone").fix == "rebuild"
    assert [each.code for each in mended(admission)] == ["prefix_gone"]
    (kernel,) = admission.catalog.find("it").kernels
    assert answers(Path(kernel.path)) == "42"


def test_a_python_that_is_gone(admission: Admission, finished: Wait, home: Path) -> None:
    """Its environment is built again; the Python is one of the user's own, which somebody removed."""
    python = home / "own-python/bin/python3"
    python.parent.mkdir(parents=True)
    base = Path(sys.base_prefix)
    for each in base.iterdir():
        if each.name != "bin":
            (home / "own-python" / each.name).symlink_to(each)
    shutil.copy(base / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}", python)
    made(admission, finished, python=str(python))
    shutil.rmtree(home / "own-python")
    one = found(admission, "python_gone")
    assert one.fix == "rebuild"
    mended(admission)
    again = admission.catalog.find("it")
    assert again.state == "ready"
    assert subprocess.run([f"{again.prefix}/bin/python", "-c", ""]).returncode == 0


def test_a_kernel_that_is_not_published_any_more(admission: Admission, finished: Wait) -> None:
    (kernel,) = made(admission, finished, kernel=True).kernels
    shutil.rmtree(kernel.path)
    assert found(admission, "kernel_unpublished").fix == "refresh"
    mended(admission)
    assert answers(Path(admission.catalog.find("it").kernels[0].path)) == "42"
    assert doctoring.examine(admission.catalog, "it") == []


def test_programs_that_begin_with_a_python_elsewhere(admission: Admission, finished: Wait) -> None:
    detail = made(admission, finished)
    script = min(path for path in Path(detail.prefix, "bin").iterdir() if path.name.startswith("pip"))
    script.write_text(script.read_text().replace(detail.prefix, "/moved/away"))
    one = found(admission, "scripts_moved")
    assert (one.severity, one.fix, one.path) == ("broken", "", str(script))


def test_packages_that_do_not_fit_each_other(admission: Admission, finished: Wait) -> None:
    detail = made(admission, finished, packages=["jinja2"])
    site = next(Path(detail.prefix).glob("lib/python3.*/site-packages"))
    assert not [each for each in doctoring.examine(admission.catalog, "it") if each.code == "dependency_conflict"]
    metadata = next(site.glob("markupsafe-*.dist-info")) / "METADATA"
    text = metadata.read_text()
    metadata.unlink()  # a hardlink of the cache must not be written
    metadata.write_text(re.sub(r"(?m)^Version: .*", "Version: 1.0", text))
    assert "jinja2 needs MarkupSafe" in found(admission, "dependency_conflict").message
    shutil.rmtree(metadata.parent)
    assert "which is not installed" in found(admission, "dependency_conflict").message


def test_others_who_can_change_it(admission: Admission, finished: Wait) -> None:
    prefix = Path(made(admission, finished).prefix)
    prefix.chmod(0o777)
    assert "everybody" in found(admission, "others_can_write").message
    prefix.chmod(0o755)
    assert doctoring.examine(admission.catalog, "it") == []


def test_packages_of_the_account_beside_those_of_the_environment(
    admission: Admission, finished: Wait, home: Path
) -> None:
    detail = made(admission, finished)
    minor = ".".join(detail.python.split(".")[:2])
    (home / f".local/lib/python{minor}/site-packages/numpy-1.0.dist-info").mkdir(parents=True)
    assert "numpy" in found(admission, "user_packages").message
    conda = msgspec.structs.replace(detail, manager="conda")
    assert "user_packages_in_conda" in [each.code for each in doctor.examine(conda)]


def test_an_environment_of_another_kind_of_computer(admission: Admission, finished: Wait) -> None:
    detail = made(admission, finished)
    path = Path(detail.prefix, ".hpcenv/environment.json")
    record = json.loads(path.read_text())
    record["platform"]["arch"] = "vax"
    path.write_text(json.dumps(record))
    assert "vax" in found(admission, "other_architecture").message


def test_the_operating_systems_python(admission: Admission, finished: Wait) -> None:
    system = Path("/usr/bin/python3")
    usable = system.exists() and subprocess.run([system, "-c", "import venv, sys; assert sys.version_info > (3, 9)"])
    require("a Python of the operating system", bool(usable) and usable.returncode == 0)  # type: ignore[union-attr]
    made(admission, finished, python=str(system))
    assert "clone it" in found(admission, "system_python").advice.lower()


def account(admission: Admission, code: str) -> Finding:
    (one,) = [each for each in doctoring.examine(admission.catalog) if each.code == code and is_theirs(each)]
    assert all((one.message, one.breaks, one.advice))
    return one


def spec(folder: Path, name: str, *argv: str, **metadata: Any) -> Path:
    """Write a kernelspec as another tool might."""
    path = folder / "kernels" / name
    path.mkdir(parents=True)
    (path / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": name, "metadata": metadata}))
    return path


def test_a_kernel_that_leads_nowhere_is_put_aside_and_comes_back(admission: Admission, home: Path) -> None:
    path = spec(home / ".local/share/jupyter", "old", "/gone/bin/python", "-m", "other")
    text = (path / "kernel.json").read_bytes()
    assert account(admission, "kernel_stale").fix == "put_aside"
    (done,) = mended(admission, "")
    assert not path.exists()
    assert doctor.put_back(done.undo, admission.site) == path
    assert (path / "kernel.json").read_bytes() == text
    assert account(admission, "kernel_stale")


def test_a_kernel_that_does_not_speak_encrypted(admission: Admission, home: Path) -> None:
    spec(home / ".local/share/jupyter", "plain", sys.executable, "-m", "ipykernel_launcher")
    spec(
        home / ".local/share/jupyter",
        "curve",
        sys.executable,
        "-m",
        "ipykernel_launcher",
        supported_encryption=["curve"],
    )
    assert "plain" in account(admission, "kernel_without_encryption").message


def test_a_kernel_that_others_can_change_and_one_that_they_planted(admission: Admission, home: Path) -> None:
    path = spec(home / ".local/share/jupyter", "open", sys.executable)
    path.chmod(0o777)
    theirs = spec(home / ".local/share/jupyter", "theirs", sys.executable)
    for each in (theirs, theirs / "kernel.json"):
        os.chown(each, 4711, 4711)
    assert "open" in account(admission, "kernel_writable").message
    assert "uid 4711" in account(admission, "kernel_planted").message


def test_a_folder_for_kernels_that_can_not_be_read(tmp_path: Path) -> None:
    """As somebody whom permissions bind."""
    closed = tmp_path / "share/kernels"
    closed.mkdir(parents=True)
    closed.chmod(0)
    for each in (tmp_path, *tmp_path.parents):
        if each != Path("/") and each.is_relative_to("/tmp"):
            each.chmod(each.stat().st_mode | 0o055)
    script = (
        "import os; from jupyter_hpcenv.doctor import examine_account\n"
        "os.setgroups([]); os.setgid(4711); os.setuid(4711)\n"
        "print([each.path for each in examine_account([]) if each.code == 'kernels_unreadable'])\n"
    )
    env = {"PATH": os.environ["PATH"], "HOME": "/", "JUPYTER_PATH": str(tmp_path / "share")}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env)
    assert done.stdout.strip() == str([str(closed)]), done.stderr


def test_what_conda_init_wrote(admission: Admission, home: Path) -> None:
    (home / ".bashrc").write_text("# >>> conda initialize >>>\nfalse\n# <<< conda initialize <<<\n")
    assert account(admission, "conda_init").path == str(home / ".bashrc")


def test_a_path_that_leaks(admission: Admission, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somebody/else")
    assert account(admission, "pythonpath").path == "/somebody/else"


def test_a_quota_that_is_nearly_full() -> None:
    near = Location(name="home", root="/h", quota_files=1000, used_files=950, quota_bytes=1000, used_bytes=10)
    (one,) = [each for each in doctor.examine_account([near]) if each.code.startswith("quota")]
    assert (one.code, one.message) == ("quota_nearly_full", "home is 95% full: 950 of 1,000 files.")


def test_what_lies_aside_comes_back_by_its_word_alone(admission: Admission, tmp_path: Path) -> None:
    for word in ("", "../../x", "0000000", "zzzzzzzz", "00000000"):
        with pytest.raises(Exception, match=r"aside"):
            doctor.put_back(word, admission.site)
    with pytest.raises(Exception, match="no kernelspec"):
        doctor.put_aside(tmp_path, admission.site)


def test_a_look_starts_nothing(admission: Admission, finished: Wait, monkeypatch: pytest.MonkeyPatch) -> None:
    made(admission, finished)

    def start(*arguments: Any, **options: Any) -> None:
        raise AssertionError(f"started {arguments}")

    quiet = Admission(Config({"Site": {"quota": "none"}}))
    monkeypatch.setattr(subprocess, "Popen", start)
    assert [each for each in doctoring.examine(quiet.catalog) if is_theirs(each)] == []
