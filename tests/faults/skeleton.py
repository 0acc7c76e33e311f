"""An environment manager that makes a real, if bare, prefix in milliseconds, so that hundreds can be broken."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from invariant import CHANGED

from jupyter_hpcenv.files import explain
from jupyter_hpcenv.kernels import preflight
from jupyter_hpcenv.managers import snapshot
from jupyter_hpcenv.managers.contract import Built, Choice, Manager, ManagerFacts, Outcome, Package, Surroundings
from jupyter_hpcenv.models import Changes, Contents, CreateRequest, PythonFact, Record, Reporter, Step
from jupyter_hpcenv.process import environment, run
from jupyter_hpcenv.site import Site

BASE = os.path.realpath(sys.executable)
VERSION = ".".join(map(str, sys.version_info[:3]))
KERNEL = {
    "argv": ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    "display_name": "Python 3",
    "language": "python",
    "metadata": {"debugger": True},
}


class SkeletonManager(Manager):
    """A prefix of links with its own pyvenv.cfg: its Python starts and knows where it is."""

    name = "skeleton"

    def __init__(self, *, site: Site, **options: Any) -> None:
        super().__init__(**options)

    def probe(self) -> ManagerFacts:
        return ManagerFacts(
            name=self.name, creators=["links"], installers=["none"], default_creator="links", default_installer="none"
        )

    def check(
        self, request: CreateRequest, requirements: list[str], around: Surroundings, contents: Contents | None = None
    ) -> Choice:
        python = PythonFact(path=BASE, real=BASE, version=VERSION, source="path", label="Python")
        return Choice(python=python, creator="links", installer="none", kernel=request.kernel)

    def steps(self, request: CreateRequest) -> list[Step]:
        return [Step(name="prefix", title="Create the prefix"), Step(name="install", title="Install")]

    def create(
        self, choice: Choice, requirements: list[str], prefix: Path, report: Reporter, around: Surroundings
    ) -> Built:
        report.step("prefix")
        home = Path(BASE).parent
        (prefix / "bin").mkdir(parents=True)
        (prefix / "pyvenv.cfg").write_text(f"home = {home}\nversion = {VERSION}\n")
        (prefix / "bin" / "python").symlink_to(BASE)
        (prefix / "lib" / f"python3.{sys.version_info[1]}" / "site-packages").mkdir(parents=True)
        report.line("output", "The prefix is there.")
        report.step("install")
        child = run(["/bin/sh", "-c", 'echo "a = 1" >"$0"', str(prefix / "lib" / "by-a-child")], env=environment())
        if not child.ok:
            raise explain(OSError(errno.ENOSPC, "No space left on device"), prefix / "lib")
        spec = prefix / "share" / "jupyter" / "kernels" / "python3" / "kernel.json"
        spec.parent.mkdir(parents=True)
        spec.write_bytes(msgspec.json.encode(KERNEL))
        report.check()
        return Built(creator="links", installer="none", tools={}, python=VERSION, python_path=BASE)

    def list_packages(self, prefix: Path) -> list[Package]:
        return []

    def change_steps(self) -> list[Step]:
        return [Step(name="install", title="Install")]

    def decide(self, record: Record, changes: Changes) -> Choice:
        python = PythonFact(path=BASE, real=BASE, version=VERSION, source="path", label="Python")
        return Choice(python=python, creator="links", installer="none", kernel=False)

    def keep(self, record: Record, changes: Changes, before: Path) -> None:
        snapshot.take(Path(record.prefix), before)

    def change(
        self,
        record: Record,
        choice: Choice,
        changes: Changes,
        before: Path,
        report: Reporter,
        around: Surroundings,
    ) -> Outcome:
        """Replace a file, make one and remove one, as installers do."""
        report.step("install")
        lib = Path(record.prefix) / "lib"
        (lib / "by-a-child").unlink()
        (lib / "by-a-child").write_text(CHANGED)
        (lib / "new").mkdir()
        (lib / "new" / "file").write_text(CHANGED)
        (Path(record.prefix) / "pyvenv.cfg").chmod(0o640)
        (Path(record.prefix) / "bin" / "top").symlink_to("lib")
        report.check()
        return Outcome(
            plan={}, packages=[*record.packages, *changes.install], python=record.python, python_path=record.python_path
        )

    def back(self, record: Record, choice: Choice, before: Path, report: Reporter) -> None:
        snapshot.put_back(Path(record.prefix), before)


def install() -> None:
    """Make it known to admission and worker of this process, and let its Python's answer prove a kernel."""
    from jupyter_hpcenv import managers, worker
    from jupyter_hpcenv.admission import holding
    from jupyter_hpcenv.managers import load_managers

    def with_skeleton(config: Any, site: Site) -> dict[str, Manager]:
        return {**load_managers(config, site), "skeleton": SkeletonManager(config=config, site=site)}

    def ask(record: Any, launch: Path, env: Any, check: Any, deadline: float) -> dict[str, str]:
        return remembered("asked", launch, lambda: preflight._ask_python(record, launch, env, check, 60.0))

    vars(worker)["load_managers"] = vars(holding)["load_managers"] = with_skeleton
    vars(preflight)["_ask_kernel"] = ask
    compiled: dict[Any, Any] = {}
    translate = jinja2.Environment.compile

    def translate_once(self: Any, source: str, *where: Any, **options: Any) -> Any:
        key = (source, where, tuple(options.items()))
        if key not in compiled:
            compiled[key] = translate(self, source, *where, **options)
        return compiled[key]

    jinja2.Environment.compile = translate_once  # type: ignore[assignment]  # a point renders the same few templates
    found = managers.entry_points(group=managers.GROUP)  # once: it reads about all packages that there are
    vars(managers)["entry_points"] = lambda group: found


def remembered(what: str, launch: Path, ask: Callable[[], Any]) -> Any:
    """Return what a prefix of the same bytes at the same place answered before, or else ask it.

    To start a Python costs more than all else at a point; one that differs in any byte is started.
    """
    prefix = launch.parents[1]
    found = hashlib.sha256(f"{what} {prefix}".encode())
    for path in sorted(prefix.rglob("*")):
        if path.name in ("environment.json", "operation") or path.name.startswith(".hpcenv-tmp-"):
            continue
        try:
            content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        except OSError:  # the fault that is injected met us, who are no part of what is tried
            return ask()
        if path == launch:
            content = re.sub(rb"\([0-9a-f]{32}\)", b"", content)  # the environment's id, in a comment
        found.update(f"{path} {path.lstat().st_mode} {len(content)} ".encode() + content)
    place = Path(os.environ.get("TMPDIR", "/tmp")) / f"answered-{found.hexdigest()}"
    if place.exists():
        return json.loads(place.read_text())
    answer = ask()
    aside = place.with_name(f"{place.name}-{os.getpid()}")
    aside.write_text(json.dumps(answer))
    aside.rename(place)
    return answer


_ASK_KERNEL = preflight._ask_kernel


def uninstall() -> None:
    """Let kernels be proven as they really are."""
    vars(preflight)["_ask_kernel"] = _ASK_KERNEL
