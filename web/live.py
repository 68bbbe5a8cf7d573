"""The two live pages: the officer's tablet and the clinician's console. The rest comes by /ws."""

from __future__ import annotations

from aiohttp import web

from records import directory, library, vocabulary
from records.instruments import OFFICERS
from web import answers, wording
from web.keys import ASKED, ASSETS, TEXTS, actor_of, now_of, services_of, settings_of


async def tablet(request: web.Request) -> web.Response:
    """GET /tablet: the officer's page.

    A cookie alone is enough for it, so that the numbers to call always show: the officers' names
    and the relay's credentials come by the connection, when the device has proved that it is ours.
    """
    actor, services = actor_of(request), services_of(request)
    async with services.db.read() as conn:
        who = await directory.read(conn)
    agency = who.agencies[actor.agency_id or ""]
    provider = who.providers.get(actor.provider_id or "")
    unit = who.tablets[actor.id]
    languages = request.app[TEXTS]
    return answers.page(
        request,
        "tablet",
        dark=True,
        strings=("common.", "tablet."),
        signing=wording.signing(languages),
        boot={
            "agency": agency.name,
            "unit": unit.label,
            "regionalLine": agency.regional_line,
            "providerLine": provider.bridge_line if provider else agency.regional_line,
            "keyByCode": settings_of(request).tablet_key_by_code,
            "build": request.app[ASSETS].build,
            "dispositions": list(vocabulary.DISPOSITIONS),
            "differenceReasons": list(vocabulary.DIFFERENCE_REASONS),
            "tiles": list(agency.tiles),
            "otherwise": list(vocabulary.OTHERWISE),
            "bodyCamera": list(vocabulary.BODY_CAMERA),
            "flags": list(vocabulary.OFFICER_FLAGS),
            "languages": list(vocabulary.LANGUAGES),
            "relay": {"servers": [], "expires_at": 0},  # run out: asked for at once
            "demo": settings_of(request).demo,
        },
    )


async def offline(request: web.Request) -> web.Response:
    """GET /tablet/offline: what the tablet keeps for when nothing answers: numbers to call, and the
    overdose card. Nothing of any session."""
    actor, services = actor_of(request), services_of(request)
    async with services.db.read() as conn:
        who = await directory.read(conn)
    agency = who.agencies[actor.agency_id or ""]
    provider = who.providers.get(actor.provider_id or "")
    return answers.page(
        request,
        "tablet_offline",
        dark=True,
        regional_line=agency.regional_line,
        provider_line=provider.bridge_line if provider else agency.regional_line,
    )


async def form(request: web.Request) -> web.Response:
    """GET /api/v1/forms/{code}/{version}: a questionnaire in another version than the page knows.

    A session's answers stay with the version that the first of them was given to.
    """
    code, version = request.match_info["code"], request.match_info["version"]
    async with services_of(request).db.read() as conn:
        found = await library.find(conn, code, version)
    return answers.answer({"form": found.definition(request[ASKED].texts.locale)})


async def console(request: web.Request) -> web.Response:
    """GET /console: the clinician's page."""
    locale, languages = request[ASKED].texts.locale, request.app[TEXTS]
    gateways = services_of(request).desk.pager.post.gateways
    async with services_of(request).db.read() as conn:
        forms = await library.current(conn)
    return answers.page(
        request,
        "console",
        strings=("common.", "console.", "guest.link.", "person.", "consent."),
        spoken=wording.spoken(languages),
        boot={
            "instruments": [
                one.definition(locale) for one in forms.values() if one.code not in OFFICERS
            ],
            "dispositions": list(vocabulary.DISPOSITIONS),
            "cardActions": list(vocabulary.CARD_ACTIONS),
            "cardLevels": list(vocabulary.CARD_LEVELS),
            "flags": list(vocabulary.CLINICIAN_FLAGS),
            "opioid": list(vocabulary.OPIOID),
            "noFollowup": list(vocabulary.GAP_REASONS),
            "followupKinds": list(vocabulary.FOLLOWUP_KINDS),
            "texts": gateways is not None and "sms" in gateways.kinds,
            "relay": services_of(request).desk.relay.for_page(now_of(request)),
        },
    )
