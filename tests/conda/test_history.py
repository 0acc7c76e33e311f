"""What conda remembers: requests after every kind of transaction, and a history that survives whatever cuts it."""

from __future__ import annotations

import multiprocessing
import os
import re
from pathlib import Path

import pytest

from jupyter_hpcenv.errors import LocationUnavailable
from jupyter_hpcenv.managers.conda import engine, history, registered
from jupyter_hpcenv.managers.conda.installed import Installed

from . import conda_says
from .driving import Notes, source

HEAD = re.compile(r"==> \d{4}-\d\d-\d\d \d\d:\d\d:\d\d <==")


def package(name: str, version: str = "1.0", channel: str = "https://conda.anaconda.org/conda-forge") -> Installed:
    subdir = "noarch"
    url = f"{channel}/{subdir}/{name}-{version}-0.conda"
    return Installed(name=name, version=version, build="0", channel=channel, subdir=subdir, url=url)


def write_records(prefix: Path, packages: list[Installed]) -> None:
    (prefix / "conda-meta").mkdir(parents=True, exist_ok=True)
    for path in (prefix / "conda-meta").glob("*.json"):
        path.unlink()
    for each in packages:
        text = f'{{"name": "{each.name}", "version": "{each.version}", "build": "{each.build}"}}'
        (prefix / "conda-meta" / f"{each.name}-{each.version}-{each.build}.json").write_text(text)


def agrees(prefix: Path, requested: dict[str, str]) -> None:
    """The oracle finds these requests, and the packages that are there."""
    assert conda_says.requested(prefix) == requested
    named = {conda_says.parts(dist)[1:] for dist in conda_says.state(prefix)}
    assert named == conda_says.packages(prefix)
    for entry in conda_says.entries(prefix):
        assert entry["comments"][0].startswith("# cmd: jupyter-hpcenv ")
        assert entry["comments"][-1].startswith("# update specs: [") or not requested
        assert entry["packages"], "conda takes an entry without packages for an empty environment"


def test_conda_learns_the_requests_of_every_transaction(channel: Path, cache: Path, tmp_path: Path) -> None:
    prefix, notes, main = tmp_path / "environment", Notes(), source(channel, cache)
    engine.create(main, ["hpc-tiny <2", "hpc-needs-old"], prefix, notes)
    agrees(prefix, {"hpc-tiny": "hpc-tiny <2", "hpc-needs-old": "hpc-needs-old"})
    engine.change(main, prefix, notes, install=["hpc-linked", "hpc-hooks ==1.0"])
    agrees(
        prefix,
        {"hpc-tiny": "hpc-tiny <2", "hpc-needs-old": "hpc-needs-old", "hpc-linked": "hpc-linked"}
        | {"hpc-hooks": "hpc-hooks ==1.0"},
    )
    engine.change(main, prefix, notes, install=["hpc-tiny"])  # nothing to link: only the request changes
    engine.change(main, prefix, notes, update_all=True)
    engine.change(main, prefix, notes, remove=["hpc-needs-old", "hpc-hooks"])
    agrees(prefix, {"hpc-tiny": "hpc-tiny", "hpc-linked": "hpc-linked"})
    engine.change(main, prefix, notes, update=["hpc-tiny"], remove=["hpc-linked"])
    agrees(prefix, {"hpc-tiny": "hpc-tiny"})
    engine.change(main, prefix, notes, install=["hpc-needs-old"], update=["hpc-tiny <2"])
    agrees(prefix, {"hpc-tiny": "hpc-tiny <2", "hpc-needs-old": "hpc-needs-old"})
    assert {each.name: each.requested for each in engine.installed(prefix)} == conda_says.requested(prefix)
    assert len(conda_says.entries(prefix)) == 7
    assert all(HEAD.match(f"==> {entry['date'][0]} <==") for entry in conda_says.entries(prefix))


def test_removed_request_of_the_last_package_is_gone(channel: Path, cache: Path, tmp_path: Path) -> None:
    prefix, main = tmp_path / "environment", source(channel, cache)
    engine.create(main, ["hpc-tiny"], prefix, Notes())
    engine.change(main, prefix, Notes(), remove=["hpc-tiny"])
    assert conda_says.requested(prefix) == {}
    assert conda_says.state(prefix) == set()
    assert "# remove specs: ['hpc-tiny']" in (prefix / "conda-meta/history").read_text()


OF_CONDA = """\
==> 2018-01-01 00:00:00 <==
# cmd: /opt/conda/bin/conda create -n x python=3.6 numpy>=1.11,<2 scipy
+defaults::numpy-1.14.0-py36_0
+defaults::python-3.6.4-hc3d631a_1
+defaults::scipy-1.0.0-py36_0
# install specs: python 3.6*,numpy >=1.11,<2,scipy
==> 2019-01-01 00:00:00 <==
# cmd: /opt/conda/bin/conda install -n x pandas[version='>=0.20'] gone
# conda version: 4.6.0
+defaults/linux-64::pandas-0.24.0-py36_0
# update specs: ["pandas[version='>=0.20']", 'gone', 'never@']
==> 2020-01-01 00:00:00 <==
# cmd: /opt/conda/bin/conda remove -n x scipy
-defaults::scipy-1.0.0-py36_0
# remove specs: ['scipy']
==> 2021-01-01 00:00:00 <==
# cmd: /opt/conda/bin/conda install -n x numpy=2
-defaults::numpy-1.14.0-py36_0
+conda-forge/linux-64::numpy-2.0.0-py36_0
# update specs: ['numpy=2']
# neutered specs: ['python=3.6']
"""


def test_history_of_conda_itself_is_read_as_conda_does(tmp_path: Path) -> None:
    there = [package("python"), package("numpy", "2.0.0"), package("pandas")]
    write_records(tmp_path, there)
    (tmp_path / "conda-meta/history").write_text(OF_CONDA)
    found = {name: specs[0] for name, specs in history.requests(tmp_path, there).items()}
    assert found == {"python": "python=3.6", "numpy": "numpy=2", "pandas": "pandas[version='>=0.20']"}
    assert found == conda_says.requested(tmp_path)


def test_records_speak_where_the_history_is_silent(tmp_path: Path) -> None:
    asked = Installed(**{**{name: getattr(package("numpy"), name) for name in package("x").__struct_fields__}} | {
        "requested": "numpy >=1",
    })  # fmt: skip
    write_records(tmp_path, [asked])
    (tmp_path / "conda-meta/history").write_bytes(b"")  # as rattler and pixi leave it
    assert history.requests(tmp_path, [asked, package("other")]) == {"numpy": ["numpy >=1", "numpy"]}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A prefix with two entries."""
    first = [package("numpy"), package("python", "3.12")]
    write_records(tmp_path, first)
    history.add(tmp_path, ["jupyter-hpcenv", "create"], first, ["numpy >=1,<2", 'python[build="*_cp312"]'])
    write_records(tmp_path, [package("numpy", "1.1"), package("python", "3.12")])
    history.add(
        tmp_path,
        ["jupyter-hpcenv", "update"],
        [package("numpy", "1.1"), package("python", "3.12")],
        ["numpy", "python"],
    )
    return tmp_path


def test_torn_at_every_byte_the_next_entry_heals(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # hundreds of times, for a disk that does not fail
    path = history.path_of(written)
    whole = path.read_bytes()
    now = [package("numpy", "1.1"), package("python", "3.12"), package("scipy")]
    write_records(written, now)
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        history.add(written, ["jupyter-hpcenv", "install", "scipy"], now, ["numpy", "python", "scipy"])
        assert conda_says.requested(written) == {"numpy": "numpy", "python": "python", "scipy": "scipy"}, cut
        named = {conda_says.parts(dist)[1:] for dist in conda_says.state(written)}
        assert named == conda_says.packages(written), cut


def test_torn_at_every_byte_what_is_left_is_read(written: Path) -> None:
    path = history.path_of(written)
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        found = history.requests(written, [package("numpy", "1.1"), package("python", "3.12")])
        assert set(found) <= {"numpy", "python"}
        assert all(spec for specs in found.values() for spec in specs)


def test_a_failed_write_leaves_the_old_history(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = history.path_of(written).read_bytes()

    def full(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LocationUnavailable):
        history.add(written, ["jupyter-hpcenv", "install"], [package("scipy")], ["scipy"])
    assert history.path_of(written).read_bytes() == before
    assert [path.name for path in history.path_of(written).parent.iterdir() if "tmp" in path.name] == []


def test_words_can_not_make_lines(tmp_path: Path) -> None:
    write_records(tmp_path, [package("numpy")])
    history.add(
        tmp_path, ["jupyter-hpcenv", "create", "x\n+evil::a-1-0"], [package("numpy")], ["numpy\n# remove specs: []"]
    )
    assert len(history.path_of(tmp_path).read_text().splitlines()) == 4
    assert conda_says.state(tmp_path) == {"conda-forge/noarch::numpy-1.0-0"}


@pytest.mark.parametrize(
    ("channel", "named"),
    [
        ("https://conda.anaconda.org/conda-forge", "conda-forge/noarch::a-1.0-0"),
        ("https://conda.anaconda.org/site/label/dev", "site/label/dev/noarch::a-1.0-0"),
        ("https://repo.anaconda.com/pkgs/main", "defaults/noarch::a-1.0-0"),
        ("https://conda.example.org/mirror", "https://conda.example.org/mirror/noarch::a-1.0-0"),
    ],
)
def test_packages_are_named_as_conda_names_them(channel: str, named: str) -> None:
    assert history.dist(package("a", channel=channel)) == named


def test_mode_of_the_history_stays(written: Path) -> None:
    history.path_of(written).chmod(0o664)
    history.add(written, ["jupyter-hpcenv", "update"], [package("numpy")], ["numpy"])
    assert history.path_of(written).stat().st_mode & 0o777 == 0o664


# -- environments.txt -------------------------------------------------------


def listed(home: Path) -> list[str]:
    return (home / ".conda/environments.txt").read_text().splitlines()


def test_register_and_unregister(home: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert registered.register(tmp_path / name) == ""
    assert registered.register(tmp_path / "a") == ""  # once is enough
    assert listed(home) == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert registered.unregister(tmp_path / "a") == ""
    assert listed(home) == [str(tmp_path / "b")]
    assert registered.unregister(tmp_path / "never") == ""


def test_modes_follow_the_umask(home: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        registered.register(tmp_path)
    finally:
        os.umask(before)
    assert (home / ".conda").stat().st_mode & 0o777 == 0o700
    assert (home / ".conda/environments.txt").stat().st_mode & 0o777 == 0o600


def test_lines_of_others_stay(home: Path, tmp_path: Path) -> None:
    (home / ".conda").mkdir()
    path = home / ".conda/environments.txt"
    path.write_bytes(b"/opt/old one\n\n/opt/b\xff\n/opt/torn")  # the last line has no end
    path.chmod(0o640)
    registered.register(tmp_path)
    assert path.read_bytes() == b"/opt/old one\n\n/opt/b\xff\n/opt/torn\n" + bytes(tmp_path) + b"\n"
    registered.unregister(tmp_path)
    assert path.read_bytes() == b"/opt/old one\n\n/opt/b\xff\n/opt/torn\n"
    assert path.stat().st_mode & 0o777 == 0o640


def test_links_are_followed(home: Path, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (home / ".conda").symlink_to(tmp_path / "project")  # staff advise it, where homes are small
    registered.register(tmp_path / "a")
    registered.unregister(tmp_path / "b")
    registered.unregister(tmp_path / "a")
    assert (home / ".conda").is_symlink()
    assert (tmp_path / "project/environments.txt").read_text() == ""


@pytest.mark.parametrize("what", ["a file is in the way", "a pipe", "no home"])
def test_trouble_is_a_warning(home: Path, tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if what == "a file is in the way":
        (home / ".conda").write_text("")
    elif what == "a pipe":
        (home / ".conda").mkdir()
        os.mkfifo(home / ".conda/environments.txt")
    else:
        monkeypatch.setenv("HOME", "/proc/nobody")
    assert "could not be written" in registered.register(tmp_path)
    registered.unregister(tmp_path)


def _busy(names: list[str], gone: list[str]) -> None:
    for name, other in zip(names, gone, strict=True):
        registered.register(Path(name))
        registered.unregister(Path(other))


def test_two_at_once_lose_nothing(home: Path, tmp_path: Path) -> None:
    """Each of three processes adds twenty and takes twenty off that were there: what is left is what was added."""
    old = [[f"/old/{which}/{number}" for number in range(20)] for which in range(3)]
    new = [[f"/new/{which}/{number}" for number in range(20)] for which in range(3)]
    for each in [name for names in old for name in names]:
        registered.register(Path(each))
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_busy, args=(new[which], old[which])) for which in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert sorted(listed(home)) == sorted(name for names in new for name in names)
