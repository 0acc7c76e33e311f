"""A machine without a module system: nothing is there, and asking for modules is an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import NoModuleSystem
from ..models import ModuleSet
from .contract import Available, Captured, ModuleSystem
from .verdict import Verdict


class NoSystem(ModuleSystem):
    """Answers for a machine without modules."""

    name = "none"

    @property
    def version(self) -> str:
        """Empty."""
        return ""

    def available(self) -> list[Available]:
        """Return nothing."""
        return []

    def collections(self) -> list[str]:
        """Return nothing."""
        return []

    def loaded(self) -> list[str]:
        """Return nothing: without a module system such a variable means nothing."""
        return []

    def capture(
        self, asked: Sequence[str], *, collection: str = "", purge: str = "", timeout: float | None = None
    ) -> Captured:
        """Return an empty answer if no module is asked for; otherwise raise `NoModuleSystem`."""
        wanted = [*asked, *([collection] if collection else [])]
        if wanted:
            raise NoModuleSystem(
                f"{', '.join(wanted)} can not be loaded: this machine has no module system.",
                hints=[
                    "Leave the modules out.",
                    "If there is one, have staff set c.Site.module_system and c.Site.module_init.",
                ],
            )
        return Captured(modules=ModuleSet(system="none"), environ=dict(self.environ))

    def alternates(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return nothing."""
        return {}

    def verdict(self, path: str, text: str) -> Verdict:
        """Return that nothing is known."""
        return Verdict(live=f"{path} is no modulefile of a known system.")

    def rc_files(self) -> list[str]:
        """Return nothing."""
        return []

    def settings(self) -> list[str]:
        """Return nothing."""
        return []

    def hooked(self) -> str:
        """Return nothing."""
        return ""
