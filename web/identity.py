"""Who asks: cookies in and out. What a cookie is worth is decided in `auth`, on each use."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import Literal

from aiohttp import web

from auth.actors import Actor
from auth.errors import BadLink, NotEnrolled, NotSignedIn
from auth.guests import actor_for_guest
from auth.logins import Allowed
from auth.signin import actor_for_login
from auth.tablets import actor_for_tablet
from signaling.settings import Settings
from signaling.wire import Audience
from web.gate import neighbourhood
from web.keys import now_of, services_of, settings_of

Cookie = Literal["cb_login", "cb_step", "cb_tablet", "cb_guest", "cb_form", "cb_lang", "cb_theme"]
YEAR = 365 * 86400
_SAME_SITE = {
    "cb_login": "Lax",
    "cb_step": "Strict",
    "cb_tablet": "Strict",
    "cb_guest": "Strict",
    "cb_form": "Strict",
    "cb_lang": "Lax",
}


def cookie_name(settings: Settings, cookie: Cookie) -> str:
    """The name as sent: over TLS with the prefix that binds it to this host alone."""
    return f"__Host-{cookie}" if settings.secure_cookies else cookie


def read_cookie(request: web.Request, cookie: Cookie) -> str | None:
    return request.cookies.get(cookie_name(settings_of(request), cookie))


def set_cookie(
    request: web.Request, response: web.StreamResponse, cookie: Cookie, value: str, max_age: int
) -> None:
    """Set one of our cookies; scripts never see it."""
    settings = settings_of(request)
    response.set_cookie(
        cookie_name(settings, cookie),
        value,
        max_age=max_age,
        path="/",
        secure=settings.secure_cookies,
        httponly=True,
        samesite=_SAME_SITE[cookie],
    )


def clear_cookie(request: web.Request, response: web.StreamResponse, cookie: Cookie) -> None:
    set_cookie(request, response, cookie, "", 0)


def form_holder(request: web.Request) -> tuple[str, bool]:
    """To whom the forms before sign-in belong: a random cookie; whether it is new."""
    given = read_cookie(request, "cb_form") or ""
    if 20 <= len(given) <= 64 and given.isascii():
        return given, False
    return secrets.token_urlsafe(24), True


_NEWCOMER: tuple[Allowed, ...] = ("partial",)
_ABSENT: tuple[Allowed, ...] = ("partial", "covered", "expired")
_AT_CONSOLE: tuple[Allowed, ...] = ("covered",)


async def person_of(request: web.Request, allow: Collection[Allowed] = ()) -> Actor:
    """The person who is signed in. `allow`: what is let pass all the same.

    Raises NotSignedIn, LoginExpired, Revoked, FactorMissing, Covered.
    """
    token = read_cookie(request, "cb_login")
    if token is None:
        raise NotSignedIn
    services = services_of(request)
    async with services.db.read() as conn:
        return await actor_for_login(
            conn,
            services.tokens,
            token,
            now_of(request),
            idle=services.settings.idle_seconds,
            allow=allow,
        )


async def newcomer_of(request: web.Request) -> Actor:
    """The same, or somebody who has yet to set up a second factor."""
    return await person_of(request, _NEWCOMER)


async def absent_of(request: web.Request) -> Actor:
    """The same, or somebody whose pages are covered or whose sign-in has run out."""
    return await person_of(request, _ABSENT)


async def at_console(request: web.Request) -> Actor:
    """The person at a console: it rings on while its page is covered."""
    return await person_of(request, _AT_CONSOLE)


async def tablet_of(request: web.Request) -> Actor:
    """The enrolled tablet. Raises NotEnrolled, TabletRevoked."""
    token = read_cookie(request, "cb_tablet")
    if token is None:
        raise NotEnrolled
    services = services_of(request)
    async with services.db.read() as conn:
        return await actor_for_tablet(conn, services.tokens, token, now_of(request))


async def guest_of(request: web.Request) -> Actor:
    """The guest of a call. Raises BadLink, LinkEnded."""
    token = read_cookie(request, "cb_guest")
    if token is None:
        raise BadLink
    services = services_of(request)
    async with services.db.read() as conn:
        return await actor_for_guest(conn, services.tokens, token, now_of(request))


async def for_socket(request: web.Request, audience: Audience) -> Actor:
    """Who opens a WebSocket for this page: by enrolment, by sign-in, or by a spent link."""
    finders = {"tablet": tablet_of, "console": at_console, "guest": guest_of}
    return await finders[audience](request)


def place_of(request: web.Request) -> str:
    """Where a request comes from: for limits and the audit trail, never in a log."""
    if settings_of(request).trust_proxy:
        # only the last of the last header is what our own proxy has seen
        forwarded = ",".join(request.headers.getall("X-Forwarded-For", ()))
        last = forwarded.rpartition(",")[2].strip()
        if last:
            return last[:64]
    return request.remote or "unknown"


def neighbours_of(request: web.Request) -> str:
    """The same for limits: a line's own IPv6 network is one place."""
    return neighbourhood(place_of(request))
