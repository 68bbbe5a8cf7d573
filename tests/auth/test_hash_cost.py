"""What a password really costs in production, pinned apart from the tests' cheap hashes."""

from __future__ import annotations

import subprocess
import sys

from argon2 import extract_parameters
from argon2.low_level import Type

MAKE = "import asyncio; from auth.passwords import hash_secret as h; print(asyncio.run(h('x y z')))"


def test_the_cost_is_rfc_9106s_second_recommended_setting() -> None:
    made = subprocess.run([sys.executable, "-c", MAKE], check=True, capture_output=True, text=True)
    cost = extract_parameters(made.stdout.strip())
    assert cost.type is Type.ID
    assert (cost.memory_cost, cost.time_cost, cost.parallelism) == (64 * 1024, 3, 4)
