"""A clock and a counter in the picture itself: how old is what is seen, and what was never seen?

The sending page's camera is replaced by a canvas on which the time of each frame (24 bits of ms)
and its number (16 bits) stand as large black and white fields, which survive every size and step;
coloured noise around them makes the picture as heavy as a real one. The receiving page reads them
off each decoded frame. Both are on this machine, so their clocks agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from playwright.async_api import Page

# Before anything else in the page that sends.
CAMERA = """(() => {
    const media = navigator.mediaDevices, real = media.getUserMedia.bind(media);
    media.getUserMedia = async (wanted) => {
        const stream = await real(wanted);
        const [camera] = stream.getVideoTracks();
        if (!camera) return stream;
        const canvas = document.createElement('canvas');
        canvas.width = 1280;
        canvas.height = 720;
        const pen = canvas.getContext('2d');
        let number = 0;
        const draw = () => {
            for (let at = 0; at < 150; at += 1) {
                pen.fillStyle = `hsl(${360 * Math.random()} 80% 50%)`;
                pen.fillRect(1280 * Math.random(), 720 * Math.random(), 32, 32);
            }
            const time = ((Date.now() & 0xFFFFFF) >>> 0).toString(2).padStart(24, '0');
            const bits = time + ((number += 1) & 0xFFFF).toString(2).padStart(16, '0');
            [...bits].forEach((bit, at) => {
                pen.fillStyle = bit === '1' ? '#fff' : '#000';
                pen.fillRect((at % 8) * 160 + 30, Math.floor(at / 8) * 144 + 22, 100, 100);
            });
        };
        draw();
        const ticking = setInterval(draw, 33);
        const [track] = canvas.captureStream(30).getVideoTracks();
        const stop = track.stop.bind(track);
        track.stop = () => { clearInterval(ticking); camera.stop(); stop(); };
        return new MediaStream([...stream.getAudioTracks(), track]);
    };
})();"""

# Since the last call of this: [age in ms, number] of each frame that was shown.
READ = """(video) => {
    const said = globalThis.clockSaid ?? [];
    globalThis.clockSaid = [];
    if (globalThis.clockReads) return said;
    globalThis.clockReads = true;
    const canvas = new OffscreenCanvas(160, 90);
    const pen = canvas.getContext('2d', { willReadFrequently: true });
    const frame = () => {
        video.requestVideoFrameCallback(frame);
        const now = Date.now();
        pen.drawImage(video, 0, 0, 160, 90);
        const { data } = pen.getImageData(0, 0, 160, 90);
        let bits = '';
        for (let at = 0; at < 40; at += 1) {
            const x = (at % 8) * 20 + 10, y = Math.floor(at / 8) * 18 + 9;
            bits += data[4 * (160 * y + x)] > 127 ? '1' : '0';
        }
        const age = (now - parseInt(bits.slice(0, 24), 2)) & 0xFFFFFF;
        globalThis.clockSaid.push([age, parseInt(bits.slice(24), 2)]);
    };
    video.requestVideoFrameCallback(frame);
    return said;
}"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A stretch of a picture. Ages from the canvas to the screen, in ms."""

    frames: int
    p50: float
    p95: float
    longest: float  # ms of the sender's time between two frames that were shown
    missing: int  # frames in between that never were


async def seen(page: Page, selector: str = "#remote-video") -> Seen:
    """What was shown since this was asked the last time."""
    told: list[list[Any]] = await page.locator(selector).evaluate(READ)
    ages = sorted(age for age, _ in told)
    numbers = [number for _, number in told]
    steps = [(b - a) & 0xFFFF for a, b in pairwise(numbers)]
    ahead = [step for step in steps if 0 < step < 1 << 15]
    if not ages:
        return Seen(0, 0.0, 0.0, 0.0, 0)
    return Seen(
        frames=len(told),
        p50=ages[len(ages) // 2],
        p95=ages[int(0.95 * (len(ages) - 1))],
        longest=33.0 * max(ahead, default=0),
        missing=sum(step - 1 for step in ahead),
    )
