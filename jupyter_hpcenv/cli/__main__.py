"""Let ``python -m jupyter_hpcenv.cli`` do what ``jupyter hpcenv`` does."""

from __future__ import annotations

import sys

from . import main

sys.exit(main())
