"""The person's own way to their safety plan: by a link's secret, which is the only right here.

The secret stands in the address's fragment, which no server sees. What the link opens is the plan
as it is now, whom to call, and what is planned; nothing else of the record, and no name.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from records import (
    assessments,
    directory,
    disclosures,
    followups,
    library,
    recommendations,
    sessions,
    takeaways,
)
from records.crypto import Vault
from records.disclosures import Given
from records.engine import Database
from records.errors import PlanGone
from records.followups import FollowupRow
from records.instruments.questionnaire import Instrument
from records.scoring.plans import PARTS
from records.sessions import Event

OWN_PLAN: Final = Given("plan", "person", "own_copy", "individual", ("clinical",))
PLANNED: Final = frozenset({"contact_24h", "contact_48h", "warm_handoff", "mobile_crisis_visit"})


@dataclass(frozen=True, slots=True)
class TakenAway:
    """What the person reads. `parts`: the question and the person's words."""

    form: Instrument
    parts: tuple[tuple[str, str], ...]  # linkId and words
    regional_line: str
    resources: tuple[Mapping[str, Any], ...]  # help near by, as the sent card names it
    planned: tuple[FollowupRow, ...]  # open ones that concern the person, by due time
    timezone: str
    expires_at: float

    def __repr__(self) -> str:
        return f"TakenAway({len(self.parts)} parts)"


def fresh_secret() -> str:
    """A link's secret: 128 bits, short enough for a text message."""
    return secrets.token_urlsafe(16)


def digest(secret: str) -> str:
    """What is stored of a link's secret."""
    return hashlib.sha256(f"crisisbridge takeaway {secret}".encode()).hexdigest()


async def read(db: Database, vault: Vault, secret: str, now: float) -> TakenAway:
    """What a link opens; the first time stands on the session's timeline, each time in the audit.

    Raises PlanGone for a link that is unknown, run out or taken back, and for a plan that is not
    made any more.
    """

    async def work(conn: AsyncConnection) -> TakenAway | None:
        link = await takeaways.by_token(conn, digest(secret), now)
        # held: nobody is turned away because something of the session is saved in that moment
        row = await sessions.get_held(conn, link.session_id) if link is not None else None
        plan = await assessments.safety_plan(conn, vault, row.id) if row is not None else None
        if link is None or row is None or plan is None:
            await audit.record(conn, None, "takeaway.read", "takeaway", None, "refused", now)
            return None
        if await takeaways.opened(conn, link.id, now):
            await sessions.apply(conn, row, {}, [Event("takeaway.opened", "system", None)], now)
            await disclosures.record(conn, vault, row.id, OWN_PLAN, "system", None, now)
        agency = (await directory.read(conn)).agencies[row.agency_id]
        advised = await recommendations.get(conn, vault, row.id)
        card = (advised.sent_card if advised else None) or {}
        tasks = await followups.of_session(conn, vault, row.id)
        taken = TakenAway(
            form=await library.find(conn, plan.instrument, plan.instrument_version),
            parts=tuple((part, str(plan.answers.get(part) or "")) for part in PARTS),
            regional_line=agency.regional_line,
            resources=tuple(card.get("resources", ())),
            planned=tuple(t for t in tasks if t.status == "open" and t.kind in PLANNED),
            timezone=agency.timezone,
            expires_at=link.expires_at,
        )
        await audit.record(conn, None, "takeaway.read", "takeaway", link.id, "allowed", now)
        return taken

    found = await db.write(work)
    if found is None:
        raise PlanGone
    return found
