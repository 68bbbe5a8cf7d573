"""Live state that several processes share through Redis.

Each process answers from its own copy, so that nobody ever waits for Redis: what its own pages do
is true at once, what others' pages do arrives by the stream, and every few seconds the copy is
compared with the whole. Without Redis each process goes on with its own pages (`partial`); when
Redis is back, also when it is empty, every process writes down again what it knows.

Rules of this file:
1. Only the process that holds a page's socket writes its lease. A page that moved to another
   process is not taken back by a late word of the old one (the script compares).
2. A dead process's pages are lost together (`node_lost`), which whoever notices may say.
3. Nothing but ids, codes and times is written.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from oncall.errors import LiveStoreAway
from oncall.facts import Activity
from oncall.live import MOST_PEOPLE, EmbeddedLiveStore, LiveClinician
from oncall.presence import FORGET_SECONDS, LOST_SECONDS, PresenceBoard, PresenceState
from oncall.redis_link import KEPT_ENTRIES, Entry, RedisLink, ended

log = logging.getLogger(__name__)

COMPARE_SECONDS = 2.0
KEPT_LEASES = 5  # a page that has been silent for so many leases is taken out of Redis

Kind = Literal["p", "t"]  # a clinician's page, a tablet's page


class Place(NamedTuple):
    """One page."""

    kind: Kind
    who: str
    connection: str


class Lease(NamedTuple):
    """A page as written down: which process holds it, its last beat, and when it closed."""

    node: str
    beat: float
    closed: float | None


# KEYS: pages, choices, stream. ARGV: node, lease seconds, most entries, then triples (what, field,
# value). b: a beat, c: a closing, x: delete if it is still so, a: a choice, r: the same if missing.
WRITE = """
local node, lease = ARGV[1], tonumber(ARGV[2])
local news = {}
for i = 4, #ARGV, 3 do
  local what, field, value = ARGV[i], ARGV[i+1], ARGV[i+2]
  if what == 'b' or what == 'c' then
    local at, now = tonumber(value), redis.call('HGET', KEYS[1], field)
    local holder, beat, closed
    if now then holder, beat, closed = string.match(now, '^(.-)|(.-)|(.*)$') end
    local newer = now and tonumber(beat) > at and tonumber(beat) - lease < at
    if what == 'b' and not (newer and holder ~= node) then
      redis.call('HSET', KEYS[1], field, node .. '|' .. value .. '|')
      if not now or holder ~= node or closed ~= '' then
        news[#news+1] = 'p'; news[#news+1] = field .. '=' .. node .. '|' .. value .. '|'
      end
    elseif what == 'c' and now and holder == node and closed == '' and not newer then
      local changed = node .. '|' .. beat .. '|' .. value
      redis.call('HSET', KEYS[1], field, changed)
      news[#news+1] = 'p'; news[#news+1] = field .. '=' .. changed
    end
  elseif what == 'x' then
    if redis.call('HGET', KEYS[1], field) == value then redis.call('HDEL', KEYS[1], field) end
  elseif what == 'a' then
    redis.call('HSET', KEYS[2], field, value)
    news[#news+1] = 'a'; news[#news+1] = field .. '=' .. value
  elseif what == 'r' then
    redis.call('HSETNX', KEYS[2], field, value)
  end
end
for i = 1, #news, 2 do
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[3], '*', 'k', news[i], 'v', news[i+1], 'n', node)
end
return #news / 2
"""


class RedisLiveStore(EmbeddedLiveStore):
    """This process's copy, and what keeps it and Redis the same.

    `node`: this process's own id. `clock`: UTC seconds, for the start; afterwards time is told.
    """

    def __init__(
        self,
        link: RedisLink,
        node: str,
        clock: Callable[[], float],
        lost_after: float = LOST_SECONDS,
        most_people: int = MOST_PEOPLE,
    ) -> None:
        super().__init__(lost_after, most_people)
        self._link = link
        self._node = node
        self._clock = clock
        self._own: dict[Kind, PresenceBoard] = {
            "p": PresenceBoard(lost_after),
            "t": PresenceBoard(lost_after),
        }
        self._mine: dict[Place, Lease] = {}
        self._others: dict[Place, Lease] = {}
        self._unsaid: dict[tuple[str, str], tuple[str, str]] = {}  # (table, field) -> (what, value)
        self._chosen_at: dict[str, float] = {}
        self._now = 0.0
        self._same = False
        self._parted_at: float | None = None
        self._todo = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        link.on_entry.append(self._told)
        link.on_fresh.append(self._fresh)
        link.on_down.append(self._down)

    @property
    def partial(self) -> bool:
        return not self._same

    # --- life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the link too; a Redis that is away is waited for later. Raises LiveStoreUnfit."""
        await self._link.start()
        if self._link.up:
            await self._compare()
        self._task = asyncio.create_task(self._keep_the_same(), name="live-store")

    async def close(self) -> None:
        if self._task is not None:
            await ended(self._task)
            self._task = None
            for place in list(self._mine):
                self._close_page(place, self._now)
            try:
                await self._say()
            except LiveStoreAway:
                log.info("live.left_without_a_word")  # the others find out by the leases
        await self._link.close()

    # --- this process's pages --------------------------------------------------------------------

    async def beat(self, person_id: str, connection_id: str, now: float) -> None:
        await super().beat(person_id, connection_id, now)
        self._open_page(Place("p", person_id, connection_id), now)

    async def drop(self, person_id: str, connection_id: str, now: float) -> None:
        await super().drop(person_id, connection_id, now)
        self._close_page(Place("p", person_id, connection_id), now)

    async def beat_tablet(self, tablet_id: str, connection_id: str, now: float) -> None:
        await super().beat_tablet(tablet_id, connection_id, now)
        self._open_page(Place("t", tablet_id, connection_id), now)

    async def drop_tablet(self, tablet_id: str, connection_id: str, now: float) -> None:
        await super().drop_tablet(tablet_id, connection_id, now)
        self._close_page(Place("t", tablet_id, connection_id), now)

    async def set_activity(
        self, person_id: str, activity: Activity, reason: str | None, now: float
    ) -> None:
        await super().set_activity(person_id, activity, reason, now)
        self._now = now
        self._chosen_at[person_id] = now
        self._unsay("choice", person_id, "a", _choice(*self._chosen[person_id], now))

    def _open_page(self, place: Place, now: float) -> None:
        self._now = now
        self._own[place.kind].beat(place.who, place.connection, now)
        self._mine[place] = Lease(self._node, now, None)
        self._unsay("page", _field(place), "b", repr(now))

    def _close_page(self, place: Place, now: float) -> None:
        known = self._mine.get(place)
        if known is None or known.beat > now > known.beat - self._presence.lost_after:
            return  # unknown, or it has beaten since
        self._now = now
        self._own[place.kind].drop(place.who, place.connection, now)
        del self._mine[place]
        self._unsay("page", _field(place), "c", repr(now))

    # --- what is known ---------------------------------------------------------------------------

    async def snapshot(self, now: float) -> Mapping[str, LiveClinician]:
        self._now = now
        known = await super().snapshot(now)
        if self._same:
            return known
        return {who: self._uncertain(who, one, now) for who, one in known.items()}

    def _uncertain(self, who: str, one: LiveClinician, now: float) -> LiveClinician:
        """Without the others' word: here is here, everybody else may be elsewhere."""
        here = self._own["p"].state(who, now) is PresenceState.CONNECTED
        gone_before = one.lost_since is not None and one.lost_since <= (self._parted_at or 0.0)
        if here or gone_before:
            return one
        return LiveClinician(one.activity, one.reason, PresenceState.GRACE)

    async def tablets(self, now: float) -> Mapping[str, PresenceState]:
        known = await super().tablets(now)
        if self._same:
            return known
        here = self._own["t"]
        connected = PresenceState.CONNECTED
        return {
            who: state if here.state(who, now) is connected else PresenceState.GRACE
            for who, state in known.items()
        }

    async def node_lost(self, node_id: str, now: float) -> None:
        gone = [place for place, lease in self._others.items() if lease.node == node_id]
        for place in gone:
            lease = self._others.pop(place)
            self._forget(place, lease, now)
        await self.wake()

    def _forget(self, place: Place, lease: Lease, now: float) -> None:
        """A page that was elsewhere is nowhere."""
        if place not in self._mine:
            self._board(place.kind).lose(place.who, place.connection, now)
            self._unsaid.setdefault(("page", _field(place)), ("x", _value(lease)))
            self._todo.set()

    def _board(self, kind: Kind) -> PresenceBoard:
        return self._presence if kind == "p" else self._tablets

    # --- keeping the same ------------------------------------------------------------------------

    def _unsay(self, table: str, field: str, what: str, value: str) -> None:
        self._unsaid[table, field] = (what, value)
        self._todo.set()

    def _fresh(self) -> None:
        """The link is up, or Redis is another one: write down everything, then read everything."""
        self._same = False
        for place, lease in self._mine.items():
            if ("page", _field(place)) not in self._unsaid:
                self._unsay("page", _field(place), "b", repr(lease.beat))
        for person_id, (activity, reason) in self._chosen.items():
            if ("choice", person_id) not in self._unsaid:
                at = self._chosen_at.get(person_id, 0.0)
                self._unsay("choice", person_id, "r", _choice(activity, reason, at))
        self._todo.set()

    def _down(self) -> None:
        self._same = False
        self._parted_at = self._now
        self._woken.set()

    async def _keep_the_same(self) -> None:
        loop = asyncio.get_running_loop()
        compared = loop.time()
        while True:
            try:
                async with asyncio.timeout_at(compared + COMPARE_SECONDS):
                    await self._todo.wait()
            except TimeoutError:
                self._todo.set()
            self._todo.clear()
            try:
                await self._say()
                if not self._same or loop.time() - compared >= COMPARE_SECONDS:
                    compared = loop.time()
                    await self._link.check()
                    await self._compare()
            except LiveStoreAway:
                compared = loop.time()
                await asyncio.sleep(0.1)  # everything unsaid is kept, one word for each page

    async def _say(self) -> None:
        while self._unsaid:
            saying, self._unsaid = self._unsaid, {}
            args: list[str | float] = [self._node, self._presence.lost_after, KEPT_ENTRIES]
            for (_, field), (what, value) in saying.items():
                args += [what, field, value]
            keys = [self._link.key(name) for name in ("pages", "choices", "news")]
            try:
                await self._link.run(WRITE, keys, args)
            except (LiveStoreAway, asyncio.CancelledError):
                self._unsaid = {**saying, **self._unsaid}
                raise

    async def _compare(self) -> None:
        """Make the copy the same as the whole."""
        if self._unsaid:
            await self._say()
        pages, choices = await self._link.hashes(self._link.key("pages"), self._link.key("choices"))
        found: set[Place] = set()
        for raw, value in pages.items():
            place, lease = _place(raw), _lease(value)
            if place is None or lease is None:
                continue
            if self._now - (lease.closed or lease.beat) > KEPT_LEASES * self._presence.lost_after:
                self._unsaid.setdefault(("page", raw.decode()), ("x", value.decode()))
            elif lease.node != self._node:
                found.add(place)
                self._elsewhere(place, lease)
        for place in [place for place in self._others if place not in found]:
            self._forget(place, self._others.pop(place), self._now)
        for raw, value in choices.items():
            self._chose(raw.decode(), value)
        again = self._link.up and not self._same
        self._same = self._link.up
        self._wake_if(again)

    def _told(self, entry: Entry) -> None:
        """News of another process, which acts on it; ours looks at the line in its own time."""
        kind, node = entry.get(b"k"), entry.get(b"n", b"").decode()
        if kind not in (b"p", b"a") or node == self._node:
            return
        field, _, value = entry[b"v"].partition(b"=")
        if kind == b"a":
            self._chose(field.decode(), value)
        else:
            place, lease = _place(field), _lease(value)
            if place is not None and lease is not None:
                self._elsewhere(place, lease)

    def _elsewhere(self, place: Place, lease: Lease) -> None:
        self._others[place] = lease
        if self._now - lease.beat < FORGET_SECONDS:  # otherwise it is nobody's any more
            board = self._board(place.kind)
            board.hear(place.who, place.connection, lease.beat, lease.closed, self._now)

    def _chose(self, person_id: str, value: bytes) -> None:
        activity, reason, at = (*value.decode().split("|"), "", "", "")[:3]
        if ("choice", person_id) in self._unsaid or activity not in list(Activity):
            return
        if person_id in self._chosen or len(self._chosen) < self._most_people:
            self._chosen[person_id] = (Activity(activity), reason or None)
            self._chosen_at[person_id] = float(at or 0)


def _field(place: Place) -> str:
    return "|".join(place)


def _place(raw: bytes) -> Place | None:
    kind, who, connection = (*raw.decode().split("|", 2), "", "")[:3]
    if kind not in ("p", "t"):
        return None
    return Place("p" if kind == "p" else "t", who, connection)


def _value(lease: Lease) -> str:
    closed = "" if lease.closed is None else repr(lease.closed)
    return f"{lease.node}|{lease.beat!r}|{closed}"


def _lease(raw: bytes) -> Lease | None:
    node, beat, closed = (*raw.decode().split("|"), "", "")[:3]
    try:
        return Lease(node, float(beat), float(closed) if closed else None)
    except ValueError:
        return None


def _choice(activity: Activity, reason: str | None, at: float) -> str:
    return f"{activity}|{reason or ''}|{at!r}"
