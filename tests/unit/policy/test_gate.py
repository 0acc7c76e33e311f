from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.errors import Forbidden
from jupyter_hpcenv.models import Contents, CreateRequest, LockedPackage, PinnedPackage
from jupyter_hpcenv.policy import Asked, enter, flat, link_scripts, preferences, with_defaults


@pytest.fixture
def ruled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    path = tmp_path / "policy.toml"
    monkeypatch.setenv("HPCENV_POLICY", str(path))

    def write(rules: str, more: str = "") -> None:
        path.write_text(f'version = 1\ncontact = "help@example.org"\n{more}\n[enforced]\n{rules}\n')

    return write


def asked(lines: list[str] | None = None, contents: Contents | None = None, *, specs: bool = False, **of: Any) -> Asked:
    return flat(Asked(**{"manager": "conda" if specs else "venv", **of}), lines or [], contents, specs=specs)


LOCKED = LockedPackage(name="Six", version="1.16.0", hashes=["sha256:00"])

#: Rule, what it says, what breaks it, what does not.
RULES: list[tuple[str, str, Asked, Asked]] = [
    ("managers", 'managers = ["venv"]', asked(specs=True), asked()),
    ("installers", 'installers = ["uv"]', asked(installer="pip"), asked(installer="uv")),
    ("locations", 'locations = {conda = ["scratch"]}', asked(specs=True, location="home"), asked(location="home")),
    ("locations", 'locations = {"*" = ["scratch"]}', asked(location="home"), asked(location="scratch")),
    ("pythons", 'pythons = ["3.1"]', asked(python="3.11.7"), asked(python="3.1.4")),
    ("pythons", 'pythons = ["/opt/p"]', asked(python="3.11.7", python_path="/opt/q"), asked(python_path="/opt/p")),
    (
        "system_python",
        "system_python = false",
        asked(python_path="/usr/bin/python3"),
        asked(python_path="/opt/python3"),
    ),
    ("modules", 'modules = ["gcc/*"]', asked(modules=["gcc/12", "intel/1"]), asked(modules=["gcc/12"])),
    ("editable", "editable = false", asked(["-e /home/x"]), asked(["six"])),
    ("editable", "editable = false", asked(contents=Contents(kind="x", pip=["-e /home/x"])), asked(["six"])),
    ("editable", "editable = false", asked(["pip: -e /home/x"], specs=True), asked(["six"], specs=True)),
    ("vcs", "vcs = false", asked(["six @ git+https://h.example/six"]), asked(["six @ https://h.example/six.whl"])),
    ("urls", "urls = false", asked(["six @ https://h.example/six.whl"]), asked(["six @ git+https://h.example/six"])),
    (
        "urls",
        "urls = false",
        asked(contents=Contents(kind="x", locked=[LockedPackage(name="six", url="https://h.example/six.whl")])),
        asked(contents=Contents(kind="x", locked=[LOCKED])),
    ),
    (
        "indexes",
        'indexes = ["https://h.example/simple"]',
        asked(["six @ https://t.example/simple/six.whl"]),
        asked(["six @ https://h.example/simple/six/six.whl", "-e /home/x"]),
    ),
    (
        "indexes",
        'indexes = ["/opt/wheels"]',
        asked(["six @ file:///opt/wheels/../x/six.whl"]),
        asked(["six @ file:///opt/wheels/six.whl"]),
    ),
    (
        "indexes",
        'indexes = ["/opt/wheels"]',
        asked(contents=Contents(kind="x", locked=[LockedPackage(name="six", url="https://h.example/six.whl")])),
        asked(contents=Contents(kind="x", locked=[LOCKED])),
    ),
    ("indexes", 'indexes = ["/opt/wheels"]', asked(["six @ git+file:///opt/wheels/six"]), asked(["six"])),
    (
        "sources",
        'sources = ["Six"]',
        asked(["eight @ file:///x/eight-1.tar.gz"]),
        asked(["six @ file:///x/six-1.tar.gz", "eight @ file:///x/eight-1-py3-none-any.whl#sha256=00"]),
    ),
    ("hashes", "hashes = true", asked(["six"]), asked(contents=Contents(kind="x", pip=["six"], locked=[LOCKED]))),
    ("hashes", "hashes = true", asked(["pip: six"], specs=True), asked(["six"], specs=True)),
    ("denied", 'denied = {Six = ""}', asked(["SIX>=1; python_version > '3'"]), asked(["sixer"])),
    ("denied", 'denied = {"a.b" = ""}', asked(["A_b[extra]==1"]), asked(["ab"])),
    ("denied", 'denied = {six = ""}', asked(["six @ https://h.example/x.whl"]), asked()),
    ("denied", 'denied = {six = ""}', asked(["c::six>=1"], specs=True), asked(["c::seven"], specs=True)),
    ("denied", 'denied = {six = ""}', asked(["six 1.16 py_0"], specs=True), asked(["sixer 1"], specs=True)),
    ("denied", 'denied = {six = ""}', asked(["pip: six"], specs=True), asked(["pip: idna"], specs=True)),
    ("denied", 'denied = {six = ""}', asked(contents=Contents(kind="x", locked=[LOCKED])), asked()),
    ("denied", 'denied = {six = ""}', asked(contents=Contents(kind="x", pip=["six"], specs=["idna"])), asked()),
    ("denied", 'denied = {six = ""}', asked(contents=Contents(kind="x", specs=["six"])), asked()),
    (
        "denied",
        'denied = {r-base = ""}',
        asked(contents=Contents(kind="x", pinned=[PinnedPackage(url="https://h.example/c/r-base-4.3-h0_1.conda")])),
        asked(contents=Contents(kind="x", pinned=[PinnedPackage(url="https://h.example/c/r-4.3-h0_1.conda")])),
    ),
    ("sharing", "sharing = false", asked(sharing=True), asked()),
]


@pytest.mark.parametrize(("rule", "text", "wrong", "right"), RULES)
def test_each_rule_refuses_what_it_is_about_and_nothing_else(
    ruled: Any, rule: str, text: str, wrong: Asked, right: Asked
) -> None:
    ruled(text, f'[reasons]\n{rule} = "For a reason."')
    enter(right)
    with pytest.raises(Forbidden) as refused:
        enter(wrong)
    assert f"rule “{rule}”" in refused.value.reason
    assert refused.value.message.endswith("For a reason.")
    assert "help@example.org" in refused.value.hints[-1]
    ruled("")
    enter(wrong)


def test_the_number_of_environments_is_counted_only_where_there_is_a_rule(ruled: Any) -> None:
    ruled("")
    enter(asked(more=True), lambda: pytest.fail("Nobody had to count"))
    ruled("environments = 2")
    enter(asked(more=True), lambda: 1)
    enter(asked(more=False), lambda: 2)
    with pytest.raises(Forbidden, match="more than 2 environments"):
        enter(asked(more=True), lambda: 2)


def test_a_hint_says_what_to_take_instead(ruled: Any) -> None:
    ruled('denied = {tensorflow = "Use the module TensorFlow/2.15."}')
    with pytest.raises(Forbidden) as refused:
        enter(asked(["tensorflow"]))
    assert refused.value.hints[0] == "Use the module TensorFlow/2.15."


def test_defaults_fill_what_a_request_leaves_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "policy.toml"
    path.write_text('version = 1\n[default]\ninstaller = "uv"\npython = "3.12"\nlocation = "scratch"\n')
    monkeypatch.setenv("HPCENV_POLICY", str(path))
    filled = with_defaults(CreateRequest(name="a", python="3.11"))
    assert (filled.installer, filled.python, filled.location) == ("uv", "3.11", "scratch")
    assert with_defaults(CreateRequest(name="a", prefix="/x")).location == ""
    monkeypatch.delenv("HPCENV_POLICY")
    request = CreateRequest(name="a")
    assert with_defaults(request) is request


@pytest.mark.parametrize(
    ("request_", "filled"),
    [
        ({"manager": "conda"}, ("", "3.12")),
        ({"manager": "modules", "modules": ["gcc"]}, ("", "")),
        ({"modules": ["gcc"]}, ("uv", "")),
        ({"collection": "work"}, ("uv", "")),
        ({"clone_of": "b"}, ("uv", "")),
        ({"file": "[project]"}, ("uv", "")),
    ],
)
def test_defaults_say_nothing_that_the_request_has_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request_: dict[str, Any], filled: tuple[str, str]
) -> None:
    path = tmp_path / "policy.toml"
    path.write_text('version = 1\n[default]\ninstaller = "uv"\npython = "3.12"\n')
    monkeypatch.setenv("HPCENV_POLICY", str(path))
    found = with_defaults(CreateRequest(name="a", **request_))
    assert (found.installer, found.python) == filled


def test_how_much_the_environments_of_a_user_take(ruled: Any) -> None:
    ruled("gigabytes = 1.5")
    enter(asked(), None, lambda: 1_499_999_999)
    enter(asked())  # nothing is added
    with pytest.raises(Forbidden, match=r"more than 1.5 GB .* yours take 1.50 GB") as refused:
        enter(asked(), None, lambda: 1_500_000_000)
    assert "rule “gigabytes”" in str(refused.value.reason)


def test_what_the_site_prefers_is_said_and_refuses_nothing(ruled: Any) -> None:
    ruled("", '[preferred]\nNumPy = "The module SciPy-bundle has it."')
    enter(asked(["numpy>=1", "six"]))
    assert preferences(asked(["numpy>=1", "six"])) == ["numpy: the site prefers this: The module SciPy-bundle has it."]
    assert preferences(asked(["numpy"], specs=True)) != []
    assert preferences(asked(["six"])) == []


def test_scripts_of_conda_packages_run_where_every_policy_lets_them(ruled: Any) -> None:
    ruled("")
    assert link_scripts()
    ruled("link_scripts = false")
    assert not link_scripts()
