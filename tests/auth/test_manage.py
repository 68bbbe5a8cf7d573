"""Managing people and tablets: within one's own organisation, and each time on record."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from auth import manage
from auth.actors import Actor
from auth.errors import (
    AuditFailed,
    BadCode,
    BadCredentials,
    BadPin,
    Forbidden,
    Locked,
    NoSuchRecord,
    PinLocked,
    Revoked,
    TabletRevoked,
    WeakPassword,
    WeakPin,
)
from auth.locks import Strangers
from auth.signin import SignedIn, actor_for_login, sign_in
from auth.tablets import actor_for_tablet, check_pin, enrol, start_shift
from auth.tokens import Tokens
from records import schema
from records.engine import Database
from tests.auth.cast import NOW, PASSWORD, PIN

ADMIN = Actor(
    "person",
    "admin_home",
    "Admin",
    "Admin",
    frozenset({"admin"}),
    agency_id="agy_home",
    provider_id="prv_home",
    program_id="prg_home",
)
MANAGER = Actor(
    "person", "manager_home", "Manager", "Manager", frozenset({"manager"}), program_id="prg_home"
)
CLINICIAN = Actor(
    "person",
    "clinician_home",
    "Clinician",
    "Clinician",
    frozenset({"clinician"}),
    provider_id="prv_home",
)


async def _audited(db: Database) -> list[tuple[str, str | None, str]]:
    async with db.read() as conn:
        rows = (await conn.execute(select(schema.audit).order_by(schema.audit.c.no))).all()
    return [(row.action, row.object_id, row.outcome) for row in rows]


async def _sign_in(db: Database, tokens: Tokens, password: str = PASSWORD) -> SignedIn:
    email = "clinician@home.invalid"
    return await sign_in(db, tokens, email, password, NOW, strangers=Strangers())


@pytest.mark.parametrize("actor", [ADMIN, MANAGER])
async def test_a_tablet_is_set_up_and_revoked_by_those_who_may(
    db: Database, tokens: Tokens, actor: Actor
) -> None:
    code = await manage.make_code(db, actor, "tab_home", NOW)
    token, _ = await enrol(db, tokens, code, NOW)
    await manage.revoke_tablet(db, actor, "tab_home", NOW)
    with pytest.raises(TabletRevoked):
        async with db.read() as conn:
            await actor_for_tablet(conn, tokens, token, NOW)
    assert await _audited(db) == [
        ("tablet.make_code", "tab_home", "allowed"),
        ("tablet.enrol", "tab_home", "allowed"),
        ("tablet.revoke", "tab_home", "allowed"),
    ]


async def test_another_organisations_tablet_and_an_unknown_one_are_refused_alike(
    db: Database,
) -> None:
    for tablet_id in ("tab_away", "tab_unknown"):
        with pytest.raises(NoSuchRecord):
            await manage.make_code(db, ADMIN, tablet_id, NOW)
        with pytest.raises(NoSuchRecord):
            await manage.revoke_tablet(db, MANAGER, tablet_id, NOW)
    assert [row[2] for row in await _audited(db)] == ["refused"] * 4


async def test_a_clinician_manages_nothing(db: Database) -> None:
    with pytest.raises(Forbidden):
        await manage.make_code(db, CLINICIAN, "tab_home", NOW)
    with pytest.raises(Forbidden):
        await manage.release_lock(db, CLINICIAN, "clinician_home", NOW)
    with pytest.raises(Forbidden):
        await manage.list_tablets(db, CLINICIAN, NOW)
    with pytest.raises(Forbidden):
        await manage.list_locked(db, CLINICIAN, NOW)
    assert [row[2] for row in await _audited(db)] == ["refused"] * 4


async def test_the_list_of_tablets_holds_ones_own_and_who_has_them(
    db: Database, tokens: Tokens
) -> None:
    _, tablet = await enrol(db, tokens, await manage.make_code(db, ADMIN, "tab_home", NOW), NOW)
    await start_shift(db, tablet, "officer_home", PIN, NOW)
    listed = {one.id: one for one in await manage.list_tablets(db, MANAGER, NOW)}
    assert set(listed) == {"tab_home", "tab2_home"}
    assert listed["tab_home"].officer == "Officer of home"
    assert listed["tab_home"].enrolled_at == NOW
    assert listed["tab2_home"].officer is None


async def test_an_administrator_finds_and_releases_a_locked_pin(db: Database) -> None:
    for _ in range(5):
        with pytest.raises((BadPin, PinLocked)):
            await check_pin(db, "officer_home", "1357", NOW)
    assert [one.id for one in await manage.list_locked(db, ADMIN, NOW)] == ["officer_home"]
    with pytest.raises(Forbidden):
        await manage.release_lock(db, MANAGER, "officer_home", NOW)
    with pytest.raises(PinLocked):
        await check_pin(db, "officer_home", PIN, NOW)
    await manage.release_lock(db, ADMIN, "officer_home", NOW)
    await check_pin(db, "officer_home", PIN, NOW)
    assert await manage.list_locked(db, ADMIN, NOW) == []


async def test_an_administrator_of_another_organisation_neither_finds_nor_releases_the_lock(
    db: Database,
) -> None:
    for _ in range(5):
        with pytest.raises((BadPin, PinLocked)):
            await check_pin(db, "officer_away", "1357", NOW)
    assert await manage.list_locked(db, ADMIN, NOW) == []
    with pytest.raises(NoSuchRecord):
        await manage.release_lock(db, ADMIN, "officer_away", NOW)
    with pytest.raises(PinLocked):
        await check_pin(db, "officer_away", PIN, NOW)


async def test_a_closed_account_is_signed_out_and_stays_out(db: Database, tokens: Tokens) -> None:
    signed = await _sign_in(db, tokens)
    await manage.close_account(db, ADMIN, "clinician_home", NOW)
    with pytest.raises(Revoked):
        async with db.read() as conn:
            await actor_for_login(conn, tokens, signed.token, NOW)
    with pytest.raises(BadCredentials):
        await _sign_in(db, tokens)


async def test_a_new_password_ends_the_sign_ins_of_the_old_one(
    db: Database, tokens: Tokens
) -> None:
    signed = await _sign_in(db, tokens)
    await manage.set_password(db, ADMIN, "clinician_home", "a new quiet morning", NOW)
    with pytest.raises(Revoked):
        async with db.read() as conn:
            await actor_for_login(conn, tokens, signed.token, NOW)
    with pytest.raises((BadCredentials, Locked)):
        await _sign_in(db, tokens)
    assert (await _sign_in(db, tokens, "a new quiet morning")).actor.id == "clinician_home"


async def test_weak_secrets_and_other_peoples_are_refused_and_change_nothing(
    db: Database, tokens: Tokens
) -> None:
    with pytest.raises(WeakPassword):
        await manage.set_password(db, ADMIN, "clinician_home", "Clinician of home", NOW)
    with pytest.raises(WeakPin):
        await manage.set_pin(db, ADMIN, "officer_home", "1234", NOW)
    with pytest.raises(NoSuchRecord):
        await manage.set_pin(db, ADMIN, "officer_away", "902174", NOW)
    with pytest.raises(Forbidden):
        await manage.set_password(db, MANAGER, "clinician_home", "a new quiet morning", NOW)
    await _sign_in(db, tokens)
    await check_pin(db, "officer_home", PIN, NOW)
    await check_pin(db, "officer_away", PIN, NOW)


async def test_a_new_pin_takes_the_place_of_the_old_one(db: Database) -> None:
    await manage.set_pin(db, ADMIN, "officer_home", "902174", NOW)
    await check_pin(db, "officer_home", "902174", NOW)
    with pytest.raises(BadPin):
        await check_pin(db, "officer_home", PIN, NOW)


async def test_when_the_audit_fails_nothing_is_changed(db: Database, tokens: Tokens) -> None:
    code = await manage.make_code(db, ADMIN, "tab_home", NOW)
    token, _ = await enrol(db, tokens, code, NOW)
    await db.write(lambda conn: conn.execute(text("DROP TABLE audit")))
    with pytest.raises(AuditFailed):
        await manage.revoke_tablet(db, ADMIN, "tab_home", NOW)
    async with db.read() as conn:
        assert (await actor_for_tablet(conn, tokens, token, NOW)).id == "tab_home"
    with pytest.raises(BadCode):
        await enrol(db, tokens, code, NOW)
