"""What the officer says of the scene: go or no-go, how agitated somebody is, naloxone given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from auth.audit import record
from records import assessments, directory
from records.doses import Dose, answers_of
from records.instruments import ACTIVITY, OVERDOSE, SCENE
from records.sessions import SessionRow
from signaling import wire
from signaling.errors import SessionError
from signaling.scope import by, tablet_owns
from signaling.session import Step, TimelineEvent

if TYPE_CHECKING:
    from auth.actors import Actor
    from signaling.desk import Desk
    from signaling.hub import Stream

LATEST_SECONDS: Final = 24 * 3600.0  # after the end: nobody is at that scene any more


async def tell(desk: Desk, actor: Actor, _s: Stream, m: wire.SceneTell) -> dict[str, object]:
    """Go or no-go, and the activity; what is not named stays."""
    scene: dict[str, object] = {str(name): said for name, said in m.answers.items()}
    activity: dict[str, object] = {
        name: None if said is None else str(said) for name, said in m.activity.items()
    }

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        tablet_owns(actor, row)  # also of who says nothing
        events: tuple[TimelineEvent, ...] = ()
        for code, said in ((SCENE, scene), (ACTIVITY, activity)):
            if said:
                events += await _say(desk, conn, actor, row, code, said, now)
        return _unchanged(desk, row, events)

    await desk.change(m.session, decide, by(actor))
    return {}


async def tell_doses(
    desk: Desk, actor: Actor, _s: Stream, m: wire.SceneOverdose
) -> dict[str, object]:
    """All doses that were tapped, and what they did."""
    doses = [Dose(one.at, one.product, one.by) for one in m.doses]

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        zone = ZoneInfo((await directory.read(conn)).agencies[row.agency_id].timezone)
        said = answers_of(doses, m.response, zone, now)
        events = await _say(desk, conn, actor, row, OVERDOSE, said, now, whole=True)
        return _unchanged(desk, row, events)

    await desk.change(m.session, decide, by(actor))
    return {}


async def _say(
    desk: Desk,
    conn: AsyncConnection,
    actor: Actor,
    row: SessionRow,
    code: str,
    said: Mapping[str, object],
    now: float,
    *,
    whole: bool = False,
) -> tuple[TimelineEvent, ...]:
    tablet_owns(actor, row)
    if row.ended_at is not None and now - row.ended_at > LATEST_SECONDS:
        raise SessionError("This session is over for more than a day. Nothing was written.")
    saved = await assessments.say(
        conn, desk.vault, row.id, code, said, actor.officer_id, now, whole=whole
    )
    await record(conn, actor, "scene.tell", "session", row.id, "allowed", now)
    return (TimelineEvent("assessment.saved", {"instrument": code}),) if saved.rev == 1 else ()


def _unchanged(desk: Desk, row: SessionRow, events: tuple[TimelineEvent, ...]) -> Step:
    before = desk.machine(row)
    return Step(before, before, events)
