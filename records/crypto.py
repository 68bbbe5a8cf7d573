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
import itertools
import os
import secrets
from collections import OrderedDict
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records import sessions
from records.errors import KeyMissing, KeyWrong, NotFound
from records.ring import Ring, RingKey
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
    "Restore the key file that was in use with this database, and the file of aging keys beside it "
    "(records.key.ring) if there was one."
)
DESTROYED = "This session's key is not there any more, so what was sealed with it cannot be read."


RING_GONE = (
    "A key that wraps encrypted records is neither the key file's nor in the file of aging keys "
    "(records.key.ring) here. Restore that file from its newest copy."
)


def ring_beside(key_file: Path) -> Path:
    """Where the aging keys of a key file are, if there are any."""
    return key_file.with_name(f"{key_file.name}.ring")


def _id_of(key: bytes) -> str:
    return hashlib.sha256(b"crisisbridge kek" + key).hexdigest()[:16]


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

    def __init__(self, kek: bytes, ring: Ring | None = None) -> None:
        if len(kek) != KEY:
            raise KeyWrong(UNREADABLE)
        self._kek = kek
        self._ring = ring
        self._new_file: Path | None = None
        self.kek_id = _id_of(kek)
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
            vault = cls(bytes.fromhex(path.read_text().strip()), Ring(ring_beside(path)))
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
        known = {self.kek_id, *self._aging()}
        if ids <= known:
            return
        if ids & known:
            raise KeyMissing(RING_GONE)
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
        columns = (session_key.c.wrapped, session_key.c.kek_id)
        row = (
            await conn.execute(select(*columns).where(session_key.c.session_id == session_id))
        ).first()
        if row is None:
            return None
        return self._unwrapped(session_id, row.wrapped, row.kek_id)

    def _unwrapped(self, session_id: str, wrapped: bytes, kek_id: str) -> bytes:
        """A data key. Raises KeyWrong when what it is wrapped with is not here."""
        key = self._kek if kek_id == self.kek_id else self._aging().get(kek_id)
        if key is None:
            raise KeyWrong(RING_GONE)
        return _open(key, wrapped, _place("session_key", "wrapped", session_id))

    def _wrapped(self, session_id: str, key: bytes) -> tuple[bytes, str]:
        """A data key wrapped with the newest key that is used, and that key's id."""
        kek_id, with_key = self._current()
        return _seal(with_key, key, _place("session_key", "wrapped", session_id)), kek_id

    def _aging(self) -> dict[str, bytes]:
        """The keys of the ring by id, each worth nothing without the key file; the oldest first."""
        return {_id_of(key): key for key, _ in self._combined()}

    def _current(self) -> tuple[str, bytes]:
        used = [key for key, one in self._combined() if not one.waits]
        return (_id_of(used[-1]), used[-1]) if used else (self.kek_id, self._kek)

    def _combined(self) -> list[tuple[bytes, RingKey]]:
        ring = self._ring.keys() if self._ring is not None else ()
        prefix = b"crisisbridge aging key"
        return [(hmac.digest(self._kek, prefix + one.key, hashlib.sha256), one) for one in ring]

    async def rewrap(self, conn: AsyncConnection, limit: int) -> int:
        """Wrap data keys anew with the newest key, `limit` at most; how many were not yet.

        What they seal is not touched. Of two processes one finds less to do.
        """
        kek_id, _ = self._current()
        others = {self.kek_id, *self._aging()} - {kek_id}
        rows = await conn.execute(
            select(session_key)
            .where(session_key.c.kek_id.in_(sorted(others)))
            .order_by(session_key.c.session_id)
            .limit(limit)
        )
        found = rows.all()
        for row in found:
            key = self._unwrapped(row.session_id, row.wrapped, row.kek_id)
            wrapped, now_id = self._wrapped(row.session_id, key)
            await conn.execute(
                update(session_key)
                .where(
                    session_key.c.session_id == row.session_id, session_key.c.kek_id == row.kek_id
                )
                .values(wrapped=wrapped, kek_id=now_id)
            )
        return len(found)

    async def unneeded(self, conn: AsyncConnection, before: float) -> list[RingKey]:
        """The keys of the ring that wrap nothing here, and whose successor is older than that."""
        used = set((await conn.execute(select(session_key.c.kek_id).distinct())).scalars())
        ring = [(key, one) for key, one in self._combined() if not one.waits]
        return [
            one
            for (key, one), (_, after) in itertools.pairwise(ring)
            if after.made_at <= before and _id_of(key) not in used
        ]

    async def _make(self, conn: AsyncConnection, session_id: str) -> bytes:
        await sessions.lock(conn, session_id)
        stored = await self._stored(conn, session_id)  # by somebody whom we have just waited for
        if stored is not None:
            return stored
        key = secrets.token_bytes(KEY)
        wrapped, kek_id = self._wrapped(session_id, key)
        try:
            await conn.execute(
                insert(session_key).values(session_id=session_id, wrapped=wrapped, kek_id=kek_id)
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
