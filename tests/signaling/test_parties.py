"""Who hears and sees whom, and the rules of handing a session on: no clock, socket or database."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oncall.fit import Licence
from signaling.errors import IllegalTransition, NotJoined, NoTransfer, NotYours
from signaling.parties import (
    SEATS,
    SIDES,
    Colleague,
    Handing,
    Mode,
    Role,
    Seated,
    anybody,
    confirm,
    media_plan,
    places,
    take,
    why_not,
)
from signaling.session import (
    LOST_SECONDS,
    Accepted,
    HandedBack,
    HandedOver,
    LeadChanged,
    LeadTaken,
    MediaFlowing,
    Session,
    State,
    handle,
)

T0 = 1_700_000_000.0
RECEIVER = Seated("side1", Role.RECEIVER)
INTERPRETER = Seated("side2", Role.INTERPRETER)
LISTENER = Seated("side3", Role.SUPERVISOR, Mode.LISTEN)
WHISPERER = Seated("side3", Role.SUPERVISOR, Mode.WHISPER)
SECOND = Seated("side4", Role.INTERPRETER)
FULL = [RECEIVER, INTERPRETER, WHISPERER, SECOND]


def heard(seated: list[Seated], sink: str) -> set[str]:
    return {seat for seat in media_plan(seated)[0][sink] if seat is not None}


def seen(seated: list[Seated], sink: str) -> set[str]:
    return {seat for seat in media_plan(seated)[1][sink] if seat is not None}


@pytest.mark.parametrize(
    ("seated", "sink", "hears", "sees"),
    [
        ([], "tablet", {"clinician"}, {"clinician"}),
        ([], "clinician", {"tablet"}, {"tablet"}),
        ([RECEIVER], "tablet", {"clinician", "side1"}, {"clinician"}),
        ([RECEIVER], "clinician", {"tablet", "side1"}, {"tablet", "side1"}),
        ([RECEIVER], "side1", {"tablet", "clinician"}, {"tablet", "clinician"}),
        ([INTERPRETER], "tablet", {"clinician", "side2"}, {"clinician", "side2"}),
        ([INTERPRETER], "clinician", {"tablet", "side2"}, {"tablet", "side2"}),
        ([INTERPRETER], "side2", {"tablet", "clinician"}, {"tablet", "clinician"}),
        ([LISTENER], "tablet", {"clinician"}, {"clinician"}),
        ([LISTENER], "clinician", {"tablet"}, {"tablet"}),
        ([LISTENER], "side3", {"tablet", "clinician"}, {"tablet", "clinician"}),
        ([WHISPERER], "tablet", {"clinician"}, {"clinician"}),
        ([WHISPERER], "clinician", {"tablet", "side3"}, {"tablet"}),
        ([RECEIVER, INTERPRETER, WHISPERER], "side1", {"tablet", "clinician", "side2"}, None),
        ([RECEIVER, INTERPRETER, LISTENER], "side3", set(SEATS) - {"side3", "side4"}, None),
        ([RECEIVER, INTERPRETER, LISTENER], "tablet", {"clinician", "side1", "side2"}, None),
        (FULL, "tablet", {"clinician", "side1", "side2", "side4"}, {"clinician", "side2", "side4"}),
        (FULL, "clinician", set(SEATS) - {"clinician"}, None),
        (FULL, "side4", {"tablet", "clinician", "side1", "side2"}, None),
        (FULL, "side3", set(SEATS) - {"side3"}, None),
    ],
)
def test_who_hears_and_sees_whom(
    seated: list[Seated], sink: str, hears: set[str], sees: set[str] | None
) -> None:
    assert heard(seated, sink) == hears
    assert seen(seated, sink) == (sees if sees is not None else seen(seated, sink))


@pytest.mark.parametrize("seated", [[], [RECEIVER], [INTERPRETER, WHISPERER]])
def test_a_tablet_on_hold_hears_and_sees_nobody_and_is_heard_and_seen(seated: list[Seated]) -> None:
    free, held = media_plan(seated), media_plan(seated, held=True)
    for before, after in zip(free, held, strict=True):
        assert set(after["tablet"]) == {None}
        assert len(after["tablet"]) == len(before["tablet"]), "the slots stay where they are"
        for sink in before.keys() - {"tablet"}:
            assert after[sink] == before[sink]


def test_a_guest_on_hold_neither_hears_nor_is_heard_and_nothing_else_changes() -> None:
    held = [replace(INTERPRETER, held=True), LISTENER]
    for medium in (heard, seen):
        assert medium(held, INTERPRETER.seat) == set()
        for sink in {"tablet", "clinician", LISTENER.seat}:
            assert medium(held, sink) == medium([INTERPRETER, LISTENER], sink) - {INTERPRETER.seat}
    free, now = media_plan([INTERPRETER, LISTENER]), media_plan(held)
    for before, after in zip(free, now, strict=True):
        assert {k: len(v) for k, v in before.items()} == {k: len(v) for k, v in after.items()}


@pytest.mark.parametrize("sink", SEATS)
def test_every_seat_has_a_slot_for_each_other_one_that_never_moves(sink: str) -> None:
    assert set(places(sink)) == set(SEATS) - {sink}
    assert places(sink)[0] == ("clinician" if sink == "tablet" else "tablet")
    everybody = [Seated(seat, Role.INTERPRETER) for seat in SIDES]
    if sink in SIDES or sink in {"tablet", "clinician"}:
        for seated in (everybody, everybody[:1], everybody[1:]):
            plan = media_plan(seated)[0].get(sink)
            for slot, source in enumerate(plan or []):
                assert source in {None, places(sink)[slot]}


def test_who_has_no_seat_hears_nothing() -> None:
    assert set(media_plan([RECEIVER])[0]) == {"tablet", "clinician", "side1"}


# --- handing on -----------------------------------------------------------------------------------

RINGING = Handing("dana", None)
SITTING = Handing("dana", "miguel")
JOINED = replace(SITTING, joined=True)


def test_both_have_to_confirm_in_either_order() -> None:
    for first, second in (("dana", "miguel"), ("miguel", "dana")):
        half = confirm(JOINED, first, ready=True)
        assert not half.complete
        both = replace(JOINED, lead_ready=half.lead_ready, receiver_ready=half.receiver_ready)
        assert confirm(both, second, ready=True).complete
        taken_back = confirm(both, first, ready=False)
        assert (taken_back.lead_ready, taken_back.receiver_ready) == (False, False)


@pytest.mark.parametrize(
    ("handing", "who", "error"),
    [
        (RINGING, "dana", NoTransfer),
        (SITTING, "dana", NotJoined),
        (SITTING, "miguel", NotJoined),
        (JOINED, "priya", NotYours),
    ],
)
def test_nobody_confirms_too_early_or_for_others(
    handing: Handing, who: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        confirm(handing, who, ready=True)


def test_the_receiver_goes_on_alone_only_when_the_sender_is_lost() -> None:
    with pytest.raises(NotYours):
        take(JOINED, "miguel")
    with pytest.raises(NotYours):
        take(replace(SITTING, lead_lost=True), "dana")
    with pytest.raises(NoTransfer):
        take(replace(RINGING, lead_lost=True), "miguel")
    take(replace(SITTING, lead_lost=True), "miguel")


FREE = Colleague("miguel", True, "available", "idle", 1, (Licence("SD"),))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"work": "wrap_up"}, None),
        ({"tier": None}, None),
        ({"present": False}, "away"),
        ({"activity": "paused"}, "paused"),
        ({"work": "in_call"}, "busy"),
        ({"work": "ringing"}, "busy"),
        ({"licences": (Licence("ND"),)}, "not_licensed"),
        ({"licences": (Licence("SD", T0),)}, "not_licensed"),
    ],
    ids=str,
)
def test_a_colleague_is_asked_only_when_they_can_take_it(
    changes: dict[str, object], why: str | None
) -> None:
    assert why_not(replace(FREE, **changes), "SD", T0) == why  # type: ignore[arg-type]


def test_anybody_means_the_nearest_tier_that_is_free_and_on_call() -> None:
    near = replace(FREE, id="near")
    busy = replace(FREE, id="busy", work="in_call")
    far = replace(FREE, id="far", tier=2)
    off = replace(FREE, id="off", tier=None)
    assert anybody([far, off, near, busy], "SD", T0) == [near]
    assert anybody([far, off, busy], "SD", T0) == [far]
    assert anybody([off, busy], "SD", T0) == []


# --- the session's own machine --------------------------------------------------------------------


def connected() -> Session:
    session = Session(id="ses_1", state=State.WAITING, pressed_at=T0)
    for after, item in ((1, Accepted("dana")), (2, MediaFlowing()), (32, HandedOver())):
        session = handle(session, item, T0 + after).after
    return session


def test_the_lead_changes_in_one_step_with_a_new_epoch_and_the_clock_runs_on() -> None:
    step = handle(connected(), LeadChanged("miguel", "handed_on"), T0 + 60)
    assert (step.after.state, step.after.lead_id) == (State.CONNECTED, "miguel")
    assert step.after.epoch == step.before.epoch + 1
    assert step.after.phase == "handed_over"
    assert step.after.phase_since == step.before.phase_since
    assert step.after.accepted_at == step.before.accepted_at
    assert [e.kind for e in step.events] == ["session.lead_changed"]
    assert step.events[0].data["former"] == "dana"


def test_whoever_takes_over_without_media_has_as_long_as_a_lost_clinician() -> None:
    taken = handle(connected(), LeadTaken("ada", "taken_over"), T0 + 60).after
    assert (taken.state, taken.deadline_at) == (State.RECOVERING, T0 + 60 + LOST_SECONDS)
    there = handle(taken, MediaFlowing(), T0 + 63).after
    assert (there.state, there.deadline_at) == (State.CONNECTED, None)
    again = handle(taken, LeadTaken("miguel", "taken_over"), T0 + 61).after
    assert (again.state, again.epoch) == (State.RECOVERING, taken.epoch + 1)


def test_handing_back_keeps_the_place_in_line_and_says_why() -> None:
    step = handle(connected(), HandedBack("end_of_shift"), T0 + 60)
    assert (step.after.state, step.after.lead_id) == (State.WAITING, None)
    assert step.after.requeued_at == T0 + 60
    assert step.after.epoch == step.before.epoch + 1
    assert step.events[0].data["reason"] == "end_of_shift"


def test_a_session_is_not_handed_to_whoever_leads_it_nor_before_or_after_the_call() -> None:
    with pytest.raises(IllegalTransition):
        handle(connected(), LeadChanged("dana", "handed_on"), T0 + 60)
    waiting = Session(id="ses_1", state=State.WAITING, pressed_at=T0)
    for session in (waiting, replace(connected(), state=State.WRAP_UP)):
        for item in (LeadChanged("miguel", "x"), LeadTaken("miguel", "x"), HandedBack("other")):
            with pytest.raises(IllegalTransition):
                handle(session, item, T0 + 60)
