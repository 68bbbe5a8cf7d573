"""What the bridge refuses; each error has a stable code, an HTTP status and a safe sentence."""

from __future__ import annotations

from typing import ClassVar


class MediaError(Exception):
    """Base of everything that the bridge refuses. Running calls are never touched by it."""

    code: ClassVar[str] = "media-error"
    status: ClassVar[int] = 400
    sentence: ClassVar[str] = "The sound and picture could not be set up. Try again."

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or self.sentence)


class BadDescription(MediaError):
    """Not an offer that this bridge can answer: send one audio and one video section, VP8, Opus."""

    code = "bad-description"
    sentence = "The browser's description cannot be used. Reload the page."


class TooManyLegs(MediaError):
    """The call is full."""

    code = "too-many-legs"
    status = 503
    sentence = "This call is full."


class TooManyCalls(MediaError):
    """This bridge carries all that it may; another node or the phone is the way."""

    code = "too-many-calls"
    status = 503
    sentence = "All lines of this server are in use. Use the phone number on the screen."


class NotStarted(MediaError):
    """The bridge has no socket yet, or not any more."""

    code = "bridge-not-started"
    status = 503
    sentence = "The server is starting. Try again in a moment."


class ProcessLost(MediaError):
    """The media process ended or does not answer; a new one starts. Describe again."""

    code = "media-process-lost"
    status = 503
    sentence = "Sound and picture were interrupted on the server. Connecting again."


class NoSocket(MediaError):
    """The media port cannot be bound: it is in use, or the address is not this machine's."""

    code = "no-media-socket"
    status = 503
    sentence = "The media port cannot be opened on this machine. `crisisbridge doctor` says more."


class RelayRefused(MediaError):
    """The relay answered, and would not: credential, quota, or a peer that it does not allow."""

    code = "relay-refused"
    status = 502
    sentence = "The relay refuses. Compare its secret and its allowed addresses with the settings."
