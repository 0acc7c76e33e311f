"""pylock.toml: exact packages with digests, and nothing whose archive could be anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_hpcenv.errors import InvalidRequest
from jupyter_hpcenv.formats import pylock
from jupyter_hpcenv.formats.keyed import load_toml
from jupyter_hpcenv.formats.requirements import Rules
from jupyter_hpcenv.models import LockedArchive, LockedPackage

ALL = Rules()
ONE, TWO = "1" * 64, "2" * 64


def lock(packages: str, head: str = 'lock-version = "1.0"') -> str:
    return f"{head}\ncreated-by = 'a test'\n{packages}"


SIX = f"""
[[packages]]
name = "Six"
version = "1.16.0"
sdist = {{ url = "https://files.example.org/six.tar.gz", hashes = {{ md5 = "0", sha256 = "{TWO}" }} }}
wheels = [{{ url = "https://files.example.org/six.whl", size = 3, hashes = {{ sha256 = "{ONE}" }} }}]
"""


def test_packages_versions_and_digests() -> None:
    found = pylock.read(lock(SIX, 'lock-version = "1.0"\nrequires-python = ">=3.9"'), ALL)
    assert found.locked == [LockedPackage(name="six", version="1.16.0", hashes=[f"sha256:{ONE}", f"sha256:{TWO}"])]
    assert (found.requires_python, found.pip, found.warnings) == (">=3.9", ["six==1.16.0"], [])


def test_an_archive_by_url() -> None:
    archive = (
        f'archive = {{ url = "https://example.org/x-1.zip", subdirectory = "p", hashes = {{ sha256 = "{ONE}" }} }}'
    )
    text = lock(f'[[packages]]\nname = "x"\n{archive}')
    [found] = pylock.read(text, ALL).locked
    assert (found.url, found.hashes) == ("https://example.org/x-1.zip#subdirectory=p", [f"sha256:{ONE}"])
    with pytest.raises(InvalidRequest, match="does not allow"):
        pylock.read(text, Rules(allow_urls=False))


def test_extras_and_groups_are_chosen() -> None:
    head = 'lock-version = "1.0"\nextras = ["net"]\ndependency-groups = ["Dev_All", "test"]\ndefault-groups = ["test"]'
    marked = SIX + "marker = \"'net' in extras or 'Dev_All' in dependency_groups\"\n"
    found = pylock.read(lock(marked, head), ALL)
    assert (found.extras, found.groups, found.pip) == ([], ["test"], [])
    found = pylock.read(lock(marked, head), ALL, ["NET"], ["dev-all"])
    assert (found.extras, found.groups) == (["net"], ["dev-all"])
    assert found.locked[0].marker == '"net" in extras or "dev-all" in dependency_groups'
    with pytest.raises(InvalidRequest, match=r"extras.*has no “gui”"):
        pylock.read(lock(marked, head), ALL, ["gui"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (lock(SIX, 'lock-version = "2.0"'), "lock-version.*is 2.0"),
        (lock(SIX, "x = 1"), "lock-version.*missing"),
        (lock(""), "no packages"),
        (
            lock('[[packages]]\nname="x"\nvcs={type="git", url="https://example.org/x"}'),
            "packages.0..vcs.*version control",
        ),
        (lock('[[packages]]\nname="x"\ndirectory={path="."}'), "packages.0..directory.*folder"),
        (lock(f'[[packages]]\nname="x"\narchive={{path="x.zip", hashes={{sha256="{ONE}"}}}}'), "another computer"),
        (lock('[[packages]]\nname="x"\nversion="1"'), "neither wheels"),
        (lock('[[packages]]\nname="x"\nversion="1"\nwheels=[{url="u", hashes={md5="0"}}]'), "x has no digest"),
        (lock('[[packages]]\nname="x"\nversion="1"\nwheels=[{url="u", hashes={sha256="0"}}]'), "no digest of x"),
        (lock(SIX.replace('"Six"', '"-r x"')), "no name of a package"),
        (lock(SIX.replace('"1.16.0"', '"1 --index-url x"')), "no valid version"),
        (lock(SIX.replace('version = "1.16.0"', "")), "no version"),
        (lock(SIX + "marker = \"os_name == 'a' --x\""), "no valid marker"),
        (lock(SIX + "marker = \"platform_version == 'a --x'\""), "option"),
        (lock(SIX.replace("Six", "x\\u0000")), "invisible"),
    ],
)
def test_what_is_refused_names_its_key(text: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as caught:
        pylock.read(text, ALL)
    assert caught.value.hints


def test_a_newer_minor_version_is_read_with_a_word() -> None:
    assert "1.3" in pylock.read(lock(SIX, 'lock-version = "1.3"'), ALL).warnings[0]


def test_what_is_written_is_read_again() -> None:
    files = [
        LockedArchive(name="a-1-py3-none-any.whl", url="https://e.org/a-1-py3-none-any.whl", hashes={"sha256": ONE}),
        LockedArchive(name="a-1.tar.gz", url="https://e.org/a-1.tar.gz", hashes={"sha256": TWO}),
    ]
    packages = [
        LockedPackage(name="a", version="1+computecanada", hashes=[f"sha256:{ONE}", f"sha256:{TWO}"], archives=files),
        LockedPackage(name="b", url="https://e.org/b-1.zip", hashes=[f"sha256:{TWO}"]),
    ]
    text = pylock.write(packages, ">=3.11")
    assert [each.field("name") for each in load_toml(text).get("packages").items()] == ["a", "b"]
    found = pylock.read(text, ALL)
    assert found.requires_python == ">=3.11"
    assert [(each.name, each.version, each.url, each.hashes) for each in found.locked] == [
        (each.name, each.version, each.url, each.hashes) for each in packages
    ]


@given(st.text(max_size=300))
def test_any_version_is_read_or_refused(text: str) -> None:
    quoted = "".join(f"\\U{ord(each):08X}" for each in text if not 0xD800 <= ord(each) < 0xE000)
    try:
        [found] = pylock.read(lock(SIX.replace("1.16.0", quoted)), ALL).locked
    except InvalidRequest:
        return
    assert not set(found.version) & set(" \n\t;#@\\")


def test_a_package_in_two_versions_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="another version"):
        pylock.read(lock(SIX + SIX.replace("1.16.0", "1.16.1")), ALL)
    marked = SIX.replace('version = "1.16.0"', 'version = "1.16.0"\nmarker = "python_version < \'3\'"')
    assert len(pylock.read(lock(SIX + marked.replace("1.16.0", "1.15.0")), ALL).locked) == 2


def test_an_archive_of_another_computer_is_refused() -> None:
    text = f"""
[[packages]]
name = "six"
archive = {{ url = "file:///etc/passwd", hashes = {{ sha256 = "{ONE}" }} }}
"""
    with pytest.raises(InvalidRequest, match="another computer"):
        pylock.read(lock(text), ALL)
    assert pylock.read(lock(text.replace("file:///etc/passwd", "https://h.example/six-1.0.tar.gz")), ALL).locked
