"""The tree of subcommands; each group of verbs is a file."""

from __future__ import annotations

import click

from .. import __version__
from . import (
    activation,
    apply,
    builds,
    caches,
    change,
    clone,
    create,
    doctor,
    environments,
    health,
    modules,
    operations,
    packages,
    policy,
    presets,
    profiles,
    rebuild,
    report,
    search,
    setup,
    share,
    site,
    sizes,
    targets,
    undo,
)


def _version(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"jupyter_hpcenv {__version__}")
        context.exit()


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="With --json, each command prints one JSON object.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version."
)
def app() -> None:
    """Make, change, list and delete environments whose kernels Jupyter shows."""


for module in (
    create,
    clone,
    environments,
    packages,
    change,
    activation,
    operations,
    modules,
    site,
    policy,
    presets,
    sizes,
    caches,
    rebuild,
    builds,
    doctor,
    health,
    share,
    undo,
    search,
    setup,
    report,
    apply,
    targets,
    profiles,
):
    for command in module.COMMANDS:
        app.add_command(command)
