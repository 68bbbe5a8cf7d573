"""The roster as calendar files: downloads, private addresses for calendars, and files brought in.

A file is shown before it is taken over; what is shown is read again when it is, so that nothing
depends on what a browser kept meanwhile.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from aiohttp import web

from auth import rosters as right
from auth.errors import NoSuchRecord
from auth.policy import Action
from oncall.coverage import Shift
from oncall.errors import BadCalendar
from oncall.ical import LARGEST, Parsed, Reader, SingleEvent, WeeklyEvent, write
from records import directory, roster
from records.directory import Directory
from signaling.roster_changes import Special, Weekly, clinicians
from signaling.rosters import read_plan
from web import answers, roster_view
from web.errors import BadRequest
from web.keys import ASKED, actor_of, now_of, services_of, settings_of
from web.manager import nav
from web.roster import LOOK_BACK, REFUSALS, Site, changes_of, done_of, form_of, site_of, words

FEED_DAYS = 60
PAST_DAYS = 14
DAY = 86_400.0
LARGEST_BODY = 4 * LARGEST  # of a form: a letter may take four bytes, or three in an address
_TOKEN = re.compile(r"([A-Za-z0-9_-]{32})\.ics")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file, as it would stand in the roster."""

    line: int
    person: str
    words: str


async def page(request: web.Request) -> web.Response:
    """GET /manager/roster/calendar: download, private addresses, and a file to bring in."""
    return await _page(request, await site_of(request, request.query))


async def download(request: web.Request) -> web.Response:
    """GET /manager/roster.ics: everybody's turns."""
    site = await site_of(request, request.query)
    await _reading(request, site)
    return await _file(request, site.provider.id, None, "roster.ics")


async def download_own(request: web.Request) -> web.Response:
    """GET /shifts.ics: my turns."""
    site = await site_of(request, {}, Action.ROSTER_SWAP)
    await _reading(request, site)
    return await _file(request, site.provider.id, actor_of(request).id, "shifts.ics")


async def feed(request: web.Request) -> web.Response:
    """GET /calendar/{token}.ics: for calendar programs; the secret in the address is the right."""
    found = _TOKEN.fullmatch(request.match_info["name"])
    if found is None:
        raise NoSuchRecord
    known = await right.open_feed(services_of(request).db, found[1], now_of(request))
    return await _file(request, known.provider_id, known.person_id, "crisisbridge.ics")


async def make_feed(request: web.Request) -> web.Response:
    """POST /manager/roster/feeds: a private address for everybody's turns, shown once."""
    return await _made(request, await site_of(request, await form_of(request)), own=False)


async def make_own_feed(request: web.Request) -> web.Response:
    """POST /shifts/feeds: a private address for my turns, shown once."""
    return await _made(request, await site_of(request, {}, Action.ROSTER_SWAP), own=True)


async def revoke_feed(request: web.Request) -> web.StreamResponse:
    """POST /manager/roster/feeds/{id}/revoke."""
    site = await site_of(request, await form_of(request))
    await _revoke(request)
    return answers.moved(f"/manager/roster/calendar?provider={site.provider.id}&done=revoked")


async def revoke_own_feed(request: web.Request) -> web.StreamResponse:
    """POST /shifts/feeds/{id}/revoke."""
    await _revoke(request)
    return answers.moved("/shifts?done=revoked#feed")


async def preview(request: web.Request) -> web.Response:
    """POST /manager/roster/import: what a file says, or the line that cannot be used."""
    form = await request.post()
    given = form.get("file")
    if not isinstance(given, web.FileField):
        raise BadRequest
    text = given.file.read().decode("utf-8", errors="replace")
    values = {name: str(form.get(name, "")) for name in ("provider", "tier")}
    site = await site_of(request, values)
    tier = _tier(values["tier"])
    try:
        parsed = await _read(request, site, text, tier)
    except BadCalendar as error:
        return await _page(request, site, error)
    return answers.page(
        request,
        "manager_roster_import",
        nav=nav(request, "roster"),
        site=site,
        here="calendar",
        lines=_lines(request, site, parsed),
        skipped=parsed.skipped,
        text=text,
        tier=tier,
    )


async def bring_in(request: web.Request) -> web.StreamResponse:
    """POST /manager/roster/import/apply: take over what was shown, all of it or nothing."""
    form = await form_of(request)
    site = await site_of(request, form)
    try:
        parsed = await _read(request, site, form.get("text", ""), _tier(form.get("tier")))
        weekly = [_weekly(one) for one in parsed.weekly]
        await changes_of(request, site).bring_in(weekly, [_special(one) for one in parsed.single])
    except REFUSALS as error:
        return await _page(request, site, error)
    services_of(request).desk.roster_changed()
    return answers.moved(f"/manager/roster/shifts?provider={site.provider.id}&done=imported")


# --- inside ---------------------------------------------------------------------------------------


async def _reading(request: web.Request, site: Site) -> None:
    services = services_of(request)
    await right.reading(services.db, actor_of(request), site.provider.id, now_of(request))


async def _page(request: web.Request, site: Site, refused: Exception | None = None) -> web.Response:
    services, actor, now = services_of(request), actor_of(request), now_of(request)
    await right.reading(services.db, actor, site.provider.id, now)
    async with services.db.read() as conn:
        feeds = await roster.feeds(conn, actor.id, site.provider.id)
    return answers.page(
        request,
        "manager_roster_calendar",
        status=getattr(refused, "status", 200),
        nav=nav(request, "roster"),
        site=site,
        here="calendar",
        feeds=[one for one in feeds if one.person_id is None],
        feed_days=FEED_DAYS,
        refused=_words(request, refused) if refused else None,
        done=done_of(request),
        view=roster_view,
        texts=request[ASKED].texts,
    )


async def _made(request: web.Request, site: Site, *, own: bool) -> web.Response:
    services, actor = services_of(request), actor_of(request)
    token = await right.make_feed(services.db, actor, site.provider.id, now_of(request), own=own)
    origin = request.headers.get("Origin") or settings_of(request).origins[0]
    return answers.page(
        request,
        "roster_feed",
        nav=nav(request, "shifts" if own else "roster"),
        address=f"{origin}/calendar/{token}.ics",
        back="/shifts" if own else f"/manager/roster/calendar?provider={site.provider.id}",
        feed_days=FEED_DAYS,
    )


async def _revoke(request: web.Request) -> None:
    await right.revoke_feed(
        services_of(request).db, actor_of(request), request.match_info["id"], now_of(request)
    )


async def _file(
    request: web.Request, provider_id: str, person_id: str | None, name: str
) -> web.Response:
    now, texts = now_of(request), request[ASKED].texts
    async with services_of(request).db.read() as conn:
        plan = await read_plan(conn, provider_id, now - LOOK_BACK)
        who = await directory.read(conn)
    people = [person_id] if person_id else [one.id for one in clinicians(who, provider_id)]
    since, until = now - PAST_DAYS * DAY, now + FEED_DAYS * DAY
    turns = [turn for one in people for turn in plan.shifts(one, since, until)]
    turns.sort(key=lambda one: (one.starts_at, one.tier, one.person_id))

    def title(turn: Shift) -> str:
        if person_id is not None:
            return texts.t("roster.calendar.own_title", tier=turn.tier)
        person = who.people[turn.person_id].name
        return texts.t("roster.calendar.title_of", name=person, tier=turn.tier)

    label = texts.t("roster.calendar.name", provider=who.providers[provider_id].name)
    return web.Response(
        body=write(turns, title, label, now),
        headers={
            **answers.NO_STORE,
            "Content-Type": "text/calendar; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}"',
        },
    )


async def _read(request: web.Request, site: Site, text: str, tier: int) -> Parsed:
    async with services_of(request).db.read() as conn:
        emails = await roster.emails(conn, site.provider.id)
    people = _people(site.who, site.provider.id, emails)
    return Reader(people, site.provider.timezone, tier, now_of(request)).read(text)


def _people(who: Directory, provider_id: str, emails: dict[str, str]) -> dict[str, str]:
    """The provider's clinicians by e-mail, name and short name; a name that two have is none."""
    there = clinicians(who, provider_id)
    ids = {one.id for one in there}
    names: dict[str, set[str]] = {}
    for one in there:
        for name in (one.name, one.short_name):
            names.setdefault(name.casefold(), set()).add(one.id)
    found = {name: min(same) for name, same in names.items() if len(same) == 1}
    return {**found, **{email: one for email, one in emails.items() if one in ids}}


def _lines(request: web.Request, site: Site, parsed: Parsed) -> list[Line]:
    texts, zone, names = request[ASKED].texts, site.provider.timezone, site.full_names
    lines = []
    for shift in parsed.weekly:
        days = roster_view.days_words(shift.days, texts)
        when = f"{days} {roster_view.minutes_words(shift, texts)}"
        said = texts.t("roster.import.weekly", when=when, tier=shift.tier,
                       from_=shift.valid_from, until=shift.valid_until or "…")  # fmt: skip
        lines.append(Line(shift.line, names[shift.person_id], said))
    for one in parsed.single:
        key = "roster.import.off" if one.goes else "roster.import.single"
        span = roster_view.span_words(one.starts_at, one.ends_at, zone, texts)
        said = texts.t(key, when=span, tier=one.tier or "")
        lines.append(Line(one.line, names[one.person_id], said))
    return sorted(lines, key=lambda line: line.line)


def _weekly(one: WeeklyEvent) -> Weekly:
    return Weekly(
        one.person_id, one.tier, one.days, one.starts_minute, one.ends_minute, one.timezone,
        one.valid_from, one.valid_until,
    )  # fmt: skip


def _special(one: SingleEvent) -> Special:
    if one.goes:
        return Special(None, one.person_id, one.starts_at, one.ends_at)
    return Special(one.person_id, None, one.starts_at, one.ends_at, one.tier)


def _tier(text: str | None) -> int:
    if not re.fullmatch("[1-9]", text or ""):
        raise BadRequest
    return int(str(text))


def _words(request: web.Request, error: Exception) -> str:
    if not isinstance(error, BadCalendar):
        return words(request, error)
    texts = request[ASKED].texts
    said = texts.t(f"roster.calendar.wrong.{error.problem}")
    if error.line is None:
        return texts.t("roster.calendar.wrong", problem=said)
    return texts.t("roster.calendar.wrong_line", line=error.line, problem=said)
