"""Kernels that staff published for everybody, as a user sees them."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from traitlets.config import Config

from jupyter_hpcenv import kernels
from jupyter_hpcenv.admission.offered import offered
from jupyter_hpcenv.catalog import Catalog
from jupyter_hpcenv.models import Kernel, Platform, Record
from jupyter_hpcenv.site import Site


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """A location with the releases 1 and 2 of an environment, and a folder of kernels for everybody."""
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    root = tmp_path / "soft"
    catalog = Catalog(Site(config=Config({"Site": {"locations": {"site": str(root)}, "cluster": "here"}})))
    for release in ("1", "2"):
        prefix = root / ".versions" / "teaching" / release
        prefix.mkdir(parents=True)
        record = Record(
            id=release * 32,
            name=f"teaching-{release}",
            location="site",
            prefix=str(prefix),
            manager="venv",
            creator="uv",
            installer="uv",
            python="3.12.1",
            python_path="/bin/sh",
            display_name="Teaching",
            platform=Platform(cluster="here", os="", arch=""),
            owner="builder",
            created="2026-01-01T00:00:00Z",
            changed="2026-01-01T00:00:00Z",
            operation="",
            kernelspec={"argv": [], "language": "python", "interrupt_mode": "signal", "metadata": {}},
        )
        catalog.records.write(record)
    (root / "teaching").symlink_to(".versions/teaching/1")
    for name, place in (("teaching", root / "teaching"), ("else", tmp_path / "else")):
        shown = msgspec.structs.replace(record, id="f" * 32, name=name, prefix=str(place))
        kernel = Kernel(name=f"hpcenv-site.{name}", display_name=name.title())
        kernels.publish(shown, kernel, catalog.site, stub="", into=tmp_path / "jupyter" / "kernels")
    return catalog


def test_a_kernel_for_everybody_stands_beside_the_release_behind_it(catalog: Catalog, tmp_path: Path) -> None:
    (kernel,) = offered(catalog)
    assert kernel == {
        "name": "hpcenv-site.teaching",
        "display_name": "Teaching",
        "path": str(tmp_path / "jupyter" / "kernels" / "hpcenv-site.teaching"),
        "environment": "1" * 32,
        "location": "site",
        "state": "ready",
    }, "what the user does not see is not theirs to know"
    link = tmp_path / "soft" / "teaching"
    link.unlink()
    link.symlink_to(".versions/teaching/2")
    assert [each["environment"] for each in offered(catalog)] == ["2" * 32]


def test_ones_own_kernel_of_that_name_counts(catalog: Catalog, tmp_path: Path) -> None:
    theirs = tmp_path / "jupyter" / "kernels" / "hpcenv-site.teaching" / "kernel.json"
    own = catalog.site.kernels_dir / "hpcenv-site.teaching" / "kernel.json"
    own.parent.mkdir(parents=True)
    own.write_text(json.dumps({**json.loads(theirs.read_text()), "display_name": "Mine"}))
    assert [(each["display_name"], each["state"]) for each in offered(catalog)] == [("Mine", "orphan")]
