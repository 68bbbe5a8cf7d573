"""Real packets through the bridge: two peers of another implementation, over loopback."""

from __future__ import annotations

import asyncio
import gc
import re
import socket
import time
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from media import (
    BadDescription,
    Bridge,
    BridgeSettings,
    LegEvent,
    LegEventKind,
    NoSocket,
    TooManyCalls,
    TooManyLegs,
)
from media.bridge import own_addresses
from media.leg import QUIET_SILENCE
from tests.media.peers import BOUND, Peer


class House:
    """A bridge, what it told, and its peers."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.events: list[LegEvent] = []
        self.bridge = Bridge(
            BridgeSettings(addresses=(address,), max_calls=2, max_legs_per_call=3),
            self.events.append,
        )
        self.peers: list[Peer] = []

    async def peer(
        self, seat: str, generation: str = "g1", *, video: bool = True, more: int = 0
    ) -> Peer:
        peer = Peer(self.bridge, "call", seat, generation)
        self.peers.append(peer)
        await peer.join(video=video, more=more)
        return peer

    async def described(self, seat: str, generation: str) -> tuple[Peer, str]:
        """Somebody who has described themselves and does not connect yet; the bridge's answer."""
        peer = Peer(self.bridge, "call", seat, generation)
        self.peers.append(peer)
        return peer, await peer.describe()

    def told(self, kind: LegEventKind, seat: str) -> list[LegEvent]:
        return [e for e in self.events if e.kind is kind and e.seat == seat]


@asynccontextmanager
async def a_house(address: str = "127.0.0.1") -> AsyncIterator[House]:
    made = House(address)
    await made.bridge.start()
    yield made
    for peer in made.peers:
        await peer.close()
    await made.bridge.close()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with a_house() as made:
        yield made


async def test_picture_and_sound_arrive_both_ways_and_the_picture_moves(house: House) -> None:
    tablet, clinician = await house.peer("tablet"), await house.peer("clinician")
    for peer in (tablet, clinician):
        await peer.until(lambda peer=peer: peer.frames > 20 and peer.loudest > 5000)  # type: ignore[misc]
        assert len(set(peer.shades)) > 5
    for seat in ("tablet", "clinician"):
        assert house.told(LegEventKind.CONNECTED, seat)
        assert {e.medium for e in house.told(LegEventKind.FLOWING, seat)} == {"audio", "video"}


async def test_where_the_system_gives_one_datagram_at_a_time_all_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("media.datagrams.AVAILABLE", False)
    async with a_house() as house:
        tablet, clinician = await house.peer("tablet"), await house.peer("clinician")
        await tablet.until(lambda: tablet.frames > 3 and tablet.loudest > 5000)
        await clinician.until(lambda: clinician.frames > 3 and clinician.loudest > 5000)


async def test_what_a_leg_drops_is_in_the_totals_while_it_is_there_and_after_it(
    house: House,
) -> None:
    tablet = await house.peer("tablet")
    await tablet.until(lambda: bool(house.told(LegEventKind.FLOWING, "tablet")))
    leg = house.bridge._calls["call"].seats["tablet"].leg
    assert leg is not None
    leg.dropped["flood"] += 7
    assert house.bridge.totals().dropped["flood"] == 7
    house.bridge.leave("call", "tablet")
    assert house.bridge.totals().dropped["flood"] == 7


IPV6 = next((a for a in own_addresses() if ":" in a and a != "::1"), None)


@pytest.mark.skipif(IPV6 is None, reason="this machine has no IPv6 address but its own loopback")
async def test_picture_and_sound_arrive_over_ipv6() -> None:
    assert IPV6 is not None
    async with a_house(IPV6) as house:
        tablet, clinician = await house.peer("tablet"), await house.peer("clinician")
        await tablet.until(lambda: tablet.frames > 3 and tablet.loudest > 5000)
        await clinician.until(lambda: clinician.frames > 3 and clinician.loudest > 5000)
        leg = house.bridge._calls["call"].seats["tablet"].leg
        assert leg is not None
        assert all(":" in address for _, (address, _) in leg.paths)


async def test_a_leg_that_waited_alone_shows_the_second_one_at_once(house: House) -> None:
    tablet = await house.peer("tablet")
    await tablet.until(lambda: len(house.told(LegEventKind.FLOWING, "tablet")) == 2)
    clinician = await house.peer("clinician")
    await clinician.until(lambda: clinician.frames > 3)
    await tablet.until(lambda: tablet.frames > 3)


async def test_a_new_generation_takes_the_seat_and_the_other_side_renegotiates_nothing(
    house: House,
) -> None:
    tablet, clinician = await house.peer("tablet"), await house.peer("clinician")
    await clinician.until(lambda: clinician.frames > 5)
    await tablet.close()
    again = await house.peer("tablet", "g2")
    seen = clinician.frames
    await clinician.until(lambda: clinician.frames > seen + 10)
    await again.until(lambda: again.frames > 5)
    assert clinician.pc.connectionState == "connected"


async def test_a_leg_carries_until_the_one_that_is_built_beside_it_is_connected(
    house: House,
) -> None:
    tablet, clinician = await house.peer("tablet"), await house.peer("clinician")
    await tablet.until(lambda: tablet.frames > 5)
    again, answer = await house.described("tablet", "g2")
    for peer in (tablet, clinician):
        seen = peer.frames
        await peer.until(lambda peer=peer, seen=seen: peer.frames > seen + 10)  # type: ignore[misc]
    assert [one.generation for one in house.bridge.stats("call")] == ["g1", "g1"]
    await again.connect(answer)
    await again.until(lambda: again.frames > 5)
    assert [one.generation for one in house.bridge.stats("call")] == ["g2", "g1"]
    await again.until(lambda: house.bridge.totals().legs == 2)
    done, seen = tablet.frames, clinician.frames
    await clinician.until(lambda: clinician.frames > seen + 10)
    assert tablet.frames <= done + 2, "what was in its buffer; nothing is sent to it any more"
    assert clinician.pc.connectionState == "connected"
    assert not house.told(LegEventKind.CLOSED, "tablet")


async def test_what_a_new_leg_does_not_send_yet_is_taken_from_the_one_before_for_a_moment(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("media.bridge.OVERLAP_SECONDS", 3.0)  # a machine full of other work
    tablet, clinician = await house.peer("tablet"), await house.peer("clinician")
    await tablet.until(lambda: tablet.frames > 5)
    await clinician.until(lambda: clinician.frames > 5)
    again = await house.peer("tablet", "g2", video=False)
    await again.until(lambda: house.told(LegEventKind.CONNECTED, "tablet")[-1].generation == "g2")
    seen = clinician.frames
    await clinician.until(lambda: clinician.frames > seen + 5)
    await again.until(lambda: house.bridge.totals().legs == 2)
    clinician.heard.clear()
    await clinician.until(lambda: clinician.hears("0"))
    assert not house.bridge._calls["call"].seats["tablet"].down["video"].wanted


async def test_one_that_is_never_connected_goes_and_the_one_that_carries_stays(
    house: House,
) -> None:
    tablet, clinician = await house.peer("tablet"), await house.peer("clinician")
    await tablet.until(lambda: tablet.frames > 5)
    await clinician.until(lambda: clinician.frames > 5)
    for generation in ("g2", "g3"):  # the second one takes the place of the first
        await house.described("tablet", generation)
        assert house.bridge.totals().legs == 3
    house.bridge.settings = replace(house.bridge.settings, never_connected_after=0.0)
    await tablet.until(lambda: bool(house.told(LegEventKind.CLOSED, "tablet")))
    [gone] = house.told(LegEventKind.CLOSED, "tablet")
    assert (gone.generation, gone.reason) == ("g3", "never-connected")
    assert house.bridge.totals().legs == 2
    seen = clinician.frames
    await clinician.until(lambda: clinician.frames > seen + 10)


async def test_who_is_put_out_is_put_out_with_what_was_being_built(house: House) -> None:
    tablet, _ = await house.peer("tablet"), await house.peer("clinician")
    await tablet.until(lambda: tablet.frames > 5)
    again, answer = await house.described("tablet", "g2")
    house.bridge.leave("call", "tablet")
    assert house.bridge.totals().legs == 1
    await again.connect(answer)
    await again.until(lambda: "stun-unknown" in house.bridge.totals().dropped)
    assert again.frames == 0


async def test_a_seat_left_and_taken_by_somebody_else_goes_on_for_the_other_side(
    house: House,
) -> None:
    tablet, first = await house.peer("tablet"), await house.peer("clinician")
    await tablet.until(lambda: tablet.frames > 5)
    house.bridge.leave("call", "clinician")
    await first.close()
    seen = tablet.frames
    await house.peer("clinician", "other")
    await tablet.until(lambda: tablet.frames > seen + 10)


async def test_sound_alone_needs_no_picture(house: House) -> None:
    tablet = await house.peer("tablet", video=False)
    clinician = await house.peer("clinician", video=False)
    for peer in (tablet, clinician):
        await peer.until(lambda peer=peer: peer.loudest > 5000)  # type: ignore[misc]


async def test_the_plan_decides_who_hears_whom(house: House) -> None:
    house.bridge.plan("call", {"clinician": ["tablet"]})
    tablet, clinician = await house.peer("tablet"), await house.peer("clinician")
    await clinician.until(lambda: clinician.frames > 20)
    assert tablet.frames == 0


async def test_what_a_side_says_it_does_not_send_goes_to_nobody_and_comes_back_at_once(
    house: House,
) -> None:
    await house.peer("tablet", more=3)
    clinician = await house.peer("clinician", more=3)
    await clinician.until(lambda: clinician.sees("1") and clinician.hears("0"))
    down = house.bridge._calls["call"].seats["clinician"].down
    house.bridge.withhold("call", "tablet", {"video"}, quiet=False)
    sent = down["video"].packets
    clinician.heard.clear()
    await house.peer("tablet", "g2", more=3)  # built anew: its camera sends, as the one before
    third = await house.peer("side1", more=3)
    await clinician.until(lambda: clinician.hears("0") and clinician.sees("5"))
    await third.until(lambda: third.hears("0") and third.sees("5"))
    assert down["video"].packets == sent, "of no leg of that side"
    assert not third.sees("1")
    clinician.seen.clear()
    house.bridge.withhold("call", "tablet", {"audio"}, quiet=False)
    sent = down["audio"].packets
    for peer in (clinician, third):
        await peer.until(lambda peer=peer: peer.sees("1"))  # type: ignore[misc]
    assert down["audio"].packets == sent
    house.bridge.withhold("call", "tablet", (), quiet=False)
    await clinician.until(lambda: down["audio"].packets > sent + 20)
    house.bridge.withhold("call", "nobody", {"audio"}, quiet=False)  # no such seat: nothing happens
    house.bridge.withhold("none", "tablet", {"audio"}, quiet=False)


async def test_who_sends_nothing_by_their_own_word_is_not_missed_while_their_browser_is_heard(
    house: House,
) -> None:
    tablet, clinician = await house.peer("tablet"), await house.peer("clinician")
    await clinician.until(lambda: clinician.frames > 3)
    leg = house.bridge._calls["call"].seats["tablet"].leg
    assert leg is not None
    house.bridge.withhold("call", "tablet", {"audio", "video"}, quiet=True)
    leg.last_media_at = time.monotonic() - 60.0  # nothing comes any more, as the side has said
    leg.tick(time.monotonic(), time.time(), 2.0)
    assert not house.told(LegEventKind.SILENT, "tablet")
    leg.tick(leg.last_heard_at + QUIET_SILENCE + 0.1, time.time(), 2.0)
    assert house.told(LegEventKind.SILENT, "tablet"), "its browser asks for its path each five"
    await tablet.until(lambda: bool(house.told(LegEventKind.RESUMED, "tablet")))
    await tablet.close()
    house.bridge.withhold("call", "tablet", (), quiet=False)
    leg.tick(time.monotonic(), time.time(), 2.0)
    assert len(house.told(LegEventKind.SILENT, "tablet")) == 1, "it has two seconds to begin again"


async def test_a_third_party_is_heard_and_seen_in_slots_that_were_there_from_the_start(
    house: House,
) -> None:
    """Sections 0 and 1 are the main sound and picture; 2 to 4 further sound, 5 to 7 pictures."""
    tablet, clinician = [await house.peer(seat, more=3) for seat in ("tablet", "clinician")]
    await tablet.until(lambda: tablet.sees("1") and tablet.hears("0"))
    both: dict[str, list[str | None]] = {
        "tablet": ["clinician", "side1"],
        "clinician": ["tablet", "side1"],
        "side1": ["tablet", "clinician"],
    }
    sees = both | {"tablet": ["clinician", None]}
    house.bridge.plan("call", both, sees)
    third = await house.peer("side1", more=3)
    for peer in (tablet, clinician, third):
        await peer.until(lambda peer=peer: peer.hears("0") and peer.hears("2"))  # type: ignore[misc]
    for peer in (clinician, third):
        await peer.until(lambda peer=peer: peer.sees("1") and peer.sees("5"))  # type: ignore[misc]
    assert not tablet.sees("5"), "the plan gives the tablet the sound alone"
    assert not tablet.hears("3")


async def test_a_leg_moves_to_another_seat_and_nobody_negotiates(house: House) -> None:
    tablet, first = [await house.peer(seat, more=3) for seat in ("tablet", "clinician")]
    both: dict[str, list[str | None]] = {
        "tablet": ["clinician", "side1"],
        "clinician": ["tablet", "side1"],
        "side1": ["tablet", "clinician"],
    }
    house.bridge.plan("call", both)
    second = await house.peer("side1", more=3)
    await tablet.until(lambda: tablet.hears("2") and tablet.sees("1"))
    house.bridge.move("call", "side1", "clinician")
    await first.close()
    tablet.heard.clear()
    tablet.seen.clear()
    second.seen.clear()
    await tablet.until(lambda: tablet.hears("0") and tablet.sees("1"))
    await second.until(lambda: second.sees("1"))
    assert not tablet.hears("2"), "the seat at the side is empty"
    assert [one.seat for one in house.bridge.stats("call")] == ["tablet", "clinician"]
    assert not house.told(LegEventKind.CLOSED, "clinician")
    house.bridge.move("call", "side2", "clinician")  # nobody sits there: nothing happens
    assert len(house.bridge.stats("call")) == 2


async def test_a_test_call_hears_and_sees_itself(house: House) -> None:
    house.bridge.plan("call", {"tablet": ["tablet"]})
    tablet = await house.peer("tablet")
    await tablet.until(lambda: tablet.frames > 10 and tablet.loudest > 5000)


async def test_silence_is_noticed_and_the_return_too(house: House) -> None:
    tablet, _ = await house.peer("tablet"), await house.peer("clinician")
    await tablet.until(lambda: tablet.frames > 3)
    await tablet.close()
    await tablet.until(lambda: bool(house.told(LegEventKind.SILENT, "tablet")))
    await house.peer("tablet", "g2")
    await tablet.until(lambda: len(house.told(LegEventKind.FLOWING, "tablet")) >= 4)


async def test_a_leg_that_comes_back_is_shown_a_key_frame_at_once(house: House) -> None:
    tablet, clinician = await house.peer("tablet"), await house.peer("clinician")
    await tablet.until(lambda: tablet.frames > 3 and clinician.frames > 3)

    def asked(seat: str) -> int:
        return next(s for s in house.bridge.stats("call") if s.seat == seat).key_frames_asked

    before = asked("clinician")
    leg = house.bridge._calls["call"].seats["tablet"].leg
    assert leg is not None
    leg.silent = True  # as after two seconds without a packet; the next one ends it
    await tablet.until(lambda: bool(house.told(LegEventKind.RESUMED, "tablet")))
    await tablet.until(lambda: asked("clinician") > before)


async def test_a_wrong_fingerprint_gets_no_keys(house: House) -> None:
    tablet = Peer(house.bridge, "call", "tablet")
    house.peers.append(tablet)
    describe = house.bridge.describe

    def forged(call: str, seat: str, generation: str, description: str) -> str:
        wrong = re.sub(
            r"(a=fingerprint:\S+ )(\S\S)",
            lambda found: found[1] + ("FF" if found[2] == "00" else "00"),
            description,
        )
        return describe(call, seat, generation, wrong)

    house.bridge.describe = forged  # type: ignore[method-assign]
    await tablet.join()
    leg = house.bridge._calls["call"].seats["tablet"].leg
    assert leg is not None
    await tablet.until(lambda: leg.dropped["dtls-failed"] > 0)
    assert not house.told(LegEventKind.CONNECTED, "tablet")


async def test_an_ice_restart_gets_new_credentials_and_keeps_the_last_two(house: House) -> None:
    tablet = await house.peer("tablet")
    leg = house.bridge._calls["call"].seats["tablet"].leg
    assert leg is not None
    offer = tablet.pc.localDescription.sdp
    first = leg.newest
    answers = []
    for i in range(3):
        restarted = re.sub(r"a=ice-ufrag:\S+", f"a=ice-ufrag:new{i}", offer)
        answers.append(house.bridge.describe("call", "tablet", "g1", restarted))
    fragments = [re.search(r"a=ice-ufrag:(\S+)", a).group(1) for a in answers]  # type: ignore[union-attr]
    assert len({first.fragment, *fragments}) == 4
    assert list(leg.credentials) == fragments[-2:]
    again = house.bridge.describe("call", "tablet", "g1", restarted)
    assert f"a=ice-ufrag:{fragments[-1]}" in again, "a renegotiation is no restart"


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x00",
        b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12),
        b"\x00\x01\x00\x08\x21\x12\xa4\x42" + bytes(12) + b"\x00\x06\x00\x04ab:c",
        b"\x16\xfe\xff" + bytes(40),
        b"\x80" + bytes(40),
        b"\x90\xc8" + b"\xff" * 60,
        b"\xff" * 1400,
    ],
)
async def test_hostile_datagrams_are_dropped_and_get_no_answer(
    house: House, datagram: bytes
) -> None:
    tablet, clinician = await house.peer("tablet"), await house.peer("clinician")
    await clinician.until(lambda: clinician.frames > 3)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.setblocking(False)
        stranger.bind(("127.0.0.1", 0))
        before = house.bridge.totals().dropped
        for _ in range(20):
            stranger.sendto(datagram, ("127.0.0.1", house.bridge.port))
        if datagram:
            await tablet.until(
                lambda: sum(house.bridge.totals().dropped.values()) >= sum(before.values()) + 20
            )
        with pytest.raises(BlockingIOError):
            stranger.recv(100)
    seen = clinician.frames
    await clinician.until(lambda: clinician.frames > seen + 3)


@pytest.mark.parametrize(
    "description",
    [
        "",
        "v=0",
        "x" * 70000,
        "v=0\r\nm=audio x",
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
        "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 H264/90000\r\na=mid:0\r\n",
    ],
)
async def test_a_description_that_cannot_be_answered_changes_nothing(
    house: House, description: str
) -> None:
    with pytest.raises(BadDescription):
        house.bridge.describe("call", "tablet", "g1", description)
    assert house.bridge.totals().calls == 0


async def test_bounds_are_refused_and_running_calls_go_on(house: House) -> None:
    tablet = await house.peer("tablet")
    offer = tablet.pc.localDescription.sdp
    house.bridge.describe("call", "b", "g", offer)
    house.bridge.describe("call", "c", "g", offer)
    with pytest.raises(TooManyLegs):
        house.bridge.describe("call", "d", "g", offer)
    house.bridge.describe("second", "a", "g", offer)
    with pytest.raises(TooManyCalls):
        house.bridge.describe("third", "a", "g", offer)
    house.bridge.close_call("second")
    house.bridge.close_call("second")
    house.bridge.describe("third", "a", "g", offer)


async def test_a_taken_port_says_so() -> None:
    first = Bridge(BridgeSettings(addresses=("127.0.0.1",)), lambda _event: None)
    await first.start()
    second = Bridge(BridgeSettings(addresses=("127.0.0.1",), port=first.port), lambda _event: None)
    with pytest.raises(NoSocket):
        await second.start()
    await first.close()
    await second.start()
    await second.close()


async def test_fifty_calls_leave_nothing_behind(house: House) -> None:
    tablet = await house.peer("tablet")
    offer = tablet.pc.localDescription.sdp
    house.bridge.close_call("call")
    for i in range(50):
        house.bridge.describe(f"call-{i}", "tablet", "g", offer)
        house.bridge.describe(f"call-{i}", "clinician", "g", offer)
        house.bridge.close_call(f"call-{i}")
    assert house.bridge.totals().calls == 0
    assert house.bridge.totals().legs == 0
    assert not any(port.legs for port in house.bridge._sockets)
    async with asyncio.timeout(BOUND):
        await asyncio.sleep(0)


async def test_what_an_ended_call_kept_is_free_at_once_and_waits_for_no_collector(
    house: House,
) -> None:
    """Each leg keeps its last packets for repairs: a megabyte or two a call, for days."""
    tablet = await house.peer("tablet")
    offer = tablet.pc.localDescription.sdp
    bridge = house.bridge
    gc.collect()
    gc.disable()
    try:
        for seat in ("tablet", "clinician"):
            bridge.describe("other", seat, "g", offer)
        seats = bridge._calls["other"].seats.values()
        tracks = [track for seat in seats if seat.leg for track in seat.leg.up.values()]
        assert any(track.routes for track in tracks)
        kept = [weakref.ref(one) for one in (*tracks, *seats)]
        del tracks, seats
        bridge.close_call("other")
        assert [one() for one in kept if one() is not None] == []
    finally:
        gc.enable()
