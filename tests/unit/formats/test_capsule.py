"""Capsules: what they hold, what they never hold, and what is refused in one that somebody else made."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_hpcenv.errors import InvalidRequest
from jupyter_hpcenv.formats import capsule
from jupyter_hpcenv.formats.addresses import this_platform
from jupyter_hpcenv.formats.requirements import Rules
from jupyter_hpcenv.models import Contents, LockedPackage, PinnedPackage

ALL = Rules()
ONE = "1" * 64
CHANNEL = "https://conda.example.org/forge"
CANARY = "canary-b7f2"


def body(**changes: Any) -> str:
    plain = {
        "hpcenv_capsule": 1,
        "name": "climate",
        "manager": "venv",
        "python": "3.11.7",
        "platform": {"os": "debian12", "arch": "x86_64"},
        "modules": ["gcc/12.3", "mpi"],
        "kernel": {"display_name": "Climate", "language": "python"},
        "requests": ["six"],
        "packages": [{"name": "six", "version": "1.16.0", "hashes": [f"sha256:{ONE}"]}],
    }
    return json.dumps({key: value for key, value in {**plain, **changes}.items() if value is not ...})


def conda_url(name: str) -> str:
    return f"{CHANNEL}/{this_platform()}/{name}-1.0-0.conda"


def test_what_a_capsule_says() -> None:
    found = capsule.read(body(), ALL)
    assert (found.name, found.manager, found.python, found.display_name) == ("climate", "venv", "3.11.7", "Climate")
    assert (found.modules, found.kernel, found.arch) == (["gcc/12.3", "mpi"], True, "x86_64")
    assert found.contents.pip == ["six"]
    assert found.contents.locked == [LockedPackage(name="six", version="1.16.0", hashes=[f"sha256:{ONE}"])]
    assert not capsule.read(body(kernel=None), ALL).kernel


def test_conda_packages_by_url_or_by_version_and_build() -> None:
    one = {"name": "a", "version": "1.0", "build": "0", "url": conda_url("a"), "sha256": ONE}
    other = {"name": "b", "version": "1.0", "build": "0"}
    found = capsule.read(body(manager="conda", conda=[one], requests=["a", "pip: six"]), ALL).contents
    assert found.pinned == [PinnedPackage(url=conda_url("a"), sha256=ONE)]
    assert (found.specs, found.pip, found.asked) == ([], ["six==1.16.0"], ["a"])
    found = capsule.read(body(manager="conda", conda=[one, other], requests=[]), ALL).contents
    assert (found.pinned, found.specs) == ([], ["a ==1.0 0", "b ==1.0 0"])
    assert "looked for" in found.warnings[0]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"hpcenv_capsule": 2}, "version 2; version 1"),
        ({"hpcenv_capsule": True}, "no capsule"),
        ({"hpcenv_capsule": ...}, "no capsule"),
        ({"variables": {"A": "b"}}, "no “variables”"),
        ({"prefix": "/x"}, "no “prefix”"),
        ({"manager": "sh"}, "manager.*is sh"),
        ({"python": "/usr/bin/python"}, "python.*no version"),
        ({"name": "../x"}, "name"),
        ({"modules": ["../../x"]}, r"modules\[0\].*no name of a module"),
        ({"modules": ["a b"]}, "no name of a module"),
        ({"modules": ["/home/x/module"]}, "no name of a module"),
        ({"modules": ["-f"]}, "no name of a module"),
        ({"kernel": {"display_name": "a\u202eb"}}, "invisible|display name"),
        ({"requests": ["--index-url=x"]}, r"requests\[0\].*option"),
        ({"requests": ["x @ https://u:pw@example.org/x.whl"]}, "password"),
        ({"packages": [{"name": "x"}]}, "no version"),
        ({"packages": [{"name": "x", "version": "1", "hashes": ["sha256:z"]}]}, r"packages\[0\].*no digest"),
        ({"packages": [{"name": "x", "version": "1"}] * 2}, "listed twice"),
        ({"packages": {}}, "must be a list"),
        ({"channels": ["https://t:pw@example.org/x"]}, "password"),
        ({"manager": "conda", "conda": [{"name": "a", "version": "1", "build": "0 --x"}]}, r"conda\[0\]"),
        (
            {"manager": "conda", "conda": [{"name": "b", "version": "1.0", "build": "0", "url": conda_url("a")}]},
            "the file calls it b 1.0",
        ),
    ],
)
def test_what_is_refused_names_its_key(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as caught:
        capsule.read(body(**changes), ALL)
    assert caught.value.hints
    assert "pw" not in caught.value.message


def test_a_key_that_comes_twice_and_what_is_nested_deep_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="comes twice"):
        capsule.read('{"hpcenv_capsule": 1, "hpcenv_capsule": 1}', ALL)
    with pytest.raises(InvalidRequest, match="too deep"):
        capsule.read('{"hpcenv_capsule": ' + "[" * 500_000 + "]" * 500_000 + "}", ALL)
    with pytest.raises(InvalidRequest, match="no JSON"):
        capsule.read('{"hpcenv_capsule": NaN}', ALL)


def secret(**changes: Any) -> capsule.Capsule:
    """Return a capsule full of what none may carry."""
    contents = Contents(
        kind="capsule",
        pip=[
            "six",
            f"-e /home/me/{CANARY}",
            f"a @ file:///home/me/{CANARY}.whl",
            f"b @ https://example.org/b.whl?token={CANARY}",
            f"c @ git+https://me:{CANARY}@example.org/c",
            f"d @ https://[{CANARY}/d.whl",
        ],
        locked=[
            LockedPackage(name="six", version="1", hashes=[f"sha256:{ONE}"]),
            LockedPackage(name="a", url=f"file:///home/me/{CANARY}.whl"),
            LockedPackage(name="c", url=f"git+https://me:{CANARY}@example.org/c@{'1' * 40}"),
        ],
        pinned=[
            PinnedPackage(url=f"https://me:{CANARY}@example.org/{this_platform()}/x-1.0-0.conda"),
            PinnedPackage(url=f"https://example.org/t/{CANARY}/{this_platform()}/y-1.0-0.conda"),
            PinnedPackage(url=f"file:///home/{CANARY}/{this_platform()}/z-1.0-0.conda", sha256=ONE),
        ][2:],
        channels=[f"/home/me/{CANARY}", f"https://example.org/t/{CANARY}/main", f"file:///{CANARY}", "conda-forge"],
        variables={"TOKEN": CANARY},
    )
    values: dict[str, Any] = {"name": "x", "manager": "venv", "modules": ["gcc/12", f"/home/me/{CANARY}"]}
    return capsule.Capsule(**{**values, "contents": contents, **changes})


def test_no_variable_no_path_and_no_secret_leaves_with_a_capsule() -> None:
    text, notes = capsule.write(secret())
    assert CANARY not in text
    plain = json.loads(text)
    assert plain["requests"] == ["six"]
    assert [each["name"] for each in plain["packages"]] == ["six"]
    assert plain["conda"] == [{"name": "z", "version": "1.0", "build": "0", "sha256": ONE}]
    assert (plain["channels"], plain["modules"]) == (["conda-forge"], ["gcc/12"])
    assert "variables" not in plain
    said = " ".join(notes)
    assert CANARY not in said
    for word in ("Channels", "Requests", "a, c", "Modules"):
        assert word in said
    assert capsule.read(text, ALL).contents.locked[0].name == "six"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda each: (
            st.lists(each, max_size=3)
            | st.dictionaries(st.sampled_from(["name", "version", "url", "hashes", "build"]), each, max_size=3)
        ),
        max_leaves=8,
    ),
    st.sampled_from(
        ["name", "manager", "python", "platform", "modules", "kernel", "requests", "channels", "packages", "conda"]
    ),
)
def test_any_value_is_read_or_refused(value: object, key: str) -> None:
    try:
        found = capsule.read(body(**{key: value}), ALL)
    except InvalidRequest:
        return
    text, _ = capsule.write(found)
    assert capsule.read(text, ALL).modules == found.modules
