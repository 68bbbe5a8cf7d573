"""What may be told without giving away a secret, against plain elimination with fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from records.measures import SMALL, gives_away, suppressed
from records.told import Told, minus, plus

CELLS = "abcde"
sums = st.dictionaries(st.sampled_from(CELLS), st.sampled_from([1, 1, 1, -1]), min_size=1)


def rank(rows: Sequence[dict[str, int]]) -> int:
    """By schoolbook elimination."""
    left = [[Fraction(row.get(cell, 0)) for cell in CELLS] for row in rows]
    found = 0
    for column in range(len(CELLS)):
        pivot = next((row for row in left[found:] if row[column]), None)
        if pivot is None:
            continue
        left.remove(pivot)
        left.insert(found, pivot)
        for at, row in enumerate(left):
            if row is not pivot and row[column]:
                by = row[column] / pivot[column]
                left[at] = [a - by * b for a, b in zip(row, pivot, strict=True)]
        found += 1
    return found


@settings(max_examples=40)
@given(asked=st.lists(sums, max_size=8), secrets=st.lists(sums, min_size=1, max_size=3))
def test_what_was_told_never_gives_a_secret_away_and_no_more_is_refused_than_must_be(
    asked: list[dict[str, int]], secrets: list[dict[str, int]]
) -> None:
    told, out = Told(), list[dict[str, int]]()
    told.hides(secrets)
    for one in asked:
        tries = [*out, one]
        leaks = any(rank([*tries, secret]) == rank(tries) for secret in secrets)
        assert told.tells(one) is not leaks
        if not leaks:
            out.append(one)
        for other in asked:
            assert told.knows(other) is (rank([*out, other]) == rank(out))


def test_a_total_and_all_the_rest_tell_what_is_left() -> None:
    told, whole, rest = Told(), {"few": 1, "many": 1, "more": 1}, {"many": 1, "more": 1}
    told.hides([{"few": 1}])
    assert told.tells(whole)
    assert told.tells({"many": 1})
    assert not told.tells(rest)
    assert not told.tells(minus(rest, {"many": 1}))
    assert plus(rest, {"few": 1}) == whole


@given(hidden=st.lists(st.integers(1, 24), min_size=1, max_size=3))
def test_the_total_of_hidden_counts_leaves_each_small_one_open(hidden: list[int]) -> None:
    """Tried out: every way in which so many small and other counts make up the same total."""
    small = [count < SMALL for count in hidden]
    spans = [range(1, SMALL) if few else range(SMALL, sum(hidden) + 1) for few in small]
    ways = [way for way in product(*spans) if sum(way) == sum(hidden)]
    settled = any(few and len({way[at] for way in ways}) == 1 for at, few in enumerate(small))
    if settled or (all(small) and sum(hidden) < SMALL):
        assert gives_away(hidden)


def test_two_small_counts_that_are_few_together_take_a_third_along() -> None:
    assert suppressed([[200, 40, 1, 1]]) == [[200, None, None, None]]
    assert suppressed([[200, 40, 6, 7]]) == [[200, 40, None, None]]
    assert suppressed([[200, 40, 10, 10]]) == [[200, None, None, None]]
    assert suppressed([[200, 40, 11, 1]]) == [[200, None, None, None]]
