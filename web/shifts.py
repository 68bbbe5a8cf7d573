"""A clinician's own shifts: the next two weeks, offering one to colleagues, taking one over."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from auth import rosters as right
from auth.policy import Action
from oncall.coverage import Shift
from oncall.gaps import AHEAD_SECONDS
from records import roster
from signaling.errors import DoubleBooked, NotAClinician, TurnGone
from signaling.roster_changes import Changes, clinicians
from signaling.rosters import read_plan
from web import answers, calendars, roster_view
from web.keys import ASKED, actor_of, now_of, services_of
from web.manager import nav
from web.roster import LOOK_BACK, REFUSALS, Site, changes_of, form_of, site_of, words

DONE = frozenset({"offered", "taken", "refused", "withdrawn", "revoked"})


async def mine(request: web.Request) -> web.Response:
    """GET /shifts: my next 14 days, what is offered to me, what I offer."""
    return await _mine(request)


async def offer_page(request: web.Request) -> web.Response:
    """GET /shifts/offer?starts=…: to whom one of my turns is offered."""
    return await _offer(request, _moment(request.query.get("starts")))


async def offer(request: web.Request) -> web.StreamResponse:
    """POST /shifts/offer: `to` is any, give:person or swap:person:start."""
    form = await form_of(request)
    site = await _site(request)
    starts = _moment(form.get("starts"))
    try:
        to, back = _addressee(form.get("to", ""))
        await changes_of(request, site).offer(starts, to, back)
    except REFUSALS as error:
        return await _offer(request, starts, error)
    return answers.moved("/shifts?done=offered")


async def take(request: web.Request) -> web.StreamResponse:
    """POST /shifts/offers/{id}/take."""
    form = await form_of(request)
    swap_id = request.match_info["id"]

    async def work(changes: Changes) -> None:
        await changes.take(swap_id, both=form.get("both") == "1")

    return await _done(request, work, "taken")


async def refuse(request: web.Request) -> web.StreamResponse:
    """POST /shifts/offers/{id}/refuse."""
    return await _done(request, lambda own: own.refuse(request.match_info["id"]), "refused")


async def withdraw(request: web.Request) -> web.StreamResponse:
    """POST /shifts/offers/{id}/withdraw."""
    return await _done(request, lambda own: own.withdraw(request.match_info["id"]), "withdrawn")


# --- inside ---------------------------------------------------------------------------------------


async def _site(request: web.Request) -> Site:
    return await site_of(request, {}, Action.ROSTER_SWAP)


async def _done(
    request: web.Request, work: Callable[[Changes], Awaitable[None]], done: str
) -> web.StreamResponse:
    try:
        await work(changes_of(request, await _site(request)))
    except REFUSALS as error:
        return await _mine(request, error)
    services_of(request).desk.roster_changed()
    return answers.moved(f"/shifts?done={done}")


async def _turns(request: web.Request, site: Site) -> Mapping[str, list[Shift]]:
    """The turns of all the provider's clinicians in the next 14 days."""
    services, now = services_of(request), now_of(request)
    async with services.db.read() as conn:
        plan = await read_plan(conn, site.provider.id, now - LOOK_BACK)
    people = [one.id for one in clinicians(site.who, site.provider.id)]
    return {one: plan.shifts(one, now, now + AHEAD_SECONDS) for one in people}


async def _mine(request: web.Request, refused: Exception | None = None) -> web.Response:
    site = await _site(request)
    services, actor, now = services_of(request), actor_of(request), now_of(request)
    await right.reading(services.db, actor, site.provider.id, now)
    async with services.db.read() as conn:
        swaps = await roster.swaps(conn, site.provider.id, now, involving=actor.id)
        feeds = await roster.feeds(conn, actor.id, site.provider.id)
    open_ones = [one for one in swaps if one.state == "proposed"]
    turns = (await _turns(request, site)).get(actor.id, [])
    own = [one for one in open_ones if one.from_id == actor.id]
    done = request.query.get("done")
    return answers.page(
        request,
        "shifts",
        status=getattr(refused, "status", 200),
        nav=nav(request, "shifts"),
        site=site,
        turns=turns,
        offered={one.starts_at for one in own},
        own=own,
        others=[one for one in open_ones
                if one.from_id != actor.id and one.to_id in (None, actor.id)],
        answered=[one for one in swaps if one.from_id == actor.id and one.decided_at is not None],
        feeds=[one for one in feeds if one.person_id is not None],
        fresh=None,
        refused=words(request, refused) if refused else None,
        ask_both=isinstance(refused, DoubleBooked),
        done=done if done in DONE else None,
        now=now,
        view=roster_view,
        texts=request[ASKED].texts,
        feed_days=calendars.FEED_DAYS,
    )  # fmt: skip


async def _offer(
    request: web.Request, starts: float, refused: Exception | None = None
) -> web.Response:
    site = await _site(request)
    services, actor, now = services_of(request), actor_of(request), now_of(request)
    await right.reading(services.db, actor, site.provider.id, now)
    turns = await _turns(request, site)
    turn = next((one for one in turns.get(actor.id, []) if one.starts_at == starts), None)
    if turn is None and refused is None:
        return await _mine(request, TurnGone())
    colleagues = [one for one in clinicians(site.who, site.provider.id) if one.id != actor.id]
    return answers.page(
        request,
        "shifts_offer",
        status=getattr(refused, "status", 200),
        nav=nav(request, "shifts"),
        site=site,
        turn=turn,
        colleagues=[
            (one, [t for t in turns.get(one.id, []) if t.starts_at > now]) for one in colleagues
        ],
        refused=words(request, refused) if refused else None,
        done=None,
        view=roster_view,
        texts=request[ASKED].texts,
    )


def _addressee(text: str) -> tuple[str | None, float | None]:
    """Whom the turn is offered to, and for which of their turns. Raises NotAClinician, TurnGone."""
    kind, _, rest = text.partition(":")
    if text == "any":
        return None, None
    if kind == "give" and rest:
        return rest, None
    person, _, starts = rest.rpartition(":")
    if kind == "swap" and person:
        return person, _moment(starts)
    raise NotAClinician


def _moment(text: str | None) -> float:
    """The start of a turn, as our own page wrote it. Raises TurnGone."""
    try:
        at = float(text or "")
    except ValueError:
        raise TurnGone from None
    if not math.isfinite(at):
        raise TurnGone
    return at
