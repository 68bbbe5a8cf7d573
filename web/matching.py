"""Whom a session rings: where a provider answers, who answers what, how it rings; and a try-out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from auth import matching
from auth.errors import TooManyPlaces
from auth.matching import House
from auth.policy import Action
from oncall.facts import Rules
from oncall.fit import AgeGroup, Relaxation
from oncall.roster import zone_of
from records import escalations
from records.directory import Person
from records.vocabulary import COMPACTS, LANGUAGES, SPECIALITIES, STATES
from signaling import house_rules, ladders, ring_preview
from web import answers, matching_forms
from web.errors import BadMatching, BadRequest
from web.keys import actor_of, now_of, services_of
from web.manager import nav
from web.routes import Route, Who

ADDRESS = "/manager/matching"
SOON_DAYS = 30
DAY = 86_400.0
SPARE_LICENCES = 1


@dataclass(frozen=True, slots=True)
class LicenceShown:
    """A licence as the page says it. `state_of_it`: valid, soon, expired or open (no end)."""

    type: str
    state: str
    number: str
    until: str
    compact: str
    state_of_it: str
    days: int


@dataclass(frozen=True, slots=True)
class HouseShown:
    """A provider's part of the page."""

    house: House
    rules: Rules
    people: list[tuple[Person, list[LicenceShown]]]

    @property
    def steps(self) -> dict[str, Relaxation]:
        """What is let through, to its step."""
        return {str(step.what): step for step in self.rules.relaxations}


def routes() -> list[Route]:
    """The page's addresses."""
    needs = (Action.MATCHING_SET,)
    posts = (
        ("places/add", add_place),
        ("places/remove", remove_place),
        ("ring", set_ring),
        ("people/{person}", set_person),
        ("agencies/{agency}/add", add_agency_place),
        ("agencies/{agency}/remove", remove_agency_place),
    )
    return [
        Route("GET", ADDRESS, show, Who.PERSON, needs),
        *(
            Route("POST", f"{ADDRESS}/{{id}}/{path}", handler, Who.PERSON, needs)
            for path, handler in posts
        ),
    ]


async def show(request: web.Request) -> web.Response:
    """GET /manager/matching: all of it; with `try`, whom an imagined session would ring."""
    return await _page(request)


async def add_place(request: web.Request) -> web.StreamResponse:
    """POST /manager/matching/{id}/places/add: a county of a state, or a whole state."""
    form = await _form(request)
    try:
        place, rank = matching_forms.place(form), matching_forms.rank(form)
    except BadMatching as error:
        return await _page(request, wrong=error.field)
    services = services_of(request)
    await matching.add_place(
        services.db, actor_of(request), _id(request), place, rank, now_of(request)
    )
    return _saved(request, "places")


async def remove_place(request: web.Request) -> web.StreamResponse:
    """POST /manager/matching/{id}/places/remove."""
    place = matching_forms.place(await _form(request))
    services = services_of(request)
    await matching.remove_place(
        services.db, actor_of(request), _id(request), place, now_of(request)
    )
    return _saved(request, "places")


async def add_agency_place(request: web.Request) -> web.StreamResponse:
    """POST /manager/matching/{id}/agencies/{agency}/add: a county that its officers may choose."""
    return await _agency_place(request, there=True)


async def remove_agency_place(request: web.Request) -> web.StreamResponse:
    """POST /manager/matching/{id}/agencies/{agency}/remove."""
    return await _agency_place(request, there=False)


async def _agency_place(request: web.Request, *, there: bool) -> web.StreamResponse:
    services, agency_id = services_of(request), request.match_info["agency"]
    try:
        form = await _form(request)
        place = matching_forms.county(form) if there else matching_forms.place(form)
        await matching.set_agency_place(
            services.db, actor_of(request), agency_id, place, now_of(request), there=there
        )
    except BadMatching as error:
        return await _page(request, wrong=error.field)
    except TooManyPlaces:
        return await _page(request, wrong="many_places")
    services.desk.roster_changed()
    return answers.moved(f"{ADDRESS}#agency-{agency_id}")


async def set_ring(request: web.Request) -> web.StreamResponse:
    """POST /manager/matching/{id}/ring: the ring style, and the times of the steps."""
    try:
        style, steps = matching_forms.ring(await _form(request))
    except BadMatching as error:
        return await _page(request, wrong=error.field)
    services = services_of(request)
    await matching.set_ring(
        services.db, actor_of(request), _id(request), style, steps, now_of(request)
    )
    return _saved(request, "ring")


async def set_person(request: web.Request) -> web.StreamResponse:
    """POST /manager/matching/{id}/people/{person}: all that a clinician answers."""
    services, actor, now = services_of(request), actor_of(request), now_of(request)
    houses = await matching.houses(services.db, actor, now)
    zone = next((one.zone for one in houses if one.id == _id(request)), "UTC")
    try:
        profile = matching_forms.profile(await _form(request), zone)
    except BadMatching as error:
        return await _page(request, wrong=error.field)
    person_id = request.match_info["person"]
    await matching.set_person(services.db, actor, _id(request), person_id, profile, now)
    return _saved(request, "people")


async def _page(request: web.Request, wrong: str | None = None) -> web.Response:
    services, actor, now = services_of(request), actor_of(request), now_of(request)
    houses = await matching.houses(services.db, actor, now)
    shown = [_shown(one, services.desk.rules, now) for one in houses]
    tried = await _tried(request, shown) if request.method == "GET" else None
    return answers.page(
        request,
        "manager_matching",
        status=200 if wrong is None else 422,
        nav=nav(request, "matching"),
        shown=shown,
        steps=matching_forms.STEPS,
        never_at_once=matching_forms.NEVER_AT_ONCE,
        states=STATES,
        languages=LANGUAGES,
        specialities=SPECIALITIES,
        compacts=COMPACTS,
        spare=SPARE_LICENCES,
        asked=request.query,
        tried=tried,
        wrong=wrong,
    )


async def _tried(
    request: web.Request, shown: list[HouseShown]
) -> tuple[dict[str, str], ring_preview.Preview] | None:
    """Whom the session of the "Try it" form would ring: names, and the queue's own answer."""
    asked = request.query
    if "try" not in asked:
        return None
    one = next((one for one in shown if one.house.id == asked["try"]), None)
    language, age, field = (asked.get(name, "") for name in ("language", "age", "field"))
    if (
        one is None
        or asked.get("state") not in STATES
        or language not in ("", *LANGUAGES)
        or age not in ("", *AgeGroup)
        or field not in ("", *SPECIALITIES)
    ):
        raise BadRequest
    session = ring_preview.imagined(
        one.house.id,
        asked["state"],
        language or None,
        AgeGroup(age) if age else None,
        {field} if field else (),
    )
    states = (await services_of(request).desk.screens.picture()).clinicians
    async with services_of(request).db.read() as conn:
        own_steps = ladders.of_rows(await escalations.steps(conn))
    people = [
        ring_preview.ready(person, states[person.id].tier if person.id in states else None)
        for person in one.house.people
    ]
    names = {person.id: person.name for person in one.house.people}
    return names, ring_preview.preview(session, people, one.rules, own_steps, now_of(request))


def _shown(house: House, default: Rules, now: float) -> HouseShown:
    return HouseShown(
        house,
        house_rules.rules_of(house.settings, default),
        [(person, _licences(person, house.zone, now)) for person in house.people],
    )


def _licences(person: Person, zone: str, now: float) -> list[LicenceShown]:
    found = []
    for one in person.licences:
        ends = one.expires_at
        days = 0 if ends is None else max(0, math.ceil((ends - now) / DAY))
        state = "open"
        if ends is not None:
            state = "soon" if days <= SOON_DAYS else "valid"
        if not one.valid(now):
            state = "expired"
        # the last day on which it is valid
        until = "" if ends is None else datetime.fromtimestamp(ends - 1, zone_of(zone)).date()
        found.append(
            LicenceShown(
                one.type, one.state, one.number, str(until), one.compact or "", state, days
            )
        )
    return found


def _id(request: web.Request) -> str:
    return request.match_info["id"]


async def _form(request: web.Request) -> matching_forms.Form:
    form = await request.post()
    if not all(isinstance(value, str) for value in form.values()):
        raise BadRequest
    return form  # type: ignore[return-value]


def _saved(request: web.Request, part: str) -> web.Response:
    """The line, the pages and the other processes follow at once."""
    services_of(request).desk.roster_changed()
    return answers.moved(f"{ADDRESS}#{part}-{_id(request)}")
