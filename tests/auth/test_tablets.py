"""Tablets and shifts: codes used once, one device per tablet, PINs that never end a call."""

from __future__ import annotations

import asyncio
import re

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import codes, locks
from auth.actors import Actor
from auth.errors import (
    BadCode,
    BadPin,
    NoShift,
    NoSuchRecord,
    NotEnrolled,
    PinLocked,
    ShiftInUse,
    TabletRevoked,
)
from auth.tablets import (
    actor_for_tablet,
    check_pin,
    end_shift,
    enrol,
    make_enrolment,
    officers_of_agency,
    renew,
    revoke_tablet,
    seen,
    start_shift,
)
from auth.tokens import Tokens
from records import schema
from records.engine import Database
from tests.auth.cast import HOUR, NOW, PIN


async def _code(db: Database, tablet_id: str = "tab_home", *, reusable: bool = False) -> str:
    return await db.write(lambda conn: make_enrolment(conn, tablet_id, NOW, reusable=reusable))


async def _enrolled(db: Database, tokens: Tokens, tablet_id: str = "tab_home") -> tuple[str, Actor]:
    return await enrol(db, tokens, await _code(db, tablet_id), NOW)


async def _who(db: Database, tokens: Tokens, token: str, now: float = NOW) -> Actor:
    async with db.read() as conn:
        return await actor_for_tablet(conn, tokens, token, now)


async def _open_session(db: Database, actor: Actor, state: str = "waiting") -> None:
    async def work(conn: AsyncConnection) -> None:
        await conn.execute(
            insert(schema.session).values(
                id="ses_1",
                code="482913",
                press_key="k" * 16,
                agency_id="agy_home",
                provider_id="prv_home",
                program_id="prg_home",
                tablet_id=actor.id,
                shift_id=actor.shift_id,
                officer_id=actor.officer_id,
                state=state,
                lead_id=None if state == "waiting" else "clinician_home",
                seq=1,
                pressed_at=NOW,
            )
        )

    await db.write(work)


# --- enrolment ------------------------------------------------------------------------------------


async def test_a_code_can_be_read_aloud_and_is_stored_only_as_a_digest(db: Database) -> None:
    code = await _code(db)
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}", code)
    async with db.read() as conn:
        stored = str((await conn.execute(select(schema.enrolment))).all())
    assert code not in stored
    assert code.replace("-", "") not in stored


@pytest.mark.parametrize("typed", ["k7qf-2mxp", " K7QF2MXP ", "K7QF 2MXP", "k7-qf-2m-xp"])
def test_a_code_is_known_however_it_is_typed(typed: str) -> None:
    assert codes.normal(typed) == "K7QF2MXP"


def test_letters_that_look_like_digits_are_read_as_digits() -> None:
    assert codes.normal("O0Il-1234") == "00111234"


@pytest.mark.parametrize("typed", ["", "K7QF", "K7QF-2MXPX", "K7QF-2MX!", "U7QF-2MXP", "é" * 8])
def test_what_cannot_be_a_code_is_none(typed: str) -> None:
    assert codes.normal(typed) is None


async def test_a_code_binds_a_device_once(db: Database, tokens: Tokens) -> None:
    code = await _code(db)
    token, actor = await enrol(db, tokens, code.lower(), NOW)
    assert (actor.kind, actor.id, actor.name) == ("tablet", "tab_home", "Unit of home")
    assert (actor.agency_id, actor.provider_id, actor.program_id) == (
        "agy_home",
        "prv_home",
        "prg_home",
    )
    assert actor.roles == {"tablet"}
    assert await _who(db, tokens, token) == actor
    with pytest.raises(BadCode):
        await enrol(db, tokens, code, NOW)


async def test_of_two_devices_with_one_code_one_gets_in(db: Database, tokens: Tokens) -> None:
    code = await _code(db)
    done = await asyncio.gather(
        *(enrol(db, tokens, code, NOW) for _ in range(8)), return_exceptions=True
    )
    assert sum(isinstance(one, tuple) for one in done) == 1
    assert sum(isinstance(one, BadCode) for one in done) == 7


async def test_a_code_runs_out(db: Database, tokens: Tokens) -> None:
    code = await _code(db)
    with pytest.raises(BadCode):
        await enrol(db, tokens, code, NOW + HOUR)


async def test_a_new_code_ends_the_one_before(db: Database, tokens: Tokens) -> None:
    first, second = await _code(db), await _code(db)
    with pytest.raises(BadCode):
        await enrol(db, tokens, first, NOW)
    await enrol(db, tokens, second, NOW)


@pytest.mark.parametrize("bad", ["", "AAAA-AAAA", "nonsense and more", "'; DROP TABLE tablet"])
async def test_a_bad_code_is_refused(db: Database, tokens: Tokens, bad: str) -> None:
    with pytest.raises(BadCode):
        await enrol(db, tokens, bad, NOW)


async def test_a_reusable_code_lets_the_next_device_in_and_the_last_one_out(
    db: Database, tokens: Tokens
) -> None:
    code = await _code(db, reusable=True)
    first, _ = await enrol(db, tokens, code, NOW)
    second, _ = await enrol(db, tokens, code, NOW)
    with pytest.raises(TabletRevoked):
        await _who(db, tokens, first)
    assert (await _who(db, tokens, second)).id == "tab_home"


async def test_a_code_for_an_unknown_tablet_is_refused(db: Database) -> None:
    with pytest.raises(NoSuchRecord):
        await _code(db, "tab_nowhere")


async def test_a_revoked_tablet_is_out_at_once_and_so_are_its_codes(
    db: Database, tokens: Tokens
) -> None:
    token, _ = await _enrolled(db, tokens)
    code = await _code(db)
    await db.write(lambda conn: revoke_tablet(conn, "tab_home", NOW))
    with pytest.raises(TabletRevoked):
        await _who(db, tokens, token)
    with pytest.raises(BadCode):
        await enrol(db, tokens, code, NOW)
    again, _ = await _enrolled(db, tokens)
    assert (await _who(db, tokens, again)).id == "tab_home"
    with pytest.raises(TabletRevoked):
        await _who(db, tokens, token)


async def test_revoking_an_unknown_tablet_is_refused(db: Database) -> None:
    with pytest.raises(NoSuchRecord):
        await db.write(lambda conn: revoke_tablet(conn, "tab_nowhere", NOW))


async def test_tokens_that_are_not_ours_are_not_enrolled(db: Database, tokens: Tokens) -> None:
    token, _ = await _enrolled(db, tokens)
    bad = [
        "",
        "noise",
        token[:-4] + "AAAA",
        tokens.issue("login", "tab_home", "tab_home.1", NOW, NOW + HOUR),
        tokens.issue("tablet", "tab_nowhere", "tab_nowhere.1", NOW, NOW + HOUR),
    ]
    for one in bad:
        with pytest.raises(NotEnrolled):
            await _who(db, tokens, one)
    with pytest.raises(TabletRevoked):  # another tablet's credential is not this one's
        await _who(db, tokens, tokens.issue("tablet", "tab_home", "tab2_home.1", NOW, NOW + HOUR))


async def test_a_tablet_lasts_a_year_and_can_be_renewed(db: Database, tokens: Tokens) -> None:
    token, actor = await _enrolled(db, tokens)
    year = 365 * 24 * HOUR
    with pytest.raises(NotEnrolled):
        await _who(db, tokens, token, NOW + year)
    async with db.read() as conn:
        fresh = await renew(conn, tokens, actor, NOW + year - 1)
    assert (await _who(db, tokens, fresh, NOW + year)).id == "tab_home"


async def test_when_a_tablet_was_seen_is_kept(db: Database) -> None:
    await db.write(lambda conn: seen(conn, "tab_home", NOW + 7))
    async with db.read() as conn:
        row = await conn.scalar(
            select(schema.tablet.c.last_seen_at).where(schema.tablet.c.id == "tab_home")
        )
    assert row == NOW + 7


# --- shifts ---------------------------------------------------------------------------------------


async def test_the_list_for_check_out_is_the_agencys_officers_who_have_a_pin(db: Database) -> None:
    await _change(db, "relief_home", pin_hash=None)
    async with db.read() as conn:
        officers = await officers_of_agency(conn, "agy_home")
    assert [officer.id for officer in officers] == ["officer_home"]


async def test_an_officer_checks_a_tablet_out_and_in(db: Database, tokens: Tokens) -> None:
    token, tablet = await _enrolled(db, tokens)
    on_shift = await start_shift(db, tablet, "officer_home", PIN, NOW)
    assert on_shift.officer_id == "officer_home"
    assert await _who(db, tokens, token) == on_shift
    off = await end_shift(db, on_shift, NOW + 1)
    assert (off.officer_id, off.shift_id) == (None, None)
    assert await _who(db, tokens, token) == off
    await end_shift(db, off, NOW + 2)


async def test_checking_out_again_keeps_the_running_shift(db: Database, tokens: Tokens) -> None:
    _, tablet = await _enrolled(db, tokens)
    first = await start_shift(db, tablet, "officer_home", PIN, NOW)
    again = await start_shift(db, first, "officer_home", PIN, NOW + 5)
    assert again.shift_id == first.shift_id


async def test_another_officer_takes_the_tablet_over(db: Database, tokens: Tokens) -> None:
    token, tablet = await _enrolled(db, tokens)
    await start_shift(db, tablet, "officer_home", PIN, NOW)
    await start_shift(db, tablet, "relief_home", PIN, NOW + 5)
    assert (await _who(db, tokens, token)).officer_id == "relief_home"


async def test_check_outs_at_once_leave_one_officer_on_the_tablet(
    db: Database, tokens: Tokens
) -> None:
    token, tablet = await _enrolled(db, tokens)
    officers = ["officer_home", "relief_home"] * 3
    await asyncio.gather(*(start_shift(db, tablet, one, PIN, NOW) for one in officers))
    assert (await _who(db, tokens, token)).officer_id in officers
    async with db.read() as conn:
        running = await conn.execute(select(schema.shift).where(schema.shift.c.ended_at.is_(None)))
        assert len(running.all()) == 1


async def test_an_officer_who_moves_to_another_tablet_leaves_the_first(
    db: Database, tokens: Tokens
) -> None:
    token, first = await _enrolled(db, tokens)
    _, second = await _enrolled(db, tokens, "tab2_home")
    await start_shift(db, first, "officer_home", PIN, NOW)
    await start_shift(db, second, "officer_home", PIN, NOW + 1)
    assert (await _who(db, tokens, token)).officer_id is None


@pytest.mark.parametrize("state", ["waiting", "answering", "connected", "recovering"])
async def test_a_tablet_in_a_call_keeps_its_officer_whatever_is_asked(
    db: Database, tokens: Tokens, state: str
) -> None:
    token, first = await _enrolled(db, tokens)
    _, second = await _enrolled(db, tokens, "tab2_home")
    on_shift = await start_shift(db, first, "officer_home", PIN, NOW)
    await _open_session(db, on_shift, state)
    with pytest.raises(ShiftInUse):
        await end_shift(db, on_shift, NOW + 1)
    await start_shift(db, second, "officer_home", PIN, NOW + 1)
    assert (await _who(db, tokens, token)).officer_id == "officer_home"


@pytest.mark.parametrize(
    "person_id", ["officer_away", "clinician_home", "manager_home", "nobody", ""]
)
async def test_only_an_officer_of_the_tablets_agency_can_check_it_out(
    db: Database, tokens: Tokens, person_id: str
) -> None:
    token, tablet = await _enrolled(db, tokens)
    with pytest.raises(BadPin):
        await start_shift(db, tablet, person_id, PIN, NOW)
    assert (await _who(db, tokens, token)).officer_id is None


@pytest.mark.parametrize("pin", ["", "1357", "02468", "2468 ", "x" * 5000])
async def test_a_wrong_pin_checks_nothing_out(db: Database, tokens: Tokens, pin: str) -> None:
    token, tablet = await _enrolled(db, tokens)
    with pytest.raises(BadPin):
        await start_shift(db, tablet, "officer_home", pin, NOW)
    assert (await _who(db, tokens, token)).officer_id is None


async def test_an_officer_who_left_the_agency_cannot_check_out(
    db: Database, tokens: Tokens
) -> None:
    _, tablet = await _enrolled(db, tokens)
    await _change(db, "officer_home", active=False)
    with pytest.raises(BadPin):
        await start_shift(db, tablet, "officer_home", PIN, NOW)


# --- leaving a hand-over --------------------------------------------------------------------------


async def test_the_right_pin_passes_and_takes_the_count_back(db: Database) -> None:
    for _ in range(3):
        for _ in range(4):
            with pytest.raises(BadPin):
                await check_pin(db, "officer_home", "1357", NOW)
        await check_pin(db, "officer_home", PIN, NOW)


async def test_without_a_shift_there_is_no_pin_to_check(db: Database) -> None:
    with pytest.raises(NoShift):
        await check_pin(db, None, PIN, NOW)


async def test_five_wrong_pins_lock_until_released_and_the_call_goes_on(
    db: Database, tokens: Tokens
) -> None:
    token, tablet = await _enrolled(db, tokens)
    on_shift = await start_shift(db, tablet, "officer_home", PIN, NOW)
    await _open_session(db, on_shift, "connected")
    for number in range(4):
        with pytest.raises(BadPin):
            await check_pin(db, "officer_home", "1357", NOW + number)
    for _ in range(2):
        with pytest.raises(PinLocked):
            await check_pin(db, "officer_home", "1357", NOW + 4)
    with pytest.raises(PinLocked):
        await check_pin(db, "officer_home", PIN, NOW + 24 * HOUR)

    assert await _who(db, tokens, token) == on_shift
    async with db.read() as conn:
        assert await conn.scalar(select(schema.session.c.state)) == "connected"

    relieved = await start_shift(db, on_shift, "relief_home", PIN, NOW + 5)
    await check_pin(db, relieved.officer_id, PIN, NOW + 6)
    assert await db.write(lambda conn: locks.release(conn, "officer_home"))
    await check_pin(db, "officer_home", PIN, NOW + 7)


async def test_wrong_pins_at_check_out_and_in_a_call_share_one_count(
    db: Database, tokens: Tokens
) -> None:
    _, tablet = await _enrolled(db, tokens)
    for _ in range(2):
        with pytest.raises(BadPin):
            await start_shift(db, tablet, "officer_home", "1357", NOW)
        with pytest.raises(BadPin):
            await check_pin(db, "officer_home", "1357", NOW)
    with pytest.raises(PinLocked):
        await check_pin(db, "officer_home", "1357", NOW)


async def test_checking_out_goes_on_when_the_audit_is_broken(db: Database, tokens: Tokens) -> None:
    await db.write(lambda conn: conn.execute(text("DROP TABLE audit")))
    token, tablet = await _enrolled(db, tokens)
    await start_shift(db, tablet, "officer_home", PIN, NOW)
    assert (await _who(db, tokens, token)).officer_id == "officer_home"
    with pytest.raises(BadPin):
        await check_pin(db, "officer_home", "1357", NOW)


async def test_enrolment_and_shifts_are_in_the_audit_without_codes_or_pins(
    db: Database, tokens: Tokens
) -> None:
    _, tablet = await _enrolled(db, tokens)
    with pytest.raises(BadCode):
        await enrol(db, tokens, "AAAA-AAAA", NOW)
    with pytest.raises(BadPin):
        await start_shift(db, tablet, "officer_home", "1357", NOW)
    await end_shift(db, await start_shift(db, tablet, "officer_home", PIN, NOW), NOW)
    async with db.read() as conn:
        rows = (await conn.execute(select(schema.audit).order_by(schema.audit.c.no))).all()
    assert [(row.actor_kind, row.action, row.outcome) for row in rows] == [
        ("tablet", "tablet.enrol", "allowed"),
        ("system", "tablet.enrol", "refused"),
        ("tablet", "pin.check", "refused"),
        ("tablet", "shift.start", "allowed"),
        ("tablet", "shift.end", "allowed"),
    ]
    said = str([row[:-2] for row in rows])  # a digest has every four digits now and then
    assert not any(one in said for one in ("1357", PIN))


async def _change(db: Database, person_id: str, **values: object) -> None:
    async def work(conn: AsyncConnection) -> None:
        person = schema.person
        await conn.execute(update(person).where(person.c.id == person_id).values(**values))

    await db.write(work)
