"""A tablet checked out by an officer's passkey; each request proves the tablet's own device too."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from auth import shift_passkeys
from auth.policy import Action
from web import answers
from web.api import EndBody, body_of, renewed
from web.identity import holder, passkey_place
from web.keys import now_of, services_of
from web.routes import Route, Shape, Who


class Answer(msgspec.Struct, forbid_unknown_fields=True):
    """What the browser gave; checked by the library, whose matter its shape is."""

    credential: dict[str, Any]


def routes() -> list[Route]:
    """The addresses."""
    needs, tablet, base = (Action.SHIFT_CHANGE,), Who.TABLET, "/api/v1/shift/passkey"
    given = Shape(body=Answer)
    return [
        Route("POST", f"{base}/ask", ask, tablet, needs, "shift", shape=Shape(body=EndBody)),
        Route("POST", base, check_out, tablet, needs, "shift", shape=given),
        Route("POST", f"{base}/add", add, tablet, needs, "shift", shape=given),
    ]


async def ask(request: web.Request) -> web.Response:
    """POST /api/v1/shift/passkey/ask {}: what this tablet's browser asks a passkey for."""
    await body_of(request, EndBody)
    options = shift_passkeys.asked_to_check_out(
        services_of(request).tokens, passkey_place(request), await holder(request), now_of(request)
    )
    return answers.answer({"options": options})


async def check_out(request: web.Request) -> web.Response:
    """POST /api/v1/shift/passkey {credential}: check this tablet out to the passkey's owner."""
    body = await body_of(request, Answer)
    services = services_of(request)
    actor = await shift_passkeys.check_out(
        services.db,
        services.tokens,
        passkey_place(request),
        await holder(request),
        body.credential,
        now_of(request),
    )
    services.desk.tablet_changed(actor)
    return await renewed(request, actor)


async def add(request: web.Request) -> web.Response:
    """POST /api/v1/shift/passkey/add {credential}: the passkey that a check-out by PIN offered."""
    body = await body_of(request, Answer)
    services = services_of(request)
    await shift_passkeys.add(
        services.db,
        services.tokens,
        passkey_place(request),
        await holder(request),
        body.credential,
        now_of(request),
    )
    return answers.answer({"added": True})
