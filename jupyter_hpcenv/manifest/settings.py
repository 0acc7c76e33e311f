"""What staff configure of preinstallation, apart from the manifest itself."""

from __future__ import annotations

import sys
from pathlib import Path

from traitlets import Int, List, Unicode
from traitlets.config import Configurable


class Manifest(Configurable):
    """How `jupyter hpcenv apply` brings what a manifest asks for to everybody."""

    kernels_dir = Unicode(
        help="""Folder for the kernelspecs that everybody sees, writable by the build account. Empty:
        share/jupyter/kernels below the Python that runs jupyter_hpcenv."""
    ).tag(config=True)

    parallel = Int(2, min=1, max=64, help="How many environments are built at a time.").tag(config=True)

    keep = Int(
        1, min=0, help="How many releases besides the one in use are kept for a rollback; a manifest may say otherwise."
    ).tag(config=True)

    prune_limit = Int(
        10, min=0, help="How many environments one run may remove, unless it is told another number."
    ).tag(config=True)

    publish_command = List(
        Unicode(),
        help="""Program, as a list of words, that is run after a run that changed what people see, for example
        ``["cvmfs_server", "publish", "software.example.org"]``. Where it fails, the next run calls it again.""",
    ).tag(config=True)

    publish_timeout = Int(3_600, min=1, help="Seconds that publish_command may take.").tag(config=True)

    test_timeout = Int(300, min=1, help="Seconds that the test of an environment may take.").tag(config=True)

    per_user = List(
        Unicode(),
        help="""Manifests whose ``per_user`` environments each user gets, when a server of theirs starts and there is
        room. Who deletes one is not given it again.""",
    ).tag(config=True)

    @property
    def kernels(self) -> Path:
        """The folder for kernelspecs."""
        return Path(self.kernels_dir) if self.kernels_dir else Path(sys.prefix) / "share" / "jupyter" / "kernels"
