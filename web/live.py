"""The two live pages: the officer's tablet and the clinician's console. The rest comes by /ws."""

from __future__ import annotations

from aiohttp import web

from auth.tablets import officers_of_agency
from records import directory, instruments, vocabulary
from web import answers
from web.keys import ASKED, actor_of, now_of, services_of, settings_of


async def tablet(request: web.Request) -> web.Response:
    """GET /tablet: the officer's page."""
    actor, services = actor_of(request), services_of(request)
    async with services.db.read() as conn:
        who = await directory.read(conn)
        officers = await officers_of_agency(conn, actor.agency_id or "")
    agency = who.agencies[actor.agency_id or ""]
    provider = who.providers.get(actor.provider_id or "")
    unit = who.tablets[actor.id]
    return answers.page(
        request,
        "tablet",
        dark=True,
        strings=("common.", "tablet."),
        boot={
            "agency": agency.name,
            "unit": unit.label,
            "regionalLine": agency.regional_line,
            "providerLine": provider.bridge_line if provider else agency.regional_line,
            "officers": [{"id": one.id, "name": one.name} for one in officers],
            "onShift": actor.officer_id,
            "dispositions": list(vocabulary.DISPOSITIONS),
            "differenceReasons": list(vocabulary.DIFFERENCE_REASONS),
            "tiles": list(agency.tiles),
            "languages": list(vocabulary.LANGUAGES),
            "places": [f"{place.county}, {place.state}" for place in agency.places],
            "relay": services.desk.relay.for_page(now_of(request)),
            "demo": settings_of(request).demo,
        },
    )


async def console(request: web.Request) -> web.Response:
    """GET /console: the clinician's page."""
    locale = request[ASKED].texts.locale
    return answers.page(
        request,
        "console",
        strings=("common.", "console.", "guest.link."),
        boot={
            "instruments": [instruments.definition(code, locale) for code in instruments.codes()],
            "dispositions": list(vocabulary.DISPOSITIONS),
            "cardActions": list(vocabulary.CARD_ACTIONS),
            "cardLevels": list(vocabulary.CARD_LEVELS),
            "followupKinds": list(vocabulary.FOLLOWUP_KINDS),
            "relay": services_of(request).desk.relay.for_page(now_of(request)),
        },
    )
