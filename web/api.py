"""The JSON API: small things that pages do without loading anew. Live things go by /ws."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from auth import access, shift_passkeys, tablet_keys, tablets
from auth.actors import Actor
from auth.errors import BadPin, KeyNeeded, NoPasskeysHere, PinLocked
from records import tablet_reports
from web import answers, scene
from web.board import numbers
from web.errors import BadRequest, WrongType
from web.identity import holder, passkey_place, set_cookie
from web.keys import LIMITS, actor_of, now_of, services_of, settings_of
from web.sign_in import bind

T = TypeVar("T", bound=msgspec.Struct)
_PROVEN = frozenset(
    f"POST /api/v1/shift{rest}" for rest in ("", "/end", "/passkey", "/passkey/ask", "/passkey/add")
)
_YEAR_SECONDS = int(tablets.TABLET_DAYS * 86400)


class EnrolBody(msgspec.Struct, forbid_unknown_fields=True):
    code: str
    key: str | None = None  # the public half of the pair that this browser has just made


class KeyBody(msgspec.Struct, forbid_unknown_fields=True):
    officer: str  # the name, as on the check-out list
    pin: str
    key: str


class ShiftBody(msgspec.Struct, forbid_unknown_fields=True):
    officer: str
    pin: str


class EndBody(msgspec.Struct, forbid_unknown_fields=True):
    pass


async def enrol(request: web.Request) -> web.Response:
    """POST /api/v1/enrol {code, key}: this device becomes the tablet of that code."""
    body = await body_of(request, EnrolBody)
    response = answers.answer({"next": "/tablet"})
    await bind(request, response, body.code, body.key)
    return response


async def challenge(request: web.Request) -> web.Response:
    """GET /api/v1/tablet/challenge?for=METHOD PATH: something to sign for that one request."""
    purpose = request.query.get("for", "")
    if purpose not in _PROVEN:
        raise BadRequest
    shown = await holder(request)
    fresh = tablet_keys.challenge(services_of(request).tokens, shown, purpose, now_of(request))
    return answers.answer({"challenge": fresh, "subject": shown.subject})


async def renew_key(request: web.Request) -> web.Response:
    """POST /api/v1/tablet/key {officer, pin, key}: a new key for a tablet that lost its own.

    It is checked out to that officer by the same PIN. Whoever held the old key is out.
    """
    body = await body_of(request, KeyBody)
    if settings_of(request).tablet_key_by_code:
        raise KeyNeeded
    services, now, shown = services_of(request), now_of(request), await holder(request)
    with _pin_counted(request, f"{shown.actor.id} without its key"):  # not the device's own tries
        actor = await tablet_keys.renew_by_pin(
            services.db, shown, body.officer, body.pin, body.key, now
        )
    await services.desk.dismiss_actor(actor.id, "replaced")
    services.desk.tablet_changed(actor)
    return await renewed(request, actor)


async def start_shift(request: web.Request) -> web.Response:
    """POST /api/v1/shift {officer, pin}: check this tablet out to an officer of its agency."""
    body = await body_of(request, ShiftBody)
    services, now, tablet = services_of(request), now_of(request), actor_of(request)
    with _pin_counted(request, tablet.id):
        actor = await tablets.start_shift(services.db, tablet, body.officer, body.pin, now)
    services.desk.tablet_changed(actor)
    return await renewed(request, actor, offer=await _passkey_offer(request, actor))


@contextlib.contextmanager
def _pin_counted(request: web.Request, where: str) -> Iterator[None]:
    """Count a PIN as wrong for this tablet until it was right. Raises TooOften.

    An officer's own lock counts one name; whoever holds a tablet could try a few PINs of each.
    """
    limits = request.app[LIMITS]
    limits.take("pin", where, now_of(request))
    try:
        yield
    except (BadPin, PinLocked):
        raise
    except Exception:
        limits.give_back("pin", where)  # the PIN was not what was wrong
        raise
    limits.give_back("pin", where)


async def _passkey_offer(request: web.Request, actor: Actor) -> dict[str, Any] | None:
    """What the page needs to keep the officer's first passkey; None where there can be none."""
    services = services_of(request)
    try:
        place = passkey_place(request)
    except NoPasskeysHere:
        return None
    shown, now = await holder(request), now_of(request)
    return await shift_passkeys.offered(services.db, services.tokens, place, shown, actor, now)


async def renewed(
    request: web.Request, actor: Actor, *, offer: dict[str, Any] | None = None
) -> web.Response:
    """A fresh year for a tablet that has proved itself, with the officer who has it now."""
    services = services_of(request)
    async with services.db.read() as conn:
        token = await tablets.renew(conn, services.tokens, actor, now_of(request))
    response = answers.answer({"officer": actor.officer_id, "passkey": offer})
    set_cookie(request, response, "cb_tablet", token, _YEAR_SECONDS)
    return response


async def end_shift(request: web.Request) -> web.Response:
    """POST /api/v1/shift/end {}: check this tablet in; refused during a session."""
    await body_of(request, EndBody)
    services = services_of(request)
    actor = await tablets.end_shift(services.db, actor_of(request), now_of(request))
    services.desk.tablet_changed(actor)
    return answers.answer({"officer": None})


async def board(request: web.Request) -> web.Response:
    """GET /api/v1/board: the four numbers of now, and who is at a scene."""
    services, actor, now = services_of(request), actor_of(request), now_of(request)
    counted = await access.read_board(services.db, actor, now)
    picture = await services.desk.screens.picture()
    async with services.db.read() as conn:
        troubled = await tablet_reports.troubled(conn)
    told = msgspec.to_builtins(numbers(counted, picture, actor, now, troubled))
    told["trail_cut"] = services.desk.audits.cut
    return answers.answer({**told, "scene": msgspec.to_builtins(await scene.table(request))})


async def body_of(request: web.Request, shape: type[T]) -> T:
    """The JSON body. Raises WrongType, BadRequest; TooLarge by the application's own limit."""
    if request.content_type != "application/json":
        raise WrongType
    try:
        return msgspec.json.decode(await request.read(), type=shape)
    except (msgspec.DecodeError, RecursionError) as error:  # nested without end
        raise BadRequest from error
