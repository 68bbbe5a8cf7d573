"""The page on which a manager decides which overdoses go to ODMAP, and the file that leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web

from auth import odmap
from auth.policy import Action
from records.doses import Dose
from records.errors import RecordError
from records.odmap_rules import (
    FATAL,
    GIVEN_BY,
    HELD,
    LONGEST_PLACE,
    NALOXONE,
    BadRow,
    OdmapRow,
    checked,
    giver_said,
    minute,
    naloxone_said,
    time_said,
)
from records.sessions import SessionRow
from records.vocabulary import STATES
from web import answers, present
from web.errors import BadDays, BadRequest
from web.keys import ASKED, actor_of, now_of, services_of
from web.manager import agencies_of, midnight, nav
from web.routes import Route, Who, fields

ADDRESS: Final = "/manager/odmap"
DAYS: Final = 7  # looked at when nobody chose
LONGEST: Final = 92  # days at once
FIELDS: Final = (
    "decision", "time", "county", "state", "place", "outcome", "naloxone", "given_by", "reason",
)  # fmt: skip
DECISIONS: Final = ("later", "release", "hold")


@dataclass(frozen=True, slots=True)
class Card:
    """One session as the page shows it: what is typed in it, and what is wrong with that."""

    row: SessionRow
    agency: str
    zone: str
    unit: str
    typed: Mapping[str, str]
    doses: Sequence[Dose] = ()  # of naloxone, as the officer tapped them
    wrong: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """The span that the page shows."""

    first: str
    last: str
    agency: str | None
    since: float
    until: float


@dataclass(slots=True)
class Typed:
    """What came back from the form."""

    by_session: dict[str, dict[str, str]] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)


def routes() -> list[Route]:
    """The addresses."""
    needs, person = (Action.ODMAP_RELEASE,), Who.PERSON
    return [
        Route("GET", ADDRESS, show, person, needs),
        Route("POST", ADDRESS, decide, person, needs),
        Route("POST", f"{ADDRESS}/back", back, person, needs),
        Route("GET", f"{ADDRESS}/{{id}}.csv", download, person, needs),
    ]


async def show(request: web.Request) -> web.Response:
    """GET /manager/odmap?from&until&agency: what waits, what was held back, which files left."""
    return await _page(request, Typed())


async def decide(request: web.Request) -> web.StreamResponse:
    """POST /manager/odmap: release what is ticked as one file and hold back the rest that is told.

    With anything wrong nothing is kept, and the page says what.
    """
    typed = await _typed(request)
    chosen = {
        session_id: one
        for session_id, one in typed.by_session.items()
        if one["decision"] in ("release", "hold")
    }
    if not chosen:
        return await _page(request, typed, problem="odmap.nothing")
    services, actor, now = services_of(request), actor_of(request), now_of(request)
    rows, who = await odmap.waiting(services.db, actor, list(chosen), now)
    released: dict[str, OdmapRow] = {}
    held: dict[str, str] = {}
    for session_id, one in chosen.items():
        if one["decision"] == "hold":
            held[session_id] = one["reason"]
            if one["reason"] not in HELD:
                typed.wrong[session_id] = "reason"
            continue
        zone = who.agencies[rows[session_id].agency_id].timezone
        try:
            released[session_id] = checked(one, rows[session_id], zone, now)
        except BadRow as bad:
            typed.wrong[session_id] = bad.field
    if typed.wrong:
        return await _page(request, typed, problem="odmap.wrong")
    try:
        release_id = await odmap.decide(services.db, services.vault, actor, released, held, now)
    except RecordError as error:
        return await _page(request, typed, refused=error)
    return answers.moved(f"{ADDRESS}?{'file=' + release_id if release_id else 'done=held'}")


async def back(request: web.Request) -> web.StreamResponse:
    """POST /manager/odmap/back {session}: decide again about one that was held back."""
    (session_id,) = await fields(request, "session")
    await odmap.put_back(services_of(request).db, actor_of(request), session_id, now_of(request))
    return answers.moved(f"{ADDRESS}?done=back")


async def download(request: web.Request) -> web.Response:
    """GET /manager/odmap/{id}.csv: a file that was released, letter for letter."""
    services = services_of(request)
    text = await odmap.file(
        services.db, services.vault, actor_of(request), request.match_info["id"], now_of(request)
    )
    return web.Response(
        text=text,
        content_type="text/csv",
        charset="utf-8",
        headers={**answers.NO_STORE, "Content-Disposition": 'attachment; filename="odmap.csv"'},
    )


# --- inside ---------------------------------------------------------------------------------------


async def _typed(request: web.Request) -> Typed:
    """The form's fields by session. Raises BadRequest for what no form of ours sends."""
    found = Typed()
    for name, value in (await request.post()).items():
        session_id, dot, part = name.partition(".")
        if not dot:
            continue
        if part not in FIELDS or not isinstance(value, str):
            raise BadRequest
        found.by_session.setdefault(session_id, dict.fromkeys(FIELDS, ""))[part] = value
    return found


async def _page(
    request: web.Request,
    typed: Typed,
    *,
    problem: str | None = None,
    refused: RecordError | None = None,
) -> web.Response:
    services, actor, now = services_of(request), actor_of(request), now_of(request)
    agencies = await agencies_of(request)
    asked = _asked(request, agencies[0].timezone if agencies else "UTC")
    found = await odmap.review(
        services.db, services.vault, actor, asked.since, asked.until, asked.agency, now
    )
    released = {one.id for one in found.releases}
    new_file, done = request.query.get("file"), request.query.get("done")
    return answers.page(
        request,
        "manager_odmap",
        status=refused.status if refused else 422 if problem else 200,
        nav=nav(request, "odmap"),
        cards=[_card(row, found, typed) for row in found.waiting],
        more=found.more,
        held=found.held,
        releases=found.releases,
        who=found.who,
        asked=asked,
        agencies=agencies,
        states=STATES,
        outcomes=FATAL,
        naloxone=NALOXONE,
        givers=GIVEN_BY,
        reasons=HELD,
        decisions=DECISIONS,
        longest=LONGEST_PLACE,
        new_file=new_file if new_file in released else None,
        done=done if done in ("held", "back") else None,
        problem=problem,
        refused=answers.words(request, refused, refused.code) if refused else None,
        present=present,
        texts=request[ASKED].texts,
    )


def _card(row: SessionRow, found: odmap.Review, typed: Typed) -> Card:
    agency, doses = found.who.agencies[row.agency_id], found.doses.get(row.id, ())
    own = {
        "decision": "later",
        "time": minute(time_said(row, doses), agency.timezone),
        "county": row.place_county or agency.county,
        "state": row.place_state or agency.state,
        "place": "",
        "outcome": "",
        "naloxone": naloxone_said(row, doses),
        "given_by": giver_said(row, doses),
        "reason": "",
    }
    return Card(
        row=row,
        agency=agency.name,
        zone=agency.timezone,
        unit=found.who.tablets[row.tablet_id].label,
        typed=typed.by_session.get(row.id, own),
        doses=doses,
        wrong=typed.wrong.get(row.id),
    )


def _asked(request: web.Request, zone: str) -> Asked:
    """The span that was asked for, or the last days. Raises BadRequest, BadDays."""
    today = datetime.fromtimestamp(now_of(request), ZoneInfo(zone)).date()
    first = request.query.get("from") or (today - timedelta(days=DAYS - 1)).isoformat()
    last = request.query.get("until") or today.isoformat()
    since, until = midnight(first, zone, 0), midnight(last, zone, 1)
    if since is None or until is None:
        raise BadRequest
    if not since < until <= since + (LONGEST + 1) * 86_400.0:
        raise BadDays(LONGEST)
    return Asked(first, last, request.query.get("agency") or None, since, until)
