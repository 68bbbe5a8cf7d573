"""The session's state machine, without clock, socket or database."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signaling.diagram import diagram
from signaling.errors import IllegalTransition
from signaling.session import (
    LOST_SECONDS,
    SETUP_SECONDS,
    TRANSITIONS,
    Accepted,
    Alerted,
    Cancelled,
    CardAcknowledged,
    CardSent,
    ClinicianBack,
    ClinicianGone,
    ClinicianLost,
    DispositionRecorded,
    Ended,
    Escalated,
    HandedOver,
    Held,
    Input,
    IntakeTold,
    MediaFlowing,
    Phase,
    Resumed,
    SaverChosen,
    Session,
    SetupFailed,
    State,
    TakenBack,
    VoiceChosen,
    WrapupFinished,
    handle,
)

T0 = 1_700_000_000.0


def waiting() -> Session:
    return Session(id="ses_1", state=State.WAITING, pressed_at=T0)


def run(session: Session, *items: tuple[float, Input]) -> Session:
    for after, item in items:
        session = handle(session, item, T0 + after).after
    return session


def test_the_good_path_keeps_every_time_once() -> None:
    done = run(
        waiting(),
        (1, Alerted("dana")),
        (2, Alerted("miguel")),
        (5, Accepted("dana")),
        (6, MediaFlowing()),
        (36, HandedOver()),
        (336, TakenBack()),
        (340, CardSent("remain_in_place")),
        (350, CardAcknowledged()),
        (366, Ended("clinician")),
        (400, DispositionRecorded("remain_in_place", None)),
        (500, WrapupFinished("remain_in_place")),
    )
    assert done.state is State.CLOSED
    assert done.close_reason == "completed"
    times = (done.alerted_at, done.accepted_at, done.media_at, done.handed_over_at)
    assert times == (T0 + 1, T0 + 5, T0 + 6, T0 + 36)
    assert (done.brief_seconds, done.handed_over_seconds, done.debrief_seconds) == (30, 300, 30)
    assert (done.ended_at, done.closed_at, done.disposition_at) == (T0 + 366, T0 + 500, T0 + 400)


def test_a_lost_clinician_puts_the_session_back_in_line_with_a_new_epoch_and_its_old_age() -> None:
    called = run(waiting(), (5, Accepted("dana")), (6, MediaFlowing()))
    lost = run(called, (60, ClinicianLost(T0 + 55)))
    assert lost.deadline_at == T0 + 55 + LOST_SECONDS
    back = run(lost, (75, ClinicianGone()))
    assert (back.state, back.lead_id) == (State.WAITING, None)
    assert back.epoch == called.epoch + 1
    assert back.pressed_at == T0
    assert back.requeued_at == T0 + 75


def test_a_clinician_who_comes_back_in_time_keeps_the_session() -> None:
    session = run(waiting(), (5, Accepted("dana")), (6, MediaFlowing()), (9, ClinicianLost(T0 + 8)))
    for item in (ClinicianBack(), MediaFlowing()):
        again = run(session, (15, item))
        assert (again.state, again.lead_id, again.deadline_at) == (State.CONNECTED, "dana", None)


def test_brief_and_hand_over_clocks_stop_while_the_clinician_is_lost() -> None:
    session = run(
        waiting(),
        (0, Accepted("dana")),
        (0, MediaFlowing()),
        (10, ClinicianLost(T0 + 10)),
        (25, ClinicianBack()),
        (30, HandedOver()),
    )
    assert session.brief_seconds == 15


def test_an_accept_without_media_in_time_goes_back_to_the_line() -> None:
    answering = run(waiting(), (5, Accepted("dana")))
    assert answering.deadline_at == T0 + 5 + SETUP_SECONDS
    back = run(answering, (25, SetupFailed("setup_failed")))
    assert (back.state, back.lead_id, back.epoch) == (State.WAITING, None, 2)


def test_a_hand_over_survives_the_loss_of_the_clinician() -> None:
    session = run(
        waiting(),
        (1, Accepted("dana")),
        (2, MediaFlowing()),
        (3, HandedOver()),
        (9, ClinicianLost(T0 + 8)),
        (30, ClinicianGone()),
        (40, Accepted("miguel")),
        (41, MediaFlowing()),
    )
    assert session.phase is Phase.HANDED_OVER
    assert run(session, (50, TakenBack())).phase is Phase.DEBRIEF


def test_a_second_hand_over_before_the_first_ended_is_refused() -> None:
    held = run(waiting(), (1, Accepted("d")), (2, MediaFlowing()), (3, HandedOver()))
    with pytest.raises(IllegalTransition):
        handle(held, HandedOver(), T0 + 4)


def test_nothing_but_the_officer_ends_a_waiting_session() -> None:
    ends = [
        item
        for item, after in TRANSITIONS[State.WAITING].items()
        if after in {State.CLOSED, State.WRAP_UP}
    ]
    assert ends == [Cancelled]


def test_a_closed_session_never_opens_again() -> None:
    assert set(TRANSITIONS[State.CLOSED].values()) == {State.CLOSED}


def test_every_state_can_be_left_or_is_the_end() -> None:
    assert set(TRANSITIONS) == set(State)
    for state, row in TRANSITIONS.items():
        if state is not State.CLOSED:
            assert any(after is not state for after in row.values()), state


def test_the_diagram_is_drawn_from_the_table() -> None:
    drawn = diagram()
    for before, row in TRANSITIONS.items():
        for item, after in row.items():
            if before is not after:
                lines = [x for x in drawn.splitlines() if f"{before} --> {after}:" in x]
                assert any(item.__name__ in line for line in lines)


INPUTS: st.SearchStrategy[Input] = st.one_of(
    st.builds(Alerted, st.sampled_from(["dana", "miguel"])),
    st.builds(Accepted, st.sampled_from(["dana", "miguel"])),
    st.just(MediaFlowing()),
    st.just(SetupFailed("setup_failed")),
    st.just(ClinicianLost(T0)),
    st.just(ClinicianBack()),
    st.just(ClinicianGone()),
    st.just(HandedOver()),
    st.just(TakenBack()),
    st.just(IntakeTold(("adult",))),
    st.builds(VoiceChosen, st.booleans()),
    st.builds(SaverChosen, st.booleans()),
    st.just(Held()),
    st.just(Resumed()),
    st.just(Cancelled("cancelled_by_officer")),
    st.builds(Ended, st.sampled_from(["officer", "clinician"])),
    st.just(CardSent("remain_in_place")),
    st.just(CardAcknowledged()),
    st.just(WrapupFinished("remain_in_place")),
    st.just(DispositionRecorded("remain_in_place", None)),
    st.just(Escalated("page")),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 100), INPUTS), max_size=40))
def test_whatever_happens_the_invariants_hold(history: list[tuple[float, Input]]) -> None:
    session, now = waiting(), T0
    for gap, item in history:
        now += gap
        try:
            step = handle(session, item, now)
        except IllegalTransition:
            continue
        after = step.after
        assert step.events, "a change without an event on the timeline"
        assert after.epoch >= session.epoch
        assert (after.epoch > session.epoch) == (
            (after.lead_id != session.lead_id) or isinstance(item, Cancelled)
        )
        live = after.state in {State.ANSWERING, State.CONNECTED, State.RECOVERING}
        assert not live or after.lead_id is not None
        assert after.state is not State.WAITING or after.lead_id is None
        assert (after.close_reason is not None) == (after.state is State.CLOSED)
        assert after.pressed_at == T0
        assert (after.state is State.ANSWERING) <= (after.deadline_at is not None)
        assert (after.held_at is not None) <= (after.state in {State.CONNECTED, State.RECOVERING})
        assert (after.phase_since is not None) <= (after.state is State.CONNECTED)
        spent = after.brief_seconds + after.handed_over_seconds + after.debrief_seconds
        assert 0 <= spent <= now - T0 + 1e-6
        for f in fields(Session):
            once = f.name in {"alerted_at", "accepted_at", "media_at", "recommended_at"}
            if once and getattr(session, f.name) is not None:
                assert getattr(after, f.name) == getattr(session, f.name)
        session = after


@given(INPUTS, st.sampled_from(list(State)))
def test_an_input_that_the_table_does_not_name_changes_nothing(item: Input, state: State) -> None:
    session = replace(waiting(), state=state, lead_id="dana", deadline_at=T0, close_reason="x")
    if type(item) in TRANSITIONS[state]:
        return
    with pytest.raises(IllegalTransition):
        handle(session, item, T0 + 1)
