"""Compiled modules for packages, as conda's own packages have them: else each first start would compile them again.

Only what a kernel loads is compiled. Such a file says what the source was that it is of, and Python looks at that.
"""

from __future__ import annotations

import importlib.util
import json
import marshal
import subprocess
import sys
from functools import cache
from pathlib import Path

from .archives import File

#: The second word of a compiled file: it is known by a digest of its source, which is compared.
CHECKED = (0b11).to_bytes(4, "little")

_KERNEL = """
from jupyter_client.manager import run_kernel
with run_kernel() as client:
    files = "[found.__file__ for found in list(sys.modules.values()) if getattr(found, '__file__', None)]"
    client.execute_interactive(f"import json, sys; print(json.dumps({files}))", timeout=60)
"""


@cache
def loaded() -> frozenset[str]:
    """Return the modules that a kernel has loaded, as paths below the folder of Python's own, or of packages."""
    done = subprocess.run([sys.executable, "-c", _KERNEL], capture_output=True, text=True, check=True)
    library = f"{Path(json.__file__).parents[1]}/"
    files = [path for path in json.loads(done.stdout.splitlines()[-1]) if path.endswith(".py")]
    found = {path.partition("site-packages/")[2] or path.removeprefix(library) for path in files}
    assert "ipykernel/ipkernel.py" in found
    assert "asyncio/tasks.py" in found
    return frozenset(found)


def beside(path: str, source: File) -> dict[str, File]:
    """Return the compiled file of a module, by its path; none if a kernel does not load it, or it names its prefix."""
    below = path.partition("site-packages/")[2] or path.partition("/python")[2].partition("/")[2]
    if not path.endswith(".py") or source.prefix or below not in loaded():
        return {}
    code = compile(source.data, path, "exec", dont_inherit=True)
    head = importlib.util.MAGIC_NUMBER + CHECKED + importlib.util.source_hash(source.data)
    folder, _, name = path.rpartition("/")
    place = f"{folder}/__pycache__/{name.removesuffix('.py')}.{sys.implementation.cache_tag}.pyc"
    return {place: File(head + marshal.dumps(code))}
