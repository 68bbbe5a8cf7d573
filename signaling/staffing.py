"""How many hours clinicians were on the roster: what load is measured against."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from itertools import pairwise

from sqlalchemy.ext.asyncio import AsyncConnection

from records import roster
from signaling.rosters import plan_of


async def staffed_seconds(
    conn: AsyncConnection, providers: Collection[str], since: float, until: float
) -> float:
    """Person-seconds on call of all tiers in [since, until), as the roster was planned.

    What was taken out of the plan counts until then.
    """
    found = 0.0
    for provider_id in sorted(providers):
        entries = await roster.entries_ever(conn, provider_id, since)
        overrides = await roster.overrides_ever(conn, provider_id, since)
        found += await asyncio.to_thread(_seconds, entries, overrides, since, until)
    return found


def _seconds(
    entries: list[tuple[roster.RosterRow, float | None]],
    overrides: list[tuple[roster.OverrideRow, float | None]],
    since: float,
    until: float,
) -> float:
    """Between two moments at which something was taken out, the plan is one plan."""
    ends = [ended for _, ended in entries] + [ended for _, ended in overrides]
    cuts = sorted({since, until, *(one for one in ends if one is not None and since < one < until)})
    seconds = 0.0
    for start, end in pairwise(cuts):
        plan = plan_of(
            [row for row, ended in entries if ended is None or ended >= end],
            [row for row, ended in overrides if ended is None or ended >= end],
        )
        seconds += sum(
            len(piece.tiers) * (piece.ends_at - piece.starts_at)
            for piece in plan.coverage(start, end)
        )
    return seconds
