"""The page on which overdoses are released for ODMAP: a human looks, decides, and only once."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from records import assessments, schema
from records.doses import Dose, answers_of
from records.sessions import SessionRow
from tests.web.cast import AWAY_MANAGER, NOW, XSS, Site
from web.dev import cast as demo

PAGE = "/manager/odmap"


async def overdose(site: Site, **more: Any) -> SessionRow:
    """A session with the tile, the flag, and a clinician's form about it."""
    row = await site.session(**({"intake": ["adult", "overdose"], "flags": 8} | more))

    async def write(conn: AsyncConnection) -> None:
        answers = {"suspected": "yes", "naloxone": "yes", "doses": 7, "notes": "a secret"}
        await assessments.save(
            conn, site.services.vault, row.id, "overdose", 0, answers, demo.DANA.id, NOW
        )

    await site.services.db.write(write)
    return row


def typed(row: SessionRow, **changes: str) -> dict[str, str]:
    """The form of one session."""
    own = {
        "decision": "release", "time": "2027-01-15T02:00", "county": "Prairie", "state": "SD",
        "place": "Main and 3rd", "outcome": "nonfatal", "naloxone": "single", "given_by": "ems",
        "reason": "",
    } | changes  # fmt: skip
    return {f"{row.id}.{name}": value for name, value in own.items()}


async def html_of(site: Site, path: str = PAGE) -> str:
    response = await site.client.get(path)
    assert response.status == 200, path
    return await response.text()


async def rows_of(site: Site, path: str) -> list[dict[str, str]]:
    response = await site.client.get(path)
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    raw = await response.read()
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


async def test_the_page_shows_what_the_officer_said_and_nothing_of_the_clinicians(
    site: Site,
) -> None:
    row = await overdose(site)
    await site.session(press_key="another", opioid="yes", pressed_at=NOW + 60)
    await site.sign_in(demo.LENA)
    html = await html_of(site)
    assert re.findall(r'data-session="(\w+)"', html) == [row.id]
    assert "Naloxone given" in html
    assert '<option value="given_unknown" selected>' in html
    assert "a secret" not in html
    assert 'href="/manager/odmap"' in await html_of(site, "/manager")
    assert row.id not in await html_of(site, f"{PAGE}?from=2027-01-01&until=2027-01-10")


async def test_the_doses_that_the_officer_tapped_are_filled_in_and_their_reading_is_on_record(
    site: Site,
) -> None:
    row = await overdose(site)
    given = [Dose(row.pressed_at - 240, "nasal-4", "bystander"), Dose(row.pressed_at, by="ems")]
    said = answers_of(given, "drowsy", ZoneInfo("America/Chicago"), row.pressed_at)
    services = site.services
    await services.db.write(
        lambda conn: assessments.say(
            conn, services.vault, row.id, "officer-overdose", said, None, row.pressed_at, whole=True
        )
    )
    await site.sign_in(demo.LENA)
    html = await html_of(site)
    assert "2 doses of naloxone" in html
    assert "01:56:00, spray 3–4 mg, bystander; 02:00:00, product not said, EMS." in re.sub(
        r"\s+", " ", html
    )
    for chosen in ("multiple", "several"):
        assert f'<option value="{chosen}" selected>' in html
    assert 'value="2027-01-15T01:56"' in html, "a dose before the press tells when it was"
    assert "drowsy" not in html.lower(), "how it went is for a human to say"
    async with services.db.read() as conn:
        read = select(schema.audit.c.object_id).where(
            schema.audit.c.action == "odmap.read", schema.audit.c.object_kind == "session"
        )
        assert (await conn.execute(read)).scalars().all() == [row.id]


async def test_what_is_released_is_in_one_file_and_waits_no_more(site: Site) -> None:
    row = await overdose(site)
    await site.sign_in(demo.LENA)
    done = await site.post(PAGE, typed(row, place="=Main"), page=PAGE)
    assert done.status == 303
    html = await html_of(site, done.headers["Location"])
    assert f'data-session="{row.id}"' not in html
    [path] = set(re.findall(r'href="(/manager/odmap/odf_\w+\.csv)"', html))
    [cells] = await rows_of(site, path)
    assert cells["occurred_at"] == "2027-01-15T08:00:00Z"
    assert (cells["county"], cells["outcome"], cells["naloxone"]) == (
        "Prairie", "nonfatal", "single",
    )  # fmt: skip
    assert cells["place"] == "'=Main"
    assert row.id not in str(cells)
    assert row.code not in str(cells)
    again = await site.post(PAGE, typed(row), page=PAGE)
    assert again.status == 409
    assert len(set(re.findall(r"/manager/odmap/odf_\w+\.csv", await html_of(site)))) == 1


async def test_of_two_who_release_one_at_the_same_moment_one_does_and_the_other_reads_so(
    site: Site,
) -> None:
    row = await overdose(site)
    await site.sign_in(demo.LENA)
    pair = [typed(row, place="Main and 3rd"), typed(row, place="Elsewhere", decision="hold")]
    pair[1][f"{row.id}.reason"] = "reported_elsewhere"
    done = await asyncio.gather(*(site.post(PAGE, form, page=PAGE) for form in pair))
    assert sorted(one.status for one in done) == [303, 409]
    refused = next(one for one in done if one.status == 409)
    assert "Somebody changed this first" in await refused.text()
    assert f'data-session="{row.id}"' not in await html_of(site)


async def test_who_released_what_and_each_download_is_on_record(site: Site) -> None:
    row = await overdose(site)
    await site.sign_in(demo.LENA)
    done = await site.post(PAGE, typed(row), page=PAGE)
    file = done.headers["Location"].partition("file=")[2]
    await rows_of(site, f"{PAGE}/{file}.csv")
    audit = schema.audit
    async with site.services.db.read() as conn:
        found = await conn.execute(
            select(audit.c.actor_id, audit.c.action, audit.c.object_id)
            .where(audit.c.action.like("odmap.%"))
            .order_by(audit.c.no)
        )
        assert [tuple(one) for one in found if one.action != "odmap.read"] == [
            (demo.LENA.id, "odmap.release", row.id),
            (demo.LENA.id, "odmap.release", file),
            (demo.LENA.id, "odmap.download", file),
        ]


async def test_with_anything_wrong_nothing_is_kept_and_what_was_typed_stays(site: Site) -> None:
    good = await overdose(site)
    bad = await overdose(site, press_key="second", pressed_at=NOW + 60, code="111222")
    await site.sign_in(demo.LENA)
    form = typed(good) | typed(bad, outcome="", place=XSS[:100], time="2027-01-15T02:01")
    response = await site.post(PAGE, form, page=PAGE)
    html = await response.text()
    assert response.status == 422
    assert "Say whether the person survived." in html
    assert XSS[:100] not in html
    assert "&lt;script&gt;" in html
    assert "odf_" not in html
    assert re.findall(r'data-session="(\w+)"', await html_of(site)) == [good.id, bad.id]


async def test_nothing_chosen_releases_nothing(site: Site) -> None:
    row = await overdose(site)
    await site.sign_in(demo.LENA)
    response = await site.post(PAGE, typed(row, decision="later"), page=PAGE)
    assert response.status == 422
    assert "Nothing was chosen" in await response.text()


async def test_one_is_held_back_with_a_reason_and_can_be_decided_again(site: Site) -> None:
    row = await overdose(site)
    await site.sign_in(demo.LENA)
    refused = await site.post(PAGE, typed(row, decision="hold"), page=PAGE)
    assert refused.status == 422
    held = typed(row, decision="hold", reason="not_overdose", outcome="")
    assert (await site.post(PAGE, held, page=PAGE)).status == 303
    html = await html_of(site)
    assert f'data-session="{row.id}"' not in html
    assert "Was no overdose" in html
    assert "odf_" not in html
    back = await site.post(f"{PAGE}/back", {"session": row.id}, page=PAGE)
    assert back.status == 303
    assert f'data-session="{row.id}"' in await html_of(site)


@pytest.mark.parametrize("who", [demo.DANA, demo.ADA, demo.TOM], ids=lambda one: one.role)
async def test_only_a_programs_manager_may_look_or_release(site: Site, who: demo.Member) -> None:
    row = await overdose(site)
    await site.sign_in(who)
    assert (await site.client.get(PAGE)).status == 403
    page = "/console" if who is demo.DANA else "/alerts" if who is demo.ADA else "/manager/tablets"
    assert (await site.post(PAGE, typed(row), page=page)).status == 403


async def test_another_programs_manager_sees_nothing_and_cannot_name_a_session_or_a_file(
    site: Site,
) -> None:
    row = await overdose(site)
    await site.sign_in(demo.LENA)
    done = await site.post(PAGE, typed(row), page=PAGE)
    file = done.headers["Location"].partition("file=")[2]
    other = await overdose(site, press_key="second", pressed_at=NOW + 60)
    await site.sign_in(AWAY_MANAGER)
    html = await html_of(site, f"{PAGE}?file={file}")
    assert "data-session" not in html
    assert file not in html
    assert (await site.client.get(f"{PAGE}/{file}.csv")).status == 404
    assert (await site.post(PAGE, typed(other), page=PAGE)).status == 404
    assert (await site.post(f"{PAGE}/back", {"session": other.id}, page=PAGE)).status == 404
    await site.sign_in(demo.LENA)
    assert f'data-session="{other.id}"' in await html_of(site)


async def test_an_officers_own_call_and_a_session_without_an_overdose_cannot_be_released(
    site: Site,
) -> None:
    own = await overdose(site, wellness=True)
    plain = await site.session(press_key="plain", pressed_at=NOW + 60)
    await site.sign_in(demo.LENA)
    assert "data-session" not in await html_of(site)
    for row in (own, plain):
        assert (await site.post(PAGE, typed(row), page=PAGE)).status == 404


async def test_a_day_that_is_none_is_refused(site: Site) -> None:
    await site.sign_in(demo.LENA)
    assert (await site.client.get(f"{PAGE}?from=x")).status == 400


@pytest.mark.parametrize(
    "query", ["from=2027-02-01&until=2027-01-01", "from=2026-01-01&until=2027-01-15"]
)
async def test_days_in_the_wrong_order_or_too_many_are_refused_with_how_many_fit(
    site: Site, query: str
) -> None:
    await site.sign_in(demo.LENA)
    response = await site.client.get(f"{PAGE}?{query}")
    assert response.status == 422
    shown = await response.text()
    assert "at most 92 days fit at once" in shown
    assert "Go back and choose other days." in shown


async def test_a_field_that_the_form_does_not_have_is_refused(site: Site) -> None:
    row = await overdose(site)
    await site.sign_in(demo.LENA)
    form = typed(row) | {f"{row.id}.wellness": "0"}
    assert (await site.post(PAGE, form, page=PAGE)).status == 400
