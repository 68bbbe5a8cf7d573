"""Mutated messages against everything that reads what a page sends.

`python -m tests.signaling.fuzz SECONDS [SEED]` by hand; the tests run it for a moment. The readers
may raise `msgspec.DecodeError` and nothing else: whatever else they raise would end a conversation
without a word.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Sequence

import msgspec

from signaling import wire
from signaling.commands import HANDLERS
from signaling.conversation import _id_of
from tests.signaling.test_who_may_send import sample, tag_of

KNOWN = {"session": "ses_1", "epoch": 1, "pin": "258047", "build": "0a1b"}
HELLO = {"type": "hello", "protocol": 1, "page": "tablet", "stream": "s" * 22, "last": 0}
ODD = (
    '"', "\\", "{", "}", "[", "]", ",", ":", "null", "true", "-1", "1e400", "9" * 400, '""',
    "\\u0000", "\\ud800", "\x00", "é", "\U0001f6a8", "\ud800", '{"a":' * 3_000, "[" * 9_000,
    '"type":"beat"', '"id":1', '"id":-1', '"id":"1"', '"x":' + "[" * 9_000,
)  # fmt: skip


def seeds() -> list[str]:
    """A message of each type, as a page would send it."""
    made = [{"type": tag_of(kind), "id": 1, **sample(kind, KNOWN)} for kind in HANDLERS]
    return [json.dumps(one) for one in (*made, HELLO, {"type": "proof", "key": "k", "signed": "s"})]


def mutated(dice: random.Random, text: str) -> str:
    """Cut, doubled, spliced, or with something odd in it; a few times over."""
    for _ in range(dice.randint(1, 4)):
        at, to = sorted(dice.randrange(len(text) + 1) for _ in range(2))
        match dice.randrange(5):
            case 0:
                text = text[:at] + text[to:]
            case 1:
                text = text[:at] + dice.choice(ODD) + text[at:]
            case 2:
                text = text[:at] + dice.choice(ODD) + text[to:]
            case 3:
                text = text[:to] + text[at:]
            case _:
                odd = chr(dice.randrange(32, 0x2000))
                text = text[:at] + odd + text[at + 1 :]
    return text[: wire.MAX_MESSAGE]


READERS: tuple[Callable[[str], object], ...] = (
    wire.parse_command,
    wire.parse_hello,
    wire.parse_proof,
    _id_of,
)


def fuzz(seconds: float, seed: int) -> int:
    """For so long; how many messages were read. Raises what a reader should not have raised."""
    dice, known, tried = random.Random(seed), seeds(), 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        text = mutated(dice, dice.choice(known))
        for read in READERS:
            try:
                read(text)
            except msgspec.DecodeError:
                pass
            except Exception as error:
                raise AssertionError(f"{read.__name__} by {text[:300]!r}") from error
        tried += 1
    return tried


def main(arguments: Sequence[str]) -> None:
    seconds = float(arguments[0]) if arguments else 60.0
    seed = int(arguments[1]) if len(arguments) > 1 else random.SystemRandom().randrange(1 << 32)
    print(f"nothing found; seed {seed}; {fuzz(seconds, seed)} messages")


if __name__ == "__main__":
    main(sys.argv[1:])
