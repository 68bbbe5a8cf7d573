"""Keeps every page's snapshot true: what changed is marked, gathered briefly, and sent once.

One reading of the record serves all pages of a round, so that they never contradict each other.

Pages that a change is about are drawn at once. The other consoles, which only show the line, are
drawn together and not all the time: with a thousand of them that takes longer than the line takes
to change, and whoever rings must not wait for whoever looks on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from auth.logins import covered_of
from oncall.presence import PresenceState
from records import (
    assessments,
    chat,
    consent_asks,
    consents,
    guest_links,
    identities,
    offers,
    pages,
    parties,
    recommendations,
    sessions,
    transfers,
    wrapups,
)
from records.scene_signs import SceneSigns
from records.sessions import SessionRow
from signaling import guest_wire, party_views, wire
from signaling.views import (
    ClinicianState,
    Details,
    Picture,
    console_view,
    covered_view,
    tablet_view,
)

if TYPE_CHECKING:
    from auth.actors import Actor
    from signaling.desk import Desk
    from signaling.hub import Stream

GATHER_SECONDS = 0.015  # changes that come together are shown together
UNREAD_CARD_SECONDS = 2 * 3600.0  # a card that came after the call waits this long to be read
MISSED_SECONDS = 24 * 3600.0  # so long a missed ring waits on the console to be read
REST = 5.0  # times as long as drawing all consoles took, before they are all drawn again
LONGEST_REST_SECONDS = 3.0
LINE_FIRST_SECONDS = 0.1  # so long pictures wait for the line: who rings goes first
BREATH = 20  # pages drawn without letting anything else run
REFRESH_SECONDS = 5.0  # waiting words, presence and readiness change by time alone


class Screens:
    """Marks and sends snapshots."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._tablets: set[str] = set()
        self._people: set[str] = set()  # whose consoles a change is about
        self._rested_at = 0.0  # loop time from which all consoles may be drawn again
        self._refreshed_at = 0.0  # loop time when everything was drawn last
        self._greet: set[str] = set()
        self._consoles = False
        self._everything = False
        self._marked = asyncio.Event()
        self._signs = SceneSigns()
        self._last: dict[str, str] = {}  # stream id -> what it showed last
        self._covered: frozenset[str] = frozenset()  # sign-ins whose pages are covered

    def touch(self, row: SessionRow) -> None:
        """A session changed: its tablet, its lead, and in time all consoles, of all processes."""
        self._desk.cluster.touched(row.tablet_id)
        self._tablets.add(row.tablet_id)
        if row.lead_id is not None:
            self._people.add(row.lead_id)
        self.touch_consoles()

    def touch_tablet(self, tablet_id: str) -> None:
        self._tablets.add(tablet_id)
        self._marked.set()

    def touch_console(self, person_id: str) -> None:
        """Something changed for one person's consoles: at once; for all the others in time."""
        self._people.add(person_id)
        self.touch_consoles()

    def touch_consoles(self) -> None:
        self._consoles = True
        self._marked.set()

    def touch_all(self) -> None:
        self._everything = True
        self._marked.set()

    def greet(self, stream: Stream, *, fresh: bool) -> None:
        """A page has a socket: it gets its snapshot even if nothing changed."""
        if fresh:
            self._last.pop(stream.id, None)
        self._greet.add(stream.id)
        if stream.audience == "console" or stream.audience == "guest":
            self.touch_consoles()
        else:
            self.touch_tablet(stream.actor.id)
            self.touch_consoles()

    async def run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):  # time alone changes what pages show, too
                async with asyncio.timeout(self._patience()):
                    await self._marked.wait()
            await asyncio.sleep(GATHER_SECONDS)
            await self._desk.line.quiet(LINE_FIRST_SECONDS)
            await self._send()

    def _patience(self) -> float:
        """How long to wait for the next change, in seconds."""
        due = self._refreshed_at + REFRESH_SECONDS
        if self._consoles or self._everything:
            due = 0.0
        return max(0.0, max(due, self._rested_at) - asyncio.get_running_loop().time())

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._marked.clear()
        tablets, self._tablets = self._tablets, set()
        people, self._people = self._people, set()
        greet, self._greet = self._greet, set()
        due = self._everything or began >= self._refreshed_at + REFRESH_SECONDS
        rested = began >= self._rested_at
        everything = due and rested
        consoles = rested and (everything or self._consoles)
        if rested:
            self._everything = self._consoles = False
        if everything:
            self._refreshed_at = began
        hub = self._desk.hub
        streams = [
            stream
            for stream in hub.all()
            if stream.outlet is not None
            and (
                everything
                or stream.id in greet
                or (stream.audience != "tablet" and (consoles or stream.actor.id in people))
                or (stream.audience == "tablet" and stream.actor.id in tablets)
            )
        ]
        if not streams:
            return
        await self._desk.pace.give_way()
        async with self._desk.db.read() as conn:
            picture = await self._picture(conn)
            if picture.offers:  # a sign is for who is rung
                signs = await self._signs.read(conn, self._desk.vault)
                picture = replace(picture, signs=signs)
            await self._see_who_is_away(conn, streams)
            for number, stream in enumerate(streams, start=1):
                message = await self._view(conn, picture, stream)
                if message is not None:
                    self._show(stream, message)
                if number % BREATH == 0:
                    await self._desk.pace.give_way()
        if consoles:
            ended = loop.time()
            self._rested_at = ended + min(LONGEST_REST_SECONDS, REST * (ended - began))
        known = {stream.id for stream in hub.all()}
        self._last = {key: text for key, text in self._last.items() if key in known}

    async def _see_who_is_away(self, conn: AsyncConnection, streams: list[Stream]) -> None:
        """Of the consoles that are drawn now; of the others it is known from their last drawing."""
        asked = {one.actor.login_id or "" for one in streams if one.audience == "console"}
        open_now = {one.actor.login_id for one in self._desk.hub.of("console")}
        away = await covered_of(conn, asked, self._desk.now(), self._desk.idle_seconds)
        self._covered = (self._covered & open_now) - asked | away

    def covered(self, stream: Stream) -> bool:
        """Whether nobody is at this page, as of the last drawing."""
        return stream.actor.login_id in self._covered

    def _show(self, stream: Stream, message: wire.ServerMessage) -> None:
        """Send a snapshot unless the page shows exactly that already."""
        text = wire.encode(message)
        if self._last.get(stream.id) != text:
            self._last[stream.id] = text
            stream.send_text(text, snapshot=True)

    async def picture(self) -> Picture:
        """The newest reading, without anybody's content."""
        async with self._desk.db.read() as conn:
            return await self._picture(conn)

    async def _picture(self, conn: AsyncConnection) -> Picture:
        desk = self._desk
        now = desk.now()
        known = await desk.directories.read(conn, desk.rules, now)
        people = known.directory.people
        return Picture(
            now=now,
            directory=known.directory,
            sessions=await desk.ledger.open_sessions(conn),
            offers=await desk.ledger.open_offers(conn),
            clinicians=await clinician_states(desk, await desk.rosters.on_call(conn, now), now),
            comes_on=await desk.rosters.openings(conn, now, people),
            alone=known.alone,
            tablets_online=desk.cluster.tablets
            | {s.actor.id for s in desk.hub.of("tablet") if s.outlet is not None},
            legs=desk.legs,
            missed=await offers.unread(conn, now - MISSED_SECONDS),
            pages=await pages.of_waiting(conn),
            parties=await parties.everybody(conn),
        )

    async def _view(
        self, conn: AsyncConnection, picture: Picture, stream: Stream
    ) -> wire.ServerMessage | None:
        if stream.audience == "tablet":
            return await self._tablet(conn, picture, stream.actor.id)
        if stream.audience == "guest":
            return await self._guest(conn, picture, stream.actor)
        if self.covered(stream) and stream.actor.id in picture.directory.people:
            return covered_view(picture, stream.actor.id)
        return await self._console(conn, picture, stream.actor.id)

    async def _tablet(
        self, conn: AsyncConnection, picture: Picture, tablet_id: str
    ) -> wire.TabletView | None:
        if tablet_id not in picture.directory.tablets:
            return None
        owed = await sessions.owed(conn, tablet_id, picture.now)
        row = await sessions.by_tablet(conn, tablet_id)
        if row is None and owed is not None:
            row = owed  # afterwards: the card and "what happened?"
        elif row is None:
            unread = await recommendations.unread_at(
                conn, tablet_id, picture.now - UNREAD_CARD_SECONDS
            )
            row = await sessions.get(conn, unread) if unread is not None else None
        if row is not None:
            picture = _with(picture, row.id, await self._tablet_details(conn, row))
        return tablet_view(picture, tablet_id, row, owed.id if owed is not None else None)

    async def _tablet_details(self, conn: AsyncConnection, row: SessionRow) -> Details:
        vault = self._desk.vault
        return Details(
            chat=await chat.of_session(conn, vault, row.id),
            recommendation=await recommendations.get(conn, vault, row.id),
            requeued_for=(
                await sessions.requeued_for(conn, row.id) if row.state == "waiting" else None
            ),
            guests=await self._guests(conn, row),
            asked=await consent_asks.of_session(conn, row.id, row.epoch),
            said=await assessments.said_at_scene(conn, vault, row.id),
        )

    async def _guests(self, conn: AsyncConnection, row: SessionRow) -> Mapping[str, str]:
        """The names of a call's guests; most calls have none."""
        return await guest_links.names(conn, self._desk.vault, row.id)

    async def _console(
        self, conn: AsyncConnection, picture: Picture, person_id: str
    ) -> wire.ConsoleView | None:
        if person_id not in picture.directory.people:
            return None
        row = await self._session_of(conn, picture, person_id)
        if row is not None:
            details = await self._tablet_details(conn, row)
            about = await identities.get(conn, self._desk.vault, row.id)
            handing = await transfers.newest(conn, row.id, row.epoch)
            picture = _with(
                picture,
                row.id,
                Details(
                    chat=details.chat,
                    recommendation=details.recommendation,
                    assessments=await assessments.of_session(conn, self._desk.vault, row.id),
                    wrapup=await wrapups.get(conn, self._desk.vault, row.id),
                    person=about,
                    consents=await consents.of_session(conn, self._desk.vault, row.id),
                    asked=details.asked,
                    visits=await identities.visits(conn, about) if about is not None else (),
                    transfer=handing,
                    note=await transfers.note(conn, self._desk.vault, handing) if handing else "",
                    declined=await _declined(conn, row) if handing else None,
                    guests=details.guests,
                    links=await guest_links.good(conn, row.id, picture.now),
                ),
            )
        return console_view(picture, person_id, row)

    async def _guest(
        self, conn: AsyncConnection, picture: Picture, guest: Actor
    ) -> guest_wire.GuestView | None:
        """A guest's call, while it lasts: nothing that is written about it."""
        row = next((one for one in picture.sessions if one.id == guest.session_id), None)
        if row is None:
            return None
        names = await guest_links.names(conn, self._desk.vault, row.id)
        return party_views.guest_view(picture, row, guest, names)

    async def _session_of(
        self, conn: AsyncConnection, picture: Picture, person_id: str
    ) -> SessionRow | None:
        """The session that a console shows: led, sat in, or whose wrap-up is owed."""
        led = picture.led_by(person_id)
        if led is not None and led.state != "wrap_up":
            return led
        for one in picture.sides_of(person_id):
            return await sessions.get(conn, one.session_id)
        return led


async def _declined(conn: AsyncConnection, row: SessionRow) -> str | None:
    """Why the colleague who was rung last did not take the session."""
    last = await offers.last_of_transfer(conn, row.id, row.epoch)
    return last.reason if last is not None and last.state == "declined" else None


def _with(picture: Picture, session_id: str, details: Details) -> Picture:
    return replace(picture, details={**picture.details, session_id: details})


async def clinician_states(
    desk: Desk, tiers: Mapping[str, int], now: float
) -> dict[str, ClinicianState]:
    """Roster × activity × presence, for everybody who is on call or has a page open.

    `tiers`: who is on call, from `signaling.rosters`.
    """
    live = await desk.live.snapshot(now)
    states = {}
    for person_id in {*tiers, *live}:
        known = live.get(person_id)
        states[person_id] = _state(
            known.activity if known else "offline",
            known.reason if known else None,
            tiers.get(person_id),
            known.presence if known is not None else PresenceState.LOST,
        )
    return states


@lru_cache(maxsize=1024)  # a thousand clinicians are in few states
def _state(
    activity: str, reason: str | None, tier: int | None, presence: PresenceState
) -> ClinicianState:
    return ClinicianState(activity, reason, tier, presence)
