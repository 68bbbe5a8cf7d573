"""Who is asking: one value for people and tablets, made only by a checked sign-in or enrolment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ROLES = ("officer", "clinician", "supervisor", "manager", "admin")
TABLET = "tablet"  # the one role of an enrolled device; never granted to a person


@dataclass(frozen=True, slots=True)
class Actor:
    """A person who signed in, or an enrolled tablet. Times are UTC epoch seconds."""

    kind: Literal["person", "tablet"]
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
    locale: str = "en"
    demo: bool = False
