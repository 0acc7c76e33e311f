"""Build the pages as HTML: `sphinx-build -W --keep-going docs .cache/docs`, with the extra “docs” installed.

Nothing of jupyter_hpcenv is imported: what the reference says of it is written into the pages before, by
scripts/reference.py and tests/cli/test_reference.py.
"""

from __future__ import annotations

import re
from pathlib import Path

_VERSION = Path(__file__).parents[1] / "jupyter_hpcenv" / "_version.py"
found = re.search(r'__version__ = "([^"]+)"', _VERSION.read_text(encoding="utf-8"))
if found is None:
    raise ValueError(f"{_VERSION} says no version")

project = "jupyter_hpcenv"
author = "The jupyter_hpcenv maintainers"
copyright = author
version = release = found[1]

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["man"]

# Each heading of a page has the anchor that code hosts give it, so a link means the same there and here; a link to a
# page or an anchor that is not there is a warning, and warnings are errors.
myst_heading_anchors = 3
nitpicky = True
# Blocks that show the form of an answer (“…”) are no whole JSON, and a lexer that stumbles is no fault of the page.
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = f"jupyter_hpcenv {release}"
html_copy_source = False
html_show_sphinx = False
