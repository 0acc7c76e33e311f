"""A manifest of a hundred environments, applied by an account of its own: killed, resumed, damaged, mended, gone back.

All hundred are built by real workers with real uv. Three of them have a kernel, which is started to prove it; 97 have
none and no packages, because a kernel more tells nothing new and costs two seconds. Each test uses entries of its own
and leaves the hundred as the manifest says.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ..crowd.test_users import reachable
from .building import BUILDER, MEMBER, OUTSIDER, TEAM, Builder

#: What proves, inside the environment, whose process it is.
NOT_ROOT = f'"import os; assert os.getresuid() == ({BUILDER},) * 3"'

PLAIN = [f"name: plain{number:02}, kernel: false" for number in range(48)]
RELEASED = [f'name: old{number:02}, release: "1", kernel: false' for number in range(49)]
KERNELS = [f'name: with{number}, release: "1", test: {NOT_ROOT}, retire: 2999-01-0{number + 1}' for number in range(3)]
HUNDRED = [*PLAIN[:24], *KERNELS, *RELEASED, *PLAIN[24:]]


@dataclass
class World:
    """The account with its hundred environments, and how they came to be."""

    builder: Builder
    begun: dict[str, str]
    """What was built when all was killed."""
    resumed: dict[str, object]


@pytest.fixture(scope="module")
def ground() -> Iterator[Path]:
    """A folder that everybody can reach; in memory where that can be mounted: disks take long to forget so much."""
    with reachable("hpcenv-site-") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", "size=2g,mode=0755", "tmpfs", str(folder)]
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
        yield folder
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="module")
def world(ground: Path, python: str) -> Iterator[World]:
    """Apply the hundred, kill all of it in the middle, and apply it again."""
    builder = Builder(ground / "hundred", python)
    os.chmod(ground / "hundred", 0o755)
    builder.write(*HUNDRED)
    try:
        first = subprocess.Popen(
            builder.command("apply", str(builder.manifest)),
            env=builder.env,
            cwd=builder.home,
            stdout=subprocess.DEVNULL,
        )
        while first.poll() is None and len(builder.built()) < 10:
            time.sleep(0.1)
        ended = first.poll()
        assert ended is None, f"It was to be killed in the middle, and ended by itself with {ended}."
        builder.kill_everything()
        first.wait()
        begun = builder.built()
        yield World(builder, begun, builder.apply())
    finally:
        builder.kill_everything()


@pytest.fixture
def hundred(world: World) -> Iterator[Builder]:
    """The account; afterwards the manifest asks for the hundred again."""
    world.builder.write(*HUNDRED)
    yield world.builder
    world.builder.configure()


def leftovers(builder: Builder) -> list[Path]:
    marks = (".hpcenv-new-", ".hpcenv-gone-", ".next-", ".tmp-", ".hpcenv-tmp-")
    return [path for path in builder.soft.rglob("*") if path.name.startswith(marks)]


def snapshot(*folders: Path) -> dict[str, tuple[int, int, int]]:
    """Return inode, mode and time of all that lies in folders, but for what Python compiles when it starts."""
    found = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if "__pycache__" not in str(path) and "claims" not in str(path):
                facts = path.lstat()
                found[str(path)] = (facts.st_ino, facts.st_mode, facts.st_mtime_ns)
    return found


def test_killed_in_the_middle_it_goes_on_where_it_was(world: World) -> None:
    builder = world.builder
    assert 10 <= len(world.begun) < 100
    steps = world.resumed["steps"]
    assert isinstance(steps, list)
    assert len(steps) == 100
    assert [step for step in steps if step["error"]] == []
    now = builder.built()
    assert len(now) == 100
    assert {place: now[place] for place in world.begun} == world.begun, "nothing was built twice"
    assert leftovers(builder) == []
    for number in range(49):
        assert os.readlink(builder.soft / f"old{number:02}") == f".versions/old{number:02}/1"
    assert [builder.title(f"with{number}") for number in range(3)] == [
        f"with{number} 1 (until 2999-01-0{number + 1})" for number in range(3)
    ]
    assert builder.starts("with1") == str(builder.soft / ".versions" / "with1" / "1")


def test_nothing_of_it_belongs_to_root_or_was_run_by_it(world: World) -> None:
    """Its processes could not become another user's (no-new-privs); so what they wrote tells who they were."""
    builder = world.builder
    owners = {path.lstat().st_uid for folder in (builder.soft, builder.kernels) for path in folder.rglob("*")}
    assert owners == {BUILDER}
    assert {builder.record(f"with{number}")["owner"] for number in range(3)} == {"builder"}
    assert all(builder.record(f"with{number}")["preinstalled"]["tested"] for number in range(3))


def test_root_is_refused_before_anything_is_touched(hundred: Builder, tmp_path: Path) -> None:
    before = snapshot(hundred.soft, hundred.kernels)
    hundred.write(*HUNDRED, 'name: by-root, release: "1"')
    env = {**hundred.env, "HOME": str(tmp_path), "USER": "root", "LOGNAME": "root"}
    shutil.copytree(hundred.home / ".jupyter", tmp_path / ".jupyter")
    for options in ([], ["--dry-run"], ["--rollback", "with0"]):
        argv = [hundred.python, "-m", "jupyter_hpcenv.cli", "apply", str(hundred.manifest), "--json", *options]
        done = subprocess.run(argv, env=env, cwd="/", capture_output=True, text=True)
        assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (1, "refused")
        assert "account" in json.loads(done.stdout)["error"]["hints"][0]
    assert snapshot(hundred.soft, hundred.kernels) == before
    assert not (tmp_path / ".local").exists()


def test_a_second_run_changes_nothing(hundred: Builder) -> None:
    before = snapshot(hundred.soft, hundred.kernels)
    assert hundred.acts("--dry-run") == {}
    assert hundred.acts() == {}
    assert snapshot(hundred.soft, hundred.kernels) == before


def test_what_the_manifest_does_not_ask_for_any_more_goes_only_when_told_to(hundred: Builder) -> None:
    left = [entry for entry in HUNDRED if "plain07" not in entry and "with2" not in entry]
    hundred.write(*left)
    assert hundred.acts("--dry-run") == {"plain07": "left", "with2 1": "left"}
    assert hundred.acts() == {"plain07": "left", "with2 1": "left"}
    assert hundred.title("with2")
    assert hundred.acts("--dry-run", "--prune", code=2) == {"plain07": "prune", "with2 1": "prune"}
    assert hundred.acts("--prune", "--limit", "1") == {"plain07": "prune", "with2 1": "prune"}
    assert hundred.title("with2")
    assert hundred.acts("--prune") == {"with2 1": "prune"}
    assert len(hundred.built()) == 98
    assert not hundred.title("with2")
    assert not (hundred.soft / "with2").is_symlink()
    assert hundred.acts("--dry-run", "--prune") == {}

    hundred.write()
    refused = hundred.apply("--prune", code=1)
    assert "98" in refused["message"]
    assert "--prune-limit 98" in refused["hints"][1]
    assert len(hundred.built()) == 98

    hundred.write(*left, "name: broken, location: nowhere")
    steps = hundred.apply("--prune", code=1)["steps"]
    assert [step["name"] for step in steps if step["error"]] == ["broken"]

    hundred.write(*HUNDRED)
    assert hundred.acts() == {"plain07": "build", "with2 1": "build"}
    assert len(hundred.built()) == 100


def test_what_was_damaged_by_hand_is_repaired(hundred: Builder) -> None:
    soft, kernels = hundred.soft, hundred.kernels
    others = snapshot(soft / "plain00", soft / ".versions" / "old00")
    shutil.rmtree(soft / "plain01")
    (soft / "plain02" / "bin" / "python").unlink()
    shutil.rmtree(soft / ".versions" / "old01" / "1" / "lib")
    (soft / "old02").unlink()
    (soft / "old03").unlink()
    (soft / "old03").symlink_to(".versions/old03/2")
    shutil.rmtree(kernels / "hpcenv-site.with0")
    with (kernels / "hpcenv-site.with1" / "launch").open("a") as launch:
        launch.write("echo changed\n")
    wanted = {
        "plain01": "repair",
        "plain02": "repair",
        "old01 1": "repair",
        "old02 1": "finish",
        "old03 1": "finish",
        "with0 1": "finish",
        "with1 1": "finish",
    }
    assert hundred.acts("--dry-run", code=2) == wanted
    assert hundred.acts() == wanted
    assert hundred.acts("--dry-run") == {}
    assert (soft / "plain01" / "bin" / "python").exists()
    assert os.readlink(soft / "old03") == ".versions/old03/1"
    assert hundred.starts("with0") == str(soft / ".versions" / "with0" / "1")
    assert "changed" not in (kernels / "hpcenv-site.with1" / "launch").read_text()
    assert snapshot(soft / "plain00", soft / ".versions" / "old00") == others


def test_with_verify_each_file_is_compared(hundred: Builder) -> None:
    damaged = next((hundred.soft / "with0" / "lib").glob("python*/site-packages/ipykernel/kernelapp.py"))
    text = damaged.read_bytes()
    os.unlink(damaged)  # it may be a link into the cache, which keeps what it has
    damaged.write_bytes(text[:100])
    os.chown(damaged, BUILDER, BUILDER)
    assert hundred.acts("--dry-run") == {}
    assert hundred.acts("--dry-run", "--verify", code=2) == {"with0 1": "repair"}
    hundred.acts("--verify")
    assert damaged.read_bytes() == text


def test_a_release_is_switched_and_taken_back(hundred: Builder) -> None:
    def with_release(release: str, more: str = "") -> None:
        changed = [e for e in HUNDRED if "name: with0" not in e]
        hundred.write(*changed, f'name: with0, release: "{release}"{more}', top="keep: 1\n")

    versions = hundred.soft / ".versions" / "with0"
    first = hundred.built()[str(versions / "1")]
    with_release("2")
    steps = hundred.apply()["steps"]
    assert {s["release"]: s["act"] for s in steps if s["name"] == "with0"} == {"2": "build", "1": "left"}
    assert next(s["why"] for s in steps if s["act"] == "left") == "Everybody was given it until now."
    shown = json.loads(hundred.run("show", "site/with0", "--json").stdout)["data"]
    assert (shown["name"], shown["prefix"]) == ("with0-2", str(versions / "2")), "by the name that the manifest has"
    assert (hundred.title("with0"), hundred.starts("with0")) == ("with0 2", str(versions / "2"))
    assert hundred.built()[str(versions / "1")] == first

    with_release("3", ', test: "import nothing_of_that_name"')
    report = hundred.apply(code=1)
    (failed,) = [step for step in report["steps"] if step["error"]]
    assert "nothing_of_that_name" in failed["hints"][-1]
    assert (hundred.title("with0"), hundred.starts("with0")) == ("with0 2", str(versions / "2"))

    with_release("2")
    hundred.apply("--rollback", "with0")
    assert (hundred.title("with0"), hundred.starts("with0")) == ("with0 1", str(versions / "1"))
    assert hundred.acts()["with0 2"] == "held"
    assert hundred.starts("with0") == str(versions / "1")
    assert "no release of with0 before 1" in hundred.apply("--rollback", "with0", code=1)["message"]
    assert "stands alone" in hundred.apply("--rollback", "with0", "--forward", "with0", code=1)["message"]
    hundred.apply("--forward", "with0")
    assert (hundred.title("with0"), hundred.starts("with0")) == ("with0 2", str(versions / "2"))
    assert "held" not in hundred.acts().values()
    assert "No release of with0 is held back" in hundred.apply("--forward", "with0", code=1)["message"]
    hundred.apply("--rollback", "with0")
    assert hundred.starts("with0") == str(versions / "1")

    with_release("3")
    acts = hundred.acts("--prune")
    assert acts == {"with0 3": "finish", "with0 1": "left", "with0 2": "left"}, "3 was built already; 1 was in use"
    assert hundred.starts("with0") == str(versions / "3")
    assert hundred.acts("--prune") == {"with0 1": "left", "with0 2": "prune"}, "nobody goes back to what was no good"
    hundred.apply("--rollback", "with0")
    assert hundred.starts("with0") == str(versions / "1")
    hundred.write(*HUNDRED, top="keep: 0\n")
    assert hundred.acts("--prune")["with0 3"] == "prune"
    assert sorted(each.name for each in versions.iterdir() if each.name[0] != ".") == ["1"]
    assert hundred.title("with0") == "with0 1 (until 2999-01-01)"


def test_a_release_does_not_change(hundred: Builder) -> None:
    changed = ['name: old04, release: "1", kernel: false, packages: [six]' if "old04" in e else e for e in HUNDRED]
    hundred.write(*changed)
    before = hundred.built()
    report = hundred.apply(code=1)
    (failed,) = [step for step in report["steps"] if step["error"]]
    assert (failed["name"], failed["hints"]) == ("old04", ["Give it another release."])
    assert hundred.built() == before


def test_what_has_no_releases_changes_in_place(hundred: Builder) -> None:
    def entry(text: str) -> None:
        hundred.write(*[f"name: plain03, kernel: false, {text}" if "plain03" in e else e for e in HUNDRED])

    before = hundred.record("plain03")["id"]
    entry("packages: [six]")
    assert hundred.acts("--dry-run", code=2) == {"plain03": "change"}
    assert hundred.acts() == {"plain03": "change"}
    assert hundred.record("plain03")["packages"] == ["six"]
    entry('packages: [six, tabulate], test: "import six, nothing_of_that_name"')
    hundred.apply(code=1)
    assert hundred.record("plain03")["packages"] == ["six"], "what fails its test is taken back"
    assert hundred.record("plain03")["id"] == before
    entry('packages: [six], variables: {OMP_NUM_THREADS: "2"}, test: "import nothing_of_that_name"')
    hundred.apply(code=1)
    assert (hundred.record("plain03")["id"], hundred.record("plain03")["variables"]) == (before, {})
    entry('packages: [six], variables: {OMP_NUM_THREADS: "2"}')
    assert hundred.acts() == {"plain03": "replace"}
    assert hundred.record("plain03")["variables"] == {"OMP_NUM_THREADS": "2"}
    hundred.write(*HUNDRED)
    assert hundred.acts() == {"plain03": "replace"}


def test_only_those_who_may_see_it_do(ground: Path, python: str) -> None:
    builder = Builder(ground / "closed", python, groups=(TEAM,))
    builder.write(
        f'name: for-team, release: "1", visible: {{groups: ["{TEAM}"]}}',
        f'name: for-one, visible: {{groups: ["{TEAM + 1}"], users: ["{MEMBER}"]}}',
    )
    builder.acts()
    team, one = builder.soft / ".versions" / "for-team" / "1", builder.soft / "for-one"
    assert builder.starts("for-team", MEMBER, TEAM) == str(team)
    assert builder.starts("for-team", OUTSIDER) == ""
    assert builder.starts("for-one", MEMBER) == builder.starts("for-one", OUTSIDER, TEAM + 1) == str(one)
    assert builder.starts("for-one", OUTSIDER, TEAM) == ""
    seen = (
        "import os, sys; print([n for n in os.listdir(sys.argv[1]) if os.access(f'{sys.argv[1]}/{n}/kernel.json', 4)])"
    )
    argv = ["setpriv", f"--reuid={OUTSIDER}", f"--regid={OUTSIDER}", "--clear-groups", "--"]
    done = subprocess.run([*argv, python, "-c", seen, str(builder.kernels)], cwd="/", capture_output=True, text=True)
    assert done.stdout == "[]\n"
    assert builder.acts("--dry-run") == {}
    builder.write('name: for-team, release: "1"', f'name: for-one, visible: {{users: ["{MEMBER}"]}}')
    assert builder.acts() == {"for-team 1": "finish", "for-one": "finish"}
    assert builder.starts("for-team", OUTSIDER) == str(team)
    assert builder.starts("for-one", OUTSIDER, TEAM + 1) == ""
    assert builder.acts("--dry-run") == {}


def test_nobody_sees_what_is_not_for_them_before_it_was_tested(ground: Path, python: str) -> None:
    builder = Builder(ground / "shut", python, groups=(TEAM,))
    top, team = '"import os, sys; assert not os.stat({}).st_mode & 0o007"', f"visible: {{groups: ['{TEAM}']}}"
    alone = f"name: alone, kernel: false, {team}, test: {top.format('sys.prefix')}"
    released = f"name: many, release: '1', kernel: false, {team}, test: {top.format('os.path.dirname(sys.prefix)')}"
    builder.write(alone, released)
    assert builder.acts() == {"alone": "build", "many 1": "build"}
    fails = 'test: "import nothing_of_that_name"'
    builder.write(
        alone,
        released,
        f"name: bad, kernel: false, {team}, {fails}",
        f"name: open, kernel: false, {fails}",
        f"name: bad-too, release: '1', kernel: false, {team}, {fails}",
        "name: unknown, kernel: false, visible: {groups: [no-such-group]}",
    )
    failed = [step["name"] for step in builder.apply(code=1)["steps"] if step["error"]]
    assert failed == ["bad", "open", "bad-too", "unknown"]
    modes = {name: (builder.soft / name).stat().st_mode & 0o007 for name in ("bad", "open", ".versions/bad-too")}
    assert modes == dict.fromkeys(modes, 0)
    assert not (builder.soft / "unknown").exists()
    shutil.rmtree(builder.soft / "alone")
    builder.write(alone, released)
    assert builder.acts() == {"alone": "repair", "bad": "left", "open": "left", "bad-too 1": "left"}


def test_a_record_that_was_cut_is_written_anew(ground: Path, python: str) -> None:
    builder = Builder(ground / "cut", python)
    places = ("alone", ".versions/many/1")

    def cut(*names: str) -> None:
        for name in names:
            (builder.soft / name / ".hpcenv" / "environment.json").write_text("")

    builder.write("name: alone, kernel: false", 'name: many, release: "1", kernel: false')
    builder.acts()
    before = [builder.record(place)["id"] for place in places]
    cut(*places)
    assert builder.acts("--dry-run", code=2) == {"alone": "repair", "many 1": "repair"}
    assert builder.acts() == {"alone": "repair", "many 1": "repair"}
    assert [builder.record(place)["id"] for place in places] == before
    assert builder.acts("--dry-run") == {}

    builder.write("name: alone, kernel: false", 'name: many, release: "2", kernel: false')
    assert builder.acts() == {"many 2": "build", "many 1": "left"}
    cut(*places)
    assert builder.run("rebuild", "many-1").returncode == 0, "also what no link leads to"
    assert builder.run("delete", "alone").returncode == 0
    assert not (builder.soft / "alone").exists()
    late = builder.soft / places[1] / ".hpcenv" / "environment.json"
    late.write_text(json.dumps({**json.loads(late.read_text()), "created": "2999-01-01T00:00:00Z"}))
    builder.apply("--rollback", "many")
    assert os.readlink(builder.soft / "many") == places[1], "clocks do not say which release was before"


def test_without_a_label_of_its_own_a_manifest_removes_nothing(ground: Path, python: str) -> None:
    builder = Builder(ground / "label", python)
    builder.manifest.write_text("version: 1\nenvironments: []\n")
    assert "no “label”" in builder.apply("--prune", code=1)["message"]
    assert "no “label”" in builder.apply("--prune", "--dry-run", code=1)["message"]
    builder.apply()


def test_the_sites_own_program_is_called_after_changes_until_it_succeeds(hundred: Builder, tmp_path: Path) -> None:
    calls = hundred.home / "calls"
    program = hundred.home / "publish"
    program.write_text(f'#!/bin/sh\necho "$1" >> {calls}\n[ ! -e {calls}.fail ]\n')
    program.chmod(0o755)
    hundred.configure(publish_command=[str(program), "software.example.org"])
    hundred.acts()
    assert not calls.exists()
    (hundred.home / "calls.fail").touch()
    (hundred.soft / "old05").unlink()
    assert "publish" in hundred.acts(code=1)
    (hundred.home / "calls.fail").unlink()
    assert hundred.acts() == {"publish": "finish"}
    assert hundred.acts() == {}
    assert calls.read_text() == "software.example.org\n" * 2


def test_another_run_at_the_same_time_is_refused_and_other_mistakes_are_told(hundred: Builder) -> None:
    hold = (
        "import sys; from jupyter_hpcenv.admission import Admission; from pathlib import Path\n"
        "run = Admission().applying(Path(sys.argv[1]))\n"
        "with run._alone(): print('held', flush=True); sys.stdin.read()\n"
    )
    argv = [*hundred.command()[:-2], "-c", hold, str(hundred.manifest)]
    with subprocess.Popen(
        argv, env=hundred.env, cwd=hundred.home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        assert hundred.apply(code=1)["code"] == "busy"
        assert hundred.acts("--dry-run") == {}
        holder.stdin.close()
    assert hundred.acts() == {}
    assert hundred.run("apply", str(hundred.manifest), "--dry-run", "--no-such-option").returncode == 1
    assert hundred.run("apply", "no-such-file.yaml", "--dry-run").returncode == 1
    hundred.manifest.write_text("version: 1\nenvironments:\n- {name: x, packges: [six]}\n")
    assert hundred.apply("--dry-run", code=1)["hints"] == ["Did you mean “packages”?"]


def test_the_policy_holds_for_manifests(hundred: Builder) -> None:
    policy = hundred.folder / "policy.toml"
    policy.write_text('version = 1\n[enforced]\ndenied = {six = "Take the module."}\n')
    hundred.env["HPCENV_POLICY"] = str(policy)
    try:
        hundred.write(*HUNDRED, "name: denied, packages: [six], kernel: false")
        (failed,) = [step for step in hundred.apply(code=1)["steps"] if step["error"]]
        assert failed["name"] == "denied"
        assert "Take the module." in " ".join([failed["error"], *failed["hints"]])
    finally:
        del hundred.env["HPCENV_POLICY"]
    assert not (hundred.soft / "denied").exists()
