"""The built-in engine keeps the contract that programs of the site's keep, too (`test_command`)."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from jupyter_hpcenv.managers.conda import engine as builtin
from jupyter_hpcenv.managers.conda.plan import Source

from .engine_contract import EngineContract


class TestRattlerKeepsTheContract(EngineContract):
    @pytest.fixture
    def engine(self) -> ModuleType:
        return builtin

    @pytest.fixture
    def source(self, channel: Path, tmp_path: Path) -> Source:
        return Source(channels=[f"file://{channel}"], cache=str(tmp_path / "cache"))

    @pytest.fixture
    def prefix(self, tmp_path: Path) -> Path:
        return tmp_path / "environment"
