"""Tells addresses of other programs what happened: claims notices, signs, sends, tries again.

Notices stand in the record beside the events that they are about (`records.deliveries`), so a
restart goes on from the rows. Of several servers one claims a notice, under a lease; one that dies
while it sends leaves the lease behind, and the notice is sent again: at least once, with an id by
which the other side knows it. Whether it may leave is asked of the policy with each try, and is on
record, in the transaction that claims it.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import aiohttp
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import webhooks as right
from auth.errors import AuditFailed
from records import deliveries, directory, followups, sessions, webhooks
from records.deliveries import DeliveryRow
from records.errors import KeyWrong
from records.sessions import SessionRow
from records.webhooks import OVERDUE, TEST, Sealed
from signaling import metrics, notices
from signaling.errors import BadAddress
from signaling.webhook_address import Reach, Resolver, checked

if TYPE_CHECKING:
    from signaling.desk import Desk

T = TypeVar("T")

log = logging.getLogger(__name__)

IDLE_SECONDS = 1.0  # how late a notice may be seen
SWEEP_SECONDS = 60.0  # follow-ups whose time has come
TIDY_SECONDS = 3600.0
LEASE_SECONDS = 45.0  # longer than any try takes
SEND_SECONDS = 10.0
CONNECT_SECONDS = 5.0
MOST_SENDING = 8
EACH = 2  # to one address at a time: a slow one holds up nobody else
DRAIN_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A claimed notice, ready to be signed and sent."""

    notice: DeliveryRow
    sealed: Sealed
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """How a try ended. `reason` None: it was taken."""

    status: int | None
    reason: str | None = None
    asked: float | None = None  # seconds that the other side asks us to wait
    gone: bool = False  # it wants no more of this one


class Courier:
    """The sender of one process; the desk owns its loop."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.reach = Reach()
        self._http: aiohttp.ClientSession | None = None
        self._sending: Counter[str] = Counter()  # by address
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._draining = False
        self._sweep_at = self._tidy_at = 0.0

    def wake(self) -> None:
        """Something was queued by hand."""
        self._wake.set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._sweep()
                await self._dispatch(tasks)
                try:
                    async with asyncio.timeout(IDLE_SECONDS):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                self._wake.clear()

    def stop(self) -> None:
        """Send nothing new; the rest is in the rows."""
        self._draining = True

    async def drain(self) -> None:
        """What is under way gets a moment to end."""
        self.stop()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=DRAIN_SECONDS)

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()
            self._http = None

    # --- what is due -----------------------------------------------------------------------------

    async def _sweep(self) -> None:
        """Queue follow-ups whose time has come; forget what ended long ago."""
        desk, now = self._desk, self._desk.now()
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_SECONDS
            async with desk.db.read() as conn:
                wanted = await deliveries.wants_overdue(conn)
            if wanted:
                await self._write(partial(_queue_overdue, now=now))
        if now >= self._tidy_at:
            self._tidy_at = now + TIDY_SECONDS
            await self._write(partial(_tidy, now=now))

    async def _dispatch(self, tasks: asyncio.TaskGroup) -> None:
        """Claim what is due and send it, a bounded number at once."""
        if self._draining:
            return
        async with self._desk.db.read() as conn:
            waiting = await deliveries.waiting(conn, self._desk.now())
        # whoever has the least under way goes first, so that nobody takes all the room
        for webhook_id in sorted(waiting, key=lambda one: (self._sending[one], one)):
            room = min(EACH - self._sending[webhook_id], MOST_SENDING - len(self._tasks))
            if room <= 0:
                continue
            async with self._desk.db.read() as conn:
                due = await deliveries.due(conn, webhook_id, self._desk.now(), room)
            for delivery_id in due:
                try:
                    ready = await self._write(partial(self._claim, delivery_id=delivery_id))
                except AuditFailed:
                    return  # nothing leaves that is not on record; the notice stays queued
                if ready is not None:
                    self._begin(tasks, ready)

    def _begin(self, tasks: asyncio.TaskGroup, ready: Outgoing) -> None:
        webhook_id = ready.notice.webhook_id
        task = tasks.create_task(self._deliver(ready), name=f"notice {ready.notice.id}")
        self._tasks.add(task)
        self._sending[webhook_id] += 1

        def ended(done: asyncio.Task[None]) -> None:
            self._tasks.discard(done)
            self._sending[webhook_id] -= 1
            if self._sending[webhook_id] <= 0:
                del self._sending[webhook_id]
            self.wake()

        task.add_done_callback(ended)

    async def _claim(self, conn: AsyncConnection, *, delivery_id: str) -> Outgoing | None:
        """Take a notice, if it may still leave; on record before it does."""
        now = self._desk.now()
        notice = await deliveries.claim(conn, delivery_id, now, LEASE_SECONDS)
        if notice is None:
            return None
        webhook = await webhooks.get(conn, notice.webhook_id)
        if webhook is None or webhook.state != "active":
            await deliveries.put_back(conn, notice)
            return None
        if not right.may_be_told(webhook, await directory.read(conn)):
            await webhooks.pause(conn, webhook.id, "owner", now)
            await deliveries.put_back(conn, notice)
            log.warning("webhook.paused webhook=%s why=owner", webhook.id)
            return None
        row: SessionRow | None = None
        told: Mapping[str, object] = {}
        if notice.kind != TEST:
            row = await sessions.get(conn, notice.session_id or "")
            if notice.kind == OVERDUE and not await _still_due(conn, notice):
                await deliveries.drop(conn, notice, "over", now)
                return None
            told = await _told(conn, notice)
            if not await right.record_sending(conn, webhook, row, now):
                await deliveries.drop(conn, notice, "not_allowed", now)
                return None
        try:
            sealed = await webhooks.opened(conn, self._desk.vault, webhook.id)
        except KeyWrong:
            sealed = None
        if sealed is None:
            await deliveries.failed(conn, notice, None, "sealed", now)
            return None
        return Outgoing(notice, sealed, notices.encoded(notices.body(notice, row, told)))

    # --- sending ---------------------------------------------------------------------------------

    async def _deliver(self, ready: Outgoing) -> None:
        answer = await self._post(ready)
        notice, now = ready.notice, self._desk.now()
        wait = notices.wait_after(notice.attempt, answer.asked)
        if answer.reason is None:
            outcome = "sent"
        elif answer.gone or wait is None:
            outcome = "failed"
        else:
            outcome = "again"

        async def settle(conn: AsyncConnection) -> bool:
            if answer.reason is None and answer.status is not None:
                return await deliveries.sent(conn, notice, answer.status, now)
            reason = answer.reason or "?"
            if outcome == "failed" or wait is None:
                return await deliveries.failed(conn, notice, answer.status, reason, now)
            return await deliveries.again(conn, notice, answer.status, reason, now + wait)

        await self._write(settle)
        metrics.NOTICES.labels(outcome=outcome).inc()
        if outcome != "sent":
            log.warning(
                "webhook.%s webhook=%s attempt=%d status=%s reason=%s",
                outcome, notice.webhook_id, notice.attempt, answer.status, answer.reason,
            )  # fmt: skip

    async def _post(self, ready: Outgoing) -> Answer:
        """One request. Only its status is read, nothing of what the other side says."""
        try:
            checked(ready.sealed.url, self.reach)  # what may be reached can have changed since
        except BadAddress:
            return Answer(None, "not_allowed")
        signed = notices.headers(ready.sealed.secret, ready.notice.id, ready.body, self._desk.now())
        try:
            async with (
                asyncio.timeout(SEND_SECONDS),
                self._session().post(
                    ready.sealed.url, data=ready.body, headers=signed, allow_redirects=False
                ) as answer,
            ):
                return _answer(answer.status, answer.headers)
        except TimeoutError:
            return Answer(None, "timeout")
        except (aiohttp.ClientSSLError, ssl.SSLError):
            return Answer(None, "tls")
        except (aiohttp.ClientError, OSError, ValueError):
            return Answer(None, "unreachable")

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=MOST_SENDING, resolver=Resolver(self.reach), force_close=True
                ),
                timeout=aiohttp.ClientTimeout(total=SEND_SECONDS, sock_connect=CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                max_line_size=8190,
                max_field_size=8190,
            )
        return self._http

    async def _write(self, change: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        return await self._desk.again(lambda: self._desk.db.write(change))


def _answer(status: int, said: Mapping[str, str]) -> Answer:
    if 200 <= status < 300:
        return Answer(status)
    if 300 <= status < 400:
        return Answer(status, "redirected")
    asked = said.get("Retry-After", "")
    wait = float(asked) if asked.isascii() and asked.isdigit() and len(asked) < 9 else None
    return Answer(status, "refused", wait, gone=status == 410)


async def _still_due(conn: AsyncConnection, notice: DeliveryRow) -> bool:
    """Whether nobody has closed or moved the follow-up in the meantime."""
    return await followups.open_since(conn, notice.followup_id or "", notice.at)


async def _told(conn: AsyncConnection, notice: DeliveryRow) -> Mapping[str, object]:
    if notice.session_id is None or notice.no is None:
        return {}
    return await sessions.event_data(conn, notice.session_id, notice.no)


async def _queue_overdue(conn: AsyncConnection, *, now: float) -> int:
    return await deliveries.queue_overdue(conn, now)


async def _tidy(conn: AsyncConnection, *, now: float) -> int:
    return await deliveries.tidy(conn, now)
