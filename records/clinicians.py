"""What a clinician is: licences, languages, age groups, specialities. Replaced as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records.schema import licence, person, person_tag


@dataclass(frozen=True, slots=True)
class LicenceRow:
    """Permission to practise in one state. `compact` None: by the state's own board."""

    type: str
    state: str
    number: str
    expires_at: float | None
    compact: str | None = None

    def valid(self, now: float) -> bool:
        return self.expires_at is None or self.expires_at > now


@dataclass(frozen=True, slots=True)
class Profile:
    """All of it for one person."""

    licences: tuple[LicenceRow, ...] = ()
    languages: frozenset[str] = frozenset()
    specialities: frozenset[str] = frozenset()
    serves_adult: bool = True
    serves_juvenile: bool = True


async def licences(conn: AsyncConnection) -> dict[str, tuple[LicenceRow, ...]]:
    """Person to their licences, in the order in which they were put down."""
    found: dict[str, list[LicenceRow]] = {}
    for row in await conn.execute(select(licence).order_by(licence.c.person_id, licence.c.no)):
        found.setdefault(row.person_id, []).append(
            LicenceRow(row.type, row.state, row.number, row.expires_at, row.compact)
        )
    return {person_id: tuple(rows) for person_id, rows in found.items()}


async def tags(conn: AsyncConnection) -> dict[tuple[str, str], frozenset[str]]:
    """(person, "language" or "speciality") to codes."""
    found: dict[tuple[str, str], set[str]] = {}
    for row in await conn.execute(select(person_tag)):
        found.setdefault((row.person_id, row.kind), set()).add(row.code)
    return {key: frozenset(codes) for key, codes in found.items()}


async def replace(conn: AsyncConnection, person_id: str, profile: Profile) -> None:
    """Put this in the place of all that was known; it was checked before."""
    first = profile.licences[0] if profile.licences else None
    await conn.execute(
        update(person)
        .where(person.c.id == person_id)
        .values(
            serves_adult=profile.serves_adult,
            serves_juvenile=profile.serves_juvenile,
            licence_type=first.type if first else None,
            licence_state=first.state if first else None,
            licence_number=first.number if first else None,
            licence_expires_at=first.expires_at if first else None,
        )
    )
    await conn.execute(delete(licence).where(licence.c.person_id == person_id))
    await conn.execute(delete(person_tag).where(person_tag.c.person_id == person_id))
    await _licences(conn, person_id, profile.licences)
    await _tags(conn, person_id, "language", profile.languages)
    await _tags(conn, person_id, "speciality", profile.specialities)


async def _licences(conn: AsyncConnection, person_id: str, rows: Sequence[LicenceRow]) -> None:
    if rows:
        values = [
            {"person_id": person_id, "no": no, **asdict(row)} for no, row in enumerate(rows, 1)
        ]
        await conn.execute(insert(licence), values)


async def _tags(conn: AsyncConnection, person_id: str, kind: str, codes: Iterable[str]) -> None:
    values = [{"person_id": person_id, "kind": kind, "code": code} for code in sorted(codes)]
    if values:
        await conn.execute(insert(person_tag), values)
