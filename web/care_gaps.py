"""The page of a session that nobody follows up: plan a follow-up, or say why none is needed."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from aiohttp import web

from auth import follow
from auth.follow import SessionGaps
from auth.policy import Action
from records.errors import RecordError
from records.followups import ARRIVAL
from records.vocabulary import FOLLOWUP_KINDS, GAP_REASONS
from signaling import followup_commands
from signaling.errors import SessionError
from web import answers, present
from web.followups import moment
from web.keys import ASKED, actor_of, now_of, services_of
from web.manager import nav
from web.routes import Route, Who, fields

ADDRESS = "/followups/without/{id}"
DAY = 86_400.0


def routes() -> list[Route]:
    """The page's addresses."""
    person = Who.PERSON
    return [
        Route("GET", ADDRESS, show, person, (Action.FOLLOWUP_READ,)),
        Route("POST", f"{ADDRESS}/plan", plan, person, (Action.FOLLOWUP_ASSIGN,)),
        Route("POST", f"{ADDRESS}/none", none, person, (Action.FOLLOWUP_WORK,)),
    ]


async def show(request: web.Request) -> web.Response:
    """GET /followups/without/{id}: what is missing, and the two ways to mend it."""
    return await _show(request)


async def _read(request: web.Request) -> SessionGaps:
    return await follow.read_gaps(
        services_of(request).db, actor_of(request), request.match_info["id"], now_of(request)
    )


async def _show(
    request: web.Request, refused: RecordError | SessionError | None = None
) -> web.Response:
    found, now = await _read(request), now_of(request)
    zone = found.who.agencies[found.session.agency_id].timezone
    typed = dict(await request.post()) if refused is not None else {}
    people = found.who.clinicians(found.session.provider_id)
    lead = found.session.lead_id
    return answers.page(
        request,
        "followup_gap",
        status=200 if refused is None else refused.status,
        nav=nav(request, "followups"),
        found=found,
        zone=zone,
        due=datetime.fromtimestamp(now + DAY, ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M"),
        people=people,
        kinds=FOLLOWUP_KINDS,
        kind=ARRIVAL if any(one.kind == "no_arrival" for one in found.gaps) else "contact_24h",
        owner=lead if lead in {one.id for one in people} else None,
        reasons=GAP_REASONS,
        typed=typed,
        refused=None if refused is None else answers.words(request, refused, refused.code),
        now=now,
        present=present,
        texts=request[ASKED].texts,
    )


async def plan(request: web.Request) -> web.StreamResponse:
    """POST /followups/without/{id}/plan: `due` is local time in the agency's zone."""
    kind, owner, due = await fields(request, "kind", "owner", "due")
    found = await _read(request)
    zone = found.who.agencies[found.session.agency_id].timezone
    try:
        await followup_commands.plan(
            services_of(request).desk, actor_of(request), found.session.id, kind, owner,
            moment(due, zone),
        )  # fmt: skip
    except (RecordError, SessionError) as error:
        return await _show(request, error)
    return answers.moved("/followups?whose=all&done=planned")


async def none(request: web.Request) -> web.StreamResponse:
    """POST /followups/without/{id}/none: nobody has to follow up, and why."""
    (reason,) = await fields(request, "reason")
    found = await _read(request)
    try:
        await followup_commands.plan_none(
            services_of(request).desk, actor_of(request), found.session.id, reason
        )
    except (RecordError, SessionError) as error:
        return await _show(request, error)
    return answers.moved("/followups?whose=all&done=none")
