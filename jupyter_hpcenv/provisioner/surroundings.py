"""What a kernel's start finds around it: the configuration, the variables, and who reads its errors."""

from __future__ import annotations

import os

from traitlets.config import Config

from ..errors import BatchRefused, HpcenvError, KernelNotStarted
from ..models import KernelProfile
from ..site import Site
from ..site.configuration import Configuration

_LOCAL = ("HOME", "USER", "LOGNAME", "PATH", "LD_LIBRARY_PATH", "SLURM_CONF")


class spoken:  # noqa: N801  used as a statement
    """Put an error's advice into its text: all that Jupyter shows of it.

    What a *profile* asks for is staff's to change, so where it is refused, its user gets another advice.
    """

    def __init__(self, profile: KernelProfile | None = None) -> None:
        self._profile = profile

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, BatchRefused) and self._profile is not None:
            advice = (
                f"This is what the profile “{self._profile.name}” asks for: choose another one (jupyter hpcenv "
                "profiles; jupyter hpcenv edit NAME --profile PROFILE), and tell your site's staff."
            )
            raise KernelNotStarted(f"{error.message} {advice}", reason=error.reason) from error
        if isinstance(error, HpcenvError) and error.hints:
            raise KernelNotStarted(" ".join([error.message, *error.hints]), reason=error.reason) from error


def configured(config: Config) -> Site:
    """Return the site as this process is configured; what the server's own files say wins, as in the extension."""
    own = Configuration(own_process=False)
    found = own.config
    found.merge(config)
    with own.explained():
        return Site(config=found)


def local_variables() -> dict[str, str]:
    """Return what the batch system's own program gets of our variables; the job begins with them."""
    kept = {name: os.environ[name] for name in _LOCAL if name in os.environ}
    return {"PATH": os.defpath, **kept, "LC_ALL": "C"}
