"""The timed steps while nobody answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncall.escalation import due_steps, escalation_step, next_escalation, tablet_step
from oncall.facts import Rules
from tests.oncall.line import NOW, RULES, session


def test_the_steps_come_at_the_design_s_times_and_the_alarm_repeats_for_ever() -> None:
    assert [escalation_step(level, RULES) for level in range(8)] == [
        (15, "page"),
        (30, "second_tier"),
        (60, "nobody_yet"),
        (120, "nobody_yet"),
        (120, "partner"),
        (180, "nobody_yet"),
        (240, "nobody_yet"),
        (300, "nobody_yet"),
    ]


def test_the_next_step_is_told_with_its_moment() -> None:
    assert next_escalation(session(age=10), RULES) == (NOW + 5, "page")
    assert next_escalation(session(age=10, level=1), RULES) == (NOW + 20, "second_tier")


def test_coming_back_to_the_line_does_not_set_the_clock_back() -> None:
    back = session(age=70, level=3, requeued_at=NOW)
    assert due_steps(back, NOW, RULES) == ([], NOW + 50)


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
    steps = [escalation_step(level, rules) for level in range(700)]
    ages = [age for age, _ in steps]
    assert ages == sorted(ages)
    for step, age in (("page", page), ("second_tier", second), ("partner", partner)):
        assert [a for a, s in steps if s == step] == [age]
    alarms = [a for a, s in steps if s == "nobody_yet"]
    assert alarms == [nobody + n * every for n in range(697)]


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
