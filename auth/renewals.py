"""The tokens of a sign-in: a short one that is shown with each request, and one that renews it.

Only people's sign-ins have them. A tablet's token needs the proof of a key that cannot leave the
device (`auth.tablet_keys`): to make it good once as well would let whoever copied it put a crisis
tablet out of service. A guest's lives for half an hour, and a program's is no cookie.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from auth.errors import Copied, NotSignedIn, Revoked
from auth.renewal_rules import ACCESS_SECONDS, Line, Shown, Verdict, after, digest, judge, successor
from auth.tokens import Tokens
from records import schema
from records.engine import Database
from records.parties import in_call

log = logging.getLogger(__name__)

KEPT_SECONDS: Final = 86_400.0  # it outlives the sign-in by a day: a covered page can be uncovered
T = TypeVar("T")
_login = schema.login


@dataclass(frozen=True, slots=True)
class Renewed:
    """What goes into the browser's cookies, and nowhere else."""

    token: str
    renewal: str

    def __repr__(self) -> str:
        return "Renewed()"


def access(tokens: Tokens, person_id: str, login_id: str, now: float) -> str:
    """A sign-in's own token, good for ten minutes."""
    return tokens.issue("login", person_id, login_id, now, now + ACCESS_SECONDS)


def first(
    tokens: Tokens, login_id: str, now: float, expires_at: float
) -> tuple[str, dict[str, Any]]:
    """The first renewal token of a fresh sign-in, and what its row keeps of it."""
    secret = secrets.token_urlsafe(32)
    kept = {"renewal_no": 0, "renewal_digest": digest(secret), "renewed_at": now}
    return _issue(tokens, login_id, 0, secret, now, expires_at + KEPT_SECONDS), kept


async def renew(db: Database, tokens: Tokens, token: str, client: str, now: float) -> Renewed:
    """The next tokens for this one, which is good once. `client`: what the browser says it is.

    Raises NotSignedIn, Revoked; Copied for one that was used before: the whole sign-in is ended.
    """

    async def work(conn: AsyncConnection) -> Renewed | Copied:
        row, shown = await _found(conn, tokens, token, client)
        line = _line(row)
        verdict = judge(line, shown, now)
        if verdict is Verdict.REUSED:
            return await _end(conn, row, now)
        _refuse(verdict)
        line = after(line, shown, verdict, secrets.token_bytes(32), now)
        if verdict is Verdict.FRESH:
            await _keep(conn, row.id, line)
        following = successor(shown.secret, line.salt)
        return Renewed(
            access(tokens, row.person_id, row.id, now),
            _issue(tokens, row.id, line.no, following, now, line.ends_at),
        )

    return _done(await db.write(work))


async def require(db: Database, tokens: Tokens, token: str, client: str, now: float) -> str:
    """As `renew`, without using it up: for a connection, which cannot be given another cookie.

    A token of the sign-in that is shown to nobody else.
    """

    async def work(conn: AsyncConnection) -> str | Copied:
        row, shown = await _found(conn, tokens, token, client)
        verdict = judge(_line(row), shown, now)
        if verdict is Verdict.REUSED:
            return await _end(conn, row, now)
        _refuse(verdict)
        return access(tokens, row.person_id, row.id, now)

    return _done(await db.write(work))


# --- inside ---------------------------------------------------------------------------------------


async def _found(
    conn: AsyncConnection, tokens: Tokens, token: str, client: str
) -> tuple[Row[Any], Shown]:
    """The row of a genuine token, held until the transaction ends. Raises NotSignedIn."""
    claims = await tokens.find(conn, "renewal", token)
    if claims is None:
        raise NotSignedIn
    number, _, secret = claims.token_id.partition(".")
    found = select(_login).where(_login.c.id == claims.subject).with_for_update()
    row = (await conn.execute(found)).first()
    if row is None or row.renewal_no is None:
        raise NotSignedIn
    return row, Shown(int(number), secret, hashlib.sha256(client.encode()).hexdigest())


def _line(row: Row[Any]) -> Line:
    return Line(
        no=row.renewal_no,
        digest=row.renewal_digest,
        before=row.renewal_before,
        salt=row.renewal_salt or b"",
        renewed_at=row.renewed_at,
        client=row.renewed_by,
        ends_at=row.expires_at + KEPT_SECONDS,
        ended=row.revoked_at is not None or row.ends_after_call,
    )


async def _keep(conn: AsyncConnection, login_id: str, line: Line) -> None:
    await conn.execute(
        update(_login)
        .where(_login.c.id == login_id)
        .values(
            renewal_no=line.no,
            renewal_digest=line.digest,
            renewal_before=line.before,
            renewal_salt=line.salt,
            renewed_at=line.renewed_at,
            renewed_by=line.client,
        )
    )


async def _end(conn: AsyncConnection, row: Row[Any], now: float) -> Copied:
    """End the sign-in at once; one that carries a call when the call is over."""
    busy = await in_call(conn, row.person_id)
    values: dict[str, Any] = {"ends_after_call": True} if busy else {"revoked_at": now}
    await conn.execute(update(_login).where(_login.c.id == row.id).values(values))
    await audit.try_record(conn, None, "login.copied", "login", row.id, "refused", now)
    log.warning("login.copied login=%s", row.id)
    return Copied(row.id, row.person_id)


def _refuse(verdict: Verdict) -> None:
    if verdict is Verdict.ENDED:
        raise Revoked
    if verdict in {Verdict.OVER, Verdict.STRANGE}:
        raise NotSignedIn


def _done(found: T | Copied) -> T:
    if isinstance(found, Copied):
        raise found
    return found


def _issue(
    tokens: Tokens, login_id: str, number: int, secret: str, now: float, ends_at: float
) -> str:
    return tokens.issue("renewal", login_id, f"{number}.{secret}", now, ends_at)
