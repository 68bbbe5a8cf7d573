"""What people agreed to: heard in the call, signed on the tablet, written down later, revoked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from auth.access import target_of
from auth.audit import record
from auth.policy import Action, allows
from records import consent_asks, consents, followups
from records.consent_asks import Ask
from records.consent_rules import (
    GIVEN,
    PURPOSES,
    SIGNED_SUBSTANCES,
    SUBSTANCES,
    Consent,
    usual,
)
from records.consents import ConsentRow
from records.errors import BadInput, Conflict
from records.sessions import SessionRow
from signaling import wire
from signaling.errors import IllegalTransition, NoSuchSession, UnknownCode
from signaling.scope import by, leads, tablet_owns, target
from signaling.session import Step, TimelineEvent

if TYPE_CHECKING:
    from auth.actors import Actor
    from signaling.desk import Desk
    from signaling.hub import Stream

SAID = TimelineEvent("consent.said")  # by whom, never for what
REVOKED = TimelineEvent("consent.revoked")
ASKED = TimelineEvent("consent.asked")
CALLED_OFF = TimelineEvent("consent.called_off")


async def save_by_page(
    desk: Desk, actor: Actor, _s: Stream, m: wire.ConsentSave
) -> dict[str, object]:
    """Decisions that were just heard, with the usual recipients, scope and end of each purpose."""
    if not {one.purpose for one in m.said} <= set(PURPOSES):
        raise UnknownCode

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        await _may(conn, actor, row)
        before = await consents.of_session(conn, desk.vault, row.id)
        if len(before) != m.rev:
            raise Conflict({"rev": len(before), "said": consents.newest(before, now)})
        for one in m.said:
            giver = m.giver if one.participant == "guardian" else ""
            said = Consent(
                one.participant, one.purpose, one.method, now, language=m.language, giver=giver
            )
            if one.method in GIVEN:
                recipients, scope, ends = usual(one.purpose, now)
                said = replace(said, recipients=recipients, scope=scope, expires_at=ends)
            await consents.add(conn, desk.vault, row.id, said, actor.id, now)
        await record(conn, actor, Action.CONSENT_WRITE, "session", row.id, "allowed", now)
        before_step = desk.machine(row)
        return Step(before_step, before_step, (SAID,))

    await desk.change(m.session, decide, by(actor))
    return {"rev": m.rev + len(m.said), "updated_at": desk.now()}


async def ask_on_tablet(
    desk: Desk, actor: Actor, _s: Stream, m: wire.ConsentAsk
) -> dict[str, object]:
    """Put a consent on the tablet; it is shown there while the tablet is handed over."""

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        leads(actor, row, m.epoch)
        await _may(conn, actor, row)
        _in_call(row)
        if m.purpose not in PURPOSES:
            raise UnknownCode
        await consent_asks.put(
            conn, row.id, row.epoch, m.participant, m.purpose, m.language, actor.id, now
        )
        before = desk.machine(row)
        return Step(before, before, (ASKED,))

    await desk.change(m.session, decide, by(actor))
    return {}


async def call_off(
    desk: Desk, actor: Actor, _s: Stream, m: wire.ConsentCallOff
) -> dict[str, object]:
    """Take it off the tablet; nothing happens when it was answered meanwhile."""

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step | None:
        leads(actor, row, m.epoch)
        await _may(conn, actor, row)
        if not await consent_asks.drop(conn, row.id):
            return None
        before = desk.machine(row)
        return Step(before, before, (CALLED_OFF,))

    await desk.change(m.session, decide, by(actor))
    return {}


async def answer_on_tablet(
    desk: Desk, actor: Actor, _s: Stream, m: wire.ConsentAnswer
) -> dict[str, object]:
    """Signed with a typed name, or refused: kept as the word of who holds the tablet.

    Only what waits there, and only while the tablet is handed over: no officer signs for somebody.
    """

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        tablet_owns(actor, row)
        desk.same_epoch(row, m.epoch)
        if not allows(actor, Action.CONSENT_SIGN, target(row)):
            raise NoSuchSession
        _in_call(row)
        if row.phase != "handed_over":
            raise IllegalTransition(row.state, "consent.answer")
        waiting = await consent_asks.of_session(conn, row.id, row.epoch)
        if waiting is None or waiting.id != m.ask:
            raise IllegalTransition(row.state, "consent.answer")
        if m.wording != waiting.wording:
            raise BadInput("The words have changed. Load this page again; nothing was saved.")
        said = _answer(waiting, m, now)
        await consents.add(conn, desk.vault, row.id, said, waiting.asked_by, now)
        await consent_asks.drop(conn, row.id)
        await record(conn, actor, Action.CONSENT_SIGN, "session", row.id, "allowed", now)
        before = desk.machine(row)
        return Step(before, before, (SAID,))

    await desk.change(m.session, decide, by(actor))
    return {}


def _answer(waiting: Ask, m: wire.ConsentAnswer, now: float) -> Consent:
    said = Consent(
        waiting.participant, waiting.purpose, "refused", now,
        wording=waiting.wording, language=waiting.language,
    )  # fmt: skip
    if not m.agreed:
        return said
    if not m.name.strip():
        raise BadInput("A signature is a name. Nothing was saved.")
    recipients, scope, ends = usual(waiting.purpose, now)
    if m.substances and waiting.purpose in SIGNED_SUBSTANCES:
        scope = (*scope, SUBSTANCES)
    giver = m.name if waiting.participant == "guardian" else ""
    return replace(
        said, method="signed", recipients=recipients, scope=scope, expires_at=ends,
        giver=giver, signature=m.name,
    )  # fmt: skip


def _in_call(row: SessionRow) -> None:
    """Raises IllegalTransition when nobody speaks with the person."""
    if row.ended_at is not None or row.state not in ("connected", "recovering"):
        raise IllegalTransition(row.state, "consent")


async def add(desk: Desk, actor: Actor, session_id: str, said: Consent) -> ConsentRow:
    """A decision in full, from the session's page. Raises NoSuchSession, BadInput."""
    added: list[ConsentRow] = []

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        await _may(conn, actor, row)
        added[:] = [await consents.add(conn, desk.vault, row.id, said, actor.id, now)]
        await record(conn, actor, Action.CONSENT_WRITE, "session", row.id, "allowed", now)
        before = desk.machine(row)
        return Step(before, before, (SAID,))

    await desk.change(session_id, decide, by(actor))
    return added[0]


async def revoke(desk: Desk, actor: Actor, session_id: str, consent_id: str) -> None:
    """The person took a consent back. Nothing happens to one that was revoked before.

    Raises NoSuchSession, NotFound.
    """

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step | None:
        await _may(conn, actor, row)
        if not await consents.revoke(conn, row.id, consent_id, actor.id, now):
            return None
        await record(conn, actor, Action.CONSENT_WRITE, "session", row.id, "allowed", now)
        before = desk.machine(row)
        return Step(before, before, (REVOKED,))

    await desk.change(session_id, decide, by(actor))


async def _may(conn: AsyncConnection, actor: Actor, row: SessionRow) -> None:
    target = target_of(row, await followups.owners(conn, row.id))
    if not allows(actor, Action.CONSENT_WRITE, target):
        raise NoSuchSession
