"""A small WebDriver BiDi client for the system's Firefox, with a profile of its own.

Only what the journeys need: open, navigate, evaluate, click, type, wait. Playwright drives only a
patched Firefox; this one is what people have.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("firefox-esr", "firefox")
PREFERENCES: dict[str, object] = {
    "app.update.enabled": False,
    "browser.aboutConfig.showWarning": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage": "about:blank",
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "datareporting.healthreport.uploadEnabled": False,
    "toolkit.telemetry.server": "",
    "dom.disable_open_during_load": False,
    "extensions.update.enabled": False,
    "media.autoplay.blocking_policy": 0,
    "media.autoplay.default": 0,
    "media.gmp-manager.updateEnabled": False,
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "remote.active-protocols": 1,
    "services.settings.server": "data:,#",
}
START_SECONDS = 60.0
COMMAND_SECONDS = 60.0


# Keeps each page's peer connections where `inbound` finds them; the page itself is not changed.
WATCH_PEERS = """() => {
    const Original = window.RTCPeerConnection;
    window.__peers = [];
    window.RTCPeerConnection = class extends Original {
        constructor(...given) { super(...given); window.__peers.push(this); }
    };
}"""
INBOUND = """(async (kind) => {
    const live = window.__peers.filter((peer) => peer.connectionState === 'connected').pop();
    if (!live) return null;
    const found = [...(await live.getStats()).values()]
        .find((one) => one.type === 'inbound-rtp' && one.kind === kind);
    return found ? { packets: found.packetsReceived, energy: found.totalAudioEnergy ?? 0,
                     frames: found.framesDecoded ?? 0 } : null;
})"""


class FirefoxError(Exception):
    """A command failed, or a page threw."""


def program() -> str | None:
    """Where Firefox is; None when there is none."""
    return os.environ.get("FIREFOX") or next(
        (path for name in NAMES if (path := shutil.which(name))), None
    )


class Firefox:
    """One Firefox with one tab. `async with Firefox(folder) as fox:`"""

    def __init__(self, folder: Path, preferences: dict[str, object] | None = None) -> None:
        self._folder = folder
        self._preferences = PREFERENCES | (preferences or {})
        self._process: asyncio.subprocess.Process | None = None
        self._http: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None
        self._drain: asyncio.Task[None] | None = None
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.context = ""

    async def __aenter__(self) -> Firefox:
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _start(self) -> None:
        found = program()
        assert found, "Firefox is missing: make test installs it"
        self._folder.mkdir(parents=True, exist_ok=True)
        lines = [
            f"user_pref({json.dumps(name)}, {json.dumps(value)});"
            for name, value in self._preferences.items()
        ]
        (self._folder / "user.js").write_text("\n".join(lines) + "\n")
        self._process = await asyncio.create_subprocess_exec(
            found,
            "--headless",
            "--no-remote",
            "--new-instance",
            "--profile",
            str(self._folder),
            "--remote-debugging-port=0",
            "about:blank",
            env=os.environ | {"MOZ_HEADLESS": "1", "HOME": str(self._folder)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(START_SECONDS):
            url = await self._listening()
        self._drain = asyncio.create_task(self._read_away())
        self._http = aiohttp.ClientSession()
        self._socket = await self._http.ws_connect(f"{url}/session", max_msg_size=0, heartbeat=None)
        self._reader = asyncio.create_task(self._read())
        await self.command("session.new", capabilities={})
        tree = await self.command("browsingContext.getTree")
        self.context = tree["contexts"][0]["context"]
        await self.command("script.addPreloadScript", functionDeclaration=WATCH_PEERS)

    async def _listening(self) -> str:
        assert self._process is not None
        assert self._process.stderr is not None
        seen = []
        while line := await self._process.stderr.readline():
            seen.append(line.decode(errors="replace"))
            if found := re.search(r"WebDriver BiDi listening on (ws://\S+)", seen[-1]):
                return found.group(1)
        raise FirefoxError("Firefox ended at once:\n" + "".join(seen[-20:]))

    async def _read_away(self) -> None:
        """What Firefox prints later must not fill the pipe."""
        assert self._process is not None
        assert self._process.stderr is not None
        while await self._process.stderr.read(4096):
            pass

    async def _read(self) -> None:
        assert self._socket is not None
        async for message in self._socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                break
            said = json.loads(message.data)
            waiting = self._waiting.pop(said.get("id") or 0, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(said)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(FirefoxError("Firefox went away"))

    async def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One BiDi command. Raises FirefoxError with Firefox's own words."""
        assert self._socket is not None
        number = next(self._ids)
        answer = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(COMMAND_SECONDS):
            said = await answer
        if said["type"] == "error":
            raise FirefoxError(f"{method}: {said['error']}: {said['message']}")
        result: dict[str, Any] = said["result"]
        return result

    async def goto(self, url: str) -> None:
        """Open an address and wait until it has loaded."""
        await self.command(
            "browsingContext.navigate", context=self.context, url=url, wait="complete"
        )

    async def reload(self) -> None:
        await self.command("browsingContext.reload", context=self.context, wait="complete")

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression; promises are awaited. Values travel as JSON."""
        done = await self.command(
            "script.callFunction",
            functionDeclaration=f"async () => JSON.stringify((await ({expression})) ?? null)",
            target={"context": self.context},
            awaitPromise=True,
            userActivation=True,
        )
        if done["type"] == "exception":
            raise FirefoxError(done["exceptionDetails"]["text"])
        return json.loads(done["result"]["value"])

    async def wait_for(self, expression: str, seconds: float = 15.0) -> Any:
        """Evaluate until the value is truthy. TimeoutError names the expression.

        Between two pages there is a moment with a document that has no element yet: that is "not
        yet", like any value that is not true.
        """
        asked = f"document.documentElement && ({expression})"
        try:
            async with asyncio.timeout(seconds):
                while True:
                    if found := await self.evaluate(asked):
                        return found
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise TimeoutError(f"never true in Firefox: {expression}") from None

    async def inbound(self, kind: str, seconds: float = 15.0) -> dict[str, Any]:
        """What the newest connection received: packets, decoded frames, energy of the sound.

        The energy is the decoder's: an AudioContext waits for ever where there is no sound card.
        """
        found: dict[str, Any] = await self.wait_for(f"{INBOUND}({json.dumps(kind)})", seconds)
        return found

    async def click(self, selector: str) -> None:
        """Click the visible element as a person does, with a real pointer."""
        quoted = json.dumps(selector)
        place = await self.wait_for(
            f"""(() => {{
                const found = document.querySelector({quoted});
                if (!found || found.disabled) return null;
                found.scrollIntoView({{ block: 'center', inline: 'center', behavior: 'instant' }});
                const box = found.getBoundingClientRect();
                if (!box.width || !box.height) return null;
                return {{ x: Math.round(box.x + box.width / 2),
                         y: Math.round(box.y + box.height / 2) }};
            }})()"""
        )
        await self._pointer(
            {"type": "pointerMove", "x": place["x"], "y": place["y"]},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        )

    async def _pointer(self, *actions: dict[str, object]) -> None:
        await self.command(
            "input.performActions",
            context=self.context,
            actions=[{"type": "pointer", "id": "mouse", "actions": list(actions)}],
        )

    async def fill(self, selector: str, text: str) -> None:
        """Put text into a field, with the events that typing makes."""
        await self.click(selector)
        keys: Sequence[dict[str, str]] = [
            {"type": kind, "value": letter} for letter in text for kind in ("keyDown", "keyUp")
        ]
        await self.evaluate(f"document.querySelector({json.dumps(selector)}).select?.()")
        await self.command(
            "input.performActions",
            context=self.context,
            actions=[{"type": "key", "id": "keys", "actions": list(keys)}],
        )

    async def close(self) -> None:
        """End Firefox. Safe to call twice."""
        if self._socket is not None:
            await self._socket.close()
        if self._http is not None:
            await self._http.close()
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(10):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        for task in (self._reader, self._drain):
            if task is not None:
                task.cancel()
        tasks = [task for task in (self._reader, self._drain) if task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
