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
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Row, delete, func, insert, select, update
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
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

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

MOST = 10  # of one person
LONGEST_NAME = 40
_LONGEST_ID = 1023  # bytes of a credential id (WebAuthn, 4)
# what the library raises for whatever a browser could send
_WRONG = (WebAuthnException, ValueError, LookupError, TypeError, AttributeError, EOFError)


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
    tokens: Tokens, place: Place, purpose: str, holder: str, now: float
) -> dict[str, Any]:
    """The options for `navigator.credentials.get`: any passkey of ours that the device knows."""
    options = generate_authentication_options(
        rp_id=place.domain,
        challenge=challenges.make(tokens, purpose, holder, now),
        timeout=challenges.SECONDS * 1000,
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
        known = await conn.execute(select(key.c.credential_id).where(key.c.person_id == actor.id))
        email = await conn.execute(select(person.c.email).where(person.c.id == actor.id))
    options = generate_registration_options(
        rp_id=place.domain,
        rp_name="CrisisBridge",
        user_id=actor.id.encode(),
        user_name=email.scalar_one(),
        user_display_name=actor.name,
        challenge=challenges.make(tokens, "passkey.add", actor.login_id or "", now),
        timeout=challenges.SECONDS * 1000,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=one) for one in known.scalars()],
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
    challenge = _challenge(credential)
    if not challenges.genuine(tokens, "passkey.add", actor.login_id or "", challenge, now):
        raise BadPasskey
    try:
        made = verify_registration_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=place.domain,
            expected_origin=place.origin,
            require_user_verification=True,
        )
    except _WRONG as error:
        raise BadPasskey from error
    key, passkey_id = schema_signin.passkey, new_id("pky")

    async def work(conn: AsyncConnection) -> None:
        if not await challenges.spend(conn, challenge, now):
            raise BadPasskey
        mine = select(func.count()).where(key.c.person_id == actor.id)
        if (await conn.execute(mine)).scalar_one() >= MOST:
            raise TooManyFactors
        try:
            async with conn.begin_nested():
                await conn.execute(
                    insert(key).values(
                        id=passkey_id,
                        person_id=actor.id,
                        credential_id=made.credential_id,
                        public_key=made.credential_public_key,
                        sign_count=made.sign_count,
                        name=clean_name(name),
                        made_at=now,
                    )
                )
        except IntegrityError as error:
            raise BadPasskey from error  # known already, to whomever

    await factors.change(db, actor, "factor.add_passkey", now, work)
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
    row = await _known(db, credential)
    mine = step is not None and row is not None and row.person_id == step.person_id
    if row is not None and not mine:
        async with db.read() as conn:
            await issuer_links.require_other_ways(conn, row.person_id)
    issuer_id = step.issuer_id if step is not None and mine else None

    async def opened(conn: AsyncConnection, person_id: str) -> SignedIn:
        return await logins.open_login(conn, tokens, person_id, now, hours, issuer_id=issuer_id)

    return await _checked(
        db, tokens, place, ("passkey.sign_in", holder), credential, now, None, opened
    )


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

    asked = ("passkey.prove", actor.login_id or "")
    return await _checked(db, tokens, place, asked, credential, now, actor.id, proven)


async def remove(db: Database, actor: Actor, passkey_id: str, now: float, *, needed: bool) -> None:
    """Take one of one's own away. Raises LastFactor where one is `needed`, NoSuchRecord, and as
    `factors.change`."""
    key = schema_signin.passkey

    async def work(conn: AsyncConnection) -> None:
        have = await factors.has(conn, actor.id)
        if needed and have.passkeys <= 1 and not have.app:
            raise LastFactor
        done = await conn.execute(
            delete(key).where(key.c.id == passkey_id, key.c.person_id == actor.id)
        )
        if done.rowcount != 1:
            raise NoSuchRecord

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


# --- inside ---------------------------------------------------------------------------------------


async def _checked(
    db: Database,
    tokens: Tokens,
    place: Place,
    asked: tuple[str, str],
    credential: Mapping[str, Any],
    now: float,
    only: str | None,
    success: Any,
) -> SignedIn:
    """Check an answer; `success` runs in the transaction that uses the challenge up.

    An answer with a passkey that we know counts as a try of its owner, right or wrong.
    """
    challenge = _challenge(credential)
    if not challenges.genuine(tokens, *asked, challenge, now):
        raise BadPasskey
    row = await _known(db, credential)
    if row is None or (only is not None and row.person_id != only):
        raise BadPasskey
    person_id: str = row.person_id
    if not await db.write(lambda conn: locks.admit_person(conn, person_id, now)):
        raise Locked
    verified = _verified(place, row, credential, challenge)

    async def work(conn: AsyncConnection) -> tuple[bool, SignedIn | None]:
        if (
            verified is None
            or not await challenges.spend(conn, challenge, now)
            or not await _count(conn, row, verified.new_sign_count, now)
        ):
            locked = await locks.fail_person(conn, person_id, now)
            await audit.try_record(conn, None, "login.start", "person", person_id, "refused", now)
            return locked, None
        if not await locks.clear(conn, person_id):
            return True, None
        done: SignedIn = await success(conn, person_id)
        return False, done

    locked, done = await db.write(work)
    if done is None:
        raise Locked if locked else BadPasskey
    return done


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


async def _known(db: Database, credential: Mapping[str, Any]) -> Row[Any] | None:
    key, person = schema_signin.passkey, schema.person
    raw = _bytes(credential.get("rawId"))
    if not 0 < len(raw) <= _LONGEST_ID:
        return None
    async with db.read() as conn:
        found = await conn.execute(
            select(key)
            .join(person, person.c.id == key.c.person_id)
            .where(key.c.credential_id == raw, person.c.active)
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
