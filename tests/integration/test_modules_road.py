"""The main road with modules, on the real systems: what a kernel sees is what an interactive shell would see.

One environment is built for each system by the command line and shared by the tests of this file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from ..cli.conftest import Cli
from ..modules import systems, trees

pytestmark = pytest.mark.filterwarnings("default")  # jupyter_client warns of its own; these tests are about modules

#: Set by shells, by us on purpose, or by the interpreter's start.
OURS = {
    *("_", "SHLVL", "PWD", "OLDPWD", "BASH_ENV", "ENV", "LC_CTYPE"),
    "__MODULES_LMINIT",  # how a session of the Tcl system began
    *("VIRTUAL_ENV", "PYTHONNOUSERSITE", "OMP_NUM_THREADS", "GREETING"),
}

SCIPY = {"lmod": ["gcc/12", "openmpi/4.1", "SciPy-bundle"], "tcl": ["gcc/12", "openmpi/4.1", "SciPy-bundle"]}

CODE = "import json, os, sys; print(json.dumps({'environ': dict(os.environ), 'prefix': sys.prefix, 'path': sys.path}))"


class Made(NamedTuple):
    """An environment with modules, and where everything of it lies."""

    system: str
    init: str
    modulepath: str
    cli: Cli
    shell: dict[str, str]
    environment: dict[str, Any]

    @property
    def spec(self) -> Path:
        return Path(self.environment["kernels"][0]["path"])

    def interactive(self, *modules: str, first: tuple[str, ...] = ()) -> dict[str, str]:
        """Return the environment of a shell in which somebody typed ``module load``."""
        load = f"module load {' '.join(modules)}"
        if first:
            script = f". {self.init} && module load {' '.join(first)} && module purge && {load}"
            return environ(["bash", "-c", f"{{ {script}; }} >/dev/null && env -0"], self.shell)
        empty = {name: value for name, value in self.shell.items() if name != "MODULEPATH"}
        script = f". {self.init}; export MODULEPATH=${{MODULEPATH:+$MODULEPATH:}}{self.modulepath}; {load}"
        return environ(["bash", "-c", f"{{ {script}; }} >/dev/null && env -0"], empty)

    def kernel(self, env: dict[str, str]) -> dict[str, Any]:
        """Run code through the kernelspec's own launch script."""
        done = subprocess.run(
            [str(self.spec / "launch"), "-c", CODE], env=env, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))


def environ(argv: list[str], env: dict[str, str]) -> dict[str, str]:
    done = subprocess.run(argv, env=env, capture_output=True, timeout=60, check=True)
    entries = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def compared(found: dict[str, str], prefix: str) -> dict[str, str]:
    """Leave out what is no module's doing, and our own folder at the head of PATH."""
    kept = {name: value for name, value in found.items() if name not in OURS and not name.startswith("BASH_FUNC_")}
    kept["PATH"] = kept["PATH"].removeprefix(f"{prefix}/bin:")
    return kept


@pytest.fixture(scope="module", params=["lmod", "tcl"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    system = str(request.param)
    init = systems.need(system)
    root = tmp_path_factory.mktemp(f"site-{system}")
    modulepath = getattr(trees, f"write_{system}")(root, os.path.realpath(sys.executable))
    cli = Cli(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("cache"))
    shell = {"HOME": str(cli.home), "PATH": "/usr/local/bin:/usr/bin:/bin", "MODULEPATH": modulepath}
    cli.env.update(environ(["bash", "-c", f". {init}; env -0"], {**shell, "PATH": cli.env["PATH"]}))
    arguments = [word for module in SCIPY[system] for word in ("--module", module)]
    document = cli.document(
        *("create", "layered", *arguments, "packaging", "--var", "OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}")
    )
    assert document["ok"], document["error"]
    return Made(system, init, modulepath, cli, shell, document["data"])


def test_names_are_resolved_and_captured(made: Made) -> None:
    modules = made.environment["modules"]
    assert modules["system"] == made.system
    assert modules["asked"] == SCIPY[made.system]
    assert modules["load"] == ["gcc/12", "openmpi/4.1", "SciPy-bundle/2023.07"]
    (loaded,) = modules["loaded"].values()
    assert {"gcc/12", "Python/3.11.7"} <= {each["name"] for each in loaded}
    assert all(len(each["digest"]) == 64 and Path(each["path"]).is_file() for each in loaded)


def test_python_and_installer_follow_the_modules(made: Made) -> None:
    environment = made.environment
    assert os.path.realpath(environment["python_path"]) == os.path.realpath(sys.executable)
    assert environment["system_site_packages"] is True
    assert environment["installer"] == "pip"


@pytest.mark.parametrize("server", [(), ("gcc/13", "bulk1/1.0")], ids=["empty", "server-modules"])
def test_kernel_sees_what_an_interactive_shell_sees(made: Made, server: tuple[str, ...]) -> None:
    """From an environment as empty as a batch system's, and from a server with modules of its own."""
    start = {"HOME": str(made.cli.home), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    if server:
        start = environ(
            ["bash", "-c", f". {made.init} && module load {' '.join(server)} >/dev/null && env -0"], made.shell
        )
        assert "gcc/13" in start["LOADEDMODULES"]
    prefix = made.environment["prefix"]
    wanted = compared(made.interactive(*made.environment["modules"]["load"], first=server), prefix)
    for attempt in ("live", "cached"):
        found = made.kernel(start)
        assert found["prefix"] == prefix
        assert compared(found["environ"], prefix) == wanted, attempt
        assert found["environ"]["OMP_NUM_THREADS"] == "1"
    assert made.kernel({**start, "SLURM_CPUS_PER_TASK": "7"})["environ"]["OMP_NUM_THREADS"] == "7"


def test_packages_of_modules_stay_the_ones_imported(made: Made) -> None:
    """numpy is the module's: pip found it there, and installed nothing over it."""
    code = "import sitepkg, packaging, importlib.metadata as m; print(sitepkg.__file__, m.version('numpy'))"
    done = subprocess.run(
        [str(made.spec / "launch"), "-c", code], env=made.shell, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "/scipy/pylib/sitepkg/" in done.stdout
    assert "1.25.1" in done.stdout


def test_a_real_kernel_runs(made: Made) -> None:
    specs = KernelSpecManager(kernel_dirs=[str(made.spec.parent)])
    manager = KernelManager(kernel_name=made.spec.name, kernel_spec_manager=specs)
    manager.start_kernel(env={**made.shell, "PATH": os.environ["PATH"]})
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        reply = client.execute_interactive(
            "import os", user_expressions={"m": "os.environ['LOADEDMODULES']", "cc": "os.environ['CC']"}, timeout=30
        )
        shown = {name: each["data"]["text/plain"] for name, each in reply["content"]["user_expressions"].items()}
        assert "SciPy-bundle/2023.07" in shown["m"]
        assert shown["cc"] == "'gcc-12'"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_missing_module_is_refused_at_submit_with_what_is_near(made: Made) -> None:
    error = made.cli.error_of("create", "nope", "--module", "gcc/12", "--module", "SciPy-bundel")
    assert error["code"] == "module_not_found"
    assert any("SciPy-bundle" in hint for hint in error["hints"])
    assert made.cli.data_of("list", "nope") == []


def test_a_module_that_went_is_explained_in_the_notebook(made: Made) -> None:
    """The same kernelspec, after the site took the module away, answers each cell with the reason."""
    modulefile = next(
        Path(each["path"])
        for each in next(iter(made.environment["modules"]["loaded"].values()))
        if each["name"] == "openmpi/4.1"
    )
    aside = modulefile.with_name(".aside")
    modulefile.rename(aside)
    specs = KernelSpecManager(kernel_dirs=[str(made.spec.parent)])
    manager = KernelManager(kernel_name=made.spec.name, kernel_spec_manager=specs)
    try:
        manager.start_kernel(env={**made.shell, "PATH": os.environ["PATH"]})
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=60)
            reply = client.execute_interactive("1", timeout=30)
            assert reply["content"]["status"] == "error"
            said = "\n".join(reply["content"]["traceback"])
            assert "openmpi/4.1" in said
            aside.rename(modulefile)
            manager.restart_kernel()
            client.wait_for_ready(timeout=60)
            assert client.execute_interactive("1", timeout=30)["content"]["status"] == "ok"
        finally:
            client.stop_channels()
    finally:
        if aside.exists():
            aside.rename(modulefile)
        manager.shutdown_kernel(now=True)


def test_modules_are_changed_and_the_kernel_is_proven_again(made: Made) -> None:
    """What does not load changes nothing; what does is in the next kernel."""
    before = made.cli.data_of("show", "layered")
    error = made.cli.error_of("edit", "layered", "--module", "broken/1.0")
    assert error["code"] == "module_failed"
    assert "licence server unreachable" in error["reason"]
    assert made.cli.data_of("show", "layered") == before
    load = [word for module in (*before["modules"]["load"], "bulk2/1.0") for word in ("--module", module)]
    after = made.cli.data_of("edit", "layered", *load)
    assert after["revision"] == before["revision"] + 1
    assert made.kernel(made.shell)["environ"]["BULK2"] == "v"
    restored = [word for module in before["modules"]["load"] for word in ("--module", module)]
    made.cli.data_of("edit", "layered", *restored)
    assert "BULK2" not in made.kernel(made.shell)["environ"]


def test_a_list_of_modules_in_a_file(made: Made, tmp_path: Path) -> None:
    (tmp_path / "modules.txt").write_text("# as vsc-venv takes it\ngcc/12\nnosuch/1.0\n")
    error = made.cli.error_of("create", "nope", "--modules-file", str(tmp_path / "modules.txt"))
    assert error["code"] == "module_not_found"
    assert "nosuch/1.0" in error["message"]


def test_the_command_lists_modules(made: Made) -> None:
    found = made.cli.data_of("modules", "openmpi")
    assert "openmpi/4.1" in {each["name"] for each in found}
    if made.system == "lmod":
        (numpy,) = {each["module"] for each in made.cli.data_of("modules", "--provides", "numpy")} - {
            "SciPy-bundle/2023.07-core"
        }
        assert numpy == "SciPy-bundle/2023.07"
        assert any(each["prerequisites"][0] == ["gcc/12"] for each in found if each["name"] == "openmpi/4.1")
