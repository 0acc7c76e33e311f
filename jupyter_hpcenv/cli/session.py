"""What every subcommand shares: its common options, its output and the floors below, made when first used."""

from __future__ import annotations

import functools
import os
import sys
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import click

from .output import Output

if TYPE_CHECKING:
    from ..admission import Admission

P = ParamSpec("P")


class Session:
    """One run of one subcommand."""

    def __init__(self, output: Output, config_file: str, definitions: tuple[str, ...]) -> None:
        self.output = output
        self.config_file = config_file
        self.definitions = definitions

    @functools.cached_property
    def admission(self) -> Admission:
        """The desk where requests are handed in; raises `HpcenvError` for a broken configuration."""
        if os.geteuid() == 0:
            self.output.warn("You are root: environments that you make belong to root.")
        from ..site.configuration import Configuration

        configuration = Configuration(self.config_file, self.definitions)
        from ..admission import Admission

        with configuration.explained(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            admission = Admission(configuration.config)
            _ = admission.managers  # has traits of its own
        for warning in caught:
            # traitlets warns so of a trait that does not exist: a misspelt rule must not pass in silence.
            if issubclass(warning.category, UserWarning):
                self.output.warn(str(warning.message))
        return admission


def with_session(function: Callable[Concatenate[Session, P], int | None]) -> Callable[..., int | None]:
    """Give a subcommand the common options and, in their place, a `Session`."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
    @click.option("--config", metavar="FILE", default="", help="Read FILE instead of jupyter_hpcenv_config.")
    @click.option(
        "-D", "--define", "definitions", metavar="CLASS.TRAIT=VALUE", multiple=True, help="Set one trait; repeatable."
    )
    @functools.wraps(function)
    def command(as_json: bool, config: str, definitions: tuple[str, ...], **rest: Any) -> int | None:
        return function(Session(Output(as_json), config, definitions), **rest)  # type: ignore[call-arg]

    return command


def is_terminal() -> bool:
    """Tell whether progress can be drawn: stderr is a terminal that moves its cursor."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
