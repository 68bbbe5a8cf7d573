"""The audit trail for whoever must look through it each week: counts, what to look at, all of it.

A reader sees what the people and tablets of their own organisation did, and what strangers tried
on them; but nothing of a session in which an officer called for themselves, unless they are of the
provider that led it. Looking is on record too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, func, insert, or_, select, union_all
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from auth.access import audited
from auth.actors import Actor
from auth.errors import Forbidden
from auth.policy import RULES, Action, Target, allows, reach, roles_of
from records import directory, schema
from records.directory import Directory
from records.engine import Database
from records.ids import new_id
from records.refusals import already_there
from records.schema_audit import audit_review
from records.schema_misses import near_miss
from records.schema_openings import opening
from records.schema_parties import guest_link
from records.schema_programs import api_token

PAGE_ROWS: Final = 50
MOST_ROWS: Final = 200
OUTCOMES: Final = ("allowed", "refused", "failed")
# what a reviewer looks at even when it was allowed: it gives out names, or changes who may do what
NOTABLE: Final = (
    "person.", "tablet.", "factor.", "login.copied", "log.export", "record.break_glass",
    "record.export", "record.erase", "retention.", "hold.", "odmap.release", "odmap.hold",
    "odmap.back", "odmap.download", "grant.set", "grant.download", "token.", "tokens.",
    "webhook.add", "webhook.remove", "keys.", "backup.restore", "audit.export",
)  # fmt: skip
# what is done at the server's command line concerns everybody whose record it is
WHOLE: Final = ("database", "audit", "kek", "token_key")
_table = schema.audit
# what hangs on a session and is named by an id of its own
_PARTS: Final = (schema.followup, near_miss, opening, schema.takeaway, guest_link)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the trail. Times are UTC epoch seconds."""

    no: int
    at: float
    actor_kind: str
    actor_id: str | None
    action: str
    object_kind: str
    object_id: str | None
    outcome: str
    place: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to show; None means all. `notable`: refused, failed, or of a kind to look at."""

    since: float
    until: float
    actor_id: str | None = None
    outcome: str | None = None
    object_id: str | None = None
    notable: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """How often something was done, by how it ended."""

    what: str
    allowed: int = 0
    refused: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        return self.allowed + self.refused + self.failed


@dataclass(frozen=True, slots=True)
class Review:
    """Somebody has looked through a week, up to that entry."""

    by: str
    at: float
    up_to: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A week as it is shown."""

    entries: tuple[Entry, ...]
    after: int | None  # the number before which the next page begins; None at the end
    by_action: tuple[Tally, ...]
    by_person: tuple[Tally, ...]  # `what` is the actor's id
    names: Mapping[str, str]  # of people, tablets and tokens that the reader may see
    reviews: tuple[Review, ...]
    newest: int  # number of the newest entry of the week; 0 for none


def week_of(at: float, zone: str) -> date:
    """The Monday of the week in that time zone."""
    day = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone)).date()
    return day - timedelta(days=day.weekday())


def span(monday: date, zone: str) -> tuple[float, float]:
    """The week's first moment and the next one's, UTC epoch seconds."""
    first = datetime.combine(monday, time(), ZoneInfo(zone))
    last = datetime.combine(monday + timedelta(days=7), time(), ZoneInfo(zone))
    return first.timestamp(), last.timestamp()


async def read(
    db: Database, actor: Actor, monday: date, wanted: Wanted, now: float, before: int | None = None
) -> Seen:
    """One page of a week. Raises Forbidden, AuditFailed."""
    who = await _directory(db, actor, now)
    await audited(db, actor, Action.AUDIT_READ, "audit", None, now)
    names, own = known(actor, who) | await _other_programs(db, actor), not_theirs(actor)
    async with db.read() as conn:
        asked = [own, *_conditions(names, wanted), *_before(before)]
        rows = await _page(conn, asked, PAGE_ROWS + 1)
        whole = [own, *_conditions(names, Wanted(wanted.since, wanted.until))]
        by_action, by_person, newest = await _tallies(conn, whole)
        reviews = await _reviews(conn, _scope_id(actor), monday)
    return Seen(
        entries=tuple(rows[:PAGE_ROWS]),
        after=rows[PAGE_ROWS - 1].no if len(rows) > PAGE_ROWS else None,
        by_action=by_action,
        by_person=by_person,
        names=names,
        reviews=reviews,
        newest=newest,
    )


async def export(
    db: Database, actor: Actor, wanted: Wanted, now: float
) -> AsyncIterator[tuple[Entry, str | None]]:
    """Each entry with the name of who did it, oldest last. Raises Forbidden, AuditFailed."""
    who = await _directory(db, actor, now)
    await db.write(
        lambda conn: audit.record(conn, actor, "audit.export", "audit", None, "allowed", now)
    )
    names, own = known(actor, who) | await _other_programs(db, actor), not_theirs(actor)

    async def pieces() -> AsyncIterator[tuple[Entry, str | None]]:
        before: int | None = None
        while True:
            asked = [own, *_conditions(names, wanted), *_before(before)]
            async with db.read() as conn:
                rows = await _page(conn, asked, MOST_ROWS)
            for one in rows:
                yield one, names.get(one.actor_id or "")
            if len(rows) < MOST_ROWS:
                return
            before = rows[-1].no

    return pieces()


async def reviewed(db: Database, actor: Actor, monday: date, up_to: int, now: float) -> None:
    """Say that this week has been looked through. Again is no mistake. Raises Forbidden."""
    await _directory(db, actor, now)

    async def write(conn: AsyncConnection) -> None:
        row = {
            "id": new_id("rev"), "scope_id": _scope_id(actor), "week": monday.isoformat(),
            "reviewed_by": actor.id, "reviewed_at": now, "up_to": up_to,
        }  # fmt: skip
        mine = [audit_review.c[name] == row[name] for name in ("scope_id", "week", "reviewed_by")]
        changed = await conn.execute(
            audit_review.update().where(*mine).values(reviewed_at=now, up_to=up_to)
        )
        if changed.rowcount == 0:
            await conn.execute(insert(audit_review).values(**row))
        await audit.record(conn, actor, "audit.review", "audit", monday.isoformat(), "allowed", now)

    try:
        await db.write(write)
    except IntegrityError as error:
        if not already_there(error):
            raise
        # the same person, twice at once: the first one stands


def known(actor: Actor, who: Directory) -> dict[str, str]:
    """Names of the people and tablets whose doings this reader may see, by id."""
    programs, providers = reach(actor, Action.AUDIT_READ)
    agencies = {
        one.id: one
        for one in who.agencies.values()
        if one.program_id in programs
        or one.provider_id in providers
        or allows(actor, Action.AUDIT_READ, Target(one.id, one.provider_id, one.program_id))
    }
    served = providers | {
        one.provider_id for one in agencies.values() if one.program_id in programs
    }
    people = {
        one.id: one.name
        for one in who.people.values()
        if one.program_id in programs
        or (one.agency_id is not None and one.agency_id in agencies)
        or (one.provider_id is not None and one.provider_id in served)
    }
    tablets = {one.id: one.label for one in who.tablets.values() if one.agency_id in agencies}
    return people | tablets


def not_theirs(actor: Actor) -> ColumnElement[bool]:
    """Without what was done to a session in which an officer called for themselves.

    An entry on a session that is not in the log would tell their employer that there was one.
    """
    _, providers = reach(actor, Action.AUDIT_READ)
    theirs = (
        select(schema.session.c.id)
        .where(
            schema.session.c.wellness.is_(True),
            func.coalesce(schema.session.c.provider_id, "").not_in(sorted(providers)),
        )
        .cte("not_theirs")
    )
    # whatever an entry calls it: ids of all kinds differ by their beginning
    parts = [select(part.c.id).where(part.c.session_id.in_(select(theirs.c.id))) for part in _PARTS]
    hidden = union_all(select(theirs.c.id), *parts)
    return or_(_table.c.object_id.is_(None), _table.c.object_id.not_in(hidden))


# --- inside ---------------------------------------------------------------------------------------


async def _directory(db: Database, actor: Actor, now: float) -> Directory:
    if not roles_of(actor) & RULES[Action.AUDIT_READ].keys():
        await db.write(
            lambda conn: audit.record(conn, actor, Action.AUDIT_READ, "audit", None, "refused", now)
        )
        raise Forbidden
    async with db.read() as conn:
        return await directory.read(conn)


async def _other_programs(db: Database, actor: Actor) -> dict[str, str]:
    """The names of the tokens by which other programs read here, by id."""
    programs, _ = reach(actor, Action.AUDIT_READ)
    theirs = api_token.c.program_id.in_(sorted(programs))
    async with db.read() as conn:
        rows = await conn.execute(select(api_token.c.id, api_token.c.name).where(theirs))
        return {row.id: row.name for row in rows}


def _scope_id(actor: Actor) -> str:
    return actor.program_id or actor.provider_id or actor.agency_id or actor.id


def _conditions(names: Mapping[str, str], wanted: Wanted) -> list[ColumnElement[bool]]:
    ids = sorted(names)
    about = or_(_table.c.object_id.in_(ids), _table.c.object_kind.in_(WHOLE))
    strangers = and_(_table.c.actor_id.is_(None), about)
    found = [
        _table.c.at >= wanted.since,
        _table.c.at < wanted.until,
        or_(_table.c.actor_id.in_(ids), strangers),
    ]
    if wanted.actor_id is not None:
        found.append(_table.c.actor_id == wanted.actor_id)
    if wanted.outcome is not None:
        found.append(_table.c.outcome == wanted.outcome)
    if wanted.object_id is not None:
        found.append(_table.c.object_id == wanted.object_id)
    if wanted.notable:
        kinds = [_table.c.action.like(f"{prefix}%") for prefix in NOTABLE]
        found.append(or_(_table.c.outcome != "allowed", *kinds))
    return found


def _before(no: int | None) -> list[ColumnElement[bool]]:
    return [] if no is None else [_table.c.no < no]


async def _page(
    conn: AsyncConnection, conditions: Sequence[ColumnElement[bool]], limit: int
) -> list[Entry]:
    columns = [_table.c[name] for name in Entry.__dataclass_fields__]
    rows = await conn.execute(
        select(*columns).where(*conditions).order_by(_table.c.no.desc()).limit(limit)
    )
    return [Entry(*row) for row in rows]


async def _tallies(
    conn: AsyncConnection, conditions: Sequence[ColumnElement[bool]]
) -> tuple[tuple[Tally, ...], tuple[Tally, ...], int]:
    """By action, by who did it, and the newest entry's number (0: none), in one reading."""
    columns = (_table.c.action, _table.c.actor_id, _table.c.outcome)
    asked = select(*columns, func.count(), func.max(_table.c.no))
    rows = await conn.execute(asked.where(*conditions).group_by(*columns))
    by_action, by_person = dict[str, Counter[str]](), dict[str, Counter[str]]()
    newest = 0
    for action, actor_id, outcome, count, no in rows:
        newest = max(newest, no)
        by_action.setdefault(action, Counter())[outcome] += count
        by_person.setdefault(actor_id or "", Counter())[outcome] += count
    return _ordered(by_action), _ordered(by_person), newest


def _ordered(counted: Mapping[str, Counter[str]]) -> tuple[Tally, ...]:
    found = [Tally(what, **counts) for what, counts in counted.items()]
    return tuple(sorted(found, key=lambda one: (-one.total, one.what)))


async def _reviews(conn: AsyncConnection, scope_id: str, monday: date) -> tuple[Review, ...]:
    rows = await conn.execute(
        select(schema.person.c.name, audit_review.c.reviewed_at, audit_review.c.up_to)
        .join(schema.person, schema.person.c.id == audit_review.c.reviewed_by)
        .where(audit_review.c.scope_id == scope_id, audit_review.c.week == monday.isoformat())
        .order_by(audit_review.c.reviewed_at)
    )
    return tuple(Review(*row) for row in rows)
