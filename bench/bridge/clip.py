"""What the synthetic browsers send: a few seconds of real VP8 and Opus, encoded once, cut for RTP.

It must be real, because one of the servers that are measured decodes it.
"""

from __future__ import annotations

import fractions
import itertools
import math
import random
from array import array
from dataclasses import dataclass, field

import av

FRAMES_A_SECOND = 30
SECONDS = 4
LONGEST = 1_100  # bytes of a payload
GRAIN = 32  # shades of grey; with this much the encoder uses its bit rate, and no more
TAIL = 12  # bytes by which a payload is known again


@dataclass(frozen=True, slots=True)
class Clip:
    """Payloads: of the picture by frame, the first one a key frame; of the sound by 20 ms."""

    frames: list[list[bytes]]
    sounds: list[bytes]
    # the end of a payload -> which one it is, where that is certain
    places: dict[bytes, int] = field(default_factory=dict)
    offsets: list[int] = field(default_factory=list)  # of each frame's first payload; then sound's

    def __post_init__(self) -> None:
        self.offsets[:] = itertools.accumulate((len(one) for one in self.frames), initial=0)
        twice: set[bytes] = set()
        payloads = [*(each for frame in self.frames for each in frame), *self.sounds]
        for number, payload in enumerate(payloads):
            tail = payload[-TAIL:]
            if tail in self.places:
                twice.add(tail)
            self.places[tail] = number
        for tail in twice:
            del self.places[tail]


def make(bitrate: int, width: int = 1280, height: int = 720) -> Clip:
    """Encode the clip, `bitrate` in bit/s for the picture."""
    return Clip(_picture(bitrate, width, height), _sound())


def _picture(bitrate: int, width: int, height: int) -> list[list[bytes]]:
    encoder = av.CodecContext.create("libvpx", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.bit_rate = bitrate
    encoder.time_base = fractions.Fraction(1, FRAMES_A_SECOND)
    encoder.gop_size = 3000  # one key frame, at the beginning
    encoder.options = {
        "deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0",
        "minrate": str(bitrate), "maxrate": str(bitrate), "bufsize": str(bitrate // 2),
    }  # fmt: skip
    dice = random.Random(1)
    faint = bytes(128 + (b * GRAIN >> 8) - GRAIN // 2 for b in range(256))
    noise = dice.randbytes(width * height).translate(faint)
    frames: list[list[bytes]] = []
    for number in range(SECONDS * FRAMES_A_SECOND):
        frame = av.VideoFrame(width, height, "yuv420p")
        light, *colours = frame.planes
        # a grain that moves
        shift = dice.randrange(width * height)
        grain = noise[shift:] + noise[:shift]
        light.update((grain * 2)[: light.buffer_size])
        for plane in colours:
            plane.update(bytes([128]) * plane.buffer_size)
        frame.pts = number
        frames += [_packets(bytes(packet)) for packet in encoder.encode(frame)]
    return frames


def _packets(frame: bytes) -> list[bytes]:
    """RFC 7741, the one-byte descriptor: S marks the first packet of a frame."""
    pieces = [frame[at : at + LONGEST] for at in range(0, len(frame), LONGEST)]
    return [(b"\x00" if number else b"\x10") + piece for number, piece in enumerate(pieces)]


def _sound() -> list[bytes]:
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.bit_rate = 48_000, 32_000
    encoder.layout, encoder.format = "mono", "s16"
    encoder.time_base = fractions.Fraction(1, 48_000)
    dice = random.Random(2)
    packets: list[bytes] = []
    for number in range(SECONDS * 50):
        frame = av.AudioFrame(format="s16", layout="mono", samples=960)
        wave = (
            int(9_000 * math.sin((number * 960 + i) / 17.0) + dice.randrange(-3_000, 3_000))
            for i in range(960)
        )
        frame.planes[0].update(array("h", wave).tobytes())
        frame.pts, frame.sample_rate = number * 960, 48_000
        frame.time_base = encoder.time_base
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return packets
