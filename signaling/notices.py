"""What an address is told: ids, times and dispositions, signed. Pure.

Signed as Standard Webhooks says (webhook-id, webhook-timestamp, webhook-signature), so that ready
libraries can check it. A notice says what was so when it happened: a later try of the same one has
the same words.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from records.deliveries import DeliveryRow
from records.sessions import SessionRow
from records.webhooks import NAMES, OVERDUE, TEST

# seconds to wait after each failed try: eight tries within a day
WAITS: Final = (10.0, 60.0, 300.0, 1800.0, 7200.0, 21_600.0, 54_000.0)
TRIES: Final = len(WAITS) + 1
LONGEST_ASKED: Final = 21_600.0  # that the other side may ask us to wait

_TIMES: Final = {
    "pressed": "pressed_at",
    "alerted": "alerted_at",
    "accepted": "accepted_at",
    "answered": "media_at",
    "handed_over": "handed_over_at",
    "handed_back": "handed_back_at",
    "recommended": "recommended_at",
    "acknowledged": "acknowledged_at",
    "ended": "ended_at",
    "closed": "closed_at",
    "disposition": "disposition_at",
}


def body(
    notice: DeliveryRow, row: SessionRow | None, told: Mapping[str, object]
) -> dict[str, object]:
    """The words of a notice. `told`: what the event itself holds on the timeline."""
    said: dict[str, object] = {
        "id": notice.id,
        "type": NAMES.get(notice.kind, notice.kind),
        "timestamp": iso(notice.at),
    }
    if notice.kind == TEST or row is None:
        return said | {"data": {}}
    if notice.kind == OVERDUE:
        due = {"id": notice.followup_id, "due": iso(notice.at)}
        return said | {"data": {"session": {"id": row.id}, "followup": due}}
    at = {name: getattr(row, column) for name, column in _TIMES.items()}
    times = {
        name: iso(when) if when is not None and when <= notice.at else None
        for name, when in at.items()
    }
    return said | {
        "data": {
            "session": {
                "id": row.id,
                "times": times,
                "recommended": _recommended(notice, row, told),
                "actual": _actual(notice, row, told),
            }
        }
    }


def encoded(words: Mapping[str, object]) -> bytes:
    """As it is sent and signed."""
    return json.dumps(words, separators=(",", ":"), sort_keys=True).encode()


def headers(secret: bytes, notice_id: str, sent: bytes, now: float) -> dict[str, str]:
    """The headers by which the other side knows that it is us, and that nothing was changed."""
    at = str(int(now))
    signed = f"{notice_id}.{at}.".encode() + sent
    code = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
    return {
        "Content-Type": "application/json",
        "User-Agent": "CrisisBridge",
        "webhook-id": notice_id,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{code}",
    }


def wait_after(attempt: int, asked: float | None = None) -> float | None:
    """How long to wait after so many tries; None: it is given up."""
    if attempt >= TRIES:
        return None
    return max(WAITS[attempt - 1], min(asked or 0.0, LONGEST_ASKED))


def iso(at: float) -> str:
    """UTC, with milliseconds."""
    words = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return words.replace("+00:00", "Z")


def _recommended(notice: DeliveryRow, row: SessionRow, told: Mapping[str, object]) -> object:
    """What was advised by then: by the card, or by the wrap-up that closed the session."""
    if notice.kind == "card.sent":
        return told.get("disposition")
    by_card = row.recommended_at is not None and row.recommended_at <= notice.at
    by_wrapup = row.closed_at is not None and row.closed_at <= notice.at
    return row.recommended_disposition if by_card or by_wrapup else None


def _actual(notice: DeliveryRow, row: SessionRow, told: Mapping[str, object]) -> object:
    """What had happened by then."""
    if notice.kind == "disposition.recorded":
        return told.get("actual")
    known = row.disposition_at is not None and row.disposition_at <= notice.at
    return row.actual_disposition if known else None
