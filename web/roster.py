"""The roster's pages for supervisors, managers and administrators: the week, its gaps, its shifts.

Every form works without a script. What is refused is shown on the same page with the reason, and
with what was typed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlencode

from aiohttp import web

from auth import rosters as right
from auth.errors import Forbidden, NoSuchRecord
from auth.policy import Action
from oncall.errors import OnCallError
from oncall.gaps import AHEAD_SECONDS
from records import directory, roster
from records.directory import Directory, Provider
from records.errors import RecordError
from records.roster import RosterRow
from signaling.errors import DoubleBooked, SessionError
from signaling.roster_changes import Changes, clinicians
from signaling.rosters import licensed_only, read_plan
from web import answers, roster_forms, roster_view
from web.errors import BadRequest
from web.keys import ASKED, actor_of, now_of, services_of
from web.manager import nav

REFUSALS = (OnCallError, SessionError, RecordError)
LOOK_BACK = 100 * 86_400.0
WEEKS_AWAY = 520  # ten years either way; what is beyond is a typing error
DONE = frozenset({"added", "saved", "ended", "assigned", "imported", "revoked"})


@dataclass(frozen=True, slots=True)
class Site:
    """One provider's roster page: which one, of which, and everybody's names."""

    provider: Provider
    choices: tuple[Provider, ...]
    who: Directory

    @property
    def names(self) -> dict[str, str]:
        """Short names, for where there is little room."""
        return {one.id: one.short_name for one in self.who.people.values()}

    @property
    def full_names(self) -> dict[str, str]:
        return {one.id: one.name for one in self.who.people.values()}


async def week_page(request: web.Request) -> web.Response:
    """GET /manager/roster: the week with its gaps, and the gaps of the next 14 days on top."""
    site = await site_of(request, request.query)
    now, texts, zone = now_of(request), request[ASKED].texts, site.provider.timezone
    monday = _week(request.query.get("week"), zone, now)
    services = services_of(request)
    await right.reading(services.db, actor_of(request), site.provider.id, now)
    async with services.db.read() as conn:
        plan = await read_plan(conn, site.provider.id, now - LOOK_BACK)
    people = site.who.people
    found = roster_view.open_gaps(licensed_only(plan, people, now + AHEAD_SECONDS), now)
    this_monday = roster_view.monday_of(roster_view.today_in(zone, now))
    return answers.page(
        request,
        "manager_roster",
        nav=nav(request, "roster"),
        site=site,
        here="week",
        days=roster_view.week(plan, site.names, monday, zone, now),
        gaps=roster_view.gap_lines(found, zone, now, texts),
        monday=monday,
        before=_link(site, monday - timedelta(days=7)),
        after=_link(site, monday + timedelta(days=7)),
        current=_link(site, None) if monday != this_monday else None,
        until=roster_view.day_words(now + AHEAD_SECONDS, zone, texts),
    )


async def shifts_page(request: web.Request) -> web.Response:
    """GET /manager/roster/shifts: weekly shifts, exceptions and offered turns."""
    return await _shifts(request, await site_of(request, request.query))


async def edit_page(request: web.Request) -> web.Response:
    """GET /manager/roster/shifts/{id}: one weekly shift's form."""
    site = await site_of(request, request.query)
    return await _edit(request, site, await _entry(request, site))


async def add_shift(request: web.Request) -> web.StreamResponse:
    """POST /manager/roster/shifts."""
    form = await form_of(request)
    site = await site_of(request, form)

    async def work(changes: Changes) -> None:
        await changes.add_shift(roster_forms.weekly(form))

    return await _done(request, site, form, work, "added")


async def edit_shift(request: web.Request) -> web.StreamResponse:
    """POST /manager/roster/shifts/{id}: the shift as it is from now on."""
    form = await form_of(request)
    site = await site_of(request, form)
    row = await _entry(request, site)
    changes = changes_of(request, site)
    try:
        await changes.edit_shift(row.id, roster_forms.weekly(form))
    except REFUSALS as error:
        return await _edit(request, site, row, error, form)
    services_of(request).desk.roster_changed()
    return answers.moved(f"{_address('shifts', site)}&done=saved")


async def end_shift(request: web.Request) -> web.StreamResponse:
    """POST /manager/roster/shifts/{id}/end."""
    form = await form_of(request)
    site = await site_of(request, form)

    async def work(changes: Changes) -> None:
        await changes.end_shift(request.match_info["id"])

    return await _done(request, site, form, work, "ended")


async def add_override(request: web.Request) -> web.StreamResponse:
    """POST /manager/roster/overrides."""
    form = await form_of(request)
    site = await site_of(request, form)

    async def work(changes: Changes) -> None:
        wanted = roster_forms.special(form, site.provider.timezone)
        await changes.add_override(wanted, both=form.get("both") == "1")

    return await _done(request, site, form, work, "added")


async def end_override(request: web.Request) -> web.StreamResponse:
    """POST /manager/roster/overrides/{id}/end."""
    form = await form_of(request)
    site = await site_of(request, form)

    async def work(changes: Changes) -> None:
        await changes.end_override(request.match_info["id"])

    return await _done(request, site, form, work, "ended")


async def assign(request: web.Request) -> web.StreamResponse:
    """POST /manager/roster/swaps/{id}/assign: an offered turn goes to somebody."""
    form = await form_of(request)
    site = await site_of(request, form)

    async def work(changes: Changes) -> None:
        swap_id, person = request.match_info["id"], form.get("person", "")
        await changes.assign(swap_id, person, both=form.get("both") == "1")

    return await _done(request, site, form, work, "assigned")


# --- shared with the clinicians' page -------------------------------------------------------------


async def form_of(request: web.Request) -> dict[str, str]:
    """The text fields of a form. Raises BadRequest for a body that is none of our forms."""
    form = await request.post()
    if not all(isinstance(value, str) for value in form.values()):
        raise BadRequest
    return {name: str(value) for name, value in form.items() if name != "csrf"}


async def site_of(
    request: web.Request, given: Mapping[str, str], action: Action = Action.ROSTER_MANAGE
) -> Site:
    """The provider that is asked for, or the first within reach. Raises Forbidden, NoSuchRecord."""
    async with services_of(request).db.read() as conn:
        who = await directory.read(conn)
        ids = await right.within_reach(conn, actor_of(request), action)
    if not ids:
        raise Forbidden
    wanted = given.get("provider") or ids[0]
    if wanted not in ids:
        raise NoSuchRecord
    return Site(who.providers[wanted], tuple(who.providers[one] for one in ids), who)


def changes_of(request: web.Request, site: Site) -> Changes:
    """What the asker may do to this roster, now."""
    services = services_of(request)
    return Changes(services.db, actor_of(request), site.provider.id, now_of(request))


def words(request: web.Request, error: Exception) -> str:
    """A refusal in the reader's language, with the field's name where one is at fault."""
    texts = request[ASKED].texts
    field = getattr(error, "field", None)
    if field is not None and f"roster.wrong.{field}" in texts:
        return texts.t(f"roster.wrong.{field}")
    code = getattr(error, "code", "")
    key = f"roster.refused.{code.replace('-', '_')}"
    return texts.t(key) if key in texts else str(error)


def done_of(request: web.Request) -> str | None:
    """What has just been done, for the page that follows a form."""
    done = request.query.get("done")
    return done if done in DONE else None


# --- inside ---------------------------------------------------------------------------------------


async def _done(
    request: web.Request,
    site: Site,
    form: Mapping[str, str],
    work: Callable[[Changes], Awaitable[None]],
    done: str,
) -> web.StreamResponse:
    try:
        await work(changes_of(request, site))
    except REFUSALS as error:
        return await _shifts(request, site, error, form)
    services_of(request).desk.roster_changed()
    return answers.moved(f"{_address('shifts', site)}&done={done}")


async def _shifts(
    request: web.Request,
    site: Site,
    refused: Exception | None = None,
    kept: Mapping[str, str] | None = None,
) -> web.Response:
    services, now, provider = services_of(request), now_of(request), site.provider
    await right.reading(services.db, actor_of(request), provider.id, now)
    async with services.db.read() as conn:
        entries = await roster.entries(conn, provider.id)
        overrides = await roster.overrides(conn, now, provider.id)
        swaps = await roster.swaps(conn, provider.id, now)
    names = site.full_names
    entries.sort(key=lambda one: (one.tier, names.get(one.person_id, ""), one.starts_minute))
    licensed = {one.id for one in site.who.people.values() if one.licensed(now)}
    return answers.page(
        request,
        "manager_roster_shifts",
        status=getattr(refused, "status", 200),
        nav=nav(request, "roster"),
        site=site,
        here="shifts",
        entries=entries,
        overrides=sorted(overrides, key=lambda one: (one.starts_at, one.id)),
        swaps=swaps,
        people=clinicians(site.who, provider.id),
        licensed=licensed,
        zones=_zones(provider.timezone),
        kept=kept or {},
        refused=words(request, refused) if refused else None,
        ask_both=isinstance(refused, DoubleBooked),
        done=done_of(request),
        view=roster_view,
        texts=request[ASKED].texts,
    )


async def _entry(request: web.Request, site: Site) -> RosterRow:
    async with services_of(request).db.read() as conn:
        rows = await roster.entries(conn, site.provider.id)
    for row in rows:
        if row.id == request.match_info["id"]:
            return row
    raise NoSuchRecord


async def _edit(
    request: web.Request,
    site: Site,
    row: RosterRow,
    refused: Exception | None = None,
    kept: Mapping[str, str] | None = None,
) -> web.Response:
    own = {
        "person": row.person_id,
        "tier": str(row.tier),
        "starts": roster_view.wall(row.starts_minute % 1440),
        "ends": roster_view.wall(row.ends_minute % 1440),
        "timezone": row.timezone,
        "from": row.valid_from.isoformat() if row.valid_from else "",
        "until": row.valid_until.isoformat() if row.valid_until else "",
        **{f"day{number}": "1" for number in range(7) if row.days >> number & 1},
    }
    return answers.page(
        request,
        "manager_roster_shift",
        status=getattr(refused, "status", 200),
        nav=nav(request, "roster"),
        site=site,
        here="shifts",
        row=row,
        people=clinicians(site.who, site.provider.id),
        zones=_zones(row.timezone),
        kept=kept or own,
        refused=words(request, refused) if refused else None,
        done=None,
    )


def _week(text: str | None, zone: str, now: float) -> date:
    today = roster_view.today_in(zone, now)
    try:
        day = date.fromisoformat(text) if text else today
    except ValueError as error:
        raise BadRequest from error
    if abs(day - today) > timedelta(weeks=WEEKS_AWAY):
        raise BadRequest
    return roster_view.monday_of(day)


def _zones(own: str) -> tuple[str, ...]:
    return (own, *(zone for zone in roster_forms.ZONES if zone != own))


def _address(page: str, site: Site) -> str:
    return f"/manager/roster/{page}?{urlencode({'provider': site.provider.id})}"


def _link(site: Site, monday: date | None) -> str:
    query = {"provider": site.provider.id}
    if monday is not None:
        query["week"] = monday.isoformat()
    return f"/manager/roster?{urlencode(query)}"
