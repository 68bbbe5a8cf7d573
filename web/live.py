"""The two live pages: the officer's tablet and the clinician's console. The rest comes by /ws."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from aiohttp import web

from auth.tablets import officers_of_agency
from records import directory, instruments, vocabulary
from signaling.settings import Settings
from web import answers
from web.keys import ASKED, actor_of, now_of, services_of, settings_of

TURN_SECONDS = 6 * 3600  # longer than any call; a new page gets new ones


def ice_servers(settings: Settings, now: float) -> list[dict[str, object]]:
    """The relay with credentials that expire by themselves; none: an empty list, never a default.

    The scheme is coturn's `use-auth-secret`: name `expiry:id`, password HMAC-SHA1 of the name.
    """
    if not settings.turn_urls or settings.turn_secret is None:
        return []
    name = f"{int(now) + TURN_SECONDS}:{secrets.token_hex(8)}"
    key = settings.turn_secret.reveal().encode()
    password = base64.b64encode(hmac.digest(key, name.encode(), hashlib.sha1)).decode()
    return [{"urls": list(settings.turn_urls), "username": name, "credential": password}]


async def tablet(request: web.Request) -> web.Response:
    """GET /tablet: the officer's page."""
    actor, services, settings = actor_of(request), services_of(request), settings_of(request)
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
            "iceServers": ice_servers(settings, now_of(request)),
            "demo": settings.demo,
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
            "iceServers": ice_servers(settings_of(request), now_of(request)),
        },
    )
