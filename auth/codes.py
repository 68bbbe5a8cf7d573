"""Enrolment codes: eight characters that survive being read aloud, e.g. "K7QF-2MXP". Pure."""

from __future__ import annotations

import hashlib

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
LENGTH = 8  # 40 bits: within the hour that a code lives, out of reach of rate-limited guesses
_HEARD_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


def spell(raw: bytes) -> str:
    """The code made of at least 5 random bytes, in two groups of four."""
    number = int.from_bytes(raw[:5], "big")
    text = "".join(ALPHABET[(number >> (5 * place)) & 31] for place in range(LENGTH))
    return f"{text[:4]}-{text[4:]}"


def normal(typed: str, length: int = LENGTH) -> str | None:
    """What was typed, in its one form; None when it cannot be a code."""
    text = typed[:32].upper().translate(_HEARD_AS)
    return text if len(text) == length and all(letter in ALPHABET for letter in text) else None


def digest(code: str) -> str:
    """What is stored of a code in its normal form."""
    return hashlib.sha256(f"crisisbridge enrolment {code}".encode()).hexdigest()
