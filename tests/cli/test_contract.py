"""Pin what programs get from ``--json`` and from the exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.cli.output import Output
from jupyter_hpcenv.errors import HpcenvError

ENVIRONMENT = {"id", "name", "location", "prefix", "manager", "installer", "python", "state", "origin", "kernels"}


def check_environment(row: dict[str, Any]) -> None:
    assert set(row) >= ENVIRONMENT
    assert all(isinstance(row[key], str) for key in ENVIRONMENT - {"kernels"})
    for kernel in row["kernels"]:
        assert set(kernel) == {"name", "display_name", "path", "source"}


def test_an_environment_from_its_creation_to_its_end(cli: Any) -> None:
    made = cli.data_of("create", "bare", "--no-kernel")
    check_environment(made)
    assert (made["name"], made["location"], made["state"], made["origin"]) == ("bare", "home", "ready", "own")
    assert made["kernels"] == []
    assert (Path(made["prefix"]) / "bin" / "python").exists()

    (row,) = cli.data_of("list")
    check_environment(row)
    assert row["id"] == made["id"]
    assert cli.data_of("show", "home/bare") == cli.data_of("show", made["id"]) == made

    item = cli.data_of("delete", "bare")
    assert set(item) == {"id", "name", "location", "prefix", "path", "python", "deleted", "expires"}
    assert cli.data_of("list") == []
    assert cli.error_of("show", "bare")["code"] == "not_found"
    assert cli.data_of("trash") == [item]

    back = cli.data_of("restore", "bare")
    assert (back["id"], back["state"]) == (made["id"], "ready")
    cli.data_of("delete", made["id"])
    assert [gone["id"] for gone in cli.data_of("trash", "--empty", made["id"])] == [made["id"]]
    assert cli.data_of("trash") == []
    assert not Path(item["path"]).exists()

    cli.data_of("create", "bare", "--no-kernel", "--creator", "venv")
    assert [line.split() for line in cli("show", "bare").stdout.splitlines() if "Made by" in line] == [
        ["Made", "by", "venv"]
    ]
    cli.data_of("delete", "bare", "--now")
    assert cli.data_of("trash") == []
    assert cli.data_of("trash", "--empty") == []


def test_a_kernel_of_an_environment(user: Any) -> None:
    row = user.data_of("show", "climate")
    check_environment(row)
    (kernel,) = row["kernels"]
    assert (kernel["name"], kernel["display_name"]) == ("hpcenv-home.climate", "Climate work")
    assert json.loads((Path(kernel["path"]) / "kernel.json").read_text())["display_name"] == "Climate work"
    assert row["variables"] == {"OMP_NUM_THREADS": "2"}
    (listed,) = user.data_of("kernels")
    assert kernel.pop("source") == "", "it is the environment's own ipykernel"
    assert listed == {**kernel, "environment": row["id"], "location": "home", "state": "ready"}


def test_lists_can_be_narrowed(user: Any) -> None:
    assert [row["name"] for row in user.data_of("list", "clim", "home")] == ["climate"]
    assert [row["name"] for row in user.data_of("list", "--location", "home")] == ["climate"]
    assert user.data_of("list", "clim", "nothing-of-that-kind") == []
    assert user.error_of("list", "--location", "scratch")["code"] == "not_found"


def test_what_the_site_offers(user: Any) -> None:
    pythons = user.data_of("pythons")
    assert pythons
    assert set(pythons[0]) == {"path", "real", "version", "source", "label", "default", "forbidden"}
    (location,) = user.data_of("locations")
    assert (location["name"], location["state"], location["default"]) == ("home", "ready", True)


def test_operations_and_their_logs(user: Any) -> None:
    (operation,) = user.data_of("operations")
    assert (operation["verb"], operation["state"], operation["environment"]["name"]) == (
        "create",
        "succeeded",
        "climate",
    )
    log = user.data_of("log", operation["id"])
    assert set(log) == {"id", "lines"}
    kinds = [line["kind"] for line in log["lines"]]
    assert kinds.count("step") == len(operation["steps"])
    followed = user("log", operation["id"], "--follow", "--json")
    assert followed.returncode == 0
    assert [json.loads(line) for line in followed.stdout.splitlines()] == log["lines"]
    assert user.error_of("cancel", operation["id"])["code"] == "wrong_state"


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (["bogus"], "invalid_request", 2),
        (["list", "--bogus"], "invalid_request", 2),
        (["create"], "invalid_request", 2),
        (["trash", "x"], "invalid_request", 2),
        (["create", "new"], "invalid_name", 2),
        (["create", "a/../b"], "invalid_name", 2),
        (["create", "x", "--var", "NOTHING"], "invalid_variable", 2),
        (["create", "x", "--var", "LD_PRELOAD=x.so"], "invalid_variable", 2),
        (["create", "x", "num py"], "invalid_requirement", 2),
        (["create", "x", "--python", "9.9"], "python_not_found", 2),
        (["create", "x", "--manager", "bogus"], "manager_not_found", 2),
        (["create", "x", "--file", "absent.txt"], "invalid_request", 2),
        (["create", "x", "--location", "home", "--prefix", "/tmp/x"], "invalid_request", 2),
        (["create", "x", "--prefix", "/nowhere/x"], "refused", 5),
        (["show", "absent"], "not_found", 3),
        (["log", "absent"], "not_found", 3),
        (["cancel", "../x"], "not_found", 3),
        (["restore", "absent"], "not_found", 3),
        (["trash", "--empty", "absent"], "not_found", 3),
        (["create", "climate"], "name_taken", 4),
        (["create", "CLIMATE"], "name_taken", 4),
    ],
)
def test_errors_have_a_code_and_an_exit_code(user: Any, arguments: list[str], code: str, exit_code: int) -> None:
    assert user.error_of(*arguments)["code"] == code
    plain = user(*arguments)
    assert plain.returncode == exit_code
    assert plain.stdout == ""
    assert "Error: " in plain.stderr
    assert "Traceback" not in plain.stderr


@pytest.mark.parametrize("name", ["--index-url", "-r", "--extra-index-url=http://x/"])
def test_what_looks_like_an_option_is_none(cli: Any, name: str) -> None:
    assert cli("create", name, "--json").returncode == 2
    document = json.loads(cli("create", "--json", "--", name).stdout)
    assert document["error"]["code"] == "invalid_name"
    document = json.loads(cli("create", "--json", "--", "fine", name).stdout)
    assert document["error"]["code"] == "invalid_requirement"
    assert cli.data_of("operations") == []


def test_a_fault_of_ours_is_one_object_too(cli: Any) -> None:
    (cli.home / ".local").write_text("not a folder")
    document = cli.document("list")
    assert document["ok"] is False
    done = cli("list")
    assert "Traceback" not in done.stderr


def test_a_hint_may_have_lines_and_none_steers_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    error = HpcenvError("It failed.", hints=["Traceback:\n  line 1\n\x1b[2Jboom", "Do this."])
    Output(as_json=False).error(error)
    said = capsys.readouterr().err.splitlines()
    assert [line.replace("\x1b", "ESC") for line in said[1:]] == ["→ Traceback:", "    line 1", said[3], "→ Do this."]
    assert said[3].startswith("  ")
    assert "\x1b" not in said[3]
    assert said[3].endswith("boom")


def test_json_is_ascii_and_holds_the_exact_text(user: Any) -> None:
    evil = "\x1b]52;c;x\x07\x7f\u202eabsent"
    done = user("list", "-D", evil, "--json")
    assert done.stdout.isascii()
    assert done.stdout.strip().isprintable()
    assert evil in json.loads(done.stdout)["error"]["message"]
