from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_hpcenv.managers import only
from jupyter_hpcenv.managers.conda.pip_part import environment_for_pip
from jupyter_hpcenv.managers.contract import Choice
from jupyter_hpcenv.managers.installers import build_environment, common_options
from jupyter_hpcenv.models import PythonFact

INDEX = "https://index.example.org/simple"
TRAP = "https://trap.example.org/simple"
_OF_PIP = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CONSTRAINT", "PIP_TRUSTED_HOST")
_OF_UV = ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")
_FILES = ("PIP_CONFIG_FILE", "UV_CONFIG_FILE", "NETRC", "PIP_NO_INDEX", "UV_OVERRIDE")
POISON = {**dict.fromkeys((*_OF_PIP, *_OF_UV), TRAP), **dict.fromkeys(_FILES, f"/{TRAP}")}
KEPT = {"HOME": "/home/x", "PIP_CACHE_DIR": "/c", "UV_CACHE_DIR": "/d", "https_proxy": "http://proxy.example.org"}
CHOICE = Choice(
    python=PythonFact(path="/p", real="/p", version="3.12.1", source="site", label="p"),
    creator="uv",
    installer="uv",
    options={"index_url": TRAP},
)


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "policy.toml"
    monkeypatch.setenv("HPCENV_POLICY", str(path))
    return path


@pytest.mark.parametrize("build", ["venv", "conda"])
def test_nothing_else_that_names_an_index_is_left(rules: Path, build: str) -> None:
    rules.write_text(f'version = 1\n[enforced]\nindexes = ["{INDEX}", "/wheels", "{INDEX}/more"]\n')
    prefix = Path("/nonexistent/prefix")
    given = {**POISON, **KEPT}
    env = build_environment(given, CHOICE, prefix) if build == "venv" else environment_for_pip(given, prefix)
    assert not [name for name, value in env.items() if "trap" in value]
    assert {name: env[name] for name in KEPT} == KEPT
    assert (env["PIP_INDEX_URL"], env["UV_DEFAULT_INDEX"]) == (INDEX, INDEX)
    assert (env["PIP_EXTRA_INDEX_URL"], env["UV_INDEX"]) == (f"{INDEX}/more", f"{INDEX}/more")
    assert (env["PIP_FIND_LINKS"], env["UV_FIND_LINKS"]) == ("/wheels", "/wheels")
    assert (env["PIP_CONFIG_FILE"], env["NETRC"], env["UV_NO_CONFIG"]) == (os.devnull, os.devnull, "1")


def test_folders_alone_switch_the_network_off(rules: Path) -> None:
    rules.write_text('version = 1\n[enforced]\nindexes = ["/wheels"]\n')
    env = only.environment({})
    assert env["PIP_NO_INDEX"] == "1"
    assert common_options({}) == ["--no-index"]  # uv knows no variable for it
    assert "PIP_INDEX_URL" not in env


def test_without_the_rule_all_stays_as_it_is(rules: Path) -> None:
    rules.write_text("version = 1\n")
    assert only.environment(POISON) == POISON
    assert (only.indexes(), only.sources(), only.options(None)) == (None, None, [])


def test_of_several_policies_what_each_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text(
        'version = 1\n[enforced]\nindexes = ["https://a.example", "/opt/wheels"]\nsources = ["six", "mpi4py"]\n'
    )
    two.write_text('version = 1\n[enforced]\nindexes = ["/opt/wheels"]\nsources = ["mpi4py"]\n')
    monkeypatch.setenv("HPCENV_POLICY", f"{one}:{two}")
    assert (only.indexes(), only.sources(), only.no_index()) == (["/opt/wheels"], ["mpi4py"], True)


def test_where_sources_are_ruled_no_file_and_no_variable_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "policy.toml").write_text("version = 1\n[enforced]\nsources = []\n")
    monkeypatch.setenv("HPCENV_POLICY", str(tmp_path / "policy.toml"))
    env = only.environment(
        {"UV_NO_BINARY": "1", "UV_NO_BUILD": "0", "PIP_NO_BINARY": ":all:", "UV_INDEX": "x", "A": "b"}
    )
    assert env == {"UV_INDEX": "x", "A": "b", "UV_NO_CONFIG": "1"}
