"""Two sessions, two clinicians, two nodes, explored until nothing is left to reach; by hand.

All but the last take a minute or less each; that one, in which time passes, hours and gigabytes.

    make explore                                 every case, one after the other
    make explore ARGS="--case 'a page closes'"   one of them

Stops where a rule breaks, with status 1 and the shortest story of how.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.model.explorer import Faults, Search

CASES = {
    "one moment": Faults(moments=0),
    "a node is killed": Faults(moments=0, crashes=1),
    "a page closes": Faults(moments=0, moves=1),
    "the live layer is wrong": Faults(moments=0, lies=1),
    "one session, time passes twice": Faults(moments=2, presses=1),
    "time passes": Faults(moments=1),
}


def explore(name: str, faults: Faults) -> bool:
    """Whether every rule holds in all that can be reached."""
    began = time.monotonic()

    def told(depth: int, new: int, states: int) -> None:
        seconds = time.monotonic() - began
        print(f"  {name}: step {depth}, {new} new, {states} states, {seconds:.0f} s", flush=True)

    report = Search(faults, told=told, lean=True).run()
    print(f"{name}: {report}", flush=True)
    if report.violation is not None:
        print(report.violation)
    return report.violation is None


def main() -> int:
    parser = argparse.ArgumentParser(description="Explore the small cases of the line whole.")
    parser.add_argument("--case", choices=CASES, action="append")
    asked = parser.parse_args().case or list(CASES)
    return 0 if all(explore(name, CASES[name]) for name in asked) else 1


if __name__ == "__main__":
    sys.exit(main())
