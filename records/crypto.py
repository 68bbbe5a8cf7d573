"""Sealing of personal and clinical fields: AES-256-GCM under one data key per session.

The data key is wrapped by a key-encrypting key that lives apart from the database, never in it
(`records.kek_sources`). Each sealed value is bound to its table, column and row, so that a
ciphertext which is copied to another place does not open. Destroying a session's data key destroys
what it sealed. Which of several key-encrypting keys wraps now stands in the database
(`records.kek_register`), so that all servers change from one to the next together.

Format: 1 byte version, 12 bytes nonce, ciphertext with its 16-byte tag.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import logging
import secrets
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records import kek_register, resealing, sessions
from records.errors import KeyMissing, KeyWrong, NotFound
from records.kek import Kek, id_of
from records.kek_sources import FileSource, Source, make_secret_file
from records.keyring import Keyring
from records.resealing import Moved
from records.ring import Ring, RingKey
from records.schema import session_key
from records.schema_keys import tag_key

log = logging.getLogger(__name__)

__all__ = ["Own", "Vault", "make_secret_file", "ring_beside"]

VERSION = b"\x01"
NONCE = 12
KEY = 32
CACHED_KEYS = 2_000

ANOTHERS = (
    "The key file belongs to another database: it opens none of the encrypted records here. "
    "Restore the key file that was in use with this database, and the file of aging keys beside it "
    "(records.key.ring) if there was one."
)
DESTROYED = "This session's key is not there any more, so what was sealed with it cannot be read."
SOME_GONE = (
    "A key that wraps encrypted records is not here: neither among the keys of this server nor in "
    "the file of aging keys (records.key.ring). Restore both from their newest copies, or bring "
    "the key that `crisisbridge keys rotate` made on another server to this one."
)
NOT_CHECKED = "The vault must be checked against its database before it makes tags."

# What `Vault.tag` is asked for. Its keys stay the same when the key that they came from is gone.
PURPOSES = (
    "page link",
    "api token",
    "identity",
    "contact",
    "audit checkpoints",
    "list of deletions",
)
LATER = "later purposes"  # the key that purposes of later versions come from
OWN_FIELDS = "own fields"
BACKUPS = "backups"


def ring_beside(key_file: Path) -> Path:
    """Where the aging keys of a key file are, if there are any."""
    return key_file.with_name(f"{key_file.name}.ring")


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


def _wrap(form: bytes, session_id: str, key: bytes) -> bytes:
    return _seal(form, key, _place("session_key", "wrapped", session_id))


@dataclass(frozen=True, slots=True)
class Own:
    """The current key of fields that belong to no session; its id is kept beside what it seals."""

    id: str
    _key: bytes

    def __repr__(self) -> str:
        return f"Own({self.id})"

    def seal(self, table: str, column: str, row_id: str, plain: bytes) -> bytes:
        return _seal(self._key, plain, _place(table, column, row_id))


class Vault:
    """Seals and opens fields with the keys of their sessions."""

    def __init__(self, keys: bytes | Keyring, ring: Ring | None = None) -> None:
        self.keks = Keyring((Kek(keys),)) if isinstance(keys, bytes) else keys
        self._ring = ring
        self._new_file: Path | None = None
        self._tags: dict[str, bytes] = {}
        self._cache: OrderedDict[str, bytes] = OrderedDict()

    @classmethod
    def from_source(cls, source: Source, ring: Path) -> Self:
        """The keys that a source gives. Raises KeyMissing, KeyWrong, KeyCommandFailed."""
        return cls(Keyring(source.read(), source), Ring(ring))

    @classmethod
    def from_key_file(cls, path: Path, *, create: bool = True) -> Self:
        """Read the key file; make one (0600) where there is none. Raises KeyMissing, KeyWrong."""
        source = FileSource(path)
        new = create and source.make()
        vault = cls.from_source(source, ring_beside(path))
        vault._new_file = path if new else None
        return vault

    async def check(self, conn: AsyncConnection) -> None:
        """Prove at start that the keys here open what is stored, and learn the keys of tags.

        Raises KeyMissing when there was no key file though records are sealed (the file that was
        made in its place is removed again, so that it is never taken for the real one) or when one
        of several keys is not here, KeyWrong when the keys are those of another database.
        """
        ids = {one.id for one in await kek_register.listed(conn) if one.state == "current"}
        ids |= set((await conn.execute(select(session_key.c.kek_id).distinct())).scalars())
        for own in resealing.OWN:
            ids |= (await resealing.counts(conn, own)).keys()
        known = {one.id for one in self.keks.keys} | self._wrapping().keys()
        if not ids <= known:
            if ids & known:
                raise KeyMissing(SOME_GONE)
            if self._new_file is None:
                raise KeyWrong(ANOTHERS)
            self._new_file.unlink(missing_ok=True)
            raise KeyMissing
        await self._learn_tags(conn)

    async def prove(self, conn: AsyncConnection) -> None:
        """Really open one value under each key. Raises as `check`, and KeyWrong."""
        await self.check(conn)
        keys = await conn.execute(select(session_key.c.kek_id).distinct())
        for kek_id in keys.scalars().all():
            one = select(session_key).where(session_key.c.kek_id == kek_id).limit(1)
            row = (await conn.execute(one)).one()
            await self._unwrapped(row.session_id, row.wrapped, row.kek_id)
        for own in resealing.OWN:
            for kek_id in await resealing.counts(conn, own):
                await resealing.prove(conn, self, own, kek_id)

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

    async def own(self, conn: AsyncConnection) -> Own:
        """The key for fields that belong to no session, held until the transaction ends."""
        now = await self._current(conn)
        return Own(now.id, now.derived(OWN_FIELDS))

    async def open_own(
        self, table: str, column: str, row_id: str, sealed: bytes, kek_id: str
    ) -> bytes:
        """Open what `Own.seal` sealed, with the key of that name. Raises KeyWrong."""
        kek = await self.keks.named(kek_id)
        if kek is None:
            raise KeyWrong(SOME_GONE)
        return _open(kek.derived(OWN_FIELDS), sealed, _place(table, column, row_id))

    def tag(self, purpose: str, text: str) -> bytes:
        """32 bytes that only this vault can make of a text: blind indexes, secrets that last.

        They are the same whichever key is current.
        """
        return hmac.digest(self._tag_key(purpose), text.encode(), hashlib.sha256)

    def backup_keys(self, salt: bytes) -> Iterator[bytes]:
        """What may have sealed a backup, the newest first; the first one seals."""
        for kek in reversed(self.keks.keys):
            yield hmac.digest(kek.derived(BACKUPS), salt.hex().encode(), hashlib.sha256)

    def _tag_key(self, purpose: str) -> bytes:
        if purpose in self._tags:
            return self._tags[purpose]
        if LATER in self._tags:
            return hmac.digest(self._tags[LATER], purpose.encode(), hashlib.sha256)
        first = self.keks.first
        if first is None:
            raise RuntimeError(NOT_CHECKED)
        return first.derived(purpose)

    async def _learn_tags(self, conn: AsyncConnection) -> None:
        """The keys of tags, as they were kept when the first key was about to go."""
        stored = {}
        for row in await conn.execute(select(tag_key)):
            place = ("tag_key", "key_enc", row.purpose)
            stored[row.purpose] = await self.open_own(*place, row.key_enc, row.kek_id)
        if not stored:  # for this process, whatever happens to the key
            first = self.keks.first or self.keks.keys[0]
            stored = {purpose: first.derived(purpose) for purpose in (*PURPOSES, LATER)}
        self._tags = stored

    async def keep_tags(self, conn: AsyncConnection) -> None:
        """Keep the keys of tags, before another key becomes the current one."""
        if (await conn.execute(select(tag_key.c.purpose).limit(1))).first() is not None:
            return
        own = await self.own(conn)
        for purpose in (*PURPOSES, LATER):
            sealed = own.seal("tag_key", "key_enc", purpose, self._tags[purpose])
            await conn.execute(
                insert(tag_key).values(purpose=purpose, key_enc=sealed, kek_id=own.id)
            )

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
        return await self._unwrapped(session_id, row.wrapped, row.kek_id)

    async def _unwrapped(self, session_id: str, wrapped: bytes, kek_id: str) -> bytes:
        """A data key. Raises KeyWrong when what it is wrapped with is not here."""
        key = await self.keks.find(kek_id, lambda: self._wrapping().get(kek_id))
        if key is None:
            raise KeyWrong(SOME_GONE)
        return _open(key, wrapped, _place("session_key", "wrapped", session_id))

    async def _current(self, conn: AsyncConnection) -> Kek:
        """The key that wraps now. Where it has not arrived here yet, another one that still may:
        a crisis call waits for no key. Raises KeyWrong when none of them is here."""
        now = await kek_register.held(conn, "current")
        if not now:  # nobody has registered one yet
            return self.keks.first or self.keks.keys[0]
        for kek_id in (*now, *await self._still_open(conn, now[0])):
            kek = await self.keks.named(kek_id)
            if kek is not None:
                return kek
        raise KeyWrong(SOME_GONE)

    async def _still_open(self, conn: AsyncConnection, current: str) -> list[str]:
        """Other keys that may seal, for a server that does not have the current one."""
        if await self.keks.named(current) is not None:
            return []
        log.warning("keys.behind current=%s", current)
        return await kek_register.held(conn, "old")

    def _wrapping(self) -> dict[str, bytes]:
        """Whatever may wrap a data key, by its id: each key alone and with each aging one."""
        return {id_of(key): key for kek in self.keks.keys for key in self._forms(kek)}

    def _forms(self, kek: Kek) -> tuple[bytes, ...]:
        return (kek.key, *(kek.with_aging(one.key) for one in self._aging()))

    def _form_of_now(self, kek: Kek) -> bytes:
        """What wraps with this key: together with the newest aging key that is used, if any."""
        used = [one for one in self._aging() if not one.waits]
        return kek.with_aging(used[-1].key) if used else kek.key

    def _aging(self) -> tuple[RingKey, ...]:
        return self._ring.keys() if self._ring is not None else ()

    async def rewrap(self, conn: AsyncConnection, limit: int, after: str = "") -> Moved:
        """Wrap data keys anew with the newest key, `limit` at most, of sessions after `after`.

        What they seal is not touched. Of two processes one finds less to do.
        """
        form = self._form_of_now(await self._current(conn))
        now_id = id_of(form)
        others = self._wrapping().keys() - {now_id}
        rows = await conn.execute(
            select(session_key)
            .where(session_key.c.kek_id.in_(sorted(others)), session_key.c.session_id > after)
            .order_by(session_key.c.session_id)
            .limit(limit)
        )
        found, unread = rows.all(), 0
        for row in found:
            try:
                key = await self._unwrapped(row.session_id, row.wrapped, row.kek_id)
            except KeyWrong:
                unread += 1
                log.warning("keys.unread table=session_key row=%s", row.session_id)
                continue
            await conn.execute(
                update(session_key)
                .where(
                    session_key.c.session_id == row.session_id,
                    session_key.c.wrapped == row.wrapped,
                )
                .values(wrapped=_wrap(form, row.session_id, key), kek_id=now_id)
            )
        return Moved(len(found), unread, found[-1].session_id if found else after)

    async def uses(self, conn: AsyncConnection) -> dict[str, Counter[str]]:
        """How many rows hang on which key, by table. An id that no key here has stays as it is."""
        whose = {id_of(form): kek.id for kek in self.keks.keys for form in self._forms(kek)}
        found: dict[str, Counter[str]] = {}
        for own in (resealing.DATA_KEYS, *resealing.OWN):
            for kek_id, number in (await resealing.counts(conn, own)).items():
                found.setdefault(whose.get(kek_id, kek_id), Counter())[own.name] += number
        return found

    async def unneeded(self, conn: AsyncConnection, before: float) -> list[RingKey]:
        """The keys of the ring that wrap nothing here, and whose successor is older than that."""
        used = set((await conn.execute(select(session_key.c.kek_id).distinct())).scalars())
        ring = [one for one in self._aging() if not one.waits]
        return [
            one
            for one, after in itertools.pairwise(ring)
            if after.made_at <= before and not self._wraps_any(one, used)
        ]

    def _wraps_any(self, one: RingKey, used: Collection[str]) -> bool:
        return any(id_of(kek.with_aging(one.key)) in used for kek in self.keks.keys)

    async def _make(self, conn: AsyncConnection, session_id: str) -> bytes:
        await sessions.lock(conn, session_id)
        stored = await self._stored(conn, session_id)  # by somebody whom we have just waited for
        if stored is not None:
            return stored
        key = secrets.token_bytes(KEY)
        form = self._form_of_now(await self._current(conn))
        wrapped = _wrap(form, session_id, key)
        try:
            await conn.execute(
                insert(session_key).values(
                    session_id=session_id, wrapped=wrapped, kek_id=id_of(form)
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
