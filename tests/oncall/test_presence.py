"""Whether a clinician's console is really there: leases by heartbeat."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncall.presence import (
    HEARTBEAT_SECONDS,
    LOST_SECONDS,
    MOST_CONNECTIONS,
    PresenceBoard,
    PresenceState,
)

CONNECTED, GRACE, LOST = PresenceState
T = 1_800_000_000.0


@pytest.fixture
def board() -> PresenceBoard:
    return PresenceBoard()


def test_the_defaults_are_the_design_s() -> None:
    assert (HEARTBEAT_SECONDS, LOST_SECONDS) == (5, 12)


# what happens to Dana's pages one after the other, and what she is afterwards
TABLE: list[tuple[str, list[tuple[str, str, float]], float, PresenceState]] = [
    ("never here", [], 0, LOST),
    ("just here", [("beat", "one", 0)], 0, CONNECTED),
    ("a beat is late", [("beat", "one", 0)], 11.9, CONNECTED),
    ("two beats are missing", [("beat", "one", 0)], 12, LOST),
    ("beats go on", [("beat", "one", 0), ("beat", "one", 5)], 16.9, CONNECTED),
    ("closed", [("beat", "one", 0), ("drop", "one", 1)], 1, GRACE),
    ("closed, up to its last beat's lease", [("beat", "one", 0), ("drop", "one", 4)], 11.9, GRACE),
    ("closed for good", [("beat", "one", 0), ("drop", "one", 4)], 12, LOST),
    ("reloaded", [("beat", "one", 0), ("drop", "one", 1), ("beat", "two", 3)], 3, CONNECTED),
    ("resumed", [("beat", "one", 0), ("drop", "one", 1), ("beat", "one", 1)], 1, CONNECTED),
    ("one of two tabs", [("beat", "one", 0), ("beat", "two", 1), ("drop", "one", 2)], 2, CONNECTED),
    (
        "both tabs",
        [("beat", "one", 0), ("beat", "two", 1), ("drop", "one", 2), ("drop", "two", 2)],
        12.9,
        GRACE,
    ),
    (
        "the other tab is only half open",
        [("beat", "one", 0), ("beat", "two", 10), ("drop", "two", 11)],
        13,
        GRACE,
    ),
    ("back after a nap", [("beat", "one", 0), ("beat", "one", 600)], 601, CONNECTED),
    ("closed twice", [("beat", "one", 0), ("drop", "one", 1), ("drop", "one", 2)], 3, GRACE),
    ("unknown page closes", [("drop", "nine", 0)], 0, LOST),
    ("unknown page closes beside", [("beat", "one", 0), ("drop", "nine", 1)], 1, CONNECTED),
    ("late beat", [("beat", "one", 0), ("drop", "one", 5), ("beat", "one", 4)], 5, GRACE),
    ("late closing of an older socket", [("beat", "one", 5), ("drop", "one", 4)], 5, CONNECTED),
    ("beats out of order", [("beat", "one", 5), ("beat", "one", 1)], 16.9, CONNECTED),
]  # fmt: skip


@pytest.mark.parametrize(("_case", "news", "later", "expected"), TABLE, ids=[t[0] for t in TABLE])
def test_presence_follows_the_leases(
    board: PresenceBoard,
    _case: str,
    news: list[tuple[str, str, float]],
    later: float,
    expected: PresenceState,
) -> None:
    for what, connection, seconds in news:
        getattr(board, what)("dana", connection, T + seconds)
    assert board.state("dana", T + later) is expected
    assert board.state("miguel", T + later) is LOST


def test_lost_since_is_the_end_of_the_last_lease(board: PresenceBoard) -> None:
    assert board.lost_since("dana", T) is None
    board.beat("dana", "one", T)
    assert board.lost_since("dana", T + 11) is None
    board.drop("dana", "one", T + 3)
    assert board.lost_since("dana", T + 11) is None
    assert board.lost_since("dana", T + 30) == T + 12


def test_a_stale_page_does_not_renew_what_a_newer_one_has(board: PresenceBoard) -> None:
    board.beat("dana", "old", T)
    board.beat("dana", "new", T + 10)
    board.drop("dana", "new", T + 11)
    board.beat("dana", "old", T + 1)  # late: sent before the newer page's
    assert board.state("dana", T + 21.9) is GRACE
    assert board.lost_since("dana", T + 22) == T + 22


def test_the_next_deadline_is_the_next_lease_to_end(board: PresenceBoard) -> None:
    assert board.next_deadline(T) is None
    board.beat("dana", "one", T)
    board.beat("miguel", "two", T + 3)
    assert board.next_deadline(T + 3) == T + 12
    assert board.next_deadline(T + 12) == T + 15
    assert board.next_deadline(T + 15) is None


def test_a_clock_that_was_set_back_leaves_nobody_there_for_ever(board: PresenceBoard) -> None:
    board.beat("dana", "one", T)
    board.beat("miguel", "two", T)
    earlier = T - 3600
    assert board.state("dana", earlier) is LOST
    assert board.lost_since("dana", earlier) == earlier
    board.beat("dana", "one", earlier)
    assert board.state("dana", earlier + 5) is CONNECTED
    assert board.state("miguel", earlier + 5) is LOST
    assert board.state("dana", earlier + 12) is LOST


def test_many_connections_of_one_person_are_bounded_and_the_silent_ones_go(
    board: PresenceBoard,
) -> None:
    for n in range(10 * MOST_CONNECTIONS):
        board.beat("dana", f"page{n}", T + n * 0.01)
    assert len(board._people["dana"].connections) == MOST_CONNECTIONS
    last = T + 10 * MOST_CONNECTIONS * 0.01
    board.drop("dana", f"page{10 * MOST_CONNECTIONS - 1}", last)
    assert board.state("dana", last) is CONNECTED


def test_who_was_lost_for_an_hour_is_forgotten_and_nobody_else(board: PresenceBoard) -> None:
    board.beat("dana", "one", T)
    board.beat("miguel", "two", T + 3600)
    board.forget_lost(T + 3600)
    assert board.known() == ["dana", "miguel"]
    board.forget_lost(T + 3613)
    assert board.known() == ["miguel"]


def test_what_stands_written_of_a_page_that_is_gone_takes_none_away(board: PresenceBoard) -> None:
    board.hear("dana", "there", T, T + 1, T + 2)
    assert board.state("dana", T + 2) is GRACE
    board.beat("dana", "here", T + 20)
    board.hear("dana", "there", T, T + 1, T + 21)
    board.hear("dana", "over there", T + 3, None, T + 21)
    assert board.state("dana", T + 21) is CONNECTED
    board.drop("dana", "here", T + 22)
    assert board.state("dana", T + 22) is GRACE
    assert board.lost_since("dana", T + 40) == T + 32


def test_what_is_heard_of_a_page_elsewhere_keeps_its_person_here(board: PresenceBoard) -> None:
    board.hear("dana", "there", T, None, T + 1)
    assert board.state("dana", T + 11.9) is CONNECTED
    assert board.state("dana", T + 12) is LOST
    board.hear("dana", "there", T + 10, None, T + 12)
    assert board.state("dana", T + 12) is CONNECTED
    board.hear("dana", "there", T + 10, T + 13, T + 13)
    assert board.state("dana", T + 13) is GRACE
    board.hear("dana", "there", T + 10, T + 13, T + 30)
    assert board.state("dana", T + 30) is LOST
    assert board.lost_since("dana", T + 30) == T + 22


leases = st.lists(st.tuples(st.sampled_from("abcd"), st.floats(-90, 0)), min_size=1, max_size=8)


@settings(deadline=None)
@given(written=leases, order=st.randoms())
def test_leases_say_the_same_in_whatever_order_and_however_often_they_are_read(
    written: list[tuple[str, float]], order: Random
) -> None:
    newest = {page: T + max(at for p, at in written if p == page) for page, _ in written}
    board = PresenceBoard()
    for _ in range(3):
        pages = list(newest)
        order.shuffle(pages)
        for page in pages:
            board.hear("dana", page, newest[page], None, T)
        alive = max(newest.values()) > T - LOST_SECONDS
        assert board.state("dana", T) is (CONNECTED if alive else LOST)
        if not alive:
            assert board.lost_since("dana", T) == max(newest.values()) + LOST_SECONDS


news = st.tuples(
    st.sampled_from(["beat", "drop"]),
    st.sampled_from(["one", "two"]),
    st.floats(0, 8),
)


@settings(deadline=None)
@given(happens=st.lists(news, max_size=12), wait=st.floats(0, 30))
def test_presence_changes_by_time_alone_only_at_the_next_deadline(
    happens: list[tuple[str, str, float]], wait: float
) -> None:
    board = PresenceBoard()
    now = T
    for what, connection, seconds in happens:
        now += seconds
        getattr(board, what)("dana", connection, now)
    before, deadline = board.state("dana", now), board.next_deadline(now)
    assert (deadline is None) is (before is LOST)
    if deadline is not None and now + wait < deadline:
        assert board.state("dana", now + wait) is before
