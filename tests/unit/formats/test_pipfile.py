"""Pipfile and Pipfile.lock."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jupyter_hpcenv.errors import InvalidRequest
from jupyter_hpcenv.formats import pipfile
from jupyter_hpcenv.formats.addresses import public_host
from jupyter_hpcenv.formats.requirements import Rules

ALL = Rules()
ONE = "1" * 64
PIPFILE = """
[[source]]
url = "https://user:${PASSWORD}@mirror.example.org/simple"
verify_ssl = true
name = "ours"
[packages]
Six = "*"
numpy = ">=2,<3"
dask = {version = "==2024.1.0", extras = ["distributed"], index = "ours"}
pywin32 = {version = "*", sys_platform = "== 'win32'", markers = "python_version > '3'"}
exact = "1.5"
[dev-packages]
pytest = "~=8.0"
[docs]
sphinx = "*"
[requires]
python_version = "3.11"
"""


def test_packages_groups_and_python() -> None:
    found = pipfile.read(PIPFILE, ALL)
    assert found.pip == [
        "Six",
        "numpy<3,>=2",
        "dask[distributed]==2024.1.0",
        'pywin32; python_version > "3" and sys_platform == "win32"',
        "exact==1.5",
    ]
    assert found.python == "3.11"
    assert found.warnings == [
        "The file names mirror.example.org; packages come from the index that is configured here."
    ]
    assert pipfile.read(PIPFILE, ALL, ["dev", "docs"]).pip[5:] == ["pytest~=8.0", "sphinx"]
    with pytest.raises(InvalidRequest, match="no group “test”") as caught:
        pipfile.read(PIPFILE, ALL, ["test"])
    assert caught.value.hints == ("It has dev, docs.",)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('a = {git = "https://example.org/a"}', "packages.a.git.*no index"),
        ('a = {path = ".", editable = true}', "packages.a.path"),
        ('a = {file = "https://example.org/a.whl"}', "packages.a.file"),
        ('a = {version = "*", index = "private"}', "packages.a.index.*another index"),
        ('a = "newest"', "packages.a.*no range"),
        ('"--index-url=x" = "*"', "no name of a package"),
        ('a = {version = "*", os_name = "== \'a\' or 1"}', "packages.a.os_name.*no condition"),
        ("a = 1", "packages.a.*must have keys"),
        ("a = ['x']", "packages.a.*must have keys"),
    ],
)
def test_what_is_refused_names_its_key(line: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as caught:
        pipfile.read(f"[packages]\n{line}\n", ALL)
    assert caught.value.hints


def lock(**changes: Any) -> str:
    meta = {
        "hash": {"sha256": ONE},
        "pipfile-spec": 6,
        "requires": {"python_version": "3.11"},
        "sources": [{"name": "pypi", "url": f"https://{public_host()}/simple", "verify_ssl": True}],
    }
    six = {"hashes": [f"sha256:{ONE}"], "index": "pypi", "version": "==1.16.0"}
    marked = {**six, "version": "==3.10", "markers": "python_version >= '3.5'"}
    body = {"_meta": meta, "default": {"six": six, "idna": marked}, "develop": {"iniconfig": six}}
    return json.dumps({**body, **changes})


def test_a_lockfile_gives_exact_packages() -> None:
    found = pipfile.read_lock(lock(), ALL)
    assert [(each.name, each.version, each.marker) for each in found.locked] == [
        ("six", "1.16.0", ""),
        ("idna", "3.10", 'python_version >= "3.5"'),
    ]
    assert {text for each in found.locked for text in each.hashes} == {f"sha256:{ONE}"}
    assert found.python == "3.11"
    assert [each.name for each in pipfile.read_lock(lock(), ALL, ["dev"]).locked] == ["six", "idna", "iniconfig"]


@pytest.mark.parametrize(
    ("default", "says"),
    [
        ({"x": {"git": "https://example.org/x", "ref": "1"}}, "default.x.git"),
        ({"x": {"path": "."}}, "default.x.path"),
        ({"x": {"version": "*"}}, "default.x.version.*not exact"),
        ({"x": {"version": "==1.*", "hashes": []}}, "not exact"),
        ({"x": {"version": "==1"}}, "x has no digest"),
        ({"x": {"version": "==1", "hashes": ["md5:00"]}}, "x has no digest"),
        ({"x": {"version": "==1", "hashes": [f"sha256:{ONE} --x"]}}, "no digest of x"),
        ({"x": {"version": "==1", "hashes": f"sha256:{ONE}"}}, "must be a list"),
        ({}, "no packages"),
    ],
)
def test_what_is_refused_in_a_lockfile_names_its_key(default: Any, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        pipfile.read_lock(lock(default=default), ALL)


def test_a_lockfile_of_another_kind_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="pipfile-spec"):
        pipfile.read_lock(lock(_meta={"pipfile-spec": 7}), ALL)
    with pytest.raises(InvalidRequest, match="no “_meta”"):
        pipfile.read_lock("{}", ALL)
    with pytest.raises(InvalidRequest, match="“six” comes twice"):
        pipfile.read_lock('{"_meta": {}, "default": {"six": {}, "six": {}}}', ALL)


@pytest.mark.parametrize("name", ["six @ https://evil.example/x.whl", "six>=1", "-e .", "six[x]", "", "six ; x"])
def test_a_key_is_a_name_and_nothing_else(name: str) -> None:
    with pytest.raises(InvalidRequest, match="name of a package"):
        pipfile.read(f"[packages]\n{json.dumps(name)} = '*'\n", ALL)
