"""``setup --check``: each fault is made on a site that is well, and it alone is then told."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from jupyter_hpcenv import questions
from jupyter_hpcenv.admission import setting_up
from jupyter_hpcenv.models import PythonFact
from jupyter_hpcenv.modules import find
from jupyter_hpcenv.questions import Answers, Fault, Place, configured, lockouts, packages, surroundings
from jupyter_hpcenv.site import Site

from ..cli.conftest import Cli
from ..crowd.test_users import reachable
from ..modules.systems import need
from ..modules.trees import write_lmod

PYTHON = "/usr/bin/python3"


class Index(BaseHTTPRequestHandler):
    """A package index that answers."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def index() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/simple"
    server.shutdown()
    server.server_close()


class Well:
    """A site that was set up and is well."""

    def __init__(self, root: Path, home: Path, index: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.home, self.monkeypatch = root, home, monkeypatch
        self.into = root / "etc"
        self.config = self.into / "jupyter_hpcenv_config.py"
        self.policy = self.into / "hpcenv_policy.toml"
        self.templates = self.into / "hpcenv" / "templates"
        (root / "scratch").mkdir()
        (root / "wheels").mkdir()
        variables = {
            "JUPYTER_CONFIG_PATH": str(self.into),
            "HPCENV_POLICY": str(self.policy),
            "XDG_CONFIG_DIRS": str(root / "xdg"),
            "MODULEPATH": write_lmod(root, PYTHON),
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("PIP_CONFIG_FILE", raising=False)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.setenv(name, "127.0.0.1")
        answers = Answers(
            module_system="lmod",
            module_init=need("lmod"),
            python_paths=[PYTHON],
            index_url=index,
            locations={"scratch": Place(root=f"{root}/scratch/environments")},
        )
        questions.check(answers)
        questions.write(questions.plan(answers, self.into))

    def say(self, line: str) -> None:
        """Add a line to the configuration."""
        with self.config.open("a") as file:
            file.write(f"{line}\n")

    def enforce(self, line: str) -> None:
        self.policy.write_text(f"version = 1\n[enforced]\n{line}\n")

    def pip(self, text: str) -> None:
        path = self.root / "xdg" / "pip" / "pip.conf"
        path.parent.mkdir(parents=True)
        path.write_text(text)

    def own(self, name: str, text: str) -> None:
        (self.home / name).parent.mkdir(exist_ok=True)
        (self.home / name).write_text(text)

    def look(self) -> list[Fault]:
        return setting_up.look("", ())[0]


@pytest.fixture
def well(tmp_path: Path, home: Path, index: str, monkeypatch: pytest.MonkeyPatch) -> Well:
    return Well(tmp_path, home, index, monkeypatch)


def test_nothing_is_wrong_with_what_setup_wrote(well: Well) -> None:
    assert well.look() == []


#: By code: how a site gets that fault, and a piece of what is said of it, in its message or advice.
BROKEN: dict[str, tuple[Callable[[Well], object], str]] = {
    "configuration_unreadable": (lambda site: site.say("c.Site.contact = ("), "see line"),
    "configuration_writable": (lambda site: site.config.chmod(0o666), "everybody"),
    "unknown_trait": (lambda site: site.say('c.Site.contcat = "me"'), "c.Site.contact?"),
    "unknown_trait section": (lambda site: site.say('c.VenvManger.installer = "pip"'), "c.VenvManager?"),
    "unknown_trait of manifests": (lambda site: site.say('c.Manifest.kernel_dir = "/x"'), "c.Manifest.kernels_dir?"),
    "wrong_value of manifests": (lambda site: site.say("c.Manifest.parallel = 0"), "c.Manifest.parallel"),
    "wrong_value": (lambda site: site.say("c.Site.trash_days = -1"), "c.Site.trash_days"),
    "wrong_value of a manager": (lambda site: site.say('c.CondaManager.engine = "mamba"'), "c.CondaManager.engine"),
    "batch_system_silent": (
        lambda site: site.say('c.Site.batch_system, c.Site.batch = "pbs", {"partition": "big"}'),
        "c.Site.batch_system",
    ),
    "location_missing": (lambda site: site.say('c.Site.locations["p"] = "/nonexistent/a/b"'), "/nonexistent/a"),
    "location_missing variable": (lambda site: site.say('c.Site.locations["p"] = "$NOWHERE_2/e"'), "$NOWHERE_2"),
    "location_on_home": (
        lambda site: (
            site.monkeypatch.setenv("WORK", str(site.root)),
            site.say('c.Site.locations = {"home": "{data_dir}/environments"}'),
        ),
        "$WORK",
    ),
    "location_not_sticky": (
        lambda site: (
            (site.root / "shared").mkdir(),
            (site.root / "shared").chmod(0o777),
            site.say(f'c.Site.locations["shared"] = {{"root": "{site.root}/shared", "sharing": True}}'),
        ),
        "chmod +t",
    ),
    "conda_missing": (
        lambda site: site.say('c.CondaManager.engine, c.CondaManager.command = "command", "/nonexistent/mamba"'),
        "/nonexistent/mamba",
    ),
    "default_location_unknown": (lambda site: site.say('c.Site.default_location = "scrach"'), "Did you mean scratch?"),
    "template_wrong folder": (lambda site: site.say('c.Site.template_dirs = ["/nonexistent"]'), "/nonexistent"),
    "template_wrong writable": (
        lambda site: ((site.templates / "launch_prologue.sh.j2").write_text(":\n"), site.templates.chmod(0o777)),
        "everybody",
    ),
    "template_wrong": (lambda site: (site.templates / "launch.sh.j2").write_text("#!/bin/sh\nif\n"), "launch.sh.j2"),
    "template_unread": (lambda site: (site.templates / "lanuch.sh.j2").write_text("exit\n"), "launch.sh.j2"),
    "policy_broken": (lambda site: site.enforce("manager = []"), "manager"),
    "policy_broken gone": (lambda site: site.policy.unlink(), "it is not there"),
    "policy_location_unknown": (
        lambda site: site.enforce('locations = {venv = ["scratchh"]}'),
        "Did you mean scratch?",
    ),
    "policy_location_unknown default": (
        lambda site: site.policy.write_text('version = 1\n[default]\nlocation = "scrtch"\n'),
        "Did you mean scratch?",
    ),
    "policy_locks_out location": (lambda site: site.enforce("locations = {venv = []}"), "“locations”"),
    "policy_locks_out python": (
        lambda site: (
            site.monkeypatch.setattr(lockouts, "find_pythons", lambda _: [_python_of_the_system()]),
            site.enforce("system_python = false"),
        ),
        f"be used: {PYTHON} (3.11.2)",
    ),
    "policy_locks_out version": (lambda site: site.enforce('pythons = ["3.99"]'), "“pythons”"),
    "policy_locks_out manager": (lambda site: site.enforce("managers = []"), "“managers”"),
    "policy_forbids_default": (lambda site: site.enforce('managers = ["conda"]'), "“--manager conda”"),
    "policy_forbids_default location": (
        lambda site: (
            site.say('c.Site.locations["home"] = "{data_dir}/environments"'),
            site.enforce('locations = {venv = ["home"]}'),
        ),
        "c.Site.default_location be home",
    ),
    "policy_writable": (lambda site: site.policy.chmod(0o666), "chmod go-w"),
    "policy_not_obeyed": (lambda site: site.own(".jupyter/hpcenv_policy.toml", "version = 1\n"), "HPCENV_POLICY"),
    "module_init_missing": (lambda site: site.say('c.Site.module_init = "/nonexistent/init/bash"'), "/nonexistent"),
    "module_system_missing": (
        lambda site: (
            site.monkeypatch.setattr(find, "_TCL_PLACES", ()),
            site.say('c.Site.module_system, c.Site.module_init = "tcl", ""'),
        ),
        "tcl",
    ),
    "module_path_missing": (lambda site: site.say('c.Site.module_path = ["/nonexistent"]'), "/nonexistent"),
    "no_modules": (lambda site: site.monkeypatch.setenv("MODULEPATH", str(site.root / "scratch")), "no module"),
    "python_missing": (lambda site: site.say('c.Site.python_paths.append("/nonexistent/python3")'), "/nonexistent"),
    "python_folder_missing": (lambda site: site.say('c.Site.python_folders = ["/nonexistent"]'), "/nonexistent"),
    "no_python": (lambda site: site.monkeypatch.setattr(surroundings, "find_pythons", lambda _: []), "no Python"),
    "no_python_with_venv": (
        lambda site: site.monkeypatch.setattr(surroundings, "find_pythons", _split_off),
        "ensurepip",
    ),
    "wheelhouse_missing": (lambda site: site.say('c.VenvManager.find_links = ["/nonexistent"]'), "/nonexistent"),
    "no_packages": (lambda site: site.say("c.VenvManager.no_index = True"), "find_links"),
    "index_unreachable": (
        lambda site: site.say('c.VenvManager.index_url = "http://127.0.0.1:1/simple"'),
        "127.0.0.1:1",
    ),
    "pip_conf_unread": (lambda site: site.own(".pip.conf", "[global]\n"), ".pip.conf"),
    "pip_conf_broken": (lambda site: site.pip("no section\n"), "pip.conf"),
    "pip_conf_variable": (lambda site: site.pip("[global]\ncache-dir = $SCRATCH/pip\n"), "PIP_CACHE_DIR"),
    "condarc_broken": (
        lambda site: (
            site.own("base/.condarc", "channels: [\n"),
            site.monkeypatch.setenv("CONDA_ROOT", f"{site.home}/base"),
        ),
        "condarc",
    ),
    "audit_log_unwritable": (
        lambda site: site.say('c.Site.audit_log = "/nonexistent/{username}.jsonl"'),
        "/nonexistent is not there",
    ),
    "audit_log_unwritable syslog": (
        lambda site: site.say(f'c.Site.audit_log = "syslog:{site.config}"'),
        "is no socket",
    ),
    "audit_log_unwritable link": (
        lambda site: (
            (site.root / "log").symlink_to("/dev/null"),
            site.say(f'c.Site.audit_log = "{site.root}/log"'),
        ),
        "no regular file",
    ),
    "preset_folder_missing": (lambda site: site.say('c.Site.preset_folders = ["/nonexistent"]'), "/nonexistent"),
    "preset_broken": (
        lambda site: (
            (site.root / "presets").mkdir(),
            (site.root / "presets" / "mine.yaml").write_text("version: 1\ntitel: x\n"),
            site.say(f'c.Site.preset_folders = ["{site.root}/presets"]'),
        ),
        "“titel”",
    ),
    "kernels_dir_missing": (lambda site: site.say('c.Manifest.kernels_dir = "/nonexistent/kernels"'), "/nonexistent"),
    "manifest_broken": (lambda site: site.say('c.Manifest.per_user = ["/nonexistent.yaml"]'), "/nonexistent.yaml"),
    "manifest_broken key": (
        lambda site: (
            (site.root / "site.yaml").write_text("version: 1\nenvironmnets: []\n"),
            site.say(f'c.Manifest.per_user = ["{site.root}/site.yaml"]'),
        ),
        "environments",
    ),
    "condarc_unheeded": (lambda site: site.own(".condarc", "chanels:\n  - mine\n"), "chanels"),
}


def _python_of_the_system() -> PythonFact:
    return PythonFact(path=PYTHON, real=PYTHON, version="3.11.2", source="system", label="")


def _split_off(site: Site) -> list[PythonFact]:
    """A Python whose distribution has taken ensurepip out of its library."""
    root = Path(os.environ["JUPYTER_CONFIG_PATH"]).parent / "python"
    (root / "lib/python3.11/venv").mkdir(parents=True)
    (root / "lib/python3.11/venv/__init__.py").touch()
    path = str(root / "bin/python3")
    return [PythonFact(path=path, real=path, version="3.11.2", source="path", label="")]


@pytest.mark.parametrize("code", list(BROKEN))
def test_each_fault_is_told_alone(code: str, well: Well) -> None:
    harm, said = BROKEN[code]
    harm(well)
    if not code.startswith("template"):
        well.monkeypatch.setattr(setting_up, "check_templates", lambda _: [])  # they take most of the time
    faults = well.look()
    assert [each.code for each in faults] == [code.partition(" ")[0]], faults
    assert said in faults[0].message + faults[0].advice
    assert faults[0].message.endswith((".", "?"))
    assert faults[0].breaks
    assert faults[0].advice


def test_one_fault_hides_no_other(well: Well) -> None:
    well.say(
        'c.Site.trash_days = -1\nc.Site.contcat = ""\nc.Site.default_location = "no"\nc.VenvManager.installer = "x"'
    )
    well.policy.write_text("version = 2\n")
    (well.into / "jupyter_config.json").write_text("{")
    well.own(".pip.conf", "")
    assert {each.code for each in well.look()} == {
        *("configuration_unreadable", "unknown_trait", "wrong_value", "policy_broken"),
        *("default_location_unknown", "pip_conf_unread"),
    }


def test_what_preinstall_sets_up_is_well(well: Well) -> None:
    (well.root / "kernels").mkdir()
    (well.root / "site.yaml").write_text("version: 1\n")
    well.say(f'c.Manifest.kernels_dir = "{well.root}/kernels"\nc.Manifest.per_user = ["{well.root}/site.yaml"]')
    well.say(f'c.Site.audit_log = "{well.root}/log"')
    well.monkeypatch.setattr(setting_up, "check_templates", lambda _: [])
    assert well.look() == []
    assert not (well.root / "log").exists()


def test_a_location_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    """It is a fault where there is no other one; else it may be meant for the account that builds for everybody."""
    nowhere, _ = unprivileged({"system": "/hpcenv-environments"}, "")
    assert nowhere == "location_unwritable broken"
    with reachable("hpcenv-setup-") as ground:
        ground.chmod(0o777)
        both = {"site": "/hpcenv-environments", "open": f"{ground}/environments"}
        meant, advice = unprivileged(both, "open")
        assert meant == "location_unwritable risk"
        assert advice.startswith("Leave it so")
        assert unprivileged(both, "site")[0] == "location_unwritable broken", "a plain create takes it"


def unprivileged(locations: dict[str, str], default: str) -> tuple[str, str]:
    """Return code with severity, and advice, of what is told to somebody else: root may write everywhere."""
    site = Site(locations=locations, default_location=default)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresuid(12345, 12345, 12345)
            told = [f"{each.code} {each.severity}\n{each.advice}" for each in configured.locations(site)]
            os.write(writing, "\n".join(told).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading) as said:
        code, _, advice = said.read().partition("\n")
    os.waitpid(child, 0)
    return code, advice


def test_places_of_the_system_that_pip_does_not_read(tmp_path: Path, home: Path) -> None:
    for text in packages.UNREAD_PIP:
        if text.startswith("/"):
            (tmp_path / text[1:]).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / text[1:]).touch()
    told = [each.path for each in packages.pip_files(tmp_path)]
    assert told == [f"{tmp_path}{text}" for text in packages.UNREAD_PIP if text.startswith("/")]


def test_the_command_says_what_why_and_what_to_do(well: Well, tmp_path_factory: pytest.TempPathFactory) -> None:
    cli = Cli(well.home, tmp_path_factory.mktemp("uv"))
    for name in ("JUPYTER_CONFIG_PATH", "HPCENV_POLICY", "XDG_CONFIG_DIRS", "MODULEPATH", "NO_PROXY", "no_proxy"):
        cli.env[name] = os.environ[name]
    done = cli("setup", "--check")
    assert (done.returncode, done.stdout) == (0, f"Read: {well.config}.\nNothing is wrong.\n")
    well.config.chmod(0o666)
    risk = cli("setup", "--check")
    assert risk.returncode == 0  # it works, for now
    assert "configuration_writable (a risk): " in risk.stdout
    well.config.chmod(0o644)
    well.enforce('locations = {venv = ["scratchh"]}')
    early = cli("policy", "--check", str(well.policy))
    assert early.returncode == 0, early.stderr  # it is understood
    assert "names the location scratchh (locations), and there is no such location." in early.stderr
    assert "Did you mean scratch?" in early.stderr
    well.enforce('locations = {venv = ["scratch"]}')
    assert cli("policy", "--check", str(well.policy)).stderr == ""
    well.say("c.Site.contact = (")
    assert "can not be read: see line" in cli("policy", "--check", str(well.policy)).stderr
    broken = cli("setup", "--check")
    assert broken.returncode == 1
    assert broken.stdout.splitlines()[1].startswith(f"configuration_unreadable: The configuration file {well.config}")
    other = well.root / "other.py"
    other.write_text("c = get_config()\nc.Site.contcat = 1\n")
    well.config.write_text("c = get_config(\n")
    assert cli("setup", "--check").stdout.startswith("No configuration could be read; ")
    well.config.unlink()
    assert "c.Site.contact?" in cli("setup", "--check", "--config", str(other)).stdout
