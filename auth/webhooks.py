"""Addresses that are told of a program's events: kept by its manager, on record each time.

The address and the secret by which notices are signed are sealed; the secret is shown once. Whether
a notice may leave is asked of the policy again when it is sent.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from auth.access import record_refusal, target_of
from auth.actors import WEBHOOK, Actor
from auth.errors import BadField, Forbidden, NoSuchRecord
from auth.policy import Action, Target, allows, could
from auth.standing import standing
from records import deliveries, directory, webhooks
from records.crypto import Vault
from records.deliveries import DeliveryRow, Tally
from records.directory import Directory
from records.engine import Database
from records.sessions import SessionRow
from records.webhooks import EVENTS, NewWebhook, WebhookRow

T = TypeVar("T")

LONGEST_NAME = 80
SHOWN = 50  # of an address's notices
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Made:
    """A fresh address; its secret is shown once."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Listed:
    """An address as its program's people read it."""

    row: WebhookRow
    tally: Tally
    owner: str


@dataclass(frozen=True, slots=True)
class OneWebhook:
    """An address's page."""

    row: WebhookRow
    tally: Tally
    owner: str
    notices: tuple[DeliveryRow, ...]


def may_add(actor: Actor) -> bool:
    """Whether this person may have an address told: they must read the log themselves."""
    mine = Target(program_id=actor.program_id)
    return allows(actor, Action.INTEGRATION_MAKE, mine) and allows(actor, Action.LOG_READ, mine)


async def add(
    db: Database,
    vault: Vault,
    actor: Actor,
    name: str,
    place: tuple[str, str],
    events: tuple[str, ...],
    now: float,
) -> Made:
    """Register an address; `place` is its host and all of it, checked by the caller.

    Raises Forbidden, BadField, BadInput, AuditFailed.
    """
    if not may_add(actor) or actor.program_id is None:
        await db.write(
            lambda conn: audit.record(conn, actor, "webhook.add", "webhook", None, "refused", now)
        )
        raise Forbidden
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise BadField("webhook_name")
    if not events or not set(events) <= EVENTS.keys():
        raise BadField("events")
    key = secrets.token_bytes(SECRET_BYTES)
    host, url = place
    new = NewWebhook(actor.program_id, name, host, url, key, events)

    async def work(conn: AsyncConnection) -> str:
        webhook_id = await webhooks.add(conn, vault, new, actor.id, now)
        await audit.record(conn, actor, "webhook.add", "webhook", webhook_id, "allowed", now)
        return webhook_id

    return Made(await db.write(work), f"whsec_{base64.b64encode(key).decode()}")


async def listed(db: Database, actor: Actor) -> list[Listed]:
    """The addresses of the actor's program. Raises Forbidden."""
    if not could(actor, Action.INTEGRATION_MANAGE):
        raise Forbidden
    async with db.read() as conn:
        rows = [one for one in await webhooks.listed(conn) if _mine(actor, one)]
        tallies = await deliveries.tallies(conn, [one.id for one in rows])
        who = await directory.read(conn)
    return [Listed(one, tallies[one.id], _name(who, one.owner_id)) for one in rows]


async def read_one(db: Database, actor: Actor, webhook_id: str, now: float) -> OneWebhook:
    """An address with its newest notices. Raises Forbidden, NoSuchRecord, AuditFailed."""

    async def work(conn: AsyncConnection, row: WebhookRow) -> OneWebhook:
        tally = (await deliveries.tallies(conn, [row.id]))[row.id]
        notices = tuple(await deliveries.newest(conn, row.id, SHOWN))
        owner = _name(await directory.read(conn), row.owner_id)
        return OneWebhook(row, tally, owner, notices)

    return await _guarded(db, actor, webhook_id, "webhook.read", now, work)


async def pause(db: Database, actor: Actor, webhook_id: str, now: float) -> None:
    """Tell it nothing for a while. Raises Forbidden, NoSuchRecord, AuditFailed."""

    async def work(conn: AsyncConnection, row: WebhookRow) -> None:
        await webhooks.pause(conn, row.id, "by_hand", now)

    await _guarded(db, actor, webhook_id, "webhook.pause", now, work)


async def resume(db: Database, actor: Actor, webhook_id: str, now: float) -> None:
    """Go on, from now on by this person's right. Raises as `pause`."""

    if not may_add(actor):
        raise await record_refusal(db, actor, Action.INTEGRATION_MAKE, "webhook", webhook_id, now)

    async def work(conn: AsyncConnection, row: WebhookRow) -> None:
        await webhooks.resume(conn, row.id, actor.id, now)

    await _guarded(db, actor, webhook_id, "webhook.resume", now, work)


async def remove(db: Database, actor: Actor, webhook_id: str, now: float) -> None:
    """Forget address and secret. Raises as `pause`."""

    async def work(conn: AsyncConnection, row: WebhookRow) -> None:
        await webhooks.remove(conn, row.id, now)

    await _guarded(db, actor, webhook_id, "webhook.remove", now, work)


async def test(db: Database, actor: Actor, webhook_id: str, now: float) -> None:
    """Queue a notice about nothing. Raises as `pause`."""

    async def work(conn: AsyncConnection, row: WebhookRow) -> None:
        await deliveries.queue_test(conn, row.id, now)

    await _guarded(db, actor, webhook_id, "webhook.test", now, work)


async def retry(db: Database, actor: Actor, webhook_id: str, now: float) -> None:
    """Put what has failed back on the queue. Raises as `pause`."""

    async def work(conn: AsyncConnection, row: WebhookRow) -> None:
        await deliveries.again_by_hand(conn, row.id, now)

    await _guarded(db, actor, webhook_id, "webhook.retry", now, work)


# --- sending --------------------------------------------------------------------------------------


def may_be_told(webhook: WebhookRow, who: Directory) -> bool:
    """Whether the person by whose right the address is told still has it."""
    owner = standing(who, webhook.owner_id)
    place = Target(program_id=webhook.program_id)
    return owner is not None and all(
        allows(owner, action, place) for action in (Action.INTEGRATION_MAKE, Action.LOG_READ)
    )


async def record_sending(
    conn: AsyncConnection, webhook: WebhookRow, row: SessionRow | None, now: float
) -> bool:
    """Whether a notice about this session may leave; on record before. Raises AuditFailed."""
    actor = Actor(
        "webhook", webhook.id, webhook.name, webhook.name, frozenset({WEBHOOK}),
        program_id=webhook.program_id,
    )  # fmt: skip
    allowed = row is not None and not row.test
    allowed = allowed and row is not None and allows(actor, Action.NOTICE_SEND, target_of(row))
    outcome: audit.Outcome = "allowed" if allowed else "refused"
    about = row.id if row is not None else None
    await audit.record(conn, actor, Action.NOTICE_SEND, "session", about, outcome, now)
    return allowed


# --- inside ---------------------------------------------------------------------------------------


def _mine(actor: Actor, row: WebhookRow) -> bool:
    return allows(actor, Action.INTEGRATION_MANAGE, Target(program_id=row.program_id))


def _name(who: Directory, person_id: str) -> str:
    person = who.people.get(person_id)
    return person.name if person else person_id


async def _guarded(
    db: Database,
    actor: Actor,
    webhook_id: str,
    recorded_as: str,
    now: float,
    work: Callable[[AsyncConnection, WebhookRow], Awaitable[T]],
) -> T:
    """Permission, the work and its audit entry in one transaction; a refusal is on record too."""

    async def inside(conn: AsyncConnection) -> tuple[T] | None:
        row = await webhooks.get(conn, webhook_id) if len(webhook_id) <= 40 else None
        if row is None or row.state == "removed" or not _mine(actor, row):
            known = row.id if row is not None else None
            await audit.record(conn, actor, recorded_as, "webhook", known, "refused", now)
            return None
        done = await work(conn, row)
        await audit.record(conn, actor, recorded_as, "webhook", row.id, "allowed", now)
        return (done,)

    found = await db.write(inside)
    if found is None:
        raise NoSuchRecord if could(actor, Action.INTEGRATION_MANAGE) else Forbidden
    return found[0]
