"""A tablet is its device: what a copied cookie opens (nothing), and what a lost key costs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.tablets import make_enrolment
from records import schema
from records.engine import Database
from tests.auth.authenticator import Authenticator
from tests.devices import Device
from tests.web.cast import ORIGIN, Site, open_site
from web.app import polling_of, routes
from web.assets import Assets
from web.dev import cast as demo
from web.routes import SAFE, Who

STREAM = "a-stream-of-this-page"
SHIFT = "/api/v1/shift"
PIN = {"officer": demo.JO.id, "pin": demo.JO.pin or ""}


async def connect(
    site: Site, device: Device | None, *, proves: bool = True, silent: bool = False
) -> list[dict[str, Any]]:
    """Say hello as the tablet's page; all that comes back until `welcome` or the end."""
    heard: list[dict[str, Any]] = []
    async with site.client.ws_connect("/ws", headers={"Origin": ORIGIN}) as socket:
        hello = {"type": "hello", "protocol": 1, "page": "tablet", "stream": STREAM}
        await socket.send_json(hello | ({"proves": True} if proves else {}))
        async for message in socket:
            heard.append(json.loads(message.data))
            if heard[-1]["type"] == "challenge":
                proof = device.answer(heard[-1], STREAM) if device else {"type": "proof"}
                await socket.send_json({"type": "proof"} if silent else proof)
            elif heard[-1]["type"] == "welcome":
                break
    return heard


def outcome(heard: list[dict[str, Any]]) -> str:
    return str(heard[-1].get("code", heard[-1]["type"]))


async def proof_of(site: Site, device: Device, path: str = SHIFT) -> dict[str, str]:
    asked = await site.client.get("/api/v1/tablet/challenge", params={"for": f"POST {path}"})
    given = await asked.json()
    signature = device.sign(f"POST {path}", given["subject"], given["challenge"])
    return {"X-Tablet-Proof": f"{given['challenge']}~{signature}"}


async def key_of(site: Site) -> tuple[str | None, str | None]:
    tablet = schema.tablet
    async with site.services.db.read() as conn:
        row = (await conn.execute(select(tablet).where(tablet.c.id == demo.UNIT_12.id))).one()
    return row.device_key, row.key_bound_by


async def test_a_copied_cookie_alone_opens_nothing(site: Site) -> None:
    await site.enrol(key=Device().key)
    for device in (None, Device()):  # without a key, and with one of its own
        assert outcome(await connect(site, device)) == "tablet-key-needed"
    assert outcome(await connect(site, None, proves=False)) == "tablet-key-needed"
    passkey = f"{SHIFT}/passkey"
    given: dict[str, Any] = {"credential": {}}
    for path, body in (
        (SHIFT, PIN),
        (f"{SHIFT}/end", {}),
        (f"{passkey}/ask", {}),
        (passkey, given),
        (f"{passkey}/add", given),
    ):
        refused = await site.json(path, body, page="/tablet")
        assert (refused.status, (await refused.json())["code"]) == (401, "tablet-key-needed")
        forged = await site.json(path, body, "/tablet", **await proof_of(site, Device(), path))
        assert forged.status == 401
    assert site.desk.changed == []
    page = await (await site.client.get("/tablet")).text()
    assert demo.BRIDGE_LINE in page, "the numbers to call must always show"
    assert demo.SAM.name not in page
    assert demo.JO.name not in page


async def test_a_copied_cookie_opens_no_poll_either(site: Site) -> None:
    await site.enrol(key=Device().key)
    hello = {"type": "hello", "protocol": 1, "page": "tablet", "stream": STREAM, "proves": True}

    async def poll(**body: object) -> dict[str, Any]:
        answer = await site.client.post("/poll", json=body, headers={"Origin": ORIGIN})
        told: dict[str, Any] = await answer.json()
        return told

    name = (await poll(messages=[json.dumps(hello)]))["connection"]
    challenge = json.loads((await poll(connection=name, wait=True))["messages"][0])
    assert challenge["type"] == "challenge"
    thief = json.dumps(Device().answer(challenge, STREAM))
    await poll(connection=name, got=1, first=1, messages=[thief])
    last = await poll(connection=name, got=1, wait=True)
    assert json.loads(last["messages"][0])["code"] == "tablet-key-needed"


async def test_the_device_itself_connects_and_checks_out(site: Site) -> None:
    device = Device()
    await site.enrol(key=device.key)
    for _ in range(2):  # and again after each break
        heard = await connect(site, device)
        assert [one["type"] for one in heard] == ["challenge", "welcome"]
        assert heard[0]["bind"] is False
    proof = await proof_of(site, device)
    started = await site.json(SHIFT, PIN, "/tablet", **proof)
    assert started.status == 200, await started.text()
    assert "cb_tablet" in started.headers["Set-Cookie"]
    again = await site.json(SHIFT, PIN, "/tablet", **proof)
    assert (again.status, (await again.json())["code"]) == (409, "stale-proof")


async def test_a_passkey_is_kept_after_the_pin_and_checks_out_the_next_time(site: Site) -> None:
    device, key = Device(), Authenticator(origin=ORIGIN)
    await site.enrol(key=device.key)

    async def post(path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        done = await site.json(path, body, "/tablet", **await proof_of(site, device, path))
        return done.status, await done.json()

    _, out = await post(SHIFT, PIN)
    made = key.make(out["passkey"])
    status, done = await post(f"{SHIFT}/passkey/add", {"credential": made})
    assert (status, done["added"]) == (200, True)
    await post(f"{SHIFT}/end", {})
    _, asked = await post(f"{SHIFT}/passkey/ask", {})
    answer = {"credential": key.answer(asked["options"])}
    status, done = await post(f"{SHIFT}/passkey", answer)
    assert (status, done["officer"]) == (200, demo.JO.id)
    assert site.desk.changed[-1].officer_id == demo.JO.id
    status, done = await post(f"{SHIFT}/passkey", answer)
    assert (status, done["code"]) == (401, "bad-passkey")
    _, out = await post(SHIFT, PIN)
    assert out["passkey"] is None, "one is enough"
    _, asked = await post(f"{SHIFT}/passkey/ask", {})
    await leave(site, demo.JO.id)
    status, done = await post(f"{SHIFT}/passkey", {"credential": key.answer(asked["options"])})
    assert (status, done["code"]) == (403, "not-your-tablet")
    assert done["message"]


async def leave(site: Site, person_id: str) -> None:
    """They are no officer any more."""
    grant = schema.role_grant
    await site.services.db.write(
        lambda conn: conn.execute(delete(grant).where(grant.c.person_id == person_id))
    )


async def test_nothing_is_signed_for_an_address_that_needs_no_proof(site: Site) -> None:
    await site.enrol(key=Device().key)
    for purpose in ("", "socket", "POST /api/v1/tablet/key", "GET /tablet"):
        asked = await site.client.get("/api/v1/tablet/challenge", params={"for": purpose})
        assert asked.status == 400, purpose


async def test_a_tablet_from_before_goes_on_and_binds_its_key_at_the_next_connection(
    site: Site,
) -> None:
    await site.enrol()
    assert outcome(await connect(site, None, proves=False)) == "welcome"  # a page of before, open
    assert (await site.json(SHIFT, PIN, page="/tablet")).status == 200
    device = Device()
    heard = await connect(site, device)
    assert (heard[0]["bind"], outcome(heard)) == (True, "welcome")
    assert await key_of(site) == (device.key, "first_use")
    assert outcome(await connect(site, None, proves=False)) == "tablet-key-needed"
    assert outcome(await connect(site, device)) == "welcome"


async def test_a_key_that_its_sender_does_not_hold_is_not_bound(site: Site) -> None:
    class Liar(Device):
        def answer(self, challenge: dict[str, object], stream: str) -> dict[str, str]:
            return {**super().answer(challenge, stream), "key": Device().key}

    await site.enrol()
    assert outcome(await connect(site, Liar())) == "tablet-key-needed"
    assert await key_of(site) == (None, None)


async def test_a_browser_that_keeps_no_key_is_still_a_tablet(site: Site) -> None:
    await site.enrol()
    assert outcome(await connect(site, None)) == "welcome"
    assert await key_of(site) == (None, None)


async def test_where_a_code_is_demanded_no_tablet_goes_without_a_key(
    db: Database, tmp_path: Any
) -> None:
    site = await open_site(tmp_path, db, tablet_key_by_code=True)
    try:
        code = await site.services.db.write(
            lambda conn: make_enrolment(conn, demo.UNIT_12.id, site.clock[0])
        )
        without = await site.json("/api/v1/enrol", {"code": code}, page="/enrol")
        assert (without.status, (await without.json())["code"]) == (422, "key-required")
        device = Device()
        await site.json("/api/v1/enrol", {"code": code, "key": device.key}, page="/enrol")
        assert outcome(await connect(site, device)) == "welcome"
        body = {"officer": demo.JO.name, "pin": PIN["pin"], "key": Device().key}
        assert (await site.json("/api/v1/tablet/key", body, page="/tablet")).status == 401
        await site.services.db.write(_as_before)
        for one in (None, Device()):
            assert outcome(await connect(site, one)) == "tablet-key-needed"
        assert (await site.json(SHIFT, PIN, page="/tablet")).status == 401
    finally:
        await site.client.close()


async def _as_before(conn: AsyncConnection) -> None:
    await conn.execute(update(schema.tablet).values(device_key=None))


async def test_a_lost_key_is_renewed_by_an_officer_s_pin_and_the_old_device_is_out(
    site: Site,
) -> None:
    old, new = Device(), Device()
    await site.enrol(key=old.key)
    body = {"officer": demo.JO.name, "pin": "0000", "key": new.key}
    wrong = await site.json("/api/v1/tablet/key", body, page="/tablet")
    assert (wrong.status, (await wrong.json())["code"]) == (401, "bad-pin")
    assert await key_of(site) == (old.key, "enrolment")
    site.desk.dismissed.clear()
    right = await site.json("/api/v1/tablet/key", body | {"pin": PIN["pin"]}, page="/tablet")
    assert right.status == 200, await right.text()
    assert site.desk.dismissed == [(demo.UNIT_12.id, "replaced")]
    assert site.desk.changed[-1].officer_id == demo.JO.id, "checked out by the same PIN"
    assert outcome(await connect(site, new)) == "welcome"
    assert outcome(await connect(site, old)) == "tablet-key-needed"


async def test_all_that_a_tablet_changes_is_proved_but_the_new_key_itself(site: Site) -> None:
    table = routes(site.services, Assets(), polling_of(site.services))
    mine = [one for one in table if one.who is Who.TABLET and one.method not in SAFE]
    assert {one.path for one in mine if one.unproven} == {"/api/v1/tablet/key"}
    assert {one.path for one in mine if not one.unproven} == {
        SHIFT,
        "/api/v1/shift/end",
        *(f"{SHIFT}/passkey{rest}" for rest in ("", "/ask", "/add")),
    }
    assert not [one.path for one in table if one.unproven and one.who is not Who.TABLET]
    assert {one.path for one in table if one.who is Who.TABLET and one.method in SAFE} == {
        "/tablet",  # the numbers to call, and no names
        "/tablet/offline",  # the same
        "/api/v1/tablet/challenge",
    }


@pytest.mark.parametrize("answer", ['{"type":"beat","id":1}', "x", '{"type":"proof","key":1}'])
async def test_anything_but_a_proof_ends_the_connection(site: Site, answer: str) -> None:
    await site.enrol(key=Device().key)
    async with site.client.ws_connect("/ws", headers={"Origin": ORIGIN}) as socket:
        hello = {"type": "hello", "protocol": 1, "page": "tablet", "stream": STREAM}
        await socket.send_json(hello | {"proves": True})
        assert json.loads((await socket.receive()).data)["type"] == "challenge"
        await socket.send_str(answer)
        assert json.loads((await socket.receive()).data)["code"] == "bad-message"
        assert (await socket.receive()).type.name in {"CLOSE", "CLOSED"}
