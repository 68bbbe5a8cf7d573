"""Passkeys (WebAuthn): set up by their owner, and a sign-in by themselves.

The browser and the authenticator are made to verify the user (fingerprint, face, PIN), so a
passkey is two factors at once, and no password is asked beside it. An answer counts once, for the
address that the page was opened at, within five minutes; a counter that goes back (a copied key) is
refused. Nothing is asked about the make of an authenticator: any will do.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from sqlalchemy import Row, delete, func, insert, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import options_to_json_dict
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorAttachment,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from webauthn.registration.verify_registration_response import VerifiedRegistration

from auth import audit, challenges, factors, issuer_links, locks, logins
from auth.actors import Actor
from auth.errors import (
    BadPasskey,
    LastFactor,
    Locked,
    NoPasskeysHere,
    NoSuchRecord,
    TooManyFactors,
)
from auth.logins import SignedIn
from auth.steps import Stepping
from auth.tokens import Tokens
from records import schema, schema_signin
from records.engine import Database
from records.ids import new_id

T = TypeVar("T")
MOST = 10  # of one person
LONGEST_NAME = 40
_LONGEST_ID = 1023  # bytes of a credential id (WebAuthn, 4)
# what the library raises for whatever a browser could send
_WRONG = (WebAuthnException, ValueError, LookupError, TypeError, AttributeError, EOFError)


class Asked(NamedTuple):
    """What an answer must have been asked for, and how its refusals are written down."""

    purpose: str
    holder: str
    recorded_as: str = "login.start"
    tablet: Actor | None = None  # where it is answered, if at one; those for tablets only count


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page was opened: passkeys are bound to it."""

    origin: str
    domain: str


def place_at(origin: str, domain: str | None) -> Place:
    """The place of an origin that is one of ours; `domain` is the one that was set, if any.

    Raises NoPasskeysHere for an address by number, and for a host outside the domain.
    """
    host = urlsplit(origin).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        named = bool(host)
    else:
        named = False
    wanted = domain or host
    if not named or not (host == wanted or host.endswith(f".{wanted}")):
        raise NoPasskeysHere
    return Place(origin, wanted)


# --- what the page is asked -----------------------------------------------------------------------


def asked_to_sign_in(
    tokens: Tokens,
    place: Place,
    purpose: str,
    holder: str,
    now: float,
    seconds: int = challenges.SECONDS,
) -> dict[str, Any]:
    """The options for `navigator.credentials.get`: any passkey of ours that the device knows."""
    options = generate_authentication_options(
        rp_id=place.domain,
        challenge=challenges.make(tokens, purpose, holder, now, seconds),
        timeout=seconds * 1000,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    asked: dict[str, Any] = options_to_json_dict(options)
    return asked


async def asked_to_add(
    db: Database, tokens: Tokens, place: Place, actor: Actor, now: float
) -> dict[str, Any]:
    """The options for `navigator.credentials.create`, without the devices that have one already."""
    key, person = schema_signin.passkey, schema.person
    async with db.read() as conn:
        known = await conn.execute(
            select(key.c.credential_id).where(
                key.c.person_id == actor.id,
                key.c.tablets_only.is_(False),  # which a whole one takes the place of
            )
        )
        email = await conn.execute(select(person.c.email).where(person.c.id == actor.id))
    challenge = challenges.make(tokens, "passkey.add", actor.login_id or "", now)
    names = (actor.id, email.scalar_one(), actor.name)
    return options_to_make(place, names, challenge, list(known.scalars()))


def options_to_make(
    place: Place,
    names: tuple[str, str, str],
    challenge: bytes,
    known: Sequence[bytes] = (),
    *,
    apart: bool = False,
) -> dict[str, Any]:
    """The options for a passkey of somebody: `names` are their id, and two that the device shows.

    `apart`: on a thing of its owner's own (a phone, a security key), not on the device that asks.
    """
    person_id, user_name, display_name = names
    options = generate_registration_options(
        rp_id=place.domain,
        rp_name="CrisisBridge",
        user_id=person_id.encode(),
        user_name=user_name,
        user_display_name=display_name,
        challenge=challenge,
        timeout=challenges.SECONDS * 1000,
        authenticator_selection=AuthenticatorSelectionCriteria(
            authenticator_attachment=AuthenticatorAttachment.CROSS_PLATFORM if apart else None,
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=one) for one in known],
    )
    asked: dict[str, Any] = options_to_json_dict(options)
    return asked


# --- what the page answers ------------------------------------------------------------------------


async def add(
    db: Database,
    tokens: Tokens,
    place: Place,
    actor: Actor,
    name: str,
    credential: Mapping[str, Any],
    now: float,
) -> str:
    """Keep a new passkey of this person; its id. `name` is what they call it.

    Raises BadPasskey, TooManyFactors, ProofNeeded, Forbidden, AuditFailed.
    """
    asked = Asked("passkey.add", actor.login_id or "")
    made = made_by(tokens, place, asked, credential, now)

    async def work(conn: AsyncConnection) -> str:
        return await keep(conn, actor.id, name, made, now)

    return await factors.change(db, actor, "factor.add_passkey", now, work)


class Made(NamedTuple):
    """A passkey that was just made as it was asked for; nothing is kept yet."""

    challenge: bytes
    verified: VerifiedRegistration


def made_by(
    tokens: Tokens, place: Place, asked: Asked, credential: Mapping[str, Any], now: float
) -> Made:
    """The passkey of this answer, whose challenge is yet to be used up. Raises BadPasskey."""
    challenge = _challenge(credential)
    if not challenges.genuine(tokens, asked.purpose, asked.holder, challenge, now):
        raise BadPasskey
    try:
        verified = verify_registration_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=place.domain,
            expected_origin=place.origin,
            require_user_verification=True,
        )
    except _WRONG as error:
        raise BadPasskey from error
    return Made(challenge, verified)


async def keep(
    conn: AsyncConnection,
    person_id: str,
    name: str,
    made: Made,
    now: float,
    *,
    tablets_only: bool = False,
) -> str:
    """Use the challenge up and keep the passkey; its id. Permission is the caller's matter.

    Raises BadPasskey, TooManyFactors.
    """
    key, passkey_id = schema_signin.passkey, new_id("pky")
    if not await challenges.spend(conn, made.challenge, now):
        raise BadPasskey
    mine = select(func.count()).where(key.c.person_id == person_id)
    if (await conn.execute(mine)).scalar_one() >= MOST:
        raise TooManyFactors
    try:
        async with conn.begin_nested():
            await conn.execute(
                insert(key).values(
                    id=passkey_id,
                    person_id=person_id,
                    credential_id=made.verified.credential_id,
                    public_key=made.verified.credential_public_key,
                    sign_count=made.verified.sign_count,
                    name=clean_name(name),
                    made_at=now,
                    tablets_only=tablets_only,
                )
            )
    except IntegrityError as error:
        raise BadPasskey from error  # known already, to whomever
    return passkey_id


async def sign_in(
    db: Database,
    tokens: Tokens,
    place: Place,
    holder: str,
    credential: Mapping[str, Any],
    now: float,
    *,
    hours: float = logins.LOGIN_HOURS,
    step: Stepping | None = None,
) -> SignedIn:
    """A sign-in by passkey alone, or as the second factor of `step`.

    Raises BadPasskey, Locked; ByDirectory for somebody who has to begin at their directory.
    """
    row = await _known(db, credential, at_tablet=False)
    mine = step is not None and row is not None and row.person_id == step.person_id
    if row is not None and not mine:
        async with db.read() as conn:
            await issuer_links.require_other_ways(conn, row.person_id)
    issuer_id = step.issuer_id if step is not None and mine else None

    async def opened(conn: AsyncConnection, person_id: str) -> SignedIn:
        return await logins.open_login(conn, tokens, person_id, now, hours, issuer_id=issuer_id)

    asked = Asked("passkey.sign_in", holder)
    return await checked(db, tokens, place, asked, credential, now, opened)


async def prove(
    db: Database,
    tokens: Tokens,
    place: Place,
    actor: Actor,
    credential: Mapping[str, Any],
    now: float,
    hours: float,
) -> SignedIn:
    """Somebody who is signed in proves again that it is them.

    Raises BadPasskey, Locked; ByDirectory when only the directory can make the sign-in longer.
    """
    await logins.require_a_way_here(db, actor, now)

    async def proven(conn: AsyncConnection, _person_id: str) -> SignedIn:
        return await logins.prove(conn, tokens, actor, now, hours, whole=True)

    asked = Asked("passkey.prove", actor.login_id or "")
    return await checked(db, tokens, place, asked, credential, now, proven, only=actor.id)


async def remove(db: Database, actor: Actor, passkey_id: str, now: float, *, needed: bool) -> None:
    """Take one of one's own away. What it may have opened ends with it: every other sign-in.

    Raises LastFactor where one is `needed`, NoSuchRecord, and as `factors.change`.
    """
    key = schema_signin.passkey

    async def work(conn: AsyncConnection) -> None:
        have = await factors.has(conn, actor.id)
        mine = key.c.id == passkey_id, key.c.person_id == actor.id
        counts = await conn.execute(select(key.c.id).where(*mine, key.c.tablets_only.is_(False)))
        if needed and have.passkeys <= 1 and not have.app and counts.first() is not None:
            raise LastFactor
        done = await conn.execute(delete(key).where(*mine))
        if done.rowcount != 1:
            raise NoSuchRecord
        await logins.end_elsewhere(conn, actor, now)

    await factors.change(db, actor, "factor.remove_passkey", now, work)


async def rename(db: Database, actor: Actor, passkey_id: str, name: str, now: float) -> None:
    """Call one of one's own something else. Raises NoSuchRecord, and as `factors.change`."""
    key = schema_signin.passkey

    async def work(conn: AsyncConnection) -> None:
        done = await conn.execute(
            update(key)
            .where(key.c.id == passkey_id, key.c.person_id == actor.id)
            .values(name=clean_name(name))
        )
        if done.rowcount != 1:
            raise NoSuchRecord

    await factors.change(db, actor, "factor.rename_passkey", now, work)


def clean_name(typed: str) -> str:
    """A passkey's name on one line; its number of letters is bounded."""
    name = "".join(sign for sign in " ".join(typed.split()) if sign.isprintable())[:LONGEST_NAME]
    return name or "–"


async def checked(
    db: Database,
    tokens: Tokens,
    place: Place,
    asked: Asked,
    credential: Mapping[str, Any],
    now: float,
    success: Callable[[AsyncConnection, str], Awaitable[T]],
    *,
    only: str | None = None,
) -> T:
    """Check an answer; `success` runs in the transaction that uses the challenge up.

    An answer with a passkey that we know counts as a try of its owner, right or wrong. Raises
    BadPasskey, Locked.
    """
    challenge = _challenge(credential)
    if not challenges.genuine(tokens, asked.purpose, asked.holder, challenge, now):
        raise BadPasskey
    row = await _known(db, credential, at_tablet=asked.tablet is not None)
    if row is None or (only is not None and row.person_id != only):
        raise BadPasskey
    person_id: str = row.person_id
    if not await db.write(lambda conn: locks.admit_person(conn, person_id, now)):
        raise Locked
    verified = _verified(place, row, credential, challenge)

    async def work(conn: AsyncConnection) -> tuple[bool, T | None]:
        if (
            verified is None
            or not await challenges.spend(conn, challenge, now)
            or not await _count(conn, row, verified.new_sign_count, now)
        ):
            locked = await locks.fail_person(conn, person_id, now)
            await audit.try_record(
                conn, asked.tablet, asked.recorded_as, "person", person_id, "refused", now
            )
            return locked, None
        if not await locks.clear(conn, person_id):
            return True, None
        return False, await success(conn, person_id)

    locked, done = await db.write(work)
    if done is None:
        raise Locked if locked else BadPasskey
    return done


# --- inside ---------------------------------------------------------------------------------------


def _verified(
    place: Place, row: Row[Any], credential: Mapping[str, Any], challenge: bytes
) -> VerifiedAuthentication | None:
    given = _handle(credential)
    if given is not None and not hmac.compare_digest(given, row.person_id.encode()):
        return None
    try:
        return verify_authentication_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=place.domain,
            expected_origin=place.origin,
            credential_public_key=row.public_key,
            credential_current_sign_count=row.sign_count,
            require_user_verification=True,
        )
    except _WRONG:
        return None


async def _known(
    db: Database, credential: Mapping[str, Any], *, at_tablet: bool
) -> Row[Any] | None:
    key, person = schema_signin.passkey, schema.person
    raw = _bytes(credential.get("rawId"))
    if not 0 < len(raw) <= _LONGEST_ID:
        return None
    here = true() if at_tablet else key.c.tablets_only.is_(False)
    async with db.read() as conn:
        found = await conn.execute(
            select(key)
            .join(person, person.c.id == key.c.person_id)
            .where(key.c.credential_id == raw, person.c.active, here)
        )
        row: Row[Any] | None = found.first()
    return row


async def _count(conn: AsyncConnection, row: Row[Any], count: int, now: float) -> bool:
    """Keep the counter; False when another answer was faster, so that none counts twice."""
    key = schema_signin.passkey
    done = await conn.execute(
        update(key)
        .where(key.c.id == row.id, key.c.sign_count == row.sign_count)
        .values(sign_count=count, used_at=now)
    )
    return done.rowcount == 1


def _challenge(credential: Mapping[str, Any]) -> bytes:
    """The challenge that an answer says it answers; whether it is ours is asked next."""
    response = credential.get("response")
    raw = _bytes(response.get("clientDataJSON")) if isinstance(response, Mapping) else b""
    try:
        said = json.loads(raw)
        return _bytes(said["challenge"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadPasskey from None


def _handle(credential: Mapping[str, Any]) -> bytes | None:
    response = credential.get("response")
    given = response.get("userHandle") if isinstance(response, Mapping) else None
    return None if given in (None, "") else _bytes(given)


def _bytes(text: object) -> bytes:
    """Base64url without padding, as browsers send; empty when it is none."""
    if not isinstance(text, str) or not text.isascii():
        return b""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
