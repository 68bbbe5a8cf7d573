"""/manager/grants: who pays for agencies' sessions, and packs for those who give the money."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from aiohttp import web

from auth import grants
from auth.access import scope_of
from auth.policy import Action
from records import directory
from records.errors import RecordError
from records.packs import EVERY
from records.vocabulary import FUNDING
from web import answers, packs, present
from web.errors import BadRequest
from web.keys import ASKED, TYPESETTER, actor_of, now_of, services_of
from web.manager import agencies_of, nav
from web.packs import Period
from web.routes import Route, Who, fields

ADDRESS = "/manager/grants"
DONE = frozenset({"funding", "ordered", "ended"})
CHOICES = {"quarter": 8, "month": 12}  # periods that may be chosen, back from now


def routes() -> list[Route]:
    """The page's addresses."""
    needs, person = (Action.GRANT_SET,), Who.PERSON
    return [
        Route("GET", ADDRESS, show, person, needs),
        Route("POST", f"{ADDRESS}/funding", fund, person, needs),
        Route("GET", f"{ADDRESS}/pack.zip", make, person, needs, "feed"),
        Route("POST", f"{ADDRESS}/orders", order, person, needs),
        Route("POST", f"{ADDRESS}/orders/{{id}}/end", end, person, needs),
        Route("GET", f"{ADDRESS}/packs/{{id}}.zip", download, person, needs),
    ]


async def show(request: web.Request) -> web.Response:
    """GET /manager/grants."""
    return await _page(request)


async def _page(request: web.Request, refused: RecordError | None = None) -> web.Response:
    services, texts, now = services_of(request), request[ASKED].texts, now_of(request)
    found = await grants.read(services.db, actor_of(request), now)
    async with services.db.read() as conn:
        who = await directory.read(conn)
    done = request.query.get("done", "")
    zone = packs.zone_of(who, actor_of(request).program_id or "")
    return answers.page(
        request,
        "manager_grants",
        status=200 if refused is None else refused.status,
        nav=nav(request, "grants"),
        refused=None if refused is None else answers.words(request, refused, refused.code),
        done=done if done in DONE else "",
        agencies=await agencies_of(request),
        funding=found.funding,
        fundings=FUNDING,
        every=EVERY,
        periods=[(name, period.name) for name, period in _periods(zone, now)],
        plans=[(one, packs.names_of(who, one.agencies, one.funding, texts)) for one in found.plans],
        made=found.packs,
        zone=zone,
        present=present,
    )


async def fund(request: web.Request) -> web.StreamResponse:
    """POST /manager/grants/funding: a field for each agency."""
    form = await request.post()
    told = {
        name.removeprefix("funding-"): str(value)
        for name, value in form.items()
        if name.startswith("funding-")
    }
    services = services_of(request)
    await grants.set_funding(services.db, actor_of(request), told, now_of(request))
    return answers.moved(f"{ADDRESS}?done=funding")


async def make(request: web.Request) -> web.Response:
    """GET /manager/grants/pack.zip?period&agency&funding: a pack at once."""
    services, texts, now = services_of(request), request[ASKED].texts, now_of(request)
    scope = await scope_of(services.db, actor_of(request), Action.GRANT_SET, now)
    async with services.db.read() as conn:
        who = await directory.read(conn)
    zone = packs.zone_of(who, actor_of(request).program_id or "")
    period = dict(_periods(zone, now)).get(request.query.get("period", ""))
    if period is None:
        raise BadRequest
    agencies = await _agencies(request, request.query.getall("agency", []))
    funding = _funding(request.query.get("funding", ""))
    asked = packs.Asked(
        scope, period, zone, frozenset(agencies) or None, funding,
        packs.names_of(who, agencies, funding, texts),
    )  # fmt: skip
    file = await packs.made(services.db, request.app[TYPESETTER], asked, now, texts)
    return answers.document(file, f"grant-pack-{period.name}.zip", "application/zip")


async def order(request: web.Request) -> web.StreamResponse:
    """POST /manager/grants/orders: a pack of each month or quarter from now on."""
    every, funding = await fields(request, "every", "funding")
    chosen = [str(one) for one in (await request.post()).getall("agency", [])]
    services = services_of(request)
    try:
        await grants.order(
            services.db, actor_of(request), every, await _agencies(request, chosen),
            _funding(funding), now_of(request),
        )  # fmt: skip
    except RecordError as error:
        return await _page(request, error)
    return answers.moved(f"{ADDRESS}?done=ordered")


async def end(request: web.Request) -> web.StreamResponse:
    """POST /manager/grants/orders/{id}/end: no more of them."""
    services, plan = services_of(request), request.match_info["id"]
    await grants.end(services.db, actor_of(request), plan, now_of(request))
    return answers.moved(f"{ADDRESS}?done=ended")


async def download(request: web.Request) -> web.Response:
    """GET /manager/grants/packs/{id}.zip."""
    services, pack = services_of(request), request.match_info["id"]
    file = await grants.download(services.db, actor_of(request), pack, now_of(request))
    return answers.document(file, "grant-pack.zip", "application/zip")


def _periods(zone: str, now: float) -> list[tuple[str, Period]]:
    """What may be chosen, the newest first: quarters, then months; the running ones too."""
    today = datetime.fromtimestamp(now, ZoneInfo(zone)).date()
    return [
        (f"{every}-{one.first}", one)
        for every, many in CHOICES.items()
        for one in reversed(packs.earlier(every, packs.period_of(every, today), many))
    ]


async def _agencies(request: web.Request, chosen: list[str]) -> list[str]:
    """Raises BadRequest for one that the form does not offer."""
    if not set(chosen) <= {one.id for one in await agencies_of(request)}:
        raise BadRequest
    return sorted(set(chosen))


def _funding(code: str) -> str | None:
    if code and code not in FUNDING:
        raise BadRequest
    return code or None
