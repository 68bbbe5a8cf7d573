"""The pager: reaches people whose console is closed. Plans, claims, sends, writes down the outcome.

What to do is decided in `oncall.pager` (pure); every step here is a compare-and-set on the page's
row, so that several processes may run this and a restart goes on from the rows. A process that dies
while it sends leaves a lease behind; when that runs out, the page is sent again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from oncall.escalation import ladder_for
from oncall.pager import (
    PagerPlan,
    SendPage,
    StandDown,
    Withdraw,
    planning_pages,
    retry_after,
)
from records import contacts, escalations, pages, people, sessions
from records.errors import RecordError, StaleSession
from records.pages import NewPage, PageRow
from records.sessions import SessionRow
from signaling import ladders, metrics, paging
from signaling.errors import SessionError
from signaling.pager_facts import snapshot_of
from signaling.post import GivenUp, Message, Outcome, Post, Taken, TryAgain
from signaling.session import State, Step, TimelineEvent

if TYPE_CHECKING:
    from signaling.desk import Desk

T = TypeVar("T")
Change = Callable[[AsyncConnection], Awaitable[bool]]

log = logging.getLogger(__name__)

TRIES = 5  # of a write that met another one on a database with many writers
IDLE_SECONDS = 1.0  # how late a stand-down, or a page of another process, may be seen
LOOK_SECONDS = 5.0  # the roster, presence and the ways change without a sign
REST = 10.0  # times as long as a plan took, before the next one
LONGEST_REST_SECONDS = 1.0
MOST_NOTES = 20  # a round writes "nobody has a way" for so many sessions; the rest is next
LEASE_SECONDS = 45.0  # longer than any sender takes; at least the gap between two pages
MOST_SENDING = 16
DRAIN_SECONDS = 5.0
RECENT_SECONDS = 1800.0
SHOWN_SECONDS = {"call": 60, "stand_down": 300, "test": 300, "alarm": 12 * 3600}
WORDS = {"call": "alert.words.call", "stand_down": "alert.words.stand_down"}


class Pager:
    """The driver of one process; the desk owns its loop."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.post = Post()
        self._wake = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()
        self._said: set[str] = set()  # sessions of which it is noted that nobody has a way
        self._draining = False
        self._seen: tuple[object, ...] = ()
        self._look_at = 0.0  # when to plan, even if nothing stirs

    def wake(self) -> None:
        """Something was queued, or something changed that paging follows."""
        self._look_at = 0.0
        self._wake.set()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            while True:
                began = loop.time()
                await self._plan_if_due()
                rest = min(LONGEST_REST_SECONDS, REST * (loop.time() - began))
                due = await self._dispatch(tasks)
                # in a busy line something stirs all the time: one plan is for all that stirred
                await asyncio.sleep(rest)
                now = self._desk.now()
                later = (now + IDLE_SECONDS, self._look_at, due)
                until = min(moment for moment in later if moment is not None)
                try:
                    async with asyncio.timeout(max(0.05, until - now)):
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
        if self._sending:
            await asyncio.wait(set(self._sending), timeout=DRAIN_SECONDS)

    async def close(self) -> None:
        """Let the senders go."""
        for sender in (self.post.push, self.post.gateways):
            if sender is not None:
                await sender.close()

    async def raise_alarm(
        self, kind: str, provider_id: str, key: str, text_key: str, *, managers: bool = True
    ) -> int:
        """Tell supervisors and managers something, once for each key: `paging.raise_alarm`."""
        return await paging.raise_alarm(
            self._desk, kind, provider_id, key, text_key, managers=managers
        )

    # --- planning --------------------------------------------------------------------------------

    async def _plan_if_due(self) -> None:
        """Plan when something stirs, when a moment has come, and every few seconds."""
        async with self._desk.db.read() as conn:
            seen = await pages.stirrings(conn)
        now = self._desk.now()
        if seen == self._seen and self._look_at - LOOK_SECONDS <= now < self._look_at:
            return
        self._seen = seen
        self._look_at = now + LOOK_SECONDS  # before the plan: who wakes us meanwhile is heard
        deadline = await self._plan()
        if deadline is not None:
            self._look_at = min(self._look_at, deadline)

    async def _plan(self) -> float | None:
        """Queue what is due; when to look again."""
        if self._draining:
            return None
        desk = self._desk
        async with desk.db.read() as conn:
            open_rows = await self._desk.ledger.open_sessions(conn)
            waiting = [row for row in open_rows if row.state == State.WAITING and not row.test]
            known = await pages.for_plan(conn, desk.now() - RECENT_SECONDS)
            if not waiting and not known:
                return None
            ways = await contacts.ways(conn)
            if not ways and not known and all(row.id in self._said for row in waiting):
                return None  # nobody could be paged, and that is on record
            own = ladders.of_rows(await escalations.steps(conn))
            paged_for = {page.session_id for page in known if page.session_id is not None}
            others = [
                row
                for session_id in paged_for - {row.id for row in waiting}
                if (row := await sessions.get(conn, session_id)) is not None
            ]
        rows = [*waiting, *others]
        picture = await desk.screens.picture()
        steps = {r.provider_id: ladder_for(r.provider_id, own, desk.rules) for r in rows}
        snapshot = snapshot_of(picture, rows, known, ways, steps)
        plan = await desk.pace.through(planning_pages(snapshot, self.post.rules))
        await self._carry_out(plan, {row.id: row for row in rows})
        return plan.next_deadline

    async def _carry_out(self, plan: PagerPlan, rows: Mapping[str, SessionRow]) -> None:
        for action in plan.actions:
            match action:
                case SendPage():
                    await self._queue(action, rows[action.session_id])
                case StandDown():
                    await self._stand_down(action, rows[action.session_id])
                case Withdraw(page_id):
                    now = self._desk.now()
                    await self._write(partial(_withdraw, page_id=page_id, now=now))
        new = [one for one in plan.unreachable if one not in self._said]
        for session_id in new[:MOST_NOTES]:
            await self._say_nobody(session_id)
        self._said &= rows.keys()

    async def _queue(self, action: SendPage, row: SessionRow) -> None:
        new = [
            NewPage(
                key=f"call:{row.id}:{contact_id}:{action.round}",
                purpose="call",
                provider_id=row.provider_id,
                person_id=action.person_id,
                contact_id=contact_id,
                step=action.act,
                text_key=WORDS["call"],
                session_id=row.id,
                round=action.round,
            )
            for contact_id in action.contact_ids
        ]
        gap = self.post.rules.gap_seconds

        async def write(conn: AsyncConnection) -> list[PageRow]:
            await sessions.lock(conn, row.id)
            newest = await sessions.get(conn, row.id)
            if newest is None or newest.state != State.WAITING:
                return []  # answered in the meantime: nobody is paged for it
            return await pages.queue_round(conn, self._desk.vault, new, self._desk.now(), gap)

        for page in await self._write(write):
            log.info("page.queued page=%s session=%s step=%s", page.id, row.id, page.step)

    async def _stand_down(self, action: StandDown, row: SessionRow) -> None:
        async def write(conn: AsyncConnection) -> None:
            for contact_id in action.contact_ids:
                new = NewPage(
                    key=f"down:{row.id}:{contact_id}:{action.epoch}",
                    purpose="stand_down",
                    provider_id=row.provider_id,
                    person_id=action.person_id,
                    contact_id=contact_id,
                    step="taken" if row.lead_id else "over",
                    text_key=WORDS["stand_down"],
                    session_id=row.id,
                )
                await pages.queue(conn, self._desk.vault, new, self._desk.now())

        await self._write(write)

    async def _say_nobody(self, session_id: str) -> None:
        """Once for a session, whatever is restarted: those who should be paged have no way."""
        self._said.add(session_id)
        async with self._desk.db.read() as conn:
            known = {event.kind for event in await sessions.timeline_of(conn, session_id)}
        if "page.nobody" not in known:
            await self._desk.note(session_id, "page.nobody", {"reason": "no_contact"})

    # --- sending ---------------------------------------------------------------------------------

    async def _dispatch(self, tasks: asyncio.TaskGroup) -> float | None:
        """Claim what is due and send it, a bounded number at once; when the next one is due."""
        room = MOST_SENDING - len(self._sending)
        if self._draining or room <= 0:
            return None
        now = self._desk.now()
        async with self._desk.db.read() as conn:
            due = await pages.due(conn, now, room)
            later = await pages.next_due(conn)
        for page_id in due:
            claimed = await self._write(partial(self._claim, page_id=page_id))
            if claimed is not None:
                task = tasks.create_task(self._send(claimed), name=f"page {claimed.id}")
                self._sending.add(task)
                task.add_done_callback(self._sent_one)
        return later if later is not None and later > now else None

    def _sent_one(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self.wake()

    async def _claim(self, conn: AsyncConnection, page_id: str) -> PageRow | None:
        now = self._desk.now()
        page = await pages.get(conn, page_id)
        if page is not None and page.purpose == "call":
            row = await sessions.get(conn, page.session_id or "")
            if row is None or row.state != State.WAITING:
                await pages.withdraw(conn, page_id, now)
                return None
        return await pages.claim(conn, page_id, now, LEASE_SECONDS)

    async def _send(self, page: PageRow) -> None:
        async with self._desk.db.read() as conn:
            way = await contacts.get(conn, page.contact_id)
            person = await people.find_person(conn, page.person_id)
            details = await contacts.details(conn, self._desk.vault, page.contact_id)
        if way is None or person is None or details is None:
            await self._settle(page, "?", GivenUp("removed"))
            return
        began = self._desk.now()
        outcome = await self._hand_over(
            way.kind, details, self._message(page, person.locale, way.kind)
        )
        metrics.PAGE_SECONDS.labels(way=way.kind).observe(max(0.0, self._desk.now() - began))
        await self._settle(page, way.kind, outcome)

    async def _hand_over(
        self, kind: str, details: Mapping[str, object], message: Message
    ) -> Outcome:
        if kind == "push":
            if self.post.push is None:
                return GivenUp("no_sender")
            return await self.post.push.send(details, message)
        if self.post.gateways is None:
            return GivenUp("no_sender")
        return await self.post.gateways.send(kind, details, message)

    def _message(self, page: PageRow, locale: str, kind: str) -> Message:
        """The same words for everybody: no person, no place, nothing clinical."""
        token = pages.token_of(self._desk.vault, page.id)
        key = f"{page.text_key}_voice" if kind == "voice" else page.text_key
        return Message(
            purpose=page.purpose,
            title=self.post.words(locale, f"alert.title.{page.purpose}"),
            body=self.post.words(locale, key),
            link=f"{self.post.origin}/alert#{token}",  # browsers send a fragment to nobody
            token=token,
            urgent=page.purpose in {"call", "test"},
            seconds=SHOWN_SECONDS[page.purpose],
        )

    async def _settle(self, page: PageRow, kind: str, outcome: Outcome) -> None:
        now = self._desk.now()
        rules = self.post.rules
        match outcome:
            case Taken():
                await self._record(page, kind, "page.sent", lambda c: pages.sent(c, page, now))
            case TryAgain(reason, asked):
                wait = retry_after(page.attempt, asked, rules)
                if wait is None:
                    await self._fail(page, kind, reason)
                else:
                    await self._write(lambda c: pages.again(c, page, reason, now + wait))
                    metrics.PAGES.labels(way=kind, outcome="again").inc()
            case GivenUp(reason, gone):
                if gone:  # the browser has ended it: never tried again, and its owner is told
                    await self._write(
                        lambda c: contacts.remove(c, page.contact_id, contacts.GONE, now)
                    )
                await self._fail(page, kind, reason)

    async def _fail(self, page: PageRow, kind: str, reason: str) -> None:
        now = self._desk.now()
        await self._record(
            page, kind, "page.failed", lambda c: pages.failed(c, page, reason, now), reason
        )
        log.warning("page.failed page=%s way=%s reason=%s", page.id, kind, reason)

    async def _record(
        self, page: PageRow, kind: str, event: str, change: Change, reason: str | None = None
    ) -> None:
        """A page's new state, with its event on the session's timeline in one transaction."""
        data: dict[str, object] = {"clinician": page.person_id, "way": kind, "page": page.id}
        if reason is not None:
            data["reason"] = reason
        outcome = event.removeprefix("page.")
        if page.purpose == "stand_down":
            event = "page.stand_down"
        if page.session_id is None or (page.purpose == "stand_down" and reason is not None):
            done = await self._write(change)
        else:
            done = await self._with_event(page.session_id, TimelineEvent(event, data), change)
        if done:
            metrics.PAGES.labels(way=kind, outcome=outcome).inc()
        self.wake()

    async def _write(self, change: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """A transaction that the database gave up for another one's sake is made again."""
        for _ in range(TRIES - 1):
            try:
                return await self._desk.db.write(change)
            except StaleSession:
                continue
        return await self._desk.db.write(change)

    async def _with_event(self, session_id: str, event: TimelineEvent, change: Change) -> bool:
        done: list[bool] = []

        async def decide(conn: AsyncConnection, row: SessionRow, _now: float) -> Step | None:
            done[:] = [bool(await change(conn))]
            before = self._desk.machine(row)
            return Step(before, before, (event,)) if done[0] else None

        try:
            await self._desk.change(session_id, decide)
        except (RecordError, SessionError) as error:
            # the page went out: it must not go out again for want of its line on the timeline
            log.warning("page.without_event session=%s code=%s", session_id, error.code)
            return await self._write(change)
        return done[0]


async def _withdraw(conn: AsyncConnection, *, page_id: str, now: float) -> None:
    await pages.withdraw(conn, page_id, now)
