"""Janus as Debian packages it, with its VideoCall plugin: the media go through the server."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
from pathlib import Path
from typing import Any

import aiohttp

PLUGIN = "janus.plugin.videocall"
_MAIN = """general: {{
  configs_folder = "{folder}"
  plugins_folder = "{plugins}"
  transports_folder = "{transports}"
  debug_level = 2
  session_timeout = 0
}}
nat: {{
  ice_lite = true
  full_trickle = false
  ice_enforce_list = "{host}"
  ignore_mdns = true
}}
media: {{
  rtp_port_range = "{first}-{last}"
}}
plugins: {{
  disable = "{others}"
}}
transports: {{
  disable = "{ways}"
}}
"""
_SOCKETS = """general: {{
  json = "compact"
  ws = true
  ws_port = {port}
  ws_ip = "127.0.0.1"
  wss = false
}}
admin: {{
  admin_ws = false
}}
"""


def find() -> Path | None:
    """Where Debian put it, or None."""
    program = shutil.which("janus")
    return Path(program) if program else None


def write_settings(folder: Path, port: int, host: str) -> None:
    """Settings for loopback only, with the VideoCall plugin alone."""
    home = next(Path("/usr/lib").glob("*/janus"))
    others = _all_but(home / "plugins", "libjanus_videocall.so")
    ways = _all_but(home / "transports", "libjanus_websockets.so")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "janus.jcfg").write_text(
        _MAIN.format(
            folder=folder, plugins=home / "plugins", transports=home / "transports",
            others=others, ways=ways, first=21_000, last=29_000, host=host,
        )
    )  # fmt: skip
    (folder / "janus.transport.websockets.jcfg").write_text(_SOCKETS.format(port=port))


def _all_but(folder: Path, name: str) -> str:
    return ",".join(one.name for one in sorted(folder.glob("*.so")) if one.name != name)


class Handle:
    """One user of the plugin."""

    def __init__(self, api: Api, session: int, ident: int) -> None:
        self.api, self.session, self.ident = api, session, ident
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue(64)

    async def message(self, body: dict[str, Any], jsep: dict[str, str] | None = None) -> None:
        await self.api.ask(
            {"janus": "message", "session_id": self.session, "handle_id": self.ident, "body": body}
            | ({"jsep": jsep} if jsep else {})
        )

    async def event(self, name: str) -> dict[str, Any]:
        """The next event of that name. Raises RuntimeError for what the plugin calls an error."""
        async with asyncio.timeout(20):
            while True:
                event: dict[str, Any] = await self.events.get()
                data = event.get("plugindata", {}).get("data", {})
                if "error" in data:
                    raise RuntimeError(f"Janus says: {data['error']}")
                if data.get("result", {}).get("event") == name:
                    return event


class Api:
    """One WebSocket to Janus, over which any number of users go."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._handles: dict[int, Handle] = {}
        self._reader = asyncio.create_task(self._read())

    async def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        name = secrets.token_hex(6)
        waiting = self._waiting[name] = asyncio.get_running_loop().create_future()
        await self._socket.send_json(message | {"transaction": name})
        async with asyncio.timeout(20):
            answer: dict[str, Any] = await waiting
        if answer["janus"] == "error":
            raise RuntimeError(f"Janus says: {answer['error']}")
        return answer

    async def handle(self) -> Handle:
        session = (await self.ask({"janus": "create"}))["data"]["id"]
        attach = {"janus": "attach", "session_id": session, "plugin": PLUGIN}
        ident = (await self.ask(attach))["data"]["id"]
        made = self._handles[ident] = Handle(self, session, ident)
        return made

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            data = message.json()
            if data["janus"] == "event":  # it may come before the acknowledgement
                if data["sender"] in self._handles:
                    with contextlib.suppress(asyncio.QueueFull):
                        self._handles[data["sender"]].events.put_nowait(data)
                continue
            waiting = self._waiting.pop(data.get("transaction", ""), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(data)

    async def close(self) -> None:
        self._reader.cancel()
        await self._socket.close()
