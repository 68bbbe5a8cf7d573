"""Signing in: by password, for twelve hours, revocable at once, and telling a stranger nothing."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import locks, passwords
from auth.actors import Actor
from auth.errors import BadCredentials, Locked, LoginExpired, NotSignedIn, Revoked
from auth.locks import Strangers
from auth.signin import SignedIn, actor_for_login, end_logins, sign_in, sign_out
from auth.tokens import Tokens
from records import schema, schema_signin
from records.engine import Database
from records.errors import BadInput
from tests.auth.cast import HOUR, NOW, PASSWORD, STALE

CLINICIAN = "clinician@home.invalid"
MINUTE = 60.0


async def _sign_in(
    db: Database,
    tokens: Tokens,
    email: str = CLINICIAN,
    password: str = PASSWORD,
    now: float = NOW,
    strangers: Strangers | None = None,
) -> SignedIn:
    return await sign_in(db, tokens, email, password, now, strangers=strangers or Strangers())


async def _who(db: Database, tokens: Tokens, token: str, now: float = NOW) -> Actor:
    async with db.read() as conn:
        return await actor_for_login(conn, tokens, token, now, allow=STALE)


async def _outcome(
    db: Database, tokens: Tokens, email: str, now: float, strangers: Strangers
) -> type[Exception] | None:
    try:
        await sign_in(db, tokens, email, "wrong", now, strangers=strangers)
    except (BadCredentials, Locked) as error:
        return type(error)
    return None


async def test_the_right_password_signs_in_and_the_token_names_the_person(
    db: Database, tokens: Tokens
) -> None:
    signed = await _sign_in(db, tokens)
    assert signed.expires_at == NOW + 12 * HOUR
    assert signed.token not in repr(signed)
    actor = await _who(db, tokens, signed.token)
    assert actor == signed.actor
    assert actor.kind == "person"
    assert actor.id == "clinician_home"
    assert actor.roles == {"clinician"}
    assert (actor.agency_id, actor.provider_id, actor.program_id) == (None, "prv_home", None)


@pytest.mark.parametrize("typed", ["CLINICIAN@home.invalid", "  clinician@HOME.invalid "])
async def test_an_email_is_known_however_its_letters_are_typed(
    db: Database, tokens: Tokens, typed: str
) -> None:
    assert (await _sign_in(db, tokens, typed)).actor.id == "clinician_home"


async def test_a_sign_in_ends_after_its_hours(db: Database, tokens: Tokens) -> None:
    signed = await _sign_in(db, tokens)
    await _who(db, tokens, signed.token, NOW + 12 * HOUR - 1)
    with pytest.raises(LoginExpired):
        await _who(db, tokens, signed.token, NOW + 12 * HOUR)


async def test_signing_out_ends_this_sign_in_and_no_other(db: Database, tokens: Tokens) -> None:
    here, there = await _sign_in(db, tokens), await _sign_in(db, tokens)
    await sign_out(db, here.actor, NOW + 1)
    await sign_out(db, here.actor, NOW + 2)
    with pytest.raises(Revoked):
        await _who(db, tokens, here.token)
    assert (await _who(db, tokens, there.token)).id == "clinician_home"


async def test_ending_a_persons_sign_ins_ends_all_of_them(db: Database, tokens: Tokens) -> None:
    mine = [await _sign_in(db, tokens), await _sign_in(db, tokens)]
    other = await _sign_in(db, tokens, "manager@home.invalid")
    assert await db.write(lambda conn: end_logins(conn, "clinician_home", NOW)) == 2
    for signed in mine:
        with pytest.raises(Revoked):
            await _who(db, tokens, signed.token)
    await _who(db, tokens, other.token)


async def test_a_closed_account_is_out_at_once(db: Database, tokens: Tokens) -> None:
    signed = await _sign_in(db, tokens)
    await _change(db, active=False)
    with pytest.raises(Revoked):
        await _who(db, tokens, signed.token)
    with pytest.raises(BadCredentials):
        await _sign_in(db, tokens)


async def test_a_role_taken_away_is_gone_on_the_next_use(db: Database, tokens: Tokens) -> None:
    signed = await _sign_in(db, tokens)
    await db.write(
        lambda conn: conn.execute(text("DELETE FROM role_grant WHERE person_id='clinician_home'"))
    )
    assert (await _who(db, tokens, signed.token)).roles == frozenset()


async def test_tokens_that_are_not_ours_are_not_signed_in(db: Database, tokens: Tokens) -> None:
    signed = await _sign_in(db, tokens)
    login_id = signed.actor.login_id
    assert login_id is not None
    bad = [
        "",
        "noise",
        signed.token[:-4] + "AAAA",
        tokens.issue("login", "clinician_home", "lgn_unknown", NOW, NOW + HOUR),
        tokens.issue("login", "manager_home", login_id, NOW, NOW + HOUR),
        tokens.issue("tablet", "clinician_home", login_id, NOW, NOW + HOUR),
    ]
    for token in bad:
        with pytest.raises(NotSignedIn):
            await _who(db, tokens, token)


async def test_a_token_that_claims_to_live_longer_than_its_row_does_not(
    db: Database, tokens: Tokens
) -> None:
    signed = await _sign_in(db, tokens)
    assert signed.actor.login_id is not None
    long = tokens.issue("login", "clinician_home", signed.actor.login_id, NOW, NOW + 99 * HOUR)
    with pytest.raises(LoginExpired):
        await _who(db, tokens, long, NOW + 13 * HOUR)


async def test_wrong_passwords_and_unknown_people_get_the_same_answer_up_to_the_lock(
    db: Database, tokens: Tokens
) -> None:
    answers = {}
    for email in (CLINICIAN, "nobody@home.invalid", "officer@home.invalid", "", "x" * 5000):
        strangers = Strangers()
        answers[email] = [
            await _outcome(db, tokens, email, NOW + number, strangers) for number in range(7)
        ]
    expected = [BadCredentials] * 4 + [Locked] * 3
    assert list(answers.values()) == [expected] * 5
    async with db.read() as conn:  # also the tries under a lock: each writes, and takes as long
        assert await conn.scalar(select(func.count()).select_from(schema.audit)) == 5 * 7


async def test_a_name_that_no_database_holds_is_an_unknown_one(
    either: Database, tokens: Tokens
) -> None:
    """PostgreSQL keeps no NUL, and says so by failing: that is the asker's fault, not ours."""
    for email in ("\0", "clinician\0@home.invalid"):
        with pytest.raises(BadCredentials):
            await _sign_in(either, tokens, email)
    strange = select(schema.person.c.id).where(schema.person.c.id == "per_\0")
    refused = contextlib.nullcontext() if either.sqlite else pytest.raises(BadInput)
    with refused:
        async with either.read() as conn:
            assert (await conn.execute(strange)).first() is None
    with refused:
        await either.write(lambda conn: conn.execute(strange))


async def test_an_unknown_person_costs_a_verification_too(
    db: Database, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []
    genuine = passwords.verify

    async def counting(stored: str | None, secret: str) -> bool:
        asked.append(stored)
        return await genuine(stored, secret)

    monkeypatch.setattr(passwords, "verify", counting)
    for email in (CLINICIAN, "nobody@home.invalid"):
        with pytest.raises(BadCredentials):
            await _sign_in(db, tokens, email, "wrong")
    assert len(asked) == 2
    assert asked[1] is None
    async with db.read() as conn:  # and a row before it, as a known person's count does
        rows = await conn.scalar(select(func.count()).select_from(schema_signin.spent_challenge))
    assert rows == 1


async def test_a_locked_person_stays_out_with_the_right_password_until_released(
    db: Database, tokens: Tokens
) -> None:
    for number in range(5):
        with pytest.raises((BadCredentials, Locked)):
            await _sign_in(db, tokens, password="wrong", now=NOW + number)
    with pytest.raises(Locked):
        await _sign_in(db, tokens, now=NOW + 24 * HOUR)
    assert await db.write(lambda conn: locks.release(conn, "clinician_home"))
    assert (await _sign_in(db, tokens, now=NOW + 24 * HOUR)).actor.id == "clinician_home"


async def test_a_right_password_that_was_being_checked_when_the_lock_fell_does_not_get_in(
    db: Database, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = passwords.verify

    async def lock_falls_meanwhile(stored: str | None, secret: str) -> bool:
        right = await genuine(stored, secret)
        await _change(db, locked_at=NOW)
        return right

    monkeypatch.setattr(passwords, "verify", lock_falls_meanwhile)
    with pytest.raises(Locked):
        await _sign_in(db, tokens)
    async with db.read() as conn:
        assert await conn.scalar(select(func.count()).select_from(schema.login)) == 0


async def test_a_lock_does_not_end_a_running_sign_in(db: Database, tokens: Tokens) -> None:
    signed = await _sign_in(db, tokens)
    for number in range(6):
        with pytest.raises((BadCredentials, Locked)):
            await _sign_in(db, tokens, password="wrong", now=NOW + number)
    assert (await _who(db, tokens, signed.token)).id == "clinician_home"


async def test_failures_that_are_spread_out_do_not_lock(db: Database, tokens: Tokens) -> None:
    for number in range(12):
        with pytest.raises(BadCredentials):
            await _sign_in(db, tokens, password="wrong", now=NOW + number * 15 * MINUTE)


async def test_a_success_takes_the_count_back(db: Database, tokens: Tokens) -> None:
    for _ in range(3):
        for number in range(4):
            with pytest.raises(BadCredentials):
                await _sign_in(db, tokens, password="wrong", now=NOW + number)
        await _sign_in(db, tokens, now=NOW + 5)


async def test_a_burst_of_guesses_at_once_gets_no_more_than_five_checks(
    db: Database, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = 0
    genuine = passwords.verify

    async def counting(stored: str | None, secret: str) -> bool:
        nonlocal checks
        checks += 1
        return await genuine(stored, secret)

    monkeypatch.setattr(passwords, "verify", counting)
    tries = [_sign_in(db, tokens, password=f"guess {number}") for number in range(20)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert all(isinstance(one, (BadCredentials, Locked)) for one in done)
    assert checks == 5
    with pytest.raises(Locked):
        await _sign_in(db, tokens)


async def test_every_sign_in_and_every_failure_is_in_the_audit(
    db: Database, tokens: Tokens
) -> None:
    signed = await _sign_in(db, tokens)
    for email in (CLINICIAN, "nobody@home.invalid"):
        with pytest.raises(BadCredentials):
            await _sign_in(db, tokens, email, "wrong")
    await sign_out(db, signed.actor, NOW)
    async with db.read() as conn:
        rows = (await conn.execute(select(schema.audit).order_by(schema.audit.c.no))).all()
    assert [(row.action, row.outcome) for row in rows] == [
        ("login.start", "allowed"),
        ("login.start", "refused"),
        ("login.start", "refused"),
        ("login.end", "allowed"),
    ]
    assert [row.object_id for row in rows[1:3]] == ["clinician_home", None]
    assert not any("nobody" in str(row) or "invalid" in str(row) for row in rows)


async def test_a_refused_sign_in_leaves_no_login_behind(db: Database, tokens: Tokens) -> None:
    with pytest.raises(BadCredentials):
        await _sign_in(db, tokens, password="wrong")
    async with db.read() as conn:
        assert await conn.scalar(select(func.count()).select_from(schema.login)) == 0


async def test_signing_in_goes_on_when_the_audit_is_broken(db: Database, tokens: Tokens) -> None:
    await db.write(lambda conn: conn.execute(text("DROP TABLE audit")))
    signed = await _sign_in(db, tokens)
    assert (await _who(db, tokens, signed.token)).id == "clinician_home"


def test_strangers_are_kept_within_a_bound() -> None:
    strangers = Strangers(limit=3)
    for number in range(50):
        assert strangers.admit(f"name {number}", NOW)
        strangers.fail(f"name {number}", NOW)
    assert len(strangers._tries) == 3


async def _change(db: Database, **values: object) -> None:
    async def work(conn: AsyncConnection) -> None:
        person = schema.person
        await conn.execute(update(person).where(person.c.id == "clinician_home").values(**values))

    await db.write(work)
