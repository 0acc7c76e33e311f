"""Write what makes an environment usable outside Jupyter: modulefiles, scripts to source, frames of batch jobs.

Generators are pure, record in and text out. Installing puts the text where the module system or a person looks.
"""

from .choice import OWN
from .facts import Facts, facts_of, for_prefix
from .places import files_of, install, install_path, installed, module_name, uninstall, use_line
from .text import DIALECTS, JOBS, TEMPLATES, render_activation, render_facts, samples

__all__ = [
    "DIALECTS",
    "JOBS",
    "OWN",
    "TEMPLATES",
    "Facts",
    "facts_of",
    "files_of",
    "for_prefix",
    "install",
    "install_path",
    "installed",
    "module_name",
    "render_activation",
    "render_facts",
    "samples",
    "uninstall",
    "use_line",
]
