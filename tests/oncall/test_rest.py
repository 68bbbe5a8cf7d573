"""What a press is given at once is what the plan would give it: tried on settled lines."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncall.policy import (
    Escalate,
    ExpireOffer,
    MakeOffer,
    OfferState,
    PauseMissing,
    Plan,
    Ring,
    Rules,
    Snapshot,
    WaitingSession,
    WithdrawOffer,
    plan,
)
from oncall.rest import LineAtRest, moves_nothing, only_rings
from tests.oncall.line import NOW, RULES, Store, clinician, line, ring, session
from tests.oncall.test_policy_properties import small_cases, snapshots

MOVES = (ExpireOffer, WithdrawOffer, PauseMissing)


def settled(snapshot: Snapshot) -> tuple[Store, LineAtRest]:
    store = Store(snapshot)
    quiet = store.settle()
    return store, LineAtRest(store.snapshot, quiet, RULES)


def rung_out(snapshot: Snapshot) -> tuple[Store, LineAtRest] | None:
    """A line whose plan only rings, right after it has been carried out."""
    store = Store(snapshot)
    decided = plan(snapshot, RULES)
    if not only_rings(decided):
        return None
    rest = LineAtRest(snapshot, decided, RULES)
    store.carry_out(decided)
    return store, rest


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
    assert rest.look_at <= after.next_deadline
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


def heard(store: Store, rest: LineAtRest, clinician_id: str) -> None:
    """A page says that it rings."""
    rest.heard(clinician_id)
    store.snapshot = replace(
        store.snapshot,
        offers=tuple(
            replace(one, state=OfferState.DELIVERED) if one.clinician_id == clinician_id else one
            for one in store.snapshot.offers
        ),
    )


def leaves(store: Store, session_id: str) -> Plan:
    """The session is cancelled, and what rings for it withdrawn; what the plan makes of that."""
    store.snapshot = replace(
        store.snapshot,
        waiting=tuple(one for one in store.snapshot.waiting if one.id != session_id),
        offers=tuple(one for one in store.snapshot.offers if one.session_id != session_id),
    )
    return plan(store.snapshot, RULES)


def cancelled(data: st.DataObject, store: Store, rest: LineAtRest) -> bool:
    """Some session leaves the line: whether it stays at rest, which the plan must agree with."""
    goes = data.draw(st.sampled_from(store.snapshot.waiting)).id
    still = rest.withdrawn(goes)
    decided = leaves(store, goes)
    assert moves_nothing(decided) or not still
    return still


@settings(max_examples=600, deadline=None)
@given(data=st.data(), snapshot=snapshots(), one_at_a_time=st.booleans())
def test_when_a_session_leaves_the_line_it_stays_at_rest_or_says_that_it_does_not(
    data: st.DataObject, snapshot: Snapshot, one_at_a_time: bool
) -> None:
    if one_at_a_time:
        snapshot = replace(snapshot, own_rules={"prv": Rules(ring=Ring.ONE)})
    store, rest = settled(snapshot)
    for number in range(1, 4):
        agree(store, rest, data.draw(pressed(f"s{number + 10}", NOW)), NOW)
        # a press that got nothing at once is the plan's, and the line is read anew after it
        store, rest = settled(store.snapshot)
        if not cancelled(data, store, rest):
            return


@settings(max_examples=300, deadline=None)
@given(data=st.data(), snapshot=snapshots(), one_at_a_time=st.booleans())
def test_presses_and_cancels_in_any_order_are_as_the_plan_would_have_them(
    data: st.DataObject, snapshot: Snapshot, one_at_a_time: bool
) -> None:
    if one_at_a_time:
        snapshot = replace(snapshot, own_rules={"prv": Rules(ring=Ring.ONE)})
    store, rest = settled(replace(snapshot, waiting=(), offers=()))
    for number in range(1, 6):
        cancels: bool = data.draw(st.booleans())
        hears: bool = data.draw(st.booleans())
        if store.snapshot.waiting and cancels:
            if not cancelled(data, store, rest):
                return
        elif store.snapshot.offers and hears:
            heard(store, rest, data.draw(st.sampled_from(store.snapshot.offers)).clinician_id)
            later = plan(store.snapshot, RULES)
            assert moves_nothing(later)
            assert later.next_deadline is not None
            assert rest.look_at <= later.next_deadline
        elif not agree(store, rest, data.draw(pressed(f"s{number + 10}", NOW)), NOW):
            return


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
        now += data.draw(st.sampled_from([0.0, 0.1, 0.4, 3.0, 21.0, 46.0, 200.0]))
        if not agree(store, rest, data.draw(pressed(f"s{number + 10}", now)), now):
            return


@settings(max_examples=600, deadline=None)
@given(data=st.data(), snapshot=snapshots(), one_at_a_time=st.booleans())
def test_a_line_is_at_rest_as_soon_as_the_rings_of_its_plan_are_made(
    data: st.DataObject, snapshot: Snapshot, one_at_a_time: bool
) -> None:
    if one_at_a_time:
        snapshot = replace(snapshot, own_rules={"prv": Rules(ring=Ring.ONE)})
    made = rung_out(snapshot)
    if made is None:
        return
    store, rest = made
    now = NOW
    for number in range(1, 4):
        cancels: bool = data.draw(st.booleans())
        if store.snapshot.waiting and cancels:
            if not cancelled(data, store, rest):
                return
            continue
        now += data.draw(st.sampled_from([0.0, 0.1, 0.4, 1.9, 3.0]))
        if not agree(store, rest, data.draw(pressed(f"s{number + 10}", now)), now):
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


def test_a_line_whose_plan_ends_rings_is_not_at_rest() -> None:
    snapshot = line([], [clinician("a")], [ring("s1", "a")])
    decided = plan(snapshot, RULES)
    assert any(isinstance(action, WithdrawOffer) for action in decided.actions)
    with pytest.raises(ValueError, match="not at rest"):
        LineAtRest(snapshot, decided, RULES)


def test_whoever_would_have_been_paused_but_for_a_ring_is_the_plans_when_it_stops() -> None:
    people = [clinician("a", missed=2), clinician("b")]
    waits, own = session("s1"), {"prv": Rules(ring=Ring.ONE)}
    store, rest = settled(line([waits], people, [ring("s1", "a")], own_rules=own))
    assert not rest.withdrawn("s1")
    assert any(isinstance(action, PauseMissing) for action in leaves(store, "s1").actions)


def test_a_cancel_while_others_could_use_who_becomes_free_is_the_plans() -> None:
    waiting = [session("s1"), session("s2")]
    store, rest = settled(line(waiting, [clinician("a")], [ring("s1", "a")]))
    assert not rest.withdrawn("s1")
    assert any(isinstance(action, MakeOffer) for action in leaves(store, "s1").actions)


def test_who_becomes_free_by_a_cancel_is_rung_for_the_next_press() -> None:
    _, rest = settled(line([session("s1")], [clinician("a")], [ring("s1", "a")]))
    assert rest.rings_for(session("s2"), NOW) == ()
    assert rest.withdrawn("s1")
    assert [offer.clinician_id for offer in rest.rings_for(session("s3"), NOW)] == ["a"]


def test_a_ring_that_was_heard_is_looked_at_again_when_it_expires() -> None:
    _, rest = settled(line([], [clinician("a")], own_rules={"prv": Rules(ring=Ring.ONE)}))
    waits = session("s1")
    rest.rung(waits, rest.rings_for(waits, NOW))
    assert rest.until == NOW + RULES.deliver_seconds
    rest.heard("a")
    assert rest.look_at == NOW + RULES.page_after  # the first step of the ladder
    assert rest.until == NOW + RULES.round_seconds
    assert rest.withdrawn("s1")
    assert rest.look_at > NOW + 1000


def test_steps_that_are_due_hold_up_no_press() -> None:
    waits, people = session("s1", age=31.0), [clinician("a"), clinician("b")]
    own = {"prv": Rules(ring=Ring.ONE)}
    snapshot = line([waits], people, [ring("s1", "a")], own_rules=own)
    decided = plan(snapshot, RULES)
    assert {type(action) for action in decided.actions} == {Escalate}
    rest = LineAtRest(snapshot, decided, RULES)
    assert [offer.clinician_id for offer in rest.rings_for(session("s2"), NOW)] == ["b"]


def test_a_session_that_does_not_wait_may_have_had_a_clinician_who_is_free_now() -> None:
    _, rest = settled(line([], [clinician("a"), clinician("b", busy=True)]))
    assert not rest.withdrawn("s1")
