"""What a page's command did, or was refused, stands in the audit trail: written in one place.

Commands that write a record's content make an entry of their own with it, and no entry means no
writing. Every other command that changes a session gets its entry here, in the same transaction,
named as the command is; so does a refused one, and a page that begins to show a session. These are
lenient: a crisis call goes on when the audit fails, and the look-out over the trail raises alarm.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from auth.actors import Actor
from records import offers, parties, sessions
from records.errors import RecordAway, RecordError
from signaling import wire
from signaling.errors import NoSuchSession, NotYours, StaleToken, WrongPage

if TYPE_CHECKING:
    from signaling.desk import Desk
    from signaling.hub import Stream

log = logging.getLogger(__name__)

SHOWN: Final = "session.show"
# said by a page and not by anybody: each console that rings says so, and the timeline has it
BY_PAGES: Final = (wire.OfferDelivered, wire.MediaState)
REFUSED: Final = (NoSuchSession, NotYours, StaleToken, WrongPage)
REFUSED_CODES: Final = frozenset({"forbidden", "no-such-record"})
MOST_REFUSALS: Final = 20  # of one actor in a minute: enough to tell, too few to fill a disk
_AN_ID = re.compile(r"[a-z]{3}_[a-z0-9_-]{1,36}")


@dataclass(slots=True)
class Doing:
    """The command that is carried out in this task; `told` once it needs no entry any more."""

    actor: Actor
    action: str
    told: bool = False


_doing: ContextVar[Doing | None] = ContextVar("doing", default=None)


def action_of(command: wire.Command) -> str:
    """A command's own name, as the protocol has it."""
    return str(type(command).__struct_config__.tag)


class Refusals:
    """How many refused commands of each actor were written down in this minute."""

    def __init__(self) -> None:
        self._minute = 0
        self._told: Counter[str] = Counter()

    def take(self, actor_id: str, now: float) -> bool:
        """Whether one more is written down."""
        if int(now // 60) != self._minute:
            self._minute = int(now // 60)
            self._told.clear()
        self._told[actor_id] += 1
        return self._told[actor_id] <= MOST_REFUSALS


@contextlib.asynccontextmanager
async def command(desk: Desk, actor: Actor, asked: wire.Command) -> AsyncIterator[None]:
    """Around whatever carries a command out."""
    doing = Doing(actor, action_of(asked), told=isinstance(asked, BY_PAGES))
    token = _doing.set(doing)
    try:
        yield
    except desk.typed_errors as error:
        if isinstance(error, REFUSED) or getattr(error, "code", "") in REFUSED_CODES:
            await refused(desk, actor, asked)
        raise
    finally:
        doing.told = True  # a task that was begun meanwhile does nothing in this one's name
        _doing.reset(token)


async def done(conn: AsyncConnection, session_id: str, now: float) -> bool:
    """A command is about to change a session and made no entry of its own."""
    doing = _doing.get()
    if doing is None or doing.told:
        return False
    await audit.try_record(conn, doing.actor, doing.action, "session", session_id, "allowed", now)
    return True


def told() -> None:
    """The command's entry is committed: what else follows from it needs none."""
    doing = _doing.get()
    if doing is not None:
        doing.told = True


async def refused(desk: Desk, actor: Actor, asked: wire.Command) -> None:
    """A command that this page may not send, or about a session that is not its own."""
    if not desk.refusals.take(actor.id, desk.now()):
        return
    session_id, offer_id = getattr(asked, "session", None), getattr(asked, "offer", None)
    if offer_id is not None:  # its session: who may read the entry depends on that
        async with desk.db.read() as conn:
            offer = await offers.get(conn, offer_id)
        session_id = offer.session_id if offer is not None else None
    known = session_id if session_id is not None and _AN_ID.fullmatch(session_id) else None
    await _write(desk, actor, action_of(asked), "session", known, "refused")


async def shown(desk: Desk, stream: Stream) -> None:
    """A page has opened: whichever session it shows from now on is being read."""
    async with desk.db.read() as conn:
        session_id = await _shows(conn, stream)
    if session_id is not None:
        await _write(desk, stream.actor, SHOWN, "session", session_id, "allowed")


async def _shows(conn: AsyncConnection, stream: Stream) -> str | None:
    actor = stream.actor
    if stream.audience == "tablet":
        row = await sessions.by_tablet(conn, actor.id)
        return row.id if row is not None else None
    if stream.audience == "guest":
        return actor.session_id
    row = await sessions.led_by(conn, actor.id)
    if row is not None:
        return row.id
    return next((one.session_id for one in await parties.sitting(conn, actor.id)), None)


async def _write(
    desk: Desk,
    actor: Actor,
    action: str,
    kind: str,
    object_id: str | None,
    outcome: audit.Outcome,
) -> None:
    try:
        await desk.db.write(
            lambda conn: audit.try_record(conn, actor, action, kind, object_id, outcome, desk.now())
        )
    except (OSError, SQLAlchemyError, RecordAway, RecordError):
        # the trail's look-out tells somebody
        log.exception("audit.failed action=%s", action)
        audit.missed()
