"""Passkeys: set up, signed in with, and everything that an answer can have wrong."""

from __future__ import annotations

import base64
import copy
from functools import partial
from types import SimpleNamespace
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import challenges, factors, logins, passkeys, signin
from auth.actors import Actor
from auth.errors import (
    BadPasskey,
    LastFactor,
    Locked,
    NoPasskeysHere,
    NoSuchRecord,
    ProofNeeded,
    SecondFactorNeeded,
    TooManyFactors,
)
from auth.locks import Strangers
from auth.logins import FRESH_SECONDS
from auth.passkeys import Place
from auth.tokens import Tokens
from records import schema, schema_signin
from records.engine import Database
from tests.auth.authenticator import ORIGIN, PRESENT, VERIFIED, Authenticator, encoded
from tests.auth.cast import NOW, PASSWORD, SECRET

HERE = Place(ORIGIN, "bridge.example.org")
HOLDER = "cookie-of-this-browser"


async def person(db: Database, tokens: Tokens, name: str = "clinician") -> Actor:
    signed = await signin.sign_in(
        db, tokens, f"{name}@home.invalid", PASSWORD, NOW, strangers=Strangers()
    )
    return signed.actor


async def with_passkey(
    db: Database, tokens: Tokens, actor: Actor, device: Authenticator | None = None
) -> Authenticator:
    made = device or Authenticator()
    options = await passkeys.asked_to_add(db, tokens, HERE, actor, NOW)
    await passkeys.add(db, tokens, HERE, actor, "Laptop", made.make(options), NOW)
    return made


def ask(tokens: Tokens, now: float = NOW, holder: str = HOLDER) -> dict[str, Any]:
    return passkeys.asked_to_sign_in(tokens, HERE, "passkey.sign_in", holder, now)


async def enter(
    db: Database,
    tokens: Tokens,
    answer: dict[str, Any],
    now: float = NOW,
    place: Place = HERE,
    holder: str = HOLDER,
) -> Actor:
    return (await passkeys.sign_in(db, tokens, place, holder, answer, now)).actor


async def test_a_passkey_alone_signs_its_owner_in(db: Database, tokens: Tokens) -> None:
    device = await with_passkey(db, tokens, await person(db, tokens))
    assert (await enter(db, tokens, device.answer(ask(tokens)))).id == "clinician_home"
    async with db.read() as conn:
        entries = await conn.execute(select(schema.audit.c.action).order_by(schema.audit.c.no))
        assert list(entries.scalars())[-2:] == ["factor.add_passkey", "login.start"]


async def test_the_browser_is_asked_for_a_discoverable_key_and_a_verified_user(
    db: Database, tokens: Tokens
) -> None:
    actor = await person(db, tokens)
    device = await with_passkey(db, tokens, actor)
    options = await passkeys.asked_to_add(db, tokens, HERE, actor, NOW)
    chosen = options["authenticatorSelection"]
    assert (chosen["residentKey"], chosen["userVerification"]) == ("required", "required")
    assert options["rp"]["id"] == "bridge.example.org"
    assert options["attestation"] == "none"
    assert len(options["excludeCredentials"]) == 1
    asked = ask(tokens)
    assert asked["userVerification"] == "required"
    assert asked["allowCredentials"] == []  # whoever comes: no name is asked for
    assert device.handle == b"clinician_home"  # an id, not an address


async def test_the_password_is_no_longer_enough(db: Database, tokens: Tokens) -> None:
    await with_passkey(db, tokens, await person(db, tokens))
    with pytest.raises(SecondFactorNeeded):
        await person(db, tokens)


async def test_an_answer_counts_once(db: Database, tokens: Tokens) -> None:
    device = await with_passkey(db, tokens, await person(db, tokens))
    answer = device.answer(ask(tokens))
    await enter(db, tokens, answer)
    with pytest.raises(BadPasskey):
        await enter(db, tokens, answer)
    with pytest.raises(BadPasskey):
        await enter(db, tokens, answer, NOW + 200)


async def test_a_challenge_is_for_one_browser_one_purpose_and_five_minutes(
    db: Database, tokens: Tokens
) -> None:
    actor = await person(db, tokens)
    device = await with_passkey(db, tokens, actor)
    with pytest.raises(BadPasskey):
        await enter(db, tokens, device.answer(ask(tokens, holder="another")))
    with pytest.raises(BadPasskey):
        await enter(db, tokens, device.answer(ask(tokens)), NOW + challenges.SECONDS)
    other = passkeys.asked_to_sign_in(tokens, HERE, "passkey.prove", HOLDER, NOW)
    with pytest.raises(BadPasskey):
        await enter(db, tokens, device.answer(other))
    theirs = Tokens(SECRET[::-1])
    with pytest.raises(BadPasskey):
        await enter(db, tokens, device.answer(ask(theirs)))


@pytest.mark.parametrize("flags", [PRESENT, VERIFIED, 0])
async def test_an_answer_without_a_verified_user_is_refused(
    db: Database, tokens: Tokens, flags: int
) -> None:
    device = await with_passkey(db, tokens, await person(db, tokens))
    device.flags = flags
    with pytest.raises(BadPasskey):
        await enter(db, tokens, device.answer(ask(tokens)))


async def test_an_answer_made_for_another_site_is_refused(db: Database, tokens: Tokens) -> None:
    device = await with_passkey(db, tokens, await person(db, tokens))
    device.origin = "https://bridge.example.org.evil.example"
    with pytest.raises(BadPasskey):
        await enter(db, tokens, device.answer(ask(tokens)))
    device.origin = ORIGIN
    asked = ask(tokens) | {"rpId": "evil.example"}
    with pytest.raises(BadPasskey):
        await enter(db, tokens, device.answer(asked))


async def test_a_counter_that_goes_back_is_refused_as_a_copied_key(
    db: Database, tokens: Tokens
) -> None:
    device = await with_passkey(db, tokens, await person(db, tokens))
    device.count = 7
    await enter(db, tokens, device.answer(ask(tokens)))
    for count in (7, 6, 0):
        device.count = count
        with pytest.raises(BadPasskey):
            await enter(db, tokens, device.answer(ask(tokens)))
    device.count = 8
    assert await enter(db, tokens, device.answer(ask(tokens)))


async def test_a_signature_of_another_key_and_another_owner_are_refused(
    db: Database, tokens: Tokens
) -> None:
    device = await with_passkey(db, tokens, await person(db, tokens))
    forger = Authenticator(id=device.id, handle=device.handle)
    with pytest.raises(BadPasskey):
        await enter(db, tokens, forger.answer(ask(tokens)))
    device.handle = b"manager_home"
    with pytest.raises(BadPasskey):
        await enter(db, tokens, device.answer(ask(tokens)))


async def test_five_wrong_answers_lock_everything_and_a_lock_stops_passkeys_too(
    db: Database, tokens: Tokens
) -> None:
    device = await with_passkey(db, tokens, await person(db, tokens))
    forger = Authenticator(id=device.id, handle=device.handle)
    for _ in range(5):
        with pytest.raises((BadPasskey, Locked)):
            await enter(db, tokens, forger.answer(ask(tokens)))
    with pytest.raises(Locked):
        await enter(db, tokens, device.answer(ask(tokens)))
    with pytest.raises(Locked):
        await person(db, tokens)


async def test_an_unknown_passkey_and_a_closed_account_are_refused_alike(
    db: Database, tokens: Tokens
) -> None:
    device = await with_passkey(db, tokens, await person(db, tokens))
    with pytest.raises(BadPasskey):
        await enter(db, tokens, Authenticator().answer(ask(tokens)))

    async def close(conn: AsyncConnection) -> None:
        one = schema.person
        await conn.execute(update(one).where(one.c.id == "clinician_home").values(active=False))

    await db.write(close)
    with pytest.raises(BadPasskey):
        await enter(db, tokens, device.answer(ask(tokens)))


async def test_a_passkey_proves_its_own_sign_in_only(db: Database, tokens: Tokens) -> None:
    dana, lena = await person(db, tokens), await person(db, tokens, "manager")
    device = await with_passkey(db, tokens, dana)
    for actor, right in ((lena, False), (dana, True)):
        asked = passkeys.asked_to_sign_in(tokens, HERE, "passkey.prove", actor.login_id or "", NOW)
        proof = passkeys.prove(db, tokens, HERE, actor, device.answer(asked), NOW, 12)
        if right:
            assert (await proof).actor.id == dana.id
        else:
            with pytest.raises(BadPasskey):
                await proof


async def test_setting_up_needs_a_fresh_proof_the_own_challenge_and_a_new_key(
    db: Database, tokens: Tokens
) -> None:
    actor, other = await person(db, tokens), await person(db, tokens, "manager")
    device = Authenticator()
    options = await passkeys.asked_to_add(db, tokens, HERE, actor, NOW)
    answer = device.make(options)
    with pytest.raises(BadPasskey):  # a challenge of somebody else's sign-in
        await passkeys.add(db, tokens, HERE, other, "x", answer, NOW)
    late = NOW + FRESH_SECONDS
    asked = await passkeys.asked_to_add(db, tokens, HERE, actor, late)
    with pytest.raises(ProofNeeded):
        await passkeys.add(db, tokens, HERE, actor, "x", Authenticator().make(asked), late)
    await passkeys.add(db, tokens, HERE, actor, "x", answer, NOW)
    with pytest.raises(BadPasskey):  # the same answer again
        await passkeys.add(db, tokens, HERE, actor, "x", answer, NOW)
    stolen = Authenticator(id=device.id)
    asked = await passkeys.asked_to_add(db, tokens, HERE, other, NOW)
    with pytest.raises(BadPasskey):  # somebody else's key id
        await passkeys.add(db, tokens, HERE, other, "x", stolen.make(asked), NOW)
    unverified = Authenticator(flags=PRESENT)
    asked = await passkeys.asked_to_add(db, tokens, HERE, other, NOW)
    with pytest.raises(BadPasskey):
        await passkeys.add(db, tokens, HERE, other, "x", unverified.make(asked), NOW)


async def test_several_passkeys_are_named_and_removed_by_their_owner_only(
    db: Database, tokens: Tokens
) -> None:
    actor, other = await person(db, tokens), await person(db, tokens, "manager")
    elsewhere = await person(db, tokens)
    await with_passkey(db, tokens, actor)
    second = Authenticator()
    options = await passkeys.asked_to_add(db, tokens, HERE, actor, NOW + 1)
    await passkeys.add(db, tokens, HERE, actor, "Key", second.make(options), NOW + 1)
    mine = (await factors.own(db, actor, NOW)).passkeys
    assert len(mine) == 2
    with pytest.raises(NoSuchRecord):
        await passkeys.remove(db, other, mine[0].id, NOW, needed=False)
    with pytest.raises(NoSuchRecord):
        await passkeys.rename(db, other, mine[0].id, "Mine", NOW)
    await passkeys.rename(db, actor, mine[0].id, " Blue \n key\u202e " + "x" * 99, NOW)
    named = {one.id: one.name for one in (await factors.own(db, actor, NOW)).passkeys}
    assert named[mine[0].id].startswith("Blue key")
    assert len(named[mine[0].id]) == passkeys.LONGEST_NAME
    await passkeys.remove(db, actor, mine[0].id, NOW, needed=True)
    async with db.read() as conn:  # what it opened ends with it
        open_now = await logins.open_logins(conn, [str(actor.login_id), str(elsewhere.login_id)])
    assert open_now == {actor.login_id: False}
    with pytest.raises(LastFactor):
        await passkeys.remove(db, actor, mine[1].id, NOW, needed=True)
    assert await enter(db, tokens, second.answer(ask(tokens)))


async def test_there_is_a_bound_to_the_passkeys_of_one_person(db: Database, tokens: Tokens) -> None:
    actor = await person(db, tokens)
    for _ in range(passkeys.MOST):
        await with_passkey(db, tokens, actor)
    with pytest.raises(TooManyFactors):
        await with_passkey(db, tokens, actor)


@pytest.mark.parametrize(
    ("origin", "domain", "wanted"),
    [
        ("https://bridge.example.org", None, "bridge.example.org"),
        ("https://bridge.example.org", "example.org", "example.org"),
        ("http://localhost:8080", None, "localhost"),
        ("http://127.0.0.1:8080", None, None),
        ("https://[2001:db8::1]", None, None),
        ("https://bridge.example.org", "other.org", None),
        ("https://evilexample.org", "example.org", None),
    ],
)
def test_a_passkey_belongs_to_the_name_that_the_page_was_opened_by(
    origin: str, domain: str | None, wanted: str | None
) -> None:
    if wanted is None:
        with pytest.raises(NoPasskeysHere):
            passkeys.place_at(origin, domain)
    else:
        assert passkeys.place_at(origin, domain) == Place(origin, wanted)


async def test_spent_challenges_are_forgotten_when_they_have_run_out(
    db: Database, tokens: Tokens
) -> None:
    for at in (NOW, NOW + 4 * challenges.SECONDS):
        made = challenges.make(tokens, "x", "y", at)
        spent = [await db.write(partial(challenges.spend, challenge=made, now=at)) for _ in "12"]
        assert spent == [True, False]
    async with db.read() as conn:
        kept = await conn.execute(select(schema_signin.spent_challenge))
        assert len(kept.all()) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
PARTS = ("clientDataJSON", "authenticatorData", "signature", "userHandle", "attestationObject")


DEVICE = Authenticator(handle=b"x")
OPTIONS = {"challenge": "AAAA", "rpId": "bridge.example.org"}
GOOD: dict[str, Any] = DEVICE.answer(OPTIONS)


def _row() -> Any:
    made = DEVICE.make({**OPTIONS, "user": {"id": "eA"}, "rp": {"id": "bridge.example.org"}})
    key = cbor2.loads(base64.urlsafe_b64decode(made["response"]["attestationObject"] + "=="))
    public_key = key["authData"][37 + 16 + 2 + 32 :]
    return SimpleNamespace(person_id="x", public_key=public_key, sign_count=0)


@settings(max_examples=300, deadline=None)
@given(part=st.sampled_from(PARTS), value=JSON | st.binary(max_size=80), outer=st.booleans())
def test_whatever_a_browser_sends_is_refused_and_nothing_breaks(
    part: str, value: object, outer: bool
) -> None:
    row, challenge = _row(), passkeys._challenge(GOOD)
    assert passkeys._verified(HERE, row, GOOD, challenge) is not None
    answer = copy.deepcopy(GOOD)
    sent = encoded(value) if isinstance(value, bytes) else value
    if outer:
        answer[{"signature": "id", "userHandle": "rawId"}.get(part, "response")] = sent
    else:
        answer["response"][part] = sent
    try:
        challenge = passkeys._challenge(answer)
    except BadPasskey:
        return
    passkeys._handle(answer)
    verified = passkeys._verified(HERE, row, answer, challenge)
    ignored = part == "attestationObject" or (part == "userHandle" and sent in (None, ""))
    assert verified is None or ignored


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(max_size=200), value=JSON)
async def test_whatever_is_sent_in_place_of_a_new_key_is_refused(raw: bytes, value: object) -> None:
    tokens = Tokens(SECRET)
    actor = Actor("person", "x", "X", "X", frozenset({"clinician"}), login_id="lgn")
    challenge = encoded(challenges.make(tokens, "passkey.add", "lgn", NOW))
    options = {"challenge": challenge, "user": {"id": "eA"}, "rp": {"id": "bridge.example.org"}}
    database: Any = None  # never asked: what is sent is refused before
    for sent in (encoded(raw), value, encoded(cbor2.dumps({"fmt": "packed", "authData": raw}))):
        answer = Authenticator().make(options)
        answer["response"]["attestationObject"] = sent
        with pytest.raises(BadPasskey):
            await passkeys.add(database, tokens, HERE, actor, "x", answer, NOW)
