"""The people, tablets and organisations of these tests: a home side and an away side."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import passwords
from auth.logins import Allowed
from auth.tokens import Tokens
from records import schema
from records.engine import Database

STALE: tuple[Allowed, ...] = ("stale",)  # where renewing is none of a test's matter
NOW = 1_800_000_000.0
HOUR = 3600.0
PASSWORD = "calm river under stars"
PIN = "2468"
SECRET = "a secret of the tests, long enough to sign with"


@dataclass(frozen=True)
class House:
    """Everything that a test needs to open the door."""

    db: Database
    tokens: Tokens


async def fill(db: Database) -> None:
    """Home: agy_home, prv_home, prg_home; the same away; people named <role>_<side>."""
    password_hash = await passwords.hash_secret(PASSWORD)
    pin_hash = await passwords.hash_secret(PIN)

    async def work(conn: AsyncConnection) -> None:
        for side in ("home", "away"):
            await _organisations(conn, side)
            await _people(conn, side, password_hash, pin_hash)
            for tablet in ("tab", "tab2"):
                await conn.execute(
                    insert(schema.tablet).values(
                        id=f"{tablet}_{side}", agency_id=f"agy_{side}", label=f"Unit of {side}"
                    )
                )

    await db.write(work)


async def _organisations(conn: AsyncConnection, side: str) -> None:
    await conn.execute(
        insert(schema.agency).values(
            id=f"agy_{side}",
            name=f"Agency {side}",
            county="Prairie",
            state="SD",
            timezone="America/Chicago",
            regional_line="605-555-0142",
            intake_tiles='["adult","juvenile","overdose"]',
        )
    )
    await conn.execute(
        insert(schema.provider).values(
            id=f"prv_{side}",
            name=f"Provider {side}",
            timezone="America/Chicago",
            bridge_line="605-555-0188",
        )
    )
    await conn.execute(insert(schema.program).values(id=f"prg_{side}", name=f"Program {side}"))
    await conn.execute(
        insert(schema.coverage).values(
            agency_id=f"agy_{side}", provider_id=f"prv_{side}", program_id=f"prg_{side}"
        )
    )


async def _people(conn: AsyncConnection, side: str, password_hash: str, pin_hash: str) -> None:
    placed: dict[str, dict[str, str | None]] = {
        "officer": {"agency_id": f"agy_{side}", "pin_hash": pin_hash},
        "relief": {"agency_id": f"agy_{side}", "pin_hash": pin_hash},
        "clinician": {"provider_id": f"prv_{side}", "password_hash": password_hash},
        "colleague": {"provider_id": f"prv_{side}", "password_hash": password_hash},
        "supervisor": {"provider_id": f"prv_{side}", "password_hash": password_hash},
        "manager": {"program_id": f"prg_{side}", "password_hash": password_hash},
        "admin": {"program_id": f"prg_{side}", "password_hash": password_hash},
    }
    for name, columns in placed.items():
        person_id = f"{name}_{side}"
        await conn.execute(
            insert(schema.person).values(
                id=person_id,
                name=f"{name.title()} of {side}",
                short_name=name.title(),
                email=f"{name}@{side}.invalid",
                **columns,
            )
        )
        role = {"relief": "officer", "colleague": "clinician"}.get(name, name)
        await conn.execute(
            insert(schema.role_grant).values(person_id=person_id, role=role, granted_at=NOW)
        )
