"""Each provider's own escalation steps; a provider without any uses those of the settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from records.schema import escalation_step


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step: at `after_seconds`, `act`."""

    after_seconds: float
    act: str
    tier: int | None
    every_seconds: float | None
    until: str


async def steps(conn: AsyncConnection) -> dict[str, list[StepRow]]:
    """Provider to its own steps."""
    found: dict[str, list[StepRow]] = {}
    for row in await conn.execute(
        select(escalation_step).order_by(escalation_step.c.provider_id, escalation_step.c.no)
    ):
        found.setdefault(row.provider_id, []).append(
            StepRow(row.after_seconds, row.act, row.tier, row.every_seconds, row.until)
        )
    return found


async def replace(conn: AsyncConnection, provider_id: str, rows: Sequence[StepRow]) -> None:
    """Put these steps in the place of a provider's; none: back to those of the settings."""
    await conn.execute(delete(escalation_step).where(escalation_step.c.provider_id == provider_id))
    if rows:
        await conn.execute(
            insert(escalation_step),
            [
                {
                    "provider_id": provider_id,
                    "no": number,
                    "after_seconds": row.after_seconds,
                    "act": row.act,
                    "tier": row.tier,
                    "every_seconds": row.every_seconds,
                    "until": row.until,
                }
                for number, row in enumerate(rows, start=1)
            ],
        )
