"""How a measured server of ours is spoken to: a line of JSON in, a line of JSON out."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

Asked = dict[str, Any]


async def serve(answer: Callable[[Asked], Awaitable[Asked]]) -> None:
    """Answer line by line until the input ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        print(json.dumps(await answer(json.loads(line))), flush=True)


async def ask(process: asyncio.subprocess.Process, question: Asked) -> Asked:
    """Ask such a server. Raises ConnectionError when it is gone."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(question).encode() + b"\n")
    await process.stdin.drain()
    line = await process.stdout.readline()
    if not line:
        raise ConnectionError("the measured server has ended")
    answered: Asked = json.loads(line)
    return answered
