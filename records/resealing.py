"""What is sealed with the vault's own key rather than a session's, and sealing it anew.

A session's fields hang on its data key, and only that is wrapped anew (`Vault.rewrap`). The values
here are opened and sealed again. A value that somebody changes meanwhile is left to them: each is
put in place only where the old bytes still stand.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import RowMapping, Table, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records.errors import KeyWrong
from records.schema import contact_point, session_key
from records.schema_keys import tag_key, token_key
from records.schema_programs import webhook
from records.schema_signin import totp

if TYPE_CHECKING:
    from records.crypto import Own as OwnKey
    from records.crypto import Vault


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Moved:
    """What one look found under another key; `last`: where the next one goes on."""

    seen: int = 0
    unread: int = 0
    last: str = ""

    def __add__(self, other: Moved) -> Moved:
        return Moved(self.seen + other.seen, self.unread + other.unread, other.last)


@dataclass(frozen=True, slots=True)
class Own:
    """A table with values under the vault's own key. `columns`: each with its name in the seal."""

    table: Table
    key: str
    columns: Mapping[str, str]

    @property
    def name(self) -> str:
        return str(self.table.name)

    @property
    def sealed(self) -> str:
        """The column that is NULL where nothing is sealed (any more)."""
        return next(iter(self.columns))


DATA_KEYS: Final = Own(session_key, "session_id", {"wrapped": "wrapped"})  # only to be counted
OWN: Final = (
    Own(contact_point, "id", {"details_enc": "details"}),
    Own(totp, "person_id", {"secret_enc": "secret_enc"}),
    Own(webhook, "id", {"url_enc": "url_enc", "secret_enc": "secret_enc"}),
    Own(tag_key, "purpose", {"key_enc": "key_enc"}),
    Own(token_key, "kid", {"private_enc": "private_enc"}),
)


async def any_sealed(conn: AsyncConnection) -> bool:
    """Whether anything in this database needs a key."""
    return any([await counts(conn, one) for one in (DATA_KEYS, *OWN)])


async def counts(conn: AsyncConnection, own: Own) -> dict[str, int]:
    """How many rows are sealed under which key."""
    table = own.table
    rows = await conn.execute(
        select(table.c.kek_id, func.count())
        .where(table.c[own.sealed].is_not(None))
        .group_by(table.c.kek_id)
    )
    return {str(kek_id): int(number) for kek_id, number in rows}


async def reseal(
    vault: Vault, own: Own, conn: AsyncConnection, limit: int, after: str = ""
) -> Moved:
    """Seal rows anew with the current key, `limit` at most, those after `after` by their key.

    A row that does not open stays as it is and is counted.
    """
    table, now = own.table, await vault.own(conn)
    rows = await conn.execute(
        select(table)
        .where(table.c.kek_id != now.id, table.c[own.sealed].is_not(None), table.c[own.key] > after)
        .order_by(table.c[own.key])
        .limit(limit)
    )
    found, unread = rows.mappings().all(), 0
    for row in found:
        try:
            await _reseal(conn, vault, own, now, row)
        except KeyWrong:
            unread += 1
            log.warning("keys.unread table=%s row=%s", own.name, row[own.key])
    return Moved(len(found), unread, str(found[-1][own.key]) if found else after)


async def _reseal(
    conn: AsyncConnection, vault: Vault, own: Own, now: OwnKey, row: RowMapping
) -> None:
    table, row_id, values = own.table, str(row[own.key]), {}
    same = [table.c[own.key] == row_id]
    for column, place in own.columns.items():
        old: bytes = row[column]
        plain = await vault.open_own(own.name, place, row_id, old, row["kek_id"])
        values[column] = now.seal(own.name, place, row_id, plain)
        same.append(table.c[column] == old)
    await conn.execute(update(table).where(*same).values(**values, kek_id=now.id))


async def prove(conn: AsyncConnection, vault: Vault, own: Own, kek_id: str) -> None:
    """Open one row under this key. Raises KeyWrong."""
    table = own.table
    some = select(table).where(table.c.kek_id == kek_id, table.c[own.sealed].is_not(None)).limit(1)
    row = (await conn.execute(some)).mappings().first()
    if row is not None:
        for column, place in own.columns.items():
            await vault.open_own(own.name, place, str(row[own.key]), row[column], kek_id)
