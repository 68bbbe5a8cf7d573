"""What people do with pages: open them, say that they come, try their own; and alarms without a
session.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from records import contacts, directory, pages, sessions
from records.contacts import Way
from records.errors import NotFound, RecordError
from records.pages import NewPage, PageRow
from records.sessions import SessionRow
from signaling import metrics
from signaling.errors import NoSuchPage, SessionError
from signaling.session import State, Step, TimelineEvent

if TYPE_CHECKING:
    from signaling.desk import Desk

log = logging.getLogger(__name__)

Answer = Literal["delivered", "opened", "acknowledged"]
TEST_PAUSE_SECONDS = 10.0  # between two tests of one way
RECENT_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class AtTheDoor:
    """What the holder of a page's link may know: whether there is still something to do."""

    purpose: str
    state: Literal["waiting", "taken", "over", "none"]  # none: no session behind it
    by: str | None  # short name of the colleague who took it
    about: str | None = None  # of an alarm: its page's place, as web's alert.js knows it


async def answer(desk: Desk, token: str, state: Answer) -> AtTheDoor:
    """A page was shown, opened or acknowledged by whoever holds its link. Raises NoSuchPage.

    The link gives no right to anything else: not to the console, not to any record.
    """
    async with desk.db.read() as conn:
        page = await pages.by_token(conn, token, desk.now())
        row = None
        if page is not None and page.session_id is not None:
            row = await sessions.get(conn, page.session_id)
        who = await directory.read(conn)
    if page is None:
        raise NoSuchPage
    await _move(desk, page, state)
    if row is None:
        return AtTheDoor(page.purpose, "none", None, _about(page))
    if row.state == State.WAITING:
        return AtTheDoor(page.purpose, "waiting", None)
    if row.state == State.CLOSED or row.lead_id is None:
        return AtTheDoor(page.purpose, "over", None)
    return AtTheDoor(page.purpose, "taken", who.short_name(row.lead_id))


async def console_open(desk: Desk, person_id: str) -> None:
    """A signed-in console is open: that acknowledges every page of its clinician."""
    async with desk.db.read() as conn:
        open_pages = await pages.unanswered(conn, person_id, desk.now() - RECENT_SECONDS)
    for page in open_pages:
        await _move(desk, page, "acknowledged")


async def test(desk: Desk, person_id: str, provider_id: str | None, contact_id: str) -> PageRow:
    """Send a real page to one of the person's own ways. Raises NotFound.

    A second press within a few seconds gives the page of the first one.
    """

    async def write(conn: AsyncConnection) -> PageRow:
        await contacts.hold_person(conn, person_id)
        now = desk.now()
        way = await contacts.get(conn, contact_id)
        if way is None or way.person_id != person_id or way.removed_at is not None:
            raise NotFound
        last = (await pages.newest_tests(conn, person_id)).get(contact_id)
        if last is not None and 0 <= now - last.queued_at < TEST_PAUSE_SECONDS:
            return last
        await contacts.tested(conn, contact_id, now)
        new = NewPage(
            key=f"test:{contact_id}:{now:.3f}",
            purpose="test",
            provider_id=provider_id,
            person_id=person_id,
            contact_id=contact_id,
            step="test",
            text_key="alert.words.test",
        )
        made = await pages.queue(conn, desk.vault, new, now)
        if made is None:
            raise NotFound
        return made

    page = await desk.db.write(write)
    desk.pager.wake()
    return page


async def remind(
    desk: Desk, person_id: str, provider_id: str, key: str, text_key: str, kind: str = "reminder"
) -> int:
    """Tell one person something that is no call, once for each `key`; by every way but voice."""

    async def write(conn: AsyncConnection) -> int:
        made = 0
        for way in await contacts.ways(conn, [person_id]):
            if way.kind != "voice":
                made += await _alarm(conn, desk, way, (kind, provider_id, key, text_key))
        return made

    made = await desk.db.write(write)
    if made:
        desk.pager.wake()
    return made


async def raise_alarm(
    desk: Desk,
    kind: str,
    provider_id: str,
    key: str,
    text_key: str,
    *,
    managers: bool = True,
) -> int:
    """Tell a provider's supervisors and managers something that is no call, once for each `key`.

    Without `managers` only the supervisors: what concerns an officer's own care is no employer's.
    `kind` is a code (at most 16 letters), `text_key` the words' key. Goes to every way but voice.
    Gives the number of pages that are new; 0 when it was raised before, by whatever process.
    """

    async def write(conn: AsyncConnection) -> int:
        who = await directory.read(conn)
        people = _responsible(who, provider_id, managers=managers)
        made = 0
        for way in await contacts.ways(conn, people):
            if way.kind != "voice":
                made += await _alarm(conn, desk, way, (kind, provider_id, key, text_key))
        return made

    made = await desk.db.write(write)
    if made:
        log.info("alarm.raised kind=%s provider=%s pages=%d", kind, provider_id, made)
        desk.pager.wake()
    return made


async def _alarm(conn: AsyncConnection, desk: Desk, way: Way, what: Sequence[str]) -> bool:
    kind, provider_id, key, text_key = what
    new = NewPage(
        key=f"alarm:{kind}:{provider_id}:{key}:{way.id}",
        purpose="alarm",
        provider_id=provider_id,
        person_id=way.person_id,
        contact_id=way.id,
        step=kind,
        text_key=text_key,
    )
    return await pages.queue(conn, desk.vault, new, desk.now()) is not None


def _responsible(who: directory.Directory, provider_id: str, *, managers: bool = True) -> list[str]:
    """The provider's supervisors, and the managers of the programs that it works for."""
    programs = {a.program_id for a in who.agencies.values() if a.provider_id == provider_id}
    return sorted(
        person.id
        for person in who.people.values()
        if person.active
        and (
            ("supervisor" in person.roles and person.provider_id == provider_id)
            or (managers and "manager" in person.roles and person.program_id in programs - {None})
        )
    )


def _about(page: PageRow) -> str | None:
    if page.purpose != "alarm":
        return None
    if page.step in ("audit", "audit_cut", "copied"):
        return page.step
    if page.step == "opening":
        return "openings"
    if page.step == "report":
        return "grants"
    return "followups" if page.step in ("reminder", "followup") else "roster"


async def _move(desk: Desk, page: PageRow, state: Answer) -> None:
    """Forward only; the session's timeline tells what is new."""
    moved: list[PageRow] = []

    async def change(conn: AsyncConnection) -> bool:
        now = desk.now()
        after = await pages.reached(conn, page.id, state, now)
        if after is None:
            return False
        await contacts.verified(conn, page.contact_id, now)
        moved[:] = [after]
        return True

    async def decide(conn: AsyncConnection, row: SessionRow, _now: float) -> Step | None:
        if not await change(conn):
            return None
        if page.purpose != "call" or state == "delivered":
            return None
        before = desk.machine(row)
        data = {"clinician": page.person_id, "page": page.id}
        return Step(before, before, (TimelineEvent(f"page.{state}", data),))

    if page.session_id is None:
        await desk.db.write(change)
    else:
        try:
            await desk.change(page.session_id, decide)
        except (RecordError, SessionError) as error:
            log.warning("page.unrecorded page=%s code=%s", page.id, error.code)
    if moved and page.session_id is None:
        log.info("page.%s page=%s", state, page.id)
    if moved:
        metrics.PAGES.labels(way="?", outcome=state).inc()
        desk.pager.wake()
