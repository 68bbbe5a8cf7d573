"""The second factor: asked for, taken once, one lock for all, set up only by who has proven it."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import factors, locks, logins, proofs, signin, totp
from auth.actors import Actor
from auth.errors import (
    BadCredentials,
    BadSecondFactor,
    Covered,
    FactorMissing,
    Forbidden,
    LastFactor,
    Locked,
    LoginExpired,
    NotSignedIn,
    ProofNeeded,
    SecondFactorNeeded,
)
from auth.locks import Strangers
from auth.logins import SignedIn
from auth.tokens import Tokens
from records import schema, schema_signin
from records.crypto import Vault
from records.engine import Database
from records.schema_parties import participant
from tests.auth.cast import NOW, PASSWORD, STALE

WHO = "clinician_home"
PARTIAL: tuple[logins.Allowed, ...] = ("partial",)
EMAIL = "clinician@home.invalid"


@pytest.fixture
def vault() -> Vault:
    return Vault(bytes(range(32)))


async def by_password(
    db: Database, tokens: Tokens, now: float = NOW, needed_by: tuple[str, ...] = ()
) -> SignedIn:
    return await signin.sign_in(
        db, tokens, EMAIL, PASSWORD, now, strangers=Strangers(), needed_by=needed_by
    )


async def with_app(db: Database, vault: Vault, tokens: Tokens) -> tuple[Actor, bytes]:
    """Somebody who has set an app up; its first code is used up."""
    actor = (await by_password(db, tokens)).actor
    secret = await factors.begin_app(db, vault, actor, NOW)
    await factors.confirm_app(db, vault, actor, code(secret, NOW), NOW)
    return actor, secret


def code(secret: bytes, at: float) -> str:
    return totp.code_at(secret, int(at // 30))


async def step(db: Database, tokens: Tokens, now: float) -> str:
    with pytest.raises(SecondFactorNeeded) as asked:
        await by_password(db, tokens, now)
    return asked.value.token


async def locked(db: Database) -> bool:
    async with db.read() as conn:
        found = await conn.execute(
            select(schema.person.c.locked_at).where(schema.person.c.id == WHO)
        )
        return found.scalar() is not None


async def test_who_has_an_app_is_asked_for_its_code_and_let_in_by_it(
    db: Database, vault: Vault, tokens: Tokens
) -> None:
    _, secret = await with_app(db, vault, tokens)
    now = NOW + 60
    token = await step(db, tokens, now)
    signed = await signin.second_step(db, vault, tokens, token, code(secret, now), now)
    assert (signed.actor.id, signed.partial) == (WHO, False)


async def test_a_code_is_worth_one_sign_in(db: Database, vault: Vault, tokens: Tokens) -> None:
    _, secret = await with_app(db, vault, tokens)
    now = NOW + 60
    token = await step(db, tokens, now)
    typed = code(secret, now)
    await signin.second_step(db, vault, tokens, token, typed, now)
    for later in (now, now + 5, now + 29):
        with pytest.raises(BadSecondFactor):
            await signin.second_step(db, vault, tokens, token, typed, later)


async def test_the_code_of_the_set_up_is_used_up_too(
    db: Database, vault: Vault, tokens: Tokens
) -> None:
    _, secret = await with_app(db, vault, tokens)
    token = await step(db, tokens, NOW + 1)
    with pytest.raises(BadSecondFactor):
        await signin.second_step(db, vault, tokens, token, code(secret, NOW), NOW + 1)


async def test_of_two_sign_ins_at_once_with_one_code_one_wins(
    db: Database, vault: Vault, tokens: Tokens
) -> None:
    _, secret = await with_app(db, vault, tokens)
    now = NOW + 60
    token = await step(db, tokens, now)
    tries = [signin.second_step(db, vault, tokens, token, code(secret, now), now) for _ in range(3)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(one) for one in done].count(SignedIn) == 1


async def test_the_password_alone_opens_nothing_and_the_step_runs_out(
    db: Database, vault: Vault, tokens: Tokens
) -> None:
    _, secret = await with_app(db, vault, tokens)
    token = await step(db, tokens, NOW + 60)
    async with db.read() as conn:
        with pytest.raises(NotSignedIn):
            await logins.actor_for_login(conn, tokens, token, NOW + 60)
    late = NOW + 60 + signin.STEP_SECONDS
    with pytest.raises(NotSignedIn):
        await signin.second_step(db, vault, tokens, token, code(secret, late), late)
    for forged in (None, "", "x", tokens.issue("login", WHO, "lgn_x", NOW, NOW + 999)):
        with pytest.raises(NotSignedIn):
            await signin.second_step(db, vault, tokens, forged, code(secret, late), NOW + 60)


async def test_a_step_ends_when_the_password_is_changed(
    db: Database, vault: Vault, tokens: Tokens
) -> None:
    _, secret = await with_app(db, vault, tokens)
    token = await step(db, tokens, NOW + 60)

    async def change(conn: AsyncConnection) -> None:
        person = schema.person
        await conn.execute(update(person).where(person.c.id == WHO).values(password_hash="another"))

    await db.write(change)
    with pytest.raises(NotSignedIn):
        await signin.second_step(db, vault, tokens, token, code(secret, NOW + 60), NOW + 60)


async def test_five_wrong_codes_lock_and_a_right_password_between_them_does_not_help(
    db: Database, vault: Vault, tokens: Tokens
) -> None:
    _, secret = await with_app(db, vault, tokens)
    now = NOW + 60
    for number in range(5):
        token = await step(db, tokens, now + number)  # the password is right each time
        with pytest.raises((BadSecondFactor, Locked)):
            await signin.second_step(db, vault, tokens, token, "000000", now + number)
    assert await locked(db)
    with pytest.raises(Locked):
        await by_password(db, tokens, now + 24 * 3600)
    with pytest.raises(Locked):
        await signin.second_step(db, vault, tokens, token, code(secret, now), now + 6)


async def test_wrong_passwords_codes_and_recovery_codes_share_one_count(
    db: Database, vault: Vault, tokens: Tokens
) -> None:
    await with_app(db, vault, tokens)
    now = NOW + 60
    for _ in range(2):
        with pytest.raises(BadCredentials):
            await signin.sign_in(db, tokens, EMAIL, "wrong", now, strangers=Strangers())
    token = await step(db, tokens, now)
    for typed in ("000000", "3AAA-AAAA-AAAA", "nonsense"):
        with pytest.raises((BadSecondFactor, Locked)):
            await signin.second_step(db, vault, tokens, token, typed, now)
    assert await locked(db)
    assert await db.write(lambda conn: locks.release(conn, WHO))
    await step(db, tokens, now)


async def test_somebody_who_types_the_password_often_without_a_code_is_not_locked(
    db: Database, vault: Vault, tokens: Tokens
) -> None:
    await with_app(db, vault, tokens)
    for number in range(12):
        await step(db, tokens, NOW + 60 + number)
    assert not await locked(db)


# --- recovery codes -------------------------------------------------------------------------------


async def test_a_recovery_code_stands_in_once_and_only_its_hash_is_kept(
    db: Database, vault: Vault, tokens: Tokens
) -> None:
    actor, _ = await with_app(db, vault, tokens)
    fresh = await factors.make_recovery_codes(db, actor, NOW)
    assert len(set(fresh)) == 10
    async with db.read() as conn:
        table = schema_signin.recovery_code
        stored = (await conn.execute(select(table.c.code_hash))).scalars().all()
    assert all(one.startswith("$argon2id$") for one in stored)
    now = NOW + 60
    token = await step(db, tokens, now)
    typed = f" {fresh[4].lower().replace('-', ' ')} "
    assert (await signin.second_step(db, vault, tokens, token, typed, now)).actor.id == WHO
    with pytest.raises(BadSecondFactor):
        await signin.second_step(db, vault, tokens, token, fresh[4], now)
    async with db.read() as conn:
        assert (await factors.has(conn, WHO)).recovery_left == 9


async def test_new_recovery_codes_end_the_old_ones(
    db: Database, vault: Vault, tokens: Tokens
) -> None:
    actor, _ = await with_app(db, vault, tokens)
    old = await factors.make_recovery_codes(db, actor, NOW)
    new = await factors.make_recovery_codes(db, actor, NOW)
    token = await step(db, tokens, NOW + 60)
    with pytest.raises(BadSecondFactor):
        await signin.second_step(db, vault, tokens, token, old[0], NOW + 60)
    assert await signin.second_step(db, vault, tokens, token, new[0], NOW + 60)


async def test_recovery_codes_alone_are_no_second_factor(
    db: Database, vault: Vault, tokens: Tokens
) -> None:
    signed = await by_password(db, tokens)
    await factors.make_recovery_codes(db, signed.actor, NOW)
    again = await by_password(db, tokens, NOW + 60, needed_by=("clinician",))
    assert again.partial


# --- setting up -----------------------------------------------------------------------------------


async def test_a_secret_that_was_never_confirmed_is_never_asked_for(
    db: Database, vault: Vault, tokens: Tokens
) -> None:
    actor = (await by_password(db, tokens)).actor
    secret = await factors.begin_app(db, vault, actor, NOW)
    with pytest.raises(BadSecondFactor):
        await factors.confirm_app(db, vault, actor, "000000", NOW)
    assert (await by_password(db, tokens, NOW + 1)).actor.id == WHO
    async with db.read() as conn:
        sealed = (await conn.execute(select(schema_signin.totp.c.secret_enc))).scalar_one()
    assert secret not in sealed


async def test_a_sign_in_of_a_while_ago_changes_no_factor(
    db: Database, vault: Vault, tokens: Tokens
) -> None:
    actor = (await by_password(db, tokens)).actor
    later = NOW + logins.FRESH_SECONDS
    with pytest.raises(ProofNeeded):
        await factors.begin_app(db, vault, actor, later)
    with pytest.raises(ProofNeeded):
        await factors.make_recovery_codes(db, actor, later)
    await proofs.by_password(db, vault, tokens, actor, (PASSWORD, ""), later, hours=12, whole=True)
    assert await factors.begin_app(db, vault, actor, later + 1)


async def test_the_last_factor_stays_where_one_is_needed(
    db: Database, vault: Vault, tokens: Tokens
) -> None:
    actor, _ = await with_app(db, vault, tokens)
    with pytest.raises(LastFactor):
        await factors.remove_app(db, actor, NOW, needed=True)
    await factors.remove_app(db, actor, NOW, needed=False)
    assert (await by_password(db, tokens, NOW + 60)).actor.id == WHO


async def test_an_officer_and_a_tablet_keep_no_ways_to_sign_in(db: Database) -> None:
    officer = Actor("person", "officer_home", "O", "O", frozenset({"officer"}), login_id="lgn")
    tablet = Actor("tablet", "tab_home", "T", "T", frozenset({"tablet"}))
    for actor in (officer, tablet):
        with pytest.raises(Forbidden):
            await factors.own(db, actor, NOW)


async def test_who_needs_a_factor_and_has_none_is_signed_in_for_setting_one_up_only(
    db: Database, vault: Vault, tokens: Tokens
) -> None:
    signed = await by_password(db, tokens, needed_by=("clinician", "admin"))
    assert signed.partial
    async with db.read() as conn:
        with pytest.raises(FactorMissing):
            await logins.actor_for_login(conn, tokens, signed.token, NOW)
        actor = await logins.actor_for_login(conn, tokens, signed.token, NOW, allow=PARTIAL)
    secret = await factors.begin_app(db, vault, actor, NOW)
    await factors.confirm_app(db, vault, actor, code(secret, NOW), NOW)
    whole = await db.write(lambda conn: logins.complete(conn, tokens, actor, NOW, 12))
    assert whole is not None
    async with db.read() as conn:
        assert (await logins.actor_for_login(conn, tokens, whole.token, NOW)).id == WHO
        with pytest.raises(Exception, match="ended"):
            await logins.actor_for_login(conn, tokens, signed.token, NOW, allow=PARTIAL)
    assert await db.write(lambda conn: logins.complete(conn, tokens, whole.actor, NOW, 12)) is None


async def test_a_role_that_needs_none_is_let_in_by_its_password(
    db: Database, tokens: Tokens
) -> None:
    assert not (await by_password(db, tokens, needed_by=("admin", "manager"))).partial


# --- covered, run out, proven again ---------------------------------------------------------------

IDLE = 600.0


async def sits_in_a_call(conn: AsyncConnection) -> None:
    session = schema.session
    await conn.execute(
        session.insert().values(
            id="ses_x",
            code="111111",
            press_key="press",
            agency_id="agy_home",
            provider_id="prv_home",
            program_id="prg_home",
            tablet_id="tab_home",
            state="connected",
            seq=1,
            pressed_at=NOW,
            lead_id=WHO,
        )
    )
    await conn.execute(
        participant.insert().values(
            id="par_x",
            session_id="ses_x",
            seat="clinician",
            role="lead",
            person_id=WHO,
            epoch=1,
            joined_at=NOW,
        )
    )


async def reads(db: Database, tokens: Tokens, token: str, now: float) -> Actor:
    async with db.read() as conn:
        return await logins.actor_for_login(conn, tokens, token, now, idle=IDLE, allow=STALE)


async def test_nobody_seen_for_a_while_covers_the_pages_and_a_proof_uncovers_them(
    db: Database, vault: Vault, tokens: Tokens
) -> None:
    signed = await by_password(db, tokens)
    assert await reads(db, tokens, signed.token, NOW + IDLE - 1)
    await db.write(lambda conn: logins.seen(conn, signed.actor, NOW + IDLE - 1))
    assert await reads(db, tokens, signed.token, NOW + 2 * IDLE - 2)
    late = NOW + 2 * IDLE
    with pytest.raises(Covered):
        await reads(db, tokens, signed.token, late)
    with pytest.raises(BadCredentials):
        await proofs.by_password(
            db, vault, tokens, signed.actor, ("wrong", ""), late, hours=12, whole=False
        )
    await proofs.by_password(
        db, vault, tokens, signed.actor, (PASSWORD, ""), late, hours=12, whole=False
    )
    assert await reads(db, tokens, signed.token, late + 1)


async def test_a_page_that_says_nobody_is_here_covers_all_of_them(
    db: Database, tokens: Tokens
) -> None:
    signed = await by_password(db, tokens)
    assert await logins.cover(db, signed.actor, NOW + 5)
    with pytest.raises(Covered):
        await reads(db, tokens, signed.token, NOW + 6)
    await db.write(lambda conn: logins.seen(conn, signed.actor, NOW + 90))  # no way around it
    with pytest.raises(Covered):
        await reads(db, tokens, signed.token, NOW + 91)


async def test_whoever_sits_in_a_call_is_neither_covered_nor_asked_after_twelve_hours(
    db: Database, tokens: Tokens
) -> None:
    signed = await by_password(db, tokens)
    await db.write(sits_in_a_call)
    assert not await logins.cover(db, signed.actor, NOW + 5)
    late = NOW + 13 * 3600
    assert (await reads(db, tokens, signed.token, late)).id == WHO
    async with db.read() as conn:
        await logins.require_uncovered(conn, signed.actor, late, IDLE)

    async def over(conn: AsyncConnection) -> None:
        await conn.execute(update(participant).values(left_at=late))

    await db.write(over)
    with pytest.raises(LoginExpired):
        await reads(db, tokens, signed.token, late)
    async with db.read() as conn:
        with pytest.raises(Covered):
            await logins.require_uncovered(conn, signed.actor, late, IDLE)


async def test_a_sign_in_that_has_run_out_goes_on_only_by_all_that_a_sign_in_takes(
    db: Database, vault: Vault, tokens: Tokens
) -> None:
    _, secret = await with_app(db, vault, tokens)
    now = NOW + 60
    token = await step(db, tokens, now)
    signed = await signin.second_step(db, vault, tokens, token, code(secret, now), now)
    late = now + 12 * 3600
    for typed in ("", "000000"):
        with pytest.raises(BadSecondFactor):
            await proofs.by_password(
                db, vault, tokens, signed.actor, (PASSWORD, typed), late, hours=12, whole=False
            )
    again = await proofs.by_password(
        db,
        vault,
        tokens,
        signed.actor,
        (PASSWORD, code(secret, late)),
        late,
        hours=12,
        whole=False,
    )
    assert again.expires_at == late + 12 * 3600
    assert (await reads(db, tokens, again.token, late + 1)).id == WHO


async def test_five_wrong_passwords_at_a_cover_lock_the_sign_in_and_end_nothing(
    db: Database, vault: Vault, tokens: Tokens
) -> None:
    signed = await by_password(db, tokens)
    for _ in range(5):
        with pytest.raises((BadCredentials, Locked)):
            await proofs.by_password(
                db, vault, tokens, signed.actor, ("wrong", ""), NOW, hours=12, whole=False
            )
    assert await locked(db)
    assert await reads(db, tokens, signed.token, NOW + 1)
