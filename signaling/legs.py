"""What is known of each session's legs: told by the bridge, and by the pages themselves.

In memory only: after a restart the pages describe themselves anew. No I/O here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from media import LegEvent, LegEventKind
from signaling.shapes import PeerView, PictureStep

Seat = Literal["tablet", "clinician"]
Quality = Literal["good", "fair", "poor", "none"]

MOVING: frozenset[PictureStep] = frozenset({"720p", "360p", "180p"})
NOTED_EVERY = 4.0  # seconds between two steps of one side on the timeline; the last one is made up
ALIVE_SECONDS = 10.0  # so long a page may be silent, or build, before another one counts as alone


@dataclass(frozen=True, slots=True)
class Window:
    """Which of a person's windows speaks, by the name that it gives itself, and whether it comes
    for the call on purpose: opened, loaded anew, or by a press."""

    page: str | None = None
    take: bool = False


UNNAMED = Window()


@dataclass(slots=True)
class SeatState:
    """One side's leg and what its page says about itself."""

    generation: str | None = None  # of the leg that carries
    coming: str | None = None  # of one that is built beside it, and takes over when it is connected
    holder: str | None = None  # whose leg it is
    page: str | None = None  # which of the holder's windows has it, as it calls itself
    coming_page: str | None = None
    taker: str | None = None  # the window that came on purpose last: it may try until it is in
    described_at: float = 0.0
    connected: bool = False
    flowing: set[str] = field(default_factory=set)  # media that have arrived: audio, video
    silent_since: float | None = None
    muted: bool = False
    camera: bool = True
    quality: Quality = "good"
    blocked: bool = False  # its page has tried every way
    step: PictureStep = "720p"  # how much picture its page sends
    noted: PictureStep = "720p"  # what the timeline says of it
    noted_at: float = 0.0

    def begin(self, generation: str) -> None:
        """From now on it is this leg, of which nothing is known yet."""
        if generation == self.coming:
            self.page = self.coming_page
        self.generation, self.coming = generation, None
        self.connected = False
        self.flowing.clear()
        self.silent_since = None

    def carrier(self, now: float) -> str | None:
        """The holder's window that has the call; None when it seems to be gone."""
        here = now - self.described_at < ALIVE_SECONDS
        silent = self.silent_since is not None and now - self.silent_since >= ALIVE_SECONDS
        return self.page if here or (self.connected and not silent) else None

    @property
    def withheld(self) -> frozenset[str]:
        """What its page says is off: nobody gets it, whatever the browser sends.

        Sound is none of it: a muted browser sends silence, and the word that it speaks again may
        come later than the first of what is said. A thin line's step is none of it either: a
        picture that somebody wants to send comes back by what the other side's line says of
        itself, which it says only of what goes there.
        """
        return frozenset() if self.camera else frozenset({"video"})

    @property
    def sends(self) -> bool:
        return not self.muted or (self.camera and self.step in MOVING)

    @property
    def up(self) -> bool:
        """Connected, and something arrives, or its page said that it sends nothing on purpose."""
        return (
            self.connected and self.silent_since is None and (bool(self.flowing) or not self.sends)
        )


class Legs:
    """All seats of all sessions of this process."""

    def __init__(self) -> None:
        self._seats: dict[tuple[str, str], SeatState] = {}

    def seat(self, session_id: str, seat: str) -> SeatState:
        return self._seats.setdefault((session_id, seat), SeatState())

    def known(self, session_id: str, seat: str) -> SeatState | None:
        """The same, of a seat that is known; asking for one makes none."""
        return self._seats.get((session_id, seat))

    def taken_by_another(self, session_id: str, seat: str, holder: str) -> bool:
        """Whether somebody else's leg sits there."""
        state = self.known(session_id, seat)
        return state is not None and state.holder not in (None, holder)

    def elsewhere(
        self, session_id: str, seat: str, generation: str, window: Window, now: float
    ) -> bool:
        """Whether another window of the same person has the call, and this one did not come for it.

        The newest on purpose wins; one that merely reconnects does not win against one that lives,
        or both would take the call from each other for ever.
        """
        state = self.known(session_id, seat)
        if state is None or window.page is None or window.take:
            return False
        if generation in (state.generation, state.coming) or window.page == state.taker:
            return False
        return state.carrier(now) not in (None, window.page)

    def described(
        self,
        session_id: str,
        seat: str,
        generation: str,
        holder: str,
        window: Window = UNNAMED,
        now: float = 0.0,
    ) -> None:
        """A description was answered: of a leg beside the one that carries, or of the only one."""
        state = self.seat(session_id, seat)
        state.holder = holder
        if window.take:
            state.taker = window.page
        if generation == state.generation:
            return
        if state.connected:
            state.coming, state.coming_page = generation, window.page
        else:
            state.begin(generation)
            state.page, state.described_at = window.page, now

    def told(self, event: LegEvent, now: float) -> None:
        """Take one event from the bridge; those of an older generation are ignored."""
        state = self._seats.get((event.call, event.seat))
        if state is None:
            return
        if state.coming == event.generation:
            if event.kind is LegEventKind.CONNECTED:
                state.begin(event.generation)
            elif event.kind is LegEventKind.CLOSED:
                state.coming = None
        if state.generation != event.generation:
            return
        match event.kind:
            case LegEventKind.CONNECTED:
                state.connected = True
                state.silent_since = None
            case LegEventKind.FLOWING:
                state.silent_since = None
                if event.medium is not None:
                    state.flowing.add(event.medium)
            case LegEventKind.SILENT:
                state.silent_since = now
            case LegEventKind.RESUMED:
                state.silent_since = None
            case LegEventKind.CLOSED:
                state.connected = False
                state.flowing.clear()
                state.silent_since = now
            case LegEventKind.PATH_CHANGED:
                pass

    def stated(
        self,
        session_id: str,
        seat: str,
        *,
        muted: bool,
        camera: bool,
        quality: Quality,
        blocked: bool = False,
        step: PictureStep = "720p",
    ) -> None:
        state = self.seat(session_id, seat)
        state.muted, state.camera, state.quality = muted, camera, quality
        state.blocked, state.step = blocked, step

    def sends(self, session_id: str, seat: str, *, muted: bool | None, camera: bool | None) -> None:
        """What a page sends by the leg that it describes; None: it did not say."""
        state = self.seat(session_id, seat)
        state.muted = state.muted if muted is None else muted
        state.camera = state.camera if camera is None else camera

    def to_note(
        self, session_id: str, seat: str, now: float
    ) -> tuple[PictureStep, PictureStep] | None:
        """The step that a side has taken since the timeline was told, as (from, to)."""
        state = self.seat(session_id, seat)
        if state.step == state.noted or now - state.noted_at < NOTED_EVERY:
            return None
        before, state.noted, state.noted_at = state.noted, state.step, now
        return before, state.step

    def of(self, session_id: str) -> dict[str, SeatState]:
        """All seats of a session, as they are now."""
        return {
            seat: replace(state, flowing=set(state.flowing))
            for (session, seat), state in self._seats.items()
            if session == session_id
        }

    def heard(self, session_id: str, seats: Mapping[str, SeatState]) -> None:
        """How the legs are that another process carries."""
        self.forget(session_id)
        for seat, state in seats.items():
            self._seats[session_id, seat] = state

    def both_up(self, session_id: str) -> bool:
        """Whether media passes both ways."""
        return all(self.seat(session_id, seat).up for seat in ("tablet", "clinician"))

    def peer(self, session_id: str, seat: str) -> PeerView:
        """That seat as the other side should say it."""
        state = self.seat(session_id, seat)
        return PeerView(
            connected=state.connected and state.silent_since is None,
            muted=state.muted,
            camera=state.camera,
            quality=state.quality,
            blocked=state.blocked and not state.connected,
            step=state.step,
        )

    def carrier(self, session_id: str, seat: str, now: float) -> str | None:
        """Which window of whoever sits there has the call, as `SeatState.carrier` says."""
        state = self.known(session_id, seat)
        return state.carrier(now) if state is not None else None

    def move(self, session_id: str, seat: str, to: str) -> None:
        """The leg of one seat sits in another from now on; what was there is forgotten."""
        state = self._seats.pop((session_id, seat), None)
        self._seats.pop((session_id, to), None)
        if state is not None:
            self._seats[session_id, to] = state

    def vacate(self, session_id: str, seat: str) -> None:
        """Forget one side, after it was put out of the call."""
        self._seats.pop((session_id, seat), None)

    def forget(self, session_id: str) -> None:
        for key in [k for k in self._seats if k[0] == session_id]:
            del self._seats[key]
