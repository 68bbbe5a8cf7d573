"""The line's invariants: on every small case, on random snapshots, and over random histories.

Random search alone is no evidence of safety: it can miss what two sessions and two clinicians show.
So the small cases are tried exhaustively first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from oncall.fit import Licence
from oncall.policy import (
    Activity,
    ClinicianNow,
    OfferState,
    OpenOffer,
    Snapshot,
    WaitingSession,
    in_line,
    plan,
)
from oncall.presence import PresenceState
from tests.oncall.line import (
    NOW,
    RULES,
    Store,
    assert_invariants,
    clinician,
    line,
    ring,
    session,
)

LICENCES = ((), ("SD",), ("ND",), ("SD", "ND"))


def small_cases() -> Iterator[Snapshot]:
    """Two sessions and two clinicians: who may serve whom, what rings, who is reserved, order."""
    rings = (None, ("s1", True), ("s2", True), ("s1", False), ("s2", False))
    reserves = ("fresh", "cooling", "wrapping", "second")
    for licences, rung, kinds, urgent in product(
        product(LICENCES, repeat=2), product(rings, repeat=2), product(reserves, repeat=2), (0, 2)
    ):
        people = [
            clinician(
                name,
                licences=licence,
                cooldown=9 if kind == "cooling" else 0,
                wrapping_up=kind == "wrapping",
                tier=2 if kind == "second" else 1,
            )
            for name, licence, kind in zip("ab", licences, kinds, strict=True)
        ]
        offers = [
            ring(of[0], name, age=1, delivered=of[1])
            for name, of in zip("ab", rung, strict=True)
            if of
        ]
        waiting = [session("s1"), session("s2", priority=urgent, licence_state="ND")]
        yield line(waiting, people, offers)


def test_every_small_case_settles_at_once_and_keeps_the_invariants() -> None:
    tried = 0
    for snapshot in small_cases():
        store = Store(snapshot)
        settled = store.settle()
        assert_invariants(store.snapshot, settled)
        tried += 1
    # who rings may not serve by licence: those rings stop; the others are kept or shared
    assert tried == 16 * 25 * 16 * 2


# --- random snapshots -----------------------------------------------------------------------------

moments = st.sampled_from([-200.0, -31.0, -30.0, -20.0, -2.0, -1.0, 0.0, 0.5, 2.0, 15.0, 100.0])
people = st.sampled_from("abcde")


@st.composite
def waiting_sessions(draw: st.DrawFn, name: str) -> WaitingSession:
    return session(
        name,
        age=-draw(moments.filter(lambda m: m <= 0)),
        priority=draw(st.integers(0, 2)),
        requeued_at=draw(st.none() | st.just(NOW - 1)),
        epoch=draw(st.integers(1, 2)),
        level=draw(st.integers(0, 6)),
        licence_state=draw(st.sampled_from([None, "SD", "SD", "ND"])),
        excluded=draw(st.dictionaries(people, moments.map(lambda m: NOW + m), max_size=2)),
    )


@st.composite
def clinicians(draw: st.DrawFn, name: str) -> ClinicianNow:
    usually = st.sampled_from([False, False, False, True])
    return clinician(
        name,
        tier=draw(st.sampled_from([1, 1, 1, 2, 2, 3, None])),
        activity=draw(st.sampled_from([Activity.AVAILABLE] * 3 + [Activity.PAUSED])),
        presence=draw(st.sampled_from([PresenceState.CONNECTED] * 3 + list(PresenceState))),
        busy=draw(usually),
        wrapping_up=draw(usually),
        cooldown=draw(moments),
        resting=draw(moments.filter(lambda m: m < 3)),
        licences=draw(st.sampled_from(LICENCES)),
        licence_expires=draw(st.none() | moments.map(lambda m: NOW + m)),
    )


@st.composite
def offers_to(draw: st.DrawFn, name: str) -> OpenOffer | None:
    if not draw(st.booleans()):
        return None
    sent = NOW + draw(moments.filter(lambda m: m <= 0))
    return OpenOffer(
        id=f"off-{name}",
        session_id=draw(st.sampled_from(["s0", "s1", "s2", "s9"])),
        clinician_id=name,
        epoch=draw(st.integers(1, 2)),
        state=draw(st.sampled_from(OfferState)),
        sent_at=sent,
        deliver_by=sent + RULES.deliver_seconds,
        expires_at=sent + RULES.round_seconds,
    )


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    waiting = [draw(waiting_sessions(f"s{n}")) for n in range(draw(st.integers(0, 4)))]
    names = "abcde"[: draw(st.integers(0, 5))]
    rings = [draw(offers_to(name)) for name in names]
    who = [draw(clinicians(name)) for name in names]
    return line(draw(st.permutations(waiting)), who, [r for r in rings if r is not None])


@settings(max_examples=400, deadline=None)
@given(snapshot=snapshots())
def test_any_line_settles_at_once_and_keeps_the_invariants(snapshot: Snapshot) -> None:
    store = Store(snapshot)
    settled = store.settle()
    assert_invariants(store.snapshot, settled)


@settings(max_examples=100, deadline=None)
@given(snapshot=snapshots(), randomly=st.randoms(use_true_random=False))
def test_a_plan_depends_on_what_is_not_on_the_order_it_was_read_in(
    snapshot: Snapshot, randomly: object
) -> None:
    shuffle = randomly.shuffle  # type: ignore[attr-defined]
    waiting, offers, who = [
        list(snapshot.waiting),
        list(snapshot.offers),
        list(snapshot.clinicians),
    ]
    for rows in (waiting, offers, who):
        shuffle(rows)
    first, other = plan(snapshot, RULES), plan(line(waiting, who, offers), RULES)
    assert set(first.actions) == set(other.actions)
    assert first.next_deadline == other.next_deadline


@settings(max_examples=100, deadline=None)
@given(snapshot=snapshots())
def test_between_now_and_the_deadline_nothing_becomes_due(snapshot: Snapshot) -> None:
    store = Store(snapshot)
    settled = store.settle()
    if settled.next_deadline is None:
        return
    just_before = NOW + (settled.next_deadline - NOW) * 0.99
    later = plan(replace(store.snapshot, now=just_before), RULES)
    assert later.reasons == settled.reasons
    assert len(later.actions) == len(settled.actions)


# --- random histories -----------------------------------------------------------------------------


class Line(RuleBasedStateMachine):
    """Officers press, clinicians answer or do not, pages come and go, time passes.

    The line settles after every event. A session leaves it only by an answer or a cancel.
    """

    def __init__(self) -> None:
        super().__init__()
        who = [clinician("a"), clinician("b"), clinician("c", tier=2), clinician("d", tier=2)]
        who[1] = replace(who[1], licences=(Licence("SD"), Licence("ND")))
        self.store = Store(line([], who))
        self.open: set[str] = set()
        self.pressed = 0
        self.settled = self.store.settle()

    def _set(self, **values: object) -> None:
        self.store.snapshot = replace(self.store.snapshot, **values)  # type: ignore[arg-type]
        self.settled = self.store.settle()

    @rule(state=st.sampled_from(["SD", "SD", "ND"]), priority=st.integers(1, 2))
    def press(self, state: str, priority: int) -> None:
        snapshot = self.store.snapshot
        if len(snapshot.waiting) >= 4:
            return
        self.pressed += 1
        new = session(f"s{self.pressed}", priority=priority, licence_state=state)
        self.open.add(new.id)
        self._set(waiting=(*snapshot.waiting, replace(new, pressed_at=snapshot.now)))

    @rule(seconds=st.floats(0, 90))
    def time_passes(self, seconds: float) -> None:
        self._set(now=self.store.snapshot.now + seconds)

    @precondition(lambda self: self.settled.next_deadline is not None)
    @rule()
    def the_deadline_comes(self) -> None:
        self._set(now=self.settled.next_deadline)

    @precondition(lambda self: self.store.snapshot.offers)
    @rule(data=st.data())
    def a_page_rings(self, data: st.DataObject) -> None:
        offer = data.draw(st.sampled_from(self.store.snapshot.offers))
        heard = replace(offer, state=OfferState.DELIVERED)
        self._set(offers=tuple(heard if o == offer else o for o in self.store.snapshot.offers))

    @precondition(lambda self: self.store.snapshot.offers)
    @rule(data=st.data())
    def somebody_accepts(self, data: st.DataObject) -> None:
        snapshot = self.store.snapshot
        offer = data.draw(st.sampled_from(snapshot.offers))
        self.store.change(offer.clinician_id, busy=True, wrapping_up=False)
        self.open.discard(offer.session_id)
        self._set(
            waiting=tuple(s for s in snapshot.waiting if s.id != offer.session_id),
            offers=tuple(o for o in snapshot.offers if o != offer),
        )

    @precondition(lambda self: self.store.snapshot.offers)
    @rule(data=st.data())
    def somebody_declines(self, data: st.DataObject) -> None:
        snapshot = self.store.snapshot
        offer = data.draw(st.sampled_from(snapshot.offers))
        until = snapshot.now + RULES.cooldown_declined
        self.store.change(offer.clinician_id, resting_until=until)
        excluded = {offer.clinician_id: snapshot.now + RULES.excluded_after_decline}
        self._set(
            waiting=tuple(
                replace(s, excluded={**s.excluded, **excluded}) if s.id == offer.session_id else s
                for s in snapshot.waiting
            ),
            offers=tuple(o for o in snapshot.offers if o != offer),
        )

    @precondition(lambda self: any(c.busy for c in self.store.snapshot.clinicians))
    @rule(data=st.data(), lost=st.booleans())
    def a_call_ends_or_its_clinician_is_lost(self, data: st.DataObject, lost: bool) -> None:
        snapshot = self.store.snapshot
        busy = [c for c in snapshot.clinicians if c.busy]
        who = data.draw(st.sampled_from(busy))
        if not lost or who.wrapping_up:
            self.store.change(who.id, busy=not who.wrapping_up, wrapping_up=not who.wrapping_up)
            return self._set()
        self.store.change(who.id, busy=False, presence=PresenceState.LOST)
        self.pressed += 1
        back = session(f"s{self.pressed}", requeued_at=snapshot.now, epoch=2, level=1)
        back = replace(back, pressed_at=snapshot.now - 100)
        self.open.add(back.id)
        return self._set(waiting=(*snapshot.waiting, back))

    @precondition(lambda self: self.store.snapshot.waiting)
    @rule(data=st.data())
    def an_officer_cancels(self, data: st.DataObject) -> None:
        gone = data.draw(st.sampled_from(self.store.snapshot.waiting))
        self.open.discard(gone.id)
        self._set(waiting=tuple(s for s in self.store.snapshot.waiting if s is not gone))

    @rule(
        who=st.sampled_from("abcd"),
        activity=st.sampled_from(Activity),
        presence=st.sampled_from(PresenceState),
        tier=st.sampled_from([1, 2, None]),
    )
    def a_clinician_changes(
        self, who: str, activity: Activity, presence: PresenceState, tier: int | None
    ) -> None:
        self.store.change(who, activity=activity, presence=presence, tier=tier)
        self._set()

    @rule(who=st.sampled_from("abcd"))
    def a_clinician_is_ready(self, who: str) -> None:
        self.store.change(who, activity=Activity.AVAILABLE, presence=PresenceState.CONNECTED)
        self._set()

    @invariant()
    def the_line_is_in_order(self) -> None:
        assert {s.id for s in self.store.snapshot.waiting} == self.open
        assert_invariants(self.store.snapshot, self.settled)

    @invariant()
    def nobody_rings_who_could_not_answer(self) -> None:
        waiting = {s.id for s in self.store.snapshot.waiting}
        who = {c.id: c for c in self.store.snapshot.clinicians}
        for offer in self.store.snapshot.offers:
            rings = who[offer.clinician_id]
            assert offer.session_id in waiting
            assert rings.tier is not None
            assert rings.activity is Activity.AVAILABLE
            assert rings.presence is not PresenceState.LOST
            assert not rings.busy or rings.wrapping_up


TestLine = Line.TestCase
TestLine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_the_order_of_the_line_is_priority_then_come_back_then_age() -> None:
    waiting = [
        session("s1", priority=2, requeued_at=NOW),
        session("s2", priority=1),
        session("s3", priority=1, requeued_at=NOW),
        session("s4", priority=1, seq=1),
    ]
    fresh = sorted(waiting, key=lambda s: in_line(s, NOW, RULES.promote_after))
    assert [s.id for s in fresh] == ["s3", "s4", "s2", "s1"]
