"""Build packages that attack whoever installs them: one for each way that archives and metadata have been abused.

Each function of `EVILS` fills a channel, which stands alone, and says what to install from it. What must then not have
happened is the same for all, and `Victim.harm` looks for it: nothing outside the prefix was made, changed, removed or
linked to, and nothing inside leads outside or carries rights of its own. An installer may refuse such a package or make
something harmless of it. Each does one thing only, so that refusing one trick does not hide another.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .archives import MOMENT, SUBDIR, File, Member, Package, member, tiny, write
from .victim import FORGED, GUEST, LARGE, MARK, Victim


class Attack(NamedTuple):
    """A channel with evil packages, and what to ask for, one after the other."""

    channel: Path
    specs: tuple[str, ...]


Evil = Callable[[Path, Victim], Attack]

#: Stands for an interpreter, which noarch packages need; nothing of it runs.
PYTHON = tiny("python", "3.11.0", noarch="", files={"bin/python3.11": "", "bin/python": "the interpreter"})


def up(path: Path) -> str:
    """Return a relative path that leads to *path* from wherever it is taken."""
    return "../" * 40 + str(path).lstrip("/")


def listed(path: str, data: bytes = MARK, **more: str) -> dict[str, Any]:
    """Return an entry of paths.json for a file."""
    size = {"sha256": hashlib.sha256(data).hexdigest(), "size_in_bytes": len(data)}
    return {"_path": path, "path_type": "hardlink", **size, **more}


def publish(
    channel: Path,
    *packages: Package,
    ending: str = ".conda",
    record: Mapping[str, Any] | None = None,
    file: str = "",
    specs: Sequence[str] = (),
) -> Attack:
    """Write packages and an index that believes them, the last one first of all.

    *record* changes what the index says of the last package, *file* is its archive's name there.
    """
    indexes: dict[str, dict[str, Any]] = {}
    for subdir in ("noarch", SUBDIR):
        indexes[subdir] = {"info": {"subdir": subdir}, "packages": {}, "packages.conda": {}, "repodata_version": 1}
    for package in packages:
        path = write(channel, package, ending=ending)
        data, last = path.read_bytes(), package is packages[-1]
        hashes = {"sha256": hashlib.sha256(data).hexdigest(), "md5": hashlib.md5(data).hexdigest(), "size": len(data)}
        entries = indexes[package.subdir]["packages.conda" if ending == ".conda" else "packages"]
        entries[(last and file) or path.name] = package.about() | hashes | dict((last and record) or {})
    for subdir, index in indexes.items():
        (channel / subdir).mkdir(parents=True, exist_ok=True)
        (channel / subdir / "repodata.json").write_text(json.dumps(index))
    return Attack(channel, tuple(specs) or (packages[-1].name,))


# What the archive holds.


def member_climbs(channel: Path, victim: Victim) -> Attack:
    """A member whose path climbs to the root by ``..``."""
    return publish(channel, tiny("evil", raw=[member(up(victim.folder / "climbed"), MARK)]))


def member_climbs_in_old_format(channel: Path, victim: Victim) -> Attack:
    """The same in the old format, which other code unpacks."""
    return publish(channel, tiny("evil", raw=[member(up(victim.folder / "climbed"), MARK)]), ending=".tar.bz2")


def member_climbs_one_step(channel: Path, victim: Victim) -> Attack:
    """A member that would lie in the cache, beside the package, as if it were another package."""
    return publish(channel, tiny("evil", raw=[member("../../climbed", MARK)]))


def member_climbs_from_info(channel: Path, victim: Victim) -> Attack:
    """A member of the info part that climbs."""
    return publish(channel, tiny("evil", raw=[member("info/" + up(victim.folder / "climbed"), MARK)]))


def member_is_absolute(channel: Path, victim: Victim) -> Attack:
    """A member with an absolute path."""
    return publish(channel, tiny("evil", raw=[member(str(victim.folder / "absolute"), MARK)]))


def member_goes_through_link(channel: Path, victim: Victim) -> Attack:
    """A link to a folder outside, then a file that goes through it."""
    raw = [member("lib/away", kind=tarfile.SYMTYPE, link=str(victim.folder)), member("lib/away/through", MARK)]
    return publish(channel, tiny("evil", raw=raw))


def member_goes_through_relative_link(channel: Path, victim: Victim) -> Attack:
    """The same with a relative link, in the old format."""
    raw = [member("lib/away", kind=tarfile.SYMTYPE, link=up(victim.folder)), member("lib/away/through", MARK)]
    return publish(channel, tiny("evil", raw=raw), ending=".tar.bz2")


def member_replaces_link(channel: Path, victim: Victim) -> Attack:
    """A link to a file outside, then bytes for the same name."""
    raw = [member("lib/away", kind=tarfile.SYMTYPE, link=str(victim.file)), member("lib/away", MARK)]
    return publish(channel, tiny("evil", raw=raw))


def hard_link(channel: Path, victim: Victim) -> Attack:
    """A hard link to a file outside: it could be read, and its rights changed."""
    raw = [member("lib/same", kind=tarfile.LNKTYPE, link=str(victim.file))]
    return publish(channel, tiny("evil", raw=raw, paths=[listed("lib/same", b"precious\n")]))


def hard_link_climbs(channel: Path, victim: Victim) -> Attack:
    """The same with a relative path."""
    raw = [member("lib/same", kind=tarfile.LNKTYPE, link=up(victim.file))]
    return publish(channel, tiny("evil", raw=raw, paths=[listed("lib/same", b"precious\n")]))


def hard_link_of_link(channel: Path, victim: Victim) -> Attack:
    """A hard link to a link that leads outside, then bytes for it."""
    raw = [
        member("lib/away", kind=tarfile.SYMTYPE, link=str(victim.file)),
        member("lib/same", kind=tarfile.LNKTYPE, link="lib/away"),
        member("lib/same", MARK),
    ]
    return publish(channel, tiny("evil", raw=raw))


def info_goes_through_link(channel: Path, victim: Victim) -> Attack:
    """The same within info/."""
    raw = [member("info/away", kind=tarfile.SYMTYPE, link=str(victim.folder)), member("info/away/through", MARK)]
    return publish(channel, tiny("evil", raw=raw))


def installers_note_is_link(channel: Path, victim: Victim) -> Attack:
    """The note that installers write beside what they unpacked is there already, as a link."""
    raw = [member("info/repodata_record.json", kind=tarfile.SYMTYPE, link=str(victim.folder / "note"))]
    return publish(channel, tiny("evil", raw=raw))


def device(channel: Path, victim: Victim) -> Attack:
    """A device; only root can make one."""
    evil = member("dev/null", kind=tarfile.CHRTYPE)
    evil.header.devmajor, evil.header.devminor = 1, 3
    return publish(channel, tiny("evil", raw=[evil], paths=[listed("dev/null", b"")]))


def pipe(channel: Path, victim: Victim) -> Attack:
    """A pipe: whoever reads it waits for ever."""
    return publish(channel, tiny("evil", raw=[member("run/pipe", kind=tarfile.FIFOTYPE)]))


def setuid(channel: Path, victim: Victim) -> Attack:
    """A program that runs with its owner's rights."""
    return publish(channel, tiny("evil", files={"bin/evil": File(MARK, 0o4755)}))


def setgid_in_old_format(channel: Path, victim: Victim) -> Attack:
    """A program that runs with its group's rights."""
    return publish(channel, tiny("evil", files={"bin/evil": File(MARK, 0o2755)}), ending=".tar.bz2")


def writable_by_all(channel: Path, victim: Victim) -> Attack:
    """A program that everybody may change."""
    return publish(channel, tiny("evil", files={"bin/evil": File(MARK, 0o777)}))


def newline_in_name(channel: Path, victim: Victim) -> Attack:
    """A name with a newline: lists with one name in a line would be forged."""
    return publish(channel, tiny("evil", files={f"share/a\n{FORGED}\nb": MARK}))


def sparse(channel: Path, victim: Victim) -> Attack:
    """A file with a hole of many bytes, which the archive holds as a number."""
    return publish(channel, tiny("evil", raw=[Member(_Sparse("share/hole"), bytes(512))]))


def bomb(channel: Path, victim: Victim) -> Attack:
    """Zeros that are ten thousand times smaller in the archive; not among `EVILS`, for honest packages are as large."""
    return publish(channel, tiny("evil", files={"share/zeros": bytes(LARGE)}))


class _Sparse(tarfile.TarInfo):
    """A header as GNU tar writes it for sparse files, which the standard library reads but does not write."""

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self.size, self.mode, self.mtime = 512, 0o644, MOMENT

    def tobuf(self, format: int | None = None, encoding: str | None = None, errors: str = "strict") -> bytes:
        header = bytearray(super().tobuf(tarfile.GNU_FORMAT, "utf-8", errors))
        header[156:157] = tarfile.GNUTYPE_SPARSE
        header[386:410] = b"%011o\0%011o\0" % (0, 512)
        header[483:495] = b"%011o\0" % LARGE
        header[148:156] = b" " * 8
        header[148:155] = b"%06o\0" % sum(header)
        return bytes(header)


# What paths.json lists.


def listed_beside(channel: Path, victim: Victim) -> Attack:
    """A listed path that finds its source in the cache, and so would be put beside the prefix."""
    package = tiny("evil", raw=[member("payload", MARK)], paths=[listed("../evil-1.0-0/payload")])
    return publish(channel, package)


def listed_takes_file(channel: Path, victim: Victim) -> Attack:
    """A file outside is listed as if it came with the package; what is there makes way for it, and it is gone."""
    return publish(channel, tiny("evil", paths=[listed(up(victim.file), b"precious\n")]))


def listed_takes_absolute(channel: Path, victim: Victim) -> Attack:
    """The same with an absolute path."""
    return publish(channel, tiny("evil", paths=[listed(str(victim.file), b"precious\n")]))


def listed_rewrites_file(channel: Path, victim: Victim) -> Attack:
    """A file outside is listed as one that names its prefix, which is to be replaced in it."""
    named = listed(up(victim.file), b"precious\n", prefix_placeholder="precious", file_mode="text")
    return publish(channel, tiny("evil", paths=[named]))


def listed_below_own_link(channel: Path, victim: Victim) -> Attack:
    """A link that is not listed, and a file below it that is: the source lies outside."""
    raw = [member("lib/away", kind=tarfile.SYMTYPE, link=str(victim.folder))]
    return publish(channel, tiny("evil", raw=raw, paths=[listed("lib/away/precious", b"precious\n")]))


def listed_below_listed_link(channel: Path, victim: Victim) -> Attack:
    """The same with the link listed: source and destination are the same file, outside."""
    package = tiny("evil", links={"lib/away": str(victim.folder)}, paths=[listed("lib/away/precious", b"precious\n")])
    return publish(channel, package)


def listed_link_leads_outside(channel: Path, victim: Victim) -> Attack:
    """A link that leads outside by its absolute path, for whatever writes there later."""
    return publish(channel, tiny("evil", links={"lib/away": str(victim.folder)}))


def listed_link_climbs(channel: Path, victim: Victim) -> Attack:
    """The same with a relative path."""
    return publish(channel, tiny("evil", links={"lib/away": up(victim.folder)}))


def other_package_goes_through_link(channel: Path, victim: Victim) -> Attack:
    """One package brings the link, the other the file below it."""
    first = tiny("evil-link", links={"share/away": str(victim.folder)})
    return publish(channel, first, tiny("evil", depends=["evil-link"], files={"share/away/through": MARK}))


def later_package_goes_through_link(channel: Path, victim: Victim) -> Attack:
    """The same in two transactions."""
    first = tiny("evil-link", links={"share/away": str(victim.folder)})
    second = tiny("evil", files={"share/away/through": MARK})
    return publish(channel, first, second, specs=["evil-link", "evil"])


# What noarch packages of Python may ask for.


def _noarch(**more: Any) -> Package:
    files = {"site-packages/evil.py": MARK, **more.pop("files", {})}
    return tiny("evil", noarch="python", depends=["python"], files=files, **more)


def program_climbs(channel: Path, victim: Victim) -> Attack:
    """A program whose name climbs out of bin (CVE-2026-47425)."""
    return publish(channel, PYTHON, _noarch(entry_points=[f"{up(victim.folder / 'program')} = evil:main"]))


def program_is_absolute(channel: Path, victim: Victim) -> Attack:
    """A program whose name is an absolute path."""
    return publish(channel, PYTHON, _noarch(entry_points=[f"{victim.folder / 'program'} = evil:main"]))


def program_is_code(channel: Path, victim: Victim) -> Attack:
    """A program whose function is code, which writes as soon as the program is started."""
    code = f"open({str(victim.folder / 'ran')!r}, 'w')"
    return publish(channel, PYTHON, _noarch(entry_points=[f"evil = os:getpid(), {code}, os.getpid"]))


def program_replaces_python(channel: Path, victim: Victim) -> Attack:
    """A program with the interpreter's name."""
    return publish(channel, PYTHON, _noarch(entry_points=["python = evil:main"]))


def module_takes_file(channel: Path, victim: Victim) -> Attack:
    """A listed path that begins in site-packages, where it is moved, and climbs from there."""
    path = "site-packages/" + up(victim.file)
    return publish(channel, PYTHON, _noarch(paths=[listed(path, b"precious\n")]))


def script_lies_beside(channel: Path, victim: Victim) -> Attack:
    """A listed path that begins among the scripts, finds its source in the cache, and is put beside the prefix."""
    files = {"python-scripts/good": "good", "payload": MARK}
    path = "python-scripts/../../evil-1.0-0/payload"
    return publish(channel, PYTHON, _noarch(files=files, paths=[listed(path)]))


def packages_lie_outside(channel: Path, victim: Victim) -> Attack:
    """An interpreter that wants packages outside of its prefix."""
    python = tiny("python", "3.11.0", noarch="", index={"python_site_packages_path": up(victim.folder)})
    return publish(channel, python, _noarch())


def packages_lie_at_absolute_path(channel: Path, victim: Victim) -> Attack:
    """The same with an absolute path."""
    python = tiny("python", "3.11.0", noarch="", index={"python_site_packages_path": str(victim.folder)})
    return publish(channel, python, _noarch())


# What the channel's index and the package say of it.


def build_climbs(channel: Path, victim: Victim) -> Attack:
    """A build string that climbs: cache folders and files of conda-meta are named after it."""
    return publish(channel, tiny("evil"), record={"build": f"0/{up(victim.folder / 'build')}"})


def build_forges_history(channel: Path, victim: Victim) -> Attack:
    """A build string with a line for conda's history."""
    return publish(channel, tiny("evil"), record={"build": f"0\n{FORGED}\n"})


def name_climbs(channel: Path, victim: Victim) -> Attack:
    """A name that climbs."""
    return publish(channel, tiny("evil"), record={"name": f"evil/{up(victim.folder / 'name')}"})


def archive_climbs(channel: Path, victim: Victim) -> Attack:
    """An archive whose file name climbs: it would be downloaded there."""
    return publish(channel, tiny("evil"), file=up(victim.folder / "evil-1.0-0.conda"))


def package_says_otherwise(channel: Path, victim: Victim) -> Attack:
    """A package that calls itself by names that climb, while the index calls it by good ones."""
    said = tiny("evil").about() | {"name": "../../said", "version": up(victim.folder / "9")}
    return publish(channel, tiny("evil", info={"index.json": json.dumps(said).encode()}))


def channel_brings_another(channel: Path, victim: Victim) -> Attack:
    """A channel that wants a second one to be asked, too, which nobody has named."""
    attack = publish(channel, tiny("evil", depends=["evil-guest"]))
    publish(channel.parent / "guest", tiny("evil-guest", files={GUEST: MARK}))
    for subdir in ("noarch", SUBDIR):
        path = channel / subdir / "repodata.json"
        index = json.loads(path.read_text())
        index["info"]["channel_relations"] = {"base": "../guest"}
        path.write_text(json.dumps(index))
    return attack


EVILS: dict[str, Evil] = {
    evil.__name__: evil
    for evil in (
        *(member_climbs, member_climbs_in_old_format, member_climbs_one_step, member_climbs_from_info),
        *(member_is_absolute, member_goes_through_link, member_goes_through_relative_link, member_replaces_link),
        *(hard_link, hard_link_climbs, hard_link_of_link, info_goes_through_link, installers_note_is_link),
        *(device, pipe, setuid, setgid_in_old_format, writable_by_all, newline_in_name, sparse),
        *(listed_beside, listed_takes_file, listed_takes_absolute, listed_rewrites_file, listed_below_own_link),
        *(listed_below_listed_link, listed_link_leads_outside, listed_link_climbs),
        *(other_package_goes_through_link, later_package_goes_through_link),
        *(program_climbs, program_is_absolute, program_is_code, program_replaces_python),
        *(module_takes_file, script_lies_beside, packages_lie_outside, packages_lie_at_absolute_path),
        *(build_climbs, build_forges_history, name_climbs, archive_climbs, package_says_otherwise),
        channel_brings_another,
    )
}
