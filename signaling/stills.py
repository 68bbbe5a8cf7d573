"""Still pictures over the conversation, for a line that carries no moving ones.

Shown, never stored: a still goes only to pages whose socket has nothing else to send, is not
numbered, not repeated, and between servers takes a way that Redis keeps nothing of.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TYPE_CHECKING

from records.parties import PartyRow
from records.sessions import SessionRow
from signaling import bus, wire
from signaling.errors import BadMessage, TooMany
from signaling.wire_base import Audience

if TYPE_CHECKING:
    from signaling.desk import Desk

MOST_BYTES = 16_384  # each three seconds: with its base64 under 60 kbit/s
EVERY_SECONDS = 2.0
REMEMBERED = 1_000

Viewers = Sequence[tuple[Audience, str]]  # page and whose


class Stills:
    """The stills of one process."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._shown: dict[tuple[str, str], float] = {}  # (session, seat) -> when the last one came

    def show(self, session_id: str, seat: str, picture: str, viewers: Viewers, now: float) -> None:
        """Hand a still to its viewers, here and elsewhere. Raises BadMessage, TooMany."""
        check(picture)
        if abs(now - self._shown.get((session_id, seat), -1e9)) < EVERY_SECONDS:
            raise TooMany
        self._shown.pop((session_id, seat), None)
        self._shown[session_id, seat] = now
        while len(self._shown) > REMEMBERED:
            del self._shown[next(iter(self._shown))]
        text = wire.encode(wire.StillSeen(session=session_id, seat=seat, picture=picture))
        self.deliver(viewers, text)
        self._desk.cluster.shout(bus.Still(list(viewers), text))

    def deliver(self, viewers: Viewers, text: str) -> None:
        """To the pages of this process."""
        for audience, person in viewers:
            for stream in self._desk.hub.of(audience, person):
                stream.show(text, self._desk.now())


def check(picture: str) -> None:
    """Raises BadMessage for what is no JPEG, or too large for the lines that stills are for."""
    try:
        data = base64.b64decode(picture, validate=True)
    except binascii.Error as error:
        raise BadMessage from error
    if len(data) > MOST_BYTES or data[:3] != b"\xff\xd8\xff" or data[-2:] != b"\xff\xd9":
        raise BadMessage


def seen_by(row: SessionRow, seat: str, here: Sequence[PartyRow]) -> list[tuple[Audience, str]]:
    """Who has this seat as the large picture: the tablet sees its clinician, all others the tablet.

    `here`: everybody in the call, the lead among them.
    """
    if seat != "tablet":
        return [("tablet", row.tablet_id)] if row.held_at is None else []
    viewers: list[tuple[Audience, str]] = []
    for one in here:
        if one.person_id is not None:
            viewers.append(("console", one.person_id))
        elif one.guest_link_id is not None and one.held_at is None:
            viewers.append(("guest", one.guest_link_id))
    return viewers
