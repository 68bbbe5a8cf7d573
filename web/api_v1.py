"""/api/v1 for programs of others: the log, one session, follow-ups and reports, by a token.

Only reading. What a token may read is decided by `auth.interchange`; what an answer can hold at
all stands in `web.api_types`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

from auth import api_reads, outside, reporting, shapes
from auth.api_reads import Sessions
from auth.errors import NoScope
from auth.policy import Action, could
from auth.reporting import Chosen
from records import part2
from records.directory import Directory
from records.followup_board import BoardRow
from records.log import LogFilter
from records.sessions import SessionRow
from web import answers, api_report
from web import api_types as types
from web.errors import BadQuery
from web.keys import OPENAPI, actor_of, now_of, services_of
from web.manager import midnight
from web.routes import Route, Shape, Who

S = TypeVar("S", bound=msgspec.Struct)

DAYS = 30  # of a report, unless others are asked for
LONGEST_DAYS = 3660
_FIELD = re.compile(r"at `\$\.([a-z_]+)`")
_TIMES = {
    "alerted": "alerted_at",
    "accepted": "accepted_at",
    "answered": "media_at",
    "handed_over": "handed_over_at",
    "handed_back": "handed_back_at",
    "recommended": "recommended_at",
    "acknowledged": "acknowledged_at",
    "ended": "ended_at",
    "closed": "closed_at",
    "disposition": "disposition_at",
    "requeued": "requeued_at",
}


def routes() -> list[Route]:
    """The addresses for programs, and the description of all of /api/v1."""
    base, program = "/api/v1", Who.PROGRAM
    return [
        Route("GET", f"{base}/openapi.json", describe, Who.ANYBODY, machine=True),
        Route(
            "GET", f"{base}/sessions", sessions, program, (Action.LOG_READ,), "api",
            shape=Shape(types.SessionsAnswer, types.SessionsQuery),
        ),
        Route(
            "GET", f"{base}/sessions.ndjson", export, program, (Action.LOG_EXPORT,), "api-export",
            shape=Shape(types.Session, types.ExportQuery, media="application/x-ndjson", lines=True),
        ),
        Route(
            "GET", f"{base}/sessions/{{id}}", session, program, (Action.SESSION_READ,), "api",
            shape=Shape(types.SessionAnswer),
        ),
        Route(
            "GET", f"{base}/sessions/{{id}}/timeline", timeline, program, (Action.SESSION_READ,),
            "api", shape=Shape(types.TimelineAnswer),
        ),
        Route(
            "GET", f"{base}/followups", followups, program, (Action.FOLLOWUP_READ,), "api",
            shape=Shape(types.FollowupsAnswer, types.FollowupsQuery),
        ),
        Route(
            "GET", f"{base}/reports", reports, program, (Action.REPORT_READ,), "api-report",
            shape=Shape(types.ReportsAnswer, types.ReportsQuery),
        ),
    ]  # fmt: skip


async def describe(request: web.Request) -> web.Response:
    """GET /api/v1/openapi.json: this description."""
    return web.Response(body=request.app[OPENAPI], content_type="application/json")


async def sessions(request: web.Request) -> web.Response:
    """GET /api/v1/sessions: the log, newest first, a page at a time."""
    asked = query_of(request, types.SessionsQuery)
    found = await api_reads.read_log(
        services_of(request).db, actor_of(request), _filter(asked, asked.code), asked.after,
        asked.limit, now_of(request),
    )  # fmt: skip
    return _answer(
        types.SessionsAnswer(True, _sessions(found, found.rows), _next(request, found.after))
    )


async def export(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/sessions.ndjson: the whole log, one session on each line."""
    asked = query_of(request, types.ExportQuery)
    pieces = await api_reads.export_log(
        services_of(request).db, actor_of(request), _filter(asked, None), now_of(request)
    )
    response = web.StreamResponse(
        headers={**answers.NO_STORE, "Content-Type": "application/x-ndjson; charset=utf-8"}
    )
    await response.prepare(request)
    async for piece in pieces:
        lines = msgspec.json.Encoder().encode_lines(_sessions(piece, piece.rows))
        await response.write(lines)
    await response.write_eof()
    return response


async def session(request: web.Request) -> web.Response:
    """GET /api/v1/sessions/{id}: times, dispositions and flags of one session."""
    query_of(request, types.Nothing)
    found = await api_reads.read_session(
        services_of(request).db, actor_of(request), request.match_info["id"], now_of(request)
    )
    return _answer(types.SessionAnswer(True, _session(found.row, found.who, named=found.named)))


async def timeline(request: web.Request) -> web.Response:
    """GET /api/v1/sessions/{id}/timeline: what happened in one session, as codes."""
    query_of(request, types.Nothing)
    found = await api_reads.read_timeline(
        services_of(request).db, actor_of(request), request.match_info["id"], now_of(request)
    )
    events = [
        types.Event(
            no=one.no,
            at=_moment(one.at),
            after=one.at - found.row.pressed_at,
            kind=one.kind,
            by=one.by,
            data=dict(one.data),
            name=shapes.name(found.who, one.by_id) if found.named else msgspec.UNSET,
        )
        for one in found.events
    ]
    return _answer(types.TimelineAnswer(True, found.row.id, events))


async def followups(request: web.Request) -> web.Response:
    """GET /api/v1/followups: open ones by due time, or closed ones."""
    asked, now = query_of(request, types.FollowupsQuery), now_of(request)
    found = await api_reads.read_followups(
        services_of(request).db, actor_of(request), asked.closed, asked.after, asked.limit, now
    )
    listed = [_followup(row, found.who, now, named=found.named) for row in found.page.rows]
    return _answer(types.FollowupsAnswer(True, listed, _next(request, found.page.after)))


async def reports(request: web.Request) -> web.Response:
    """GET /api/v1/reports: the report's figures over some days."""
    asked, actor = query_of(request, types.ReportsQuery), actor_of(request)
    hide = asked.small == "hidden"
    if not hide and not could(actor, Action.LOG_READ):
        raise NoScope  # who may not count for themselves reads no small counts
    zone = await _zone(request, asked.agency)
    today = datetime.fromtimestamp(now_of(request), ZoneInfo(zone)).date()
    last = asked.to or today
    first = asked.since or last - timedelta(days=DAYS - 1)
    since, until = midnight(str(first), zone, 0), midnight(str(last), zone, 1)
    if since is None or until is None or not 0 < until - since <= LONGEST_DAYS * 86_400:
        raise BadQuery("to")
    agencies = None if asked.agency is None else frozenset({asked.agency})
    counted = await reporting.read(
        services_of(request).db, actor, Chosen(since, until, agencies), now_of(request)
    )
    figures = api_report.figures(counted, since, until, zone, hide=hide)
    return _answer(types.ReportsAnswer(True, figures))


def query_of(request: web.Request, shape: type[S]) -> S:
    """The parameters of an address. Raises BadQuery, which names the first that is wrong."""
    given = request.query
    known = {one.encode_name for one in msgspec.structs.fields(shape)}
    for name in given:
        if name not in known or len(given.getall(name)) > 1:
            raise BadQuery(name if name in known else None)
    try:
        return msgspec.convert(dict(given), shape, strict=False)
    except msgspec.ValidationError as error:
        found = _FIELD.search(str(error))
        raise BadQuery(found[1] if found and found[1] in known else None) from error


# --- inside ---------------------------------------------------------------------------------------


def _answer(body: msgspec.Struct) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body),
        content_type="application/json",
        headers=answers.NO_STORE,
    )


def _next(request: web.Request, after: str | None) -> str | None:
    """The address of the page after this one, with the same parameters."""
    if after is None:
        return None
    kept = {name: value for name, value in request.query.items() if name != "after"}
    return f"{request.path}?{urlencode({**kept, 'after': after})}"


def _filter(asked: types.SessionsQuery | types.ExportQuery, code: str | None) -> LogFilter:
    return LogFilter(
        pressed_from=None if asked.since is None else asked.since.timestamp(),
        pressed_until=None if asked.until is None else asked.until.timestamp(),
        agency_id=asked.agency,
        state=asked.state,
        recommended=asked.recommended,
        actual=asked.actual,
        code=code,
        tests=asked.tests,
    )


def _sessions(found: Sessions, rows: Iterable[SessionRow]) -> list[types.Session]:
    return [_session(row, found.who, named=found.named) for row in rows]


def _session(row: SessionRow, who: Directory, *, named: bool) -> types.Session:
    agency, spans = who.agencies[row.agency_id], shapes.durations(row)
    return types.Session(
        id=row.id,
        code=row.code,
        state=row.state,
        test=row.test,
        agency=types.Organisation(agency.id, agency.name),
        county=agency.county,
        provider=_provider(who, row.provider_id),
        times=types.Times(
            pressed=_moment(row.pressed_at),
            **{name: _maybe(getattr(row, column)) for name, column in _TIMES.items()},
        ),
        seconds=types.Seconds(
            **{name: getattr(spans, name) for name in types.Seconds.__struct_fields__}
        ),
        close_reason=row.close_reason,
        otherwise=row.otherwise,
        recommended=row.recommended_disposition,
        actual=row.actual_disposition,
        difference_reason=row.difference_reason,
        flags=list(outside.flags(row)),
        voice_only=row.voice_only,
        people=(
            types.People(shapes.name(who, row.officer_id), shapes.name(who, row.lead_id))
            if named
            else msgspec.UNSET
        ),
    )


def _followup(row: BoardRow, who: Directory, now: float, *, named: bool) -> types.Followup:
    agency = who.agencies[row.agency_id]
    return types.Followup(
        id=row.id,
        session=row.session_id,
        agency=types.Organisation(agency.id, agency.name),
        provider=_provider(who, row.provider_id),
        kind=part2.followup_kind(row.kind),
        due=_moment(row.due_at),
        overdue=row.overdue(now),
        status=row.status,
        closed=_maybe(row.closed_at),
        attempts=row.attempts,
        owner=shapes.name(who, row.owner_id) if named else msgspec.UNSET,
    )


def _provider(who: Directory, provider_id: str) -> types.Organisation:
    return types.Organisation(provider_id, who.providers[provider_id].name)


async def _zone(request: web.Request, agency_id: str | None) -> str:
    """The time zone of the agency that is asked for; else of the first within reach, by name."""
    places = await api_reads.agencies(services_of(request).db, actor_of(request))
    zones = [one.timezone for one in places if agency_id in (None, one.id)]
    return zones[0] if zones else "UTC"


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _maybe(at: float | None) -> datetime | None:
    return None if at is None else _moment(at)
