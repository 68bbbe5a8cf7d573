"""GET /manager/planner: how many clinicians each hour of the week needs, beside who is on call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from aiohttp import web

from auth import planning
from oncall.coverage import Roster
from oncall.demand import Call, forecast, starts_of_week, week_plan
from oncall.erlang import Outlook
from oncall.errors import BadDemand
from records import directory
from signaling.rosters import licensed_only, read_plan
from web import answers
from web.errors import BadRequest
from web.keys import actor_of, now_of, services_of
from web.manager import nav

DAY = 86_400.0
WEEK = 7 * DAY
DEFAULTS = {"weeks": "13", "share": "90", "seconds": "30"}
CHOICES: Mapping[str, Sequence[str]] = {
    "weeks": ("4", "8", "13", "26", "52"),
    "share": ("80", "90", "95"),
    "seconds": ("10", "15", "20", "30", "60"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One hour of the week."""

    needed: int
    rostered: int

    @property
    def short(self) -> int:
        return max(0, self.needed - self.rostered)


async def show(request: web.Request) -> web.Response:
    """The table, for one provider and one target."""
    services, now = services_of(request), now_of(request)
    asked = {name: _chosen(request, name) for name in CHOICES}
    weeks, share, seconds = (int(asked[name]) for name in ("weeks", "share", "seconds"))
    since = now - weeks * WEEK
    planned = await planning.read_arrivals(
        services.db, actor_of(request), request.query.get("provider") or None, since, now, now
    )
    zone = planned.provider.timezone
    calls = [Call(one.pressed_at, one.accepted_at, one.freed_at) for one in planned.arrivals]
    ahead = forecast(calls, since, now, zone)
    async with services.db.read() as conn:
        roster = await read_plan(conn, planned.provider.id, now)
        people = (await directory.read(conn)).people
    try:
        plan = week_plan(ahead, share / 100, seconds)
    except BadDemand as error:
        raise BadRequest from error
    # who has no licence any more answers nobody, whatever the plan says
    there = licensed_only(roster, people, now + WEEK + DAY)
    cells = _cells(plan, _rostered(there, now, ZoneInfo(zone)))
    return answers.page(
        request,
        "manager_planner",
        nav=nav(request, "planner"),
        provider=planned.provider,
        providers=sorted(planned.providers.items(), key=lambda one: (one[1], one[0])),
        asked=asked,
        choices=CHOICES,
        ahead=ahead,
        weekly=round(sum(ahead.rates), 1),
        rows=[[cells[day * 24 + hour] for day in range(7)] for hour in range(24)],
        short=sum(1 for cell in cells if cell.short),
        most=max(cell.needed for cell in cells),
    )


def _chosen(request: web.Request, name: str) -> str:
    value = request.query.get(name) or DEFAULTS[name]
    if value not in CHOICES[name]:
        raise BadRequest
    return value


def _rostered(roster: Roster, now: float, zone: ZoneInfo) -> list[int]:
    """The fewest on call at any time of each hour of the coming week."""
    starts = starts_of_week(now, zone)
    covered = roster.coverage(min(starts), max(starts) + 3600)
    counts = []
    for start in starts:
        inside = [p for p in covered if p.starts_at < start + 3600 and p.ends_at > start]
        counts.append(min((len(piece.tiers) for piece in inside), default=0))
    return counts


def _cells(plan: Sequence[Outlook], rostered: Sequence[int]) -> list[Cell]:
    return [
        Cell(needed=one.clinicians, rostered=there)
        for one, there in zip(plan, rostered, strict=True)
    ]
