"""A clinician's notes: which wait for a signature, signing one, adding to a signed one."""

from __future__ import annotations

from aiohttp import web

from auth import access
from records.errors import RecordError
from signaling import note_commands
from signaling.errors import SessionError
from web import answers, present
from web.keys import ASKED, actor_of, now_of, services_of
from web.manager import nav, session_answer
from web.routes import fields


async def mine(request: web.Request) -> web.Response:
    """GET /notes: the sessions that I led and that are over, what is to be signed first."""
    services, now = services_of(request), now_of(request)
    rows, who = await access.own_notes(services.db, actor_of(request), now)
    return answers.page(
        request,
        "notes",
        nav=nav(request, "notes"),
        waiting=[one for one in rows if one.signed_at is None and not one.test],
        others=[one for one in rows if one.signed_at is not None or one.test],
        agencies=who.agencies,
        now=now,
        present=present,
        texts=request[ASKED].texts,
    )


async def waiting(request: web.Request) -> web.Response:
    """GET /api/v1/notes/waiting: how many notes wait for my signature, for the console's mark."""
    services, now = services_of(request), now_of(request)
    rows, _ = await access.own_notes(services.db, actor_of(request), now)
    open_ones = [one for one in rows if one.signed_at is None and not one.test]
    return answers.answer(
        {"waiting": len(open_ones), "late": sum(o.overdue(now) for o in open_ones)}
    )


async def sign(request: web.Request) -> web.StreamResponse:
    """POST /notes/{id}/sign: my name under it."""
    session_id = request.match_info["id"]
    try:
        await note_commands.sign(services_of(request).desk, actor_of(request), session_id)
    except (RecordError, SessionError) as error:
        return await session_answer(request, session_id, refused=error)
    return answers.moved(f"/manager/sessions/{session_id}#note")


async def add(request: web.Request) -> web.StreamResponse:
    """POST /notes/{id}/addenda: words beside a signed note; what was typed survives a refusal."""
    session_id = request.match_info["id"]
    (words,) = await fields(request, "words")
    try:
        await note_commands.add(services_of(request).desk, actor_of(request), session_id, words)
    except (RecordError, SessionError) as error:
        return await session_answer(request, session_id, refused=error, typed=words)
    return answers.moved(f"/manager/sessions/{session_id}#note")
