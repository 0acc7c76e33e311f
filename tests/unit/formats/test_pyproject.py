"""pyproject.toml: what a project needs, with extras and dependency groups, and nothing that it could make us do."""

from __future__ import annotations

import pytest

from jupyter_hpcenv.errors import InvalidRequest
from jupyter_hpcenv.formats import pyproject
from jupyter_hpcenv.formats.requirements import Rules

ALL = Rules()
PROJECT = """
[build-system]
requires = ["hatchling"]
[project]
name = "Demo.Project"
version = "1"
requires-python = ">=3.10, <4"
dependencies = ["numpy >= 2", "tomli; python_version < '3.11'"]
[project.optional-dependencies]
Plot_It = ["matplotlib"]
all = ["demo-project[plot-it]", "dask"]
[dependency-groups]
test = ["pytest", {include-group = "Typing"}]
typing = ["mypy"]
"""


def test_dependencies_extras_and_groups() -> None:
    found = pyproject.read(PROJECT, ALL)
    assert found.pip == ["numpy>=2", 'tomli; python_version < "3.11"']
    assert found.requires_python == "<4,>=3.10"
    assert "-e /WHOLE/PATH" in found.warnings[0]
    assert pyproject.read(PROJECT, ALL, ["plot.it"]).pip[2:] == ["matplotlib"]
    assert pyproject.read(PROJECT, ALL, ["all"], ["TEST"]).pip[2:] == ["matplotlib", "dask", "pytest", "mypy"]


def test_a_file_of_groups_alone() -> None:
    text = '[dependency-groups]\ntest = ["pytest"]\n'
    assert pyproject.read(text, ALL, groups=["test"]).pip == ["pytest"]
    with pytest.raises(InvalidRequest, match="only dependency groups: test") as caught:
        pyproject.read(text, ALL)
    assert "--group" in caught.value.hints[0]
    with pytest.raises(InvalidRequest, match="no extras"):
        pyproject.read(text, ALL, ["x"], ["test"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[project]\nname='a'\ndependencies=['a', '-r b']", r"project\.dependencies\[1\].*option"),
        ("[project]\nname='a'\ndependencies=['a @ https://u:pw@example.org/a.whl']", r"dependencies\[0\].*password"),
        ("[project]\nname='a'\ndependencies=['${TOKEN}']", "variable"),
        ("[project]\nname='a'\ndependencies='numpy'", "must be a list"),
        ("[project]\nname='a'\ndependencies=[1]", r"dependencies\[0\].* must be text"),
        ("[project]\nname='a'\ndynamic=['dependencies']", "project.dynamic.*building the project"),
        ("[project]\nname='a'\nrequires-python='new'", "requires-python.*no range"),
        ("[project]\nname='a'\nname='b'", "no TOML"),
        ("[tool.poetry.dependencies]\nnumpy='^2'", "Poetry"),
        ("[build-system]\nrequires=[]", "neither"),
        ("[project]\nname='a'\n[project.optional-dependencies]\nx-y=[]\nx_y=[]", "differs from another only"),
        ("[project]\nname='a'\ndependencies=['six']\n[tool.uv.sources]\nSix={git='x'}", "tool.uv.sources.Six"),
        ("[project]\nname='a'\ndependencies=['a\u202eb']", "invisible"),
        ("a=" + "[" * 5_000, "TOML"),
        ("#" * 2_000_001, "at most"),
    ],
)
def test_what_is_refused_names_its_key(text: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as caught:
        pyproject.read(text, ALL)
    assert caught.value.hints
    assert "pw" not in caught.value.message


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        ("a=[{include-group='b'}]\nb=[{include-group='a'}]", "dependency-groups.a.*includes itself"),
        ("a=[{include-group='a'}]", "includes itself"),
        ("a=[{include-group='c'}]", "no group “c”"),
        ("a=[{set-phasers='stun'}]", r"dependency-groups.a\[0\].*include-group"),
        ("A=[]\na=[]", "spelling"),
    ],
)
def test_groups_that_can_not_be(groups: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        pyproject.read(f"[dependency-groups]\n{groups}\n", ALL, groups=["a"])


def test_extras_that_go_round_in_a_circle() -> None:
    text = "[project]\nname='p'\n[project.optional-dependencies]\na=['p[b]']\nb=['p[a]']\n"
    with pytest.raises(InvalidRequest, match="includes itself"):
        pyproject.read(text, ALL, ["a"])
    with pytest.raises(InvalidRequest, match="no extra “c”") as caught:
        pyproject.read(text, ALL, ["c"])
    assert caught.value.hints == ("It has a, b.",)


def test_the_sites_rules_count() -> None:
    text = "[project]\nname='a'\ndependencies=['x @ git+https://example.org/x']"
    assert pyproject.read(text, ALL).pip
    with pytest.raises(InvalidRequest, match="does not allow"):
        pyproject.read(text, Rules(allow_vcs=False))


@pytest.mark.timeout(20)
def test_what_is_included_many_times_counts_once() -> None:
    """Forty lines that each include the next one twice would else ask for a million million packages."""
    lines = [f"g{n} = [{{include-group = 'g{n + 1}'}}, {{include-group = 'g{n + 1}'}}]" for n in range(15)]
    text = "[dependency-groups]\n" + "\n".join(lines) + "\ng15 = ['six']\n"
    assert pyproject.read(text, ALL, groups=["g0"]).pip == ["six"]
    met: set[str] = set()
    from jupyter_hpcenv.formats.keyed import load_toml

    listed = load_toml(text).get("dependency-groups")
    assert len(pyproject._group("g0", listed, dict(listed.entries()), (), met)) == 1
    extras = [f"e{n} = ['demo[e{n + 1}]', 'demo[e{n + 1},e{n + 1}]']" for n in range(15)]
    text = "[project]\nname = 'demo'\n[project.optional-dependencies]\n" + "\n".join(extras) + "\ne15 = ['six']\n"
    assert pyproject.read(text, ALL, ["e0"]).pip == ["six"]
