"""Where the script lies that loads modules in a shell of its own.

Both those who ask the module system and those who write launch scripts use it, so that a kernel gets what
was captured. It is static: names reach it as arguments only. Its head says what it takes and gives.
"""

from __future__ import annotations

from pathlib import Path

LOADER = Path(__file__).parent / "scripts" / "load.bash"

#: Statuses of the loader.
NO_STATE, NO_SYSTEM, NOT_LOADED, ENDED = 90, 91, 93, 94
