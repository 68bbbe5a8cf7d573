"""The roster as calendar files: private addresses, downloads, and files brought in whole or not."""

from __future__ import annotations

import html as html_module
import re
from typing import Any

import pytest
from aiohttp import FormData
from icalendar import Calendar
from sqlalchemy import select, update

from records import roster, schema
from tests.web.cast import AWAY_MANAGER, ORIGIN, Site
from web.dev import cast as demo

PAGE = "/manager/roster/calendar"
GOOD = f"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:x
BEGIN:VEVENT
UID:1
SUMMARY:On call: {demo.PRIYA.name} (tier 1)
DTSTART;TZID=America/Chicago:20270118T220000
DTEND;TZID=America/Chicago:20270119T060000
RRULE:FREQ=WEEKLY;BYDAY=MO,TU
EXDATE;TZID=America/Chicago:20270119T220000
END:VEVENT
BEGIN:VEVENT
UID:2
SUMMARY:Miguel
ATTENDEE:mailto:{demo.DANA.email}
DTSTART:20270120T120000Z
DTEND:20270120T180000Z
END:VEVENT
BEGIN:VEVENT
UID:3
SUMMARY:Miguel
STATUS:CANCELLED
DTSTART:20270120T120000Z
DTEND:20270120T180000Z
END:VEVENT
END:VCALENDAR
"""


async def upload(site: Site, text: str | bytes, **more: str) -> tuple[int, str]:
    form = FormData()
    for name, value in {"csrf": await site.csrf(PAGE), "tier": "1", **more}.items():
        form.add_field(name, value)
    raw = text if isinstance(text, bytes) else text.encode()
    form.add_field("file", raw, filename="x.ics", content_type="text/calendar")
    response = await site.client.post(
        "/manager/roster/import", data=form, headers={"Origin": ORIGIN}
    )
    return response.status, await response.text()


async def apply(site: Site, text: str) -> Any:
    form = {"text": text, "tier": "1"}
    return await site.post("/manager/roster/import/apply", form, page=PAGE)


async def plan(site: Site) -> tuple[list[roster.RosterRow], list[roster.OverrideRow]]:
    async with site.services.db.read() as conn:
        return await roster.entries(conn, demo.PROVIDER_ID), await roster.overrides(conn, 0.0)


async def address(site: Site, path: str, page: str) -> str:
    text = await (await site.post(path, {}, page=page)).text()
    found = re.search(rf'value="{ORIGIN}(/calendar/[A-Za-z0-9_-]+\.ics)"', text)
    assert found is not None
    return found[1]


async def events(site: Site, path: str) -> list[Any]:
    response = await site.client.get(path)
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    return list(Calendar.from_ical(await response.text()).walk("VEVENT"))


# --- in -------------------------------------------------------------------------------------------


async def test_a_file_is_shown_first_and_then_taken_over_as_it_was_shown(site: Site) -> None:
    await site.sign_in(demo.LENA)
    before = await plan(site)
    status, html = await upload(site, GOOD)
    assert status == 200
    for words in (
        "Weekly: Mon, Tue 22:00 – 06:00, tier 1, 2027-01-18 – …",
        "Off: Tue 2027-01-19 22:00 – Wed 2027-01-20 06:00",
        "Added: Wed 2027-01-20 06:00 – 12:00, tier 1",
        "One event is cancelled",
        "Take over all 3",
    ):
        assert words in html, words
    assert await plan(site) == before
    text = re.search(r'<textarea name="text" hidden>\n(.*?)</textarea>', html, re.DOTALL)
    assert text is not None
    kept = html_module.unescape(text[1])
    assert kept == GOOD
    response = await apply(site, kept)
    assert response.status == 303
    entries, overrides = await plan(site)
    assert len(entries) == len(before[0]) + 1
    assert [(one.person_id, one.instead_of_id) for one in overrides] == [
        (None, demo.PRIYA.id), (demo.DANA.id, None),
    ]  # fmt: skip
    assert site.desk.roster_changes == 1


async def test_the_same_file_twice_adds_nothing_twice(site: Site) -> None:
    await site.sign_in(demo.LENA)
    for _ in range(2):
        assert (await apply(site, GOOD.replace("\n", "\r\n"))).status == 303
    entries, overrides = await plan(site)
    assert (len(entries), len(overrides)) == (4, 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD.replace(demo.PRIYA.name, "Some Stranger"), "at line 6"),
        (GOOD.replace(demo.PRIYA.name, demo.ADA.name), "at line 6"),  # no clinician
        (GOOD.replace(demo.DANA.email, "sven@elsewhere.invalid"), "at line 15"),
        (GOOD.replace("FREQ=WEEKLY", "FREQ=YEARLY"), "at line 9"),
        ("no calendar", "no calendar file"),
        ("BEGIN:VCALENDAR\nEND:VCALENDAR\n", "no events"),
    ],
)
async def test_a_file_with_a_mistake_is_refused_whole_with_its_line(
    site: Site, text: str, words: str
) -> None:
    await site.sign_in(demo.LENA)
    before = await plan(site)
    status, html = await upload(site, text)
    assert (status, words in html) == (422, True)
    response = await apply(site, text)
    assert response.status == 422
    assert await plan(site) == before
    assert site.desk.roster_changes == 0


async def test_somebody_without_a_licence_in_a_file_undoes_all_of_it(site: Site) -> None:
    await site.licensed(demo.DANA, None)
    await site.sign_in(demo.LENA)
    before = await plan(site)
    assert (await apply(site, GOOD)).status == 409
    assert await plan(site) == before


async def test_a_file_of_the_right_size_is_read_and_a_larger_one_is_not(site: Site) -> None:
    await site.sign_in(demo.LENA)
    filled = GOOD.replace("UID:1\n", "UID:1\n" + "X-FILL:" + "x" * 200_000 + "\n")
    assert (await upload(site, filled))[0] == 200
    assert (await upload(site, GOOD + "x" * 300_000))[0] == 422
    assert (await upload(site, GOOD + "x" * 1_200_000))[0] == 413
    assert (await upload(site, b"\xff\xfe\x00BEGIN"))[0] == 422


async def test_a_file_needs_the_forms_token_and_the_right(site: Site) -> None:
    await site.sign_in(demo.LENA)
    assert (await upload(site, GOOD, csrf="nonsense"))[0] == 403
    await site.sign_in(AWAY_MANAGER)
    assert (await upload(site, GOOD, provider=demo.PROVIDER_ID))[0] == 404


# --- out ------------------------------------------------------------------------------------------


async def test_a_private_address_gives_ones_own_turns_to_whoever_has_it(site: Site) -> None:
    await site.sign_in(demo.DANA)
    path = await address(site, "/shifts/feeds", "/shifts")
    assert demo.DANA.id not in path
    site.client.session.cookie_jar.clear()
    own = await events(site, path)
    assert {str(one["SUMMARY"]) for one in own} == {"On call (tier 1)"}
    assert len(own) == 14 + 60 + 1
    async with site.services.db.read() as conn:
        stored = (await conn.execute(select(schema.roster_feed))).one()
        audit = schema.audit
        noted = await conn.execute(
            select(audit.c.actor_id, audit.c.outcome).where(audit.c.action == "roster.feed")
        )
        assert [tuple(row) for row in noted] == [(demo.DANA.id, "allowed")]
    assert path.removeprefix("/calendar/").removesuffix(".ics") not in str(stored)


async def test_a_removed_address_is_gone_and_looks_like_one_that_never_was(site: Site) -> None:
    await site.sign_in(demo.DANA)
    path = await address(site, "/shifts/feeds", "/shifts")
    html = await (await site.client.get("/shifts")).text()
    revoke = re.search(r'action="(/shifts/feeds/\w+/revoke)"', html)
    assert revoke is not None
    await site.sign_in(demo.MIGUEL)
    assert (await site.post(revoke[1], {}, page="/shifts")).status == 404
    await site.sign_in(demo.DANA)
    assert (await site.post(revoke[1], {}, page="/shifts")).status == 303
    answers = [
        (await (await site.client.get(one)).text()).replace(one, "")
        for one in (path, f"/calendar/{'x' * 32}.ics", "/calendar/x.ics", "/calendar/shifts")
    ]
    assert all("no such record" in one for one in answers)
    assert len({one.partition("req_")[0] for one in answers}) == 1


async def test_everybodys_address_works_only_as_long_as_its_owners_right(site: Site) -> None:
    await site.sign_in(demo.ADA)
    path = await address(site, "/manager/roster/feeds", PAGE)
    names = {str(one["SUMMARY"]) for one in await events(site, path)}
    assert f"On call: {demo.PRIYA.name} (tier 2)" in names
    person = schema.person
    await site.services.db.write(
        lambda conn: conn.execute(
            update(person).where(person.c.id == demo.ADA.id).values(provider_id="prv_away")
        )
    )
    assert (await site.client.get(path)).status == 404


async def test_what_is_downloaded_can_be_brought_in_again(site: Site) -> None:
    await site.sign_in(demo.ADA)
    text = await (await site.client.get("/manager/roster.ics")).text()
    status, html = await upload(site, text)
    assert status == 200
    assert "Take over all" in html
    await site.sign_in(demo.DANA)
    assert len(await events(site, "/shifts.ics")) == 75
    assert (await site.client.get("/manager/roster.ics")).status == 403
