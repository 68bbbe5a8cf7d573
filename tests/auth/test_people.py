"""People: added by a link that they use once, given roles within reach, shut out at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import factors, people, signin, totp
from auth.actors import Actor
from auth.errors import (
    BadCredentials,
    BadInvitation,
    BadPerson,
    Forbidden,
    InACall,
    Locked,
    NoSuchRecord,
    NotYourself,
    Revoked,
    SecondFactorNeeded,
    WeakPassword,
    WeakPin,
)
from auth.locks import Strangers
from auth.logins import SignedIn, actor_for_login
from auth.people import NewPerson
from auth.tablets import check_pin
from auth.tokens import Tokens
from records import schema
from records.crypto import Vault
from records.engine import Database
from records.people import shut_out_in_call
from records.schema_parties import participant
from tests.auth.cast import NOW, PASSWORD
from tests.auth.test_factors import sits_in_a_call
from tests.auth.test_manage import ADMIN, CLINICIAN, MANAGER

CHOSEN = "seven green kites"


def new(*roles: str, email: str = "noor@home.invalid") -> NewPerson:
    return NewPerson("Noor Haddad", "Noor", email, frozenset(roles))


async def enter(
    db: Database, tokens: Tokens, email: str, password: str, now: float = NOW
) -> SignedIn:
    return await signin.sign_in(db, tokens, email, password, now, strangers=Strangers())


async def actions(db: Database) -> list[tuple[str, str]]:
    async with db.read() as conn:
        rows = await conn.execute(
            select(schema.audit.c.action, schema.audit.c.outcome).order_by(schema.audit.c.no)
        )
        return [(row.action, row.outcome) for row in rows]


async def test_who_is_added_chooses_a_password_by_the_link_and_signs_in(
    db: Database, tokens: Tokens
) -> None:
    person_id, token = await people.add(db, ADMIN, new("clinician"), NOW)
    with pytest.raises(BadCredentials):
        await enter(db, tokens, "noor@home.invalid", CHOSEN)
    who = await people.accept(db, token, CHOSEN, "", NOW + 60)
    assert (who.person_id, who.password, who.pin) == (person_id, True, False)
    actor = (await enter(db, tokens, "noor@home.invalid", CHOSEN)).actor
    assert actor.roles == {"clinician"}
    assert (actor.agency_id, actor.provider_id, actor.program_id) == (None, "prv_home", None)
    assert [one for one in await actions(db) if one[0] != "login.start"] == [
        ("person.add", "allowed"),
        ("invitation.use", "allowed"),
    ]


async def test_an_officer_chooses_a_pin_and_no_password(db: Database) -> None:
    person_id, token = await people.add(db, ADMIN, new("officer"), NOW)
    with pytest.raises(WeakPin):
        await people.accept(db, token, "", "1234", NOW)
    await people.accept(db, token, "", "2749", NOW)
    await check_pin(db, person_id, "2749", NOW)
    async with db.read() as conn:
        found = await conn.execute(
            select(schema.person.c.password_hash).where(schema.person.c.id == person_id)
        )
        assert found.scalar_one() is None


async def test_a_link_works_once_for_three_days_and_only_the_newest(db: Database) -> None:
    person_id, first = await people.add(db, ADMIN, new("clinician"), NOW)
    with pytest.raises(WeakPassword):
        await people.accept(db, first, "password", "", NOW)
    with pytest.raises(WeakPassword):
        await people.accept(db, first, "Provider Home 2027", "", NOW)
    second = await people.invite(db, ADMIN, person_id, NOW + 1)
    with pytest.raises(BadInvitation):
        await people.accept(db, first, CHOSEN, "", NOW + 2)
    with pytest.raises(BadInvitation):
        await people.invited(db, second, NOW + 1 + people.INVITATION_SECONDS)
    tries = [people.accept(db, second, CHOSEN, "", NOW + 2) for _ in range(3)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(one) for one in done].count(people.Invited) == 1
    for token in ("", "x", second):
        with pytest.raises(BadInvitation):
            await people.invited(db, token, NOW + 3)


async def test_a_new_link_leaves_the_second_factor_and_the_old_password_until_it_is_used(
    db: Database, tokens: Tokens
) -> None:
    vault = Vault(bytes(range(32)))
    signed = await enter(db, tokens, "clinician@home.invalid", PASSWORD)
    secret = await factors.begin_app(db, vault, signed.actor, NOW)
    await factors.confirm_app(db, vault, signed.actor, totp.code_at(secret, int(NOW // 30)), NOW)
    token = await people.invite(db, ADMIN, "clinician_home", NOW)
    with pytest.raises(SecondFactorNeeded):
        await enter(db, tokens, "clinician@home.invalid", PASSWORD)
    await people.accept(db, token, CHOSEN, "", NOW)
    async with db.read() as conn:
        with pytest.raises(Revoked):
            await actor_for_login(conn, tokens, signed.token, NOW)
    with pytest.raises(BadCredentials):
        await enter(db, tokens, "clinician@home.invalid", PASSWORD)
    with pytest.raises(SecondFactorNeeded):
        await enter(db, tokens, "clinician@home.invalid", CHOSEN)
    await people.reset_factors(db, ADMIN, "clinician_home", NOW)
    assert await enter(db, tokens, "clinician@home.invalid", CHOSEN)


@pytest.mark.parametrize(
    ("person", "field"),
    [
        (NewPerson("", "N", "a@b.invalid", frozenset({"clinician"})), "name"),
        (NewPerson("N" * 81, "N", "a@b.invalid", frozenset({"clinician"})), "name"),
        (NewPerson("Noor", "\u200b", "a@b.invalid", frozenset({"clinician"})), "short_name"),
        (NewPerson("Noor", "N", "nowhere", frozenset({"clinician"})), "email"),
        (NewPerson("Noor", "N", "Clinician@Home.invalid", frozenset({"clinician"})), "email"),
        (NewPerson("Noor", "N", "a@b.invalid", frozenset()), "roles"),
        (NewPerson("Noor", "N", "a@b.invalid", frozenset({"king"})), "roles"),
    ],
)
async def test_what_cannot_be_used_is_named_and_nobody_is_added(
    db: Database, person: NewPerson, field: str
) -> None:
    before = len(await people.listed(db, ADMIN, NOW))
    with pytest.raises(BadPerson) as refused:
        await people.add(db, ADMIN, person, NOW)
    assert refused.value.field == field
    assert len(await people.listed(db, ADMIN, NOW)) == before


async def test_nobody_gives_a_role_whose_place_they_do_not_have(db: Database) -> None:
    small = replace(ADMIN, provider_id=None, program_id=None)
    assert people.grantable(small) == ("officer", "admin")
    for role in ("clinician", "supervisor", "manager"):
        with pytest.raises(BadPerson):
            await people.add(db, small, new(role), NOW)


async def test_whoever_reaches_further_is_out_of_reach(db: Database, tokens: Tokens) -> None:
    """An agency's administrator must not take over one who also belongs to the provider."""
    _, token = await people.add(db, ADMIN, new("admin"), NOW)
    who = await people.accept(db, token, CHOSEN, "", NOW)
    small = replace(ADMIN, id="admin_small", provider_id=None, program_id=None)
    assert who.person_id not in {one.id for one in await people.listed(db, small, NOW)}
    for work in (
        people.invite(db, small, who.person_id, NOW),
        people.reset_factors(db, small, who.person_id, NOW),
        people.close(db, small, who.person_id, NOW),
        people.set_roles(db, small, who.person_id, {"officer"}, NOW),
    ):
        with pytest.raises(NoSuchRecord):
            await work
    assert (await enter(db, tokens, "noor@home.invalid", CHOSEN)).actor.id == who.person_id


@pytest.mark.parametrize("actor", [CLINICIAN, MANAGER])
async def test_only_an_administrator_manages_people(db: Database, actor: Actor) -> None:
    for work in (
        people.listed(db, actor, NOW),
        people.invite(db, actor, "officer_home", NOW),
        people.close(db, actor, "officer_home", NOW),
        people.reset_factors(db, actor, "officer_home", NOW),
    ):
        with pytest.raises(Forbidden):
            await work
    with pytest.raises((Forbidden, BadPerson)):
        await people.add(db, actor, new("clinician"), NOW)


async def test_people_of_another_organisation_are_neither_seen_nor_changed(db: Database) -> None:
    seen = {one.id for one in await people.listed(db, ADMIN, NOW)}
    assert "clinician_home" in seen
    assert not any(one.endswith("_away") for one in seen)
    for work in (
        people.invite(db, ADMIN, "clinician_away", NOW),
        people.close(db, ADMIN, "clinician_away", NOW),
        people.set_roles(db, ADMIN, "per_unknown", {"officer"}, NOW),
    ):
        with pytest.raises(NoSuchRecord):
            await work


async def test_who_is_shut_out_is_out_at_once_and_may_be_let_in_again(
    db: Database, tokens: Tokens
) -> None:
    signed = await enter(db, tokens, "clinician@home.invalid", PASSWORD)
    token = await people.invite(db, ADMIN, "clinician_home", NOW)
    await people.close(db, ADMIN, "clinician_home", NOW)
    async with db.read() as conn:
        with pytest.raises(Revoked):
            await actor_for_login(conn, tokens, signed.token, NOW)
    with pytest.raises(BadCredentials):
        await enter(db, tokens, "clinician@home.invalid", PASSWORD)
    with pytest.raises(BadInvitation):
        await people.accept(db, token, CHOSEN, "", NOW)
    await people.reopen(db, ADMIN, "clinician_home", NOW)
    assert await enter(db, tokens, "clinician@home.invalid", PASSWORD)
    with pytest.raises(BadInvitation):
        await people.accept(db, token, CHOSEN, "", NOW)


async def test_nobody_shuts_themselves_out(db: Database) -> None:
    for work in (
        people.close(db, ADMIN, ADMIN.id, NOW),
        people.set_roles(db, ADMIN, ADMIN.id, {"officer"}, NOW),
        people.reset_factors(db, ADMIN, ADMIN.id, NOW),
    ):
        with pytest.raises(NotYourself):
            await work


async def test_what_asks_for_another_sign_in_waits_for_a_call_but_shutting_out_does_not(
    db: Database,
) -> None:
    await db.write(sits_in_a_call)
    with pytest.raises(InACall):  # a role that they do not have
        await people.set_roles(db, ADMIN, "clinician_home", {"clinician", "admin"}, NOW)
    with pytest.raises(InACall):
        await people.reset_factors(db, ADMIN, "clinician_home", NOW)
    await people.close(db, ADMIN, "clinician_home", NOW)


@pytest.mark.parametrize(
    ("seat", "left", "out"),
    [
        ("lead", {"clinician"}, False),
        ("lead", {"supervisor"}, False),
        ("lead", {"manager"}, True),
        ("receiver", {"clinician"}, False),
        ("supervisor", {"supervisor"}, False),
        ("supervisor", {"clinician"}, True),
        ("supervisor", {"admin", "manager"}, True),
    ],
)
async def test_a_role_that_is_taken_away_ends_the_part_in_a_call_which_it_gave_and_no_other(
    db: Database, tokens: Tokens, seat: str, left: set[str], out: bool
) -> None:
    every = {"clinician", "supervisor", "manager", "admin"}
    assert await people.set_roles(db, ADMIN, "clinician_home", every, NOW)
    signed = await enter(db, tokens, "clinician@home.invalid", PASSWORD)
    await db.write(sits_in_a_call)
    role = update(participant).values(role=seat, seat="clinician" if seat == "lead" else "side1")
    await db.write(lambda conn: conn.execute(role))
    assert await people.set_roles(db, ADMIN, "clinician_home", left, NOW) is out
    async with db.read() as conn:
        if out:
            assert await shut_out_in_call(conn) == ["clinician_home"]
            with pytest.raises(Revoked):
                await actor_for_login(conn, tokens, signed.token, NOW)
            return
        assert await shut_out_in_call(conn) == []
        assert (await actor_for_login(conn, tokens, signed.token, NOW)).roles == left
    over = update(participant).values(left_at=NOW)
    await db.write(lambda conn: conn.execute(over))
    async with db.read() as conn:
        with pytest.raises(Revoked):  # what they may do now is asked of a sign-in made with it
            await actor_for_login(conn, tokens, signed.token, NOW)


@pytest.mark.parametrize("called", [False, True], ids=["at rest", "in a session"])
async def test_who_is_no_officer_any_more_has_no_tablet_but_in_a_session(
    db: Database, called: bool
) -> None:
    shift = schema.shift
    on = {"id": "shf_x", "tablet_id": "tab_home", "person_id": "officer_home", "started_at": NOW}
    await db.write(lambda conn: conn.execute(insert(shift).values(**on)))
    if called:
        await db.write(sits_in_a_call)
    await people.set_roles(db, ADMIN, "officer_home", {"manager"}, NOW + 1)
    async with db.read() as conn:
        ended = (await conn.execute(select(shift.c.ended_at).where(shift.c.id == "shf_x"))).scalar()
    assert ended == (None if called else NOW + 1)


async def test_new_roles_bring_their_places_and_end_the_sign_ins(
    db: Database, tokens: Tokens
) -> None:
    signed = await enter(db, tokens, "clinician@home.invalid", PASSWORD)
    await people.set_roles(db, ADMIN, "clinician_home", {"manager", "supervisor"}, NOW)
    async with db.read() as conn:
        with pytest.raises(Revoked):
            await actor_for_login(conn, tokens, signed.token, NOW)
    actor = (await enter(db, tokens, "clinician@home.invalid", PASSWORD)).actor
    assert actor.roles == {"manager", "supervisor"}
    assert (actor.agency_id, actor.provider_id, actor.program_id) == (
        None,
        "prv_home",
        "prg_home",
    )


async def test_the_only_administrator_comes_back_by_the_command_line_whatever_shut_them_out(
    db: Database, tokens: Tokens
) -> None:
    """Anybody who knows the address can lock it, and nobody but another administrator opens it."""
    who = new("admin", email="clinician@home.invalid")
    actor = (await enter(db, tokens, who.email, PASSWORD)).actor
    assert await factors.make_recovery_codes(db, actor, NOW)
    for _ in range(5):
        with pytest.raises((BadCredentials, Locked)):
            await enter(db, tokens, who.email, "wrong wrong wrong")
    plain = await db.write(lambda conn: people.make_first(conn, who, {}, NOW))
    await people.accept(db, plain, CHOSEN, "", NOW)
    with pytest.raises(Locked):  # a new password opens no lock
        await enter(db, tokens, who.email, CHOSEN)
    await db.write(lambda conn: people.make_first(conn, who, {}, NOW, release=True, reset=True))
    assert (await enter(db, tokens, who.email, CHOSEN)).actor.id == "clinician_home"
    async with db.read() as conn:
        assert (await factors.has(conn, "clinician_home")).recovery_left == 0
    done = {("person.release_lock", "allowed"), ("person.reset_factors", "allowed")}
    assert done <= set(await actions(db))


async def test_the_first_administrator_comes_from_the_command_line(
    db: Database, tokens: Tokens
) -> None:
    places: dict[str, str | None] = {"program_id": "prg_home"}

    async def work(conn: AsyncConnection) -> str:
        return await people.make_first(conn, new("admin"), places, NOW)

    token = await db.write(work)
    await people.accept(db, token, CHOSEN, "", NOW)
    actor = (await enter(db, tokens, "noor@home.invalid", CHOSEN)).actor
    assert actor.roles == {"admin"}
    assert actor.program_id == "prg_home"
    again = await db.write(work)  # they are there: a fresh invitation, no second account
    await people.accept(db, again, "other " + CHOSEN, "", NOW)
