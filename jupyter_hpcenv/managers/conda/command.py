"""The engine for sites that insist on conda, mamba or micromamba: the same verbs as the built-in one.

Each transaction is planned first, with ``--dry-run``, and the plan is judged here: whether all comes from the channels
that were decided, whether link scripts would run, whether something goes that somebody asked for. Then it is run.
What a program says of itself proves nothing: mamba may end with 0 after a failed download, and conda says nothing at
all after an exact list. So the records in ``conda-meta`` decide whether it worked.

A program can not do all of a change in one go. What it removes, updates and installs are transactions of their own;
all are planned before the first is run.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from ...errors import BuildFailed, HpcenvError, WrongState
from ...files import remove_tree, write_once
from ...models import LineKind, PinnedPackage, Progress, Reporter
from ...process import Completed, working_folder
from . import cache, engine, history, records
from . import command_jobs as jobs
from . import command_judge as judge
from .command_cache import Look, file_count, scripts_of, throw_away, unpacked
from .command_jobs import Job
from .command_output import Actions, Part, Said, actions, answer, shown
from .command_problems import problem
from .command_run import CACHE, Mode, check_source, launch, other_caches
from .find_command import Program
from .installed import META, Installed, name_of, read
from .plan import Plan, Planned, Source, compare, planned

_COMMAND = "jupyter-hpcenv"


class CommandEngine:
    """Build conda environments by a program. Methods block, and the worker calls them; they are those of `engine`.

    *environ* is the environment of programs that build, with what modules put into it.
    """

    #: What needs no program, because it only reads the files of an environment.
    explicit = staticmethod(engine.explicit)
    installed = staticmethod(engine.installed)
    lock = staticmethod(engine.lock)
    recover = staticmethod(engine.recover)
    unfinished = staticmethod(engine.unfinished)

    def __init__(self, program: Program, environ: Mapping[str, str]) -> None:
        self.program = program
        self._environ = environ

    def versions(self) -> dict[str, str]:
        """Return what builds, and its version; goes into the record."""
        return {self.program.name: self.program.version}

    # -- the verbs of an engine ------------------------------------------

    def create(self, source: Source, specs: Sequence[str], prefix: Path, report: Reporter) -> list[Installed]:
        """Fill *prefix*, which may exist but holds no packages, with *specs* and what they need; return all of it."""
        _begin(prefix)
        if read(prefix):
            raise WrongState(f"{prefix} is a conda environment already.", hints=["Change it, or take another name."])
        todo = jobs.jobs(specs, [], False, [], {})
        self._transact(source, prefix, report, todo, jobs.wanted(todo, {}))
        return engine.installed(prefix)

    def install_pinned(
        self,
        source: Source,
        pinned: Sequence[PinnedPackage],
        prefix: Path,
        report: Reporter,
        requested: Sequence[str] = (),
    ) -> list[Installed]:
        """Let *prefix* hold exactly these packages; nothing is solved, and what else it holds goes.

        *requested* are the match specs that somebody asked with, if that is known; else all packages count as asked
        for by name that no other one needs.
        """
        _begin(prefix)
        engine.recover(source, prefix, report)
        names = {jobs.part_of(each).name for each in pinned}
        others = tuple(each.name for each in read(prefix) if each.name not in names)
        todo = [Job(verb="install", pinned=tuple(pinned))] if pinned else []
        todo += [Job(verb="remove", words=others, alone=True)] if others else []
        self._transact(source, prefix, report, todo, {name_of(spec): spec for spec in requested} or None)
        return engine.installed(prefix)

    def change(
        self,
        source: Source,
        prefix: Path,
        report: Reporter,
        *,
        install: Sequence[str] = (),
        update: Sequence[str] = (),
        update_all: bool = False,
        remove: Sequence[str] = (),
    ) -> Plan:
        """Change *prefix*, and return what became of its packages. Earlier requests hold on, as with `engine`."""
        _check_existing(prefix)
        engine.recover(source, prefix, report)
        before, earlier = read(prefix), _requests(prefix)
        todo = jobs.jobs(install, update, update_all, remove, earlier)
        wanted = jobs.wanted(todo, earlier)
        fetched = self._transact(source, prefix, report, todo, wanted)
        plan = compare(before, {each.name: _planned_of(each, fetched) for each in read(prefix)})
        plan.requested = list(_requests(prefix).values())
        return plan

    def plan(
        self,
        source: Source,
        specs: Sequence[str] = (),
        prefix: Path | None = None,
        report: Reporter | None = None,
        *,
        install: Sequence[str] = (),
        update: Sequence[str] = (),
        update_all: bool = False,
        remove: Sequence[str] = (),
    ) -> Plan:
        """Return what `create` would do with *specs*, or `change` with *prefix*; only indexes are fetched."""
        with _private_folder() as folder:
            target = prefix or folder / "environment"
            if prefix is None:
                _begin(target)
            _check_existing(target)
            before, earlier = read(target), _requests(target)
            after = {each.name: planned(each) for each in before}
            todo = jobs.jobs([*specs, *install], update, update_all, remove, earlier)
            for job in todo:
                done = self._plan(source, job, target, folder, report or Silent(), before, earlier)
                for part in done.unlink:
                    after.pop(part.name, None)
                after |= {part.name: _planned(source, part, done) for part in done.link}
            result = compare(before, after)
            result.requested = [spec for name, spec in jobs.wanted(todo, earlier).items() if name in after]
            return result

    def plan_pinned(self, source: Source, pinned: Sequence[PinnedPackage]) -> Plan:
        """Return what `install_pinned` would do; how large packages are is known only of those in the cache."""
        done = jobs.exact(Job(verb="install", pinned=tuple(pinned)), [])
        there = {part.stem for part in done.link if unpacked(_caches(source), part)}
        done.fetch = {stem: part for stem, part in done.fetch.items() if stem not in there}
        return compare([], {part.name: _planned(source, part, done) for part in done.link})

    # -- transactions ----------------------------------------------------

    def _transact(
        self,
        source: Source,
        prefix: Path,
        report: Reporter,
        todo: Sequence[Job],
        wanted: Mapping[str, str] | None,
    ) -> dict[str, Part]:
        """Plan, judge, fetch and run *todo*, and write down what is *wanted* then; return what was fetched, by stem."""
        fetched: dict[str, Part] = {}
        before, earlier = read(prefix), _requests(prefix)
        with _private_folder() as folder:
            report.step("solve")
            if not source.copy:
                _say_copies(source, prefix, report)
            plans = [(job, self._plan(source, job, prefix, folder, report, before, earlier)) for job in todo]
            _tell(report, [plan for _, plan in plans])
            report.step("download")
            if not source.link_scripts:
                for job, plan in plans:
                    self._fetch(_held(source, job, earlier), job, plan, prefix, folder, report)
                report.step("link")
            for job, plan in plans:
                if plan.link or plan.unlink or job.pinned:
                    look = Look(report, plan, _caches(source), prefix, "download" if source.link_scripts else "link")
                    done = self._run(_held(source, job, earlier), job, prefix, folder, "apply", report, look)
                    look.look()
                    self._prove(source, job, done, prefix)
                    fetched |= plan.fetch
        _remember(prefix, todo, wanted)
        old = {(each.record, each.url) for each in before}
        for each in read(prefix) if source.copy else ():
            if (each.record, each.url) not in old:  # conda copies dates, too, and a purge goes by them
                cache.freshen(prefix, records.files(each))
        return fetched

    def _plan(
        self,
        source: Source,
        job: Job,
        prefix: Path,
        folder: Path,
        report: Reporter,
        before: Sequence[Installed],
        earlier: Mapping[str, str],
    ) -> Actions:
        """Return what *job* would do; raises what there is to say against it."""
        jobs.check(job)
        check_source(source)
        judge.presence(job, before)
        if job.pinned:  # conda plans nothing then, and there is nothing to solve
            return jobs.exact(job, before)
        done = self._run(_held(source, job, earlier), job, prefix, folder, "plan", report)
        judge.channels(self.program, source.channels, done, _caches(source))
        if not job.alone:
            judge.losses(job, done, earlier)
        return done

    def _fetch(self, source: Source, job: Job, plan: Actions, prefix: Path, folder: Path, report: Reporter) -> None:
        """Fetch what *job* needs, and refuse it if a package would run scripts: that is seen once it is unpacked."""
        caches = _caches(source)
        if any(unpacked(caches, part) is None for part in plan.link):
            look = Look(report, plan, caches, prefix, "download")
            by_specs = job.pinned and self.program.dialect == "conda"
            roots = list(dict.fromkeys(part.channel for part in plan.link))
            free = msgspec.structs.replace(source, channels=roots, priority="disabled", constraints=[])
            chosen, task = (free, jobs.fetching(plan)) if by_specs else (source, job)
            self._run(chosen, task, prefix, folder, "download", report, look)
            look.look()
        if any(unpacked(caches, part) is None for part in plan.link):
            caches = [*caches, *other_caches(self.program, source, folder, self._environ, report)]
        for part in plan.link:
            tree = unpacked(caches, part)
            judge.scripts(self.program, part.name, scripts_of(tree, part.name) if tree else ["hidden"])
        for part in plan.unlink:
            judge.scripts(self.program, part.name, scripts_of(prefix, part.name, unlink=True))
        for each in job.pinned:
            judge.digest(each, jobs.part_of(each), caches)

    def _run(
        self,
        source: Source,
        job: Job,
        prefix: Path,
        folder: Path,
        mode: Mode,
        report: Reporter,
        look: Look | None = None,
    ) -> Actions:
        """Run the program and return what it says that it did; raises what its failure means."""
        done, said = launch(self.program, source, job, prefix, folder, mode, self._environ, report, look)
        document = answer(said.text)
        quiet = bool(job.pinned) or mode == "download"  # then conda ends well without a word
        if not done.ok or document.get("success") is False or not (document or quiet):
            raise self._problem(done, said, source)
        return actions(document)

    def _problem(self, done: Completed, said: Said, source: Source) -> HpcenvError:
        error = problem(self.program, said.text, said.noise, offline=source.offline)
        if done.returncode == 2 and type(error) is BuildFailed:  # an option that it does not know
            error.hints = (f"{self.program.name} {self.program.version} may be too old for it.", *error.hints)
        for spoilt in re.findall(r"located at (/.+?)(?:\\n|\n|$)", said.text):
            throw_away(Path(spoilt), _caches(source))
        return error

    def _prove(self, source: Source, job: Job, done: Actions, prefix: Path) -> None:
        """Raise unless *prefix* is as it should be after *job*, whatever the program said."""
        link = jobs.exact(job, []).link if job.pinned else done.link
        judge.proof(self.program, link, done.unlink, prefix)
        if source.link_scripts:
            for each in job.pinned:
                judge.digest(each, jobs.part_of(each), _caches(source))
        else:  # what is linked was planned a moment ago, but by another run
            for part in link:
                judge.scripts(self.program, part.name, scripts_of(prefix, part.name))


# -- environments -----------------------------------------------------------


def _begin(prefix: Path) -> None:
    """Let *prefix* be an environment: mamba's own ``create`` would remove what marks the folder as ours."""
    (prefix / META).mkdir(parents=True, exist_ok=True)
    write_once(history.path_of(prefix), b"", 0o644)


def _check_existing(prefix: Path) -> None:
    if not history.path_of(prefix).is_file():
        raise WrongState(
            f"{prefix} is not a conda environment, or not any more.",
            hints=["Rebuild it; its record tells what was in it."],
        )


def _requests(prefix: Path) -> dict[str, str]:
    """Return the match specs that were asked with for what is installed, by name."""
    return {name: specs[0] for name, specs in history.requests(prefix, read(prefix)).items()}


def _remember(prefix: Path, todo: Sequence[Job], wanted: Mapping[str, str] | None) -> None:
    """Let history and records say what is *wanted*, where the program left something else.

    Programs forget a request for what is there already, write constraints away that they loosened, and take every
    package of an exact list for a request; None stands for the least of these.
    """
    now = read(prefix)
    if wanted is None:
        wanted = {name: name for name in jobs.tops(now)}
    names, said = {each.name for each in now}, _requests(prefix)
    kept = {name: spec for name, spec in wanted.items() if name in names}
    if said != kept:
        words = [word for job in todo for word in (job.verb, *job.words)]
        gone = [spec for name, spec in said.items() if name not in kept]
        records.mark(prefix, kept.values())
        history.add(prefix, [_COMMAND, *words], now, list(kept.values()), gone)


def _held(source: Source, job: Job, earlier: Mapping[str, str]) -> Source:
    return msgspec.structs.replace(source, constraints=[*source.constraints, *jobs.holding(job, earlier)])


# -- plans ------------------------------------------------------------------


def _caches(source: Source) -> list[Path]:
    return [Path(source.cache) / CACHE]


def _planned(source: Source, part: Part, plan: Actions) -> Planned:
    """Return a package of a plan with what the cache knows of it."""
    tree = unpacked(_caches(source), part)
    record, is_cached = judge.cached(tree), part.stem not in plan.fetch
    return Planned(
        name=part.name,
        version=part.version,
        build=part.build,
        channel=part.channel,
        url=shown(part.url or record.url),
        bytes=part.size or record.size,
        cached=is_cached,
        files=file_count(tree) if is_cached and tree else None,
    )


def _planned_of(package: Installed, fetched: Mapping[str, Part]) -> Planned:
    stem = f"{package.name}-{package.version}-{package.build}"
    return msgspec.structs.replace(planned(package), cached=stem not in fetched)


def _tell(report: Reporter, plans: Sequence[Actions]) -> None:
    """Write into the log what is going to happen."""
    link = [part for plan in plans for part in plan.link]
    coming = {part.name for part in link}
    going = [part for plan in plans for part in plan.unlink if part.name not in coming]
    for part in link:
        report.line("output", shown(f"+ {part.name} {part.version} {part.build} ({part.channel})"))
    for part in going:
        report.line("output", f"- {part.name} {part.version} {part.build}")
    report.detail(f"{len(link)} package{'' if len(link) == 1 else 's'}" + (f", {len(going)} go" if going else ""))


def _say_copies(source: Source, prefix: Path, report: Reporter) -> None:
    folder = _caches(source)[0]
    folder.mkdir(parents=True, exist_ok=True)
    if folder.stat().st_dev != prefix.stat().st_dev:
        report.line(
            "warning",
            f"Packages are copied, because the package cache is on another filesystem: {folder}. That takes longer "
            "and more room.",
        )


class Silent:
    """Report to nobody."""

    def step(self, name: str) -> None:
        """Do nothing."""

    def detail(self, text: str) -> None:
        """Do nothing."""

    def line(self, kind: LineKind, text: str) -> None:
        """Do nothing."""

    def progress(self, progress: Progress | None) -> None:
        """Do nothing."""

    def check(self) -> None:
        """Do nothing."""


@contextlib.contextmanager
def _private_folder() -> Iterator[Path]:
    folder = Path(working_folder())
    try:
        yield folder
    finally:
        with contextlib.suppress(OSError):
            remove_tree(folder)
