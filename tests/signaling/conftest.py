"""A desk on a real database, behind a real WebSocket, with the cast; only the bridge is played."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from auth.actors import Actor
from media import Bridge, LegEvent, LegEventKind, LegStats
from oncall.policy import Rules
from records.crypto import Vault
from records.engine import Database
from signaling.cluster import Shared
from signaling.desk import Desk
from signaling.polling import Polling
from signaling.socket import socket_handler
from tests.signaling.pages import Page
from tests.signaling.polled import by_polling
from tests.signaling.seeded import prepare
from web.dev.cast import AGENCY_ID, PROVIDER_ID

START = 1_700_000_000.0


class Clock:
    """Time that a test moves; the desk reads it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class PlayedBridge:
    """The bridge's side of the contract, moved by the test."""

    on_event: Callable[[LegEvent], None]
    legs: dict[tuple[str, str], str] = field(default_factory=dict)
    left: list[tuple[str, str]] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    plans: dict[str, Any] = field(default_factory=dict)
    withheld: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    quiet: dict[tuple[str, str], bool] = field(default_factory=dict)
    moved: list[tuple[str, str, str]] = field(default_factory=list)
    measured: dict[str, list[LegStats]] = field(default_factory=dict)

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def answer(self, call: str, seat: str, generation: str, description: str) -> str:
        self.legs[call, seat] = generation
        return f"answer to {description}"

    def plan(self, call: str, hears: Any, sees: Any = None) -> None:
        self.plans[call] = hears

    def withhold(self, call: str, seat: str, kinds: Collection[str], *, quiet: bool) -> None:
        self.withheld[call, seat] = set(kinds)
        self.quiet[call, seat] = quiet

    def move(self, call: str, seat: str, to: str) -> None:
        self.legs[call, to] = self.legs.pop((call, seat))
        self.moved.append((call, seat, to))

    def leave(self, call: str, seat: str, generation: str | None = None) -> None:
        self.legs.pop((call, seat), None)
        self.left.append((call, seat))

    def close_call(self, call: str) -> None:
        self.closed.append(call)

    def calls(self) -> list[str]:
        return list(self.measured)

    def stats(self, call: str) -> list[LegStats]:
        return self.measured.get(call, [])

    def tell(self, call: str, seat: str, kind: LegEventKind, medium: str | None = None) -> None:
        self.on_event(LegEvent(call, seat, self.legs[call, seat], kind, medium))

    def flow(self, call: str, seat: str) -> None:
        self.tell(call, seat, LegEventKind.CONNECTED)
        self.tell(call, seat, LegEventKind.FLOWING, "audio")


ACTORS = {
    "tablet": Actor(
        "tablet",
        "tab_unit12",
        "Unit 12",
        "Unit 12",
        frozenset({"tablet"}),
        agency_id=AGENCY_ID,
        officer_id="per_sam",
    ),
    "elsewhere": Actor(
        "tablet",
        "tab_unit14",
        "Unit 14",
        "Unit 14",
        frozenset({"tablet"}),
        agency_id=AGENCY_ID,
        officer_id="per_jo",
    ),
    **{
        name: Actor(
            "person",
            f"per_{name}",
            name.title(),
            name.title(),
            frozenset({"clinician"}),
            provider_id=PROVIDER_ID,
        )
        for name in ("dana", "miguel", "priya")
    },
    "ada": Actor(
        "person",
        "per_ada",
        "Ada",
        "Ada",
        frozenset({"supervisor"}),
        provider_id=PROVIDER_ID,
    ),
    "stranger": Actor(
        "person",
        "per_stranger",
        "Stranger",
        "Stranger",
        frozenset({"clinician"}),
        provider_id="prv_other",
    ),
    "lena": Actor(
        "person",
        "per_lena",
        "Lena",
        "Lena",
        frozenset({"manager"}),
        program_id="prg_prairie",
    ),
}


@dataclass
class House:
    """One running desk and its pages."""

    desk: Desk
    db: Database
    clock: Clock
    bridge: PlayedBridge
    url: str
    http: aiohttp.ClientSession
    welcome: set[str] = field(default_factory=lambda: set(ACTORS))
    pages: list[Page] = field(default_factory=list)

    async def page(self, who: str) -> Page:
        kind = "tablet" if who in {"tablet", "elsewhere"} else "console"
        if ACTORS[who].kind == "guest":
            kind = "guest"
        page = Page(self.http, self.url, kind, who)
        self.pages.append(page)
        return await page.open()

    async def poll_page(self, who: str) -> Page:
        """A page whose network lets no WebSocket through."""
        kind = "tablet" if who == "tablet" else "console"
        page = Page(by_polling(self.http), self.url, kind, who)
        self.pages.append(page)
        return await page.open()

    async def pressed(self, tablet: Page, key: str = "k" * 20) -> str:
        return str((await tablet.send("session.open", key=key))["session"])

    async def in_call(self, tablet: Page, console: Page) -> tuple[str, int]:
        """Press, ring, accept, media both ways; the session's id and epoch."""
        session = await self.pressed(tablet)
        offer = await self.rung(console)
        accepted = await console.send("offer.accept", offer=offer["offer"], token=offer["token"])
        for page, seat in ((tablet, "tablet"), (console, "clinician")):
            await page.send(
                "media.describe",
                session=session,
                epoch=accepted["epoch"],
                generation=f"g-{seat}",
                description="v=0",
            )
            self.bridge.flow(session, seat)
        await console.until_view(lambda v: v["session"] and v["session"]["state"] == "connected")
        return session, int(accepted["epoch"])

    async def rung(self, console: Page) -> dict[str, Any]:
        """The console shows an offer, and says so."""
        view = await console.until_view(lambda v: v["offers"])
        offer = cast("dict[str, Any]", view["offers"][0])
        await console.send("offer.delivered", offer=offer["offer"])
        return offer


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(f"sqlite:///{tmp_path}/bridge.db", tmp_path) as made:
        yield made


@asynccontextmanager
async def a_house(
    url: str, tmp_path: Path, clock: Clock | None = None, shared: Shared | None = None
) -> AsyncIterator[House]:
    """A desk with the cast, on the database at `url`; `shared` with others on the same one."""
    if clock is None:
        await prepare(url, START - 3600)
    db = Database(url)
    await db.start()
    clock = clock or Clock()
    played: list[PlayedBridge] = []
    welcome: set[str] = {actor.id for actor in ACTORS.values()}

    def bridge_of(on_event: Callable[[LegEvent], None]) -> Bridge:
        played.append(PlayedBridge(on_event))
        return cast("Bridge", played[0])

    async def still_welcome(_conn: object, actors: Sequence[Actor]) -> set[Actor]:
        return {actor for actor in actors if actor.id in welcome}

    async def authenticate(request: web.Request, _hello: object, _ask: object) -> Actor:
        return ACTORS[request.headers["X-Test-Actor"]]

    vault = Vault.from_key_file(tmp_path / "key")
    rules = Rules(deliver_seconds=1e6)
    desk = Desk(db, vault, bridge_of, clock, still_welcome, rules, shared)
    app = web.Application()
    app.router.add_get(
        "/ws",
        socket_handler(desk, authenticate, lambda r: r.headers.get("Origin") == "http://test"),
    )
    polling = Polling(desk, authenticate, lambda r: r.headers.get("Origin") == "http://test")
    app.router.add_post("/poll", polling.handler)
    await desk.start()
    server = TestServer(app)
    await server.start_server()
    async with aiohttp.ClientSession() as http:
        made = House(desk, db, clock, played[0], str(server.make_url("/ws")), http, welcome)
        yield made
        for page in made.pages:
            await page.drop()
    await polling.close()
    await desk.close()
    await server.close()
    await db.close()
