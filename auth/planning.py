"""What the planner may see: a provider's arrivals and its plan, without anybody in the sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from auth.actors import Actor
from auth.alerts import providers_of
from auth.errors import NoSuchRecord
from auth.policy import Action
from records import directory
from records.arrivals import ArrivalRow, arrivals
from records.directory import Provider
from records.engine import Database


@dataclass(frozen=True, slots=True)
class Planned:
    """One provider's log for the planner."""

    provider: Provider
    providers: Mapping[str, str]  # that this reader may choose from, id to name
    arrivals: list[ArrivalRow]


async def read_arrivals(
    db: Database, actor: Actor, provider_id: str | None, since: float, until: float, now: float
) -> Planned:
    """A provider's presses in [since, until); None: the first that the reader may see.

    Raises Forbidden, NoSuchRecord (also for a provider of somebody else's), AuditFailed.
    """

    async def read(conn: AsyncConnection) -> Planned | None:
        who = await directory.read(conn)
        mine = providers_of(actor, who, Action.PLAN_READ)
        chosen = provider_id if provider_id is not None else min(mine, default="")
        allowed = chosen in mine
        await audit.record(
            conn,
            actor,
            Action.PLAN_READ,
            "provider",
            chosen if chosen in who.providers else None,
            "allowed" if allowed else "refused",
            now,
        )
        if not allowed:
            return None
        return Planned(who.providers[chosen], mine, await arrivals(conn, chosen, since, until))

    found = await db.write(read)
    if found is None:
        raise NoSuchRecord
    return found
