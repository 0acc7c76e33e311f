from __future__ import annotations

import string
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_hpcenv.errors import InvalidRequest, InvalidRequirement, InvalidVariable
from jupyter_hpcenv.formats.environment_yml import read, write
from jupyter_hpcenv.formats.matchspecs import parse
from jupyter_hpcenv.formats.requirements import Rules
from jupyter_hpcenv.models import Contents, PinnedPackage
from jupyter_hpcenv.names import exportable

from .test_matchspecs import SPEC

ALL = Rules()

FILE = """\
# Environment of the course
name: climate
channels:
  - conda-forge
  - https://example.org/channel/
  - nodefaults
dependencies:
  - python=3.10
  - numpy>=2,<3  # arrays
  - conda-forge::xarray
  - pip
  - pip:
      - requests >=2
      - dask[distributed]; python_version < '4'
variables:
  DATA: /data/course
  LEVEL: 1.10
  DEBUG: on
  DAY: 2024-01-05
  EMPTY: ''
"""


def test_all_that_conda_documents_is_read() -> None:
    assert read(FILE, ALL) == Contents(
        kind="environment.yml",
        name="climate",
        channels=["conda-forge", "https://example.org/channel", "nodefaults"],
        specs=["python 3.10.*", "numpy >=2,<3", "conda-forge::xarray", "pip"],
        pip=["requests>=2", 'dask[distributed]; python_version < "4"'],
        variables={"DATA": "/data/course", "LEVEL": "1.10", "DEBUG": "on", "DAY": "2024-01-05", "EMPTY": ""},
    )


@pytest.mark.parametrize("change", [lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n")])
def test_marks_and_line_ends_of_other_systems_change_nothing(change) -> None:  # type: ignore[no-untyped-def]
    assert read(change(FILE), ALL) == read(FILE, ALL)


def test_versions_stay_what_they_are() -> None:
    text = "dependencies:\n  - python=3.10\n  - numpy ==1.10\n  - 7zip\n  - y\n  - on\n  - 'null'\n  - 1e3\n"
    assert read(text, ALL).specs == ["python 3.10.*", "numpy ==1.10", "7zip", "y", "on", "null", "1e3"]


def test_what_is_not_done_is_said() -> None:
    found = read(
        "name: base\nprefix: /home/somebody/envs/x\ncategory: dev\nplatforms: [osx-64]\nsomething: {a: [b]}\n"
        "dependencies:\n  - numpy  # [linux]\n  - pywin32 # [win]\n  - scipy # see [1] above\n"
        "variables: {A: '${HOME}/x', B: $x, C: 5 $}\n",
        ALL,
    )
    assert (found.name, found.specs) == ("", ["numpy", "pywin32", "scipy"])
    said = "\n".join(found.warnings)
    for words in (
        "Line 2: The file names a prefix",
        "Line 3: The file names a category",
        "Line 4: The file names plat",
    ):
        assert words in said
    assert "Line 5: “something” is no key" in said
    assert "reserved" in said
    assert "Lines: 7, 8." in said
    assert "the value of A stays" in said
    assert "the value of B stays" in said
    assert "value of C" not in said
    assert found.variables["A"] == "${HOME}/x"
    assert len(found.warnings) == 8


def test_what_is_left_open_is_left_open() -> None:
    assert read("dependencies: []\n", ALL) == Contents(kind="environment.yml")
    assert read("name:\nchannels:\nvariables: ~\ndependencies:\n  - pip:\n", ALL) == Contents(kind="environment.yml")
    assert read("dependencies: [a, a, b]\nchannels: [x, x]\n", ALL).specs == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "number", "why"),
    [
        ("- numpy\n", 1, "must have keys"),
        ("numpy\n", 1, "must have keys"),
        ("", 1, "must have keys"),
        ("name: x\n", 1, "no key “dependencies”"),
        ("dependencies:\n", 1, "must be a list"),
        ("dependencies: numpy\n", 1, "must be a list"),
        ("dependencies:\n  numpy: 2\n", 2, "must be a list"),
        ("dependencies:\n  - [numpy]\n", 2, "must be text"),
        ("dependencies:\n  -\n", 2, "must be text"),
        ("dependencies:\n  - numpy\n  - num py\n", 3, "space within the name"),
        ("dependencies:\n  - numpy: '>=2'\n", 2, "no other installer"),
        ("dependencies:\n  - pip: [a]\n  - pip: [b]\n", 3, "Only one"),
        ("dependencies:\n  - pip: [a]\n    npm: [b]\n", 2, "no other installer"),
        ("dependencies:\n  - pip: requests\n", 2, "must be a list"),
        ("dependencies:\n  - pip:\n    - requests\n    - -r other.txt\n", 4, "only the text"),
        ("dependencies:\n  - pip:\n    - --requirement=other.txt\n", 3, "only the text"),
        ("dependencies:\n  - pip:\n    - -c other.txt\n", 3, "only the text"),
        ("dependencies:\n  - pip:\n    - -e .\n", 3, "relative to a folder"),
        ("dependencies:\n  - pip:\n    - --editable ./mine\n", 3, "relative to a folder"),
        ("dependencies:\n  - pip:\n    - --index-url https://example.org\n", 3, "option"),
        ("dependencies:\n  - pip:\n    - x @ https://${TOKEN}@example.org/x.whl\n", 3, "variable"),
        ("dependencies:\n  - pip:\n    - |\n      requests\n      -r other.txt\n", 3, "more than one line"),
        ("dependencies:\n  - |\n    numpy\n    --file x\n", 2, "more than one line"),
        ('dependencies:\n  - "numpy\\0"\n', 2, "invisible"),
        ("dependencies:\n  - {{ package }}\n", 2, "template"),
        ("dependencies:\n  - '{{ package }}'\n", 2, "template"),
        ("dependencies:\n  - ${PACKAGE}\n", 2, "variable"),
        ("dependencies:\n  - --file=x\n", 2, "option"),
        ("dependencies: []\nchannels: [" + "c, " * 101 + "]\n", 2, "more than 100 channels"),
        ("dependencies: []\nchannels: conda-forge\n", 2, "must be a list"),
        ("dependencies: []\nchannels:\n  - https://user:pw@example.org/c\n", 3, "user name"),
        ("dependencies: []\nchannels:\n  - https://example.org/t/pw/c\n", 3, "user name"),
        ("dependencies: []\nchannels:\n  - https://${TOKEN}@example.org/c\n", 3, "user name"),
        ("dependencies: []\nchannels:\n  - ${CHANNEL}\n", 3, "no channel"),
        ("dependencies: []\nchannels:\n  - ../channel\n", 3, "no channel"),
        ("dependencies: []\nchannels:\n  - --override-channels\n", 3, "no channel"),
        ("dependencies: []\nchannels:\n  - [a]\n", 3, "must be text"),
        ("dependencies: []\nname: [a]\n", 2, "must be text"),
        ("dependencies: []\nvariables: [A]\n", 2, "must have keys"),
        ("dependencies: []\nvariables:\n  A:\n", 3, "must be text"),
        ("dependencies: []\nvariables:\n  A: {b: c}\n", 3, "must be text"),
        ('dependencies: []\nvariables:\n  A: "x\\ny"\n', 3, "more than one line"),
        ("dependencies: [" + "a, " * 6_000 + "a]\n", 1, "more than 5000"),
        ("dependencies:\n- pip: [" + "a, " * 6_000 + "a]\n", 2, "more than 5000"),
    ],
)
def test_what_is_refused_names_its_line(text: str, number: int, why: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(text, ALL)
    assert caught.value.message.startswith(f"Line {number}: ")
    assert why in caught.value.message
    assert caught.value.hints
    assert "pw" not in caught.value.message


@pytest.mark.parametrize("name", ["LD_PRELOAD", "PATH", "BASH_ENV", "A-B", "1A", "HPCENV_X"])
def test_variables_that_steer_are_refused(name: str) -> None:
    with pytest.raises(InvalidVariable, match=r"^Line 4: "):
        read(f"dependencies: []\nvariables:\n  A: x\n  {name}: x\n", ALL)
    with pytest.raises(InvalidVariable, match="together"):
        read("dependencies: []\nvariables:\n" + "".join(f"  A{n}: {'x' * 30_000}\n" for n in range(5)), ALL)


def test_sizes_are_bounded() -> None:
    with pytest.raises(InvalidRequest, match="at most 1000000"):
        read("dependencies: []\n" + "#" * 1_000_000, ALL)


def test_policy_decides_over_urls_and_editables(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    strict = Rules(allow_editable=False, allow_vcs=False, allow_urls=False)
    lines = [f"-e {tmp_path}", "x @ git+https://example.org/x", "x @ https://example.org/x.whl"]
    texts = [f"dependencies:\n  - pip:\n      - {line}\n" for line in lines]
    texts += [
        f"dependencies:\n  - {spec}\n"
        for spec in ("https://example.org/c::x", "https://example.org/c/noarch/x-1-0.conda", "/shared/c::x")
    ]
    for text in texts:
        found = read(text, ALL)
        assert len(found.pip + found.specs) == 1
        with pytest.raises(InvalidRequirement, match=r"^Line [23]: "):
            read(text, strict)


PRINTABLE = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=12).filter(
    str.isprintable
)
WORD = st.sampled_from(["on", "yes", "1.10", "null", "~", "2024-01-05", "1e3", "0x1", "a: b", "a #b", "- a", "'", '"'])
VARIABLE = (
    st.text(string.ascii_uppercase, min_size=4, max_size=8)
    .map("X_{}".format)
    .filter(lambda name: exportable({name: ""}))
)
CHANNEL = st.sampled_from(["conda-forge", "nodefaults", "pkgs/main", "https://example.org/c", "file:///c", "/shared/c"])
PIP = st.sampled_from(["requests>=2", "dask[distributed]", 'x; python_version < "3"', "y @ https://example.org/y.whl"])
CONTENTS = st.builds(
    Contents,
    kind=st.just("environment.yml"),
    name=st.sampled_from(["", "climate", "on", "1.10", "2024-01-05", "null", "y"]),
    channels=st.lists(CHANNEL, unique=True, max_size=3),
    specs=st.lists(SPEC.map(parse), unique=True, max_size=4),
    pip=st.lists(PIP, unique=True, max_size=3),
    variables=st.dictionaries(VARIABLE, st.one_of(PRINTABLE, WORD), max_size=3),
)


@settings(deadline=None)
@given(CONTENTS)
def test_what_is_written_reads_the_same(contents: Contents) -> None:
    text = write(contents)
    again = read(text, ALL)
    again.warnings.clear()  # about "$" in variables
    assert again == contents
    assert write(again) == text


@settings(deadline=None)
@given(CONTENTS)
def test_programs_that_guess_types_read_text(contents: Contents) -> None:
    """conda reads the file by YAML's rules, under which 1.10 is a number and on is true."""
    loaded = yaml.safe_load(write(contents))
    assert loaded.get("name", "") == contents.name
    assert loaded.get("channels", []) == contents.channels
    assert loaded["dependencies"] == contents.specs + ([{"pip": contents.pip}] if contents.pip else [])
    assert loaded.get("variables", {}) == contents.variables


def test_exact_versions_are_written_from_what_is_pinned() -> None:
    pinned = [
        PinnedPackage(url="https://example.org/c/linux-64/numpy-1.10-py311_0.conda"),
        PinnedPackage(url="https://example.org/c/noarch/x264-1!161.3030-h7f_1.tar.bz2"),
    ]
    contents = Contents(kind="explicit", specs=["numpy"], pip=["requests==2.0"], pinned=pinned)
    text = write(contents, full=True)
    assert '  - "numpy=1.10=py311_0"\n' in text
    assert read(text, ALL).specs == ["numpy ==1.10 py311_0", "x264 ==1!161.3030 h7f_1"]
    assert read(text, ALL).pip == ["requests==2.0"]
    assert read(write(contents), ALL).specs == ["numpy"]


def test_secrets_are_not_written() -> None:
    text = write(Contents(kind="environment.yml", variables={"API_TOKEN": "canary", "DATA": "/data"}))
    assert "canary" not in text
    assert "API_TOKEN is left out" in text
    assert read(text, ALL).variables == {"DATA": "/data"}


@settings(deadline=None)
@given(st.text(st.sampled_from("dependencies:\n -[]{}'\"pip&*!|>numpy=1.0@#$"), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for tried in (text, "dependencies:\n" + text, "dependencies:\n  - " + text):
        try:
            found = read(tried, ALL)
        except InvalidRequest:
            continue
        assert all(parse(spec, urls=True) == spec for spec in found.specs)
