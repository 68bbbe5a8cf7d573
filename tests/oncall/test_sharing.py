"""A long line shares its clinicians in a time that grows with the line, not with its square."""

from __future__ import annotations

import random
import time

from oncall.eligible import LAYERS, Candidates
from oncall.sharing import Sharing

MANY = 1_000
BOUND_SECONDS = 30.0  # it takes less than one; each on its own it took two and a half minutes


def kinds_of_candidates(dice: random.Random, clinicians: list[str]) -> list[Candidates]:
    """Two kinds of sessions, each of which seven clinicians in ten may serve, in all layers."""
    found = []
    for _ in range(2):
        layers = {c: dice.choice(LAYERS) for c in clinicians if dice.random() < 0.7}
        best_first = sorted(layers, key=lambda c: (layers[c], c))
        nothing = {c: frozenset[object]() for c in best_first}
        found.append(Candidates({c: layers[c] for c in best_first}, "all_busy", nothing, {}))  # type: ignore[arg-type]
    return found


def test_a_thousand_sessions_of_two_kinds_choose_in_steps_that_keep_nobody_waiting() -> None:
    dice = random.Random(1)
    clinicians = [f"per_{n}" for n in range(MANY)]
    kinds = kinds_of_candidates(dice, clinicians)
    line = [f"ses_{n}" for n in range(MANY)]
    candidates = {session: dice.choice(kinds) for session in line}
    sharing = Sharing(line, candidates, {})
    began = time.perf_counter()
    steps = sum(1 for _ in sharing.choosing())
    assert time.perf_counter() - began < BOUND_SECONDS
    assert steps >= 10, "others get their turn in between"
    chosen = sharing.chosen
    assert len(set(chosen.values())) == len(chosen)
    assert all(who in candidates[session].layers for session, who in chosen.items())
    reachable = {who for kind in kinds for who in kind.layers}
    assert len(chosen) == len(reachable)
    assert set(chosen) == set(line[: len(chosen)]), "those first in line have theirs"
