"""Errors of the pages and the JSON API; same shape as every other package's errors."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar


class WebError(Exception):
    """Base of what the web layer itself refuses. The message is safe to show."""

    code: ClassVar[str] = "web-error"
    status: ClassVar[int] = 400
    sentence: ClassVar[str] = "That did not work. Nothing was changed."
    about: Mapping[str, str] = MappingProxyType({})  # what the sentence names, in any language

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or self.sentence)


class BadRequest(WebError):
    """Not a form or JSON that this address takes; nothing was changed."""

    code = "bad-request"
    sentence = "The request was not understood. Nothing was changed."


class BadQuery(WebError):
    """Correct the named parameter of the address; nothing was read."""

    code = "bad-query"
    status = 400
    sentence = "A parameter of this address is not one that it takes."

    def __init__(self, field: str | None) -> None:
        self.field = field
        super().__init__()


class BadDays(WebError):
    """Choose days that follow one another, and at most so many; nothing was read."""

    code = "bad-days"
    status = 422

    def __init__(self, most: int) -> None:
        self.about = {"most": str(most)}
        super().__init__(f"The last day must not be before the first; at most {most} days at once.")


class BadMatching(WebError):
    """Correct the named field of whom a session rings; nothing was changed."""

    code = "bad-matching"
    status = 422

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(f"Nothing was saved: check the {field.replace('_', ' ')}.")


class PageNotFound(WebError):
    """No page at this address."""

    code = "page-not-found"
    status = 404
    sentence = "There is no page at this address."


class MethodNotAllowed(WebError):
    """The address is right, the method is not."""

    code = "method-not-allowed"
    status = 405
    sentence = "This address does not take that kind of request."


class TooLarge(WebError):
    """The body is larger than anything that this server takes."""

    code = "too-large"
    status = 413
    sentence = "That is too large. Nothing was changed."


class WrongType(WebError):
    """The body is neither a form nor JSON, whichever is asked for here."""

    code = "wrong-type"
    status = 415
    sentence = "This kind of content is not taken here. Nothing was changed."


class TooSlow(WebError):
    """The body did not arrive in time; nothing was changed."""

    code = "too-slow"
    status = 408
    sentence = "What you sent did not arrive in time. Nothing was changed. Try again."


class TooOften(WebError):
    """Too many tries from one place; wait as long as Retry-After says."""

    code = "too-often"
    status = 429
    sentence = "Too many tries from this place. Wait a minute and try again."

    def __init__(self, retry_after: float) -> None:
        super().__init__()
        self.retry_after = retry_after


class Internal(WebError):
    """A mistake of ours; the request's number helps to find it in the log."""

    code = "internal"
    status = 500
    sentence = "Something went wrong on our side. Try again; a running call is not affected."


class NotReady(WebError):
    """The server is starting or stopping."""

    code = "not-ready"
    status = 503
    sentence = "The server is just starting or stopping. Try again in a moment."


class TooBusy(WebError):
    """More documents are asked for than can be made; try again in a minute."""

    code = "too-busy"
    status = 503
    sentence = "Too many documents are being made. Try again in a minute."


class NotSet(WebError):
    """A document could not be made; nothing else is wrong."""

    code = "not-set"
    status = 500
    sentence = "The PDF could not be made. Print the page instead."
