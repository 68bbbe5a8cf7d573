"""Counts for reports, by the database: sessions by how they ended, waits, arrivals, follow-ups.

Everything is limited by a Scope that the caller's rights gave. Nothing sealed is opened, and no
single session leaves here: only counts. Sessions that are over are counted from an index that holds
all that is asked (`session_facts`); the few that are open are counted apart and added.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Integer, and_, case, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from records.flags import codes_of
from records.log import Scope, within
from records.measures import SHORT_SECONDS, Outcome, Rate
from records.schema import OPEN_STATES, followup, note_signature, offer, session
from records.schema_identities import identity

UNIT: Final = 0.1  # seconds, of the spreads
SIGN_SECONDS: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sessions: pressed in [since, until), of one agency or of all in scope."""

    scope: Scope
    since: float
    until: float
    agency_id: str | None = None


@dataclass(frozen=True, slots=True)
class Waits:
    """How often each number of tenths of a second was seen."""

    to_answer: dict[int, int]  # press → sound or picture
    to_accept: dict[int, int]  # press → accepted: people
    to_media: dict[int, int]  # accepted → sound or picture: the network


@dataclass(frozen=True, slots=True)
class Rings:
    """What became of the rings."""

    answered: int
    declined: int
    missed: int  # ran out, or did not sound


_OVER, _OPEN = session.c.state == "closed", session.c.state.in_(OPEN_STATES)


def _conditions(wanted: Wanted, state: ColumnElement[bool]) -> list[ColumnElement[bool]]:
    conditions = [
        state,
        within(wanted.scope),
        session.c.test.is_(False),
        session.c.pressed_at >= wanted.since,
        session.c.pressed_at < wanted.until,
    ]
    if wanted.agency_id is not None:
        conditions.append(session.c.agency_id == wanted.agency_id)
    return conditions


_TAKEN_BACK = and_(session.c.close_reason == "cancelled_by_officer", session.c.media_at.is_(None))
_ENDING = case(
    (session.c.media_at.is_not(None), "answered"),
    (
        and_(_TAKEN_BACK, session.c.ended_at - session.c.pressed_at < SHORT_SECONDS),
        "short",
    ),
    (_TAKEN_BACK, "abandoned"),
    (session.c.state != "closed", "open"),
    (session.c.accepted_at.is_not(None), "failed"),
    else_="other",
)


async def outcomes(conn: AsyncConnection, wanted: Wanted) -> list[Outcome]:
    """Sessions by how they ended and by both dispositions."""
    columns = (
        _ENDING.label("ending"),
        session.c.recommended_disposition.label("recommended"),
        session.c.actual_disposition.label("actual"),
        session.c.otherwise.label("otherwise"),
    )
    found: list[Outcome] = []
    for state in (_OVER, _OPEN):
        rows = await conn.execute(
            select(*columns, func.count().label("count"))
            .where(*_conditions(wanted, state))
            .group_by(*columns)
        )
        found += [Outcome(**row) for row in rows.mappings()]
    return found


async def waits(conn: AsyncConnection, wanted: Wanted) -> Waits:
    """The three spreads, from one reading of the sessions."""
    pressed, accepted, media = (
        session.c[name] for name in ("pressed_at", "accepted_at", "media_at")
    )
    spans = [
        _whole(conn, (end - start) / UNIT + 0.5).label(name)
        for name, start, end in (
            ("to_answer", pressed, media),
            ("to_accept", pressed, accepted),
            ("to_media", accepted, media),
        )
    ]
    spreads: list[Counter[int]] = [Counter(), Counter(), Counter()]
    for state in (_OVER, _OPEN):
        rows = await conn.execute(
            select(*spans, func.count()).where(*_conditions(wanted, state)).group_by(*spans)
        )
        for *values, count in rows:
            for spread, value in zip(spreads, values, strict=True):
                if value is not None:
                    spread[value] += count
    return Waits(*(dict(spread) for spread in spreads))


def _whole(conn: AsyncConnection, value: ColumnElement[Any]) -> ColumnElement[int]:
    """The whole part of a positive number. SQLite cuts in its cast, PostgreSQL rounds there."""
    return cast(value if conn.dialect.name == "sqlite" else func.floor(value), Integer)


async def arrivals(conn: AsyncConnection, wanted: Wanted) -> dict[int, int]:
    """Presses by whole hours since the epoch, UTC."""
    hour = _whole(conn, session.c.pressed_at / 3600.0).label("hour")
    return await _counted(conn, wanted, hour)


async def _counted(
    conn: AsyncConnection, wanted: Wanted, value: ColumnElement[int]
) -> dict[int, int]:
    found: Counter[int] = Counter()
    for state in (_OVER, _OPEN):
        rows = await conn.execute(
            select(value, func.count()).where(*_conditions(wanted, state)).group_by(value)
        )
        found.update({row[0]: row[1] for row in rows})
    return dict(found)


async def rings(conn: AsyncConnection, wanted: Wanted) -> Rings:
    """Rings of these sessions by what became of them."""
    rows = await conn.execute(
        select(offer.c.state, func.count())
        .join(session, session.c.id == offer.c.session_id)
        .where(*_conditions(wanted, or_(_OVER, _OPEN)))
        .group_by(offer.c.state)
    )
    found: dict[str, int] = {row[0]: row[1] for row in rows}
    return Rings(
        answered=found.get("accepted", 0),
        declined=found.get("declined", 0),
        missed=found.get("expired", 0) + found.get("undelivered", 0),
    )


@dataclass(frozen=True, slots=True)
class Marks:
    """How many answered sessions have each flag, and what was said about opioids."""

    sessions: int
    flags: dict[str, int]
    opioid: dict[str, int]


async def marks(conn: AsyncConnection, wanted: Wanted) -> Marks:
    """What else was true of the sessions that were answered and are over."""
    rows = await conn.execute(
        select(session.c.flags, session.c.opioid, func.count())
        .where(*_conditions(wanted, _OVER), session.c.media_at.is_not(None))
        .group_by(session.c.flags, session.c.opioid)
    )
    flags: Counter[str] = Counter()
    opioid: Counter[str] = Counter()
    for bits, about, count in rows:
        opioid[about] += count
        for code in codes_of(bits):
            flags[code] += count
    return Marks(opioid.total(), dict(flags), dict(opioid))


async def visits(conn: AsyncConnection, wanted: Wanted) -> list[tuple[str, float]]:
    """Person and press of each session whose person is known by name and birth, or was joined."""
    rows = await conn.execute(
        select(identity.c.subject_id, session.c.pressed_at)
        .join(session, session.c.id == identity.c.session_id)
        .where(
            *_conditions(wanted, or_(_OVER, _OPEN)),
            or_(identity.c.tag.is_not(None), identity.c.pinned),
        )
    )
    return [(who, at) for who, at in rows]


async def done_on_time(conn: AsyncConnection, wanted: Wanted, now: float) -> Rate:
    """Follow-ups of these sessions that were due: done by then; `unknown`: open, not yet due."""
    due = followup.c.due_at <= now
    on_time = and_(followup.c.status == "done", followup.c.closed_at <= followup.c.due_at)
    early = and_(followup.c.status != "open", ~due)
    counted = or_(due, early)
    row = (
        await conn.execute(
            select(
                func.count().filter(on_time),
                func.count().filter(counted),
                func.count().filter(~counted),
            )
            .select_from(followup.join(session, session.c.id == followup.c.session_id))
            .where(*_conditions(wanted, _OVER))
        )
    ).one()
    return Rate(*row)


async def signed_in_a_day(conn: AsyncConnection, wanted: Wanted, now: float) -> Rate:
    """Notes signed within 24 h; `unknown`: sessions that ended less than a day ago, unsigned."""
    late = session.c.closed_at + SIGN_SECONDS
    in_time = note_signature.c.signed_at <= late
    pending = and_(note_signature.c.signed_at.is_(None), late > now)
    row = (
        await conn.execute(
            select(
                func.count().filter(in_time),
                func.count().filter(~pending),
                func.count().filter(pending),
            )
            .select_from(
                session.outerjoin(note_signature, note_signature.c.session_id == session.c.id)
            )
            .where(
                *_conditions(wanted, _OVER),
                session.c.media_at.is_not(None),
            )
        )
    ).one()
    return Rate(*row)
