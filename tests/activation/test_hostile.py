"""Ten thousand hostile values through every dialect in the real interpreters: intact, or refused with a reason.

A value that is run instead of kept leaves the file ``pwned`` behind. The values are the same each time.
"""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path

import pytest

from jupyter_hpcenv.activation import DIALECTS, Facts, render_facts
from jupyter_hpcenv.activation.text import check_tcl
from jupyter_hpcenv.errors import InvalidRequest
from jupyter_hpcenv.models import Platform
from jupyter_hpcenv.site import quoting, references

from ..modules.systems import need
from .conftest import run, snapshot

VALUES = 10_000
BATCH = {"tcl": 200}  # values an interpreter; Tcl Modules is slow with many

PAYLOADS = [
    "$(touch pwned)",
    "`touch pwned`",
    "'; touch pwned; '",
    '"; touch pwned; "',
    "' touch pwned '",
    "; touch pwned #",
    "| touch pwned",
    "& touch pwned &",
    "[exec touch pwned]",
    "\\[exec touch pwned\\]",
    "]; exec touch pwned; [",
    "} ; exec touch pwned ; {",
    '" ; exec touch pwned ; "',
    '") os.execute("touch pwned") --',
    "]] os.execute('touch pwned') --[[",
    '" .. os.execute("touch pwned") .. "',
    "(touch pwned)",
    "{{ 7*7 }}{% raw %}",
    "{# no comment #}",
    "!touch",
    "!!",
    "%!PS %1 %% %s %n",
    "--help",
    "-n",
    "-",
    "$HOME ${HOME} $$ $0 $env(HOME) $::env(PATH)",
    "${SLURM_X:-$(touch pwned)}",
    "${SLURM_x}",
    "\\",
    "\\\\",
    "\\n\\x41\\u0041\\[\\{",
    "'",
    '"',
    "''",
    "'\\''",
    "#",
    "~",
    "~root",
    "*",
    "?[a-z]{a,b}",
    "a\tb",
    " lead and trail ",
    "",
    "=",
    "a=b;c",
    "<>|&^",
    "naïve Zürich 日本語 😀 \u202e ñ",
    "\xa0\u3000",
    "{",
    "}",
    "{}",
    "[",
    "]",
    "$",
    "$(",
    "${",
    "`",
    "@ % + , . / : ;",
]
REFUSED = ["\n", "\r", "\0", "\x1b[31m", "\x07", "\x7f", "\x85", "\u2028", "\ud800", "\x01"]
TCL_REFUSES = re.compile("(?:^|:)[~=]|[\U00010000-\U0010ffff]")
ALPHABET = "'\"\\!$`~ -^#{}[]()*?%&;|<>=@,.abZ09é日😀\t"


def value(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.4:
        return "".join(rng.choice(PAYLOADS) for _ in range(rng.randint(1, 3)))
    if kind < 0.8:
        return "".join(rng.choice(ALPHABET) for _ in range(rng.randint(0, 20)))
    return "".join(chr(rng.choice([rng.randint(32, 126), rng.randint(0xA0, 0x24F)])) for _ in range(rng.randint(1, 30)))


def hostile(values: int, batch: int) -> list[Facts]:
    """Make facts of which name, path and variables are hostile, *batch* values each."""
    rng = random.Random(20261121)
    made = []
    for number in range(values // batch):
        path = value(rng).replace("/", "_").replace(":", "_")[:40] or "x"
        variables = {f"V{number}_{index}": value(rng) for index in range(batch - 2)}
        made.append(
            Facts(
                id=f"{number:032x}",
                name=value(rng),
                prefix=f"{number}{path}",
                python="3.11.7",
                variables=variables,
                platform=Platform(cluster=value(rng), os="debian12", arch="x86_64"),
            )
        )
    return made


def placed(facts: Facts, folder: Path, dialect: str) -> Facts:
    """Put the prefix where it is found, and leave out what the dialect refuses, each with a reason."""
    plain = facts.name.replace("😀", "ü") if dialect == "tcl" else facts.name
    prefix = folder / (facts.prefix.replace("😀", "ü") if dialect == "tcl" else facts.prefix)
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin" / "python").symlink_to(sys.executable)
    values = {name: getattr(facts, name) for name in Facts.__struct_fields__}
    variables = {
        name: text for name, text in facts.variables.items() if dialect != "tcl" or not TCL_REFUSES.search(text)
    }
    for number, name in enumerate(facts.variables.keys() - variables.keys()):
        one = Facts(**{**values, "name": plain, "prefix": "/p", "variables": {name: facts.variables[name]}})
        with pytest.raises(InvalidRequest, match=r"tilde|beyond"):
            refused(one, facts.variables[name], whole=number == 0)
    return Facts(**{**values, "name": plain, "prefix": str(prefix), "variables": variables})


def refused(facts: Facts, text: str, *, whole: bool) -> None:
    """Raise what Tcl's text for *facts* raises; rendering the whole text takes long, and is the same for all."""
    if whole:
        render_facts("tcl", facts)
    check_tcl(facts)
    quoting.tcl(text)


def script(dialect: str, facts: list[Facts], folder: Path) -> tuple[str, str]:
    """Return the shell, and a script that uses each file in one interpreter and writes what the environment is then."""
    ending = ".lua" if dialect == "lmod" else ""
    lines = []
    for number, each in enumerate(facts):
        path = folder / "files" / "hpcenv" / f"m{number}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render_facts(dialect, each), encoding="utf-8")
        show = f"env -0 > out{number}"
        use = {"lmod": f"module load hpcenv/m{number}", "tcl": f"module load hpcenv/m{number}"}
        command = use.get(dialect, f"{'source' if dialect in ('csh', 'fish') else '.'} {path}")
        last = number == len(facts) - 1 and dialect not in ("sbatch", "pbs")
        if dialect == "fish" or last:
            lines += [command, show]
        else:  # what one leaves need not go before the next: unloading is slow
            lines.append(f"( {command}; {show} )")
    if dialect in ("lmod", "tcl"):
        lines = [f". {need(dialect)}", f"module use {folder / 'files'}", *lines, "module purge"]
    elif dialect not in ("sbatch", "pbs"):
        lines.append("deactivate")
    return {"csh": "tcsh", "fish": "fish"}.get(dialect, "bash"), "\n".join([*lines, "env -0 > last", ""])


CASES = [(dialect, "C.UTF-8", VALUES) for dialect in (*DIALECTS, "dash", "zsh")]
CASES += [(dialect, "C", 1000) for dialect in DIALECTS]


@pytest.mark.parametrize(("dialect", "locale", "values"), CASES)
def test_hostile_values_stay_what_they_are(dialect: str, locale: str, values: int, tmp_path: Path) -> None:
    facts = [placed(each, tmp_path / "prefixes", dialect) for each in hostile(values, BATCH.get(dialect, 500))]
    shell, text = script("bash" if dialect in ("dash", "zsh") else dialect, facts, tmp_path)
    done = run(dialect if dialect in ("dash", "zsh") else shell, text, tmp_path, {"LC_ALL": locale})
    seen = 0
    for number, each in enumerate(facts):
        entries = (tmp_path / f"out{number}").read_bytes().decode().split("\0")[:-1]
        found = dict(entry.split("=", 1) for entry in entries)
        assert {name: found.get(name) for name in each.variables} == each.variables, done.stderr[-2000:]
        assert found["VIRTUAL_ENV"] == each.prefix
        assert found["PATH"].split(":")[0] == f"{each.prefix}/bin"
        if dialect not in ("sbatch", "pbs"):
            assert found["VIRTUAL_ENV_PROMPT"] == each.label
        seen += len(each.variables) + 2
    assert seen == values or (dialect == "tcl" and seen > 0.8 * values)
    assert not list(tmp_path.rglob("pwned"))
    assert not [name for name in snapshot(tmp_path / "last") if name.startswith(f"V{len(facts) - 1}_")]


@pytest.mark.parametrize("character", REFUSED)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_no_dialect_carries_is_refused_with_a_reason(dialect: str, character: str) -> None:
    platform = Platform(cluster="c", os="debian12", arch="x86_64")
    with pytest.raises(InvalidRequest) as caught:
        render_facts(
            dialect,
            Facts(
                id="0" * 32,
                name="n",
                prefix="/p",
                python="3.11.7",
                variables={"V": f"a{character}b"},
                platform=platform,
            ),
        )
    assert caught.value.hints
    with pytest.raises(InvalidRequest):
        render_facts(dialect, Facts(id="0" * 32, name="n", prefix=f"/p{character}", python="3.11.7", platform=platform))


def test_each_renderer_refuses_each_control_character() -> None:
    rng = random.Random(20261121)
    renderers = [quoting.sh, quoting.csh, quoting.fish, quoting.lua, quoting.tcl]
    renderers += [references.sh, references.lua, references.tcl]
    renderers += [lambda text: references.csh(text, "V"), lambda text: references.fish(text, "V")]
    for _ in range(200):
        text = value(rng) + rng.choice(REFUSED) + value(rng)
        for render in renderers:
            with pytest.raises(InvalidRequest):
                render(text)
