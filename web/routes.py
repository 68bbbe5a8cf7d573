"""Every address in one table, with who may ask and what guards it. Nothing is open by default.

The guard of a route: limits, then the Origin, then who asks (a tablet's device proves that it holds
its key before it changes anything), then its body in full and in time, then the form token, then
the action.
What a row of the record may be shown to is decided by `auth.access`, not here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import PayloadEncodingError

from auth import audit, csrf, logins
from auth.actors import Actor
from auth.errors import CrossSite, Forbidden, NoScope
from auth.policy import RULES, Action, could
from web import i18n
from web.errors import BadRequest, TooOften, TooSlow, WrongType
from web.identity import (
    absent_of,
    form_holder,
    guest_of,
    neighbours_of,
    newcomer_of,
    person_of,
    program_of,
    read_cookie,
    require_device,
    tablet_of,
)
from web.keys import ASKED, INSIDE, LIMITS, TEXTS, now_of, services_of, settings_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
BODY_SECONDS = 20.0  # for a whole body to arrive; the largest is one megabyte
IN_PARTS = "multipart/form-data"
FORMS = frozenset({"application/x-www-form-urlencoded", IN_PARTS})
ADMIN = frozenset({"admin"})
_LEAVING = frozenset({Action.LOG_EXPORT, Action.RECORD_EXPORT})  # by a download, on record
_ID = re.compile(r"[a-z]{3}_[a-z0-9_-]{1,36}")  # of a row of the record, there or not
_OTHERS_PAGES = frozenset({"cross-site", "same-site"})


class Who(Enum):
    """Whose cookie a route looks at."""

    ANYBODY = "anybody"
    PERSON = "person"
    NEWCOMER = "newcomer"  # a person, perhaps without the second factor that they need
    ABSENT = "absent"  # a person, perhaps with covered pages or a sign-in that has run out
    TABLET = "tablet"
    GUEST = "guest"
    PROGRAM = "program"  # by a token in a header; no cookie is looked at


_FINDERS: dict[Who, Callable[[web.Request], Awaitable[Actor]]] = {
    Who.PERSON: person_of,
    Who.NEWCOMER: newcomer_of,
    Who.ABSENT: absent_of,
    Who.TABLET: tablet_of,
    Who.GUEST: guest_of,
    Who.PROGRAM: program_of,
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What an address takes and gives, for its description; the handler reads by the same types."""

    answer: type | None = None
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None
    media: str = "application/json"
    lines: bool = False  # an answer on each line, as long as there are any


@dataclass(frozen=True, slots=True)
class Route:
    """One address. `needs`: one of these actions must be open to one of the asker's roles."""

    method: str
    path: str
    handler: Handler
    who: Who
    needs: tuple[Action, ...] = ()
    limit: str | None = None  # of web.limits, instead of its kind's
    unproven: bool = False  # a change by a tablet's cookie alone: only what gives it a key again
    machine: bool = False  # for probes and sockets: no forms, no language
    largest: int | None = None  # bytes; for forms with a file, which are larger than all others
    numbers: bool = False  # about the server itself: belongs to the admin network, if there is one
    shape: Shape | None = None  # of addresses under /api/

    @property
    def limited(self) -> str:
        """The kind of its limit: no address is without one."""
        return self.limit or ("page" if self.method in SAFE else "change")

    @property
    def inside(self) -> bool:
        """Whether it belongs to the admin network: numbers, and what the policy gives to
        administrators alone.
        """
        return self.numbers or (bool(self.needs) and all(map(for_admins_alone, self.needs)))


def for_admins_alone(action: Action) -> bool:
    """Whether the policy gives this to administrators and nobody else."""
    return RULES[action].keys() <= ADMIN


def is_here(request: web.Request, action: Action) -> bool:
    """Whether pages for this action are on the side of the server that was asked."""
    if settings_of(request).admin_listen is None:
        return True
    return for_admins_alone(action) is request.app[INSIDE]


def may_anywhere(actor: Actor, *actions: Action) -> bool:
    """Whether any of the actions is open to this actor on any target at all."""
    return any(could(actor, action) for action in actions)


def origin_allowed(request: web.Request) -> bool:
    """Whether a page of ours sent this."""
    return csrf.same_origin(request.headers, settings_of(request).origins)


def _led_here(request: web.Request) -> bool:
    """Whether a page of others brought a browser here, as it says itself (Fetch Metadata).

    A sign-in's cookie comes along with a link from elsewhere; what takes records out must not.
    """
    return request.headers.get("Sec-Fetch-Site") in _OTHERS_PAGES


def guarded(route: Route) -> Handler:
    """The route's handler behind its guard."""
    if route.who is Who.PROGRAM:
        return _guarded_by_token(route)

    async def for_machines(request: web.Request) -> web.StreamResponse:
        request.app[LIMITS].take(route.limited, neighbours_of(request), now_of(request))
        return await route.handler(request)

    async def handle(request: web.Request) -> web.StreamResponse:
        request.app[LIMITS].take(route.limited, neighbours_of(request), now_of(request))
        if route.largest is not None:
            request = request.clone(client_max_size=route.largest)
        changing = request.method not in SAFE
        if changing and not origin_allowed(request):
            raise CrossSite
        if _LEAVING.intersection(route.needs) and _led_here(request):
            raise CrossSite
        await _identify(request, route.who)
        if changing and route.who is Who.TABLET and not route.unproven:
            await require_device(request)
        if changing:
            await whole_body(request, with_file=route.largest is not None)
            await _check_form(request)
        actor = request[ASKED].actor
        if route.needs and (actor is None or not may_anywhere(actor, *route.needs)):
            await _note_refusal(request, actor, route.needs[0])
            raise Forbidden
        if actor is not None and route.who is Who.PERSON:
            await _seen(request, actor)
        return await route.handler(request)

    return for_machines if route.machine else handle


def _guarded_by_token(route: Route) -> Handler:
    """For programs: reading only. No cookie, so no form token; the limit counts for each token."""

    async def handle(request: web.Request) -> web.StreamResponse:
        limits, now = request.app[LIMITS], now_of(request)
        limits.take("api-door", neighbours_of(request), now)
        if request.can_read_body:
            raise BadRequest
        await _identify(request, route.who)
        actor = request[ASKED].actor
        if actor is None or not route.needs or not may_anywhere(actor, *route.needs):
            await _note_refusal(request, actor, *route.needs[:1])
            raise NoScope
        if route.limit is not None:
            limits.take(route.limit, actor.id, now)
        return await route.handler(request)

    return handle


def add(app: web.Application, routes: list[Route]) -> None:
    """Put the table into the application."""
    for route in routes:
        if route.method == "GET":
            app.router.add_get(route.path, guarded(route), allow_head=not route.machine)
        else:
            app.router.add_route(route.method, route.path, guarded(route))


async def _note_refusal(
    request: web.Request, actor: Actor | None, action: Action | None = None
) -> None:
    """Put on record that somebody asked for what their role never may; not without end."""
    now = now_of(request)
    if actor is None or action is None:
        return
    try:
        request.app[LIMITS].take("refusal", actor.id, now)
    except TooOften:
        return
    named = request.match_info.get("id", "")
    about = named if _ID.fullmatch(named) else None
    await services_of(request).db.write(
        lambda conn: audit.try_record(conn, actor, action, "address", about, "refused", now)
    )


async def _identify(request: web.Request, who: Who) -> None:
    asked = request[ASKED]
    if who is Who.ANYBODY:
        asked.holder, asked.fresh_holder = form_holder(request)
        return
    asked.actor = await _FINDERS[who](request)
    asked.holder = asked.actor.login_id or asked.actor.id
    locale = i18n.choose(
        read_cookie(request, "cb_lang"),
        asked.actor.locale,
        request.headers.get("Accept-Language"),
    )
    asked.texts = request.app[TEXTS][locale]


async def _seen(request: web.Request, actor: Actor) -> None:
    """Somebody is there. What a page asks by itself, every few seconds, is nobody."""
    by_itself = request.method in SAFE and request.path.startswith("/api/")
    if settings_of(request).idle_seconds > 0 and not by_itself:
        now = now_of(request)
        await services_of(request).db.write(lambda conn: logins.seen(conn, actor, now))


async def whole_body(request: web.Request, *, with_file: bool = False) -> None:
    """Read the body, which stays with the request, and see that a form is one.

    Raises TooSlow, WrongType, BadRequest; TooLarge by its own limit.
    """
    if request.content_type == IN_PARTS and not with_file:
        raise WrongType
    try:
        async with asyncio.timeout(BODY_SECONDS):
            if request.content_type in FORMS:
                await request.post()
            else:
                await request.read()
    except TimeoutError:
        raise TooSlow from None
    except (ValueError, LookupError, PayloadEncodingError) as error:
        raise BadRequest from error


async def _check_form(request: web.Request) -> None:
    token = request.headers.get("X-CSRF-Token")
    if token is None and request.content_type in FORMS:
        token = str((await request.post()).get("csrf", ""))
    csrf.require(settings_of(request).secret.reveal(), request[ASKED].holder, token)


async def fields(request: web.Request, *names: str) -> list[str]:
    """The named text fields of a form. Raises BadRequest when one is missing or no text."""
    form = await request.post()
    values = [form.get(name) for name in names]
    if not all(isinstance(value, str) for value in values):
        raise BadRequest
    return [str(value) for value in values]
