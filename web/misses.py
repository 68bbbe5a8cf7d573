"""The pages of near misses: the daily list, and one of them, closed with a note."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from itertools import groupby
from urllib.parse import urlencode

from aiohttp import web

from auth import misses
from auth.misses import Listed
from auth.policy import Action
from records import near_miss_rules as rules
from records.errors import RecordError
from records.near_misses import MOST_COUNTED, MissFilter, MissRow
from records.vocabulary import NEAR_MISSES
from web import answers, present
from web.errors import BadRequest
from web.keys import ASKED, actor_of, now_of, services_of
from web.manager import agencies_of, midnight, nav
from web.routes import Route, Who, fields

ADDRESS = "/manager/misses"
STATES = {"open": False, "closed": True, "all": None}
FIELDS = ("state", "kind", "from", "until")
DONE = frozenset({"closed", "reopened"})
_LARGEST_REV = 9  # digits
THRESHOLDS = {
    "wait": int(rules.LONG_WAIT_SECONDS),
    "media": int(rules.NO_MEDIA_SECONDS),
    "lost": int(rules.LOST_SECONDS),
}


def routes() -> list[Route]:
    """The pages' addresses."""
    read, close, person = (Action.MISS_READ,), (Action.MISS_CLOSE,), Who.PERSON
    return [
        Route("GET", ADDRESS, show, person, read),
        Route("GET", f"{ADDRESS}/{{id}}", one, person, read),
        Route("POST", f"{ADDRESS}/{{id}}/close", close_it, person, close),
        Route("POST", f"{ADDRESS}/{{id}}/reopen", reopen_it, person, close),
    ]


async def show(request: web.Request) -> web.Response:
    """GET /manager/misses?state&kind&from&until: by day, newest first; open ones unless asked."""
    state = request.query.get("state") or "open"
    kind = request.query.get("kind") or None
    if state not in STATES or (kind is not None and kind not in NEAR_MISSES):
        raise BadRequest
    agencies = await agencies_of(request)
    zone = agencies[0].timezone if agencies else "UTC"
    wanted = MissFilter(
        closed=STATES[state],
        kind=kind,
        since=midnight(request.query.get("from"), zone, 0),
        until=midnight(request.query.get("until"), zone, 1),
    )
    after = request.query.get("after") or None
    found = await misses.listed(
        services_of(request).db, actor_of(request), wanted, after, now_of(request)
    )
    kept = {name: request.query[name] for name in FIELDS if request.query.get(name)}
    return answers.page(
        request,
        "manager_misses",
        nav=nav(request, "misses"),
        found=found,
        days=by_day(found),
        state=state,
        states=tuple(STATES),
        kinds=NEAR_MISSES,
        kept=kept,
        thresholds=THRESHOLDS,
        many=MOST_COUNTED,
        older=urlencode({**kept, "after": found.page.after}) if found.page.after else None,
        present=present,
        texts=request[ASKED].texts,
    )


def by_day(found: Listed) -> list[tuple[str, list[MissRow]]]:
    """The rows of a page under the day on which each happened where its agency is."""

    def day(row: MissRow) -> str:
        return present.moment(row.at, found.who.agencies[row.agency_id].timezone)[:10]

    rows: Iterable[MissRow] = found.page.rows
    return [(name, list(those)) for name, those in groupby(rows, day)]


async def one(request: web.Request) -> web.Response:
    """GET /manager/misses/{id}."""
    return await _one(request)


async def _one(
    request: web.Request, refused: RecordError | None = None, typed: str = ""
) -> web.Response:
    services = services_of(request)
    found = await misses.one(
        services.db, services.vault, actor_of(request), request.match_info["id"], now_of(request)
    )
    done = request.query.get("done")
    return answers.page(
        request,
        "manager_miss",
        status=200 if refused is None else refused.status,
        nav=nav(request, "misses"),
        found=found,
        zone=found.who.agencies[found.row.agency_id].timezone,
        thresholds=THRESHOLDS,
        typed=typed,
        done=done if done in DONE and refused is None else None,
        refused=None if refused is None else answers.words(request, refused, refused.code),
        present=present,
        texts=request[ASKED].texts,
    )


async def close_it(request: web.Request) -> web.StreamResponse:
    """POST /manager/misses/{id}/close: with a note."""
    (note,) = await fields(request, "note")
    services = services_of(request)

    async def press(miss_id: str, rev: int) -> None:
        await misses.close(
            services.db, services.vault, actor_of(request), miss_id, rev, note, now_of(request)
        )

    return await _pressed(request, press, "closed", note)


async def reopen_it(request: web.Request) -> web.StreamResponse:
    """POST /manager/misses/{id}/reopen."""
    services = services_of(request)

    async def press(miss_id: str, rev: int) -> None:
        await misses.reopen(
            services.db, services.vault, actor_of(request), miss_id, rev, now_of(request)
        )

    return await _pressed(request, press, "reopened")


async def _pressed(
    request: web.Request,
    press: Callable[[str, int], Awaitable[None]],
    done: str,
    typed: str = "",
) -> web.StreamResponse:
    miss_id = request.match_info["id"]
    (rev,) = await fields(request, "rev")
    if not rev.isascii() or not rev.isdigit() or len(rev) > _LARGEST_REV:
        raise BadRequest
    try:
        await press(miss_id, int(rev))
    except RecordError as error:
        return await _one(request, error, typed)
    return answers.moved(f"{ADDRESS}/{miss_id}?done={done}")
