"""Sealing of personal and clinical fields: AES-256-GCM under one data key per session.

The data key is wrapped by a key-encryption key that lives in a file beside the database, never in
it. Each sealed value is bound to its table, column and row, so that a ciphertext which is copied to
another place does not open. Destroying a session's data key destroys what it sealed.

Format: 1 byte version, 12 bytes nonce, ciphertext with its 16-byte tag.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from collections import OrderedDict
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records import sessions
from records.errors import KeyMissing, KeyWrong, NotFound
from records.schema import contact_point, session_key
from records.schema_programs import webhook
from records.schema_signin import totp

VERSION = b"\x01"
NONCE = 12
KEY = 32
CACHED_KEYS = 2_000

UNREADABLE = (
    "The key file cannot be read as a key: one line of 64 hexadecimal digits is expected. "
    "Restore it from its backup."
)
ANOTHERS = (
    "The key file belongs to another database: it opens none of the encrypted records here. "
    "Restore the key file that was in use with this database."
)
DESTROYED = "This session's key is not there any more, so what was sealed with it cannot be read."


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
            raise KeyWrong(UNREADABLE)
        self._kek = kek
        self._new_file: Path | None = None
        self.kek_id = hashlib.sha256(b"crisisbridge kek" + kek).hexdigest()[:16]
        self._cache: OrderedDict[str, bytes] = OrderedDict()

    @classmethod
    def from_key_file(cls, path: Path, *, create: bool = True) -> Vault:
        """Read the key file; make one (0600) where there is none. Raises KeyMissing, KeyWrong."""
        new = not path.exists()
        try:
            if new:
                if not create:
                    raise KeyMissing
                make_secret_file(path, secrets.token_hex(KEY) + "\n")
            vault = cls(bytes.fromhex(path.read_text().strip()))
        except (OSError, ValueError) as error:
            raise KeyWrong(UNREADABLE) from error
        vault._new_file = path if new else None
        return vault

    async def check(self, conn: AsyncConnection) -> None:
        """Prove at start that this key opens what is stored.

        Raises KeyMissing when there was no key file though records are sealed (the file that was
        made in its place is removed again, so that it is never taken for the real one), KeyWrong
        when the key file is that of another database.
        """
        ids = set((await conn.execute(select(session_key.c.kek_id).distinct())).scalars())
        ids |= set((await conn.execute(select(contact_point.c.kek_id).distinct())).scalars())
        ids |= set((await conn.execute(select(totp.c.kek_id).distinct())).scalars())
        sealed = select(webhook.c.kek_id).where(webhook.c.url_enc.is_not(None)).distinct()
        ids |= set((await conn.execute(sealed)).scalars())
        if not ids or self.kek_id in ids:
            return
        if self._new_file is None:
            raise KeyWrong(ANOTHERS)
        self._new_file.unlink(missing_ok=True)
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
        """Seal one field's bytes; makes the session's key at first use.

        The key is read from the database each time: one that is only remembered could stem from a
        transaction that was undone, and would be lost with this process.
        """
        key = await self._stored(conn, session_id)
        if key is None:
            key = await self._make(conn, session_id)
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
        place = _place(table, column, row_id)
        remembered = self._cache.get(session_id)
        if remembered is not None:
            self._cache.move_to_end(session_id)
            try:
                return _open(remembered, sealed, place)
            except KeyWrong:
                self.forget(session_id)  # perhaps a key whose transaction was undone: read it again
        key = await self._stored(conn, session_id)
        if key is None:
            raise KeyMissing(DESTROYED)
        plain = _open(key, sealed, place)
        self._remember(session_id, key)
        return plain

    def seal_own(self, table: str, column: str, row_id: str, plain: bytes) -> bytes:
        """Seal a field that belongs to no session, under the vault's own key."""
        return _seal(self._derived("own fields"), plain, _place(table, column, row_id))

    def open_own(self, table: str, column: str, row_id: str, sealed: bytes) -> bytes:
        """Open what `seal_own` sealed. Raises KeyWrong."""
        return _open(self._derived("own fields"), sealed, _place(table, column, row_id))

    def tag(self, purpose: str, text: str) -> bytes:
        """32 bytes that only this vault can make of a text: blind indexes, secrets that last."""
        return hmac.digest(self._derived(purpose), text.encode(), hashlib.sha256)

    def _derived(self, purpose: str) -> bytes:
        return hmac.digest(self._kek, f"crisisbridge {purpose}".encode(), hashlib.sha256)

    def forget(self, session_id: str) -> None:
        """Drop a session's key from memory, for instance after it was destroyed."""
        self._cache.pop(session_id, None)

    async def _stored(self, conn: AsyncConnection, session_id: str) -> bytes | None:
        wrapped = (
            await conn.execute(
                select(session_key.c.wrapped).where(session_key.c.session_id == session_id)
            )
        ).scalar()
        if wrapped is None:
            return None
        return _open(self._kek, wrapped, _place("session_key", "wrapped", session_id))

    async def _make(self, conn: AsyncConnection, session_id: str) -> bytes:
        await sessions.lock(conn, session_id)
        stored = await self._stored(conn, session_id)  # by somebody whom we have just waited for
        if stored is not None:
            return stored
        key = secrets.token_bytes(KEY)
        wrapped = _seal(self._kek, key, _place("session_key", "wrapped", session_id))
        try:
            await conn.execute(
                insert(session_key).values(
                    session_id=session_id, wrapped=wrapped, kek_id=self.kek_id
                )
            )
        except IntegrityError as error:
            raise NotFound from error  # no such session
        return key

    def _remember(self, session_id: str, key: bytes) -> None:
        self._cache[session_id] = key
        self._cache.move_to_end(session_id)
        while len(self._cache) > CACHED_KEYS:
            self._cache.popitem(last=False)


def make_secret_file(path: Path, text: str) -> None:
    """A file for its owner only: durable before it is used, and never seen half-written.

    When another process was faster, its file stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was faster: its key holds
            os.link(draft, path)
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
