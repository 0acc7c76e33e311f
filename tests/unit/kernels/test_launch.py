"""The launch script: its text, and what it does under real shells."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv import kernels
from jupyter_hpcenv.errors import InvalidRequest, InvalidVariable
from jupyter_hpcenv.models import Build, ModuleSet, Platform, Record
from jupyter_hpcenv.site import Site
from jupyter_hpcenv.site.loader import LOADER

MODULES = ModuleSet(
    system="lmod",
    init="/usr/share/lmod/lmod/init/bash",
    modulepath=["/apps/modules/all", "/apps/it's/modules"],
    load=["gcc/12.3.0", "SciPy-bundle/2025.06"],
    watch=["/apps/modules/all/gcc/12.3.0.lua", "/apps/modules/all/gcc"],
    state="/apps/modules/all/gcc/12.3.0.lua|361|1795261330.741753527|81a4\n"
    "/apps/modules/all/gcc|4096|1795261330.741854396|41ed\n",
)
SHELLS = [["/bin/sh"], ["dash"], ["bash", "--posix"], ["bash"]]
PREFIXES = [
    "plain",
    "with space",
    "it's",
    'dou"ble',
    "$HOME",
    "`id`",
    "naïve-日本",
    "-dash",
    "a\\b",
    "{{7*7}}",
    "a;b&c",
    "!x",
]
VARIABLES = {
    "OMP_NUM_THREADS": "4",
    "EMPTY": "",
    "QUOTES": 'it\'s "quoted"',
    "DOLLAR": "$HOME ${HOME} $(id) `id`",
    "TEMPLATE": "{{ 7 * 7 }}",
    "BACKSLASH": "\\ \\n \\\\",
    "BANG": "!! !x",
    "UNICODE": "naïve 日本 😀",
    "GLOB": "* ? [a] {a,b} ~",
    "prefix": "/elsewhere",
    "lower_case": "-n --help",
}

Make = Callable[..., Record]


def fake_prefix(folder: Path) -> Path:
    """Make a prefix whose python says how it was started."""
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin" / "python"
    python.write_text(
        f"#!{sys.executable} -S\nimport json, os, sys\n"
        "print(json.dumps({'argv': sys.argv, 'environ': dict(os.environ), 'pid': os.getpid()}))\n"
    )
    python.chmod(0o755)
    return folder


def start(shell: list[str], launch: Path, *arguments: str, environ: dict[str, str] | None = None) -> dict[str, object]:
    process = subprocess.Popen(
        [*shell, str(launch), *arguments], env=environ or {}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/"
    )
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors.decode()
    assert errors == b""
    answer: dict[str, object] = json.loads(output)
    assert answer["pid"] == process.pid, "the launch script must end in exec"
    return answer


def test_text_is_the_golden_one(make_record: Make, golden: Callable[[str, str], None]) -> None:
    record = make_record("/scratch/ada/it's climate", variables={"OMP_NUM_THREADS": "8", "TITLE": "{{7*7}} $x"})
    golden("launch.sh", kernels.render_launch(record, {"OMP_NUM_THREADS": "4", "SITE": "one two"}))


def build_of(record: Record, target: str, **changes: Any) -> Build:
    values: dict[str, Any] = {
        "target": target,
        "prefix": f"{record.prefix}/.hpcenv/builds/{target}",
        "python": record.python,
        "python_path": record.python_path,
        "kernelspec": record.kernelspec,
        "platform": Platform(cluster="testcluster", os="debian12", arch="x86_64", target=target),
        "created": record.created,
        "operation": record.operation,
    }
    return Build(**{**values, **changes})


def test_the_text_that_chooses_among_builds_is_the_golden_one(make_record: Make, golden: Callable[..., None]) -> None:
    record = make_record("/scratch/user/it's climate", python="3.11.7", target="zen4", edition=1)
    record.builds = {"zen5": build_of(record, "zen5", edition=1), "zen3": build_of(record, "zen3")}
    golden("launch.targets.sh", kernels.render_launch(record, {}, target_variables=["ARCH", "OS"]))
    begun = kernels.render_launch(record, {}, build_missing=True)
    assert "-m jupyter_hpcenv.cli" in begun


def test_an_environment_with_one_build_asks_nothing(make_record: Make) -> None:
    record = make_record("/p", platform=Platform(cluster="c", os="debian12", arch="x86_64", target="zen4"))
    assert "target" not in kernels.render_launch(record, {})


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("launch.modules.sh", {"modules": MODULES, "variables": {"OMP_NUM_THREADS": "${SLURM_CPUS_PER_TASK:-1}"}}),
        ("launch.only-modules.sh", {"modules": MODULES, "manager": "modules"}),
    ],
)
def test_text_with_modules_is_the_golden_one(
    name: str, changes: dict[str, Any], make_record: Make, golden: Callable[[str, str], None]
) -> None:
    text = kernels.render_launch(make_record("/scratch/ada/it's climate", **changes), {"SITE": "1"}, timeout=90)
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0
    # what identifies this set holds the loader's bytes, too
    golden(name, re.sub("hpcenv_key='[0-9a-f]{32}'", "hpcenv_key='DIGEST'", text))


def test_cache_and_loader_come_only_with_modules(make_record: Make, tmp_path: Path, home: Path) -> None:
    cached = kernels.render_launch(make_record(modules=MODULES), {})
    assert "hpcenv_look" in cached
    assert "hpcenv_look" not in kernels.render_launch(make_record(modules=MODULES), {}, cache=False)
    prefix = fake_prefix(tmp_path / "p")
    kernels.write_launch(make_record(prefix), Site())
    assert [path.name for path in (prefix / ".hpcenv").iterdir()] == ["launch"]
    kernels.write_launch(make_record(prefix, modules=MODULES), Site(module_cache=False, module_timeout=7))
    assert (prefix / ".hpcenv" / "load.bash").read_bytes() == LOADER.read_bytes()
    text = (prefix / ".hpcenv" / "launch").read_text()
    assert "hpcenv_look" not in text
    assert "hpcenv_load=('7' " in text


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize("name", PREFIXES)
def test_starts_in_any_prefix_with_an_empty_environment(
    name: str, shell: list[str], tmp_path: Path, make_record: Make, site: Site
) -> None:
    prefix = fake_prefix(tmp_path / name)
    launch = kernels.write_launch(make_record(prefix, variables=VARIABLES), site)
    answer = start(shell, launch, "-m", "x y", "$z", "")
    assert answer["argv"] == [str(prefix / "bin" / "python"), "-m", "x y", "$z", ""]
    environ = answer["environ"]
    assert isinstance(environ, dict)
    assert environ["VIRTUAL_ENV"] == str(prefix)
    assert environ["PATH"].split(":")[0] == str(prefix / "bin")
    assert environ["PYTHONNOUSERSITE"] == "1"
    assert {name: environ.get(name) for name in VARIABLES} == VARIABLES


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_other_environments_around_it_do_not_reach_it(
    shell: list[str], tmp_path: Path, make_record: Make, site: Site
) -> None:
    launch = kernels.write_launch(make_record(fake_prefix(tmp_path / "p")), site)
    around = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/nowhere",
        "PYTHONHOME": "/other",
        "PYTHONPATH": "/other/lib",
        "PYTHONSTARTUP": "/other/start.py",
        "__PYVENV_LAUNCHER__": "/other/python",
        "CONDA_PREFIX": "/conda",
        "CONDA_DEFAULT_ENV": "base",
        "CONDA_SHLVL": "1",
        "VIRTUAL_ENV": "/other",
        "VIRTUAL_ENV_PROMPT": "other",
        "prefix": "exported by somebody",
    }
    environ = start(shell, launch, environ=around)["environ"]
    assert isinstance(environ, dict)
    kept = {"HOME": "/nowhere", "prefix": "exported by somebody"}
    ours = {"VIRTUAL_ENV": str(tmp_path / "p"), "PATH": f"{tmp_path}/p/bin:/usr/bin:/bin", "PYTHONNOUSERSITE": "1"}
    made_by_shells = {"PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}
    assert {k: v for k, v in environ.items() if k not in made_by_shells} == {**kept, **ours}


def test_users_variables_win_over_the_sites(tmp_path: Path, make_record: Make, home: Path) -> None:
    site = Site(variables={"OMP_NUM_THREADS": "2", "SITE": "s"})
    launch = kernels.write_launch(make_record(fake_prefix(tmp_path / "p"), variables={"OMP_NUM_THREADS": "8"}), site)
    environ = start(["/bin/sh"], launch)["environ"]
    assert isinstance(environ, dict)
    assert (environ["OMP_NUM_THREADS"], environ["SITE"]) == ("8", "s")


def test_lies_in_the_prefix_executable_and_whatever_the_umask(tmp_path: Path, make_record: Make, site: Site) -> None:
    for number, mask in enumerate((0o000, 0o027, 0o077)):
        before = os.umask(mask)
        try:
            launch = kernels.write_launch(make_record(fake_prefix(tmp_path / str(number))), site)
        finally:
            os.umask(before)
        assert launch == tmp_path / str(number) / ".hpcenv" / "launch"
        assert launch.stat().st_mode & 0o777 == 0o755
        assert not launch.parent.stat().st_mode & 0o022


@pytest.mark.parametrize(
    "name", ["LD_PRELOAD", "BASH_ENV", "PYTHONPATH", "PATH", "VIRTUAL_ENV", "HPCENV_PREFIX", "A B"]
)
def test_steering_variables_are_refused_even_from_a_record(name: str, make_record: Make) -> None:
    with pytest.raises(InvalidVariable):
        kernels.render_launch(make_record(variables={name: "x"}), {})


def test_name_can_not_leave_its_comment(make_record: Make) -> None:
    text = kernels.render_launch(make_record(name="a\nrm -rf /"), {})
    assert "\nrm" not in text
    with pytest.raises(InvalidRequest):
        kernels.render_launch(make_record("/a\nb"), {})


def test_sites_template_is_used(tmp_path: Path, make_record: Make, home: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir(mode=0o755)
    (folder / "launch.sh.j2").write_text(
        '#!/bin/sh\nexport SITE={{ cluster | sh }}\nexec {{ prefix | sh }}/bin/python "$@"\n'
    )
    site = Site(template_dirs=[str(folder)])
    launch = kernels.write_launch(make_record(fake_prefix(tmp_path / "p")), site)
    environ = start(["/bin/sh"], launch)["environ"]
    assert isinstance(environ, dict)
    assert environ["SITE"] == "testcluster"


def test_a_locations_templates_come_before_the_sites(make_record: Make, tmp_path: Path) -> None:
    """Of one location alone: what a centre does on scratch need not be right elsewhere."""
    for name, text in (("site", "# of the site\n"), ("scratch", "# of the location\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "launch_epilogue.sh.j2").write_text(text)
    here = {"root": str(tmp_path), "templates": str(tmp_path / "scratch")}
    site = Site(locations={"scratch": here, "home": str(tmp_path)}, template_dirs=[str(tmp_path / "site")])
    (tmp_path / "prefix").mkdir()
    texts = {}
    for location in ("scratch", "home"):
        texts[location] = kernels.write_launch(make_record(location=location), site).read_text()
    assert "# of the location" in texts["scratch"]
    assert "# of the site" not in texts["scratch"]
    assert "# of the site" in texts["home"]
