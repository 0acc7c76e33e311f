"""One environment created and proven at each kind of centre, through the real command line and module system."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.managers.packages import list_packages

from . import profiles
from .conftest import PYTHON, Centre

STATE = "import json, os; print(json.dumps({'loaded': os.environ['LOADEDMODULES'].split(':'), **os.environ}))"


def proven(environment: dict[str, Any]) -> bool:
    return environment["state"] == "ready" and environment["preflight"]["kind"] == "kernel"


def test_plain_lmod(tmp_path: Path, centre: Callable[..., Centre]) -> None:
    at = centre(profiles.plain(tmp_path / "site", PYTHON))
    made = at.create("plain")
    assert proven(made)
    assert os.path.realpath(made["python_path"]) == PYTHON
    assert made["system_site_packages"] is False
    found = at.answer(made, STATE)
    assert found["loaded"] == at.profile.load
    assert (found["CC"], found["FFTW_DIR"]) == ("gcc", "/opt/fftw")
    assert "PYTHONPATH" not in found


def test_easybuild_keeps_its_order_and_its_numpy(
    tmp_path: Path, kernel_prefix: Path, centre: Callable[..., Centre]
) -> None:
    """PYTHONPATH comes before the environment, EBPYTHONPREFIXES behind it; numpy stays the bundle's."""
    at = centre(
        profiles.easybuild(tmp_path / "site", PYTHON, kernel_prefix),
        VenvManager={"find_links": [str(tmp_path / "wheels")], "no_index": True},
    )
    wheels = [profiles.wheel(tmp_path / "wheels", name, "2.0") for name in ("layer_top", "layer_mid", "layer_low")]
    profiles.wheel(tmp_path / "wheels", "wants_numpy", "1.0", "numpy>=1.20")
    profiles.wheel(tmp_path / "wheels", "numpy", "9.9")
    made = at.create("layered", "wants_numpy", *(f"{each.name.split('-')[0]} @ {each.as_uri()}" for each in wheels))
    assert proven(made)
    assert made["system_site_packages"] is True
    assert made["installer"] == "pip"
    assert "uv does not see packages that come from modules" in at.log()
    names = ("layer_top", "layer_mid", "layer_low", "numpy", "ipykernel")
    code = f"import json, importlib as i; print(json.dumps({{n: i.import_module(n).__file__ for n in {names}}}))"
    found = at.answer(made, code)
    software = str(tmp_path / "site/software")
    assert found["layer_top"] == f"{software}/tools/layer_top.py"
    assert found["layer_mid"] == f"{software}/tools/layer_mid.py"
    assert found["layer_low"].startswith(f"{made['prefix']}/lib/")
    assert found["numpy"].startswith(f"{software}/bundle/lib/")
    assert found["ipykernel"].startswith(str(kernel_prefix))
    own = {each.name for each in list_packages(Path(made["prefix"]))}
    assert {"wants_numpy", "layer_top", "layer_mid", "layer_low", "setuptools"} <= own
    assert not {"numpy", "ipykernel"} & own


@pytest.mark.parametrize("system", ["lmod", "tcl"])
def test_cray_keeps_the_defaults_of_the_site(system: str, tmp_path: Path, centre: Callable[..., Centre]) -> None:
    """A kernel of a server with modules of its own keeps what the site made to stay, and nothing else."""
    at = centre(profiles.cray(tmp_path / "site", PYTHON, system))
    made = at.create("mine", "--installer", "uv")  # with pip, as by itself, the others are made; this is faster
    assert proven(made)
    found = at.answer(made, STATE, env=at.cli.env)
    assert "perftools/23" in at.cli.env["LOADEDMODULES"].split(":")
    assert found["loaded"] == ["craype-x86-rome/1", "PrgEnv-gnu/8.4", "cray-python/3.11.7"]
    assert (found["CRAY_CPU_TARGET"], found["PE_ENV"], found["CRAY_PYTHON_LEVEL"]) == ("x86-rome", "GNU", "3.11.7")
    assert "PERFTOOLS" not in found


def test_alliance_takes_everything_from_its_wheelhouse(
    tmp_path: Path, wheelhouse: Path, centre: Callable[..., Centre]
) -> None:
    """pip obeys the file that the module names: no index is asked, and a local version is what there is."""
    house = tmp_path / "house"
    house.mkdir()
    for each in wheelhouse.iterdir():
        (house / each.name).symlink_to(each)
    profiles.wheel(house, "gyrokit", "1.1")
    profiles.wheel(house, "gyrokit", "1.2+computecanada")
    at = centre(profiles.alliance(tmp_path / "site", PYTHON, house), VenvManager={})
    at.cli.env["PIP_INDEX_URL"] = "http://127.0.0.1:1/simple"
    made = at.create("mine", "gyrokit>=1.2")
    assert proven(made)
    assert made["installer"] == "pip"
    versions = {each.name: each.version for each in list_packages(Path(made["prefix"]))}
    assert versions["gyrokit"] == "1.2+computecanada"
    assert at.answer(made, "import gyrokit, json; print(json.dumps(gyrokit.__version__))") == "1.2+computecanada"
    error = at.cli.error_of("create", "other", *(w for m in at.profile.load for w in ("--module", m)), "nosuchpkg")
    assert error["code"] == "package_not_found"
