"""Who asks: cookies in and out. What a cookie is worth is decided in `auth`, on each use."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from typing import Literal

from aiohttp import web

from auth import passkeys, possession, renewals, tablet_keys
from auth.actors import Actor
from auth.api_tokens import actor_for_token
from auth.errors import (
    BadLink,
    BadToken,
    Copied,
    KeyNeeded,
    NotEnrolled,
    NotSignedIn,
    TabletRevoked,
)
from auth.guests import actor_for_guest
from auth.logins import Allowed
from auth.passkeys import Place
from auth.signin import actor_for_login
from auth.tablets import Holder, holder_of
from records import directory
from signaling import wire
from signaling.conversation import Ask
from signaling.settings import Settings
from web.gate import neighbourhood
from web.keys import ASKED, now_of, services_of, settings_of

Cookie = Literal[
    "cb_login",
    "cb_renewal",
    "cb_step",
    "cb_flow",
    "cb_tablet",
    "cb_guest",
    "cb_form",
    "cb_lang",
    "cb_theme",
]
COPIED = "copied"  # the alarm's kind
COPIED_WORDS = "alert.words.copied"
PROOF = "X-Tablet-Proof"  # a challenge and its signature, with ~ between
YEAR = 365 * 86400
_SAME_SITE = {
    "cb_login": "Lax",
    "cb_renewal": "Lax",
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


def keep_renewed(request: web.Request, response: web.StreamResponse) -> None:
    """Put tokens that were renewed for this request into the head of its answer, which is complete
    but for them, if it brings no others.
    """
    renewed, settings = request[ASKED].renewed, settings_of(request)
    if renewed is None or cookie_name(settings, "cb_login") in response.cookies:
        return
    fresh: dict[Cookie, str] = {"cb_login": renewed.token, "cb_renewal": renewed.renewal}
    for cookie, value in fresh.items():
        set_cookie(request, response, cookie, value, login_seconds(settings))
        made = response.cookies[cookie_name(settings, cookie)]
        response.headers.add("Set-Cookie", made.output(header="").strip())


def login_seconds(settings: Settings) -> int:
    """How long a browser keeps a sign-in's cookies.

    They outlive it by a day: a page that is open when it runs out is covered, and goes on where it
    was once its owner has proven who they are.
    """
    return int(settings.login_hours * 3600 + renewals.KEPT_SECONDS)


def clear_cookie(request: web.Request, response: web.StreamResponse, cookie: Cookie) -> None:
    set_cookie(request, response, cookie, "", 0)


def form_holder(request: web.Request) -> tuple[str, bool]:
    """To whom the forms before sign-in belong: a random cookie; whether it is new."""
    given = read_cookie(request, "cb_form") or ""
    if 20 <= len(given) <= 64 and given.isascii():
        return given, False
    return secrets.token_urlsafe(24), True


def passkey_place(request: web.Request) -> Place:
    """Where the page was opened: its own Origin, which the guard has just checked."""
    settings = settings_of(request)
    origin = request.headers.get("Origin") or settings.origins[0]
    return passkeys.place_at(origin, settings.passkey_domain)


_NEWCOMER: tuple[Allowed, ...] = ("partial",)
_ABSENT: tuple[Allowed, ...] = ("partial", "covered", "expired")
_AT_CONSOLE: tuple[Allowed, ...] = ("covered",)


async def person_of(
    request: web.Request, allow: Collection[Allowed] = (), *, answers: bool = True
) -> Actor:
    """The person who is signed in. `allow`: what is let pass all the same.

    A token that has run out is renewed, and the next ones go out with the answer; without
    `answers`, for a connection, nothing is used up. Raises NotSignedIn, LoginExpired, Revoked,
    Copied, FactorMissing, Covered.
    """
    token = read_cookie(request, "cb_login")
    if token is not None:
        with suppress(NotSignedIn):
            return await _signed_in(request, token, allow)
    return await _signed_in(request, await _renewed(request, answers=answers), allow)


async def _renewed(request: web.Request, *, answers: bool) -> str:
    """A fresh token for the one that has run out. Raises NotSignedIn, Revoked, Copied."""
    renewal, services = read_cookie(request, "cb_renewal"), services_of(request)
    if renewal is None:
        raise NotSignedIn
    given = (renewal, request.headers.get("User-Agent", ""), now_of(request))
    try:
        if not answers:
            return await renewals.require(services.db, services.tokens, *given)
        fresh = await renewals.renew(services.db, services.tokens, *given)
    except Copied as error:
        await _tell_of_copy(request, error)
        raise
    request[ASKED].renewed = fresh
    return fresh.token


async def _tell_of_copy(request: web.Request, error: Copied) -> None:
    """Tell who answers for the owner of a sign-in that two browsers had.

    Its open pages are closed by the desk's own look-out, as those of every ended sign-in.
    """
    desk = services_of(request).desk
    async with desk.db.read() as conn:
        who = await directory.read(conn)
    for provider_id in _providers_near(who, error.person_id):
        await desk.pager.raise_alarm(COPIED, provider_id, error.login_id, COPIED_WORDS)


def _providers_near(who: directory.Directory, person_id: str) -> list[str]:
    """Whose supervisors and managers answer for somebody: their own, or those of their program."""
    person = who.people.get(person_id)
    if person is None:
        return []
    if person.provider_id is not None:
        return [person.provider_id]
    mine = (a for a in who.agencies.values() if a.program_id == person.program_id)
    return sorted({one.provider_id for one in mine if one.provider_id is not None})


async def _signed_in(request: web.Request, token: str, allow: Collection[Allowed]) -> Actor:
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
    return await person_of(request, _AT_CONSOLE, answers=False)


async def holder(request: web.Request) -> Holder:
    """Whose tablet's cookie this is. Raises NotEnrolled, TabletRevoked."""
    token = read_cookie(request, "cb_tablet")
    if token is None:
        raise NotEnrolled
    services, now = services_of(request), now_of(request)
    try:
        async with services.db.read() as conn:
            return await holder_of(conn, services.tokens, token, now)
    except TabletRevoked as gone:
        if gone.tablet_id is not None:
            await tablet_keys.came_back(services.db, gone.tablet_id, now)
        raise


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
