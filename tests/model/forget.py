"""What no step can depend on any more is forgotten, so that worlds that are alike are one.

Two ways. The plain one holds for mutants too, and when the clock is set back: numbers on timelines,
and when old rings ended. The other one leans on the guards, all of them, and on time that only goes
forward; with it a whole case is small enough to be explored until nothing is left:

1. A deed that will be refused for ever is dropped from its node's plan: the ring of an epoch that
   is over, the end of a ring that has ended, a step that has been taken. So is a look at a session
   whose epoch has passed. Of a look, what is compared when it is acted on is kept.
2. A ring that has ended is forgotten as soon as nobody rests because of it and every word about it
   is refused; that they are is asked of the model at that moment (`Unforgettable`), and stays so
   because an ended ring never rings again. Of one that somebody rests from: who, and until when.
3. Of a closed session nothing is kept but that it is closed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tests.model import desk
from tests.model import store as sql
from tests.model.adapter import COOLDOWNS, MOMENT, Deed, Raise, Ring, Stop
from tests.model.store import LIVE, RINGING, Guards, Offer, Row, Store

if TYPE_CHECKING:
    from tests.model.explorer import Node, World

RESTS = 2 * MOMENT  # nobody rests, or is kept out, for longer because of one ring
ALL = Guards()


class Unforgettable(Exception):
    """A word about a ring that was to be forgotten still changes something."""


# --- for mutants too ------------------------------------------------------------------------------


def tidy(w: World) -> World:
    """A version only matters to who has read it; every transaction of the model reads it itself."""
    named = frozenset(d.offer_id for n in w.nodes for d in n.plan if isinstance(d, Stop))
    return w._replace(store=_tidied(w.store, w.now, named))


ONE: dict[Store, Store] = {}  # rows that are alike are kept once, in however many worlds


@lru_cache(maxsize=100_000)
def _tidied(store: Store, now: float, named: frozenset[str]) -> Store:
    rows = tuple(r._replace(version=0) for r in store.sessions)
    kept: dict[str, Offer] = {}
    for o in store.offers:
        if o.state not in RINGING and o.id not in named:
            o = _over(o, now)
        kept[o.id] = o
    made = Store(rows, tuple(sorted(kept.values())))
    return ONE.setdefault(made, made)


def _over(o: Offer, now: float) -> Offer:
    """An ended ring: what it still forbids to whom, and the words that may still come about it."""
    rests = o.ended_at is not None and now - o.ended_at < RESTS
    if o.state == "accepted" or (rests and o.state != "withdrawn"):
        ended = o.ended_at if o.state != "accepted" else 0.0
        return o._replace(sent_at=-1, deliver_by=0, expires_at=0, ended_at=ended)
    return Offer(
        f"{o.session_id}>{o.clinician_id}@{o.epoch} over",
        *o[1:4],
        sent_at=-2,
        deliver_by=0,
        expires_at=0,
        state="withdrawn",
        ended_at=-3 * MOMENT,
    )


# --- with every guard, and time that goes forward -------------------------------------------------


def whole(w: World) -> World:
    """Raises Unforgettable."""
    store, names = _forgotten(w.store, w.now)
    nodes = tuple(sorted((_node(n, store, names) for n in w.nodes), key=repr))
    return w._replace(store=store, nodes=nodes)


@lru_cache(maxsize=400_000)
def _forgotten(store: Store, now: float) -> tuple[Store, tuple[tuple[str, str], ...]]:
    """The rows that matter, and the new names of what rings."""
    rows = tuple(_row(r) for r in store.sessions)
    kept: set[Offer] = set()
    names: list[tuple[str, str]] = []
    for row in store.sessions:
        rung = sorted((o for o in sql.ringing(store) if o.session_id == row.id), key=_age)
        for number, o in enumerate(rung, start=1):
            name = f"{o.session_id}>{o.clinician_id}@{o.epoch}#{number}"
            base = o.sent_at - o.sent_at % 1
            kept.add(o._replace(id=name, sent_at=base + number / 1000))
            names.append((o.id, name))
    for o in store.offers:
        if o.state not in RINGING:
            kept |= _ended(o, store, now)
    made = Store(rows, tuple(sorted(kept)))
    return ONE.setdefault(made, made), tuple(names)


def _age(o: Offer) -> tuple[float, str]:
    return o.sent_at, o.id


def _row(r: Row) -> Row:
    if r.state == "closed":
        return Row(r.id, r.tablet_id, r.seq, r.priority, 0.0, "closed", 0, 0, close_reason="closed")
    return r._replace(version=0)


def _ended(o: Offer, store: Store, now: float) -> set[Offer]:
    row = sql.session(store, o.session_id)
    if o.state == "accepted":
        if row is not None and row.state != "closed" and row.epoch <= o.epoch + 1:
            return {o._replace(id=_named(o, "accepted"), sent_at=-1, deliver_by=0, expires_at=0,
                               ended_at=0.0)}  # fmt: skip
        return _no_word(o, store, now)
    ended = o.ended_at if o.ended_at is not None else now
    if o.state not in COOLDOWNS or now - ended >= RESTS:
        return _no_word(o, store, now)
    _no_word(o, store, now)
    keeps_out = o.state == "declined" and row is not None and row.state in LIVE
    session = o.session_id if keeps_out else ""
    name = f"{session}>{o.clinician_id} {o.state} {ended:g}"
    return {Offer(name, session, o.clinician_id, -1, -1, 0, 0, o.state, ended)}


def _named(o: Offer, what: str) -> str:
    return f"{o.session_id}>{o.clinician_id}@{o.epoch} {what}"


def _no_word(o: Offer, store: Store, now: float) -> set[Offer]:
    """Nothing is kept of this ring, for whatever its page says of it now is refused."""
    row = sql.session(store, o.session_id)
    told: list[Any] = [
        desk.deliver(store, o.id, now, ALL),
        desk.accept(store, o, row, now, ALL),
        desk.decline(store, o, now, ALL),
    ]
    if o.state == "accepted":
        told += [
            desk.leader_says(store, o.session_id, o.clinician_id, o.epoch + 1, item, now, ALL)
            for item in ("ended", "finished")
        ]
    if any(after is not None and after != store for after in told):
        raise Unforgettable(o.id)
    return set()


@lru_cache(maxsize=400_000)
def _node(node: Node, store: Store, names: tuple[tuple[str, str], ...]) -> Node:
    called = dict(names)
    plan = tuple(
        deed._replace(offer_id=called[deed.offer_id]) if isinstance(deed, Stop) else deed
        for deed in node.plan
        if not _dead(deed, store, called)
    )
    seen = node.seen
    if seen is not None:
        row = sql.session(store, seen[0].id)
        if row is None or row.state == "closed" or row.epoch > seen[0].epoch:
            seen = None
        else:
            was = Row(row.id, "", 0, 0, 0.0, epoch=seen[0].epoch, deadline_at=seen[0].deadline_at)
            seen = (was, seen[1])
    return node._replace(plan=plan, seen=seen)


def _dead(deed: Deed, store: Store, called: dict[str, str]) -> bool:
    """Whether this will be refused for ever: epochs and levels only grow, what ended has ended."""
    if isinstance(deed, Stop):
        name = called.get(deed.offer_id)
        known = sql.offer(store, name) if name is not None else None
        return known is None or (deed.state == "undelivered" and known.state != "pending")
    row = sql.session(store, deed.session_id)
    if row is None or row.state not in LIVE:
        return True
    match deed:
        case Ring(epoch=epoch):
            return row.epoch > epoch
        case Raise(level=level):
            return row.level > level
