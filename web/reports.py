"""GET /manager/reports: what a program is measured by, each figure with its definition."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from aiohttp import web

from auth import reporting
from auth.reporting import Chosen
from records.catchments import Place
from records.directory import Agency
from records.vocabulary import FUNDING
from web import answers, present, report_pdf, report_tables
from web.errors import BadDays, BadRequest
from web.keys import ASKED, TYPESETTER, actor_of, now_of, services_of
from web.manager import agencies_of, midnight, nav
from web.report_figures import Frame, Shown, drawn
from web.staffed import staffed_of

DAYS = 30  # shown unless other days are asked for
LONGEST_DAYS = 3660
FIELDS = ("from", "until", "agency", "county", "funding", "share")


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for, in the addresses' words and as it is read."""

    chosen: Chosen
    frame: Frame
    names: tuple[str, ...]  # of what was chosen, for people
    kept: Mapping[str, str]


async def show(request: web.Request) -> web.Response:
    """GET /manager/reports?from&until&agency&county&funding&share."""
    agencies = await agencies_of(request)
    asked, texts = _asked(request, agencies), request[ASKED].texts
    frame = asked.frame
    return answers.page(
        request,
        "manager_reports",
        nav=nav(request, "reports"),
        shown=await _shown(request, asked),
        behind=lambda one: report_pdf.behind(one, texts),
        frame=frame,
        kept=asked.kept,
        agencies=agencies,
        places=[(_key(place), place) for place in _places(agencies)],
        fundings=FUNDING,
        query=urlencode(asked.kept),
        first=present.day(frame.since, frame.zone),
        last=present.day(frame.until - 1, frame.zone),
    )


async def table(request: web.Request) -> web.Response:
    """GET /manager/reports.csv: the same figures as rows."""
    asked = _asked(request, await agencies_of(request))
    shown = await _shown(request, asked)
    return answers.document(
        report_tables.as_csv(shown, request[ASKED].texts).encode(),
        "report.csv",
        "text/csv; charset=utf-8",
    )


async def pdf(request: web.Request) -> web.Response:
    """GET /manager/reports.pdf: the same figures as an accessible document."""
    asked, texts, now = (
        _asked(request, await agencies_of(request)), request[ASKED].texts, now_of(request)
    )  # fmt: skip
    shown = await _shown(request, asked)
    data = report_pdf.data(shown, asked.frame, asked.names, now, texts)
    return answers.document(await request.app[TYPESETTER].pdf("report", data, now), "report.pdf")


async def _shown(request: web.Request, asked: Asked) -> Shown:
    services, now = services_of(request), now_of(request)
    report = await reporting.read(services.db, actor_of(request), asked.chosen, now)
    staffed = await staffed_of(services.db, report, asked.chosen, now)
    # in a thread: a million waits take a moment to order
    return await asyncio.to_thread(drawn, report, staffed, asked.frame, request[ASKED].texts)


# --- what was asked for ---------------------------------------------------------------------------


def _asked(request: web.Request, agencies: list[Agency]) -> Asked:
    """Raises BadRequest for a value that no form of ours sends, BadDays."""
    texts = request[ASKED].texts
    kept = {name: request.query[name] for name in FIELDS if request.query.get(name)}
    agency = next((one for one in agencies if one.id == kept.get("agency")), None)
    place = next((one for one in _places(agencies) if _key(one) == kept.get("county")), None)
    funding = kept.get("funding")
    if (
        (agency is None and "agency" in kept)
        or (place is None and "county" in kept)
        or (funding is not None and funding not in FUNDING)
    ):
        raise BadRequest
    first = agency or next(iter(agencies), None)
    zone = "UTC" if first is None else first.timezone
    today = datetime.fromtimestamp(now_of(request), ZoneInfo(zone)).date()
    since = midnight(kept.get("from") or str(today - timedelta(days=DAYS - 1)), zone, 0)
    until = midnight(kept.get("until") or str(today), zone, 1)
    if since is None or until is None:
        raise BadRequest
    if not 0 < until - since <= LONGEST_DAYS * 86_400:
        raise BadDays(LONGEST_DAYS)
    chosen = Chosen(
        since, until, None if agency is None else frozenset({agency.id}), place, funding
    )
    names = [
        agency.name if agency is not None else texts.t("reports.all_agencies"),
        *(
            []
            if place is None
            else [texts.t("reports.place", county=place.county, state=place.state)]
        ),
        *([] if funding is None else [texts.t(f"reports.funding.{funding}")]),
    ]
    return Asked(chosen, Frame(since, until, zone, kept.get("share") == "1"), tuple(names), kept)


def _places(agencies: list[Agency]) -> list[Place]:
    found = {(p.state, p.county): p for one in agencies for p in one.places}
    return [found[key] for key in sorted(found)]


def _key(place: Place) -> str:
    return f"{place.state}|{place.county}"
