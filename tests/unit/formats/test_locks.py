"""Lockfiles of conda-lock, and of rattler and pixi."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_hpcenv.errors import InvalidRequest
from jupyter_hpcenv.formats import conda_lock, described, rattler_lock
from jupyter_hpcenv.formats.addresses import public_host
from jupyter_hpcenv.formats.requirements import Rules
from jupyter_hpcenv.models import Contents, PinnedPackage

from .oracle import Oracle
from .test_strict_yaml import NoAliases

ALL = Rules()
MD5, SHA256, OTHER = "0123456789abcdef" * 2, "0123456789abcdef" * 4, "f" * 64
CHANNEL = "https://example.org/conda-forge"
NUMPY = f"{CHANNEL}/linux-64/numpy-1.10-py311_0.conda"
TZDATA = f"{CHANNEL}/noarch/tzdata-2024a-h0c530f3_0.tar.bz2"
OSX = f"{CHANNEL}/osx-64/numpy-1.10-py311_0.conda"
WHEEL = "https://files.example.org/packages/aa/requests-2.10-py3-none-any.whl"
PINNED = [PinnedPackage(url=NUMPY, sha256=SHA256, md5=MD5), PinnedPackage(url=TZDATA, sha256=SHA256)]
UNCHECKED = "1 packages are for pip: their versions are kept, and the checksums of their archives are not."


def entry(url: str, name: str, version: str, **others: Any) -> dict[str, Any]:
    """Return a package as conda-lock writes it."""
    ours = {
        "name": name,
        "version": version,
        "manager": "conda",
        "platform": "linux-64",
        "dependencies": {},
        "url": url,
    }
    return {**ours, "hash": {"sha256": SHA256}, "category": "main", "optional": False, **others}


def conda_file(**changes: Any) -> dict[str, Any]:
    """Return a conda-lock.yml as plain data."""
    packages = [
        entry(NUMPY, "numpy", "1.10", hash={"md5": MD5, "sha256": SHA256}),
        entry(OSX, "numpy", "1.10", platform="osx-64"),
        entry(TZDATA, "tzdata", "2024a"),
        entry(f"{CHANNEL}/noarch/pytest-8.0-py_0.conda", "pytest", "8.0", category="dev", optional=True),
        entry(WHEEL, "requests", "2.10", manager="pip"),
    ]
    metadata = {
        "content_hash": {"linux-64": SHA256},
        "channels": [{"url": "conda-forge", "used_env_vars": []}, {"url": "https://example.org/other/"}],
        "platforms": ["linux-64", "osx-64"],
        "sources": ["environment.yml"],
    }
    return {"version": 1, "metadata": metadata, "package": packages, **changes}


def lock_file(version: int, **changes: Any) -> dict[str, Any]:
    """Return a lockfile of rattler as plain data."""
    listed = [{"conda": NUMPY}, {"conda": TZDATA}, {"pypi": WHEEL}]
    sums = {"sha256": SHA256, "md5": MD5}
    if version < 6:
        packages = [
            {
                "kind": "conda",
                "name": "numpy",
                "version": "1.10",
                "build": "py311_0",
                "subdir": "linux-64",
                "url": NUMPY,
            }
            | sums,
            {"kind": "conda", "name": "numpy", "version": "1.10", "build": "py311_0", "subdir": "osx-64", "url": OSX},
            {"kind": "conda", "name": "tzdata", "version": "2024a", "build": "h0c530f3_0", "subdir": "noarch"}
            | {"url": TZDATA, "sha256": SHA256, "noarch": "generic"},
            {"kind": "pypi", "name": "requests", "version": "2.10", "url": WHEEL, "sha256": SHA256},
        ]
    else:
        packages = [
            {"conda": NUMPY, **sums},
            {"conda": OSX},
            {"conda": TZDATA, "sha256": SHA256},
            {"pypi": WHEEL, "name": "requests", "version": "2.10", "sha256": SHA256},
        ]
    environment = {
        "channels": [{"url": f"{CHANNEL}/"}],
        "indexes": [f"https://{public_host()}/simple"],
        "packages": {"linux-64": listed, "osx-64": [{"conda": OSX}]},
    }
    platforms = {"platforms": [{"name": "linux-64"}, {"name": "osx-64"}]} if version > 6 else {}
    return {"version": version, **platforms, "environments": {"default": environment}, "packages": packages, **changes}


def text_of(data: Any) -> str:
    return str(yaml.dump(data, sort_keys=False, Dumper=NoAliases))


def test_conda_lock_is_read() -> None:
    assert conda_lock.read(text_of(conda_file()), ALL, "linux-64") == Contents(
        kind="conda-lock",
        channels=["conda-forge", "https://example.org/other"],
        pinned=PINNED,
        pip=["requests==2.10"],
        warnings=["1 packages of the category dev are left out.", UNCHECKED],
    )
    assert [one.url for one in conda_lock.read(text_of(conda_file()), ALL, "osx-64").pinned] == [OSX]


@pytest.mark.parametrize("version", [4, 5, 6, 7])
def test_rattlers_lockfiles_are_read(version: int) -> None:
    text = text_of(lock_file(version))
    assert rattler_lock.read(text, ALL, "linux-64") == Contents(
        kind="rattler-lock", channels=[CHANNEL], pinned=PINNED, pip=["requests==2.10"], warnings=[UNCHECKED]
    )
    found = rattler_lock.read(text, ALL, "osx-64")
    assert [one.url for one in found.pinned] == [OSX]
    assert found.warnings == ["1 of 1 packages have no checksum: what their channel sends is taken as it is."]


@pytest.mark.parametrize("version", [4, 5, 6, 7])
def test_rattler_reads_the_same(rattler: Oracle, tmp_path: Path, version: int) -> None:
    text = text_of(lock_file(version))
    (tmp_path / "pixi.lock").write_text(text)
    for platform in ("linux-64", "osx-64"):
        ours, theirs = (
            rattler_lock.read(text, ALL, platform),
            rattler.ask("lock", str(tmp_path / "pixi.lock"), platform),
        )
        assert [[one.url, one.sha256, one.md5] for one in ours.pinned] == theirs["conda"]
        assert ours.pip == theirs["pip"]


PACKAGE = st.tuples(
    st.from_regex(r"[a-z]{1,5}(-[a-z]{1,3})?", fullmatch=True),
    st.from_regex(r"([1-9]!)?[1-9][0-9]{0,2}(\.[0-9]{1,2}){0,2}(\+[a-z]{1,3})?", fullmatch=True),
    st.from_regex(r"[a-z]{1,3}[0-9]{1,2}_[0-9]", fullmatch=True),
    st.sampled_from(["linux-64", "noarch"]),
    st.sampled_from([".conda", ".tar.bz2"]),
    st.text("0123456789abcdef", min_size=64, max_size=64),
)


@settings(deadline=None)
@given(
    packages=st.lists(PACKAGE, min_size=1, max_size=4, unique_by=lambda package: package[0]),
    channel=st.sampled_from([CHANNEL, "http://127.0.0.1:8000/c", "file:///shared/a%20b"]),
)
def test_what_rattler_writes_is_read(
    rattler: Oracle, tmp_path_factory: pytest.TempPathFactory, packages: list[tuple[str, ...]], channel: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.lock"
    rows = [
        [name, version, build, subdir, f"{channel}/{subdir}/{name}-{version}-{build}{ending}", digest, digest[:32]]
        for name, version, build, subdir, ending, digest in packages
    ]
    rattler.ask("write", str(path), f"{channel}/", rows, [["requests", "2.10", WHEEL]])
    found = described.read(path.read_text(), ALL, "linux-64")
    assert (found.kind, found.channels, found.pip) == ("rattler-lock", [channel], ["requests==2.10"])
    assert {(one.url, one.sha256, one.md5) for one in found.pinned} == {tuple(row[4:]) for row in rows}


Change = Callable[[dict[str, Any]], Any]


def change(path: str, value: Any) -> Change:
    """Return what sets (or, with ``...``, removes) the value at *path* in a file."""
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]

    def apply(data: Any) -> None:
        for step in steps:
            data = data[step]
        if value is ...:
            del data[last]
        else:
            data[last] = value

    return apply


@pytest.mark.parametrize(
    ("apply", "why"),
    [
        (change("version", 2), "version 2"),
        (change("version", "x"), "version x"),
        (change("package", ...), "no list “package”"),
        (change("package", {}), "must be a list"),
        (change("package/0", "numpy"), "must have keys"),
        (change("package/0/url", ...), "“url” is missing"),
        (change("package/0/url", 5.5), "no URL that packages"),
        (change("package/0/url", f"{CHANNEL}/linux-64/evil-1.10-py311_0.conda"), "the file calls it numpy 1.10"),
        (change("package/0/url", f"{CHANNEL}/linux-64/numpy-1.1-py311_0.conda"), "the file calls it numpy 1.10"),
        (change("package/0/url", OSX), "linux-64 or noarch"),
        (change("package/0/url", "https://user:pw@example.org/linux-64/numpy-1.10-py311_0.conda"), "user name"),
        (change("package/0/url", "https://example.org/t/pw/c/linux-64/numpy-1.10-py311_0.conda"), "user name"),
        (change("package/0/manager", "npm"), "neither conda nor pip"),
        (change("package/0/hash", "abc"), "must have keys"),
        (change("package/0/hash/sha256", "abc"), "no SHA-256"),
        (change("package/0/hash/md5", SHA256), "no MD5"),
        (change("package/1/platform", "linux-64"), "linux-64 or noarch"),
        (change("package/3/category", "main"), ""),
        (change("package/3", entry(NUMPY, "numpy", "1.10")), "listed twice"),
        (change("package/4/url", "../requests"), "from the folder"),
        (change("package/4/url", "https://[::1/requests-2.10-py3-none-any.whl"), "valid URL"),
        (change("package/4/url", "ftp://example.org/requests-2.10.tar"), "scheme"),
        (change("package/4/url", "https://user:pw@example.org/requests.zip"), "user name"),
        (change("package/4/name", "-r other.txt"), "option"),
        (change("package/4/version", "2.10 --hash=x"), "no valid version"),
        (change("package/4/version", "2.10; x"), "no valid version"),
        (change("metadata", "x"), "must have keys"),
        (change("metadata/channels/0/url", "https://user:pw@example.org/c"), "user name"),
        (change("metadata/channels/0/url", "$CHANNEL"), "no channel"),
        (change("metadata/channels", ...), ""),
        (change("metadata", ...), ""),
        (change("version", ...), ""),
        (change("something", "else"), ""),
    ],
)
def test_changed_conda_lock_files_are_refused_with_why(apply: Change, why: str) -> None:
    _see(conda_lock.read, conda_file(), apply, why)


def _see(read: Callable[..., Contents], data: dict[str, Any], apply: Change, why: str) -> None:
    """See that a file is read before a change, and after it as *why* says: refused, with a line, or read."""
    read(text_of(data), ALL, "linux-64")
    apply(data)
    if not why:
        assert read(text_of(data), ALL, "linux-64").pinned
        return
    with pytest.raises(InvalidRequest, match=r"^Line \d+: ") as caught:
        read(text_of(data), ALL, "linux-64")
    assert why in caught.value.message
    assert "pw" not in caught.value.message
    assert caught.value.hints


DEFAULT = "environments/default"


@pytest.mark.parametrize(
    ("apply", "why"),
    [
        (change("version", 3), "version 3"),
        (change("version", 8), "version 8"),
        (change("version", 1000), "versions 4 to 7"),
        (change("version", 6.0), "must be a number"),
        (change("version", "１"), "must be a number"),
        (change("version", "9" * 5_000), "must be a number"),
        (change("version", ...), "“version” is missing"),
        (change("environments", ...), "no “environments”"),
        (change("environments", []), "must have keys"),
        (change("packages", ...), "no “packages”"),
        (change(f"{DEFAULT}/packages", []), "must have keys"),
        (change(f"{DEFAULT}/packages/linux-64", {}), "must be a list"),
        (change(f"{DEFAULT}/packages/linux-64/0", {}), "built from source"),
        (change(f"{DEFAULT}/packages/linux-64/0", {"conda": "../numpy"}), "built from source"),
        (change(f"{DEFAULT}/packages/linux-64/0", {"conda_source": "numpy[abc] @ ../numpy"}), "built from source"),
        (change(f"{DEFAULT}/packages/linux-64/0", {"conda": OSX}), "linux-64 or noarch"),
        (change(f"{DEFAULT}/packages/linux-64/0", {"conda": f"{CHANNEL}/noarch/x-1-0.conda"}), "Nothing is said about"),
        (change(f"{DEFAULT}/packages/linux-64/1", {"conda": NUMPY}), "listed twice"),
        (change(f"{DEFAULT}/channels/0/url", "https://user:pw@example.org/c"), "user name"),
        (change(f"{DEFAULT}/channels", "x"), "must be a list"),
        (change("packages/0/sha256", "abc"), "no SHA-256"),
        (change("packages/0/name", "scipy"), "the file calls it scipy"),
        (change("packages/0/version", "2"), "the file calls it"),
        (change("packages/1", {"conda": NUMPY, "kind": "conda", "url": NUMPY, "sha256": OTHER}), "described twice"),
        (change("packages/3/name", "--pre"), "option"),
        (change("packages/3/version", "2.10 -r x"), "no valid version"),
        (change("packages", "x"), "must be a list"),
        (change("packages/0", "x"), "must have keys"),
        (change(f"{DEFAULT}/something", "else"), ""),
    ],
)
@pytest.mark.parametrize("version", [5, 6, 7])
def test_changed_lockfiles_are_refused_with_why(version: int, apply: Change, why: str) -> None:
    data = lock_file(version)
    if version < 6 and why == "the file calls it":
        why = "the file calls it numpy 2"
    _see(rattler_lock.read, data, apply, why or "")


def test_what_is_for_others_is_refused_or_said() -> None:
    for read, data in ((conda_lock.read, conda_file()), (rattler_lock.read, lock_file(7))):
        with pytest.raises(InvalidRequest, match="for linux-s390x"):
            read(text_of(data), ALL, "linux-s390x")
    data = lock_file(6)
    data["environments"]["docs"] = data["environments"]["default"]
    data["environments"]["default"]["indexes"] = ["https://user:pw@pypi.example.org/simple"]
    said = "\n".join(rattler_lock.read(text_of(data), ALL, "linux-64").warnings)
    assert "the file has also docs" in said
    assert "pypi.example.org" in said
    assert "pw" not in said
    del data["environments"]["default"]
    with pytest.raises(InvalidRequest, match="no environment “default”; it has docs"):
        rattler_lock.read(text_of(data), ALL, "linux-64")


def test_platforms_have_names_of_their_own_in_version_7() -> None:
    data = lock_file(7)
    lists = data["environments"]["default"]["packages"]
    lists["gpu"] = lists.pop("linux-64")
    data["platforms"][0] = {"name": "gpu", "subdir": "linux-64", "virtual-packages": ["__cuda >=12"]}
    found = rattler_lock.read(text_of(data), ALL, "linux-64")
    assert found.pinned == PINNED
    assert any("virtual packages" in warning for warning in found.warnings)
    data["platforms"].append({"name": "cpu", "subdir": "linux-64"})
    lists["cpu"] = lists["gpu"]
    with pytest.raises(InvalidRequest, match="Several platforms are linux-64: gpu, cpu"):
        rattler_lock.read(text_of(data), ALL, "linux-64")
    data["platforms"].append({"name": "linux-64"})
    lists["linux-64"] = lists["cpu"][1:]
    assert rattler_lock.read(text_of(data), ALL, "linux-64").pinned == PINNED[1:]


@pytest.mark.parametrize(
    ("url", "line"),
    [
        (WHEEL, "requests==2.10"),
        ("https://files.example.org/requests-2.10.tar.gz", "requests==2.10"),
        ("https://github.example.org/requests/archive/v2.10.tar.gz", "requests @ "),
        ("https://files.example.org/requests-2.1-py3-none-any.whl", "requests @ "),
        ("https://files.example.org/evil-2.10-py3-none-any.whl", "requests @ "),
        (f"direct+{WHEEL}", "requests @ "),
        ("file:///wheels/requests-2.10-py3-none-any.whl", "requests @ "),
        ("git+https://example.org/requests.git@v2", "requests @ "),
    ],
)
def test_what_no_index_has_is_taken_from_where_it_lies(url: str, line: str) -> None:
    data = conda_file()
    data["package"][4]["url"] = url
    expected = line if "==" in line else line + url.removeprefix("direct+")
    assert conda_lock.read(text_of(data), ALL, "linux-64").pip == [expected]
    if "==" not in line:
        with pytest.raises(InvalidRequest, match="does not allow"):
            conda_lock.read(text_of(data), Rules(allow_urls=False, allow_vcs=False), "linux-64")
