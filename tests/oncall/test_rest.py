"""What a press is given at once is what the plan would give it: tried on settled lines."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncall.policy import (
    ExpireOffer,
    MakeOffer,
    PauseMissing,
    Plan,
    Ring,
    Rules,
    Snapshot,
    WaitingSession,
    WithdrawOffer,
    plan,
)
from oncall.rest import LineAtRest
from tests.oncall.line import NOW, RULES, Store, clinician, line, ring, session
from tests.oncall.test_policy_properties import small_cases, snapshots

MOVES = (ExpireOffer, WithdrawOffer, PauseMissing)


def settled(snapshot: Snapshot) -> tuple[Store, LineAtRest]:
    store = Store(snapshot)
    quiet = store.settle()
    return store, LineAtRest(store.snapshot, quiet, RULES)


def press(store: Store, fresh: WaitingSession, now: float) -> Plan:
    """What the plan makes of the press alone."""
    waiting = (*store.snapshot.waiting, fresh)
    store.snapshot = replace(store.snapshot, waiting=waiting, now=now)
    return plan(store.snapshot, RULES)


def agree(store: Store, rest: LineAtRest, fresh: WaitingSession, now: float) -> int:
    """How many rings a press is given at once, after seeing that the plan gives it the same."""
    found = rest.rings_for(fresh, now)
    decided = press(store, fresh, now)
    if not found:
        return 0
    assert tuple(a for a in decided.actions if isinstance(a, MakeOffer)) == found
    assert not any(isinstance(action, MOVES) for action in decided.actions)
    store.carry_out(decided)
    rest.rung(fresh, found)
    after = store.settle()
    assert after.next_deadline is not None
    assert rest.until <= after.next_deadline
    return len(found)


@st.composite
def pressed(draw: st.DrawFn, name: str, now: float) -> WaitingSession:
    made = session(
        name,
        seq=100 + int(name[1:]),
        priority=draw(st.integers(0, 2)),
        licence_state=draw(st.sampled_from([None, "SD", "ND"])),
        language=draw(st.sampled_from([None, None, "es"])),
        provider=draw(st.sampled_from(["prv", "prv", "other"])),
    )
    return replace(made, pressed_at=now)


@settings(max_examples=600, deadline=None)
@given(data=st.data(), snapshot=snapshots(), one_at_a_time=st.booleans())
def test_what_a_press_is_given_at_once_is_what_the_plan_would_ring(
    data: st.DataObject, snapshot: Snapshot, one_at_a_time: bool
) -> None:
    if one_at_a_time:
        snapshot = replace(snapshot, own_rules={"prv": Rules(ring=Ring.ONE)})
    store, rest = settled(snapshot)
    now = NOW
    for number in range(1, 4):
        now += data.draw(st.sampled_from([0.0, 0.1, 0.4, 3.0]))
        if not agree(store, rest, data.draw(pressed(f"s{number}", now)), now):
            return


def test_every_small_case_with_one_clinician_more_that_has_come_to_rest_is_pressed_into() -> None:
    tried = given_at_once = 0
    for number, snapshot in enumerate(small_cases()):
        third = clinician("c", licences=("SD", "ND")[number % 2 :], tier=1 + (number % 3 == 0))
        three = replace(
            snapshot,
            clinicians=(*snapshot.clinicians, third),
            own_rules={"prv": Rules(ring=Ring.ONE)},
        )
        fresh = session("s9", licence_state=("SD", "ND")[number % 2])
        given_at_once += bool(agree(*settled(three), fresh, NOW))
        tried += 1
    assert 0.1 * tried < given_at_once < 0.9 * tried  # both answers, often


def test_a_press_into_an_empty_line_rings_everybody_of_the_first_tier() -> None:
    _, rest = settled(line([], [clinician("a"), clinician("b"), clinician("c", tier=2)]))
    assert [offer.clinician_id for offer in rest.rings_for(session("s1"), NOW)] == ["a", "b"]


def test_one_at_a_time_the_one_who_has_been_idle_longest_is_rung() -> None:
    people = [clinician("a", idle_since=NOW - 5), clinician("b", idle_since=NOW - 50)]
    _, rest = settled(line([], people, own_rules={"prv": Rules(ring=Ring.ONE)}))
    first = rest.rings_for(session("s1"), NOW)
    assert [offer.clinician_id for offer in first] == ["b"]
    rest.rung(session("s1"), first)
    assert [offer.clinician_id for offer in rest.rings_for(session("s2"), NOW)] == ["a"]


def test_with_everybody_rung_already_a_press_waits_for_the_plan() -> None:
    _, rest = settled(line([session("s1")], [clinician("a")], [ring("s1", "a")]))
    assert rest.rings_for(session("s2"), NOW) == ()


def test_a_reserve_is_never_touched_without_the_plan() -> None:
    _, rest = settled(line([], [clinician("a", cooldown=9)]))
    assert rest.rings_for(session("s1"), NOW) == ()


def test_when_the_moment_of_anything_has_come_the_plan_is_asked() -> None:
    cooling = clinician("b", cooldown=9)
    _, rest = settled(line([], [clinician("a"), cooling]))
    assert rest.until == NOW + 9
    assert rest.rings_for(session("s1", age=-8.9), NOW + 8.9)
    assert rest.rings_for(session("s1", age=-9), NOW + 9) == ()
    assert rest.rings_for(session("s1", age=1), NOW - 1) == ()  # the clock was set back


def test_a_line_with_something_to_do_is_not_at_rest() -> None:
    snapshot = line([session("s1")], [clinician("a")])
    with pytest.raises(ValueError, match="not at rest"):
        LineAtRest(snapshot, plan(snapshot, RULES), RULES)
