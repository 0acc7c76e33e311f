"""Templates: values stay data, unquoted values are errors, untrusted folders are refused."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import jinja2
import pytest

from jupyter_hpcenv.errors import HpcenvError, InvalidRequest, Refused
from jupyter_hpcenv.site import rendering
from jupyter_hpcenv.site.rendering import PACKAGE_TEMPLATES, render


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "templates"
    made.mkdir(mode=0o755)
    return made


def from_text(text: str, folder: Path, values: Mapping[str, object]) -> str:
    path = folder / "own.sh.j2"
    path.write_text(text)
    path.chmod(0o644)
    return render("own.sh.j2", [str(folder)], values)


def test_value_that_looks_like_a_template_stays_literal(folder: Path) -> None:
    assert from_text("x={{ v | sh }}\n", folder, {"v": "{{7*7}}{% raw %}$(id)"}) == "x='{{7*7}}{% raw %}$(id)'\n"


@pytest.mark.parametrize(
    "text",
    [
        "{{ v }}",
        "{{ 7 * 7 }}",
        "{{ (v | sh) ~ v }}",
        "{{ (v | sh) + v }}",
        "{{ v | sh | upper }}",
        "{{ v | upper }}",
        "{{ (v | sh)[1:] }}",
        "{{ '%s' % v }}",
        "{{ '{}'.format(v | sh) }}",
        "{% for c in v %}{{ c }}{% endfor %}",
        "{% if v %}{{ v }}{% endif %}",
        "{% set w = v %}{{ w }}",
        "{{ [v] | join }}",
    ],
)
def test_value_without_a_quoting_filter_is_an_error(text: str, folder: Path) -> None:
    with pytest.raises(HpcenvError, match="without a filter"):
        from_text(text, folder, {"v": "a; id"})


def test_each_filter_quotes(folder: Path) -> None:
    text = "{{ v | sh }} {{ v | csh }} {{ v | fish }} {{ v | json }} # {{ v | comment }} {{ n | variable }}"
    assert from_text(text, folder, {"v": "a'b", "n": "OMP_NUM_THREADS"}) == (
        r"""'a'\''b' 'a'\''b' 'a\'b' "a'b" # a'b OMP_NUM_THREADS"""
    )


def test_comment_stays_on_its_line(folder: Path) -> None:
    assert from_text("# {{ v | comment }}\n", folder, {"v": "a\nrm -rf x\r\x1b\u2028b"}) == "# a?rm -rf x???b\n"


@pytest.mark.parametrize(("text", "values"), [("{{ v | sh }}", {"v": "a\nb"}), ("{{ v | variable }}", {"v": "a b"})])
def test_value_that_can_not_be_quoted_is_refused(text: str, values: dict[str, object], folder: Path) -> None:
    with pytest.raises(InvalidRequest):
        from_text(text, folder, values)


@pytest.mark.parametrize(
    "text", ["{{ missing }}", "{{ missing | sh }}", "{{ v.missing | sh }}", "{{ missing | comment }}"]
)
def test_missing_value_is_an_error_that_names_it(text: str, folder: Path) -> None:
    with pytest.raises(HpcenvError, match="missing"):
        from_text(text, folder, {"v": {}})


def test_wrong_template_is_named_with_its_line(folder: Path) -> None:
    with pytest.raises(HpcenvError, match=r"own\.sh\.j2 can not be rendered: line 2"):
        from_text("#\n{% for %}\n", folder, {})


@pytest.mark.parametrize(
    "text", ["{{ v.__class__ | sh }}", "{{ v.__class__.__mro__ | json }}", "{{ v.append('x') | json }}"]
)
def test_sandbox_gives_no_way_out_and_changes_nothing(text: str, folder: Path) -> None:
    values = {"v": ["a"]}
    with pytest.raises(HpcenvError):
        from_text(text, folder, values)
    assert values == {"v": ["a"]}


ENDLESS = {
    "loops in loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "a long list": "{% set w = v * 99999 %}{% for a in w %}{% for b in w %}{% endfor %}{% endfor %}",
    "a macro that calls itself": (
        "{% macro f(n) %}{% if n %}{% set a = f(n - 1) %}{% set b = f(n - 1) %}{% endif %}{% endmacro %}"
        "{% set x = f(60) %}"
    ),
    "a recursive loop": "{% for a in v recursive %}{% set x = loop(v) if loop.depth < 60 else '' %}{% endfor %}",
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_template_that_goes_on_for_ever_is_stopped(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "_TIME_LIMIT", 0.1)
    with pytest.raises(
        HpcenvError, match=r"own\.sh\.j2 can not be rendered: line 2: it takes longer than 0\.1 seconds"
    ):
        from_text(f"#\n{ENDLESS[kind]}", folder, {"v": ["a", "b"]})


@pytest.mark.parametrize(
    "text", ["{{ ('a' * 99999999) | sh }}", "{% set x = 9 ** 99999999 %}", "{% set x = 99999999 * v %}"]
)
def test_what_one_step_would_blow_up_is_refused(text: str, folder: Path) -> None:
    with pytest.raises(HpcenvError, match="more than a template may hold"):
        from_text(text, folder, {"v": ["a"]})


def test_loops_and_calls_are_what_they_were(folder: Path) -> None:
    text = (
        "{% for a in v %}{{ loop.index | string | sh }}/{{ loop.length | string | sh }}{{ a | sh }}"
        "{% if not loop.last %},{% endif %}{% else %}none{% endfor %}"
        "{% for a in v if a != 'b' %}{{ a | sh }}{% endfor %}"
        "{% for a, b in w.items() %}{{ (a * 2) | sh }}{{ (b * 2) | string | sh }}{% endfor %}"
    )
    values = {"v": ["a", "b"], "w": {"k": 3}}
    assert from_text(text, folder, values) == "'1'/'2''a','2'/'2''b''a''kk''6'"
    with pytest.raises(HpcenvError, match="'missing' is undefined"):
        from_text("{% for a in missing %}{% endfor %}", folder, values)


def test_objects_are_no_values(folder: Path) -> None:
    with pytest.raises(TypeError, match="not plain data"):
        from_text("x", folder, {"v": [folder]})


def test_site_template_comes_first_and_the_package_is_the_fallback(folder: Path) -> None:
    values = {"kernel": "k", "prefix": "/p", "python": "/py", "cache": "", "only_modules": False, "ipykernel": True}
    assert render("stub.sh.j2", [str(folder)], values).startswith("#!/bin/sh\n")
    (folder / "stub.sh.j2").write_text("site {{ prefix | sh }}\n")
    assert render("stub.sh.j2", [str(folder)], values) == "site '/p'\n"


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_template_that_others_can_write_is_refused(mode: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_private_groups(monkeypatch)
    path = folder / "own.sh.j2"
    path.write_text("x")
    path.chmod(mode)
    with pytest.raises(Refused, match=r"can be changed by (everybody|group)"):
        render("own.sh.j2", [str(folder)], {})


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o1777])
def test_folder_that_others_can_write_is_refused(mode: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_private_groups(monkeypatch)
    (folder / "own.sh.j2").write_text("x")
    folder.chmod(mode)
    with pytest.raises(Refused, match=r"can be changed by (everybody|group)"):
        render("own.sh.j2", [str(folder)], {})


def test_folder_that_others_can_rename_away_is_refused(tmp_path: Path, folder: Path) -> None:
    (folder / "own.sh.j2").write_text("x")
    tmp_path.chmod(0o777)
    with pytest.raises(Refused, match="can be replaced by everybody"):
        render("own.sh.j2", [str(folder)], {})
    tmp_path.chmod(0o1777)
    assert render("own.sh.j2", [str(folder)], {}) == "x"


def test_link_to_a_template_is_judged_by_where_it_leads(tmp_path: Path, folder: Path) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    (open_to_all / "own.sh.j2").write_text("x")
    (folder / "own.sh.j2").symlink_to(open_to_all / "own.sh.j2")
    with pytest.raises(Refused, match="can be changed by everybody"):
        render("own.sh.j2", [str(folder)], {})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_template_of_somebody_else_is_refused(folder: Path) -> None:
    (folder / "own.sh.j2").write_text("x")
    os.chown(folder / "own.sh.j2", 54_321, -1)
    with pytest.raises(Refused, match="uid 54321"):
        render("own.sh.j2", [str(folder)], {})


def test_missing_folder_is_an_error_and_not_ignored(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="does not exist"):
        render("launch.sh.j2", [str(tmp_path / "nowhere")], {})


def test_fifo_is_not_read(folder: Path) -> None:
    os.mkfifo(folder / "own.sh.j2", 0o644)
    with pytest.raises(HpcenvError):
        render("own.sh.j2", [str(folder)], {})


@pytest.mark.parametrize("name", ["../etc/passwd", "/etc/passwd", "a/b.j2", "", "x.sh"])
def test_name_of_a_template_is_no_path(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a template"):
        render(name, [], {})


@pytest.mark.parametrize("path", sorted(PACKAGE_TEMPLATES.glob("*.j2")), ids=lambda path: path.name)
def test_every_package_template_parses_and_quotes_each_value(path: Path) -> None:
    tree = rendering._engine().parse(path.read_text())
    for output in tree.find_all(jinja2.nodes.Output):
        for node in output.nodes:
            assert isinstance(node, jinja2.nodes.TemplateData | jinja2.nodes.Filter), f"{path.name}:{node.lineno}"
    assert list(tree.find_all(jinja2.nodes.Filter)) or not list(tree.find_all(jinja2.nodes.Output))


def no_private_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_hpcenv.site.trust._private_group", lambda gid, uid: False)


def test_users_own_private_group_is_nobody_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_hpcenv.site.trust._private_group", lambda gid, uid: True)
    (folder / "own.sh.j2").write_text("x")
    folder.chmod(0o775)
    assert render("own.sh.j2", [str(folder)], {}) == "x"
