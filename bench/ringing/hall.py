"""What robots see of the line, and when: from a press to the ring, from an answer to the losers…"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from bench.ringing.house import Keys
from bench.ringing.robots import Offer, Refused, Robot, Told, open_all

BOUND = 60.0
OVERHEAR_SECONDS = 0.05  # the figure is the crowd's own, not when it is read here


@dataclass
class Ears:
    """What each robot waits to hear."""

    waits: list[tuple[Robot, Callable[[Told], bool], asyncio.Future[float]]] = field(
        default_factory=list
    )

    def hear(self, robot: Robot, told: Told, at: float) -> None:
        for waits in list(self.waits):
            who, matches, found = waits
            if who is robot and not found.done() and matches(told):
                found.set_result(at)
                self.waits.remove(waits)

    def listen(self, robot: Robot, matches: Callable[[Told], bool]) -> asyncio.Future[float]:
        """When this robot hears such a message; the loop's perf_counter."""
        found: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.waits.append((robot, matches, found))
        return found


class Hall:
    """The robots that are measured, and what they saw first."""

    def __init__(self, urls: Sequence[str], keys: Keys, overheard: Path) -> None:
        """`overheard`: where the crowd writes who of them rang, and when."""
        self._overheard = overheard
        self.ears = Ears()
        # session -> its first ring; nobody of ours when it was heard in the crowd
        self.offered: dict[str, tuple[float, Robot | None, Offer | None]] = {}
        self.rings: dict[tuple[int, str], Offer] = {}  # console, session
        self._waiting: dict[str, asyncio.Event] = {}
        self._rung: set[str] = set()
        self.heard_delivery = True
        self.elsewhere = 0  # presses of the last measurement that rang one of the crowd
        places = itertools.cycle(range(len(urls)))

        def page(kind: str, cookie: str) -> Robot:
            hears = self._console if kind == "console" else lambda *_: None
            return Robot(kind, cookie, urls[next(places)], hears)

        self.consoles = [page("console", cookie) for cookie in keys.clinicians]
        self.tablets = [page("tablet", cookie) for cookie in keys.tablets]
        self.racers = [page("console", cookie) for cookie in keys.racers]
        self.race_tablet = page("tablet", keys.race_tablet)

    def _console(self, robot: Robot, told: Told, at: float) -> None:
        for offer in [told.offer] if isinstance(told.offer, Offer) else told.offers:
            self.rings[id(robot), offer.session] = offer
            if offer.offer in self._rung:
                continue
            self._rung.add(offer.offer)
            self._first(offer.session, at, robot, offer)
            if self.heard_delivery:
                robot.tell("offer.delivered", offer=offer.offer)
        self.ears.hear(robot, told, at)

    def _first(self, session: str, at: float, robot: Robot | None, offer: Offer | None) -> None:
        self.offered.setdefault(session, (at, robot, offer))
        if session in self._waiting:
            self._waiting[session].set()

    async def overhear(self) -> None:
        """A press that comes while all of ours ring is heard by one of the crowd."""
        with self._overheard.open() as lines:
            rest = ""
            while True:
                *whole, rest = (rest + lines.read()).split("\n")
                for line in whole:
                    if line.startswith("rang "):
                        _, session, at = line.split()
                        self._first(session, float(at), None, None)
                await asyncio.sleep(OVERHEAR_SECONDS)

    async def open(self, http: aiohttp.ClientSession) -> None:
        """Everybody comes: the consoles first, so that nobody is rung for nobody."""
        await open_all([*self.consoles, *self.racers], http)
        await open_all([*self.tablets, self.race_tablet], http)

    async def close(self) -> None:
        everybody = [*self.tablets, self.race_tablet, *self.consoles, *self.racers]
        await asyncio.gather(*(robot.close() for robot in everybody))

    async def rung(self, session: str) -> float:
        """When the session rang first, once it has."""
        seen = self._waiting.setdefault(session, asyncio.Event())
        if session in self.offered:
            seen.set()
        async with asyncio.timeout(BOUND):
            await seen.wait()
        return self.offered[session][0]

    async def rings_at(self, session: str) -> tuple[Robot, Offer]:
        """Who of ours the session rang first, and how."""
        await self.rung(session)
        _, robot, offer = self.offered[session]
        assert robot is not None
        assert offer is not None
        return robot, offer

    # --- what is measured ------------------------------------------------------------------------

    async def press_to_offer(self, presses: int, pause: float) -> list[float]:
        """Open loop: a press every `pause` seconds, however long the ones before took."""
        free: asyncio.Queue[Robot] = asyncio.Queue()
        for tablet in self.tablets:
            free.put_nowait(tablet)
        times: list[float] = []
        self.elsewhere = 0

        async def one(due: float) -> None:
            tablet = await free.get()
            session = await press(tablet)
            times.append(await self.rung(session) - due)
            self.elsewhere += self.offered[session][1] is None
            await tablet.send("session.cancel", session=session)
            free.put_nowait(tablet)

        async with asyncio.TaskGroup() as tasks:
            start = time.perf_counter() + 0.05
            for number in range(presses):
                due = start + number * pause
                await asyncio.sleep(due - time.perf_counter())
                tasks.create_task(one(due))
        return times

    async def accept_to_loser(self, tries: int) -> list[float]:
        """From an answer to the moment at which the other console stops ringing."""
        times = []
        for number in range(tries):
            winner, loser = self.racers[number % 2], self.racers[1 - number % 2]
            session = await press(self.race_tablet)
            async with asyncio.timeout(BOUND):
                while not all(  # noqa: ASYNC110 - what is looked at has no event of its own
                    (id(who), session) in self.rings for who in (winner, loser)
                ):
                    await asyncio.sleep(0.005)
            gone = self.ears.listen(loser, lambda told, s=session: _taken(told, s))  # type: ignore[misc]
            offer = self.rings[id(winner), session]
            began = time.perf_counter()
            answer = await winner.send("offer.accept", offer=offer.offer, token=offer.token)
            async with asyncio.timeout(BOUND):
                times.append(await gone - began)
            await finish(winner, session, int(answer["epoch"]))
        return times

    async def end_to_next(self, tries: int, end: Callable[[Robot, Offer], object]) -> list[float]:
        """From the moment at which a ring ends, by `end`, to the next clinician's ring."""
        times = []
        tablet = self.tablets[0]
        for _ in range(tries):
            session = await press(tablet)
            first, offer = await self.rings_at(session)
            [other] = [one for one in self.consoles if one is not first]
            next_one = self.ears.listen(other, lambda told, s=session: _rings(told, s))  # type: ignore[misc]
            began = await _outcome(end(first, offer))
            async with asyncio.timeout(BOUND):
                times.append(await next_one - began)
            await tablet.send("session.cancel", session=session)
            for console in self.consoles:  # who missed several rings would be paused
                if not console.closed:
                    await console.send("activity.set", activity="available", reason=None)
        return times


async def press(tablet: Robot) -> str:
    """A new session. One that is still open is somebody else's measurement."""
    return str((await tablet.send("session.open", key=secrets.token_urlsafe(18)))["session"])


async def finish(lead: Robot, session: str, epoch: int) -> None:
    """The call is over, and its wrap-up done: the clinician is free again."""
    named = {"session": session, "epoch": epoch}
    await lead.send("session.end", **named)
    for _ in range(20):
        try:
            await lead.send("wrapup.finish", **named, disposition="remain_in_place", followups=[])
            return
        except Refused:
            await asyncio.sleep(0.05)
    raise RuntimeError("the wrap-up was never accepted")


async def _outcome(value: object) -> float:
    if asyncio.iscoroutine(value):
        value = await value
    assert isinstance(value, float)
    return value


def _taken(told: Told, session: str) -> bool:
    return told.type == "offer.gone" and told.session == session and told.reason == "taken"


def _rings(told: Told, session: str) -> bool:
    rung = [told.offer] if isinstance(told.offer, Offer) else told.offers
    return any(one.session == session for one in rung)
