"""The safety plan to take away: the person's page behind a link, and making such links."""

from __future__ import annotations

import msgspec
from aiohttp import web

from auth import takeaway
from auth.takeaway import TakenAway
from records.errors import RecordError
from signaling import takeaway_commands
from signaling.errors import BadWay
from web import answers, plan_pdf, present
from web.api import body_of
from web.i18n import Texts
from web.keys import ASKED, TYPESETTER, actor_of, now_of, services_of
from web.manager import session_answer
from web.routes import fields

LONGEST_SECRET = 64
LONGEST_NUMBER = 40


class PlanBody(msgspec.Struct, forbid_unknown_fields=True):
    token: str


class MakeBody(msgspec.Struct, forbid_unknown_fields=True):
    session: str
    number: str = ""


async def page(request: web.Request) -> web.Response:
    """GET /plan: the link's secret stands in the address's fragment, which no server sees."""
    return answers.page(request, "plan", strings=("common.network", "plan."))


async def read(request: web.Request) -> web.Response:
    """POST /api/v1/plan {token}: the plan, by whoever holds the link."""
    body = await body_of(request, PlanBody)
    services = services_of(request)
    secret = body.token[:LONGEST_SECRET]
    taken = await takeaway.read(services.db, services.vault, secret, now_of(request))
    return answers.answer({"plan": _shown(taken, request[ASKED].texts)})


async def pdf(request: web.Request) -> web.Response:
    """POST /api/v1/plan.pdf {token}: the plan as a document to keep."""
    body = await body_of(request, PlanBody)
    services, now = services_of(request), now_of(request)
    taken = await takeaway.read(services.db, services.vault, body.token[:LONGEST_SECRET], now)
    data = plan_pdf.data(taken, request[ASKED].texts)
    made = await request.app[TYPESETTER].pdf("takeaway", data, now)
    return answers.document(made, "plan.pdf")


def _shown(taken: TakenAway, texts: Texts) -> dict[str, object]:
    return {
        "parts": [
            {"title": title, "words": words} for title, words in plan_pdf.parts(taken, texts)
        ],
        "regional_line": taken.regional_line,
        "resources": [plan_pdf.helped(one, texts) for one in taken.resources],
        "planned": [{"what": what, "when": when} for what, when in plan_pdf.planned(taken, texts)],
        "until": present.day(taken.expires_at, taken.timezone),
    }


async def make(request: web.Request) -> web.Response:
    """POST /api/v1/takeaways {session, number}: a link, and a text with it where a number is given.

    The number is used once and kept nowhere.
    """
    body = await body_of(request, MakeBody)
    if len(body.number) > LONGEST_NUMBER:
        raise BadWay
    desk, texts = services_of(request).desk, request[ASKED].texts
    made = await takeaway_commands.make(desk, actor_of(request), body.session)
    sent: bool | None = None
    if body.number.strip():
        sent = await takeaway_commands.send(desk, body.number, made, texts.locale)
    return answers.answer({"path": made.path, "expires_at": made.expires_at, "sent": sent})


async def make_by_form(request: web.Request) -> web.StreamResponse:
    """POST /takeaways/{id}: a link, shown once on the session's page."""
    session_id = request.match_info["id"]
    desk = services_of(request).desk
    try:
        made = await takeaway_commands.make(desk, actor_of(request), session_id)
    except RecordError as error:
        return await session_answer(request, session_id, refused=error)
    return await session_answer(request, session_id, made=made.path)


async def revoke(request: web.Request) -> web.StreamResponse:
    """POST /takeaways/{id}/revoke: the link named `link` works no more."""
    session_id = request.match_info["id"]
    (link,) = await fields(request, "link")
    try:
        await takeaway_commands.revoke(
            services_of(request).desk, actor_of(request), session_id, link
        )
    except RecordError as error:
        return await session_answer(request, session_id, refused=error)
    return answers.moved(f"/manager/sessions/{session_id}#person")
