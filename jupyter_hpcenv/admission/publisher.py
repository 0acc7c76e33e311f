"""Call the site's own program after what people see has changed, until it succeeds; CVMFS wants to be told, for one."""

from __future__ import annotations

from pathlib import Path

from ..errors import HpcenvError, WrongState
from ..manifest import Manifest, Step
from ..process import environment, run
from ..site import Site


class Publisher:
    """The program of one manifest; *folder* remembers that it has to be called, whatever becomes of this process."""

    def __init__(self, settings: Manifest, site: Site, folder: Path, label: str) -> None:
        self._settings, self._site = settings, site
        self._mark = folder / f"{label}.unpublished"

    def remember(self) -> None:
        """Note that something is about to change; called before it does."""
        if self._settings.publish_command:
            self._mark.touch(mode=0o600)

    def call(self) -> Step | None:
        """Call the program and return how that went; None where nothing has changed since it succeeded last."""
        argv = list(self._settings.publish_command)
        if not argv or not self._mark.exists():
            return None
        step = Step(name=Path(argv[0]).name, act="finish", why="The site's program for publishing.")
        try:
            done = run(argv, env=environment(self._site.passthrough), timeout=float(self._settings.publish_timeout))
            if not done.ok:
                raise WrongState(
                    f"The program {argv[0]} failed with {done.returncode}; the next run calls it again.",
                    hints=["See what it says, and run it by hand."],
                    reason="\n".join(list(done.tail)[-10:]),
                )
            self._mark.unlink(missing_ok=True)
            step.done = True
        except HpcenvError as error:
            step.fail(error)
        return step
