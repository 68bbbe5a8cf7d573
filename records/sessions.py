"""Crisis sessions and their timeline: made once, changed only by compare-and-set.

Every change writes its events in the same transaction, numbered without gaps; the last one's number
is the row's `version`, which each change must name.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

from sqlalchemy import (
    Connection,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate

from records import facts, parties
from records.errors import BadInput, Busy, OpenSessionExists, StaleSession
from records.ids import new_id
from records.one_trip import together
from records.refusals import already_there, by_index
from records.rows import values_of
from records.schema import PRESS_LOCK, coverage, session, timeline
from records.states import LED, LIVE, OPEN, WRAP_UP

OWED_SECONDS = 12 * 3600.0  # the officer is reminded for one shift
POSTPONED_SECONDS = 600.0  # after "later"

# What a press has settled for good, and what alone changes without an entry on the timeline.
SETTLED = frozenset(
    {"id", "code", "press_key", "agency_id", "program_id", "tablet_id"}
    | {"seq", "pressed_at", "test", "version"}
)
UNTOLD = frozenset({"deadline_at"})
PRESSED = (  # columns that a press fills in
    *("id", "version", "pressed_at", "code", "press_key", "agency_id", "provider_id"),
    *("program_id", "tablet_id", "shift_id", "officer_id", "voice_only", "test", "priority"),
    "node_id",
)


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session, as stored."""

    id: str
    code: str
    press_key: str
    agency_id: str
    provider_id: str
    program_id: str
    tablet_id: str
    shift_id: str | None
    officer_id: str | None
    state: str
    phase: str
    epoch: int
    version: int
    seq: int
    priority: int
    level: int
    lead_id: str | None
    voice_only: bool
    intake: tuple[str, ...]
    deadline_at: float | None
    close_reason: str | None
    test: bool
    pressed_at: float
    alerted_at: float | None
    accepted_at: float | None
    media_at: float | None
    handed_over_at: float | None
    handed_back_at: float | None
    recommended_at: float | None
    acknowledged_at: float | None
    ended_at: float | None
    closed_at: float | None
    disposition_at: float | None
    requeued_at: float | None
    brief_seconds: float
    handed_over_seconds: float
    debrief_seconds: float
    phase_since: float | None
    recommended_disposition: str | None
    actual_disposition: str | None
    difference_reason: str | None
    node_id: str | None = None  # the process that looks after it; None: nobody yet
    place_county: str | None = None  # as the officer said; None: the agency's own
    place_state: str | None = None
    language: str | None = None
    saver: bool = False  # at most still pictures, both ways
    held_at: float | None = None  # since when the tablet is on hold
    otherwise: str | None = None  # what the officer would have done, said before the call
    flags: int = 0  # bits: records.flags
    opioid: str = "unknown"
    wellness: bool = False  # the officer called for themselves
    funding: str = "unknown"  # who pays, as the agency's was at the press
    body_camera: str | None = None  # on | off | muted, as the officer said
    erased_at: float | None = None  # its time was over: numbers alone are left


@dataclass(frozen=True, slots=True)
class NewSession:
    """What a press knows."""

    code: str
    press_key: str
    agency_id: str
    provider_id: str
    program_id: str
    tablet_id: str
    shift_id: str | None
    officer_id: str | None
    voice_only: bool = False
    test: bool = False
    priority: int = 5
    node_id: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One entry for the timeline; `data` holds codes, ids and numbers only."""

    kind: str
    actor_kind: str
    actor_id: str | None
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TimelineRow:
    no: int
    at: float
    kind: str
    actor_kind: str
    actor_id: str | None
    data: Mapping[str, Any]


_NAMES = tuple(field.name for field in fields(SessionRow))
_INTAKE = _NAMES.index("intake")


def row_of(row: Row[Any]) -> SessionRow:
    """A result row of `select(session)` as a SessionRow."""
    values = values_of(row, _NAMES)
    values[_INTAKE] = tuple(json.loads(values[_INTAKE]))
    return SessionRow(*values)


# What a press, a ring and an answer ask is made once, not each time: somebody waits for it, and
# making a statement takes longer than carrying it out.
PRESS = (
    insert(session)
    .values(
        state="waiting",
        seq=select(func.coalesce(func.max(session.c.seq), 0)).scalar_subquery() + 1,
        funding=func.coalesce(
            select(coverage.c.funding)
            .where(coverage.c.agency_id == bindparam("agency_id"))
            .scalar_subquery(),
            "unknown",
        ),
        **{name: bindparam(name) for name in PRESSED},
    )
    .returning(session)
)
_PRESSED_BEFORE = select(session).where(
    or_(
        session.c.press_key == bindparam("key"),
        and_(session.c.tablet_id == bindparam("tablet"), LIVE),
    )
)
_EVENTS = insert(timeline)
_BY_ID = select(session).where(session.c.id == bindparam("id"))
_BY_ID_HELD = _BY_ID.with_for_update(key_share=True)
_BY_TABLET = select(session).where(session.c.tablet_id == bindparam("tablet"), LIVE)
_OPEN = select(session).where(OPEN).order_by(session.c.seq)
_AS_HELD = tuple_(session.c.id, session.c.version).in_(bindparam("as_held", expanding=True))
_MANY = bindparam("many", type_=Integer)
_TOLD = update(session).where(_AS_HELD).values(version=session.c.version + _MANY).returning(session)
_RAISED = (
    update(session)
    .where(_AS_HELD)
    .values(version=session.c.version + _MANY, level=session.c.level + _MANY)
    .returning(session)
)
_OPEN_BY_STATE = select(session.c.state, func.count()).where(OPEN).group_by(session.c.state)
_LOCK = select(session.c.id).where(session.c.id == bindparam("id")).with_for_update(key_share=True)
_HELD = (
    select(session)
    .where(session.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(session.c.id)
    .with_for_update(key_share=True)
)


async def create(
    conn: AsyncConnection, new: NewSession, now: float, *, session_id: str = ""
) -> tuple[SessionRow, bool]:
    """Make a session durable, at the end of the line; whether it is new.

    The same press_key gives the same session again. Raises OpenSessionExists when this tablet has
    another one that is open, BadInput for ids that nobody has.
    """
    if conn.dialect.name == "postgresql":
        # Presses one after another: each gets its own place in line, and none is refused for it.
        await conn.execute(select(func.pg_advisory_xact_lock(PRESS_LOCK)))
    known = await _pressed_before(conn, new)
    if known is not None:
        return known, False
    made = partial(insert_new, new=new, now=now, session_id=session_id or new_id("ses"))
    return await together(conn, made), True


def insert_new(
    conn: Connection, new: NewSession, now: float, session_id: str, also: Sequence[Event] = ()
) -> SessionRow:
    """The session of a press, and how its timeline begins; `also`: what follows in that moment.

    Looks for nothing: raises StaleSession where this press has made one, or the tablet has another
    that is open, and BadInput for ids that nobody has.
    """
    try:
        made = conn.execute(PRESS, press_values(new, session_id, also, now)).one()
        _add_events(conn, session_id, 0, [pressed(new), *also], now)
    except IntegrityError as error:
        raise (StaleSession if already_there(error) else BadInput) from error
    return row_of(made)


def press_values(
    new: NewSession, session_id: str, also: Sequence[Event], now: float
) -> dict[str, object]:
    """What `PRESS` binds."""
    return {
        "id": session_id,
        "version": 1 + len(also),
        "pressed_at": now,
        "code": new.code,
        "press_key": new.press_key,
        "agency_id": new.agency_id,
        "provider_id": new.provider_id,
        "program_id": new.program_id,
        "tablet_id": new.tablet_id,
        "shift_id": new.shift_id,
        "officer_id": new.officer_id,
        "voice_only": new.voice_only,
        "test": new.test,
        "priority": new.priority,
        "node_id": new.node_id,
    }


def pressed(new: NewSession) -> Event:
    """What every timeline begins with."""
    return Event("session.pressed", "officer", new.officer_id, {"tablet": new.tablet_id})


async def _pressed_before(conn: AsyncConnection, new: NewSession) -> SessionRow | None:
    """What this very press has made already. Raises OpenSessionExists for another open session."""
    found = await conn.execute(_PRESSED_BEFORE, {"key": new.press_key, "tablet": new.tablet_id})
    rows = [row_of(row) for row in found]
    for row in rows:
        if row.press_key == new.press_key:
            return row
    if rows:
        raise OpenSessionExists(rows[0].id)
    return None


async def get(conn: AsyncConnection, session_id: str) -> SessionRow | None:
    return await _one(conn, _BY_ID, {"id": session_id})


async def lock(conn: AsyncConnection, session_id: str) -> None:
    """Hold a session until this transaction ends, before touching the rows that hang on it.

    With one order for everybody (session, then offers and records, the audit trail last) PostgreSQL
    finds no deadlock; SQLite has one writer anyway.
    """
    await conn.execute(_LOCK, {"id": session_id})


async def get_held(conn: AsyncConnection, session_id: str) -> SessionRow | None:
    """`lock` and `get` in one."""
    return await _one(conn, _BY_ID_HELD, {"id": session_id})


async def hold(conn: AsyncConnection, session_ids: Collection[str]) -> dict[str, SessionRow]:
    """`lock` several at once, always in the same order, and read them."""
    rows = await conn.execute(_HELD, {"ids": sorted(session_ids)})
    return {row.id: row_of(row) for row in rows}


async def by_tablet(conn: AsyncConnection, tablet_id: str) -> SessionRow | None:
    """The tablet's open session, from the press until the call's end."""
    return await _one(conn, _BY_TABLET, {"tablet": tablet_id})


async def by_code(conn: AsyncConnection, provider_id: str, code: str) -> SessionRow | None:
    """A provider's newest session with this spoken code."""
    mine = select(session).where(session.c.code == code, session.c.provider_id == provider_id)
    return await _one(conn, mine.order_by(session.c.pressed_at.desc()).limit(1), {})


async def owed(conn: AsyncConnection, tablet_id: str, now: float) -> SessionRow | None:
    """The tablet's newest answered call whose actual disposition is still missing.

    None while the officer has asked to be reminded later, and after one shift.
    """
    found = await _one(
        conn,
        select(session)
        .where(
            session.c.tablet_id == tablet_id,
            session.c.state.in_(("wrap_up", "closed")),
            session.c.media_at.is_not(None),
            session.c.ended_at > now - OWED_SECONDS,
            session.c.test.is_(False),
        )
        .order_by(session.c.ended_at.desc())
        .limit(1),
    )
    if found is None or found.actual_disposition is not None:
        return None
    later = (
        await conn.execute(
            select(func.max(timeline.c.at)).where(
                timeline.c.session_id == found.id, timeline.c.kind == "disposition.postponed"
            )
        )
    ).scalar()
    if later is not None and later > now - POSTPONED_SECONDS:
        return None
    return found


async def open_sessions(conn: AsyncConnection) -> list[SessionRow]:
    """All sessions that are not closed, oldest place in line first."""
    return [row_of(row) for row in await conn.execute(_OPEN)]


async def open_by_state(conn: AsyncConnection) -> dict[str, int]:
    """How many sessions are not closed, by their state; states without any are left out."""
    return {row[0]: row[1] for row in await conn.execute(_OPEN_BY_STATE)}


async def led_by(conn: AsyncConnection, person_id: str) -> SessionRow | None:
    """The session that a clinician leads now; else the oldest one whose wrap-up they owe."""
    led = await _one(
        conn,
        select(session).where(session.c.lead_id == person_id, LED),
    )
    if led is not None:
        return led
    return await _one(
        conn,
        select(session)
        .where(session.c.lead_id == person_id, WRAP_UP)
        .order_by(session.c.ended_at)
        .limit(1),
    )


async def apply(
    conn: AsyncConnection,
    before: SessionRow,
    changes: Mapping[str, object],
    events: Sequence[Event],
    now: float,
) -> SessionRow:
    """Change a session that is still as `before` says, and write the events with it.

    Raises StaleSession when somebody was faster, Busy when the clinician leads another session,
    BadInput for a change that no session may see. All undo the transaction.
    """
    _refuse_the_impossible(before, changes, events)
    values = dict(changes)
    if "intake" in values:
        values["intake"] = json.dumps(list(values["intake"]))  # type: ignore[call-overload]
    values["version"] = before.version + len(events)
    statement = (
        update(session)
        .where(
            and_(
                session.c.id == before.id,
                session.c.version == before.version,
                session.c.epoch == before.epoch,
                session.c.state == before.state,
            )
        )
        .values(values)
        .returning(session)
    )
    row = await together(conn, lambda sync: _changed(sync, statement, before, events, now))
    if {"lead_id", "state"} & changes.keys():
        await parties.follow(conn, before, row, now)
    if row.state == "closed" and before.state != "closed":
        await facts.closed(conn, row.id)
    return row


def _changed(
    conn: Connection,
    statement: ReturningUpdate[Any],
    before: SessionRow,
    events: Sequence[Event],
    now: float,
) -> SessionRow:
    try:
        after = conn.execute(statement).one_or_none()
        if after is None:
            raise StaleSession
        _add_events(conn, before.id, before.version, events, now)
    except IntegrityError as error:
        if by_index(error, "one_session_per_leader", "session.lead_id"):
            raise Busy from error
        raise (StaleSession if already_there(error) else BadInput) from error
    return row_of(after)


async def apply_alike(
    conn: AsyncConnection,
    held: Mapping[str, SessionRow],
    events: Mapping[str, Sequence[Event]],
    now: float,
    *,
    steps_up: bool = False,
) -> list[SessionRow]:
    """Write events of several sessions, and nothing else of them; but with `steps_up` each event is
    one step of escalation, and the level grows by it. All that moves a session is `apply`'s.

    `held`: the sessions by id, as `hold` gave them in this transaction; `events`: of each that
    changes, at least one. Raises StaleSession when one is not as it was held, which undoes the
    transaction.
    """
    if not events:
        return []
    alike: dict[int, list[str]] = {}
    for session_id, own in events.items():
        alike.setdefault(len(own), []).append(session_id)
    after: dict[str, SessionRow] = {}
    statement = _RAISED if steps_up else _TOLD
    for many, ids in alike.items():
        values = {"as_held": [(one, held[one].version) for one in ids], "many": many}
        after |= {row.id: row_of(row) for row in await conn.execute(statement, values)}
    if after.keys() != events.keys():
        raise StaleSession
    told = [(one, held[one].version, own) for one, own in events.items()]
    await _add_all_events(conn, told, now)
    return [after[one] for one in events]


def _refuse_the_impossible(
    before: SessionRow, changes: Mapping[str, object], events: Sequence[Event]
) -> None:
    epoch = changes.get("epoch", before.epoch)
    if SETTLED & changes.keys():
        raise BadInput("What the press settled does not change.")
    if before.state == "closed" and changes.get("state", "closed") != "closed":
        raise BadInput("A closed session stays closed.")
    if not isinstance(epoch, int) or epoch < before.epoch:
        raise BadInput("An epoch only grows.")
    if changes.keys() - UNTOLD and not events:
        raise BadInput("A change of a session needs its entry on the timeline.")


async def timeline_of(conn: AsyncConnection, session_id: str) -> list[TimelineRow]:
    """A session's events, in order."""
    rows = await conn.execute(
        select(timeline).where(timeline.c.session_id == session_id).order_by(timeline.c.no)
    )
    return [
        TimelineRow(r.no, r.at, r.kind, r.actor_kind, r.actor_id, json.loads(r.data)) for r in rows
    ]


async def event_data(conn: AsyncConnection, session_id: str, no: int) -> Mapping[str, Any]:
    """What one event holds; nothing for one that is not there."""
    wanted = select(timeline.c.data).where(timeline.c.session_id == session_id, timeline.c.no == no)
    data = (await conn.execute(wanted)).scalar()
    found: Mapping[str, Any] = {} if data is None else json.loads(data)
    return found


async def last_told(
    conn: AsyncConnection, session_ids: Collection[str], kinds: Collection[str]
) -> dict[str, Mapping[str, Any]]:
    """What the newest event of these kinds holds, of each session that has one."""
    newest = (
        select(timeline.c.session_id, func.max(timeline.c.no).label("no"))
        .where(timeline.c.session_id.in_(session_ids), timeline.c.kind.in_(kinds))
        .group_by(timeline.c.session_id)
        .subquery()
    )
    rows = await conn.execute(
        select(timeline.c.session_id, timeline.c.data).join(
            newest,
            and_(timeline.c.session_id == newest.c.session_id, timeline.c.no == newest.c.no),
        )
    )
    return {row.session_id: json.loads(row.data) for row in rows}


async def requeued_for(conn: AsyncConnection, session_id: str) -> str | None:
    """Why a session came back to the line the last time."""
    data = (
        await conn.execute(
            select(timeline.c.data)
            .where(timeline.c.session_id == session_id, timeline.c.kind == "session.requeued")
            .order_by(timeline.c.no.desc())
            .limit(1)
        )
    ).scalar()
    return None if data is None else str(json.loads(data).get("reason"))


async def relaxed_before(conn: AsyncConnection, session_id: str) -> frozenset[str]:
    """The steps of the widening search that are on the timeline already."""
    rows = await conn.execute(
        select(timeline.c.data).where(
            timeline.c.session_id == session_id, timeline.c.kind == "queue.relaxed"
        )
    )
    return frozenset(json.loads(data).get("widened", "") for data in rows.scalars())


async def idle_since(conn: AsyncConnection, since: float) -> dict[str, float]:
    """Clinician to when their last work ended, of sessions pressed after `since`."""
    ended = func.max(func.coalesce(session.c.closed_at, session.c.ended_at, session.c.pressed_at))
    rows = await conn.execute(
        select(session.c.lead_id, ended.label("ended"))
        .where(session.c.pressed_at > since, session.c.lead_id.is_not(None))
        .group_by(session.c.lead_id)
    )
    return {row.lead_id: row.ended for row in rows}


def _add_events(
    conn: Connection, session_id: str, last: int, events: Sequence[Event], now: float
) -> None:
    if events:
        conn.execute(_EVENTS, entries(session_id, last, events, now))


def entries(
    session_id: str, last: int, events: Sequence[Event], now: float
) -> list[dict[str, object]]:
    """Rows of the timeline, after the one with the number `last`."""
    return [
        {
            "session_id": session_id,
            "no": last + number,
            "at": now,
            "kind": event.kind,
            "actor_kind": event.actor_kind,
            "actor_id": event.actor_id,
            "data": json.dumps(dict(event.data), separators=(",", ":")),
        }
        for number, event in enumerate(events, start=1)
    ]


async def _add_all_events(
    conn: AsyncConnection, told: Iterable[tuple[str, int, Sequence[Event]]], now: float
) -> None:
    """Of each session: its id, its last number so far, and what comes after that."""
    try:
        await conn.execute(
            _EVENTS,
            [entry for one in told for entry in entries(*one, now)],
        )
    except IntegrityError as error:
        raise (StaleSession if already_there(error) else BadInput) from error


async def _one(
    conn: AsyncConnection, statement: Select[Any], values: Mapping[str, object] | None = None
) -> SessionRow | None:
    row = (await conn.execute(statement, values)).first()
    return row_of(row) if row is not None else None
