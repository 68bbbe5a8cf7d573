"""Consent as it is heard during a call, and the officer's body camera, through real sockets."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from records import consents, disclosures, schema
from records.consent_rules import Disclosure, covering
from signaling import consent_commands
from signaling.errors import NoSuchSession
from tests.signaling.conftest import ACTORS, House
from tests.signaling.pages import Page, Refused
from tests.signaling.test_desk import row_of, timeline_of


async def called(house: House) -> tuple[Page, Page, str, int]:
    tablet, dana = await house.page("tablet"), await house.page("dana")
    session, epoch = await house.in_call(tablet, dana)
    return tablet, dana, session, epoch


def heard(purpose: str, method: str = "verbal", participant: str = "person") -> dict[str, str]:
    return {"participant": participant, "purpose": purpose, "method": method}


async def test_what_was_heard_is_kept_shown_and_covers_what_was_asked(house: House) -> None:
    _, dana, session, _ = await called(house)
    said = [heard("assessment"), heard("treatment"), heard("agency", "refused")]
    done = await dana.send("consent.save", session=session, rev=0, language="es", said=said)
    assert done["rev"] == 3
    view = await dana.until_view(lambda v: v["session"]["consent"]["rev"] == 3)
    assert view["session"]["consent"]["said"] == {
        "person.assessment": "given", "person.treatment": "given", "person.agency": "refused",
    }  # fmt: skip
    async with house.db.read() as conn:
        rows = await consents.of_session(conn, house.desk.vault, session)
    assert {(row.recorded_by, row.consent.language) for row in rows} == {("per_dana", "es")}
    known, now = [row.consent for row in rows], house.clock.now
    summary = frozenset({"summary"})
    assert covering(known, Disclosure("treatment", "centre", summary, now)) is not None
    assert covering(known, Disclosure("agency", "agency", summary, now)) is None


async def test_the_timeline_says_that_it_was_asked_and_nothing_else(house: House) -> None:
    _, dana, session, _ = await called(house)
    said = [heard("treatment", participant="guardian")]
    await dana.send(
        "consent.save", session=session, rev=0, language="en", said=said, giver="Ann Doe"
    )
    told = [(e.kind, e.data) for e in await timeline_of(house, session)]
    assert ("consent.said", {}) in told
    assert "Ann" not in repr(told)
    view = await dana.until_view(lambda v: v["session"]["consent"]["rev"] == 1)
    assert view["session"]["consent"]["giver"] == "Ann Doe"


async def test_a_second_page_that_missed_a_decision_writes_nothing_and_learns_it(
    house: House,
) -> None:
    _, dana, session, _ = await called(house)
    await dana.send(
        "consent.save", session=session, rev=0, language="en", said=[heard("treatment", "refused")]
    )
    with pytest.raises(Refused) as refused:
        await dana.send(
            "consent.save", session=session, rev=0, language="en", said=[heard("treatment")]
        )
    assert refused.value.code == "conflict"
    assert refused.value.data == {"rev": 1, "said": {"person.treatment": "refused"}}
    async with house.db.read() as conn:
        assert len(await consents.of_session(conn, house.desk.vault, session)) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("said", [heard("gossip")]),
        ("said", [heard("treatment", "signed")]),
        ("said", [heard("treatment", participant="officer")]),
        ("said", []),
        ("language", "fr"),
    ],
)
async def test_what_cannot_be_heard_is_refused(house: House, field: str, value: object) -> None:
    _, dana, session, _ = await called(house)
    body = {"session": session, "rev": 0, "language": "en", "said": [heard("treatment")]}
    with pytest.raises(Refused):
        await dana.send("consent.save", **(body | {field: value}))
    async with house.db.read() as conn:
        assert await consents.of_session(conn, house.desk.vault, session) == []


async def test_nobody_but_who_cares_for_the_person_writes_or_revokes(house: House) -> None:
    _, dana, session, _ = await called(house)
    miguel = await house.page("miguel")
    with pytest.raises(Refused):
        await miguel.send(
            "consent.save", session=session, rev=0, language="en", said=[heard("treatment")]
        )
    await dana.send(
        "consent.save", session=session, rev=0, language="en", said=[heard("treatment")]
    )
    async with house.db.read() as conn:
        (row,) = await consents.of_session(conn, house.desk.vault, session)
    with pytest.raises(NoSuchSession):
        await consent_commands.revoke(house.desk, ACTORS["miguel"], session, row.consent.id)
    await consent_commands.revoke(house.desk, ACTORS["dana"], session, row.consent.id)
    await consent_commands.revoke(house.desk, ACTORS["dana"], session, row.consent.id)
    kinds = [e.kind for e in await timeline_of(house, session)]
    assert kinds.count("consent.revoked") == 1
    view = await dana.until_view(
        lambda v: v["session"]["consent"]["said"].get("person.treatment") == "revoked"
    )
    assert view["session"]["consent"]["rev"] == 1


def _filmed(camera: str, view: dict[str, Any]) -> bool:
    return bool(view["session"]["body_camera"] == camera)


async def test_the_officer_says_whether_the_body_camera_runs_and_the_clinician_sees_it(
    house: House,
) -> None:
    tablet, dana, session, _ = await called(house)
    for camera in ("on", "muted", "off"):
        await tablet.send("session.body_camera", session=session, camera=camera)
        for page in (dana, tablet):
            await page.until_view(partial(_filmed, camera))
    with pytest.raises(Refused):
        await tablet.send("session.body_camera", session=session, camera="perhaps")
    assert (await row_of(house, session)).body_camera == "off"
    told = [e.data for e in await timeline_of(house, session) if e.kind == "session.body_camera"]
    assert told == [{"camera": "on"}, {"camera": "muted"}, {"camera": "off"}]


async def test_a_card_that_is_sent_is_on_the_list_of_what_was_given_out(house: House) -> None:
    _, dana, session, epoch = await called(house)
    card = {"level": "soon", "disposition": "remain_in_place", "actions": [], "words": "Stay."}
    await dana.send("card.save", session=session, epoch=epoch, rev=0, card=card, send=False)
    async with house.db.read() as conn:
        assert await disclosures.of_session(conn, house.desk.vault, session) == []
    await dana.send("card.save", session=session, epoch=epoch, rev=1, card=card, send=True)
    async with house.db.read() as conn:
        (given,) = await disclosures.of_session(conn, house.desk.vault, session)
    assert (given.given.way, given.given.recipient, given.given.basis) == (
        "card", "agency", "safety",
    )  # fmt: skip
    assert (given.actor_id, given.given.content) == ("per_dana", ("summary",))


async def handed_over(house: House) -> tuple[Page, Page, str, int]:
    tablet, dana, session, epoch = await called(house)
    await tablet.send("handover.start", session=session, epoch=epoch)
    await tablet.until_view(lambda v: v["session"]["phase"] == "handed_over")
    return tablet, dana, session, epoch


def put_on(session: str, epoch: int, **more: str) -> dict[str, object]:
    asked = {"participant": "person", "purpose": "treatment", "language": "es"}
    return {"session": session, "epoch": epoch, **asked, **more}


async def waiting(tablet: Page) -> dict[str, Any]:
    view = await tablet.until_view(lambda v: v["session"]["consent"] is not None)
    ask: dict[str, Any] = view["session"]["consent"]
    return ask


def signature(session: str, epoch: int, ask: dict[str, Any], **more: object) -> dict[str, object]:
    own = {"agreed": True, "name": "  Maria   Stone ", "substances": True}
    return {
        "session": session, "epoch": epoch, "ask": ask["id"], "wording": ask["wording"],
        **own, **more,
    }  # fmt: skip


async def test_a_typed_name_on_the_tablet_is_a_signature_that_covers_part_two(house: House) -> None:
    tablet, dana, session, epoch = await handed_over(house)
    await dana.send("consent.ask", **put_on(session, epoch))
    ask = await waiting(tablet)
    assert (ask["purpose"], ask["language"]) == ("treatment", "es")
    await tablet.send("consent.answer", **signature(session, epoch, ask))
    await tablet.until_view(lambda v: v["session"]["consent"] is None)
    view = await dana.until_view(lambda v: v["session"]["consent"]["rev"] == 1)
    assert view["session"]["consent"]["signed"] == ["person.treatment"]
    assert view["session"]["consent"]["asked"] is None
    async with house.db.read() as conn:
        (row,) = await consents.of_session(conn, house.desk.vault, session)
        audit = (await conn.execute(select(schema.audit.c.actor_id).where(
            schema.audit.c.action == "consent.sign"))).scalars().all()  # fmt: skip
    said = row.consent
    assert (said.method, said.signature, said.language) == ("signed", "Maria Stone", "es")
    assert (row.recorded_by, audit) == ("per_dana", [ACTORS["tablet"].id])
    wanted = Disclosure("treatment", "centre", frozenset({"substance_use"}), house.clock.now)
    assert covering([said], wanted) is not None
    told = [(e.kind, e.data) for e in await timeline_of(house, session)]
    assert ("consent.asked", {}) in told
    assert "Maria" not in repr(told)


async def test_what_is_not_ticked_stays_here_and_a_refusal_is_kept_without_a_name(
    house: House,
) -> None:
    tablet, dana, session, epoch = await handed_over(house)
    await dana.send("consent.ask", **put_on(session, epoch, participant="guardian"))
    ask = await waiting(tablet)
    await tablet.send("consent.answer", **signature(session, epoch, ask, substances=False))
    await tablet.until_view(lambda v: v["session"]["consent"] is None)
    await dana.send("consent.ask", **put_on(session, epoch, purpose="agency"))
    ask = await waiting(tablet)
    await tablet.send("consent.answer", **signature(session, epoch, ask, agreed=False))
    async with house.db.read() as conn:
        rows = await consents.of_session(conn, house.desk.vault, session)
    said = {row.consent.purpose: row.consent for row in rows}
    first, second = said["treatment"], said["agency"]
    assert (first.participant, first.giver) == ("guardian", "Maria Stone")
    assert "substance_use" not in first.scope
    assert (second.method, second.signature, second.giver) == ("refused", "", "")


async def test_only_who_holds_the_handed_over_tablet_answers_what_waits_there(
    house: House,
) -> None:
    tablet, dana, session, epoch = await called(house)
    await dana.send("consent.ask", **put_on(session, epoch))
    view = await dana.until_view(lambda v: v["session"]["consent"]["asked"] is not None)
    ask = view["session"]["consent"]["asked"]
    with pytest.raises(Refused) as officers:  # who has the tablet still is the officer
        await tablet.send("consent.answer", **signature(session, epoch, ask))
    assert officers.value.code == "illegal-transition"
    await tablet.send("handover.start", session=session, epoch=epoch)
    assert (await waiting(tablet))["id"] == ask["id"]
    for wrong in ({"ask": "ask_other"}, {"name": "  "}, {"name": "x" * 121}, {"wording": "2019"}):
        with pytest.raises(Refused):
            await tablet.send("consent.answer", **(signature(session, epoch, ask) | wrong))
    await dana.send("consent.call_off", session=session, epoch=epoch)
    await tablet.until_view(lambda v: v["session"]["consent"] is None)
    with pytest.raises(Refused):
        await tablet.send("consent.answer", **signature(session, epoch, ask))
    async with house.db.read() as conn:
        assert await consents.of_session(conn, house.desk.vault, session) == []
