"""What a socket admits: bad input ends nothing but itself, and changes nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import update

from auth.actors import Actor
from records import people, schema, sessions
from tests.signaling.conftest import ACTORS, House
from tests.signaling.pages import Page


async def test_a_manager_has_no_console_and_a_wrong_origin_no_socket(house: House) -> None:
    page = Page(house.http, house.url, "console", "lena")
    socket = await house.http.ws_connect(
        house.url, headers={"X-Test-Actor": "lena", "Origin": "http://test"}
    )
    await socket.send_json({"type": "hello", "protocol": 1, "page": "console", "stream": "s"})
    assert (await socket.receive_json())["code"] == "wrong-role"
    assert page.view == {}
    refused = await house.http.get(
        house.url, headers={"X-Test-Actor": "dana", "Origin": "http://evil.test"}
    )
    assert refused.status == 403


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"type":"session.cancel"}',
        '{"type":"session.cancel","id":0,"session":"x"}',
        '{"type":"session.cancel","id":1,"session":"x","extra":1}',
        '{"type":"session.cancel","id":1,"session":"../etc"}',
        '{"type":"no.such","id":1}',
        '{"type":"session.open","id":1,"key":"short"}',
        '{"type":"session.open","id":"1","key":"aaaaaaaaaaaaaaaaaaaa"}',
        "\x00\x01",
        '{"type":"chat.send","id":1,"session":"s","text":"' + "x" * 600 + '"}',
    ],
)
async def test_malformed_messages_are_refused_and_the_next_command_still_works(
    house: House, text: str
) -> None:
    tablet = await house.page("tablet")
    await tablet.send_raw(text)
    await tablet.until(lambda: tablet.seen("error"))
    assert tablet.seen("error")[0]["code"] == "bad-message"
    await tablet.send("beat")


async def test_a_command_out_of_order_is_refused_and_changes_nothing(house: House) -> None:
    tablet = await house.page("tablet")
    await tablet.send_raw(json.dumps({"type": "session.open", "id": 9, "key": "k" * 20}))
    await tablet.until(lambda: tablet.seen("error"))
    assert tablet.seen("error")[0]["code"] == "out-of-order"
    async with house.db.read() as conn:
        assert await sessions.open_sessions(conn) == []


async def test_an_oversized_message_ends_only_its_own_socket(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    await tablet.send_raw("x" * 200_000)
    await tablet.until(lambda: tablet.closed_with is not None)
    await dana.send("beat")
    await (await house.page("tablet")).send("beat")


async def test_a_flood_ends_only_its_own_socket(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    for _ in range(400):
        await tablet.send_raw('{"type":"nonsense"}')
    await tablet.until(lambda: any(e["code"] == "too-many" for e in tablet.seen("error")))
    await dana.send("beat")


@pytest.mark.parametrize("kind", ["ping", "pong"])
async def test_a_flood_of_signs_of_life_ends_only_its_own_socket_too(
    house: House, kind: str
) -> None:
    """Browsers send none by themselves, and each one costs an answer."""
    dana, tablet = await house.page("dana"), await house.page("tablet")
    socket = tablet._socket
    assert socket is not None
    await getattr(socket, kind)(b"one is no flood")
    await tablet.send("beat")
    with contextlib.suppress(ConnectionError):  # put out while it goes on
        for _ in range(400):
            await getattr(socket, kind)()
    await tablet.until(lambda: tablet.closed_with is not None)
    await dana.send("beat")


async def test_a_revoked_person_is_put_out(house: House) -> None:
    dana = await house.page("dana")
    await house.desk.dismiss_actor("per_dana", "revoked")
    await dana.until(lambda: dana.seen("bye"))
    assert not dana.seen("bye")[0]["retry"]


async def test_a_sign_in_that_was_ended_takes_its_own_page_and_no_other_of_its_person(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ACTORS, "phone", replace(ACTORS["dana"], login_id="lgn_phone"))
    laptop, phone = await house.page("dana"), await house.page("phone")

    async def still_welcome(_conn: object, actors: Sequence[Actor]) -> set[Actor]:
        return {actor for actor in actors if actor.login_id != "lgn_phone"}

    monkeypatch.setattr(house.desk, "_still_welcome", still_welcome)
    await house.desk._check_welcome()
    await phone.until(lambda: phone.seen("bye"))
    assert phone.seen("bye")[0]["retry"]  # its browser may have a fresh one by now
    await laptop.send("activity.set", activity="paused", reason="break")
    await laptop.until_view(lambda view: view["me"]["activity"] == "paused")
    assert laptop.seen("bye") == []


async def test_a_tablet_leaves_who_is_no_officer_any_more_once_its_session_is_over(
    house: House,
) -> None:
    tablet = await house.page("tablet")
    await tablet.until_view(lambda view: view["officer"] == "Sam")
    session = await house.pressed(tablet)
    gone = update(schema.person).where(schema.person.c.id == "per_sam").values(active=False)
    await house.db.write(lambda conn: conn.execute(gone))
    await house.desk._check_welcome()
    async with house.db.read() as conn:
        assert await people.shifts_over(conn) == {}, "in a session it keeps its officer"
    await tablet.send("session.cancel", session=session)
    await house.desk._check_welcome()
    await tablet.until_view(lambda view: view["officer"] is None)
    async with house.db.read() as conn:
        assert await people.shifts_over(conn) == {}


async def test_a_second_page_of_a_tablet_takes_over(house: House) -> None:
    first = await house.page("tablet")
    session = await house.pressed(first)
    second = await house.page("tablet")
    await first.until(lambda: first.seen("bye"))
    view = await second.until_view(lambda v: v["session"])
    assert view["session"]["id"] == session
