from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_hpcenv.managers import pipconf


@pytest.fixture
def env(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "XDG_CONFIG_DIRS": str(home / "xdg"), "SSL_CERT_FILE": "/etc/certs.pem"}


@pytest.fixture(autouse=True)
def without_the_machines_own(monkeypatch: pytest.MonkeyPatch) -> None:
    real = pipconf._files
    monkeypatch.setattr(pipconf, "_files", lambda env: (p for p in real(env) if p != Path("/etc/pip.conf")))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_nothing_configured_steers_nothing(env: dict[str, str]) -> None:
    assert pipconf.steering(env) == ""


@pytest.mark.parametrize("place", [".config/pip/pip.conf", ".pip/pip.conf", "xdg/pip/pip.conf"])
@pytest.mark.parametrize(
    "text", ["[global]\nindex-url = x\n", "[install]\nno_index = true\n", "[global]\nconstraint=c\n"]
)
def test_a_file_that_steers_is_named(env: dict[str, str], home: Path, place: str, text: str) -> None:
    write(home / place, text)
    assert str(home / place) in pipconf.steering(env)
    assert pipconf.steering({**env, "PIP_CONFIG_FILE": os.devnull}) == ""


@pytest.mark.parametrize(
    "text",
    [
        "[global]\ntimeout = 60\n[install]\nno-cache-dir = true\n",
        "[global]\ncert = /etc/certs.pem\n",
        "[list]\nformat = x\n",
    ],
)
def test_what_can_not_change_a_package_does_not_count(env: dict[str, str], home: Path, text: str) -> None:
    write(home / ".config/pip/pip.conf", text)
    assert pipconf.steering(env) == ""


def test_variables_count_as_files_do(env: dict[str, str]) -> None:
    assert pipconf.steering({**env, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_CACHE_DIR": "/x"}) == ""
    assert "PIP_FIND_LINKS" in pipconf.steering({**env, "PIP_FIND_LINKS": "/wheels"})
    assert "cert" in pipconf.steering({**env, "PIP_CERT": "/other.pem"}).lower()


def test_a_damaged_file_is_not_ignored(env: dict[str, str], home: Path) -> None:
    write(home / ".config/pip/pip.conf", "no section\n")
    assert pipconf.steering(env)


def test_the_value_that_pip_would_take(env: dict[str, str], home: Path) -> None:
    write(home / ".pip/pip.conf", "[global]\nindex-url = one\n")
    write(home / ".config/pip/pip.conf", "[global]\nindex-url = two\n")
    assert pipconf.setting("index-url", env) == "two"
    assert pipconf.setting("index-url", {**env, "PIP_INDEX_URL": "three"}) == "three"


def test_what_never_reaches_a_build_does_not_count_and_what_diverts_it_is_found(
    env: dict[str, str], home: Path
) -> None:
    assert pipconf.steering({**env, "PIP_TARGET": "/x", "PIP_USER": "1", "PIP_REQUIRE_VIRTUALENV": "1"}) == ""
    assert pipconf.diverting({**env, "PIP_TARGET": "/x"}) == ""
    write(home / ".config/pip/pip.conf", "[install]\ntarget = /x\n")
    assert "target" in pipconf.diverting(env)


def test_a_linked_file_is_read(env: dict[str, str], home: Path) -> None:
    write(home / "dotfiles/pip.conf", "[global]\nno-index = yes\n")
    (home / ".pip").mkdir()
    (home / ".pip/pip.conf").symlink_to(home / "dotfiles/pip.conf")
    assert "no-index" in pipconf.steering(env)
    assert pipconf.switched_on("no-index", env)
    assert not pipconf.switched_on("no-index", {**env, "PIP_NO_INDEX": "0"})
