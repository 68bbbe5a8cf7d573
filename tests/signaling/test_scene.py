"""What the officer says of the scene, through real sockets: go or no-go, activity, naloxone."""

from __future__ import annotations

from typing import Any

import pytest

from records import assessments
from tests.signaling.conftest import House
from tests.signaling.pages import Page, Refused
from tests.signaling.test_desk import timeline_of

GO = {"safe": "yes", "medical": "no", "intoxicated": "no", "willing": "yes"}


def _scene(view: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (view["session"] or {}).get("scene") or {}
    return found


async def _sign(page: Page, level: str) -> list[str]:
    """What stands in the way on the ringing card, once the card says this."""
    view = await page.until_view(lambda v: v["offers"] and v["offers"][0]["scene"] == level)
    stops: list[str] = view["offers"][0]["stops"]
    return stops


async def test_what_the_officer_taps_while_it_rings_is_there_for_the_clinician(
    house: House,
) -> None:
    tablet, dana = await house.page("tablet"), await house.page("dana")
    session = await house.pressed(tablet)
    shown = await tablet.until_view(lambda v: v["session"])
    assert shown["session"]["scene"] is None
    for name, said in GO.items():
        await tablet.send("scene.tell", session=session, answers={name: said})
    await tablet.send("scene.tell", session=session, activity={"before": 6})
    await tablet.send("scene.tell", session=session, answers={"willing": None})
    offer = await house.rung(dana)
    # who is rung reads what it comes to, and that it has changed, before any accept
    assert await _sign(dana, "open") == []
    await tablet.send("scene.tell", session=session, answers={"medical": "yes", "willing": "no"})
    assert await _sign(dana, "stop") == ["medical", "willing"]
    await tablet.send("scene.tell", session=session, answers={"medical": "no", "willing": "yes"})
    assert await _sign(dana, "go") == []
    rings = [m["offer"] for m in dana.messages if m["type"] == "offer"]
    assert {one["scene"] for one in rings} == {None}, "what goes from process to process has none"
    await tablet.send("scene.tell", session=session, answers={"willing": None})
    await dana.send("offer.accept", offer=offer["offer"], token=offer["token"])
    view = await dana.until_view(lambda v: _scene(v))
    assert _scene(view) == {
        "answers": {"safe": "yes", "medical": "no", "intoxicated": "no"},
        "activity": {"before": 6}, "doses": [], "response": None,
    }  # fmt: skip
    assert view["session"]["assessments"] == [], "the officer's word is no form to be filled in"
    assert _scene(await tablet.until_view(_scene)) == _scene(view)
    kinds = [(e.kind, e.data.get("instrument")) for e in await timeline_of(house, session)]
    assert kinds.count(("assessment.saved", "officer-scene")) == 1
    assert kinds.count(("assessment.saved", "officer-activity")) == 1


async def test_doses_are_told_whole_and_shown_beside_the_video_at_once(house: House) -> None:
    tablet, dana = await house.page("tablet"), await house.page("dana")
    session, epoch = await house.in_call(tablet, dana)
    now = int(house.clock.now)
    first = {"at": now - 240, "product": "nasal-4", "by": "bystander"}
    second = {"at": now - 30, "product": "nasal-4", "by": "officer"}
    await tablet.send("scene.overdose", session=session, doses=[first])
    await tablet.send("scene.overdose", session=session, doses=[first, second], response="drowsy")
    view = await dana.until_view(lambda v: len(_scene(v).get("doses", ())) == 2)
    assert _scene(view)["doses"] == [first, second]
    assert _scene(view)["response"] == "drowsy"
    # taken back on the card, it is gone from the record too
    await tablet.send("scene.overdose", session=session, doses=[second], response="awake")
    view = await dana.until_view(lambda v: len(_scene(v)["doses"]) == 1)
    # the person never sees it, and the officer has it again
    await tablet.send("handover.start", session=session, epoch=epoch)
    shown = await tablet.until_view(lambda v: v["session"]["phase"] == "handed_over")
    assert shown["session"]["scene"] is None
    await tablet.send("handover.end", session=session, epoch=epoch, pin="2468")
    shown = await tablet.until_view(_scene)
    assert _scene(shown)["doses"] == [second]
    # how it was afterwards can be said when the call is over
    await tablet.send("session.end", session=session, epoch=epoch)
    await tablet.send("scene.tell", session=session, activity={"after": 4})
    async with house.db.read() as conn:
        rows = await assessments.said_at_scene(conn, house.desk.vault, session)
    said = {row.instrument: row for row in rows}
    assert said["officer-activity"].answers == {"after": "4"}
    assert said["officer-overdose"].result["level"] == "moderate"
    house.clock.now += 25 * 3600
    with pytest.raises(Refused, match="session-error"):
        await tablet.send("scene.tell", session=session, activity={"after": 5})


NOT_ON_THE_CARD: tuple[tuple[str, dict[str, Any]], ...] = (
    ("scene.tell", {"answers": {"safe": "perhaps"}}),
    ("scene.tell", {"answers": {"notes": "yes"}}),
    ("scene.tell", {"activity": {"before": 8}}),
    ("scene.tell", {"activity": {"during": 4}}),
    ("scene.overdose", {"doses": [{"at": None, "product": "heroin"}]}),
    ("scene.overdose", {"doses": [{"at": None}] * 9}),
    ("scene.overdose", {"doses": [], "response": "well"}),
)


async def test_what_is_not_on_the_card_is_refused(house: House) -> None:
    tablet = await house.page("tablet")
    session = await house.pressed(tablet)
    for tag, fields in NOT_ON_THE_CARD:
        with pytest.raises(Refused):
            await tablet.send(tag, session=session, **fields)
    async with house.db.read() as conn:
        assert await assessments.said_at_scene(conn, house.desk.vault, session) == []


async def test_a_clinician_writes_beside_the_officers_word_and_never_over_it(house: House) -> None:
    tablet, dana = await house.page("tablet"), await house.page("dana")
    session, epoch = await house.in_call(tablet, dana)
    await tablet.send("scene.tell", session=session, activity={"before": 7})
    with pytest.raises(Refused):
        await dana.send(
            "assessment.save", session=session, epoch=epoch, instrument="officer-activity",
            rev=1, answers={"before": "4"},
        )  # fmt: skip
    with pytest.raises(Refused):
        await dana.send("scene.tell", session=session, activity={"before": 4})
    await dana.send(
        "assessment.save", session=session, epoch=epoch, instrument="bars", rev=0,
        answers={"before": "5"},
    )  # fmt: skip
    view = await dana.until_view(lambda v: v["session"]["assessments"])
    assert _scene(view)["activity"] == {"before": 7}
    assert [one["instrument"] for one in view["session"]["assessments"]] == ["bars"]
