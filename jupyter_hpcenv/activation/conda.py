"""Say what activation files need to know of a conda environment, besides what they say of any other."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from ..site.conda_prefix import ON_ACTIVATE, ON_DEACTIVATE, Activation, default_name

#: For environments of other managers, and for one that is used together with others: nothing activates that.
NONE: dict[str, Any] = {"conda": False, "hook": False, "conda_left_out": "", "touched": [], "more": ""}


#: For sh: print commands for csh that source the scripts in the folder $1, in conda's order, or the other way round.
_SCRIPTS_CSH = (
    'all=; if cd "$CONDA_PREFIX/etc/conda/$1" 2>/dev/null; then for one in *.csh; do '
    'case $one in *[!A-Za-z0-9._+-]*) continue ;; esac; [ -f "$one" ] || continue; '
    'one="source \\$CONDA_PREFIX:q/etc/conda/$1/$one;"; '
    'case $2 in up) all="$all$one" ;; *) all="$one$all" ;; esac; done; fi; printf "%s:" "$all"'
)  # never nothing: tcsh evaluates that to rubbish


def values_of(
    prefix: str, activation: Activation, writable: Callable[[str], bool], *, hook: bool, won: Collection[str]
) -> dict[str, Any]:
    """Return the values for templates; *writable* tells whether a text can be written in the dialect.

    What can not be is left out and named: it comes from files of conda, and not from a request that could be refused.
    *won* are the variables that the record sets in the end, whatever conda does with them.
    """
    name = default_name(prefix)
    own = {
        "CONDA_PREFIX": prefix,
        "CONDA_DEFAULT_ENV": name,
        "CONDA_PROMPT_MODIFIER": f"({name}) ",
        "CONDA_SHLVL": "1",
    }
    variables = {name: value for name, value in activation.variables.items() if writable(value)}
    exports = {name: value for name, value in activation.exports.items() if writable(value)}
    left_out = {*activation.left_out, *activation.variables, *activation.exports} - {*variables, *exports}
    known = {name: value for name, value in {**own, **variables, **exports}.items() if name not in won}
    named = sorted(filter(writable, left_out))
    scripts = list(filter(writable, activation.active))
    return {
        "conda": True,
        "hook": hook,
        "conda_own": [[name, value] for name, value in own.items()],
        "conda_variables": [[name, value] for name, value in variables.items()],
        "conda_known": [[name, value] for name, value in known.items()],
        "conda_left_out": ", ".join(named),
        "conda_activate": f"{prefix}/{ON_ACTIVATE}",
        "conda_deactivate": f"{prefix}/{ON_DEACTIVATE}",
        "conda_scripts_csh": _SCRIPTS_CSH,
        "touched": list(dict.fromkeys([*own, *variables, *activation.csh_names])),
        "more": _more(scripts, named),
    }


def _more(scripts: list[str], left_out: list[str]) -> str:
    """Return what the help of a modulefile says of what it does not do."""
    more = ""
    if scripts:
        more += f" Not run by this module, because they do more than set variables: {', '.join(scripts)}."
    if left_out:
        more += f" Not set by this module: {', '.join(left_out)}."
    return more
