"""Evil packages and the embedded engine: each is refused, or does no harm."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from jupyter_hpcenv.errors import BuildFailed, HpcenvError, PackageNotFound, Refused, RequirementsConflict
from jupyter_hpcenv.managers.conda import engine
from jupyter_hpcenv.managers.conda.inspection import Coming, Item, inspect

from . import evil
from .archives import tiny
from .channel import fill, index
from .driving import Notes, source
from .victim import Victim

#: What says that a package was not installed; anything else would be a failure that nobody expected.
REFUSALS = (Refused, BuildFailed, PackageNotFound, RequirementsConflict)


@pytest.mark.parametrize("name", evil.EVILS)
def test_evil_is_refused_or_harmless(tmp_path: Path, name: str) -> None:
    if name == "device" and os.geteuid() != 0:
        pytest.skip("only root makes devices")
    victim = Victim(tmp_path)
    attack = evil.EVILS[name](tmp_path / "channels/evil", victim)
    prefix, cache = victim.root / "envs/env", victim.root / "cache"
    main = source(attack.channel, cache)
    first, *more = [f"{spec} *" for spec in attack.specs]  # the star tells what we write from what is forged
    refusal: HpcenvError | None = None
    try:
        engine.create(main, [first], prefix, Notes())
        for spec in more:
            engine.change(main, prefix, Notes(), install=[spec])
    except HpcenvError as error:
        refusal = error
    assert refusal is None or isinstance(refusal, REFUSALS)
    assert victim.harm(prefix, holders=(cache, attack.channel.parent)) == []


def _packed(folder: Path, name: str, paths: list[dict[str, str]], **index: object) -> Item:
    """Write what the engine would have unpacked."""
    info = folder / f"{name}-1.0-0" / "info"
    info.mkdir(parents=True)
    (info / "index.json").write_text(json.dumps({"name": name, "version": "1.0", "build": "0", **index}))
    (info / "paths.json").write_text(json.dumps({"paths": paths}))
    return Item(file=f"{name}-1.0-0.conda", name=name, version="1.0", build="0")


@pytest.mark.parametrize(
    ("target", "outcome"),
    [
        ("real", ""),
        ("../share/real", ""),
        ("../../x", "outside"),
        ("/etc/hostname", "outside"),
        ("/nowhere/at/all", "to nothing"),
        ("../lib/link", "outside"),  # around in circles
    ],
)
def test_links_may_lead_where_the_prefix_is(tmp_path: Path, target: str, outcome: str) -> None:
    item = _packed(tmp_path / "pkgs", "a", [{"_path": "lib/link"}])
    folder = tmp_path / "pkgs" / item.stem
    (folder / "lib").mkdir()
    (folder / "lib/link").symlink_to(target)
    (tmp_path / "x").touch()
    if outcome == "outside" and target != "../lib/link":
        with pytest.raises(Refused, match="leads out of the environment"):
            inspect(tmp_path / "pkgs", tmp_path / "environment", Coming(items=[item]))
    else:
        warnings = inspect(tmp_path / "pkgs", tmp_path / "environment", Coming(items=[item]))
        assert bool(warnings) == bool(outcome)


@pytest.mark.parametrize("path", ["conda-meta/history", "conda-meta/numpy-1-0.json", ".hpcenv/environment.json"])
def test_what_is_written_about_an_environment_is_nobodys_to_replace(tmp_path: Path, path: str) -> None:
    item = _packed(tmp_path / "pkgs", "a", [{"_path": path}])
    target = tmp_path / "pkgs" / item.stem / path
    target.parent.mkdir(parents=True)
    target.touch()
    with pytest.raises(Refused, match="replace what is written about the environment"):
        inspect(tmp_path / "pkgs", tmp_path / "environment", Coming(items=[item]))


def test_a_link_to_it_does_not_help(tmp_path: Path) -> None:
    link = _packed(tmp_path / "pkgs", "a", [{"_path": "share/a"}])
    other = _packed(tmp_path / "pkgs", "b", [{"_path": "share/a/history"}])
    (tmp_path / "pkgs" / link.stem / "share").mkdir()
    (tmp_path / "pkgs" / link.stem / "share/a").symlink_to("../conda-meta")
    (tmp_path / "pkgs" / other.stem / "share/a").mkdir(parents=True)
    (tmp_path / "pkgs" / other.stem / "share/a/history").touch()
    with pytest.raises(Refused, match=r"b-1.0-0.conda was not installed"):
        inspect(tmp_path / "pkgs", tmp_path / "environment", Coming(items=[link, other]))


def test_what_somebody_linked_out_of_the_prefix_is_not_followed(tmp_path: Path) -> None:
    own, prefix = tmp_path / "channel", tmp_path / "environment"
    fill(own, [tiny("hpc-a"), tiny("hpc-b", files={"share/data/file": "b"})])
    index(own)
    main = source(own, tmp_path / "cache")
    engine.create(main, ["hpc-a"], prefix, Notes())
    (tmp_path / "project").mkdir()
    (prefix / "share").symlink_to(tmp_path / "project")
    with pytest.raises(Refused, match="outside of the environment"):
        engine.change(main, prefix, Notes(), install=["hpc-b"])
    assert list((tmp_path / "project").iterdir()) == []


def test_a_package_from_before_2017_lists_its_files_otherwise(tmp_path: Path) -> None:
    item = _packed(tmp_path / "pkgs", "a", [])
    info = tmp_path / "pkgs" / item.stem / "info"
    (info / "paths.json").unlink()
    (info / "files").write_text("../climbs\n")
    with pytest.raises(Refused, match="climbs"):
        inspect(tmp_path / "pkgs", tmp_path / "environment", Coming(items=[item]))
