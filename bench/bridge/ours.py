"""Our bridge in a process of its own, with what it does in the product.

Repairs and feedback are on, and every leg's figures are read once a second.
"""

from __future__ import annotations

import asyncio
import gc

import uvloop

from bench.bridge.lines import Asked, serve
from bench.bridge.peer import HOST
from media import Bridge, BridgeSettings
from media.bridge import COLLECTING


async def main(kind: type[Bridge] = Bridge) -> None:
    bridge = kind(BridgeSettings(addresses=(HOST,)), lambda _event: None)
    await bridge.start()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTING)
    looking = asyncio.create_task(_look(bridge))

    async def answer(asked: Asked) -> Asked:
        if asked["do"] == "join":
            place = asked["call"], asked["seat"], asked["generation"]
            return {"sdp": bridge.describe(*place, asked["sdp"])}
        if asked["do"] == "end":
            bridge.close_call(asked["call"])
        return {"dropped": dict(bridge.totals().dropped)}

    await serve(answer)
    looking.cancel()
    await bridge.close()


async def _look(bridge: Bridge) -> None:
    """What the quality log reads of every leg."""
    while True:
        await asyncio.sleep(1.0)
        for call in bridge.calls():
            bridge.stats(call)


if __name__ == "__main__":
    uvloop.run(main())
