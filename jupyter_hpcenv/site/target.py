"""Tell what kind of computer this is, by the name that the site has for it: the target of a build.

The site's own variables say it where they are set; else the release of the operating system and the level of the
processor do. `SCRIPT` does the very same for launch scripts, which can not wait for Python.
"""

from __future__ import annotations

import os
import platform
import string
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from ..models import Record

#: Set at sites that build for several architectures: two by VSC, the last by EESSI.
VARIABLES = ("VSC_ARCH_LOCAL", "VSC_OS_LOCAL", "EESSI_SOFTWARE_SUBDIR")

#: Does the same for scripts: ``target.sh ROOT MACHINE VARIABLE...``, where the first two are empty but in tests.
SCRIPT = Path(__file__).parent / "scripts" / "target.sh"

#: The name is one folder's, so it stays far below what a file system takes.
LONGEST = 64

_PLAIN = frozenset((string.ascii_letters + string.digits + "._+-").encode())

#: What a processor of each generic level has besides what the level below has, in the words of /proc/cpuinfo.
LEVELS = (
    ("x86_64_v2", "cx16 lahf_lm mmx popcnt sse sse2 sse4_1 sse4_2 ssse3"),
    ("x86_64_v3", "abm avx avx2 bmi1 bmi2 f16c fma movbe xsave"),
    ("x86_64_v4", "avx512bw avx512cd avx512dq avx512f avx512vl"),
)


def current(variables: Sequence[str] = VARIABLES, environ: Mapping[str, str] | None = None) -> str:
    """Return the target of this computer; *variables* are those that the site sets."""
    here = os.environ if environ is None else environ
    return safe("-".join(value for name in variables if (value := here.get(name, "")))) or of_machine()


def told(variables: Sequence[str]) -> bool:
    """Tell whether the site's variables say the target here, or it was only told by the machine."""
    return bool(safe("-".join(value for name in variables if (value := os.environ.get(name, "")))))


def safe(text: str) -> str:
    """Return *text* as the name of a folder: what is not a letter, a digit or one of ``._+-`` becomes a hyphen."""
    plain = "".join(chr(byte) if byte in _PLAIN else "-" for byte in os.fsencode(text))
    return plain.lstrip(".-")[:LONGEST]


def of_machine(root: Path = Path("/"), machine: str = "") -> str:
    """Return release and level, for example ``debian12-x86_64_v3``; *root* is where etc and proc are."""
    return safe(f"{release(root)}-{level(root, machine or platform.machine())}")


def level(root: Path, machine: str) -> str:
    """Return the highest generic level of a processor, as archspec calls it; of others than x86_64 the machine."""
    found = machine
    if machine == "x86_64":
        flags = set(_flags(root).split())
        for name, needed in LEVELS:
            if not flags.issuperset(needed.split()):
                break
            found = name
    return found


def _flags(root: Path) -> str:
    try:
        with (root / "proc/cpuinfo").open(errors="replace") as lines:
            return next((line.partition(":")[2] for line in lines if line.startswith("flags")), "")
    except OSError:
        return ""


def release(root: Path) -> str:
    """Return the operating system as its release file names it, for example ``debian12``."""
    for place in ("etc/os-release", "usr/lib/os-release"):
        facts = {"ID": "linux", "VERSION_ID": ""}
        try:
            text = (root / place).read_text(errors="replace")
        except OSError:
            continue
        for line in text.split("\n"):
            name, _, value = line.partition("=")
            if name in facts:
                facts[name] = value.removeprefix('"').removesuffix('"').removeprefix("'").removesuffix("'")
        return facts["ID"] + facts["VERSION_ID"].partition(".")[0]
    return platform.system().lower()


# -- what an environment is on one target ------------------------------------


def alone(record: Record) -> Record:
    """Return what an environment's own prefix is, as if there were no other builds; what proves it starts that one."""
    return msgspec.structs.replace(record, target="", targets=[], builds={})


def as_record(record: Record, target: str) -> Record:
    """Return the same of the build for *target*: its prefix, Python and modules."""
    build = record.builds[target]
    return msgspec.structs.replace(
        alone(record),
        prefix=build.prefix,
        python=build.python,
        python_path=build.python_path,
        creator=build.creator,
        installer=build.installer,
        tools=build.tools,
        modules=build.modules,
        kernelspec=build.kernelspec,
        platform=build.platform,
        preflight=build.preflight,
    )


def for_others(record: Record, target: str) -> Record | None:
    """Return what of somebody else's environment is for *target*, as if it were alone, with that one among its targets.

    None where there is nothing for it. A build that does not lie inside the environment is none: its record says so,
    and nobody has looked at that place.
    """
    if not record.target:
        return record
    if target == record.target:
        return msgspec.structs.replace(alone(record), targets=[target])
    build = record.builds.get(target)
    if build is None or Path(build.prefix).parent != Path(record.prefix, ".hpcenv", "builds"):
        return None
    if safe(Path(build.prefix).name) != Path(build.prefix).name:
        return None
    return msgspec.structs.replace(as_record(record, target), targets=[target])


def parts(record: Record) -> list[tuple[str, Record, bool]]:
    """Return for each target what the environment is there, its own prefix first, and whether that is outdated."""
    own = (record.target, alone(record), False)
    return [
        own,
        *((name, as_record(record, name), build.edition != record.edition) for name, build in record.builds.items()),
    ]
