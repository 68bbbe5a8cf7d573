"""A random net under the real desk: any order of commands, and what must hold after each.

It is a net for regressions, not the argument for safety (that is the exhaustive exploration in
tests/model). NET_EXAMPLES makes it search longer.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from oncall.live import EmbeddedLiveStore
from oncall.presence import LOST_SECONDS
from records import offers, schema
from tests.signaling.conftest import Clock, House, a_house
from tests.signaling.pages import BOUND, Page, Refused

STAFF = ("dana", "miguel", "priya")
TABLETS = ("tablet", "elsewhere")
LEADING = {"answering", "connected", "recovering", "wrap_up"}
EXAMPLES = int(os.environ.get("NET_EXAMPLES", "8"))
CATCHING = 30  # tries that a broken desk is given
KINDS = (
    "press", "press", "cancel", "come", "come", "go", "pause", "back",
    "accept", "accept", "accept", "decline", "end", "pause", "time", "jump", "jump_back", "restart",
)  # fmt: skip
COMMANDS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 5)), min_size=4, max_size=10)

BEGINS = [("come", 0), ("come", 1), ("press", 2)]  # so that there is something to break


class Broken(AssertionError):
    """An invariant of the line does not hold."""


def holds(true: object, what: str) -> None:
    if not true:
        raise Broken(what)


@dataclass
class Net:
    """One desk, what its pages have done, and what was seen of each session."""

    folder: Path
    clock: Clock
    house: House | None = None
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    pages: dict[str, Page] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    seen: dict[str, Any] = field(default_factory=dict)
    gone_at: dict[str, float] = field(default_factory=dict)
    rung: set[str] = field(default_factory=set)
    told: dict[tuple[str, int], str] = field(default_factory=dict)
    presses: int = 0

    async def start(self) -> None:
        url = f"sqlite:///{self.folder}/bridge.db"
        self.house = await self.stack.enter_async_context(a_house(url, self.folder, self.clock))
        self.pages = {}
        self.paused = set()  # nobody's choice outlives the process
        for tablet in TABLETS:
            self.pages[tablet] = await self.house.page(tablet)

    @property
    def desk_house(self) -> House:
        assert self.house is not None
        return self.house

    async def rows(self, table: Any) -> list[Any]:
        async with self.desk_house.db.read() as conn:
            return list(await conn.execute(select(table).order_by(*table.primary_key.columns)))

    async def settle(self) -> None:
        line = self.desk_house.desk.line
        async with asyncio.timeout(BOUND):
            for _ in range(2):  # the first round may have begun before
                before = line.settled
                line.wake()
                while line.settled == before:
                    await asyncio.sleep(0.002)

    async def send(self, who: str, kind: str, **values: object) -> dict[str, Any] | None:
        try:
            return dict(await self.pages[who].send(kind, **values))
        except Refused:
            return None

    async def do(self, kind: str, n: int) -> None:
        who, tablet = STAFF[n % 3], TABLETS[n % 2]
        if kind == "press":
            self.presses += n > 1  # else the key of the last press, again
            await self.send(tablet, "session.open", key=f"{tablet}-{self.presses:020d}")
        elif kind in {"cancel", "end"}:
            await self.finish(kind, n)
        elif kind == "come" and who not in self.pages:
            self.pages[who] = await self.desk_house.page(who)
        elif kind == "go" and who in self.pages:
            await self.gone(who)
        elif kind in {"pause", "back"} and who in self.pages:
            activity = "paused" if kind == "pause" else "available"
            await self.send(who, "activity.set", activity=activity, reason=None)
            (self.paused.add if kind == "pause" else self.paused.discard)(who)
        elif kind in {"accept", "decline"}:
            await self.answer(kind, n)
        elif kind in {"time", "jump", "jump_back"}:
            self.clock.advance({"time": 4.0 * n, "jump": 300.0, "jump_back": -90.0}[kind])
            for name in list(self.pages):
                await self.send(name, "beat")
        elif kind == "restart":
            await self.stack.aclose()
            self.stack = AsyncExitStack()
            await self.start()

    async def gone(self, who: str) -> None:
        stream = self.desk_house.desk.hub
        await self.pages.pop(who).drop()
        self.gone_at[who] = self.clock.now
        async with asyncio.timeout(BOUND):
            while stream.attached("console", f"per_{who}"):
                await asyncio.sleep(0.002)

    async def finish(self, kind: str, n: int) -> None:
        found = [r for r in await self.rows(schema.session) if r.state != "closed"]
        if not found:
            return
        row = found[n % len(found)]
        tablet = next(t for t in TABLETS if row.tablet_id.endswith("12") == (t == "tablet"))
        if kind == "cancel":
            await self.send(tablet, "session.cancel", session=row.id)
        else:
            await self.send(tablet, "session.end", session=row.id, epoch=row.epoch)

    async def answer(self, kind: str, n: int) -> None:
        """Any offer there ever was, the newest most: late, twice and of an old epoch too."""
        made = sorted(await self.rows(schema.offer), key=lambda o: (-o.sent_at, o.clinician_id))
        if not made:
            return
        offer = made[n % len(made)]
        who = offer.clinician_id.removeprefix("per_")
        if who not in self.pages:
            return
        before = {r.id: r for r in await self.rows(schema.session)}
        got = await self.send(who, f"offer.{kind}", offer=offer.id, token=offer.token)
        if kind == "accept" and got is not None:
            won = self.told.setdefault((offer.session_id, int(got["epoch"])), who)
            holds(won == who, "S2: two clinicians were told that they lead")
        if offer.state not in {*offers.RINGING, "accepted"}:
            after = {r.id: r for r in await self.rows(schema.session)}
            was, now = before[offer.session_id], after[offer.session_id]
            holds(got is None or kind == "decline", "S6: an offer that was over was accepted")
            holds((was.epoch, was.lead_id) == (now.epoch, now.lead_id), "S6: stale changed a row")

    async def check(self) -> None:
        await self.settle()
        rows = {r.id: r for r in await self.rows(schema.session)}
        holds(set(self.seen) <= set(rows), "S1: a session vanished")
        for one, row in rows.items():
            was = self.seen.get(one)
            holds((row.state == "closed") == (row.close_reason is not None), "S1: no reason")
            if was is not None:
                holds(row.seq == was.seq, "S5: a session lost its turn")
                holds(row.epoch >= was.epoch, "S6: an epoch fell")
                holds(was.state != "closed" or row.state == "closed", "S7: closed is final")
        self.seen = rows
        leads = [r.lead_id for r in rows.values() if r.state in LEADING - {"wrap_up"}]
        holds(len(leads) == len(set(leads)) and None not in leads, "S3: one session each")
        made = await self.rows(schema.offer)
        won = [(o.session_id, o.epoch) for o in made if o.state == "accepted"]
        holds(len(won) == len(set(won)), "S2: two accepted offers of one epoch")
        for offer in made:
            if offer.state in offers.RINGING:
                who = offer.clinician_id.removeprefix("per_")
                here = who in self.pages
                holds(here or offer.id in self.rung, "S4: a new ring for a page that is gone")
                holds(here or self.in_grace(who), "S4: rings for somebody who is lost")
                holds(who not in self.paused, "S4: rings for somebody who paused")
                holds(rows[offer.session_id].state == "waiting", "S4: rings for no waiting call")
        self.rung = {o.id for o in made}

    def in_grace(self, who: str) -> bool:
        """A page that closed may be reloading: its ring goes on until the lease has run out."""
        return abs(self.clock.now - self.gone_at.get(who, float("-inf"))) < LOST_SECONDS


def run(template: Path, folder: Path, commands: list[tuple[str, int]]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)

    async def whole() -> None:
        net = Net(folder, Clock())
        try:
            await net.start()
            for kind, n in BEGINS + commands:
                await net.do(kind, n)
                await net.check()
        finally:
            await net.stack.aclose()

    asyncio.run(whole())


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cast's database, made once and copied for each try."""
    folder = tmp_path_factory.mktemp("net")

    async def make() -> None:
        async with a_house(f"sqlite:///{folder}/bridge.db", folder):
            pass

    asyncio.run(make())
    return folder


def test_whatever_the_order_of_commands_the_line_keeps_its_promises(
    template: Path, tmp_path: Path
) -> None:
    @settings(
        max_examples=EXAMPLES,
        derandomize="NET_EXAMPLES" not in os.environ,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(COMMANDS)
    def search(commands: list[tuple[str, int]]) -> None:
        run(template, tmp_path / "try", commands)

    search()


def caught(template: Path, folder: Path) -> str:
    """What the same search says of a desk that was broken on purpose."""
    said: list[str] = []

    def breaks(commands: list[tuple[str, int]]) -> None:
        try:
            run(template, folder, commands)
        except Broken as error:  # the search stops at the first
            said.append(str(error))
            raise

    tries = settings(
        max_examples=CATCHING,
        derandomize=True,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    with suppress(Broken):
        tries(given(COMMANDS)(breaks))()
    return said[0] if said else "nothing"


def test_the_net_catches_rings_for_somebody_who_paused(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deaf(*_args: object) -> None: ...

    monkeypatch.setattr(EmbeddedLiveStore, "set_activity", deaf)
    assert caught(template, tmp_path / "try").startswith("S4: rings for somebody who paused")


def test_the_net_catches_an_accept_of_an_offer_that_was_over(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = offers._end

    async def any_state(conn: Any, one: str, to: str, why: Any, now: float, _from: Any) -> bool:
        return await end(conn, one, to, why, now, (*offers.RINGING, *offers.OVER))

    monkeypatch.setattr(offers, "_end", any_state)
    assert caught(template, tmp_path / "try").startswith("S6: an offer that was over")
