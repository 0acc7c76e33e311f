from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_hpcenv.errors import InvalidRequest, InvalidRequirement
from jupyter_hpcenv.formats.addresses import check_channel, split_channel, this_platform
from jupyter_hpcenv.formats.archives import Archive, archive
from jupyter_hpcenv.formats.explicit import read, write
from jupyter_hpcenv.models import PinnedPackage

from .oracle import Oracle

MD5, SHA256 = "0123456789abcdef" * 2, "0123456789abcdef" * 4
CHANNEL = "https://example.org/conda-forge"

LIST = f"""\
# Made by hand
# platform: linux-64

@EXPLICIT
{CHANNEL}/linux-64/numpy-1.10-py311_0.conda#{MD5}
{CHANNEL}/noarch/tzdata-2024a-h0c530f3_0.tar.bz2#sha256:{SHA256.upper()}
# no URL for: something
{CHANNEL}/linux-64/x264-1!161.3030-h7f98852_1.tar.bz2#{SHA256}
file:///shared/channel/linux-64/_libgcc_mutex-0.1-conda_forge.conda
"""


def test_a_list_is_read() -> None:
    found = read(LIST, "linux-64")
    assert found.kind == "explicit"
    assert found.pinned == [
        PinnedPackage(url=f"{CHANNEL}/linux-64/numpy-1.10-py311_0.conda", md5=MD5),
        PinnedPackage(url=f"{CHANNEL}/noarch/tzdata-2024a-h0c530f3_0.tar.bz2", sha256=SHA256),
        PinnedPackage(url=f"{CHANNEL}/linux-64/x264-1!161.3030-h7f98852_1.tar.bz2", sha256=SHA256),
        PinnedPackage(url="file:///shared/channel/linux-64/_libgcc_mutex-0.1-conda_forge.conda"),
    ]
    assert found.channels == [CHANNEL, "file:///shared/channel"]
    assert found.warnings == ["1 of 4 packages have no checksum: what their channel sends is taken as it is."]
    assert read("\ufeff" + LIST.replace("\n", "\r\n"), "linux-64") == found


URL = f"{CHANNEL}/linux-64/numpy-1.10-py311_0.conda"


@pytest.mark.parametrize(
    ("text", "number", "why"),
    [
        (f"@EXPLICIT\nhttps://example.org/{'c' * 3_000}/noarch/x-1-0.conda\n", 2, "no URL that packages"),
        (f"@EXPLICIT\n{CHANNEL}/noarch/{'x-' * 150_000}1-0.conda\n", 2, "no URL that packages"),
        (f"@EXPLICIT\n{CHANNEL}/noarch/{'x-' * 150}1-0.conda\n", 2, "name of a conda archive"),
        (f"{URL}\n@EXPLICIT\n", 1, "above @EXPLICIT"),
        (f"# platform: osx-64\n@EXPLICIT\n{URL}\n", 1, "for osx-64"),
        (f"# platform:\n@EXPLICIT\n{URL}\n", 1, "for nothing"),
        (f"@EXPLICIT\n{URL}\n{CHANNEL}/osx-64/scipy-1-0.conda\n", 3, "linux-64 or noarch"),
        (
            f"@EXPLICIT\n{URL}\n{CHANNEL}/linux-64/scipy-1-0.conda\n{CHANNEL}/noarch/NumPy-2-0.conda\n",
            4,
            "listed twice",
        ),
        (f"@EXPLICIT\n{URL}\n{URL}\n", 3, "listed twice"),
        ("@EXPLICIT\nnumpy=1.10\n", 2, "no URL"),
        ("@EXPLICIT\n--file other.txt\n", 2, "no URL"),
        ("@EXPLICIT\n/shared/linux-64/numpy-1-0.conda\n", 2, "no URL"),
        (f"@EXPLICIT\n{URL}#\n", 2, "no checksum"),
        (f"@EXPLICIT\n{URL}#abc\n", 2, "no checksum"),
        (f"@EXPLICIT\n{URL}#{MD5}#{MD5}\n", 2, "no checksum"),
        (f"@EXPLICIT\n{URL}#md5:{MD5}\n", 2, "no checksum"),
        (f"@EXPLICIT\n{URL} --no-deps\n", 2, "no URL that packages"),
        (f"@EXPLICIT\n{URL}?token=pw\n", 2, "token"),
        ("@EXPLICIT\nhttps://user:pw@example.org/linux-64/numpy-1-0.conda\n", 2, "user name"),
        ("@EXPLICIT\nhttps://pw@example.org/linux-64/numpy-1-0.conda\n", 2, "user name"),
        ("@EXPLICIT\nhttps://example.org/t/pw/c/linux-64/numpy-1-0.conda\n", 2, "user name"),
        ("@EXPLICIT\nhttps://${TOKEN}@example.org/linux-64/numpy-1-0.conda\n", 2, "user name"),
        ("@EXPLICIT\nhttps://example.org/$TOKEN/linux-64/numpy-1-0.conda\n", 2, "no URL that packages"),
        ("@EXPLICIT\nftp://example.org/linux-64/numpy-1-0.conda\n", 2, "no URL that packages"),
        ("@EXPLICIT\nfile://elsewhere/linux-64/numpy-1-0.conda\n", 2, "leads"),
        ("@EXPLICIT\nhttps:///linux-64/numpy-1-0.conda\n", 2, "leads"),
        ("@EXPLICIT\nhttps://example.org/c/../linux-64/numpy-1-0.conda\n", 2, "leads"),
        ("@EXPLICIT\nhttps://example.org/%2E%2e/linux-64/numpy-1-0.conda\n", 2, "leads"),
        ("@EXPLICIT\nhttps://example.org/c/linux-64/numpy-1.conda\n", 2, "name of a conda archive"),
        ("@EXPLICIT\nhttps://example.org/c/linux-64/numpy-1-0.zip\n", 2, "name of a conda archive"),
        ("@EXPLICIT\nhttps://example.org/c/linux-64/num%2Fpy-1-0.conda\n", 2, "name of a conda archive"),
        ("@EXPLICIT\nhttps://example.org/c/linux-64/-numpy-1-0.conda\n", 2, "name of a conda archive"),
        ("@EXPLICIT\nhttps://example.org/numpy-1-0.conda\n", 2, "linux-64 or noarch"),
        ("@EXPLICIT\nhttps://example.org/c/linux-64/\n", 2, "name of a conda archive"),
        (f"@EXPLICIT\n{URL}\x1b[31m\n", 2, "invisible"),
        (f"@EXPLICIT\n# \u202e\n{URL}\n", 2, "invisible"),
        (f"@EXPLICIT\n# x\u2028{URL}\n", 2, "invisible"),
        (f"@EXPLICIT\n# x\r{URL}\n", 2, "invisible"),
        (f"@EXPLICIT\n{URL}\0\n", 2, "invisible"),
        ("{{ x }}\n@EXPLICIT\n", 1, "above @EXPLICIT"),
    ],
)
def test_what_is_refused_names_its_line(text: str, number: int, why: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(text, "linux-64")
    assert caught.value.message.startswith(f"Line {number}: ")
    assert why in caught.value.message
    assert caught.value.hints
    assert "pw" not in caught.value.message
    assert caught.value.message.isprintable()


def test_an_empty_list_and_a_huge_one_are_refused() -> None:
    for text in ("", "@EXPLICIT\n", "# nothing\n"):
        with pytest.raises(InvalidRequest, match="no packages"):
            read(text)
    with pytest.raises(InvalidRequest, match="at most"):
        read("@EXPLICIT\n" + "#" * 6_000_000)


def test_the_platform_is_this_computers_unless_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for machine, name in (("x86_64", "linux-64"), ("aarch64", "linux-aarch64"), ("ppc64le", "linux-ppc64le")):
        monkeypatch.setattr("platform.machine", lambda machine=machine: machine)
        assert this_platform() == name
        assert f"# platform: {name}\n" in write([])
        assert len(read(f"@EXPLICIT\n{CHANNEL}/{name}/numpy-1-0.conda\n").pinned) == 1
        with pytest.raises(InvalidRequirement):
            read(f"@EXPLICIT\n{CHANNEL}/linux-s390x/numpy-1-0.conda\n")


def test_only_what_can_be_read_is_written() -> None:
    with pytest.raises(InvalidRequirement):
        write([PinnedPackage(url="https://user:pw@example.org/linux-64/numpy-1-0.conda")], "linux-64")
    both = PinnedPackage(url=URL, sha256=SHA256, md5=MD5)
    assert read(write([both], "linux-64"), "linux-64").pinned == [PinnedPackage(url=URL, sha256=SHA256)]


HEX = st.sampled_from("0123456789abcdef")
PINNED = st.builds(
    lambda name, version, build, folder, ending, digest: PinnedPackage(
        url=f"{folder}/{name}-{version}-{build}{ending}", **digest
    ),
    st.from_regex(r"_?[a-z0-9]{1,6}(-[a-z0-9]{1,4}){0,2}", fullmatch=True),
    st.from_regex(r"([0-9]!)?[0-9]{1,4}(\.[0-9]{1,3}){0,3}[a-z]?(\+[a-z]{1,3})?", fullmatch=True),
    st.from_regex(r"[a-z]{0,3}[0-9]{1,3}(_[0-9a-z]{1,3})?", fullmatch=True),
    st.sampled_from(
        [f"{CHANNEL}/linux-64", f"{CHANNEL}/noarch", "file:///c/noarch", "http://127.0.0.1:8000/c/linux-64"]
    ),
    st.sampled_from([".conda", ".tar.bz2"]),
    st.one_of(
        st.just({}),
        st.text(HEX, min_size=32, max_size=32).map(lambda digest: {"md5": digest}),
        st.text(HEX, min_size=64, max_size=64).map(lambda digest: {"sha256": digest}),
    ),
)


@settings(deadline=None)
@given(st.lists(PINNED, min_size=1, max_size=5, unique_by=lambda package: archive(package.url).name))
def test_what_is_written_reads_the_same(packages: list[PinnedPackage]) -> None:
    text = write(packages, "linux-64")
    assert read(text, "linux-64").pinned == packages


def test_rattler_reads_what_is_written(rattler: Oracle) -> None:
    packages = read(LIST, "linux-64").pinned
    platform, urls = rattler.ask("explicit", write(packages, "linux-64"))
    assert platform == "linux-64"
    assert [url.partition("#")[0] for url in urls] == [package.url for package in packages]
    assert urls[1].endswith(f"#sha256:{SHA256}")


@settings(deadline=None)
@given(st.text(st.sampled_from("@EXPLICIT\n#platform: https://e.g/c/linux-64/x-1-0.conda%"), max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    for tried in (text, "@EXPLICIT\n" + text, f"@EXPLICIT\n{URL}{text}"):
        try:
            found = read(tried, "linux-64")
        except InvalidRequest:
            continue
        assert all(archive(package.url).subdir in ("linux-64", "noarch") for package in found.pinned)


def test_a_url_says_what_its_archive_is() -> None:
    assert archive("https://example.org/c/label/x/linux-64/r-base-4.3.1-h1_0.conda") == Archive(
        url="https://example.org/c/label/x/linux-64/r-base-4.3.1-h1_0.conda",
        channel="https://example.org/c/label/x",
        subdir="linux-64",
        name="r-base",
        version="4.3.1",
        build="h1_0",
    )
    assert archive("https://example.org/noarch/x264-1%21161-0.conda").version == "1!161"
    assert archive("http://localhost:8000/noarch/x-1-0.conda").channel == "http://localhost:8000"


@pytest.mark.parametrize(
    ("text", "channel", "subdir"),
    [
        ("conda-forge", "conda-forge", ""),
        ("conda-forge/linux-64", "conda-forge", "linux-64"),
        ("linux-64", "linux-64", ""),
        ("https://example.org/c/noarch/", "https://example.org/c", "noarch"),
        ("/shared/channel/", "/shared/channel", ""),
        ("file:///shared/channel/", "file:///shared/channel", ""),
        ("pkgs/main", "pkgs/main", ""),
    ],
)
def test_channels_are_taken_apart(text: str, channel: str, subdir: str) -> None:
    assert split_channel(text) == (channel, subdir)


@pytest.mark.parametrize(
    "text",
    ["", " ", "-c", "a b", "a//b", "../a", "a/../b", "~/a", "/", "/a/../b", "$A", "a;b", "a\n", "a" * 300, "é", "*"],
)
def test_what_is_no_channel_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequirement):
        check_channel(text)
