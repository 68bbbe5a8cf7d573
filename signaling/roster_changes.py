"""Changes of the roster: by right, checked against the plan as it stands, on record, or not at all.

Each is one transaction that holds the plan, so that what was checked is still true when it is
written: nobody becomes doubly booked unless somebody said so, and nobody unlicensed takes a turn.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import rosters as right
from auth.actors import Actor
from auth.policy import Action
from oncall.coverage import Override, Roster, Shift, meets
from oncall.gaps import without
from oncall.roster import RosterEntry, Span
from records import directory, roster
from records.directory import Directory, Person
from records.engine import Database
from records.errors import NotFound, SwapDecided
from records.roster import SwapRow
from signaling.errors import DoubleBooked, NotAClinician, NotLicensed, TurnGone
from signaling.rosters import read_plan

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]

SHORTEST_OVERLAP = 60.0
LOOK_BACK = 100 * 86_400.0  # longer than any exception lasts


@dataclass(frozen=True, slots=True)
class Weekly:
    """A weekly shift as somebody asks for it; checked by `oncall.roster.RosterEntry`."""

    person_id: str
    tier: int
    days: int
    starts_minute: int
    ends_minute: int
    timezone: str
    valid_from: date | None = None
    valid_until: date | None = None

    def entry(self, provider_id: str) -> RosterEntry:
        """Raises BadRosterEntry."""
        return RosterEntry(
            self.person_id, provider_id, self.tier, self.days, self.starts_minute,
            self.ends_minute, self.timezone, self.valid_from, self.valid_until,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Special:
    """An exception as somebody asks for it; checked by `oncall.coverage.Override`."""

    comes: str | None
    goes: str | None
    starts_at: float
    ends_at: float
    tier: int | None = None

    def override(self, provider_id: str, order: float = 0.0) -> Override:
        """Raises BadOverride."""
        return Override(
            "new", provider_id, self.comes, self.goes, self.starts_at, self.ends_at, self.tier,
            order,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Changes:
    """Who changes which provider's roster, and when."""

    db: Database
    actor: Actor
    provider_id: str
    now: float

    # --- the plan itself --------------------------------------------------------------------------

    async def add_shift(self, wanted: Weekly) -> str:
        """Add a weekly shift. Raises BadRosterEntry, NotAClinician, NotLicensed."""
        wanted.entry(self.provider_id)

        async def work(conn: AsyncConnection) -> str:
            await self._fit(conn, wanted.person_id, self.now)
            return await _insert_entry(conn, self.provider_id, wanted)

        return await self._manage("roster.add_shift", work)

    async def edit_shift(self, entry_id: str, wanted: Weekly) -> str:
        """Put this in a weekly shift's place. Raises NotFound besides."""
        wanted.entry(self.provider_id)

        async def work(conn: AsyncConnection) -> str:
            await self._fit(conn, wanted.person_id, self.now)
            await roster.end_entry(conn, self.provider_id, entry_id, self.now)
            return await _insert_entry(conn, self.provider_id, wanted)

        return await self._manage("roster.edit_shift", work)

    async def end_shift(self, entry_id: str) -> None:
        """Take a weekly shift out of the plan, at once. Raises NotFound."""
        await self._manage(
            "roster.end_shift",
            lambda conn: roster.end_entry(conn, self.provider_id, entry_id, self.now),
        )

    async def add_override(self, wanted: Special, *, both: bool = False) -> str:
        """Add an exception; `both`: who comes may be on call already.

        Raises BadOverride, NotAClinician, NotLicensed, DoubleBooked.
        """
        wanted.override(self.provider_id)

        async def work(conn: AsyncConnection) -> str:
            who = await directory.read(conn)
            if wanted.goes is not None:
                self._known(who, wanted.goes)
            if wanted.comes is not None:
                licence = who.people.get(wanted.goes or "")
                self._licensed(who, wanted.comes, wanted.ends_at, licence)
                plan = await read_plan(conn, self.provider_id, self.now - LOOK_BACK)
                if not both:
                    _not_there(plan, wanted.comes, (wanted.starts_at, wanted.ends_at))
            return await self._insert_override(conn, wanted)

        return await self._manage("roster.add_override", work)

    async def end_override(self, override_id: str) -> None:
        """Take an exception back. Raises NotFound."""
        await self._manage(
            "roster.end_override",
            lambda conn: roster.end_override(conn, self.provider_id, override_id, self.now),
        )

    async def bring_in(self, weekly: Sequence[Weekly], special: Sequence[Special]) -> int:
        """Add all of a calendar file, or nothing; how many were not there yet.

        Raises BadRosterEntry, BadOverride, NotAClinician, NotLicensed.
        """
        entries = [(one, one.entry(self.provider_id)) for one in weekly]
        overrides = [(one, one.override(self.provider_id)) for one in special]

        async def work(conn: AsyncConnection) -> int:
            plan = await read_plan(conn, self.provider_id, self.now - LOOK_BACK)
            there = {*plan.entries}
            spans = {_said(o) for o in plan.overrides}
            added = 0
            for wanted, entry in entries:
                if entry not in there:
                    await self._fit(conn, wanted.person_id, self.now)
                    await _insert_entry(conn, self.provider_id, wanted)
                    there.add(entry)
                    added += 1
            who = await directory.read(conn)
            # who is off first: somebody who is moved within a day comes after they went
            overrides.sort(key=lambda one: one[0].comes is not None)
            for number, (exception, override) in enumerate(overrides):
                if _said(override) not in spans:
                    if exception.comes is not None:
                        self._licensed(who, exception.comes, self.now, None)
                    await self._insert_override(conn, exception, number)
                    spans.add(_said(override))
                    added += 1
            return added

        return await self._manage("roster.import", work)

    # --- offered turns ----------------------------------------------------------------------------

    async def offer(self, starts_at: float, to: str | None, back_starts_at: float | None) -> str:
        """Offer the own turn that begins then, to a colleague or (None) to whoever takes it.

        `back_starts_at`: for the colleague's turn that begins then. Raises TurnGone, SwapOpen,
        NotAClinician, NotLicensed.
        """

        async def work(conn: AsyncConnection) -> str:
            await roster.lapse(conn, self.now)
            plan = await read_plan(conn, self.provider_id, self.now - LOOK_BACK)
            mine = _turn(plan, self.actor.id, starts_at, self.now)
            who = await directory.read(conn)
            back = None
            if to == self.actor.id:
                raise NotAClinician
            if to is not None:
                self._licensed(who, to, mine.ends_at, who.people.get(self.actor.id))
            if back_starts_at is not None:
                if to is None:
                    raise TurnGone
                back = _turn(plan, to, back_starts_at, self.now)
                self._licensed(who, self.actor.id, back.ends_at, who.people.get(to))
            return await roster.propose(
                conn,
                provider_id=self.provider_id,
                from_id=self.actor.id,
                to_id=to,
                starts_at=mine.starts_at,
                ends_at=mine.ends_at,
                back_starts_at=back.starts_at if back else None,
                back_ends_at=back.ends_at if back else None,
                made_at=self.now,
            )

        return await self._swap("roster.offer", work)

    async def take(self, swap_id: str, *, both: bool = False) -> None:
        """Take an offered turn over. Raises SwapDecided, TurnGone, NotLicensed, DoubleBooked."""

        async def work(conn: AsyncConnection) -> None:
            await self._hand_over(conn, swap_id, self.actor.id, both=both, any_addressee=False)

        await self._swap("roster.take", work)

    async def assign(self, swap_id: str, taker_id: str, *, both: bool = False) -> None:
        """Give an offered turn to somebody, whoever it was offered to. Raises as `take` does."""

        async def work(conn: AsyncConnection) -> None:
            await self._hand_over(conn, swap_id, taker_id, both=both, any_addressee=True)

        await self._manage("roster.assign", work)

    async def refuse(self, swap_id: str) -> None:
        """Say no to a turn that was offered to oneself. Raises NotFound, SwapDecided."""

        async def work(conn: AsyncConnection) -> None:
            if (await roster.swap(conn, self.provider_id, swap_id)).to_id != self.actor.id:
                raise NotFound
            await roster.decide(conn, swap_id, "refused", self.now, by=self.actor.id)

        await self._swap("roster.refuse", work)

    async def withdraw(self, swap_id: str) -> None:
        """Take one's own offer back. Raises NotFound, SwapDecided."""

        async def work(conn: AsyncConnection) -> None:
            if (await roster.swap(conn, self.provider_id, swap_id)).from_id != self.actor.id:
                raise NotFound
            await roster.decide(conn, swap_id, "withdrawn", self.now, by=self.actor.id)

        await self._swap("roster.withdraw", work)

    async def _hand_over(
        self, conn: AsyncConnection, swap_id: str, taker: str, *, both: bool, any_addressee: bool
    ) -> None:
        swap = await roster.swap(conn, self.provider_id, swap_id)
        if swap.state != "proposed" or swap.ends_at <= self.now:
            raise SwapDecided
        exchange = swap.back is not None and taker == swap.to_id
        if not any_addressee and swap.to_id not in (None, taker):
            raise NotFound
        if taker == swap.from_id:
            raise TurnGone
        span = (max(swap.starts_at, self.now), swap.ends_at)
        back = _rest(swap, self.now) if exchange else None
        who = await directory.read(conn)
        plan = await read_plan(conn, self.provider_id, self.now - LOOK_BACK)
        for owner, receiver, part, other in (
            (swap.from_id, taker, span, back),
            (taker, swap.from_id, back, span),
        ):
            if part is None:
                continue
            _still_theirs(plan, owner, part)
            self._licensed(who, receiver, part[1], who.people.get(owner))
            if not both:
                _not_there(plan, receiver, part, other)
        await roster.decide(conn, swap_id, "accepted", self.now, by=self.actor.id, taken_by=taker)
        await self._insert_override(conn, Special(taker, swap.from_id, *span))
        if back is not None:
            await self._insert_override(conn, Special(swap.from_id, taker, *back))

    # --- inside -----------------------------------------------------------------------------------

    async def _manage(self, recorded_as: str, work: Work[T]) -> T:
        return await self._change(Action.ROSTER_MANAGE, recorded_as, work)

    async def _swap(self, recorded_as: str, work: Work[T]) -> T:
        return await self._change(Action.ROSTER_SWAP, recorded_as, work)

    async def _change(self, action: Action, recorded_as: str, work: Work[T]) -> T:
        async def held(conn: AsyncConnection) -> T:
            await roster.hold(conn)
            return await work(conn)

        return await right.guarded(
            self.db, self.actor, action, recorded_as, self.provider_id, self.now, held
        )

    async def _insert_override(
        self, conn: AsyncConnection, wanted: Special, number: int = 0
    ) -> str:
        return await roster.add_override(
            conn,
            provider_id=self.provider_id,
            person_id=wanted.comes,
            instead_of_id=wanted.goes,
            starts_at=wanted.starts_at,
            ends_at=wanted.ends_at,
            tier=wanted.tier,
            made_at=self.now + number * 1e-6,  # in the order in which they were written
            made_by=self.actor.id,
        )

    async def _fit(self, conn: AsyncConnection, person_id: str, until: float) -> None:
        self._licensed(await directory.read(conn), person_id, until, None)

    def _known(self, who: Directory, person_id: str) -> Person:
        person = who.people.get(person_id)
        if person is None or person.provider_id != self.provider_id:
            raise NotAClinician
        return person

    def _licensed(self, who: Directory, person_id: str, until: float, like: Person | None) -> None:
        """A clinician here, with a licence to the end, for a state that is served here.

        `like`: whose turn it is; then for their state.
        """
        person = self._known(who, person_id)
        if not person.active or "clinician" not in person.roles:
            raise NotAClinician
        valid = person.states(until)
        if not valid:
            raise NotLicensed
        served = {a.state for a in who.agencies.values() if a.provider_id == self.provider_id}
        if like is not None:
            served = served & {one.state for one in like.licences} or served
        if served and not served & valid:
            raise NotLicensed


def clinicians(who: Directory, provider_id: str) -> list[Person]:
    """Who can be on call for a provider, by name."""
    return [one for one in who.clinicians(provider_id) if "clinician" in one.roles]


async def _insert_entry(conn: AsyncConnection, provider_id: str, wanted: Weekly) -> str:
    values = {name: getattr(wanted, name) for name in Weekly.__slots__}
    return await roster.add_entry(conn, provider_id=provider_id, **values)


def _turn(plan: Roster, person_id: str, starts_at: float, now: float) -> Shift:
    """The person's turn that begins then and is not over. Raises TurnGone."""
    for turn in plan.shifts(person_id, starts_at, starts_at + 1):
        if turn.starts_at == starts_at and turn.ends_at > now:
            return turn
    raise TurnGone


def _still_theirs(plan: Roster, person_id: str, span: Span) -> None:
    if not all(person_id in piece.tiers for piece in plan.coverage(*span)):
        raise TurnGone


def _not_there(plan: Roster, person_id: str, span: Span, given: Span | None = None) -> None:
    """Raises DoubleBooked if the person is on call in the span, outside of what they give away."""
    spans = [(p.starts_at, p.ends_at) for p in plan.coverage(*span) if person_id in p.tiers]
    left = [piece for one in spans for piece in without(one, [given] if given else [])]
    if any(end - start >= SHORTEST_OVERLAP for start, end in left):
        raise DoubleBooked


def _rest(swap: SwapRow, now: float) -> Span | None:
    """What is left of the turn in exchange; None when it is over."""
    rest = meets([swap.back] if swap.back is not None else [], now, float("inf"))
    return rest[0] if rest else None


def _said(override: Override) -> tuple[object, ...]:
    """What an exception says, whenever it was made."""
    return (
        override.person_id, override.instead_of, override.starts_at, override.ends_at, override.tier
    )  # fmt: skip
