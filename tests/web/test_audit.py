"""The audit trail's page: who may read it, what is shown, and that a week was looked through."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit, audit_review
from auth.actors import Actor
from tests.web.cast import AWAY_MANAGER, XSS, Site
from tests.web.programs import token
from web.dev import cast as demo

ROOT = Path(__file__).parents[2]
WEEK = "/manager/audit?all=1"


async def page(site: Site, path: str = WEEK) -> str:
    response = await site.client.get(path)
    assert response.status == 200, await response.text()
    return await response.text()


async def test_a_manager_reads_what_their_people_did_and_from_where(site: Site) -> None:
    row = await site.session()
    await site.sign_in(demo.ADA)
    assert (await site.client.get(f"/manager/sessions/{row.id}")).status == 200
    await site.sign_in(demo.LENA)
    shown = await page(site)
    assert "Ada" in shown
    assert row.id in shown
    assert "127.0.0.1" in shown
    async with site.services.db.read() as conn:
        assert await audit.verify(conn) is None


async def test_only_what_is_worth_a_look_is_shown_at_first(site: Site) -> None:
    row = await site.session()
    await site.sign_in(demo.ADA)
    await site.client.get(f"/manager/sessions/{row.id}")
    await site.sign_in(demo.MIGUEL)
    assert (await site.client.get(f"/manager/sessions/{row.id}")).status in (403, 404)
    await site.sign_in(demo.LENA)
    shown = await page(site, "/manager/audit")
    entries = shown[shown.index('id="entries"') :]
    assert "Refused" in entries
    assert demo.MIGUEL.name in entries
    assert "record.read_clinical" not in entries[: entries.index("</table>")]


AT_FIRST = (
    (demo.MIGUEL, "record.break_glass", "session"),
    (demo.MIGUEL, "record.export", "session"),
    (demo.MIGUEL, "factor.remove_app", "person"),
    (demo.LENA, "token.make", "token"),
    (None, "keys.rotate", "kek"),
    (None, "backup.restore", "database"),
    (None, "audit.export", "audit"),
    (None, "tokens.rotate", "token_key"),
)


async def test_what_opens_a_record_or_a_door_is_shown_at_first_though_it_was_allowed(
    site: Site,
) -> None:
    now = site.clock[0]

    async def write(conn: AsyncConnection) -> None:
        for member, action, kind in AT_FIRST:
            who = Actor("person", member.id, member.name, "", frozenset()) if member else None
            await audit.record(conn, who, action, kind, None, "allowed", now)

    await site.services.db.write(write)
    await site.sign_in(demo.LENA)
    entries = (await page(site, "/manager/audit")).partition('id="entries"')[2]
    for _, action, _ in AT_FIRST:
        assert action in entries[: entries.index("</table>")], action


async def test_missing_entries_are_said_on_the_managers_screens(site: Site) -> None:
    await site.sign_in(demo.LENA)
    log = await page(site, "/manager")
    assert re.search(r'id="trail-cut"[^>]* hidden>', log), "live news may show it"
    assert (await (await site.client.get("/api/v1/board")).json())["trail_cut"] is False
    assert 'id="trail-cut"' not in await page(site, "/manager/audit")
    site.desk.audits.cut = True
    await site.services.db.write(
        lambda conn: audit.record(conn, None, audit.CUT, "audit", "71", "failed", site.clock[0])
    )
    log = await page(site, "/manager")
    assert not re.search(r'id="trail-cut"[^>]* hidden>', log)
    assert "/manager/audit?outcome=failed" in log
    assert (await (await site.client.get("/api/v1/board")).json())["trail_cut"] is True
    for query in ("", "?outcome=failed"):
        shown = await page(site, f"/manager/audit{query}")
        assert 'id="trail-cut"' in shown
        assert "<span>71</span>" in shown


async def test_what_another_program_read_is_there_by_the_name_of_its_token(site: Site) -> None:
    secret = await token(site, "log.read", name="County board")
    read = {"Authorization": f"Bearer {secret}"}
    assert (await site.client.get("/api/v1/sessions", headers=read)).status == 200
    await site.sign_in(demo.LENA)
    entries = (await page(site)).partition('id="entries"')[2]
    assert "County board" in entries[: entries.index("</table>")]
    await site.sign_in(AWAY_MANAGER)
    assert "County board" not in await page(site)


def test_whatever_a_reviewer_is_to_look_at_is_really_written_somewhere() -> None:
    """A word that nobody writes shows nobody anything, and looks as if nothing had happened."""
    found = set()
    for folder in ("auth", "records", "signaling", "web"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.name != "audit_review.py":
                found |= set(re.findall(r'"([a-z_]+\.[a-z_]+)"', path.read_text(encoding="utf-8")))
    for prefix in audit_review.NOTABLE:
        assert any(one.startswith(prefix) for one in found), prefix


@pytest.mark.parametrize("member", [demo.DANA, demo.ADA])
async def test_nobody_else_reads_it(site: Site, member: demo.Member) -> None:
    await site.sign_in(member)
    for path in ("/manager/audit", "/manager/audit.csv"):
        assert (await site.client.get(path)).status == 403
    answer = await site.post(
        "/manager/audit/reviewed", {"week": "2027-01-11", "up_to": "1"}, page="/notes"
    )
    assert answer.status == 403


async def test_another_program_reads_nothing_of_ours(site: Site) -> None:
    row = await site.session()
    await site.sign_in(demo.ADA)
    await site.client.get(f"/manager/sessions/{row.id}")
    await site.sign_in(AWAY_MANAGER)
    shown = await page(site)
    assert row.id not in shown
    assert demo.ADA.name not in shown
    table = await (await site.client.get("/manager/audit.csv?all=1")).text()
    assert row.id not in table


async def test_a_week_is_said_to_be_looked_through_once_and_again(site: Site) -> None:
    await site.sign_in(demo.LENA)
    shown = await page(site)
    week = re.search(r'name="week" value="([\d-]+)"', shown)
    up_to = re.search(r'name="up_to" value="(\d+)"', shown)
    assert week is not None
    assert up_to is not None
    typed = {"week": week[1], "up_to": up_to[1]}
    for _ in range(2):
        assert (await site.post("/manager/audit/reviewed", typed, page=WEEK)).status == 303
    again = await page(site)
    assert again.count("Looked through</span>") == 1
    assert demo.LENA.name in again
    assert "entries have come since" in again


@pytest.mark.parametrize(
    "query",
    [
        "week=yesterday",
        "week=9999-12-31",
        "outcome=perhaps",
        "before=-1",
        "before=x",
        "about=" + "x" * 41,
    ],
)
async def test_what_no_form_of_ours_sends_is_refused(site: Site, query: str) -> None:
    await site.sign_in(demo.LENA)
    assert (await site.client.get(f"/manager/audit?{query}")).status == 400


async def test_the_file_has_no_formula_and_says_unknown(site: Site) -> None:
    await site.sign_in(demo.LENA)
    formula = "=HYPERLINK(1)"
    await site.services.db.write(
        lambda conn: audit.record(
            conn, None, formula, XSS[:24], demo.ADA.id, "failed", site.clock[0]
        )
    )
    assert "<script>" not in await page(site)
    text = await (await site.client.get("/manager/audit.csv")).text()
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    row = next(one for one in rows if formula in one["action"])
    assert row["action"].startswith("'=")
    assert row["actor_name"] == "unknown"
