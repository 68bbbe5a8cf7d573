"""Whatever comes from outside is counted and dropped; by hand for an hour: `make fuzz`."""

from __future__ import annotations

import random

import pytest

from tests.media import fuzz

SECONDS = 1.5


@pytest.mark.parametrize("name", fuzz.READERS)
def test_no_mutated_input_makes_a_reader_fail(name: str) -> None:
    assert fuzz.fuzz(name, SECONDS, seed=1) > 50


@pytest.mark.parametrize("name", fuzz.READERS)
def test_what_readers_are_fed_with_is_what_they_take(name: str) -> None:
    """Otherwise the mutations would only try the first line of each reader."""
    read, begun_with = fuzz.READERS[name]()
    for data in begun_with:
        read(data)
    assert all(len(data) > 11 for data in begun_with)


def test_mutations_change_most_inputs_and_a_seed_repeats_them() -> None:
    data = bytes(range(100))
    one = [fuzz.mutated(random.Random(n), data) for n in range(200)]
    assert sum(each != data for each in one) > 180
    assert one == [fuzz.mutated(random.Random(n), data) for n in range(200)]
