"""Examples for programs work as they are printed: curl, Python, a notebook, and the tour that binder shows."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from jupyter_hpcenv.client import Client, HpcenvClientError

from ..layering.profiles import wheel
from ..serving import Server
from . import printed

REST = printed.DOCS / "reference" / "rest.md"
NOTEBOOK = printed.DOCS / "how-to" / "users" / "from-a-notebook.md"
BINDER = printed.CHECKOUT / "binder"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server of somebody whose installer knows the packages that the pages speak of."""
    shelf = tmp_path_factory.mktemp("shelf")
    for name in ("xarray", "dask"):
        wheel(shelf, name, "9999.1")
    server = Server(tmp_path_factory.mktemp("home"), variables={"UV_FIND_LINKS": str(shelf)})
    yield server
    server.stop()


def environments(server: Server) -> list[str]:
    return [each["name"] for each in server.ask("GET", "environments").body]


def empty(server: Server) -> None:
    """Leave nothing to the next test."""
    for each in server.ask("GET", "environments").body:
        server.ask("DELETE", f"environments/{each['id']}?now=1")


def run_notebook(server: Server, path: Path) -> list[Any]:
    """Run a notebook on a kernel of the server's user, as binder would, and return what each cell gave."""
    command = [sys.executable, "-m", "jupyter", "nbconvert", "--execute", "--to", "notebook", "--output", "done"]
    done = subprocess.run([*command, str(path)], env=server.env, cwd=server.home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    whole = nbformat.read(path.with_name("done.ipynb"), 4)
    return [
        "".join(str(each.get("text", each.get("data"))) for each in cell.get("outputs", [])) for cell in whole.cells
    ]


def test_the_page_about_rest(server: Server) -> None:
    """docs/reference/rest.md: the blocks of a language are one after the other in one shell, or one interpreter."""
    env = {**server.env, "TOKEN": server.token, "SERVER": server.url}
    said = printed.run("set -e\n" + "\n".join(printed.commands(REST.read_text())), env, server.home)
    assert said.startswith("[]")
    operation = re.search(r'"id": ?"([\w-]+)"', (server.home / "operation.json").read_text())
    assert operation
    assert server.ended(operation[1])["state"] == "succeeded"
    assert environments(server) == ["climate"]
    script = "\n".join(printed.blocks(REST.read_text(), "python"))
    done = subprocess.run([sys.executable, "-c", script], env=env, cwd=server.home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("/ocean")
    assert [each["name"] for each in server.ask("GET", "trash").body] == ["ocean"]
    empty(server)


def test_the_page_about_notebooks(server: Server) -> None:
    cells = [nbformat.v4.new_code_cell(block) for block in printed.blocks(NOTEBOOK.read_text(), "python")]
    assert len(cells) == 4
    nbformat.write(nbformat.v4.new_notebook(cells=cells), server.home / "page.ipynb")
    _, changed, refused, gone = run_notebook(server, server.home / "page.ipynb")
    assert "dask" in changed
    assert refused.startswith("name_taken\n")
    assert "climate" in gone
    assert environments(server) == []


def test_the_tour_of_binder(server: Server) -> None:
    """binder/tour.ipynb, from the first cell to the last; it leaves nothing."""
    source = nbformat.read(BINDER / "tour.ipynb", 4)
    assert not [cell for cell in source.cells if cell.get("outputs") or cell.get("execution_count")]
    nbformat.write(source, server.home / "tour.ipynb")
    given = run_notebook(server, server.home / "tour.ipynb")
    told = dict(zip((cell.source for cell in source.cells), given, strict=True))

    def of(piece: str) -> str:
        (shown,) = [shown for code, shown in told.items() if piece in code]
        return shown

    assert re.search(r"environments/tour 1\.16\.\d+\s", of("run_kernel"))
    assert "('toml'" in of('client.change("tour", install=["six>=1.17", "toml"])\n')
    assert re.search(r"\[\('six', '1\.16\.\d+'\)\]", of('client.undo("tour")\n[(each["name"], each["version"])'))
    assert "six==1.16" in of("client.export")
    assert "True" in of("client.findings")
    assert of("except HpcenvClientError").startswith("name_taken\n")
    assert "[]" in given[-1]
    assert environments(server) == []
    assert not [each for each in server.ask("GET", "trash").body if each["name"].startswith("tour")]


def test_what_binder_installs_is_what_the_project_needs() -> None:
    said = (BINDER / "environment.yml").read_text()
    wanted = re.search(r'^demo = \["(.+)"\]$', (printed.CHECKOUT / "pyproject.toml").read_text(), re.MULTILINE)
    assert wanted
    assert f"- {wanted[1]}\n" in said
    python = re.search(r"python=3\.(\d+)", said)
    assert python
    assert int(python[1]) >= 10
    build = BINDER / "postBuild"
    assert os.access(build, os.X_OK)
    subprocess.run(["bash", "-n", str(build)], check=True)
    assert "pip install ." in build.read_text()


def test_each_call_of_the_client_on_a_page_is_one_that_it_has() -> None:
    seen = 0
    for page in printed.pages():
        for block in printed.blocks(page.read_text(), "python"):
            for node in ast.walk(ast.parse(block)):
                function = node.func if isinstance(node, ast.Call) else None
                if not isinstance(function, ast.Attribute) or ast.unparse(function.value) != "client":
                    continue
                assert isinstance(node, ast.Call)
                method = getattr(Client, function.attr)
                words = {each.arg: None for each in node.keywords if each.arg}
                inspect.signature(method).bind(None, *([None] * len(node.args)), **words)
                seen += 1
    assert seen > 25
    assert issubclass(HpcenvClientError, Exception)
