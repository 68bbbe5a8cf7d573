"""Measures the main job: press → ringing, accept → first decoded frame on each side, CPU of a call.

    make bench-first-light            five calls, then CPU over 20 s of the last one

Real browsers with fake cameras on one machine, so the numbers hold for the server and the pages,
not for a network. Run it on a quiet machine: it says how busy the rest of the machine was.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from playwright.async_api import Page, async_playwright

from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import Clinician, Officer, picture_moves, until

# Remembers when things happened, by the machine's clock, in milliseconds.
WATCH = """() => {
    const now = () => performance.timeOrigin + performance.now();
    globalThis.marks = {};
    const mark = (name) => { globalThis.marks[name] ??= now(); };
    for (const [name, id] of [['press', 'connect'], ['accept', 'accept']]) {
        document.getElementById(id)?.addEventListener('click', () => mark(name), { capture: true });
    }
    const offer = document.getElementById('offer');
    if (offer) {
        new MutationObserver(() => { if (!offer.hidden) mark('ring'); })
            .observe(offer, { attributes: true });
    }
    const video = document.getElementById('remote-video');
    video.requestVideoFrameCallback(() => mark('frame'));
}"""


@dataclass
class Figures:
    """Seconds, a value a call."""

    press_to_ring: list[float] = field(default_factory=list)
    accept_to_tablet: list[float] = field(default_factory=list)
    accept_to_console: list[float] = field(default_factory=list)


async def mark(page: Page, name: str) -> float:
    """When it happened, in seconds; waits for it."""
    value: float = await until(page, f"() => globalThis.marks?.{name}", seconds=20)
    return value / 1000


async def call(officer: Officer, clinician: Clinician, figures: Figures) -> None:
    """One call until both sides see each other."""
    for page in (officer.page, clinician.page):
        await page.evaluate(WATCH)
    await officer.press()
    await clinician.accept()
    pressed, rang = await mark(officer.page, "press"), await mark(clinician.page, "ring")
    accepted = await mark(clinician.page, "accept")
    figures.press_to_ring.append(rang - pressed)
    figures.accept_to_tablet.append(await mark(officer.page, "frame") - accepted)
    figures.accept_to_console.append(await mark(clinician.page, "frame") - accepted)
    for page in (officer.page, clinician.page):
        await picture_moves(page, "#remote-video")


async def hang_up(officer: Officer, clinician: Clinician) -> None:
    await officer.screen("call")
    await officer.end()
    await clinician.wrap_up("remain_in_place")
    await officer.record("remain_in_place")


async def processor(pid: int, seconds: float) -> dict[str, float]:
    """Share of one core that the server used, and the share of the machine that all others used."""
    server = psutil.Process(pid)
    before, all_before = server.cpu_times(), psutil.cpu_times()
    started = asyncio.get_running_loop().time()
    await asyncio.sleep(seconds)  # what is measured is this time, so there is nothing to wait for
    passed = asyncio.get_running_loop().time() - started
    after, all_after = server.cpu_times(), psutil.cpu_times()
    used = (after.user + after.system) - (before.user + before.system)
    total = sum(all_after) - sum(all_before)
    idle = all_after.idle - all_before.idle
    return {
        "server_percent_of_a_core": round(100 * used / passed, 1),
        "others_percent_of_the_machine": round(100 * (total - idle - used) / total, 1),
    }


def summary(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 3),
        "worst": round(max(values), 3),
        "calls": len(values),
    }


async def measure(demo: Demo, people: People, calls: int, seconds: float) -> dict[str, Any]:
    """All figures, as they are printed."""
    officer = Officer(await people.page("sam", size=(1024, 768)), demo.card["tablet"])
    clinician = Clinician(await people.page("dana"), demo.card["clinicians"][0])
    await clinician.arrive()
    await officer.enrol()
    figures = Figures()
    for number in range(calls):
        if number:
            await hang_up(officer, clinician)
        await call(officer, clinician, figures)
    load = await processor(demo.pid, seconds)
    looks = {
        name: await picture_moves(page, "#remote-video")
        for name, page in (("tablet", officer.page), ("console", clinician.page))
    }
    return {
        "press_to_ring_seconds": summary(figures.press_to_ring),
        "accept_to_first_frame_on_tablet_seconds": summary(figures.accept_to_tablet),
        "accept_to_first_frame_on_console_seconds": summary(figures.accept_to_console),
        "one_call": load
        | {f"{name}_sees": f"{look['width']}x{look['height']}" for name, look in looks.items()},
    }


async def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the main job.")
    parser.add_argument("--calls", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0, help="of CPU measurement")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        demo = Demo(Path(folder) / "data").start()
        try:
            async with async_playwright() as playwright:
                people = People(playwright, Path(folder) / "profiles")
                print(json.dumps(await measure(demo, people, args.calls, args.seconds), indent=2))
                await people.close_all()
        finally:
            demo.stop()


if __name__ == "__main__":
    asyncio.run(main())
