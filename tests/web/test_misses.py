"""The pages of near misses: the daily list, closing with a note, and who may read what."""

from __future__ import annotations

import html
from typing import Any

import pytest
from sqlalchemy import func, select

from records import near_misses, schema
from records.near_misses import NewMiss
from records.schema_misses import near_miss, near_miss_note
from tests.web.cast import AWAY, AWAY_MANAGER, NOW, XSS, Site
from web.dev import cast as demo

PAGE = "/manager/misses"


async def missed(site: Site, kind: str = "unanswered", at: float = NOW, **more: Any) -> str:
    """A near miss of a session of its own; its id."""
    row = await site.session(**more)
    new = [NewMiss(row.id, kind, at, row.pressed_at)]
    await site.services.db.write(lambda conn: near_misses.open_all(conn, new, NOW))
    async with site.services.db.read() as conn:
        found = select(near_miss.c.id).where(near_miss.c.session_id == row.id)
        return str(await conn.scalar(found))


async def text(site: Site, path: str = PAGE) -> str:
    response = await site.client.get(path)
    assert response.status == 200, (path, response.status)
    return html.unescape(await response.text())


async def close(site: Site, miss: str, note: str, rev: str = "1") -> tuple[int, str]:
    form = {"rev": rev, "note": note}
    response = await site.post(f"{PAGE}/{miss}/close", form, page=PAGE)
    return response.status, await response.text()


async def entries(site: Site, action: str, miss: str) -> int:
    async with site.services.db.read() as conn:
        return (
            await conn.scalar(
                select(func.count()).where(
                    schema.audit.c.action == action,
                    schema.audit.c.object_kind == "near_miss",
                    schema.audit.c.object_id == miss,
                )
            )
            or 0
        )


async def test_near_misses_are_listed_by_day_and_counted_beside_the_log(site: Site) -> None:
    await missed(site, at=NOW, press_key="one")
    await missed(site, "to_phone", NOW + 3600, press_key="two")
    await missed(site, "last_step", NOW + 90_000, press_key="three")
    await site.sign_in(demo.LENA)
    shown = await text(site)
    assert "3 near misses open" in shown
    assert [shown.index(words) for words in ("2027-01-16", "2027-01-15")] == sorted(
        shown.index(words) for words in ("2027-01-16", "2027-01-15")
    )
    assert shown.count("<caption>") == 2
    assert "3 near misses open" in await text(site, "/manager")
    assert "after 60 seconds or more" in shown


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", True),
        ("state=closed", False),
        ("state=all", True),
        ("kind=unanswered", True),
        ("kind=to_phone", False),
        ("from=2027-01-15&until=2027-01-15", True),
        ("from=2027-01-16", False),
    ],
)
async def test_a_filter_shows_only_what_it_says(site: Site, query: str, shown: bool) -> None:
    miss = await missed(site)
    await site.sign_in(demo.LENA)
    assert (f'data-miss="{miss}"' in await text(site, f"{PAGE}?{query}")) == shown


@pytest.mark.parametrize("query", ["state=x", "kind=x", "from=x", "after=x", "after=nan~a"])
async def test_what_no_form_of_ours_sends_is_refused(site: Site, query: str) -> None:
    await site.sign_in(demo.LENA)
    assert (await site.client.get(f"{PAGE}?{query}")).status in {400, 422}


async def test_it_is_closed_with_a_note_and_by_whom_and_opened_again(site: Site) -> None:
    miss = await missed(site)
    await site.sign_in(demo.LENA)
    assert (await close(site, miss, " "))[0] == 422
    assert (await close(site, miss, f"Phones were off {XSS}"))[0] == 303
    raw = await (await site.client.get(f"{PAGE}/{miss}")).text()
    assert XSS not in raw
    assert XSS in html.unescape(raw)
    assert "Closed by Lena Fisher" in raw
    assert miss not in await text(site)
    assert "Lena Fisher" in await text(site, f"{PAGE}?state=closed")
    assert (await close(site, miss, "again", "2"))[0] == 409
    response = await site.post(f"{PAGE}/{miss}/reopen", {"rev": "2"}, page=PAGE)
    assert response.status == 303
    assert "Opened again by Lena Fisher" in await text(site, f"{PAGE}/{miss}")
    assert miss in await text(site)
    assert await entries(site, "miss.close", miss) == 2
    assert await entries(site, "miss.read", miss) > 0
    async with site.services.db.read() as conn:
        stored = (await conn.execute(select(near_miss_note.c.note_enc))).scalars().all()
    assert not any(b"Phones" in (one or b"") for one in stored)


async def test_what_was_typed_stays_when_it_cannot_be_kept(site: Site) -> None:
    miss = await missed(site)
    await site.sign_in(demo.LENA)
    status, said = await close(site, miss, f"half a {XSS}", "7")
    assert status == 409
    assert XSS not in said
    assert f"half a {XSS}" in html.unescape(said)


async def test_a_providers_note_is_not_read_by_the_program_and_a_programs_is_by_both(
    site: Site,
) -> None:
    miss = await missed(site)
    await site.sign_in(demo.ADA)
    assert (await close(site, miss, "She had taken tablets"))[0] == 303
    assert "taken tablets" in await text(site, f"{PAGE}/{miss}")
    await site.sign_in(demo.LENA)
    shown = await text(site, f"{PAGE}/{miss}")
    assert "taken tablets" not in shown
    assert "open to the provider only" in shown
    await site.post(f"{PAGE}/{miss}/reopen", {"rev": "2"}, page=PAGE)
    assert (await close(site, miss, "The provider trains it", "3"))[0] == 303
    await site.sign_in(demo.ADA)
    assert "The provider trains it" in await text(site, f"{PAGE}/{miss}")


async def test_another_program_and_an_employer_learn_of_none(site: Site) -> None:
    own = await missed(site, press_key="one")
    away: dict[str, Any] = {**AWAY, "tablet_id": "tab_away", "officer_id": None, "lead_id": None}
    theirs = await missed(site, press_key="two", **away)
    hidden = await missed(site, press_key="three", wellness=True)
    await site.sign_in(demo.LENA)
    shown = await text(site)
    assert [one in shown for one in (own, theirs, hidden)] == [True, False, False]
    for miss in (theirs, hidden, "nms_nobody", "x" * 60):
        assert (await site.client.get(f"{PAGE}/{miss}")).status == 404
        response = await site.post(f"{PAGE}/{miss}/close", {"rev": "1", "note": "n"}, page=PAGE)
        assert response.status == 404
    await site.sign_in(demo.ADA)
    assert hidden in await text(site)
    await site.sign_in(AWAY_MANAGER)
    assert theirs in await text(site)
    await site.sign_in(demo.DANA)
    assert (await site.client.get(PAGE)).status == 403


async def test_a_sessions_page_leads_to_its_near_misses_for_who_reads_those(site: Site) -> None:
    miss = await missed(site)
    async with site.services.db.read() as conn:
        row = await near_misses.get(conn, miss)
    assert row is not None
    link = f'<a href="{PAGE}/{miss}">Nobody answered</a>'
    for member, reads in ((demo.LENA, True), (demo.ADA, True), (demo.DANA, False)):
        await site.sign_in(member)
        assert (link in await text(site, f"/manager/sessions/{row.session_id}")) is reads
