"""Where a conda environment comes to lie in a location that has a folder for each version of Python."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from jupyter_hpcenv.formats import matchspecs
from jupyter_hpcenv.managers.conda.asked import python, version_in
from jupyter_hpcenv.models import PinnedPackage

from ..cli.conftest import Cli

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.mark.parametrize(
    ("spec", "version"),
    [
        ("python=3.11", "3.11"),
        ("python==3.11.7", "3.11.7"),
        ("python 3.11.*", "3.11"),
        ("python=3.11=*_cpython", "3.11"),
        ("conda-forge::python=3.12.1", "3.12.1"),
        ("conda-forge/linux-64::python=3.12", "3.12"),
        ("python[version=3.12.*]", "3.12"),
        ("python", ""),
        ("python=3", ""),
        ("python>=3.9", ""),
        ("python>=3.11,<3.12", ""),
        ("python<3.13", ""),
        ("python=3.11|=3.12", ""),
        ("python!=3.11.4", ""),
        ("python_abi=3.11", ""),
    ],
)
def test_a_version_is_known_only_where_the_solver_has_no_choice(spec: str, version: str) -> None:
    assert version_in(["numpy 2.*", matchspecs.parse(spec)], []) == version


def test_versions_of_other_requests() -> None:
    assert [version_in(python(text), []) for text in ("3.12", "3.12.4", "3")] == ["3.12", "3.12.4", ""]
    pinned = [PinnedPackage(url="https://a.example/c/linux-64/python-3.12.4-h1_0_cpython.conda")]
    assert version_in([], pinned) == "3.12.4"


@pytest.fixture
def cli(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, channel: Path, cache: Path) -> Cli:
    (tmp_path / ".condarc").write_text(f"channels:\n  - file://{channel}\npkgs_dirs:\n  - {cache}\n")
    (tmp_path / "plain").mkdir()
    (tmp_path / "by").mkdir()
    config = tmp_path / ".jupyter" / "jupyter_hpcenv_config.py"
    config.parent.mkdir()
    places = {"by": f"{tmp_path}/by/py{{python_version}}/x", "plain": f"{tmp_path}/plain"}
    config.write_text(f"c.Site.locations = {places}\nc.Site.default_location = 'by'\n")
    return Cli(tmp_path, tmp_path_factory.mktemp("uv"))


def test_the_folder_is_that_of_the_version_that_is_asked_for(cli: Cli) -> None:
    file = cli.home / "environment.yml"
    file.write_text(f"dependencies: [python={MINOR}]\n")
    for name, words in (("one", ["--python", MINOR]), ("two", ["--file", str(file)]), ("three", [f"python={MINOR}"])):
        made = cli.data_of("create", name, *words, "--manager", "conda", "--no-kernel")
        assert made["prefix"] == f"{cli.home}/by/py{MINOR}/x/{name}"
        assert made["python"].startswith(f"{MINOR}.")
    assert {row["name"] for row in cli.data_of("list")} == {"one", "two", "three"}


@pytest.mark.parametrize("words", [["hpc-tiny"], ["python>=3.9"], ["--python", "3"]])
def test_without_a_version_it_is_refused_there_and_not_elsewhere(cli: Cli, words: list[str]) -> None:
    arguments = ("create", "mine", *words, "--manager", "conda", "--no-kernel", "--dry-run")
    error = cli.error_of(*arguments)
    assert error["code"] == "invalid_request"
    assert error["message"].startswith("The location by has a folder for each version of Python")
    assert "--python 3.12" in " ".join(error["hints"])
    assert list((cli.home / "by").iterdir()) in ([], [cli.home / "by" / ".hpcenv"])
    assert cli.data_of(*arguments, "--location", "plain")["install"]
