"""What is read as a type is the same from any thread, also where several are the first to read it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jupyter_hpcenv import typed

#: Four threads are the first to read a struct, and switch as often as Python can; two hundred structs of their own.
FIRST = """
import sys, threading, types
from jupyter_hpcenv import typed
sys.setswitchinterval(1e-6)
fields = "".join(f"    field{number}: dict[str, list[int | str]] = {{}}\\n" for number in range(20))
text = "from __future__ import annotations\\nimport msgspec\\nclass Inner(msgspec.Struct):\\n" + fields
text += "class Outer(msgspec.Struct):\\n    first: Inner\\n" + fields + "    last: list[Inner] = []\\n"
data = b'{"first": {"field19": {"a": [1, "b"]}}, "field19": {"c": [2]}, "last": [{"field0": {}}]}'
for number in range(200):
    module = sys.modules[f"module{number}"] = types.ModuleType(f"module{number}")
    exec(text, module.__dict__)
    together, found = threading.Barrier(4), []
    def read():
        together.wait()
        found.append(typed.of_json(data, module.Outer))
    threads = [threading.Thread(target=read) for _ in range(4)]
    for each in threads: each.start()
    for each in threads: each.join()
    assert [each.first.field19 for each in found] == [{"a": [1, "b"]}] * 4, found
print("held")
"""


class Named(msgspec.Struct):
    name: str
    count: int = 0


def test_threads_that_are_the_first_to_read_a_type_do_not_crash() -> None:
    env = {**os.environ, "PYTHONPATH": str(Path(typed.__file__).parents[1])}  # the package that is tried, also a copy
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", FIRST], capture_output=True, text=True, env=env, cwd="/"
    )
    assert (done.returncode, done.stdout) == (0, "held\n"), done.stderr


def test_each_source_is_read_as_what_it_is_said_to_be() -> None:
    told = Named("a", 2)
    assert typed.of_json(b'{"name": "a", "count": 2}', Named) == told
    assert typed.of_toml('name = "a"\ncount = 2', Named) == told
    assert typed.of_value({"name": "a", "count": 2}, Named) == told
    assert typed.of_value({"name": "a", "count": "2"}, Named, strict=False) == told
    assert typed.of_json("[1]") == [1]
    assert typed.of_toml("a = 1") == {"a": 1}


@pytest.mark.parametrize(
    "read",
    [
        lambda: typed.of_json(b'{"name": 1}', Named),
        lambda: typed.of_toml("name = 1", Named),
        lambda: typed.of_value({"name": "a", "count": "2"}, Named),
    ],
)
def test_another_type_is_refused(read: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        read()
