"""The real module systems of this machine, for the tests that need them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_CHECKOUT = Path(__file__).parents[2]
LMOD = Path("/usr/share/lmod/lmod")
LMOD_INIT = LMOD / "init/bash"


def tcl_home() -> Path:
    """Return the share folder of the unpacked Environment Modules, whose ``init/bash`` starts it."""
    unpacked = Path(os.environ.get("HPCENV_TEST_TCL_MODULES") or _CHECKOUT / ".cache/tcl-modules")
    return unpacked / "usr/share/modules"


def need(system: str) -> str:
    """Return the start file of *system* for bash; skip without it, or fail where that is forbidden."""
    init = LMOD_INIT if system == "lmod" else tcl_home() / "init/bash"
    if not init.is_file():
        if os.environ.get("HPCENV_REQUIRE_REAL") == "1":
            pytest.fail(f"{init} is missing, and HPCENV_REQUIRE_REAL=1 forbids to skip its tests")
        pytest.skip(f"{init} is not there")
    return str(init)
