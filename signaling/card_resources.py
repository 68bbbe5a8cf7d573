"""The help near by that a card names: always in the directory's words, never in a page's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import resources
from records.resources import ResourceRow
from records.sessions import SessionRow
from signaling.errors import UnknownCode


def shown(row: ResourceRow) -> dict[str, str]:
    """An entry as a card holds it."""
    facts = asdict(row.entry)
    del facts["places"]
    return {"id": row.id, **facts}


async def resolved(
    conn: AsyncConnection, row: SessionRow, ids: Sequence[str], before: Mapping[str, Any]
) -> list[dict[str, str]]:
    """The entries with these ids, each once, as the directory has them now.

    One that has left the directory stays as the card had it. Raises UnknownCode for one that
    neither has.
    """
    if not ids:
        return []
    known = {one["id"]: dict(one) for one in before.get("resources", ())}
    known |= {one.id: shown(one) for one in await resources.at_session(conn, row)}
    wanted = dict.fromkeys(ids)
    if not wanted.keys() <= known.keys():
        raise UnknownCode
    return [known[one] for one in wanted]
