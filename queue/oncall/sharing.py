"""Shares the clinicians between the sessions that wait: each gets one before any gets two. Pure.

How: the sessions choose in the order of the line. One whose wish is taken may send the holder on
to somebody else whom the holder may ring as well (an augmenting path of a bipartite matching), so
nobody stays without a clinician for want of a good distribution; but no session ever loses its
last clinician to one that stands behind it. What rings already is kept wherever that does not
leave a session silent. Clinicians left over then join, one at a time, the session that rings the
fewest. Every choice is by a fixed order, so equal input gives equal output.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence

from oncall.eligible import LAYERS, Candidates

AT_ONCE = 50  # sessions that choose in one step


class Sharing:
    """One distribution. `line`: session ids in order; `rings`: session -> clinicians it rings now,
    the one to keep first; only rings of clinicians who could still answer."""

    def __init__(
        self,
        line: Sequence[str],
        candidates: Mapping[str, Candidates],
        rings: Mapping[str, Sequence[str]],
    ) -> None:
        self._line = line
        self._candidates = candidates
        self._rings = rings
        self._rung_for = {c: session for session, those in rings.items() for c in those}
        self._holder: dict[str, str] = {}  # clinician -> session
        self._choice: dict[str, str] = {}  # session -> clinician
        # by candidates and depth: the order of wishes that they share, and how many are held in it
        self._orders: dict[tuple[Candidates, int], list[str]] = {}
        self._held: dict[tuple[Candidates, int], int] = {}
        self._hopeless: set[str] = set()  # clinicians whom no path leads on from
        self._spent: set[Candidates] = set()  # all of whose clinicians are hopeless

    def choosing(self) -> Iterator[None]:
        """Each session chooses its one clinician, those first in line first; in steps, and `chosen`
        when they are through."""
        for number, session in enumerate(self._line):
            if self._may_find(session):
                self._find(session)
            if number % AT_ONCE == 0:
                yield

    @property
    def chosen(self) -> dict[str, str]:
        """Session to its one clinician, for as many as can have one."""
        return dict(self._choice)

    def _may_find(self, session: str) -> bool:
        """Whether any path might still lead to a clinician; hopeless ones stay so."""
        if any(c not in self._hopeless for c in self._rings.get(session, ())):
            return True
        candidates = self._candidates[session]
        if candidates in self._spent:
            return False
        if any(c not in self._hopeless for c in candidates.layers):
            return True
        self._spent.add(candidates)
        return False

    def _find(self, session: str) -> None:
        # the best layer that works: reserves are touched only when there is no way without them
        seen: set[str] = set()
        for depth in LAYERS:
            seen = set()
            if self._augment(session, depth, seen):
                return
        self._hopeless |= seen

    def _augment(self, session: str, depth: int, seen: set[str]) -> bool:
        """Breadth first, so that the fewest rings move."""
        free = self._free(session, depth)
        if free is not None:
            self._hand_on(session, free, {free: session})
            return True
        asked_by: dict[str, str] = {}
        asked: set[Candidates] = set()  # whose common order has been gone through
        queue = deque([session])
        while queue:
            asking = queue.popleft()
            for clinician in self._wishes(asking, depth, asked):
                if clinician in seen:
                    continue
                seen.add(clinician)
                asked_by[clinician] = asking
                holder = self._holder.get(clinician)
                if holder is None:
                    self._hand_on(session, clinician, asked_by)
                    return True
                queue.append(holder)
        return False

    def _hand_on(self, session: str, clinician: str, asked_by: Mapping[str, str]) -> None:
        while True:
            taker = asked_by[clinician]
            before = self._choice.get(taker)
            self._choice[taker], self._holder[clinician] = clinician, taker
            if taker == session or before is None:
                return
            clinician = before

    def _free(self, session: str, depth: int) -> str | None:
        """Its dearest wish that nobody holds. Who is held once stays so, so that a thousand
        sessions alike go through their common order once."""
        for clinician in self._rings.get(session, ()):
            if clinician not in self._holder:
                return clinician
        # only looked at when those are not to be had: most sessions keep what they ring
        key = (self._candidates[session], depth)
        order, held = self._order(key), self._held.get(key, 0)
        while held < len(order) and order[held] in self._holder:
            held += 1
        self._held[key] = held
        return order[held] if held < len(order) else None

    def _wishes(self, session: str, depth: int, asked: set[Candidates]) -> Iterator[str]:
        """Who rings for it already, then who is silent, then who rings for others."""
        yield from self._rings.get(session, ())
        candidates = self._candidates[session]
        if candidates not in asked:
            asked.add(candidates)
            yield from self._order((candidates, depth))

    def _order(self, key: tuple[Candidates, int]) -> list[str]:
        """Who is silent, then who rings; own rings are among these, and have been asked first."""
        if key not in self._orders:
            layers, depth = key[0].layers, key[1]
            order = [c for c in layers if layers[c] <= depth]
            order.sort(key=lambda c: (c in self._rung_for, layers[c]))
            self._orders[key] = order
        return self._orders[key]

    def joining(self, taken: Mapping[str, str], counts: Mapping[str, int]) -> list[tuple[str, str]]:
        """Who rings in addition, as (session, clinician), in order.

        `taken`: clinicians who ring, or are about to; `counts`: how many each session has. Only
        sessions that have one ask for more.
        """
        crowds: dict[Candidates, deque[str]] = {}  # shared: who has gone has gone for everybody
        free = {}
        for session in self._line:
            if counts.get(session, 0) > 0:
                candidates = self._candidates[session]
                if candidates not in crowds:
                    crowds[candidates] = deque(c for c in candidates.crowd() if c not in taken)
                free[session] = crowds[candidates]
        have, gone = dict(counts), set(taken)
        made: list[tuple[str, str]] = []
        while True:
            for waiting in crowds.values():
                while waiting and waiting[0] in gone:
                    waiting.popleft()
            asking = [session for session in self._line if free.get(session)]
            if not asking:
                return made
            session = min(asking, key=lambda s: have[s])  # the first in line of those with fewest
            clinician = free[session].popleft()
            gone.add(clinician)
            have[session] += 1
            made.append((session, clinician))
