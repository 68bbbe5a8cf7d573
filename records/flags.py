"""Flags of a session as the bits of one number, each half of them said by one side. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from records.vocabulary import CLINICIAN_FLAGS, FLAGS, OFFICER_FLAGS

BIT: Final = {code: 1 << place for place, code in enumerate(FLAGS)}
SIDES: Final = {"officer": OFFICER_FLAGS, "clinician": CLINICIAN_FLAGS}


def codes_of(bits: int) -> tuple[str, ...]:
    """The flags of a number, in the order of the vocabulary."""
    return tuple(code for code in FLAGS if bits & BIT[code])


def told(bits: int, side: str, codes: Collection[str]) -> int:
    """The number after one side has said all of its flags; the other side's stay as they are.

    Raises ValueError for a flag that is not this side's to say.
    """
    own: Sequence[str] = SIDES[side]
    if not set(codes) <= set(own):
        raise ValueError(f"not a flag of the {side}")
    kept = bits & ~sum(BIT[code] for code in own)
    return kept | sum(BIT[code] for code in set(codes))
