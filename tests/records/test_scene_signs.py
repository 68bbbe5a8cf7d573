"""Go or no-go of the sessions that wait: read together, and opened only where it has changed."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from records import assessments
from records.crypto import Vault
from records.engine import Database
from records.scene_signs import OPEN, SceneSigns, Sign
from tests.records.cast import NOW, changed, pressed

GO = {"safe": "yes", "medical": "no", "intoxicated": "no", "willing": "yes"}


class Opener(Vault):
    """Says of which sessions something was opened."""

    def __init__(self) -> None:
        super().__init__(bytes(range(32)))
        self.opened: list[str] = []

    async def open(
        self,
        conn: AsyncConnection,
        session_id: str,
        table: str,
        column: str,
        row_id: str,
        sealed: bytes,
    ) -> bytes:
        self.opened.append(session_id)
        return await super().open(conn, session_id, table, column, row_id, sealed)


async def test_only_what_has_changed_is_opened_and_who_waits_no_more_is_gone(
    db: Database, vault: Vault
) -> None:
    rows = [await pressed(db, f"tab_{no}") for no in (1, 2, 3)]
    first, second, _ = (row.id for row in rows)

    async def tap(session_id: str, **said: str) -> None:
        await db.write(
            lambda conn: assessments.say(
                conn, vault, session_id, "officer-scene", said, "per_sam", NOW
            )
        )

    await tap(first, **GO)
    await tap(second, safe="yes")
    signs, opener = SceneSigns(), Opener()

    async def read() -> dict[str, Sign]:
        opener.opened.clear()
        async with db.read() as conn:
            return await signs.read(conn, opener)

    assert await read() == {first: Sign("go"), second: OPEN}
    assert sorted(opener.opened) == sorted((first, second))
    assert await read() == {first: Sign("go"), second: OPEN}
    assert opener.opened == []
    await tap(second, medical="yes", willing="no")
    assert (await read())[second] == Sign("stop", ("medical", "willing"))
    assert opener.opened == [second]
    await changed(db, rows[0], state="answering", lead_id="per_dana", epoch=1)
    assert list(await read()) == [second]
    assert opener.opened == []
