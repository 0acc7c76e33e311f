"""Write the generated pages: configuration, REST, events and errors of docs/reference, man pages and the figure.

`python scripts/reference.py` writes them; tests/unit/test_reference.py compares them with what is there,
so that an option, route, event, error or verb without documentation fails.
"""

from __future__ import annotations

import inspect
import textwrap
from pathlib import Path
from typing import Any, get_args, get_origin

import figure
import man
import msgspec
import yaml

from jupyter_hpcenv.errors import HpcenvError
from jupyter_hpcenv.managers.conda.manager import CondaManager
from jupyter_hpcenv.managers.venv import VenvManager
from jupyter_hpcenv.manifest import Manifest
from jupyter_hpcenv.server import translate
from jupyter_hpcenv.server.app import EVENT_SCHEMAS
from jupyter_hpcenv.server.routes import ROUTES, Route
from jupyter_hpcenv.site import Site
from jupyter_hpcenv.site.batch import BatchTraits

DOCS = Path(__file__).resolve().parent.parent / "docs"
NOTE = "<!-- Written by scripts/reference.py; change the source, not this page. -->\n"


EXAMPLES = """`jupyter server list` prints address and token of a server of yours; below a JupyterHub the address is
`https://HUB/user/NAME` and the token one of the Hub's. With curl:

```console
$ AUTHORIZATION="Authorization: token $TOKEN"
$ curl -fsS -H "$AUTHORIZATION" "$SERVER/hpcenv/environments"
$ curl -fsS -H "$AUTHORIZATION" -H "Content-Type: application/json" \\
    -d '{"name": "climate", "packages": ["xarray"]}' "$SERVER/hpcenv/environments" > operation.json
$ OPERATION=$(python3 -c 'import json; print(json.load(open("operation.json"))["id"])')
$ curl -fsS -H "$AUTHORIZATION" "$SERVER/hpcenv/operations/$OPERATION"
$ curl -fsS -H "$AUTHORIZATION" "$SERVER/hpcenv/operations/$OPERATION/log"
```

What takes long is answered by 202 and an operation: ask for it until it is `finished`. In Python, without anything
but its standard library:

```python
import json, os, time
from urllib.request import Request, urlopen


def ask(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"token {os.environ['TOKEN']}", "Content-Type": "application/json"}
    with urlopen(Request(f"{os.environ['SERVER']}/hpcenv/{path}", data, headers, method=method)) as answer:
        return json.load(answer)


operation = ask("POST", "environments", {"name": "ocean", "packages": ["xarray"]})
while not operation.get("finished"):
    time.sleep(1)
    operation = ask("GET", f"operations/{operation['id']}")
assert operation["state"] == "succeeded", operation["error"]
print(ask("GET", f"environments/{operation['environment']['id']}")["prefix"])
```

The [client](client.md) does that for you, in a script as in [a notebook](../how-to/users/from-a-notebook.md):

```python
from jupyter_hpcenv.client import Client

client = Client(os.environ["SERVER"], os.environ["TOKEN"])
client.change("ocean", install=["dask"])
client.delete("ocean")
```
"""


def configuration() -> str:
    """Return the page of all traits."""
    parts = [
        "# Configuration\n",
        NOTE,
        "Options go into `jupyter_hpcenv_config.py` in any of Jupyter's configuration folders (`jupyter --paths`),",
        "as `c.Class.option = value`. Server and command line read the same file, and an operation keeps the values",
        "that it was submitted with.\n",
    ]
    for kind in (Site, VenvManager, CondaManager, Manifest):
        parts.append(f"## {kind.__name__}\n\n{inspect.getdoc(kind)}\n")
        parted = BatchTraits.class_own_traits(config=True) if kind is Site else {}
        for name, trait in sorted({**kind.class_own_traits(config=True), **parted}.items()):
            text = " ".join(trait.help.split())
            parts.append(f"### `c.{kind.__name__}.{name}`\n\n{type(trait).__name__}. {text}\n")
            parts.append(f"Default: {default_of(kind, name)}.\n")
    return "\n".join(parts)


def default_of(kind: type, name: str) -> str:
    """Return a trait's default as text; what depends on the machine is not printed."""
    if f"_default_{name}" in vars(kind):
        return "depends on the machine" if name == "cluster" else "see the text above"
    value = kind.class_traits()[name].default()
    return f"`{value!r}`"


def rest() -> str:
    """Return the page of all routes."""
    parts = [
        "# REST\n",
        NOTE,
        "All addresses lie under `{base_url}hpcenv/`. Bodies and answers are JSON; a body needs",
        "`Content-Type: application/json`. A list is a bare array. An error is `{message, reason, code, hints}` with",
        "the right status. `GET openapi.json` describes all of it to programs. Each call needs the named action on the",
        "resource `hpcenv`. POST, PUT and PATCH need that content type also where the body is empty (`{}`).\n",
        EXAMPLES,
        "| method | address | action | what |",
        "|---|---|---|---|",
    ]
    parts += [f"| {r.method} | `{r.path}` | {r.action} | {r.summary} |" for r in ROUTES]
    for route in ROUTES:
        parts.append("\n" + one_route(route))
    parts += ["\n## Errors\n", "| code | status | meaning |", "|---|---|---|"]
    parts += [f"| `{e.code}` | {e.http_status} | {(inspect.getdoc(e) or '').splitlines()[0]} |" for e in every_error()]
    return "\n".join(parts) + "\n"


def every_error() -> list[type[HpcenvError]]:
    """Return every error that a client can meet, by status and code."""
    found: list[type[HpcenvError]] = []
    waiting: list[type[HpcenvError]] = [HpcenvError]
    while waiting:
        kind = waiting.pop()
        if kind.__module__ in (HpcenvError.__module__, translate.__name__):
            found.append(kind)
        waiting += kind.__subclasses__()
    return sorted(found, key=lambda kind: (kind.http_status, kind.code))


def one_route(route: Route) -> str:
    """Return the section of a route."""
    parts = [f"## {route.method} {route.path}\n", f"{route.summary}.\n"]
    parts += [f"- `?{query.name}=`: {query.meaning}" for query in route.query]
    parts += [f"- header `{name}`: {meaning}" for name, meaning in route.headers]
    if route.body is not None:
        fields = ", ".join(f"`{field.encode_name}`" for field in msgspec.structs.fields(route.body))
        parts.append(f"- body: `{route.body.__name__}` with {fields}")
    parts.append(f"- answer: {route.status}{', ' + named(route.answer) if route.answer is not None else ', no body'}")
    return "\n".join(parts)


def named(answer: Any) -> str:
    """Return how an answer's type is written."""
    if isinstance(answer, str):
        return f"`{answer}`"
    if get_origin(answer) is list:
        return f"a list of `{get_args(answer)[0].__name__}`"
    return "a JSON object" if get_origin(answer) is dict else f"`{answer.__name__}`"


def events() -> str:
    """Return the page of all events."""
    parts = [
        "# Events\n",
        NOTE,
        "Emitted through `jupyter_events`; listen at `/api/events/subscribe` or register a handler. The stream has no",
        "replay: list again when you connect.",
    ]
    for path in sorted(EVENT_SCHEMAS.glob("*.yaml")):
        schema = yaml.safe_load(path.read_text())
        parts.append(f"\n## {schema['$id']}\n\n{textwrap.dedent(schema.get('description', '')).strip()}\n")
        parts.append("| field | type | meaning |\n|---|---|---|")
        for name, field in schema["properties"].items():
            kind = field.get("type") or "text"
            choices = f" ({', '.join(field['enum'])})" if "enum" in field else ""
            meaning = " ".join(field.get("description", field.get("title", "")).split())
            parts.append(f"| `{name}` | {kind}{choices} | {meaning} |")
    return "\n".join(parts) + "\n"


def errors() -> str:
    """Return the page of all errors."""
    parts = [
        "# Errors\n",
        NOTE,
        "Every error has a code that stays, whatever its message says: in `--json` of the [command line](cli.md), in",
        "the body that [REST](rest.md) answers, and as `HpcenvClientError.code` of the [client](client.md). Its",
        "message says what happened and why, its hints what to do in this case; here stands what to do in general.",
        "[When something fails](../how-to/users/when-it-fails.md) begins at what you see.\n",
        "| code | status | exit code | meaning | what to do |",
        "|---|---|---|---|---|",
    ]
    parts += [
        f"| `{each.code}` | {each.http_status} | {each.exit_code} | {' | '.join(told(each))} |"
        for each in every_error()
    ]
    return "\n".join(parts) + "\n"


def told(kind: type[HpcenvError]) -> tuple[str, str]:
    """Return what an error means and what to do about it; the two paragraphs of its docstring say it."""
    if kind is HpcenvError:
        return "Any other error.", "Do what the hints say; `jupyter hpcenv log ID` has what an operation said before."
    meaning, _, advice = inspect.cleandoc(vars(kind)["__doc__"]).replace("``", "`").partition("\n\n")
    return " ".join(meaning.split()), " ".join(advice.split())


PAGES = {"configuration.md": configuration, "rest.md": rest, "events.md": events, "errors.md": errors}


def main() -> None:
    texts = {DOCS / "reference" / name: write() for name, write in PAGES.items()}
    texts |= {DOCS / "man" / name: text for name, text in man.pages().items()}
    texts[DOCS / "images" / "questions.svg"] = figure.drawing()
    for stale in set((DOCS / "man").glob("*.1")) - set(texts):
        stale.unlink()
    for path, text in texts.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        print(f"wrote {path.relative_to(DOCS.parent)}")


if __name__ == "__main__":
    main()
