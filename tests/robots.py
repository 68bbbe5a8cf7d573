"""People without browsers: scripted officers and clinicians on real sockets of a real server.

Used by the tests of several processes, by the history checker and by the bench. Three layers, each
usable alone:

* `Page` speaks the protocol: numbered commands, the newest snapshot, all other messages.
* `Badge` is a sign-in or an enrolment as cookies: by HTTP (`sign_in`, `enrol`), or for very many
  people straight from the database (`staff`).
* `Officer` and `Clinician` behave: they beat, come back when a socket breaks (to the next address
  of several), acknowledge offers, and write down what they saw in a `History`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import aiohttp
from sqlalchemy import insert

from auth.tablets import _token_id
from auth.tokens import Tokens
from records import schema
from records.engine import Database
from web.dev import cast

BOUND = 15.0  # seconds that any condition may take on a busy machine
BACK_SECONDS = 0.3  # between two tries to come back
PROTOCOL = 1
GONE = (aiohttp.ClientError, ConnectionError, OSError, TimeoutError)


class Refused(Exception):
    """The server answered with an error."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        super().__init__(body["code"])
        self.code: str = body["code"]
        self.data: dict[str, Any] = dict(body.get("data", {}))


class Lost(Exception):
    """The socket ended before the answer came: it may have happened or not."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that one robot did or saw. `at` is monotonic, the same clock for all robots."""

    at: float
    who: str
    what: str
    data: Mapping[str, Any]


@dataclass
class History:
    """Everything that all robots did and saw, in the order in which it happened here.

    what: `sent`, `answered`, `refused`, `lost` (a command and its fate: `kind`, `fields`, and
    `data` or `code`); `offer`, `gone` (a ring and its end); `session` (a session's state as this
    page shows it: `session`, `state`, `epoch`, `role`); `open`, `closed` (the socket).
    """

    moments: list[Moment] = field(default_factory=list)

    def add(self, who: str, what: str, **data: Any) -> None:
        self.moments.append(Moment(time.monotonic(), who, what, data))

    def of(self, what: str, who: str | None = None) -> list[Moment]:
        return [m for m in self.moments if m.what == what and who in (None, m.who)]


@dataclass(frozen=True, slots=True)
class Badge:
    """Who somebody is, as the cookies that prove it to any server of the same installation."""

    name: str
    page: str  # tablet | console
    cookies: Mapping[str, str]

    @property
    def header(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}


def open_http() -> aiohttp.ClientSession:
    """An HTTP client for any number of robots: it keeps no cookies of its own."""
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=0)
    )


async def sign_in(
    http: aiohttp.ClientSession, base: str, email: str, password: str, name: str | None = None
) -> Badge:
    """Sign in by the form, as a browser does."""
    holder, csrf = await _form(http, f"{base}/sign-in")
    async with http.post(
        f"{base}/sign-in",
        data={"csrf": csrf, "email": email, "password": password, "next": ""},
        headers={"Origin": base, **_cookie(holder)},
        allow_redirects=False,
    ) as answer:
        given = _given(answer)
        if answer.status not in (302, 303) or not any("cb_login" in name for name in given):
            raise AssertionError(f"signing in gave {answer.status}")
    return Badge(name or email.partition("@")[0], "console", given)


async def enrol(http: aiohttp.ClientSession, base: str, code: str, name: str) -> Badge:
    """Make this robot the tablet of an enrolment code."""
    holder, csrf = await _form(http, f"{base}/enrol")
    async with http.post(
        f"{base}/api/v1/enrol",
        json={"code": code},
        headers={"Origin": base, "X-CSRF-Token": csrf, **_cookie(holder)},
    ) as answer:
        if answer.status != 200:
            raise AssertionError(f"enrolling gave {answer.status}: {await answer.text()}")
        return Badge(name, "tablet", _given(answer))


async def _form(http: aiohttp.ClientSession, url: str) -> tuple[dict[str, str], str]:
    async with http.get(url) as answer:
        text = await answer.text()
        found = re.search(r'name="csrf"[^>]*value="([^"]+)"', text)
        if found is None:
            raise AssertionError(f"{url} shows no form")
        return _given(answer), found.group(1)


def _given(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {name: morsel.value for name, morsel in answer.cookies.items() if morsel.value}


def _cookie(cookies: Mapping[str, str]) -> dict[str, str]:
    return Badge("", "", cookies).header


async def staff(
    db: Database, secret: str, *, officers: int, clinicians: int, now: float
) -> tuple[list[Badge], list[Badge]]:
    """Many tablets on shift and clinicians of the first tier, with badges, beside the cast.

    Written straight into a database that holds the cast (`web.dev.seed`): signing a thousand
    people in by password would measure the password hash. Cookies are those of plain HTTP.
    """
    tokens = Tokens(secret)
    later = now + 30 * 86400
    tablets = [Badge(f"unit-{i:04d}", "tablet", {}) for i in range(officers)]
    people = [Badge(f"clin-{i:04d}", "console", {}) for i in range(clinicians)]

    async def write(conn: Any) -> None:
        for badge in tablets:
            number = badge.name.removeprefix("unit-")
            officer = {
                "id": f"per_off{number}",
                "name": f"Officer {number}",
                "short_name": f"O{number}",
                "email": f"officer{number}@robots.invalid",
                "agency_id": cast.AGENCY_ID,
                "demo": True,
            }
            tablet = {
                "id": f"tab_{number}",
                "agency_id": cast.AGENCY_ID,
                "label": f"Unit R{number}",
                "credential": 1,
                "enrolled_at": now,
                "demo": True,
            }
            shift = {
                "id": f"shf_{number}",
                "tablet_id": f"tab_{number}",
                "person_id": f"per_off{number}",
                "started_at": now,
            }
            role = {"person_id": f"per_off{number}", "role": "officer", "granted_at": now}
            await conn.execute(insert(schema.person).values(officer))
            await conn.execute(insert(schema.role_grant).values(role))
            await conn.execute(insert(schema.tablet).values(tablet))
            await conn.execute(insert(schema.shift).values(shift))
        for badge in people:
            number = badge.name.removeprefix("clin-")
            person = {
                "id": f"per_cli{number}",
                "name": f"Clinician {number}",
                "short_name": f"C{number}",
                "email": f"clinician{number}@robots.invalid",
                "provider_id": cast.PROVIDER_ID,
                "licence_type": "LPC",
                "licence_state": cast.STATE,
                "licence_number": number,
                "licence_expires_at": now + 365 * 86400,
                "demo": True,
            }
            entry = {
                "id": f"ros_r{number}",
                "provider_id": cast.PROVIDER_ID,
                "person_id": f"per_cli{number}",
                "tier": 1,
                "days": 127,
                "starts_minute": 0,
                "ends_minute": 0,
                "timezone": cast.TIMEZONE,
            }
            login = {
                "id": f"lgn_r{number}",
                "person_id": f"per_cli{number}",
                "created_at": now,
                "expires_at": later,
            }
            role = {"person_id": f"per_cli{number}", "role": "clinician", "granted_at": now}
            await conn.execute(insert(schema.person).values(person))
            await conn.execute(insert(schema.role_grant).values(role))
            await conn.execute(insert(schema.roster_entry).values(entry))
            await conn.execute(insert(schema.login).values(login))

    await db.write(write)

    def enrolled(badge: Badge) -> Badge:
        tablet = f"tab_{badge.name.removeprefix('unit-')}"
        token = tokens.issue("tablet", tablet, _token_id(tablet, 1), now, later)
        return replace(badge, cookies={"cb_tablet": token})

    def signed_in(badge: Badge) -> Badge:
        number = badge.name.removeprefix("clin-")
        token = tokens.issue("login", f"per_cli{number}", f"lgn_r{number}", now, later)
        return replace(badge, cookies={"cb_login": token})

    return [enrolled(one) for one in tablets], [signed_in(one) for one in people]


# --- the protocol ---------------------------------------------------------------------------------


class Page:
    """One page's stream: numbered commands, the newest snapshot, and all other messages."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        page: str,
        who: str,
        headers: Mapping[str, str] | None = None,
        history: History | None = None,
    ) -> None:
        self._http = http
        self.url = url  # of the WebSocket; may be changed before the next `open`
        self.page = page
        self.who = who
        self.headers = dict(headers or {})
        self.history = history
        self.stream = secrets.token_hex(8)
        self.view: dict[str, Any] = {}
        self.messages: list[dict[str, Any]] = []
        self.numbers: list[int] = []
        self.welcome: dict[str, Any] = {}
        self.closed_with: int | None = None
        self.connected = False
        self._next = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._changed = asyncio.Condition()
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None

    async def open(self) -> Self:
        """Connect (again) and say hello with the last number seen."""
        self._socket = await self._http.ws_connect(self.url, headers=self.headers)
        self._give_up_answers()
        hello = {
            "type": "hello",
            "protocol": PROTOCOL,
            "page": self.page,
            "stream": self.stream,
            "last": max(self.numbers, default=0),
        }
        self.welcome = {}
        self.closed_with = None
        await self._socket.send_json(hello)
        self._reader = asyncio.create_task(self._read(self._socket), name=f"page {self.who}")
        await self.until(lambda: self.welcome or self.closed_with is not None)
        if not self.welcome:
            raise Refused(self.messages[-1] if self.messages else {"code": "closed"})
        self._write_down("open", url=self.url, resumed=self.welcome["resumed"])
        return self

    async def drop(self) -> None:
        """The network is gone: no goodbye."""
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            await asyncio.gather(self._reader, return_exceptions=True)

    async def send(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; raises Refused, or Lost."""
        if not self.connected:  # a number that is never sent would put all later ones out of order
            raise Lost(kind)
        command_id = next(self._next)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[command_id] = answer
        told = kind != "beat"
        if told:
            self._write_down("sent", kind=kind, fields=fields)
        try:
            await self.send_raw(json.dumps({"type": kind, "id": command_id, **fields}))
            async with asyncio.timeout(BOUND):
                body = await answer
        except (*GONE, Lost) as error:
            self._waiting.pop(command_id, None)
            if told:
                self._write_down("lost", kind=kind, fields=fields)
            raise Lost(kind) from error
        if body["type"] == "error":
            self._write_down("refused", kind=kind, fields=fields, code=body["code"])
            raise Refused(body)
        if told:
            self._write_down("answered", kind=kind, fields=fields, data=body["data"])
        return dict(body["data"])

    async def send_raw(self, text: str) -> None:
        if self._socket is None or self._socket.closed:
            raise Lost("closed")
        await self._socket.send_str(text)

    async def until(self, true: Callable[[], Any], seconds: float = BOUND) -> None:
        """Wait until a condition on what this page has seen holds."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: bool(true()))
        except TimeoutError:
            raise AssertionError(f"{self.who} never saw it; view: {self.view}") from None

    async def until_view(
        self, true: Callable[[dict[str, Any]], Any], seconds: float = BOUND
    ) -> dict[str, Any]:
        """Wait for a view of which `true` holds; one without what it asks for is passed over."""

        def holds() -> bool:
            try:
                return bool(self.view) and bool(true(self.view))
            except (TypeError, KeyError, IndexError):  # no session in it yet, or no such row
                return False

        await self.until(holds, seconds)
        return self.view

    def seen(self, kind: str) -> list[dict[str, Any]]:
        return [m for m in self.messages if m["type"] == kind]

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        try:
            async for message in socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    break
                await self._take(json.loads(message.data))
        finally:
            if socket is self._socket:  # otherwise a newer one has taken its place
                self.connected = False
                self._give_up_answers()
            self._write_down("closed", code=socket.close_code)
            async with self._changed:
                self.closed_with = socket.close_code or 1006
                self._changed.notify_all()

    async def _take(self, body: dict[str, Any]) -> None:
        async with self._changed:
            if body["type"] == "welcome":
                self._welcomed(body)
            if "n" in body:
                self.numbers.append(body["n"])
            if body["type"] in {"ack", "error"} and body["re"] in self._waiting:
                answer = self._waiting.pop(body["re"])
                if not answer.done():
                    answer.set_result(body)
            elif body["type"] == self.page:
                self.view = body
            self.messages.append(body)
            self.saw(body)
            self._changed.notify_all()

    def _give_up_answers(self) -> None:
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(Lost("closed"))
                answer.exception()  # looked at: a caller that has left is no fault
        self._waiting.clear()

    def _welcomed(self, body: dict[str, Any]) -> None:
        """From here on commands are heard; those that were under way have ended as lost."""
        self.welcome = body
        if not body["resumed"]:
            self.numbers.clear()
        self._next = itertools.count(body["expect"])
        self.connected = True

    def saw(self, body: dict[str, Any]) -> None:
        """For those who act on what comes."""

    def _write_down(self, what: str, **data: Any) -> None:
        if self.history is not None:
            self.history.add(self.who, what, **data)


# --- people ---------------------------------------------------------------------------------------


class Robot(Page):
    """A page that stays: it beats, and comes back by itself to the next of its addresses."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        bases: str | Sequence[str],
        badge: Badge,
        history: History | None = None,
        *,
        stays: bool = True,
    ) -> None:
        self.bases = [bases] if isinstance(bases, str) else list(bases)
        self.badge = badge
        self.stays = stays
        self._turn = 0
        self._life: asyncio.Task[None] | None = None
        self._jobs: set[asyncio.Task[None]] = set()
        self._coming = asyncio.Lock()
        self._seen_session: tuple[str, str, int] | None = None
        super().__init__(http, "", badge.page, badge.name, history=history)

    async def open(self) -> Robot:
        self._aim()
        await super().open()
        if self._life is None:
            self._life = asyncio.create_task(self._live(), name=f"robot {self.who}")
        return self

    async def close(self) -> None:
        """Leave for good."""
        tasks = [task for task in (self._life, *self._jobs) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._life = None
        await self.drop()

    @property
    def session(self) -> dict[str, Any] | None:
        """The session that this page shows."""
        shown = self.view.get("session")
        return dict(shown) if shown else None

    async def until_state(self, state: str, seconds: float = BOUND) -> dict[str, Any]:
        """Wait until the page shows its session in this state."""
        await self.until_view(lambda v: v["session"] and v["session"]["state"] == state, seconds)
        return self.session or {}

    async def describe(self, description: str, generation: str = "g1") -> str:
        """Send this side's description; the bridge's answer."""
        shown = self.session or {}
        data = await self.send(
            "media.describe",
            session=shown["id"],
            epoch=shown["epoch"],
            generation=generation,
            description=description,
        )
        return str(data["description"])

    def _aim(self) -> None:
        base = self.bases[self._turn % len(self.bases)]
        self.url = base.replace("http", "ws", 1) + "/ws"
        self.headers = {"Origin": base, **self.badge.header}

    async def _live(self) -> None:
        while True:
            try:
                await asyncio.sleep(self.welcome.get("beat_seconds", 5.0))
                if self.connected:
                    await self.send("beat")
                    continue
            except (Lost, Refused):
                pass
            if not self.stays:
                return
            await self._come_back()

    async def _come_back(self) -> None:
        async with self._coming:  # two at once would replace each other for ever
            while not self.connected:
                self._turn += 1
                with contextlib.suppress(*GONE, Refused, AssertionError):
                    await self.open()
                if not self.connected:
                    await asyncio.sleep(BACK_SECONDS)

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        await super()._read(socket)
        if self.stays and self._life is not None and not self.connected:
            self._do(self._come_back())

    def _do(self, job: Any) -> None:
        task = asyncio.ensure_future(job)
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    def saw(self, body: dict[str, Any]) -> None:
        if body["type"] != self.page or not body.get("session"):
            return
        shown = body["session"]
        key = (shown["id"], shown["state"], shown["epoch"])
        if key != self._seen_session:
            self._seen_session = key
            self._write_down("session", session=key[0], state=key[1], epoch=key[2], role=self.page)


class Officer(Robot):
    """A tablet on shift."""

    async def press(self, key: str | None = None, **fields: Any) -> str:
        """Press until the server has said that the session is durable; its id."""
        key = key or secrets.token_hex(12)
        deadline = time.monotonic() + 4 * BOUND
        while True:
            try:
                return str((await self.send("session.open", key=key, **fields))["session"])
            except Lost:
                if time.monotonic() > deadline:
                    raise
                await self.until(lambda: self.connected, 2 * BOUND)

    async def cancel(self) -> None:
        await self.send("session.cancel", session=(self.session or {})["id"])


class Clinician(Robot):
    """A console that says at once that it rings; `answers` decides what else it does with it."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        bases: str | Sequence[str],
        badge: Badge,
        history: History | None = None,
        *,
        stays: bool = True,
        answers: Callable[[dict[str, Any]], str | None] = lambda _offer: None,
    ) -> None:
        super().__init__(http, bases, badge, history, stays=stays)
        self.answers = answers  # offer -> "accept" | "decline" | None (let it ring)
        self.rung: set[str] = set()

    def saw(self, body: dict[str, Any]) -> None:
        super().saw(body)
        if body["type"] == "offer.gone":
            self._write_down(
                "gone", offer=body["offer"], session=body["session"], reason=body["reason"]
            )
        if body["type"] != "console":
            return
        for offer in body["offers"]:
            if offer["offer"] not in self.rung:
                self.rung.add(offer["offer"])
                self._write_down(
                    "offer", offer=offer["offer"], session=offer["session"], epoch=offer["epoch"]
                )
                self._do(self._rings(offer))

    async def _rings(self, offer: dict[str, Any]) -> None:
        with contextlib.suppress(Refused, Lost):
            await self.send("offer.delivered", offer=offer["offer"])
            match self.answers(offer):
                case "accept":
                    await self.accept(offer)
                case "decline":
                    await self.send("offer.decline", offer=offer["offer"], token=offer["token"])

    async def accept(self, offer: Mapping[str, Any]) -> dict[str, Any]:
        """Answer; raises Refused when somebody else was faster."""
        return await self.send("offer.accept", offer=offer["offer"], token=offer["token"])

    async def ring(self, session: str | None = None, seconds: float = BOUND) -> dict[str, Any]:
        """Wait until this console rings (for that session); the offer."""
        view = await self.until_view(
            lambda v: [o for o in v["offers"] if session in (None, o["session"])], seconds
        )
        found = next(o for o in view["offers"] if session in (None, o["session"]))
        return dict(found)

    async def wrap_up(self, disposition: str = "remain_in_place") -> None:
        """Finish the record of the call that has ended."""
        shown = self.session or {}
        await self.send(
            "wrapup.finish",
            session=shown["id"],
            epoch=shown["epoch"],
            disposition=disposition,
            followups=[],
        )
