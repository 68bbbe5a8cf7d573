"""The JSON API: small things that pages do without loading anew. Live things go by /ws."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from aiohttp import web

from auth import access, tablets
from web import answers, scene
from web.board import numbers
from web.errors import BadRequest, WrongType
from web.identity import set_cookie
from web.keys import actor_of, now_of, services_of
from web.sign_in import bind

T = TypeVar("T", bound=msgspec.Struct)
_YEAR_SECONDS = int(tablets.TABLET_DAYS * 86400)


class EnrolBody(msgspec.Struct, forbid_unknown_fields=True):
    code: str


class ShiftBody(msgspec.Struct, forbid_unknown_fields=True):
    officer: str
    pin: str


class EndBody(msgspec.Struct, forbid_unknown_fields=True):
    pass


async def enrol(request: web.Request) -> web.Response:
    """POST /api/v1/enrol {code}: this device becomes the tablet of that code."""
    body = await body_of(request, EnrolBody)
    response = answers.answer({"next": "/tablet"})
    await bind(request, response, body.code)
    return response


async def start_shift(request: web.Request) -> web.Response:
    """POST /api/v1/shift {officer, pin}: check this tablet out to an officer of its agency."""
    body = await body_of(request, ShiftBody)
    services, now = services_of(request), now_of(request)
    actor = await tablets.start_shift(services.db, actor_of(request), body.officer, body.pin, now)
    services.desk.tablet_changed(actor)
    async with services.db.read() as conn:
        token = await tablets.renew(conn, services.tokens, actor, now)
    response = answers.answer({"officer": actor.officer_id})
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
    told = msgspec.to_builtins(numbers(counted, picture, actor, now))
    return answers.answer({**told, "scene": msgspec.to_builtins(await scene.table(request))})


async def body_of(request: web.Request, shape: type[T]) -> T:
    """The JSON body. Raises WrongType, BadRequest; TooLarge by the application's own limit."""
    if request.content_type != "application/json":
        raise WrongType
    try:
        return msgspec.json.decode(await request.read(), type=shape)
    except msgspec.DecodeError as error:
        raise BadRequest from error
