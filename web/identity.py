"""Who asks: cookies in and out. What a cookie is worth is decided in `auth`, on each use."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import replace
from typing import Literal

from aiohttp import web

from auth import possession, tablet_keys
from auth.actors import Actor
from auth.api_tokens import actor_for_token
from auth.errors import BadLink, BadToken, KeyNeeded, NotEnrolled, NotSignedIn
from auth.guests import actor_for_guest
from auth.logins import Allowed
from auth.signin import actor_for_login
from auth.tablets import Holder, holder_of
from signaling import wire
from signaling.conversation import Ask
from signaling.settings import Settings
from web.gate import neighbourhood
from web.keys import now_of, services_of, settings_of

Cookie = Literal[
    "cb_login", "cb_step", "cb_flow", "cb_tablet", "cb_guest", "cb_form", "cb_lang", "cb_theme"
]
PROOF = "X-Tablet-Proof"  # a challenge and its signature, with ~ between
YEAR = 365 * 86400
_SAME_SITE = {
    "cb_login": "Lax",
    # Lax: somebody who comes back from their directory brings them along
    "cb_step": "Lax",
    "cb_flow": "Lax",
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


async def holder(request: web.Request) -> Holder:
    """Whose tablet's cookie this is. Raises NotEnrolled, TabletRevoked."""
    token = read_cookie(request, "cb_tablet")
    if token is None:
        raise NotEnrolled
    services = services_of(request)
    async with services.db.read() as conn:
        return await holder_of(conn, services.tokens, token, now_of(request))


async def tablet_of(request: web.Request) -> Actor:
    """The enrolled tablet, by its cookie alone. Raises NotEnrolled, TabletRevoked."""
    return (await holder(request)).actor


async def require_device(request: web.Request) -> None:
    """Whether this request comes from the tablet's own device. Raises KeyNeeded, StaleProof."""
    services, shown = services_of(request), await holder(request)
    if shown.key is None:
        _may_go_without(request)
        return
    nonce, _, signature = request.headers.get(PROOF, "").rpartition("~")
    await tablet_keys.check_request(
        services.db,
        services.tokens,
        shown,
        f"{request.method} {request.path}",
        (nonce, signature),
        now_of(request),
    )


async def guest_of(request: web.Request) -> Actor:
    """The guest of a call. Raises BadLink, LinkEnded."""
    token = read_cookie(request, "cb_guest")
    if token is None:
        raise BadLink
    services = services_of(request)
    async with services.db.read() as conn:
        return await actor_for_guest(conn, services.tokens, token, now_of(request))


async def program_of(request: web.Request) -> Actor:
    """The program whose token was sent. Cookies say nothing here. Raises BadToken."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.casefold() != "bearer":
        raise BadToken
    services = services_of(request)
    return await actor_for_token(services.db, services.vault, secret.strip(), now_of(request))


async def for_socket(request: web.Request, hello: wire.Hello, ask: Ask) -> Actor:
    """Who opens a connection for this page: by enrolment, by sign-in, or by a spent link."""
    if hello.page == "tablet":
        return await _device(request, hello, ask)
    return await (at_console(request) if hello.page == "console" else guest_of(request))


async def _device(request: web.Request, hello: wire.Hello, ask: Ask) -> Actor:
    """A tablet that has proved that it is the device which was set up. Raises KeyNeeded, BadKey."""
    services, shown = services_of(request), await holder(request)
    if not hello.proves:  # a page from before there were keys
        if shown.key is not None:
            await tablet_keys.refused(services.db, shown, now_of(request))
            raise KeyNeeded
        _may_go_without(request)
        return shown.actor
    bind = shown.key is None
    if bind:
        _may_go_without(request)
    nonce = secrets.token_urlsafe(24)
    proof = await ask(wire.Challenge(subject=shown.subject, nonce=nonce, bind=bind))
    shown = await holder(request)  # it may have been revoked, or bound, while it was asked
    given = (hello.stream, nonce, proof.signature or "", now_of(request))
    if not bind:
        await tablet_keys.check_socket(services.db, shown, *given)
    elif shown.key is not None:
        raise KeyNeeded
    elif proof.key is not None:  # without one its browser keeps none: the manager's page says so
        possession.check_key(proof.key)
        await tablet_keys.check_socket(services.db, replace(shown, key=proof.key), *given)
        await tablet_keys.bind_first(services.db, shown, proof.key, now_of(request))
    return shown.actor


def _may_go_without(request: web.Request) -> None:
    """Raises KeyNeeded where every tablet must have a key from its set-up."""
    if settings_of(request).tablet_key_by_code:
        raise KeyNeeded


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
