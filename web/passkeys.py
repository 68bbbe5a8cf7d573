"""What the pages' scripts ask and answer for passkeys; WebAuthn has no way without a script."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from auth import passkeys
from auth.errors import NotSignedIn
from auth.policy import Action
from auth.steps import Stepping, stepping
from web import answers
from web.account import completed
from web.api import body_of
from web.identity import passkey_place, read_cookie
from web.keys import ASKED, actor_of, now_of, services_of, settings_of
from web.routes import Route, Shape, Who
from web.sign_in import after, home, keep, let_in

LONGEST_NAME = 200


class Credential(msgspec.Struct, forbid_unknown_fields=True):
    """What the browser gave; checked by the library, whose matter its shape is."""

    credential: dict[str, Any]
    name: str = ""
    next: str = ""


def routes() -> list[Route]:
    """The addresses."""
    own, limit = (Action.SIGN_IN_OWN,), "sign-in"
    given = Shape(body=Credential)
    new, away, base = Who.NEWCOMER, Who.ABSENT, "/api/v1/passkeys"
    return [
        Route("POST", f"{base}/sign-in/ask", ask_to_sign_in, Who.ANYBODY, limit=limit),
        Route("POST", f"{base}/sign-in", sign_in, Who.ANYBODY, limit=limit, shape=given),
        Route("POST", f"{base}/prove/ask", ask_to_prove, away, own, limit),
        Route("POST", f"{base}/prove", prove, away, own, limit, shape=given),
        Route("POST", f"{base}/add/ask", ask_to_add, new, own, limit),
        Route("POST", f"{base}/add", add, new, own, limit, shape=given),
    ]


async def ask_to_sign_in(request: web.Request) -> web.Response:
    """POST /api/v1/passkeys/sign-in/ask."""
    holder = request[ASKED].holder
    return _asked(request, "passkey.sign_in", holder)


async def sign_in(request: web.Request) -> web.Response:
    """POST /api/v1/passkeys/sign-in {credential, next}: a sign-in by passkey alone."""
    body = await body_of(request, Credential)
    services = services_of(request)
    signed = await passkeys.sign_in(
        services.db,
        services.tokens,
        passkey_place(request),
        request[ASKED].holder,
        body.credential,
        now_of(request),
        hours=settings_of(request).login_hours,
        step=await _step(request),
    )
    response = answers.answer({"next": after(request, signed, body.next)})
    await let_in(request, response, signed)
    return response


async def ask_to_prove(request: web.Request) -> web.Response:
    """POST /api/v1/passkeys/prove/ask."""
    return _asked(request, "passkey.prove", actor_of(request).login_id or "")


async def prove(request: web.Request) -> web.Response:
    """POST /api/v1/passkeys/prove {credential, next}: it is still the same person."""
    body = await body_of(request, Credential)
    services, now = services_of(request), now_of(request)
    hours = settings_of(request).login_hours
    signed = await passkeys.prove(
        services.db,
        services.tokens,
        passkey_place(request),
        actor_of(request),
        body.credential,
        now,
        hours,
    )
    back = body.next if answers.is_local(body.next) else home(signed.actor)
    response = answers.answer({"next": back, "left": signed.expires_at - now})
    keep(request, response, signed)
    return response


async def ask_to_add(request: web.Request) -> web.Response:
    """POST /api/v1/passkeys/add/ask."""
    services = services_of(request)
    options = await passkeys.asked_to_add(
        services.db, services.tokens, passkey_place(request), actor_of(request), now_of(request)
    )
    return answers.answer({"options": options})


async def add(request: web.Request) -> web.Response:
    """POST /api/v1/passkeys/add {credential, name}."""
    body = await body_of(request, Credential)
    services = services_of(request)
    await passkeys.add(
        services.db,
        services.tokens,
        passkey_place(request),
        actor_of(request),
        body.name[:LONGEST_NAME],
        body.credential,
        now_of(request),
    )
    response = answers.answer({"next": "/account?done=added"})
    await completed(request, response)
    return response


async def _step(request: web.Request) -> Stepping | None:
    """The first factor that was right a moment ago, if there was one."""
    services = services_of(request)
    try:
        return await stepping(
            services.db, services.tokens, read_cookie(request, "cb_step"), now_of(request)
        )
    except NotSignedIn:
        return None


def _asked(request: web.Request, purpose: str, holder: str) -> web.Response:
    options = passkeys.asked_to_sign_in(
        services_of(request).tokens, passkey_place(request), purpose, holder, now_of(request)
    )
    return answers.answer({"options": options})
