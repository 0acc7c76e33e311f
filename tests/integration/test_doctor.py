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

import jupyter_core.paths
import msgspec
import pytest
from traitlets.config import Config

from jupyter_hpcenv import doctor
from jupyter_hpcenv.admission import Admission, doctoring
from jupyter_hpcenv.doctor import Finding
from jupyter_hpcenv.errors import WrongState
from jupyter_hpcenv.models import FINISHED, CreateRequest, EnvironmentDetail, Location, Operation

from ..cli.conftest import Cli
from ..conftest import require
from ..modules import systems
from .test_modules_road import environ

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
    made(admission, finished, python=str(python), kernel=True)
    shutil.rmtree(home / "own-python")
    one = found(admission, "python_gone")
    assert one.fix == "rebuild"
    mended(admission)
    again = admission.catalog.find("it")
    assert again.state == "ready"
    assert answers(Path(again.kernels[0].path)) == "42"


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


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a made up computer with a GPU of NVIDIA's and its driver."""
    root = tmp_path_factory.mktemp("node")
    version = root / "proc/driver/nvidia/version"
    version.parent.mkdir(parents=True)
    version.write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.82.01  Wed Oct 27 21:21:55 UTC 2021\n"
        "GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n"
    )
    return root


def wheel_of(detail: EnvironmentDetail, name: str, version: str, tag: str = "py3-none-any") -> Path:
    """Put a package into an environment, as far as its metadata goes: the real ones have gigabytes."""
    (site,) = Path(detail.prefix).glob("lib/python3.*/site-packages")
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (folder / "WHEEL").write_text(f"Wheel-Version: 1.0\nTag: {tag}\n")
    return folder


def seen(detail: EnvironmentDetail, computer: doctor.Machine) -> dict[str, Finding]:
    found = doctor.examine(detail, None, computer)
    assert all(each.message and each.breaks and each.advice for each in found)
    return {each.code: each for each in found}


def test_a_driver_that_is_older_than_the_runtime(admission: Admission, finished: Wait, node: Path) -> None:
    detail = made(admission, finished)
    old = doctor.Machine(root=node)
    assert seen(detail, old) == {}
    for name, version in (("nvidia-cuda-runtime-cu12", "12.4.127"), ("torch", "2.5.1+cu124"), ("cuda-version", "12.6")):
        if name == "cuda-version":  # of conda
            folder = Path(detail.prefix) / "conda-meta"
            folder.mkdir()
            (folder / "cuda-version-12.6-h7480c83_3.json").write_text("{}")
        else:
            folder = wheel_of(detail, name, version)
        message = seen(detail, old)["driver_too_old"].message
        assert name in message
        assert "525.60.13" in message
        assert "470.82.01" in message
        assert seen(detail, doctor.Machine(root=node / "nothing")) == {}
        shutil.rmtree(folder)
    wheel_of(detail, "nvidia-cuda-runtime-cu11", "11.8.89")
    assert seen(detail, old) == {}
    wheel_of(detail, "nvidia-cuda-runtime", "13.0.48")
    newer = node.with_name("newer") / "proc/driver/nvidia/version"
    newer.parent.mkdir(parents=True)
    newer.write_text("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (x)\n")
    assert "580.65.06" in seen(detail, old)["driver_too_old"].message
    assert seen(detail, doctor.Machine(root=newer.parents[3])) == {}


def test_what_is_built_for_processors_on_a_node_with_a_gpu(
    admission: Admission, finished: Wait, node: Path, tmp_path: Path
) -> None:
    detail = made(admission, finished)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/kfd").touch()
    builds = [
        wheel_of(detail, "torch", "2.5.1+cpu"),
        wheel_of(detail, "jaxlib", "0.4.35"),
        Path(detail.prefix) / "conda-meta" / "pytorch-2.5.1-cpu_mkl_py311_h1234567_100.json",
    ]
    builds[2].parent.mkdir()
    builds[2].write_text("{}")
    for computer in (doctor.Machine(root=node), doctor.Machine(root=tmp_path)):
        found = [each for each in doctor.examine(detail, None, computer) if each.code == "cpu_build"]
        assert [each.message.split()[0] for each in found] == ["jaxlib", "torch", "pytorch"]
    assert "cpu_build" not in seen(detail, doctor.Machine(root=tmp_path / "dev"))
    shutil.rmtree(builds[0])
    builds[2].rename(builds[2].with_name("pytorch-2.5.1-cuda118_mkl_py311_h1234567_300.json"))
    wheel_of(detail, "jax-cuda12-plugin", "0.4.35")
    wheel_of(detail, "torch", "2.5.1")
    assert "cpu_build" not in seen(detail, doctor.Machine(root=node))


def test_a_computer_with_an_older_system(admission: Admission, finished: Wait) -> None:
    detail = made(admission, finished)
    here = doctor.Machine()
    assert detail.platform is not None
    assert detail.platform.glibc == here.libc != ""
    older = here._replace(root=Path("/nonexistent"), libc="2.12", system="centos6")
    one = seen(detail, older)["glibc_older"]
    assert one.severity == "risk" or "needs glibc" in one.message  # pyzmq may be among what ipykernel brought
    for path in Path(detail.prefix).glob("lib/python3.*/site-packages/*.dist-info/WHEEL"):
        path.unlink()
    one = seen(detail, older)["glibc_older"]
    assert (one.severity, f"built with glibc {here.libc}" in one.message) == ("risk", True)
    folder = wheel_of(detail, "fast", "1.0", "cp311-cp311-manylinux_2_28_x86_64")
    one = seen(detail, older)["glibc_older"]
    assert (one.severity, "fast needs glibc 2.28" in one.message) == ("broken", True)
    (folder / "WHEEL").write_text("Tag: a-b-manylinux_2_17_x86_64\nTag: a-b-manylinux2014_x86_64\n")
    assert "fast needs glibc 2.17" in seen(detail, older)["glibc_older"].message
    (Path(detail.prefix) / "conda-meta").mkdir()
    (Path(detail.prefix) / "conda-meta/new-1-0.json").write_text('{"depends": ["__glibc >=2.34,<3.0.a0"]}')
    assert "new needs glibc 2.34" in seen(detail, older)["glibc_older"].message
    other = set(seen(detail, here._replace(root=Path("/nonexistent"), system="other9")))
    assert other - {"files_gone"} == {"other_system"}  # WHEEL, which was taken away above
    elsewhere = here._replace(root=Path("/nonexistent"), cluster="north")
    assert "other_cluster" in seen(detail, elsewhere)
    assert "other_cluster" not in seen(detail, elsewhere._replace(cluster=detail.platform.cluster))
    assert "other_cluster" not in seen(detail, here)


def test_files_that_are_gone_without_any_purge(admission: Admission, finished: Wait) -> None:
    detail = made(admission, finished, packages=["six==1.16.0"])
    file = next(Path(detail.prefix).glob("lib/python3.*/site-packages/six.py"))
    file.unlink()
    one = found(admission, "files_gone")
    assert (one.fix, "six.py" in one.message, "purged" in one.message) == ("rebuild", True, False)
    assert [each.code for each in mended(admission)] == ["files_gone"]
    assert file.exists()


class Purged:
    """A user whose environments lie where files are purged."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        place = {"root": str(root), "purge_days": 30, "purge_by": "mtime"}
        self.admission = Admission(Config({"Site": {"locations": {"scratch": place}, "quota": "none"}}))

    def wait(self, operation: Operation) -> Operation:
        while (now := self.admission.operations.get(operation.id)).state not in FINISHED:
            time.sleep(0.05)
        return now


def test_what_a_purge_will_take_and_what_it_has_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files grow old; then some are gone, and with the fix the kernel starts again."""
    monkeypatch.setenv("UV_LINK_MODE", "copy")  # a file that is hardlinked from a cache is born old, and shared
    monkeypatch.setattr(doctor.purged, "PATIENCE", 60.0)
    user = Purged(tmp_path / "scratch")
    admission = user.admission
    detail = made(admission, user.wait, kernel=True)

    def touch() -> None:
        for path in Path(detail.prefix).rglob("*"):
            os.utime(path, follow_symlinks=False)

    touch()
    (site,) = Path(detail.prefix).glob("lib/python3.*/site-packages")
    assert doctoring.examine(admission.catalog, "it") == []
    os.utime(site / "ipykernel/__init__.py", (time.time() - 29 * 86_400,) * 2)
    one = found(admission, "files_expire")
    assert (one.severity, one.fix, one.message.startswith("1 of ")) == ("risk", "", True)
    for name in ("kernelapp.py", "__init__.py"):
        (site / "ipykernel" / name).unlink()
    one = found(admission, "files_gone")
    assert (one.severity, one.fix, one.message.startswith("2 of ")) == ("broken", "rebuild", True)
    verbs = doctoring.Verbs(admission.rebuild, admission.refresh)
    (would,) = doctoring.mend([one], admission.catalog, verbs, dry_run=True)
    assert (would.done, would.operation) == (False, "")
    assert not (site / "ipykernel/kernelapp.py").exists()
    assert [each.code for each in mended(admission)] == ["files_gone"]
    again = admission.catalog.find("it")
    assert again.id == detail.id
    assert answers(Path(again.kernels[0].path)) == "42"
    touch()
    assert doctoring.examine(admission.catalog, "it") == []


def test_one_that_is_whole_is_not_built_again(admission: Admission, finished: Wait) -> None:
    made(admission, finished)
    with pytest.raises(WrongState):
        admission.rebuild("it")


def test_modules_that_changed_and_that_are_gone(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """On real Lmod: what changed is captured anew and proven by the fix; what is gone we can not bring back."""
    init = systems.need("lmod")
    tree = tmp_path / "modules"
    module = tree / "tool/1.0.lua"
    module.parent.mkdir(parents=True)
    module.write_text('setenv("TOOL", "old")\n')
    (tmp_path / "home").mkdir()
    cli = Cli(tmp_path / "home", tmp_path_factory.mktemp("cache"))
    start = {"HOME": str(cli.home), "PATH": cli.env["PATH"], "MODULEPATH": str(tree)}
    cli.env.update(environ(["bash", "-c", f". {init}; env -0"], start))
    detail = cli.data_of("create", "it", "--module", "tool/1.0", "--python", sys.executable)
    launch = Path(detail["kernels"][0]["path"]) / "launch"

    def codes() -> dict[str, dict[str, Any]]:
        return {each["code"]: each for each in cli.data_of("check", "it")}

    def tool() -> str:
        code = "import os; print(os.environ['TOOL'])"
        done = subprocess.run([launch, "-c", code], env=cli.env, capture_output=True, text=True, timeout=60)
        return done.stdout.strip()

    assert (codes(), tool()) == ({}, "old")
    module.write_text('setenv("TOOL", "newer")\n')
    assert codes()["module_changed"]["fix"] == "refresh"
    assert [each["done"] for each in cli.data_of("check", "it", "--fix", "--dry-run")] == [False]
    assert "module_changed" in codes()
    assert [each["done"] for each in cli.data_of("check", "it", "--fix")] == [True]
    assert (codes(), tool()) == ({}, "newer")
    module.unlink()
    gone = codes()["module_gone"]
    assert (gone["fix"], gone["severity"]) == ("", "broken")
    assert "jupyter hpcenv edit it --module" in gone["advice"]
    assert cli.data_of("check", "it", "--fix") == []
    module.write_text('setenv("TOOL", "newer")\n')
    assert (codes(), tool()) == ({}, "newer")


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


def test_a_kernel_of_ours_whose_environment_was_deleted_behind_us(admission: Admission, finished: Wait) -> None:
    """By somebody who removed the prefix by hand, and what we keep of it."""
    detail = made(admission, finished, kernel=True)
    (kernel,) = detail.kernels
    shutil.rmtree(detail.prefix)
    assert "kernel_orphan" not in [each.code for each in doctoring.examine(admission.catalog)]  # it can be rebuilt
    shutil.rmtree(admission.site.data_dir / "environments")
    again = Admission()
    assert account(again, "kernel_orphan").path == kernel.path
    (done,) = [each for each in mended(again, "") if each.code == "kernel_orphan"]
    assert not Path(kernel.path).exists()
    assert str(doctor.put_back(done.undo, again.site)) == kernel.path
    assert account(again, "kernel_orphan")


@pytest.mark.parametrize("where", ["ENV_JUPYTER_PATH", "SYSTEM_JUPYTER_PATH"])
def test_a_kernel_that_leads_nowhere_for_all(
    admission: Admission, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Beside the Python of this server, or where all users look."""
    path = spec(tmp_path / "share/jupyter", "old", "/gone/bin/python", "-m", "other")
    for each in (path, path.parent):
        os.chown(each, 4711, 4711)
    monkeypatch.setattr(jupyter_core.paths, where, [str(tmp_path / "share/jupyter")])
    one = account(admission, "kernel_stale")
    assert (one.path, one.fix) == (str(path), "")
    assert "not yours" in one.advice
    for each in (path, path.parent):
        os.chown(each, os.geteuid(), os.getegid())
    assert account(admission, "kernel_stale").fix == "put_aside"
    (done,) = [each for each in mended(admission, "") if each.code == "kernel_stale"]
    assert not path.exists()
    assert doctor.put_back(done.undo, admission.site) == path


def test_caches_on_home(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV_CACHE_DIR", raising=False)
    monkeypatch.delenv("PIP_CACHE_DIR", raising=False)
    alone = Admission(Config({"Site": {"quota": "none"}}))
    (home / ".cache/uv").mkdir(parents=True)
    assert "cache_on_home" not in [each.code for each in alone.examine()]  # there is no better place
    places = {"home": "{data_dir}/environments", "scratch": str(tmp_path)}
    admission = Admission(Config({"Site": {"locations": places, "quota": "none"}}))
    (one,) = [each for each in admission.examine() if each.code == "cache_on_home"]
    assert (one.path, one.fix) == (str(home / ".cache/uv"), "")
    assert "caches --move-off-home scratch" in one.advice
    monkeypatch.setenv("UV_CACHE_DIR", admission.caching.moving("scratch").folders["UV_CACHE_DIR"])
    assert "cache_on_home" not in [each.code for each in admission.examine()]


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


def test_a_path_that_a_loaded_module_brings_is_no_leak(
    admission: Admission, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On real Lmod, with a modulefile as EasyBuild writes it: the folder is put together from its root."""
    init = systems.need("lmod")
    module = tmp_path / "modules/scipy/1.0.lua"
    module.parent.mkdir(parents=True)
    module.write_text('local root = "/sw/scipy/1.0"\nprepend_path("PYTHONPATH", pathJoin(root, "lib/site-packages"))\n')
    start = {"PATH": os.environ["PATH"], "MODULEPATH": str(tmp_path / "modules"), "PYTHONPATH": "/somebody/else"}
    loaded = environ(["bash", "-c", f"{{ . {init}; module load scipy; }} >/dev/null; env -0"], start)
    assert loaded["PYTHONPATH"] == "/sw/scipy/1.0/lib/site-packages:/somebody/else"
    for name in ("PYTHONPATH", "_LMFILES_", "LOADEDMODULES"):
        monkeypatch.setenv(name, loaded[name])
    assert account(admission, "pythonpath").message == "PYTHONPATH is set to /somebody/else."
    monkeypatch.setenv("PYTHONPATH", "/sw/scipy/1.0/lib/site-packages")
    assert "pythonpath" not in [each.code for each in doctoring.examine(admission.catalog)]
    monkeypatch.delenv("_LMFILES_")
    assert account(admission, "pythonpath")


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
