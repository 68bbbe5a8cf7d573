"""What the line's policy decides from, read from the record and the live state in one go."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from oncall import policy
from oncall.fit import AgeGroup, Licence, Misfit, Offered
from oncall.presence import PresenceState
from oncall.stepwise import Steps
from records import directory, offers, parties, sessions
from records.offers import OfferRow
from records.sessions import SessionRow
from signaling import needs
from signaling.screens import clinician_states
from signaling.views import ClinicianState

if TYPE_CHECKING:
    from signaling.desk import Desk

LOOK_BACK_SECONDS = 300.0  # ended offers that still matter for cool-downs
MISSED_SECONDS = 12 * 3600.0  # so long ago a missed ring is of another turn
AT_ONCE = 100  # rows made into facts in one step
IDLE_LOOK_BACK_SECONDS = 24 * 3600.0  # whose last work was before has been idle longest

T = TypeVar("T")
Excluded = Mapping[tuple[str, str], float]  # session and clinician -> until when not to be rung


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at the line."""

    snapshot: policy.Snapshot
    who: directory.Directory
    missed: Mapping[str, int]  # clinician -> rings in a row that nobody answered
    versions: tuple[int, int]  # of directory and roster


async def read(desk: Desk, excluded: Excluded) -> Reading:
    """The line as it is now."""
    now = desk.now()
    async with desk.db.read() as conn:
        # in this order: a press and its rings may come between two statements, and a ring without
        # its session would be taken for one that has no business to go on
        rings = await desk.ledger.open_offers(conn)
        rows = await desk.ledger.open_sessions(conn)
        ended = [
            offer
            for offer in await desk.ledger.ended_offers(conn, now - LOOK_BACK_SECONDS)
            if offer.purpose == "answer"
        ]
        # rung for a transfer, or sitting in to take a session over: not free for the line
        elsewhere = {o.clinician_id for o in rings if o.purpose == "transfer"}
        elsewhere |= await parties.receivers(conn)
        known = await desk.directories.read(conn, desk.rules, now)
        tiers = await desk.rosters.on_call(conn, now)
        missed = await offers.missed_in_a_row(conn, now - MISSED_SECONDS)
        idle = await _idle_since(conn, [desk.rules, *known.rules.values()], now)
    versions = desk.directories.version, desk.rosters.version
    await desk.pace.breathe()
    states = await clinician_states(desk, tiers, now)
    waiting = [row for row in rows if row.state == "waiting" and not row.test]
    if desk.live.partial:  # the consoles known here could not reach a call that is elsewhere
        waiting = [row for row in waiting if desk.cluster.mine(row)]
    one = _Look(
        known.directory,
        known.rules,
        desk.rules,
        rows,
        ended,
        elsewhere,
        states,
        missed,
        idle,
        known.offered,
        now,
    )
    clinicians = await desk.pace.through(one.clinicians())
    sessions_now = await desk.pace.through(one.waiting(waiting, excluded))
    await desk.pace.breathe()
    snapshot = policy.Snapshot(
        waiting=sessions_now,
        offers=_open_offers(desk.line.rings_read, rings),
        clinicians=clinicians,
        now=now,
        ladders=known.ladders,
        own_rules=known.rules,
    )
    return Reading(snapshot, known.directory, missed, versions)


async def _idle_since(
    conn: AsyncConnection, rules: Iterable[policy.Rules], now: float
) -> dict[str, float]:
    """Who has been idle since when; asked only where it decides."""
    if any(one.ring is policy.Ring.ONE for one in rules):
        return await sessions.idle_since(conn, now - IDLE_LOOK_BACK_SECONDS)
    return {}


@dataclass(frozen=True, slots=True)
class _Look:
    """Rows on their way to becoming facts: each list is gone through once, whatever its length."""

    who: directory.Directory
    own: Mapping[str, policy.Rules]
    default: policy.Rules
    rows: list[SessionRow]
    ended: list[OfferRow]
    elsewhere: Collection[str]
    states: Mapping[str, ClinicianState]
    missed: Mapping[str, int]
    idle: Mapping[str, float]
    offered: dict[str, Offered]
    now: float

    def waiting(
        self, rows: Iterable[SessionRow], excluded: Excluded
    ) -> Steps[tuple[policy.WaitingSession, ...]]:
        """In steps, as all that is long."""
        ended = _grouped(self.ended, lambda offer: offer.session_id)
        kept_out: dict[str, dict[str, float]] = {}
        for (session_id, clinician_id), until in excluded.items():
            kept_out.setdefault(session_id, {})[clinician_id] = until
        known = lru_cache(partial(needs.specialities_known, self.who))
        made: list[policy.WaitingSession] = []
        for row in rows:
            if len(made) % AT_ONCE == 0:
                yield
            out = kept_out.get(row.id, {})
            made.append(self._waiting(row, ended.get(row.id, []), out, known))
        return tuple(made)

    def clinicians(self) -> Steps[tuple[policy.ClinicianNow, ...]]:
        """In steps."""
        ended = _grouped(self.ended, lambda offer: offer.clinician_id)
        led: dict[str | None, set[str]] = {}
        for row in self.rows:
            led.setdefault(row.lead_id, set()).add(row.state)
        made: list[policy.ClinicianNow] = []
        for person in chain.from_iterable(map(self.who.clinicians, self.who.providers)):
            if len(made) % AT_ONCE == 0:
                yield
            if "clinician" in person.roles:
                own = ended.get(person.id, [])
                made.append(self._clinician(person, led.get(person.id, set()), own))
        return tuple(made)

    def _rules(self, provider_id: str | None) -> policy.Rules:
        return self.own.get(provider_id or "", self.default)

    def _waiting(
        self,
        row: SessionRow,
        ended: list[OfferRow],
        excluded: dict[str, float],
        known: Callable[[tuple[str, ...]], frozenset[str]],
    ) -> policy.WaitingSession:
        for offer in ended:
            if offer.state == "declined":
                rules = self._rules(row.provider_id)
                until = _ended(offer, self.now) + rules.excluded_after_decline
                excluded[offer.clinician_id] = max(until, excluded.get(offer.clinician_id, 0.0))
        place = needs.place_of(row, self.who.agencies[row.agency_id])
        there = self.who.providers_at(row.agency_id, place)
        others = tuple(one for one in there if one != row.provider_id)
        return policy.WaitingSession(
            id=row.id,
            provider_id=row.provider_id,
            priority=row.priority,
            seq=row.seq,
            pressed_at=row.pressed_at,
            requeued_at=row.requeued_at,
            epoch=row.epoch,
            level=row.level,
            last_round_at=max((offer.sent_at for offer in ended), default=None),
            licence_state=place.state,
            excluded=excluded,
            other_providers=others,
            language=row.language,
            age_group=needs.age_group_of(row.intake),
            specialities=needs.specialities_of(row.intake, known((row.provider_id, *others))),
        )

    def _clinician(
        self, person: directory.Person, led: set[str], ended: list[OfferRow]
    ) -> policy.ClinicianNow:
        state = self.states.get(person.id)
        fixed = self.offered.get(person.id)
        if fixed is None:
            fixed = self.offered[person.id] = _offered(person)
        return policy.ClinicianNow(
            id=person.id,
            provider_ids=fixed.provider_ids,
            tier=state.tier if state else None,
            activity=policy.Activity(state.activity) if state else policy.Activity.OFFLINE,
            presence=state.presence if state else PresenceState.LOST,
            busy=bool(led) or person.id in self.elsewhere,
            wrapping_up=led == {"wrap_up"} and person.id not in self.elsewhere,
            cooldown_until=self._after_offers(person, ended, ("expired",)),
            resting_until=self._after_offers(person, ended, ("declined", "undelivered")),
            licences=fixed.licences,
            languages=fixed.languages,
            age_groups=fixed.age_groups,
            specialities=fixed.specialities,
            idle_since=self.idle.get(person.id, 0.0),
            missed=self.missed.get(person.id, 0),
            alike=fixed,
        )

    def _after_offers(
        self, person: directory.Person, ended: list[OfferRow], states: tuple[str, ...]
    ) -> float:
        """Until when a clinician's ended offers speak against ringing them again."""
        if not ended:
            return 0.0
        rules = self._rules(person.provider_id)
        seconds = {
            "declined": rules.cooldown_declined,
            "expired": rules.cooldown_expired,
            "undelivered": rules.cooldown_undelivered,
        }
        return max(
            (
                _ended(offer, self.now) + seconds[offer.state]
                for offer in ended
                if offer.state in states
            ),
            default=0.0,
        )


def _grouped(items: Iterable[T], key: Callable[[T], str]) -> dict[str, list[T]]:
    groups: dict[str, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _ended(offer: OfferRow, now: float) -> float:
    """When it ended; by a clock that was set back since, now: nobody rests for that long."""
    return min(now, offer.ended_at or offer.sent_at)


def _open_offers(
    before: dict[str, tuple[OfferRow, policy.OpenOffer]], rings: Iterable[OfferRow]
) -> tuple[policy.OpenOffer, ...]:
    """`before`: from the look before this one, and for the next. Of a line of a thousand most rings
    are as they were; the ledger gives the same row for those."""
    kept = {}
    for offer in rings:
        if offer.purpose != "answer":
            continue
        known = before.get(offer.id)
        if known is None or known[0] is not offer:
            known = (offer, _open_offer(offer))
        kept[offer.id] = known
    before.clear()
    before |= kept
    return tuple(made for _, made in kept.values())


def _open_offer(offer: OfferRow) -> policy.OpenOffer:
    return policy.OpenOffer(
        id=offer.id,
        session_id=offer.session_id,
        clinician_id=offer.clinician_id,
        epoch=offer.epoch,
        state=policy.OfferState(offer.state),
        sent_at=offer.sent_at,
        deliver_by=offer.deliver_by,
        expires_at=offer.expires_at,
        relaxed=frozenset(Misfit(step) for step, _ in offer.relaxed),
    )


def _offered(person: directory.Person) -> Offered:
    return _the_same(
        frozenset({person.provider_id or ""}),
        tuple(Licence(one.state, one.expires_at) for one in person.licences),
        person.languages,
        _age_groups(person),
        person.specialities,
    )


@lru_cache(maxsize=4096)
def _the_same(
    provider_ids: frozenset[str],
    licences: tuple[Licence, ...],
    languages: frozenset[str],
    age_groups: frozenset[AgeGroup],
    specialities: frozenset[str],
) -> Offered:
    """One object for all who are alike: the queue works out once what they may be rung for."""
    return Offered(provider_ids, licences, languages, age_groups, specialities)


def _age_groups(person: directory.Person) -> frozenset[AgeGroup]:
    groups = (
        (AgeGroup.ADULT, person.serves_adult),
        (AgeGroup.JUVENILE, person.serves_juvenile),
    )
    return frozenset(group for group, serves in groups if serves)
