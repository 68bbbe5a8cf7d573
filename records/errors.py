"""Errors of the durable record; each has a stable code, an HTTP status and a safe sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class RecordError(Exception):
    """Base of everything that the record refuses. The message is safe to show."""

    code: ClassVar[str] = "record-error"
    status: ClassVar[int] = 400
    sentence: ClassVar[str] = "The record did not accept that. Nothing was changed."

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or self.sentence)
        self.data: Mapping[str, object] = {}


class RecordAway(Exception):
    """The database cannot be reached, or cannot write; try again, the server does so by itself.

    No refusal: whoever takes a RecordError for an answer must not take this for one.
    """

    code: ClassVar[str] = "record-away"
    status: ClassVar[int] = 503
    sentence: ClassVar[str] = (
        "The server cannot reach its records at the moment. Nothing was changed; try again."
    )

    def __init__(self) -> None:
        super().__init__(self.sentence)
        self.data: Mapping[str, object] = {}


def only_away(error: BaseException) -> bool:
    """Whether this is nothing but RecordAway, in whatever tasks it came up."""
    if isinstance(error, BaseExceptionGroup):
        return all(only_away(one) for one in error.exceptions)
    return isinstance(error, RecordAway)


class NotFound(RecordError):
    """No such row."""

    code = "not-found"
    status = 404
    sentence = "There is no such record."


class StaleSession(RecordError):
    """Somebody changed the session first; read it again and decide anew."""

    code = "stale-session"
    status = 409
    sentence = "The session has changed in the meantime. Look again; nothing was changed."


class Busy(RecordError):
    """The clinician already leads a session, or is being rung for one."""

    code = "busy"
    status = 409
    sentence = "This clinician is already in a session."


class OpenSessionExists(RecordError):
    """This tablet already has an open session; go on with that one."""

    code = "open-session-exists"
    status = 409
    sentence = "This tablet already has an open session."

    def __init__(self, session_id: str) -> None:
        super().__init__()
        self.session_id = session_id


class Conflict(RecordError):
    """Somebody saved a newer revision; `data` holds it, so that both can be shown."""

    code = "conflict"
    status = 409
    sentence = "This was changed somewhere else first. Both versions are shown; nothing was saved."

    def __init__(self, current: Mapping[str, object]) -> None:
        super().__init__()
        self.data = current


class BadInput(RecordError):
    """A value that the record cannot hold."""

    code = "bad-input"
    status = 422
    sentence = "A value is not allowed here. Nothing was changed."


class Signed(RecordError):
    """The note is signed: what is to be said now is an addendum."""

    code = "signed"
    status = 409
    sentence = "This note is signed and closed. Nothing was changed; add an addendum instead."


class NotSigned(RecordError):
    """An addendum stands beside a signed note; this one is still open."""

    code = "not-signed"
    status = 409
    sentence = "This note is not signed yet. Nothing was added."


class AddendumRefused(RecordError):
    """An addendum without words, with too many, or one too many for its note."""

    code = "addendum-refused"
    status = 422
    sentence = "An addendum needs words, and at most 10,000 letters. Nothing was added."


class Unjustified(RecordError):
    """A judged level differs from the computed one without a reason; give one, then sign."""

    code = "unjustified"
    status = 409
    sentence = (
        "Your own level differs from the computed one, and nothing says why. Nothing was signed."
    )


class NoPlan(RecordError):
    """There is nothing to take away yet: the safety plan is not made."""

    code = "no-plan"
    status = 409
    sentence = "There is no complete safety plan yet. No link was made."


class PlanGone(RecordError):
    """The link is unknown, has run out or was taken back; the person gets the lines to call."""

    code = "plan-gone"
    status = 410
    sentence = "This link does not work any more. Call or text 988 at any time."


class TooFewAttempts(RecordError):
    """Somebody counts as unreachable after three attempts at the earliest."""

    code = "too-few-attempts"
    status = 409
    sentence = "Nobody counts as unreachable before three attempts. Nothing was changed."


class NotOpen(RecordError):
    """The follow-up is closed; open it again first."""

    code = "followup-closed"
    status = 409
    sentence = "This follow-up is closed. Open it again first; nothing was changed."


class SwapOpen(RecordError):
    """This turn is offered already; withdraw that offer first."""

    code = "swap-open"
    status = 409
    sentence = "This shift is offered already. Withdraw that offer first."


class SwapDecided(RecordError):
    """Somebody took, refused or withdrew the offered turn first; look again."""

    code = "swap-decided"
    status = 409
    sentence = "This offer is not open any more: it was taken, refused or withdrawn meanwhile."


class KeyMissing(RecordError):
    """There is encrypted data, but not the key that opens it: restore the key file."""

    code = "key-missing"
    status = 500
    sentence = (
        "The database holds encrypted records, but the key file that opens them is missing. "
        "Restore it from its backup; without it the records cannot be read."
    )


class KeyCommandFailed(RecordError):
    """The command that prints the key did not: try it by hand, as the server's user."""

    code = "key-command-failed"
    status = 500
    sentence = "The command that prints the key failed."

    def __init__(self, why: str = "") -> None:
        super().__init__(
            f"{self.sentence} {why} Try it by hand, as the server's user. Nothing was changed."
        )


class KeyNeeded(RecordError):
    """The key still seals something, or seals now; the message says what to do first."""

    code = "key-needed"
    status = 409
    sentence = "This key is still needed. Nothing was changed."


class KeyWrong(RecordError):
    """The key file belongs to other data, or the stored bytes were changed."""

    code = "key-wrong"
    status = 500
    sentence = "A record cannot be opened: the key file is not the one it was sealed with."
