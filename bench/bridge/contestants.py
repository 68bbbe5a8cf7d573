"""The servers that are measured, each a process of its own, behind one interface."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from bench.bridge import janus
from bench.bridge.lines import Asked, ask
from bench.bridge.peer import HOST, Peer

ROOT = Path(__file__).resolve().parents[2]
LONGEST_END = 10.0  # seconds


class Server(Protocol):
    """A running server."""

    pid: int

    async def join(self, call: str, first: Peer, second: Peer) -> None:
        """Bring two browsers together; they have begun to connect afterwards."""

    async def dropped(self) -> dict[str, int]:
        """What it says that it dropped, where it says so."""


@dataclass(slots=True)
class Lines:
    """One of our own programs."""

    process: asyncio.subprocess.Process
    pid: int
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def _ask(self, **question: object) -> Asked:
        async with self.asking:  # an answer is known by its place alone
            return await ask(self.process, question)

    async def join(self, call: str, first: Peer, second: Peer) -> None:
        for seat, peer in (("a", first), ("b", second)):
            await self.seat(call, seat, peer)

    async def seat(self, call: str, seat: str, peer: Peer, generation: str = "1") -> None:
        """One browser comes; as a new generation it takes the place of the one before."""
        answer = await self._ask(
            do="join", call=call, seat=seat, sdp=peer.offer(), generation=generation
        )
        peer.accept(answer["sdp"])
        peer.begin()

    async def end(self, call: str) -> None:
        await self._ask(do="end", call=call)

    async def dropped(self) -> dict[str, int]:
        counted: dict[str, int] = (await self._ask(do="count"))["dropped"]
        return counted


@dataclass(slots=True)
class _Janus:
    api: janus.Api
    pid: int

    async def join(self, call: str, first: Peer, second: Peer) -> None:
        caller, callee = await self.api.handle(), await self.api.handle()
        for handle, name in ((caller, f"{call}-a"), (callee, f"{call}-b")):
            await handle.message({"request": "register", "username": name})
            await handle.event("registered")
        offer = {"type": "offer", "sdp": first.offer()}
        await caller.message({"request": "call", "username": f"{call}-b"}, offer)
        coming: dict[str, Any] = await callee.event("incomingcall")
        answer = {"type": "answer", "sdp": second.answer(coming["jsep"]["sdp"])}
        second.begin()
        await callee.message({"request": "accept"}, answer)
        taken = await caller.event("accepted")
        first.accept(taken["jsep"]["sdp"])
        first.begin()

    async def dropped(self) -> dict[str, int]:
        return {}


def contestants() -> dict[str, Callable[[Path, int], AbstractAsyncContextManager[Server]]]:
    """By name: given a folder and a core, a server that runs on that core alone."""
    found: dict[str, Callable[[Path, int], AbstractAsyncContextManager[Server]]] = {
        "bridge": lambda folder, core: _python("bench.bridge.ours", folder, core),
        "bare": lambda folder, core: _python("bench.bridge.bare", folder, core),
        "decoding": lambda folder, core: _python("bench.bridge.decoding", folder, core),
    }
    if janus.find() is not None:
        found["janus"] = _running_janus
    return found


@asynccontextmanager
async def _python(module: str, folder: Path, core: int) -> AsyncIterator[Server]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, cwd=ROOT, env=_environment(),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 20,
    )  # fmt: skip
    pin(process.pid, core)
    try:
        server = Lines(process, process.pid)
        await server.dropped()  # it answers: it has started
        yield server
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await _end(process)


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "queue")))}


@asynccontextmanager
async def _running_janus(folder: Path, core: int) -> AsyncIterator[Server]:
    program = janus.find()
    assert program is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    janus.write_settings(folder / "janus", port, HOST)
    with (folder / "janus.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            str(program), "--configs-folder", str(folder / "janus"), stdout=log, stderr=log,
            stdin=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
    try:
        async with aiohttp.ClientSession() as client:
            web = await _socket(client, f"ws://127.0.0.1:{port}")
            pin(process.pid, core)
            api = janus.Api(web)
            try:
                yield _Janus(api, process.pid)
            finally:
                await api.close()
    finally:
        process.send_signal(signal.SIGTERM)
        await _end(process)


async def _socket(client: aiohttp.ClientSession, url: str) -> aiohttp.ClientWebSocketResponse:
    """Janus's WebSocket, once it listens."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await client.ws_connect(url, protocols=["janus-protocol"])
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.1)


async def _end(process: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(LONGEST_END):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def pin(pid: int, core: int) -> None:
    """All threads of a process on one core, so that "per core" means something."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})
