"""The manager's log, one session's page, the export, and the tablets' page."""

from __future__ import annotations

import csv
import io
import re
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.tablet_keys import NOTED_SECONDS
from auth.tablets import revoke_tablet
from records import assessments, followups, recommendations, schema
from records.sessions import SessionRow
from tests.web.cast import NOW, ORIGIN, Site
from web import log
from web.dev import cast as demo

CARD: dict[str, Any] = {
    "level": "soon",
    "disposition": "remain_in_place",
    "actions": [{"code": "remove_lethal_means", "text": "in the kitchen"}],
    "words": "Call when her sister is there.",
}


async def with_record(site: Site) -> SessionRow:
    """A session with an assessment, a card and two follow-ups, one of them overdue."""
    row = await site.session()
    vault = site.services.vault

    async def write(conn: AsyncConnection) -> None:
        answers = {"judged-reason": "A reason only for the provider"}
        args = (conn, vault, row.id)
        await assessments.save(*args, "field-safety", 0, answers, demo.DANA.id, NOW)
        await recommendations.save(*args, 0, CARD, demo.DANA.id, NOW, send=True)
        planned = [
            followups.NewFollowup("contact_24h", demo.DANA.id, NOW - 60, "note for the clinic"),
            followups.NewFollowup("warm_handoff", demo.MIGUEL.id, NOW + 86400),
        ]
        await followups.add_many(*args, planned, NOW)

    await site.services.db.write(write)
    return row


async def page(site: Site, path: str) -> str:
    response = await site.client.get(path)
    assert response.status == 200, path
    return await response.text()


async def test_the_log_shows_the_four_numbers_and_the_sessions(site: Site) -> None:
    await site.session()
    await site.sign_in(demo.LENA)
    html = await page(site, "/manager")
    numbers = dict(re.findall(r'id="board-(\w[\w-]*)">(\d+)<', html))
    assert numbers == {"waiting": "0", "in-call": "0", "clinicians": "2", "tablets": "2"}
    for words in ("482 913", "Unit 12", "Sam Rivera", "Dana Whitefeather", "0:09", "21:30"):
        assert words in html
    assert "Stay in place" in html
    assert "Voluntary transport" in html


async def test_the_board_says_who_waits_and_for_how_long(site: Site) -> None:
    await site.session(
        state="waiting", close_reason=None, lead_id=None, ended_at=None, closed_at=None
    )
    site.clock[0] = NOW + 50
    await site.sign_in(demo.LENA)
    board = await (await site.client.get("/api/v1/board")).json()
    assert board.pop("ok") is True
    assert [one["state"] for one in board.pop("scene")["rows"]] == ["waiting"]
    assert board == {
        "waiting": 1,
        "longest_wait": 50.0,
        "in_call": 0,
        "wrap_up": 0,
        "clinicians_ready": 2,
        "clinicians_rostered": 3,
        "tablets": 3,
        "tablets_not_ready": 2,
        "trail_cut": False,
    }


async def test_the_log_goes_on_page_by_page_without_gaps_or_repeats(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "PAGE_ROWS", 2)
    rows = [
        await site.session(press_key=f"press-{number}", pressed_at=NOW + number // 2)
        for number in range(5)
    ]
    await site.sign_in(demo.LENA)
    path, seen = "/manager?state=closed", list[str]()
    while path:
        html = await page(site, path)
        seen += re.findall(r'data-session="(\w+)"', html)
        older = re.search(r'rel="next" href="([^"]+)"', html)
        path = older[1].replace("&amp;", "&") if older else ""
    assert len(seen) == 5
    assert set(seen) == {row.id for row in rows}


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", True),
        ("state=closed", True),
        ("state=waiting", False),
        ("disposition=voluntary_transport", True),
        ("disposition=other", False),
        ("code=482+913", True),
        ("code=111111", False),
        ("from=2027-01-15", True),
        ("from=2027-01-16", False),
        ("until=2027-01-15", True),
        ("until=2027-01-14", False),
        (f"agency={demo.AGENCY_ID}", True),
    ],
)
async def test_a_filter_shows_only_what_it_says(site: Site, query: str, shown: bool) -> None:
    row = await site.session()  # 2027-01-15 at 02:00 in Chicago
    await site.sign_in(demo.LENA)
    assert (f'data-session="{row.id}"' in await page(site, f"/manager?{query}")) == shown


async def test_test_calls_are_shown_only_when_asked_for(site: Site) -> None:
    row = await site.session(test=True)
    await site.sign_in(demo.LENA)
    assert row.id not in await page(site, "/manager")
    assert row.id in await page(site, "/manager?tests=1")


async def test_a_manager_reads_times_people_and_the_summary_but_no_answers(site: Site) -> None:
    row = await with_record(site)
    await site.sign_in(demo.LENA)
    html = await page(site, f"/manager/sessions/{row.id}")
    for words in (
        "Dana Whitefeather accepted",  # the timeline in words
        "Differs: The person declined",
        "+0:09",
        "Press to picture",
        "Computed level",
        "Answers are open to the treating provider only.",
        "Contact within 24 hours",
        "Overdue",
        "Miguel Ortiz",
        "Remove weapons, pills and other means",
    ):
        assert words in html, words
    assert "A reason only for the provider" not in html
    assert "note for the clinic" not in html


async def test_the_providers_supervisor_reads_the_answers_and_notes(site: Site) -> None:
    row = await with_record(site)
    await site.sign_in(demo.ADA)
    html = await page(site, f"/manager/sessions/{row.id}")
    assert "A reason only for the provider" in html
    assert "note for the clinic" in html


async def test_a_clinician_reads_what_they_led_or_follow_up_and_nothing_else(site: Site) -> None:
    row = await with_record(site)
    await site.sign_in(demo.DANA)
    html = await page(site, f"/manager/sessions/{row.id}")
    assert "A reason only for the provider" in html
    assert 'href="/manager"' not in html  # no way into a list that is closed to them
    await site.sign_in(demo.MIGUEL)  # has a follow-up of it
    assert "A reason only for the provider" in await page(site, f"/manager/sessions/{row.id}")
    await site.sign_in(demo.PRIYA)
    assert (await site.client.get(f"/manager/sessions/{row.id}")).status == 404


async def test_reading_a_session_and_being_refused_are_both_on_record(site: Site) -> None:
    row = await site.session()
    await site.sign_in(demo.LENA)
    await page(site, f"/manager/sessions/{row.id}")
    await site.client.get("/manager/sessions/ses_nobody")
    audit = schema.audit
    async with site.services.db.read() as conn:
        rows = await conn.execute(
            select(audit.c.object_id, audit.c.outcome).where(audit.c.object_kind == "session")
        )
        noted = {(one.object_id, one.outcome) for one in rows}
    assert noted == {(row.id, "allowed"), ("ses_nobody", "refused")}


async def test_every_state_of_a_session_has_a_page(site: Site) -> None:
    await site.sign_in(demo.LENA)
    nothing = dict.fromkeys(
        (
            "alerted_at",
            "accepted_at",
            "media_at",
            "ended_at",
            "closed_at",
            "recommended_disposition",
            "actual_disposition",
            "difference_reason",
            "close_reason",
            "lead_id",
        )
    )
    led = {**nothing, "lead_id": demo.DANA.id}
    for number, (state, changes) in enumerate(
        [("waiting", nothing), ("wrap_up", led), ("closed", {**led, "close_reason": "duplicate"})]
    ):
        row = await site.session(state=state, press_key=f"p{number}", **changes)
        await page(site, f"/manager/sessions/{row.id}")
        await page(site, "/manager")
        await site.services.db.write(partial(close, session_id=row.id))


async def close(conn: AsyncConnection, session_id: str) -> None:
    """One tablet has one open session: the next one needs this one closed."""
    table = schema.session
    finish = {"state": "closed", "close_reason": "cancelled_by_officer"}
    await conn.execute(table.update().where(table.c.id == session_id).values(finish))


async def test_the_export_is_a_table_without_names_unless_asked_for_by_right(site: Site) -> None:
    row = await site.session()
    await site.sign_in(demo.LENA)
    response = await site.client.get("/manager/sessions.csv")
    raw = await response.read()
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="sessions.csv"'
    assert raw.startswith(b"\xef\xbb\xbf")
    lines = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    assert [line["session"] for line in lines] == [row.id]
    assert lines[0]["actual_disposition_label"] == "Voluntary transport"
    assert "Sam Rivera" not in raw.decode()
    named = await (await site.client.get("/manager/sessions.csv?names=1")).text()
    assert "Sam Rivera" in named


async def test_the_supervisor_gets_no_names_in_an_export(site: Site) -> None:
    await site.session()
    await site.sign_in(demo.ADA)
    assert (await site.client.get("/manager/sessions.csv")).status == 200
    assert (await site.client.get("/manager/sessions.csv?names=1")).status == 403
    assert "names=1" not in await page(site, "/manager")


async def test_a_set_up_code_is_shown_as_letters_and_as_a_picture_and_works(site: Site) -> None:
    await site.sign_in(demo.TOM)
    path = f"/manager/tablets/{demo.UNIT_12.id}/code"
    response = await site.post(path, {}, page="/manager/tablets")
    html = await response.text()
    assert response.status == 200
    assert response.headers["Cache-Control"] == "no-store"
    code = re.search(r'data-testid="setup-code">([0-9A-Z]{4}-[0-9A-Z]{4})<', html)
    assert code is not None
    assert 'src="data:image/svg+xml' in html
    assert f"{ORIGIN}/enrol" in html
    enrolled = await site.json("/api/v1/enrol", {"code": code[1]}, page="/enrol")
    assert enrolled.status == 200


async def test_revoking_a_tablet_puts_its_open_page_out(site: Site) -> None:
    await site.enrol()
    site.desk.dismissed.clear()
    await site.sign_in(demo.LENA)
    path = f"/manager/tablets/{demo.UNIT_12.id}/revoke"
    response = await site.post(path, {}, page="/manager/tablets")
    assert response.status == 303
    assert site.desk.dismissed == [(demo.UNIT_12.id, "revoked")]
    assert "was ended" in await page(site, response.headers["Location"])
    gone = await site.client.get("/tablet", allow_redirects=False)
    assert gone.headers["Location"] == "/enrol?why=ended"


async def test_who_goes_on_trying_with_a_lost_tablet_is_in_the_trail_and_does_not_fill_it(
    site: Site,
) -> None:
    await site.enrol()
    await site.services.db.write(lambda conn: revoke_tablet(conn, demo.UNIT_12.id, NOW))
    for _ in range(5):
        await site.client.get("/tablet", allow_redirects=False)
        site.clock[0] += 1
    site.clock[0] += NOTED_SECONDS
    await site.client.get("/tablet", allow_redirects=False)
    await site.sign_in(demo.TOM)  # the trail shows it to whoever looks through it
    shown = await page(site, "/manager/audit")
    assert shown.count("tablet.return</code></td>") == 2
    assert demo.UNIT_12.label in shown[shown.index("tablet.return") :]


async def test_the_supervisor_sees_tablets_but_no_buttons(site: Site) -> None:
    await site.sign_in(demo.ADA)
    html = await page(site, "/manager/tablets")
    assert "Unit 12" in html
    assert "/code" not in html
    assert "/revoke" not in html
