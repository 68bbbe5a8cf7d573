"""A tablet's key: bound once, proved for one thing at a time, renewed by an officer's PIN alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from auth import possession, tablet_keys
from auth.challenges import SECONDS
from auth.errors import (
    BadCode,
    BadKey,
    BadPin,
    KeyNeeded,
    KeyRequired,
    PinLocked,
    StaleProof,
    TabletRevoked,
)
from auth.tablet_keys import Holder
from auth.tablets import enrol, holder_of, make_enrolment, revoke_tablet
from auth.tokens import Tokens
from records import schema
from records.engine import Database
from tests.auth.cast import NOW, PIN
from tests.devices import Device

SHIFT = "POST /api/v1/shift"
END = "POST /api/v1/shift/end"


async def code_of(db: Database, tablet_id: str = "tab_home") -> str:
    return await db.write(lambda conn: make_enrolment(conn, tablet_id, NOW))


async def enrolled(
    db: Database, tokens: Tokens, key: str | None, tablet_id: str = "tab_home"
) -> str:
    return (await enrol(db, tokens, await code_of(db, tablet_id), NOW, key=key)).token


async def holder(db: Database, tokens: Tokens, token: str) -> Holder:
    async with db.read() as conn:
        return await holder_of(conn, tokens, token, NOW)


async def prove(
    db: Database,
    tokens: Tokens,
    shown: Holder,
    device: Device,
    *,
    asked: str = SHIFT,
    signed: str = SHIFT,
    nonce: str = "",
    after: float = 0.0,
) -> str:
    nonce = nonce or tablet_keys.challenge(tokens, shown, asked, NOW)
    proof = (nonce, device.sign(signed, shown.subject, nonce))
    await tablet_keys.check_request(db, tokens, shown, SHIFT, proof, NOW + after)
    return nonce


async def audited(db: Database) -> list[tuple[str, str]]:
    async with db.read() as conn:
        rows = await conn.execute(
            select(schema.audit.c.action, schema.audit.c.outcome).order_by(schema.audit.c.no)
        )
        return [(row.action, row.outcome) for row in rows]


async def bound_by(db: Database, tablet_id: str = "tab_home") -> tuple[str | None, str | None]:
    tablet = schema.tablet
    async with db.read() as conn:
        row = (await conn.execute(select(tablet).where(tablet.c.id == tablet_id))).one()
    return row.device_key, row.key_bound_by


async def test_the_device_that_was_set_up_proves_it_once_for_each_request(
    db: Database, tokens: Tokens
) -> None:
    device = Device()
    shown = await holder(db, tokens, await enrolled(db, tokens, device.key))
    assert await bound_by(db) == (device.key, "enrolment")
    nonce = await prove(db, tokens, shown, device)
    with pytest.raises(StaleProof):
        await prove(db, tokens, shown, device, nonce=nonce)
    await prove(db, tokens, shown, device)


async def test_a_proof_for_one_thing_or_tablet_is_worth_nothing_for_another(
    db: Database, tokens: Tokens
) -> None:
    device = Device()
    shown = await holder(db, tokens, await enrolled(db, tokens, device.key))
    beside = await holder(db, tokens, await enrolled(db, tokens, device.key, "tab2_home"))
    with pytest.raises(StaleProof):
        await prove(db, tokens, shown, device, asked=END)
    with pytest.raises(KeyNeeded):
        await prove(db, tokens, shown, device, signed=END)
    with pytest.raises(StaleProof):
        await prove(
            db, tokens, shown, device, nonce=tablet_keys.challenge(tokens, beside, SHIFT, NOW)
        )
    with pytest.raises(StaleProof):
        await prove(db, tokens, shown, device, nonce="made up")
    with pytest.raises(KeyNeeded):  # nothing signed at all: a copied cookie
        await tablet_keys.check_request(db, tokens, shown, SHIFT, ("", ""), NOW)


async def test_a_copied_cookie_does_not_tell_who_is_an_officer(
    db: Database, tokens: Tokens
) -> None:
    shown = await holder(db, tokens, await enrolled(db, tokens, Device().key))
    told: dict[str, list[type[Exception]]] = {"Officer of home": [], "Olaf Unknown": []}
    for name, answers in told.items():
        for number in range(7):
            with pytest.raises((BadPin, PinLocked)) as caught:
                await tablet_keys.renew_by_pin(db, shown, name, "0000", Device().key, NOW + number)
            answers.append(caught.type)
    assert list(told.values()) == [[BadPin] * 4 + [PinLocked] * 3] * 2
    assert (await audited(db)).count(("pin.check", "refused")) == 2 * 7, "under a lock as well"


async def test_a_challenge_runs_out(db: Database, tokens: Tokens) -> None:
    device = Device()
    shown = await holder(db, tokens, await enrolled(db, tokens, device.key))
    with pytest.raises(StaleProof):
        await prove(db, tokens, shown, device, after=SECONDS + 1)
    await prove(db, tokens, shown, device, after=SECONDS - 1)


async def test_another_device_with_the_cookie_is_refused_and_written_down_once_a_minute(
    db: Database, tokens: Tokens
) -> None:
    token = await enrolled(db, tokens, Device().key)
    shown, thief = await holder(db, tokens, token), Device()
    for seconds in (0.0, 10.0, 59.0, 61.0):
        signature = thief.sign(possession.SOCKET, shown.subject, "nonce", "stream")
        with pytest.raises(KeyNeeded):
            await tablet_keys.check_socket(db, shown, "stream", "nonce", signature, NOW + seconds)
    assert (await audited(db)).count(("tablet.prove", "refused")) == 2


async def test_a_connection_s_proof_is_bound_to_its_nonce_and_its_stream(
    db: Database, tokens: Tokens
) -> None:
    device = Device()
    shown = await holder(db, tokens, await enrolled(db, tokens, device.key))
    signature = device.sign(possession.SOCKET, shown.subject, "nonce", "stream")
    await tablet_keys.check_socket(db, shown, "stream", "nonce", signature, NOW)
    for stream, nonce in (("another", "nonce"), ("stream", "another")):
        with pytest.raises(KeyNeeded):
            await tablet_keys.check_socket(db, shown, stream, nonce, signature, NOW)


async def test_a_bad_or_missing_key_costs_no_code(db: Database, tokens: Tokens) -> None:
    code = await code_of(db)
    for bad in ("", "x" * 87, "A" * 87, Device().key[:-4], Device().key + "AAAA"):
        with pytest.raises(BadKey):
            await enrol(db, tokens, code, NOW, key=bad)
    with pytest.raises(KeyRequired):
        await enrol(db, tokens, code, NOW, key_required=True)
    await enrol(db, tokens, code, NOW, key=Device().key, key_required=True)
    with pytest.raises(BadCode):
        await enrol(db, tokens, code, NOW, key=Device().key)


async def test_a_tablet_from_before_binds_the_first_key_that_it_shows_and_no_other(
    db: Database, tokens: Tokens
) -> None:
    token, first = await enrolled(db, tokens, None), Device()
    shown = await holder(db, tokens, token)
    await tablet_keys.check_request(db, tokens, shown, SHIFT, ("", ""), NOW)
    bound = await tablet_keys.bind_first(db, shown, first.key, NOW)
    assert bound == await holder(db, tokens, token) == replace(shown, key=first.key)
    with pytest.raises(KeyNeeded):
        await tablet_keys.bind_first(db, shown, Device().key, NOW)
    assert await bound_by(db) == (first.key, "first_use")
    assert (await audited(db)).count(("tablet.bind_key", "allowed")) == 1


async def test_a_new_set_up_replaces_the_key_and_a_revoked_tablet_has_none(
    db: Database, tokens: Tokens
) -> None:
    first = await enrolled(db, tokens, Device().key)
    second = Device()
    token = await enrolled(db, tokens, second.key)
    with pytest.raises(TabletRevoked):
        await holder(db, tokens, first)
    assert (await holder(db, tokens, token)).key == second.key
    await db.write(lambda conn: revoke_tablet(conn, "tab_home", NOW))
    assert await bound_by(db) == (None, None)


async def test_an_officer_s_pin_gives_a_tablet_a_new_key_and_checks_it_out(
    db: Database, tokens: Tokens
) -> None:
    old, new = Device(), Device()
    token = await enrolled(db, tokens, old.key)
    shown = await holder(db, tokens, token)
    actor = await tablet_keys.renew_by_pin(db, shown, "  OFFICER of  home ", PIN, new.key, NOW)
    assert actor.officer_id == "officer_home"
    after = await holder(db, tokens, token)
    assert (after.key, after.actor.officer_id) == (new.key, "officer_home")
    await prove(db, tokens, after, new)
    with pytest.raises(KeyNeeded):
        await prove(db, tokens, after, old)
    assert await bound_by(db) == (new.key, "pin")
    assert ("tablet.renew_key", "allowed") in await audited(db)


@pytest.mark.parametrize(
    ("name", "pin"),
    [("Officer of home", "9999"), ("Nobody", PIN), ("", PIN), ("Officer of away", PIN)],
)
async def test_without_the_right_name_and_pin_no_key_is_changed(
    db: Database, tokens: Tokens, name: str, pin: str
) -> None:
    old = Device()
    shown = await holder(db, tokens, await enrolled(db, tokens, old.key))
    with pytest.raises(BadPin):
        await tablet_keys.renew_by_pin(db, shown, name, pin, Device().key, NOW)
    assert await bound_by(db) == (old.key, "enrolment")


async def test_guessing_pins_for_a_key_locks_as_everywhere(db: Database, tokens: Tokens) -> None:
    shown = await holder(db, tokens, await enrolled(db, tokens, Device().key))
    for expected in (BadPin, BadPin, BadPin, BadPin, PinLocked, PinLocked):
        with pytest.raises(expected):
            await tablet_keys.renew_by_pin(db, shown, "Officer of home", "9999", Device().key, NOW)


@given(st.text(max_size=120), st.text(max_size=40))
def test_whatever_stands_in_the_place_of_a_signature_is_only_wrong(
    signature: str, text: str
) -> None:
    assert not possession.proves(Device().key, signature, text)
