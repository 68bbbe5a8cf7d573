"""Naloxone as it was tapped, and as it stands in the form."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from records import instruments
from records.doses import MOST, Dose, answers_of, doses_of
from records.instruments.questionnaire import codes

FORM = instruments.newest()["officer-overdose"]
CHICAGO = ZoneInfo("America/Chicago")
NOON = 1_790_000_000.0

_product = st.sampled_from(codes(FORM.items["dose-1-product"]))
_by = st.sampled_from(codes(FORM.items["dose-1-by"]))
_doses = st.lists(
    st.builds(
        Dose, st.none() | st.integers(0, 12 * 3600 - 1).map(lambda s: NOON - s), _product, _by
    ),
    max_size=MOST,
)


@given(doses=_doses, response=st.sampled_from((None, "awake", "drowsy", "none")))
def test_what_was_tapped_comes_back_to_the_second(doses: list[Dose], response: str | None) -> None:
    said = answers_of(doses, response, CHICAGO, NOON)
    assert FORM.checked(said) == said
    assert doses_of(said, CHICAGO, NOON) == doses
    assert said.get("doses", 0) == len(doses)


def test_a_time_that_cannot_be_is_brought_into_bounds() -> None:
    said = answers_of([Dose(NOON + 99), Dose(0.0)], None, CHICAGO, NOON)
    assert [one.at for one in doses_of(said, CHICAGO, NOON)] == [NOON, NOON - 12 * 3600]


def test_a_dose_before_midnight_is_of_yesterday() -> None:
    midnight = 1_790_053_200.0  # 00:00 in Chicago
    said = answers_of([Dose(midnight - 60)], None, CHICAGO, midnight + 120)
    assert said["dose-1-at"] == "23:59:00"
    assert doses_of(said, CHICAGO, midnight + 120)[0].at == midnight - 60


def test_a_card_without_a_dose_never_says_that_none_was_given() -> None:
    assert answers_of([], None, CHICAGO, NOON) == {}
    assert FORM.score(answers_of([], "none", CHICAGO, NOON))["level"] == "high"
    given_one = answers_of([Dose(NOON, "nasal-4", "officer")], "awake", CHICAGO, NOON)
    assert FORM.score(given_one)["level"] == "moderate", "sedation can come back"
