"""Where a guest's link leads: the door, which asks for a name, and the call's page behind it."""

from __future__ import annotations

import msgspec
from aiohttp import web

from auth import guests
from web import answers
from web.api import body_of
from web.errors import BadRequest
from web.identity import set_cookie
from web.keys import now_of, services_of


class JoinBody(msgspec.Struct, forbid_unknown_fields=True):
    token: str
    name: str


async def door(request: web.Request) -> web.Response:
    """GET /join: the link's secret stands in the address's fragment, which no server sees.

    Opening the link spends nothing, because mail scanners and previews open links too.
    """
    return answers.page(request, "join", strings=("common.network", "guest.join."))


async def enter(request: web.Request) -> web.Response:
    """POST /api/v1/join {token, name}: spend the link; this device is the guest from now on."""
    body = await body_of(request, JoinBody)
    name = guests.clean_name(body.name)
    if not name:
        raise BadRequest
    services = services_of(request)
    let_in = await guests.let_in(
        services.db, services.vault, services.tokens, body.token, name, now_of(request)
    )
    response = answers.answer({"next": "/guest"})
    set_cookie(request, response, "cb_guest", let_in.token, int(guests.GUEST_SECONDS))
    return response


async def call(request: web.Request) -> web.Response:
    """GET /guest: the call, for somebody whom a link has let in."""
    return answers.page(
        request,
        "guest",
        strings=("common.", "guest."),
        boot={"relay": services_of(request).desk.relay.for_page(now_of(request))},
    )
