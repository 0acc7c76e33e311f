"""a shares an environment, b uses it: b gets a kernel and nothing to write, and what c can change is not trusted.

Three users with a home of their own, which nobody else can look into, on one location; all by the command line.
"""

from __future__ import annotations

import grp
import hashlib
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ..installed import for_everybody
from ..serving import CHECKOUT, KEPT, Server
from .test_users import reachable

A, B, C, TEAM = 43_001, 43_002, 43_003, 43_100

#: Start a kernel as Jupyter does, evaluate expressions in it, and print what it says; in a process of the user.
CELL = """
import json, sys
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name=sys.argv[1], startup_timeout=60)
try:
    given = json.loads(sys.argv[2])
    reply = client.execute("", user_expressions=given, reply=True, timeout=60)["content"]
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
print(json.dumps(reply))
"""


@dataclass
class Person:
    """A user who works by the command line."""

    uid: int
    home: Path
    python: str
    groups: object = TEAM

    @property
    def env(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        mine = {"HOME": str(self.home), "USER": f"u{self.uid}", "LOGNAME": f"u{self.uid}", "JUPYTER_PLATFORM_DIRS": "0"}
        cache = {"UV_CACHE_DIR": str(self.home / "cache"), "PIP_CONFIG_FILE": os.devnull}
        return {**kept, **mine, **cache, "PATH": f"{Path(self.python).parent}:{os.defpath}"}

    def run(self, argv: list[Any], **variables: str) -> subprocess.CompletedProcess[str]:
        around = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", f"--groups={self.groups}", "--"]
        env = {**self.env, **variables}
        return subprocess.run([*around, *map(str, argv)], capture_output=True, text=True, cwd="/", env=env, timeout=200)

    def sh(self, script: str, *arguments: object) -> None:
        done = self.run(["sh", "-euc", script, "sh", *arguments])
        assert done.returncode == 0, done.stderr

    def answer(self, *arguments: object) -> dict[str, Any]:
        done = self.run([self.python, "-m", "jupyter_hpcenv.cli", *arguments, "--json"])
        assert done.stdout, done.stderr
        return dict(json.loads(done.stdout))

    def data(self, *arguments: object) -> Any:
        found = self.answer(*arguments)
        assert found["ok"], found
        return found["data"]

    def error(self, *arguments: object) -> str:
        found = self.answer(*arguments)
        assert not found["ok"], found
        return " ".join([found["error"]["code"] + ":", found["error"]["message"], *found["error"]["hints"]])

    def cell(self, kernel: str, given: dict[str, str], **variables: str) -> dict[str, Any]:
        done = self.run([self.python, "-P", "-c", CELL, kernel, json.dumps(given)], **variables)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout.splitlines()[-1]))

    def explained(self, kernel: str) -> str:
        reply = self.cell(kernel, {})
        assert reply["status"] == "error", reply
        return "\n".join(reply["traceback"])


@pytest.fixture(scope="module")
def ground() -> Iterator[Path]:
    with reachable("hpcenv-share-") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", "size=2g,mode=0755", "tmpfs", str(folder)]
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
        yield folder
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="module")
def location(ground: Path) -> Path:
    folder = ground / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


@pytest.fixture(scope="module")
def people(ground: Path, location: Path) -> Iterator[dict[int, Person]]:
    with reachable("hpcenv-installed-") as installed:
        python = for_everybody(installed)
        found = {}
        for uid in (A, B, C):
            home = ground / f"home-{uid}"
            (home / ".jupyter").mkdir(parents=True)
            places = {"shared": {"root": str(location), "sharing": True}, "home": "{data_dir}/environments"}
            settings = f"c.Site.locations = {places!r}\nc.Site.cluster = 'test'\n"
            (home / ".jupyter" / "jupyter_hpcenv_config.py").write_text(settings)
            for each in (home, *home.rglob("*")):
                os.chown(each, uid, uid)
            home.chmod(0o700)
            found[uid] = Person(uid, home, python)
        yield found


@pytest.fixture(scope="module")
def a(people: dict[int, Person]) -> Person:
    return people[A]


@pytest.fixture(scope="module")
def b(people: dict[int, Person]) -> Person:
    return people[B]


@pytest.fixture(scope="module")
def climate(a: Person, location: Path) -> Path:
    """An environment with a kernel that a has made and shares with everybody."""
    a.sh('mkdir -p "$HOME/cache"')
    a.data("create", "climate", "--location", "shared", "--python", "/usr/bin/python3", "--var", "MODEL=icon")
    cached = digests(a.home / "cache")
    assert any(path.stat().st_nlink > 1 for path in files(location / "climate")), "nothing is linked to a cache"
    a.data("share", "climate", "--everybody")
    assert digests(a.home / "cache") == cached, "modes and bytes of the cache are as before"
    return location / "climate"


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]


def digests(folder: Path) -> dict[str, tuple[int, int, str]]:
    return {
        str(path): (
            stat.S_IMODE(path.stat().st_mode),
            path.stat().st_gid,
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in files(folder)
    }


def test_what_is_shared_can_be_read_and_not_be_written(a: Person, climate: Path) -> None:
    for path in (climate, *climate.rglob("*")):
        facts = path.lstat()
        if stat.S_ISLNK(facts.st_mode):
            continue
        assert facts.st_uid == A
        assert not facts.st_mode & 0o6022, path
        assert path.is_dir() or facts.st_nlink == 1, path
        assert facts.st_mode & 0o004 or ".hpcenv" in path.parts, path
    assert list(climate.rglob("site-packages/ipykernel/__pycache__/kernelapp*.pyc"))
    shown = a.data("show", "climate")
    assert shown["shared"] == {"group": ""}
    assert not (climate / ".hpcenv" / "share.json").exists()


def test_b_sees_it_uses_it_and_runs_a_cell(a: Person, b: Person, climate: Path) -> None:
    [row] = [row for row in b.data("list") if row["name"] == "climate"]
    assert (row["origin"], row["kernels"]) == ("shared", [])
    before = digests(climate)
    used = b.data("use", "shared/climate")
    [kernel] = used["kernels"]
    assert Path(kernel["path"]).is_relative_to(b.home)
    b.sh('mkdir -p "$1"; echo "raise SystemExit" > "$1/intruder.py"', local := b.home / "evil")
    b.sh(
        'd=$("$1" -c "import site; print(site.getusersitepackages())"); mkdir -p "$d"; touch "$d/mine.py"',
        "/usr/bin/python3",
    )
    given = {
        "prefix": "__import__('sys').prefix",
        "uid": "__import__('os').getuid()",
        "mine": "__import__('importlib.util').util.find_spec('mine')",
        "intruder": "__import__('importlib.util').util.find_spec('intruder')",
        "model": "__import__('os').environ['MODEL']",
        "path": "__import__('os').environ['PATH']",
        "library": "__import__('os').environ.get('LD_LIBRARY_PATH')",
        "conda": "[n for n in __import__('os').environ if n.startswith('CONDA')]",
        "writable": f"[p for p, _, _ in __import__('os').walk({str(climate)!r}) if __import__('os').access(p, 2)]",
    }
    steering = {
        "PYTHONPATH": str(local),
        "CONDA_PREFIX": "/nowhere",
        "CONDA_EXE": "/nowhere/conda",
        "LOADEDMODULES": "gcc/12",
        "LD_LIBRARY_PATH": "/nowhere/lib",
    }
    path = f"{b.home}/bin:{b.env['PATH']}"
    reply = b.cell(kernel["name"], given, **steering, PATH=path)
    said = {name: each["data"]["text/plain"] for name, each in reply["user_expressions"].items()}
    assert said.pop("path").startswith(f"'{climate}/bin:")
    assert str(b.home) not in reply["user_expressions"]["path"]["data"]["text/plain"]
    assert said == {
        "prefix": f"'{climate}'",
        "uid": str(B),
        "mine": "None",
        "intruder": "None",
        "model": "'icon'",
        "library": "None",
        "conda": "[]",
        "writable": "[]",
    }
    assert digests(climate) == before
    assert b.error("delete", "climate").startswith("refused:")
    assert b.error("install", "climate", "six").startswith("refused:")
    assert b.error("share", "climate", "--everybody").startswith("refused:")


def spoilt(a: Person, climate: Path) -> dict[str, tuple[Callable[[], None], Callable[[], None], str]]:
    """What may happen to what b trusts: how, how it is undone, and what b reads then."""
    place, aside = climate.parent, climate.with_name("aside")
    packages = next(climate.glob("lib/python3*/site-packages"))

    def chmod(path: Path, mode: int) -> Callable[[], None]:
        return lambda: path.chmod(mode)

    def another() -> None:
        a.sh('mv "$1" "$2"; cp -a "$2" "$1"', climate, aside)

    def back() -> None:
        shutil.rmtree(climate)
        aside.rename(climate)

    return {
        "widened": (chmod(climate, 0o777), chmod(climate, 0o755), f"Everybody can write {climate} now"),
        "packages": (chmod(packages, 0o775), chmod(packages, 0o755), f"The group {A} can write {packages} now"),
        "kernel": (
            chmod(packages / "ipykernel/__init__.py", 0o666),
            chmod(packages / "ipykernel/__init__.py", 0o644),
            f"Everybody can write {packages}/ipykernel/__init__.py now",
        ),
        "above": (chmod(place, 0o777), chmod(place, 0o1777), f"Everybody can write {place} now"),
        "owner": (
            lambda: os.chown(climate, C, C),
            lambda: os.chown(climate, A, A),
            f"{climate} belongs to uid {C} now",
        ),
        "inode": (another, back, f"Another folder lies at {climate} now"),
        "closed": (chmod(climate, 0o700), chmod(climate, 0o755), "not shared with you any more"),
    }


def in_use(b: Person) -> str:
    """Let b use it, unless that is so already, and return the name of the kernel."""
    name = "hpcenv-shared.climate"
    if not (b.home / ".local/share/jupyter/kernels" / name).exists():
        assert b.data("use", "shared/climate")["kernels"][0]["name"] == name
    return name


@pytest.mark.parametrize("kind", ["widened", "packages", "kernel", "above", "owner", "inode", "closed"])
def test_what_was_trusted_and_changed_is_explained(a: Person, b: Person, climate: Path, kind: str) -> None:
    kernel = in_use(b)
    spoil, undo, said = spoilt(a, climate)[kind]
    spoil()
    try:
        assert said in b.explained(kernel)
    finally:
        undo()
    if kind == "widened":
        assert b.cell(kernel, {"one": "1"})["status"] == "ok"


@pytest.mark.parametrize("kind", ["widened", "packages", "above", "owner"])
def test_what_others_can_write_is_not_used(a: Person, b: Person, climate: Path, kind: str) -> None:
    spoil, undo, _ = spoilt(a, climate)[kind]
    if b.data("show", "shared/climate")["kernels"]:
        b.data("unuse", "shared/climate")
    spoil()
    try:
        said = b.error("use", "shared/climate")
    finally:
        undo()
    assert said.startswith(("refused:", "broken_record:", "wrong_state:")), said
    assert not list((b.home / ".local/share/jupyter/kernels").glob("hpcenv-*"))
    assert not list((b.home / ".local/share/jupyter/hpcenv/used").glob("*"))


def test_a_single_file_that_others_can_write_is_found(b: Person, climate: Path) -> None:
    file = next(climate.glob("lib/python3*/site-packages/ipykernel/kernelapp.py"))
    file.chmod(0o666)
    try:
        said = b.error("use", "shared/climate")
    finally:
        file.chmod(0o644)
    assert said.startswith("refused:")
    assert str(file) in said


@pytest.fixture(scope="module")
def bare(a: Person, location: Path) -> Path:
    """Another one of a's, which is not shared with anybody."""
    a.data("create", "bare", "--location", "shared", "--python", "/usr/bin/python3", "--no-kernel")
    return location / "bare"


def test_what_is_not_shared_is_not_used(a: Person, b: Person, bare: Path) -> None:
    assert "has not shared" in b.error("use", "shared/bare")
    assert a.error("share", "bare").startswith("invalid_request:")
    assert "no group" in a.error("share", "bare", "--group", "nobody-has-this")
    assert "not a member" in a.error("share", "bare", "--group", "0")


def test_of_several_builds_b_uses_the_one_for_the_computer(a: Person, b: Person, location: Path) -> None:
    """One is built before it is shared, one after; b starts what b has looked at, and on no other kind of computer."""

    def on(target: str, person: Person, *arguments: object) -> dict[str, Any]:
        closed = ["sh", "-c", 'umask 077; exec "$@"', "sh"]  # so that what is open was opened by sharing
        argv = [*closed, person.python, "-m", "jupyter_hpcenv.cli", *arguments, "--json"]
        return dict(json.loads(person.run(argv, VSC_ARCH_LOCAL=target).stdout))

    asked = ("--location", "shared", "--python", "/usr/bin/python3", "--no-kernel", "--target", "zen4")
    made = on("zen4", a, "create", "twofold", *asked)["data"]
    assert on("zen5", a, "build", "twofold")["ok"]
    assert on("zen4", a, "share", "twofold", "--everybody")["ok"]
    assert on("zen6", a, "build", "twofold")["ok"]
    refused = on("zen9", b, "use", "shared/twofold")
    assert "has builds for zen4, zen5, zen6, and this computer is zen9" in refused["error"]["message"]
    for target in ("zen5", "zen6"):
        answer = on(target, b, "use", "shared/twofold")
        assert answer["ok"], answer
        used = answer["data"]
        launch = b.home / ".local/share/jupyter/hpcenv/used" / used["id"] / "launch"
        code = ["-c", "import sys; print(sys.prefix)"]
        assert (
            b.run([launch, *code], VSC_ARCH_LOCAL=target).stdout.strip() == f"{made['prefix']}/.hpcenv/builds/{target}"
        )
        assert "build_missing" in b.run([launch, *code], VSC_ARCH_LOCAL="zen4").stderr
        assert on(target, b, "unuse", used["id"])["ok"]


def test_where_the_site_does_not_want_it_nothing_is_shared(a: Person) -> None:
    a.data("create", "athome", "--location", "home", "--python", "/usr/bin/python3", "--no-kernel")
    said = a.error("share", "athome", "--everybody")
    assert "not for sharing" in said
    assert "“jupyter hpcenv move athome shared”" in said


def test_what_colleagues_could_not_get_to_is_not_shared(a: Person, location: Path, bare: Path) -> None:
    modes = [stat.S_IMODE(path.lstat().st_mode) for path in sorted(bare.rglob("*"))]
    os.chown(location, 0, TEAM)
    location.chmod(0o1770)
    try:
        said = a.error("share", "bare", "--everybody")
    finally:
        os.chown(location, 0, 0)
        location.chmod(0o1777)
    assert said.startswith("refused:")
    assert f"everybody could not get to it through {location}" in said
    assert modes == [stat.S_IMODE(path.lstat().st_mode) for path in sorted(bare.rglob("*"))]


def test_share_with_a_group_and_take_it_back(a: Person, people: dict[int, Person], bare: Path) -> None:
    """Folders pass the group on, and whoever is not in it sees nothing; a planted hard link is not touched."""
    a.sh('echo precious > "$HOME/precious"; chmod 640 "$HOME/precious"; ln "$HOME/precious" "$1/note"', bare)
    a.sh('ln -s "$HOME" "$1/home-of-a"; mkfifo "$1/pipe"; chmod 600 "$1/pipe"', bare)
    a.sh('echo CANARY > "$1/.hpcenv/note-of-a"; chmod 600 "$1/.hpcenv/note-of-a"', bare)
    a.data("share", "bare", "--group", TEAM)
    for path in (bare, *bare.rglob("*")):
        facts = path.lstat()
        if path.is_symlink() or path.name == "pipe" or ".hpcenv" in path.parts:
            continue
        assert facts.st_gid == TEAM, path
        assert not facts.st_mode & 0o4027, path
        assert bool(facts.st_mode & stat.S_ISGID) == path.is_dir(), path
    assert stat.S_IMODE((bare / ".hpcenv" / "note-of-a").stat().st_mode) == 0o600, "what is of ours and not for others"
    precious = (a.home / "precious").stat()
    assert (stat.S_IMODE(precious.st_mode), precious.st_gid, precious.st_nlink) == (0o640, A, 1)
    assert stat.S_IMODE(a.home.stat().st_mode) == 0o700
    b, stranger = people[B], Person(C, people[C].home, a.python, groups=C)
    program = [f"{bare}/bin/python", "-c", "print(1)"]
    assert b.run(program).returncode == 0
    assert stranger.run(["test", "-r", bare]).returncode != 0
    a.data("unshare", "bare")
    assert b.run(["test", "-x", bare]).returncode != 0
    assert "bare" not in [row["name"] for row in b.data("list")], "what is closed to b is no news to b"
    assert a.run(program).returncode == 0
    assert a.data("show", "bare")["shared"] is None
    assert "not shared" in a.error("unshare", "bare")


#: What b plants as an environment of a colleague.
PLANTED = {
    "link": 'ln -s "$2/secret" "$1/.hpcenv/environment.json"',
    "fifo": 'mkfifo "$1/.hpcenv/environment.json"',
    "giant": 'truncate -s 4G "$1/.hpcenv/environment.json"',
    "another name": 'sed "s|/climate\\"|/planted-another-name\\"|g; s|: \\"climate\\"|: \\"numpy\\"|" '
    '"$3/.hpcenv/environment.json" > "$1/.hpcenv/environment.json"',
    "elsewhere": 'cp "$3/.hpcenv/environment.json" "$1/.hpcenv/environment.json"',
}


@pytest.mark.parametrize("kind", PLANTED)
def test_what_is_planted_is_not_used(a: Person, b: Person, climate: Path, kind: str) -> None:
    a.sh('echo CANARY > "$HOME/secret"')
    name = f"planted-{kind.replace(' ', '-')}"
    b.sh(f'mkdir -p "$1/.hpcenv"; {PLANTED[kind]}', climate.parent / name, a.home, climate)
    said = a.error("use", next(row["id"] for row in a.data("list") if row["prefix"].endswith(name)))
    assert said.startswith(("wrong_state:", "broken_record:", "refused:")), said
    assert "CANARY" not in said
    shutil.rmtree(climate.parent / name)


def test_a_change_of_what_is_shared_stays_readable(a: Person, b: Person, climate: Path) -> None:
    kernel = in_use(b)
    done = a.run(
        ["sh", "-c", 'umask 077; exec "$@"', "sh", a.python, "-m", "jupyter_hpcenv.cli", "install", "climate", "six"]
    )
    assert done.returncode == 0, done.stderr
    reply = b.cell(kernel, {"six": "__import__('six').__name__"})
    assert reply["user_expressions"]["six"]["status"] == "ok", reply


def test_deleted_by_its_owner(a: Person, b: Person, climate: Path) -> None:
    """The explanation says so, and that the list of packages is still here; b can let go of it."""
    kernel = in_use(b)
    a.data("delete", "climate", "--force")
    said = b.explained(kernel)
    assert "is not there any more" in said
    listed = Path(said.split(" is in ")[1].split(" Nothing was run")[0].rstrip("."))
    assert "ipykernel==" in listed.read_text()
    [row] = [row for row in b.data("list") if row["name"] == "climate"]
    assert (row["state"], row["origin"]) == ("missing", "shared")
    b.data("unuse", "shared/climate")
    assert not [row for row in b.data("list") if row["name"] == "climate"]
    assert not list((b.home / ".local/share/jupyter/kernels").glob("hpcenv-*"))
    a.data("restore", "climate")
    assert b.data("use", "shared/climate")["kernels"]


def test_the_same_by_rest(b: Person, climate: Path) -> None:
    around = ["setpriv", f"--reuid={B}", f"--regid={B}", f"--groups={TEAM}", "--"]
    server = Server(b.home, python=b.python, around=around, variables=b.env)
    try:
        mine = server.created("mine", location="shared", python="/usr/bin/python3", kernel=False)["id"]
        wish, key = {"everybody": True}, {"Idempotency_Key": "once"}
        begun = server.ask("POST", f"environments/{mine}/share", wish, **key)
        assert begun.status == 202
        assert server.ask("POST", f"environments/{mine}/share", wish, **key).body["id"] == begun.body["id"]
        assert server.ended(begun.body["id"])["state"] == "succeeded"
        assert server.ask("GET", f"environments/{mine}").body["shared"] == {"group": ""}
        again = server.ask("POST", f"environments/{mine}/unshare", {})
        assert server.ended(again.body["id"])["state"] == "succeeded"
        theirs = next(row["id"] for row in server.ask("GET", "environments").body if row["name"] == "climate")
        assert server.ask("POST", f"environments/{theirs}/share", wish).code == "refused"
        used = server.ask("POST", f"environments/{theirs}/use", {"modulefile": True})
        assert used.status == 200, used
        assert used.body["kernels"][0]["path"]
        found = list((b.home / ".local/share/jupyter/hpcenv/modulefiles").rglob("climate*"))
        assert len(found) == 1
        assert server.ask("POST", f"environments/{theirs}/unuse", {}).status == 204
        assert not found[0].exists()
        assert server.ask("GET", "kernels").body == []
        assert server.ask("POST", "adopted", {"prefix": "/"}).code == "refused"
        assert server.ask("DELETE", f"environments/{mine}?now=1").status == 200
    finally:
        server.stop()


PAGE = CHECKOUT / "docs" / "how-to" / "users" / "share.md"


def commands(title: str) -> list[list[str]]:
    """Return the commands that the page prints in a chapter, as a shell would split them."""
    chapter = PAGE.read_text().split(f"## {title}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```console\n(.*?)```", chapter, re.DOTALL)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    found = [shlex.split(line, comments=True) for line in lines]
    assert found
    assert all(words[:2] == ["jupyter", "hpcenv"] for words in found)
    return [words[2:] for words in found]


def test_the_page_as_printed(people: dict[int, Person], climate: Path) -> None:
    """Its group exists on every system; both are in it here."""
    users = grp.getgrnam("users").gr_gid
    a, b = (replace(people[uid], groups=f"{TEAM},{users}") for uid in (A, B))
    b.sh('/usr/bin/python3 -m venv --without-pip "$HOME/venvs/thesis"')
    b.sh('cp -r "$1"/lib/python3*/site-packages/. "$HOME"/venvs/thesis/lib/python3*/site-packages/', climate)
    chapters = {"Share": a, "Use": b, "Take it back": a, "Adopt": b}
    for title, person in chapters.items():
        for words in commands(title):
            done = person.run([Path(person.python).with_name("jupyter"), "hpcenv", *words])
            assert done.returncode == 0, (words, done.stderr)
    assert (b.home / "venvs" / "thesis").exists()
    assert stat.S_IMODE(climate.stat().st_mode) == 0o700
