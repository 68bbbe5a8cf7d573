"""The pages of follow-ups: the board, overdue first, and one of them with what was tried."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from aiohttp import web

from auth import follow
from auth.policy import Action
from records.errors import RecordError
from records.followup_board import BoardFilter
from records.vocabulary import (
    ATTEMPT_CHANNELS,
    ATTEMPT_OUTCOMES,
    FOLLOWUP_DONE,
    FOLLOWUP_REASONS,
)
from signaling import followup_commands
from signaling.errors import SessionError
from web import answers, present
from web.errors import BadRequest
from web.keys import ASKED, actor_of, now_of, services_of
from web.manager import nav
from web.routes import fields, may_anywhere

Press = Callable[[str, int], Awaitable[None]]

DONE = frozenset({"attempt", "close", "reopen", "assign", "move"})
PLANNED = frozenset({"planned", "none"})  # of a session that nobody followed up
REASONS = (FOLLOWUP_DONE, *FOLLOWUP_REASONS)
_LARGEST_REV = 9  # digits
_LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d", re.ASCII)


class BadTime(SessionError):
    """The due time that was typed is none."""

    code = "bad-time"
    status = 422
    sentence = "This is not a time. Nothing was changed."


async def board(request: web.Request) -> web.Response:
    """GET /followups?whose=all&closed=1: what is open, overdue first; mine unless asked."""
    actor, now = actor_of(request), now_of(request)
    works = may_anywhere(actor, Action.FOLLOWUP_WORK)
    everybody = not works or request.query.get("whose") == "all"
    closed = request.query.get("closed") == "1"
    wanted = BoardFilter(closed=closed, owner_id=None if everybody else actor.id)
    after = request.query.get("after") or None
    found = await follow.read_board(services_of(request).db, actor, wanted, after, now)
    return answers.page(
        request,
        "followups",
        nav=nav(request, "followups"),
        found=found,
        done=done if (done := request.query.get("done")) in PLANNED else None,
        works=works,
        everybody=everybody,
        closed=closed,
        here=_query(everybody=everybody, closed=closed),
        query=_query,
        now=now,
        present=present,
        texts=request[ASKED].texts,
    )


def _query(*, everybody: bool, closed: bool) -> str:
    parts = [*(["whose=all"] if everybody else []), *(["closed=1"] if closed else [])]
    return "&".join(parts)


async def one(request: web.Request) -> web.Response:
    """GET /followups/{id}."""
    return await _one(request)


async def _one(
    request: web.Request, refused: RecordError | SessionError | None = None
) -> web.Response:
    services, now = services_of(request), now_of(request)
    found = await follow.read_one(
        services.db, services.vault, actor_of(request), request.match_info["id"], now
    )
    done = request.query.get("done")
    zone = found.who.agencies[found.session.agency_id].timezone
    typed = dict(await request.post()) if refused is not None else {}
    return answers.page(
        request,
        "followup",
        status=200 if refused is None else refused.status,
        nav=nav(request, "followups"),
        found=found,
        zone=zone,
        due=datetime.fromtimestamp(found.row.due_at, ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M"),
        people=found.who.clinicians(found.session.provider_id),
        channels=ATTEMPT_CHANNELS,
        outcomes=ATTEMPT_OUTCOMES,
        reasons=REASONS,
        typed=typed,
        done=done if done in DONE and refused is None else None,
        refused=None if refused is None else answers.words(request, refused, refused.code),
        now=now,
        present=present,
        texts=request[ASKED].texts,
    )


async def attempt(request: web.Request) -> web.StreamResponse:
    """POST /followups/{id}/attempts."""
    channel, outcome, note = await fields(request, "channel", "outcome", "note")

    async def press(followup_id: str, rev: int) -> None:
        await followup_commands.attempt(
            services_of(request).desk, actor_of(request), followup_id, rev, channel, outcome, note
        )

    return await _pressed(request, press, "attempt")


async def close(request: web.Request) -> web.StreamResponse:
    """POST /followups/{id}/close."""
    (reason,) = await fields(request, "reason")

    async def press(followup_id: str, rev: int) -> None:
        await followup_commands.close(
            services_of(request).desk, actor_of(request), followup_id, rev, reason
        )

    return await _pressed(request, press, "close")


async def reopen(request: web.Request) -> web.StreamResponse:
    """POST /followups/{id}/reopen."""

    async def press(followup_id: str, rev: int) -> None:
        await followup_commands.reopen(
            services_of(request).desk, actor_of(request), followup_id, rev
        )

    return await _pressed(request, press, "reopen")


async def assign(request: web.Request) -> web.StreamResponse:
    """POST /followups/{id}/assign."""
    (owner,) = await fields(request, "owner")

    async def press(followup_id: str, rev: int) -> None:
        await followup_commands.assign(
            services_of(request).desk, actor_of(request), followup_id, rev, owner
        )

    return await _pressed(request, press, "assign")


async def move(request: web.Request) -> web.StreamResponse:
    """POST /followups/{id}/move: `due` is local time in the agency's zone."""
    (due,) = await fields(request, "due")
    zone = await _zone(request)

    async def press(followup_id: str, rev: int) -> None:
        await followup_commands.move(
            services_of(request).desk, actor_of(request), followup_id, rev, moment(due, zone)
        )

    return await _pressed(request, press, "move")


async def _pressed(request: web.Request, press: Press, done: str) -> web.StreamResponse:
    followup_id = request.match_info["id"]
    (rev,) = await fields(request, "rev")
    if not rev.isascii() or not rev.isdigit() or len(rev) > _LARGEST_REV:
        raise BadRequest
    try:
        await press(followup_id, int(rev))
    except (RecordError, SessionError) as error:
        if error.status == web.HTTPNotFound.status_code:
            raise
        return await _one(request, error)
    return answers.moved(f"/followups/{followup_id}?done={done}")


async def _zone(request: web.Request) -> str:
    """The zone that a follow-up's times are shown in: its agency's."""
    services, now = services_of(request), now_of(request)
    found = await follow.read_one(
        services.db, services.vault, actor_of(request), request.match_info["id"], now
    )
    return found.who.agencies[found.session.agency_id].timezone


def moment(typed: str, zone: str) -> float:
    """Raises BadTime."""
    try:
        if not _LOCAL.fullmatch(typed):
            raise BadTime
        return datetime.fromisoformat(typed).replace(tzinfo=ZoneInfo(zone)).timestamp()
    except (ValueError, OverflowError) as error:
        raise BadTime from error
