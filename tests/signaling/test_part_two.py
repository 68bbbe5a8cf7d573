"""42 CFR Part 2 over the wire: what a clinician writes about substances reaches no other page."""

from __future__ import annotations

import json

from records import resources
from records.consent_rules import CONTENT, DAY, Consent
from records.resource_entries import Entry
from records.vocabulary import RESOURCE_PROTECTED
from signaling import consent_commands
from tests.signaling.conftest import ACTORS
from tests.signaling.test_desk import CARD
from tests.signaling.test_guests import Call
from tests.signaling.test_guests import call as call  # the fixture

MARK = "Xq7heroin"
PROTECTED_FORMS = ("cows", "audit-c")


async def test_nothing_about_substances_reaches_the_tablet_or_a_guest(call: Call) -> None:
    house, dana, tablet, session = call.house, call.dana, call.tablet, call.session
    guest = await call.guest()
    for number, kind in enumerate(RESOURCE_PROTECTED):
        entry = Entry(
            name=f"{MARK} {number}", kind=kind, phone="605-555-0100", places=(("", "SD"),)
        )
        await house.db.write(
            lambda conn, one=entry: resources.save(  # type: ignore[misc]
                conn, "prg_prairie", None, 0, one, "per_dana", 1.0
            )
        )
    async with house.db.read() as conn:
        picked = [{"id": one.id} for one in await resources.of_programs(conn, ["prg_prairie"])]
    assert len(picked) == len(RESOURCE_PROTECTED)
    at = {"session": session, "epoch": call.epoch}
    for form in PROTECTED_FORMS:
        await dana.send("assessment.save", **at, instrument=form, rev=0, answers={})
    note = {"key": "k1", "kind": "naloxone_delivery", "owner": "per_dana", "note": MARK}
    await dana.send("wrapup.save", **at, rev=0, draft={"followups": [note], "opioid": "yes"})
    await dana.send("card.save", **at, rev=0, card={**CARD, "resources": picked}, send=True)
    await dana.send("person.save", session=session, rev=0, name=MARK)
    now = house.clock.now
    yes = Consent("person", "treatment", "signed", now, ("centre",), CONTENT, now + DAY, giver=MARK)
    await consent_commands.add(house.desk, ACTORS["dana"], session, yes)
    await dana.until_view(lambda v: v["session"]["consent"]["rev"] == 1)
    await tablet.send("chat.send", session=session, text="last")  # all that came before is shown
    view = await tablet.until_view(lambda v: v["session"]["chat"] and v["session"]["card"])
    assert view["session"]["card"]["card"]["resources"] == []
    for page in (tablet, guest):
        told = json.dumps(page.messages)
        assert told != "[]"
        for word in (MARK, *PROTECTED_FORMS, "naloxone_delivery", "opioid", *RESOURCE_PROTECTED):
            assert word not in told, word
    assert MARK in json.dumps(dana.messages), "the clinician's own page has it"
