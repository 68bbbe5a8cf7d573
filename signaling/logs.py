"""Logs without people in them: one line an event of the domain, as JSON or as key=value.

An event is written as `log.info("offer.accepted session=%s", id)`: its name first, then key=value,
with ids and codes only. The libraries that print addresses (aioice, aiortc, aiohttp's access log)
are kept at WARNING, whatever the level. What went wrong is told without values
(`traces`). The ids of the request or session in hand are added from `context`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

from aiohttp.http_exceptions import HttpProcessingError

from signaling.traces import trace

OWN = ("auth", "crisisbridge", "media", "oncall", "records", "signaling", "web")
# They print candidate addresses and whole descriptions; see docs/operators.md.
QUIET = ("aiohttp.access", "aioice", "aiortc", "alembic", "asyncio", "sqlalchemy")

_context: ContextVar[tuple[tuple[str, str], ...]] = ContextVar("log_context", default=())


@contextlib.contextmanager
def context(**ids: str) -> Iterator[None]:
    """Add ids to every line written inside, tasks started there included."""
    token = _context.set(_context.get() + tuple(ids.items()))
    try:
        yield
    finally:
        _context.reset(token)


def configure(*, as_json: bool, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Set up logging for the process. Calling it again replaces what was set up before."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if as_json else KeyValue())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in OWN:
        logging.getLogger(name).setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("aiohttp.server").filters[:] = [_without_the_request]
    logging.captureWarnings(capture=True)


def _without_the_request(record: logging.LogRecord) -> bool:
    """What a client sent, and from where, is not written down: a broken head may hold a cookie."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        record.msg, record.args = f"request.malformed kind={type(error).__name__}", ()
        record.exc_info, record.exc_text = None, None
        record.levelno, record.levelname = logging.INFO, "INFO"
    elif record.msg == "Error handling request from %s":
        record.msg, record.args = "request.failed", ()
    return True


class KeyValue(logging.Formatter):
    """`2026-02-03T04:05:06.789Z INFO signaling.desk offer.accepted session=ses_… request=req_…`"""

    def format(self, record: logging.LogRecord) -> str:
        message = _one_line(record.getMessage())
        ids = "".join(f" {name}={value}" for name, value in _context.get())
        line = f"{_time(record)} {record.levelname} {record.name} {message}{ids}"
        if record.exc_info and record.exc_info[1] is not None:
            line += "\n" + trace(record.exc_info[1])
        return line


class JsonLines(logging.Formatter):
    """One JSON object a line; key=value words of the message become fields of their own."""

    def format(self, record: logging.LogRecord) -> str:
        message = _one_line(record.getMessage())
        line: dict[str, object] = {
            "at": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        name, _, rest = message.partition(" ")
        pairs = [word.partition("=") for word in rest.split()]
        if all(separator for _, separator, _ in pairs):
            line |= {"event": name} | {key: value for key, _, value in pairs if key not in line}
        else:
            line["message"] = message
        line |= {key: value for key, value in _context.get() if key not in line}
        if record.exc_info and record.exc_info[1] is not None:
            line["trace"] = trace(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False)


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _one_line(message: str) -> str:
    """A line stays a line: nobody can forge a second one with a line break in a value."""
    return " ".join(message.splitlines())
