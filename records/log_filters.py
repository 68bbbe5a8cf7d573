"""What the log may be narrowed to, and how the database finds it.

Each filter by itself is served by an index that gives the newest first, however long the log is.
A filter that means one of several things (a county's agencies, three units) becomes arms: a look
into an index for each, of which the newest are taken. There is no filter about opioids, nor one
about naloxone: a list of such sessions would tell of substance use (42 CFR Part 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    and_,
    literal_column,
    or_,
    select,
    tuple_,
    union,
)

from records.flags import BIT
from records.schema import session
from records.schema_misses import near_miss
from records.vocabulary import FLAGS

FLAGS_TO_FIND: Final = tuple(code for code in FLAGS if code != "naloxone_given")
ANY_MISS, OPEN_MISS = "any", "open"  # beside the kinds of near misses

Conditions = list[ColumnElement[bool]]
Key = tuple[float, str]  # pressed_at and id of a session


@dataclass(frozen=True, slots=True)
class County:
    """Where the officer said that it was; where they said nothing, an agency of that county."""

    name: str
    state: str
    agencies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found: sessions of any of these units or officers, or themselves."""

    tablets: tuple[str, ...] = ()
    officers: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LogFilter:
    """What to show; None means all."""

    pressed_from: float | None = None
    pressed_until: float | None = None
    agency_id: str | None = None
    state: str | None = None
    recommended: str | None = None
    actual: str | None = None
    code: str | None = None
    tests: bool = False
    lead_id: str | None = None
    county: County | None = None
    flag: str | None = None  # of FLAGS_TO_FIND
    miss: str | None = None  # a kind of near miss, or ANY_MISS, or OPEN_MISS
    found: Found | None = None


def conditions(wanted: LogFilter) -> Conditions:
    """What a session must be, but for near misses, and for `arms` where there are several."""
    these: Conditions = [session.c.erased_at.is_(None)]  # a row of numbers is for reports
    if not wanted.tests:
        these.append(session.c.test.is_(False))
    if wanted.pressed_from is not None:
        these.append(session.c.pressed_at >= wanted.pressed_from)
    if wanted.pressed_until is not None:
        these.append(session.c.pressed_at < wanted.pressed_until)
    for column, value in (
        (session.c.agency_id, wanted.agency_id),
        (session.c.state, wanted.state),
        (session.c.recommended_disposition, wanted.recommended),
        (session.c.actual_disposition, wanted.actual),
        (session.c.code, wanted.code),
        (session.c.lead_id, wanted.lead_id),
    ):
        if value is not None:
            these.append(column == value)
    if wanted.state not in (None, "closed"):
        these.append(session.c.state != literal_column("'closed'"))  # as the index of these says it
    if wanted.flag is not None:
        if wanted.flag not in FLAGS_TO_FIND:
            raise ValueError(wanted.flag)
        these.append(flagged(wanted.flag))
    either = arms(wanted)
    if len(either) == 1:
        these += either[0]
    if wanted.found is not None and wanted.county is not None:
        these.append(_any_of(_county_arms(wanted.county)))
    return these


def flagged(code: str) -> ColumnElement[bool]:
    """As the flag's index says it, letter by letter: a database knows the index by that only."""
    bit = literal_column(str(BIT[code]), Integer)
    return session.c.flags.bitwise_and(bit) != literal_column("0", Integer)


def arms(wanted: LogFilter) -> list[Conditions]:
    """Of which a session must fulfil one; none: nothing more is asked of it."""
    if wanted.found is not None:
        those = wanted.found
        return [
            *([session.c.tablet_id == one] for one in those.tablets),
            *([session.c.officer_id == one] for one in those.officers),
            *([session.c.id == one] for one in those.sessions),
        ] or [[session.c.id.is_(None)]]
    if wanted.county is not None:
        return _county_arms(wanted.county)
    return []


def _county_arms(county: County) -> list[Conditions]:
    return [
        [session.c.place_county == county.name, session.c.place_state == county.state],
        *(
            [session.c.agency_id == one, session.c.place_county.is_(None)]
            for one in county.agencies
        ),
    ]


def beyond(after: Key | None) -> Conditions:
    """Older than this session."""
    return [] if after is None else [tuple_(session.c.pressed_at, session.c.id) < tuple_(*after)]


def keys(
    wanted: LogFilter, scope: ColumnElement[bool], after: Key | None, limit: int
) -> Select[tuple[str, float]] | None:
    """The newest sessions, by id and press, where one index alone does not find them; else None."""
    these = [scope, *conditions(wanted)]
    either = arms(wanted)
    if wanted.miss is not None:
        if len(either) > 1:
            these.append(_any_of(either))
        return _by_near_miss(wanted, these, after, limit)
    if len(either) < 2:
        return None
    each = union(*(_newest([*these, *arm, *beyond(after)], limit) for arm in either)).subquery()
    newest = select(each.c.id, each.c.pressed_at)  # so that no more rows are read than are shown
    return newest.order_by(each.c.pressed_at.desc(), each.c.id.desc()).limit(limit)


def _newest(these: Sequence[ColumnElement[bool]], limit: int) -> Select[tuple[str, float]]:
    inner = (
        select(session.c.id, session.c.pressed_at)
        .where(*these)
        .order_by(session.c.pressed_at.desc(), session.c.id.desc())
        .limit(limit)
        .subquery()
    )
    return select(inner.c.id, inner.c.pressed_at)


def _any_of(those: Sequence[Conditions]) -> ColumnElement[bool]:
    return or_(*(and_(*arm) for arm in those))


def _by_near_miss(
    wanted: LogFilter, these: Conditions, after: Key | None, limit: int
) -> Select[tuple[str, float]]:
    """From the near misses' side: there are few of them, and many sessions without any."""
    its: Conditions = []
    if wanted.miss == OPEN_MISS:
        its.append(near_miss.c.closed_at.is_(None))
    elif wanted.miss != ANY_MISS:
        its.append(near_miss.c.kind == wanted.miss)
    if wanted.pressed_from is not None:  # said of both tables, so that the index begins there
        its.append(near_miss.c.pressed_at >= wanted.pressed_from)
    if wanted.pressed_until is not None:
        its.append(near_miss.c.pressed_at < wanted.pressed_until)
    if after is not None:
        its.append(tuple_(near_miss.c.pressed_at, near_miss.c.session_id) < tuple_(*after))
    at, one = near_miss.c.pressed_at, near_miss.c.session_id
    return (
        select(one.label("id"), at.label("pressed_at"))
        .select_from(near_miss.join(session, session.c.id == one))
        .where(*its, *these)
        .group_by(at, one)
        .order_by(at.desc(), one.desc())
        .limit(limit)
    )
