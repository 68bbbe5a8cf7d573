"""The live session as both pages see it: real sockets, a real database, a moved clock."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from media import LegEventKind
from records import case_numbers, notes, offers, resources, sessions
from records.flags import codes_of
from records.resource_entries import Entry
from records.sessions import SessionRow, TimelineRow
from signaling import views
from signaling.session import State
from tests.signaling.conftest import House
from tests.signaling.pages import BOUND, Page, Refused
from tests.signaling.services import until


async def row_of(house: House, session: str) -> SessionRow:
    async with house.db.read() as conn:
        row = await sessions.get(conn, session)
    assert row is not None
    return row


async def kinds_of(house: House, session: str) -> list[str]:
    return [row.kind for row in await timeline_of(house, session)]


async def timeline_of(house: House, session: str) -> list[TimelineRow]:
    async with house.db.read() as conn:
        return await sessions.timeline_of(conn, session)


async def until_state(house: House, session: str, state: str) -> SessionRow:
    """Wait for the durable state; the desk's clock loop runs once a real second."""
    async with asyncio.timeout(BOUND):
        while (row := await row_of(house, session)).state != state:
            await asyncio.sleep(0.02)
    return row


async def test_a_press_makes_one_session_and_rings_the_first_tier(house: House) -> None:
    dana, miguel, priya = [await house.page(who) for who in ("dana", "miguel", "priya")]
    tablet = await house.page("tablet")
    session = await house.pressed(tablet)
    await dana.until_view(lambda v: v["offers"])
    await miguel.until_view(lambda v: v["offers"])
    view = await tablet.until_view(lambda v: v["session"] and len(v["session"]["alerted"]) == 2)
    assert sorted(one["name"] for one in view["session"]["alerted"]) == ["Dana", "Miguel"]
    await priya.until_view(lambda v: [w["session"] for w in v["waiting"]] == [session])
    assert not priya.view["offers"]


async def test_a_press_that_is_sent_again_is_the_same_session(house: House) -> None:
    tablet = await house.page("tablet")
    first = await tablet.send("session.open", key="a" * 20)
    again = await tablet.send("session.open", key="a" * 20)
    other_key = await tablet.send("session.open", key="b" * 20)
    assert first == again == other_key
    async with house.db.read() as conn:
        assert len(await sessions.open_sessions(conn)) == 1


async def test_of_two_accepts_at_once_one_wins_in_each_of_60_tries(house: House) -> None:
    dana, miguel = await house.page("dana"), await house.page("miguel")
    tablet = await house.page("tablet")
    wins = {"dana": 0, "miguel": 0}
    for i in range(60):
        session = await house.pressed(tablet, f"key-{i:016d}")
        views = await asyncio.gather(
            *(
                p.until_view(lambda v: any(o["session"] == session for o in v["offers"]))  # noqa: B023
                for p in (dana, miguel)
            )
        )
        results = await asyncio.gather(
            *(
                page.send("offer.accept", offer=o["offer"], token=o["token"])
                for page, view in zip((dana, miguel), views, strict=True)
                for o in view["offers"]
            ),
            return_exceptions=True,
        )
        won = [isinstance(result, dict) for result in results]
        assert sorted(won) == [False, True]
        lost = results[won.index(False)]
        assert isinstance(lost, Refused)
        assert lost.code == "offer-gone"
        winner = "dana" if won[0] else "miguel"
        wins[winner] += 1
        row = await row_of(house, session)
        assert (row.state, row.lead_id) == ("answering", f"per_{winner}")
        await tablet.send("session.cancel", session=session)
    assert sum(wins.values()) == 60


async def test_the_loser_of_a_race_reads_who_took_it(house: House) -> None:
    dana, miguel, tablet = [await house.page(who) for who in ("dana", "miguel", "tablet")]
    await house.pressed(tablet)
    offer, other = await house.rung(dana), await house.rung(miguel)
    await dana.send("offer.accept", offer=offer["offer"], token=offer["token"])
    await miguel.until(lambda: miguel.seen("offer.gone"))
    gone = miguel.seen("offer.gone")[0]
    assert (gone["offer"], gone["reason"], gone["by"]) == (other["offer"], "taken", "Dana")
    await miguel.until_view(lambda v: not v["offers"])


async def test_an_answer_stops_the_ring_on_all_pages_of_the_clinician(house: House) -> None:
    dana, tab, tablet = [await house.page(who) for who in ("dana", "dana", "tablet")]
    await house.pressed(tablet)
    offer = await house.rung(dana)
    await dana.send("offer.accept", offer=offer["offer"], token=offer["token"])
    for page in (dana, tab):
        await page.until(lambda page=page: page.seen("offer.gone"))  # type: ignore[misc]
        gone = page.seen("offer.gone")[0]
        assert (gone["offer"], gone["reason"]) == (offer["offer"], "accepted")


async def test_media_both_ways_connects_and_only_then(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session = await house.pressed(tablet)
    answer = await tablet.send(
        "media.describe", session=session, epoch=0, generation="g1", description="v=0"
    )
    assert answer == {"description": "answer to v=0"}
    house.bridge.flow(session, "tablet")
    offer = await house.rung(dana)
    epoch = (await dana.send("offer.accept", offer=offer["offer"], token=offer["token"]))["epoch"]
    assert (await row_of(house, session)).state == "answering"
    await dana.send(
        "media.describe", session=session, epoch=epoch, generation="g2", description="v=0"
    )
    house.bridge.flow(session, "clinician")
    row = await until_state(house, session, "connected")
    assert row.media_at is not None
    view = await tablet.until_view(lambda v: v["session"] and v["session"]["state"] == "connected")
    assert view["session"]["clinician"] == "Dana"


async def test_a_clinician_who_vanishes_gives_the_session_back_to_the_head_of_the_line(
    house: House,
) -> None:
    dana, miguel, tablet = [await house.page(who) for who in ("dana", "miguel", "tablet")]
    ringing = asyncio.create_task(house.rung(dana))
    session, epoch = await house.in_call(tablet, dana)
    answered = await ringing
    await dana.drop()
    house.bridge.tell(session, "clinician", LegEventKind.SILENT)
    async with asyncio.timeout(BOUND):
        while (await row_of(house, session)).state != "recovering":
            house.clock.advance(1)
            await asyncio.sleep(0.3)
    house.clock.advance(25)
    row = await until_state(house, session, "waiting")
    assert row.epoch == epoch + 1
    await until(lambda: (session, "clinician") in house.bridge.left)
    assert "tablet" in {seat for _, seat in house.bridge.legs}, "the tablet's leg is kept"
    await miguel.send("beat")  # the moved clock has let the lease run out
    view = await miguel.until_view(lambda v: v["offers"])
    assert view["offers"][0]["requeued"]
    assert view["offers"][0]["session"] == session
    page = await house.page("dana")
    with pytest.raises(Refused) as refused:
        await page.send("session.end", session=session, epoch=epoch)
    assert refused.value.code == "stale-epoch"
    with pytest.raises(Refused) as refused:  # the word that won it once wins nothing again
        await page.send("offer.accept", offer=answered["offer"], token=answered["token"])
    assert refused.value.code == "offer-gone"
    assert (await row_of(house, session)).state == "waiting"
    kinds = await kinds_of(house, session)
    assert kinds.index("clinician.lost") < kinds.index("session.requeued")


async def test_a_console_that_reloads_comes_back_to_the_same_session(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, epoch = await house.in_call(tablet, dana)
    await dana.drop()
    again = await house.page("dana")
    view = await again.until_view(lambda v: v["session"])
    assert (view["session"]["id"], view["session"]["epoch"]) == (session, epoch)
    assert view["session"]["state"] == "connected"


async def test_a_socket_that_breaks_misses_nothing_and_repeats_nothing(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, _ = await house.in_call(tablet, dana)
    await dana.drop()
    for i in range(5):
        await tablet.send("chat.send", session=session, text=f"line {i}")
    await dana.open()
    assert dana.welcome["resumed"]
    await dana.until_view(lambda v: len(v["session"]["chat"]) == 5)
    assert dana.numbers == list(range(1, len(dana.numbers) + 1))


async def test_hand_over_needs_the_officers_pin_to_end(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, epoch = await house.in_call(tablet, dana)
    await tablet.send("chat.send", session=session, text="He has a knife in the kitchen.")
    house.clock.advance(30)
    await tablet.send("handover.start", session=session, epoch=epoch)
    view = await tablet.until_view(
        lambda v: v["session"] and v["session"]["phase"] == "handed_over"
    )
    assert view["session"]["chat"] == [], "the person must not read it"
    with pytest.raises(Refused) as refused:
        await tablet.send("chat.send", session=session, text="hello")
    assert refused.value.code == "illegal-transition"
    house.clock.advance(300)
    with pytest.raises(Refused) as refused:
        await tablet.send("handover.end", session=session, epoch=epoch, pin="0000")
    assert refused.value.code == "bad-pin"
    assert (await row_of(house, session)).phase == "handed_over"
    await tablet.send("handover.end", session=session, epoch=epoch, pin="2468")
    row = await row_of(house, session)
    assert (row.phase, row.brief_seconds, row.handed_over_seconds) == ("debrief", 30, 300)
    assert "handover.pin_refused" in await kinds_of(house, session)


CARD = {
    "level": "soon",
    "disposition": "remain_in_place",
    "actions": [{"code": "give_988", "text": "tonight"}],
    "words": "Stay with a friend.",
}


async def test_the_card_reaches_the_tablet_only_when_it_is_sent(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, epoch = await house.in_call(tablet, dana)
    draft = await dana.send("card.save", session=session, epoch=epoch, rev=0, card=CARD, send=False)
    await dana.until_view(lambda v: v["session"] and v["session"]["card"]["rev"] == draft["rev"])
    await tablet.send("chat.send", session=session, text="marker")
    await tablet.until_view(lambda v: v["session"] and v["session"]["chat"])
    assert tablet.view["session"]["card"] is None
    await dana.send("card.save", session=session, epoch=epoch, rev=1, card=CARD, send=True)
    view = await tablet.until_view(lambda v: v["session"] and v["session"]["card"])
    assert view["session"]["card"]["card"]["words"] == "Stay with a friend."
    with pytest.raises(Refused):
        await tablet.send("card.acknowledge", session=session, rev=1)
    await tablet.send("card.acknowledge", session=session, rev=2)
    await dana.until_view(lambda v: v["session"] and v["session"]["card"]["acknowledged_rev"] == 2)
    row = await row_of(house, session)
    assert row.recommended_at is not None
    assert row.acknowledged_at is not None


async def test_the_tablet_never_receives_an_assessment(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, epoch = await house.in_call(tablet, dana)
    saved = await dana.send(
        "assessment.save",
        session=session,
        epoch=epoch,
        instrument="field-safety",
        rev=0,
        answers={"thoughts": "yes", "notes": "canary-clinical-note"},
    )
    assert saved["rev"] == 1
    await tablet.send("chat.send", session=session, text="marker")
    await tablet.until_view(lambda v: v["session"] and v["session"]["chat"])
    everything = json.dumps(tablet.messages)
    assert "canary-clinical-note" not in everything
    assert "field-safety" not in everything


async def test_a_stale_answer_is_refused_with_both_versions(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, epoch = await house.in_call(tablet, dana)
    at = {"session": session, "epoch": epoch, "instrument": "field-safety"}
    await dana.send("assessment.save", **at, rev=0, answers={"thoughts": "yes"})
    with pytest.raises(Refused) as refused:
        await dana.send("assessment.save", **at, rev=0, answers={"thoughts": "no"})
    assert refused.value.code == "conflict"
    assert refused.value.data["answers"] == {"thoughts": "yes"}
    with pytest.raises(Refused) as refused:
        await dana.send("assessment.save", **at, rev=1, answers={"thoughts": "perhaps"})
    assert refused.value.code == "bad-input"


async def test_wrap_up_closes_and_the_officer_records_what_happened(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, epoch = await house.in_call(tablet, dana)
    await dana.send("card.save", session=session, epoch=epoch, rev=0, card=CARD, send=True)
    await dana.send("session.end", session=session, epoch=epoch)
    await dana.until_view(lambda v: v["session"] and v["session"]["state"] == "wrap_up")
    await tablet.until_view(lambda v: v["owed"] == session)
    assert session in house.bridge.closed
    followup = {
        "kind": "contact_24h",
        "owner": "per_miguel",
        "due_at": house.clock.now + 86400,
        "note": "Call at noon.",
    }
    for bad in ({**followup, "owner": "per_lena"}, {**followup, "due_at": house.clock.now - 9999}):
        with pytest.raises(Refused):
            await dana.send(
                "wrapup.finish",
                session=session,
                epoch=epoch,
                disposition="remain_in_place",
                followups=[bad],
            )
    assert (await row_of(house, session)).state == "wrap_up"
    await dana.send(
        "wrapup.finish",
        session=session,
        epoch=epoch,
        disposition="remain_in_place",
        followups=[followup],
        flags=["weapon_present"],
        opioid="yes",
    )
    await dana.until_view(lambda v: v["session"] is None)
    with pytest.raises(Refused) as refused:
        await tablet.send("disposition.record", session=session, actual="medical_ed")
    assert refused.value.code == "reason-needed"
    await tablet.send(
        "disposition.record", session=session, actual="medical_ed", reason="medical_need",
        flags=["person_injured", "naloxone_given"], number=" 26-004711 ",
    )  # fmt: skip
    async with house.db.read() as conn:
        assert await case_numbers.get(conn, session) == "26-004711"
    await tablet.send("card.acknowledge", session=session, rev=1)
    await tablet.until_view(lambda v: v["owed"] is None and v["session"] is None)
    row = await row_of(house, session)
    assert (row.state, row.close_reason, row.actual_disposition, row.difference_reason) == (
        "closed",
        "completed",
        "medical_ed",
        "medical_need",
    )
    assert codes_of(row.flags) == ("person_injured", "naloxone_given", "weapon_present")
    assert row.opioid == "yes"
    async with house.db.read() as conn:
        told = [(e.kind, e.data) for e in await sessions.timeline_of(conn, session)]
    said = {"actual": "medical_ed", "reason": "medical_need"}
    officers = {"flags": ["person_injured", "naloxone_given"]}
    assert ("disposition.recorded", {**said, **officers}) in told
    assert not [data for _, data in told if "opioid" in data or "yes" in data.values()]


async def test_what_would_have_been_done_is_asked_before_the_call_and_never_after(
    house: House,
) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    first = await house.pressed(tablet)
    with pytest.raises(Refused) as refused:
        await tablet.send("session.otherwise", session=first, otherwise="holiday")
    assert refused.value.code == "unknown-code"
    await tablet.send("session.otherwise", session=first, otherwise="arrest_custody")
    await tablet.until_view(lambda v: v["session"]["otherwise"] == "arrest_custody")

    session, _ = await house.in_call(tablet, dana)  # the same press, sent again
    assert session == first
    with pytest.raises(Refused) as refused:
        await tablet.send("session.otherwise", session=session, otherwise="medical_ed")
    assert refused.value.code == "illegal-transition"
    assert (await row_of(house, session)).otherwise == "arrest_custody"


async def test_signing_with_the_wrap_up_happens_in_one_step_or_not_at_all(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, epoch = await house.in_call(tablet, dana)
    at = {"session": session, "epoch": epoch}
    told = {"thoughts": "yes", "judged-level": "high"}
    await dana.send("assessment.save", **at, instrument="field-safety", rev=0, answers=told)
    await dana.send("session.end", **at)
    finish = {**at, "disposition": "remain_in_place", "followups": [], "sign": True}
    with pytest.raises(Refused) as refused:
        await dana.send("wrapup.finish", **finish)
    assert refused.value.code == "unjustified"
    assert (await row_of(house, session)).state == "wrap_up"
    why = {"judged-reason": "known to us"}
    await dana.send("assessment.save", **at, instrument="field-safety", rev=1, answers=why)
    await dana.send("wrapup.finish", **finish)
    assert (await kinds_of(house, session))[-1] == "note.signed"
    async with house.db.read() as conn:
        signature = await notes.signature(conn, house.desk.vault, await row_of(house, session))
    assert signature is not None
    assert signature.intact
    assert signature.signer_id == "per_dana"


async def test_answers_stay_with_the_version_that_the_first_was_given_to(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, epoch = await house.in_call(tablet, dana)
    at = {"session": session, "epoch": epoch, "instrument": "field-safety"}
    await dana.send("assessment.save", **at, version="1.0", rev=0, answers={"thoughts": "no"})
    view = await dana.until_view(lambda v: v["session"]["assessments"])
    assert view["session"]["assessments"][0]["version"] == "1.0"
    for version in ("1.1", "9.9"):
        with pytest.raises(Refused) as refused:
            await dana.send(
                "assessment.save", **at, version=version, rev=1, answers={"thoughts": "yes"}
            )
        assert refused.value.code == "bad-input"
    await dana.send("assessment.save", **at, rev=1, answers={"thoughts": "yes"})
    view = await dana.until_view(lambda v: v["session"]["assessments"][0]["rev"] == 2)
    assert view["session"]["assessments"][0]["version"] == "1.0"


async def test_later_asks_again_later(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, epoch = await house.in_call(tablet, dana)
    await tablet.send("session.end", session=session, epoch=epoch)
    await tablet.until_view(lambda v: v["owed"] == session)
    await tablet.send("disposition.later", session=session)
    await tablet.until_view(lambda v: v["owed"] is None)
    house.clock.advance(700)
    again = await house.page("tablet")
    await again.until_view(lambda v: v["owed"] == session)


async def test_another_tablet_another_provider_and_a_stale_token_change_nothing(
    house: House,
) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    other, stranger = await house.page("elsewhere"), await house.page("stranger")
    session = await house.pressed(tablet)
    offer = await house.rung(dana)
    before = await row_of(house, session)
    tries: list[tuple[Page, str, dict[str, Any], str]] = [
        (other, "session.cancel", {"session": session}, "no-such-session"),
        (other, "session.intake", {"session": session, "tiles": ["adult"]}, "no-such-session"),
        (other, "chat.send", {"session": session, "text": "x"}, "no-such-session"),
        (stranger, "session.end", {"session": session, "epoch": 0}, "no-such-session"),
        (
            stranger,
            "offer.accept",
            {"offer": offer["offer"], "token": offer["token"]},
            "no-such-session",
        ),
        (dana, "offer.accept", {"offer": offer["offer"], "token": "t" * 24}, "stale-token"),
        (dana, "session.end", {"session": session, "epoch": 0}, "stale-epoch"),
        (dana, "session.open", {"key": "k" * 20}, "wrong-role"),
        (tablet, "offer.accept", {"offer": offer["offer"], "token": offer["token"]}, "wrong-role"),
        (tablet, "session.intake", {"session": session, "tiles": ["nonsense"]}, "unknown-code"),
        (tablet, "handover.start", {"session": session, "epoch": 0}, "illegal-transition"),
    ]
    for page, kind, fields, code in tries:
        with pytest.raises(Refused) as refused:
            await page.send(kind, **fields)
        assert refused.value.code == code, kind
    assert await row_of(house, session) == before


async def test_nobody_on_call_is_said_on_the_timeline_once(house: House) -> None:
    tablet = await house.page("tablet")
    session = await house.pressed(tablet)
    async with asyncio.timeout(BOUND):
        while "queue.nobody" not in await kinds_of(house, session):
            await asyncio.sleep(0.02)
    house.desk.line.wake()
    dana = await house.page("dana")
    await house.rung(dana)
    assert (await kinds_of(house, session)).count("queue.nobody") == 1


async def test_a_cancelled_session_stops_ringing_everywhere(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session = await house.pressed(tablet)
    await house.rung(dana)
    await tablet.send("session.cancel", session=session)
    await dana.until_view(lambda v: not v["offers"] and not v["waiting"])
    async with house.db.read() as conn:
        assert await offers.open_offers(conn) == []
    assert (await row_of(house, session)).close_reason == "cancelled_by_officer"


async def test_a_paused_clinician_is_not_rung_and_an_available_one_is(house: House) -> None:
    dana, miguel, tablet = [await house.page(who) for who in ("dana", "miguel", "tablet")]
    await dana.send("activity.set", activity="paused", reason="break")
    await dana.until_view(lambda v: v["me"]["activity"] == "paused")
    await house.pressed(tablet)
    await miguel.until_view(lambda v: v["offers"])
    assert not dana.view["offers"]


async def test_who_signs_out_while_it_rings_is_not_waited_for(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    await house.pressed(tablet)
    await house.rung(dana)
    await tablet.until_view(lambda v: v["session"]["alerted"])
    await house.desk.dismiss_actor("per_dana", "signed_out")
    # no time has passed: her lease has not run out
    await tablet.until_view(lambda v: v["session"]["alerted"] == [])


async def test_a_declined_offer_goes_to_somebody_else(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session = await house.pressed(tablet)
    offer = await house.rung(dana)
    await dana.send("offer.decline", offer=offer["offer"], token=offer["token"], reason="unwell")
    priya = await house.page("priya")
    view = await priya.until_view(lambda v: v["offers"])
    assert view["offers"][0]["session"] == session
    assert not dana.view["offers"]


async def test_sessions_outlive_the_server(house: House) -> None:
    tablet = await house.page("tablet")
    session = await house.pressed(tablet)
    dana = await house.page("dana")
    await house.rung(dana)
    await house.desk.close()
    async with house.db.read() as conn:
        assert [r.id for r in await sessions.open_sessions(conn)] == [session]
        assert len(await offers.open_offers(conn)) == 1
    await house.desk.line.resume()
    async with house.db.read() as conn:
        assert await offers.open_offers(conn) == [], "rings of the old process ring no more"
    assert (await row_of(house, session)).state == State.WAITING


async def test_a_test_call_rings_nobody_and_hears_itself(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    opened = await tablet.send("session.open", key="t" * 20, test=True)
    await tablet.send(
        "media.describe",
        session=opened["session"],
        epoch=0,
        generation="g",
        description="v=0",
    )
    assert house.bridge.plans[opened["session"]] == {"tablet": ["tablet"]}
    await dana.send("beat")
    view = await dana.until_view(lambda shown: "waiting" in shown)  # the first one may be under way
    assert not view["waiting"]
    assert not view["offers"]
    await tablet.send("session.cancel", session=opened["session"])


async def test_a_card_that_comes_after_the_officer_was_done_is_still_shown(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, epoch = await house.in_call(tablet, dana)
    await dana.send("session.end", session=session, epoch=epoch)
    await tablet.until_view(lambda v: v["owed"] == session)
    await tablet.send("disposition.record", session=session, actual="remain_in_place")
    await tablet.until_view(lambda v: v["session"] is None)
    await dana.send("card.save", session=session, epoch=epoch, rev=0, card=CARD, send=True)
    view = await tablet.until_view(lambda v: v["session"] and v["session"]["card"])
    assert view["session"]["id"] == session
    await tablet.send("card.acknowledge", session=session, rev=1)
    await tablet.until_view(lambda v: v["session"] is None)


async def test_a_call_that_ends_in_the_persons_hands_hides_the_card_until_the_pin(
    house: House,
) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, epoch = await house.in_call(tablet, dana)
    await tablet.send("handover.start", session=session, epoch=epoch)
    await dana.send("card.save", session=session, epoch=epoch, rev=0, card=CARD, send=True)
    await dana.send("session.end", session=session, epoch=epoch)
    view = await tablet.until_view(lambda v: v["owed"] == session)
    assert view["session"]["card"] is None
    await tablet.send("handover.end", session=session, epoch=epoch, pin="2468")
    await tablet.until_view(lambda v: v["session"] and v["session"]["card"])


async def test_a_test_call_never_stands_in_the_way_of_a_real_one(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    trial = await tablet.send("session.open", key="t" * 20, test=True)
    real = await house.pressed(tablet, "r" * 20)
    assert real != trial["session"]
    view = await dana.until_view(lambda v: v["offers"])
    assert view["offers"][0]["session"] == real
    assert trial["session"] in house.bridge.closed


async def test_a_test_call_that_was_left_behind_ends_by_itself(house: House) -> None:
    tablet = await house.page("tablet")
    trial = str((await tablet.send("session.open", key="t" * 20, test=True))["session"])
    house.clock.advance(301)
    await until_state(house, trial, "closed")
    await tablet.until_view(lambda v: v["session"] is None)


async def test_of_a_long_line_and_a_large_staff_consoles_show_the_first_and_how_many_there_are(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MOST_WAITING", 1)
    monkeypatch.setattr(views, "MOST_COLLEAGUES", 1)
    priya = await house.page("priya")
    first = await house.pressed(await house.page("tablet"))
    await house.pressed(await house.page("elsewhere"), "z" * 20)
    view = await priya.until_view(lambda v: v["waiting_total"] == 2)
    assert [row["session"] for row in view["waiting"]] == [first]
    assert len(view["colleagues"]) == 1
    assert view["colleagues_total"] > 1
    assert view["colleagues"][0]["on_call"]  # who could be reached comes first
    assert view["owners"] == []


async def test_who_has_a_session_sees_everybody_to_hand_it_to(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MOST_COLLEAGUES", 0)
    dana, tablet = await house.page("dana"), await house.page("tablet")
    await house.in_call(tablet, dana)
    view = await dana.until_view(lambda v: v["session"])
    assert len(view["colleagues"]) == view["colleagues_total"]
    assert view["me"]["id"] not in {one["id"] for one in view["colleagues"]}
    assert {one["id"] for one in view["owners"]} == {
        view["me"]["id"],
        *(one["id"] for one in view["colleagues"]),
    }


async def test_a_card_names_help_in_the_directorys_words_and_the_tablet_reads_only_what_it_may(
    house: House,
) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, epoch = await house.in_call(tablet, dana)
    ids = {}
    for name, kind in (("Harbor House", "shelter"), ("Quiet Rooms", "detox")):
        one = Entry(name, kind, (("", "SD"),), phone="605-555-0100")
        ids[name] = await house.db.write(
            lambda conn, one=one: resources.save(conn, "prg_prairie", None, 0, one, "per_dana", 1.0)  # type: ignore[misc]
        )
    at = {"session": session, "epoch": epoch, "send": True}
    picked = [{"id": one, "name": "A page's own words"} for one in ids.values()]
    with pytest.raises(Refused) as refused:
        await dana.send("card.save", **at, rev=0, card={**CARD, "resources": [{"id": "res_no"}]})
    assert refused.value.code == "unknown-code"
    await dana.send("card.save", **at, rev=0, card={**CARD, "resources": picked})
    view = await tablet.until_view(lambda v: v["session"]["card"])
    shown = view["session"]["card"]["card"]["resources"]
    assert [one["name"] for one in shown] == ["Harbor House"]
    own = await dana.until_view(lambda v: v["session"]["card"]["card"])
    kept = own["session"]["card"]["card"]["resources"]
    assert [one["name"] for one in kept] == list(ids)

    for gone in ids.values():  # out of the directory: the card keeps what it said
        await house.db.write(
            lambda conn, gone=gone: resources.remove(conn, "prg_prairie", gone, 1, "per_dana", 2.0)  # type: ignore[misc]
        )
    await dana.send("card.save", **at, rev=1, card={**CARD, "words": "New.", "resources": picked})
    view = await tablet.until_view(lambda v: v["session"]["card"]["card"]["words"] == "New.")
    assert view["session"]["card"]["card"]["resources"][0]["phone"] == "605-555-0100"


@pytest.mark.parametrize("blocked", [True, False], ids=["no way", "late"])
async def test_who_answered_a_tablet_that_finds_no_way_writes_to_it_and_is_not_sent_away(
    house: House, *, blocked: bool
) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session = await house.pressed(tablet)
    offer = await house.rung(dana)
    await dana.send("offer.accept", offer=offer["offer"], token=offer["token"])
    house.desk.legs.stated(
        session, "tablet", muted=False, camera=True, quality="none", blocked=blocked
    )
    row = await row_of(house, session)
    await house.desk._setup_overdue(row, leg_up=False, here=True)
    after = await row_of(house, session)
    assert (after.state, after.lead_id) == (
        ("answering", "per_dana") if blocked else ("waiting", None)
    )
