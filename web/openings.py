"""Break-glass: a record opened with a reason, and the list of those openings for who reviews."""

from __future__ import annotations

import logging

from aiohttp import web

from auth import openings
from auth.errors import NoSuchRecord
from auth.policy import Action
from records import directory
from records.errors import BadInput
from records.openings import LONGEST
from web import answers, present
from web.keys import actor_of, now_of, services_of
from web.manager import nav
from web.routes import Route, Who, fields

log = logging.getLogger(__name__)

ZONE = "UTC"
LONGEST_CODE = 8
ALARM_KIND = "opening"
WORDS = "alert.words.opening"


def routes() -> list[Route]:
    """The addresses."""
    glass, look, person = (Action.RECORD_BREAK_GLASS,), (Action.OPENING_REVIEW,), Who.PERSON
    return [
        Route("GET", "/records/open", form, person, glass),
        Route("POST", "/records/open", open_it, person, glass, "way"),
        Route("GET", "/manager/openings", show, person, look),
        Route("POST", "/manager/openings/{id}/reviewed", review, person, look),
    ]


async def form(request: web.Request) -> web.Response:
    """GET /records/open."""
    return _form(request)


async def open_it(request: web.Request) -> web.StreamResponse:
    """POST /records/open {code, reason}: open it, tell the supervisors, and lead there."""
    typed, reason = await fields(request, "code", "reason")
    code = "".join(sign for sign in typed if sign.isalnum())[:LONGEST_CODE]
    services = services_of(request)
    try:
        opened = await openings.open_record(
            services.db, services.vault, actor_of(request), code, reason, now_of(request)
        )
    except BadInput as error:
        return _form(request, "wrong", error.status, typed, reason)
    except NoSuchRecord as error:
        return _form(request, "none", error.status, typed, reason)
    if opened.opening_id is not None:
        log.warning("record.opened opening=%s session=%s", opened.opening_id, opened.session_id)
        await services.desk.pager.raise_alarm(
            ALARM_KIND,
            opened.provider_id,
            opened.opening_id,
            WORDS,
            managers=not opened.wellness,
        )
    return answers.moved(f"/manager/sessions/{opened.session_id}")


async def show(request: web.Request) -> web.Response:
    """GET /manager/openings: those to be reviewed first."""
    services, actor = services_of(request), actor_of(request)
    rows = await openings.listed(services.db, services.vault, actor, now_of(request))
    async with services.db.read() as conn:
        who = await directory.read(conn)
    return answers.page(
        request,
        "manager_openings",
        nav=nav(request, "openings"),
        rows=rows,
        people=who.people,
        done=request.query.get("done") == "reviewed",
        present=present,
        zone=ZONE,
    )


async def review(request: web.Request) -> web.StreamResponse:
    """POST /manager/openings/{id}/reviewed."""
    services = services_of(request)
    await openings.review(
        services.db,
        services.vault,
        actor_of(request),
        request.match_info["id"],
        now_of(request),
    )
    return answers.moved("/manager/openings?done=reviewed")


def _form(
    request: web.Request,
    problem: str | None = None,
    status: int = 200,
    code: str = "",
    reason: str = "",
) -> web.Response:
    return answers.page(
        request,
        "open_record",
        status=status,
        nav=nav(request, "open_record"),
        problem=problem,
        code=code[:20],
        reason=reason[: LONGEST * 2],
        longest=LONGEST,
    )
