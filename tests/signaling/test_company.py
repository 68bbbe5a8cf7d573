"""A session changes hands, as the pages see it: real sockets, a real database, a moved clock."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from media import LegEvent, LegEventKind
from records import offers, parties, sessions, transfers
from records.sessions import SessionRow
from tests.signaling import services
from tests.signaling.conftest import House
from tests.signaling.pages import BOUND, Page, Refused


async def row_of(house: House, session: str) -> SessionRow:
    async with house.db.read() as conn:
        row = await sessions.get(conn, session)
    assert row is not None
    return row


async def kinds_of(house: House, session: str) -> list[str]:
    async with house.db.read() as conn:
        return [row.kind for row in await sessions.timeline_of(conn, session)]


async def seats_of(house: House, session: str) -> dict[str, tuple[str, str | None]]:
    async with house.db.read() as conn:
        here = await parties.present(conn, [session])
    return {one.seat: (one.role, one.person_id) for one in here}


async def until(house: House, true: Any) -> None:
    """Wait for a condition; the desk's clock loop runs once a real second."""
    async with asyncio.timeout(BOUND):
        while not await true():
            await asyncio.sleep(0.05)


async def refused(page: Page, type_: str, **fields: Any) -> str:
    with pytest.raises(Refused) as caught:
        await page.send(type_, **fields)
    return caught.value.code


async def asked(house: House, dana: Page, miguel: Page, tablet: Page, **more: Any) -> Any:
    """In a call with Dana, who asks Miguel to take it; his offer."""
    session, epoch = await house.in_call(tablet, dana)
    to = more.pop("to", "per_miguel")
    await dana.send("transfer.ask", session=session, epoch=epoch, to=to, **more)
    view = await miguel.until_view(lambda v: v["offers"])
    return session, epoch, view["offers"][0]


async def sat_in(house: House, dana: Page, miguel: Page, tablet: Page, **more: Any) -> Any:
    """Miguel has accepted and hears the call."""
    session, epoch, offer = await asked(house, dana, miguel, tablet, **more)
    await miguel.send("offer.delivered", offer=offer["offer"])
    got = await miguel.send("offer.accept", offer=offer["offer"], token=offer["token"])
    assert got["epoch"] == epoch, "accepting a transfer changes nothing of the assignment"
    return session, epoch


async def missed_in_a_row(house: House) -> dict[str, int]:
    async with house.db.read() as conn:
        return await offers.missed_in_a_row(conn, 0.0)


async def joined(house: House, page: Page, session: str, epoch: int, seat: str) -> None:
    await page.send(
        "media.describe", session=session, epoch=epoch, generation="g-side", description="v=0"
    )
    house.bridge.flow(session, seat)


@pytest.fixture
async def three(house: House) -> tuple[Page, Page, Page]:
    return await house.page("dana"), await house.page("miguel"), await house.page("tablet")


async def test_a_warm_transfer_from_the_question_to_the_new_lead(
    house: House, three: tuple[Page, Page, Page]
) -> None:
    dana, miguel, tablet = three
    session, epoch, offer = await asked(
        house, dana, miguel, tablet, note="He answers to Joe. Two earlier attempts."
    )
    assert (offer["purpose"], offer["by"]) == ("transfer", "Dana")
    await dana.send(
        "assessment.save", session=session, epoch=epoch, instrument="field-safety", rev=0,
        answers={"thoughts": "yes"},
    )  # fmt: skip
    await tablet.send("chat.send", session=session, text="He has not slept.")
    await miguel.send("offer.delivered", offer=offer["offer"])
    await miguel.send("offer.accept", offer=offer["offer"], token=offer["token"])

    # the receiver reads brief, assessment and note first, and leads nothing
    view = await miguel.until_view(lambda v: v["session"])
    sat = view["session"]
    assert (sat["role"], sat["lead"], sat["epoch"]) == ("receiver", "Dana", epoch)
    assert sat["assessments"][0]["answers"] == {"thoughts": "yes"}
    assert sat["chat"][0]["text"] == "He has not slept."
    assert sat["transfer"]["note"].startswith("He answers to Joe")
    assert view["me"]["work"] == "in_call"
    for type_, more in (
        ("session.end", {}),
        ("card.save", {"rev": 0, "card": CARD}),
        ("party.remove", {"party": "par_x"}),
        ("session.requeue", {"reason": "other"}),
    ):
        code = await refused(miguel, type_, session=session, epoch=epoch, **more)
        assert code == "stale-epoch", type_
    assert await refused(miguel, "chat.send", session=session, text="hello") == "stale-epoch"
    seen = await tablet.until_view(lambda v: v["session"] and v["session"]["company"])
    assert [(p["name"], p["role"]) for p in seen["session"]["company"]] == [("Miguel", "receiver")]
    assert "He answers to Joe" not in str(seen), "the tablet never gets clinical content"

    # no sound yet: nobody can confirm; then both do
    code = await refused(miguel, "transfer.confirm", session=session, epoch=epoch)
    assert code == "not-joined"
    await joined(house, miguel, session, epoch, "side1")
    assert house.bridge.plans[session]["tablet"] == ["clinician", "side1", None, None, None]
    await dana.until_view(lambda v: v["session"] and v["session"]["transfer"]["joined"])
    assert await dana.send("transfer.confirm", session=session, epoch=epoch) == {"handed_on": False}
    assert (await row_of(house, session)).lead_id == "per_dana"
    assert await miguel.send("transfer.confirm", session=session, epoch=epoch) == {
        "handed_on": True
    }

    row = await row_of(house, session)
    assert (row.lead_id, row.epoch, row.state) == ("per_miguel", epoch + 1, "connected")
    assert house.bridge.moved == [(session, "side1", "clinician")]
    assert (session, "tablet") not in house.bridge.left, "the tablet's leg is kept"
    assert await seats_of(house, session) == {"clinician": ("lead", "per_miguel")}
    await dana.until(lambda: dana.seen("session.moved"))
    moved = dana.seen("session.moved")[0]
    assert (moved["session"], moved["how"], moved["by"]) == (session, "handed_on", "Miguel")
    await dana.until_view(lambda v: v["session"] is None)
    told = await tablet.until_view(lambda v: v["session"] and v["session"]["clinician"] == "Miguel")
    assert told["session"]["company"] == []

    # what the sender had not saved is refused in words; the draft goes on with the receiver
    code = await refused(
        dana, "assessment.save", session=session, epoch=epoch, instrument="field-safety", rev=1,
        answers={"plan": "no"},
    )  # fmt: skip
    assert code == "stale-epoch"
    await miguel.send(
        "assessment.save", session=session, epoch=epoch + 1, instrument="field-safety", rev=1,
        answers={"plan": "no"},
    )  # fmt: skip
    await miguel.send("session.end", session=session, epoch=epoch + 1)
    await miguel.until_view(lambda v: v["session"] and v["session"]["state"] == "wrap_up")
    assert dana.view["session"] is None, "the sender owes no wrap-up"
    kinds = await kinds_of(house, session)
    steps = ["transfer.asked", "transfer.accepted", "transfer.ready", "session.lead_changed"]
    assert [kind for kind in kinds if kind in steps] == [
        *steps[:3], "transfer.ready", steps[3],
    ]  # fmt: skip


CARD = {"level": "soon", "disposition": "remain_in_place", "actions": [], "words": ""}


async def test_the_sender_stays_as_long_as_one_side_takes_it_back(
    house: House, three: tuple[Page, Page, Page]
) -> None:
    dana, miguel, tablet = three
    session, epoch = await sat_in(house, dana, miguel, tablet)
    await joined(house, miguel, session, epoch, "side1")
    await dana.send("transfer.confirm", session=session, epoch=epoch)
    await dana.send("transfer.confirm", session=session, epoch=epoch, ready=False)
    assert await miguel.send("transfer.confirm", session=session, epoch=epoch) == {
        "handed_on": False
    }
    await dana.send("transfer.call_off", session=session, epoch=epoch)
    await miguel.until_view(lambda v: v["session"] is None)
    assert (await row_of(house, session)).lead_id == "per_dana"
    await services.until(lambda: (session, "side1") in house.bridge.left)
    assert await refused(miguel, "transfer.confirm", session=session, epoch=epoch) == "no-transfer"
    code = await refused(
        miguel, "media.describe", session=session, epoch=epoch, generation="g9", description="v=0"
    )
    assert code == "stale-epoch", "whoever has left the side never comes back by themselves"
    # and it can be tried again in the same assignment
    house.clock.advance(1)
    await dana.send("transfer.ask", session=session, epoch=epoch, to="per_miguel")
    view = await miguel.until_view(lambda v: v["offers"])
    offer = view["offers"][0]
    await miguel.send("offer.accept", offer=offer["offer"], token=offer["token"])


async def test_a_declined_transfer_says_why_and_nothing_has_changed(
    house: House, three: tuple[Page, Page, Page]
) -> None:
    dana, miguel, tablet = three
    session, epoch, offer = await asked(house, dana, miguel, tablet)
    code = await refused(
        miguel, "offer.decline", offer=offer["offer"], token="x" * 20, reason="busy"
    )
    assert code == "stale-token"
    await miguel.send("offer.decline", offer=offer["offer"], token=offer["token"], reason="busy")
    view = await dana.until_view(lambda v: (v["session"]["transfer"] or {}).get("outcome"))
    shown = view["session"]["transfer"]
    assert (shown["stage"], shown["outcome"], shown["reason"]) == ("ended", "declined", "busy")
    row = await row_of(house, session)
    assert (row.lead_id, row.epoch, row.state) == ("per_dana", epoch, "connected")


async def test_a_ring_that_nobody_answers_runs_out_and_the_lead_reads_it(
    house: House, three: tuple[Page, Page, Page]
) -> None:
    dana, miguel, tablet = three
    session, epoch, offer = await asked(house, dana, miguel, tablet, to=None)
    await miguel.send("offer.delivered", offer=offer["offer"])
    house.clock.advance(3)  # longer than a console has to say that it rings
    rows = list((await house.desk.screens.picture()).sessions)
    await house.desk.company.tick(rows, house.clock.now)
    async with house.db.read() as conn:
        [ring] = [one for one in await offers.open_offers(conn) if one.id == offer["offer"]]
    assert ring.state == "delivered"
    house.clock.advance(18)
    view = await dana.until_view(lambda v: (v["session"]["transfer"] or {}).get("outcome"))
    assert view["session"]["transfer"]["outcome"] == "nobody"

    def gone() -> list[str]:
        return [g["reason"] for g in miguel.seen("offer.gone") if g["offer"] == offer["offer"]]

    await miguel.until(gone)
    assert gone() == ["expired"]
    # it stands under what he missed, and counts towards a pause until he takes the next one
    await miguel.until_view(lambda v: [one["state"] for one in v["missed"]] == ["expired"])
    assert await missed_in_a_row(house) == {"per_miguel": 1}
    await miguel.send("beat")
    await dana.send("transfer.ask", session=session, epoch=epoch, to="per_miguel")
    offer = (await miguel.until_view(lambda v: v["offers"]))["offers"][0]
    await miguel.send("offer.accept", offer=offer["offer"], token=offer["token"])
    assert await missed_in_a_row(house) == {}


async def test_of_two_who_are_asked_one_takes_it_and_the_other_reads_who(house: House) -> None:
    priya, tablet = await house.page("priya"), await house.page("tablet")
    dana, miguel = await house.page("dana"), await house.page("miguel")
    session, epoch, offer = await asked(house, dana, miguel, tablet, to=None)
    assert not priya.view["offers"], "the nearest tier that is free is asked, not everybody"
    await miguel.send("offer.accept", offer=offer["offer"], token=offer["token"])
    again = await refused(miguel, "offer.accept", offer=offer["offer"], token=offer["token"])
    assert again == "offer-gone"
    code = await refused(dana, "transfer.ask", session=session, epoch=epoch, to="per_priya")
    assert code == "transfer-open"


@pytest.mark.parametrize(
    ("to", "setting", "code"),
    [
        ("per_miguel", ("activity.set", {"activity": "paused"}), "not-free"),
        ("per_priya", None, "not-free"),  # her console is closed
        ("per_nobody", None, "not-free"),
        ("per_dana", None, "not-free"),
    ],
)
async def test_a_colleague_who_cannot_take_it_is_not_rung(
    house: House, three: tuple[Page, Page, Page], to: str, setting: Any, code: str
) -> None:
    dana, miguel, tablet = three
    session, epoch = await house.in_call(tablet, dana)
    if setting is not None:
        await miguel.send(setting[0], **setting[1])
    assert await refused(dana, "transfer.ask", session=session, epoch=epoch, to=to) == code
    async with house.db.read() as conn:
        assert await transfers.open_of(conn, session) is None


async def test_a_receiver_is_rung_for_nothing_else(
    house: House, three: tuple[Page, Page, Page]
) -> None:
    dana, miguel, tablet = three
    await sat_in(house, dana, miguel, tablet)
    other = await house.page("elsewhere")
    await house.pressed(other, "z" * 20)
    priya = await house.page("priya")  # tier 2 joins at 30 s
    house.clock.advance(31)
    for page in (miguel, priya, dana):
        await page.send("beat")
    await priya.until_view(lambda v: v["offers"])
    assert not miguel.view["offers"]


async def test_a_side_whose_leg_the_bridge_lost_makes_it_again_and_one_of_old_is_not_spoken_of(
    house: House, three: tuple[Page, Page, Page]
) -> None:
    dana, miguel, tablet = three
    session, epoch = await sat_in(house, dana, miguel, tablet)
    await joined(house, miguel, session, epoch, "side1")
    house.bridge.on_event(LegEvent(session, "clinician", "older", LegEventKind.CLOSED))
    house.bridge.tell(session, "side1", LegEventKind.CLOSED)
    await miguel.until(lambda: miguel.seen("media.rebuild"))
    assert not dana.seen("media.rebuild")
    assert not tablet.seen("media.rebuild")


async def test_who_comes_back_after_the_server_was_started_anew_is_told_to_make_the_leg_again(
    house: House, three: tuple[Page, Page, Page]
) -> None:
    dana, miguel, tablet = three
    session, epoch = await sat_in(house, dana, miguel, tablet)
    await joined(house, miguel, session, epoch, "side1")
    for page in three:  # the network was away, the server and its legs were not
        await page.drop()
        await page.open()
    assert not any(page.seen("media.rebuild") for page in three)
    house.desk.legs.forget(session)
    for page in three:
        await page.drop()
        await page.open()
        await page.until(lambda page=page: page.seen("media.rebuild"))  # type: ignore[misc]
    reloaded = await house.page("dana")  # a fresh page makes its own leg
    await reloaded.until_view(lambda v: v["session"])
    assert not reloaded.seen("media.rebuild")


async def test_a_sender_who_is_lost_is_followed_at_once_by_the_receivers_press(
    house: House, three: tuple[Page, Page, Page]
) -> None:
    dana, miguel, tablet = three
    session, epoch = await sat_in(house, dana, miguel, tablet)
    await joined(house, miguel, session, epoch, "side1")
    assert await refused(miguel, "transfer.take", session=session, epoch=epoch) == "not-yours"
    await dana.drop()
    house.bridge.tell(session, "clinician", LegEventKind.SILENT)

    async def recovering() -> bool:
        house.clock.advance(1)
        await miguel.send("beat")
        return (await row_of(house, session)).state == "recovering"

    await until(house, recovering)
    await miguel.send("transfer.take", session=session, epoch=epoch)
    row = await row_of(house, session)
    assert (row.lead_id, row.state, row.epoch) == ("per_miguel", "connected", epoch + 1)


async def test_a_sender_lost_for_good_leaves_the_call_to_the_receiver_not_to_the_line(
    house: House, three: tuple[Page, Page, Page]
) -> None:
    dana, miguel, tablet = three
    session, epoch = await sat_in(house, dana, miguel, tablet)
    await joined(house, miguel, session, epoch, "side1")
    await dana.drop()
    house.bridge.tell(session, "clinician", LegEventKind.SILENT)

    async def taken() -> bool:
        house.clock.advance(2)
        await miguel.send("beat")
        return (await row_of(house, session)).lead_id == "per_miguel"

    await until(house, taken)
    assert "session.requeued" not in await kinds_of(house, session)


async def test_a_receiver_who_is_lost_gives_the_seat_back_and_the_lead_leads_on(
    house: House, three: tuple[Page, Page, Page]
) -> None:
    dana, miguel, tablet = three
    session, epoch = await sat_in(house, dana, miguel, tablet)
    await miguel.drop()

    async def alone() -> bool:
        house.clock.advance(2)
        await dana.send("beat")
        return "side1" not in await seats_of(house, session)

    await until(house, alone)
    view = await dana.until_view(
        lambda v: v["session"] and v["session"]["transfer"]["stage"] == "ended"
    )
    assert view["session"]["transfer"]["outcome"] == "receiver_lost"
    assert (await row_of(house, session)).epoch == epoch


async def test_handed_back_to_the_line_it_rings_for_others_first_and_keeps_the_tablet(
    house: House, three: tuple[Page, Page, Page]
) -> None:
    dana, miguel, tablet = three
    session, epoch = await house.in_call(tablet, dana)
    code = await refused(dana, "session.requeue", session=session, epoch=epoch, reason="bored")
    assert code == "unknown-code"
    await dana.send("session.requeue", session=session, epoch=epoch, reason="end_of_shift")
    row = await row_of(house, session)
    assert (row.state, row.lead_id, row.epoch) == ("waiting", None, epoch + 1)
    told = await tablet.until_view(lambda v: v["session"] and v["session"]["state"] == "waiting")
    assert told["session"]["handed_back"], "the tablet does not speak of a lost connection"
    view = await miguel.until_view(lambda v: v["offers"])
    assert view["offers"][0]["requeued"]
    assert not dana.view["offers"]
    await services.until(lambda: (session, "clinician") in house.bridge.left)
    assert (session, "tablet") not in house.bridge.left


async def test_a_supervisor_takes_over_and_the_former_lead_reads_who(
    house: House, three: tuple[Page, Page, Page]
) -> None:
    dana, miguel, tablet = three
    session, epoch = await house.in_call(tablet, dana)
    ada = await house.page("ada")
    view = await ada.until_view(lambda v: v["live"])
    assert [(one["session"], one["lead"]) for one in view["live"]] == [(session, "Dana")]
    assert miguel.view["live"] == [], "the live board is for supervisors"
    stranger = await house.page("stranger")
    for page in (miguel, stranger):
        code = await refused(page, "session.take_over", session=session, epoch=epoch)
        assert code == "no-such-session"
    code = await refused(ada, "session.take_over", session=session, epoch=epoch - 1)
    assert code == "stale-epoch"
    got = await ada.send("session.take_over", session=session, epoch=epoch)
    row = await row_of(house, session)
    assert (row.lead_id, row.state, row.epoch) == ("per_ada", "recovering", got["epoch"])
    await dana.until(lambda: dana.seen("session.moved"))
    assert dana.seen("session.moved")[0]["by"] == "Ada"
    await joined(house, ada, session, got["epoch"], "clinician")
    await ada.until_view(lambda v: v["session"] and v["session"]["state"] == "connected")
    assert (session, "tablet") not in house.bridge.left


async def test_a_supervisor_who_listens_is_heard_by_nobody_and_seen_by_everybody(
    house: House, three: tuple[Page, Page, Page]
) -> None:
    dana, _miguel, tablet = three
    session, epoch = await house.in_call(tablet, dana)
    ada = await house.page("ada")
    await ada.send("session.listen", session=session, epoch=epoch)
    await joined(house, ada, session, epoch, "side1")
    plan = house.bridge.plans[session]
    assert plan["side1"] == ["tablet", "clinician", None, None, None]
    assert plan["tablet"] == ["clinician", None, None, None, None]
    for page in (dana, tablet):
        view = await page.until_view(lambda v: v["session"] and v["session"]["company"])
        one = view["session"]["company"][0]
        assert (one["name"], one["role"], one["mode"]) == ("Ada", "supervisor", "listen")
    await ada.send("session.listen", session=session, epoch=epoch, mode="whisper")
    assert house.bridge.plans[session]["clinician"] == ["tablet", "side1", None, None, None]
    assert house.bridge.plans[session]["tablet"] == ["clinician", None, None, None, None]
    one = (await dana.until_view(lambda v: v["session"] and v["session"]["company"]))["session"][
        "company"
    ][0]
    code = await refused(dana, "party.remove", session=session, epoch=epoch, party=one["party"])
    assert code == "not-yours"
    await ada.send("party.leave", session=session)
    await tablet.until_view(lambda v: not v["session"]["company"])
    await services.until(lambda: (session, "side1") in house.bridge.left)


async def test_the_end_of_the_call_ends_every_place_at_its_side(
    house: House, three: tuple[Page, Page, Page]
) -> None:
    dana, miguel, tablet = three
    session, epoch = await sat_in(house, dana, miguel, tablet)
    await tablet.send("session.end", session=session, epoch=epoch)
    await miguel.until_view(lambda v: v["session"] is None)
    assert await seats_of(house, session) == {"clinician": ("lead", "per_dana")}
    async with house.db.read() as conn:
        assert await transfers.open_of(conn, session) is None
