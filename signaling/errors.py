"""Errors of the live session; each has a stable code, an HTTP status and a sentence to act on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class SessionError(Exception):
    """Base of everything that a peer can be told. The message is safe to show."""

    code: ClassVar[str] = "session-error"
    status: ClassVar[int] = 400
    sentence: ClassVar[str] = "That did not work. Reload the page and try again."

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or self.sentence)


class Relayed(SessionError):
    """What another server process answered, word for word."""

    code = "relayed"

    def __init__(self, code: str, status: int, text: str, data: Mapping[str, object]) -> None:
        super().__init__(text)
        vars(self).update(code=code, status=status)
        self.data = dict(data)


class IllegalTransition(SessionError):
    """The session is not in a state that admits this; look at its newest snapshot."""

    code = "illegal-transition"
    status = 409
    sentence = "The session has moved on. The screen now shows where it is."

    def __init__(self, state: str, item: str) -> None:
        super().__init__()
        self.state = state
        self.item = item


class CarriedElsewhere(SessionError):
    """Another window of the same person has the call, and this one did not ask to take it."""

    code = "carried-elsewhere"
    status = 409
    sentence = "This call is open in another window of yours. Picture and sound are there."


class BadMessage(SessionError):
    """Not JSON, an unknown type or field, or a value out of bounds; nothing was changed."""

    code = "bad-message"
    sentence = "The message was not understood and nothing was changed."


class OutOfOrder(SessionError):
    """A command number was skipped; reconnect to agree on the next number."""

    code = "out-of-order"
    status = 409
    sentence = "A message is missing before this one. Reconnect; nothing was changed."


class WrongPage(SessionError):
    """This kind of page may not send this message."""

    code = "wrong-role"
    status = 403
    sentence = "This page may not do that."


class BadWay(SessionError):
    """This way to reach somebody cannot be used; the sentence says what to correct."""

    code = "bad-way"
    status = 422
    sentence = "This way cannot be used. Nothing was changed."


class BadAddress(SessionError):
    """This address cannot be told of events; the sentence says what to correct."""

    code = "bad-address"
    status = 422
    sentence = "This address cannot be used: it must begin with https:// and name a public host."


class NoSuchPage(SessionError):
    """The link of a page is wrong, too old, or of another server."""

    code = "no-such-page"
    status = 404
    sentence = "This link does not work any more. Open the console."


class NoSuchSession(SessionError):
    """Unknown, or not yours: the two cannot be told apart."""

    code = "no-such-session"
    status = 404
    sentence = "There is no such session for this page."


class StaleEpoch(SessionError):
    """Said about an assignment that is over; nothing was changed."""

    code = "stale-epoch"
    status = 409
    sentence = "This session is no longer assigned as this page believes. Nothing was changed."


class OfferGone(SessionError):
    """Somebody else answered, or the offer ran out."""

    code = "offer-gone"
    status = 409
    sentence = "This session is already taken care of."


class StaleToken(SessionError):
    """The offer's fencing token does not match; nothing was changed."""

    code = "stale-token"
    status = 409
    sentence = "This offer is not valid any more. Nothing was changed."


class NoCoverage(SessionError):
    """No provider answers this agency; call the regional line."""

    code = "no-coverage"
    status = 409
    sentence = "No provider is set up for this agency. Call the regional line or 988."


class NotOnShift(SessionError):
    """Nobody has checked this tablet out, so there is no PIN to check."""

    code = "not-on-shift"
    status = 409
    sentence = "Nobody has checked this tablet out."


class Draining(SessionError):
    """This server is stopping; reconnect in a moment."""

    code = "draining"
    status = 503
    sentence = "The server is restarting. Reconnecting by itself."


class TooMany(SessionError):
    """A bound was reached: too many messages, streams or sockets."""

    code = "too-many"
    status = 429
    sentence = "Too much at once. Wait a moment and try again."


class MissingReason(SessionError):
    """What happened differs from what was advised, so a reason is needed."""

    code = "reason-needed"
    status = 422
    sentence = "Choose the reason why it went differently from the recommendation."


class UnknownCode(SessionError):
    """A code that is not in the vocabulary."""

    code = "unknown-code"
    status = 422
    sentence = "One of the choices is not on the list. Nothing was changed."


class NotAClinician(SessionError):
    """Only active clinicians of this provider can be on call; choose one of them."""

    code = "not-a-clinician"
    status = 422
    sentence = "Only an active clinician of this provider can be on call. Nothing was changed."


class NotLicensed(SessionError):
    """The licence is missing, runs out before the end, or is for another state."""

    code = "not-licensed"
    status = 409
    sentence = (
        "This person has no licence that is valid there until the end of the shift. "
        "Choose somebody else; nothing was changed."
    )


class DoubleBooked(SessionError):
    """They are on call at that time already; say that it is meant, or choose somebody else."""

    code = "double-booked"
    status = 409
    sentence = (
        "This person is on call at that time already. Choose somebody else, or tick that "
        "they do both; nothing was changed."
    )


class TurnGone(SessionError):
    """The shift is not that person's (any more); look at the roster again."""

    code = "turn-gone"
    status = 409
    sentence = "This shift is not theirs any more: the roster has changed. Nothing was changed."


class NotFree(SessionError):
    """This colleague cannot take the session now; the sentence says why."""

    code = "not-free"
    status = 409
    sentence = "Nobody is free to take this session. Choose a colleague, or hand it to the line."


class TransferOpen(SessionError):
    """The session is being handed on already."""

    code = "transfer-open"
    status = 409
    sentence = "This session is being handed on already. Call that off first."


class NoTransfer(SessionError):
    """Nobody has accepted a transfer of this session, or it was called off."""

    code = "no-transfer"
    status = 409
    sentence = "This session is not being handed on any more. Nothing was changed."


class NotJoined(SessionError):
    """The receiver does not hear the call yet."""

    code = "not-joined"
    status = 409
    sentence = "The receiver has to join with sound first. Nothing was changed."


class NotYours(SessionError):
    """Only those who hand the session on may do this, and only at this point."""

    code = "not-yours"
    status = 403
    sentence = "You cannot do that in this session now. Nothing was changed."


class TooManyLinks(SessionError):
    """Links for guests lie about unused; take one back before making another."""

    code = "too-many-links"
    status = 409
    sentence = "There are links already that nobody has used. Take one back first."


class CallFull(SessionError):
    """All four seats at the side of this call are taken."""

    code = "call-full"
    status = 409
    sentence = "Four people sit in on this call already. One of them has to leave first."
