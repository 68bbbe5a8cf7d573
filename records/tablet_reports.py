"""What each tablet told of itself, and what of it keeps a tablet from being ready.

The rules are pure; of each tablet the newest report is kept, and with it what is wrong by it, so
that every count of tablets and every list of them say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records.schema import tablet
from records.schema_tablets import tablet_report

SOONEST_SECONDS = 5.0  # between two reports of one tablet
LOW_BATTERY = 15  # percent, when it is not charging
DAY = 86400.0
NEWS_DAYS = 7  # so long a new key stands out, and so old a self-test may be
TESTS = ("picture", "microphone", "upload", "relay", "heard")
_NEEDED = ("picture", "microphone", "upload", "heard")  # without the relay most networks work

TROUBLES = (
    *("camera_denied", "camera_missing", "microphone_denied", "microphone_missing"),
    *("test_failed", "battery_low"),
)


@dataclass(frozen=True, slots=True)
class SelfTest:
    """A self-test's results: ok, weak, failed, or waiting for what was not found out in time."""

    picture: str
    microphone: str
    upload: str
    heard: str
    relay: str | None = None  # None: this server has no relay


@dataclass(frozen=True, slots=True)
class Told:
    """What a tablet says of itself; `battery` in percent."""

    browser: str
    system: str
    build: str
    camera: str  # granted, denied, prompt, missing, unknown
    microphone: str
    storage: str  # lasting, passing, none
    battery: int | None = None
    charging: bool | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The newest of a tablet."""

    at: float
    told: Told
    tested_at: float | None
    test: SelfTest | None
    troubles: tuple[str, ...]


def troubles(told: Told, test: SelfTest | None) -> tuple[str, ...]:
    """What keeps this tablet from being ready, most pressing first."""
    found = [
        f"{device}_{getattr(told, device)}"
        for device in ("microphone", "camera")
        if getattr(told, device) in {"denied", "missing"}
    ]
    if test is not None and any(getattr(test, name) == "failed" for name in _NEEDED):
        found.append("test_failed")
    if told.battery is not None and told.battery < LOW_BATTERY and told.charging is False:
        found.append("battery_low")
    return tuple(found)


def remarks(report: Report | None, build: str, now: float) -> tuple[str, ...]:
    """What works, and is worth a look before it does not."""
    if report is None:
        return ("never_tested",)
    told, test, found = report.told, report.test, []
    if test is None or report.tested_at is None:
        found.append("never_tested")
    else:
        weak = test.upload == "weak" or test.relay == "failed"
        found += ["test_weak"] if weak else []
        found += ["test_old"] if now - report.tested_at > NEWS_DAYS * DAY else []
    if "prompt" in {told.camera, told.microphone}:
        found.append("will_ask")
    if told.storage != "lasting":
        found.append("may_forget")
    if told.build != build:
        found.append("old_page")
    return tuple(found)


async def save(
    conn: AsyncConnection, tablet_id: str, told: Told, test: SelfTest | None, now: float
) -> bool:
    """Keep a report, and that the tablet was seen; False when the last one is too fresh.

    Without a `test` the last one stays.
    """
    before = await _find(conn, tablet_id)
    if before is not None and now - before.at < SOONEST_SECONDS:
        return False
    kept = test or (before.test if before else None)
    values: dict[str, Any] = asdict(told) | {
        "reported_at": now,
        "troubles": " ".join(troubles(told, kept)),
    }
    if test is not None:
        values |= {"tested_at": now} | {f"test_{k}": v for k, v in asdict(test).items()}
    mine = tablet_report.c.tablet_id == tablet_id
    if before is None:
        try:
            async with conn.begin_nested():
                await conn.execute(insert(tablet_report).values(tablet_id=tablet_id, **values))
        except IntegrityError:  # another page of it was quicker
            return False
    else:
        await conn.execute(update(tablet_report).where(mine).values(values))
    await conn.execute(update(tablet).where(tablet.c.id == tablet_id).values(last_seen_at=now))
    return True


async def troubled(conn: AsyncConnection) -> Mapping[str, tuple[str, ...]]:
    """The tablets that are not ready by what they told, and why."""
    rows = await conn.execute(
        select(tablet_report.c.tablet_id, tablet_report.c.troubles).where(
            tablet_report.c.troubles != ""
        )
    )
    return {row.tablet_id: tuple(row.troubles.split()) for row in rows}


async def _find(conn: AsyncConnection, tablet_id: str) -> Report | None:
    found = await conn.execute(select(tablet_report).where(tablet_report.c.tablet_id == tablet_id))
    row = found.first()
    return of_row(row) if row is not None else None


def of_row(row: Row[Any]) -> Report | None:
    """A row with the table's columns; None where an outer join found nothing."""
    if row.reported_at is None:
        return None
    told = Told(**{one.name: getattr(row, one.name) for one in fields(Told)})
    results = {one.name: getattr(row, f"test_{one.name}") for one in fields(SelfTest)}
    test = SelfTest(**results) if row.tested_at is not None else None
    return Report(row.reported_at, told, row.tested_at, test, tuple(row.troubles.split()))
