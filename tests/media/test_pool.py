"""Several media processes as one bridge: real processes, real packets."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from media import (
    BadDescription,
    BridgePool,
    BridgeSettings,
    LegEvent,
    LegEventKind,
    NoSocket,
    TooManyCalls,
)
from tests.media.peers import BOUND, Peer


class House:
    """A pool of two processes, what it told, and its peers."""

    def __init__(self) -> None:
        self.events: list[LegEvent] = []
        settings = BridgeSettings(addresses=("127.0.0.1",), max_calls=2, max_legs_per_call=3)
        self.pool = BridgePool(settings, 2, self.events.append)
        self.peers: list[Peer] = []

    async def pair(self, call: str, generation: str = "g1") -> tuple[Peer, Peer]:
        """Two who see each other."""
        both = [Peer(self.pool, call, seat, generation) for seat in ("tablet", "clinician")]
        self.peers += both
        for peer in both:
            await peer.join()
        for peer in both:
            await peer.until(lambda p=peer: p.frames > 5 and p.loudest > 5000)  # type: ignore[misc]
        return both[0], both[1]

    def closed(self) -> set[tuple[str, str, str | None]]:
        return {(e.call, e.seat, e.reason) for e in self.events if e.kind is LegEventKind.CLOSED}


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(BOUND):
        while not true():
            await asyncio.sleep(0.02)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    await made.pool.start()
    yield made
    for peer in made.peers:
        await peer.close()
    await made.pool.close()


def alive(pid: int | None) -> bool:
    """Whether there is such a process; one that has ended and was not asked for is none."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_calls_are_spread_over_processes_with_a_port_each_and_carried(house: House) -> None:
    assert len(set(house.pool.ports)) == 2
    await house.pair("one")
    await house.pair("two")
    await until(lambda: house.pool.totals().legs == 4)
    counted = [child.totals.calls for child in house.pool._children]
    assert counted == [1, 1]
    assert {stats.seat for stats in house.pool.stats("one")} == {"tablet", "clinician"}
    house.pool.close_call("one")
    await until(lambda: house.pool.totals().legs == 2)
    assert house.pool.calls() == ["two"]


async def test_what_a_side_does_not_send_is_withheld_in_another_process_too(house: House) -> None:
    tablet, clinician = await house.pair("one")
    house.pool.withhold("one", "tablet", {"video"}, quiet=False)

    def down() -> int:
        return next(s for s in house.pool.stats("one") if s.seat == "clinician").packets_down

    frames = tablet.frames
    await until(lambda: tablet.frames > frames + 30)  # the other way goes on meanwhile
    clinician.frames, clinician.loudest, before = 0, 0.0, down()
    await until(lambda: down() > before + 50 and clinician.loudest > 5000)
    assert clinician.frames == 0
    house.pool.withhold("one", "tablet", (), quiet=False)
    await until(lambda: clinician.frames > 5)
    house.pool.withhold("none", "tablet", {"video"}, quiet=False)  # no such call: nothing happens


async def test_a_killed_process_closes_its_own_legs_alone_and_its_call_goes_on_elsewhere(
    house: House,
) -> None:
    await house.pair("one")
    tablet, clinician = await house.pair("two")
    killed = house.pool.pids[0]
    assert killed is not None
    house.pool.plan("one", {"tablet": ["clinician"], "clinician": []})
    os.kill(killed, signal.SIGKILL)
    await until(lambda: len(house.closed()) == 2)
    assert house.closed() == {
        ("one", "tablet", "process-lost"),
        ("one", "clinician", "process-lost"),
    }
    seen, heard = tablet.frames, clinician.frames
    await until(lambda: tablet.frames > seen + 10 and clinician.frames > heard + 10)

    again = Peer(house.pool, "one", "clinician", "g2")
    deaf = Peer(house.pool, "one", "tablet", "g2")
    house.peers += [again, deaf]
    await again.join()
    await deaf.join()
    await until(lambda: deaf.frames > 5)
    assert again.frames == 0, "who hears and sees whom is as it was planned before"
    await until(lambda: all(house.pool.pids) and killed not in house.pool.pids)


async def test_with_a_killed_process_goes_what_was_built_beside_what_carried(
    house: House,
) -> None:
    await house.pair("one")
    for generation in ("g2", "g3"):
        waits = Peer(house.pool, "one", "tablet", generation)
        house.peers.append(waits)
        await waits.describe()
    killed = house.pool.pids[0]
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    await until(lambda: len(house.closed()) == 2)
    told = [(e.seat, e.generation) for e in house.events if e.kind is LegEventKind.CLOSED]
    assert sorted(told) == [("clinician", "g1"), ("tablet", "g1"), ("tablet", "g3")]


async def test_a_process_that_hangs_is_ended_and_its_legs_are_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("media.pool.LOOK_SECONDS", 0.4)
    await house.pair("one")
    hung = house.pool.pids[0]
    assert hung is not None
    os.kill(hung, signal.SIGSTOP)
    await until(lambda: len(house.closed()) == 2)
    await until(lambda: not alive(hung))
    await until(lambda: all(house.pool.pids))


async def test_a_fault_in_whoever_hears_of_events_touches_no_call(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[LegEvent] = []

    def trips(event: LegEvent) -> None:
        heard.append(event)
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(house.pool, "_on_event", trips)
    before = house.pool.pids
    await house.pair("one")
    assert {event.kind for event in heard} >= {LegEventKind.CONNECTED, LegEventKind.FLOWING}
    assert house.pool.pids == before


async def test_no_process_outlives_its_server() -> None:
    pool = BridgePool(BridgeSettings(addresses=("127.0.0.1",)), 2, lambda _event: None)
    await pool.start()
    pids = pool.pids
    process = pool._children[0]._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()  # what a server that is killed leaves behind
    await until(lambda: not alive(pids[0]))
    await pool.close()
    await until(lambda: not alive(pids[1]))


async def test_what_a_process_refuses_is_raised_here(house: House) -> None:
    with pytest.raises(BadDescription):
        await house.pool.answer("one", "tablet", "g1", "v=0")
    offer = Peer(house.pool, "x", "tablet")
    house.peers.append(offer)
    await offer.join()
    sdp = offer.pc.localDescription.sdp
    for number in range(2):
        await house.pool.answer(f"more{number}", "tablet", "g1", sdp)
    with pytest.raises(TooManyCalls):
        await house.pool.answer("another", "tablet", "g1", sdp)


async def test_a_taken_port_stops_the_start_and_leaves_no_process() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        settings = BridgeSettings(addresses=("127.0.0.1",), port=port)
        pool = BridgePool(settings, 1, lambda _event: None)
        with pytest.raises(NoSocket):
            await pool.start()
        assert pool.pids == [None]
