"""What counts as a near miss: each rule at its threshold, and never by what it does not read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.near_miss_rules import (
    KINDS,
    LONG_WAIT_SECONDS,
    LOST_SECONDS,
    NO_MEDIA_SECONDS,
    Event,
    Facts,
    found,
)
from records.vocabulary import NEAR_MISSES, TIMELINE_KINDS

T = 1000.0
CALL = Facts(T, T + 5, T + 7, T + 900, "completed", level=0, last_level=6)
NOBODY = Facts(T, None, None, T + 300, "cancelled_by_officer", level=2, last_level=6)


def lines(*events: tuple[float, str] | tuple[float, str, dict[str, Any]]) -> Facts:
    return replace(CALL, events=[Event(T + one[0], *one[1:]) for one in events])


RUN = (7.0, "session.connected")
END = (900.0, "session.ended")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (CALL, {}),
        (NOBODY, {"unanswered": T + 300}),
        (replace(NOBODY, ended_at=T + LONG_WAIT_SECONDS - 0.1), {}),
        (replace(NOBODY, ended_at=T + LONG_WAIT_SECONDS), {"unanswered": T + LONG_WAIT_SECONDS}),
        (replace(NOBODY, close_reason="officer_lost"), {"unanswered": T + 300}),
        (replace(NOBODY, close_reason="duplicate"), {}),
        (replace(NOBODY, close_reason="moved_to_phone"), {"to_phone": T + 300}),
        (replace(NOBODY, accepted_at=T + 295), {}),
        (
            replace(NOBODY, accepted_at=T + 300 - NO_MEDIA_SECONDS),
            {"no_media": T + 300},
        ),
        (
            replace(lines((30, "session.requeued", {"reason": "setup_failed"})), media_at=T + 60),
            {"no_media": T + 30},
        ),
        (lines(RUN, (90, "session.requeued", {"reason": "end_of_shift"})), {}),
        (
            lines(
                RUN, (80, "session.recovering"),
                (100, "session.requeued", {"reason": "clinician_lost"}), (105, "session.connected"),
            ),
            {"clinician_lost": T + 100},
        ),
        (
            lines(
                RUN, (80, "session.recovering"),
                (100, "session.requeued", {"reason": "clinician_lost"}), (115, "session.connected"),
            ),
            {"clinician_lost": T + 100, "connection_lost": T + 80},
        ),
        (lines(RUN, (80, "session.recovering"), (80 + LOST_SECONDS, "session.recovered")), {}),
        (
            lines(RUN, (80, "session.recovering"), (80.1 + LOST_SECONDS, "session.recovered")),
            {"connection_lost": T + 80},
        ),
        (lines(RUN, (880, "tablet.lost"), END), {}),
        (lines(RUN, (800, "tablet.lost"), END), {"connection_lost": T + 800}),
        (lines(RUN, (800, "tablet.lost"), (820, "tablet.back"), END), {}),
        # both sides are gone, one after the other: neither for long
        (
            lines(
                RUN, (80, "tablet.lost"), (85, "session.recovering"), (100, "tablet.back"),
                (110, "session.recovered"), END,
            ),
            {},
        ),
        # a tablet that is away while it waits has no call to lose
        (lines((2, "tablet.lost"), (60, "tablet.back"), (61, "session.connected"), END), {}),
        (
            lines(RUN, (50, "media.step", {"seat": "tablet", "from": "voice", "picture": "phone"})),
            {"to_phone": T + 50},
        ),
        (lines(RUN, (50, "media.step", {"picture": "voice"})), {}),
        (replace(CALL, relaxed=frozenset({"licence_state"})), {"licence_relaxed": T + 7}),
        (replace(CALL, relaxed=frozenset({"language", "provider"})), {}),
        (replace(NOBODY, relaxed=frozenset({"licence_state"})), {"unanswered": T + 300}),
        (replace(CALL, level=5), {}),
        (replace(CALL, level=6), {"last_step": T}),
    ],
)  # fmt: skip
def test_each_rule_holds_at_its_threshold(facts: Facts, expected: dict[str, float]) -> None:
    assert found(facts) == expected


def test_the_rules_read_only_what_the_timeline_knows_and_give_only_known_kinds() -> None:
    assert set(TIMELINE_KINDS) >= KINDS
    assert set(found(replace(NOBODY, level=9))) <= set(NEAR_MISSES)


events = st.builds(
    Event,
    st.floats(T, T + 2000),
    st.sampled_from(sorted(KINDS)),
    st.sampled_from([{}, {"reason": "clinician_lost"}, {"reason": "setup_failed"}]),
)


@given(st.lists(events, max_size=12))
def test_any_timeline_is_read_and_the_clinical_record_takes_no_part(those: list[Event]) -> None:
    those.sort(key=lambda one: one.at)
    first = found(replace(CALL, events=those))
    assert first == found(replace(CALL, events=those))
    assert set(first) <= set(NEAR_MISSES)
    assert all(at >= T for at in first.values())
