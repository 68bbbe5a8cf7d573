"""How somebody is alerted: their own page, the link of a page, and who can be reached."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from records import contacts, escalations, pages, schema
from records.contacts import NewWay, Way
from records.pages import NewPage
from signaling.gateways import Gateways, GatewaySettings
from signaling.post import Post
from signaling.webpush import Vapid, WebPush
from tests.signaling.services import Browser
from tests.web.cast import AWAY_MANAGER, NOW, ORIGIN, PASSWORD, Site
from web.dev import cast as demo

SMS = NewWay("sms", "+16055550199", {"to": "+16055550199"})


@pytest.fixture
async def post(site: Site, tmp_path: Path) -> AsyncIterator[Post]:
    made = Post(
        push=WebPush(Vapid.from_file(tmp_path / "vapid.key", "mailto:o@x.test"), loopback=True),
        gateways=Gateways(
            GatewaySettings(
                {"email": "mailto://127.0.0.1?to={to}", "sms": "json://127.0.0.1/{to}"}, ("slack",)
            )
        ),
    )
    site.desk.pager.post = made
    yield made
    assert made.gateways is not None
    await made.gateways.close()


async def own(site: Site, who: demo.Member = demo.DANA) -> list[Way]:
    async with site.services.db.read() as conn:
        return await contacts.ways(conn, [who.id])


async def give(site: Site, who: demo.Member = demo.DANA, new: NewWay = SMS) -> Way:
    made, _ = await site.services.db.write(
        lambda conn: contacts.add(conn, site.services.vault, who.id, new, site.clock[0])
    )
    return made


async def audited(site: Site, action: str) -> list[str]:
    async with site.services.db.read() as conn:
        found = await conn.execute(
            select(schema.audit.c.outcome).where(schema.audit.c.action == action)
        )
        return list(found.scalars())


async def test_a_clinician_adds_a_number_and_never_sees_it_again(site: Site, post: Post) -> None:
    await site.sign_in(demo.DANA)
    answer = await site.post("/alerts/ways", {"kind": "sms", "to": "(605) 555-0199"}, "/alerts")
    assert (answer.status, answer.headers["Location"]) == (303, "/alerts")
    [way] = await own(site)
    assert way.kind == "sms"
    page = await (await site.client.get("/alerts")).text()
    assert "…0199" in page
    assert "555-01" not in page
    assert "60555501" not in page
    assert await audited(site, "alert.add") == ["allowed"]


async def test_what_is_no_number_is_said_where_it_was_typed(site: Site, post: Post) -> None:
    await site.sign_in(demo.DANA)
    for kind, to in (("sms", "call me"), ("email", "dana"), ("chat", "file:///etc/passwd")):
        answer = await site.post("/alerts/ways", {"kind": kind, "to": to}, "/alerts")
        text = await answer.text()
        assert answer.status == 422
        assert 'id="to-error"' in text
        assert to not in text
    assert await own(site) == []


async def test_a_browser_is_added_once_with_its_name(site: Site, post: Post) -> None:
    await site.sign_in(demo.DANA)
    body = {
        "subscription": Browser("http://127.0.0.1:9/push/1").subscription(),
        "label": "Firefox,\nLinux" + "x" * 99,
    }
    for _ in range(2):
        answer = await site.json("/api/v1/alerts/push", body, "/alerts")
        assert answer.status == 200, await answer.text()
    assert len(await own(site)) == 1
    assert "Firefox, Linux" in await (await site.client.get("/alerts")).text()
    bad = {"subscription": Browser("https://evil.test/push").subscription()}
    answer = await site.json("/api/v1/alerts/push", bad, "/alerts")
    assert (answer.status, (await answer.json())["code"]) == (422, "bad-way")


async def test_a_test_is_queued_and_its_state_can_be_watched(site: Site, post: Post) -> None:
    way = await give(site)
    await site.sign_in(demo.DANA)
    answer = await site.post(f"/alerts/ways/{way.id}/test", {}, "/alerts")
    assert answer.status == 303
    states = await (await site.client.get("/api/v1/alerts/tests")).json()
    assert states["tests"] == {way.id: "queued"}


async def test_nobody_touches_the_ways_of_another(site: Site, post: Post) -> None:
    way = await give(site, demo.MIGUEL)
    await site.sign_in(demo.DANA)
    for what in ("remove", "up", "test"):
        answer = await site.post(f"/alerts/ways/{way.id}/{what}", {}, "/alerts")
        assert answer.status == 404, what
    assert [one.id for one in await own(site, demo.MIGUEL)] == [way.id]


async def test_the_owner_orders_and_removes_and_reads_what_ended(site: Site, post: Post) -> None:
    first = await give(site)
    second = await give(site, new=NewWay("email", "d@x.test", {"to": "d@x.test"}))
    await site.sign_in(demo.DANA)
    await site.post(f"/alerts/ways/{second.id}/up", {}, "/alerts")
    assert [one.id for one in await own(site)] == [second.id, first.id]
    await site.post(f"/alerts/ways/{second.id}/remove", {}, "/alerts")
    assert [one.id for one in await own(site)] == [first.id]
    await site.services.db.write(lambda conn: contacts.remove(conn, first.id, "gone", NOW))
    assert "2027-01-15" in await (await site.client.get("/alerts")).text()


async def test_the_holder_of_a_link_says_that_they_come_without_signing_in(
    site: Site, post: Post
) -> None:
    way = await give(site)
    vault = site.services.vault

    async def page(conn: Any) -> str:
        new = NewPage(
            key="k", purpose="test", provider_id=demo.PROVIDER_ID, person_id=demo.DANA.id,
            contact_id=way.id, step="test", text_key="alert.words.test",
        )  # fmt: skip
        made = await pages.queue(conn, vault, new, NOW)
        assert made is not None
        claimed = await pages.claim(conn, made.id, NOW, 30)
        assert claimed is not None
        await pages.sent(conn, claimed, NOW)
        return pages.token_of(vault, made.id)

    token = await site.services.db.write(page)
    answer = await site.client.post(
        "/api/v1/alert", json={"token": token, "state": "opened"}, headers={"Origin": ORIGIN}
    )
    assert answer.status == 200, await answer.text()
    assert await answer.json() == {
        "ok": True,
        "purpose": "test",
        "state": "none",
        "by": None,
        "about": None,
    }
    assert not [name for name in answer.cookies if "login" in name]
    for body, origin, status in (
        ({"token": token, "state": "opened"}, "https://evil.test", 400),
        ({"token": "x" * 30, "state": "opened"}, ORIGIN, 404),
        ({"token": token, "state": "failed"}, ORIGIN, 400),
        ({"token": token}, ORIGIN, 400),
    ):
        refused = await site.client.post("/api/v1/alert", json=body, headers={"Origin": origin})
        assert refused.status == status, body


async def test_opening_the_link_s_page_changes_nothing_by_itself(site: Site) -> None:
    # scanners of mail and chat fetch every link; only the page's script, or a press, says more
    answer = await site.client.get("/alert")
    assert answer.status == 200
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


async def test_the_service_worker_speaks_for_the_whole_site_and_is_asked_for_anew(
    site: Site,
) -> None:
    answer = await site.client.get("/service-worker.js")
    assert (answer.status, answer.content_type) == (200, "text/javascript")
    assert answer.headers["Service-Worker-Allowed"] == "/"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "connect-src 'self'" in answer.headers["Content-Security-Policy"]
    manifest = await (await site.client.get("/manifest.webmanifest")).json(content_type=None)
    assert manifest["start_url"] == "/console"
    for icon in manifest["icons"]:
        assert (await site.client.get(icon["src"])).status == 200


async def test_a_supervisor_reads_who_can_be_reached_but_no_number(site: Site, post: Post) -> None:
    way = await give(site)
    await site.services.db.write(lambda conn: contacts.verified(conn, way.id, NOW - 3 * 86400))
    await site.sign_in(demo.ADA)
    text = await (await site.client.get("/manager/reach")).text()
    assert "Dana Whitefeather" in text
    assert "3 days ago" in text
    assert "1 way" in text
    assert "0199" not in text
    assert "Sven" not in text
    assert await audited(site, "reach.read") == ["allowed"]


STEPS = {
    "after": ["10", "90", ""],
    "act": ["page", "nobody_yet", "page"],
    "tier": ["1", "", ""],
    "every": ["45", "30", ""],
    "until": ["acknowledged"] * 3,
}


async def send_steps(site: Site, provider: str, **changed: list[str]) -> int:
    token = await site.csrf("/manager/reach")
    form = [("csrf", token)]
    form += [(name, one) for name, column in {**STEPS, **changed}.items() for one in column]
    answer = await site.client.post(
        f"/manager/reach/{provider}/steps",
        data=form,
        headers={"Origin": ORIGIN},
        allow_redirects=False,
    )
    return answer.status


async def stored(site: Site) -> dict[str, Any]:
    async with site.services.db.read() as conn:
        return dict(await escalations.steps(conn))


async def test_a_supervisor_sets_the_steps_and_goes_back_to_the_standard(
    site: Site, post: Post
) -> None:
    await site.sign_in(demo.ADA)
    assert await send_steps(site, demo.PROVIDER_ID) == 303
    rows = (await stored(site))[demo.PROVIDER_ID]
    assert [(r.after_seconds, r.act, r.tier, r.every_seconds) for r in rows] == [
        (10, "page", 1, 45),
        (90, "nobody_yet", None, 30),
    ]
    answer = await site.post(
        f"/manager/reach/{demo.PROVIDER_ID}/steps", {"default": "1"}, "/manager/reach"
    )
    assert answer.status == 303
    assert await stored(site) == {}


async def test_steps_that_leave_callers_in_silence_are_refused(site: Site, post: Post) -> None:
    await site.sign_in(demo.ADA)
    assert await send_steps(site, demo.PROVIDER_ID, act=["page", "partner", "page"]) == 422
    assert await send_steps(site, demo.PROVIDER_ID, every=["5", "30", ""]) == 422
    assert await send_steps(site, demo.PROVIDER_ID, after=["x", "90", ""]) == 400
    assert await stored(site) == {}


async def test_another_program_s_manager_cannot_change_our_steps(site: Site, post: Post) -> None:
    form = {"email": AWAY_MANAGER.email, "password": PASSWORD, "next": ""}
    assert (await site.post("/sign-in", form)).status == 303
    assert await send_steps(site, demo.PROVIDER_ID) == 404
    assert await stored(site) == {}
    assert await audited(site, "escalation.set") == ["refused"]
