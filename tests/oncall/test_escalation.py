"""The timed steps while nobody answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncall.errors import BadSteps
from oncall.escalation import default_ladder, due_steps, next_escalation, tablet_step
from oncall.facts import Escalate, Rules
from oncall.policy import plan
from oncall.steps import Act, Ladder, Step, step_of, used_up
from tests.oncall.line import NOW, RULES, clinician, line, rung, session

DEFAULT = default_ladder(RULES)
NOBODY = Step(60, Act.NOBODY_YET, every=60)


def test_the_steps_come_at_the_design_s_times_and_the_alarm_repeats_for_ever() -> None:
    steps = [step_of(level, DEFAULT) for level in range(9)]
    assert [(age, str(step.act)) for age, step in steps] == [
        (15, "page"),
        (30, "second_tier"),
        (60, "nobody_yet"),
        (60, "supervisor"),
        (120, "nobody_yet"),
        (120, "partner"),
        (180, "nobody_yet"),
        (240, "nobody_yet"),
        (300, "nobody_yet"),
    ]


def test_a_ladder_is_used_up_when_each_of_its_steps_was_taken() -> None:
    assert used_up(DEFAULT) == 6
    assert used_up(Ladder((NOBODY,))) == 1
    assert used_up(Ladder((Step(5, Act.SUPERVISOR), Step(90, Act.NOBODY_YET, every=30)))) == 2
    for ladder in (DEFAULT, Ladder((Step(400, Act.PARTNER), NOBODY))):
        taken = {step_of(level, ladder)[1] for level in range(used_up(ladder))}
        assert taken == set(ladder.steps)
        assert {step_of(level, ladder)[1] for level in range(used_up(ladder) - 1)} < taken


def test_the_next_step_is_told_with_its_moment() -> None:
    assert next_escalation(session(age=10), DEFAULT) == (NOW + 5, "page")
    assert next_escalation(session(age=10, level=1), DEFAULT) == (NOW + 20, "second_tier")


def test_coming_back_to_the_line_does_not_set_the_clock_back() -> None:
    back = session(age=70, level=4, requeued_at=NOW)
    assert due_steps(back, NOW, DEFAULT) == ([], NOW + 50)


def test_a_provider_s_own_steps_take_the_place_of_the_default_ones() -> None:
    own = Ladder((Step(5, Act.SUPERVISOR), Step(90, Act.NOBODY_YET, every=30)))
    snapshot = replace(line([session(age=40)], []), ladders={"prv": own})
    decided = plan(snapshot, replace(RULES, relaxations=()))
    assert [(a.step, a.at) for a in decided.actions if isinstance(a, Escalate)] == [
        ("supervisor", NOW - 35)
    ]
    assert decided.next_deadline == NOW + 50


def test_the_second_tier_is_rung_when_the_provider_s_own_step_says_so() -> None:
    early = Ladder((Step(10, Act.SECOND_TIER), NOBODY))
    people = [clinician("dana", tier=1), clinician("priya", tier=2)]
    waits = [session(age=12, level=9)]
    assert rung(plan(line(waits, people), RULES)) == {"s1": {"dana"}}
    snapshot = replace(line(waits, people), ladders={"prv": early})
    assert rung(plan(snapshot, RULES)) == {"s1": {"dana", "priya"}}


seconds = st.floats(min_value=0, max_value=600)


@given(page=seconds, second=seconds, nobody=seconds, partner=seconds, every=st.floats(1, 600))
def test_with_any_times_each_step_comes_once_in_order_and_the_alarm_never_ends(
    page: float, second: float, nobody: float, partner: float, every: float
) -> None:
    rules = Rules(
        page_after=page,
        second_tier_after=second,
        nobody_after=nobody,
        partner_after=partner,
        nobody_every=every,
    )
    steps = [step_of(level, default_ladder(rules)) for level in range(700)]
    ages = [age for age, _ in steps]
    assert ages == sorted(ages)
    once = {"page": page, "second_tier": second, "partner": partner, "supervisor": nobody}
    for act, age in once.items():
        assert [a for a, s in steps if s.act == act] == [age]
    alarms = [a for a, s in steps if s.act == "nobody_yet"]
    assert alarms == [nobody + n * every for n in range(696)]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"after": -1, "act": Act.PARTNER}, "after"),
        ({"after": float("nan"), "act": Act.PARTNER}, "after"),
        ({"after": 15, "act": Act.PAGE}, "tier"),
        ({"after": 15, "act": Act.PAGE, "tier": 10}, "tier"),
        ({"after": 15, "act": Act.SUPERVISOR, "tier": 1}, "tier"),
        ({"after": 15, "act": Act.SUPERVISOR, "every": 29}, "every"),
        ({"after": 15, "act": Act.PARTNER, "every": 60}, "every"),
        ({"after": 15, "act": Act.SUPERVISOR, "until": "never"}, "until"),
    ],
)
def test_a_step_that_cannot_work_is_refused_by_name(values: dict[str, Any], field: str) -> None:
    with pytest.raises(BadSteps) as refused:
        Step(**values)
    assert refused.value.field == field
    assert (refused.value.code, refused.value.status) == ("bad-steps", 422)


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (Step(15, Act.SUPERVISOR),),
        (NOBODY, NOBODY),
        (NOBODY, Step(5, Act.PAGE, tier=1), Step(9, Act.PAGE, tier=1)),
        (NOBODY, *[Step(n, Act.PAGE, tier=1) for n in range(20)]),
    ],
)
def test_steps_that_leave_a_session_in_silence_or_say_a_thing_twice_are_refused(
    steps: tuple[Step, ...],
) -> None:
    with pytest.raises(BadSteps):
        Ladder(steps)


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (0, "alerting"),
        (19.9, "alerting"),
        (20, "still-trying"),
        (45, "more-people"),
        (89.9, "more-people"),
        (90, "call-instead"),
        (86_400, "call-instead"),
    ],
)
def test_the_officer_s_screen_changes_its_words(age: float, words: str) -> None:
    assert tablet_step(age) == f"waiting.{words}"
