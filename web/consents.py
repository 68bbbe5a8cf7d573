"""What people agreed to, on a session's page: written down in full, revoked."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from aiohttp import web

from auth.policy import Action
from records import directory, sessions
from records.consent_rules import GIVEN, PURPOSES, Consent, usual
from records.errors import BadInput, RecordError
from signaling import consent_commands
from signaling.errors import NoSuchSession, SessionError
from web import answers
from web.errors import BadRequest
from web.keys import actor_of, now_of, services_of
from web.manager import session_answer
from web.routes import Route, Who, fields


def routes() -> list[Route]:
    """The addresses."""
    needs = (Action.CONSENT_WRITE,)
    return [
        Route("POST", "/consents/{id}", add, Who.PERSON, needs),
        Route("POST", "/consents/{id}/revoke", revoke, Who.PERSON, needs),
    ]


async def add(request: web.Request) -> web.StreamResponse:
    """POST /consents/{id}: a decision as the form has it; what is not said is the usual."""
    return await _done(request, _add(request))


async def revoke(request: web.Request) -> web.StreamResponse:
    """POST /consents/{id}/revoke {consent}: the person took it back, now."""
    (consent,) = await fields(request, "consent")
    desk, session_id = services_of(request).desk, request.match_info["id"]
    return await _done(
        request, consent_commands.revoke(desk, actor_of(request), session_id, consent)
    )


async def _add(request: web.Request) -> None:
    session_id, now = request.match_info["id"], now_of(request)
    participant, purpose, method, language, giver, name, ends = await fields(
        request, "participant", "purpose", "method", "language", "giver", "name", "ends"
    )
    if purpose not in PURPOSES:
        raise BadRequest
    form = await request.post()
    said = Consent(
        participant, purpose, method, now, language=language, giver=giver, recipient_name=name
    )
    if method in GIVEN:
        recipients, scope, until = usual(purpose, now)
        chosen = tuple(str(one) for one in form.getall("recipient", ()))
        wanted = tuple(str(one) for one in form.getall("scope", ()))
        said = Consent(
            participant, purpose, method, now, chosen or recipients, wanted or scope,
            await _end(request, session_id, ends) if ends else until,
            language=language, giver=giver, recipient_name=name,
        )  # fmt: skip
    await consent_commands.add(services_of(request).desk, actor_of(request), session_id, said)


async def _end(request: web.Request, session_id: str, day: str) -> float:
    """The end of a day where the agency is. Raises BadInput for none."""
    async with services_of(request).db.read() as conn:
        row = await sessions.get(conn, session_id)
        if row is None:
            raise NoSuchSession
        zone = (await directory.read(conn)).agencies[row.agency_id].timezone
    try:
        after = date.fromisoformat(day) + timedelta(days=1)
        return datetime.combine(after, time(), ZoneInfo(zone)).timestamp()
    except (ValueError, OverflowError) as error:
        raise BadInput("A consent ends within five years. Nothing was saved.") from error


async def _done(request: web.Request, work: Awaitable[object]) -> web.StreamResponse:
    session_id = request.match_info["id"]
    try:
        await work
    except (RecordError, SessionError) as error:
        return await session_answer(request, session_id, refused=error)
    return answers.moved(f"/manager/sessions/{session_id}#consents")
