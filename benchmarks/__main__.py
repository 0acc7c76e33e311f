"""Take the figures that are named, or all, print a table and write JSON. Run it from the checkout."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from pathlib import Path

from .figures import FIGURES
from .measure import Row
from .report import machine, table, write
from .world import CHECKOUT, open_world


def main() -> int:
    """Return 1 if a figure could not be taken; a goal that is missed is a fact in the table, no failure of the run."""
    names = [figure.NAME for figure in FIGURES]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("figures", nargs="*", metavar="NAME", help=f"one of {', '.join(names)}; none: all")
    parser.add_argument("--quick", action="store_true", help="fewer samples, and no 10,000 environments")
    parser.add_argument("--json", type=Path, default=CHECKOUT / "artefacts" / "benchmarks.json", metavar="FILE")
    asked = parser.parse_args()
    if unknown := set(asked.figures) - set(names):
        parser.error(f"there is no {', '.join(sorted(unknown))}; these exist: {', '.join(names)}")
    rows: list[Row] = []
    failed: list[str] = []
    facts = machine()
    began = time.monotonic()
    with open_world(asked.quick) as world:
        for figure in FIGURES:
            if not asked.figures or figure.NAME in asked.figures:
                print(f"{figure.NAME}: beside {figure.REFERENCE} …", file=sys.stderr, flush=True)
                try:
                    rows += figure.measure(world)
                except Exception:  # noqa: BLE001  the other figures are taken all the same
                    traceback.print_exc()
                    failed.append(figure.NAME)
                write(asked.json, rows, {**facts, "quick": asked.quick})
    print(table(rows))
    print(
        f"{facts['system']}, {facts['processors']} processors, Python {facts['python']}, load {facts['load']:.1f} "
        f"at the beginning; {time.monotonic() - began:.0f} s."
    )
    if failed:
        print(f"Not taken, because of an error: {', '.join(failed)}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
