"""Tokens by which other programs read: made by a person, and never more than that person may.

The secret is shown once and only its keyed hash is kept. On each use the token's row and its
maker's rights of that moment decide: a token of somebody who has left, or has lost the right, stops
by itself, and one that was taken back stops at once.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from auth.actors import TOKEN, Actor
from auth.errors import BadField, BadToken, Forbidden, NoSuchRecord
from auth.policy import TOKEN_SCOPES, Action, Target, allows, could
from auth.standing import standing
from records import api_tokens, directory
from records.api_tokens import NOTED_SECONDS, NewToken, TokenRow
from records.crypto import Vault
from records.directory import Directory
from records.engine import Database
from records.ids import new_id

PREFIX = (
    "cbt_"  # so that a secret which was left somewhere can be found, and is known for what it is
)
LONGEST_DAYS = 365
LONGEST_NAME = 80
_SECRET = re.compile(r"cbt_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asked for; `expires_on` is the last day (UTC) on which the token works."""

    name: str
    scopes: tuple[str, ...]
    agency_id: str | None
    provider_id: str | None
    expires_on: str


@dataclass(frozen=True, slots=True)
class Made:
    """A fresh token. The secret is shown once and kept nowhere."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Listed:
    """A token as its program's people read it. `works`: its maker still has the right."""

    row: TokenRow
    made_by: str
    alive: bool
    works: bool
    agency: str | None
    provider: str | None


def grantable(actor: Actor) -> tuple[str, ...]:
    """The scopes that this person may give: what they may do themselves."""
    if not could(actor, Action.INTEGRATION_MAKE) or actor.program_id is None:
        return ()
    mine = Target(program_id=actor.program_id)
    return tuple(scope for scope, action in TOKEN_SCOPES.items() if allows(actor, action, mine))


async def make(db: Database, vault: Vault, actor: Actor, wanted: Wanted, now: float) -> Made:
    """Make a token. Raises Forbidden, BadField, BadInput, AuditFailed; then there is none."""
    open_to = grantable(actor)
    if not open_to or actor.program_id is None:
        await _refuse(db, actor, None, now)
        raise Forbidden
    program_id = actor.program_id
    name = " ".join(wanted.name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise BadField("name")
    if not wanted.scopes or not set(wanted.scopes) <= set(open_to):
        raise BadField("scopes")
    expires_at = _end_of(wanted.expires_on, now)
    made = Made(new_id("tok"), PREFIX + secrets.token_urlsafe(32))

    async def work(conn: AsyncConnection) -> None:
        who = await directory.read(conn)
        _known(who, program_id, wanted)
        new = NewToken(
            id=made.id,
            program_id=program_id,
            agency_id=wanted.agency_id,
            provider_id=wanted.provider_id,
            name=name,
            scopes=tuple(scope for scope in TOKEN_SCOPES if scope in wanted.scopes),
            expires_at=expires_at,
        )
        await api_tokens.add(conn, vault, new, made.secret, actor.id, now)
        await audit.record(conn, actor, "token.make", "token", made.id, "allowed", now)

    await db.write(work)
    return made


async def listed(db: Database, actor: Actor, now: float) -> list[Listed]:
    """The tokens that this person may end, the newest first. Raises Forbidden."""
    if not could(actor, Action.INTEGRATION_MANAGE):
        raise Forbidden
    async with db.read() as conn:
        who = await directory.read(conn)
        rows = await api_tokens.listed(conn)
    found = []
    for row in rows:
        if allows(actor, Action.INTEGRATION_MANAGE, _target(row)):
            maker = who.people.get(row.made_by)
            agency = who.agencies.get(row.agency_id or "")
            provider = who.providers.get(row.provider_id or "")
            found.append(
                Listed(
                    row=row,
                    made_by=maker.name if maker else row.made_by,
                    alive=row.alive(now),
                    works=_actor(row, who) is not None,
                    agency=agency.name if agency else None,
                    provider=provider.name if provider else None,
                )
            )
    return found


async def revoke(db: Database, actor: Actor, token_id: str, now: float) -> None:
    """End a token at once. Raises Forbidden, NoSuchRecord, AuditFailed."""

    async def work(conn: AsyncConnection) -> bool:
        row = await api_tokens.get(conn, token_id) if len(token_id) <= 40 else None
        if row is None or not allows(actor, Action.INTEGRATION_MANAGE, _target(row)):
            known = row.id if row is not None else None
            await audit.record(conn, actor, "token.revoke", "token", known, "refused", now)
            return False
        await api_tokens.revoke(conn, token_id, actor.id, now)
        await audit.record(conn, actor, "token.revoke", "token", token_id, "allowed", now)
        return True

    if not await db.write(work):
        raise NoSuchRecord if could(actor, Action.INTEGRATION_MANAGE) else Forbidden


async def actor_for_token(db: Database, vault: Vault, secret: str, now: float) -> Actor:
    """Which program holds this secret now, with the scopes that its maker may still give.

    Raises BadToken.
    """
    if not _SECRET.fullmatch(secret):
        raise BadToken
    async with db.read() as conn:
        row = await api_tokens.by_secret(conn, vault, secret)
        who = await directory.read(conn) if row is not None else None
    actor = _actor(row, who) if row is not None and who is not None else None
    if row is None or actor is None or not row.alive(now):
        raise BadToken
    if row.last_used_at is None or now - row.last_used_at >= NOTED_SECONDS:
        await db.write(lambda conn: api_tokens.used(conn, row.id, now))
    return actor


# --- inside ---------------------------------------------------------------------------------------


def _actor(row: TokenRow, who: Directory) -> Actor | None:
    """A token as an actor; None when its maker may not vouch for it any more."""
    maker = standing(who, row.made_by)
    if maker is None or not allows(maker, Action.INTEGRATION_MAKE, _target(row)):
        return None
    place = Target(row.agency_id, row.provider_id, row.program_id)
    scopes = frozenset(s for s in row.scopes if allows(maker, TOKEN_SCOPES[s], place))
    if not scopes:
        return None
    return Actor(
        kind="token",
        id=row.id,
        name=row.name,
        short_name=row.name,
        roles=frozenset({TOKEN}),
        agency_id=row.agency_id,
        provider_id=row.provider_id,
        program_id=row.program_id,
        expires_at=row.expires_at,
        scopes=scopes,
    )


def _target(row: TokenRow) -> Target:
    return Target(row.agency_id, row.provider_id, row.program_id)


def _end_of(day: str, now: float) -> float:
    """The moment at which a day (UTC) is over. Raises BadField unless it is within a year."""
    try:
        last = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise BadField("expires") from None
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if not today <= last <= today + timedelta(days=LONGEST_DAYS):
        raise BadField("expires")
    return (last + timedelta(days=1)).timestamp()


def _known(who: Directory, program_id: str, wanted: Wanted) -> None:
    """Raises BadField for an agency or a provider that is none of the program's."""
    agencies = {one.id: one for one in who.agencies.values() if one.program_id == program_id}
    providers = {one.provider_id for one in agencies.values()}
    if wanted.agency_id is not None and wanted.agency_id not in agencies:
        raise BadField("agency")
    if wanted.provider_id is not None and wanted.provider_id not in providers:
        raise BadField("provider")


async def _refuse(db: Database, actor: Actor, token_id: str | None, now: float) -> None:
    await db.write(
        lambda conn: audit.record(conn, actor, "token.make", "token", token_id, "refused", now)
    )
