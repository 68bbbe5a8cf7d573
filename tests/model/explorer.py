"""Every interleaving of a small line, breadth first: a fault is found by its shortest story.

A world is: the rows; who is really there and whom the live layer believes to be there; of each
node the plan it has read but not yet carried out, and the session it has looked at but not yet
acted on; and what may still go wrong. Messages need no network of their own: whatever a page was
ever told, it may say at any later step, again and again, or never (lost, late and repeated).

Worlds that were seen are kept as 64-bit hashes ("hash compaction"): of ten million worlds two
share one with a probability of about three in a million, and such a pair would hide the second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from tests.model import desk, forget
from tests.model import store as sql
from tests.model.adapter import MOMENT, Decided, Deed, Known, decide, next_step_at
from tests.model.store import LED, RINGING, Guards, Row, Store

CLINICIANS = ("dana", "miguel")
SESSIONS = ("s1", "s2")


class Person(NamedTuple):
    id: str
    there: bool  # the page is really open
    known: bool  # what the live layer says: may be lost, late, or rolled back


class Node(NamedTuple):
    plan: tuple[Deed, ...] = ()
    seen: tuple[Row, tuple[str, Any]] | None = None


class Faults(NamedTuple):
    """How many of each may still happen."""

    moments: int  # the clock moves on
    crashes: int = 0  # a node's plan is lost; it starts anew and withdraws what rang
    moves: int = 0  # a page closes or opens
    lies: int = 0  # the live layer is lost or rolled back, for one clinician
    jumps: int = 0  # the clock is set back
    presses: int = 2  # how many sessions there are


class World(NamedTuple):
    moment: int
    store: Store
    people: tuple[Person, ...]
    nodes: tuple[Node, ...]
    left: Faults

    @property
    def now(self) -> float:
        return MOMENT * self.moment


class Violation(NamedTuple):
    rule: str
    story: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(
            [f"BROKEN: {self.rule}", *(f"{i:3} {s}" for i, s in enumerate(self.story))]
        )


@dataclass
class Report:
    states: int = 0
    steps: int = 0
    depth: int = 0
    whole: bool = False  # the frontier is empty: there is nothing more to reach
    violation: Violation | None = None

    def __str__(self) -> str:
        how = "all of them" if self.whole else "bounded"
        return f"{self.states} states, {self.steps} steps, depth {self.depth}, {how}"


def start(faults: Faults, nodes: int = 2) -> World:
    people = tuple(Person(name, True, True) for name in CLINICIANS)
    return World(0, Store(), people, (Node(),) * nodes, faults)


def known(people: tuple[Person, ...], *, truly: bool = False) -> tuple[Known, ...]:
    return tuple(Known(p.id, 1, p.there if truly else p.known) for p in people)


decided = lru_cache(maxsize=400_000)(decide)


# --- steps ----------------------------------------------------------------------------------------


def steps(w: World, guards: Guards) -> Iterator[tuple[str, World]]:
    for label, after in _changed(w.store, w.now, w.left.presses, guards):
        yield label, World(w.moment, after, w.people, w.nodes, w.left)
    yield from _nodes(w, guards)
    yield from _around(w)


@lru_cache(maxsize=200_000)
def _changed(
    store: Store, now: float, presses: int, guards: Guards
) -> tuple[tuple[str, Store], ...]:
    """What messages make of these rows: the same in many worlds, so it is worked out once."""
    made = _rows(store, now, presses, guards)
    return tuple((label, new) for label, new in made if new is not None and new != store)


def _rows(
    store: Store, now: float, presses: int, guards: Guards
) -> Iterator[tuple[str, Store | None]]:
    """Messages of pages; each may come at any time and any number of times."""
    for number, name in enumerate(SESSIONS[:presses], start=1):
        row = sql.session(store, name)
        if row is None:
            new = Row(name, f"tablet {number}", number, 5, now)
            yield f"{name}: the officer presses", desk.press(store, new)
        else:
            label = f"{name}: the officer cancels"
            yield label, desk.advance(store, row, "cancelled", "cancelled_by_officer", now, guards)
    for o in store.offers:
        yield f"{o.clinician_id}'s page: {o.id} rings", desk.deliver(store, o.id, now, guards)
        row = sql.session(store, o.session_id)
        yield f"{o.clinician_id} accepts {o.id}", desk.accept(store, o, row, now, guards)
        yield f"{o.clinician_id} declines {o.id}", desk.decline(store, o, now, guards)
        if o.state == "accepted":
            for item in ("ended", "finished"):
                label = f"{o.clinician_id} says of {o.session_id} at epoch {o.epoch + 1}: {item}"
                yield (
                    label,
                    desk.leader_says(
                        store, o.session_id, o.clinician_id, o.epoch + 1, item, now, guards
                    ),
                )


def _nodes(w: World, guards: Guards) -> Iterator[tuple[str, World]]:
    there = {p.id: p.there for p in w.people}
    for i, node in enumerate(w.nodes):
        if i and node == w.nodes[0]:
            continue  # nodes are alike: the same step of a twin leads to the same world

        def put(new: Node, w: World = w, i: int = i, **more: Any) -> World:
            nodes = sorted((*w.nodes[:i], new, *w.nodes[i + 1 :]), key=repr)
            return w._replace(nodes=tuple(nodes), **more)

        if node.plan:
            after = desk.carry_out(w.store, node.plan[0], w.now, guards) or w.store
            yield (
                f"a node carries out {node.plan[0]}",
                put(node._replace(plan=node.plan[1:]), store=after),
            )
        else:
            plan = decided(w.now, w.store, known(w.people)).deeds
            if plan:
                yield f"a node reads the line and plans {plan}", put(node._replace(plan=plan))
        if node.seen is not None:
            row, item = node.seen
            after = desk.act_on_look(w.store, row, item, w.now, guards) or w.store
            yield (
                f"a node acts on {row.id} as it saw it: {item[0]}",
                put(node._replace(seen=None), store=after),
            )
        else:
            for row in w.store.sessions:
                for wish in desk.look(row, there.get(row.lead_id or "", False), w.now):
                    yield (
                        f"a node looks at {row.id}, wants: {wish[0]}",
                        put(node._replace(seen=(row._replace(version=0), wish))),
                    )
        if w.left.crashes:
            left = w.left._replace(crashes=w.left.crashes - 1)
            store = desk.restart(w.store, w.now, guards)
            yield "a node is killed and starts again", put(Node(), store=store, left=left)


def _around(w: World) -> Iterator[tuple[str, World]]:
    left = w.left
    if left.moments:
        yield (
            f"time passes: {w.moment + 1}",
            w._replace(moment=w.moment + 1, left=left._replace(moments=left.moments - 1)),
        )
    if left.jumps and w.moment:
        yield (
            "the clock is set back",
            w._replace(moment=w.moment - 1, left=left._replace(jumps=left.jumps - 1)),
        )
    for i, p in enumerate(w.people):
        if left.moves:
            fewer = left._replace(moves=left.moves - 1)
            word = "closes" if p.there else "opens"
            yield f"{p.id}'s page {word}", _person(w, i, p._replace(there=not p.there), fewer)
        if p.known != p.there:
            yield f"the live layer learns of {p.id}", _person(w, i, p._replace(known=p.there), left)
        if left.lies:
            fewer = left._replace(lies=left.lies - 1)
            wrong = p._replace(known=not p.known)
            yield f"the live layer is wrong about {p.id}", _person(w, i, wrong, fewer)


def _person(w: World, i: int, person: Person, left: Faults) -> World:
    return w._replace(people=(*w.people[:i], person, *w.people[i + 1 :]), left=left)


# --- what must hold -------------------------------------------------------------------------------


@lru_cache(maxsize=400_000)
def broken_state(store: Store) -> str | None:
    """Invariants 2 and 3 of the design, S2 and S3."""
    rung = [o.clinician_id for o in store.offers if o.state in RINGING]
    if len(rung) != len(set(rung)):
        return "a clinician is rung twice at once"
    leads = [r.lead_id for r in store.sessions if r.state in LED]
    if len(leads) != len(set(leads)):
        return "a clinician leads two sessions"
    answers = [(o.session_id, o.epoch) for o in store.offers if o.state == "accepted"]
    if len(answers) != len(set(answers)):
        return "one assignment was answered twice"
    return None


@lru_cache(maxsize=200_000)
def broken_step(label: str, before: Store, after: Store) -> str | None:
    """What no change may do: S1, S4, S6, S7, and one entry on the timeline a change."""
    for old in before.sessions:
        new = sql.session(after, old.id)
        if new is None:
            return f"{old.id} is lost"
        if old.state == "closed" and new != old._replace(version=new.version):
            return f"{old.id} changed after its close"
        if new.epoch < old.epoch:
            return f"{old.id}'s epoch went back"
        if new.lead_id != old.lead_id and new.epoch == old.epoch:
            return f"{old.id} changed hands without a new epoch"
        if old.state == "waiting" and new.state == "closed" and "cancels" not in label:
            return f"{old.id} was closed while it waited, by nobody"
        if new.level > old.level + 1:
            return f"{old.id} took two steps at once"
    for was in before.offers:
        now = sql.offer(after, was.id)
        if now is None or now == was:
            continue
        row, new = sql.session(before, was.session_id), sql.session(after, was.session_id)
        if was.state not in RINGING:
            return f"{was.id} had ended ({was.state}) and became {now.state}"
        if now.state == "undelivered" and was.state == "delivered":
            return f"{was.id} rang, and counts as undelivered"
        if now.state == "accepted" and row is not None and row.epoch != was.epoch:
            return f"{was.id} of epoch {was.epoch} was obeyed at epoch {row.epoch}"
        if row is not None and new is not None and new.version == row.version:
            return f"{was.id} changed without an entry on the timeline"
    old_ids = {o.id for o in before.offers}
    for made in after.offers:
        row = sql.session(before, made.session_id)
        if made.id not in old_ids and (row is None or row.state != "waiting"):
            return f"{made.id} rings for a session that does not wait"
        if made.id not in old_ids and row is not None and row.epoch != made.epoch:
            return f"{made.id} was planned for epoch {made.epoch} and rings at {row.epoch}"
        if made.id not in old_ids and sql.led_by(before, made.clinician_id):
            return f"{made.id} rings a clinician who leads a session"
    if label.split(" says of ")[0] in CLINICIANS and " says of " in label:
        return _stale_word(label, before, after)
    return None


def _stale_word(label: str, before: Store, after: Store) -> str | None:
    name, epoch = label.split(" says of ")[1].split(":")[0].split(" at epoch ")
    row = sql.session(before, name)
    if before != after and row is not None and row.epoch != int(epoch):
        return f"a word about epoch {epoch} of {name} was obeyed at epoch {row.epoch}"
    return None


@lru_cache(maxsize=400_000)
def broken_rest(now: float, store: Store, people: tuple[Known, ...]) -> str | None:
    """Faults stopped, beats come: the line settles in two rounds, and nobody waits in silence."""
    for _ in range(3):
        plan: Decided = decided(now, store, people)
        if not plan.deeds:
            break
        for deed in plan.deeds:
            store = desk.carry_out(store, deed, now, Guards()) or store
    else:
        return f"the line does not settle: {plan.deeds}"
    rung = {o.session_id for o in store.offers if o.state in RINGING}
    silent = {r.id for r in store.sessions if r.state == "waiting"} - rung
    if silent - {name for name, _ in plan.reasons}:
        return f"{sorted(silent)} wait in silence"
    if any(r.state == "waiting" for r in store.sessions) and (
        plan.next_deadline is None or plan.next_deadline <= now
    ):
        return "a session waits and nothing is timed"
    for row in store.sessions:
        if row.state in ("answering", "recovering") and row.deadline_at is None:
            return f"{row.id} is {row.state} without a deadline"
        if row.state == "waiting" and next_step_at(row) <= now:
            return f"{row.id} has an escalation that is due and not taken"
    return None


# --- the search -----------------------------------------------------------------------------------


@dataclass
class Search:
    faults: Faults
    guards: Guards = field(default_factory=Guards)
    rest: bool = True  # whether every state must also come to rest
    skip: tuple[str, ...] = ()  # rules that are not looked at: words in their sentences
    deepest: int = 10**9  # steps from the start
    told: Callable[[int, int, int], None] | None = None  # depth, new states, states so far
    lean: bool = False  # forget all that the guards make harmless (`forget.whole`)

    def __post_init__(self) -> None:
        if self.lean and (self.guards != Guards() or self.faults.jumps):
            raise ValueError("only with every guard, and a clock that is not set back")

    def run(self) -> Report:
        report = Report()
        first = start(self.faults)
        came = {hash(first): 0}  # by hash, for memory: each world's, and the one it came from
        frontier = [first]
        while frontier:
            following: list[World] = []
            for w in frontier:
                for label, raw in steps(w, self.guards):
                    report.steps += 1
                    new = self._tidy(raw)
                    mark = hash(new)
                    fresh = mark not in came
                    rule = self._step_rule(label, w.store, raw.store)
                    if rule is None and fresh:
                        rule = self._state_rule(new)
                    if rule is not None:
                        report.violation = Violation(rule, (*self._story(came, w), label))
                        report.states = len(came)
                        return report
                    if fresh:
                        came[mark] = hash(w)
                        following.append(new)
            if following and report.depth == self.deepest:
                report.states = len(came)
                return report
            frontier = following
            report.depth += bool(following)
            if self.told is not None:
                self.told(report.depth, len(following), len(came))
        report.states, report.whole = len(came), True
        return report

    def _story(self, came: dict[int, int], end: World) -> tuple[str, ...]:
        """How it came to this: only hashes were kept, so the way is gone once more."""
        marks = [hash(end)]
        while (before := came[marks[-1]]) != 0:
            marks.append(before)
        told: list[str] = []
        at = start(self.faults)
        for mark in reversed(marks[:-1]):
            following = ((label, self._tidy(raw)) for label, raw in steps(at, self.guards))
            label, at = next(one for one in following if hash(one[1]) == mark)
            told.append(label)
        return tuple(told)

    def _tidy(self, w: World) -> World:
        return forget.whole(w) if self.lean else forget.tidy(w)

    def _step_rule(self, label: str, before: Store, after: Store) -> str | None:
        if before is after:
            return None
        return self._looked_at(broken_step(label, before, after))

    def _state_rule(self, w: World) -> str | None:
        rule = broken_state(w.store)
        if rule is None and self.rest:
            rule = broken_rest(w.now, w.store, known(w.people, truly=True))
        return self._looked_at(rule)

    def _looked_at(self, rule: str | None) -> str | None:
        return None if rule and any(word in rule for word in self.skip) else rule


__all__ = ["Faults", "Guards", "Report", "Search", "Violation", "World"]
