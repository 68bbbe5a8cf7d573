"""Go or no-go of each session that waits, for whoever is rung: what the officer's taps come to.

The taps are sealed. One statement finds which waiting sessions have any, and only those that have
changed are opened, so that a line of hundreds costs the same redraw as an empty one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from records.crypto import Vault
from records.instruments import SCENE
from records.ledger import AT_ONCE
from records.schema import assessment, session
from records.states import WAITING


@dataclass(frozen=True, slots=True)
class Sign:
    """`stops`: the answers that stand in the way, by name."""

    level: Literal["go", "stop", "open"]
    stops: tuple[str, ...] = ()


OPEN: Final = Sign("open")  # not all was tapped, and nothing that stands in the way

_HEADS = (
    select(assessment.c.session_id, assessment.c.rev)
    .join(session, session.c.id == assessment.c.session_id)
    .where(WAITING, assessment.c.instrument == SCENE)
)
_ROWS = select(
    assessment.c.id, assessment.c.session_id, assessment.c.rev, assessment.c.result_enc
).where(
    assessment.c.session_id.in_(bindparam("ids", expanding=True)),
    assessment.c.instrument == SCENE,
)


class SceneSigns:
    """What one process has read of them."""

    def __init__(self) -> None:
        self._known: Mapping[str, tuple[int, Sign]] = {}  # by session, with the revision

    async def read(self, conn: AsyncConnection, vault: Vault) -> dict[str, Sign]:
        """By session; one of which nothing was said is not there."""
        heads = dict((await conn.execute(_HEADS)).all())
        known = self._known  # another reading may replace it meanwhile
        kept = {
            key: known[key] for key, rev in heads.items() if key in known and known[key][0] == rev
        }
        stale = [key for key in heads if key not in kept]
        for start in range(0, len(stale), AT_ONCE):
            kept |= await _fetch(conn, vault, stale[start : start + AT_ONCE])
        self._known = kept
        return {key: sign for key, (_, sign) in kept.items()}


async def _fetch(
    conn: AsyncConnection, vault: Vault, ids: Sequence[str]
) -> dict[str, tuple[int, Sign]]:
    rows = (await conn.execute(_ROWS, {"ids": ids})).all()
    return {row.session_id: (row.rev, await _sign(conn, vault, *row[:2], row[3])) for row in rows}


async def _sign(
    conn: AsyncConnection, vault: Vault, row_id: str, session_id: str, sealed: bytes
) -> Sign:
    text = await vault.open(conn, session_id, "assessment", "result_enc", row_id, sealed)
    said = json.loads(text)
    if said["level"] == "stop":
        return Sign("stop", tuple(said["reasons"]))
    return Sign("go") if said["level"] == "go" else OPEN
