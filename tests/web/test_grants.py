"""Grants: who pays, packs on demand and by order, made once, small counts hidden."""

from __future__ import annotations

import asyncio
import csv
import html
import io
import re
import zipfile
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from records import contacts, schema
from records import packs as rows
from records.contacts import NewWay
from records.packs import KEPT, Plan
from records.schema_reports import pack, pack_plan
from tests.web.cast import AWAY_MANAGER, NOW, Site
from tests.web.pdfs import read
from web import i18n, packs
from web.dev import cast as demo
from web.packs import PackWatch, Period
from web.typeset import Typesetter

ZONE = demo.TIMEZONE
TEXTS = i18n.load()
DAY = 86_400.0


def at(year: int, month: int, day: int) -> float:
    return packs.moment(date(year, month, day), ZONE)


async def several(site: Site, count: int, when: float, **more: Any) -> None:
    for no in range(count):
        kept = {
            "actual_disposition": "remain_in_place", "difference_reason": None,
            "pressed_at": when, "alerted_at": when + 1, "accepted_at": when + 8,
            "media_at": when + 9, "ended_at": when + 900, "closed_at": when + 1000,
        } | more  # fmt: skip
        await site.session(press_key=f"p-{when}-{no:020}", **kept)


def opened(body: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def table(content: bytes) -> dict[str, list[str]]:
    return {row[0]: row[1:] for row in csv.reader(io.StringIO(content.decode("utf-8-sig")))}


def watch(site: Site) -> PackWatch:
    return PackWatch(site.services, Typesetter(), TEXTS)


async def order(site: Site, **more: str) -> int:
    form = {"every": "quarter", "funding": "", **more}
    return (await site.post("/manager/grants/orders", form, page="/manager/grants")).status


async def test_a_pack_on_demand_has_the_report_as_pdf_and_tables_with_small_counts_hidden(
    site: Site,
) -> None:
    await several(site, 12, at(2026, 11, 3), opioid="yes", flags=8)
    await several(site, 3, at(2026, 12, 3), opioid="no")
    await site.sign_in(demo.LENA)
    response = await site.client.get("/manager/grants/pack.zip?period=quarter-2026-10-01&funding=")
    assert response.status == 200
    assert response.headers["Content-Type"] == "application/zip"
    files = opened(await response.read())
    assert set(files) == {"report.pdf", "report.csv", "quarters.csv", "README.txt"}
    found = read(files["report.pdf"])
    assert found.standard
    assert (found.lang, found.title) == ("en", "Grant report 2026-10-01 – 2026-12-31")
    assert "/TH" in found.tags
    assert "Each quarter" in found.words
    figures = table(files["report.csv"])
    assert figures["offered"][0] == "15"
    assert figures["answered"][0] == "15"
    assert figures["opioid_no"][0] == "<11"
    assert figures["opioid_yes"][0] == "*", "else the total would give the three away"
    assert all(row[5] for key, row in figures.items() if key == "in_place"), "with its definition"
    quarters = table(files["quarters.csv"])
    assert list(quarters)[1:] == ["2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4"]
    assert quarters["2026-Q4"][0] == "15"
    assert "2026-Q4" in files["README.txt"].decode()


async def taken(site: Site, period: str) -> dict[str, bytes]:
    response = await site.client.get(f"/manager/grants/pack.zip?period={period}&funding=")
    assert response.status == 200
    return opened(await response.read())


async def test_who_has_every_pack_cannot_subtract_one_from_the_next(site: Site) -> None:
    """A quarter of 90 answered and 3 that did not connect. The row of it in a later pack told the
    90, which its own pack had hidden; and each month's pack told the quarter so far."""
    autumn, winter = at(2026, 8, 3), at(2026, 11, 3)
    for count, opioid, flags in ((5, "yes", 8), (6, "no", 8), (14, "no", 0), (65, "unknown", 0)):
        await several(site, count, autumn + count, opioid=opioid, flags=flags)
    for no in range(3):
        nothing = {"media_at": None, "ended_at": autumn + 30, "actual_disposition": None}
        await several(site, 1, autumn + 7200 + no, recommended_disposition=None, **nothing)
    await several(site, 20, winter, opioid="no")
    await site.sign_in(demo.LENA)
    own = table((await taken(site, "quarter-2026-07-01"))["quarters.csv"])["2026-Q3"]
    later = table((await taken(site, "quarter-2026-10-01"))["quarters.csv"])["2026-Q3"]
    assert own[0] == "*", "93 were offered: 90 would give the 3 away"
    assert later == own
    month = await taken(site, "month-2026-11-01")
    assert set(month) == {"report.pdf", "report.csv", "README.txt"}
    assert "Each quarter" not in read(month["report.pdf"]).words
    assert "quarters.csv" not in month["README.txt"].decode()


async def test_who_pays_is_set_for_an_agency_and_held_by_the_sessions_after_it(site: Site) -> None:
    before = await site.session(press_key="before-" + "0" * 20)
    await site.sign_in(demo.LENA)
    form = {f"funding-{demo.AGENCY_ID}": "opioid_settlement"}
    done = await site.post("/manager/grants/funding", form, page="/manager/grants")
    assert done.status == 303
    after = await site.session(press_key="after-" + "0" * 20)
    assert (before.funding, after.funding) == ("unknown", "opioid_settlement")
    page = html.unescape(await (await site.client.get("/manager/grants")).text())
    assert re.search(r'value="opioid_settlement" selected', page)
    for wrong in ({f"funding-{demo.AGENCY_ID}": "bribes"}, {"funding-agy_away": "county"}):
        refused = await site.post("/manager/grants/funding", wrong, page="/manager/grants")
        assert refused.status in {404, 422}, await refused.text()
    shown = await (await site.client.get("/manager/reports?funding=opioid_settlement")).text()
    assert re.search(r'data-count="funding_opioid_settlement">1<', shown)
    assert re.search(r'data-ending="offered">1<', shown)


async def test_an_ordered_pack_is_made_once_after_the_periods_end_however_many_servers_look(
    site: Site,
) -> None:
    await site.sign_in(demo.LENA)
    assert await order(site) == 303
    assert [await watch(site).look() for _ in range(2)] == [0, 0], "the quarter still runs"
    site.clock[0] = at(2027, 4, 1) + packs.SETTLE_SECONDS - 1
    assert await watch(site).look() == 0, "its last calls are still wrapped up"
    site.clock[0] += 1
    made = await asyncio.gather(*(watch(site).look() for _ in range(3)))
    assert sorted(made) == [0, 0, 1]
    assert await watch(site).look() == 0
    async with site.services.db.read() as conn:
        (one,) = await rows.made(conn, demo.PROGRAM_ID)
        audited = (await conn.execute(select(schema.audit.c.action))).scalars().all()
    assert (one.first_day, one.last_day) == ("2027-01-01", "2027-03-31")
    assert one.told_at is not None
    assert list(audited).count("grant.pack") == 1
    await site.sign_in(demo.LENA)
    page = await (await site.client.get("/manager/grants")).text()
    assert f"/manager/grants/packs/{one.id}.zip" in page
    response = await site.client.get(f"/manager/grants/packs/{one.id}.zip")
    assert "report.pdf" in opened(await response.read())


async def test_the_manager_is_told_once_without_any_content(site: Site) -> None:
    async def add(conn: Any) -> None:
        way = NewWay("email", "lena@example.org", {"to": "lena@example.org"})
        await contacts.add(conn, site.services.vault, demo.LENA.id, way, NOW)

    await site.services.db.write(add)
    await site.sign_in(demo.LENA)
    assert await order(site, every="month") == 303
    site.clock[0] = at(2027, 2, 1) + DAY
    assert await watch(site).look() == 1
    async with site.services.db.read() as conn:
        pages = (await conn.execute(select(schema.page))).all()
        (one,) = await rows.made(conn, demo.PROGRAM_ID)
    assert [(p.person_id, p.step, p.text_key) for p in pages] == [
        (demo.LENA.id, "report", "alert.words.pack_ready")
    ]
    await site.services.db.write(
        lambda conn: conn.execute(update(pack).values(told_at=None))
    )  # as a process that died before it noted that
    await watch(site).look()
    async with site.services.db.read() as conn:
        assert len((await conn.execute(select(schema.page))).all()) == 1
        assert (await rows.made(conn, demo.PROGRAM_ID))[0].id == one.id


async def test_another_program_neither_sees_nor_takes_nor_ends_it(site: Site) -> None:
    await site.sign_in(demo.LENA)
    assert await order(site, every="month") == 303
    site.clock[0] = at(2027, 2, 2)
    assert await watch(site).look() == 1
    async with site.services.db.read() as conn:
        (one,) = await rows.made(conn, demo.PROGRAM_ID)
    site.clock[0] = NOW
    await site.sign_in(AWAY_MANAGER)
    assert one.id not in await (await site.client.get("/manager/grants")).text()
    assert (await site.client.get(f"/manager/grants/packs/{one.id}.zip")).status == 404
    ended = await site.post(f"/manager/grants/orders/{one.plan_id}/end", {}, page="/manager/grants")
    assert ended.status == 404
    await site.sign_in(demo.DANA)
    for path in ("/manager/grants", f"/manager/grants/packs/{one.id}.zip"):
        assert (await site.client.get(path)).status == 403
    await site.sign_in(demo.LENA)
    ended = await site.post(f"/manager/grants/orders/{one.plan_id}/end", {}, page="/manager/grants")
    assert ended.status == 303
    site.clock[0] = at(2027, 5, 2)
    assert await watch(site).look() == 0


async def test_nothing_is_made_for_somebody_who_may_not_read_it_any_more(site: Site) -> None:
    await site.sign_in(demo.LENA)
    assert await order(site, every="month") == 303
    gone = update(schema.person).where(schema.person.c.id == demo.LENA.id).values(active=False)
    await site.services.db.write(lambda conn: conn.execute(gone))
    site.clock[0] = at(2027, 2, 2)
    assert await watch(site).look() == 0


@pytest.mark.parametrize(
    ("form", "status"),
    [({"every": "day"}, 422), ({"funding": "bribes"}, 400), ({"agency": "agy_away"}, 400)],
)
async def test_an_order_that_is_none_is_refused(
    site: Site, form: dict[str, str], status: int
) -> None:
    await site.sign_in(demo.LENA)
    assert await order(site, **form) == status
    async with site.services.db.read() as conn:
        assert (await conn.execute(select(pack_plan))).all() == []


@pytest.mark.parametrize("query", ["", "period=quarter-1999-01-01", "period=x",
                                   "period=month-2027-01-01&funding=x",
                                   "period=month-2027-01-01&agency=agy_away"])  # fmt: skip
async def test_a_pack_of_nothing_that_is_offered_is_refused(site: Site, query: str) -> None:
    await site.sign_in(demo.LENA)
    assert (await site.client.get(f"/manager/grants/pack.zip?{query}")).status == 400


async def test_only_so_many_packs_and_orders_are_kept(site: Site) -> None:
    await site.sign_in(demo.LENA)
    for _ in range(rows.MOST_PLANS):
        assert await order(site) == 303
    assert await order(site) >= 400
    async with site.services.db.read() as conn:
        plans = await rows.plans(conn)
    assert len(plans) == rows.MOST_PLANS

    async def keep(conn: Any) -> None:
        for no in range(KEPT + 3):
            day = f"20{30 + no}-01-01"
            assert await rows.keep(conn, plans[0], day, day, b"x", NOW) is not None
        assert await rows.keep(conn, plans[0], day, day, b"y", NOW) is None

    await site.services.db.write(keep)
    async with site.services.db.read() as conn:
        kept = await rows.made(conn, demo.PROGRAM_ID)
    assert sorted(one.first_day for one in kept)[0] == "2033-01-01"
    assert len(kept) == KEPT


@given(
    day=st.dates(date(2020, 1, 1), date(2040, 1, 1)), every=st.sampled_from(["month", "quarter"])
)
def test_periods_follow_each_other_without_a_gap(day: date, every: str) -> None:
    one = packs.period_of(every, day)
    assert one.first <= day <= one.last
    before = packs.earlier(every, one, 5)
    assert before[-1] == one
    for earlier, later in pairwise(before):
        assert (later.first - earlier.last).days == 1
    assert {one.first.day, before[0].first.day} == {1}


@given(
    made=st.dates(date(2026, 1, 1), date(2027, 12, 31)),
    days=st.integers(0, 900),
    every=st.sampled_from(["month", "quarter"]),
)
def test_every_period_that_ended_since_the_order_is_due_once(
    made: date, days: int, every: str
) -> None:
    ordered = packs.moment(made, ZONE)
    plan = Plan("p", "g", every, (), None, "en", "m", ordered)
    now = ordered + days * DAY
    newest: str | None = None
    found: list[Period] = []
    for step in range(0, days + 1, 20):  # looked at every now and then
        for one in packs.due(plan, newest, ZONE, ordered + step * DAY):
            found.append(one)
            newest = str(one.first)
    found += packs.due(plan, newest, ZONE, now)
    assert len(set(found)) == len(found)
    ends = [packs.moment(one.last, ZONE) + DAY for one in found]
    assert all(ordered < end <= now + 7200 for end in ends)
    months = 3 if every == "quarter" else 1
    assert abs(len(found) - days / (30.4 * months)) <= 1.5


def test_the_name_of_a_period() -> None:
    assert packs.period_of("quarter", date(2026, 8, 9)).name == "2026-Q3"
    assert packs.period_of("month", date(2026, 8, 9)).name == "2026-08"
    assert datetime.fromtimestamp(packs.moment(date(2026, 8, 1), "UTC"), UTC).day == 1
