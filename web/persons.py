"""Who a session was about, on its page: written, joined to other sessions, taken apart."""

from __future__ import annotations

from collections.abc import Awaitable

from aiohttp import web

from auth import same_person
from auth.policy import Action
from records.errors import RecordError
from records.identity_rules import Identity
from records.vocabulary import JOIN_REASONS
from signaling import person_commands
from signaling.errors import SessionError
from web import answers, present
from web.errors import BadRequest
from web.keys import ASKED, actor_of, now_of, services_of
from web.manager import nav, session_answer
from web.routes import Route, Who, fields


def routes() -> list[Route]:
    """The addresses."""
    needs = (Action.PERSON_WRITE,)
    return [
        Route("POST", "/persons/{id}", save, Who.PERSON, needs),
        Route("POST", "/persons/{id}/same", find, Who.PERSON, needs),
        Route("GET", "/persons/{id}/same/{other}", compare, Who.PERSON, needs),
        Route("POST", "/persons/{id}/join", join, Who.PERSON, needs),
        Route("POST", "/persons/{id}/apart", take_apart, Who.PERSON, needs),
    ]


async def save(request: web.Request) -> web.StreamResponse:
    """POST /persons/{id} {name, born, alias, rev}: what is known of a session's person."""
    name, born, alias, rev = await fields(request, "name", "born", "alias", "rev")
    return await _done(
        request,
        person_commands.save(
            services_of(request).desk, actor_of(request), request.match_info["id"], _rev(rev),
            Identity(name, born, alias),
        ),
    )  # fmt: skip


async def find(request: web.Request) -> web.StreamResponse:
    """POST /persons/{id}/same {code}: look at this session's person beside another session's."""
    (typed,) = await fields(request, "code")
    code = "".join(sign for sign in typed if sign.isalnum())[:8]
    services, session_id = services_of(request), request.match_info["id"]
    try:
        other = await same_person.find(
            services.db, actor_of(request), session_id, code, now_of(request)
        )
    except RecordError as error:
        return await session_answer(request, session_id, refused=error)
    return answers.moved(f"/persons/{session_id}/same/{other}")


async def compare(request: web.Request) -> web.Response:
    """GET /persons/{id}/same/{other}: both side by side, before anybody says that they are one."""
    services, ids = services_of(request), request.match_info
    pair = await same_person.compare(
        services.db, services.vault, actor_of(request), ids["id"], ids["other"], now_of(request)
    )
    texts = request[ASKED].texts
    return answers.page(
        request, "same_person", nav=nav(request, "log"), pair=pair, reasons=JOIN_REASONS,
        present=present, texts=texts,
    )  # fmt: skip


async def join(request: web.Request) -> web.StreamResponse:
    """POST /persons/{id}/join {other, reason, rev, other_rev}: both are one person."""
    other, reason, *revs = await fields(request, "other", "reason", "rev", "other_rev")
    ours, theirs = (_rev(one) for one in revs)
    return await _done(
        request,
        person_commands.join(
            services_of(request).desk, actor_of(request), request.match_info["id"], other, reason,
            (ours, theirs),
        ),
    )  # fmt: skip


async def take_apart(request: web.Request) -> web.StreamResponse:
    """POST /persons/{id}/apart {join}: undo a join."""
    (merge,) = await fields(request, "join")
    return await _done(
        request,
        person_commands.take_apart(
            services_of(request).desk, actor_of(request), request.match_info["id"], merge
        ),
    )


def _rev(typed: str) -> int:
    if not typed.isascii() or not typed.isdecimal() or len(typed) > 9:
        raise BadRequest
    return int(typed)


async def _done(request: web.Request, work: Awaitable[object]) -> web.StreamResponse:
    session_id = request.match_info["id"]
    try:
        await work
    except (RecordError, SessionError) as error:
        return await session_answer(request, session_id, refused=error)
    return answers.moved(f"/manager/sessions/{session_id}#about")
