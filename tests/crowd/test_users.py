"""Two Unix users, a and b, on one location that both can write: neither can touch what is the other's.

Each has a real server of their own, under a uid of their own. b also plants what could trap a.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from ..conftest import require
from ..installed import for_everybody
from ..serving import Answer, Documented, Server

A, B, TEAM = 43_001, 43_002, 43_100
ROUNDS = 4


@dataclass
class Person:
    """A user with a home of their own, which nobody else can look into."""

    uid: int
    home: Path
    server: Server

    def run(self, script: str, *arguments: object) -> None:
        """Run a shell script as this person."""
        argv = ["sh", "-euc", script, "sh", *map(str, arguments)]
        subprocess.run(
            [*around(self.uid), *argv], check=True, cwd="/", env={"PATH": os.defpath, "HOME": str(self.home)}
        )

    def ask(self, *what: object) -> Answer:
        answer = self.server.ask(*what)  # type: ignore[arg-type]
        assert answer.status < 500, answer
        assert not answer.code or Documented().errors[answer.code] == answer.status, answer
        return answer

    def names(self) -> dict[str, str]:
        """Return the states of what this person sees, by name."""
        return {row["name"]: row["state"] for row in self.ask("GET", "environments").body}


def around(uid: int) -> list[str]:
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", f"--groups={TEAM}", "--"]


@contextlib.contextmanager
def reachable(prefix: str) -> Iterator[Path]:
    """A folder that every user can reach, unlike pytest's own."""
    require("setpriv, as root,", shutil.which("setpriv") is not None and os.geteuid() == 0)
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def ground() -> Iterator[Path]:
    """Where homes and locations are; in memory where that can be mounted, since disks take long to forget so much."""
    with reachable("hpcenv-users-") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", "size=1g,mode=0755", "tmpfs", str(folder)]
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
        yield folder
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="module")
def python() -> Iterator[str]:
    with reachable("hpcenv-installed-") as folder:
        yield for_everybody(folder)


@pytest.fixture(scope="module", params=[0o1777, 0o2775], ids=["sticky", "group"])
def location(ground: Path, request: pytest.FixtureRequest) -> Path:
    folder = ground / f"shared-{request.param:o}"
    folder.mkdir()
    os.chown(folder, 0, TEAM)
    folder.chmod(request.param)
    return folder


@pytest.fixture(scope="module")
def people(ground: Path, python: str, location: Path) -> Iterator[tuple[Person, Person]]:
    def begin(uid: int) -> Person:
        home = ground / f"home-{uid}-{location.name}"
        (home / ".jupyter").mkdir(parents=True)
        settings = f"c.Site.locations = {{'shared': {str(location)!r}}}\n"
        (home / ".jupyter" / "jupyter_hpcenv_config.py").write_text(settings)
        for each in (home, *home.rglob("*")):
            os.chown(each, uid, uid)
        home.chmod(0o700)
        variables = {"UV_CACHE_DIR": str(home / "cache"), "USER": f"u{uid}", "LOGNAME": f"u{uid}"}
        return Person(uid, home, Server(home, python=python, around=around(uid), variables=variables))

    found: list[Person] = []
    try:
        for uid in (A, B):
            found.append(begin(uid))
        yield found[0], found[1]
    finally:
        for person in found:
            person.server.stop()


def made(person: Person, name: str) -> str:
    return str(person.server.created(name, kernel=False)["id"])


def at_once(*people: Person, name: str) -> list[Answer]:
    with ThreadPoolExecutor(len(people)) as pool:
        return list(pool.map(lambda who: who.ask("POST", "environments", {"name": name, "kernel": False}), people))


def test_each_sees_both_and_changes_only_their_own(people: tuple[Person, Person], location: Path) -> None:
    a, b = people
    mine = made(a, "of-a")
    made(b, "of-b")
    for person in people:
        assert person.names() == {"of-a": "ready", "of-b": "ready"}
    before = snapshot(location / "of-a")
    assert b.ask("DELETE", f"environments/{mine}").code == "refused"
    assert b.ask("DELETE", f"environments/{mine}?now=1&force=1").code == "refused"
    assert b.ask("PATCH", f"environments/{mine}", {"display_name": "b was here"}).code == "refused"
    assert b.ask("PUT", f"environments/{mine}/kernels/hpcenv-shared.of-a", {}).code == "refused"
    assert b.ask("DELETE", f"environments/{mine}/kernels/hpcenv-shared.of-a").code == "refused"
    refused = b.ask("POST", "environments", {"name": "of-a", "kernel": False})
    assert refused.code == "name_taken"
    assert "You have" not in refused.body["message"]
    assert snapshot(location / "of-a") == before

    assert a.ask("DELETE", f"environments/{mine}").status == 200
    assert b.ask("GET", "trash").body == []
    assert b.ask("POST", f"trash/{mine}/restore", {}).code == "not_found"
    assert b.ask("DELETE", f"trash/{mine}").code == "not_found"
    assert b.names() == {"of-b": "ready"}
    assert a.ask("POST", f"trash/{mine}/restore", {}).status == 200
    assert snapshot(location / "of-a") == before
    facts = (location / f".trash-{A}").stat()
    assert (facts.st_uid, facts.st_mode & 0o777) == (A, 0o700)


def snapshot(prefix: Path) -> dict[str, tuple[int, int, int]]:
    """Return owner, mode and time of all that lies in *prefix*, but for what Python compiles when it starts."""
    return {
        str(path.relative_to(prefix)): (facts.st_uid, facts.st_mode, facts.st_mtime_ns)
        for path in prefix.rglob("*")
        if "__pycache__" not in str(path) and (facts := path.lstat())
    }


def test_of_two_who_want_one_name_one_gets_it(people: tuple[Person, Person], location: Path) -> None:
    winners = []
    for number in range(ROUNDS):
        name = f"race-{number}"
        answers = at_once(*people, name=name)
        assert sorted(answer.status for answer in answers) == [202, 409], answers
        assert {answer.code for answer in answers} <= {"", "busy", "name_taken"}
        first = answers[0].status != 202
        winner, loser = people[first], people[not first]
        winners.append(winner.uid)
        done = winner.server.ended(answers[first].body["id"])
        assert done["state"] == "succeeded", done
        identifier = done["environment"]["id"]
        assert (location / name).stat().st_uid == winner.uid
        assert loser.ask("POST", "environments", {"name": name, "kernel": False}).code == "name_taken"
        assert loser.ask("DELETE", f"environments/{identifier}").code == "refused"
        assert winner.ask("DELETE", f"environments/{identifier}?now=1").status == 200
    print(f"winners: {winners}")
    for person in people:
        made(person, f"after-{person.uid}")
    assert not [claim for claim in (location / ".hpcenv" / "claims").iterdir() if not claim.name.startswith(".")]


def test_b_can_not_cancel_or_see_operations_of_a(people: tuple[Person, Person]) -> None:
    a, b = people
    operation = a.ask("GET", "operations").body[0]["id"]
    assert operation not in {each["id"] for each in b.ask("GET", "operations").body}
    assert b.ask("POST", f"operations/{operation}/cancel", {}).code == "not_found"
    assert b.ask("GET", f"operations/{operation}/log").code == "not_found"


RECORDS = {
    "fifo": 'mkfifo "$1/environment.json"',
    "link": 'ln -s "$2/secret" "$1/environment.json"',
    "huge": 'truncate -s 4G "$1/environment.json"',
    "deep": 'head -c 900000 /dev/zero | tr "\\0" "[" > "$1/environment.json"',
    "folder": 'mkdir "$1/environment.json"',
}


@pytest.mark.parametrize("kind", RECORDS)
def test_a_planted_record_is_listed_as_broken_and_hides_nothing(
    people: tuple[Person, Person], location: Path, kind: str
) -> None:
    a, b = people
    name = f"planted-{kind}"
    a.run('echo CANARY-in-the-home-of-a > "$HOME/secret"')
    b.run(f'mkdir -p "$1"; {RECORDS[kind]}', location / name / ".hpcenv", a.home)
    states = a.names()
    assert states[name] == "broken"
    assert [state for other, state in states.items() if not other.startswith("planted-")].count("broken") == 0
    row = next(row for row in a.ask("GET", "environments").body if row["name"] == name)
    assert row["origin"] == "shared"
    assert a.ask("DELETE", f"environments/{row['id']}").code == "refused"
    for path in ("environments", f"environments/{row['id']}", "trash", "kernels"):
        assert b"CANARY" not in a.server.raw("GET", f"hpcenv/{path}")[1]


def test_a_record_with_the_id_of_another_takes_nothing_over(people: tuple[Person, Person], location: Path) -> None:
    a, b = people
    mine = made(a, "zebra")
    script = 'mkdir -p "$1/aardvark/.hpcenv"; sed "s|zebra|aardvark|g" "$1/zebra/.hpcenv/environment.json" > "$1/t"; '
    b.run(script + 'mv "$1/t" "$1/aardvark/.hpcenv/environment.json"', location)
    assert json.loads((location / "aardvark" / ".hpcenv" / "environment.json").read_text())["id"] == mine
    shown = a.ask("GET", f"environments/{mine}").body
    assert (shown["name"], shown["origin"]) == ("zebra", "own")
    assert a.names()["zebra"] == "ready"
    assert a.ask("DELETE", f"environments/{mine}?now=1").status == 200
    assert not (location / "zebra").exists()
    assert (location / "aardvark").exists()
    assert "aardvark" in a.names()


#: A claim that names a and a host that nobody knows.
FORGED = json.dumps(
    {
        "holder": "20260101-000000-00000000",
        "verb": "create",
        "user": f"u{A}",
        "process": {"host": "elsewhere", "boot": "", "pid_namespace": "", "pid": 1, "start": 1},
        "at": "2026-01-01T00:00:00.000Z",
    }
)


@pytest.mark.parametrize("kind", ["fifo", "folder", "garbage", "link", "forged"])
def test_a_planted_claim_is_refused_in_words(people: tuple[Person, Person], location: Path, kind: str) -> None:
    a, b = people
    name = f"claimed-{kind}"
    a.run('echo precious > "$HOME/precious"; chmod 644 "$HOME/precious"')
    plants = {
        "fifo": 'mkfifo "$1"',
        "folder": 'mkdir "$1"',
        "garbage": 'printf "\\000\\033]52;c;eA==\\007" > "$1"',
        "link": 'ln -s "$2/precious" "$1"',
        "forged": f"printf '%s' '{FORGED}' > \"$1\"; touch -d '+1 day' \"$1\"",
    }
    b.run(plants[kind], location / ".hpcenv" / "claims" / name, a.home)
    answer = a.ask("POST", "environments", {"name": name, "kernel": False})
    assert answer.code == "busy"
    said = " ".join([answer.body["message"], *answer.body["hints"]])
    assert f"uid {B}" in said  # whoever it names: the file is b's
    assert str(location / ".hpcenv" / "claims" / name) in said
    assert not (location / name).exists()
    assert (a.home / "precious").read_text() == "precious\n"
    b.run('rm -r "$1"', location / ".hpcenv" / "claims" / name)
    made(a, name)


@pytest.mark.parametrize("kind", ["open", "link", "fifo"])
def test_a_planted_trash_is_refused_and_nothing_moves(people: tuple[Person, Person], location: Path, kind: str) -> None:
    a, b = people
    identifier = made(a, f"treasure-{kind}")
    trash = location / f".trash-{A}"
    shutil.rmtree(trash, ignore_errors=True)  # as it is before the first deletion
    plants = {
        "open": 'mkdir -m 777 "$1"',
        "link": 'mkdir -p -m 777 "$2/loot"; chmod 755 "$2"; ln -s "$2/loot" "$1"',
        "fifo": 'mkfifo "$1"',
    }
    b.run(plants[kind], trash, b.home)
    answer = a.ask("DELETE", f"environments/{identifier}")
    assert answer.code == "refused"
    assert str(trash) in answer.body["message"]
    assert a.ask("GET", "trash").body == []
    assert a.names()[f"treasure-{kind}"] == "ready"
    b.run('rm -r "$1"', trash)
    assert a.ask("DELETE", f"environments/{identifier}").status == 200
    assert a.ask("DELETE", f"trash/{identifier}").status == 204


@pytest.mark.parametrize("kind", ["closed", "link", "fifo", "claims-link"])
def test_a_planted_folder_of_claims_is_refused_and_not_followed(
    people: tuple[Person, Person], location: Path, kind: str
) -> None:
    a, b = people
    ours = location / ".hpcenv"
    kept = location.parent / f"kept-{location.name}"
    ours.rename(kept)
    a.run('mkdir -p "$HOME/private"; chmod 755 "$HOME"')
    plants = {
        "closed": 'mkdir -m 700 "$1"',
        "link": 'ln -s "$2/private" "$1"',
        "fifo": 'mkfifo "$1"',
        "claims-link": 'mkdir -m 777 "$1"; ln -s "$2/private" "$1/claims"',
    }
    try:
        b.run(plants[kind], ours, a.home)
        answer = a.ask("POST", "environments", {"name": f"trapped-{kind}", "kernel": False})
        assert answer.code in ("busy", "location_unavailable", "refused"), answer
        assert str(location) in answer.body["message"]
        assert list((a.home / "private").iterdir()) == []
        assert not (location / f"trapped-{kind}").exists()
        assert "of-b" in a.names()
    finally:
        shutil.rmtree(ours) if ours.is_dir() and not ours.is_symlink() else ours.unlink()
        kept.rename(ours)
        a.home.chmod(0o700)
