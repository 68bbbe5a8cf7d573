"""When a sign-in's token may be renewed, and what a token that was used before gives away. Pure.

A renewal token is good once: it gives the next one, and only the newest counts. The one before it
gives that same next one again for a minute, to the same kind of browser: an answer may be lost, and
pages ask side by side. It adds nobody: whoever shows it then could have come first as well. Any
other old token means that two have it, and nobody can tell which is the thief: the line ends.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

ACCESS_SECONDS: Final = 600.0  # how long a sign-in's token is good without being renewed
GRACE_SECONDS: Final = 60.0


class Verdict(Enum):
    """What a renewal token is worth."""

    FRESH = "fresh"
    AGAIN = "again"  # the one before, a moment after: the same answer once more
    REUSED = "reused"  # an old one: two have it
    ENDED = "ended"  # its line was ended before
    OVER = "over"  # its time has run out
    STRANGE = "strange"  # not of this line, as after a database was put back


@dataclass(frozen=True, slots=True)
class Line:
    """What is kept of one sign-in's renewal tokens: never one of them."""

    no: int
    digest: str
    before: str | None
    salt: bytes
    renewed_at: float
    client: str | None
    ends_at: float
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A genuine renewal token as it came in."""

    no: int
    secret: str
    client: str


def judge(line: Line, shown: Shown, now: float) -> Verdict:
    """What this token is worth now."""
    if line.ended:
        return Verdict.ENDED
    if now >= line.ends_at:
        return Verdict.OVER
    if shown.no < line.no - 1:
        return Verdict.REUSED
    if shown.no == line.no - 1:
        if not _same(shown.secret, line.before):
            return Verdict.STRANGE
        soon = 0 <= now - line.renewed_at < GRACE_SECONDS
        return Verdict.AGAIN if soon and shown.client == line.client else Verdict.REUSED
    fits = shown.no == line.no and _same(shown.secret, line.digest)
    return Verdict.FRESH if fits else Verdict.STRANGE


def after(line: Line, shown: Shown, verdict: Verdict, salt: bytes, now: float) -> Line:
    """The line once that verdict has been acted on. `salt`: fresh, at random."""
    if verdict is Verdict.REUSED:
        return replace(line, ended=True)
    if verdict is not Verdict.FRESH:
        return line
    return replace(
        line,
        no=line.no + 1,
        digest=digest(successor(shown.secret, salt)),
        before=line.digest,
        salt=salt,
        renewed_at=now,
        client=shown.client,
    )


def successor(secret: str, salt: bytes) -> str:
    """The secret that comes after this one: made of both, so that neither the token alone nor the
    database alone gives it, and the same token gives the same one again."""
    made = hmac.digest(secret.encode(), b"crisisbridge renewal\n" + salt, hashlib.sha256)
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def digest(secret: str) -> str:
    """All that is kept of a secret, which has 256 bits at random."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _same(secret: str, kept: str | None) -> bool:
    return kept is not None and hmac.compare_digest(digest(secret), kept)
