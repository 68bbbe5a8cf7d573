"""A process that seals, and reads all that there is, until it is told to stop: as servers do.

`python -m tests.records.sealing_writer URL KEY_FILE NUMBER STOP_FILE`; it ends with 0 if everything
could be read at every moment, and says how much it did.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from records import chat, contacts, kek_register, schema
from records.contacts import NewWay
from records.crypto import Vault
from records.engine import Database
from records.errors import KeyWrong, StaleSession
from records.schema_signin import totp
from tests.records.cast import NOW, pressed

PEOPLE = ("per_dana", "per_miguel")
SECRET = b"the secret of an app"


async def seal(db: Database, vault: Vault, person: str, session_id: str, round_: int) -> None:
    """One of each: a way to reach somebody, an app's secret, a line of a session."""

    async def work(conn: AsyncConnection) -> None:
        own = await vault.own(conn)
        await conn.execute(delete(totp).where(totp.c.person_id == person))
        sealed = own.seal("totp", "secret_enc", person, SECRET)
        row = {"secret_enc": sealed, "kek_id": own.id, "made_at": NOW}
        await conn.execute(insert(totp).values(person_id=person, **row))
        new = NewWay("sms", f"+1605555{round_ % 5:04}", {"to": f"{round_}"})
        await contacts.add(conn, vault, person, new, NOW)
        if round_ % 50 == 0:  # a conversation has room for so many lines only
            lines = schema.chat_line
            await conn.execute(delete(lines).where(lines.c.session_id == session_id))
        await chat.add(
            conn, vault, session_id, sender="officer", sender_id=None, body="words", now=NOW
        )

    await db.write(work)


async def read(db: Database, vault: Vault) -> int:
    """Everything of everybody; how many values. Raises KeyWrong."""
    seen = 0
    async with db.read() as conn:
        for way in await contacts.ways(conn, PEOPLE):
            seen += await contacts.details(conn, vault, way.id) is not None
        for row in (await conn.execute(select(totp))).all():
            place = ("totp", "secret_enc", row.person_id)
            assert await vault.open_own(*place, row.secret_enc, row.kek_id) == SECRET
            seen += 1
        for session_id in (await conn.execute(select(schema.session_key.c.session_id))).scalars():
            vault.forget(session_id)
            lines = await chat.of_session(conn, vault, session_id)
            assert {line.body for line in lines} <= {"words"}
            seen += len(lines)
    return seen


async def main(url: str, key_file: str, number: int, stop: Path) -> None:
    db = Database(url)
    await db.start()
    vault = Vault.from_key_file(Path(key_file), create=False)
    async with db.read() as conn:
        await vault.check(conn)
    await db.write(lambda conn: kek_register.enrol(conn, vault.keks.keys[0].id, NOW))
    session = await pressed(db, f"tab_{number + 1}")
    written = opened = 0
    print("writing", flush=True)
    while not stop.exists():  # noqa: ASYNC240 - a look at a name, in a test
        try:
            await seal(db, vault, PEOPLE[number], session.id, written)
            written += 1
            if written % 10 == 0:
                opened += await read(db, vault)
        except StaleSession:  # PostgreSQL chose us to wait: as a server, we try again
            continue
        await asyncio.sleep(0.01)  # others have work to do as well
    print(f"written {written} opened {opened}", flush=True)
    await db.close()


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])))
    except KeyWrong as error:
        sys.exit(f"unreadable: {error}")
