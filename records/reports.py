"""Sums over the sessions of a span: days that are over as they were summed up, the rest by rows.

Everything is limited by a Scope that the caller's rights gave. Nothing sealed is opened, and no
single session leaves here: only sums. Both ways go through `records.tally`, so they cannot differ.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from records import tally
from records.catchments import Place
from records.fact_rules import rated
from records.log import Scope, within
from records.schema import (
    followup,
    followup_attempt,
    note_signature,
    offer,
    session,
)
from records.schema_identities import identity
from records.schema_reports import (
    report_block,
    report_block_built,
    report_built,
    report_change,
    report_day,
    session_fact,
)
from records.states import OPEN
from records.tally import DAY, Facts, Seen, Tally, Task

BLOCK_DAYS: Final = 32
# what time alone changes (a follow-up becomes due) may be so late in a report: at a thousand
# sessions a day something turns every minute, and `records.daybook` follows a little sooner
LATE_SECONDS: Final = 1200.0
PIECE_DAYS: Final = 7  # that are counted row by row at once
_MISSED: Final = ("expired", "undelivered")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sessions: pressed in [since, until), of these agencies or of all in scope, at a place.

    `at_home`: the agencies whose own county the place is; their sessions do not name it.
    """

    scope: Scope
    since: float
    until: float
    agencies: frozenset[str] | None = None
    place: Place | None = None
    at_home: frozenset[str] = frozenset()
    funding: str | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """What a day's sessions are told apart by; the columns of `report_day`."""

    program_id: str
    provider_id: str
    agency_id: str
    place_state: str
    place_county: str
    funding: str
    wellness: bool


async def total(conn: AsyncConnection, wanted: Wanted, now: float) -> Tally:
    """The sums of all that is wanted, as it stands at `now`. Call `steady` before."""
    first, last = -int(-wanted.since // DAY), int(wanted.until // DAY)  # whole days in between
    fresh = await fresh_days(conn, first, last, now) if first < last else {}
    found = await _summed(conn, wanted, fresh) if fresh else Tally()
    oldest = await conn.scalar(select(func.min(session.c.pressed_at)))
    begin = max(wanted.since, wanted.until if oldest is None else oldest)
    for since, until in _pieces(begin, wanted.until, fresh):
        conditions = [*_conditions(wanted), session.c.state == "closed", *_pressed(since, until)]
        found.merge(await _counted(await seen(conn, conditions), now))
    still_open = [
        *_conditions(wanted),
        OPEN,
        *_pressed(wanted.since, wanted.until),
    ]
    found.merge(await _counted(await seen(conn, still_open), now))
    return found


def _pressed(since: float, until: float) -> list[ColumnElement[bool]]:
    return [session.c.pressed_at >= since, session.c.pressed_at < until]


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    return [session.c.test.is_(False), *_chosen(wanted, session)]


def _chosen(wanted: Wanted, table: Table) -> list[ColumnElement[bool]]:
    """The same choice among sessions, and among what is summed up of them."""
    columns = table.c
    conditions = [within(wanted.scope, table)]
    if wanted.agencies is not None:
        conditions.append(columns.agency_id.in_(wanted.agencies))
    if wanted.funding is not None:
        conditions.append(columns.funding == wanted.funding)
    if wanted.place is not None:
        named = and_(
            columns.place_state == wanted.place.state, columns.place_county == wanted.place.county
        )
        unnamed = func.coalesce(columns.place_county, "") == ""
        conditions.append(or_(named, and_(unnamed, columns.agency_id.in_(wanted.at_home))))
    return conditions


async def fresh_days(conn: AsyncConnection, first: int, last: int, now: float) -> dict[int, int]:
    """The days from `first` to before `last` whose sums are right, and how often they were made."""
    changed = select(report_change.c.id).where(report_change.c.day == report_built.c.day)
    rows = await conn.execute(
        select(report_built.c.day, report_built.c.builds).where(
            report_built.c.day >= first,
            report_built.c.day < last,
            report_built.c.rules == tally.RULES,
            or_(report_built.c.turns_at.is_(None), report_built.c.turns_at > now - LATE_SECONDS),
            ~changed.exists(),
        )
    )
    return {row.day: row.builds for row in rows}


def stamps(fresh: Mapping[int, int]) -> dict[int, int]:
    """Blocks all of whose days are fresh; a number that changes with each of their sums."""
    days, found = Counter[int](), Counter[int]()
    for day, builds in fresh.items():
        days[day // BLOCK_DAYS] += 1
        found[day // BLOCK_DAYS] += builds
    return {block: stamp for block, stamp in found.items() if days[block] == BLOCK_DAYS}


async def _summed(conn: AsyncConnection, wanted: Wanted, fresh: Mapping[int, int]) -> Tally:
    """The sums of fresh days: by blocks where there are right ones, else day by day."""
    rows = await conn.execute(
        select(report_block_built.c.block, report_block_built.c.stamp).where(
            report_block_built.c.rules == tally.RULES
        )
    )
    right = stamps(fresh).items() & {(block, stamp) for block, stamp in rows}
    blocks = [block for block, _ in right]
    bodies = []
    if blocks:
        found = await conn.execute(
            select(report_block.c.body).where(
                report_block.c.block.in_(blocks), *_chosen(wanted, report_block)
            )
        )
        bodies += list(found.scalars())
    days = sorted(day for day in fresh if day // BLOCK_DAYS not in set(blocks))
    for first, last in _runs(days):
        found = await conn.execute(
            select(report_day.c.body).where(
                report_day.c.day >= first, report_day.c.day <= last, *_chosen(wanted, report_day)
            )
        )
        bodies += list(found.scalars())
    return await asyncio.to_thread(tally.added, bodies)


def _runs(days: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last of each stretch of days without a gap; `days` in order."""
    for _, run in groupby(enumerate(days), key=lambda pair: pair[1] - pair[0]):
        own = [day for _, day in run]
        yield own[0], own[-1]


async def steady(conn: AsyncConnection) -> None:
    """Let everything that this connection reads from now on be of one moment. SQLite does so."""
    if conn.dialect.name == "postgresql":
        await conn.execution_options(isolation_level="REPEATABLE READ")


def _pieces(since: float, until: float, fresh: Mapping[int, int]) -> Iterator[tuple[float, float]]:
    """What is not summed up, in pieces of a week at most."""
    start: float | None = None
    at = since
    while at < until:
        day = int(at // DAY)
        end = min((day + 1) * DAY, until)
        if day in fresh:
            if start is not None:
                yield start, at
            start = None
        else:
            start = at if start is None else start
            if end - start >= PIECE_DAYS * DAY:
                yield start, end
                start = None
        at = end
    if start is not None:
        yield start, until


async def _counted(rows: Sequence[tuple[Kind, Seen]], now: float) -> Tally:
    def count() -> Tally:
        found = Tally()
        for _, one in rows:
            found.add(one, now)
        return found

    return await asyncio.to_thread(count) if len(rows) > MANY else count()


MANY: Final = 200  # sessions; counting more would hold the loop


# --- row by row -----------------------------------------------------------------------------------

_SESSION = (
    "id", "program_id", "provider_id", "agency_id", "place_state", "place_county", "funding",
    "wellness", "state", "close_reason", "pressed_at", "accepted_at", "media_at", "ended_at",
    "closed_at", "recommended_disposition", "actual_disposition", "otherwise", "flags", "opioid",
)  # fmt: skip
_FACTS = (
    "loss_seconds", "lost_at_end", "failed_setups", "screens_begun", "screens_done", "plan",
    "means", "bars_before", "bars_after", "scene_before", "scene_after", "rules",
)  # fmt: skip

# a person counts who is known by name and birth, or was joined by hand
_KNOWN: Final = or_(identity.c.tag.is_not(None), identity.c.pinned)


async def seen(
    conn: AsyncConnection, conditions: Sequence[ColumnElement[bool]]
) -> list[tuple[Kind, Seen]]:
    """Sessions with all that is counted of them. Tests must be left out by the conditions."""
    rows = await conn.execute(
        select(
            *(session.c[name] for name in _SESSION),
            *(session_fact.c[name] for name in _FACTS),
            note_signature.c.signed_at,
            case((_KNOWN, identity.c.subject_id)).label("subject"),
        )
        .select_from(
            session.outerjoin(session_fact, session_fact.c.session_id == session.c.id)
            .outerjoin(note_signature, note_signature.c.session_id == session.c.id)
            .outerjoin(identity, identity.c.session_id == session.c.id)
        )
        .where(*conditions)
    )
    found: Sequence[Any] = rows.all()
    if not found:
        return []
    tasks = await _tasks(conn, conditions)
    rings = await _rings(conn, conditions)
    return [
        (_kind(row), _seen(row, tasks.get(row.id, ()), rings.get(row.id, (0, 0, 0))))
        for row in found
    ]


def _kind(row: Any) -> Kind:
    return Kind(
        row.program_id, row.provider_id, row.agency_id, row.place_state or "",
        row.place_county or "", row.funding, row.wellness,
    )  # fmt: skip


def _ratings(row: Any) -> tuple[int | None, int | None]:
    return rated((row.bars_before, row.bars_after), (row.scene_before, row.scene_after))


def _seen(row: Any, tasks: Sequence[Task], rings: Sequence[int]) -> Seen:
    facts = None
    if row.rules is not None:
        facts = Facts(
            row.loss_seconds, row.lost_at_end, row.failed_setups, row.screens_begun,
            row.screens_done, row.plan, row.means, *_ratings(row), row.rules,
        )  # fmt: skip
    return Seen(
        state=row.state,
        close_reason=row.close_reason,
        pressed_at=row.pressed_at,
        accepted_at=row.accepted_at,
        media_at=row.media_at,
        ended_at=row.ended_at,
        closed_at=row.closed_at,
        recommended=row.recommended_disposition,
        actual=row.actual_disposition,
        otherwise=row.otherwise,
        flags=row.flags,
        opioid=row.opioid,
        funding=row.funding,
        facts=facts,
        tasks=tasks,
        signed_at=row.signed_at,
        subject=None if row.subject is None else _number(row.subject),
        rings=rings,
    )


def _number(subject_id: str) -> int:
    """64 bits in the place of an id: two of a million persons are one once in ten million."""
    return int.from_bytes(hashlib.blake2b(subject_id.encode(), digest_size=8).digest())


async def _tasks(
    conn: AsyncConnection, conditions: Sequence[ColumnElement[bool]]
) -> dict[str, list[Task]]:
    reached = (
        select(func.min(followup_attempt.c.at))
        .where(
            followup_attempt.c.followup_id == followup.c.id,
            followup_attempt.c.outcome == "reached",
        )
        .scalar_subquery()
    )
    rows = await conn.execute(
        select(
            followup.c.session_id, followup.c.kind, followup.c.status, followup.c.due_at,
            followup.c.closed_at, reached.label("reached_at"),
        )
        .join(session, session.c.id == followup.c.session_id)
        .where(*conditions)
    )  # fmt: skip
    found: dict[str, list[Task]] = {}
    for session_id, *values in rows:
        found.setdefault(session_id, []).append(Task(*values))
    return found


async def _rings(
    conn: AsyncConnection, conditions: Sequence[ColumnElement[bool]]
) -> dict[str, tuple[int, int, int]]:
    def many(state: ColumnElement[bool]) -> ColumnElement[int]:
        return func.count().filter(state)

    rows = await conn.execute(
        select(
            offer.c.session_id,
            many(offer.c.state == "accepted"),
            many(offer.c.state == "declined"),
            many(offer.c.state.in_(_MISSED)),
        )
        .join(session, session.c.id == offer.c.session_id)
        .where(*conditions)
        .group_by(offer.c.session_id)
    )
    return {session_id: (taken, no, missed) for session_id, taken, no, missed in rows}
