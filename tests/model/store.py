"""A model of the SQL layer: the rows that the queue needs, and exactly the guards of `records/`.

Every function is one statement or one group of statements of `records.sessions` and
`records.offers`, on immutable rows: it gives the next store, or raises what the real one raises.
`tests/records/test_model_conforms.py` gives both the same steps and compares what they say.
Each guard can be taken away by itself: that is a mutant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from records.errors import BadInput, Busy, OpenSessionExists, StaleSession

RINGING = ("pending", "delivered")
OVER = ("accepted", "declined", "expired", "undelivered", "withdrawn")
LED = ("answering", "connected", "recovering")
LIVE = ("waiting", *LED)
OPEN = (*LIVE, "wrap_up")


@dataclass(frozen=True, slots=True)
class Guards:
    """What the durable record refuses by itself. All of it, unless a mutant says otherwise."""

    version: bool = True  # `apply` names the version it read
    state: bool = True  # only what rings can be answered or ended; `apply` names the state it read
    epoch: bool = True  # what is said about an older assignment changes nothing
    one_session_per_leader: bool = True
    one_ring_per_clinician: bool = True
    one_accepted_offer: bool = True
    not_busy: bool = True  # who leads a session is not rung

    def without(self, *names: str) -> Guards:
        return Guards(**{f.name: f.name not in names for f in fields(self)})


class Row(NamedTuple):
    """A session's row, as far as the queue goes; names are those of the real columns."""

    id: str
    tablet_id: str
    seq: int
    priority: int
    pressed_at: float
    state: str = "waiting"
    epoch: int = 0
    version: int = 1
    level: int = 0
    lead_id: str | None = None
    deadline_at: float | None = None
    close_reason: str | None = None
    requeued_at: float | None = None


class Offer(NamedTuple):
    """An offer's row."""

    id: str
    session_id: str
    clinician_id: str
    epoch: int
    sent_at: float
    deliver_by: float
    expires_at: float
    state: str = "pending"
    ended_at: float | None = None


class Store(NamedTuple):
    """The two tables."""

    sessions: tuple[Row, ...] = ()
    offers: tuple[Offer, ...] = ()


def session(store: Store, session_id: str) -> Row | None:
    for row in store.sessions:
        if row.id == session_id:
            return row
    return None


def offer(store: Store, offer_id: str) -> Offer | None:
    for row in store.offers:
        if row.id == offer_id:
            return row
    return None


def ringing(store: Store) -> list[Offer]:
    return [o for o in store.offers if o.state in RINGING]


def led_by(store: Store, clinician_id: str) -> Row | None:
    """The session that somebody leads now; a wrap-up that is owed does not count."""
    for row in store.sessions:
        if row.lead_id == clinician_id and row.state in LED:
            return row
    return None


def create(store: Store, new: Row) -> tuple[Store, Row]:
    """A press: the same session again for the same id. Raises OpenSessionExists."""
    known = session(store, new.id)
    if known is not None:
        return store, known
    for row in store.sessions:
        if row.tablet_id == new.tablet_id and row.state in LIVE:
            raise OpenSessionExists(row.id)
    return store._replace(sessions=(*store.sessions, new)), new


def apply(
    store: Store, before: Row, changes: Mapping[str, Any], events: int, guards: Guards
) -> tuple[Store, Row]:
    """The compare-and-set of `sessions.apply`. Raises StaleSession, Busy, BadInput."""
    epoch = changes.get("epoch", before.epoch)
    if before.state == "closed" and changes.get("state", "closed") != "closed":
        raise BadInput
    if epoch < before.epoch:
        raise BadInput
    if changes.keys() - {"deadline_at"} and not events:
        raise BadInput
    now = session(store, before.id)
    if (
        now is None
        or (guards.version and now.version != before.version)
        or (guards.epoch and now.epoch != before.epoch)
        or (guards.state and now.state != before.state)
    ):
        raise StaleSession
    after = now._replace(**changes, version=before.version + events)
    led = after.state in LED
    if (led and after.lead_id is None) or (after.state == "waiting" and after.lead_id is not None):
        raise BadInput
    if after.state == "closed" and after.close_reason is None:
        raise BadInput
    for other in store.sessions:
        if other.id == after.id:
            continue
        both_led = led and other.state in LED and other.lead_id == after.lead_id
        if both_led and guards.one_session_per_leader:
            raise Busy
        if other.tablet_id == after.tablet_id and {after.state, other.state} <= set(LIVE):
            raise StaleSession
    rows = tuple(after if r.id == after.id else r for r in store.sessions)
    return store._replace(sessions=rows), after


def add(store: Store, new: Offer, guards: Guards) -> Store:
    """Hold a session out to a clinician. Raises Busy, StaleSession, BadInput."""
    if session(store, new.session_id) is None:
        raise BadInput
    if guards.one_ring_per_clinician:
        for other in store.offers:
            if other.clinician_id == new.clinician_id and other.state in RINGING:
                raise Busy
    for other in store.offers:
        if other.id == new.id or other[1:5] == new[1:5]:
            raise StaleSession
    if guards.not_busy and led_by(store, new.clinician_id) is not None:
        raise Busy
    return store._replace(offers=(*store.offers, new))


def deliver(store: Store, offer_id: str) -> tuple[Store, bool]:
    known = offer(store, offer_id)
    if known is None or known.state != "pending":
        return store, False
    return _put(store, known._replace(state="delivered")), True


def end(
    store: Store,
    offer_id: str,
    to_state: str,
    now: float,
    guards: Guards,
    from_states: tuple[str, ...] = RINGING,
) -> tuple[Store, bool]:
    """End an offer that still rings. Raises StaleSession when the assignment has an answer."""
    if to_state not in OVER:
        raise BadInput
    known = offer(store, offer_id)
    if known is None or (guards.state and known.state not in from_states):
        return store, False
    if to_state == "accepted" and guards.one_accepted_offer:
        for other in store.offers:
            if (
                other.id != offer_id
                and other.session_id == known.session_id
                and other.epoch == known.epoch
                and other.state == "accepted"
            ):
                raise StaleSession
    return _put(store, known._replace(state=to_state, ended_at=now)), True


def withdraw_all(store: Store, session_id: str, now: float) -> tuple[Store, list[Offer]]:
    """Stop everything that rings for a session; the offers that did, as they were."""
    rung = [o for o in ringing(store) if o.session_id == session_id]
    for one in rung:
        store = _put(store, one._replace(state="withdrawn", ended_at=now))
    return store, rung


def _put(store: Store, row: Offer) -> Store:
    return store._replace(offers=tuple(row if o.id == row.id else o for o in store.offers))
