"""Guarded use of the rules of keeping, their preview, and legal holds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from auth.access import record_refusal, scope_of, target_of
from auth.actors import Actor
from auth.errors import Forbidden
from auth.policy import Action, Target, allows, reach
from records import directory, followups, retention, sessions
from records.crypto import Vault
from records.engine import Database
from records.log import Scope
from records.retention import Candidate, RuleRow
from records.retention_rules import Group, Rule

MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class Owner:
    """A program or a provider whose rule the reader may set."""

    id: str
    name: str
    program: bool
    rule: RuleRow | None


@dataclass(frozen=True, slots=True)
class Line:
    """One session of a preview."""

    code: str
    agency: str
    timezone: str
    closed_at: float
    group: Group
    stopped_by: str | None  # hold | followup; None: it would go


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be deleted now: how many, and the first of them, the oldest first."""

    going: dict[Group, int]
    held: int
    owed: int
    keep_numbers: int
    lines: tuple[Line, ...]

    @property
    def total(self) -> int:
        return sum(self.going.values())


async def owners(db: Database, actor: Actor, now: float) -> list[Owner]:
    """Whose rules this person sets. Raises Forbidden."""
    scope = await scope_of(db, actor, Action.RETENTION_SET, now)
    async with db.read() as conn:
        who = await directory.read(conn)
        known = await retention.rules(conn)
        names = await directory.program_names(conn)
    found = [Owner(one, names[one], True, known.get(one)) for one in sorted(scope.programs)]
    return found + [
        Owner(one, who.providers[one].name, False, known.get(one))
        for one in sorted(scope.providers)
    ]


async def save(db: Database, actor: Actor, owner_id: str, rev: int, rule: Rule, now: float) -> None:
    """Set a rule. Raises Forbidden, BadInput, Conflict, AuditFailed."""

    async def work(conn: AsyncConnection) -> None:
        program = owner_id in reach(actor, Action.RETENTION_SET)[0]
        target = Target(program_id=owner_id) if program else Target(provider_id=owner_id)
        if not allows(actor, Action.RETENTION_SET, target):
            raise Forbidden
        await retention.save_rule(conn, owner_id, rev, rule, actor.id, now, program=program)
        await audit.record(conn, actor, Action.RETENTION_SET, "retention", owner_id, "allowed", now)

    await db.write(work)


async def preview(
    db: Database, vault: Vault, actor: Actor, now: float, proposed: dict[str, Rule] | None = None
) -> Preview:
    """What would be deleted, within the reader's reach, if `proposed` rules were saved.

    Raises Forbidden, AuditFailed.
    """
    scope = await scope_of(db, actor, Action.RETENTION_SET, now)
    found = await gathered(db, vault, scope, now, proposed)
    await db.write(
        lambda conn: audit.record(conn, actor, Action.RETENTION_SET, "log", None, "allowed", now)
    )
    return found


async def gathered(
    db: Database, vault: Vault, scope: Scope, now: float, proposed: dict[str, Rule] | None = None
) -> Preview:
    """The preview of a scope, for whoever was asked for their rights."""
    going: Counter[Group] = Counter()
    held = owed = numbers = 0
    lines: list[Line] = []
    async with db.read() as conn:
        who = await directory.read(conn)
        async for one in retention.candidates(conn, vault, now, scope=scope, proposed=proposed):
            if one.goes:
                going[one.group] += 1
                numbers += one.keep_numbers
            else:
                held += one.held
                owed += one.owed and not one.held
            if len(lines) < MOST_LISTED:
                agency = who.agencies[one.row.agency_id]
                lines.append(_line(one, agency.name, agency.timezone))
    return Preview(dict(going), held, owed, numbers, tuple(lines))


def _line(one: Candidate, agency: str, timezone: str) -> Line:
    stopped = "hold" if one.held else "followup" if one.owed else None
    closed = one.row.closed_at or one.row.pressed_at
    return Line(one.row.code, agency, timezone, closed, one.group, stopped)


async def hold(
    db: Database, vault: Vault, actor: Actor, session_id: str, reason: str, now: float
) -> None:
    """Stop a session's deletion. Raises NoSuchRecord, Forbidden, BadInput, AuditFailed."""

    async def work(conn: AsyncConnection) -> bool:
        if not await _may_hold(conn, actor, session_id):
            return False
        await retention.hold(conn, vault, session_id, reason, actor.id, now)
        await audit.record(conn, actor, Action.HOLD_SET, "session", session_id, "allowed", now)
        return True

    if not await db.write(work):
        raise await record_refusal(db, actor, Action.HOLD_SET, "session", session_id, now)


async def lift(db: Database, actor: Actor, session_id: str, hold_id: str, now: float) -> None:
    """End a hold. Raises as `hold`, and NotFound."""

    async def work(conn: AsyncConnection) -> bool:
        if not await _may_hold(conn, actor, session_id):
            return False
        if await retention.lift(conn, session_id, hold_id, actor.id, now):
            await audit.record(conn, actor, Action.HOLD_SET, "session", session_id, "allowed", now)
        return True

    if not await db.write(work):
        raise await record_refusal(db, actor, Action.HOLD_SET, "session", session_id, now)


async def _may_hold(conn: AsyncConnection, actor: Actor, session_id: str) -> bool:
    row = await sessions.get(conn, session_id)
    if row is None or row.erased_at is not None:
        return False
    target = target_of(row, await followups.owners(conn, row.id))
    return allows(actor, Action.HOLD_SET, target)
