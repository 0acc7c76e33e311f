"""An environment manager that makes a real, if bare, prefix in milliseconds, so that hundreds can be broken."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from jupyter_hpcenv.files import explain
from jupyter_hpcenv.kernels import preflight
from jupyter_hpcenv.managers.contract import Built, Choice, Manager, ManagerFacts, Package
from jupyter_hpcenv.models import CreateRequest, PythonFact, Reporter, Step
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

    def check(self, request: CreateRequest, requirements: list[str]) -> Choice:
        python = PythonFact(path=BASE, real=BASE, version=VERSION, source="path", label="Python")
        return Choice(python=python, creator="links", installer="none", kernel=request.kernel)

    def steps(self, request: CreateRequest) -> list[Step]:
        return [Step(name="prefix", title="Create the prefix"), Step(name="install", title="Install")]

    def create(self, choice: Choice, requirements: list[str], prefix: Path, report: Reporter) -> Built:
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


def install() -> None:
    """Make it known to admission and worker of this process, and let its Python's answer prove a kernel."""
    from jupyter_hpcenv import worker
    from jupyter_hpcenv.admission import desk
    from jupyter_hpcenv.managers import load_managers

    def with_skeleton(config: Any, site: Site) -> dict[str, Manager]:
        return {**load_managers(config, site), "skeleton": SkeletonManager(config=config, site=site)}

    def ask(record: Any, launch: Path, env: Any, check: Any, deadline: float) -> dict[str, str]:
        return preflight._ask_python(record, launch, env, check, 60.0)

    vars(worker)["load_managers"] = vars(desk)["load_managers"] = with_skeleton
    vars(preflight)["_ask_kernel"] = ask


_ASK_KERNEL = preflight._ask_kernel


def uninstall() -> None:
    """Let kernels be proven as they really are."""
    vars(preflight)["_ask_kernel"] = _ASK_KERNEL
