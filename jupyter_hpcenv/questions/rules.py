"""What a policy skeleton says: each rule with why a site may want it; only what was answered holds."""

from __future__ import annotations

from typing import Any, NamedTuple

from .answers import Answers


class Rule(NamedTuple):
    """A line of the policy."""

    name: str
    value: Any
    """None where the line is an example."""
    sample: Any
    why: str


def rules(answers: Answers) -> list[Rule]:
    """Return the rules that nobody gets past."""
    indexes = [answers.index_url] if answers.index_url else ["https://mirror.example.org/simple"]
    return [
        Rule("managers", answers.managers or None, ["venv", "conda"], "Which environment managers may be used."),
        Rule("installers", None, ["uv", "pip"], "Which programs may install packages."),
        Rule("pythons", None, ["3.11", "3.12"], "Which Pythons: versions, or paths."),
        Rule(
            *("system_python", False if answers.hide_system_python else None, False),
            "Whether an environment may stand on the operating system's own Python, which changes with its upgrades.",
        ),
        Rule("locations", None, {"conda": ["scratch"]}, "By manager, where environments may lie."),
        Rule("modules", None, ["gcc/*"], "Which modules may be loaded."),
        Rule("channels", None, answers.channels or ["conda-forge"], "Which conda channels, whoever configured them."),
        Rule("indexes", None, answers.find_links if answers.no_index else indexes, "Where Python packages come from."),
        Rule("editable", None, False, "Whether folders of people's own code may be installed (-e)."),
        Rule("vcs", None, False, "Whether packages may come from version control."),
        Rule("urls", None, False, "Whether archives may be named by their address."),
        Rule("hashes", None, True, "Whether each Python package must come with a digest."),
        Rule("sources", None, answers.no_binary or ["mpi4py"], "Built from source; all others must then be wheels."),
        Rule(
            *("denied", answers.denied or None, {"tensorflow": "Use the module TensorFlow."}),
            "What may not be asked for, and what to do instead.",
        ),
        Rule("environments", answers.environments, 20, "How many environments one user may have."),
        Rule(
            "gigabytes", None, 100, "How much one user's environments may take together, as far as they are measured."
        ),
        Rule("link_scripts", None, False, "Whether conda packages may run scripts of theirs when they are installed."),
        Rule("sharing", None, False, "Whether people may share environments with colleagues."),
    ]
