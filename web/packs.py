"""A grant pack: the report of a month or quarter as PDF and tables, with definitions, in one file.

Small counts are hidden in it. It is made on demand, and for what a manager ordered by a loop of the
server, once for each period whichever of several processes does it: the record keeps one.
"""

from __future__ import annotations

import asyncio
import csv
import io
import logging
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit, reporting
from auth.reporting import Chosen
from records import directory, measures, packs
from records.directory import Directory
from records.engine import Database
from records.log import Scope
from records.packs import Plan
from records.tally import Tally
from records.vocabulary import OPIOID
from signaling import metrics, paging
from web import report_pdf, report_tables
from web.errors import WebError
from web.i18n import DEFAULT, Texts
from web.report_figures import Frame, Shown, count, drawn, teller_of
from web.report_sums import Teller
from web.services import Services
from web.staffed import staffed_of
from web.typeset import Typesetter

log = logging.getLogger(__name__)

EVERY_SECONDS = 300.0
SETTLE_SECONDS = 6 * 3600.0  # after a period's end, so that its last calls are wrapped up
QUARTERS = 4  # that are counted beside each other
WORDS = "alert.words.pack_ready"
ALARM_KIND = "report"


@dataclass(frozen=True, slots=True)
class Period:
    """A month or quarter, by local days."""

    first: date
    last: date

    @property
    def name(self) -> str:
        """2026-Q3 or 2026-09."""
        if (self.last - self.first).days > 31:
            return f"{self.first.year}-Q{(self.first.month + 2) // 3}"
        return self.first.strftime("%Y-%m")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a pack is of. `names`: of the agencies and the funding source, for people."""

    scope: Scope
    period: Period
    zone: str
    agencies: frozenset[str] | None
    funding: str | None
    names: tuple[str, ...]


def period_of(every: str, day: date) -> Period:
    """The month or quarter in which a day is."""
    months = 3 if every == "quarter" else 1
    first = date(day.year, (day.month - 1) // months * months + 1, 1)
    return Period(first, _months_on(first, months) - timedelta(days=1))


def _months_on(first: date, months: int) -> date:
    years, month = divmod(first.month - 1 + months, 12)
    return date(first.year + years, month + 1, 1)


def earlier(every: str, period: Period, count: int) -> list[Period]:
    """So many periods that end with this one, in order."""
    found = [period]
    while len(found) < count:
        found.append(period_of(every, found[-1].first - timedelta(days=1)))
    return found[::-1]


def moment(day: date, zone: str) -> float:
    """The start of a local day."""
    return datetime.combine(day, time(), ZoneInfo(zone)).timestamp()


async def made(db: Database, setter: Typesetter, asked: Asked, now: float, texts: Texts) -> bytes:
    """The pack as a zip. Raises TooBusy, NotSet."""
    own = await _sheet(db, asked, asked.period, now, texts)
    title = texts.t("grants.pack")
    data = report_pdf.data(own.shown, own.frame, asked.names, now, texts, title)
    files = {"report.csv": report_tables.as_csv(own.shown, texts).encode()}
    if asked.period == period_of("quarter", asked.period.first):
        before = earlier("quarter", asked.period, QUARTERS)[:-1]
        sheets = [await _sheet(db, asked, one, now, texts) for one in before]
        counts = by_quarter([(one.name, one.tally, one.teller) for one in (*sheets, own)], texts)
        data["quarters"] = report_pdf.table(texts.t("grants.quarters"), *counts)
        files["quarters.csv"] = _csv([counts[0], *counts[1]])
    about = [
        texts.t("grants.readme", period=asked.period.name, what=" · ".join(asked.names)),
        texts.t("reports.shared"), texts.t("reports.star"), texts.t("reports.apart"),
        texts.t("grants.readme.files"),
        *([texts.t("grants.readme.quarters")] if "quarters.csv" in files else []),
    ]  # fmt: skip
    pdf = await setter.pdf("report", data, now)
    return zipped(
        {"report.pdf": pdf, **files, "README.txt": "\r\n".join([*about, ""]).encode()}, now
    )


@dataclass(frozen=True, slots=True)
class _Sheet:
    """The whole report of a period, as a pack of that period tells it."""

    name: str
    tally: Tally
    frame: Frame
    teller: Teller
    shown: Shown


async def _sheet(db: Database, asked: Asked, period: Period, now: float, texts: Texts) -> _Sheet:
    """An earlier quarter is drawn whole for its one row, so that the row hides what it hid then.

    Alone it would tell more, and who has both packs could subtract.
    """
    chosen = _chosen(asked, period)
    report = await reporting.counted(db, asked.scope, chosen, now)
    staffed = await staffed_of(db, report, chosen, now)
    frame = Frame(chosen.since, chosen.until, asked.zone, share=True)
    teller = teller_of(report, frame)
    shown = await asyncio.to_thread(drawn, report, staffed, frame, texts, teller)
    return _Sheet(period.name, report.tally, frame, teller, shown)


def _chosen(asked: Asked, period: Period) -> Chosen:
    return Chosen(
        moment(period.first, asked.zone),
        moment(period.last + timedelta(days=1), asked.zone),
        asked.agencies,
        None,
        asked.funding,
    )


def by_quarter(
    quarters: Sequence[tuple[str, Tally, Teller]], texts: Texts
) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: what grants ask of each quarter, told by the teller of its own report."""
    head = [texts.t("grants.quarter"), texts.t("reports.ending.answered")]
    head += [texts.t("grants.opioid", which=texts.t(f"reports.opioid.{code}")) for code in OPIOID]
    head += [texts.t("reports.figure.flag_naloxone_given")]
    return head, [[name, *_row(_grant_counts(tally), teller)] for name, tally, teller in quarters]


def _row(cells: Sequence[int], teller: Teller) -> list[str]:
    seen = zip(cells, teller.quarter(cells), strict=True)
    return [count(real, shown=told is not None) for real, told in seen]


def _grant_counts(tally: Tally) -> list[int]:
    answered = measures.numbers(tally.outcomes()).answered
    opioid = [tally.sums[f"opioid_{code}"] for code in OPIOID]
    return [answered, *opioid, tally.sums["flag_naloxone_given"]]


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return ("\ufeff" + out.getvalue()).encode()


def zipped(files: Mapping[str, bytes], now: float) -> bytes:
    """Files as a zip, dated by the server's clock in UTC."""
    out = io.BytesIO()
    when = datetime.fromtimestamp(now, ZoneInfo("UTC")).timetuple()[:6]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, when)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return out.getvalue()


def zone_of(who: Directory, program_id: str) -> str:
    """A program's days are those of its first agency by name, as on the page of reports."""
    own = [one for one in who.agencies.values() if one.program_id == program_id]
    return min(own, key=lambda one: (one.name, one.id)).timezone if own else "UTC"


def names_of(
    who: Directory, agencies: Sequence[str], funding: str | None, texts: Texts
) -> tuple[str, ...]:
    """What a pack is of, in words."""
    own = [who.agencies[one].name for one in agencies if one in who.agencies]
    return (
        ", ".join(sorted(own)) or texts.t("reports.all_agencies"),
        *([] if funding is None else [texts.t(f"reports.funding.{funding}")]),
    )


# --- what was ordered -----------------------------------------------------------------------------


def due(plan: Plan, newest: str | None, zone: str, now: float) -> list[Period]:
    """Periods that have ended since the plan was made and have no pack yet, in order."""
    made_on = datetime.fromtimestamp(plan.made_at, ZoneInfo(zone)).date()
    period = period_of(plan.every, made_on)
    if newest is not None:
        last = period_of(plan.every, date.fromisoformat(newest))
        period = max(period, _next(plan.every, last), key=lambda one: one.first)
    found = []
    while moment(period.last + timedelta(days=1), zone) + SETTLE_SECONDS <= now:
        found.append(period)
        period = _next(plan.every, period)
    return found[-packs.KEPT :]


def _next(every: str, period: Period) -> Period:
    return period_of(every, period.last + timedelta(days=1))


class PackWatch:
    """One process's look at what is ordered; several may run, the record keeps one of each."""

    def __init__(self, services: Services, setter: Typesetter, texts: Mapping[str, Texts]) -> None:
        self._services = services
        self._setter = setter
        self._texts = texts

    async def run(self) -> None:
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("packs.failed")
                metrics.LOOP_FAILURES.labels(loop="packs").inc()
            await asyncio.sleep(EVERY_SECONDS)

    async def look(self) -> int:
        """Make what is due and tell those who wanted it; how many packs are new."""
        db, now = self._services.db, self._services.clock()
        async with db.read() as conn:
            plans = await packs.plans(conn)
            newest = {plan.id: await packs.newest(conn, plan.id) for plan in plans}
            who = await directory.read(conn)
        new = 0
        for plan in plans:
            zone = zone_of(who, plan.program_id)
            for period in due(plan, newest[plan.id], zone, now):
                if not _may(who, plan):
                    break
                try:
                    new += await self._make(plan, period, zone, who)
                except WebError as error:
                    log.warning("packs.not_made plan=%s code=%s", plan.id, error.code)
                    break
        await self._tell(who)
        return new

    async def _make(self, plan: Plan, period: Period, zone: str, who: Directory) -> bool:
        services, texts = self._services, self._texts.get(plan.locale, self._texts[DEFAULT])
        now = services.clock()
        asked = Asked(
            Scope(programs=frozenset({plan.program_id})),
            period,
            zone,
            frozenset(plan.agencies) or None,
            plan.funding,
            names_of(who, plan.agencies, plan.funding, texts),
        )
        file = await made(services.db, self._setter, asked, now, texts)

        async def write(conn: AsyncConnection) -> bool:
            first, last = str(period.first), str(period.last)
            row = await packs.keep(conn, plan, first, last, file, now)
            if row is None:
                return False
            await audit.record(conn, None, "grant.pack", "grant", row.id, "allowed", now)
            return True

        kept = await services.db.write(write)
        if kept:
            log.info("packs.made plan=%s period=%s", plan.id, period.name)
        return kept

    async def _tell(self, who: Directory) -> None:
        """An alarm first, then the note: who dies in between tells again under the same key."""
        services = self._services
        async with services.db.read() as conn:
            waiting = await packs.untold(conn)
        for row, person_id in waiting:
            own = [a.provider_id for a in who.agencies.values() if a.program_id == row.program_id]
            provider = min((one for one in own if one is not None), default=None)
            if provider is not None:
                await paging.remind(services.desk, person_id, provider, row.id, WORDS, ALARM_KIND)
            now = services.clock()
            await services.db.write(lambda conn, one=row.id, at=now: packs.told(conn, one, at))  # type: ignore[misc]


def _may(who: Directory, plan: Plan) -> bool:
    """Whether whoever ordered it may still read it."""
    person = who.people.get(plan.made_by)
    return (
        person is not None
        and person.active
        and "manager" in person.roles
        and person.program_id == plan.program_id
    )
