"""What the desk does with the rows, one function a transaction: the same order of checks and writes
as `signaling.console_commands`, `signaling.linekeeper` and `signaling.desk`.

Each gives the store after it, or None when it was refused and changed nothing.
"""

from __future__ import annotations

from typing import Any

from records.errors import RecordError
from tests.model import store as sql
from tests.model.adapter import Raise, Ring, Stop, feed
from tests.model.store import Guards, Offer, Row, Store


def press(store: Store, row: Row) -> Store | None:
    try:
        return sql.create(store, row)[0]
    except RecordError:
        return None


def advance(
    store: Store, row: Row | None, item: str, argument: Any, now: float, guards: Guards
) -> Store | None:
    """One input of somebody to a session's machine, against `row` as it was read."""
    if row is None:
        return None
    fed = feed(row._replace(version=0), item, argument, now)
    if fed is None:
        return None
    try:
        return sql.apply(store, row, *fed, guards)[0]
    except RecordError:
        return None


# --- messages of a console ------------------------------------------------------------------------


def deliver(store: Store, offer_id: str, now: float, guards: Guards) -> Store | None:
    """The page rings."""
    known = sql.offer(store, offer_id)
    row = sql.session(store, known.session_id) if known else None
    if known is None or row is None or row.state != "waiting":
        return None
    after, done = sql.deliver(store, offer_id)
    if not done:
        return None
    return advance(after, row, "alerted", known.clinician_id, now, guards)


def accept(store: Store, known: Offer, row: Row | None, now: float, guards: Guards) -> Store | None:
    """Answer. `row` is the session as this transaction read it, maybe before others' commits."""
    if row is None:
        return None
    if guards.state and row.state != "waiting":
        return None
    if guards.epoch and row.epoch != known.epoch:
        return None
    # the mutant obeys whatever the session's state is
    seen = row if guards.state else row._replace(state="waiting", lead_id=None)
    try:
        after, done = sql.end(store, known.id, "accepted", now, guards)
        if not done:
            return None
        after, losers = sql.withdraw_all(after, row.id, now)
        fed = feed(seen._replace(version=0), "accepted", known.clinician_id, now)
        if fed is None:
            return None
        changes, events = fed
        return sql.apply(after, row, changes, events + len(losers), guards)[0]
    except RecordError:
        return None


def decline(store: Store, known: Offer, now: float, guards: Guards) -> Store | None:
    row = sql.session(store, known.session_id)
    if row is None:
        return None
    try:
        after, done = sql.end(store, known.id, "declined", now, guards)
        return sql.apply(after, row, {}, 1, guards)[0] if done else None
    except RecordError:
        return None


def leader_says(
    store: Store, session_id: str, who: str, epoch: int, item: str, now: float, guards: Guards
) -> Store | None:
    """A message of who leads, or led, a session; it names the assignment that it speaks of."""
    row = sql.session(store, session_id)
    if row is None or row.lead_id != who or (guards.epoch and row.epoch != epoch):
        return None
    return advance(store, row, item, "clinician", now, guards)


# --- what a node does by itself -------------------------------------------------------------------


def carry_out(store: Store, deed: Ring | Stop | Raise, now: float, guards: Guards) -> Store | None:
    """One action of a plan; what it stood on is checked again."""
    match deed:
        case Ring():
            return _ring(store, deed, now, guards)
        case Stop():
            return _stop(store, deed, now, guards)
        case Raise():
            row = sql.session(store, deed.session_id)
            if row is None or (guards.state and row.level != deed.level):
                return None
            return advance(store, row, "escalated", deed.step, now, guards)


def _ring(store: Store, deed: Ring, now: float, guards: Guards) -> Store | None:
    row = sql.session(store, deed.session_id)
    if row is None or (guards.state and row.state != "waiting"):
        return None
    if guards.epoch and row.epoch != deed.epoch:
        return None
    number = _free_number(store, deed)
    new = Offer(
        id=f"{row.id}>{deed.clinician_id}@{deed.epoch}#{number}",
        session_id=row.id,
        clinician_id=deed.clinician_id,
        epoch=deed.epoch,
        sent_at=now + number / 1000,  # two of one moment are never of one microsecond
        deliver_by=deed.deliver_by,
        expires_at=deed.expires_at,
    )
    try:
        return sql.apply(sql.add(store, new, guards), row, {}, 1, guards)[0]
    except RecordError:
        return None


def _free_number(store: Store, deed: Ring) -> int:
    """Later than all that rings for the session: who was rung first may decide who goes on."""
    number = 1 + max(
        (_number(o) for o in sql.ringing(store) if o.session_id == deed.session_id), default=0
    )
    taken = {o.id for o in store.offers}
    while f"{deed.session_id}>{deed.clinician_id}@{deed.epoch}#{number}" in taken:
        number += 1
    return number


def _number(o: Offer) -> int:
    return int(o.id.rpartition("#")[2])


def _stop(store: Store, deed: Stop, now: float, guards: Guards) -> Store | None:
    known = sql.offer(store, deed.offer_id)
    row = sql.session(store, known.session_id) if known else None
    if row is None:
        return None
    states = ("pending",) if deed.state == "undelivered" else sql.RINGING
    try:
        after, done = sql.end(store, deed.offer_id, deed.state, now, guards, states)
        return sql.apply(after, row, {}, 1, guards)[0] if done else None
    except RecordError:
        return None


def restart(store: Store, now: float, guards: Guards) -> Store:
    """A node starts: rings of an earlier process are not ringing any more."""
    for known in sql.ringing(store):
        store = _stop(store, Stop(known.id, "withdrawn"), now, guards) or store
    return store


def look(row: Row, there: bool, now: float) -> list[tuple[str, Any]]:
    """What the clock's loop may want to do with a session that it has just read."""
    overdue = row.deadline_at is not None and now >= row.deadline_at
    wishes: list[tuple[str, Any]] = []
    if row.state in ("answering", "recovering") and there:
        wishes.append(("flowing", None))
    if row.state == "answering" and overdue:
        wishes.append(("setup failed", "setup_failed"))  # a page that is there may be without media
    if row.state == "connected" and not there:
        wishes.append(("lost", now))
    if row.state == "recovering" and overdue and not there:
        wishes.append(("gone", None))
    return wishes


def act_on_look(
    store: Store, seen: Row, item: tuple[str, Any], now: float, guards: Guards
) -> Store | None:
    """Carry it out, unless the assignment or its deadline has changed since it was read."""
    row = sql.session(store, seen.id)
    if row is None or (guards.epoch and row.epoch != seen.epoch):
        return None
    if guards.state and row.deadline_at != seen.deadline_at:
        return None
    return advance(store, row, *item, now, guards)
