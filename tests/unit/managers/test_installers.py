from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.managers import installers
from jupyter_hpcenv.managers.contract import Choice, Surroundings
from jupyter_hpcenv.managers.installers import build_environment, write_requirements
from jupyter_hpcenv.models import PythonFact
from jupyter_hpcenv.process import Completed


def choice(installer: str = "uv", **options: Any) -> Choice:
    python = PythonFact(path="/p", real="/p", version="3.12.1", source="path", label="Python")
    return Choice(python=python, creator="uv", installer=installer, options=options)


def test_the_file_is_private_and_holds_what_was_asked_for(tmp_path: Path) -> None:
    path = write_requirements(tmp_path, ["six", "-e /home/a b/${X} --y"], kernel=True)
    assert path.read_text() == "six\n-e file:///home/a%20b/%24%7BX%7D%20--y\nipykernel\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert write_requirements(tmp_path, ["IPyKernel<7"], kernel=True).read_text() == "IPyKernel<7\n"
    assert write_requirements(tmp_path, ["six"], kernel=False).read_text() == "six\n"


def test_nothing_leads_an_installer_out_of_the_prefix(tmp_path: Path) -> None:
    poison = dict.fromkeys(
        (
            *("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON", "PIP_REQUIREMENT", "PIP_DRY_RUN", "PIP_QUIET"),
            *("UV_SYSTEM_PYTHON", "UV_PYTHON", "UV_PROJECT", "UV_COMPILE_BYTECODE", "PYTHONDONTWRITEBYTECODE"),
        ),
        "x",
    )
    kept = {"PIP_FIND_LINKS": "/wheels", "UV_INDEX": "https://example.org/simple", "HOME": str(tmp_path)}
    env = build_environment({**poison, **kept, "PIP_USER": "1", "PIP_REQUIRE_VIRTUALENV": "1"}, choice(), tmp_path)
    assert not poison.keys() & env.keys()
    assert kept.items() <= env.items()
    assert (env["PIP_USER"], env["PIP_REQUIRE_VIRTUALENV"], env["PYTHONNOUSERSITE"]) == ("0", "0", "1")


def test_the_sites_index_wins_and_stands_in_no_argument_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def run(argv: list[str], **kwargs: Any) -> Completed:
        seen.append(argv)
        assert kwargs["env"]["PIP_INDEX_URL"] == kwargs["env"]["UV_DEFAULT_INDEX"] == "https://example.org/simple"
        assert kwargs["cwd"] == tmp_path
        return Completed(0, [])

    class Silent:
        def __getattr__(self, name: str) -> Any:
            return lambda *arguments: None

    monkeypatch.setattr(installers, "run", run)
    for installer in ("uv", "pip"):
        made = choice(
            installer, index_url="https://example.org/simple", find_links=["/w"], no_index=True, prefer_binary=True
        )
        env = build_environment({"UV_INDEX_URL": "https://other.example"}, made, tmp_path)
        installers.install(made, write_requirements(tmp_path, ["six"], kernel=False), tmp_path, env, Silent())  # type: ignore[arg-type]
    for argv in seen:
        assert "six" not in " ".join(argv)
        assert "example.org" not in " ".join(argv)
        assert argv[argv.index("--no-index") :][:3] == ["--no-index", "--find-links", "/w"]
        assert argv[-2:] == ["-r", str(tmp_path / "requirements.txt")]
    assert ["--prefer-binary" in argv for argv in seen] == [False, True]


def test_pip_is_seeded_without_the_users_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, str]] = []

    def run(argv: list[str], env: dict[str, str], **kwargs: Any) -> Completed:
        seen.append(env)
        return Completed(0, [])

    class Silent:
        def check(self) -> None:
            pass

    monkeypatch.setattr(installers, "run", run)
    env = {"PIP_CONSTRAINT": "/c", "PIP_INDEX_URL": "x", "UV_CONSTRAINT": "/c", "UV_CACHE_DIR": "/cache"}
    for installer in ("uv", "pip"):
        installers.seed_pip(choice(installer), tmp_path, env, Silent())  # type: ignore[arg-type]
    assert seen == [{"UV_CACHE_DIR": "/cache", "PIP_CONFIG_FILE": os.devnull}] * 2


@pytest.mark.parametrize("name", ["pip", "setuptools"])
@pytest.mark.parametrize("minor", ["3.6", "3.8", "3.9", "3.10", "3.12", "3.14", "4.0"])
def test_the_wheel_that_lies_there_is_the_one_that_virtualenv_would_take(name: str, minor: str) -> None:
    from virtualenv.seed.wheels.embed import get_embed_wheel

    theirs = get_embed_wheel(name, minor)
    ours = installers._lying(name, minor)
    if ours is not None:  # else virtualenv is asked
        assert theirs is not None
        assert ours == theirs.path
    assert ours is not None or minor not in ("3.10", "3.12", "3.14")


@pytest.mark.parametrize(
    ("isolated", "makes_wheels", "seeded"),
    [(False, "False", True), (False, "True", False), (True, "False", False)],
)
def test_what_builds_packages_is_seeded_where_nothing_has_it(
    isolated: bool, makes_wheels: str, seeded: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def run(argv: list[str], **kwargs: Any) -> Completed:
        seen.append(argv)
        return Completed(0, [makes_wheels])

    class Silent:
        def check(self) -> None:
            pass

    monkeypatch.setattr(installers, "run", run)
    chosen = choice("pip", no_build_isolation=not isolated)
    installers.seed_backend(chosen, tmp_path, {"PIP_INDEX_URL": "x"}, Silent())  # type: ignore[arg-type]
    installs = [argv for argv in seen if "install" in argv]
    assert bool(installs) is seeded
    assert all("--no-index" in argv and any(word.startswith("setuptools==") for word in argv) for argv in installs)


def test_builds_get_their_variables_and_a_cache_for_each_set_of_modules(tmp_path: Path) -> None:
    """What one compiler or MPI built must not be taken where another one is loaded."""

    def env(**around: Any) -> dict[str, str]:
        return build_environment({"HOME": str(tmp_path)}, choice("pip"), tmp_path, Surroundings(**around))

    plain, one = env(), env(modules=["gcc/12"], build_variables={"MPICC": "/opt/mpicc"})
    assert one["MPICC"] == "/opt/mpicc"
    assert "PIP_CACHE_DIR" not in plain
    assert one["PIP_CACHE_DIR"] == env(modules=["gcc/12"], build_variables={"MPICC": "/opt/mpicc"})["PIP_CACHE_DIR"]
    others = [env(modules=["gcc/13"]), env(modules=["gcc/12"]), env(build_variables={"MPICC": "/opt/mpicc"})]
    assert len({each["PIP_CACHE_DIR"] for each in (one, *others)}) == 4
