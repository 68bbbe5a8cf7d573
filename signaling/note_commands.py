"""Signing a session's note, and adding to one that is signed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from auth.audit import record
from auth.policy import Action, allows
from records import directory, notes
from records.sessions import SessionRow
from signaling.errors import IllegalTransition, NoSuchSession
from signaling.scope import by, target
from signaling.session import State, Step, TimelineEvent

if TYPE_CHECKING:
    from auth.actors import Actor
    from signaling.desk import Desk

SIGNED = TimelineEvent("note.signed")


async def sign_in_step(
    conn: AsyncConnection, desk: Desk, actor: Actor, row: SessionRow, step: Step, now: float
) -> Step:
    """The step that closes the session, with the signature under what it leaves behind."""
    closed = replace(row, recommended_disposition=step.after.recommended_disposition)
    await _sign(conn, desk, actor, closed, now)
    return replace(step, events=(*step.events, SIGNED))


async def sign(desk: Desk, actor: Actor, session_id: str) -> None:
    """Sign the note of a closed session that the actor led.

    Raises NoSuchSession, IllegalTransition before the wrap-up's end, Signed, Unjustified.
    """

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        if not allows(actor, Action.RECORD_SIGN, target(row)):
            raise NoSuchSession
        if row.state != State.CLOSED:
            raise IllegalTransition(row.state, "sign")
        await _sign(conn, desk, actor, row, now)
        before = desk.machine(row)
        return Step(before, before, (SIGNED,))

    await desk.change(session_id, decide, by(actor))


async def _sign(
    conn: AsyncConnection, desk: Desk, actor: Actor, row: SessionRow, now: float
) -> None:
    person = (await directory.read(conn)).people[actor.id]
    signer = notes.Signer(person.name, person.licences)
    await notes.sign(conn, desk.vault, row, actor.id, signer, now)
    await record(conn, actor, Action.RECORD_SIGN, "session", row.id, "allowed", now)


async def add(desk: Desk, actor: Actor, session_id: str, words: str) -> None:
    """Add words to a signed note. Raises NoSuchSession, NotSigned, AddendumRefused."""

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        if not allows(actor, Action.RECORD_ADD, target(row)):
            raise NoSuchSession
        await notes.add(conn, desk.vault, row.id, actor.id, words, now)
        await record(conn, actor, Action.RECORD_ADD, "session", row.id, "allowed", now)
        before = desk.machine(row)
        return Step(before, before, (TimelineEvent("note.added"),))

    await desk.change(session_id, decide, by(actor))
