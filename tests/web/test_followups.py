"""The pages of follow-ups: the board, working on one, and who may do what."""

from __future__ import annotations

import html

import pytest

from records import followups
from records.followups import FollowupRow, NewFollowup
from tests.web.cast import AWAY_SUPERVISOR, NOW, XSS, Site
from web.dev import cast as demo

DAY = 86_400.0


async def planned(site: Site, owner: demo.Member = demo.DANA, due: float = NOW - 60) -> FollowupRow:
    row = await site.session()
    vault = site.services.vault
    task = NewFollowup("contact_24h", owner.id, due, f"Call her sister {XSS}")
    await site.services.db.write(
        lambda conn: followups.add_many(conn, vault, row.id, [task], NOW - 100)
    )
    async with site.services.db.read() as conn:
        return (await followups.of_session(conn, vault, row.id))[0]


async def text(site: Site, path: str) -> str:
    response = await site.client.get(path)
    assert response.status == 200, path
    return await response.text()


async def press(site: Site, task: FollowupRow, what: str, rev: int, **form: str) -> tuple[int, str]:
    response = await site.post(
        f"/followups/{task.id}/{what}", {"rev": str(rev), **form}, page="/followups"
    )
    return response.status, html.unescape(await response.text())


async def test_mine_are_shown_first_and_everybodys_when_asked_for(site: Site) -> None:
    task = await planned(site, demo.MIGUEL)
    await site.sign_in(demo.DANA)
    assert task.id not in await text(site, "/followups")
    everybody = await text(site, "/followups?whose=all")
    assert task.id in everybody
    assert "Overdue" in everybody
    assert "1 open, 1 overdue" in everybody
    await site.sign_in(demo.MIGUEL)
    assert task.id in await text(site, "/followups")
    assert task.id not in await text(site, "/followups?closed=1")


async def test_three_attempts_later_it_can_be_closed_as_not_reached(site: Site) -> None:
    task = await planned(site)
    await site.sign_in(demo.DANA)
    status, said = await press(site, task, "close", 1, reason="unreachable")
    assert status == 409
    assert "before three attempts" in said
    for rev in (1, 2, 3):
        status, _ = await press(
            site, task, "attempts", rev, channel="phone", outcome="no_answer", note=f"{XSS} {rev}"
        )
        assert status == 303
    shown = await text(site, f"/followups/{task.id}")
    assert XSS not in shown
    assert shown.count("No answer</strong>") == 3
    assert (await press(site, task, "close", 4, reason="unreachable"))[0] == 303
    assert "Not reached after three attempts" in await text(site, f"/followups/{task.id}")
    assert task.id in await text(site, "/followups?closed=1")
    session = await text(site, f"/manager/sessions/{task.session_id}")
    assert "Attempt at Contact within 24 hours: No answer" in html.unescape(session) or (
        "Attempt at" in session
    )
    assert (await press(site, task, "reopen", 5))[0] == 303
    assert 'data-testid="state">Overdue' in await text(site, f"/followups/{task.id}")


async def test_who_saw_an_older_state_is_told_and_keeps_their_words(site: Site) -> None:
    task = await planned(site)
    await site.sign_in(demo.DANA)
    await press(site, task, "assign", 1, owner=demo.MIGUEL.id)
    status, said = await press(
        site, task, "attempts", 1, channel="visit", outcome="reached", note="at the kitchen table"
    )
    assert status == 409
    assert "Somebody changed this first." in said
    assert "at the kitchen table" in said
    assert "Miguel" in said


async def test_another_time_is_of_the_agencys_zone_and_never_in_the_past(site: Site) -> None:
    task = await planned(site)
    await site.sign_in(demo.DANA)
    assert (await press(site, task, "move", 1, due="2027-03-01T09:30"))[0] == 303
    assert "2027-03-01 09:30" in await text(site, f"/followups/{task.id}")
    for bad, status in (("2026-01-01T09:30", 422), ("tomorrow", 422), ("9999-99-99T99:99", 422)):
        answer = await press(site, task, "move", 2, due=bad)
        assert answer[0] in (status, 400), bad
    assert "2027-03-01 09:30" in await text(site, f"/followups/{task.id}")


@pytest.mark.parametrize(
    ("what", "form"),
    [
        ("attempts", {"channel": "fax", "outcome": "reached", "note": ""}),
        ("attempts", {"channel": "phone", "outcome": "gone", "note": ""}),
        ("close", {"reason": "forgotten"}),
        ("assign", {"owner": "per_nobody"}),
        ("assign", {"owner": demo.LENA.id}),
    ],
)
async def test_a_value_that_no_form_of_ours_sends_changes_nothing(
    site: Site, what: str, form: dict[str, str]
) -> None:
    task = await planned(site)
    await site.sign_in(demo.DANA)
    status, _ = await press(site, task, what, 1, **form)
    assert 400 <= status < 500
    for rev in ("", "-1", "x", "9" * 30):
        response = await site.post(
            f"/followups/{task.id}/close", {"rev": rev, "reason": "done"}, page="/followups"
        )
        assert response.status in (400, 409)
    async with site.services.db.read() as conn:
        now = await followups.get(conn, site.services.vault, task.id)
    assert now is not None
    assert (now.rev, now.status, now.owner_id) == (1, "open", demo.DANA.id)


async def test_the_manager_gives_it_to_somebody_and_reads_no_note(site: Site) -> None:
    task = await planned(site)
    await site.sign_in(demo.LENA)
    shown = await text(site, f"/followups/{task.id}")
    assert "Call her sister" not in shown
    assert "Notes are open to whoever treats the person." in shown
    assert (await press(site, task, "assign", 1, owner=demo.PRIYA.id))[0] == 303
    assert "Priya" in await text(site, f"/followups/{task.id}")
    assert (await press(site, task, "close", 2, reason="done"))[0] == 403


@pytest.mark.parametrize("member", [demo.PRIYA, AWAY_SUPERVISOR], ids=lambda one: one.id)
async def test_whoever_neither_leads_nor_owns_it_cannot_work_on_it(
    site: Site, member: demo.Member
) -> None:
    task = await planned(site)
    await site.sign_in(member)
    for what, form in (
        ("attempts", {"channel": "phone", "outcome": "reached", "note": ""}),
        ("close", {"reason": "done"}),
        ("assign", {"owner": member.id}),
        ("move", {"due": "2030-01-01T00:00"}),
    ):
        assert (await press(site, task, what, 1, **form))[0] == 404, what
    page = await site.client.get(f"/followups/{task.id}")
    assert page.status == (404 if member is AWAY_SUPERVISOR else 200)
    assert "Call her sister" not in await page.text()
