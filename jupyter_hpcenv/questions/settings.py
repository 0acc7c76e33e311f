"""What a written configuration says: each trait with why it is there, and what stands there as an example."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from .answers import Answers


class Setting(NamedTuple):
    """A trait in the configuration."""

    kind: str
    trait: str
    value: Any
    sample: Any
    """What stands there, as a comment, where nothing is said."""
    why: str

    @property
    def given(self) -> bool:
        """Whether the site says something."""
        return self.value not in ("", None, [], {}, False)


def settings(answers: Answers, template_dir: str = "") -> list[Setting]:
    """Return what the configuration holds, in its order."""
    places = {name: msgspec.to_builtins(place) for name, place in answers.locations.items()}
    return [
        Setting(
            *("Site", "contact", answers.contact, "support@example.org"),
            "Whom people ask: a mail address or a page. Errors that only you can mend name it.",
        ),
        Setting(
            *("Site", "cluster", answers.cluster, "alpha"),
            (
                "Environments keep the name of the cluster that they were built on, so that nobody takes one for "
                "another. Without it: what Slurm says, else the name of the network."
            ),
        ),
        Setting(
            *("Site", "locations", places, {"scratch": {"root": "$SCRATCH/environments", "purge_days": 60}}),
            (
                "Where environments may lie. $VARIABLES, ~, {username}, {group}, {cluster}, {os}, {arch}, "
                "{python_version} and {data_dir} are filled in for each user. The last folder is made when it "
                "is needed; those above it must be there. purge_days and backed_up warn people before they lose work; "
                "sharing: True lets them share."
            ),
        ),
        Setting(
            *("Site", "default_location", answers.default_location, "home"),
            "Taken when nobody says where. Without it: the first that can be written and is not purged.",
        ),
        Setting(
            *("Site", "module_system", answers.module_system, "lmod"),
            (
                "lmod, tcl (Environment Modules) or none. A server of JupyterHub has often no variables "
                "of a login shell, so this is better said than found anew each time."
            ),
        ),
        Setting(
            *("Site", "module_init", answers.module_init, "/apps/lmod/lmod/init/bash"),
            "The module system's start file for bash. Launch scripts source it before they load modules.",
        ),
        Setting(
            *("Site", "module_path", answers.module_path, ["/apps/modules/all"]),
            "Folders of modulefiles that are searched besides those of MODULEPATH.",
        ),
        Setting(
            *("Site", "module_purge", answers.module_purge, "default"),
            (
                "What becomes of modules that are loaded already: default keeps sticky and default ones, purge "
                "unloads all, none leaves all loaded."
            ),
        ),
        Setting(
            *("Site", "module_hints", answers.module_hints, {"mpi.h": "OpenMPI", "gfortran": "GCC"}),
            "Which module has what a failed build misses. The message then names it.",
        ),
        Setting(
            *("Site", "python_paths", answers.python_paths, ["/apps/python/3.12/bin/python3"]),
            "Interpreters that you recommend, best first. They lead the list that people choose from.",
        ),
        Setting(
            *("Site", "python_folders", answers.python_folders, ["/apps/python"]),
            "Folders that hold one Python in each sub-folder.",
        ),
        Setting(
            *("Site", "hide_system_python", answers.hide_system_python, True),
            "The operating system's Python changes with its next upgrade, and environments on it break then.",
        ),
        Setting(
            *("Site", "template_dirs", [template_dir] if template_dir else [], ["/etc/jupyter/hpcenv/templates"]),
            "Your own templates for launch scripts and activation files; nobody but root and you may write there.",
        ),
        Setting(
            *("VenvManager", "installer", answers.installer, "pip"),
            "uv or pip. Without it: uv, except where pip.conf, a wheelhouse or modules make pip the right one.",
        ),
        Setting(
            *("VenvManager", "index_url", answers.index_url, "https://mirror.example.org/simple"),
            "Your mirror of the package index. Nothing else is asked then, unless pip or uv are told otherwise.",
        ),
        Setting(
            *("VenvManager", "find_links", answers.find_links, ["/apps/wheelhouse"]),
            "Your wheelhouse: folders or pages with wheels that were built for this cluster.",
        ),
        Setting(
            *("VenvManager", "no_index", answers.no_index, True),
            "Install from the wheelhouse alone.",
        ),
        Setting(
            *("CondaManager", "engine", "command" if answers.conda_command else "", "command"),
            "rattler comes along and needs no conda; command runs a conda, mamba or micromamba of yours.",
        ),
        Setting(
            *("CondaManager", "command", answers.conda_command, "/apps/miniforge/bin/mamba"),
            "Which program that is.",
        ),
        Setting(
            *("CondaManager", "default_channels", answers.channels, ["conda-forge"]),
            "Channels where neither a request nor a .condarc names any.",
        ),
    ]
