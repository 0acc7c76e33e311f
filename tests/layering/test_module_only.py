"""Environments that are nothing but modules: a kernel straight from what staff installed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from jupyter_hpcenv.managers.module_only import ModulesManager
from jupyter_hpcenv.site import Site

from . import profiles
from .conftest import Centre

ALONE = ("--manager", "modules")

CODE = "import json, os, sys; print(json.dumps({'prefix': sys.prefix, **os.environ}))"


@pytest.fixture
def at(tmp_path: Path, kernel_prefix: Path, centre: Callable[..., Centre]) -> Centre:
    """A centre whose module of Python is a prefix with ipykernel."""
    return centre(profiles.plain(tmp_path / "site", str(kernel_prefix / "bin/python3")))


def parts(environment: dict[str, Any]) -> set[str]:
    return set(os.listdir(environment["prefix"]))


@pytest.mark.filterwarnings("default")  # jupyter_client warns of its own
def test_its_kernel_is_the_modules_python(at: Centre, kernel_prefix: Path) -> None:
    made = at.create("alone", *ALONE, "--var", "GREETING=hello")
    assert (made["manager"], made["state"], made["preflight"]["kind"]) == ("modules", "ready", "kernel")
    assert made["python_path"] == str(kernel_prefix / "bin/python3")
    assert parts(made) == {".hpcenv"}
    found = at.answer(made, CODE)
    assert found["prefix"] == str(kernel_prefix)
    assert found["LOADEDMODULES"].split(":") == at.profile.load
    assert found["GREETING"] == "hello"
    assert "VIRTUAL_ENV" not in found
    assert "ipykernel" in {each.name for each in ModulesManager(site=Site()).list_packages(Path(made["prefix"]))}

    spec = Path(made["kernels"][0]["path"])
    manager = KernelManager(
        kernel_name=spec.name, kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(spec.parent)])
    )
    manager.start_kernel(env={**at.shell, "PATH": os.environ["PATH"]})
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        reply = client.execute_interactive("import sys", user_expressions={"p": "sys.prefix"}, timeout=30)
        assert reply["content"]["user_expressions"]["p"]["data"]["text/plain"] == repr(str(kernel_prefix))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)

    for dialect in ("bash", "lmod", "sbatch"):
        text = at.cli.data_of("activation", "alone", "--dialect", dialect)["text"]
        assert "fftw/3.3" in text
        assert made["prefix"] not in text
    assert at.cli.error_of("edit", "alone", "--no-modules")["code"] == "wrong_state"
    at.cli.data_of("delete", "alone")
    assert not Path(made["prefix"]).exists()
    assert not spec.exists()
    back = at.cli.data_of("restore", "alone")
    assert back["state"] == "ready"
    assert at.answer(back, CODE)["prefix"] == str(kernel_prefix)


def test_what_it_can_not_have_is_refused_at_submit(at: Centre) -> None:
    load = [word for module in at.profile.load for word in ("--module", module)]
    for arguments, code, words in (
        ([], "invalid_request", "needs modules"),
        ([*load, "packaging"], "invalid_request", "no packages of its own"),
        ([*load, "--installer", "pip"], "invalid_request", "is not built"),
        ([*load, "--python", "3.7"], "python_not_found", "not 3.7"),
        (["--module", "gcc/12.2"], "python_not_found", "brings a Python"),
    ):
        error = at.cli.error_of("create", "never", *ALONE, *arguments)
        assert error["code"] == code
        assert words in error["message"]
        assert error["hints"]
    assert at.cli.data_of("operations") == []


def test_a_python_without_ipykernel_is_refused_unless_no_kernel_is_wanted(
    tmp_path: Path, bare_python: Path, centre: Callable[..., Centre]
) -> None:
    at = centre(profiles.plain(tmp_path / "site", str(bare_python)))
    load = [word for module in at.profile.load for word in ("--module", module)]
    error = at.cli.error_of("create", "bare", *ALONE, *load)
    assert error["code"] == "invalid_request"
    assert "ipykernel" in error["message"]
    assert "ModuleNotFoundError" in error["reason"]
    assert at.cli.data_of("operations") == []
    made = at.create("bare", *ALONE, "--no-kernel")
    assert made["preflight"]["kind"] == "import"
    assert made["kernels"] == []
