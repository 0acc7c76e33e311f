"""What the served description promises, asked of a real server by somebody who reads nothing else.

schemathesis makes requests from the document, those that it allows and those that it does not. Each must get
an answer that the document and the reference have, and none an error that we did not foresee.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from jupyter_hpcenv.server.handlers.openapi import DOCUMENT

from ..serving import Answer, Documented, Server

#: Requests for each route, half of them as the document allows and half not.
EXAMPLES = int(os.environ.get("HPCENV_SCHEMA_EXAMPLES", "40"))
CHECKS = [status_code_conformance, content_type_conformance, response_headers_conformance, response_schema_conformance]
SERVED = json.loads(DOCUMENT.read_bytes())
#: The same without its locks: schemathesis would spend most examples on the door, of which other tests know all.
OPEN = {**SERVED, "security": [], "components": {"schemas": SERVED["components"]["schemas"]}}
ROUTES = [(method.upper(), path) for path, methods in SERVED["paths"].items() for method in methods]
ROUTES.sort(key=lambda route: ("GET", "POST", "PUT", "PATCH", "DELETE").index(route[0]))  # what is there goes last
#: What an error of ours may be that no caller is to blame for; “error” itself would be one that nobody foresaw.
FORESEEN = {"index_unreachable", "disk_full"}


@pytest.fixture(scope="module")
def answers() -> Iterator[Counter[str]]:
    """Counts the answers of all routes, and prints them for who wants to see them."""
    counted: Counter[str] = Counter()
    yield counted
    print(f"{counted.total()} requests:", json.dumps(dict(sorted(counted.items())), indent=1))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("schema")
    # no example can download anything: what is built with packages, or a kernel, soon fails in its worker
    (home / ".jupyter").mkdir()
    presets = {"Site": {"preset_folders": [str(home / "presets")]}}
    (home / ".jupyter" / "jupyter_hpcenv_config.json").write_text(json.dumps(presets))
    (home / "presets").mkdir()
    parameters = "parameters: {one: {type: integer, default: 1}, two: {enum: [a, b], default: a}}"
    (home / "presets" / "good.yaml").write_text(f"version: 1\ntitle: Good\n{parameters}\n")
    (home / "presets" / "bad.yaml").write_text("version: 2\n")
    found = Server(home, variables={"UV_OFFLINE": "1", "PIP_NO_INDEX": "1", "UV_CACHE_DIR": str(home / "cache")})
    yield found
    found.stop()


@pytest.fixture(scope="module")
def known(server: Server) -> dict[str, list[str]]:
    """What path parameters can be so that something has that name."""
    made = [server.created(name, kernel=False, installer="uv") for name in ("first", "second")]
    operations = [each["id"] for each in server.ask("GET", "operations").body]
    return {
        "environment": [each["id"] for each in made],
        "operation": operations,
        "kernel": ["hpcenv-home.first", "hpcenv-home.absent"],
        "preset": ["good", "bad", "absent"],
        "target": ["zen4", "zen5"],
    }


@pytest.mark.parametrize(("method", "path"), ROUTES, ids=[f"{method} {path}" for method, path in ROUTES])
def test_every_answer_is_as_described(
    server: Server, known: dict[str, list[str]], answers: Counter[str], method: str, path: str
) -> None:
    described = schemathesis.openapi.from_dict(OPEN)[path][method]
    documented = Documented()
    cases = st.one_of(
        *(described.as_strategy(generation_mode=mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE))
    )

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, data=st.data())
    def ask(case: Any, data: st.DataObject) -> None:
        for name in case.path_parameters or {}:
            if data.draw(st.booleans(), label=f"a {name} that is known"):
                case.path_parameters[name] = data.draw(st.sampled_from(known[name]), label=name)
        if isinstance(case.body, dict) and "name" in case.body and data.draw(st.booleans(), label="a name that can be"):
            case.body["name"] = data.draw(st.sampled_from(["first", "Second", "third", "fourth"]), label="name")
        stranger = data.draw(st.integers(0, 20), label="7 is a stranger") == 7
        headers = {} if stranger else {"Authorization": f"token {server.token}"}
        if method != "GET" and "Content-Type" not in case.headers:
            headers["Content-Type"] = "application/json"
        answer = case.call(base_url=f"{server.url}/hpcenv", headers=headers, timeout=60)
        told = answer.json() if answer.content else None
        code = told.get("code", "") if answer.status_code >= 400 else ""
        answers[f"{method} {path}: {answer.status_code} {code}".rstrip()] += 1
        assert not documented.complaint(method, path.removeprefix("/"), Answer(answer.status_code, told, code))
        assert answer.status_code < 500 or code in FORESEEN, told
        case.validate_response(answer, checks=CHECKS)

    ask()
    asked = sum(count for what, count in answers.items() if what.startswith(f"{method} {path}: "))
    assert asked >= 20  # where there is nothing to vary, there are no more
    assert "unforeseen error" not in server.log.read_text()
