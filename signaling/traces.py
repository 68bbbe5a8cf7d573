"""What went wrong, and where, for the log: without the values, which may be about somebody.

A message like "Key (email)=(…) already exists" or a KeyError of a name would carry a person into
the log. Frames and types are always told; words only of errors that speak about code, never about
data.
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Iterator
from textwrap import indent

from sqlalchemy.exc import DBAPIError

MOST_CAUSES = 10
MOST_STATEMENT = 300  # letters; values are never in it, only their places
# Python says with these what the program lacks.
OF_CODE = (AttributeError, NameError, ImportError, NotImplementedError, RecursionError, TypeError)


def trace(error: BaseException) -> str:
    """The error with what it came of, the newest last, as Python prints it, without values."""
    return "\n".join(_parts(error, MOST_CAUSES))


def _parts(error: BaseException, left: int) -> Iterator[str]:
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and left:
        yield from _parts(before, left - 1)
        yield "\nand then:\n"
    if error.__traceback__ is not None:
        yield "Traceback (most recent call last):"
        yield "".join(traceback.format_tb(error.__traceback__)).rstrip("\n")
    yield f"{type(error).__module__}.{type(error).__qualname__}{_words(error)}"
    if isinstance(error, BaseExceptionGroup) and left:
        for one in error.exceptions:
            yield indent("\n".join(_parts(one, left - 1)), "  | ")


def _words(error: BaseException) -> str:
    code = getattr(type(error), "code", None)
    if isinstance(error, DBAPIError):
        kind = type(error.orig).__name__
        number = getattr(error.orig, "sqlstate", None) or getattr(
            error.orig, "sqlite_errorname", ""
        )
        return f": {kind} {number} [{(error.statement or '')[:MOST_STATEMENT]}]"
    if isinstance(error, OSError) and error.errno is not None:
        return f": {errno.errorcode.get(error.errno, error.errno)}"
    if isinstance(error, OF_CODE):
        return f": {error}"
    return f": {code}" if isinstance(code, str) else ""
