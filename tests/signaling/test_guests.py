"""Guests by a link: one device, one role, one call, and nothing of what is written about it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from auth import guests
from auth.errors import BadLink
from auth.guests import LetIn
from auth.tokens import Tokens
from records import parties, sessions
from tests.signaling.conftest import ACTORS, House
from tests.signaling.pages import Page, Refused

TOKENS = Tokens("for tests only, and long enough for it")


class Call:
    """Dana in a call with the tablet."""

    def __init__(self, house: House, dana: Page, tablet: Page, session: str, epoch: int) -> None:
        self.house, self.dana, self.tablet = house, dana, tablet
        self.session, self.epoch = session, epoch

    async def invite(self, role: str = "interpreter") -> dict[str, Any]:
        """The ack of Dana's press."""
        return await self.dana.send(
            "guest.invite", session=self.session, epoch=self.epoch, role=role
        )

    async def let_in(self, made: dict[str, Any], name: str = "Marta R.") -> LetIn:
        secret = made["path"].removeprefix("/join#")
        house = self.house
        return await guests.let_in(
            house.db, house.desk.vault, TOKENS, secret, name, house.clock.now
        )

    async def guest(self, role: str = "interpreter", name: str = "Marta R.") -> Page:
        """The page of somebody who came by a fresh link."""
        actor = (await self.let_in(await self.invite(role), name)).actor
        self.house.welcome.add(actor.id)
        who = f"guest {actor.id}"
        ACTORS[who] = actor
        return await self.house.page(who)

    async def seats(self) -> dict[str, str]:
        async with self.house.db.read() as conn:
            here = await parties.present(conn, [self.session])
        return {one.seat: f"{one.role} {one.mode}" for one in here}


@pytest.fixture
async def call(house: House) -> AsyncIterator[Call]:
    cast = dict(ACTORS)
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, epoch = await house.in_call(tablet, dana)
    yield Call(house, dana, tablet, session, epoch)
    ACTORS.clear()
    ACTORS.update(cast)


async def refused(page: Page, type_: str, **fields: Any) -> str:
    with pytest.raises(Refused) as caught:
        await page.send(type_, **fields)
    return caught.value.code


async def test_a_guest_is_named_to_everybody_and_reads_nothing_that_is_written(call: Call) -> None:
    await call.dana.send(
        "assessment.save", session=call.session, epoch=call.epoch, instrument="field-safety",
        rev=0, answers={"thoughts": "yes"},
    )  # fmt: skip
    await call.tablet.send("chat.send", session=call.session, text="He has not slept.")
    marta = await call.guest()
    before = await marta.until_view(lambda v: v["session"])
    assert (before["role"], before["name"], before["session"]["seat"]) == (
        "interpreter", "Marta R.", None,
    )  # fmt: skip
    assert call.house.bridge.plans.get(call.session, {}).get("side1") is None, "not heard yet"
    await marta.send("guest.join", mode="speak")
    view = await marta.until_view(lambda v: v["session"] and v["session"]["seat"])
    text = json.dumps(view)
    assert "slept" not in text
    assert "thoughts" not in text
    assert {"chat", "assessments", "card", "intake", "officer"}.isdisjoint(view["session"])
    for page in (call.dana, call.tablet):
        seen = await page.until_view(lambda v: v["session"] and v["session"]["company"])
        assert [(o["name"], o["role"]) for o in seen["session"]["company"]] == [
            ("Marta R.", "interpreter")
        ]
    answered = await marta.send(
        "media.describe", session=call.session, epoch=call.epoch, generation="g1",
        description="v=0",
    )  # fmt: skip
    assert answered["description"] == "answer to v=0"
    assert call.house.bridge.plans[call.session]["tablet"][:3] == ["clinician", "side1", None]


async def test_a_link_lets_one_device_in_and_of_two_at_once_exactly_one(call: Call) -> None:
    made = await call.invite()
    tries = await asyncio.gather(
        *(call.let_in(made, name) for name in ("One", "Two")), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in tries) == ["BadLink", "LetIn"]
    with pytest.raises(BadLink):
        await call.let_in(made)


async def test_a_link_is_worth_nothing_after_its_time_or_when_the_call_is_over(
    call: Call,
) -> None:
    late, over = await call.invite(), await call.invite()
    call.house.clock.advance(guests.LINK_SECONDS - 1)
    await call.dana.send("session.end", session=call.session, epoch=call.epoch)
    with pytest.raises(BadLink):
        await call.let_in(over)
    call.house.clock.advance(1)
    with pytest.raises(BadLink):
        await call.let_in(late)


async def test_a_guest_in_the_call_stays_when_the_link_s_time_is_over(call: Call) -> None:
    marta = await call.guest()
    await marta.send("guest.join", mode="speak")
    call.house.clock.advance(guests.LINK_SECONDS + 60)
    await marta.send(
        "media.describe", session=call.session, epoch=call.epoch, generation="g2",
        description="v=0",
    )  # fmt: skip
    assert (await call.seats())["side1"] == "interpreter speak"


async def test_a_link_taken_back_puts_its_guest_out_and_keeps_them_out(call: Call) -> None:
    marta = await call.guest()
    await marta.send("guest.join", mode="speak")
    view = await call.dana.until_view(lambda v: v["session"] and v["session"]["company"])
    link = view["session"]["company"][0]["link"]
    await call.dana.send("guest.revoke", session=call.session, epoch=call.epoch, link=link)
    assert list(await call.seats()) == ["clinician"]
    assert (call.session, "side1") in call.house.bridge.left
    async with call.house.db.read() as conn:
        kinds = [row.kind for row in await sessions.timeline_of(conn, call.session)]
    assert kinds[-2:] == ["guest.revoked", "party.left"]
    again = await call.house.page(f"guest {link}")
    assert await refused(again, "guest.join", mode="speak") == "no-such-session"


async def test_a_link_that_nobody_has_used_is_shown_to_the_lead_alone_without_its_secret(
    call: Call,
) -> None:
    made = await call.invite("supervisor")
    view = await call.dana.until_view(lambda v: v["session"] and v["session"]["links"])
    assert view["session"]["links"] == [
        {"link": made["link"], "role": "supervisor", "name": None}
        | {"expires_at": made["expires_at"]}
    ]
    assert made["path"].removeprefix("/join#") not in json.dumps(view)
    await call.dana.send("guest.revoke", session=call.session, epoch=call.epoch, link=made["link"])
    await call.dana.until_view(lambda v: not v["session"]["links"])
    with pytest.raises(BadLink):
        await call.let_in(made)


async def test_who_came_by_a_link_and_does_not_sit_in_the_call_is_named_to_the_lead_and_put_out(
    call: Call,
) -> None:
    """A link that got into wrong hands is seen before its holder joins."""

    def named(view: dict[str, Any]) -> list[str | None]:
        return [one["name"] for one in view["session"]["links"]]

    eve = await call.guest("interpreter", "Eve")
    view = await call.dana.until_view(lambda v: v["session"] and named(v) == ["Eve"])
    link = view["session"]["links"][0]["link"]
    await eve.send("guest.join", mode="speak")
    await call.dana.until_view(lambda v: named(v) == [])
    await eve.send("guest.leave")
    await call.dana.until_view(lambda v: named(v) == ["Eve"])
    await call.dana.send("guest.revoke", session=call.session, epoch=call.epoch, link=link)
    await call.dana.until_view(lambda v: named(v) == [])
    await eve.until(lambda: eve.seen("bye"))
    again = await call.house.page(f"guest {link}")
    assert await refused(again, "guest.join", mode="speak") == "no-such-session"


async def test_a_supervisor_by_link_is_heard_by_the_lead_alone_or_by_nobody(call: Call) -> None:
    rosa = await call.guest("supervisor", "Rosa")
    assert await refused(rosa, "guest.join", mode="speak") == "not-yours"
    await rosa.send("guest.join", mode="listen")
    heard = call.house.bridge.plans[call.session]
    assert "side1" not in heard["tablet"]
    assert "side1" not in heard["clinician"]
    assert heard["side1"][:2] == ["tablet", "clinician"]
    await rosa.send("guest.join", mode="whisper")
    heard = call.house.bridge.plans[call.session]
    assert "side1" not in heard["tablet"]
    assert "side1" in heard["clinician"]
    seen = await call.tablet.until_view(
        lambda v: (
            v["session"]
            and v["session"]["company"]
            and v["session"]["company"][0]["mode"] == "whisper"
        )
    )
    assert seen["session"]["company"][0]["name"] == "Rosa", "nobody listens unseen"


async def test_four_sit_at_the_side_of_a_call_and_a_fifth_comes_when_one_has_left(
    call: Call,
) -> None:
    roles = {
        "Marta": "interpreter",
        "Ivan": "interpreter",
        "Rosa": "supervisor",
        "Eve": "supervisor",
    }
    pages = {name: await call.guest(role, name) for name, role in roles.items()}
    for name, role in roles.items():
        await pages[name].send("guest.join", mode="speak" if role == "interpreter" else "listen")
    heard = call.house.bridge.plans[call.session]
    assert heard["tablet"] == ["clinician", "side1", "side2", None, None]
    assert heard["side4"] == ["tablet", "clinician", "side1", "side2", None]
    fifth = await call.guest(name="Olga")
    assert await refused(fifth, "guest.join", mode="speak") == "call-full"
    assert call.house.bridge.plans[call.session] == heard, "the others notice nothing"
    await pages["Ivan"].send("guest.leave")
    await fifth.send("guest.join", mode="speak")
    assert (await call.seats())["side2"] == "interpreter speak"
    assert call.house.bridge.plans[call.session]["tablet"] == heard["tablet"]


async def test_an_interpreter_cannot_listen_unheard(call: Call) -> None:
    marta = await call.guest()
    for mode in ("listen", "whisper"):
        assert await refused(marta, "guest.join", mode=mode) == "not-yours"
    assert list(await call.seats()) == ["clinician"]


async def test_only_the_lead_makes_links_and_a_guest_commands_nothing_else(call: Call) -> None:
    miguel, ada = await call.house.page("miguel"), await call.house.page("ada")
    fields = {"session": call.session, "epoch": call.epoch}
    for page in (miguel, ada):
        assert await refused(page, "guest.invite", role="interpreter", **fields) == "stale-epoch"
    assert await refused(call.tablet, "guest.invite", role="interpreter", **fields) == "wrong-role"
    marta = await call.guest()
    await marta.send("guest.join", mode="speak")
    for type_, more in (
        ("session.end", fields),
        ("chat.send", {"session": call.session, "text": "hello"}),
        ("guest.invite", {**fields, "role": "interpreter"}),
        ("session.take_over", fields),
    ):
        assert await refused(marta, type_, **more) == "wrong-role", type_


async def test_a_guest_of_one_call_is_a_stranger_to_every_other(call: Call) -> None:
    marta = await call.guest()
    elsewhere = await call.house.page("elsewhere")
    other = await call.house.pressed(elsewhere, key="o" * 20)
    code = await refused(
        marta, "media.describe", session=other, epoch=1, generation="g1", description="v=0"
    )
    assert code == "no-such-session"


async def test_unused_links_are_bounded(call: Call) -> None:
    for _ in range(6):
        await call.invite()
    fields = {"session": call.session, "epoch": call.epoch, "role": "interpreter"}
    assert await refused(call.dana, "guest.invite", **fields) == "too-many-links"


async def test_a_guest_stays_while_the_session_waits_for_another_clinician(call: Call) -> None:
    marta = await call.guest()
    await marta.send("guest.join", mode="speak")
    await call.dana.send(
        "session.requeue", session=call.session, epoch=call.epoch, reason="end_of_shift"
    )
    view = await marta.until_view(lambda v: v["session"] and v["session"]["state"] == "waiting")
    assert view["session"]["seat"] == "side1"


async def test_a_guest_leaves_and_may_come_back_while_the_call_goes_on(call: Call) -> None:
    marta = await call.guest()
    await marta.send("guest.join", mode="speak")
    await marta.send("guest.leave")
    await marta.until_view(lambda v: v["session"] and v["session"]["seat"] is None)
    await marta.send("guest.join", mode="speak")
    assert (await call.seats())["side1"] == "interpreter speak"
    await call.dana.send("session.end", session=call.session, epoch=call.epoch)
    assert "side1" not in await call.seats()
