"""The forms of whom a session rings: what was typed, as values, or which field cannot be used."""

from __future__ import annotations

import math
from datetime import date, timedelta

from multidict import MultiDictProxy

from oncall.fit import Misfit
from oncall.roster import moment, zone_of
from records.catchments import Place
from records.clinicians import LicenceRow, Profile
from records.vocabulary import COMPACTS, LANGUAGES, SPECIALITIES, STATES
from web.errors import BadMatching

Form = MultiDictProxy[str]

LONGEST_COUNTY = 60
LONGEST_TEXT = 40
MOST_LICENCES = 20
LATEST_STEP = 3600.0
RANKS = range(1, 10)
STEPS = (  # in the order of the page
    *(Misfit.SPECIALITY, Misfit.LANGUAGE, Misfit.AGE_GROUP),
    *(Misfit.PROVIDER, Misfit.LICENCE_STATE),
)
NEVER_AT_ONCE = frozenset({Misfit.LICENCE_STATE})


def place(form: Form) -> Place:
    """A county of a state, or the whole state. Raises BadMatching."""
    county = " ".join(_text(form, "county").split())
    if len(county) > LONGEST_COUNTY or not county.isprintable():
        raise BadMatching("county")
    return Place(county, _state(_text(form, "state")))


def county(form: Form) -> Place:
    """A county: an officer cannot be in a whole state. Raises BadMatching."""
    found = place(form)
    if not found.county:
        raise BadMatching("no_county")
    return found


def rank(form: Form) -> int:
    """Which turn the provider has there. Raises BadMatching."""
    typed = _text(form, "rank")
    if not typed.isascii() or not typed.isdigit() or len(typed) > 1 or int(typed) not in RANKS:
        raise BadMatching("rank")
    return int(typed)


def ring(form: Form) -> tuple[str, tuple[tuple[str, float, bool], ...] | None]:
    """The ring style, and the steps with their times; None: the standard ones."""
    style = _text(form, "ring")
    if style not in ("all", "one"):
        raise BadMatching("ring")
    if form.get("default") == "1":
        return style, None
    steps = []
    for what in STEPS:
        typed = _text(form, f"after_{what}").strip()
        if typed:
            at_once = form.get(f"at_once_{what}") == "1" and what not in NEVER_AT_ONCE
            steps.append((str(what), _seconds(typed), at_once))
    return style, tuple(sorted(steps, key=lambda step: step[1]))


def profile(form: Form, zone: str) -> Profile:
    """What a clinician answers. A licence is valid to the end of its day in the provider's zone."""
    columns = [form.getall(f"licence_{name}", []) for name in ("type", "state", "number", "until")]
    columns.append(form.getall("licence_compact", []))
    if len({len(column) for column in columns}) != 1 or len(columns[0]) > MOST_LICENCES:
        raise BadMatching("licences")
    rows = []
    for kind, state, number, until, compact in zip(*columns, strict=True):
        if state:
            rows.append(
                LicenceRow(
                    _short(kind), _state(state), _short(number), _until(until, zone),
                    _compact(compact),
                )
            )  # fmt: skip
        elif any(part.strip() for part in (kind, number, until)):
            raise BadMatching("licence_state")
    adult, juvenile = form.get("adult") == "1", form.get("juvenile") == "1"
    if not adult and not juvenile:
        raise BadMatching("age_groups")
    return Profile(
        licences=tuple(rows),
        languages=_codes(form, "language", LANGUAGES),
        specialities=_codes(form, "speciality", SPECIALITIES),
        serves_adult=adult,
        serves_juvenile=juvenile,
    )


def _text(form: Form, name: str) -> str:
    value = form.get(name, "")
    if not isinstance(value, str):
        raise BadMatching(name)
    return value


def _state(typed: object) -> str:
    if typed not in STATES:
        raise BadMatching("state")
    return str(typed)


def _short(typed: str) -> str:
    text = " ".join(typed.split())
    if len(text) > LONGEST_TEXT or not text.isprintable():
        raise BadMatching("licences")
    return text


def _compact(typed: str) -> str | None:
    if typed and typed not in COMPACTS:
        raise BadMatching("licences")
    return typed or None


def _until(typed: str, zone: str) -> float | None:
    if not typed:
        return None
    try:
        return moment(date.fromisoformat(typed) + timedelta(days=1), 0, zone_of(zone))
    except (ValueError, OverflowError):
        raise BadMatching("licence_until") from None


def _seconds(typed: str) -> float:
    try:
        seconds = float(typed[:20])
    except ValueError:
        raise BadMatching("after") from None
    if not math.isfinite(seconds) or not 0 <= seconds <= LATEST_STEP:
        raise BadMatching("after")
    return seconds


def _codes(form: Form, name: str, known: tuple[str, ...]) -> frozenset[str]:
    codes = frozenset(str(code) for code in form.getall(name, []))
    if not codes <= {*known}:
        raise BadMatching(name)
    return codes
