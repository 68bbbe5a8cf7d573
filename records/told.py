"""Which counts a reader may be told, so that no small one can be worked out of them. Pure.

A report tells many counts of the same sessions, in tables and in rates. One that is hidden in its
table comes out again when another place tells the total and all the rest. So each number is asked
for here before it is told: all that was told stands as equations, and a number is refused if it
and they together would give a secret away.

A count is a sum of cells: {"yes": 1, "no": 1} is both together. Equations are kept reduced, in
whole numbers modulo a prime so large that it makes no difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

Sum = Mapping[str, int]
_PRIME: Final = (1 << 61) - 1


def plus(*sums: Sum) -> dict[str, int]:
    """The cells of all of them together."""
    found: dict[str, int] = {}
    for one in sums:
        for cell, times in one.items():
            found[cell] = found.get(cell, 0) + times
    return {cell: times for cell, times in found.items() if times}


def minus(whole: Sum, part: Sum) -> dict[str, int]:
    """What is left of the whole."""
    return plus(whole, {cell: -times for cell, times in part.items()})


class Told:
    """What one reader knows, and what must stay hidden from them."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, int]] = {}  # by its first cell, which no other row has
        self._secrets: list[dict[str, int]] = []

    def hides(self, secrets: Iterable[Sum]) -> None:
        """What must not come out from now on. What is out already is no secret any more."""
        fresh = {tuple(sorted(one.items())) for one in secrets}
        self._secrets += [left for one in fresh if (left := self._left(dict(one)))]

    def learns(self, known: Sum) -> None:
        """A sum whose value the reader knows anyway, as that of two totals of the same sessions."""
        self._keep(self._left(known))

    def knows(self, wanted: Sum) -> bool:
        """Whether the reader can work it out."""
        return not self._left(wanted)

    def tells(self, wanted: Sum) -> bool:
        """Tell this count, unless it gives a secret away; whether it may be shown."""
        left = self._left(wanted)
        if left and any(not _without(one, left) for one in self._secrets):
            return False
        self._keep(left)
        return True

    def _left(self, wanted: Sum) -> dict[str, int]:
        """What of it does not follow from what was told; empty: all of it does."""
        left = {cell: times % _PRIME for cell, times in wanted.items()}
        for cell in list(left):
            if cell in self._rows and cell in left:
                left = _less(left, self._rows[cell], left[cell])
        return left

    def _keep(self, left: dict[str, int]) -> None:
        if not left:
            return
        first = next(iter(left))
        inverse = pow(left[first], -1, _PRIME)
        row = {cell: times * inverse % _PRIME for cell, times in left.items()}
        for cell, other in self._rows.items():
            if first in other:
                self._rows[cell] = _less(other, row, other[first])
        self._rows[first] = row
        self._secrets = [
            _less(one, row, one[first]) if first in one else one for one in self._secrets
        ]


def _less(vector: Mapping[str, int], row: Mapping[str, int], times: int) -> dict[str, int]:
    """The vector without so many times the row."""
    found = dict(vector)
    for cell, count in row.items():
        now = (found.get(cell, 0) - times * count) % _PRIME
        if now:
            found[cell] = now
        else:
            found.pop(cell, None)
    return found


def _without(secret: Mapping[str, int], left: Mapping[str, int]) -> dict[str, int]:
    """What stays hidden of a secret once `left` is told."""
    first = next(iter(left))
    if first not in secret or len(secret) != len(left):
        return dict(secret)  # they are no multiples of each other
    return _less(secret, left, secret[first] * pow(left[first], -1, _PRIME) % _PRIME)
