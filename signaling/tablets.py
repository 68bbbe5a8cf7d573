"""Tablets of open sessions: which are away (written down, never a reason to end a session), and
which were revoked: those hear and see nothing any more, whatever page or script they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from records import people, sessions
from records.errors import RecordAway
from records.sessions import SessionRow
from signaling.session import State

if TYPE_CHECKING:
    from signaling.desk import Desk

MISSING_SECONDS = 8.0


class TabletWatch:
    """Of the sessions that this process looks after."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._missing: dict[str, float] = {}  # tablet -> since when it has no page
        self._lost: set[str] = set()  # sessions of which that is written down

    def left(self, tablet_id: str) -> None:
        self._missing.setdefault(tablet_id, self._desk.now())

    def away(self, tablet_id: str, now: float) -> bool:
        return now - self._missing.get(tablet_id, now) > MISSING_SECONDS

    async def came(self, tablet_id: str) -> None:
        desk, now = self._desk, self._desk.now()
        self._missing.pop(tablet_id, None)
        async with desk.db.read() as conn:
            row = await sessions.by_tablet(conn, tablet_id)
        try:
            if row is not None and row.id in self._lost:
                await self._is_back(row)
            await desk.db.write(lambda conn: people.tablet_seen(conn, tablet_id, now))
        except RecordAway:
            return  # the record says so itself; whoever comes is let in all the same

    async def put_out(self, tablet_id: str) -> None:
        """Take the tablet's leg away, if it is here: the session waits for whoever proves to be it.

        Closing its page is not enough: sound and picture go their own way.
        """
        async with self._desk.db.read() as conn:
            row = await sessions.by_tablet(conn, tablet_id)
        desk = self._desk
        here = row is not None and desk.cluster.mine(row)
        if row is None or not here or desk.legs.known(row.id, "tablet") is None:
            return
        desk.empty_seat(row.id, "tablet")
        self.left(tablet_id)
        await desk.note(row.id, "tablet.put_out")
        await desk.check_media(row.id)

    async def put_out_revoked(self) -> None:
        """Those whose revocation this process did not hear of."""
        async with self._desk.db.read() as conn:
            revoked = await people.revoked_in_call(conn)
        for tablet_id in revoked:
            await self.put_out(tablet_id)

    async def look(self, rows: list[SessionRow], now: float) -> None:
        """Once a second, with all open sessions."""
        desk = self._desk
        mine = [row for row in rows if row.state != State.WRAP_UP and desk.cluster.mine(row)]
        self._lost &= {row.id for row in mine}
        by_tablet = {row.tablet_id: row for row in mine}
        for tablet_id in list(self._missing):
            row = by_tablet.get(tablet_id)
            if row is None:
                self._missing.pop(tablet_id)
            elif tablet_id in desk.cluster.tablets:  # on a page of another process
                self._missing.pop(tablet_id)
                if row.id in self._lost:
                    await self._is_back(row)
            elif self.away(tablet_id, now) and row.id not in self._lost:
                self._lost.add(row.id)
                gone = {"seconds": round(now - self._missing[tablet_id], 1)}
                await desk.note(row.id, "tablet.lost", dict[str, object](gone))

    async def _is_back(self, row: SessionRow) -> None:
        await self._desk.note(row.id, "tablet.back")
        self._lost.discard(row.id)
