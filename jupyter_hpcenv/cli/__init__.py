"""The command line, ``jupyter hpcenv``: a door that only translates.

Start-up time matters (it runs in job scripts and shell prompts), so each command imports what it needs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; the console script ``jupyter-hpcenv`` calls this."""
    from .door import run

    return run(list(sys.argv[1:] if arguments is None else arguments))
