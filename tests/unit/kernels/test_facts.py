"""Kernelspec facts come from the environment's own ipykernel, and only known ones."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv import kernels
from jupyter_hpcenv.errors import PreflightFailed

MODERN = {
    "argv": ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    "display_name": "Python 3 (ipykernel)",
    "language": "python",
    "metadata": {"debugger": True, "supported_encryption": ["curve"]},
    "kernel_protocol_version": "5.5",
}


def prefix_with(folder: Path, spec: object, python: str = "python3.12", script: str = "exit 1") -> Path:
    """Make a prefix with that kernel.json; its python is a shell script, for when it is asked."""
    installed = folder / "share" / "jupyter" / "kernels" / "python3"
    installed.mkdir(parents=True)
    if spec is not None:
        (installed / "kernel.json").write_text(spec if isinstance(spec, str) else json.dumps(spec))
    (folder / "lib" / python).mkdir(parents=True)
    (folder / "bin").mkdir()
    (folder / "bin" / "python").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin" / "python").chmod(0o755)
    return folder


def test_file_says_all_and_nothing_is_started(tmp_path: Path) -> None:
    assert kernels.derive(prefix_with(tmp_path, MODERN)) == {
        "argv": ["-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "language": "python",
        "interrupt_mode": "signal",
        "kernel_protocol_version": "5.5",
        "metadata": {"debugger": True, "supported_encryption": ["curve"]},
    }


@pytest.mark.parametrize(
    ("python", "frozen"),
    [("python3.10", False), ("python3.11", True), ("python3.13", True), ("python3.13t", True), ("pypy3.11", False)],
)
def test_frozen_modules_are_turned_off_where_there_are_some(python: str, frozen: bool, tmp_path: Path) -> None:
    argv = kernels.derive(prefix_with(tmp_path, MODERN, python))["argv"]
    assert ("-Xfrozen_modules=off" in argv) is frozen


def test_option_that_ipykernel_wrote_itself_is_not_doubled(tmp_path: Path) -> None:
    spec = {**MODERN, "argv": ["/p/bin/python", "-Xfrozen_modules=off", *MODERN["argv"][1:]]}
    assert kernels.derive(prefix_with(tmp_path, spec))["argv"].count("-Xfrozen_modules=off") == 1


def test_older_ipykernel_promises_no_more_than_it_says(tmp_path: Path) -> None:
    spec = {**MODERN, "metadata": {"debugger": True}}
    del spec["kernel_protocol_version"]
    facts = kernels.derive(prefix_with(tmp_path, spec))
    assert facts["metadata"] == {"debugger": True}
    assert "kernel_protocol_version" not in facts


def test_hostile_fields_do_not_pass(tmp_path: Path) -> None:
    spec = {
        **MODERN,
        "env": {"LD_PRELOAD": "/evil.so"},
        "kernel_protocol_version": "5.5; rm",
        "interrupt_mode": "evil",
        "language": "<img onerror>",
        "display_name": "<script>",
        "metadata": {
            "debugger": "yes",
            "supported_encryption": ["curve", "none"],
            "kernel_provisioner": {"provisioner_name": "evil"},
            "hpcenv": {"environment": "forged"},
        },
    }
    assert kernels.derive(prefix_with(tmp_path, spec)) == {
        "argv": ["-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "language": "python",
        "interrupt_mode": "signal",
        "metadata": {},
    }


@pytest.mark.parametrize(
    "spec",
    [
        None,
        "{",
        "[" * 100_000,
        [],
        {},
        {**MODERN, "argv": ["xpython", "-f", "{connection_file}"]},
        {**MODERN, "argv": ["python", "-c", "evil", "-m", "ipykernel_launcher", "-f", "{connection_file}"]},
        {**MODERN, "argv": ["python", "-m", "evil", "-f", "{connection_file}"]},
        {**MODERN, "argv": ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}", "--evil"]},
        {**MODERN, "argv": ["python", "-m", "ipykernel_launcher", "-f{connection_file}"]},
        {**MODERN, "argv": ["python", 1]},
    ],
)
def test_python_is_asked_where_the_file_says_nothing_known(spec: Any, tmp_path: Path) -> None:
    answer = json.dumps({**MODERN, "kernel_protocol_version": "5.9"})
    prefix = prefix_with(tmp_path, spec, script=f"echo noise; echo '{answer}'")
    facts = kernels.derive(prefix)
    assert facts["kernel_protocol_version"] == "5.9"
    assert facts["argv"][-4:] == ["-m", "ipykernel_launcher", "-f", "{connection_file}"]


def test_no_ipykernel_is_said_with_pythons_own_words(tmp_path: Path) -> None:
    prefix = prefix_with(tmp_path, None, script=f"exec {sys.executable} -S -c 'import ipykernel'")
    with pytest.raises(PreflightFailed) as caught:
        kernels.derive(prefix)
    assert "No module named 'ipykernel'" in caught.value.reason
    assert caught.value.hints


def test_unknown_form_of_kernel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PreflightFailed, match="not known"):
        kernels.derive(prefix_with(tmp_path, {}, script='echo \'{"argv": ["python", "-m", "other"]}\''))


def test_fifo_and_link_in_place_of_the_file_do_not_block(tmp_path: Path) -> None:
    import os

    prefix = prefix_with(tmp_path, None)
    os.mkfifo(prefix / "share/jupyter/kernels/python3/kernel.json")
    with pytest.raises(PreflightFailed):
        kernels.derive(prefix)


def test_modules_may_bring_ipykernel_and_the_python(tmp_path: Path) -> None:
    """A prefix asks with what the modules put around it; one that is nothing but modules has no Python of its own."""
    spec = json.dumps(MODERN)
    script = f"[ -n \"$MODULES\" ] && [ \"$PYTHONNOUSERSITE\" = 1 ] && printf '%s\\n' '{spec}'"
    prefix = prefix_with(tmp_path / "venv", None, script=script)
    env = {"PATH": "/usr/bin:/bin", "MODULES": "1"}
    assert kernels.derive(prefix, env=env)["argv"][-1] == "{connection_file}"
    with pytest.raises(PreflightFailed):
        kernels.derive(prefix)
    (tmp_path / "empty").mkdir()
    assert kernels.derive(tmp_path / "empty", str(prefix / "bin/python"), env)["language"] == "python"
