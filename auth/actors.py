"""Who is asking: one value for people, tablets, guests and other programs, made only by a checked
sign-in, enrolment, link or token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ROLES = ("officer", "clinician", "supervisor", "manager", "admin")
TABLET = "tablet"  # the one role of an enrolled device; never granted to a person
GUEST = "guest"  # the one role of somebody who came by a link; never granted to a person
# of other programs, never granted to a person: one that reads, an address that is told of events
TOKEN = "token"  # noqa: S105 - a role's name
WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Actor:
    """A person who signed in, an enrolled tablet, a guest, or another program. Times are UTC epoch
    seconds. A program's agency and provider narrow its reach: None leaves all of its program's.
    """

    kind: Literal["person", "tablet", "guest", "token", "webhook"]
    id: str
    name: str
    short_name: str
    roles: frozenset[str]
    agency_id: str | None = None
    provider_id: str | None = None
    program_id: str | None = None
    login_id: str | None = None  # a person's sign-in, revocable by itself
    expires_at: float | None = None
    issuer_id: str | None = None  # the directory that opened the sign-in
    officer_id: str | None = None  # a tablet's officer on shift
    shift_id: str | None = None
    session_id: str | None = None  # a guest's one call
    guest_role: str | None = None  # interpreter | supervisor
    scopes: frozenset[str] = frozenset()  # a token's: policy.TOKEN_SCOPES
    locale: str | None = None  # of a person; a browser says its own
    demo: bool = False
