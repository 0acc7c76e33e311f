"""Bound what a template may take: a loop that does not end would hold up the server, and whoever waits for it.

A site's templates are trusted, but not free of mistakes. Each turn of a loop, and each call, looks at the clock; what
is done in one step, and could take for ever by itself, is bounded by its size.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

_COUNTED = "hpcenv_counted"  # no template writes it; the compiler does


class LimitedEnvironment(ImmutableSandboxedEnvironment):
    """A sandbox for one rendering, which has *seconds* from now on."""

    intercepted_binops = frozenset({"*", "**"})

    def __init__(self, seconds: float, longest: int, **options: Any) -> None:
        super().__init__(**options)
        self._seconds = seconds
        self._longest = longest
        self._end = time.monotonic() + seconds
        self.filters[_COUNTED] = self._counted

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, _COUNTED, [], [], None, None, lineno=loop.lineno)
        return tree

    def _counted(self, values: Iterable[object]) -> Iterable[object]:
        if isinstance(values, jinja2.Undefined):
            return values  # raises, with the name that is missing, as soon as it is used
        return self._turns(values)

    def _turns(self, values: Iterable[object]) -> Iterator[object]:
        for each in values:
            self._look()
            yield each

    def call(self, *arguments: Any, **more: Any) -> Any:
        """Call what a template calls: macros and recursive loops go round without any other loop."""
        self._look()
        return super().call(*arguments, **more)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Repeat a text or list only as far as it stays small; no template of a script needs powers."""
        repeated = [len(each) for each in (left, right) if isinstance(each, str | list | tuple)]
        times = [each for each in (left, right) if isinstance(each, int)]
        if operator == "**" or (repeated and times and repeated[0] * times[0] > self._longest):
            raise jinja2.TemplateRuntimeError(f"“{operator}” could give more than a template may hold")
        return super().call_binop(context, operator, left, right)

    def _look(self) -> None:
        if time.monotonic() > self._end:
            raise jinja2.TemplateRuntimeError(f"it takes longer than {self._seconds:g} seconds")
