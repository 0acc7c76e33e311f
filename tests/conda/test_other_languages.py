"""Kernels that packages bring, R's for one: published, started through the launch script, and refused when odd."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import nbformat
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from jupyter_hpcenv import kernels
from jupyter_hpcenv.catalog import Catalog, Records
from jupyter_hpcenv.errors import InvalidRequest, NotFound
from jupyter_hpcenv.kernels.kernelspec import render_stub
from jupyter_hpcenv.kernels.languages import language_of, languages
from jupyter_hpcenv.lifecycle import change, faces
from jupyter_hpcenv.models import Kernel, KernelPatch, Record
from jupyter_hpcenv.site import Site

from ..kernels.test_life import PATIENCE, explained, value
from ..unit.kernels.test_kernelspec import png
from .prefixes import ID, NAME, make, make_prefix, script, state
from .test_channel import engine

GOLDEN = Path(__file__).parents[1] / "golden"
IR = f"{NAME}-ir"

pytestmark = pytest.mark.filterwarnings("default")  # jupyter_client warns of its own; these tests are about processes

Start = Callable[..., tuple[KernelManager, BlockingKernelClient]]


@pytest.fixture(scope="session")
def installed(channel: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real conda environment with two kernels; tests put back what they change."""
    # conda writes the path into Python's own files, where a quote would spoil them
    prefix = tmp_path_factory.mktemp("languages") / "envs" / "my climate"
    engine([channel.as_uri()], ["python", "ipykernel", "hpc-fake-r", "hpc-hooks"], cache, prefix)
    return prefix


@pytest.fixture
def site(home: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(home / "data"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
    return Site(cluster="testcluster", module_timeout=5)


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """A prefix that only looks like one, with a program that could be a kernel."""
    folder = make_prefix(tmp_path / "envs" / "climate")
    program = folder / "lib" / "R" / "bin" / "R"
    program.parent.mkdir(parents=True)
    program.write_text(
        f"#!{sys.executable} -S\nimport json, os, sys\nprint(json.dumps([sys.argv, dict(os.environ)]))\n"
    )
    program.chmod(0o755)
    (folder / "bin" / "R").symlink_to("../lib/R/bin/R")
    return folder


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    started: list[tuple[KernelManager, BlockingKernelClient]] = []

    def begin(name: str, **environ: str) -> tuple[KernelManager, BlockingKernelClient]:
        manager = KernelManager(kernel_name=name)
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


def record_of(prefix: Path, **changes: Any) -> Record:
    """Return the record as a create leaves it."""
    record = make(prefix, **{"kernelspec": {}, **changes})
    record.kernels += kernels.kernels_of_languages(record)[0]
    return record


def brought(prefix: Path, name: str, **changes: Any) -> Path:
    """Write a kernelspec as a package brings it, and return its folder; None takes a field away."""
    spec: dict[str, Any] = {
        "argv": [f"{prefix}/lib/R/bin/R", "--slave", "-e", "IRkernel::main()", "--args", "{connection_file}"],
        "display_name": "R",
        "language": "R",
        **changes,
    }
    folder = prefix / "share/jupyter/kernels" / name
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps({key: each for key, each in spec.items() if each is not None}))
    return folder


# -- real kernels ------------------------------------------------------------


def test_kernel_of_another_language_runs_a_cell(installed: Path, site: Site, start: Start) -> None:
    record = record_of(installed, kernelspec=kernels.derive(installed), variables={"OWN": "o"})
    assert record.kernels[1:] == [Kernel(name=IR, display_name="climate (R (hpc-fake-r))", source="ir")]
    kernels.write_launch(record, site)
    faces.publish_faces(record, site)
    assert sorted(kernels.published(site)) == [NAME, IR]
    manager, client = start(IR, CONDA_PREFIX="/other", VIRTUAL_ENV="/venv")
    information = client.kernel_info(reply=True, timeout=PATIENCE)["content"]
    assert (information["implementation"], information["language_info"]["name"]) == ("hpc-fake-r", "R")
    cell = "import os, sys; print(sys.prefix, os.environ['CONDA_PREFIX'], os.environ['HPC_HOOK'], os.environ['OWN'])"
    printed = []
    client.execute_interactive(
        cell, timeout=PATIENCE, output_hook=lambda message: printed.append(message["content"].get("text"))
    )
    assert "".join(filter(None, printed)) == f"{installed} {installed} set by {installed} o\n"
    assert value(client, "__import__('os').getppid()") == str(os.getpid()), "no shell stays in between"
    assert value(client, "'VIRTUAL_ENV' in __import__('os').environ") == "False"
    assert kernels.running_kernels(installed) == {manager.provisioner.pid: manager.connection_file}
    manager.restart_kernel()
    client.wait_for_ready(timeout=PATIENCE)
    assert value(client, "1 + 1") == "2"


def test_both_kernels_of_an_environment_run_a_notebook(installed: Path, site: Site, home: Path, tmp_path: Path) -> None:
    record = record_of(installed, kernelspec=kernels.derive(installed))
    kernels.write_launch(record, site)
    faces.publish_faces(record, site)
    for kernel in record.kernels:
        cell = nbformat.v4.new_code_cell("import os; print(os.environ['CONDA_DEFAULT_ENV'])")
        made = nbformat.v4.new_notebook(cells=[cell])
        made.metadata["kernelspec"] = {"name": kernel.name, "display_name": "x", "language": "x"}
        nbformat.write(made, tmp_path / "in.ipynb")
        command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", str(tmp_path / "in.ipynb")]
        around = {"HOME": str(home), "PATH": "/usr/bin:/bin", "JUPYTER_PATH": str(home / "data")}
        subprocess.run([*command, "--output", "out"], env=around, check=True, capture_output=True, timeout=240)
        cells = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
        assert cells[0].outputs[0].text == "my climate\n"


def test_proof_of_the_environment_goes_through_activation(installed: Path, site: Site) -> None:
    from jupyter_hpcenv import process

    record = record_of(installed, kernelspec=kernels.derive(installed), python="{}.{}".format(*sys.version_info))
    launch = kernels.write_launch(record, site)
    assert kernels.prove(record, launch, process.environment(), lambda: None, PATIENCE).kind == "kernel"


EXPLAINED = {
    "script ends": ("ended the shell that activated it", "The script was etc/conda/activate.d/z.sh"),
    "script hangs": ("took too long to be activated", "The script was etc/conda/activate.d/z.sh"),
    "no python": ("has no Python any more", "install python into the environment"),
    "no ipykernel": ("has no ipykernel", "jupyter hpcenv install"),
    "program gone": ("program of this kernel", "install the package again"),
}


@pytest.mark.parametrize("what", EXPLAINED)
def test_kernel_that_can_not_start_says_why_and_what_to_do(
    what: str, prefix: Path, site: Site, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought(prefix, "ir")
    facts = {"argv": ["-m", "ipykernel_launcher", "-f", "{connection_file}"], "language": "python"}
    record = record_of(prefix, kernelspec={**facts, "interrupt_mode": "signal", "metadata": {}})
    name, site = NAME, Site(module_timeout=1)
    if what.startswith("script"):
        name = IR  # its stub looks for no ipykernel
        script(prefix, "z.sh", "echo some words\n" + ("exit 3\n" if what == "script ends" else "sleep 600\n"))
    kernels.write_launch(record, site)
    faces.publish_faces(record, site)
    if what == "no python":
        (prefix / "bin" / "python").unlink()
    elif what == "no ipykernel":
        (prefix / "bin" / "python").unlink()
        (prefix / "bin" / "python").write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
        (prefix / "bin" / "python").chmod(0o755)
    elif what == "program gone":
        name = IR
        (prefix / "lib/R/bin/R").unlink()
    monkeypatch.setenv("PYTHONPATH", "/kept")
    manager, client = start(name, PYTHONPATH="/kept")
    said = "\n".join(explained(client))
    for words in EXPLAINED[what]:
        assert words in said
    assert "conda install" not in said
    assert ("This was said:\nsome words\n" in said) is what.startswith("script")
    around = Path(f"/proc/{manager.provisioner.pid}/environ").read_bytes().split(b"\0")
    assert b"PYTHONPATH=/kept" in around
    assert not [entry for entry in around if entry.startswith((b"CONDA_", b"HPCENV_EXPLAINER"))]
    language = client.kernel_info(reply=True, timeout=PATIENCE)["content"]["language_info"]["name"]
    assert language == ("R" if name == IR else "python"), "what is saved into the notebook stays as it was"


# -- what is published --------------------------------------------------------


def test_kernelspec_is_taken_over(prefix: Path, site: Site) -> None:
    folder = brought(
        prefix,
        "IR",
        argv=[
            "R",
            "--slave",
            "--args",
            "--connection={connection_file}",
            "{resource_dir}/start.R",
            "{prefix}/x",
            "a b",
        ],
        interrupt_mode="message",
        kernel_protocol_version="5.3",
        env={"R_LIBS": "$R_LIBS_USER:${HOME}/r:$$x", "TITLE": "it's $(id) `id` 100%", "PATH": "/mine:${PATH}"},
        metadata={"debugger": True, "hpcenv": {"environment": "x"}, "kernel_provisioner": {"provisioner_name": "evil"}},
    )
    (folder / "logo-64x64.png").write_bytes(png(64, 64))
    (folder / "logo-32x32.png").write_bytes(b"<svg onload='evil()'/>")
    (folder / "logo-svg.svg").write_text("<svg/>")
    (folder / "kernel.js").write_text("evil()")
    record = record_of(prefix, variables={"TITLE": "the record's"})
    kernels.write_launch(record, site)
    faces.publish_faces(msgspec.structs.replace(record, kernels=record.kernels[1:]), site)
    found = KernelSpecManager().get_kernel_spec(IR)
    target = Path(found.resource_dir)
    assert sorted(each.name for each in target.iterdir()) == ["explain.py", "kernel.json", "launch", "logo-64x64.png"]
    assert found.argv == [
        str(target / "launch"),
        "{connection_file}",
        "--slave",
        "--args",
        "--connection={connection_file}",
        f"{folder}/start.R",
        f"{prefix}/x",
        "a b",
    ]
    assert (found.display_name, found.language, found.interrupt_mode, found.env) == ("climate (R)", "R", "message", {})
    assert found.kernel_protocol_version == "5.3"
    assert found.metadata.keys() == {"debugger", "hpcenv"}
    assert found.metadata["hpcenv"]["environment"] == ID
    around = {"PATH": "/usr/bin:/bin", "HOME": "/h'$(id)", "CONDA_PREFIX": "/other"}
    command = [str(target / "launch"), "/run/k.json", *found.argv[2:]]
    done = subprocess.run(command, env=around, capture_output=True, text=True, check=True)
    argv, environ = json.loads(done.stdout)
    assert argv == [f"{prefix}/bin/R", *found.argv[2:]]
    assert environ["R_LIBS"] == "${R_LIBS_USER}:/h'$(id)/r:$x", "as Jupyter fills it in"
    assert environ["TITLE"] == "the record's", "a person's word counts more than a package's"
    assert environ["PATH"] == f"{prefix}/bin:/usr/bin:/bin"
    assert environ["CONDA_PREFIX"] == str(prefix)


def test_its_variables_are_filled_in_after_activation(prefix: Path, site: Site) -> None:
    script(prefix, "a.sh", "export LD_LIBRARY_PATH=$CONDA_PREFIX/lib64\n")
    state(prefix, {"KEPT": "k"})
    brought(prefix, "ir", env={"LD_LIBRARY_PATH": "$CONDA_PREFIX/r:${LD_LIBRARY_PATH}", "SAW": "$KEPT"})
    record = record_of(prefix)
    kernels.write_launch(record, site)
    stub = kernels.publish(record, record.kernels[1], site) / "launch"
    done = subprocess.run([str(stub), "/k.json"], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    environ = json.loads(done.stdout)[1]
    assert environ["LD_LIBRARY_PATH"] == f"{prefix}/r:{prefix}/lib64"
    assert environ["SAW"] == "k"


def test_stub_is_the_golden_one(prefix: Path) -> None:
    brought(prefix, "ir", env={"R_HOME": "it's ${X}"})
    record = make("/scratch/user/it's climate", kernelspec={"argv": []})
    kernel = Kernel(name=IR, display_name="R", source="ir")
    cache = "/home/user/.local/share/jupyter/hpcenv/launch-cache"
    text = render_stub(record, kernel, "/opt/jupyter/bin/python3.12", cache, language_of(prefix, "ir"))
    assert text == (GOLDEN / "stub.language.sh").read_text(encoding="utf-8")


def test_kernels_of_ipython_are_left_to_ours(prefix: Path) -> None:
    (prefix / "bin" / "python").unlink()  # a conda environment's own is in it
    (prefix / "bin" / "python").write_text("#!/bin/sh\n")
    (prefix / "bin" / "python").chmod(0o755)
    argv = [f"{prefix}/bin/python", "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    brought(prefix, "python3", argv=argv)
    brought(prefix, "mine", argv=argv)
    brought(prefix, "xpython", argv=[f"{prefix}/bin/python", "-m", "xpython", "-f", "{connection_file}"])
    found, refused = languages(prefix)
    assert [each.source for each in found] == ["xpython"]
    assert refused == []


# -- what is refused ----------------------------------------------------------

ODD: dict[str, tuple[dict[str, Any], str]] = {
    "no argv": ({"argv": None}, "argv"),
    "argv is a text": ({"argv": "R {connection_file}"}, "argv"),
    "argv holds numbers": ({"argv": ["R", 3, "{connection_file}"]}, "no word"),
    "argv is endless": ({"argv": ["R", "{connection_file}", *["x"] * 200]}, "argv"),
    "a word is endless": ({"argv": ["R", "{connection_file}", "x" * 10_000]}, "no word"),
    "a word has a NUL": ({"argv": ["R", "{connection_file}", "a\0b"]}, "no word"),
    "no connection file": ({"argv": ["R", "x"]}, "connection file"),
    "program elsewhere": ({"argv": ["/bin/sh", "{connection_file}"]}, "not of the environment"),
    "program by dots": ({"argv": ["{prefix}/bin/../../../bin/sh", "{connection_file}"]}, "no program"),
    "program by a neighbour": ({"argv": ["{prefix}-x/bin/R", "{connection_file}"]}, "not of the environment"),
    "program relative": ({"argv": ["bin/R", "{connection_file}"]}, "no program"),
    "program by name elsewhere": ({"argv": ["sh", "{connection_file}"]}, "not there"),
    "program is a link out": ({"argv": ["out", "{connection_file}"]}, "leads out"),
    "program is a folder": ({"argv": ["{prefix}/lib", "{connection_file}"]}, "can not be run"),
    "program can not be run": ({"argv": ["{prefix}/conda-meta/history", "{connection_file}"]}, "can not be run"),
    "program is nothing": ({"argv": ["", "{connection_file}"]}, "no program"),
    "no title": ({"display_name": None}, "display_name"),
    "title that steers": ({"display_name": "\u202eR"}, "display_name"),
    "title with a bell": ({"display_name": "R\x07"}, "display_name"),
    "title is a list": ({"display_name": ["R"]}, "display_name"),
    "language is endless": ({"language": "R" * 1000}, "language"),
    "env is a list": ({"env": ["A=b"]}, "env"),
    "env steers": ({"env": {"BASH_ENV": "/x"}}, "'BASH_ENV' is not for a kernel"),
    "env is no name": ({"env": {"A B": "x"}}, "'A B' is not for a kernel"),
    "env has a number": ({"env": {"A": 3}}, "no value"),
    "env has lines": ({"env": {"A": "a\nb"}}, "no value"),
    "metadata is endless": ({"metadata": {"x": "y" * 30_000}}, "metadata"),
    "metadata is a list": ({"metadata": [1]}, "metadata"),
}


@pytest.mark.parametrize("what", ODD)
def test_odd_kernelspec_is_refused_and_the_others_stay(what: str, prefix: Path, site: Site) -> None:
    changes, words = ODD[what]
    (prefix / "bin" / "out").symlink_to("/bin/sh")
    brought(prefix, "odd", **changes)
    brought(prefix, "ir")
    found, refused = languages(prefix)
    assert [each.source for each in found] == ["ir"]
    assert len(refused) == 1
    assert words in refused[0]
    assert refused[0].startswith("The kernel 'odd' that a package brings is not published: its ")
    with pytest.raises(InvalidRequest) as caught:
        language_of(prefix, "odd")
    assert caught.value.hints
    assert [kernel.source for kernel in record_of(prefix).kernels] == ["", "ir"]


def test_files_that_are_no_kernelspecs_are_refused_and_block_nothing(prefix: Path, tmp_path: Path) -> None:
    folder = prefix / "share/jupyter/kernels"
    brought(prefix, "ir")
    for name in ("fifo", "link", "giant", "deep", "broken", "folder", "empty", "list", "bytes"):
        (folder / name).mkdir()
    os.mkfifo(folder / "fifo/kernel.json")
    (folder / "link/kernel.json").symlink_to(folder / "ir/kernel.json")
    (folder / "giant/kernel.json").write_text(" " * 200_000)
    (folder / "deep/kernel.json").write_text("[" * 90_000)
    (folder / "broken/kernel.json").write_text("{")
    (folder / "folder/kernel.json").mkdir()
    (folder / "list/kernel.json").write_text("[]")
    (folder / "bytes/kernel.json").write_bytes(b'{"argv": ["\xff"]}')
    brought(prefix, "a b")
    brought(prefix, "x" * 100)
    (folder / "file").write_text("")
    (folder / "linked").symlink_to(folder / "ir")
    found, refused = languages(prefix)
    assert [each.source for each in found] == ["ir"]
    assert len(refused) == 11
    with pytest.raises(NotFound):
        language_of(prefix, "../kernels/ir")


@pytest.mark.parametrize("part", ["share", "share/jupyter", "share/jupyter/kernels"])
def test_folder_that_leads_out_of_the_prefix_is_not_looked_into(part: str, prefix: Path, tmp_path: Path) -> None:
    other = make_prefix(tmp_path / "other")
    brought(other, "evil", argv=[f"{prefix}/bin/R", "{connection_file}"])
    (prefix / part).parent.mkdir(parents=True, exist_ok=True)
    (prefix / part).symlink_to(other / part)
    assert languages(prefix) == ([], [])


def test_many_kernelspecs_are_not_all_looked_at(prefix: Path) -> None:
    for number in range(60):
        brought(prefix, f"k{number:02}")
    assert len(languages(prefix)[0]) == 50


def test_names_that_no_kernel_can_have_are_told(prefix: Path) -> None:
    brought(prefix, "y" * 60)
    brought(prefix, "R")
    brought(prefix, "r")
    found, refused = kernels.kernels_of_languages(make(prefix))
    assert [kernel.name for kernel in found] == [f"{NAME}-r"], "Jupyter folds case"
    assert len(refused) == 1
    assert kernels.kernels_of_languages(make(prefix, manager="venv")) == ([], [])


# -- coming and going ---------------------------------------------------------


def test_kernel_goes_with_its_package_and_comes_back_with_it(prefix: Path, site: Site) -> None:
    folder = brought(prefix, "ir")
    record = record_of(
        prefix, kernelspec={"argv": [], "language": "python", "interrupt_mode": "signal", "metadata": {}}
    )
    kernels.write_launch(record, site)
    faces.publish_faces(record, site)
    assert sorted(kernels.published(site)) == [NAME, IR]
    folder.rename(prefix / "aside")
    faces.publish_faces(record, site)
    assert sorted(kernels.published(site)) == [NAME], "by a conda of the user's own: nothing broken is left"
    gone = change.with_languages(record)
    assert [kernel.source for kernel in gone.kernels] == [""]
    (prefix / "aside").rename(folder)
    brought(prefix, "julia-1.10")
    back = change.with_languages(gone)
    assert [kernel.source for kernel in back.kernels] == ["", "ir", "julia-1.10"]
    assert change.with_languages(back) == back
    faces.publish_faces(back, site)
    assert len(kernels.published(site)) == 3
    faces.publish_faces(msgspec.structs.replace(back, kernels=back.kernels[:1]), site)
    assert sorted(kernels.published(site)) == [NAME]
    assert change.with_languages(make(prefix, kernels=[])).kernels == [], "who wants no kernel gets none"


def test_kernel_can_be_unpublished_and_published_by_its_name(prefix: Path) -> None:
    brought(prefix, "ir")
    record = record_of(prefix, kernelspec={"argv": []})
    without = change.without_kernel(record, IR)
    assert [kernel.name for kernel in without.kernels] == [NAME]
    again = change.with_kernel(without, IR, KernelPatch(display_name="My R"))
    assert again.kernels[1] == Kernel(name=IR, display_name="My R", source="ir")
    own = change.with_kernel(change.without_kernel(again, NAME), NAME, KernelPatch())
    assert [kernel.name for kernel in own.kernels] == [NAME, IR]
    with pytest.raises(NotFound, match=IR):
        change.with_kernel(record, f"{NAME}-julia", KernelPatch())


def test_name_that_another_environment_has_keeps_nothing_else_from_being_published(prefix: Path, site: Site) -> None:
    brought(prefix, "ir")
    facts = {"argv": [], "language": "python", "interrupt_mode": "signal", "metadata": {}}
    other = make(prefix, id="f" * 32, name="climate-ir", kernelspec=facts, kernels=[Kernel(name=IR, display_name="x")])
    kernels.publish(other, other.kernels[0], site)
    record = record_of(prefix, kernelspec=facts)
    kernels.write_launch(record, site)
    faces.publish_faces(record, site)
    published = kernels.published(site)
    assert (published[IR]["environment"], published[NAME]["environment"]) == ("f" * 32, ID)


def test_kernel_whose_package_is_gone_is_no_reason_to_repair(prefix: Path, site: Site, home: Path) -> None:
    folder = brought(prefix, "ir")
    facts = {"argv": [], "language": "python", "interrupt_mode": "signal", "metadata": {}}
    site.locations = {"home": str(prefix.parent)}
    record = record_of(prefix, kernelspec=facts, python_path=sys.executable)
    kernels.write_launch(record, site)
    Records(site).write(record, lambda: None)
    Records(site).write_copy(record)
    faces.publish_faces(record, site)
    catalog = Catalog(site)
    row = catalog.find("climate")
    assert [(kernel.source, bool(kernel.path)) for kernel in row.kernels] == [("", True), ("ir", True)]
    folder.rename(prefix / "aside")
    kernels.unpublish(IR, site)
    assert faces.roll_forward(catalog) == []
    kernels.unpublish(NAME, site)
    assert len(faces.roll_forward(catalog)) == 1
    assert sorted(kernels.published(site)) == [NAME]
