from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_hpcenv.errors import InvalidRequirement
from jupyter_hpcenv.formats.requirements import Rules, parse_requirement, parse_requirements

ALL = Rules()


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("numpy", "numpy"),
        (" numpy >= 2 , < 3 ", "numpy<3,>=2"),
        ("dask[distributed]", "dask[distributed]"),
        ("x; python_version < '3.12'", 'x; python_version < "3.12"'),
        ("torch==2.4.0+computecanada", "torch==2.4.0+computecanada"),
        ("x @ git+https://example.org/x.git@v1", "x @ git+https://example.org/x.git@v1"),
        ("x @ git+ssh://git@example.org/x.git", "x @ git+ssh://git@example.org/x.git"),
        ("x @ https://example.org/x.whl", "x @ https://example.org/x.whl"),
    ],
)
def test_requirements_become_canonical(text: str, canonical: str) -> None:
    assert parse_requirement(text, ALL) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-r other.txt",
        "--index-url=https://example.org",
        "-i x",
        "numpy --hash=sha256:abc",
        "numpy>=",
        "num py",
        "${TOKEN}",
        "x @ https://${TOKEN}@example.org/x.whl",
        "x @ https://user:pw@example.org/x.whl",
        "x @ https://token@example.org/x.whl",
        "x @ git+https://user:pw@example.org/x.git",
        "x @ ftp://example.org/x.whl",
        "x @ javascript:alert(1)",
        "a\nb",
        "a\0b",
        "x" * 3_000,
        "-e relative",
        "-e /no/such/folder",
        "-e git+https://example.org/x.git",
        "../x.whl",
        "https://example.org/x.whl",
        "x @ https://example.org/\u2028--index-url=https://evil.example",
        "x @ https://example.org/x\\",
        "x; platform_version == 'a --config-settings=b'",
        "x; platform_version == 'a #b'",
        r"x; platform_version == '\x00'",
        r"x; platform_version == '\nevil\n'",
        "x @ https://example.org/x.whl?access_token=token@",
        "x @ https://example.org/x.whl?a=1&sig=pw",
        "-e git+file:///x",
        "numpy\u202e",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequirement) as caught:
        parse_requirement(text, ALL)
    assert "pw" not in caught.value.message
    assert "token@" not in caught.value.message


def test_policy_decides_over_editables_version_control_and_urls(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    strict = Rules(allow_editable=False, allow_vcs=False, allow_urls=False)
    for text in (f"-e {tmp_path}", "x @ git+https://example.org/x", "x @ https://example.org/x.whl"):
        parse_requirement(text, ALL)
        with pytest.raises(InvalidRequirement) as caught:
            parse_requirement(text, strict)
        assert caught.value.hints


def test_an_editable_must_be_a_project_of_ones_own(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequirement, match="no Python project"):
        parse_requirement(f"-e {tmp_path}", ALL)
    (tmp_path / "setup.py").write_text("")
    (tmp_path.parent / "link").symlink_to(tmp_path)
    assert parse_requirement(f"-e {tmp_path.parent / 'link'}", ALL) == f"-e {tmp_path.resolve()}"


def test_a_file_is_read_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "setup.py").write_text("")
    text = "\ufeff# head\r\nnumpy # tail\r\n\r\nscipy>=1 \\\n  ,<2\nnumpy\n-e ./mine\n"
    assert parse_requirements(text, ALL, tmp_path) == ["numpy", "scipy<2,>=1", f"-e {(tmp_path / 'mine').resolve()}"]
    with pytest.raises(InvalidRequirement, match="Line 7"):
        parse_requirements(text, ALL)


@pytest.mark.parametrize(
    ("text", "line"),
    [("a\n-r b.txt\n", 2), ("--extra-index-url https://example.org\n", 1), ("a\nb\n\nc d\n", 4), ("-c c.txt", 1)],
)
def test_errors_name_the_line(text: str, line: int) -> None:
    with pytest.raises(InvalidRequirement, match=f"Line {line}:"):
        parse_requirements(text, ALL)


def test_a_huge_file_is_refused() -> None:
    with pytest.raises(InvalidRequirement):
        parse_requirements("a\n" * 6_000, ALL)


@given(st.text(max_size=200))
def test_what_passes_is_stable_and_never_an_option(text: str) -> None:
    try:
        canonical = parse_requirement(text, ALL)
    except InvalidRequirement:
        return
    assert parse_requirement(canonical, ALL) == canonical
    assert not canonical.startswith("-")
    assert "\n" not in canonical


NAME = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?", fullmatch=True)
VERSION = st.from_regex(r"(==|>=|<=|!=|~=)[0-9]{1,3}\.[0-9]{1,3}", fullmatch=True)


@given(NAME, st.lists(NAME, max_size=3), st.lists(VERSION, max_size=3))
def test_real_requirements_always_pass(name: str, extras: list[str], versions: list[str]) -> None:
    text = name + (f"[{','.join(extras)}]" if extras else "") + ",".join(versions)
    canonical = parse_requirement(text, ALL)
    assert canonical.startswith(name)


@given(
    st.from_regex(r"[a-z]{1,5}( @ https://[a-z./\\#-]{1,20})?(; ?platform_version == '[ -~]{0,20}')?", fullmatch=True)
)
def test_no_word_of_a_line_is_an_option(text: str) -> None:
    try:
        canonical = parse_requirement(text, ALL)
    except InvalidRequirement:
        return
    assert not [word for word in canonical.split() if word.startswith(("-", "#"))]
    assert not canonical.endswith("\\")
    assert parse_requirement(canonical, ALL) == canonical


def test_hints_follow_what_was_typed() -> None:
    for text, hint in (("https://example.org/x.whl", "NAME @ URL"), ("./x.whl", "file:///"), ("num py", "numpy")):
        with pytest.raises(InvalidRequirement) as caught:
            parse_requirement(text, ALL)
        assert hint in caught.value.hints[0]


def test_brackets_in_brackets_are_refused_and_not_a_fault() -> None:
    line = "six; " + "(" * 600 + "python_version > '3'" + ")" * 600
    with pytest.raises(InvalidRequirement):
        parse_requirement(line, Rules())
