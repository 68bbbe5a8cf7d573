"""The keys that sign tokens, as both databases keep them."""

from __future__ import annotations

import asyncio

from sqlalchemy import select

from auth import rekeying, signing
from auth.signing import Signing
from records import kek, token_keys
from records.crypto import Vault
from records.engine import Database
from records.keyring import Keyring
from records.schema_keys import token_key
from records.token_keys import OLD_SECONDS, PUBLISHED_SECONDS
from tests.records.cast import NOW


async def listed(db: Database) -> list[token_keys.TokenKey]:
    async with db.read() as conn:
        return await token_keys.listed(conn)


async def privates(db: Database) -> int:
    async with db.read() as conn:
        rows = await conn.execute(select(token_key.c.private_enc))
        return sum(one is not None for one in rows.scalars())


async def test_a_key_is_made_follows_another_and_gives_up_its_private_half(
    db: Database, vault: Vault
) -> None:
    server = Signing(vault, lambda: NOW)
    await server.begin(db)
    (first,) = await listed(db)
    assert (first.signs_from, first.verifies_until) == (NOW, None)
    second = await db.write(lambda conn: signing.rotate(conn, vault, NOW + 5))
    old, new = await listed(db)
    assert (old.kid, new.kid) == (first.kid, second)
    assert new.signs_from == NOW + 5 + PUBLISHED_SECONDS
    assert old.verifies_until == new.signs_from + token_keys.LONGEST_SECONDS
    assert await privates(db) == 2
    await signing.tend(db, vault, new.signs_from)
    assert await privates(db) == 1
    await signing.tend(db, vault, old.verifies_until)
    assert first.kid not in {one.kid for one in await listed(db)}


async def test_of_several_servers_that_look_at_once_one_makes_a_key(
    db: Database, vault: Vault
) -> None:
    await Signing(vault, lambda: NOW).begin(db)
    later = NOW + OLD_SECONDS
    await asyncio.gather(*(signing.tend(db, vault, later) for _ in range(4)))
    assert len(await listed(db)) == 2


async def test_private_halves_are_moved_to_a_new_key_of_the_record(
    db: Database, vault: Vault
) -> None:
    server = Signing(vault, lambda: NOW)
    await server.begin(db)
    raw = server.signer(NOW)[1].private_bytes_raw()
    async with db.read() as conn:
        await vault.check(conn)
    await rekeying.enrol(db, vault, NOW)
    fresh = kek.fresh(NOW)
    both = Vault(Keyring((*vault.keks.keys, fresh)))
    async with db.read() as conn:
        await both.check(conn)
    await rekeying.rotate(db, both, fresh, NOW)
    await rekeying.rewrap(db, both, NOW)
    alone = Vault(Keyring((fresh,)))
    async with db.read() as conn:
        (row,) = (await conn.execute(select(token_key))).all()
        assert row.kek_id == fresh.id
        assert await token_keys.private(conn, alone, row.kid) == raw


def test_the_name_of_a_key_is_its_published_thumbprint() -> None:
    """RFC 8037, appendix A.3."""
    raw = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    expected = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert token_keys.thumbprint(bytes.fromhex(raw)) == expected
