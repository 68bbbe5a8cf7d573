"""42 CFR Part 2 over the wire: what a clinician writes about substances reaches no other page."""

from __future__ import annotations

import json

from sqlalchemy.ext.asyncio import AsyncConnection

from records import (
    assessments,
    consents,
    deliveries,
    followups,
    identities,
    resources,
    sessions,
    webhooks,
)
from records.consent_rules import CONTENT, DAY, Consent
from records.flags import BIT
from records.followups import NewFollowup
from records.identity_rules import Identity
from records.resource_entries import Entry
from records.sessions import Event
from records.vocabulary import RESOURCE_PROTECTED, TIMELINE_KINDS
from records.webhooks import EVENTS
from signaling import consent_commands
from tests.records import cast as people
from tests.signaling.conftest import ACTORS
from tests.signaling.test_courier import Office, receiver, running
from tests.signaling.test_courier import office as office  # the fixture
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


async def told_of(office: Office, tablet: str, *, protected: bool) -> list[str]:
    """The bodies that a webhook for everything gets of one session, with its ids taken out."""
    tasks = {"warm_handoff": "naloxone_delivery", "lethal_means_check": "lead_referral"}
    kinds = list(tasks.values() if protected else tasks)
    said = {"instrument": "cows", "tiles": ["overdose"], "flags": ["naloxone_given"], "note": MARK}
    whole = {"disposition": "medical_ed", "actual": "other", "reason": MARK} | said
    plain = {"disposition": "medical_ed", "actual": "other"}
    changes: dict[str, object] = (
        {"flags": BIT["naloxone_given"], "opioid": "yes", "intake": ("overdose",)}
        if protected
        else {}
    )

    async def write(conn: AsyncConnection) -> str:
        row, _ = await sessions.create(conn, people.press(tablet), people.NOW)
        due = [NewFollowup(kind, "per_dana", people.NOW + 5, "call") for kind in kinds]
        await followups.add_many(conn, office.vault, row.id, due, people.NOW)
        if protected:
            vault, clinician = office.vault, "per_dana"
            for form in PROTECTED_FORMS:
                await assessments.save(conn, vault, row.id, form, 0, {}, clinician, people.NOW)
            who = Identity(MARK)
            await identities.save(conn, vault, row, 0, who, clinician, people.NOW)
            yes = Consent(
                "person", "treatment", "signed", people.NOW, ("centre",), CONTENT,
                people.NOW + DAY, giver=MARK,
            )  # fmt: skip
            await consents.add(conn, vault, row.id, yes, clinician, people.NOW)
        events = [Event(kind, "system", None, whole if protected else plain)
                  for kind in TIMELINE_KINDS if kind != "session.pressed"]  # fmt: skip
        over = {"state": "closed", "ended_at": people.NOW + 8, "closed_at": people.NOW + 9}
        over |= {"recommended_disposition": "medical_ed", "close_reason": "completed"}
        await sessions.apply(conn, row, changes | over, events, people.NOW + 9)
        return row.id

    async with receiver() as there:
        hook = await office.hook(there.url, *EVENTS)
        session = await office.db.write(write)
        async with office.db.read() as conn:
            ids = [one.id for one in await followups.of_session(conn, office.vault, session)]
        office.clock = people.NOW + 60
        await office.db.write(lambda conn: deliveries.queue_overdue(conn, office.clock))
        async with running(office.courier()):
            await office.settled()
            await office.db.write(lambda conn: webhooks.remove(conn, hook, office.clock))
    found = []
    for raw in (got.body.decode() for got in there.got):
        if session not in raw:
            continue  # what is overdue of the session before
        body = raw.replace(session, "<session>").replace(hook, "<hook>")
        for one in ids:
            body = body.replace(one, "<followup>")
        found.append(body)
    return sorted(found)


async def test_a_webhook_is_told_the_same_with_and_without_substance_use(office: Office) -> None:
    """A consent for a centre is none for whoever stands behind an address."""
    harmless = await told_of(office, "tab_1", protected=False)
    kinds = {json.loads(one)["type"] for one in harmless}
    assert kinds == set(EVENTS), "every event is in the walk"
    assert sum("followup.overdue" in one for one in harmless) == 2
    protected = await told_of(office, "tab_2", protected=True)
    assert protected == harmless
    assert MARK not in "".join(protected)
