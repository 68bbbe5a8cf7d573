"""The line's decisions, one behaviour each. Times are seconds before or after `NOW`."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from oncall.errors import BadRules
from oncall.policy import (
    AT_ONCE,
    Activity,
    ClinicianNow,
    Escalate,
    MakeOffer,
    Rules,
    WaitingSession,
    plan,
    planning,
)
from oncall.presence import PresenceState
from tests.oncall.line import (
    NOW,
    RULES,
    clinician,
    ended,
    explained,
    line,
    ring,
    rung,
    session,
)

DANA, MIGUEL, PRIYA = (
    clinician("dana"),
    clinician("miguel"),
    clinician("priya", tier=2),
)


def test_the_whole_first_tier_rings_at_once_and_the_second_does_not_yet() -> None:
    decided = plan(line([session()], [DANA, MIGUEL, PRIYA]), RULES)
    assert rung(decided) == {"s1": {"dana", "miguel"}}
    offer = next(a for a in decided.actions if isinstance(a, MakeOffer))
    assert (offer.deliver_by, offer.expires_at) == (NOW + 2, NOW + 20)
    assert decided.next_deadline == NOW + 2


def test_the_second_tier_joins_at_thirty_seconds_beside_what_rings() -> None:
    offers = [ring("s1", "dana"), ring("s1", "miguel")]
    before = line([session(age=29.9, level=1)], [DANA, MIGUEL, PRIYA], offers)
    assert rung(plan(before, RULES)) == {}
    after = line([session(age=30, level=1)], [DANA, MIGUEL, PRIYA], offers)
    assert rung(plan(after, RULES)) == {"s1": {"priya"}}


def test_the_second_tier_rings_at_once_when_nobody_of_the_first_can_be_rung() -> None:
    paused = replace(DANA, activity=Activity.PAUSED)
    assert rung(plan(line([session()], [paused, PRIYA]), RULES)) == {"s1": {"priya"}}


def test_an_unanswered_first_tier_rings_again_when_there_is_nobody_fresh() -> None:
    offers = [ring("s1", "dana", age=20), ring("s1", "miguel", age=20)]
    decided = plan(line([session(age=20, level=1)], [DANA, MIGUEL, PRIYA], offers), RULES)
    assert ended(decided) == {"s1>dana": "expired", "s1>miguel": "expired"}
    assert rung(decided) == {"s1": {"dana", "miguel"}}


def test_whose_offer_has_just_expired_waits_while_another_of_the_tier_is_fresh() -> None:
    decided = plan(line([session(age=20, level=1)], [DANA, MIGUEL], [ring(age=20)]), RULES)
    assert rung(decided) == {"s1": {"miguel"}}


def test_a_page_that_did_not_say_that_it_rings_within_two_seconds_is_undelivered() -> None:
    decided = plan(line([session()], [DANA], [ring(age=2, delivered=False)]), RULES)
    assert ended(decided) == {"s1>dana": "undelivered"}
    # rung again at once it would flicker every two seconds; it rests
    assert rung(decided) == {}
    assert explained(decided) == {"s1": "all_resting"}
    assert decided.next_deadline == NOW + RULES.cooldown_undelivered


def test_a_delivered_offer_is_not_undelivered() -> None:
    assert ended(plan(line([session()], [DANA], [ring(age=19)]), RULES)) == {}


def test_who_declined_rests_and_the_second_tier_takes_over() -> None:
    resting = clinician("dana", resting=30)
    declined = session(age=5, excluded={"dana": NOW + 120})
    assert rung(plan(line([declined], [resting, PRIYA]), RULES)) == {"s1": {"priya"}}


def test_who_declined_this_session_is_asked_again_only_when_nobody_else_is_left() -> None:
    excluded = session(age=40, level=2, excluded={"dana": NOW + 80})
    assert rung(plan(line([excluded], [DANA, PRIYA]), RULES)) == {"s1": {"priya"}}
    assert rung(plan(line([excluded], [DANA]), RULES)) == {"s1": {"dana"}}


def test_wrap_up_is_interrupted_only_when_nobody_else_is_left() -> None:
    writing = clinician("dana", wrapping_up=True)
    cooling = clinician("miguel", cooldown=10)
    assert rung(plan(line([session()], [writing, cooling]), RULES)) == {"s1": {"miguel"}}
    assert rung(plan(line([session()], [writing]), RULES)) == {"s1": {"dana"}}


def test_only_one_wrap_up_is_interrupted_for_a_session() -> None:
    writing = [clinician(name, wrapping_up=True) for name in "ab"]
    assert rung(plan(line([session()], writing), RULES)) == {"s1": {"a"}}


def test_who_was_excluded_joins_when_that_ends_and_the_line_wakes_for_it() -> None:
    people, offers = [DANA, MIGUEL], [ring("s1", "miguel", age=1)]
    before = plan(line([session(age=1, excluded={"dana": NOW + 3})], people, offers), RULES)
    assert (rung(before), before.next_deadline) == ({}, NOW + 3)
    after = plan(line([session(age=1, excluded={"dana": NOW})], people, offers), RULES)
    assert rung(after) == {"s1": {"dana"}}


@pytest.mark.parametrize(
    ("who", "why"),
    [
        (clinician(tier=None), "nobody_on_roster"),
        (clinician(provider_ids=("other",)), "nobody_on_roster"),
        (clinician(licences=("ND",)), "nobody_licensed"),
        (clinician(licence_expires=NOW), "nobody_licensed"),
        (clinician(presence=PresenceState.GRACE), "nobody_present"),
        (clinician(presence=PresenceState.LOST), "nobody_present"),
        (clinician(activity=Activity.PAUSED), "nobody_available"),
        (clinician(activity=Activity.OFFLINE), "nobody_available"),
        (clinician(busy=True), "all_busy"),
        (clinician(resting=1), "all_resting"),
    ],
)
def test_whoever_must_not_ring_is_not_rung_and_the_reason_is_said(
    who: ClinicianNow, why: str
) -> None:
    decided = plan(line([session()], [who]), RULES)
    assert rung(decided) == {}
    assert explained(decided) == dict(decided.reasons) == {"s1": why}


def test_the_reason_nearest_to_a_ring_is_the_one_that_is_told() -> None:
    people = [clinician("a", tier=None), clinician("b", busy=True), clinician("c", licences=())]
    assert explained(plan(line([session()], people), RULES)) == {"s1": "all_busy"}


def test_with_nobody_at_all_the_reason_is_the_roster() -> None:
    assert explained(plan(line([session()], []), RULES)) == {"s1": "nobody_on_roster"}


def test_where_the_person_is_unknown_any_valid_licence_will_do() -> None:
    who = clinician(licences=("ND",))
    assert rung(plan(line([session(licence_state=None)], [who]), RULES)) == {"s1": {"dana"}}


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        (clinician(tier=None), "off_roster"),
        (clinician(provider_ids=("other",)), "off_roster"),
        (clinician(licences=()), "not_licensed"),
        (clinician(licence_expires=NOW), "not_licensed"),
        (clinician(activity=Activity.PAUSED), "not_available"),
        (clinician(presence=PresenceState.LOST), "console_lost"),
        (clinician(busy=True), "busy"),
    ],
)
def test_a_ring_stops_when_its_clinician_can_no_longer_answer(
    who: ClinicianNow, reason: str
) -> None:
    decided = plan(line([session()], [who], [ring()]), RULES)
    assert ended(decided) == {"s1>dana": reason}


def test_a_ring_goes_on_while_its_page_reloads() -> None:
    reloading = clinician(presence=PresenceState.GRACE)
    decided = plan(line([session()], [reloading], [ring()]), RULES)
    assert (ended(decided), rung(decided), explained(decided)) == ({}, {}, {})


@pytest.mark.parametrize("waiting", [[], [session(epoch=2)]])
def test_a_ring_for_a_session_that_moved_on_stops(waiting: list[WaitingSession]) -> None:
    decided = plan(line(waiting, [], [ring()]), RULES)
    assert ended(decided) == {"s1>dana": "session_moved_on"}


# --- several sessions -----------------------------------------------------------------------------


def test_one_clinician_goes_to_the_first_in_line() -> None:
    urgent = session("s3", priority=0)
    back = session("s2", requeued_at=NOW - 1)
    for waiting, first in (
        ([session("s1"), urgent], "s3"),
        ([session("s1"), back], "s2"),
        ([back, urgent], "s3"),
        ([session("s2"), session("s1")], "s1"),
    ):
        decided = plan(line(waiting, [DANA]), RULES)
        assert rung(decided) == {first: {"dana"}}
        assert list(explained(decided).values()) == ["all_ringing"]


def test_a_session_that_nobody_may_serve_does_not_block_those_behind_it() -> None:
    elsewhere = session("s1", licence_state="ND")
    decided = plan(line([elsewhere, session("s2")], [DANA]), RULES)
    assert rung(decided) == {"s2": {"dana"}}
    assert explained(decided) == {"s1": "nobody_licensed"}


def test_each_session_gets_one_clinician_before_any_gets_two_and_the_rest_are_dealt_out() -> None:
    people = [clinician(name) for name in "abcde"]
    decided = plan(line([session("s1"), session("s2")], people), RULES)
    assert sorted(len(those) for those in rung(decided).values()) == [2, 3]
    assert len(rung(decided)["s1"]) == 3


def test_a_session_takes_the_clinician_that_leaves_another_one_its_only_choice() -> None:
    both = clinician("a", licences=("SD", "ND"))
    only_sd = clinician("b")
    waiting = [session("s1"), session("s2", licence_state="ND")]
    assert rung(plan(line(waiting, [both, only_sd]), RULES)) == {"s1": {"b"}, "s2": {"a"}}


def test_a_second_session_gets_one_of_the_clinicians_who_ring_for_the_first() -> None:
    offers = [ring("s1", "dana", age=6), ring("s1", "miguel", age=5)]
    waiting = [session("s1", age=6), session("s2")]
    decided = plan(line(waiting, [DANA, MIGUEL], offers), RULES)
    assert ended(decided) == {"s1>miguel": "rung_for_another"}
    assert rung(decided) == {"s2": {"miguel"}}


def test_a_later_session_never_takes_the_only_clinician_of_an_earlier_one() -> None:
    decided = plan(line([session("s1"), session("s2")], [DANA], [ring("s1", "dana")]), RULES)
    assert (ended(decided), rung(decided)) == ({}, {})
    assert explained(decided) == {"s2": "all_ringing"}


def test_a_more_urgent_session_takes_the_ring_of_a_less_urgent_one() -> None:
    waiting = [session("s1"), session("s2", priority=0)]
    decided = plan(line(waiting, [DANA], [ring("s1", "dana")]), RULES)
    assert ended(decided) == {"s1>dana": "rung_for_another"}
    assert rung(decided) == {"s2": {"dana"}}
    assert explained(decided) == {"s1": "all_ringing"}


def test_while_the_first_tier_rings_for_others_the_second_rings_for_the_next() -> None:
    decided = plan(line([session("s1"), session("s2")], [DANA, PRIYA]), RULES)
    assert rung(decided) == {"s1": {"dana"}, "s2": {"priya"}}


def test_the_same_line_in_another_order_gives_the_same_rings() -> None:
    waiting = [session("s1"), session("s2"), session("s3", priority=0)]
    people = [clinician(name) for name in "abcdef"]
    forwards = plan(line(waiting, people), RULES)
    backwards = plan(line(waiting[::-1], people[::-1]), RULES)
    assert rung(forwards) == rung(backwards)


def test_nobody_waiting_means_nothing_to_do_and_nothing_to_wait_for() -> None:
    decided = plan(line([], [DANA]), RULES)
    assert (decided.actions, decided.next_deadline) == ((), None)


def test_a_waiting_session_always_has_a_moment_ahead_however_old_it_is() -> None:
    old = session(age=1e6, level=100_000)
    decided = plan(line([old], []), RULES)
    assert decided.next_deadline is not None
    assert decided.next_deadline > NOW


def test_a_disaster_s_line_is_planned_without_trouble() -> None:
    people = [clinician(f"c{n}") for n in range(200)]
    waiting = [session(f"s{n}", age=n % 100, level=9) for n in range(1000)]
    began = time.process_time()
    decided = plan(line(waiting, people), RULES)
    assert len(rung(decided)) == 200
    assert len(explained(decided)) == 800
    assert time.process_time() - began < 20, "the work must not grow with the square of the line"


# --- rules ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("round_seconds", 0),
        ("nobody_every", 0),
        ("deliver_seconds", -1),
        ("cooldown_expired", float("nan")),
        ("partner_after", float("inf")),
    ],
)
def test_rules_that_would_stop_the_line_are_refused(name: str, value: float) -> None:
    with pytest.raises(BadRules) as refused:
        Rules(**{name: value})  # type: ignore[arg-type]
    assert refused.value.field == name
    assert (refused.value.code, refused.value.status) == ("bad-rules", 422)


def test_overdue_steps_are_all_taken_in_order_and_none_twice() -> None:
    decided = plan(line([session(age=61)], []), RULES)
    steps = [(a.step, a.at) for a in decided.actions if isinstance(a, Escalate)]
    assert steps == [
        ("page", NOW - 46),
        ("second_tier", NOW - 31),
        ("nobody_yet", NOW - 1),
        ("supervisor", NOW - 1),
    ]
    taken = plan(line([session(age=61, level=4)], []), RULES)
    assert [a for a in taken.actions if isinstance(a, Escalate)] == []
    assert taken.next_deadline == NOW + 59


def test_a_long_line_is_planned_in_many_steps_and_a_short_one_in_few() -> None:
    """What comes between two steps does not wait for the whole of it."""

    def steps(many: int) -> int:
        waiting = tuple(session(f"s{n}", seq=n) for n in range(many))
        people = tuple(clinician(f"c{n}") for n in range(many))
        return sum(1 for _ in planning(line(waiting, people), RULES))

    assert steps(2) < 20
    assert steps(1000) > steps(2) + 4 * (1000 // AT_ONCE - 1)
