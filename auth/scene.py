"""Guarded look at who is at a scene now: sessions that wait or are in a call.

The page that shows it asks every few seconds. So that the audit log says who saw which session
without an entry every few seconds, each session is on record once for each sign-in that saw it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from auth.access import scope_of
from auth.actors import Actor
from auth.policy import Action
from records import directory, scene
from records.engine import Database

MOST_GLANCES = 20_000


class Glances:
    """Which sessions this process has shown to which sign-in already; the oldest are forgotten."""

    def __init__(self, most: int = MOST_GLANCES) -> None:
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._most = most

    def new(self, actor: Actor, ids: Sequence[str]) -> list[str]:
        return [one for one in ids if (_holder(actor), one) not in self._seen]

    def remember(self, actor: Actor, ids: Sequence[str]) -> None:
        for one in ids:
            self._seen[_holder(actor), one] = None
        while len(self._seen) > self._most:
            self._seen.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Somebody:
    """One session at a scene, with names."""

    id: str
    code: str
    unit: str
    agency: str
    county: str
    timezone: str
    state: str
    step: str | None
    clinician: str | None
    again: bool
    pressed_at: float


@dataclass(frozen=True, slots=True)
class Scene:
    people: tuple[Somebody, ...]
    more: int


async def read(db: Database, actor: Actor, glances: Glances, now: float) -> Scene:
    """Who waits or is in a call within the actor's reach. Raises Forbidden, AuditFailed."""
    scope = await scope_of(db, actor, Action.BOARD_READ, now)
    async with db.read() as conn:
        found = await scene.now(conn, scope)
        who = await directory.read(conn)
    fresh = glances.new(actor, [row.id for row in found.rows])
    if fresh:

        async def write(conn: AsyncConnection) -> None:
            for one in fresh:
                await audit.record(conn, actor, Action.BOARD_READ, "session", one, "allowed", now)

        await db.write(write)
        glances.remember(actor, fresh)
    people = []
    for row in found.rows:
        agency, lead = who.agencies[row.agency_id], who.people.get(row.lead_id or "")
        people.append(
            Somebody(
                id=row.id,
                code=row.code,
                unit=who.tablets[row.tablet_id].label,
                agency=agency.name,
                county=row.place_county or agency.county,
                timezone=agency.timezone,
                state=row.state,
                step=row.step,
                clinician=lead.name if lead else None,
                again=row.again,
                pressed_at=row.pressed_at,
            )
        )
    return Scene(tuple(people), found.more)


def _holder(actor: Actor) -> str:
    return actor.login_id or actor.id
