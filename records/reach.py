"""Whether the database answers: one typed error for those who ask, two lines in the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection  # all of the pool's are held by others

from records.errors import BadInput, RecordAway
from records.refusals import away, unheld

log = logging.getLogger(__name__)


class Reach:
    """What tries of one kind have shown so far: a database that is full can still be read.

    `kind`: reading or writing.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._away_since: float | None = None

    @contextmanager
    def tried(self) -> Iterator[None]:
        """Around whatever asks the database. Raises RecordAway for what is no answer of it, and
        BadInput for a value that it cannot hold.
        """
        try:
            yield
        except DBAPIError as error:
            if unheld(error):
                log.warning("record.unheld for=%s why=%s", self._kind, type(error.orig).__name__)
                raise BadInput from error
            why = away(error)
            if why is None:
                raise
            self._no_answer(why)
            raise RecordAway from error
        except NoConnection as error:
            self._no_answer("no_connection")
            raise RecordAway from error
        else:
            self._answer()

    def _no_answer(self, why: str) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            log.error("record.away for=%s why=%s", self._kind, why)

    def _answer(self) -> None:
        if self._away_since is not None:
            seconds = time.monotonic() - self._away_since
            log.warning("record.back for=%s seconds=%.1f", self._kind, seconds)
            self._away_since = None
