"""Slow and many connections, on the real server's sockets: each costs only itself."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import resource
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from records.engine import Database
from signaling import logs
from tests.web.cast import ORIGIN, make_site
from web import gate, routes, server
from web.gate import Crowd, neighbourhood
from web.limits import RATES
from web.server import House, open_door, room

BOUND = 20.0
ASK = b"GET /sign-in HTTP/1.1\r\nHost: bridge\r\n\r\n"


class Line:
    """A connection of somebody who does not keep to the rules."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ended(self) -> bytes:
        """What came until the server hung up; the test's bound is for one that never does."""
        got = b""
        async with asyncio.timeout(BOUND):
            with contextlib.suppress(ConnectionError):
                while part := await self.reader.read(65536):
                    got += part
        return got

    async def dribble(self, text: bytes, pause: float) -> None:
        """Send a byte and a pause, again and again, until all is sent or nobody listens."""
        with contextlib.suppress(ConnectionError):
            for at in range(len(text)):
                self.writer.write(text[at : at + 1])
                await self.writer.drain()
                await asyncio.sleep(pause)

    async def status(self) -> int:
        async with asyncio.timeout(BOUND):
            line = await self.reader.readline()
        return int(line.split()[1])


class Place:
    """The pages on a port of this machine, behind the gate."""

    def __init__(self, house: House, port: int) -> None:
        self.house = house
        self.port = port
        self.lines: list[Line] = []

    async def line(self) -> Line:
        made = Line(*await asyncio.open_connection("127.0.0.1", self.port))
        self.lines.append(made)
        return made

    async def works(self) -> bool:
        """Whether somebody else is still answered."""
        line = await self.line()
        line.writer.write(ASK)
        return await line.status() == 200


@contextlib.asynccontextmanager
async def opened(folder: Path, db: Database, **more: Any) -> AsyncIterator[Place]:
    services, _, _ = make_site(folder, db, **more)
    door = open_door("127.0.0.1", 0)
    house = House(services)
    await house.open(door)
    place = Place(house, door.sock.getsockname()[1])
    yield place
    for line in place.lines:
        line.writer.close()
    await house.close()


async def test_a_head_that_comes_a_byte_at_a_time_is_cut_off(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "HEAD_SECONDS", 0.4)
    async with opened(tmp_path, db) as place:
        slow = [await place.line() for _ in range(30)]
        async with asyncio.TaskGroup() as tasks:
            for one in slow:
                tasks.create_task(one.dribble(b"GET /sign-in HTTP/1.1\r\n" + b"X" * 200, 0.1))
            assert await place.works()
        for one in slow:
            assert await one.ended() == b""


async def test_somebody_who_says_nothing_is_cut_off_too_and_so_is_a_second_slow_head(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, db) as place:
        second = await place.line()
        second.writer.write(ASK)
        assert await second.status() == 200  # with the usual time
        monkeypatch.setattr(gate, "HEAD_SECONDS", 0.4)
        silent = await place.line()
        assert await silent.ended() == b""
        await second.dribble(b"GET /sign-in HTTP/1.1\r\nX-Slow: " + b"y" * 100, 0.1)
        assert b"HTTP/1.1" not in await second.ended()


async def test_a_connection_that_is_in_use_may_rest_longer_than_a_head_may_take(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "HEAD_SECONDS", 0.2)
    async with opened(tmp_path, db) as place:
        one, other = await place.line(), await place.line()
        one.writer.write(b"GET /healthz HTTP/1.1\r\nHost: bridge\r\n\r\n")
        assert await one.status() == 200
        assert await other.ended() == b""  # so at least that time has passed
        one.writer.write(b"GET /healthz HTTP/1.1\r\nHost: bridge\r\n\r\n")
        async with asyncio.timeout(BOUND):
            while b"HTTP/1.1 200" not in await one.reader.readline():
                pass


async def test_a_body_that_comes_a_byte_at_a_time_is_refused_in_time(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "BODY_SECONDS", 0.4)
    async with opened(tmp_path, db) as place:
        for path in ("/sign-in", "/api/v1/alert"):
            line = await place.line()
            line.writer.write(
                f"POST {path} HTTP/1.1\r\nHost: bridge\r\nOrigin: {ORIGIN}\r\n"
                "Content-Type: application/x-www-form-urlencoded\r\n"
                "Content-Length: 500\r\n\r\n".encode()
            )
            feeding = asyncio.create_task(line.dribble(b"email=" + b"x" * 400, 0.1))
            assert await line.status() == 408
            line.writer.close()
            await feeding
        assert await place.works()


async def test_who_does_not_take_what_they_asked_for_is_cut_off(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "TAKE_SECONDS", 0.4)
    async with opened(tmp_path, db) as place:
        line = await place.line()
        line.writer.transport.pause_reading()  # type: ignore[attr-defined]
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(BOUND):
                while not line.writer.is_closing():
                    line.writer.write(ASK * 50)
                    await line.writer.drain()
                    await asyncio.sleep(0.02)
        async with asyncio.timeout(BOUND):
            while place.house.connections > 0:
                await asyncio.sleep(0.02)
        assert await place.works()


async def test_a_conversation_of_nothing_but_pieces_of_messages_is_cut_off(
    db: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A message in pieces that never ends is no message: only its bytes can be counted."""
    caplog.set_level(logging.INFO, "web.gate")
    begin, more = bytes([0x01, 0x80, 0, 0, 0, 0]), bytes([0x00, 0x80, 0, 0, 0, 0])
    async with opened(tmp_path, db) as place:
        line = await place.line()
        line.writer.write(
            b"GET /ws HTTP/1.1\r\nHost: bridge\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            b"Origin: " + ORIGIN.encode() + b"\r\n\r\n"
        )
        assert await line.status() == 101
        line.writer.write(begin + more * (2 * gate.TALK_BURST // len(more)))
        await line.ended()
        assert "gate.too_much" in caplog.text
        assert await place.works()


async def test_whoever_asks_too_often_is_hung_up_on_and_what_they_sent_is_not_read(
    db: Database, tmp_path: Path
) -> None:
    async with opened(tmp_path, db) as place:
        line = await place.line()
        allowed = int(RATES["stray"].burst)
        line.writer.write(b"GET /nowhere HTTP/1.1\r\nHost: bridge\r\n\r\n" * (allowed + 50))
        got = await line.ended()
        assert got.count(b"HTTP/1.1 404 ") == allowed
        assert got.count(b"HTTP/1.1 429 ") == 1
        assert await place.works()


async def test_one_address_cannot_take_all_places(db: Database, tmp_path: Path) -> None:
    async with opened(tmp_path, db, max_connections_per_address=10) as place:
        held = [await place.line() for _ in range(10)]
        one_more = await place.line()
        one_more.writer.write(ASK)
        assert await one_more.ended() == b""
        held[0].writer.close()
        async with asyncio.timeout(BOUND):
            while place.house.connections >= 10:
                await asyncio.sleep(0.01)
        assert await place.works()


async def test_there_is_an_end_to_connections_in_all(db: Database, tmp_path: Path) -> None:
    async with opened(tmp_path, db, max_connections=50) as place:
        held = [await place.line() for _ in range(50)]
        for one in (held[0], held[-1]):
            one.writer.write(ASK)
            assert await one.status() == 200
        one_more = await place.line()
        assert await one_more.ended() == b""


async def test_behind_a_proxy_what_one_address_asks_at_once_is_counted(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more: dict[str, Any] = {"trust_proxy": True, "max_connections_per_address": 10}
    async with opened(tmp_path, db, **more) as place:

        async def asked(address: str, forged: str = "") -> Line:
            line = await place.line()
            line.writer.write(
                f"POST /api/v1/alert HTTP/1.1\r\nHost: bridge\r\nOrigin: {ORIGIN}\r\n{forged}"
                f"X-Forwarded-For: 1.2.3.4, {address}\r\n"
                "Content-Type: application/json\r\nContent-Length: 10\r\n\r\n".encode()
            )
            return line

        waiting = [await asked("198.51.100.7") for _ in range(10)]
        async with asyncio.timeout(BOUND):
            while place.house.asked < 10:
                await asyncio.sleep(0.01)
        assert await (await asked("198.51.100.7")).status() == 429
        forged = await asked("198.51.100.7", "X-Forwarded-For: 203.0.113.9\r\n")
        assert await forged.status() == 429
        other = await asked("203.0.113.9")
        other.writer.write(b'{"a": "b"}')
        assert await other.status() == 400
        for one in waiting:
            one.writer.write(b'{"a": "b"}')
            assert await one.status() == 400


def test_a_crowd_counts_exactly_and_forgets_who_has_gone() -> None:
    crowd = Crowd(3, 2)
    assert crowd.enter("a")
    assert crowd.enter("a")
    assert not crowd.enter("a")
    assert crowd.enter("b")
    assert not crowd.enter("c")
    crowd.leave("a")
    assert crowd.enter("c")
    for one in ("a", "b", "c"):
        crowd.leave(one)
    assert crowd.all == 0
    assert not crowd._each


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::9", "2001:db8:1:2::/64"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
    ],
)
def test_a_line_s_own_network_is_one_place(address: str, place: str) -> None:
    assert neighbourhood(address) == place


def test_the_systems_limit_of_open_files_is_raised_as_far_as_it_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 1000))
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: given.append(pair))
    assert room(500) == 500
    assert given == [(628, 1000)]
    assert room(5000) == 1000 - server.OTHER_FILES
    assert given[-1] == (1000, 1000)


async def test_what_a_broken_request_holds_is_not_in_the_log(db: Database, tmp_path: Path) -> None:
    """A cookie with a wrong letter in it is a cookie still, and who sent it stays unnamed."""
    root, stream = logging.getLogger(), io.StringIO()
    before = root.handlers[:]
    try:
        logs.configure(as_json=False, stream=stream)
        async with opened(tmp_path, db) as place:
            for broken in (
                b"GET /console HTTP/1.1\r\nHost: bridge\r\nCookie: cb_login=hunter2\x00\r\n\r\n",
                b"GET /hunter2 HTTP/1.1\r\nno header hunter2\r\n\r\n",
                b"hunter2 \xff\xfe\r\n\r\n",
            ):
                line = await place.line()
                line.writer.write(broken)
                assert b" 400 " in await line.ended()
    finally:
        root.handlers[:] = before
    said = stream.getvalue()
    assert "request.malformed" in said
    assert "hunter2" not in said
    assert "127.0.0.1" not in said
