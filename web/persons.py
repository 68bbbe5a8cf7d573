"""Who a session was about, on its page: written, joined to other sessions, taken apart."""

from __future__ import annotations

from collections.abc import Awaitable

from aiohttp import web

from auth.policy import Action
from records.errors import RecordError
from records.identity_rules import Identity
from signaling import person_commands
from signaling.errors import SessionError
from web import answers
from web.errors import BadRequest
from web.keys import actor_of, services_of
from web.manager import session_answer
from web.routes import Route, Who, fields


def routes() -> list[Route]:
    """The addresses."""
    needs = (Action.PERSON_WRITE,)
    return [
        Route("POST", "/persons/{id}", save, Who.PERSON, needs),
        Route("POST", "/persons/{id}/join", join, Who.PERSON, needs),
        Route("POST", "/persons/{id}/apart", take_apart, Who.PERSON, needs),
    ]


async def save(request: web.Request) -> web.StreamResponse:
    """POST /persons/{id} {name, born, alias, rev}: what is known of a session's person."""
    name, born, alias, rev = await fields(request, "name", "born", "alias", "rev")
    if not rev.isascii() or not rev.isdecimal() or len(rev) > 9:
        raise BadRequest
    return await _done(
        request,
        person_commands.save(
            services_of(request).desk, actor_of(request), request.match_info["id"], int(rev),
            Identity(name, born, alias),
        ),
    )  # fmt: skip


async def join(request: web.Request) -> web.StreamResponse:
    """POST /persons/{id}/join {code}: this person is that of the session with this code."""
    (typed,) = await fields(request, "code")
    code = "".join(sign for sign in typed if sign.isalnum())[:8]
    return await _done(
        request,
        person_commands.join(
            services_of(request).desk, actor_of(request), request.match_info["id"], code
        ),
    )


async def take_apart(request: web.Request) -> web.StreamResponse:
    """POST /persons/{id}/apart {join}: undo a join."""
    (merge,) = await fields(request, "join")
    return await _done(
        request,
        person_commands.take_apart(
            services_of(request).desk, actor_of(request), request.match_info["id"], merge
        ),
    )


async def _done(request: web.Request, work: Awaitable[object]) -> web.StreamResponse:
    session_id = request.match_info["id"]
    try:
        await work
    except (RecordError, SessionError) as error:
        return await session_answer(request, session_id, refused=error)
    return answers.moved(f"/manager/sessions/{session_id}#about")
