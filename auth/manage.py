"""Guarded changes of people and tablets; each is on record, allowed or refused.

Changes here are rare and never part of a call: when the audit fails, so does the change.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit, locks, own_words, passwords, signin, tablets
from auth.actors import Actor
from auth.errors import AuthError, Forbidden, NoSuchRecord
from auth.policy import RULES, Action, Target, allows, roles_of
from records import schema, tablet_reports
from records.engine import Database
from records.schema_tablets import tablet_report
from records.tablet_reports import Report

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class TabletRecord:
    """A tablet in the list of tablets. Times are UTC epoch seconds."""

    id: str
    label: str
    agency: str
    enrolled_at: float | None
    last_seen_at: float | None
    revoked_at: float | None
    officer: str | None  # on shift now
    has_key: bool = False
    key_bound_at: float | None = None
    key_bound_by: str | None = None  # enrolment, first_use, pin
    key_refused_at: float | None = None  # a device without the key showed this tablet's cookie
    report: Report | None = None


@dataclass(frozen=True, slots=True)
class LockedPerson:
    """A person whose sign-in and PIN wait for an administrator."""

    id: str
    name: str
    locked_at: float


async def list_tablets(db: Database, actor: Actor, now: float) -> list[TabletRecord]:
    """The tablets within the actor's scope, by agency and label. Raises Forbidden, AuditFailed."""
    await may_list(db, actor, Action.TABLET_READ, "tablet", now)
    tablet, agency, coverage = schema.tablet, schema.agency, schema.coverage
    shift, person = schema.shift, schema.person
    joined = (
        tablet.join(agency, agency.c.id == tablet.c.agency_id)
        .outerjoin(coverage, coverage.c.agency_id == tablet.c.agency_id)
        .outerjoin(shift, (shift.c.tablet_id == tablet.c.id) & shift.c.ended_at.is_(None))
        .outerjoin(person, person.c.id == shift.c.person_id)
        .outerjoin(tablet_report, tablet_report.c.tablet_id == tablet.c.id)
    )
    columns: tuple[Any, ...] = (
        tablet,
        *(column for column in tablet_report.c if column.name != "tablet_id"),
        agency.c.name.label("agency"),
        coverage.c.provider_id,
        coverage.c.program_id,
        person.c.name.label("officer"),
    )
    query = (
        select(*columns).select_from(joined).order_by(agency.c.name, tablet.c.label, tablet.c.id)
    )
    async with db.read() as conn:
        rows = (await conn.execute(query)).all()
    return [
        TabletRecord(
            row.id,
            row.label,
            row.agency,
            row.enrolled_at,
            row.last_seen_at,
            row.revoked_at,
            row.officer,
            row.device_key is not None,
            row.key_bound_at,
            row.key_bound_by,
            row.key_refused_at,
            tablet_reports.of_row(row),
        )
        for row in rows
        if allows(
            actor,
            Action.TABLET_READ,
            Target(row.agency_id, row.provider_id, row.program_id, tablet_id=row.id),
        )
    ]


async def make_code(db: Database, actor: Actor, tablet_id: str, now: float) -> str:
    """A set-up code for a tablet, valid for an hour.

    Raises Forbidden, NoSuchRecord, AuditFailed.
    """
    return await change(
        db,
        actor,
        Action.TABLET_MANAGE,
        "tablet.make_code",
        ("tablet", tablet_id),
        now,
        lambda conn: tablets.make_enrolment(conn, tablet_id, now),
    )


async def revoke_tablet(db: Database, actor: Actor, tablet_id: str, now: float) -> None:
    """End a tablet's enrolment at once. Raises Forbidden, NoSuchRecord, AuditFailed."""
    await change(
        db,
        actor,
        Action.TABLET_MANAGE,
        "tablet.revoke",
        ("tablet", tablet_id),
        now,
        lambda conn: tablets.revoke_tablet(conn, tablet_id, now),
    )


async def list_locked(db: Database, actor: Actor, now: float) -> list[LockedPerson]:
    """The locked people whom the actor may release, the longest locked first.

    Raises Forbidden, AuditFailed.
    """
    await may_list(db, actor, Action.PERSON_MANAGE, "person", now)
    person = schema.person
    query = select(person).where(person.c.locked_at.is_not(None)).order_by(person.c.locked_at)
    async with db.read() as conn:
        rows = (await conn.execute(query)).all()
        return [
            LockedPerson(row.id, row.name, row.locked_at)
            for row in rows
            if allows(
                actor, Action.PERSON_MANAGE, await _target(conn, "person", row.id) or Target()
            )
        ]


async def release_lock(db: Database, actor: Actor, person_id: str, now: float) -> None:
    """Open a person's lock (password and PIN). Raises Forbidden, NoSuchRecord, AuditFailed."""
    await change(
        db,
        actor,
        Action.PERSON_MANAGE,
        "person.release_lock",
        ("person", person_id),
        now,
        lambda conn: locks.release(conn, person_id),
    )


async def close_account(db: Database, actor: Actor, person_id: str, now: float) -> None:
    """End a person's access at once: every sign-in, and the right to make new ones.

    A session that they lead goes on until they hang up or are lost. Raises Forbidden, NoSuchRecord,
    AuditFailed.
    """

    async def work(conn: AsyncConnection) -> None:
        person = schema.person
        await conn.execute(update(person).where(person.c.id == person_id).values(active=False))
        await signin.end_logins(conn, person_id, now)

    target = ("person", person_id)
    await change(db, actor, Action.PERSON_MANAGE, "person.close", target, now, work)


async def set_password(
    db: Database, actor: Actor, person_id: str, password: str, now: float
) -> None:
    """Give a person a new password and end their sign-ins.

    Raises WeakPassword, Forbidden, NoSuchRecord, AuditFailed, TooBusy.
    """
    async with db.read() as conn:
        own = await own_words.of_person(conn, person_id)
    passwords.check_new_password(password, *own)
    stored = await passwords.hash_secret(password)

    async def work(conn: AsyncConnection) -> None:
        person = schema.person
        await conn.execute(
            update(person).where(person.c.id == person_id).values(password_hash=stored)
        )
        await signin.end_logins(conn, person_id, now)

    target = ("person", person_id)
    await change(db, actor, Action.PERSON_MANAGE, "person.set_password", target, now, work)


async def set_pin(db: Database, actor: Actor, person_id: str, pin: str, now: float) -> None:
    """Give an officer a new PIN. Raises WeakPin, Forbidden, NoSuchRecord, AuditFailed, TooBusy."""
    passwords.check_new_pin(pin)
    stored = await passwords.hash_secret(pin)

    async def work(conn: AsyncConnection) -> None:
        person = schema.person
        await conn.execute(update(person).where(person.c.id == person_id).values(pin_hash=stored))

    target = ("person", person_id)
    await change(db, actor, Action.PERSON_MANAGE, "person.set_pin", target, now, work)


# --- inside ---------------------------------------------------------------------------------------


async def may_list(db: Database, actor: Actor, action: Action, kind: str, now: float) -> None:
    if not roles_of(actor) & set(RULES[action]):
        await db.write(lambda conn: audit.record(conn, actor, action, kind, None, "refused", now))
        raise Forbidden


async def change(
    db: Database,
    actor: Actor,
    action: Action,
    recorded_as: str,
    aimed_at: tuple[str, str],
    now: float,
    work: Callable[[AsyncConnection], Awaitable[T]],
) -> T:
    """Permission, the change and its audit entry in one transaction; a refusal is on record too."""
    kind, object_id = aimed_at

    async def guarded(conn: AsyncConnection) -> tuple[AuthError | None, T | None]:
        target = await _target(conn, kind, object_id)
        if target is None or not allows(actor, action, target):
            known = object_id if target else None
            await audit.record(conn, actor, recorded_as, kind, known, "refused", now)
            could = roles_of(actor) & set(RULES[action])
            return (NoSuchRecord() if could else Forbidden()), None
        done = await work(conn)
        await audit.record(conn, actor, recorded_as, kind, object_id, "allowed", now)
        return None, done

    refusal, done = await db.write(guarded)
    if refusal is not None:
        raise refusal
    return done  # type: ignore[return-value]  # with no refusal it is what `work` gave


async def _target(conn: AsyncConnection, kind: str, object_id: str) -> Target | None:
    """A tablet or a person as the policy sees it; None for an unknown one."""
    coverage, tablet, person = schema.coverage, schema.tablet, schema.person
    if kind == "tablet":
        found = await conn.execute(
            select(tablet.c.agency_id, coverage.c.provider_id, coverage.c.program_id)
            .select_from(tablet.outerjoin(coverage, coverage.c.agency_id == tablet.c.agency_id))
            .where(tablet.c.id == object_id)
        )
    else:
        found = await conn.execute(
            select(person.c.agency_id, person.c.provider_id, person.c.program_id).where(
                person.c.id == object_id
            )
        )
    row = found.first()
    if row is None:
        return None
    tablet_id = object_id if kind == "tablet" else None
    return Target(row.agency_id, row.provider_id, row.program_id, tablet_id=tablet_id)
