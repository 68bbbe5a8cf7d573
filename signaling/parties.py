"""Who hears and sees whom in a call, and how a running session changes hands. Pure.

Rules of this file:
1. A transfer is an offer on a running session, never a state of the session: until both have
   confirmed, the lead leads, whatever happens to the receiver.
2. The lead changes in one step with a new epoch; the tablet's leg is never touched by it.
3. Who only listens is heard by nobody; who whispers is heard by the lead alone. Everybody who is
   present is shown to everybody else: nobody listens unseen.
4. A tablet on hold hears and sees nobody; it is heard and seen as before: whoever is at the scene
   is not out of sight while colleagues talk.
5. A guest on hold hears and sees nobody, and is heard and seen by nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from oncall.fit import Licence
from signaling.errors import NotJoined, NoTransfer, NotYours

TABLET, CLINICIAN = "tablet", "clinician"
SIDES = ("side1", "side2", "side3", "side4")
SEATS = (TABLET, CLINICIAN, *SIDES)
RING_SECONDS = 20.0  # of a transfer's offer, as of every other (design.md)
LOST_SECONDS = 8.0  # a receiver without page and packets this long has left


class Role(StrEnum):
    LEAD = "lead"
    RECEIVER = "receiver"
    INTERPRETER = "interpreter"
    SUPERVISOR = "supervisor"


class Mode(StrEnum):
    SPEAK = "speak"
    LISTEN = "listen"
    WHISPER = "whisper"


@dataclass(frozen=True, slots=True)
class Seated:
    """Somebody at the side of a call."""

    seat: str
    role: Role
    mode: Mode = Mode.SPEAK
    held: bool = False


Hearing = dict[str, list[str | None]]


def places(sink: str) -> tuple[str, ...]:
    """The seats that a seat may hear and see, by slot: the first one is the large picture."""
    first = CLINICIAN if sink == TABLET else TABLET
    return (first, *(seat for seat in SEATS if seat not in {sink, first}))


def hears(sink: str, source: str, sides: Mapping[str, Seated]) -> bool:
    """Whether this seat hears that one."""
    if sink == source or not _there(sink, sides) or not _there(source, sides):
        return False
    speaker, listener = sides.get(source), sides.get(sink)
    if any(one is not None and one.held for one in (speaker, listener)):
        return False
    if speaker is None or speaker.mode is Mode.SPEAK:
        return True
    return speaker.mode is Mode.WHISPER and sink == CLINICIAN


def sees(sink: str, source: str, sides: Mapping[str, Seated]) -> bool:
    """Whether this seat sees that one. A tablet's thin line carries one face, and interpreters."""
    if not hears(sink, source, sides):
        return False
    shown = sides.get(source)
    if shown is None:
        return True
    if shown.mode is not Mode.SPEAK:
        return False
    return sink != TABLET or shown.role is Role.INTERPRETER


def _there(seat: str, sides: Mapping[str, Seated]) -> bool:
    return seat in {TABLET, CLINICIAN} or seat in sides


def media_plan(seated: Sequence[Seated], *, held: bool = False) -> tuple[Hearing, Hearing]:
    """Who hears whom and who sees whom: sink to sources by slot, None for an empty slot.

    `held`: the tablet is on hold.
    """
    sides = {one.seat: one for one in seated}
    sinks = [seat for seat in SEATS if _there(seat, sides)]
    heard = {k: [s if hears(k, s, sides) else None for s in places(k)] for k in sinks}
    seen = {k: [s if sees(k, s, sides) else None for s in places(k)] for k in sinks}
    if held:
        heard[TABLET] = [None for _ in heard[TABLET]]
        seen[TABLET] = [None for _ in seen[TABLET]]
    return heard, seen


# --- handing on -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Handing:
    """A transfer as the rules see it."""

    lead_id: str
    receiver_id: str | None  # None: still ringing
    joined: bool = False  # the receiver's sound is up
    lead_ready: bool = False
    receiver_ready: bool = False
    lead_lost: bool = False


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a confirmation gave."""

    lead_ready: bool
    receiver_ready: bool

    @property
    def complete(self) -> bool:
        return self.lead_ready and self.receiver_ready


def confirm(handing: Handing, who: str, *, ready: bool) -> Confirmed:
    """The lead or the receiver confirms, or takes that back.

    Raises NoTransfer before anybody has accepted, NotJoined before the receiver hears the call,
    NotYours for anybody else.
    """
    if handing.receiver_id is None:
        raise NoTransfer
    if who not in {handing.lead_id, handing.receiver_id}:
        raise NotYours
    if ready and not handing.joined:
        raise NotJoined
    if who == handing.lead_id:
        return Confirmed(ready, handing.receiver_ready)
    return Confirmed(handing.lead_ready, ready)


def take(handing: Handing, who: str) -> None:
    """The receiver goes on alone, at once, because the sender is lost.

    Raises NoTransfer, or NotYours for anybody else or while the sender is there.
    """
    if handing.receiver_id is None:
        raise NoTransfer
    if who != handing.receiver_id or not handing.lead_lost:
        raise NotYours


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody to whom a session might be handed, at this moment."""

    id: str
    present: bool
    activity: str
    work: str
    tier: int | None
    licences: tuple[Licence, ...]


def why_not(colleague: Colleague, licence_state: str | None, now: float) -> str | None:
    """Why this colleague cannot take the session, as a code; None when they can."""
    if not colleague.present:
        return "away"
    if colleague.activity != "available":
        return "paused"
    if colleague.work not in {"idle", "wrap_up"}:
        return "busy"
    states = {licence.state for licence in colleague.licences if licence.valid(now)}
    if not states or (licence_state is not None and licence_state not in states):
        return "not_licensed"
    return None


def anybody(
    colleagues: Sequence[Colleague], licence_state: str | None, now: float
) -> list[Colleague]:
    """Who is rung when no colleague is named: everybody free of the nearest tier."""
    free = [
        one
        for one in colleagues
        if one.tier is not None and why_not(one, licence_state, now) is None
    ]
    nearest = min((one.tier for one in free if one.tier is not None), default=None)
    return [one for one in free if one.tier == nearest]
