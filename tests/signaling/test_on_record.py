"""Whatever a page does to a session is in the audit trail: who, what, which, where, what end."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from auth import audit
from auth.errors import AuditFailed
from records import schema
from signaling import on_record
from signaling.commands import HANDLERS
from tests.signaling.conftest import ACTORS, House
from tests.signaling.pages import Page, Refused
from tests.signaling.test_desk import CARD
from tests.signaling.test_guests import Call, call
from tests.signaling.test_who_may_send import tag_of

__all__ = ["call"]

# of nobody's session: one's own presence, tablet and list; or what a page says by itself
NO_DEED = {
    "beat", "activity.set", "missed.read", "shift.officers", "device.report", "offer.delivered",
    "media.describe", "media.relay", "media.state", "media.saver", "media.still", "still.got",
}  # fmt: skip
# their own entries stand in their own tests: each is written with the content, or nothing is
WITH_CONTENT = {
    "session.open", "assessment.save", "card.save", "wrapup.save", "wrapup.finish", "person.save",
    "consent.save", "consent.ask", "consent.call_off", "consent.answer", "disposition.record",
    "scene.tell", "scene.overdose",
    "transfer.ask", "transfer.confirm", "transfer.take", "session.requeue", "session.take_over",
    "session.listen", "guest.invite", "guest.revoke", "guest.join",
}  # fmt: skip
AT_THE_SIDE = {"transfer.call_off", "party.leave", "party.hold", "party.remove", "guest.leave"}


async def entries(house: House, **which: str) -> list[tuple[Any, ...]]:
    """(who, what, which, outcome), the oldest first."""
    table = schema.audit
    asked = select(table.c.actor_id, table.c.action, table.c.object_id, table.c.outcome)
    asked = asked.where(*(table.c[name] == value for name, value in which.items()))
    async with house.db.read() as conn:
        return [tuple(row) for row in await conn.execute(asked.order_by(table.c.no))]


class Acts:
    """Somebody's commands, written down as the trail must have them."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.wanted: list[tuple[Any, ...]] = []

    async def do(self, page: Page, tag: str, session: str, **fields: Any) -> None:
        named = {} if "offer" in fields else {"session": session}
        await page.send(tag, **named, **fields)
        self.house.clock.advance(0.1)
        self.wanted.append((ACTORS[page.who].id, tag, session, "allowed"))

    async def check(self) -> None:
        tags = {one[1] for one in self.wanted}
        found = [one for one in await entries(self.house) if one[1] in tags]
        assert found == self.wanted


async def test_each_thing_that_is_done_to_a_session_is_in_the_trail_once(house: House) -> None:
    tablet, dana = await house.page("tablet"), await house.page("dana")
    acts, first = Acts(house), await house.pressed(tablet)
    for tag, fields in (
        ("session.intake", {"tiles": ["adult"]}),
        ("session.language", {"language": "es"}),
        ("session.place", {"place": 0}),
        ("session.otherwise", {"otherwise": "arrest_custody"}),
        ("session.voice", {"voice_only": True}),
    ):
        await acts.do(tablet, tag, first, **fields)
    await acts.do(tablet, "session.cancel", first)
    session = await house.pressed(tablet, "m" * 20)
    offer = await dana.until_view(lambda v: [o for o in v["offers"] if o["session"] == session])
    offer = offer["offers"][0]
    await acts.do(
        dana, "offer.decline", session, offer=offer["offer"], token=offer["token"], reason="unwell"
    )
    miguel = await house.page("miguel")
    await miguel.send("activity.set", activity="available")
    offer = await house.rung(miguel)
    await acts.do(miguel, "offer.accept", session, offer=offer["offer"], token=offer["token"])
    await tablet.until_view(lambda v: v["session"]["state"] == "answering")
    epoch = tablet.view["session"]["epoch"]
    for page, seat in ((tablet, "tablet"), (miguel, "clinician")):
        await page.send(
            "media.describe", session=session, epoch=epoch, generation=f"g-{seat}",
            description="v=0",
        )  # fmt: skip
        house.bridge.flow(session, seat)
    await miguel.until_view(lambda v: v["session"]["state"] == "connected")
    await acts.do(tablet, "session.body_camera", session, camera="muted")
    await acts.do(miguel, "chat.send", session, text="What did he take?")
    await acts.do(tablet, "chat.send", session, text="Nothing that I know of.")
    await acts.do(miguel, "session.hold", session, epoch=epoch, held=True)
    await miguel.send("session.hold", session=session, epoch=epoch, held=True)  # changes nothing
    await acts.do(miguel, "session.hold", session, epoch=epoch, held=False)
    await acts.do(tablet, "handover.start", session, epoch=epoch)
    await acts.do(tablet, "handover.end", session, epoch=epoch, pin="2468")
    await miguel.send("card.save", session=session, epoch=epoch, rev=0, card=CARD, send=True)
    shown = await tablet.until_view(lambda v: v["session"]["card"])
    await acts.do(tablet, "card.acknowledge", session, rev=shown["session"]["card"]["rev"])
    await acts.do(miguel, "session.end", session, epoch=epoch)
    await acts.do(tablet, "disposition.later", session)
    await acts.check()
    everything = {tag_of(kind) for kind in HANDLERS}
    assert everything == {one[1] for one in acts.wanted} | NO_DEED | WITH_CONTENT | AT_THE_SIDE


async def test_who_comes_to_the_side_of_a_call_and_leaves_it_is_in_the_trail(call: Call) -> None:
    session = call.session
    marta = await call.guest()
    await marta.send("guest.join", mode="speak")
    await marta.send("guest.leave")
    guest = ACTORS[marta.who].id
    assert await entries(call.house, actor_id=guest) == [
        (guest, "guest.enter", session, "allowed"),
        (guest, "session.show", session, "allowed"),
        (guest, "guest.join", session, "allowed"),
        (guest, "guest.leave", session, "allowed"),
    ]


async def test_whoever_opens_a_page_that_shows_a_session_is_in_the_trail(call: Call) -> None:
    house, dana = call.house, call.dana
    for page in (dana, call.tablet):
        me = ACTORS[page.who].id
        await page.drop()
        await page.open()  # the same page, which misses nothing and is shown nothing anew
        assert page.welcome["resumed"]
        assert (me, "session.show", call.session, "allowed") not in await entries(house)
        await house.page(page.who)  # loaded again
        assert (me, "session.show", call.session, "allowed") in await entries(house)


async def test_what_is_refused_is_in_the_trail_but_does_not_fill_it(call: Call) -> None:
    house = call.house
    stranger = await house.page("stranger")
    for _ in range(on_record.MOST_REFUSALS + 5):
        with pytest.raises(Refused, match="no-such-session"):
            await stranger.send("chat.send", session=call.session, text="hello")
        house.clock.advance(0.1)
    found = await entries(house, actor_id="per_stranger")
    assert (
        found == [("per_stranger", "chat.send", call.session, "refused")] * on_record.MOST_REFUSALS
    )
    house.clock.advance(60)
    with pytest.raises(Refused, match="wrong-role"):
        await stranger.send("session.cancel", session=call.session)
    assert (await entries(house, actor_id="per_stranger"))[-1] == (
        "per_stranger", "session.cancel", call.session, "refused",
    )  # fmt: skip


async def test_a_call_goes_on_without_its_entry_and_a_record_is_not_written_without(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_args: object) -> int:
        audit.missed()
        raise AuditFailed

    monkeypatch.setattr("auth.audit.record", broken)
    monkeypatch.setattr("signaling.console_commands.record", broken)
    before = audit.failures
    await call.dana.send("chat.send", session=call.session, text="still here")
    assert audit.failures == before + 1
    with pytest.raises(Refused):
        await call.dana.send(
            "card.save", session=call.session, epoch=call.epoch, rev=0, card=CARD, send=False
        )
    await house_is_whole(call.house)


async def house_is_whole(house: House) -> None:
    async with house.db.read() as conn:
        assert await audit.verify(conn) is None


async def test_a_refused_answer_is_on_record_by_its_session_and_never_by_a_made_up_offer(
    house: House,
) -> None:
    tablet, dana, stranger = [await house.page(one) for one in ("tablet", "dana", "stranger")]
    session = await house.pressed(tablet)
    offer = await house.rung(dana)
    for name in (offer["offer"], "off_of_nobody"):
        with pytest.raises(Refused, match="no-such-session"):
            await stranger.send("offer.accept", offer=name, token=offer["token"])
    assert await entries(house, actor_id="per_stranger") == [
        ("per_stranger", "offer.accept", session, "refused"),
        ("per_stranger", "offer.accept", None, "refused"),
    ]
