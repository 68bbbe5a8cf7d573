"""The manager's pages: their navigation, and one session; the log is `web.log`."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from aiohttp import web

from auth import access
from auth.actors import Actor
from auth.policy import Action, Target, allows
from records import directory
from records.directory import Agency
from records.errors import RecordError
from signaling.errors import SessionError
from web import answers, present
from web.errors import BadRequest
from web.keys import ASKED, actor_of, now_of, services_of
from web.routes import is_here, may_anywhere
from web.strip import strip

log = logging.getLogger(__name__)

MOST_IN_A_ROW = 7
SET_UP = frozenset(
    {"audit", "grants", "tablets", "resources", "odmap", "planner", "reach", "matching", "alerts"}
    | {"integrations", "keeping"}
)


@dataclass(frozen=True, slots=True)
class Nav:
    """One entry of the manager's navigation."""

    key: str
    address: str
    here: bool
    more: bool = False  # folded away: one of the pages for setting things up


async def session_page(request: web.Request) -> web.Response:
    """GET /manager/sessions/{id}: one session, as much of it as the reader's right allows."""
    return await session_answer(request, request.match_info["id"])


async def session_answer(
    request: web.Request,
    session_id: str,
    *,
    refused: RecordError | SessionError | None = None,
    typed: str = "",
    made: str = "",
) -> web.Response:
    """The session's page; with `refused`, why the last press did nothing, and what was typed.

    `made`: the path of a link that was made just now; it is shown this once.
    """
    services, texts = services_of(request), request[ASKED].texts
    record = await access.read_session(
        services.db, services.vault, actor_of(request), session_id, now_of(request)
    )
    return answers.page(
        request,
        "manager_session",
        status=200 if refused is None else refused.status,
        nav=nav(request, "log"),
        refused=None if refused is None else answers.words(request, refused, refused.code),
        typed=typed,
        made=f"{services.desk.pager.post.origin}{made}" if made else "",
        now=now_of(request),
        late=present.late_note(record.row, now_of(request)),
        record=record,
        row=record.row,
        points=present.points(record.row, record.timezone, texts),
        durations=present.durations(record, texts),
        ways=strip(record.quality),
        present=present,
        texts=texts,
    )


SIGNING_IN = frozenset({"people", "openings", "open_record"})


def nav(request: web.Request, here: str) -> list[Nav]:
    """The pages that this person may open."""
    actor = actor_of(request)
    pages = (
        ("log", "/manager", Action.LOG_READ),
        ("misses", "/manager/misses", Action.MISS_READ),
        ("reports", "/manager/reports", Action.REPORT_READ),
        ("followups", "/followups", Action.FOLLOWUP_READ),
        ("tablets", "/manager/tablets", Action.TABLET_READ),
        ("people", "/manager/people", Action.PERSON_MANAGE),
        ("grants", "/manager/grants", Action.GRANT_SET),
        ("resources", "/manager/resources", Action.RESOURCE_SET),
        ("odmap", "/manager/odmap", Action.ODMAP_RELEASE),
        ("keeping", "/manager/keeping", Action.RETENTION_SET),
        ("planner", "/manager/planner", Action.PLAN_READ),
        ("reach", "/manager/reach", Action.REACH_READ),
        ("matching", "/manager/matching", Action.MATCHING_SET),
        ("integrations", "/manager/integrations", Action.INTEGRATION_MANAGE),
        ("roster", "/manager/roster", Action.ROSTER_MANAGE),
        ("shifts", "/shifts", Action.ROSTER_SWAP),
        ("notes", "/notes", Action.RECORD_SIGN),
        ("audit", "/manager/audit", Action.AUDIT_READ),
        ("alerts", "/alerts", Action.ALERT_OWN),
        ("openings", "/manager/openings", Action.OPENING_REVIEW),
        ("open_record", "/records/open", Action.RECORD_BREAK_GLASS),
        ("console", "/console", Action.SESSION_ANSWER),
    )
    open_to = [one for one in pages if may_anywhere(actor, one[2]) and is_here(request, one[2])]
    crowded = len(open_to) > MOST_IN_A_ROW
    folded = SET_UP | SIGNING_IN if crowded else frozenset()
    return [Nav(key, address, key == here, key in folded) for key, address, _ in open_to]


def midnight(day: str | None, zone: str, days: int) -> float | None:
    """The start of a day in a time zone, or of the day after, as UTC epoch seconds."""
    if not day:
        return None
    try:
        start = date.fromisoformat(day) + timedelta(days=days)
        return datetime.combine(start, time(), ZoneInfo(zone)).timestamp()
    except (ValueError, OverflowError) as error:
        raise BadRequest from error


async def agencies_of(request: web.Request) -> list[Agency]:
    """The agencies whose sessions this person may list, by name."""
    async with services_of(request).db.read() as conn:
        who = await directory.read(conn)
    actor = actor_of(request)
    found = [one for one in who.agencies.values() if _may_list(actor, one)]
    return sorted(found, key=lambda one: (one.name, one.id))


def _may_list(actor: Actor, agency: Agency) -> bool:
    target = Target(agency.id, agency.provider_id, agency.program_id)
    return allows(actor, Action.LOG_READ, target)
