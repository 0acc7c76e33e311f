"""A cached environment is used when all that decides it is as it was, and never otherwise."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from jupyter_hpcenv import kernels
from jupyter_hpcenv.kernels.kernelspec import cache_folder
from jupyter_hpcenv.models import ModuleSet
from jupyter_hpcenv.site import Site

from .launching import (
    ID,
    NAME,
    PATH,
    Tree,
    by_hand,
    cached,
    environ,
    files_of,
    interactive,
    record_of,
    run,
    stood,
    uncached,
    write,
)

Start = dict[str, str]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    return {"PATH": PATH, "HOME": str(tmp_path), "HPCENV_CACHE": str(tmp_path / "cache"), "ODD": "a\nb 'c' $d \\ é"}


@contextmanager
def no_loader(prefix: Path) -> Iterator[None]:
    """Let every load fail, so that only a cached environment can start."""
    loader = prefix / ".hpcenv" / "load.bash"
    text = loader.read_text()
    loader.write_text("exit 93\n")
    try:
        yield
    finally:
        loader.write_text(text)


def is_cached(launch: Path, start: Start, cwd: str = "/") -> bool:
    with no_loader(launch.parent.parent):
        return run(launch, start, cwd=cwd).returncode == 0


def test_second_start_loads_nothing_and_gives_the_same(tree: Tree, bare: Path, start: Start) -> None:
    launch = write(bare, by_hand(tree, ["gcc/12", "weird/1.0"]))
    live = environ(launch, start)
    assert live["CC"] == ("weird cc" if tree.system == "lmod" else "gcc-12")
    assert not [name for name in live if name.startswith("HPCENV")]
    with no_loader(bare):
        assert environ(launch, start) == live
    assert environ(write(bare, uncached(tree, ["gcc/12", "weird/1.0"])), start) == live


def test_what_differs_from_start_to_start_is_no_reason_to_load(lmod: Tree, bare: Path, start: Start) -> None:
    launch = write(bare, by_hand(lmod, ["gcc/12"]))
    environ(launch, start)
    later = {
        **start,
        "JPY_PARENT_PID": "1",
        "JPY_SESSION_NAME": "/n.ipynb",
        "OLDPWD": "/usr",
        "PWD": "/usr",
        "SHLVL": "7",
    }
    assert is_cached(launch, later, cwd="/usr")
    with no_loader(bare):
        assert environ(launch, later)["JPY_SESSION_NAME"] == "/n.ipynb"


@pytest.mark.parametrize(
    "change",
    [
        {"CC": "icc"},
        {"HOME": "/"},
        {"ANYTHING": ""},
        {"ODD": "a\nb"},
        {"PATH": f"{PATH}:/opt"},
        {"LD_LIBRARY_PATH": "/opt/lib"},
        {"LMOD_DISABLE_SAME_NAME_AUTOSWAP": "yes"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_other_variable_makes_it_load_again(change: Start, tree: Tree, bare: Path, start: Start) -> None:
    launch = write(bare, by_hand(tree, ["gcc/12"]))
    environ(launch, start)
    assert is_cached(launch, start)
    assert not is_cached(launch, {**start, **change})
    lacking = {name: value for name, value in start.items() if name != "ODD"}
    assert not is_cached(launch, lacking)
    changed = environ(launch, {**start, **change})
    plain = {name: value for name, value in {**start, **change}.items() if name != "HPCENV_CACHE"}
    assert changed == environ(launch, plain)


def test_variable_that_had_the_value_which_the_module_sets(tree: Tree, bare: Path, start: Start) -> None:
    launch = write(bare, by_hand(tree, ["gcc/12"]))
    assert environ(launch, {**start, "CC": "gcc-12"})["CC"] == "gcc-12"
    assert environ(launch, {**start, "CC": "icc"})["CC"] == "gcc-12"


def _touch(tree: Tree) -> None:
    os.utime(files_of(tree, "gcc/12")[0], ns=(1, 1))


def _edit(tree: Tree) -> None:
    path = Path(files_of(tree, "gcc/12")[0])
    facts = path.stat()
    path.write_text(path.read_text().replace("gcc-12", "gcc-xx"))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))


def _default(tree: Tree) -> None:
    (Path(tree.path) / "newcomer").mkdir()


def _mode(tree: Tree) -> None:
    Path(files_of(tree, "gcc/12")[0]).chmod(0o664)


def _appears(tree: Tree) -> None:
    (tree.root / "rc").write_text("")


@pytest.mark.parametrize("change", [_touch, _edit, _default, _mode, _appears])
def test_change_of_a_watched_file_makes_it_load_again(
    change: Callable[[Tree], None], tree: Tree, bare: Path, start: Start
) -> None:
    launch = write(bare, by_hand(tree, ["gcc/12"], watch=[str(tree.root / "rc")]))
    environ(launch, start)
    assert is_cached(launch, start)
    change(tree)
    assert not is_cached(launch, start)
    assert environ(launch, start)["CC"] == ("gcc-xx" if change is _edit else "gcc-12")
    assert not is_cached(launch, start), "what was captured is not there any more, so nothing may be cached"


def test_changed_set_of_modules_makes_it_load_again(tree: Tree, bare: Path, start: Start) -> None:
    first = by_hand(tree, ["gcc/12"], watch=files_of(tree, "gcc/13"))
    environ(write(bare, first), start)
    other = write(bare, msgspec.structs.replace(first, load=["gcc/13"]))
    assert not is_cached(other, start)
    assert environ(other, start)["CC"] == "gcc-13"
    assert environ(write(bare, first), start)["CC"] == "gcc-12"


def test_server_with_modules_and_one_without_do_not_evict_each_other(tree: Tree, bare: Path, start: Start) -> None:
    launch = write(bare, by_hand(tree, ["gcc/12"]))
    server = {**interactive(tree, ["gcc/13"], start), "HPCENV_CACHE": start["HPCENV_CACHE"]}
    first, second = environ(launch, start), environ(launch, server)
    with no_loader(bare):
        assert (environ(launch, start), environ(launch, server)) == (first, second)
    assert len(cached(Path(start["HPCENV_CACHE"]))) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"live": "It has side effects."},
        {"reads": ["PWD"]},
        {"home": "/home/of-who-captured-them"},
        {"watch": []},
        {"state": ""},
        {"watch": ["/a\nb"], "state": "/a\nb|1|2|3\n"},
    ],
    ids=str,
)
def test_what_can_not_be_keyed_is_never_cached(
    changes: dict[str, object], lmod: Tree, bare: Path, start: Start, tmp_path: Path
) -> None:
    modules = msgspec.structs.replace(by_hand(lmod, ["gcc/12"]), **changes)
    launch = write(bare, modules)
    environ(launch, start)
    assert not cached(tmp_path / "cache")
    assert not is_cached(launch, start)


def test_site_can_turn_it_off(lmod: Tree, bare: Path, start: Start, tmp_path: Path) -> None:
    launch = write(bare, by_hand(lmod, ["gcc/12"]), Site(module_cache=False))
    environ(launch, start)
    assert not cached(tmp_path / "cache")


@pytest.mark.parametrize("variable", ["MODULEPATH", "PATH"])
def test_relative_folders_are_loaded_where_the_kernel_starts(
    variable: str, tree: Tree, bare: Path, start: Start, tmp_path: Path
) -> None:
    relative = {**start, variable: ":".join(filter(None, [start.get(variable, ""), "relative"]))}
    environ(write(bare, by_hand(tree, ["gcc/12"])), relative)
    assert not cached(tmp_path / "cache")


@pytest.mark.parametrize("damage", ["short", "empty", "garbage", "folder", "wrong count"])
def test_damaged_cache_is_as_good_as_none(damage: str, lmod: Tree, bare: Path, start: Start, tmp_path: Path) -> None:
    launch = write(bare, by_hand(lmod, ["gcc/12"]))
    live = environ(launch, start)
    path = cached(tmp_path / "cache")[0]
    text = path.read_bytes()
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        spoiled = {
            "short": text[:-30],
            "empty": b"",
            "garbage": b"\0\0\xff",
            "wrong count": b"1" + text,
        }
        path.write_bytes(spoiled[damage])
    assert not is_cached(launch, start)
    assert environ(launch, start) == live


def test_folder_that_others_can_read_or_write_is_not_used(lmod: Tree, bare: Path, start: Start, tmp_path: Path) -> None:
    launch = write(bare, by_hand(lmod, ["gcc/12"]))
    environ(launch, start)
    folder = tmp_path / "cache"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in cached(folder)] == [0o600]
    assert is_cached(launch, start)
    folder.chmod(0o755)
    assert not is_cached(launch, start)
    folder.chmod(0o700)
    os.chown(folder, 12345, -1)
    assert not is_cached(launch, start)


def test_file_that_changes_during_the_load_is_seen(lmod: Tree, bare: Path, start: Start, tmp_path: Path) -> None:
    watched = tmp_path / "watched"
    watched.write_text("")
    (Path(lmod.path) / "touches").mkdir()
    (Path(lmod.path) / "touches/1.0.lua").write_text(f'os.execute("touch {watched}")\nsetenv("TOUCHED", "1")\n')
    launch = write(bare, by_hand(lmod, ["touches/1.0"], watch=[str(watched)]))
    os.utime(watched, ns=(1, 1))
    modules = by_hand(lmod, ["touches/1.0"], watch=[str(watched)])
    launch = write(bare, modules)
    assert environ(launch, start)["TOUCHED"] == "1"
    assert stood(modules.watch) != modules.state
    assert not cached(tmp_path / "cache")


def test_many_at_once_get_the_same_and_leave_one_file(lmod: Tree, bare: Path, start: Start, tmp_path: Path) -> None:
    launch = write(bare, by_hand(lmod, ["gcc/12"]))
    command = [str(launch), "-c", "import os; print(sorted((k, v) for k, v in os.environ.items() if k != '_'))"]
    together = [subprocess.Popen(command, env=start, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    assert len({process.communicate(timeout=60)[0] for process in together}) == 1
    assert [path.name for path in cached(tmp_path / "cache")] == [f"{ID}."]
    assert is_cached(launch, start)


def test_published_kernel_caches_in_the_users_folder_and_unpublishing_forgets(
    lmod: Tree, prefix: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(home / "data"))
    site = Site()
    record = record_of(prefix, by_hand(lmod, ["gcc/12"]), kernelspec=kernels.derive(prefix))
    kernels.write_launch(record, site)
    stub = kernels.publish(record, record.kernels[0], site) / "launch"
    done = run(stub, {"PATH": PATH}, "-c", "import os; print(os.environ['CC'], 'HPCENV_CACHE' in os.environ)")
    assert done.stdout == "gcc-12 False\n", done.stderr
    assert [path.name for path in cached(cache_folder(site))] == [f"{ID}."]
    kernels.unpublish(NAME, site)
    assert not cached(cache_folder(site))


def test_sets_are_told_apart_by_all_that_they_say(lmod: Tree, bare: Path) -> None:
    texts = set()
    for changes in ({}, {"purge": "purge"}, {"modulepath": ["/x"]}, {"init": "/y"}, {"reads": ["Z"]}):
        modules = ModuleSet(**{"system": "lmod", "load": ["a"], "watch": ["/w"], "state": "/w|1|2|3\n", **changes})
        text = kernels.render_launch(record_of(bare, modules), {})
        texts.add(text[text.index("printf '%s\\n' '") :][:50])
    assert len(texts) == 5


def test_no_variable_of_the_environment_is_written_down(lmod: Tree, bare: Path, start: Start, tmp_path: Path) -> None:
    """The whole environment decides, and it may hold tokens: only a digest of it is kept."""
    secret = {**start, "JUPYTERHUB_API_TOKEN": "canary-token", "AWS_SECRET_ACCESS_KEY": "canary-key"}
    launch = write(bare, by_hand(lmod, ["gcc/12"]))
    environ(launch, secret)
    (kept,) = cached(tmp_path / "cache")
    assert b"gcc-12" in kept.read_bytes()
    assert b"canary" not in kept.read_bytes()
    assert is_cached(launch, secret)
    assert not is_cached(launch, {**secret, "AWS_SECRET_ACCESS_KEY": "another"})
