"""GET /manager/reports: what a program is measured by, each figure with its definition."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from aiohttp import web

from auth import reporting
from auth.reporting import Report
from records import measures
from records.measures import DIVERTED_FROM, LEVELS, Numbers, Rate, Times
from records.reports import UNIT
from records.vocabulary import DISPOSITIONS, FLAGS
from web import answers, present
from web.errors import BadRequest
from web.i18n import Texts
from web.keys import ASKED, actor_of, now_of, services_of
from web.manager import agencies_of, midnight, nav

DAYS = 30  # shown unless other days are asked for
LONGEST_DAYS = 3660
HIDDEN = "<11"
FIELDS = ("from", "until", "agency", "share")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: its key, the value in words, and the numbers behind it."""

    key: str
    value: str
    part: int | None = None
    whole: int | None = None
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Shown:
    """A report as it is drawn."""

    numbers: Numbers
    figures: tuple[Figure, ...]
    matrix: tuple[tuple[str, tuple[str, ...]], ...]  # a row's name and its cells
    columns: tuple[str, ...]
    heat: tuple[tuple[int, ...], ...]  # Monday to Sunday × 24 local hours
    busiest: int
    trend: tuple[tuple[str, int], ...]  # by local month, or by day for short spans


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for: days in a zone, an agency, and whether small counts are hidden."""

    since: float
    until: float
    agency: str | None
    zone: str
    share: bool
    kept: Mapping[str, str]


async def show(request: web.Request) -> web.Response:
    """GET /manager/reports?from&until&agency&share."""
    agencies = await agencies_of(request)
    asked = _asked(request, {one.id: one.timezone for one in agencies})
    report = await _read(request, asked)
    texts = request[ASKED].texts
    return answers.page(
        request,
        "manager_reports",
        nav=nav(request, "reports"),
        shown=drawn(report, asked, texts),
        asked=asked,
        agencies=agencies,
        query=urlencode(asked.kept),
        first=present.day(asked.since, asked.zone),
        last=present.day(asked.until - 1, asked.zone),
        present=present,
        texts=texts,
    )


async def table(request: web.Request) -> web.Response:
    """GET /manager/reports.csv: the same figures as rows."""
    agencies = await agencies_of(request)
    asked = _asked(request, {one.id: one.timezone for one in agencies})
    report = await _read(request, asked)
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\r\n")
    rows.writerow(["figure", "value", "part", "whole", "unknown"])
    rows.writerows(_rows(drawn(report, asked, request[ASKED].texts), asked.share))
    return web.Response(
        text="\ufeff" + out.getvalue(),
        content_type="text/csv",
        charset="utf-8",
        headers={
            **answers.NO_STORE, "Content-Disposition": 'attachment; filename="report.csv"'
        },
    )  # fmt: skip


def _rows(shown: Shown, share: bool) -> Iterator[list[str]]:
    for name in ("offered", "answered", "short", "abandoned", "failed", "other", "open"):
        yield [name, count(getattr(shown.numbers, name), share), "", "", ""]
    for one in shown.figures:
        numbers = [one.part, one.whole, one.unknown or None]
        yield [one.key, one.value, *("" if n is None else count(n, share=share) for n in numbers)]
    for name, cells in shown.matrix:
        for column, cell in zip(shown.columns, cells, strict=True):
            yield [f"recommended {name}, actual {column}", cell, "", "", ""]


async def _read(request: web.Request, asked: Asked) -> Report:
    return await reporting.read(
        services_of(request).db, actor_of(request), asked.since, asked.until, asked.agency,
        now_of(request),
    )  # fmt: skip


def _asked(request: web.Request, zones: Mapping[str, str]) -> Asked:
    """Raises BadRequest for a value that no form of ours sends."""
    query = request.query
    kept = {name: query[name] for name in FIELDS if query.get(name)}
    agency = kept.get("agency")
    if agency is not None and agency not in zones:
        raise BadRequest
    zone = next((zone for one, zone in zones.items() if agency in (None, one)), "UTC")
    today = datetime.fromtimestamp(now_of(request), ZoneInfo(zone)).date()
    since = midnight(kept.get("from") or str(today - timedelta(days=DAYS - 1)), zone, 0)
    until = midnight(kept.get("until") or str(today), zone, 1)
    if since is None or until is None or not 0 < until - since <= LONGEST_DAYS * 86_400:
        raise BadRequest
    return Asked(since, until, agency, zone, kept.get("share") == "1", kept)


# --- drawing --------------------------------------------------------------------------------------


def drawn(report: Report, asked: Asked, texts: Texts) -> Shown:
    """The figures, tables and bars of a report."""
    codes = (*DISPOSITIONS, "unknown")
    cells = measures.matrix(report.outcomes, DISPOSITIONS)
    seen: Sequence[Sequence[int | None]] = measures.suppressed(cells) if asked.share else cells
    words = [
        texts.t("common.unknown") if code == "unknown" else texts.t(f"common.disposition.{code}")
        for code in codes
    ]
    heat = _heat(report.arrivals, asked.zone)
    return Shown(
        numbers=measures.numbers(report.outcomes),
        figures=tuple(_figures(report, asked.share, texts)),
        matrix=tuple(
            (name, tuple(HIDDEN if cell is None else str(cell) for cell in row))
            for name, row in zip(words, seen, strict=True)
        ),
        columns=tuple(words),
        heat=heat,
        busiest=max(max(row) for row in heat),
        trend=_trend(report.arrivals, asked),
    )


def _figures(report: Report, share: bool, texts: Texts) -> Iterator[Figure]:
    numbers = measures.numbers(report.outcomes)
    waits = report.waits
    yield _rate("abandonment", Rate(numbers.abandoned, numbers.counted), share, texts)
    for seconds in LEVELS:
        level = measures.within(waits.to_answer, UNIT, seconds, numbers.counted)
        yield _rate(f"level_{seconds}", level, share, texts)
    for key, spread in (
        ("to_answer", waits.to_answer), ("to_accept", waits.to_accept), ("to_media", waits.to_media)
    ):  # fmt: skip
        yield from _times(key, measures.times(spread, UNIT), texts)
    yield _rate("failure", Rate(numbers.failed, numbers.offered), share, texts)
    yield _rate("in_place", measures.in_place(report.outcomes), share, texts)
    yield _rate("agreement", measures.agreement(report.outcomes), share, texts)
    for source in DIVERTED_FROM:
        diverted = measures.diverted(report.outcomes, source)
        yield _rate(f"diverted_{source}", diverted, share, texts)
    marks = report.marks
    for flag in FLAGS:
        yield _rate(f"flag_{flag}", Rate(marks.flags.get(flag, 0), marks.sessions), share, texts)
    about = marks.opioid
    known = about.get("yes", 0) + about.get("no", 0)
    opioid = Rate(about.get("yes", 0), known, about.get("unknown", 0))
    yield _rate("opioid", opioid, share, texts)
    for days, again in report.repeats.items():
        yield _rate(f"repeat_{days}", again, share, texts)
    yield _rate("followups", report.followups, share, texts)
    yield _rate("signed", report.signed, share, texts)
    rung = report.rings.answered + report.rings.declined + report.rings.missed
    yield _rate("declined", Rate(report.rings.declined, rung), share, texts)
    yield _rate("missed", Rate(report.rings.missed, rung), share, texts)


def _rate(key: str, rate: Rate, share: bool, texts: Texts) -> Figure:
    """A share of a hidden number would give it away."""
    hidden = share and (0 < rate.part < measures.SMALL or 0 < rate.whole < measures.SMALL)
    share_of = rate.share
    if hidden:
        value = HIDDEN
    else:
        value = texts.t("reports.none") if share_of is None else f"{100 * share_of:.1f} %"
    return Figure(key, value, rate.part, rate.whole, rate.unknown)


def _times(key: str, times: Times, texts: Texts) -> Iterator[Figure]:
    for name in ("median", "mean", "p90", "longest"):
        value = getattr(times, name)
        words = texts.t("reports.none") if value is None else f"{value:.1f} s"
        yield Figure(f"{key}_{name}", words, times.count)


def count(number: int, share: bool) -> str:
    """A count, unless it is small and the report leaves the program."""
    return HIDDEN if share and 0 < number < measures.SMALL else str(number)


def _heat(arrivals: Mapping[int, int], zone: str) -> tuple[tuple[int, ...], ...]:
    place = ZoneInfo(zone)
    cells = [[0] * 24 for _ in range(7)]
    for hour, presses in arrivals.items():
        local = datetime.fromtimestamp(hour * 3600, UTC).astimezone(place)
        cells[local.weekday()][local.hour] += presses
    return tuple(tuple(row) for row in cells)


def _trend(arrivals: Mapping[int, int], asked: Asked) -> tuple[tuple[str, int], ...]:
    """By day up to two months, by month beyond."""
    place = ZoneInfo(asked.zone)
    pattern = "%Y-%m-%d" if asked.until - asked.since <= 62 * 86_400 else "%Y-%m"
    found: Counter[str] = Counter()
    at = datetime.fromtimestamp(asked.since, place)
    while at.timestamp() < asked.until:  # also the days without any
        found[at.strftime(pattern)] += 0
        at += timedelta(days=1)
    for hour, presses in arrivals.items():
        local = datetime.fromtimestamp(hour * 3600, UTC).astimezone(place)
        found[local.strftime(pattern)] += presses
    return tuple(sorted(found.items()))
