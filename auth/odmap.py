"""Guarded review of overdoses for ODMAP: a program's manager decides of each, and releases a file.

Each look, each decision and each download is on record, a release with every session in it. So is
each session of which the doses were read that its officer tapped on the tablet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from auth.access import record_refusal, scope_of, target_of
from auth.actors import Actor
from auth.errors import Forbidden
from auth.policy import Action, Target, allows
from records import assessments, directory, odmap, sessions
from records.crypto import Vault
from records.directory import Directory
from records.doses import Dose, doses_of
from records.engine import Database
from records.errors import Conflict
from records.odmap import Held, Release
from records.odmap_rules import OdmapRow, is_candidate, write
from records.sessions import SessionRow


@dataclass(frozen=True, slots=True)
class Review:
    """What a manager sees: who waits for a decision, who was held back, which files left."""

    waiting: tuple[SessionRow, ...]
    doses: Mapping[str, Sequence[Dose]]  # of naloxone, by session, as its officer tapped them
    more: bool
    held: tuple[Held, ...]
    releases: tuple[Release, ...]
    who: Directory


async def review(
    db: Database,
    vault: Vault,
    actor: Actor,
    since: float,
    until: float,
    agency_id: str | None,
    now: float,
) -> Review:
    """The overdoses of a span. Raises Forbidden, AuditFailed."""
    scope = await scope_of(db, actor, Action.ODMAP_RELEASE, now)
    async with db.read() as conn:
        rows, more = await odmap.waiting(conn, scope, since, until, agency_id)
        who = await directory.read(conn)
        found = Review(
            waiting=tuple(rows),
            doses=await _doses(conn, vault, rows, who),
            more=more,
            held=tuple(await odmap.held(conn, scope, since, until)),
            releases=tuple(await odmap.releases_of(conn, program_of(actor))),
            who=who,
        )

    async def write(conn: AsyncConnection) -> None:
        await audit.record(conn, actor, "odmap.read", "log", None, "allowed", now)
        for session_id in found.doses:
            await audit.record(conn, actor, "odmap.read", "session", session_id, "allowed", now)

    await db.write(write)
    return found


async def _doses(
    conn: AsyncConnection, vault: Vault, rows: Sequence[SessionRow], who: Directory
) -> dict[str, Sequence[Dose]]:
    told = await assessments.doses_told(conn, vault, [row.id for row in rows])
    zones = {row.id: ZoneInfo(who.agencies[row.agency_id].timezone) for row in rows}
    doses = {
        session_id: doses_of(one.answers, zones[session_id], one.updated_at)
        for session_id, one in told.items()
    }
    return {session_id: given for session_id, given in doses.items() if given}


async def waiting(
    db: Database, actor: Actor, ids: list[str], now: float
) -> tuple[dict[str, SessionRow], Directory]:
    """The sessions that a form names and that this manager may decide about; and the directory.

    Raises NoSuchRecord for any other: a form of ours names none.
    """
    async with db.read() as conn:
        found = {}
        for session_id in ids:
            row = await sessions.get(conn, session_id) if len(session_id) <= 40 else None
            if row is not None and is_candidate(row) and _may(actor, row):
                found[session_id] = row
        who = await directory.read(conn)
    missing = next((one for one in ids if one not in found), None)
    if missing is not None:
        raise await record_refusal(db, actor, Action.ODMAP_RELEASE, "session", missing, now)
    return found, who


async def decide(
    db: Database,
    vault: Vault,
    actor: Actor,
    rows: Mapping[str, OdmapRow],
    held: Mapping[str, str],
    now: float,
) -> str | None:
    """Release these rows as one file and hold those back, all or none; the file's id.

    Raises NoSuchRecord, Conflict when somebody decided meanwhile, BadInput, AuditFailed.
    """
    await waiting(db, actor, [*rows, *held], now)

    async def work(conn: AsyncConnection) -> str | None:
        for session_id in (*rows, *held):  # asked again where it is decided
            row = await sessions.get(conn, session_id)
            if row is None or not is_candidate(row) or not _may(actor, row):
                raise Conflict({})
        for session_id, reason in held.items():
            await odmap.hold(conn, session_id, reason, actor.id, now)
        release_id = None
        if rows:
            release_id = await odmap.release(conn, vault, program_of(actor), rows, actor.id, now)
        for session_id in (*rows, *held):
            done = "odmap.hold" if session_id in held else Action.ODMAP_RELEASE
            await audit.record(conn, actor, done, "session", session_id, "allowed", now)
        if release_id is not None:
            await audit.record(
                conn, actor, Action.ODMAP_RELEASE, "odmap", release_id, "allowed", now
            )
        return release_id

    return await db.write(work)


async def put_back(db: Database, actor: Actor, session_id: str, now: float) -> None:
    """Have a session that was held back decided again. Raises NoSuchRecord, Conflict."""
    await waiting(db, actor, [session_id], now)

    async def work(conn: AsyncConnection) -> None:
        if not await odmap.put_back(conn, session_id):
            raise Conflict({})
        await audit.record(conn, actor, "odmap.back", "session", session_id, "allowed", now)

    await db.write(work)


async def file(db: Database, vault: Vault, actor: Actor, release_id: str, now: float) -> str:
    """A file that left, again, letter for letter. Raises Forbidden, NoSuchRecord, AuditFailed."""
    async with db.read() as conn:
        found = await odmap.one_release(conn, release_id) if len(release_id) <= 40 else None
        allowed = found is not None and allows(
            actor, Action.ODMAP_RELEASE, Target(program_id=found.program_id)
        )
        rows = await odmap.rows_of(conn, vault, release_id) if allowed else []
        who = await directory.read(conn)
    if not allowed:
        raise await record_refusal(db, actor, Action.ODMAP_RELEASE, "odmap", release_id, now)
    await db.write(
        lambda conn: audit.record(
            conn, actor, "odmap.download", "odmap", release_id, "allowed", now
        )
    )
    return write((ref, who.agencies[agency].timezone, row) for ref, agency, row in rows)


def program_of(actor: Actor) -> str:
    """The program for which this person releases. Raises Forbidden."""
    if actor.program_id is None:
        raise Forbidden
    return actor.program_id


def _may(actor: Actor, row: SessionRow) -> bool:
    return allows(actor, Action.ODMAP_RELEASE, target_of(row))
