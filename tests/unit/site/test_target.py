"""Python and the script that launch scripts run give a computer the same name, whatever it is called by the site."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from traitlets import TraitError
from traitlets.config import Config

from jupyter_hpcenv.models import BatchRequest, Build, Platform, Record
from jupyter_hpcenv.site import Site, target

V2 = "fpu mmx sse sse2 ssse3 sse4_1 sse4_2 cx16 lahf_lm popcnt"
V3 = f"{V2} avx avx2 bmi1 bmi2 f16c fma abm movbe xsave"
V4 = f"{V3} avx512f avx512bw avx512cd avx512dq avx512vl"
SHELLS = ("/bin/sh", "bash", "dash")


def by_script(*arguments: str, shell: str = "/bin/sh", **variables: str) -> str:
    env = {"PATH": os.environ["PATH"], **variables}
    done = subprocess.run([shell, str(target.SCRIPT), *arguments], env=env, capture_output=True, check=True)
    assert done.stderr == b""
    return os.fsdecode(done.stdout).removesuffix("\n")


def computer(root: Path, flags: str | None, release: str | None = 'ID=rocky\nVERSION_ID="9.4"\n') -> Path:
    (root / "proc").mkdir(parents=True)
    (root / "etc").mkdir()
    if flags is not None:
        (root / "proc/cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t:\n\nflags\t\t: fpu\n")
    if release is not None:
        (root / "etc/os-release").write_text(release)
    return root


@pytest.mark.parametrize(
    ("flags", "machine", "told"),
    [
        (V4, "x86_64", "rocky9-x86_64_v4"),
        (V3, "x86_64", "rocky9-x86_64_v3"),
        (V3.replace(" movbe", ""), "x86_64", "rocky9-x86_64_v2"),
        (f"{V2} avx512f", "x86_64", "rocky9-x86_64_v2"),
        (V4.replace(" cx16", ""), "x86_64", "rocky9-x86_64"),
        (None, "x86_64", "rocky9-x86_64"),
        (V4, "aarch64", "rocky9-aarch64"),
    ],
)
def test_the_level_is_the_highest_of_which_nothing_is_missing(
    tmp_path: Path, flags: str | None, machine: str, told: str
) -> None:
    root = computer(tmp_path, flags)
    assert target.of_machine(root, machine) == told
    assert {by_script(str(root), machine, shell=shell) for shell in SHELLS} == {told}


@pytest.mark.parametrize(
    ("release", "told"),
    [
        ("# comment\nNAME=x\nID='debian'\nVERSION_ID=12", "debian12"),
        ('VERSION_ID=""\nID=arch\nVERSION_CODENAME=sid\n', "arch"),
        ("NAME=nothing\n", "linux"),
        ('ID="a b/../c"\nVERSION_ID="3.1"\n', "a-b-..-c3"),
    ],
)
def test_the_release_is_read_alike(tmp_path: Path, release: str, told: str) -> None:
    root = computer(tmp_path, V2, release)
    assert target.of_machine(root, "riscv64") == f"{told}-riscv64"
    assert by_script(str(root), "riscv64") == f"{told}-riscv64"


def test_without_a_release_file_the_kernel_tells(tmp_path: Path) -> None:
    root = computer(tmp_path, None, None)
    assert target.of_machine(root, "x86_64") == by_script(str(root), "x86_64") == "linux-x86_64"


def test_this_computer_is_called_the_same() -> None:
    assert target.current((), {}) == by_script("", "") == target.of_machine()


VALUE = st.binary(max_size=90).map(lambda data: os.fsdecode(data.replace(b"\0", b"")))
TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=90)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=VALUE | TEXT, second=VALUE | st.sampled_from(["", "zen4", "x86_64/amd/zen4", "..", "-rf"]))
@pytest.mark.parametrize(("shell", "locale"), [("dash", "C"), ("bash", "C.UTF-8")])
def test_whatever_the_variables_say_is_the_name_of_one_folder(first: str, second: str, shell: str, locale: str) -> None:
    told = target.current(("FIRST", "SECOND"), {"FIRST": first, "SECOND": second})
    assert by_script("", "", "FIRST", "SECOND", shell=shell, FIRST=first, SECOND=second, LC_ALL=locale) == told
    assert 0 < len(told) <= target.LONGEST
    assert "/" not in told
    assert not told.startswith((".", "-"))
    assert target.safe(told) == told


def test_the_variables_that_are_set_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in target.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert not target.told(target.VARIABLES)
    monkeypatch.setenv("EESSI_SOFTWARE_SUBDIR", "x86_64/amd/zen4")
    assert target.current() == "x86_64-amd-zen4"
    monkeypatch.setenv("VSC_ARCH_LOCAL", "zen4")
    monkeypatch.setenv("VSC_OS_LOCAL", "")
    assert target.current() == "zen4-x86_64-amd-zen4"
    assert target.told(target.VARIABLES)


def test_a_site_says_where_a_target_is_built() -> None:
    site = Site(config=Config({"Site": {"targets": {"zen5": {"description": "new", "partition": "z5"}, "zen4": {}}}}))
    assert site.target_request("zen5") == BatchRequest(partition="z5")
    assert site.target_request("zen4") is None
    assert site.target_request("other") is None


@pytest.mark.parametrize(
    ("trait", "value", "said"),
    [
        ("targets", {"a/b": {}}, "a/b"),
        ("targets", {"zen4": "zen4"}, "zen4"),
        ("targets", {"zen4": {"partitoin": "x"}}, "partitoin"),
        ("targets", {"zen4": {"partition": "--wrap=id"}}, "wrap"),
        ("target_variables", ["A-B"], "A-B"),
        ("target_variables", ["A;id"], "A;id"),
    ],
)
def test_what_can_be_no_target_is_refused(trait: str, value: object, said: str) -> None:
    with pytest.raises(TraitError, match=said):
        Site(config=Config({"Site": {trait: value}}))


@pytest.mark.parametrize(
    ("prefix", "taken"),
    [
        ("/p/.hpcenv/builds/zen5", True),
        ("/p/.hpcenv/builds/zen5.12ab", True),
        ("/tmp/zen5", False),
        ("/p/.hpcenv/builds/..", False),
        ("/p/.hpcenv/builds/../../../tmp", False),
    ],
)
def test_a_colleagues_build_counts_only_inside_the_environment(prefix: str, taken: bool) -> None:
    platform = Platform(cluster="c", os="o", arch="a")
    told: dict[str, Any] = {
        "python": "3.11.7",
        "python_path": "/py",
        "platform": platform,
        "created": "",
        "operation": "",
    }
    build = Build(target="zen5", prefix=prefix, **told)
    record = Record(
        **told,
        **dict.fromkeys(("id", "name", "location", "manager", "creator", "installer", "display_name", "owner"), "x"),
        prefix="/p",
        changed="",
        target="zen4",
        targets=["zen4", "zen5"],
        builds={"zen5": build},
    )
    found = target.for_others(record, "zen5")
    assert (found is not None and (found.prefix, found.targets) == (prefix, ["zen5"])) is taken
    own = target.for_others(record, "zen4")
    assert own is not None
    assert (own.prefix, own.targets, own.builds) == ("/p", ["zen4"], {})
    assert target.for_others(record, "zen3") is None
