"""A sign-in's tokens on both databases: one renewal at a time, and an old token ends it."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import insert, select, update

from auth import audit, logins, renewals
from auth.errors import Copied, NotSignedIn, Revoked
from auth.logins import Allowed, SignedIn
from auth.renewal_rules import ACCESS_SECONDS, GRACE_SECONDS
from auth.renewals import KEPT_SECONDS, Renewed
from auth.tokens import Tokens
from records import schema
from records.engine import Database

NOW = 1_800_000_000.0
HOURS = 12.0
EXPIRED: tuple[Allowed, ...] = ("expired",)
BROWSER = "Mozilla/5.0 (of the tests)"


@pytest.fixture
def tokens() -> Tokens:
    return Tokens("a secret of the tests, long enough to sign with")


@pytest.fixture
async def signed(db: Database, tokens: Tokens) -> SignedIn:
    person = schema.person
    async with db.read() as conn:
        who = (await conn.execute(select(person.c.id).where(person.c.active).limit(1))).scalar_one()
    return await db.write(lambda conn: logins.open_login(conn, tokens, who, NOW, HOURS))


async def renew(
    db: Database, tokens: Tokens, token: str | None, now: float, browser: str = BROWSER
) -> Renewed:
    return await renewals.renew(db, tokens, token or "", browser, now)


async def let_in(db: Database, tokens: Tokens, token: str, now: float) -> str:
    async with db.read() as conn:
        return (await logins.actor_for_login(conn, tokens, token, now)).id


async def trail(db: Database, action: str) -> list[tuple[str | None, str]]:
    entries = schema.audit
    async with db.read() as conn:
        assert await audit.verify(conn) is None
        rows = await conn.execute(
            select(entries.c.object_id, entries.c.outcome).where(entries.c.action == action)
        )
        return [(row.object_id, row.outcome) for row in rows]


async def test_a_token_lives_for_ten_minutes_and_is_renewed(
    db: Database, tokens: Tokens, signed: SignedIn
) -> None:
    assert await let_in(db, tokens, signed.token, NOW + ACCESS_SECONDS - 1) == signed.actor.id
    later = NOW + ACCESS_SECONDS
    with pytest.raises(NotSignedIn):
        await let_in(db, tokens, signed.token, later)
    fresh = await renew(db, tokens, signed.renewal, later)
    assert await let_in(db, tokens, fresh.token, later) == signed.actor.id
    again = await renew(db, tokens, fresh.renewal, later + 600)
    assert await let_in(db, tokens, again.token, later + 600) == signed.actor.id


async def test_nothing_of_a_renewal_token_is_kept_but_digests(
    db: Database, tokens: Tokens, signed: SignedIn
) -> None:
    fresh = await renew(db, tokens, signed.renewal, NOW + 600)
    async with db.read() as conn:
        row = (await conn.execute(select(schema.login))).all()[-1]
    for token in (signed.renewal or "", fresh.renewal):
        claims = tokens.read("renewal", token)
        assert claims is not None
        secret = claims.token_id.partition(".")[2]
        assert len(secret) == 43
        assert secret not in str(tuple(row))
    assert fresh.renewal not in repr(fresh)


async def test_pages_that_ask_side_by_side_get_the_same_next_token(
    db: Database, tokens: Tokens, signed: SignedIn
) -> None:
    found = await asyncio.gather(*(renew(db, tokens, signed.renewal, NOW + 600) for _ in range(5)))
    ids = {tokens.read("renewal", one.renewal) for one in found}
    assert len({one.token_id for one in ids if one is not None}) == 1
    assert await renew(db, tokens, found[3].renewal, NOW + 1200)


async def test_an_old_token_ends_the_sign_in_for_both_who_have_it(
    db: Database, tokens: Tokens, signed: SignedIn
) -> None:
    fresh = await renew(db, tokens, signed.renewal, NOW + 600)
    late = NOW + 600 + GRACE_SECONDS
    with pytest.raises(Copied) as caught:
        await renew(db, tokens, signed.renewal, late)
    login = signed.actor.login_id or ""
    assert (caught.value.login_id, caught.value.person_id) == (login, signed.actor.id)
    assert await trail(db, "login.copied") == [(login, "refused")]
    for token in (signed.renewal, fresh.renewal):
        with pytest.raises(Revoked):
            await renew(db, tokens, token, late)
    with pytest.raises(Revoked):
        await let_in(db, tokens, fresh.token, late)
    assert await trail(db, "login.copied") == [(login, "refused")]  # told once


async def test_a_lost_answer_is_not_given_again_to_another_kind_of_browser(
    db: Database, tokens: Tokens, signed: SignedIn
) -> None:
    await renew(db, tokens, signed.renewal, NOW + 600)
    with pytest.raises(Copied):
        await renew(db, tokens, signed.renewal, NOW + 601, "another browser")


async def test_a_connection_uses_nothing_up_and_finds_an_old_token_too(
    db: Database, tokens: Tokens, signed: SignedIn
) -> None:
    later = NOW + 600
    for _ in range(2):
        token = await renewals.require(db, tokens, signed.renewal or "", BROWSER, later)
        assert await let_in(db, tokens, token, later) == signed.actor.id
    await renew(db, tokens, signed.renewal, later)
    with pytest.raises(Copied):
        await renewals.require(db, tokens, signed.renewal or "", BROWSER, later + GRACE_SECONDS)


@pytest.mark.parametrize("how", ["signed out", "removed"])
async def test_who_is_removed_renews_nothing(
    db: Database, tokens: Tokens, signed: SignedIn, how: str
) -> None:
    if how == "signed out":
        await logins.sign_out(db, signed.actor, NOW + 1)
        with pytest.raises(Revoked):
            await renew(db, tokens, signed.renewal, NOW + 600)
        return
    person = schema.person
    gone = update(person).where(person.c.id == signed.actor.id).values(active=False)
    await db.write(lambda conn: conn.execute(gone))
    fresh = await renew(db, tokens, signed.renewal, NOW + 600)
    with pytest.raises(Revoked):  # the row of the person decides at each use
        await let_in(db, tokens, fresh.token, NOW + 600)


async def test_it_goes_on_for_a_day_after_the_sign_in_so_that_a_page_can_be_uncovered(
    db: Database, tokens: Tokens, signed: SignedIn
) -> None:
    end = NOW + HOURS * 3600
    fresh = await renew(db, tokens, signed.renewal, end + 10)
    async with db.read() as conn:
        actor = await logins.actor_for_login(conn, tokens, fresh.token, end + 10, allow=EXPIRED)
    assert actor.id == signed.actor.id
    with pytest.raises(NotSignedIn):
        await renew(db, tokens, fresh.renewal, end + KEPT_SECONDS)


async def test_a_token_of_another_kind_or_by_somebody_else_renews_nothing(
    db: Database, tokens: Tokens, signed: SignedIn
) -> None:
    others = Tokens("another secret of the tests, long enough to sign")
    login = signed.actor.login_id or ""
    made = others.issue("renewal", login, "0.guess", NOW, NOW + 9999)
    for token in (signed.token, made, "", "x.y.z"):
        with pytest.raises(NotSignedIn):
            await renew(db, tokens, token, NOW + 1)
    assert await renew(db, tokens, signed.renewal, NOW + 2)


async def test_a_sign_in_from_before_there_were_such_tokens_lasts_as_long_as_it_said(
    db: Database, tokens: Tokens, signed: SignedIn
) -> None:
    values = {
        "id": "lgn_before", "person_id": signed.actor.id, "created_at": NOW,
        "expires_at": NOW + 43_200,
    }  # fmt: skip
    await db.write(lambda conn: conn.execute(insert(schema.login).values(values)))
    token = tokens.issue("login", signed.actor.id, "lgn_before", NOW, NOW + 43_200)
    assert await let_in(db, tokens, token, NOW + 43_000) == signed.actor.id
