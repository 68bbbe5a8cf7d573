"""A call between real browsers over a network that a test makes worse."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from signaling.addresses import of_this_machine
from tests.journeys import frame_clock, hosts
from tests.journeys.chromium import People
from tests.journeys.harness import Demo, free_port
from tests.journeys.hosts import Host, Net
from tests.journeys.steps import Clinician, Officer, picture_moves, until
from tests.media.impaired import Network, impaired

BRIDGE = "127.0.0.1"
TOLD = next(iter(of_this_machine()), "127.0.0.2")  # browsers send to loopback only if they must

# Since the last call of this: the longest time without a new picture (ms), and how many came.
GAPS = """(video) => {
    const known = globalThis.gaps;
    const now = performance.now();
    const longest = known ? Math.max(known.longest, now - known.at) : 0;
    const said = known ? { longest, pictures: known.pictures } : null;
    const mine = globalThis.gaps = { longest: 0, at: now, pictures: 0 };
    const frame = () => {
        if (globalThis.gaps !== mine) return;
        const at = performance.now();
        mine.longest = Math.max(mine.longest, at - mine.at);
        mine.at = at;
        mine.pictures += 1;
        video.requestVideoFrameCallback(frame);
    };
    video.requestVideoFrameCallback(frame);
    return said;
}"""
# Whether a side sends a moving picture now.
MOVES = "() => ['720p', '360p', '180p'].includes(document.querySelector('#self-view').dataset.step)"
WIDE = "() => ['720p', '360p'].includes(document.querySelector('#self-view').dataset.step)"
NEXT = """([selector, before]) => {
    const now = Number(document.querySelector(selector).dataset.frames ?? 0);
    return now > before + 5 && now;
}"""


def free_on_both() -> int:
    """A UDP port that is free on both addresses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((BRIDGE, 0))
        port: int = one.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((TOLD, port))
        return port


class Call:
    """A running call over a network that the test makes worse."""

    def __init__(
        self, network: Network, rebind: Callable[[], None], tablet: Page, desk: Page
    ) -> None:
        self.network, self.tablet, self.desk = network, tablet, desk
        #: the tablet's and the clinician's, where they have hosts of their own
        self.host: Host | None = None
        self.office: Host | None = None
        self.rebind = rebind  # a router forgets: from another address, and nobody is told
        self.measured: dict[str, Any] = {}

    async def visitor(self, people: People, who: str) -> Page:
        """Somebody else's page, beside the clinician's."""
        return await (on(self.office, people, who) if self.office else people.page(who))

    async def gaps(self) -> list[dict[str, float] | None]:
        """Of both sides, since the last time that this was asked."""
        found = [
            await page.locator("#remote-video").evaluate(GAPS) for page in (self.tablet, self.desk)
        ]
        return found

    async def seen(self) -> list[frame_clock.Seen]:
        """How old what both sides saw was, and what they never saw, since this was asked last."""
        return [await frame_clock.seen(page) for page in (self.tablet, self.desk)]

    async def both_move(self, seconds: float) -> list[float]:
        """New pictures on both sides; how long that took, in seconds."""
        return list(
            await asyncio.gather(*(self._moves(page, seconds) for page in (self.tablet, self.desk)))
        )

    async def _moves(self, page: Page, seconds: float) -> float:
        begun = time.monotonic()
        before = int(await page.locator("#remote-video").get_attribute("data-frames") or 0)
        await until(page, NEXT, ["#remote-video", before], seconds)
        return round(time.monotonic() - begun, 2)

    async def both(self, function: str, argument: object = None, seconds: float = 60) -> None:
        """Until it is true on both sides."""
        pages = (self.tablet, self.desk)
        await asyncio.gather(*(until(page, function, argument, seconds) for page in pages))

    def note(self, what: str, value: object) -> None:
        """For people who look at the figures; only where a folder is named."""
        self.measured[what] = value
        if folder := os.environ.get("JOURNEY_PICTURES"):
            (Path(folder) / "rough.json").write_text(
                json.dumps(self.measured, indent=2, default=asdict)
            )


@asynccontextmanager
async def rough_call(
    demo: Demo,
    people: People,
    flags: tuple[Sequence[str], Sequence[str]] = ((), ()),
    *,
    clock: bool = False,
    ipv6: bool = False,
) -> AsyncIterator[Call]:
    """A running call over a bad network of our own: all of it, where this machine lets us make
    hosts, and otherwise its sound and picture.

    `flags`: of the tablet's browser, and of the clinician's; `clock`: with a clock in the pictures;
    `ipv6`: sound and picture go by that alone, among hosts.
    """
    between = partial(_between_hosts, ipv6=ipv6)
    way = between if hosts.possible() else _on_one_host
    async with way(demo, people, flags) as call:
        if clock:
            for page in (call.tablet, call.desk):
                await page.add_init_script(frame_clock.CAMERA)
        officer = Officer(call.tablet, demo.card["tablet"])
        dana = Clinician(call.desk, demo.card["clinicians"][0])
        await officer.enrol()
        await dana.arrive()
        await officer.press()
        await dana.accept()
        await picture_moves(call.tablet, "#remote-video")
        await picture_moves(call.desk, "#remote-video")
        if call.network.passed <= 100:
            raise AssertionError("the call does not go through this network")
        yield call


@asynccontextmanager
async def on_a_host(
    demo: Demo, settings: Callable[[Net], dict[str, str]] = lambda net: {}
) -> AsyncIterator[Net]:
    """The demo on a host of its own, reached over TLS; `settings` of it, once the net is there."""
    async with hosts.network(demo.folder.parent) as net:
        port = free_port()
        demo.arguments = ("--https", "--https-port", str(port))
        demo.namespace = net.server.namespace
        demo.settings = settings(net)
        await asyncio.to_thread(demo.start)
        here = f"https://{net.server.address}:{port}"
        demo.card = json.loads(json.dumps(demo.card).replace(demo.base_url, here))
        yield net


async def on(
    host: Host, people: People, who: str, flags: Sequence[str] = (), **options: Any
) -> Page:
    """A page in the browser of `who`, which runs on this host."""
    flags = [*flags, "--ignore-certificate-errors"]  # the demo made its own
    return await people.page(who, flags=flags, host=host, ignore_https_errors=True, **options)


@asynccontextmanager
async def _between_hosts(
    demo: Demo, people: People, flags: tuple[Sequence[str], Sequence[str]], *, ipv6: bool
) -> AsyncIterator[Call]:
    def settings(net: Net) -> dict[str, str]:
        return {"CRISISBRIDGE_MEDIA_ADDRESSES": net.server.address_6} if ipv6 else {}

    async with on_a_host(demo, settings) as net:
        host, office = net.host("tablet"), net.host("office")
        tablet = await on(host, people, "sam", flags[0], size=(1024, 768))
        desk = await on(office, people, "dana", flags[1])
        call = Call(net.network, host.rebind, tablet, desk)
        call.host, call.office = host, office
        yield call
        await people.close_all()


@asynccontextmanager
async def _on_one_host(
    demo: Demo, people: People, flags: tuple[Sequence[str], Sequence[str]]
) -> AsyncIterator[Call]:
    port = free_on_both()
    demo.settings = {
        "CRISISBRIDGE_MEDIA_ADDRESSES": BRIDGE,
        "CRISISBRIDGE_MEDIA_PUBLIC_ADDRESSES": TOLD,
        "CRISISBRIDGE_MEDIA_PORT": str(port),
    }
    async with impaired((TOLD, port), (BRIDGE, port)) as front:
        await asyncio.to_thread(demo.start)
        tablet = await people.page("sam", size=(1024, 768), flags=flags[0])
        desk = await people.page("dana", flags=flags[1])
        yield Call(front.network, front.rebind, tablet, desk)
