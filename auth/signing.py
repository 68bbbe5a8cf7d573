"""This server's copy of the keys that sign tokens; read again when a token names another one.

A copy is never older than twenty seconds when a token is looked at, and a new key is published for
ten minutes before it signs: so a server knows each key before it meets its first token. A name that
nobody has makes a server read again once a second at most, whatever is sent to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from records import token_keys
from records.crypto import Vault
from records.engine import Database
from records.token_keys import TokenKey

STALE_SECONDS: Final = 20.0
AGAIN_SECONDS: Final = 1.0
ROTATED: Final = "tokens.rotate"


class Signing:
    """What signs and what verifies, in memory."""

    def __init__(self, vault: Vault, clock: Callable[[], float]) -> None:
        self._vault = vault
        self._clock = clock
        self._keys: tuple[TokenKey, ...] = ()
        self._private: dict[str, Ed25519PrivateKey] = {}
        self._public: dict[str, Ed25519PublicKey] = {}
        self._read_at = 0.0

    async def begin(self, db: Database) -> None:
        """Make the first key where there is none, and read them all."""
        now = self._clock()
        async with db.read() as conn:
            known = await token_keys.listed(conn)
        if not known:
            await db.write(lambda conn: rotate(conn, self._vault, now))
        async with db.read() as conn:
            await self.read(conn)

    async def read(self, conn: AsyncConnection) -> None:
        """All keys anew."""
        keys, now = await token_keys.listed(conn), self._clock()
        current, held = token_keys.signing(keys, now), {}
        for one in keys:
            if current is not None and one.signs_from < current.signs_from:
                continue  # it signs no more
            if one.kid in self._private:
                held[one.kid] = self._private[one.kid]
            elif (raw := await token_keys.private(conn, self._vault, one.kid)) is not None:
                held[one.kid] = Ed25519PrivateKey.from_private_bytes(raw)
        self._keys, self._private, self._read_at = tuple(keys), held, now
        self._public = {one.kid: Ed25519PublicKey.from_public_bytes(one.public) for one in keys}

    async def meet(self, conn: AsyncConnection, kid: str | None) -> None:
        """Be up to date before a token that names this key is looked at."""
        age = self._clock() - self._read_at
        strange = kid is not None and all(one.kid != kid for one in self._keys)
        if not 0 <= age < (AGAIN_SECONDS if strange else STALE_SECONDS):
            await self.read(conn)

    def signer(self, now: float) -> tuple[str, Ed25519PrivateKey]:
        """The key that signs now, and its id."""
        ready = [one for one in self._keys if one.kid in self._private]
        one = token_keys.signing(ready, now) or ready[-1]
        return one.kid, self._private[one.kid]

    def verifier(self, kid: str) -> Ed25519PublicKey | None:
        """The public half of that name, while it verifies."""
        return next((self._public[kid] for one in self.published() if one.kid == kid), None)

    def published(self) -> list[TokenKey]:
        """What verifies now or is about to."""
        now = self._clock()
        return [one for one in self._keys if one.verifies_until is None or now < one.verifies_until]

    @property
    def takes_unnamed(self) -> bool:
        """Whether a token from before there were such keys may still be alive."""
        began = self._keys[0].made_at if self._keys else self._clock()
        return self._clock() < began + token_keys.LONGEST_SECONDS


async def rotate(conn: AsyncConnection, vault: Vault, now: float) -> str:
    """Another key signs from ten minutes on; nobody is signed out. Its id."""
    kid = await token_keys.add(conn, vault, now)
    await token_keys.tidy(conn, now)
    # the trail has room for 40 letters of a name, which are enough to know the key by
    await audit.record(conn, None, ROTATED, "token_key", kid[:40], "allowed", now)
    return kid


async def tend(db: Database, vault: Vault, now: float) -> None:
    """Each night: another key where the newest is three months old; what is over is destroyed."""

    async def work(conn: AsyncConnection) -> None:
        await token_keys.hold(conn)  # of several servers one makes a key
        known = await token_keys.listed(conn)
        if known and known[-1].made_at + token_keys.OLD_SECONDS <= now:
            await rotate(conn, vault, now)
        else:
            await token_keys.tidy(conn, now)

    await db.write(work)
