"""A server for these tests: the real pages over a real database, with a desk that only remembers.

The people are the demo's cast, and a second program, provider and agency beside it that must stay
out of sight.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.actors import Actor
from auth.errors import AuthError
from auth.passwords import hash_secret
from auth.tablets import make_enrolment
from auth.tokens import Tokens
from media import BridgeTotals, Relay
from oncall.facts import Rules
from records import clinicians, directory, offers, roster, schema, sessions
from records.clinicians import LicenceRow, Profile
from records.crypto import Vault
from records.engine import Database
from records.sessions import Event, NewSession, SessionRow
from signaling.errors import NoSuchSession
from signaling.hub import Hub, Stream
from signaling.post import Post
from signaling.rows import machine
from signaling.settings import Sensitive, Settings
from signaling.webhook_address import Reach
from web.app import create_app
from web.dev import cast as demo
from web.dev.seed import seed
from web.services import Services

NOW = 1_800_000_000.0
PASSWORD = "calm river under stars"
SECRET = "a secret of the tests, long enough to sign with"
XSS = "<script>alert(1)</script><img src=x onerror=alert(2)>"
ORIGIN = "https://bridge.example.org"
AWAY_MANAGER = demo.Member("per_amanda", "Amanda Away", "Amanda", "manager")
AWAY_SUPERVISOR = demo.Member("per_sven", f"Sven {XSS}", XSS, "supervisor")
AWAY_PEOPLE = (AWAY_MANAGER, AWAY_SUPERVISOR)
AWAY = {"agency_id": "agy_away", "provider_id": "prv_away", "program_id": "prg_away"}


class QuietDesk:
    """What the pages need of the desk, without a bridge; it remembers what it was told."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.ready = True
        self.draining = False
        self.dismissed: list[tuple[str, str]] = []
        self.changed: list[Actor] = []
        self.roles_of: list[str] = []
        self.roster_changes = 0
        self.screens = self
        self.rules = Rules()
        self.relay = Relay()
        self.audits = SimpleNamespace(cut=False)
        self.line = SimpleNamespace(wake=lambda: None)
        self.alarms: list[tuple[object, ...]] = []
        self.pager = SimpleNamespace(post=Post(), wake=lambda: None, raise_alarm=self._raise_alarm)
        self.courier = SimpleNamespace(reach=Reach(loopback=True), wake=lambda: None)
        self.now: Callable[[], float] = lambda: NOW
        self.vault: Vault | None = None
        self.bridge = SimpleNamespace(totals=lambda: BridgeTotals(1, 2, 3, 4, {"late": 5}))
        self.hub = Hub()
        self.typed_errors = (AuthError,)

    async def joined(self, stream: Stream, *, resumed: bool, back: bool) -> None:
        pass

    async def left(self, stream: Stream) -> None:
        pass

    async def _raise_alarm(self, *what: str, managers: bool = True) -> int:
        self.alarms.append((*what, managers))
        return 1

    async def dismiss_actor(self, actor_id: str, reason: str) -> None:
        self.dismissed.append((actor_id, reason))

    async def roles_changed(self, person_id: str) -> None:
        self.roles_of.append(person_id)

    @property
    def db(self) -> Database:
        return self._db

    def touch_console(self, _person_id: str) -> None:
        pass

    def roster_changed(self) -> None:
        self.roster_changes += 1

    def tablet_changed(self, actor: Actor) -> None:
        self.changed.append(actor)

    async def change(
        self, session_id: str, decide: Any, actor: tuple[str, str | None], beside: object = ()
    ) -> SessionRow:
        """A session's one step, as the real desk takes it."""

        async def write(conn: AsyncConnection) -> SessionRow:
            row = await sessions.get(conn, session_id)
            if row is None:
                raise NoSuchSession
            step = await decide(conn, row, self.now())
            events = [Event(e.kind, *actor, e.data) for e in step.events]
            return await sessions.apply(conn, row, step.changes, events, self.now())

        return await self._db.write(write)

    machine = staticmethod(machine)

    async def picture(self) -> Any:
        async with self._db.read() as conn:
            who = await directory.read(conn)
            await roster.entries(conn)
            await offers.open_offers(conn)
        return SimpleNamespace(
            directory=who,
            clinicians={one.id: SimpleNamespace(tier=1) for one in demo.CLINICIANS},
            tablets_online=frozenset({demo.UNIT_12.id}),
            ready_clinicians=lambda provider: 2 if provider == demo.PROVIDER_ID else 0,
        )


@dataclass
class Site:
    """The running pages and what a test needs of them."""

    client: TestClient[Any, Any]
    services: Services
    desk: QuietDesk
    clock: list[float] = field(default_factory=lambda: [NOW])

    async def csrf(self, path: str = "/sign-in") -> str:
        """A form token for whoever this browser is on that page."""
        text = await (await self.client.get(path)).text()
        found = re.search(r'"csrf": ?"([^"]+)"', text)
        assert found is not None, f"no form token on {path}"
        return found[1]

    async def post(
        self, path: str, data: Mapping[str, str | list[str]], page: str = "/sign-in", **headers: str
    ) -> ClientResponse:
        """Send a form as our own page does."""
        token = await self.csrf(page)
        return await self.client.post(
            path,
            data={"csrf": token, **data},
            headers={"Origin": ORIGIN, **headers},
            allow_redirects=False,
        )

    async def sign_in(self, member: demo.Member) -> None:
        form = {"email": member.email, "password": PASSWORD, "next": ""}
        response = await self.post("/sign-in", form)
        assert response.status == 303, await response.text()

    async def enrol(self, unit: demo.Unit = demo.UNIT_12, key: str | None = None) -> None:
        now = self.clock[0]
        code = await self.services.db.write(lambda conn: make_enrolment(conn, unit.id, now))
        response = await self.json("/api/v1/enrol", {"code": code, "key": key}, page="/enrol")
        assert response.status == 200, await response.text()

    async def json(self, path: str, body: object, page: str, **headers: str) -> ClientResponse:
        token = await self.csrf(page)
        return await self.client.post(
            path, json=body, headers={"Origin": ORIGIN, "X-CSRF-Token": token, **headers}
        )

    async def licensed(
        self, member: demo.Member, state: str | None, until: float | None = None
    ) -> None:
        """Put this one licence, or none, in the place of a clinician's."""
        mine = (LicenceRow("LPC-MH", state, "4102", until),) if state is not None else ()
        await self.services.db.write(
            lambda conn: clinicians.replace(conn, member.id, Profile(licences=mine))
        )

    async def session(self, **more: Any) -> SessionRow:
        """A session of Unit 12, closed, as the demo's people would leave it; `more` changes it."""
        changes: dict[str, Any] = {
            "state": "closed",
            "close_reason": "completed",
            "lead_id": demo.DANA.id,
            "alerted_at": NOW + 0.4,
            "accepted_at": NOW + 8.0,
            "media_at": NOW + 9.5,
            "ended_at": NOW + 1300,
            "closed_at": NOW + 1500,
            "recommended_disposition": "remain_in_place",
            "actual_disposition": "voluntary_transport",
            "difference_reason": "person_declined",
        } | more
        place = {
            key: changes.pop(key, own)
            for key, own in (
                ("agency_id", demo.AGENCY_ID),
                ("provider_id", demo.PROVIDER_ID),
                ("program_id", demo.PROGRAM_ID),
                ("tablet_id", demo.UNIT_12.id),
                ("officer_id", demo.SAM.id),
                ("press_key", f"press-{id(changes)}-{self.clock[0]}"),
                ("code", "482913"),
            )
        }
        pressed = changes.pop("pressed_at", NOW)
        test = changes.pop("test", False)

        async def write(conn: AsyncConnection) -> SessionRow:
            new = NewSession(shift_id=None, test=test, **place)
            row, _ = await sessions.create(conn, new, pressed)
            event = Event("offer.accepted", "person", demo.DANA.id, {"clinician": demo.DANA.id})
            return await sessions.apply(conn, row, changes, [event], pressed + 8)

        return await self.services.db.write(write)


async def fill(folder: Path, url: str) -> None:
    """The demo's cast in a fresh database, and the house next door."""
    db = Database(url)
    await db.start()
    Vault.from_key_file(folder / "records.key")
    await seed(db, PASSWORD, NOW)
    password_hash = await hash_secret(PASSWORD)
    await db.write(lambda conn: _away(conn, password_hash))
    await db.close()


def make_site(
    folder: Path, db: Database, origin: str = ORIGIN, **more: Any
) -> tuple[Services, QuietDesk, list[float]]:
    """Services over this started database, with a clock that the test moves."""
    clock = [NOW]
    desk = QuietDesk(db)
    desk.vault = Vault.from_key_file(folder / "records.key")
    desk.now = lambda: clock[0]
    chosen: dict[str, Any] = {"demo": True, "data_dir": folder, "cookie_secure": False, **more}
    settings = Settings(secret=Sensitive(SECRET), public_origins=(origin,), **chosen)
    services = Services(
        settings=settings,
        db=db,
        vault=Vault.from_key_file(folder / "records.key"),
        tokens=Tokens(SECRET),
        desk=cast(Any, desk),
        clock=lambda: clock[0],
    )
    return services, desk, clock


async def open_site(folder: Path, db: Database, **more: Any) -> Site:
    """The pages, served on a free port of this machine; close its client at the end."""
    services, desk, clock = make_site(folder, db, **more)
    client = TestClient(TestServer(create_app(services)))
    await client.start_server()
    return Site(client, services, desk, clock)


async def _away(conn: AsyncConnection, password_hash: str) -> None:
    await conn.execute(
        insert(schema.agency).values(
            id="agy_away",
            name=f"Away {XSS}",
            county="Elsewhere",
            state="ND",
            timezone="America/Denver",
            regional_line="605-555-0190",
            intake_tiles="[]",
        )
    )
    await conn.execute(
        insert(schema.provider).values(
            id="prv_away", name="Away", timezone="America/Denver", bridge_line="605-555-0191"
        )
    )
    await conn.execute(insert(schema.program).values(id="prg_away", name="Away"))
    await conn.execute(insert(schema.coverage).values(**AWAY))
    await conn.execute(
        insert(schema.tablet).values(id="tab_away", agency_id="agy_away", label="Unit 99")
    )
    for member in AWAY_PEOPLE:
        own = {"manager": "program_id", "supervisor": "provider_id", "clinician": "provider_id"}
        column = own[member.role]
        await conn.execute(
            insert(schema.person).values(
                id=member.id,
                name=member.name,
                short_name=member.short_name,
                email=member.email,
                password_hash=password_hash,
                **{column: AWAY[column]},
            )
        )
        await conn.execute(
            insert(schema.role_grant).values(person_id=member.id, role=member.role, granted_at=NOW)
        )
