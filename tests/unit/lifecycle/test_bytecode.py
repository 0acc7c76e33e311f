"""Compiled code is taken over only beside the very same module."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from jupyter_hpcenv.lifecycle import bytecode

TAG = sys.implementation.cache_tag


@pytest.fixture
def prefixes(tmp_path: Path) -> tuple[Path, Path]:
    """Two prefixes: one module is a link to the same file in both, one has the same text, one is only in the first."""
    site = Path("lib/python3.11/site-packages/pkg")
    source, clone = tmp_path / "source", tmp_path / "clone"
    for prefix in (source, clone):
        (prefix / site).mkdir(parents=True)
    for name in ("linked", "copied", "alone"):
        (source / site / f"{name}.py").write_text("a = 1\n")
        (source / site / "__pycache__").mkdir(exist_ok=True)
        (source / site / "__pycache__" / f"{name}.{TAG}.pyc").write_bytes(b"compiled")
    os.link(source / site / "linked.py", clone / site / "linked.py")
    (clone / site / "copied.py").write_text("a = 1\n")
    os.utime(clone / site / "copied.py", ns=(1, (source / site / "copied.py").stat().st_mtime_ns))
    return source, clone


def taken(prefix: Path) -> list[str]:
    return sorted(path.name for path in prefix.rglob("*.pyc"))


def test_only_beside_the_very_same_module(prefixes: tuple[Path, Path]) -> None:
    source, clone = prefixes
    assert bytecode.take_over(source, clone) == 1
    assert taken(clone) == [f"linked.{TAG}.pyc"]
    assert bytecode.take_over(source, clone) == 0  # there already


def test_where_nothing_can_be_linked_nothing_is(prefixes: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    source, clone = prefixes

    def refuse(*arguments: object, **more: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(bytecode.os, "link", refuse)
    assert bytecode.take_over(source, clone) == 0
    assert taken(clone) == []


def test_a_link_among_the_compiled_files_is_not_followed(prefixes: tuple[Path, Path], tmp_path: Path) -> None:
    source, clone = prefixes
    folder = source / "lib/python3.11/site-packages/pkg/__pycache__"
    (tmp_path / "elsewhere").write_text("secret")
    (folder / f"linked.{TAG}.pyc").unlink()
    (folder / f"linked.{TAG}.pyc").symlink_to(tmp_path / "elsewhere")
    assert bytecode.take_over(source, clone) == 0
    assert taken(clone) == []
