"""What the explaining kernel says, and that it stands alone."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_hpcenv.kernels import explain


@pytest.mark.parametrize("reason", explain._FAILURES)
def test_each_reason_says_what_why_and_what_to_do(reason: str) -> None:
    title, why, act = explain.explanation(reason, {"name": "climate", "prefix": "/scratch/ada/climate"})
    assert "“climate”" in title
    about_modules = reason.startswith("modules") or reason in ("no_python", "no_module_system", "activation")
    assert ("/scratch/ada/climate" in why) is not about_modules
    assert "Nothing was run." in why
    assert act.startswith("What to do: ")
    assert "restart this kernel" in act


def test_every_reason_that_a_script_gives_is_known() -> None:
    templates = Path(explain.__file__).parents[1] / "site" / "templates"
    given = set()
    launch = ("launch.sh.j2", "launch_targets.sh.j2", "launch_modules.sh.j2", "launch_conda.sh.j2")
    for name in (*launch, "stub.sh.j2", "stub_used.sh.j2"):
        words = r"(?:hpcenv_explain |HPCENV_REASON=|hpcenv_reason=)([a-z_]+)"
        given |= set(re.findall(words, (templates / name).read_text()))
    assert given == set(explain._FAILURES)


def test_a_missing_build_is_explained_by_target_and_command() -> None:
    facts = {"name": "climate", "location": "scratch", "prefix": "/p", "target": "zen5", "builds": "zen4, zen3"}
    title, why, act = explain.explanation("build_missing", facts)
    assert "“climate” is not built for this computer" in title
    assert "This computer is zen5, and /p has builds for zen4, zen3." in why
    assert "“jupyter hpcenv build scratch/climate --target zen5”" in act
    title, why, said, act = explain.explanation("build_stale", {**facts, "location": "elsewhere"}, "Building it: 1.")
    assert "for zen5 is older than its packages" in title
    assert "Building it: 1." in said
    assert "“jupyter hpcenv build climate --target zen5”" in act


def test_module_systems_words_are_shown_without_what_steers_a_terminal() -> None:
    words = "\x1b[1;31mred\x1b[0m\x1b]52;c;ZXZpbA==\x07 \x1b[2Jno\x9b31m \u202egnp.exe\r\nlast\x00 \udcff"
    said = explain.explanation("modules", {"name": "x"}, words)[2]
    assert said == "The module system said:\n\x1b[1;31mred\x1b[0m]52;c;ZXZpbA== [2Jno31m gnp.exe\nlast ?\x1b[0m"
    assert len(explain.explanation("modules", {}, "x" * 100_000)[2]) < 21_000
    assert explain.explanation("modules", {}, "x" * 100_000 + "the end")[2].endswith("the end\x1b[0m")
    assert explain.explanation("unheard-of", {}) == explain.explanation("incomplete", {})


def test_missing_python_is_named_where_its_links_lead(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to("python3")
    (tmp_path / "bin" / "python3").symlink_to("/opt/python/3.12/bin/python3.12")
    why = explain.explanation("python_gone", {"name": "x", "prefix": str(tmp_path)})[1]
    assert "leads to /opt/python/3.12/bin/python3.12, which does not exist" in why


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to("python")
    assert "does not exist" in explain.explanation("python_gone", {"prefix": str(tmp_path)})[1]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"metadata": 1}', '{"metadata": {"hpcenv": {"name": 1}}}'])
def test_damaged_kernelspec_is_no_obstacle(text: str, tmp_path: Path) -> None:
    (tmp_path / "kernel.json").write_text(text)
    assert explain.facts_of(tmp_path) == {}
    assert explain.explanation("missing", {})


def test_connection_file_is_taken_from_the_kernels_arguments() -> None:
    assert (
        explain.connection_file(["missing", "-Xa=b", "-m", "ipykernel_launcher", "-f", "/run/k.json"]) == "/run/k.json"
    )
    assert explain.connection_file(["missing"]) == ""


def test_imports_nothing_of_ours_and_only_ipykernel_besides() -> None:
    tree = ast.parse(Path(explain.__file__).read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    outside = {name.split(".")[0] for name in names} - sys.stdlib_module_names
    assert outside == {"ipykernel"}


def test_started_by_hand_it_says_the_reason_and_starts_no_kernel() -> None:
    done = subprocess.run(
        [sys.executable, explain.__file__, "modules", "-c", "print(1)"],
        env={"HPCENV_WORDS": "licence server unreachable"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "licence server unreachable" in done.stderr


def test_python_without_ipykernel_says_the_reason_and_fails(tmp_path: Path) -> None:
    copy = tmp_path / "explain.py"
    copy.write_text(Path(explain.__file__).read_text())
    done = subprocess.run(
        [sys.executable, "-S", str(copy), "missing", "-f", "/x"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "is not there" in done.stderr
