"""Plain SQL tries to store every state that must not exist; the schema refuses each of them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from records import schema
from records.engine import Database
from tests.records.cast import NOW, put


def _session(name: str, **values: Any) -> dict[str, Any]:
    number = int(name.rsplit("_", 1)[1])
    return {
        "id": name,
        "code": "482913",
        "press_key": f"key-{name}",
        "agency_id": "agy_1",
        "provider_id": "prv_1",
        "program_id": "prg_1",
        "tablet_id": f"tab_{number}",
        "state": "waiting",
        "seq": number,
        "pressed_at": NOW,
        **values,
    }


def _offer(name: str, **values: Any) -> dict[str, Any]:
    return {
        "id": name,
        "session_id": "ses_1",
        "clinician_id": "per_dana",
        "epoch": 0,
        "token": "t",
        "state": "pending",
        "sent_at": NOW,
        "deliver_by": NOW + 3,
        "expires_at": NOW + 20,
        **values,
    }


LED = {"state": "connected", "lead_id": "per_dana"}


@pytest.mark.parametrize(
    "values",
    [
        {"state": "lost"},
        {"phase": "lunch"},
        {"state": "answering"},
        {"state": "connected"},
        {"state": "recovering"},
        {"state": "waiting", "lead_id": "per_dana"},
        {"state": "closed"},
        {"tablet_id": "tab_nobody"},
        {"lead_id": "per_nobody", "state": "connected"},
        {"press_key": None},
    ],
    ids=str,
)
async def test_an_impossible_session_cannot_be_stored(db: Database, values: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError):
        await put(db, schema.session, **_session("ses_1", **values))
    await put(db, schema.session, **_session("ses_1"))  # without the fault it can


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({}, {"press_key": "key-ses_1"}, id="one press, two sessions"),
        pytest.param({}, {"tablet_id": "tab_1"}, id="two open sessions of a tablet"),
        pytest.param(LED, {"tablet_id": "tab_1"}, id="a press beside a call"),
        pytest.param(LED, LED, id="a clinician in two calls"),
        pytest.param(
            LED, {"state": "answering", "lead_id": "per_dana"}, id="answering while in a call"
        ),
        pytest.param(
            {"state": "recovering", "lead_id": "per_dana"}, LED, id="a call while another recovers"
        ),
        pytest.param({}, {"seq": 1}, id="two at one place in line"),
    ],
)
async def test_two_sessions_that_exclude_each_other_cannot_both_be_stored(
    db: Database, first: dict[str, Any], second: dict[str, Any]
) -> None:
    await put(db, schema.session, **_session("ses_1", **first))
    with pytest.raises(IntegrityError):
        await put(db, schema.session, **_session("ses_2", **second))


async def test_a_clinician_with_a_wrap_up_can_take_the_next_call(db: Database) -> None:
    await put(db, schema.session, **_session("ses_1", state="wrap_up", lead_id="per_dana"))
    await put(db, schema.session, **_session("ses_2", **LED))


async def test_changing_a_row_into_an_impossible_state_is_refused_too(db: Database) -> None:
    await put(db, schema.session, **_session("ses_1", **LED))
    with pytest.raises(IntegrityError):
        await db.write(lambda conn: conn.execute(update(schema.session).values(lead_id=None)))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({}, {}, id="a clinician rung twice"),
        pytest.param({"state": "delivered"}, {"sent_at": NOW + 1}, id="rung while it rings"),
        pytest.param(
            {"state": "accepted"},
            {"state": "accepted", "clinician_id": "per_miguel"},
            id="one assignment accepted twice",
        ),
        pytest.param({"state": "declined"}, {"state": "expired"}, id="the same offer twice"),
    ],
)
async def test_two_offers_that_exclude_each_other_cannot_both_be_stored(
    db: Database, first: dict[str, Any], second: dict[str, Any]
) -> None:
    await put(db, schema.session, **_session("ses_1"))
    await put(db, schema.offer, **_offer("off_1", **first))
    with pytest.raises(IntegrityError):
        await put(db, schema.offer, **_offer("off_2", **second))


async def test_an_offer_of_an_unknown_state_or_session_cannot_be_stored(db: Database) -> None:
    await put(db, schema.session, **_session("ses_1"))
    for wrong in ({"state": "maybe"}, {"session_id": "ses_none"}):
        with pytest.raises(IntegrityError):
            await put(db, schema.offer, **_offer("off_1", **wrong))


async def test_the_next_assignment_may_be_accepted_again(db: Database) -> None:
    await put(db, schema.session, **_session("ses_1"))
    await put(db, schema.offer, **_offer("off_1", state="accepted"))
    await put(db, schema.offer, **_offer("off_2", state="accepted", epoch=1))


async def test_people_roles_shifts_and_rosters_have_their_bounds(db: Database) -> None:
    roster = {
        "id": "ros_9", "provider_id": "prv_1", "person_id": "per_dana", "tier": 1, "days": 1,
        "starts_minute": 0, "ends_minute": 60, "timezone": "UTC",
    }  # fmt: skip
    for table, values in (
        (schema.role_grant, {"person_id": "per_dana", "role": "queen", "granted_at": NOW}),
        (schema.shift, {"id": "s", "tablet_id": "tab_1", "person_id": "per_sam", "started_at": 1}),
        (schema.person, {"id": "x", "name": "", "short_name": "", "email": "per_sam@demo.invalid"}),
        (schema.roster_entry, roster | {"days": 0}),
        (schema.roster_entry, roster | {"days": 128}),
        (schema.roster_entry, roster | {"tier": 0}),
    ):  # fmt: skip
        with pytest.raises(IntegrityError):
            await put(db, table, **values)
    await put(db, schema.roster_entry, **roster)


async def test_a_timeline_has_no_two_entries_of_one_number(db: Database) -> None:
    await put(db, schema.session, **_session("ses_1"))
    entry = {
        "session_id": "ses_1", "no": 1, "at": NOW, "kind": "session.pressed",
        "actor_kind": "officer",
    }  # fmt: skip
    await put(db, schema.timeline, **entry)
    with pytest.raises(IntegrityError):
        await put(db, schema.timeline, **entry)
