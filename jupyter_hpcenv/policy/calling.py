"""Call the function of a site's hook: a program by itself, which knows nothing of this package.

``python -I calling.py FILE.py FUNCTION REQUEST.json`` prints the answer as one line of JSON. So the site's code never
runs in the server, can be stopped, and what a user keeps in PYTHONPATH or in the folder of the user's packages is not
in its way.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path


def main(file: str, function: str, request: str) -> None:
    """Call *function* of *file* with what is asked, as a dictionary, and print what it answers (None: nothing)."""
    asked = json.loads(Path(request).read_text())
    answer = runpy.run_path(file)[function](asked)
    # What the function wrote itself may have no end of its line.
    sys.stdout.write(f"\n{json.dumps(answer if answer is not None else {})}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
