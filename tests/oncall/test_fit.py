"""In what a clinician does not fit, and which step lets that through when."""

from __future__ import annotations

import pytest

from oncall.errors import BadRelaxations
from oncall.fit import (
    DEFAULT_RELAXATIONS,
    AgeGroup,
    Licence,
    Misfit,
    Offered,
    Relaxation,
    Wanted,
    due,
    early,
    furthest,
    in_order,
    misfits,
    steps_needed,
)

NOW = 1_000.0
WANTED = Wanted(
    provider_id="prv",
    other_providers=(),
    licence_state="SD",
    language="es",
    age_group=AgeGroup.JUVENILE,
    specialities=frozenset({"psychosis"}),
)
FITS = Offered(
    provider_ids=frozenset({"prv"}),
    licences=(Licence("SD", NOW + 1),),
    languages=frozenset({"es"}),
    age_groups=frozenset({AgeGroup.ADULT, AgeGroup.JUVENILE}),
    specialities=frozenset({"psychosis", "trauma"}),
)


def offered(**changes: object) -> Offered:
    values = {name: getattr(FITS, name) for name in Offered.__slots__} | changes
    return Offered(**values)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, set()),
        ({"specialities": frozenset()}, {Misfit.SPECIALITY}),
        ({"languages": frozenset({"so"})}, {Misfit.LANGUAGE}),
        ({"age_groups": frozenset({AgeGroup.ADULT})}, {Misfit.AGE_GROUP}),
        ({"provider_ids": frozenset({"prv_2"})}, {Misfit.PROVIDER}),
        ({"licences": (Licence("ND"),)}, {Misfit.LICENCE_STATE}),
        ({"licences": (Licence("SD", NOW),)}, {Misfit.LICENCE_STATE}),
        ({"licences": (Licence("SD", NOW), Licence("SD"))}, set()),
        ({"licences": (), "languages": frozenset()}, {Misfit.LICENCE_STATE, Misfit.LANGUAGE}),
    ],
)
def test_each_thing_asked_for_is_compared_by_itself(
    changes: dict[str, object], found: set[Misfit]
) -> None:
    assert misfits(offered(**changes), WANTED, NOW) == found


def test_who_asks_for_nothing_is_fitted_by_anybody_of_the_provider() -> None:
    asks_nothing = Wanted("prv", (), None, None, None, frozenset())
    anybody = Offered(frozenset({"prv"}), (), frozenset(), frozenset(), frozenset())
    assert misfits(anybody, asks_nothing, NOW) == frozenset()


@pytest.mark.parametrize(
    ("age", "count"), [(0, 0), (19.9, 0), (20, 1), (25, 2), (30, 3), (40, 4), (45, 5), (9e9, 5)]
)
def test_the_default_steps_come_one_after_another(age: float, count: int) -> None:
    assert due(DEFAULT_RELAXATIONS, age) == {step.what for step in DEFAULT_RELAXATIONS[:count]}


def test_practising_where_one_is_not_licensed_waits_for_its_time_whoever_is_left() -> None:
    assert Misfit.LICENCE_STATE not in early(DEFAULT_RELAXATIONS)
    assert early(DEFAULT_RELAXATIONS) == set(Misfit) - {Misfit.LICENCE_STATE}


def test_the_steps_that_a_ring_needs_are_told_in_their_order() -> None:
    found = frozenset({Misfit.AGE_GROUP, Misfit.SPECIALITY})
    assert [s.what for s in steps_needed(found, DEFAULT_RELAXATIONS)] == [
        Misfit.SPECIALITY,
        Misfit.AGE_GROUP,
    ]
    assert furthest(found, DEFAULT_RELAXATIONS) == 3
    assert furthest(frozenset(), DEFAULT_RELAXATIONS) == 0


def test_steps_are_put_in_the_order_of_their_times_and_each_stands_once() -> None:
    late, soon = Relaxation(Misfit.LANGUAGE, 60), Relaxation(Misfit.SPECIALITY, 5)
    assert in_order([late, soon]) == (soon, late)
    with pytest.raises(BadRelaxations):
        in_order([late, Relaxation(Misfit.LANGUAGE, 10)])


@pytest.mark.parametrize("after", [-1.0, float("nan"), float("inf"), 90_000.0])
def test_a_time_that_is_none_is_refused(after: float) -> None:
    with pytest.raises(BadRelaxations):
        Relaxation(Misfit.LANGUAGE, after)
