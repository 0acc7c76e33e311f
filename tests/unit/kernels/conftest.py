"""A record and a site that kernels tests share; no real environment is built here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.models import Kernel, Platform, Record
from jupyter_hpcenv.site import Site

FACTS: dict[str, Any] = {
    "argv": ["-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    "language": "python",
    "interrupt_mode": "signal",
    "kernel_protocol_version": "5.5",
    "metadata": {"debugger": True, "supported_encryption": ["curve"]},
}


@pytest.fixture
def site(home: Path) -> Site:
    return Site(cluster="testcluster")


@pytest.fixture
def make_record(tmp_path: Path) -> Callable[..., Record]:
    def make(prefix: Path | str = tmp_path / "prefix", **changes: Any) -> Record:
        values: dict[str, Any] = {
            "id": "0123456789abcdef0123456789abcdef",
            "name": "climate",
            "location": "home",
            "prefix": str(prefix),
            "manager": "venv",
            "creator": "uv",
            "installer": "uv",
            "python": f"{sys.version_info[0]}.{sys.version_info[1]}.{sys.version_info[2]}",
            "python_path": sys.executable,
            "display_name": "Climate (Python 3)",
            "kernels": [Kernel(name="hpcenv-home.climate", display_name="Climate (Python 3)")],
            "kernelspec": FACTS,
            "platform": Platform(cluster="testcluster", os="debian12", arch="x86_64"),
            "owner": "ada",
            "created": "2026-11-21T08:00:00.000Z",
            "changed": "2026-11-21T08:00:00.000Z",
            "operation": "20261121-080000-0000abcd",
        }
        return Record(**{**values, **changes})

    return make


GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare a text with its golden file; write it anew by hand when a change is meant."""

    def compare(name: str, text: str) -> None:
        assert text == (GOLDEN / name).read_text(encoding="utf-8"), f"tests/golden/{name} differs"

    return compare
