"""People of a directory, once its token was checked: the same on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select

from auth import issuer_links, sso
from auth.errors import NotInGroup, SignOnIncomplete
from auth.sso_rules import GroupRule, Issuer
from auth.tokens import Tokens
from records import schema
from records.engine import Database
from tests.auth.cast import NOW

HOME = Issuer(
    id="home",
    name="Home",
    url="https://login.home.example",
    client_id="crisisbridge",
    rules=(
        GroupRule("clinicians", frozenset({"clinician"}), provider_id="prv_home"),
        GroupRule("managers", frozenset({"manager"}), program_id="prg_home"),
    ),
)
TERMS = sso.Terms(hours=12)


def said(sub: str, *groups: str, **more: Any) -> dict[str, Any]:
    claims = {"sub": sub, "groups": list(groups), "name": f"{sub} of Home"}
    return {**claims, "email": f"{sub}@home.example", **more}


async def test_many_first_sign_ins_at_once_make_one_person(
    either: Database, tokens: Tokens
) -> None:
    claims = said("nina", "clinicians")
    signed = await asyncio.gather(
        *(sso.sign_in(either, tokens, HOME, claims, NOW, TERMS) for _ in range(8))
    )
    assert len({one.actor.id for one in signed}) == 1
    assert {one.actor.roles for one in signed} == {frozenset({"clinician"})}
    async with either.read() as conn:
        links = await conn.execute(
            select(func.count())
            .select_from(schema.person)
            .where(schema.person.c.email == "nina@home.example")
        )
        assert links.scalar_one() == 1


async def test_another_issuers_same_subject_is_another_person(
    either: Database, tokens: Tokens
) -> None:
    away = Issuer("away", "Away", "https://login.away.example", "crisisbridge", HOME.rules)
    one = await sso.sign_in(either, tokens, HOME, said("17", "managers"), NOW, TERMS)
    other = said("17", "managers", email="other@home.example")
    two = await sso.sign_in(either, tokens, away, other, NOW, TERMS)
    assert one.actor.id != two.actor.id


async def test_groups_are_followed_and_their_loss_too(either: Database, tokens: Tokens) -> None:
    first = await sso.sign_in(either, tokens, HOME, said("otto", "clinicians"), NOW, TERMS)
    both = said("otto", "clinicians", "managers")
    second = await sso.sign_in(either, tokens, HOME, both, NOW + 1, TERMS)
    assert second.actor.id == first.actor.id
    assert second.actor.roles == {"clinician", "manager"}
    assert (second.actor.provider_id, second.actor.program_id) == ("prv_home", "prg_home")
    with pytest.raises(NotInGroup):
        await sso.sign_in(either, tokens, HOME, said("otto"), NOW + 2, TERMS)
    async with either.read() as conn:
        row = (
            await conn.execute(select(schema.person).where(schema.person.c.id == first.actor.id))
        ).one()
        grant = schema.role_grant
        roles = await conn.execute(select(grant.c.role).where(grant.c.person_id == row.id))
        assert (row.provider_id, row.program_id, list(roles)) == (None, None, [])


async def test_what_the_file_says_of_other_ways_is_followed(
    either: Database, tokens: Tokens
) -> None:
    signed = await sso.sign_in(either, tokens, HOME, said("pia", "managers"), NOW, TERMS)
    for issuers, alone in (([HOME], True), ([], False), ([HOME], True)):
        async with either.read() as conn:
            assert await issuer_links.unknown_places(conn, issuers) == []
        await either.write(partial(issuer_links.follow_settings, issuers=issuers))
        async with either.read() as conn:
            assert await issuer_links.is_alone(conn, signed.actor.id) is alone


@pytest.mark.parametrize(
    "odd",
    [
        {"name": ""},
        {"name": None},
        {"email": ""},
        {"email": "no address"},
        {"email": None},
        {"name": "Ann\u202eEve"},  # letters that turn the line around
    ],
)
async def test_who_is_new_needs_a_name_and_an_address(
    db: Database, tokens: Tokens, odd: dict[str, Any]
) -> None:
    with pytest.raises(SignOnIncomplete):
        await sso.sign_in(db, tokens, HOME, said("rosa", "managers", **odd), NOW, TERMS)


async def test_an_officer_stays_one_whatever_their_groups_say(db: Database, tokens: Tokens) -> None:
    async with db.read() as conn:
        officer = (
            await conn.execute(select(schema.person).where(schema.person.c.id == "officer_home"))
        ).one()
    await db.write(lambda conn: issuer_links.add(conn, HOME, "sam", officer.id, NOW))
    signed = await sso.sign_in(db, tokens, HOME, said("sam", "managers"), NOW, TERMS)
    assert signed.actor.roles == {"officer", "manager"}
    assert signed.actor.agency_id == officer.agency_id
    with pytest.raises(NotInGroup):
        await sso.sign_in(db, tokens, HOME, said("sam"), NOW, TERMS)
    async with db.read() as conn:
        grant = schema.role_grant
        left = await conn.execute(select(grant.c.role).where(grant.c.person_id == officer.id))
        assert set(left.scalars()) == {"officer"}
