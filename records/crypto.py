"""Sealing of personal and clinical fields: AES-256-GCM under one data key per session.

The data key is wrapped by a key-encryption key that lives in a file beside the database, never in
it. Each sealed value is bound to its table, column and row, so that a ciphertext which is copied to
another place does not open. Destroying a session's data key destroys what it sealed.

Format: 1 byte version, 12 bytes nonce, ciphertext with its 16-byte tag.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections import OrderedDict
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from records.errors import KeyMissing, KeyWrong
from records.schema import session_key

VERSION = b"\x01"
NONCE = 12
KEY = 32
CACHED_KEYS = 2_000


def _place(*parts: str) -> bytes:
    """The associated data that names a place; lengths keep parts from running together."""
    return b"".join(len(p.encode()).to_bytes(2, "big") + p.encode() for p in parts)


def _seal(key: bytes, plain: bytes, place: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE)
    return VERSION + nonce + AESGCM(key).encrypt(nonce, plain, VERSION + place)


def _open(key: bytes, sealed: bytes, place: bytes) -> bytes:
    if sealed[:1] != VERSION or len(sealed) < 1 + NONCE + 16:
        raise KeyWrong
    nonce = sealed[1 : 1 + NONCE]
    try:
        return AESGCM(key).decrypt(nonce, sealed[1 + NONCE :], VERSION + place)
    except InvalidTag as error:
        raise KeyWrong from error


class Vault:
    """Seals and opens fields with the keys of their sessions."""

    def __init__(self, kek: bytes) -> None:
        if len(kek) != KEY:
            raise KeyWrong
        self._kek = kek
        self.kek_id = hashlib.sha256(b"crisisbridge kek" + kek).hexdigest()[:16]
        self._cache: OrderedDict[str, bytes] = OrderedDict()

    @classmethod
    def from_key_file(cls, path: Path, *, create: bool = True) -> Vault:
        """Read the key file; make one (0600) where there is none. Raises KeyMissing, KeyWrong."""
        if not path.exists():
            if not create:
                raise KeyMissing
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(KEY) + "\n")
        try:
            return cls(bytes.fromhex(path.read_text().strip()))
        except ValueError as error:
            raise KeyWrong from error

    async def check(self, conn: AsyncConnection) -> None:
        """Prove at start that this key opens what is stored. Raises KeyMissing for a fresh key."""
        count = (await conn.execute(select(func.count()).select_from(session_key))).scalar()
        if not count:
            return
        ids = set((await conn.execute(select(session_key.c.kek_id).distinct())).scalars())
        if self.kek_id not in ids:
            raise KeyMissing

    async def seal(
        self,
        conn: AsyncConnection,
        session_id: str,
        table: str,
        column: str,
        row_id: str,
        plain: bytes,
    ) -> bytes:
        """Seal one field's bytes; makes the session's key at first use."""
        key = await self._key(conn, session_id) or await self._make(conn, session_id)
        return _seal(key, plain, _place(table, column, row_id))

    async def open(
        self,
        conn: AsyncConnection,
        session_id: str,
        table: str,
        column: str,
        row_id: str,
        sealed: bytes,
    ) -> bytes:
        """Open one field. Raises KeyMissing without the session's key, KeyWrong when it fails."""
        key = await self._key(conn, session_id)
        if key is None:
            raise KeyMissing
        return _open(key, sealed, _place(table, column, row_id))

    async def _key(self, conn: AsyncConnection, session_id: str) -> bytes | None:
        cached = self._cache.get(session_id)
        if cached is not None:
            return cached
        row = (
            await conn.execute(select(session_key).where(session_key.c.session_id == session_id))
        ).first()
        if row is None:
            return None
        key = _open(self._kek, row.wrapped, _place("session_key", "wrapped", session_id))
        self._remember(session_id, key)
        return key

    async def _make(self, conn: AsyncConnection, session_id: str) -> bytes:
        key = secrets.token_bytes(KEY)
        wrapped = _seal(self._kek, key, _place("session_key", "wrapped", session_id))
        await conn.execute(
            insert(session_key).values(session_id=session_id, wrapped=wrapped, kek_id=self.kek_id)
        )
        # Not cached: the transaction may yet be undone, and its key with it.
        return key

    def _remember(self, session_id: str, key: bytes) -> None:
        self._cache[session_id] = key
        while len(self._cache) > CACHED_KEYS:
            self._cache.popitem(last=False)
