"""Who is asking: one value for people, tablets and guests, made only by a checked sign-in,
enrolment or link.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ROLES = ("officer", "clinician", "supervisor", "manager", "admin")
TABLET = "tablet"  # the one role of an enrolled device; never granted to a person
GUEST = "guest"  # the one role of somebody who came by a link; never granted to a person


@dataclass(frozen=True, slots=True)
class Actor:
    """A person who signed in, an enrolled tablet, or a guest. Times are UTC epoch seconds."""

    kind: Literal["person", "tablet", "guest"]
    id: str
    name: str
    short_name: str
    roles: frozenset[str]
    agency_id: str | None = None
    provider_id: str | None = None
    program_id: str | None = None
    login_id: str | None = None  # a person's sign-in, revocable by itself
    expires_at: float | None = None
    officer_id: str | None = None  # a tablet's officer on shift
    shift_id: str | None = None
    session_id: str | None = None  # a guest's one call
    guest_role: str | None = None  # interpreter | supervisor
    locale: str = "en"
    demo: bool = False
