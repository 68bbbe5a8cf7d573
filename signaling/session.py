"""The crisis session's state machine.

Rules of this file:
1. No I/O, no clock, no randomness: an input and the time come in; the next session and its events
   come out. One input gives at least one event, so that every change is on the timeline.
2. TRANSITIONS is the whole truth about what may follow what. An input that it does not name raises
   IllegalTransition and changes nothing.
3. There is no "timed out": no clock ever ends a waiting session.
4. `epoch` grows with each change of who leads, and fences everything that is said about the old
   assignment.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from records import flags
from signaling.errors import IllegalTransition

SETUP_SECONDS = 20.0  # accepted, but no media both ways: back to the line (design.md)
LOST_SECONDS = 20.0  # the clinician is gone this long: back to the head of the line (design.md)


class State(enum.StrEnum):
    WAITING = "waiting"
    ANSWERING = "answering"
    CONNECTED = "connected"
    RECOVERING = "recovering"
    WRAP_UP = "wrap_up"
    CLOSED = "closed"


class Phase(enum.StrEnum):
    BRIEF = "brief"
    HANDED_OVER = "handed_over"
    DEBRIEF = "debrief"


LIVE = frozenset({State.ANSWERING, State.CONNECTED, State.RECOVERING})
OPEN = LIVE | {State.WAITING}


@dataclass(frozen=True, slots=True)
class Session:
    """What the machine knows; field names are those of the durable row."""

    id: str
    state: State
    pressed_at: float
    phase: Phase = Phase.BRIEF
    epoch: int = 0
    level: int = 0
    lead_id: str | None = None
    voice_only: bool = False
    saver: bool = False
    held_at: float | None = None  # since when the tablet is on hold
    intake: tuple[str, ...] = ()
    priority: int = 5
    language: str | None = None
    place_county: str | None = None
    place_state: str | None = None
    provider_id: str = ""
    deadline_at: float | None = None
    close_reason: str | None = None
    alerted_at: float | None = None
    accepted_at: float | None = None
    media_at: float | None = None
    handed_over_at: float | None = None
    handed_back_at: float | None = None
    recommended_at: float | None = None
    acknowledged_at: float | None = None
    ended_at: float | None = None
    closed_at: float | None = None
    disposition_at: float | None = None
    requeued_at: float | None = None
    brief_seconds: float = 0.0
    handed_over_seconds: float = 0.0
    debrief_seconds: float = 0.0
    phase_since: float | None = None
    recommended_disposition: str | None = None
    actual_disposition: str | None = None
    difference_reason: str | None = None
    otherwise: str | None = None  # what the officer would have done; said before the call only
    flags: int = 0
    opioid: str = "unknown"
    wellness: bool = False  # the officer calls for themselves
    body_camera: str | None = None


# --- inputs: what happened ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Alerted:
    """A clinician's console shows and sounds the offer."""

    clinician_id: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """A clinician answers; `provider`: theirs, when the session was another provider's."""

    clinician_id: str
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class MediaFlowing:
    """Media passes both ways."""


@dataclass(frozen=True, slots=True)
class SetupFailed:
    """Accepted, but no media in time, or the clinician left before it."""

    reason: str


@dataclass(frozen=True, slots=True)
class ClinicianLost:
    since: float  # when the last sign of life was


@dataclass(frozen=True, slots=True)
class ClinicianBack:
    pass


@dataclass(frozen=True, slots=True)
class ClinicianGone:
    """Lost for LOST_SECONDS: the session goes back to the head of the line."""


@dataclass(frozen=True, slots=True)
class LeadChanged:
    """Another clinician, whose media already flows, leads from now on; `how`: a code."""

    to: str
    how: str  # handed_on | sender_lost | taken_over


@dataclass(frozen=True, slots=True)
class LeadTaken:
    """Another clinician leads from now on; their media is still to come."""

    to: str
    how: str


@dataclass(frozen=True, slots=True)
class HandedBack:
    """The clinician gives the session back to the line."""

    reason: str


@dataclass(frozen=True, slots=True)
class HandedOver:
    pass


@dataclass(frozen=True, slots=True)
class TakenBack:
    pass


@dataclass(frozen=True, slots=True)
class IntakeTold:
    """What the officer tapped, and the class of priority that it means."""

    tiles: tuple[str, ...]
    priority: int = 5


@dataclass(frozen=True, slots=True)
class LanguageAsked:
    """The person's language; None: English, or not said."""

    language: str | None


@dataclass(frozen=True, slots=True)
class PlaceTold:
    """Where the incident is, of the agency's own places; `provider`: who answers there first."""

    county: str
    state: str
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class OtherwiseTold:
    """What the officer would have done without the call: nothing that is said later counts."""

    otherwise: str


@dataclass(frozen=True, slots=True)
class CameraTold:
    """Whether the officer's body camera runs: the clinician is told at once."""

    body_camera: str


@dataclass(frozen=True, slots=True)
class VoiceChosen:
    voice_only: bool


@dataclass(frozen=True, slots=True)
class SaverChosen:
    """Either side turns the data saver on or off, for both: at most still pictures."""

    saver: bool


@dataclass(frozen=True, slots=True)
class Held:
    """The lead puts the tablet on hold: it hears and sees nobody, and is heard and seen."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """The lead takes the tablet off hold."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """By the officer, before or between clinicians; `reason` is one of the close reasons."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    by: str  # officer | clinician


@dataclass(frozen=True, slots=True)
class CardSent:
    disposition: str


@dataclass(frozen=True, slots=True)
class CardAcknowledged:
    pass


@dataclass(frozen=True, slots=True)
class WrapupFinished:
    disposition: str
    flags: tuple[str, ...] = ()
    opioid: str = "unknown"
    wellness: bool = False


@dataclass(frozen=True, slots=True)
class DispositionRecorded:
    actual: str
    reason: str | None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Escalated:
    step: str


Input = (
    Alerted
    | Accepted
    | MediaFlowing
    | SetupFailed
    | ClinicianLost
    | ClinicianBack
    | ClinicianGone
    | LeadChanged
    | LeadTaken
    | HandedBack
    | HandedOver
    | TakenBack
    | IntakeTold
    | LanguageAsked
    | PlaceTold
    | OtherwiseTold
    | CameraTold
    | VoiceChosen
    | SaverChosen
    | Held
    | Resumed
    | Cancelled
    | Ended
    | CardSent
    | CardAcknowledged
    | WrapupFinished
    | DispositionRecorded
    | Escalated
)

S = State
TRANSITIONS: Mapping[State, Mapping[type, State]] = {
    S.WAITING: {
        Alerted: S.WAITING,
        Accepted: S.ANSWERING,
        IntakeTold: S.WAITING,
        LanguageAsked: S.WAITING,
        PlaceTold: S.WAITING,
        OtherwiseTold: S.WAITING,
        CameraTold: S.WAITING,
        VoiceChosen: S.WAITING,
        Escalated: S.WAITING,
        Cancelled: S.CLOSED,
        CardAcknowledged: S.WAITING,
        TakenBack: S.WAITING,
    },
    S.ANSWERING: {
        MediaFlowing: S.CONNECTED,
        SetupFailed: S.WAITING,
        IntakeTold: S.ANSWERING,
        LanguageAsked: S.ANSWERING,
        PlaceTold: S.ANSWERING,
        OtherwiseTold: S.ANSWERING,
        CameraTold: S.ANSWERING,
        VoiceChosen: S.ANSWERING,
        SaverChosen: S.ANSWERING,
        Cancelled: S.CLOSED,
        Ended: S.WRAP_UP,
        LeadTaken: S.ANSWERING,
        HandedBack: S.WAITING,
        CardSent: S.ANSWERING,
        CardAcknowledged: S.ANSWERING,
        TakenBack: S.ANSWERING,
    },
    S.CONNECTED: {
        ClinicianLost: S.RECOVERING,
        LeadChanged: S.CONNECTED,
        LeadTaken: S.RECOVERING,
        HandedBack: S.WAITING,
        HandedOver: S.CONNECTED,
        TakenBack: S.CONNECTED,
        CameraTold: S.CONNECTED,
        VoiceChosen: S.CONNECTED,
        SaverChosen: S.CONNECTED,
        Held: S.CONNECTED,
        Resumed: S.CONNECTED,
        CardSent: S.CONNECTED,
        CardAcknowledged: S.CONNECTED,
        Ended: S.WRAP_UP,
    },
    S.RECOVERING: {
        MediaFlowing: S.CONNECTED,
        ClinicianBack: S.CONNECTED,
        ClinicianGone: S.WAITING,
        LeadChanged: S.CONNECTED,
        LeadTaken: S.RECOVERING,
        HandedBack: S.WAITING,
        HandedOver: S.RECOVERING,
        TakenBack: S.RECOVERING,
        CameraTold: S.RECOVERING,
        VoiceChosen: S.RECOVERING,
        SaverChosen: S.RECOVERING,
        Resumed: S.RECOVERING,
        CardSent: S.RECOVERING,
        CardAcknowledged: S.RECOVERING,
        Ended: S.WRAP_UP,
    },
    S.WRAP_UP: {
        CameraTold: S.WRAP_UP,
        TakenBack: S.WRAP_UP,  # the call ended in the person's hands
        CardSent: S.WRAP_UP,
        CardAcknowledged: S.WRAP_UP,
        DispositionRecorded: S.WRAP_UP,
        WrapupFinished: S.CLOSED,
    },
    S.CLOSED: {
        TakenBack: S.CLOSED,
        CardAcknowledged: S.CLOSED,
        DispositionRecorded: S.CLOSED,
    },
}


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One entry for the timeline; codes, ids and numbers only."""

    kind: str
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """The session after an input, and what the timeline gains."""

    before: Session
    after: Session
    events: tuple[TimelineEvent, ...]

    @property
    def changes(self) -> dict[str, object]:
        """The columns that differ, by name."""
        return {
            f.name: getattr(self.after, f.name)
            for f in fields(Session)
            if getattr(self.after, f.name) != getattr(self.before, f.name)
        }


def handle(session: Session, item: Input, now: float) -> Step:
    """Take one input at `now` (UTC seconds).

    Raises IllegalTransition when the state does not admit it; nothing has changed then.
    """
    target = TRANSITIONS[session.state].get(type(item))
    if target is None:
        raise IllegalTransition(session.state, type(item).__name__)
    after, events = _apply(session, item, now)
    after = replace(after, state=target)
    if session.state is S.CONNECTED and target is not S.CONNECTED:
        after = _close_phase(after, now)
    elif target is S.CONNECTED and session.state is not S.CONNECTED:
        after = replace(after, phase_since=now)
    return Step(session, after, tuple(events))


def _apply(s: Session, item: Input, now: float) -> tuple[Session, list[TimelineEvent]]:
    match item:
        case Alerted(who):
            return _alerted(s, who, now)
        case Accepted(who, provider):
            return _accepted(s, who, provider, now)
        case MediaFlowing():
            return _flowing(s, now)
        case SetupFailed(reason):
            return _requeued(s, reason, now)
        case ClinicianGone():
            return _requeued(s, "clinician_lost", now)
        case HandedBack(reason):
            return _requeued(s, reason, now)
        case LeadChanged(to, how) | LeadTaken(to, how):
            return _lead_changed(s, to, how, now if isinstance(item, LeadTaken) else None)
        case ClinicianLost(since):
            gone = replace(s, deadline_at=since + LOST_SECONDS)
            lost = TimelineEvent("clinician.lost", {"seconds": round(max(0.0, now - since), 1)})
            return gone, [lost, TimelineEvent("session.recovering")]
        case ClinicianBack():
            back = replace(s, deadline_at=None)
            return back, [TimelineEvent("clinician.back"), TimelineEvent("session.recovered")]
        case HandedOver() | TakenBack():
            return _phase(s, item, now)
        case IntakeTold(tiles, priority):
            told = replace(s, intake=tiles, priority=priority, wellness="self" in tiles)
            return told, [TimelineEvent("session.intake", {"tiles": list(tiles)})]
        case LanguageAsked(language):
            asked = replace(s, language=language)
            return asked, [TimelineEvent("session.language", {"language": language or "en"})]
        case PlaceTold(county, state, provider):
            there = replace(s, place_county=county, place_state=state)
            where = TimelineEvent("session.place", {"county": county, "state": state})
            there, moved = _moved(there, provider if s.state is S.WAITING else None, "place")
            return there, [where, *moved]
        case OtherwiseTold(otherwise):
            if s.media_at is not None:  # the call has been: it would be said in its light
                raise IllegalTransition(s.state, "OtherwiseTold")
            said = TimelineEvent("session.otherwise", {"otherwise": otherwise})
            return replace(s, otherwise=otherwise), [said]
        case CameraTold(body_camera):
            ran = TimelineEvent("session.body_camera", {"camera": body_camera})
            return replace(s, body_camera=body_camera), [ran]
        case VoiceChosen(voice_only):
            chosen = replace(s, voice_only=voice_only)
            return chosen, [TimelineEvent("session.voice", {"voice_only": voice_only})]
        case SaverChosen(saver):
            return replace(s, saver=saver), [TimelineEvent("session.saver", {"saver": saver})]
        case Held() | Resumed():
            return _hold(s, now if isinstance(item, Held) else None)
        case Escalated(step):
            raised = replace(s, level=s.level + 1)
            return raised, [TimelineEvent("escalation.step", {"step": step})]
        case Cancelled() | Ended() | WrapupFinished():
            return _finish(s, item, now)
        case CardSent() | CardAcknowledged() | DispositionRecorded():
            return _record(s, item, now)


def _hold(s: Session, at: float | None) -> tuple[Session, list[TimelineEvent]]:
    """On hold since `at`, or off hold. Whoever leads anew begins with everybody together."""
    if (at is None) == (s.held_at is None):
        raise IllegalTransition(s.state, "Resumed" if at is None else "Held")
    event = TimelineEvent("session.resumed" if at is None else "session.held")
    return replace(s, held_at=at), [event]


def _alerted(s: Session, who: str, now: float) -> tuple[Session, list[TimelineEvent]]:
    first = s.alerted_at if s.alerted_at is not None else now
    return replace(s, alerted_at=first), [TimelineEvent("offer.delivered", {"clinician": who})]


def _moved(s: Session, to: str | None, why: str) -> tuple[Session, list[TimelineEvent]]:
    """The session is another provider's from now on, or (None) stays where it is."""
    if to is None or to == s.provider_id:
        return s, []
    told = {"provider": to, "before": s.provider_id, "why": why}
    return replace(s, provider_id=to), [TimelineEvent("session.provider", told)]


def _accepted(
    s: Session, who: str, provider: str | None, now: float
) -> tuple[Session, list[TimelineEvent]]:
    s, moved = _moved(s, provider, "accepted")
    after = replace(
        s,
        lead_id=who,
        epoch=s.epoch + 1,
        accepted_at=s.accepted_at if s.accepted_at is not None else now,
        deadline_at=now + SETUP_SECONDS,
    )
    return after, [
        TimelineEvent("offer.accepted", {"clinician": who}),
        *moved,
        TimelineEvent("session.answering", {"epoch": after.epoch}),
    ]


def _flowing(s: Session, now: float) -> tuple[Session, list[TimelineEvent]]:
    first = s.media_at is None
    after = replace(s, deadline_at=None, media_at=now if first else s.media_at)
    if s.state is S.RECOVERING:
        return after, [TimelineEvent("session.recovered")]
    return after, [TimelineEvent("media.flowing"), TimelineEvent("session.connected")]


def _requeued(s: Session, reason: str, now: float) -> tuple[Session, list[TimelineEvent]]:
    after = replace(
        s, lead_id=None, epoch=s.epoch + 1, deadline_at=None, requeued_at=now, held_at=None
    )
    return after, [TimelineEvent("session.requeued", {"reason": reason, "clinician": s.lead_id})]


def _lead_changed(
    s: Session, to: str, how: str, silent_at: float | None
) -> tuple[Session, list[TimelineEvent]]:
    """One step from one clinician to another; `silent_at`: since when media is awaited."""
    if to == s.lead_id:
        raise IllegalTransition(s.state, "LeadChanged")
    deadline = None if silent_at is None else silent_at + LOST_SECONDS
    after = replace(s, lead_id=to, epoch=s.epoch + 1, deadline_at=deadline, held_at=None)
    data = {"clinician": to, "former": s.lead_id, "reason": how, "epoch": after.epoch}
    return after, [TimelineEvent("session.lead_changed", data)]


def _phase(s: Session, item: Input, now: float) -> tuple[Session, list[TimelineEvent]]:
    over = isinstance(item, HandedOver)
    if over == (s.phase is Phase.HANDED_OVER):
        raise IllegalTransition(f"{s.state}/{s.phase}", type(item).__name__)
    counted = _close_phase(s, now) if s.phase_since is not None else s
    running = now if s.state is S.CONNECTED else None
    if over:
        after = replace(
            counted,
            phase=Phase.HANDED_OVER,
            phase_since=running,
            handed_over_at=s.handed_over_at if s.handed_over_at is not None else now,
        )
        return after, [TimelineEvent("handover.started")]
    after = replace(counted, phase=Phase.DEBRIEF, phase_since=running, handed_back_at=now)
    return after, [TimelineEvent("handover.ended")]


def _close_phase(s: Session, now: float) -> Session:
    """Add the running phase's time to its sum; clocks of one session only count while connected."""
    if s.phase_since is None:
        return s
    spent = max(0.0, now - s.phase_since)
    name = f"{s.phase}_seconds"
    return replace(s, phase_since=None, **{name: getattr(s, name) + spent})


def _finish(s: Session, item: Input, now: float) -> tuple[Session, list[TimelineEvent]]:
    match item:
        case Cancelled(reason):
            after = replace(
                s,
                lead_id=None,
                epoch=s.epoch + 1,
                deadline_at=None,
                close_reason=reason,
                ended_at=now,
                closed_at=now,
            )
            return after, [TimelineEvent("session.closed", {"reason": reason})]
        case Ended(by):
            after = replace(s, deadline_at=None, ended_at=now, held_at=None)
            return after, [TimelineEvent("session.ended", {"by": by})]
        case WrapupFinished(disposition, codes, opioid, wellness):
            after = replace(
                s,
                close_reason="completed",
                closed_at=now,
                recommended_disposition=disposition,
                flags=flags.told(s.flags, "clinician", codes),
                opioid=opioid,  # not on the timeline: 42 CFR Part 2
                wellness=s.wellness or wellness,
            )
            return after, [
                TimelineEvent("wrapup.finished", {"disposition": disposition}),
                TimelineEvent("session.closed", {"reason": "completed"}),
            ]
    raise AssertionError(item)


def _record(s: Session, item: Input, now: float) -> tuple[Session, list[TimelineEvent]]:
    match item:
        case CardSent(disposition):
            after = replace(
                s,
                recommended_disposition=disposition,
                recommended_at=s.recommended_at if s.recommended_at is not None else now,
            )
            return after, [TimelineEvent("card.sent", {"disposition": disposition})]
        case CardAcknowledged():
            after = replace(
                s, acknowledged_at=s.acknowledged_at if s.acknowledged_at is not None else now
            )
            return after, [TimelineEvent("card.acknowledged")]
        case DispositionRecorded(actual, reason, codes):
            after = replace(
                s,
                actual_disposition=actual,
                difference_reason=reason,
                disposition_at=now,
                flags=flags.told(s.flags, "officer", codes),
            )
            data: dict[str, object] = {"actual": actual}
            if codes:
                data["flags"] = list(codes)
            if reason is not None:
                data["reason"] = reason
            return after, [TimelineEvent("disposition.recorded", data)]
    raise AssertionError(item)
