"""Counting sessions: what each adds to the sums of a report. Pure.

Rules of this file:
1. Sums of two sets of sessions that have none in common, added, are the sums of both together. So
   days that are over are counted once and added up for every report.
2. A rate is three sums: `part` of `whole`, and `unknown`, which is in neither. What is not known
   yet and will be (a follow-up that is not due) is unknown until then; `turns_at` says when.
3. All sums are whole numbers, and equal rows give equal sums on every database.

RULES grows with every change of what is counted, so that sums by older rules are made anew.
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import msgspec

from records.flags import codes_of
from records.measures import LEVELS, SHORT_SECONDS, Outcome, Rate
from records.vocabulary import CONTACTS, LINKS

RULES: Final = 3
UNIT: Final = 0.1  # seconds, of waits
HOUR, DAY = 3600.0, 86_400.0
SIGN_SECONDS: Final = DAY
CONTACT_HOURS: Final = (24, 48, 72)
LINK_DAYS: Final = (7, 30)
DROP_SECONDS: Final = 10.0  # a shorter loss is no drop
RESTORED_SECONDS: Final = 30.0
CALM: Final = 4  # BARS: quiet and awake
WAITS: Final = ("to_answer", "to_accept", "to_media")
RINGS: Final = ("accepted", "declined", "missed")


@dataclass(frozen=True, slots=True)
class Task:
    """A follow-up, as far as it counts."""

    kind: str
    status: str
    due_at: float
    closed_at: float | None
    reached_at: float | None  # the first time that somebody reached the person


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a session beside its row; None where it is not known."""

    loss_seconds: float | None
    lost_at_end: bool
    failed_setups: int
    screens_begun: int
    screens_done: int
    plan: str | None
    means: str | None
    bars_before: int | None
    bars_after: int | None
    rules: int  # above 0: the answers were read


@dataclass(frozen=True, slots=True)
class Seen:
    """One session, as far as it counts. No id, nobody."""

    state: str
    close_reason: str | None
    pressed_at: float
    accepted_at: float | None
    media_at: float | None
    ended_at: float | None
    closed_at: float | None
    recommended: str | None
    actual: str | None
    otherwise: str | None
    flags: int
    opioid: str
    funding: str = "unknown"
    facts: Facts | None = None
    tasks: Sequence[Task] = ()
    signed_at: float | None = None
    subject: int | None = None  # whom it was about, as a number that says nothing else
    rings: Sequence[int] = (0, 0, 0)  # by RINGS


def ending(one: Seen) -> str:
    """How a session ended, one of `measures.Numbers`."""
    if one.media_at is not None:
        return "answered"
    if one.close_reason == "cancelled_by_officer":
        gone = (one.ended_at or one.pressed_at) - one.pressed_at
        return "short" if gone < SHORT_SECONDS else "abandoned"
    if one.state != "closed":
        return "open"
    return "failed" if one.accepted_at is not None else "other"


@dataclass(slots=True)
class Tally:
    """Sums over sessions. `turns_at`: when they change by time alone; None: never."""

    sums: Counter[str] = field(default_factory=Counter)
    hours: Counter[int] = field(default_factory=Counter)  # presses by whole hours, UTC
    waits: dict[str, array[int]] = field(default_factory=lambda: {n: array("I") for n in WAITS})
    # of sessions whose person is known: who, and when the officer pressed
    persons: array[int] = field(default_factory=lambda: array("Q"))
    visits: array[float] = field(default_factory=lambda: array("d"))
    turns_at: float | None = None

    # --- adding ----------------------------------------------------------------------------------

    def add(self, one: Seen, now: float) -> None:
        """Count one session as it stands at `now`."""
        end = ending(one)
        self.hours[int(one.pressed_at // HOUR)] += 1
        known = (one.recommended, one.actual, one.otherwise)
        self.sums["|".join(("o", end, *(code or "" for code in known)))] += 1
        self._waits(one)
        if one.subject is not None:
            self.persons.append(one.subject)
            self.visits.append(one.pressed_at)
        for name, count in zip(RINGS, one.rings, strict=True):
            if count:
                self.sums[f"ring_{name}"] += count
        facts = one.facts
        if end == "failed" or (facts is not None and facts.failed_setups):
            self.sums["setup"] += 1
        self.sums[f"funding_{one.funding}"] += 1
        if one.state != "closed":
            return
        if one.accepted_at is not None and one.closed_at is not None:
            self.sums["busy"] += round(one.closed_at - one.accepted_at)
        for task in one.tasks:
            self._on_time(task, now)
        if end == "answered":
            self._answered(one, now)

    def _answered(self, one: Seen, now: float) -> None:
        self.sums["over"] += 1
        self.sums[f"opioid_{one.opioid}"] += 1
        for code in codes_of(one.flags):
            self.sums[f"flag_{code}"] += 1
        closed = one.closed_at if one.closed_at is not None else one.pressed_at
        self._by("signed", one.signed_at, closed + SIGN_SECONDS, now)
        self._held(one.facts)
        self._quality(one.facts)
        ended = one.ended_at if one.ended_at is not None else closed
        self._afterwards(one.tasks, ended, now)

    def _waits(self, one: Seen) -> None:
        for name, start, end in (
            ("to_answer", one.pressed_at, one.media_at),
            ("to_accept", one.pressed_at, one.accepted_at),
            ("to_media", one.accepted_at, one.media_at),
        ):
            if start is not None and end is not None:
                self.waits[name].append(max(0, int((end - start) / UNIT + 0.5)))
        if one.media_at is not None:
            # not of the tenths above: 15.04 seconds are not within 15. As exact as the CSV is.
            answer = round(one.media_at - one.pressed_at, 3)
            self.sums.update(f"within_{level}" for level in LEVELS if answer <= level)

    def _rate(self, name: str, found: bool | None) -> None:
        if found is None:
            self.sums[f"{name}.unknown"] += 1
            return
        self.sums[f"{name}.whole"] += 1
        if found:
            self.sums[f"{name}.part"] += 1

    def _by(self, name: str, done_at: float | None, due_at: float, now: float) -> None:
        """Whether something was done by its time; unknown while there is time."""
        if done_at is None and due_at > now:
            self._turns(due_at)
            return self._rate(name, None)
        return self._rate(name, done_at is not None and done_at <= due_at)

    def _turns(self, at: float) -> None:
        self.turns_at = at if self.turns_at is None else min(self.turns_at, at)

    def _on_time(self, task: Task, now: float) -> None:
        if task.status == "open" and task.due_at > now:
            self._turns(task.due_at)
            return self._rate("followups", None)
        done = task.status == "done" and task.closed_at is not None
        return self._rate("followups", done and (task.closed_at or 0.0) <= task.due_at)

    def _held(self, facts: Facts | None) -> None:
        """Drops of the call, and of these those in which everybody was back soon."""
        if facts is None:
            return self._rate("drop", None)
        dropped = (facts.loss_seconds or 0.0) > DROP_SECONDS
        self._rate("drop", dropped)
        if dropped:
            soon = not facts.lost_at_end and (facts.loss_seconds or 0.0) < RESTORED_SECONDS
            self._rate("restored", soon)
        return None

    def _quality(self, facts: Facts | None) -> None:
        if facts is None or facts.rules <= 0:
            for name in ("screen", "plan", "means", "bars"):
                self._rate(name, None)
            return
        self._rate("screen", facts.screens_done > 0)
        self._rate("plan", facts.plan == "made")
        self._rate("means", facts.means == "asked")
        before, after = facts.bars_before, facts.bars_after
        if before is None or after is None:
            self._rate("bars", None)
            return
        self._rate("bars", after < before)
        self.sums["bars_before"] += before
        self.sums["bars_after"] += after
        self.sums["bars_rose"] += after > before
        if before > CALM:
            self._rate("bars_calm", after <= CALM)

    def _afterwards(self, tasks: Sequence[Task], ended: float, now: float) -> None:
        """Contact with the person, and a link to somebody who goes on, within so long."""
        contacts = [task for task in tasks if task.kind in CONTACTS]
        if contacts:
            first = _first(_reached(contacts))
            for hours in CONTACT_HOURS:
                self._by(f"contact_{hours}h", first, ended + hours * HOUR, now)
        links = [task for task in tasks if task.kind in LINKS]
        if links:
            first = _first(_done(links))
            for days in LINK_DAYS:
                self._by(f"linked_{days}d", first, ended + days * DAY, now)
        for kind in {task.kind for task in tasks}:
            self.sums[f"made_{kind}"] += 1
            if any(task.kind == kind and task.status == "done" for task in tasks):
                self.sums[f"done_{kind}"] += 1

    def merge(self, other: Tally) -> None:
        """Add the sums of other sessions."""
        for key, count in other.sums.items():
            self.sums[key] += count
        for hour, presses in other.hours.items():
            self.hours[hour] += presses
        for name in WAITS:
            self.waits[name].extend(other.waits[name])
        self.persons.extend(other.persons)
        self.visits.extend(other.visits)
        if other.turns_at is not None:
            self._turns(other.turns_at)

    # --- reading ---------------------------------------------------------------------------------

    def rate(self, name: str) -> Rate:
        """One of the rates, by its name."""
        sums = self.sums
        return Rate(sums[f"{name}.part"], sums[f"{name}.whole"], sums[f"{name}.unknown"])

    def outcomes(self) -> list[Outcome]:
        """Sessions by how they ended and by both dispositions."""
        found = []
        for key, count in self.sums.items():
            if key.startswith("o|"):
                _, end, *codes = key.split("|")
                recommended, actual, otherwise = (code or None for code in codes)
                found.append(Outcome(end, recommended, actual, count, otherwise))
        return found

    def repeats(self, spans: Sequence[int]) -> dict[int, Rate]:
        """By days: persons with two sessions within them, of all known persons."""
        often = Counter(self.persons)
        several = {who for who, count in often.items() if count > 1}
        found: dict[int, list[float]] = {}
        for who, at in zip(self.persons, self.visits, strict=True):
            if who in several:
                found.setdefault(who, []).append(at)
        nearest = [min(b - a for a, b in pairwise(sorted(own))) for own in found.values()]
        return {days: Rate(sum(gap <= days * DAY for gap in nearest), len(often)) for days in spans}

    def spread(self, name: str) -> dict[int, int]:
        """How often each number of UNIT seconds was waited."""
        return dict(Counter(self.waits[name]))


def _first(moments: Iterable[float]) -> float | None:
    return min(moments, default=None)


def _reached(tasks: Collection[Task]) -> Iterator[float]:
    for task in tasks:
        if task.reached_at is not None:
            yield task.reached_at
        if task.status == "done" and task.closed_at is not None:
            yield task.closed_at


def _done(tasks: Collection[Task]) -> Iterator[float]:
    for task in tasks:
        if task.status == "done" and task.closed_at is not None:
            yield task.closed_at


# --- stored sums ----------------------------------------------------------------------------------


class _Body(msgspec.Struct, array_like=True):
    sums: dict[str, int]
    hours: dict[int, int]
    columns: list[bytes]  # the waits, persons and visits, little-endian


_packed = msgspec.msgpack.Encoder()
_unpacked = msgspec.msgpack.Decoder(_Body)


def _columns(tally: Tally) -> list[array[Any]]:
    return [*(tally.waits[name] for name in WAITS), tally.persons, tally.visits]


def stored(tally: Tally) -> bytes:
    """The sums as bytes, alike on every machine."""
    columns = [_little(one).tobytes() for one in _columns(tally)]
    return _packed.encode(_Body(dict(tally.sums), dict(tally.hours), columns))


def added(bodies: Iterable[bytes]) -> Tally:
    """All stored sums added up."""
    total = Tally()
    sums: dict[str, int] = {}
    hours: dict[int, int] = {}
    columns = [bytearray() for _ in _columns(total)]
    for raw in bodies:
        body = _unpacked.decode(raw)
        for key, count in body.sums.items():
            sums[key] = sums.get(key, 0) + count
        for hour, presses in body.hours.items():
            hours[hour] = hours.get(hour, 0) + presses
        for kept, more in zip(columns, body.columns, strict=True):
            kept += more
    total.sums, total.hours = Counter(sums), Counter(hours)
    for empty, kept in zip(_columns(total), columns, strict=True):
        own = array(empty.typecode)
        own.frombytes(bytes(kept))
        empty.extend(_little(own))
    return total


def _little(values: array[Any]) -> array[Any]:
    """In the order of bytes that is stored, or back."""
    if sys.byteorder == "little":
        return values
    swapped = array(values.typecode, values)
    swapped.byteswap()
    return swapped
