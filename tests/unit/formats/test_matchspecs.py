from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_hpcenv.errors import InvalidRequirement
from jupyter_hpcenv.formats.matchspecs import channel_of, name_of, parse

from .oracle import Oracle

MD5, SHA256 = "0123456789abcdef" * 2, "0123456789abcdef" * 4

CANONICAL = [
    ("numpy", "numpy"),
    (" NumPy ", "numpy"),
    ("numpy *", "numpy"),
    ("numpy * *", "numpy"),
    ("numpy=1.26", "numpy 1.26.*"),
    ("numpy=1.26.*", "numpy 1.26.*"),
    ("numpy 1.26*", "numpy 1.26.*"),
    ("numpy==1.26.*", "numpy 1.26.*"),
    ("numpy==1.26.4", "numpy ==1.26.4"),
    ("numpy 1.26.4", "numpy ==1.26.4"),
    ("numpy>=1.2,<2|>=3", "numpy >=1.2,<2|>=3"),
    ("numpy >= 1.2 , < 2", "numpy >=1.2,<2"),
    ("numpy>=1.26.*", "numpy >=1.26"),
    ("numpy!=1.26,!=1.27.*", "numpy !=1.26,!=1.27.*"),
    ("numpy~=1.26.1", "numpy ~=1.26.1"),
    ("numpy 1.2|1.3", "numpy ==1.2|==1.3"),
    ("numpy 1.26.* *_cp311", "numpy 1.26.* *_cp311"),
    ("numpy=1.26=py311*", "numpy ==1.26 py311*"),
    ("numpy=1.26.*=py311*", "numpy 1.26.* py311*"),
    ("numpy==1.26=py311_0", "numpy ==1.26 py311_0"),
    ("blas=*=mkl", "blas * mkl"),
    ("python 3.10", "python ==3.10"),
    ("conda-forge::numpy", "conda-forge::numpy"),
    ("conda-forge/label/dev::numpy>1", "conda-forge/label/dev::numpy >1"),
    ("conda-forge/linux-64::numpy", "conda-forge/linux-64::numpy"),
    (
        f"numpy[version='>=1', build=py311*, channel=conda-forge, subdir=linux-64, md5={MD5.upper()}]",
        f'conda-forge/linux-64::numpy >=1 py311*[md5="{MD5}"]',
    ),
    (f'numpy 1.0 [build_number=">=3",sha256={SHA256}]', f'numpy ==1.0[build_number=">=3", sha256="{SHA256}"]'),
    ("numpy[subdir=noarch]", 'numpy[subdir="noarch"]'),
    ("numpy==1.0+abc", "numpy ==1.0+abc"),
    ("x264>=1!161.3030,<1!162", "x264 >=1!161.3030,<1!162"),
    ("x==1.7_alpha", "x ==1.7_alpha"),
    ("openssl=1.1.1w", "openssl 1.1.1w.*"),
    ("vc==ABC", "vc ==abc"),
    ("_libgcc_mutex=0.1=conda_forge", "_libgcc_mutex ==0.1 conda_forge"),
    ("__cuda>=12", "__cuda >=12"),
    ("libstdcxx-devel_linux-64", "libstdcxx-devel_linux-64"),
]

REFUSED = [
    ("", "empty"),
    ("num py >=", "space within the name"),
    ("numpy scipy", "space within the name"),
    ("numpy,scipy", "can not be"),
    ("num*", "can not be"),
    ("numpy.", "can not be"),
    ("a...b", "can not be"),
    ("numpy>=", "no version after"),
    ("numpy=", "no version after"),
    ("numpy >=1,", "no version after"),
    ("numpy (>=1,<2)|>3", "no version after"),
    ("numpy ^1\\.2$", "no version after"),
    ("numpy >=1 <2", "after the version"),
    ("numpy 1.2-3", "after the version"),
    ("numpy 1..2", "after the version"),
    ("numpy 1.*.2", "after the version"),
    ("numpy 1.2 py 3", "after the version"),
    ("numpy>1.2.*", "two ways"),
    ("numpy<=1.2*", "two ways"),
    ("numpy~=1", "two ways"),
    ("numpy=abc", "begins with a letter"),
    ("numpy===1.0", "==="),
    ("numpy " + "9" * 30, "too long"),
    ("numpy ==" + "1." * 600 + "1", "too long"),
    ("--file specs.txt", "option"),
    ("-c conda-forge", "option"),
    ("@EXPLICIT", "path"),
    ("./numpy-1-0.conda", "path"),
    ("/tmp/numpy-1-0.conda", "path"),
    ("~/numpy", "path"),
    ("~/channel::numpy", "no channel"),
    ("../channel::numpy", "no channel"),
    ("a/../b::numpy", "no channel"),
    ("-c::numpy", "option"),
    ("::numpy", "without a name"),
    ("a::b::numpy", "no channel"),
    ("conda-forge:ns:numpy", "can not be"),
    ("conda-forge::", "can not be"),
    ("${CHANNEL}::numpy", "variable"),
    ("{{ channel }}::numpy", "template"),
    ("$CHANNEL::numpy", "no channel"),
    ("numpy[extra]", "for pip"),
    ("numpy[extra]>=1", "for pip"),
    ("numpy[]", "for pip"),
    ("numpy; python_version < '3'", "for pip"),
    ("numpy @ https://example.org/numpy.whl", "for pip"),
    ("numpy@1.0", "for pip"),
    ("numpy[version='>=1'", "does not end"),
    ("numpy[version='>=1'] py", "does not end"),
    ("numpy]", "does not begin"),
    ("numpy[version=>=1,<2]", "list of pairs"),
    ("numpy[build=a, build=b]", "twice"),
    ("numpy[build=a][build=b]", "list of pairs"),
    ("numpy >=1[version='<2']", "twice"),
    ("a::numpy[channel=b]", "twice"),
    ("numpy[name=scipy]", "not supported"),
    ("numpy[url='https://example.org/noarch/evil-1-0.conda']", "not supported"),
    ("numpy[version='>=1 py*']", "no valid version"),
    ("numpy[build='a b']", "no valid build"),
    ("numpy[build='^py.*$']", "no valid build"),
    ("numpy[md5=abc]", "no valid md5"),
    ("numpy[subdir=../linux-64]", "no valid subdir"),
    ("numpy[build_number='>=x']", "no valid build_number"),
    ("https://example.org/c::numpy", "URL or path"),
    ("file:///c::numpy", "URL or path"),
    ("/abs/channel::numpy", "URL or path"),
    ("numpy[channel='https://example.org/c']", "URL or path"),
    ("https://example.org/linux-64/numpy-1-0.conda", "is a URL"),
    ("num\npy", "other characters"),
    ("numpy\0", "other characters"),
    ("numpy\u202e", "other characters"),
    ("numpy\x1b[31m", "other characters"),
    ("nümpy", "other characters"),
    ("numpy # the best", "no version after"),
]


@pytest.mark.parametrize(("text", "canonical"), CANONICAL)
def test_specs_become_canonical(text: str, canonical: str) -> None:
    assert parse(text) == canonical
    assert parse(canonical) == canonical


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_anything_else_is_refused_with_why(text: str, why: str) -> None:
    with pytest.raises(InvalidRequirement) as caught:
        parse(text)
    assert why in caught.value.message
    assert caught.value.hints
    assert caught.value.message.isprintable()


def test_urls_pass_where_they_are_asked_for() -> None:
    url = "https://example.org/c/linux-64/x264-1!161.3030-h7f98852_1.tar.bz2"
    assert parse(url, urls=True) == url
    assert (name_of(url), channel_of(url)) == ("x264", "https://example.org/c")
    spec = parse("https://example.org/c/linux-64::numpy>=2", urls=True)
    assert spec == 'numpy >=2[channel="https://example.org/c", subdir="linux-64"]'
    assert parse(spec, urls=True) == spec
    assert (name_of(spec), channel_of(spec)) == ("numpy", "https://example.org/c")
    assert parse("/shared/channel::numpy", urls=True) == 'numpy[channel="/shared/channel"]'
    assert (name_of("C::NumPy 1"), channel_of("C::NumPy 1"), channel_of("numpy")) == ("numpy", "C", "")


@pytest.mark.parametrize(
    "text",
    [
        "https://user:pw@example.org/c::numpy",
        "https://pw@example.org/c::numpy",
        "https://example.org/t/pw/c::numpy",
        "https://example.org/%74/pw/c::numpy",
        "numpy[channel='https://user:pw@example.org/c']",
        "https://user:pw@example.org/noarch/x-1-0.conda",
        "https://example.org/t/pw/noarch/x-1-0.conda",
        "https://example.org/noarch/x-1-0.conda?token=pw",
        "ftp://example.org/c::numpy",
        "https:///c::numpy",
        "file://elsewhere/c::numpy",
        "https://example.org/c/../d::numpy",
        "https://example.org/%2e%2e/d::numpy",
        "https://example.org/c%00::numpy",
        "https://example.org:port/c::numpy",
        "https://[::1/c::numpy",
        "https://example.org/c/linux-64/numpy.conda",
        "https://example.org/c/linux-64/numpy-1-0.zip",
        "https://example.org/c/linux-64/num%2fpy-1-0.conda",
    ],
)
@pytest.mark.parametrize("urls", [True, False])
def test_some_urls_never_pass_and_passwords_are_not_repeated(text: str, urls: bool) -> None:
    with pytest.raises(InvalidRequirement) as caught:
        parse(text, urls=urls)
    assert "pw" not in caught.value.message.replace("%74/pw", "")


# What rattler makes of the canonical form is what it makes of the spec itself: one corpus, and specs made up.

NAME = st.from_regex(r"_{0,2}[a-z0-9]{1,4}([._-][a-z0-9]{1,3}){0,2}", fullmatch=True)
VERSION = st.from_regex(
    r"([0-9]{1,2}!)?[0-9]{1,4}[a-z]{0,4}[0-9]{0,2}([._][0-9]{1,3}[a-z]{0,2}){0,3}_?(\+[a-z0-9]{1,4}([._][0-9]{1,2})?)?",
    fullmatch=True,
)
CONSTRAINT = st.one_of(
    st.tuples(st.sampled_from(["", "=", "==", "!=", ">=", "<=", ">", "<"]), VERSION).map("".join),
    st.tuples(st.sampled_from(["", "=", "!="]), VERSION, st.just(".*")).map("".join),
    st.tuples(VERSION, st.integers(0, 99)).map(lambda pair: f"~={pair[0].partition('+')[0].rstrip('_')}.{pair[1]}"),
)
BUILD = st.from_regex(r"\*?[a-z]{1,3}[0-9]{1,3}(_[0-9a-z]{1,3})?\*?", fullmatch=True)
SPEC = st.tuples(
    st.sampled_from(["", "conda-forge::", "conda-forge/noarch::", "a/label/b/linux-64::"]),
    NAME,
    st.one_of(
        st.just(""),
        st.tuples(CONSTRAINT, st.lists(st.tuples(st.sampled_from([",", "|"]), CONSTRAINT), max_size=2)).map(
            lambda pair: " " + pair[0] + "".join(map("".join, pair[1]))
        ),
    ),
    st.one_of(st.just(""), BUILD),
    st.sampled_from(["", f"[md5={MD5}]", f"[build_number='>=3', sha256=\"{SHA256}\"]"]),
).map(lambda parts: "".join(parts[:2]) + (parts[2] or (" *" if parts[3] else "")) + f" {parts[3]}".rstrip() + parts[4])


@pytest.mark.parametrize("text", [text for text, _ in CANONICAL])
def test_rattler_means_the_same(rattler: Oracle, text: str) -> None:
    assert rattler.ask("spec", parse(text), True) == rattler.ask("spec", text, False)


def test_rattler_alone_would_take_it(rattler: Oracle) -> None:
    assert rattler.ask("spec", "num py >=", False)["name"] == "num"


@settings(deadline=None)
@given(text=SPEC)
def test_rattler_means_the_same_by_any_spec(rattler: Oracle, text: str) -> None:
    canonical = parse(text)
    read = rattler.ask("spec", canonical, True)
    assert read == rattler.ask("spec", text, False)
    assert read["name"] == name_of(text)
    assert parse(canonical) == canonical


@settings(deadline=None)
@given(st.text(max_size=60), st.booleans())
def test_what_passes_is_stable_and_no_option(text: str, urls: bool) -> None:
    try:
        canonical = parse(text, urls=urls)
    except InvalidRequirement:
        return
    assert parse(canonical, urls=urls) == canonical
    assert canonical[0] not in "-@#."
    assert canonical.isascii()
    assert canonical.isprintable()


@settings(deadline=None)
@given(st.from_regex(r"[a-z:/@\[\]=<>!~,|. *'\"_-]{1,12}", fullmatch=True))
def test_signs_alone_never_pass_by_chance(text: str) -> None:
    try:
        canonical = parse(text)
    except InvalidRequirement:
        return
    assert parse(canonical) == canonical
    assert name_of(canonical) in text.lower()
