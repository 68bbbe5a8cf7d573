"""Which sessions are open and what rings, said as the indexes of those say it, letter by letter.

A database uses an index of some rows only for a question that contains that index's own condition,
not for one that says the same with other words or with bound values. Without these the line would
be looked for among all sessions that ever were.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Table, and_, literal_column

from records.schema import LED_STATES, OPEN_STATES, offer, session

LIVE_STATES = ("waiting", *LED_STATES)
RINGING = ("pending", "delivered")  # of an offer
MISSED = ("declined", "expired", "undelivered")


def _one_of(states: Sequence[str], table: Table = session) -> ColumnElement[bool]:
    return table.c.state.in_([literal_column(f"'{one}'") for one in states])


_NOT_CLOSED = session.c.state != literal_column("'closed'")
#: `session_open`. Each state is named besides: of a line that is empty when SQLite counts, it knows
#: no number, and would rather go through all sessions in their order than through those of an index
OPEN = and_(_one_of(OPEN_STATES), _NOT_CLOSED)
WAITING = and_(_one_of(("waiting",)), _NOT_CLOSED)
WRAP_UP = and_(_one_of(("wrap_up",)), _NOT_CLOSED)
#: a tablet has one at most: `one_open_session_per_tablet`
LIVE = _one_of(LIVE_STATES)
#: a clinician leads one at most: `one_session_per_leader`
LED = _one_of(LED_STATES)
#: `offer_rings`, and `one_ring_per_clinician`
RINGS = _one_of(RINGING, offer)
#: `missed_in_a_row`
UNFORGIVEN = and_(_one_of(("expired",), offer), offer.c.forgiven_at.is_(None))
#: `missed_unread`, and `missed_lately`
UNREAD = and_(_one_of(MISSED, offer), offer.c.read_at.is_(None))
