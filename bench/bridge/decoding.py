"""A relay as one would write it with aiortc alone: every picture decoded and encoded again."""

from __future__ import annotations

import asyncio

import uvloop
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaRelay

from bench.bridge.lines import Asked, serve

relay = MediaRelay()


class Seat:
    """One browser's connection; what comes in is handed to the other one's senders."""

    def __init__(self) -> None:
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.tracks: dict[str, MediaStreamTrack] = {}
        self.partner: Seat | None = None
        self.pc.on("track", self._came)

    def _came(self, track: MediaStreamTrack) -> None:
        self.tracks[track.kind] = track
        self.link()

    def link(self) -> None:
        """Give our partner's senders what we have."""
        if self.partner is None:
            return
        for sender in self.partner.pc.getTransceivers():
            track = self.tracks.get(sender.kind)
            if track is not None and sender.sender.track is None:
                sender.sender.replaceTrack(relay.subscribe(track, buffered=False))


async def main() -> None:
    seats: dict[str, list[Seat]] = {}

    async def answer(asked: Asked) -> Asked:
        if asked["do"] != "join":
            return {"dropped": {}}
        seat = Seat()
        there = seats.setdefault(asked["call"], [])
        there.append(seat)
        await seat.pc.setRemoteDescription(RTCSessionDescription(asked["sdp"], "offer"))
        for one in seat.pc.getTransceivers():
            one.direction = "sendrecv"
        await seat.pc.setLocalDescription(await seat.pc.createAnswer())
        if len(there) == 2:
            there[0].partner, there[1].partner = there[1], there[0]
            there[0].link()
            there[1].link()
        return {"sdp": seat.pc.localDescription.sdp}

    await serve(answer)
    await asyncio.gather(*(one.pc.close() for pair in seats.values() for one in pair))


if __name__ == "__main__":
    uvloop.run(main())
