"""Rows that are encoded once read like rows that are encoded each time."""

from __future__ import annotations

import msgspec
import pytest

from signaling import alike, shapes, wire
from signaling.alike import Alike

ROWS = [
    shapes.Option("per_a", "Ana"),
    shapes.Option("per_b", 'Bo "B" \u00d1'),
    shapes.Option("c", ""),
]


def text(rows: object) -> object:
    encoder = msgspec.json.Encoder(enc_hook=alike.encoded)
    return msgspec.json.decode(encoder.encode({"rows": rows}))


def test_what_is_sent_is_the_same_with_and_without() -> None:
    assert text(Alike(ROWS)) == text(ROWS)
    assert text(Alike([])) == text([])
    for at in range(3):
        assert text(Alike(ROWS).without(at)) == text(ROWS[:at] + ROWS[at + 1 :])
    assert text(Alike(ROWS)[1:]) == text(ROWS[1:])


def test_it_reads_like_a_list() -> None:
    rows = Alike(ROWS)
    assert (list(rows), len(rows), rows[1]) == (ROWS, 3, ROWS[1])
    assert list(rows.without(0)) == ROWS[1:]


def test_anything_else_that_cannot_be_sent_is_still_refused() -> None:
    with pytest.raises(NotImplementedError):
        text(object())


def test_a_number_is_put_before_a_message_of_any_shape() -> None:
    message = wire.encode(wire.Bye(reason="draining", retry=True))
    assert msgspec.json.decode(wire.numbered(message, 7)) == {
        "n": 7,
        "type": "bye",
        "reason": "draining",
        "retry": True,
    }
