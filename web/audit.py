"""The audit trail's page: one week, who did what, what to look at, and that it was looked at."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from auth import audit_review
from auth.audit import CUT
from auth.audit_review import OUTCOMES, Entry, Wanted
from auth.policy import Action, Target, allows
from records import directory
from records.export_columns import harmless
from web import answers, present
from web.errors import BadRequest
from web.keys import ASKED, actor_of, now_of, services_of
from web.manager import nav
from web.routes import Route, Who, fields

ADDRESS: Final = "/manager/audit"
FIELDS: Final = ("week", "who", "outcome", "about", "all")
COLUMNS: Final = tuple(Entry.__dataclass_fields__)
_LONGEST_ID: Final = 40
_LARGEST_NO: Final = 18  # digits


def routes() -> list[Route]:
    """The page's addresses."""
    person, needs = Who.PERSON, (Action.AUDIT_READ,)
    return [
        Route("GET", ADDRESS, show, person, needs),
        Route("GET", f"{ADDRESS}.csv", export, person, needs),
        Route("POST", f"{ADDRESS}/reviewed", reviewed, person, needs),
    ]


async def show(request: web.Request) -> web.Response:
    """GET /manager/audit?week&who&outcome&about&all&before: one week, newest first."""
    zone, monday, wanted = await _asked(request)
    now = now_of(request)
    before = request.query.get("before")
    seen = await audit_review.read(
        services_of(request).db, actor_of(request), monday, wanted, now,
        _number(before) if before else None,
    )  # fmt: skip
    kept = {name: request.query[name] for name in FIELDS if request.query.get(name)}
    this_week = audit_review.week_of(now, zone)
    return answers.page(
        request,
        "manager_audit",
        nav=nav(request, "audit"),
        seen=seen,
        cut=any(one.what == CUT for one in seen.by_action),
        wanted=wanted,
        monday=monday,
        sunday=monday + timedelta(days=6),
        earlier=(monday - timedelta(days=7)).isoformat(),
        later=(monday + timedelta(days=7)).isoformat() if monday < this_week else None,
        over=monday < this_week,
        zone=zone,
        outcomes=OUTCOMES,
        kept=kept,
        first=before is None,
        query=urlencode(kept),
        older=urlencode(kept | {"before": str(seen.after)}) if seen.after is not None else None,
        present=present,
        texts=request[ASKED].texts,
    )


async def export(request: web.Request) -> web.StreamResponse:
    """GET /manager/audit.csv: the same, all of it, a piece at a time."""
    _zone, _monday, wanted = await _asked(request)
    entries = await audit_review.export(
        services_of(request).db, actor_of(request), wanted, now_of(request)
    )
    response = web.StreamResponse(
        headers={
            **answers.NO_STORE,
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": 'attachment; filename="audit.csv"',
        }
    )
    await response.prepare(request)
    await response.write(("\ufeff" + _line([*COLUMNS, "actor_name"])).encode())
    async for one, name in entries:
        cells = [present.iso(one.at) if c == "at" else getattr(one, c) for c in COLUMNS]
        await response.write(_line([*cells, name]).encode())
    await response.write_eof()
    return response


async def reviewed(request: web.Request) -> web.StreamResponse:
    """POST /manager/audit/reviewed {week, up_to}: I have looked through this week."""
    week, up_to = await fields(request, "week", "up_to")
    monday = _monday(week)
    await audit_review.reviewed(
        services_of(request).db, actor_of(request), monday, _number(up_to), now_of(request)
    )
    return answers.moved(f"{ADDRESS}?week={monday.isoformat()}#reviewed")


async def _asked(request: web.Request) -> tuple[str, date, Wanted]:
    zone = await _zone(request)
    asked = request.query.get("week")
    monday = _monday(asked) if asked else audit_review.week_of(now_of(request), zone)
    outcome = request.query.get("outcome") or None
    if outcome is not None and outcome not in OUTCOMES:
        raise BadRequest
    since, until = audit_review.span(monday, zone)
    return (
        zone,
        monday,
        Wanted(
            since,
            until,
            actor_id=_id(request.query.get("who")),
            outcome=outcome,
            object_id=_id(request.query.get("about")),
            notable=request.query.get("all") != "1",
        ),
    )


async def _zone(request: web.Request) -> str:
    """The time zone of the reader's first agency, by name."""
    async with services_of(request).db.read() as conn:
        who = await directory.read(conn)
    mine = [
        one
        for one in who.agencies.values()
        if allows(
            actor_of(request), Action.AUDIT_READ, Target(one.id, one.provider_id, one.program_id)
        )
    ]
    return min(mine, key=lambda one: (one.name, one.id)).timezone if mine else "UTC"


def _monday(text: str) -> date:
    """The Monday of that day's week. Raises BadRequest."""
    try:
        day = date.fromisoformat(text)
        monday = day - timedelta(days=day.weekday())
        audit_review.span(monday, "UTC")
    except (ValueError, OverflowError) as error:
        raise BadRequest from error
    if not 2000 <= monday.year <= 2200:
        raise BadRequest
    return monday


def _id(text: str | None) -> str | None:
    text = (text or "").strip()
    if len(text) > _LONGEST_ID:
        raise BadRequest
    return text or None


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > _LARGEST_NO:
        raise BadRequest
    return int(text)


def _line(cells: list[object]) -> str:
    text = io.StringIO()
    said = ["unknown" if cell is None else harmless(str(cell)) for cell in cells]
    csv.writer(text, lineterminator="\r\n").writerow(said)
    return text.getvalue()
