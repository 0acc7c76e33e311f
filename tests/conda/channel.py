"""Build the conda channels that the tests install from: real packages, in seconds, without any registry of conda's.

``main`` holds the running CPython, ipykernel, numpy and pip with all that they need, and small packages that behave
in every way that the manager has to cope with. ``other`` and ``bioconda`` hold a few of the same names, so that it
matters which channel comes first. What is built is kept in the checkout's ``.cache`` and shared by all runs.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import archives, compiled, cpython, wheels
from .archives import PLACEHOLDER, SUBDIR, File, Package, tiny, write

__all__ = ["CHECKOUT", "PLACEHOLDER", "SUBDIR", "File", "Package", "build", "fill", "index", "tiny", "write"]

CHECKOUT = Path(__file__).resolve().parents[2]

#: Wheels that become packages, with all that they need.
REQUIREMENTS = ("ipykernel", "numpy", "pip", "setuptools", "wheel")

#: Runs in a process of its own, for the engine may crash when its interpreter ends.
INDEX = "import asyncio, os, sys; from rattler.index import index_fs; asyncio.run(index_fs(sys.argv[1])); os._exit(0)"

ACTIVATE = {
    "sh": 'export HPC_HOOK="set by $CONDA_PREFIX"\n',
    "csh": 'setenv HPC_HOOK "set by $CONDA_PREFIX"\n',
    "fish": 'set -gx HPC_HOOK "set by $CONDA_PREFIX"\n',
}
DEACTIVATE = {"sh": "unset HPC_HOOK\n", "csh": "unsetenv HPC_HOOK\n", "fish": "set -e HPC_HOOK\n"}

#: Pretends to be another language's kernel; what it says of itself is what a front end shows.
FAKE_R = '''"""A kernel that calls itself R."""

from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp


class Kernel(IPythonKernel):
    implementation = "hpc-fake-r"
    language_info = {"name": "R", "mimetype": "text/x-r-source", "file_extension": ".r"}


IPKernelApp.launch_instance(kernel_class=Kernel)
'''


def build(root: Path = CHECKOUT / ".cache") -> Path:
    """Return the folder that holds ``main``, ``other`` and ``bioconda``; build them unless they are there."""
    home = cpython.home()
    assert home is not None, "no CPython of this version can be moved: ask cpython.home() first"
    found = wheels.fetch(REQUIREMENTS, root / "conda-wheels")
    folder = root / "conda-channel" / _digest(home, found)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".building-") as beside:
            made = Path(beside) / "channels"
            fill(made / "main", [*cpython.packages(home), *map(wheels.convert, found), *small()])
            write(made / "main", tiny("hpc-tarbz2", files={"share/hpc-tarbz2/text": "old format\n"}), ending=".tar.bz2")
            fill(made / "other", [_tiny("3.0")])
            fill(made / "bioconda", [_tiny("0.9"), tiny("hpc-bio", depends=["hpc-tiny >=1"])])
            for channel in made.iterdir():
                index(channel)
            wheels.keep(made, folder)
    return folder


def _digest(home: Path, found: Sequence[Path]) -> str:
    """Return a name for what the channels are made from: Python, wheels, and the code that makes them."""
    makers = [Path(str(module.__file__)) for module in (archives, compiled, cpython, wheels)]
    code = [path.read_text() for path in (*makers, Path(__file__))]
    inputs = [str(home), cpython.version(home), *(path.name for path in found), *code]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:16]


def fill(channel: Path, packages: Sequence[Package]) -> None:
    """Write packages into *channel*, which gets both folders that every channel has."""
    for subdir in ("noarch", SUBDIR):
        (channel / subdir).mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:  # compressing leaves the interpreter to others
        list(pool.map(lambda package: write(channel, package), packages))


def index(channel: Path) -> None:
    """Write the channel's index: repodata.json, its compressed twin, and shards."""
    done = subprocess.run([sys.executable, "-c", INDEX, str(channel)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def small() -> list[Package]:
    """Return the packages that are made up."""
    return [
        *(_tiny(version) for version in ("1.0", "1.1", "2.0")),
        tiny("hpc-needs-old", depends=["hpc-tiny <2"]),
        tiny("hpc-needs-new", depends=["hpc-tiny >=2"]),
        tiny("hpc-cuda", "12.0", depends=["__cuda >=12"], files={"share/hpc-cuda/text": "for a GPU\n"}),
        tiny("hpc-hooks", files=_hooks()),
        tiny("hpc-fake-r", depends=["python", "ipykernel"], files=_fake_r()),
        tiny("hpc-post-link", post_link='#!/bin/sh\necho "$PKG_NAME" >"$PREFIX/hpc-post-link-ran"\n'),
        tiny("hpc-post-link-fails", post_link="#!/bin/sh\necho it went wrong >&2\nexit 3\n"),
        tiny("hpc-prefix", files=_prefixes(), noarch=""),
        tiny("hpc-exports", run_exports={"weak": ["hpc-tiny >=1"]}),
        tiny("hpc-constrains", constrains=["hpc-tiny <2"]),
        tiny("hpc-linked", files={"lib/hpc/real": "real\n"}, links={"lib/hpc/link": "real"}),
    ]


def _tiny(version: str) -> Package:
    """A package of which there are many versions; one file is in all of them, another in its own alone."""
    own = {"share/hpc-tiny/version": f"{version}\n", f"share/hpc-tiny/only-{version}": ""}
    return tiny("hpc-tiny", version, files={**own, "share/hpc-tiny/same": "same"})


def _hooks() -> dict[str, str | bytes | File]:
    files: dict[str, str | bytes | File] = {}
    for shell in ACTIVATE:
        files[f"etc/conda/activate.d/hpc-hooks.{shell}"] = ACTIVATE[shell]
        files[f"etc/conda/deactivate.d/hpc-hooks.{shell}"] = DEACTIVATE[shell]
    return files


def _fake_r() -> dict[str, str | bytes | File]:
    program = "lib/hpc-fake-r/kernel.py"
    argv = [f"{PLACEHOLDER}/bin/python", f"{PLACEHOLDER}/{program}", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "R (hpc-fake-r)", "language": "R"}
    return {
        "share/jupyter/kernels/ir/kernel.json": File(json.dumps(spec).encode(), prefix="text"),
        program: FAKE_R,
    }


def _prefixes() -> dict[str, str | bytes | File]:
    named = PLACEHOLDER.encode()
    return {
        "bin/hpc-prefix": File(b'#!/bin/sh\necho "' + named + b'"\n', 0o755, "text"),
        "lib/hpc-prefix.bin": File(b"\x7fBIN\0" + named + b"/share\0after", prefix="binary"),
    }
