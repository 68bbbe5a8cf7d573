"""Guarded changes of the ways in which people are alerted, and of a provider's escalation steps.

Everybody keeps their own ways; nobody, whatever their role, is shown somebody else's numbers or
addresses: a supervisor reads how many there are, and whether they work.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from auth.actors import Actor
from auth.errors import AuthError, Forbidden, NoSuchRecord
from auth.policy import RULES, Action, Target, allows, require, roles_of
from records import contacts, directory, escalations, pages
from records.contacts import NewWay, Way
from records.crypto import Vault
from records.directory import Directory, Person
from records.engine import Database
from records.escalations import StepRow
from records.pages import PageRow

T = TypeVar("T")

TOLD_SECONDS = 30 * 86400.0  # so long the owner reads that a way has ended by itself
ALERTED = frozenset({"clinician", "supervisor", "manager"})


@dataclass(frozen=True, slots=True)
class OwnWay:
    """One of a person's own ways. `hint` is enough to tell it from the others, and no more."""

    way: Way
    hint: str
    test: PageRow | None  # the newest


@dataclass(frozen=True, slots=True)
class Reachable:
    """How somebody can be reached: the number of ways, and when one was last seen to work."""

    id: str
    name: str
    roles: tuple[str, ...]
    ways: int
    verified_at: float | None


async def own_ways(
    db: Database, vault: Vault, actor: Actor, now: float
) -> tuple[list[OwnWay], list[Way]]:
    """The actor's ways in their order, and those that ended by themselves not long ago."""
    require(actor, Action.ALERT_OWN, _self(actor))
    async with db.read() as conn:
        tests = await pages.newest_tests(conn, actor.id)
        mine = [
            OwnWay(way, _hint(way.kind, await contacts.details(conn, vault, way.id) or {}),
                   tests.get(way.id))
            for way in await contacts.ways(conn, [actor.id])
        ]  # fmt: skip
        return mine, await contacts.ended(conn, actor.id, now - TOLD_SECONDS)


async def add(db: Database, vault: Vault, actor: Actor, new: NewWay, now: float) -> Way:
    """Add one of the actor's own ways. Raises Forbidden, BadInput, AuditFailed."""

    async def work(conn: AsyncConnection) -> Way:
        made, _ = await contacts.add(conn, vault, actor.id, new, now)
        return made

    return await _own(db, actor, "alert.add", None, now, work)


async def remove(db: Database, actor: Actor, contact_id: str, now: float) -> None:
    """Remove one of the actor's own ways. Raises Forbidden, NoSuchRecord, AuditFailed."""

    async def work(conn: AsyncConnection) -> None:
        if not await contacts.remove(conn, contact_id, contacts.BY_OWNER, now, owner=actor.id):
            raise NoSuchRecord

    await _own(db, actor, "alert.remove", contact_id, now, work)


async def move_up(db: Database, actor: Actor, contact_id: str, now: float) -> None:
    """One place nearer to the first. Raises Forbidden, NotFound, AuditFailed."""
    await _own(
        db, actor, "alert.move", contact_id, now,
        lambda conn: contacts.move_up(conn, actor.id, contact_id),
    )  # fmt: skip


def may_test(actor: Actor) -> None:
    """Raises Forbidden for somebody who is never alerted."""
    require(actor, Action.ALERT_OWN, _self(actor))


async def reach(
    db: Database, actor: Actor, now: float
) -> tuple[list[Reachable], Mapping[str, str]]:
    """Who in the actor's scope can be reached, and the providers there (id to name).

    Raises Forbidden, AuditFailed.
    """

    async def read(conn: AsyncConnection) -> tuple[list[Reachable], Mapping[str, str]]:
        who = await directory.read(conn)
        people = [one for one in who.people.values() if _reads(actor, one, who)]
        ways: dict[str, list[Way]] = {}
        for way in await contacts.ways(conn, [one.id for one in people]):
            ways.setdefault(way.person_id, []).append(way)
        found = [_reachable(one, ways.get(one.id, [])) for one in people]
        await audit.record(conn, actor, Action.REACH_READ, "alert", None, "allowed", now)
        return sorted(found, key=lambda one: (one.name, one.id)), providers_of(actor, who)

    _could(actor, Action.REACH_READ)
    return await db.write(read)


async def set_steps(
    db: Database, actor: Actor, provider_id: str, steps: Sequence[StepRow], now: float
) -> None:
    """Put these steps in the place of a provider's; they were checked before. None: the default.

    Raises Forbidden, NoSuchRecord, AuditFailed.
    """

    async def work(conn: AsyncConnection) -> AuthError | None:
        who = await directory.read(conn)
        allowed = provider_id in providers_of(actor, who, Action.ESCALATION_SET)
        known = provider_id if provider_id in who.providers else None
        outcome: audit.Outcome = "allowed" if allowed else "refused"
        if allowed:
            await escalations.replace(conn, provider_id, steps)
        await audit.record(conn, actor, Action.ESCALATION_SET, "provider", known, outcome, now)
        return None if allowed else NoSuchRecord()

    _could(actor, Action.ESCALATION_SET)
    refusal = await db.write(work)
    if refusal is not None:
        raise refusal


# --- inside ---------------------------------------------------------------------------------------


async def _own(
    db: Database,
    actor: Actor,
    recorded_as: str,
    contact_id: str | None,
    now: float,
    work: Callable[[AsyncConnection], Awaitable[T]],
) -> T:
    require(actor, Action.ALERT_OWN, _self(actor))

    async def guarded(conn: AsyncConnection) -> T:
        done = await work(conn)
        made = done.id if isinstance(done, Way) else contact_id
        await audit.record(conn, actor, recorded_as, "alert", made, "allowed", now)
        return done

    return await db.write(guarded)


def _self(actor: Actor) -> Target:
    return Target(provider_id=actor.provider_id, program_id=actor.program_id)


def _could(actor: Actor, action: Action) -> None:
    if not roles_of(actor) & set(RULES[action]):
        raise Forbidden


def providers_of(
    actor: Actor, who: Directory, action: Action = Action.REACH_READ
) -> dict[str, str]:
    """The providers for which somebody may do something: id to name."""
    found = {}
    for one in who.providers.values():
        programs = {a.program_id for a in who.agencies.values() if a.provider_id == one.id}
        targets = [Target(provider_id=one.id, program_id=program) for program in programs | {None}]
        if any(allows(actor, action, target) for target in targets):
            found[one.id] = one.name
    return found


def _reads(actor: Actor, person: Person, who: Directory) -> bool:
    if not person.active or not person.roles & ALERTED:
        return False
    if person.provider_id is not None:
        return person.provider_id in providers_of(actor, who)
    return allows(actor, Action.REACH_READ, Target(program_id=person.program_id))


def _reachable(person: Person, ways: Sequence[Way]) -> Reachable:
    return Reachable(
        id=person.id,
        name=person.name,
        roles=tuple(sorted(person.roles & ALERTED)),
        ways=len(ways),
        verified_at=max((w.verified_at for w in ways if w.verified_at is not None), default=None),
    )


def _hint(kind: str, details: Mapping[str, Any]) -> str:
    match kind:
        case "push":
            return str(details.get("label", ""))
        case "sms" | "voice":
            return f"…{str(details.get('to', ''))[-4:]}"
        case "email":
            name, _, host = str(details.get("to", "")).partition("@")
            return f"{name[:1]}…@{host}"
    return str(details.get("url", "")).partition(":")[0]
