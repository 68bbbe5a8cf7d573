"""The plan of who is on call, as the queue and the screens read it: one way in, kept while true.

A change made through `records.roster` is seen at the next reading, in every process, because it
counts the plan's version up. Rows put in by hand are seen within REREAD_SECONDS.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from oncall.coverage import LONGEST_OVERRIDE, Covered, Override, Roster
from oncall.errors import BadOverride, BadRosterEntry
from oncall.gaps import AHEAD_SECONDS
from oncall.roster import RosterEntry
from records import roster
from records.directory import Person
from records.roster import OverrideRow, RosterRow

log = logging.getLogger(__name__)

REREAD_SECONDS = 10.0
KNOWN_SECONDS = 3600.0  # how far ahead the pieces of the plan are worked out at once

Rosters = Mapping[str, Roster]


class RosterReader:
    """Who is on call, from the record; one in a process."""

    def __init__(self) -> None:
        self._version = -1
        self._read_at = 0.0
        self._rows: tuple[list[RosterRow], list[OverrideRow]] = ([], [])
        self._plans: dict[str, Roster] = {}
        self._pieces: dict[str, list[Covered]] = {}
        self._openings: dict[str, tuple[float, float | None]] = {}  # looked at, comes on
        self._people: Mapping[str, Person] = {}  # as they were when those were looked at

    async def on_call(self, conn: AsyncConnection, now: float) -> dict[str, int]:
        """Everybody who is on call now, of all providers: person to tier."""
        await self._refresh(conn, now)
        tiers: dict[str, int] = {}
        for provider_id in self._plans:
            tiers.update(self._at(provider_id, now))
        return tiers

    @property
    def version(self) -> int:
        """Of what was read last."""
        return self._version

    def on_call_as_read(self, person_id: str, now: float) -> bool:
        """Whether somebody is on call now, by what was read last."""
        return any(person_id in self._at(provider_id, now) for provider_id in self._plans)

    async def openings(
        self, conn: AsyncConnection, now: float, people: Mapping[str, Person]
    ) -> dict[str, float]:
        """Where nobody licensed is on call now: when somebody next comes on, within two weeks."""
        await self._refresh(conn, now)
        if people is not self._people:
            self._people = people
            self._openings.clear()  # a licence may be another
        found = {}
        for provider_id, plan in self._plans.items():
            if any(_licensed(people, one, now) for one in self._at(provider_id, now)):
                continue
            looked, comes = self._openings.get(provider_id, (0.0, None))
            if not looked <= now < (looked + KNOWN_SECONDS if comes is None else comes):
                comes = _comes_on(licensed_only(plan, people, now + AHEAD_SECONDS), now)
                self._openings[provider_id] = (now, comes)
            if comes is not None:
                found[provider_id] = comes
        return found

    def _at(self, provider_id: str, now: float) -> Mapping[str, int]:
        pieces = self._pieces.get(provider_id, [])
        for piece in pieces:
            if piece.starts_at <= now < piece.ends_at:
                return piece.tiers
        pieces = self._plans[provider_id].coverage(now, now + KNOWN_SECONDS)
        self._pieces[provider_id] = pieces
        return pieces[0].tiers

    async def _refresh(self, conn: AsyncConnection, now: float) -> None:
        version = await roster.version(conn)
        if version == self._version and self._read_at <= now < self._read_at + REREAD_SECONDS:
            return
        rows = (await roster.entries(conn), await roster.overrides(conn, now - REREAD_SECONDS))
        if rows != self._rows:
            self._plans = plans(*rows)
            self._pieces.clear()
            self._openings.clear()
        self._rows, self._version, self._read_at = rows, version, now


async def read_plan(conn: AsyncConnection, provider_id: str, since: float) -> Roster:
    """One provider's plan with the exceptions that end after `since`, fresh from the record."""
    return plan_of(
        await roster.entries(conn, provider_id), await roster.overrides(conn, since, provider_id)
    )


def licensed_only(plan: Roster, people: Mapping[str, Person], until: float) -> Roster:
    """The plan without those who have no licence, each from the moment on when it has run out.

    For finding gaps: an hour that only somebody unlicensed would cover is not covered.
    """
    named = {one.person_id for one in plan.entries} | {o.person_id for o in plan.overrides}
    gone = []
    for person_id in sorted(one for one in named if one is not None):
        person = people.get(person_id)
        since = until - LONGEST_OVERRIDE
        if person is not None and person.licences:
            ends = person.licensed_until
            since = math.inf if ends is None else max(ends, since)
        if since < until:
            key = f"licence:{person_id}"
            gone.append(Override(key, "", None, person_id, since, until, None, math.inf))
    return Roster(plan.entries, (*plan.overrides, *gone))


def plans(entries: Iterable[RosterRow], overrides: Iterable[OverrideRow]) -> dict[str, Roster]:
    """The plans by provider."""
    weekly: dict[str, list[RosterRow]] = {}
    special: dict[str, list[OverrideRow]] = {}
    for row in entries:
        weekly.setdefault(row.provider_id, []).append(row)
    for exception in overrides:
        special.setdefault(exception.provider_id, []).append(exception)
    return {
        provider_id: plan_of(weekly.get(provider_id, ()), special.get(provider_id, ()))
        for provider_id in sorted({*weekly, *special})
    }


def plan_of(entries: Iterable[RosterRow], overrides: Iterable[OverrideRow]) -> Roster:
    """Rows as a plan. One bad row is left out and said, never the whole line stopped."""
    weekly, special = [], []
    for row in entries:
        try:
            weekly.append(entry_of(row))
        except BadRosterEntry as error:
            log.warning("roster.bad_entry entry=%s field=%s", row.id, error.field)
    for exception in overrides:
        try:
            special.append(override_of(exception))
        except BadOverride as error:
            log.warning("roster.bad_override override=%s field=%s", exception.id, error.field)
    return Roster(tuple(weekly), tuple(special))


def entry_of(row: RosterRow) -> RosterEntry:
    """A row as the queue knows it. Raises BadRosterEntry."""
    return RosterEntry(
        person_id=row.person_id,
        provider_id=row.provider_id,
        tier=row.tier,
        days=row.days,
        starts_minute=row.starts_minute,
        ends_minute=row.ends_minute,
        timezone=row.timezone,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
    )


def override_of(row: OverrideRow) -> Override:
    """A row as the queue knows it. Raises BadOverride."""
    return Override(
        id=row.id,
        provider_id=row.provider_id,
        person_id=row.person_id,
        instead_of=row.instead_of_id,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        tier=row.tier,
        order=row.made_at,
    )


def _licensed(people: Mapping[str, Person], person_id: str, now: float) -> bool:
    person = people.get(person_id)
    return person is not None and person.licensed(now)


def _comes_on(plan: Roster, now: float) -> float | None:
    covered = plan.coverage(now, now + AHEAD_SECONDS)
    return next((piece.starts_at for piece in covered if piece.tiers), None)
