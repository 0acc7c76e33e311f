"""Every creator with every installer, really; and the failures that people meet, in the tools' own words."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.errors import HpcenvError, IndexUnreachable, InvalidRequest, ManagerNotFound, PackageNotFound
from jupyter_hpcenv.managers import installers, prefixes
from jupyter_hpcenv.managers.contract import Surroundings
from jupyter_hpcenv.managers.venv import VenvManager
from jupyter_hpcenv.models import FINISHED, CreateRequest, EnvironmentDetail, Operation
from jupyter_hpcenv.process import environment


def desk(**manager: Any) -> Admission:
    return Admission(Config({"VenvManager": manager}))


def finish(admission: Admission, request: CreateRequest) -> Operation:
    operation = admission.submit("create", request)
    while (now := admission.operations.get(operation.id)).state not in FINISHED:
        time.sleep(0.05)
    return now


def built(admission: Admission, **request: Any) -> EnvironmentDetail:
    operation = finish(admission, CreateRequest(kernel=False, **request))
    assert operation.state == "succeeded", operation.error
    return admission.catalog.find(request["name"])


def lines(admission: Admission) -> str:
    newest = admission.operations.list()[0]
    return "\n".join(line.text for line in admission.operations.log(newest.id).lines)


def made_as_asked(admission: Admission, found: EnvironmentDetail, creator: str, installer: str) -> None:
    """Each creator is seen with each installer; pip takes seconds, so other tests of it look here as well."""
    assert (found.creator, found.installer) == (creator, installer)
    assert set(found.tools) == {creator, installer}
    assert all(found.tools.values())
    names = {package.name for package in admission.packages("a")}
    assert {"six", "pip"} <= names
    done = subprocess.run(
        [f"{found.prefix}/bin/python", "-c", "import six, sys; print(sys.prefix)"], capture_output=True
    )
    assert done.stdout.decode().strip() == found.prefix


class Silent:
    """A reporter that tells nobody."""

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: None


@pytest.fixture(scope="module")
def pip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prefix with nothing but pip; what can not be installed leaves it so."""
    prefix = tmp_path_factory.mktemp("pip") / "it"
    subprocess.run(
        [prefixes.find_uv(), "venv", "--quiet", "--seed", "--python", sys.executable, str(prefix)], check=True
    )
    return prefix


def failure_of(installer: str, pip: Path, folder: Path, *packages: str, **manager: Any) -> dict[str, Any]:
    """Return the error that packages end with: uv's of a whole build, pip's of the step that installs.

    The way from there is one for both, and for pip everything before takes many times as long.
    """
    asked = CreateRequest(name="a", packages=list(packages), installer=installer, kernel=False)
    if installer == "uv":
        error = finish(desk(probe_index=False, **manager), asked).error
        assert error is not None
        return error
    venv = desk(probe_index=False, **manager).managers["venv"]
    assert isinstance(venv, VenvManager)
    choice = venv.check(asked, list(packages), Surroundings())
    wanted = installers.write_requirements(folder, packages, kernel=False)
    with pytest.raises(HpcenvError) as caught:
        installers.install(choice, wanted, pip, installers.build_environment(environment(), choice, pip), Silent())
    return {"code": caught.value.code, "message": caught.value.message, "reason": caught.value.reason}


@pytest.mark.parametrize("creator", ["uv", "venv", "virtualenv"])
def test_each_creator_with_uv(creator: str) -> None:
    admission = desk()
    found = built(admission, name="a", packages=["six"], creator=creator, installer="uv")
    made_as_asked(admission, found, creator, "uv")


def test_uv_is_the_default_and_pip_where_pip_is_configured(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert built(desk(), name="a").installer == "uv"
    monkeypatch.delenv("PIP_CONFIG_FILE")
    (home / ".config" / "pip").mkdir(parents=True)
    (home / ".config" / "pip" / "pip.conf").write_text("[install]\nprefer-binary = true\n")
    admission = desk()
    assert built(admission, name="b").installer == "pip"
    assert "because" in lines(admission)
    assert "pip.conf sets prefer-binary" in lines(admission)
    assert built(admission, name="c", installer="uv").installer == "uv"
    assert "does not obey pip's configuration" in lines(admission)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheelhouse with six, and without pip."""
    house = tmp_path_factory.mktemp("wheelhouse")
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", str(house), "six"]
    if not (Path(sys.prefix) / "lib" / f"python3.{sys.version_info[1]}" / "site-packages" / "pip").exists():
        download[:3] = [prefixes.find_uv(), "tool", "run", "pip"]
    subprocess.run(download, check=True, stdout=subprocess.DEVNULL)
    return house


def test_a_wheelhouse_is_enough_without_an_index(house: Path, tmp_path: Path) -> None:
    admission = desk(find_links=[str(house)], no_index=True)
    found = built(admission, name="a", packages=["six"])
    assert found.installer == "pip"
    assert "wheelhouse" in lines(admission)
    settings = {"find_links": [str(house)], "no_index": True}
    assert failure_of("pip", Path(found.prefix), tmp_path, "idna", **settings)["code"] == "package_not_found"


def test_uv_takes_a_wheelhouse_when_asked_to(house: Path) -> None:
    admission = desk(find_links=[str(house)], no_index=True)
    found = built(admission, name="a", packages=["six"], installer="uv")
    assert found.installer == "uv"
    assert {package.name for package in admission.packages("a")} == {"six", "pip"}


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_the_users_constraints_count_and_what_leads_pip_out_of_the_prefix_does_not(
    installer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    """Nor do the constraints count for the pip that is put there."""
    (tmp_path / "constraints.txt").write_text("six==1.16.0\npip==1.0\n")
    monkeypatch.setenv("PIP_CONSTRAINT", str(tmp_path / "constraints.txt"))
    monkeypatch.setenv("UV_CONSTRAINT", str(tmp_path / "constraints.txt"))
    monkeypatch.setenv("PIP_REQUIRE_VIRTUALENV", "1")
    monkeypatch.setenv("PIP_USER", "1")
    admission = desk(installer=installer, creator="uv")
    found = built(admission, name="a", packages=["six"])
    assert {package.name: package.version for package in admission.packages("a")}["six"] == "1.16.0"
    assert not (home / ".local" / "lib").exists()
    made_as_asked(admission, found, "uv", installer)


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_settings_that_others_left_above_a_temporary_folder_are_not_obeyed(
    installer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = "http://127.0.0.1:1/simple"
    (tmp_path / "uv.toml").write_text(f'index-url = "{closed}"\n')
    (tmp_path / "pyproject.toml").write_text(f'[tool.uv]\nindex-url = "{closed}"\n')
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {closed}\n")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    admission = desk(installer=installer, creator="virtualenv")
    made_as_asked(admission, built(admission, name="a", packages=["six"]), "virtualenv", installer)


def test_the_users_own_settings_for_uv_count(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    (home / ".config" / "uv").mkdir(parents=True)
    (home / ".config" / "uv" / "uv.toml").write_text('index-url = "http://127.0.0.1:1/simple"\n')
    operation = finish(desk(installer="uv"), CreateRequest(name="a", packages=["six"], kernel=False))
    assert operation.error is not None
    assert operation.error["code"] == "index_unreachable"


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_an_editable_project_whose_path_has_a_space(installer: str, tmp_path: Path) -> None:
    project = tmp_path / "my project --target x"
    project.mkdir()
    (project / "pyproject.toml").write_text('[project]\nname = "hpcenv-mine"\nversion = "1.0"\n')
    (project / "hpcenv_mine.py").write_text("")
    admission = desk(installer=installer)
    found = built(admission, name="a", packages=[f"-e {project}"])
    (mine,) = [package for package in admission.packages("a") if package.name == "hpcenv-mine"]
    assert mine.source == f"editable {project.as_uri()}"
    assert found.packages == [f"-e {project}"]


def test_a_build_that_fails_says_what_it_said(tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text("raise SystemExit('no compiler for the canary')\n")
    for installer in ("uv", "pip"):
        request = CreateRequest(name="a", packages=[f"-e {tmp_path}"], installer=installer, kernel=False)
        operation = finish(desk(), request)
        assert operation.error is not None
        assert operation.error["code"] == "build_failed"
        assert "no compiler for the canary" in operation.error["reason"]


def test_a_diverted_pip_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_CONFIG_FILE")
    (home / ".config" / "pip").mkdir(parents=True)
    (home / ".config" / "pip" / "pip.conf").write_text("[install]\ntarget = /somewhere\n")
    with pytest.raises(InvalidRequest, match="target"):
        desk().submit("create", CreateRequest(name="a"))


def test_layering_is_pips_and_sees_the_packages_below() -> None:
    admission = desk()
    choice = admission.managers["venv"].check(CreateRequest(name="a", system_site_packages=True), [], Surroundings())
    assert (choice.installer, choice.system_site_packages) == ("pip", True)
    found = built(admission, name="a", system_site_packages=True, installer="uv")  # which is faster
    assert found.system_site_packages is True
    assert "true" in (Path(found.prefix) / "pyvenv.cfg").read_text().lower()


def test_virtualenv_takes_over_where_ensurepip_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_hpcenv.managers.venv.has_ensurepip", lambda python: False)
    admission = desk()
    assert built(admission, name="a", creator="venv", installer="uv").creator == "virtualenv"
    assert "no ensurepip" in lines(admission)


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_an_unknown_package_is_named_at_once_and_while_building(installer: str, pip: Path, tmp_path: Path) -> None:
    name = "hpcenv-no-such-package-" + "x" * 20
    with pytest.raises(PackageNotFound, match=name):
        desk().submit("create", CreateRequest(name="a", packages=[name], installer=installer))
    error = failure_of(installer, pip, tmp_path, name)
    assert error["code"] == "package_not_found"
    assert name in error["message"]


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_requirements_that_exclude_each_other(installer: str, pip: Path, tmp_path: Path) -> None:
    error = failure_of(installer, pip, tmp_path, "six==1.16.0", "six==1.17.0")
    assert error["code"] == "requirements_conflict"
    assert "six" in error["reason"]


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_an_index_that_does_not_answer(
    installer: str, pip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = "http://127.0.0.1:1/simple"
    with pytest.raises(IndexUnreachable):
        desk(index_url=closed).submit("create", CreateRequest(name="a", installer=installer))
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    error = failure_of(installer, pip, tmp_path, "ipykernel", index_url=closed)
    assert error["code"] == "index_unreachable", error


def test_an_unknown_installer_or_creator_is_refused() -> None:
    for request in ({"installer": "npm"}, {"creator": "conda"}):
        with pytest.raises(ManagerNotFound):
            desk().submit("create", CreateRequest(name="a", **request))


def test_a_folder_full_of_standard_names_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("random", "json", "email", "pip", "venv", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text("open('/proc/self/cwd/IMPORTED', 'w')\nraise SystemExit('imported')\n")
    monkeypatch.chdir(tmp_path)
    admission = desk(installer="pip", creator="venv")
    found = built(admission, name="a", packages=["six"])
    assert not (tmp_path / "IMPORTED").exists()
    monkeypatch.chdir("/")
    made_as_asked(admission, found, "venv", "pip")


@pytest.mark.parametrize("version", ["3.10", "3.12", "3.13"])
def test_pythons_are_chosen_by_version(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    root = os.environ.get("HPCENV_TEST_PYENV", "")
    if not list(Path(root).glob(f"versions/{version}.*")) and not shutil.which(f"python{version}"):
        if os.environ.get("HPCENV_REQUIRE_REAL") == "1":
            pytest.fail(f"Python {version} is missing, and HPCENV_REQUIRE_REAL=1 forbids to skip its tests")
        pytest.skip(f"Python {version} is not installed")
    monkeypatch.setenv("PYENV_ROOT", root)
    assert built(desk(), name="a", python=version).python.startswith(f"{version}.")
