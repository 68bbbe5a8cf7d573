"""Two real servers at work while their keys are changed under them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from functools import partial
from pathlib import Path

import jwt
import pytest

from auth import rekeying, signing
from records import chat, kek, token_keys
from records.crypto import Vault
from records.engine import Database
from records.kek_sources import FileSource
from tests import robots
from tests.oncall import redis_server
from tests.processes.harness import Installation
from tests.processes.test_two_servers import Working, all_closed, pressing, two
from tests.records import servers
from web.dev import cast as demo

__all__ = ["two"]  # the fixture

pytestmark = [
    pytest.mark.skipif(
        redis_server.program() is None or servers.programs() is None,
        reason="redis-server and PostgreSQL are not installed here",
    ),
]
OFFICERS, CLINICIANS, SESSIONS = 4, 4, 5  # sessions of each officer
ROTATIONS = 3
PASSWORD = "correct horse battery staple"


class Talking(Working):
    """Says something in each session, so that there is something to be sealed."""

    async def _finish(self, session: str, state: str, epoch: int) -> None:
        with contextlib.suppress(robots.Lost, robots.Refused):
            if state != "wrap_up":
                await self.send("chat.send", session=session, text="words of a call")
        await super()._finish(session, state, epoch)


async def change_keys(db: Database, key_file: Path) -> str:
    """A new key, everything moved to it, the old one destroyed; as the command does it."""
    vault, now = Vault.from_key_file(key_file, create=False), time.time()
    async with db.read() as conn:
        await vault.check(conn)
    old, fresh = vault.keks.newest.id, kek.fresh(now)
    FileSource(key_file).add(fresh)
    await rekeying.rotate(db, vault, fresh, now)
    await rekeying.rewrap(db, vault, now)
    await rekeying.retire(db, vault, old, 0, now)
    FileSource(key_file).drop(old)
    return fresh.id


@pytest.mark.timeout(400)
async def test_calls_go_on_over_new_keys_and_no_server_meets_anything_unreadable(
    two: Installation,
) -> None:
    await two.people(OFFICERS, CLINICIANS)
    await asyncio.to_thread(two.serve, 2)
    db, history, key_file = Database(two.url), robots.History(), two.folder / "records.key"
    await db.start()
    async with robots.open_http() as http, contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(db.close)

        bring = partial(two.bring, stack, http, history)
        for i, badge in enumerate(two.clinicians):
            await bring(Talking, badge, i)
        officers = [await bring(robots.Officer, one, i) for i, one in enumerate(two.officers)]
        work = asyncio.gather(*(pressing(one, SESSIONS) for one in officers))
        for _ in range(ROTATIONS):
            await change_keys(db, key_file)
        ids = [session for made in await work for session in made]
        await all_closed(two, ids)
        newest = await change_keys(db, key_file)  # with everything that was sealed meanwhile
        vault = Vault.from_key_file(key_file, create=False)
        async with db.read() as conn:
            await vault.prove(conn)
            uses = await vault.uses(conn)
        assert set(uses) == {newest}
        assert uses[newest]["session_key"] == len(ids)
        async with db.read() as conn:
            said = [await chat.of_session(conn, vault, session) for session in ids]
        assert all(lines and lines[0].body == "words of a call" for lines in said)
    for server in two.servers:
        assert "key-wrong" not in server.log
        assert "key-missing" not in server.log
        assert "keys.behind" not in server.log
        assert "Traceback" not in server.log


async def test_a_sign_in_at_one_server_is_one_at_the_other_and_outlives_the_key_that_signed_it(
    two: Installation,
) -> None:
    await two.people(1, 1)
    await asyncio.to_thread(two.serve, 2)
    here, there = two.bases
    db = Database(two.url)
    await db.start()
    async with robots.open_http() as http:

        async def listed(base: str) -> set[str]:
            async with http.get(f"{base}/.well-known/jwks.json") as answer:
                return {one["kid"] for one in (await answer.json(content_type=None))["keys"]}

        async def greeted(base: str, badge: robots.Badge) -> int:
            url = f"{base}/account"
            async with http.get(url, headers=badge.header, allow_redirects=False) as answer:
                return answer.status

        badge = await robots.sign_in(http, here, demo.DANA.email, PASSWORD)
        first = jwt.get_unverified_header(badge.cookies["cb_login"])["kid"]
        assert await listed(here) == await listed(there) == {first}
        assert [await greeted(base, badge) for base in two.bases] == [200, 200]

        # a key that was published ten minutes ago, so that it signs now
        vault = Vault.from_key_file(two.folder / "records.key", create=False)
        ago = time.time() - token_keys.PUBLISHED_SECONDS
        second = await db.write(lambda conn: signing.rotate(conn, vault, ago))
        newer = await robots.sign_in(http, there, demo.DANA.email, PASSWORD)
        async with asyncio.timeout(60):  # a server's copy is twenty seconds old at most
            while jwt.get_unverified_header(newer.cookies["cb_login"])["kid"] != second:
                await asyncio.sleep(1)
                assert await listed(there)
                newer = await robots.sign_in(http, there, demo.DANA.email, PASSWORD)
        for one in (badge, newer):
            assert [await greeted(base, one) for base in two.bases] == [200, 200]
        assert await listed(here) == await listed(there) == {first, second}
    await db.close()
