"""Something like speech for a fake microphone, and how much of it arrives.

The energy of what is heard, over time, is compared with that of what was said: whoever can follow
the syllables can follow the words.
"""

from __future__ import annotations

import array
import math
import random
import wave
from collections.abc import Sequence
from pathlib import Path

from playwright.async_api import Page

RATE = 48_000
STEP = 0.02  # seconds of one energy
LOOP_STEPS = 350  # the microphone says it again and again
# Energies of what an element plays, one each 20 ms, for so many milliseconds.
ENERGIES = """async (element, [step, length]) => {
    const context = new AudioContext();
    const source = context.createMediaStreamSource(element.srcObject);
    const look = context.createAnalyser();
    look.fftSize = 1024;
    source.connect(look);
    const samples = new Float32Array(look.fftSize);
    const found = [];
    const begun = performance.now();
    while (performance.now() - begun < length) {
        await new Promise((done) => setTimeout(done, 4));
        const at = Math.floor((performance.now() - begun) / step);
        if (at < found.length) continue;
        look.getFloatTimeDomainData(samples);
        const energy = samples.reduce((sum, one) => sum + one * one, 0) / samples.length;
        while (found.length <= at) found.push(energy);
    }
    await context.close();
    return found;
}"""


def said(speaker: int) -> list[float]:
    """Loudness of each 20 ms of what this one says: syllables of 80 to 300 ms, pauses between them,
    and longer ones between sentences."""
    dice = random.Random(speaker)
    steps: list[float] = []
    while len(steps) < LOOP_STEPS:
        steps += [dice.uniform(0.15, 0.7)] * dice.randrange(4, 16)
        steps += [0.0] * (dice.randrange(15, 30) if dice.random() < 0.15 else dice.randrange(3, 8))
    return steps[:LOOP_STEPS]


def write(path: Path, speaker: int) -> None:
    """What this one says, for Chromium's fake microphone: a voice's pitch and its overtones."""
    samples = array.array("h")
    pitch, phase = random.Random(speaker), 0.0
    for loudness in said(speaker):
        tone = pitch.uniform(110, 150)
        for _ in range(int(RATE * STEP)):
            phase += 2 * math.pi * tone / RATE
            voice = sum(math.sin(n * phase) / n for n in range(1, 12))
            samples.append(int(32_767 * 0.45 * loudness * voice))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())


async def heard_energies(page: Page, selector: str, seconds: float) -> list[float]:
    """What an element plays from now on: an energy each 20 ms."""
    found: list[float] = await page.locator(selector).evaluate(
        ENERGIES, [1000 * STEP, 1000 * seconds]
    )
    return found


def likeness(energies: Sequence[float], speaker: int) -> float:
    """Correlation of the energies heard with those said, at the delay at which it is highest."""
    source = _smooth([loudness**2 for loudness in said(speaker)])
    heard = _smooth(energies)
    return max(
        _correlation(heard, [source[(at + n) % LOOP_STEPS] for n in range(len(heard))])
        for at in range(LOOP_STEPS)
    )


def _smooth(values: Sequence[float]) -> list[float]:
    """Over three steps: a sixteenth of a second, less than a syllable."""
    return [
        sum(values[max(0, at - 1) : at + 2]) / len(values[max(0, at - 1) : at + 2])
        for at in range(len(values))
    ]


def _correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Pearson's; 0 for what never changes."""
    middle, across = sum(one) / len(one), sum(other) / len(other)
    both = sum((a - middle) * (b - across) for a, b in zip(one, other, strict=True))
    spread = math.sqrt(sum((a - middle) ** 2 for a in one) * sum((b - across) ** 2 for b in other))
    return both / spread if spread else 0.0
