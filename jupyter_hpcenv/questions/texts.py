"""Render the files of a site from its answers; each dialect has its own template, and its own way to quote."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..site.rendering import render
from .answers import Answers
from .folders import Folder
from .rules import rules
from .settings import settings

_TEMPLATES = Path(__file__).parent / "templates"

#: Which part of the folder of caches is whose, by the variable that says so.
_CACHES = {"PIP_CACHE_DIR": ("pip",), "UV_CACHE_DIR": ("uv",), "CONDA_PKGS_DIRS": ("conda", "pkgs")}

#: What stands in a folder of templates that is empty.
README = """Templates of this site for jupyter_hpcenv. A file here takes the place of the built-in one of that name:

    jupyter hpcenv templates list
    jupyter hpcenv templates show --built-in launch.sh.j2
    jupyter hpcenv templates check

To add lines to every launch, write launch_prologue.sh.j2 or launch_epilogue.sh.j2. Nobody but root and the owner
of the configuration may be able to write here: what lies here runs in every kernel.
"""


def configuration(answers: Answers, template_dir: str) -> str:
    """Return jupyter_hpcenv_config.py; raises `InvalidRequest` for what can not be written, as all here do."""
    said = [
        {**_plain(each._asdict(), each.given), "why": textwrap.wrap(each.why, 115)}
        for each in settings(answers, template_dir)
    ]
    return _render("config.py.j2", {"settings": said})


def policy(answers: Answers) -> str:
    """Return hpcenv_policy.toml."""
    held = [_plain(each._asdict(), each.value is not None) for each in rules(answers)]
    preferred = [{"name": name, "text": text} for name, text in answers.preferred.items()]
    return _render("policy.toml.j2", {"contact": answers.contact, "rules": held, "preferred": preferred})


def pip_conf(answers: Answers) -> str:
    """Return pip.conf; pip fills in no variables there, so a folder that has any is left to the modulefile."""
    cache = Folder(answers.caches).below("pip").plain() if answers.caches else ""
    values = {
        "cache_dir": cache,
        "caches": answers.caches,
        "index_url": answers.index_url,
        "find_links": answers.find_links,
        "no_index": answers.no_index,
        "no_binary": ",".join(answers.no_binary),
    }
    return _render("pip.conf.j2", values)


def condarc(answers: Answers) -> str:
    """Return .condarc, in which conda fills in variables itself."""
    environments = Folder(answers.conda_envs).variables() if answers.conda_envs else ""
    packages = Folder(answers.caches).below("conda", "pkgs").variables() if answers.caches else ""
    values = {"channels": answers.channels, "environments": environments, "packages": packages}
    return _render("condarc.j2", values)


def modulefile(answers: Answers, dialect: str) -> str:
    """Return the settings that belong to the site's module of Python; *dialect* is lua or tcl."""
    said = []
    if answers.caches:
        said += [Folder(answers.caches).below(*names).data(name) for name, names in _CACHES.items()]
    if answers.conda_envs:
        said.append(Folder(answers.conda_envs).data("CONDA_ENVS_DIRS"))
    return _render(f"python_settings.{dialect}.j2", {"python": answers.python_module, "settings": said})


def again(answers: Answers) -> str:
    """Return the answers as a file that ``--answers`` reads."""
    said = {name: msgspec.to_builtins(getattr(answers, name)) for name in answers.__struct_fields__}
    known = [{"name": name, "value": value} for name, value in said.items() if value is not None]
    return _render("answers.toml.j2", {"answers": known})


def _plain(data: dict[str, Any], given: bool) -> dict[str, Any]:
    return {**data, "given": given, "value": data["value"] if given else data["sample"]}


def _render(name: str, values: Mapping[str, object]) -> str:
    return render(name, (), values, package=_TEMPLATES)
