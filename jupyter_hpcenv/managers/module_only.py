"""The environment manager `modules`: no prefix of its own, just a kernel straight from what modules bring.

Its folder holds nothing but the launch script and the record. What is in such an environment is what staff put
into the modules; who wants more takes `venv`, which layers on them.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from .. import typed
from ..errors import BrokenRecord, InvalidRequest, PythonNotFound, WrongState
from ..files import read_regular
from ..models import Contents, CreateRequest, PythonFact, Rebuild, Record, Reporter, Step
from ..process import Completed, run
from ..site import Site
from . import packages
from .contract import Built, Choice, Manager, ManagerFacts, Package, Surroundings
from .pythons import module_python

_TIMEOUT = 60.0  # seconds; the first import from a cold parallel filesystem takes its time
_LARGEST = 10_000_000  # bytes of a record

#: Ends with a failure where there is no ipykernel; says where it lies, for the log.
_KERNEL = "import ipykernel; print(ipykernel.__version__, ipykernel.__path__[0])"


class ModulesManager(Manager):
    """Environments that are nothing but modules. It has no settings: the modules decide."""

    name = "modules"

    def __init__(self, *, site: Site, **options: Any) -> None:
        super().__init__(**options)
        self._site = site

    def probe(self) -> ManagerFacts:
        """Return that there is nothing to choose."""
        return ManagerFacts(name=self.name, creators=[], installers=[], default_creator="", default_installer="")

    def check(
        self, request: CreateRequest, requirements: list[str], around: Surroundings, contents: Contents | None = None
    ) -> Choice:
        """Find the Python of the modules, and ipykernel in it; refuse what such an environment can not have."""
        if not around.modules:
            raise InvalidRequest(
                "An environment of modules alone needs modules.",
                hints=["Name them (--module), or take the manager venv."],
            )
        if requirements:
            raise InvalidRequest(
                "An environment of modules alone has no packages of its own.",
                hints=["Take the manager venv: it installs packages on top of what the modules bring."],
            )
        if unfit := [word for word in (request.creator, request.installer) if word]:
            raise InvalidRequest(
                f"An environment of modules alone is not built, so {unfit[0]} has nothing to do.",
                hints=["Leave creator and installer out, or take the manager venv."],
            )
        python = self._python(request.python.strip(), around)
        if request.kernel:
            self._needs_ipykernel(python, around.environ)
        return Choice(python=python, creator="", installer="", kernel=request.kernel)

    def _python(self, wanted: str, around: Surroundings) -> PythonFact:
        """Return the Python that the launch script will find; raises `PythonNotFound` if it is no module's."""
        path = around.environ.get("PATH")
        found = shutil.which("python3", path=path) or shutil.which("python", path=path)
        if not around.python or found != around.python:
            raise PythonNotFound(
                f"None of the modules brings a Python: {', '.join(around.modules)}.",
                hints=["Add a module that has one, for example Python.", "Or take the manager venv."],
            )
        python = module_python(Path(found), around.environ)
        if wanted and wanted not in (python.path, python.real) and not f"{python.version}.".startswith(f"{wanted}."):
            raise PythonNotFound(
                f"The Python of the modules is {python.version}, not {wanted}.",
                hints=["Choose another module of Python, or leave the Python out."],
            )
        return python

    def _needs_ipykernel(self, python: PythonFact, environ: Mapping[str, str]) -> Completed:
        """Raise `InvalidRequest` if the Python of the modules has no ipykernel that can be imported."""
        done = run([python.path, "-c", _KERNEL], env={**environ, "PYTHONNOUSERSITE": "1"}, timeout=_TIMEOUT)
        if not done.ok:
            raise InvalidRequest(
                f"The Python of the modules has no usable ipykernel: {python.path}.",
                hints=[
                    "Add a module that has it; “jupyter hpcenv modules --provides ipykernel” looks for one.",
                    "Or take the manager venv, which installs it on top of the modules.",
                    "Or make it without a kernel.",
                ],
                reason="\n".join(done.tail[-5:]),
            )
        return done

    def steps(self, request: CreateRequest) -> list[Step]:
        """Return the one step that there is."""
        return [Step(name="python", title="Find the Python of the modules")]

    def create(
        self, choice: Choice, requirements: list[str], prefix: Path, report: Reporter, around: Surroundings
    ) -> Built:
        """Look again, where it will run: the modules may bring another Python there. Nothing is built."""
        report.step("python")
        python = self._python("", around)
        report.line("output", f"{python.label}: {python.path}")
        if choice.kernel:
            found = self._needs_ipykernel(python, around.environ)
            report.line("output", f"ipykernel {found.tail[-1] if found.tail else ''}")
        return Built(creator="", installer="", tools={}, python=python.version, python_path=python.path)

    def list_packages(self, prefix: Path) -> list[Package]:
        """Return what is installed beside the Python of the modules; other modules' packages are not among them."""
        with contextlib.suppress(OSError, BrokenRecord, msgspec.DecodeError):
            record = typed.of_json(read_regular(prefix / ".hpcenv/environment.json", _LARGEST), Record)
            return packages.list_packages(Path(record.python_path).parent.parent)
        return []

    def rebuild(self, record: Record) -> Rebuild:
        """Refuse: there is nothing of its own that could be copied."""
        raise WrongState(
            f"{record.name} is made of modules alone, so there is nothing to put on a node's disk.",
            hints=["Use a batch script without --node-local; it loads the modules."],
        )
