"""What of one session goes to other systems: the FHIR Bundle, and dispatch's own number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from auth import interchange
from auth.policy import Action
from records.errors import RecordError
from signaling import case_commands
from signaling.errors import SessionError
from web import answers, present
from web.errors import BadRequest
from web.i18n import Texts
from web.keys import TEXTS, actor_of, now_of, services_of
from web.manager import session_answer
from web.routes import Route, Who, fields

_WORDS: Final[Mapping[str, str]] = {  # kind of code -> where its words are, if not "common.<kind>"
    "encounter": "interchange.encounter",
    "content": "consent.content",
    "purpose": "consent.purpose",
    "recipient": "consent.recipient",
    "consent_method": "consent.said",
    "speciality": "matching.field",
}


def routes() -> list[Route]:
    """The addresses."""
    return [
        Route(
            "GET", "/manager/sessions/{id}/fhir", fhir, Who.PERSON, (Action.RECORD_EXPORT,), "feed"
        ),
        Route(
            "POST", "/manager/sessions/{id}/case", case, Who.PERSON, (Action.CASE_NUMBER_SET,)
        ),
    ]  # fmt: skip


async def fhir(request: web.Request) -> web.Response:
    """GET /manager/sessions/{id}/fhir?to=provider|centre|hospital: the session as a Bundle."""
    recipient = request.query.get("to", "provider")
    if recipient not in interchange.RECIPIENTS:
        raise BadRequest
    services, english = services_of(request), request.app[TEXTS]["en"]
    bundle = await interchange.export_fhir(
        services.db,
        services.vault,
        actor_of(request),
        request.match_info["id"],
        recipient,
        lambda kind, code: words(english, kind, code),
        now_of(request),
    )
    return web.Response(
        text=json.dumps(bundle, ensure_ascii=False, indent=1),
        content_type="application/fhir+json",
        charset="utf-8",
        headers={
            **answers.NO_STORE,
            "Content-Disposition": 'attachment; filename="session.fhir.json"',
        },
    )


async def case(request: web.Request) -> web.StreamResponse:
    """POST /manager/sessions/{id}/case {number}: the number under which dispatch knows it."""
    session_id = request.match_info["id"]
    (number,) = await fields(request, "number")
    try:
        await case_commands.save(services_of(request).desk, actor_of(request), session_id, number)
    except (RecordError, SessionError) as error:
        return await session_answer(request, session_id, refused=error)
    return answers.moved(f"/manager/sessions/{session_id}#interchange")


def words(texts: Texts, kind: str, code: str) -> str:
    """The words of one of our codes, for systems that read English."""
    return present.label(texts, _WORDS.get(kind, f"common.{kind}"), code)
