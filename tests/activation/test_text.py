"""What is generated for each dialect, where it goes, and what is refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from jupyter_hpcenv import activation
from jupyter_hpcenv.activation import DIALECTS, facts_of, for_prefix, render_activation, render_facts
from jupyter_hpcenv.errors import HpcenvError, InvalidRequest, InvalidVariable, NameTaken, NotFound
from jupyter_hpcenv.lifecycle.templates import check
from jupyter_hpcenv.models import ModuleSet
from jupyter_hpcenv.site import Site
from jupyter_hpcenv.site.proofreading import check_templates, list_templates, show_template
from jupyter_hpcenv.site.references import Reference, parts

from .conftest import Modules, make, make_prefix, run, snapshot

GOLDEN = Path(__file__).parents[1] / "golden"
SET = ModuleSet(
    system="lmod", init="/opt/lmod/init/bash", modulepath=["/opt/it's modules"], load=["gcc/12.3.0", "openmpi/4.1.5"]
)
VARIABLES = {"OMP_NUM_THREADS": "${SLURM_CPUS_PER_TASK:-1}", "TITLE": '100% "it\'s" `$x` [y] {z\\ !'}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_text_is_the_golden_one(dialect: str, site: Site) -> None:
    record = make("/scratch/user/it's climate", modules=SET, variables=VARIABLES)
    assert render_activation(dialect, record, site) == (GOLDEN / f"activate.{dialect}").read_text(encoding="utf-8")


@pytest.mark.parametrize("dialect", ["lmod", "tcl", "bash", "fish"])
def test_text_for_several_is_the_golden_one(dialect: str, site: Site) -> None:
    text = render_activation(dialect, make("/scratch/user/it's climate"), site, several=True)
    assert text == (GOLDEN / f"activate-several.{dialect}").read_text(encoding="utf-8")


@pytest.mark.parametrize("dialect", ["csh", "sbatch", "pbs"])
def test_several_are_refused_where_one_is_used_at_a_time(dialect: str, site: Site) -> None:
    with pytest.raises(InvalidRequest, match="one environment") as caught:
        render_activation(dialect, make("/p"), site, several=True)
    assert ("no functions" in caught.value.message) == (dialect == "csh")
    assert "lmod, tcl, bash, fish" in caught.value.hints[0]


def test_unknown_dialect_is_refused(site: Site) -> None:
    with pytest.raises(InvalidRequest, match="no dialect 'ksh'") as caught:
        render_activation("ksh", make("/p"), site)
    assert "lmod" in caught.value.hints[0]


@pytest.mark.parametrize("module", ["-x", "a b", "gcc/12;id", "$(id)", "a:b", "", "é/1", "gcc\n"])
def test_name_of_a_module_that_shells_would_read_is_refused(module: str, site: Site) -> None:
    with pytest.raises(InvalidRequest, match="name of a module"):
        facts_of(make("/p", modules=ModuleSet(system="lmod", load=[module])), site)


def test_paths_that_path_can_not_hold_are_refused(site: Site) -> None:
    for record in (make("/a:b"), make("relative"), make("/p", modules=ModuleSet(system="tcl", modulepath=["/m:n"]))):
        with pytest.raises(InvalidRequest):
            facts_of(record, site)


def test_steering_variables_are_refused(site: Site) -> None:
    with pytest.raises(InvalidVariable):
        facts_of(make("/p", variables={"LD_PRELOAD": "/x"}), site)


def test_variables_of_the_site_are_there_and_the_records_win(site: Site) -> None:
    site.variables = {"A": "site", "B": "site"}
    assert facts_of(make("/p", variables={"B": "own"}), site).variables == {"A": "site", "B": "own"}


def test_any_prefix_can_be_used(site: Site, prefix: Path, tmp_path: Path) -> None:
    facts = for_prefix(prefix, site)
    assert facts.name == prefix.name
    path = tmp_path / "activate"
    path.write_text(render_facts("bash", facts))
    done = run("bash", f". {path}\npython -c 'import only_in_climate'; echo $? $VIRTUAL_ENV_PROMPT\n", tmp_path)
    assert done.stdout == "0 climate_it_s__x\n", done.stderr


def test_folder_that_is_no_environment_is_told(site: Site, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no virtual environment"):
        for_prefix(tmp_path, site)


@pytest.mark.parametrize("dialect", ["sbatch", "pbs"])
@pytest.mark.parametrize("purge", ["default", "purge", "none"])
def test_batch_job_sees_the_modules_and_the_environment(
    dialect: str, purge: str, modules: Modules, site: Site, prefix: Path, tmp_path: Path
) -> None:
    loaded = modules.set("gcc/12", "openmpi/4.1")
    loaded.purge = purge
    text = render_activation(dialect, make(prefix, modules=loaded, variables=VARIABLES), site)
    place = "# Your command comes here"
    assert text.count(place) == 1
    text = text.replace(place, f"env -0 > job\npython -c 'import only_in_climate'; echo $?\n{place}")
    start = f". {modules.init}\nmodule use {modules.folder}\nmodule load bulk1/1.0\n"
    (tmp_path / "job.sh").write_text(text)
    done = run("bash", f"{start}bash job.sh\n", tmp_path, {"SLURM_CPUS_PER_TASK": "7"})
    assert done.stdout == "0\n", done.stderr
    job = snapshot(tmp_path / "job")
    assert job["LOADEDMODULES"] == ("bulk1/1.0:" if purge == "none" else "") + "gcc/12:openmpi/4.1"
    assert (job["OMP_NUM_THREADS"], job["TITLE"]) == ("7", VARIABLES["TITLE"])
    assert job["PATH"].split(":")[0] == f"{prefix}/bin"


def test_batch_job_ends_when_a_module_is_missing(modules: Modules, site: Site, prefix: Path, tmp_path: Path) -> None:
    text = render_activation("sbatch", make(prefix, modules=modules.set("gcc/12", "nosuch/1")), site)
    done = run("bash", f"{text}\necho reached\n", tmp_path)
    assert (done.returncode, done.stdout) == (93, "")
    assert "nosuch/1" in done.stderr


def test_references_are_found_exactly() -> None:
    assert parts("") == []
    assert parts("a${SLURM_X:-1}b${PBS_Y}") == ["a", Reference("SLURM_X", "1"), "b", Reference("PBS_Y", "")]
    for literal in (
        "${HOME}",
        "${SLURM_x}",
        "${SLURM_X:-a b}",
        "${SLURM_X:-$(id)}",
        "$SLURM_X",
        "${XSLURM_X}",
        "${SLURM_X",
    ):
        assert parts(literal) == [literal]


class TestInstalling:
    """Files in their places."""

    @pytest.mark.parametrize("dialect", DIALECTS)
    def test_file_comes_and_goes(self, dialect: str, site: Site, prefix: Path) -> None:
        record = make(prefix)
        path = activation.install(dialect, record, site)
        assert path == activation.install_path(dialect, record, site)
        assert path.read_text() == render_activation(dialect, record, site)
        assert path.is_relative_to(site.data_dir)
        assert activation.installed(record, site) == {dialect: [path]}
        assert activation.install(dialect, record, site) == path
        assert activation.uninstall(record, site) == [path]
        assert not path.exists()

    def test_file_of_another_environment_stays(self, site: Site, prefix: Path) -> None:
        path = activation.install("lmod", make(prefix), site)
        other = make(prefix, id="f" * 32, location="scratch")
        with pytest.raises(NameTaken):
            activation.install("lmod", other, site)
        assert activation.uninstall(other, site) == []
        assert path.exists()

    def test_file_that_is_not_ours_stays(self, site: Site, prefix: Path) -> None:
        path = activation.install_path("bash", make(prefix), site)
        path.parent.mkdir(parents=True)
        path.write_text("mine\n")
        with pytest.raises(NameTaken):
            activation.install("bash", make(prefix), site)
        assert path.read_text() == "mine\n"

    def test_nothing_is_written_when_a_template_is_broken(self, site: Site, prefix: Path, tmp_path: Path) -> None:
        folder = tmp_path / "templates"
        folder.mkdir(mode=0o755)
        (folder / "activate.lua.j2").write_text("-- {{ id | comment }}\n{{ nonsense | lua }}\n")
        old = activation.install("lmod", make(prefix), site).read_text()
        site.template_dirs = [str(folder)]
        with pytest.raises(HpcenvError, match=r"activate\.lua\.j2.* line 2: .*nonsense"):
            activation.install("lmod", make(prefix), site)
        assert activation.install_path("lmod", make(prefix), site).read_text() == old

    def test_site_chooses_the_folders(self, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CLUSTER_HOME", str(tmp_path))
        site.activation_dirs = {"lmod": "$CLUSTER_HOME/it's mine", "scripts": "{data_dir}/s", "fish": str(tmp_path)}
        record = make("/p")
        assert activation.install_path("lmod", record, site) == tmp_path / "it's mine/hpcenv/climate.lua"
        assert activation.install_path("lmod", record, site, several=True).name == "hpcenv-climate.lua"
        assert activation.install_path("bash", record, site) == site.data_dir / "s/climate.sh"
        assert activation.install_path("fish", record, site) == tmp_path / "climate.fish"
        assert activation.use_line("lmod", site) == f"module use '{tmp_path}/it'\\''s mine'"
        assert activation.use_line("bash", site) == ""
        site.activation_dirs = {"lmod": "$NOT_SET_ANYWHERE/x"}
        with pytest.raises(InvalidRequest, match="no absolute path"):
            activation.install_path("lmod", record, site)


class TestProofreading:
    """The check of a site's templates."""

    def test_our_own_templates_are_right(self, site: Site) -> None:
        assert check_templates(site, activation.samples()) == []

    @pytest.mark.parametrize(
        ("name", "wrong", "line"),
        [
            ("activate.sh.j2", "# {{ name | comment }}\nif true; then\n  echo 'a\n", 3),
            ("activate.csh.j2", "# {{ name | comment }}\necho (\n", 0),
            ("activate.fish.j2", "# {{ name | comment }}\nif true\n", 2),
            ("activate.lua.j2", '-- {{ name | comment }}\nsetenv("A", "b"\n', 2),
            ("activate.tcl.j2", "#%Module\n# {{ name | comment }}\nif {1} {\n  setenv A b\n", 3),
            ("sbatch.j2", "#!/bin/bash\n# {{ name | comment }}\ncase x in\n", 3),
            ("pbs.j2", "{{ name }}\n", 1),
            ("batch.sh.j2", "# {{ name | comment }}\n{% if %}\n", 2),
        ],
    )
    def test_what_is_wrong_is_named(self, name: str, wrong: str, line: int, site: Site, tmp_path: Path) -> None:
        folder = tmp_path / "templates"
        folder.mkdir(mode=0o755)
        (folder / name).write_text(wrong)
        site.template_dirs = [str(folder)]
        samples = activation.samples()  # the others include none of these, and are ours: those are right
        findings = check_templates(
            site, {each: samples[each] for each in {name, "pbs.j2", "sbatch.j2"} & samples.keys()}
        )
        expected = ["pbs.j2", "sbatch.j2"] if name == "batch.sh.j2" else [name]
        assert [finding.template for finding in findings] == expected
        assert str(folder / name) in findings[0].message
        assert findings[0].fatal
        if line:
            assert abs(findings[0].line - line) <= 1

    def test_the_file_that_is_at_fault_is_named_and_not_the_one_that_includes_it(
        self, site: Site, tmp_path: Path
    ) -> None:
        folder = tmp_path / "templates"
        folder.mkdir(mode=0o755)
        (folder / "sbatch.j2").write_text('#!/bin/bash\n# {{ name | comment }}\n{% include "batch.sh.j2" %}\n')
        (folder / "batch.sh.j2").write_text("# {{ name | comment }}\nif true; then\n")
        site.template_dirs = [str(folder)]
        (finding,) = check_templates(site, {"sbatch.j2": activation.samples()["sbatch.j2"]})
        assert (finding.template, finding.path) == ("batch.sh.j2", str(folder / "batch.sh.j2"))
        assert f"The template {folder / 'batch.sh.j2'} makes of sbatch.j2 a script that" in finding.message
        assert finding.line
        (folder / "batch.sh.j2").write_text("# {{ name | comment }}\n")
        (folder / "sbatch.j2").write_text('#!/bin/bash\n{% include "batch.sh.j2" %}\nfi\n')
        (finding,) = check_templates(site, {"sbatch.j2": activation.samples()["sbatch.j2"]})
        assert (finding.template, finding.path) == ("sbatch.j2", str(folder / "sbatch.j2"))

    def test_a_file_that_nothing_uses_is_named(self, site: Site, tmp_path: Path) -> None:
        """A misspelt template would change nothing, and nobody would be told."""
        common, scratch = tmp_path / "common", tmp_path / "scratch"
        for folder in (common, scratch):
            folder.mkdir(mode=0o755)
        (common / "lanuch_prologue.sh.j2").write_text("")
        (common / "launch.sh").write_text("")
        (common / "README.md").write_text("")
        (common / "sbatch.j2").write_text('#!/bin/bash\n{% include "centre.sh.j2" %}\n{% include "batch.sh.j2" %}\n')
        (common / "centre.sh.j2").write_text('{% include "centre_more.sh.j2" %}\n')
        (common / "centre_more.sh.j2").write_text("\n")
        (common / "centre_scratch.sh.j2").write_text("\n")
        (common / "centre_old.sh.j2").write_text("\n")
        (scratch / "pbs.j2").write_text(
            '#!/bin/bash\n{% include "centre_scratch.sh.j2" %}\n{% include "batch.sh.j2" %}\n'
        )
        (scratch / "sbatch").write_text("")
        site.template_dirs = [str(common)]
        site.locations = {"home": "/home", "scratch": {"root": "/scratch", "templates": str(scratch)}}
        found = {Path(finding.path): finding for finding in check(site)}
        expected = {common / name for name in ("lanuch_prologue.sh.j2", "launch.sh", "centre_old.sh.j2")}
        assert found.keys() == {*expected, scratch / "sbatch"}
        assert "did you mean launch_prologue.sh.j2?" in found[common / "lanuch_prologue.sh.j2"].message
        assert "did you mean launch.sh.j2?" in found[common / "launch.sh"].message
        assert not any(finding.fatal for finding in found.values())  # nobody's kernel is refused for it

    def test_templates_that_count_in_one_location_are_checked_too(self, site: Site, tmp_path: Path) -> None:
        folder = tmp_path / "scratch"
        folder.mkdir(mode=0o755)
        (folder / "pbs.j2").write_text("#!/bin/bash\nif true; then\n")
        site.locations = {"home": "/home", "scratch": {"root": "/scratch", "templates": str(folder)}}
        (finding,) = check(site)
        assert (finding.path, finding.fatal) == (str(folder / "pbs.j2"), True)

    def test_templates_are_listed_and_shown(self, site: Site, tmp_path: Path) -> None:
        folder = tmp_path / "templates"
        folder.mkdir(mode=0o755)
        (folder / "pbs.j2").write_text("own {{ name | comment }}\n")
        site.template_dirs = [str(folder)]
        listed = {template.name: template.own for template in list_templates(site)}
        assert listed["pbs.j2"]
        assert not listed["sbatch.j2"]
        assert set(activation.TEMPLATES.values()) <= set(listed)
        assert show_template("pbs.j2", site) == "own {{ name | comment }}\n"
        for name in ("nothing.j2", "../config.py", "/etc/passwd"):
            with pytest.raises(NotFound):
                show_template(name, site)


def test_two_environments_do_not_share_a_prompt(site: Site, tmp_path: Path) -> None:
    facts = for_prefix(make_prefix(tmp_path / "$(touch pwned) `id` %n !"), site)
    assert facts.label == "__touch_pwned___id___n__"


def test_a_batch_script_names_the_partition_that_the_environment_was_built_on(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_PARTITION", "zen4")
    assert Site().platform().partition == "zen4"
    assert Site().effective()["partition"] == "zen4", "a worker, which sees no variables of Slurm, is told"
    record = msgspec.structs.replace(make("/p"), platform=Site().platform())
    text = render_activation("sbatch", record, site)
    assert "#SBATCH --partition=zen4\n" in text
    assert "was built on the partition" in render_activation("pbs", record, site)
    assert "partition" not in render_activation("sbatch", make("/p"), site)
