"""The safety plan to take away: by the secret of a link, for a month, and nothing beside it."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from sqlalchemy import select

from auth.takeaway import digest
from records import assessments, followups, schema
from records.followups import NewFollowup
from records.scoring.plans import PARTS
from records.sessions import SessionRow
from records.takeaways import MOST, SECONDS
from tests.web import pdfs
from tests.web.cast import AWAY_SUPERVISOR, NOW, XSS, Site
from web.dev import cast as demo

PLAN = {"made": "yes"} | {part: f"Words on {part} {XSS}" for part in PARTS}


async def planned(site: Site, **answers: Any) -> SessionRow:
    """A closed session of Dana's with a safety plan, an assessment and two follow-ups."""
    row = await site.session()
    vault = site.services.vault

    async def write(conn: Any) -> None:
        args = (conn, vault, row.id)
        await assessments.save(*args, "safety-plan", 0, PLAN | answers, demo.DANA.id, NOW)
        told = {"thoughts": "yes", "notes": "For the clinic only"}
        await assessments.save(*args, "field-safety", 0, told, demo.DANA.id, NOW)
        tasks = [
            NewFollowup("contact_24h", demo.DANA.id, NOW + 86_400, "private note"),
            NewFollowup("naloxone_delivery", demo.DANA.id, NOW + 86_400),
        ]
        await followups.add_many(*args, tasks, NOW)

    await site.services.db.write(write)
    return row


async def made(site: Site, row: SessionRow) -> str:
    """A link's secret, as the console gets it."""
    answer = await site.json("/api/v1/takeaways", {"session": row.id}, page="/notes")
    assert answer.status == 200, await answer.text()
    body = await answer.json()
    assert body["sent"] is None
    return str(body["path"]).partition("#")[2]


async def opened(site: Site, secret: str) -> tuple[int, dict[str, Any]]:
    answer = await site.json("/api/v1/plan", {"token": secret}, page="/plan")
    return answer.status, await answer.json()


async def test_the_person_reads_the_plan_whom_to_call_and_what_is_planned_and_nothing_else(
    site: Site,
) -> None:
    row = await planned(site)
    await site.sign_in(demo.DANA)
    secret = await made(site, row)
    site.client.session.cookie_jar.clear()
    for _ in range(2):
        status, body = await opened(site, secret)
        assert status == 200
    plan = body["plan"]
    assert [part["words"] for part in plan["parts"]] == [PLAN[part] for part in PARTS]
    assert plan["parts"][0]["title"].startswith("1.")
    assert plan["regional_line"]
    assert [one["what"] for one in plan["planned"]] == ["Somebody from the team contacts you"]
    for private in ("For the clinic only", "private note", "Dana", row.id, row.code, "naloxone"):
        assert private not in str(body)
    async with site.services.db.read() as conn:
        kinds = (await conn.execute(select(schema.timeline.c.kind))).scalars().all()
        stored = (await conn.execute(select(schema.takeaway))).one()
        audited = (await conn.execute(select(schema.audit.c.action))).scalars().all()
    assert list(kinds).count("takeaway.opened") == 1, "the first time only"
    assert stored.opens == 2
    assert list(audited).count("takeaway.read") == 2
    assert secret not in str(stored)


async def test_the_page_itself_shows_nothing_without_the_secret(site: Site) -> None:
    row = await planned(site)
    response = await site.client.get("/plan")
    text = await response.text()
    assert response.headers["Cache-Control"] == "no-store"
    assert "Words on" not in text
    assert row.id not in text
    assert "tel:988" in text, "also for somebody whose link has run out"


async def test_a_link_ends_by_time_by_being_taken_back_and_when_there_is_no_plan_any_more(
    site: Site,
) -> None:
    row = await planned(site)
    await site.sign_in(demo.DANA)
    first, second = await made(site, row), await made(site, row)
    async with site.services.db.read() as conn:
        ids = (await conn.execute(select(schema.takeaway.c.id, schema.takeaway.c.token_hash))).all()
    assert len(ids) == 2
    link = next(one.id for one in ids if one.token_hash == digest(first))
    done = await site.post(f"/takeaways/{row.id}/revoke", {"link": link}, page="/notes")
    assert done.status == 303
    assert (await opened(site, first))[0] == 410
    assert (await opened(site, second))[0] == 200
    site.clock[0] = NOW + SECONDS - 1
    assert (await opened(site, second))[0] == 200
    site.clock[0] = NOW + SECONDS
    status, body = await opened(site, second)
    assert status == 410
    assert "988" in body["message"]
    for wrong in ("", "x", second[:-1], second + "x", "x" * 5000):
        assert (await opened(site, wrong))[0] == 410


async def test_a_plan_that_is_not_made_gives_no_link(site: Site) -> None:
    row = await planned(site, alone="  ")
    await site.sign_in(demo.DANA)
    answer = await site.json("/api/v1/takeaways", {"session": row.id}, page="/notes")
    assert (answer.status, (await answer.json())["code"]) == (409, "no-plan")


async def test_a_session_has_a_bounded_number_of_links(site: Site) -> None:
    row = await planned(site)
    await site.sign_in(demo.DANA)
    for _ in range(MOST):
        await made(site, row)
    answer = await site.json("/api/v1/takeaways", {"session": row.id}, page="/notes")
    assert (answer.status, (await answer.json())["code"]) == (422, "bad-input")


async def test_a_link_is_made_and_taken_back_on_the_sessions_page_and_shown_once(
    site: Site,
) -> None:
    row = await planned(site)
    await site.sign_in(demo.DANA)
    response = await site.post(f"/takeaways/{row.id}", {}, page="/notes")
    assert response.status == 200
    shown = html.unescape(await response.text())
    found = re.search(r"/plan#([\w-]+)", shown)
    assert found is not None
    assert (await opened(site, found[1]))[0] == 200
    again = await (await site.client.get(f"/manager/sessions/{row.id}")).text()
    assert found[1] not in again
    assert "Opened, 1 times" in again


@pytest.mark.parametrize(
    ("member", "status"),
    [(demo.PRIYA, 404), (demo.LENA, 403), (AWAY_SUPERVISOR, 404)],
    ids=lambda one: getattr(one, "id", str(one)),
)
async def test_only_whoever_treats_the_person_makes_a_link(
    site: Site, member: demo.Member, status: int
) -> None:
    row = await planned(site)
    await site.sign_in(member)
    page = "/manager" if member is demo.LENA else "/notes"
    answer = await site.json("/api/v1/takeaways", {"session": row.id}, page=page)
    assert answer.status == status
    refused = await site.post(f"/takeaways/{row.id}", {}, page=page)
    assert refused.status == status
    async with site.services.db.read() as conn:
        assert (await conn.execute(select(schema.takeaway))).first() is None


@pytest.mark.parametrize(("lang", "title"), [("en", "My safety plan"), ("es", "Mi plan")])
async def test_the_plan_comes_as_an_accessible_pdf_in_either_language(
    site: Site, lang: str, title: str
) -> None:
    row = await planned(site)
    await site.sign_in(demo.DANA)
    secret = await made(site, row)
    site.client.session.cookie_jar.clear()
    site.client.session.cookie_jar.update_cookies({"cb_lang": lang}, site.client.make_url("/"))
    answer = await site.json("/api/v1/plan.pdf", {"token": secret}, page="/plan")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Cache-Control"] == "no-store"
    found = pdfs.read(await answer.read())
    assert found.lang == lang
    assert found.title is not None
    assert found.title.startswith(title)
    assert found.standard
    flat = "".join(found.words.split())
    for part in PARTS:
        assert "".join(PLAN[part].split()) in flat, "the person's words, letter by letter"
    for private in ("For the clinic only", "private note", "Dana", row.id, row.code, "naloxone"):
        assert private not in found.words
    wrong = await site.json("/api/v1/plan.pdf", {"token": secret + "x"}, page="/plan")
    assert wrong.status == 410
