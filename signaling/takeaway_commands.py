"""A link to the safety plan for the person: made, sent as a text, taken back."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import takeaway
from auth.access import target_of
from auth.audit import record
from auth.policy import Action, allows
from records import assessments, followups, takeaways
from records.errors import NoPlan
from records.sessions import SessionRow
from signaling.errors import NoSuchSession
from signaling.post import Message, Taken
from signaling.scope import by
from signaling.session import Step, TimelineEvent

if TYPE_CHECKING:
    from auth.actors import Actor
    from signaling.desk import Desk

log = logging.getLogger(__name__)

PATH = "/plan#"
WORDS = "plan.message"


@dataclass(frozen=True, slots=True)
class Made:
    """A new link; its secret is here and nowhere else."""

    path: str
    expires_at: float

    def __repr__(self) -> str:
        return "Made()"


async def make(desk: Desk, actor: Actor, session_id: str) -> Made:
    """A link to the session's safety plan. Raises NoSuchSession, NoPlan, BadInput."""
    secret = takeaway.fresh_secret()
    made: list[Made] = []

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        await _may(conn, actor, row)
        if await assessments.safety_plan(conn, desk.vault, row.id) is None:
            raise NoPlan
        link = await takeaways.add(conn, row.id, takeaway.digest(secret), actor.id, now)
        made[:] = [Made(PATH + secret, link.expires_at)]
        await record(conn, actor, Action.TAKEAWAY_MAKE, "session", row.id, "allowed", now)
        before = desk.machine(row)
        return Step(before, before, (TimelineEvent("takeaway.made"),))

    await desk.change(session_id, decide, by(actor))
    return made[0]


async def revoke(desk: Desk, actor: Actor, session_id: str, link_id: str) -> None:
    """The link works no more. Nothing happens to one that was taken back before."""

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step | None:
        await _may(conn, actor, row)
        if not await takeaways.revoke(conn, row.id, link_id, now):
            return None
        await record(conn, actor, Action.TAKEAWAY_MAKE, "session", row.id, "allowed", now)
        before = desk.machine(row)
        return Step(before, before, (TimelineEvent("takeaway.revoked"),))

    await desk.change(session_id, decide, by(actor))


async def send(desk: Desk, number: str, made: Made, locale: str) -> bool:
    """Send a link as a text; the number is kept nowhere. Raises BadWay for no number.

    False: the service did not take it, or there is none.
    """
    post = desk.pager.post
    if post.gateways is None or "sms" not in post.gateways.kinds:
        return False
    way = await post.gateways.way("sms", number)
    message = Message(
        purpose="test", title="", body=post.words(locale, WORDS), link=post.origin + made.path,
        token="", urgent=False, seconds=3600,
    )  # fmt: skip
    outcome = await post.gateways.send("sms", way.details, message)
    log.info("takeaway.sent taken=%s", isinstance(outcome, Taken))
    return isinstance(outcome, Taken)


async def _may(conn: AsyncConnection, actor: Actor, row: SessionRow) -> None:
    target = target_of(row, await followups.owners(conn, row.id))
    if not allows(actor, Action.TAKEAWAY_MAKE, target):
        raise NoSuchSession
