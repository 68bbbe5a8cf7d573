"""Synthetic browsers: aiortc peers, another implementation of ICE, DTLS, RTP and SRTP."""

from __future__ import annotations

import array
import asyncio
import fractions
import math
from collections.abc import Callable
from typing import cast

import av
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

from media import Forwarding

BOUND = 15.0


class Bars(VideoStreamTrack):
    """A picture that changes with every frame; its shade says which one it is."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    async def recv(self) -> av.VideoFrame:
        pts, base = await self.next_timestamp()
        self.count += 1
        shade = (self.count * 4) % 256
        frame = av.VideoFrame(160, 120, "yuv420p")
        for plane, value in zip(frame.planes, (shade, 128, 128), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        frame.pts, frame.time_base = pts, base
        return frame


class Tone(AudioStreamTrack):
    """A loud 440 Hz tone."""

    async def recv(self) -> av.AudioFrame:
        silent = cast("av.AudioFrame", await super().recv())
        pts = silent.pts or 0
        step = 2 * math.pi * 440 / silent.sample_rate
        wave = (int(20000 * math.sin(step * (pts + i))) for i in range(silent.samples))
        frame = av.AudioFrame(format="s16", layout="mono", samples=silent.samples)
        frame.planes[0].update(array.array("h", wave).tobytes())
        frame.sample_rate = silent.sample_rate
        frame.pts = pts
        frame.time_base = fractions.Fraction(1, silent.sample_rate)
        return frame


class Peer:
    """One browser in one seat, that counts what it decodes."""

    def __init__(self, bridge: Forwarding, call: str, seat: str, generation: str = "g1") -> None:
        self.bridge, self.call, self.seat, self.generation = bridge, call, seat, generation
        self.pc = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self.frames = 0
        self.shades: list[int] = []
        self.loudest = 0.0
        self.heard: dict[str, float] = {}  # loudest sample by mid
        self.seen: dict[str, int] = {}  # frames by mid
        self._tasks: list[asyncio.Task[None]] = []
        self.pc.on("track", self._on_track)

    def _on_track(self, track: MediaStreamTrack) -> None:
        self._tasks.append(asyncio.ensure_future(self._consume(track)))

    async def _consume(self, track: MediaStreamTrack) -> None:
        while True:
            frame = await track.recv()
            if isinstance(frame, av.VideoFrame):
                self.frames += 1
                mid = self._mid(track)
                self.seen[mid] = self.seen.get(mid, 0) + 1
                plane = frame.planes[0]
                self.shades.append(bytes(plane)[60 * plane.line_size + 80])
            elif isinstance(frame, av.AudioFrame):
                samples = array.array("h", bytes(frame.planes[0]))
                loudest = float(max(map(abs, samples)))
                self.loudest = max(self.loudest, loudest)
                mid = self._mid(track)
                self.heard[mid] = max(self.heard.get(mid, 0.0), loudest)

    def _mid(self, track: MediaStreamTrack) -> str:
        return str(next(t.mid for t in self.pc.getTransceivers() if t.receiver.track is track))

    def hears(self, mid: str) -> bool:
        return self.heard.get(mid, 0.0) > 5000

    def sees(self, mid: str) -> bool:
        return self.seen.get(mid, 0) > 5

    async def join(self, *, video: bool = True, more: int = 0) -> str:
        """Describe this peer to the bridge, and connect; gives the bridge's answer."""
        answer = await self.describe(video=video, more=more)
        await self.connect(answer)
        return answer

    async def describe(self, *, video: bool = True, more: int = 0) -> str:
        """Describe this peer to the bridge; gives the bridge's answer."""
        self.pc.addTrack(Tone())
        if video:
            self.pc.addTrack(Bars())
            codecs = RTCRtpSender.getCapabilities("video").codecs
            vp8 = [c for c in codecs if c.mimeType.lower() in {"video/vp8", "video/rtx"}]
            self.pc.getTransceivers()[1].setCodecPreferences(vp8)
        for kind in ("audio", "video"):
            for _ in range(more):
                extra = self.pc.addTransceiver(kind, direction="recvonly")
                if kind == "video":
                    extra.setCodecPreferences(vp8)
        await self.pc.setLocalDescription(await self.pc.createOffer())
        answer = await self.bridge.answer(
            self.call, self.seat, self.generation, self.pc.localDescription.sdp
        )
        return answer

    async def connect(self, answer: str) -> None:
        """Take the bridge's answer: from now on the peer looks for its way."""
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(BOUND):
            while not true():
                await asyncio.sleep(0.02)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.pc.close()
