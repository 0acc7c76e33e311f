"""Learn from an environment's own ipykernel how it wants to be started.

A hand-written kernelspec lacks what the kernel can do (debugger, encryption, protocol), so it is derived.
What a prefix says is input all the same: only known fields of known form are taken over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from .. import process, typed
from ..errors import BrokenRecord, PreflightFailed
from ..files import read_regular

#: Where the wheel and conda's package of ipykernel put the kernelspec of the prefix itself.
INSTALLED = Path("share/jupyter/kernels/python3")

CONNECTION_FILE = "{connection_file}"

_MODULES = ("ipykernel_launcher", "ipykernel")
_OPTION = re.compile(r"-X[a-z_]+(=[a-z0-9_]+)?")
_ASK = "import json, ipykernel.kernelspec as k; print(json.dumps(k.get_kernel_dict()))"


def derive(prefix: Path, python: str = "", env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the kernelspec facts of the ipykernel that runs in *prefix*; called once, when it is built.

    *python* is the interpreter of an environment that has none in *prefix*, because it is nothing but modules;
    *env* is what modules put around it, in which ipykernel may be theirs.

    ``argv`` holds what follows the interpreter. Read from the file that ipykernel 6 and 7 install; where
    that says nothing (packages of the system's Python, another kernel's file), the prefix's Python is
    asked. Raises `PreflightFailed` when there is no ipykernel.
    """
    program = Path(python) if python else prefix / "bin" / "python"
    home = program.parent.parent
    facts = derived_from(_installed(home))
    if facts is None:
        facts = derived_from(_asked(program, env))
    if facts is None:
        raise PreflightFailed(
            f"The ipykernel in {home} describes a kernel of a form that is not known.",
            hints=["Install another version of ipykernel.", "Create the environment without a kernel."],
        )
    if _freezes_modules(home) and not any(option.startswith("-Xfrozen_modules") for option in facts["argv"]):
        facts["argv"].insert(0, "-Xfrozen_modules=off")
    return facts


def _installed(prefix: Path) -> object:
    try:
        return typed.of_json(read_regular(prefix / INSTALLED / "kernel.json", 100_000))
    except (OSError, BrokenRecord, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _asked(program: Path, env: Mapping[str, str] | None) -> object:
    surroundings = {**env, "PYTHONNOUSERSITE": "1"} if env else _surroundings()
    completed = process.run([str(program), "-c", _ASK], env=surroundings, timeout=60)
    if not completed.ok:
        raise PreflightFailed(
            f"There is no usable ipykernel in {program.parent.parent}.",
            hints=["Leave ipykernel to the creation, or create the environment without a kernel."],
            reason="\n".join(completed.tail[-20:]),
        )
    for line in reversed(completed.tail):
        try:
            return typed.of_json(line)
        except msgspec.DecodeError:
            continue
    return None


def _surroundings() -> dict[str, str]:
    return process.environment(extra={"PYTHONNOUSERSITE": "1"})


def derived_from(found: object) -> dict[str, Any] | None:
    """Return the allow-listed fields of a kernelspec, or None if it is none of ipykernel's."""
    if not isinstance(found, dict):
        return None
    argv = found.get("argv")
    if not isinstance(argv, list) or not all(isinstance(each, str) for each in argv):
        return None
    options = [each for each in argv[1:-4] if _OPTION.fullmatch(each)]
    module = argv[-3] if len(argv) >= 5 else ""
    if module not in _MODULES or argv[1:] != [*options, "-m", module, "-f", CONNECTION_FILE]:
        return None
    facts: dict[str, Any] = {
        "argv": [*options, "-m", module, "-f", CONNECTION_FILE],
        "language": "python",
        "interrupt_mode": "message" if found.get("interrupt_mode") == "message" else "signal",
        "metadata": {},
    }
    protocol = found.get("kernel_protocol_version")
    if isinstance(protocol, str) and re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3}){1,2}", protocol):
        facts["kernel_protocol_version"] = protocol
    metadata = found.get("metadata")
    if isinstance(metadata, dict):
        if isinstance(metadata.get("debugger"), bool):
            facts["metadata"]["debugger"] = metadata["debugger"]
        encryption = metadata.get("supported_encryption")
        if encryption in ("curve", ["curve"]):
            facts["metadata"]["supported_encryption"] = ["curve"]
    return facts


def _freezes_modules(prefix: Path) -> bool:
    """Tell whether this is CPython from 3.11 on, whose frozen modules a debugger can not step into.

    ``python -m ipykernel install`` writes the option, the kernelspec inside the wheel lacks it.
    """
    for folder in (prefix / "lib").glob("python3.*"):
        minor = re.fullmatch(r"python3\.([0-9]+)t?", folder.name)
        if minor:
            return int(minor[1]) >= 11
    return False
