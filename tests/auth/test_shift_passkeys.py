"""A tablet checked out by passkey: who is let in, who is refused and how, and how one is set up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import factors, locks, passkeys, people, shift_passkeys, signin, tablets
from auth.actors import Actor
from auth.errors import BadPasskey, Locked, NoShift, NotYourTablet, PinLocked, ShiftInUse
from auth.locks import Strangers
from auth.passkeys import Place
from auth.tablets import Holder
from auth.tokens import Tokens
from records import schema, schema_signin
from records.engine import Database
from tests.auth.authenticator import ORIGIN, PRESENT, Authenticator
from tests.auth.cast import NOW, PASSWORD, PIN
from tests.auth.test_manage import ADMIN

HERE = Place(ORIGIN, "bridge.example.org")


async def tablet(db: Database, tokens: Tokens, tablet_id: str = "tab_home") -> Holder:
    """A tablet that shows its cookie."""
    code = await db.write(lambda conn: tablets.make_enrolment(conn, tablet_id, NOW))
    token, _ = await tablets.enrol(db, tokens, code, NOW)
    async with db.read() as conn:
        return await tablets.holder_of(conn, tokens, token, NOW)


async def by_pin(db: Database, shown: Holder, officer: str = "officer_home") -> Holder:
    actor = await tablets.start_shift(db, shown.actor, officer, PIN, NOW)
    return replace(shown, actor=actor)


async def offer(db: Database, tokens: Tokens, shown: Holder) -> dict[str, Any]:
    options = await shift_passkeys.offered(db, tokens, HERE, shown, shown.actor, NOW)
    assert options is not None
    return options


async def with_passkey(
    db: Database, tokens: Tokens, shown: Holder, officer: str = "officer_home"
) -> Authenticator:
    """The passkey of an officer who checked out by PIN and kept one; the tablet is back in."""
    out, device = await by_pin(db, shown, officer), Authenticator()
    made = device.make(await offer(db, tokens, out))
    await shift_passkeys.add(db, tokens, HERE, out, made, NOW)
    await tablets.end_shift(db, out.actor, NOW)
    return device


async def check_out(
    db: Database, tokens: Tokens, shown: Holder, device: Authenticator, now: float = NOW
) -> Actor:
    asked = shift_passkeys.asked_to_check_out(tokens, HERE, shown, now)
    answer = device.answer(asked)
    return await shift_passkeys.check_out(db, tokens, HERE, shown, answer, now)


async def last_audit(db: Database, many: int = 1) -> list[tuple[str, str, str | None]]:
    entry = schema.audit
    async with db.read() as conn:
        found = await conn.execute(
            select(entry.c.action, entry.c.outcome, entry.c.actor_id).order_by(entry.c.no)
        )
        return [tuple(row) for row in found.all()][-many:]


async def open_shifts(db: Database) -> list[tuple[str, str]]:
    shift = schema.shift
    async with db.read() as conn:
        rows = await conn.execute(
            select(shift.c.tablet_id, shift.c.person_id).where(shift.c.ended_at.is_(None))
        )
        return [(row.tablet_id, row.person_id) for row in rows]


async def change_person(db: Database, person_id: str, **values: object) -> None:
    person = schema.person
    await db.write(
        lambda conn: conn.execute(update(person).where(person.c.id == person_id).values(**values))
    )


async def test_a_passkey_checks_out_as_a_pin_does_and_the_audit_says_how(
    either: Database, tokens: Tokens
) -> None:
    db = either
    shown = await tablet(db, tokens)
    device = await with_passkey(db, tokens, shown)
    actor = await check_out(db, tokens, shown, device)
    assert actor.officer_id == "officer_home"
    assert await open_shifts(db) == [("tab_home", "officer_home")]
    assert await last_audit(db) == [("shift.start_by_passkey", "allowed", "tab_home")]
    again = await check_out(db, tokens, shown, device)
    assert again.shift_id == actor.shift_id, "the same officer again keeps the running shift"


async def test_no_name_is_asked_and_the_user_must_be_verified(db: Database, tokens: Tokens) -> None:
    shown = await tablet(db, tokens)
    device = await with_passkey(db, tokens, shown)
    asked = shift_passkeys.asked_to_check_out(tokens, HERE, shown, NOW)
    assert (asked["allowCredentials"], asked["userVerification"]) == ([], "required")
    device.flags = PRESENT
    with pytest.raises(BadPasskey):
        await check_out(db, tokens, shown, device)
    assert await open_shifts(db) == []
    assert await last_audit(db) == [("passkey.check", "refused", "tab_home")]


async def test_a_challenge_counts_once_for_this_tablet_and_two_minutes(
    db: Database, tokens: Tokens
) -> None:
    shown, other = await tablet(db, tokens), await tablet(db, tokens, "tab2_home")
    device = await with_passkey(db, tokens, shown)
    answer = device.answer(shift_passkeys.asked_to_check_out(tokens, HERE, shown, NOW))
    with pytest.raises(BadPasskey):
        await shift_passkeys.check_out(db, tokens, HERE, other, answer, NOW)
    with pytest.raises(BadPasskey):
        await shift_passkeys.check_out(
            db, tokens, HERE, shown, answer, NOW + shift_passkeys.SECONDS
        )
    await shift_passkeys.check_out(db, tokens, HERE, shown, answer, NOW)
    with pytest.raises(BadPasskey):
        await shift_passkeys.check_out(db, tokens, HERE, shown, answer, NOW)
    anew = await tablet(db, tokens)  # enrolled again: what was asked before is over
    answer = device.answer(shift_passkeys.asked_to_check_out(tokens, HERE, shown, NOW))
    with pytest.raises(BadPasskey):
        await shift_passkeys.check_out(db, tokens, HERE, anew, answer, NOW)


async def test_a_question_of_the_sign_in_page_checks_no_tablet_out(
    db: Database, tokens: Tokens
) -> None:
    shown = await tablet(db, tokens)
    device = await with_passkey(db, tokens, shown)
    asked = passkeys.asked_to_sign_in(tokens, HERE, "passkey.sign_in", shown.subject, NOW)
    with pytest.raises(BadPasskey):
        await shift_passkeys.check_out(db, tokens, HERE, shown, device.answer(asked), NOW)


async def test_an_officer_of_another_agency_is_refused(db: Database, tokens: Tokens) -> None:
    away, shown = await tablet(db, tokens, "tab_away"), await tablet(db, tokens)
    device = await with_passkey(db, tokens, away, "officer_away")
    with pytest.raises(NotYourTablet):
        await check_out(db, tokens, shown, device)
    assert await open_shifts(db) == []
    assert await last_audit(db) == [("shift.start_by_passkey", "refused", "tab_home")]


async def test_who_is_no_officer_any_more_or_has_no_pin_is_refused_and_the_removed_are_unknown(
    db: Database, tokens: Tokens
) -> None:
    shown, grant = await tablet(db, tokens), schema.role_grant
    device = await with_passkey(db, tokens, shown)
    # nobody takes a handed-over tablet back without a PIN
    async with db.read() as conn:
        pin = await conn.execute(
            select(schema.person.c.pin_hash).where(schema.person.c.id == "officer_home")
        )
    await change_person(db, "officer_home", pin_hash=None)
    with pytest.raises(NotYourTablet):
        await check_out(db, tokens, shown, device)
    await change_person(db, "officer_home", pin_hash=pin.scalar_one())
    await db.write(
        lambda conn: conn.execute(delete(grant).where(grant.c.person_id == "officer_home"))
    )
    with pytest.raises(NotYourTablet):
        await check_out(db, tokens, shown, device)
    await change_person(db, "officer_home", active=False)
    with pytest.raises(BadPasskey):
        await check_out(db, tokens, shown, device)
    assert await open_shifts(db) == []


async def test_a_passkey_that_nobody_has_is_refused(db: Database, tokens: Tokens) -> None:
    with pytest.raises(BadPasskey):
        await check_out(db, tokens, await tablet(db, tokens), Authenticator())


async def test_five_wrong_answers_lock_passkey_and_pin_and_end_no_shift(
    db: Database, tokens: Tokens
) -> None:
    shown = await tablet(db, tokens)
    device = await with_passkey(db, tokens, shown)
    await check_out(db, tokens, shown, device)
    device.flags = PRESENT
    for _ in range(locks.FAILURES - 1):
        with pytest.raises(BadPasskey):
            await check_out(db, tokens, shown, device)
    with pytest.raises(Locked):
        await check_out(db, tokens, shown, device)
    device.flags = Authenticator().flags
    with pytest.raises(Locked):
        await check_out(db, tokens, shown, device)
    with pytest.raises(PinLocked):
        await by_pin(db, shown)
    assert await open_shifts(db) == [("tab_home", "officer_home")]
    relief = await by_pin(db, shown, "relief_home")
    assert relief.actor.officer_id == "relief_home"


# --- setting one up -------------------------------------------------------------------------------


async def test_it_is_kept_on_the_officer_s_own_thing_once_and_right_after_the_pin(
    db: Database, tokens: Tokens
) -> None:
    shown = await tablet(db, tokens)
    out = await by_pin(db, shown)
    options = await offer(db, tokens, out)
    chosen = options["authenticatorSelection"]
    assert chosen["authenticatorAttachment"] == "cross-platform", "not on the shared tablet"
    assert (chosen["residentKey"], chosen["userVerification"]) == ("required", "required")
    assert "officer@home.invalid" not in str(options)
    late = Authenticator().make(options)
    with pytest.raises(BadPasskey):
        await shift_passkeys.add(db, tokens, HERE, out, late, NOW + 300)
    made = Authenticator().make(options)
    await shift_passkeys.add(db, tokens, HERE, out, made, NOW)
    assert await last_audit(db) == [("factor.add_passkey", "allowed", "tab_home")]
    with pytest.raises(BadPasskey):
        await shift_passkeys.add(db, tokens, HERE, out, Authenticator().make(options), NOW)
    assert await shift_passkeys.offered(db, tokens, HERE, out, out.actor, NOW) is None


async def test_the_offer_of_one_officer_is_worth_nothing_to_the_next(
    db: Database, tokens: Tokens
) -> None:
    shown = await tablet(db, tokens)
    out = await by_pin(db, shown)
    made = Authenticator().make(await offer(db, tokens, out))
    await tablets.end_shift(db, out.actor, NOW)
    with pytest.raises(NoShift):
        await shift_passkeys.add(db, tokens, HERE, shown, made, NOW)
    with pytest.raises(BadPasskey):  # as a request that was on its way meanwhile
        await shift_passkeys.add(db, tokens, HERE, out, made, NOW)
    relief = await by_pin(db, shown, "relief_home")
    with pytest.raises(BadPasskey):
        await shift_passkeys.add(db, tokens, HERE, relief, made, NOW)


async def test_nothing_is_set_up_during_a_session(db: Database, tokens: Tokens) -> None:
    out = await by_pin(db, await tablet(db, tokens))
    made = Authenticator().make(await offer(db, tokens, out))

    async def press(conn: AsyncConnection) -> None:
        await conn.execute(
            insert(schema.session).values(
                id="ses_1", code="482913", press_key="k" * 16, agency_id="agy_home",
                provider_id="prv_home", program_id="prg_home", tablet_id="tab_home",
                shift_id=out.actor.shift_id, officer_id="officer_home", state="waiting", seq=1,
                pressed_at=NOW,
            )
        )  # fmt: skip

    await db.write(press)
    with pytest.raises(ShiftInUse):
        await shift_passkeys.add(db, tokens, HERE, out, made, NOW)


async def test_it_opens_no_page_and_is_no_second_factor(db: Database, tokens: Tokens) -> None:
    """Somebody who knows a manager's PIN must not get a manager's sign-in with it."""
    shown = await tablet(db, tokens)
    device = await with_passkey(db, tokens, shown)
    asked = passkeys.asked_to_sign_in(tokens, HERE, "passkey.sign_in", "cookie", NOW)
    with pytest.raises(BadPasskey):
        await passkeys.sign_in(db, tokens, HERE, "cookie", device.answer(asked), NOW)
    async with db.read() as conn:
        assert not (await factors.has(conn, "officer_home")).any


async def test_a_passkey_of_my_sign_in_checks_its_owner_out_and_can_be_the_only_one(
    db: Database, tokens: Tokens
) -> None:
    shown, grant = await tablet(db, tokens), schema.role_grant
    async with db.read() as conn:
        stored = (
            await conn.execute(
                select(schema.person.c.password_hash).where(schema.person.c.id == "manager_home")
            )
        ).scalar_one()
    await change_person(db, "officer_home", password_hash=stored)
    await db.write(
        lambda conn: conn.execute(
            insert(grant).values(person_id="officer_home", role="manager", granted_at=NOW)
        )
    )
    tablets_only = await with_passkey(db, tokens, shown)
    signed = await signin.sign_in(
        db, tokens, "officer@home.invalid", PASSWORD, NOW, strangers=Strangers()
    )
    options = await passkeys.asked_to_add(db, tokens, HERE, signed.actor, NOW)
    assert options["excludeCredentials"] == [], "a whole one takes the place of the other"
    whole = Authenticator()
    kept = await passkeys.add(db, tokens, HERE, signed.actor, "Phone", whole.make(options), NOW)
    for device in (whole, tablets_only):
        assert (await check_out(db, tokens, shown, device)).officer_id == "officer_home"
    async with db.read() as conn:
        assert (await factors.has(conn, "officer_home")).passkeys == 1
        key = schema_signin.passkey
        other = await conn.execute(select(key.c.id).where(key.c.id != kept))
    await passkeys.remove(db, signed.actor, other.scalar_one(), NOW, needed=True)


async def test_an_administrator_sees_it_and_a_new_pin_ends_it(
    either: Database, tokens: Tokens
) -> None:
    db = either
    shown = await tablet(db, tokens)
    device = await with_passkey(db, tokens, shown)
    admin = replace(ADMIN, agency_id="agy_home")
    listed = {one.id: one.passkeys for one in await people.listed(db, admin, NOW)}
    assert listed["officer_home"] == 1
    token = await people.invite(db, admin, "officer_home", NOW)
    await people.accept(db, token, "", "274913", NOW)
    with pytest.raises(BadPasskey):
        await check_out(db, tokens, shown, device)
