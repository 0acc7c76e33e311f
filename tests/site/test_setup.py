"""The questionnaire: what it writes is read by the real programs, and nothing in an answer is ever run."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import ipykernel
import pytest
import yaml

from jupyter_hpcenv import policy, questions
from jupyter_hpcenv.errors import InvalidRequest, NameTaken
from jupyter_hpcenv.managers.conda import settings as conda
from jupyter_hpcenv.managers.installers import carried_pip
from jupyter_hpcenv.questions import Answers, Place
from jupyter_hpcenv.questions.settings import settings
from jupyter_hpcenv.site import Site
from jupyter_hpcenv.site.configuration import Configuration

from ..cli.conftest import Cli
from ..modules.conftest import World

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "admins" / "setup.md"

#: One line of text that each language could take for something else than text.
NASTY = 'it\'s "q" $(touch PWNED) `touch PWNED` ${HOME} $HOME [exec touch PWNED] { \\ \\n %(x)s #; 100% é 😀'
#: The same for folders, in which $NAME means a variable, and Tcl takes no character beyond 16 bits.
NASTY_FOLDER = 'it\'s "q" $(touch PWNED) `touch PWNED` [exec touch PWNED] { \\ \\n %(x)s #; 100% é'


@pytest.fixture(params=["lmod", "tcl"])
def world(request: pytest.FixtureRequest, tmp_path: Path, home: Path) -> World:
    return World(request.param, tmp_path, home)


@pytest.fixture
def staff(home: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Somebody who runs a machine whose users have $SCRATCH."""
    cli = Cli(home, tmp_path_factory.mktemp("uv"))
    (tmp_path / "scratch").mkdir()
    cli.env.update(SCRATCH=str(tmp_path / "scratch"), USER="someone")
    return cli


def in_use(cli: Cli, into: Path) -> None:
    """Let what was written count for this command line."""
    cli.env.update(JUPYTER_CONFIG_PATH=str(into), HPCENV_POLICY=str(into / "hpcenv_policy.toml"))


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# -- what is written ---------------------------------------------------------


def test_the_real_command_line_makes_an_environment_with_what_was_written(
    staff: Cli, world: World, tmp_path: Path
) -> None:
    into = tmp_path / "etc"
    staff.env.update({name: world.environ[name] for name in ("MODULEPATH", "MODULESHOME")})
    staff.env["LMOD_CMD" if world.kind == "lmod" else "MODULES_CMD"] = ""
    done = staff.data_of("setup", "--yes", "--into", str(into))
    assert [Path(each["path"]).name for each in done["files"]][-2:] == [
        "hpcenv_policy.toml",
        "jupyter_hpcenv_config.py",
    ]
    assert {each["done"] for each in done["files"]} == {"written"}
    in_use(staff, into)
    for name in ("MODULESHOME", "LMOD_CMD", "MODULES_CMD"):
        staff.env.pop(name, None)  # a server has none of them
    checked = staff.data_of("setup", "--check")
    assert checked == {"files": [str(into / "jupyter_hpcenv_config.py")], "faults": []}
    kernel = [] if world.kind == "lmod" else ["--no-kernel"]
    made = staff.data_of("create", "first", "--module", "gcc/12", *kernel)
    assert made["prefix"] == str(tmp_path / "scratch/environments/first")
    assert (made["modules"]["system"], made["modules"]["init"]) == (world.kind, world.init)
    assert "Site" in Configuration(str(into / "jupyter_hpcenv_config.py")).config


def test_the_modulefile_is_loaded_by_the_real_system_and_gives_back_what_was_before(
    world: World, tmp_path: Path
) -> None:
    answers = Answers(caches=f"$SCRATCH/{NASTY_FOLDER}/{{username}}", conda_envs="~/conda/envs", python_module=NASTY)
    questions.write(questions.plan(answers, tmp_path / "etc"))
    environ = {**world.environ, "SCRATCH": "/scratch of all", "USER": "someone", "PIP_CACHE_DIR": "/old"}
    use = f"module use {tmp_path}/etc/hpcenv/modulefiles/{world.kind}"
    loaded = world.interactive(f"cd {tmp_path}", use, "module load python-settings", environ=environ)
    base = f"/scratch of all/{NASTY_FOLDER}/someone"
    assert {name: loaded.get(name) for name in ("PIP_CACHE_DIR", "UV_CACHE_DIR", "CONDA_PKGS_DIRS")} == {
        "PIP_CACHE_DIR": f"{base}/pip",
        "UV_CACHE_DIR": f"{base}/uv",
        "CONDA_PKGS_DIRS": f"{base}/conda/pkgs",
    }
    assert (loaded["CONDA_ENVS_DIRS"], loaded["PYTHONNOUSERSITE"]) == (f"{world.home}/conda/envs", "1")
    both = (use, "module load python-settings", "module unload python-settings")
    after = world.interactive(f"cd {tmp_path}", *both, environ=environ)
    assert (after["PIP_CACHE_DIR"], "UV_CACHE_DIR" in after, "PYTHONNOUSERSITE" in after) == ("/old", False, False)
    del environ["SCRATCH"]
    bare = world.interactive(use, "module load python-settings", environ=environ)
    assert (bare["PIP_CACHE_DIR"], "UV_CACHE_DIR" in bare, bare["PYTHONNOUSERSITE"]) == ("/old", False, "1")
    assert not list(tmp_path.rglob("PWNED"))


def test_pip_obeys_what_is_put_where_it_reads(staff: Cli, tmp_path: Path) -> None:
    xdg = tmp_path / "xdg"
    staff.env["XDG_CONFIG_DIRS"] = str(xdg)
    del staff.env["PIP_CONFIG_FILE"]
    (staff.home / "answers.yaml").write_text(
        f"pip_conf: {xdg}/pip/pip.conf\ncaches: {yaml.safe_dump(f'~/{NASTY_FOLDER}').strip()}\n"
        "no_binary: [mpi4py, h5py]\nfind_links: [/apps/wheels, /apps/more]\nno_index: true\n"
    )
    staff.data_of("setup", "--answers", "answers.yaml", "--into", str(tmp_path / "etc"))

    def pip(*words: str) -> str:
        env = {name: value for name, value in staff.env.items() if not name.startswith("PIP_")}
        done = subprocess.run([*carried_pip(), *words], env=env, capture_output=True, text=True, check=True)
        return done.stdout

    assert f"{xdg}/pip/pip.conf, exists: True" in pip("config", "debug")
    assert pip("cache", "dir").rstrip("\n") == f"{staff.home}/{NASTY_FOLDER}/pip"
    told = dict(line.split("=", 1) for line in pip("config", "list").splitlines())
    assert told["install.no-binary"] == "'mpi4py,h5py'"
    assert told["install.no-index"] == "'true'"
    assert told["install.find-links"].split("\\n") == ["'", "/apps/wheels", "/apps/more'"]
    unread = f'pip_conf = "{tmp_path}/pip/pip.conf"'
    refused = staff.error_of("setup", "--answers", "-", "--into", str(tmp_path / "no"), stdin=unread)
    assert refused["message"] == f"pip does not read {tmp_path}/pip/pip.conf."
    assert "/etc/pip.conf" in refused["hints"][0]


def test_a_folder_that_depends_on_the_user_is_not_written_into_pip_conf(tmp_path: Path) -> None:
    """pip would make a folder that is called “$SCRATCH”."""
    files = {Path(each.path).name: each.text for each in questions.plan(Answers(caches="$SCRATCH/c"), tmp_path)}
    assert "cache-dir" not in files["pip.conf"]
    assert "$SCRATCH" not in files["pip.conf"]


def test_our_reader_of_condas_settings_obeys_the_condarc(tmp_path: Path) -> None:
    answers = Answers(
        channels=["conda-forge", "https://mirror.example.org/it's"],
        caches=f"$SCRATCH/{NASTY_FOLDER}",
        conda_envs="~/envs/{username}",
    )
    text = {Path(each.path).name: each.text for each in questions.plan(answers, tmp_path)}["condarc"]
    place = tmp_path / "etc/conda/.condarc"
    place.parent.mkdir(parents=True)
    place.write_text(text)
    read = conda.load({"SCRATCH": "/scratch", "HOME": "/home/u", "USER": "u"}, root=tmp_path)
    assert read.channels == ["conda-forge", "https://mirror.example.org/it's"]
    assert read.pkgs_dirs == [f"/scratch/{NASTY_FOLDER}/conda/pkgs"]
    assert (read.envs_dirs, read.channel_priority, read.warnings) == (["/home/u/envs/u"], "strict", [])
    assert yaml.safe_load(text)["pkgs_dirs"] == [f"${{SCRATCH}}/{NASTY_FOLDER}/conda/pkgs"]


def test_answers_end_as_data_in_every_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answers = Answers(
        contact=NASTY,
        cluster="\"\"\"'''",
        locations={"home": Place(root=f"/x/{NASTY}", description=NASTY, quota=["/bin/q", NASTY])},
        module_hints={NASTY: NASTY, "mpi.h": "OpenMPI"},
        python_paths=[f"/{NASTY}"],
        denied={"numpy": NASTY},
        preferred={"scipy": NASTY},
        python_module=NASTY,
    )
    questions.check(answers)
    written = {Path(each.path).name: each for each in questions.write(questions.plan(answers, tmp_path))}
    config = Configuration(written["jupyter_hpcenv_config.py"].path).config
    site = Site(config=config)
    assert (site.contact, site.cluster, site.python_paths) == (NASTY, "\"\"\"'''", [f"/{NASTY}"])
    assert site.locations == {"home": {"root": f"/x/{NASTY}", "description": NASTY, "quota": ["/bin/q", NASTY]}}
    assert site.module_hints == {NASTY: NASTY, "mpi.h": "OpenMPI"}
    rules = policy.check(Path(written["hpcenv_policy.toml"].path))
    assert (rules.contact, rules.enforced.denied, rules.preferred) == (NASTY, {"numpy": NASTY}, {"scipy": NASTY})
    again = questions.read_answers(written["answers.toml"].text, "answers.toml")
    assert Answers(**again) == answers
    assert not list(tmp_path.rglob("PWNED"))


@pytest.mark.parametrize("odd", ["a\nb", "a\rb", "a\x00b", "a\x1b[31mb", "a\u2028b", "a\x85b"])
def test_what_is_no_line_of_text_is_refused(odd: str, tmp_path: Path) -> None:
    for answers in (
        Answers(contact=odd),
        Answers(caches=f"/x/{odd}"),
        Answers(locations={"home": Place(root=f"/{odd}")}),
        Answers(denied={"numpy": odd}),
    ):
        with pytest.raises(InvalidRequest):
            questions.check(answers)
    for answers in (Answers(caches=f"/x/{odd}"), Answers(contact=odd)):  # whoever does not check writes it no more
        with pytest.raises(InvalidRequest):
            questions.plan(answers, tmp_path)


def test_each_trait_and_rule_that_is_written_exists() -> None:
    from jupyter_hpcenv.policy.reading import Enforced
    from jupyter_hpcenv.questions.configured import KINDS
    from jupyter_hpcenv.questions.rules import rules

    for each in settings(Answers()):
        assert each.trait in KINDS[each.kind].class_trait_names(config=True)
        KINDS[each.kind](**{each.trait: each.sample, **({} if each.kind == "Site" else {"site": Site()})})
    assert {each.name for each in rules(Answers())} == set(Enforced.__struct_fields__)


def test_what_is_commented_out_would_be_understood_too(tmp_path: Path) -> None:
    """People take the # away; what they get must not break everything."""
    text = {Path(each.path).name: each.text for each in questions.plan(Answers(), tmp_path)}["hpcenv_policy.toml"]
    lines = [
        line[2:] if line.startswith("# ") and (" = " in line or line == "# [hook]") else line
        for line in text.splitlines()
    ]
    (tmp_path / "all.toml").write_text("\n".join(lines))
    rules = policy.check(tmp_path / "all.toml")
    assert (rules.enforced.environments, rules.contact) == (20, "support@example.org")


# -- what is there already ----------------------------------------------------


def test_nothing_is_replaced_unasked(staff: Cli, tmp_path: Path) -> None:
    into = tmp_path / "etc"
    words = ("setup", "--yes", "--into", str(into))
    would = staff.data_of(*words, "--dry-run")
    assert {each["done"] for each in would["files"]} == {"would be written"}
    assert not into.exists()
    staff.data_of(*words)
    first = tree(into)
    assert {each["done"] for each in staff.data_of(*words)["files"]} == {"unchanged"}
    (into / "hpcenv" / "samples" / "pip.conf").unlink()
    (into / "jupyter_hpcenv_config.py").write_text("# mine\n")
    refused = staff.error_of(*words)
    assert refused["code"] == "name_taken"
    assert str(into / "jupyter_hpcenv_config.py") in refused["message"]
    assert not (into / "hpcenv" / "samples" / "pip.conf").exists()  # nothing at all was written
    assert (into / "jupyter_hpcenv_config.py").read_text() == "# mine\n"
    staff.data_of(*words, "--force")
    assert tree(into) == first


def test_a_link_is_never_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("keep")
    into = tmp_path / "etc"
    into.mkdir()
    (into / "jupyter_hpcenv_config.py").symlink_to(victim)
    files = questions.plan(Answers(), into)
    with pytest.raises(NameTaken):
        questions.write(files)
    questions.write(files, force=True)
    assert victim.read_text() == "keep"
    assert not (into / "jupyter_hpcenv_config.py").is_symlink()


def test_who_comes_at_the_same_time_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jupyter_hpcenv.questions import writing

    files = questions.plan(Answers(), tmp_path / "etc")

    def race(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (tmp_path / "etc" / "hpcenv" / "answers.toml").write_text("theirs")

    monkeypatch.setattr(writing, "_make", race)
    with pytest.raises(NameTaken):
        questions.write(files)
    assert (tmp_path / "etc" / "hpcenv" / "answers.toml").read_text() == "theirs"


def test_everybody_can_read_what_was_written_and_nobody_else_write(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        questions.write(questions.plan(Answers(), tmp_path / "a" / "etc"))
    finally:
        os.umask(before)
    for path in (tmp_path / "a").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o644), path


# -- answers -------------------------------------------------------------------


def test_answers_are_read_strictly(staff: Cli, tmp_path: Path) -> None:
    for text, said, hint in (
        ('contcat = "x"', "contcat", "contact"),
        ('[locations.scratch]\nroot = "$SCRATCH/e"\npurge_day = 3', "locations.scratch.purge_day", None),
        ('hide_system_python = "yes"', "hide_system_python", None),
        ('[locations.Scratch]\nroot = "/x"', "Scratch", None),
        ('default_location = "scrach"\n[locations]\nscratch = "/x"', "scrach", "scratch"),
        ('managers = ["vnv"]', "vnv", "venv"),
        ('caches = "relative"', "relative", None),
        ('caches = "/x/{group}"', "{group}", "{username}"),
        ('index_url = "https://u:secret@example.org/simple"', "user name or a password", None),
        ('module_system = "lmodd"', "lmod", None),
        ("no_index = true\nfind_links = []", "wheelhouse", None),
        ("contact = 'a", "TOML", None),
    ):
        error = staff.error_of("setup", "--answers", "-", "--into", str(tmp_path / "etc"), stdin=text)
        assert said in error["message"], (text, error)
        assert "secret" not in error["message"]
        if hint:
            assert hint in error["hints"][0], (text, error)
    assert not (tmp_path / "etc").exists()


def test_toml_and_yaml_say_the_same(tmp_path: Path) -> None:
    toml = 'hide_system_python = true\nenvironments = 5\npython_paths = ["/p"]\n[locations.s]\nroot = "/s"\n'
    toml += "purge_days = 60\n"
    text = (
        "hide_system_python: true\nenvironments: 5\npython_paths: [/p]\nlocations:\n  s: {root: /s, purge_days: 60}\n"
    )
    assert questions.read_answers(toml, "a.toml") == questions.read_answers(text, "a.yml")


@pytest.mark.parametrize("profile", list(questions.PROFILES))
def test_each_profile_gives_files_that_are_understood(profile: str, tmp_path: Path) -> None:
    found = questions.Detected(
        module_system="lmod",
        module_init="/apps/lmod/init/bash",
        rooms={"SCRATCH": "/s", "PROJECT": "/p"},
        find_links=["/cvmfs/wheels"],
        python_modules=["cray-python/3.11", "Python/3.12"],
    )
    answers = questions.propose(found, profile)
    questions.check(answers)
    written = {Path(each.path).name: each for each in questions.write(questions.plan(answers, tmp_path))}
    config = Configuration(written["jupyter_hpcenv_config.py"].path).config
    assert Site(config=config).locations["home"]["root"] == "{data_dir}/environments"
    held = policy.rules_of(policy.check(Path(written["hpcenv_policy.toml"].path)))
    if profile == "alliance":
        assert dict(config.VenvManager) == {"installer": "pip", "find_links": ["/cvmfs/wheels"], "no_index": True}
        assert held == {"managers": ["venv", "modules"], "system_python": False}
    elif profile == "conda-only":
        assert (Site(config=config).module_system, held) == ("none", {"managers": ["conda"]})
    elif profile == "laptop":
        assert list(Site(config=config).locations) == ["home"]
    else:
        assert Site(config=config).default_location == "project"  # what is not purged comes first
        assert held == {}


def test_questions_at_a_terminal_start_from_what_was_found(staff: Cli, tmp_path: Path) -> None:
    lines = {
        "Whom do people ask?": "help@example.org",
        "pip, uv and conda keep": "relative\n-",
        "go from": "soon\n60",
        "Another folder": "elsewhere\nx\n/else\nno.name\n/else\nelse\n",
        "mirror": "example.org\nhttps://mirror.example.org/simple",
    }
    asked = staff("setup", "--into", str(tmp_path / "etc"), stdin="\n" * 60)
    assert asked.returncode == 0, asked.stderr
    order = [line for line in asked.stderr.splitlines() if "?" in line]
    typed = "".join(next((f"{said}\n" for part, said in lines.items() if part in line), "\n") for line in order)
    done = staff("setup", "--into", str(tmp_path / "two"), stdin=typed)
    assert done.returncode == 0, done.stderr
    for said in ("it is not absolute", "'soon' is no number", "'no.name' can not name", "'example.org' is no address"):
        assert said in done.stderr  # at once, and it was asked again
    said = questions.read_answers((tmp_path / "two/hpcenv/answers.toml").read_text(), "answers.toml")
    assert (said["contact"], said["caches"]) == ("help@example.org", "")
    assert said["locations"]["scratch"].purge_days == 60
    assert (said["locations"]["else"].root, said["index_url"]) == ("/else", "https://mirror.example.org/simple")
    assert set(said["locations"]) == {"home", "scratch", "else"}
    first = questions.read_answers((tmp_path / "etc/hpcenv/answers.toml").read_text(), "answers.toml")
    assert (first["contact"], first["caches"], first["default_location"]) == ("", "$SCRATCH/caches", "scratch")
    stopped = staff("setup", "--into", str(tmp_path / "three"), stdin="\n\n")
    assert (stopped.returncode, (tmp_path / "three").exists()) == (130, False)


# -- a user ----------------------------------------------------------------------


def test_a_user_chooses_a_place_moves_caches_and_adopts(staff: Cli, tmp_path: Path) -> None:
    staff.data_of("setup", "--answers", "-", "--into", str(tmp_path / "etc"), stdin='default_location = ""')
    in_use(staff, tmp_path / "etc")
    staff.env.pop("UV_CACHE_DIR")
    (staff.home / ".cache" / "uv").mkdir(parents=True)
    for name in ("old", "bare"):
        folder = staff.home / ".virtualenvs" / name
        subprocess.run([sys.executable, "-m", "uv", "venv", "-q", "--python", sys.executable, str(folder)], check=True)
    library = "lib/python{}.{}/site-packages".format(*sys.version_info)
    (staff.home / ".virtualenvs/old" / library / "ours.pth").write_text(str(Path(ipykernel.__file__).parents[1]))
    (staff.home / "a.toml").write_text('location = "scratch"\ncaches = "scratch"\nadopt = ["all"]\n')
    done = staff.data_of("setup", "--user", "--answers", "a.toml")
    assert [each["path"] for each in done["files"]] == [str(staff.home / ".jupyter/jupyter_hpcenv_config.py")]
    assert next(each for each in staff.data_of("locations") if each["default"])["name"] == "scratch"
    assert done["moving"]["folders"]["UV_CACHE_DIR"].startswith(f"{tmp_path}/scratch/environments/.caches-")
    assert done["adopted"] == ["old"]
    assert os.listdir(staff.data / "kernels") == ["hpcenv-adopted.old"]
    assert "bare has no ipykernel" in done["notes"][0]  # told, and hindered nothing
    assert not (staff.home / ".bashrc").exists()
    assert staff.data_of("setup", "--user", "--answers", "a.toml")["files"] == []  # it is so by now
    assert not any("wins" in note for note in done["notes"])
    wrong = staff.error_of("setup", "--user", "--answers", "-", stdin='locaton = "home"')
    assert "“location”" in wrong["hints"][0]
    assert "scratch" in staff.error_of("setup", "--user", "--answers", "-", stdin='caches = "scrtch"')["hints"][0]


def test_a_user_is_told_where_her_own_file_does_not_count(staff: Cli, tmp_path: Path) -> None:
    """JUPYTER_CONFIG_PATH comes before a user's own folder, in Jupyter's own order."""
    staff.data_of("setup", "--yes", "--into", str(tmp_path / "etc"))
    in_use(staff, tmp_path / "etc")
    done = staff.data_of("setup", "--user", "--answers", "-", stdin='location = "home"')
    assert f"{tmp_path}/etc/jupyter_hpcenv_config.py wins" in done["notes"][0]


def test_the_page_as_printed(staff: Cli) -> None:
    text = PAGE.read_text()
    answers = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert answers is not None
    (staff.home / "answers.toml").write_text(answers[1])
    said = {}
    for command in re.findall(r"^\$ (.+?)(?:\s+#.*)?$", text, re.MULTILINE):
        done = subprocess.run(command, shell=True, env=staff.env, cwd=staff.home, capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        said[command] = done.stdout
    shown, written, checked, own = said.values()
    assert "  c.Site.contact = 'support@example.org'" in shown.splitlines()
    assert "jupyter_hpcenv_config.py: the configuration (written)." in written
    assert checked.endswith("Nothing is wrong.\n")
    assert "Make an environment: jupyter hpcenv create NAME PACKAGE" in own
    assert policy.check(staff.home / "hpcenv-etc" / "hpcenv_policy.toml").enforced.environments == 20
    profiles = set(re.findall(r"^\| `([\w-]+)` \|", text.partition("| profile |")[2].partition("## ")[0], re.MULTILINE))
    assert profiles == set(questions.PROFILES)


def test_what_is_written_says_truly_which_folder_wins(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {Path(each.path).name: each.text for each in questions.plan(Answers(contact="first"), tmp_path / "first")}
    assert "the one that “jupyter --paths” lists first wins" in files["jupyter_hpcenv_config.py"]
    questions.write(questions.plan(Answers(contact="first"), tmp_path / "first"))
    questions.write(questions.plan(Answers(contact="second"), tmp_path / "second"))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", f"{tmp_path}/first{os.pathsep}{tmp_path}/second")
    assert Site(config=Configuration().config).contact == "first"


def test_how_to_look_is_printed_with_what_makes_it_read(staff: Cli, tmp_path: Path) -> None:
    into = tmp_path / "a folder"
    done = staff("setup", "--yes", "--into", str(into))
    command = done.stdout.splitlines()[-1].partition(": ")[2]
    said = subprocess.run(command, shell=True, env=staff.env, cwd=staff.home, capture_output=True, text=True)
    assert said.stdout.startswith(f"Read: {into}/jupyter_hpcenv_config.py."), (command, said.stderr)
    assert f"HPCENV_POLICY='{into}/hpcenv_policy.toml'" in command
    in_use(staff, into)
    again = staff("setup", "--yes", "--into", str(into)).stdout
    assert again.endswith("Look whether it holds: jupyter hpcenv setup --check\n")


def test_a_user_for_whom_nothing_was_to_be_done_is_told_so(staff: Cli) -> None:
    assert staff("setup", "--user", "--yes").stdout.startswith("Nothing was changed: ")


def test_what_excludes_each_other_is_said(staff: Cli) -> None:
    for words in (("--check", "--yes"), ("--user", "--into", "x"), ("--json",), ("--yes", "--into", "~no-such-user/x")):
        assert staff("setup", *words).returncode == 2
