"""Look at what of a site is in rooms that the questionnaire does not know: presets, preinstallation, the audit log."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from traitlets.config import Config

from ..errors import HpcenvError
from ..manifest import Manifest, read
from ..questions import Fault
from ..site import Site, audit
from . import presets


def faults(site: Site, config: Config) -> Iterator[Fault]:
    """Yield what is wrong there; *config* holds what can be used of the configuration."""
    yield from _audit(site)
    yield from _presets(site)
    yield from _manifests(Manifest(config=config))


def _audit(site: Site) -> Iterator[Fault]:
    if site.audit_log and (why := audit.unwritable(site)):
        yield Fault(
            code="audit_log_unwritable",
            message=f"The audit log {site.audit_log} can not be written by you: {why}.",
            breaks="What is done is done all the same, and is missing there.",
            advice="Make its folder, with mode 1733 where each user has a file, or correct c.Site.audit_log.",
            path=site.audit_log,
        )


def _presets(site: Site) -> Iterator[Fault]:
    for text in site.preset_folders:
        folder = presets.folder_of(text)
        if not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK):
            yield Fault(
                code="preset_folder_missing",
                message=f"The folder of presets {text} is not there, or can not be read.",
                breaks="None of its presets is offered.",
                advice="Correct c.Site.preset_folders, or mount it.",
                path=str(folder),
            )
    for each in presets.known(site):
        if each.message:
            yield Fault(
                code="preset_broken",
                message=f"The preset {each.name} can not be used: {each.message}",
                breaks="People see it, and can not choose it.",
                advice=f"Correct it, and see with “jupyter hpcenv presets check {each.path}”.",
                path=each.path,
            )


def _manifests(settings: Manifest) -> Iterator[Fault]:
    folder = settings.kernels
    if settings.kernels_dir and not folder.is_dir():
        made = folder.parent.is_dir()
        yield Fault(
            code="kernels_dir_missing",
            message=f"The folder for everybody's kernels {folder} is not there.",
            breaks="Nobody sees a kernel of an environment that “apply” makes.",
            advice="Make it, writable for the account that runs “jupyter hpcenv apply” alone, or correct "
            "c.Manifest.kernels_dir.",
            severity="risk" if made else "broken",  # “apply” makes one folder, where its account may
            path=str(folder),
        )
    for text in settings.per_user:
        try:
            read(Path(text))
        except (HpcenvError, OSError) as error:
            yield Fault(
                code="manifest_broken",
                message=f"The manifest {text} of c.Manifest.per_user can not be used: {error}",
                breaks="Users get none of its environments when their servers start.",
                advice=" ".join(getattr(error, "hints", ())) or "Correct it, or take it out of c.Manifest.per_user.",
                path=text,
            )
