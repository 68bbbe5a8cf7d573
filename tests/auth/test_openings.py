"""Break-glass: an hour's reading with a reason, told and reviewed, and no other right."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import access, openings
from auth.actors import Actor
from auth.errors import Forbidden, NoSuchRecord
from auth.policy import Action, Target, allows
from records import schema
from records.crypto import Vault
from records.engine import Database
from records.errors import BadInput
from records.openings import OPEN_SECONDS
from records.schema_openings import opening
from tests.auth.cast import NOW
from tests.auth.test_factors import sits_in_a_call

WHY = "He is on the bridge now and I must know the plan."


def person(name: str, role: str, **places: str) -> Actor:
    return Actor("person", name, name, name, frozenset({role}), **places)  # type: ignore[arg-type]


COLLEAGUE = person("colleague_home", "clinician", provider_id="prv_home")
LEAD = person("clinician_home", "clinician", provider_id="prv_home")
SUPERVISOR = person("supervisor_home", "supervisor", provider_id="prv_home")
MANAGER = person("manager_home", "manager", program_id="prg_home")
AWAY = person("clinician_away", "clinician", provider_id="prv_away")
ADMIN = person("admin_home", "admin", program_id="prg_home")


@pytest.fixture
def vault() -> Vault:
    return Vault(bytes(range(32)))


@pytest.fixture
async def house(db: Database) -> Database:
    await db.write(sits_in_a_call)
    return db


async def test_a_colleagues_record_opens_for_an_hour_and_closes_by_itself(
    house: Database, vault: Vault
) -> None:
    with pytest.raises(NoSuchRecord):
        await access.read_session(house, vault, COLLEAGUE, "ses_x", NOW)
    opened = await openings.open_record(house, vault, COLLEAGUE, "111111", WHY, NOW)
    assert opened.session_id == "ses_x"
    record = await access.read_session(house, vault, COLLEAGUE, "ses_x", NOW + 1)
    assert (record.clinical, record.opened_until) == (True, NOW + OPEN_SECONDS)
    with pytest.raises(NoSuchRecord):
        await access.read_session(house, vault, COLLEAGUE, "ses_x", NOW + OPEN_SECONDS)
    async with house.read() as conn:
        rows = await conn.execute(select(schema.audit).order_by(schema.audit.c.no))
        told = [(row.action, row.object_id, row.outcome) for row in rows]
    assert told == [
        ("record.read", "ses_x", "refused"),
        ("record.break_glass", "ses_x", "allowed"),
        ("record.read_clinical", "ses_x", "allowed"),
        ("record.read", "ses_x", "refused"),
    ]


async def test_an_opening_gives_the_right_to_read_and_no_other(
    house: Database, vault: Vault
) -> None:
    await openings.open_record(house, vault, COLLEAGUE, "111111", WHY, NOW)
    record = await access.read_session(house, vault, COLLEAGUE, "ses_x", NOW + 1)
    rights = (record.may_add, record.may_sign, record.may_name, record.may_export)
    assert rights == (False, False, False, False)
    target = Target(provider_id="prv_home", lead_id="x", opened_to=frozenset({COLLEAGUE.id}))
    reading = {
        Action.RECORD_READ,
        Action.RECORD_READ_SUMMARY,
        Action.RECORD_READ_CLINICAL,
        Action.CARD_READ,
    }
    closed = Target(provider_id="prv_home", lead_id="x")
    gained = {
        one
        for one in Action
        if allows(COLLEAGUE, one, target) and not allows(COLLEAGUE, one, closed)
    }
    assert gained == reading


@pytest.mark.parametrize("reason", ["", "because", "a   b   c   d   e", "x" * 501])
async def test_a_reason_that_says_too_little_opens_nothing(
    house: Database, vault: Vault, reason: str
) -> None:
    with pytest.raises(BadInput):
        await openings.open_record(house, vault, COLLEAGUE, "111111", reason, NOW)
    async with house.read() as conn:
        assert (await conn.execute(select(opening))).first() is None


async def test_the_reason_is_sealed_and_only_the_provider_reads_it(
    house: Database, vault: Vault
) -> None:
    await openings.open_record(house, vault, COLLEAGUE, "111111", WHY, NOW)
    async with house.read() as conn:
        sealed = (await conn.execute(select(opening.c.reason_enc))).scalar_one()
    assert b"bridge" not in sealed
    assert [one.reason for one in await openings.listed(house, vault, SUPERVISOR, NOW)] == [WHY]
    assert [one.reason for one in await openings.listed(house, vault, MANAGER, NOW)] == [None]


async def test_another_providers_clinician_and_other_roles_open_nothing(
    house: Database, vault: Vault
) -> None:
    with pytest.raises(NoSuchRecord):
        await openings.open_record(house, vault, AWAY, "111111", WHY, NOW)
    with pytest.raises(NoSuchRecord):
        await openings.open_record(house, vault, COLLEAGUE, "999999", WHY, NOW)
    for actor in (MANAGER, ADMIN, SUPERVISOR):
        with pytest.raises(Forbidden):
            await openings.open_record(house, vault, actor, "111111", WHY, NOW)
    for actor in (COLLEAGUE, ADMIN):
        with pytest.raises(Forbidden):
            await openings.listed(house, vault, actor, NOW)


async def test_ones_own_record_needs_no_opening(house: Database, vault: Vault) -> None:
    opened = await openings.open_record(house, vault, LEAD, "111111", WHY, NOW)
    assert opened.opening_id is None
    assert await openings.listed(house, vault, SUPERVISOR, NOW) == []


async def test_somebody_else_reviews_it_once(house: Database, vault: Vault) -> None:
    opened = await openings.open_record(house, vault, COLLEAGUE, "111111", WHY, NOW)
    opening_id = opened.opening_id or ""
    both = Actor(
        "person",
        COLLEAGUE.id,
        "C",
        "C",
        frozenset({"clinician", "supervisor"}),
        provider_id="prv_home",
    )
    with pytest.raises(NoSuchRecord):  # their own
        await openings.review(house, vault, both, opening_id, NOW)
    await openings.review(house, vault, SUPERVISOR, opening_id, NOW + 5)
    with pytest.raises(NoSuchRecord):
        await openings.review(house, vault, SUPERVISOR, opening_id, NOW + 6)
    (row,) = await openings.listed(house, vault, SUPERVISOR, NOW + 7)
    assert (row.reviewed_at, row.reviewed_by) == (NOW + 5, SUPERVISOR.id)


async def test_an_officer_who_called_for_themselves_is_not_on_a_managers_list(
    house: Database, vault: Vault
) -> None:
    async def own_care(conn: AsyncConnection) -> None:
        await conn.execute(update(schema.session).values(wellness=True))

    await house.write(own_care)
    opened = await openings.open_record(house, vault, COLLEAGUE, "111111", WHY, NOW)
    assert opened.wellness
    assert await openings.listed(house, vault, MANAGER, NOW) == []
    with pytest.raises(NoSuchRecord):
        await openings.review(house, vault, MANAGER, opened.opening_id or "", NOW)
    assert len(await openings.listed(house, vault, SUPERVISOR, NOW)) == 1
