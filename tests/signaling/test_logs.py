"""Log lines: one a line, in both forms, and quiet where libraries print addresses."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from signaling import logs
from signaling.traces import trace


def written(message: str, *args: object, as_json: bool, **ids: str) -> str:
    stream = io.StringIO()
    logs.configure(as_json=as_json, stream=stream)
    with logs.context(**ids):
        logging.getLogger("signaling.desk").info(message, *args)
    return stream.getvalue()


def test_an_event_becomes_fields_of_a_json_line() -> None:
    line = json.loads(
        written("offer.accepted session=%s place=%d", "ses_1", 2, as_json=True, request="req_9")
    )
    assert line["event"] == "offer.accepted"
    assert line["session"] == "ses_1"
    assert line["place"] == "2"
    assert line["request"] == "req_9"
    assert line["level"] == "info"
    assert line["at"].endswith("Z")


def test_a_line_for_people_holds_event_fields_and_ids() -> None:
    line = written("offer.accepted session=%s", "ses_1", as_json=False, request="req_9")
    assert line.endswith("INFO signaling.desk offer.accepted session=ses_1 request=req_9\n")


@pytest.mark.parametrize("as_json", [True, False])
def test_a_value_with_a_line_break_cannot_forge_a_second_line(as_json: bool) -> None:
    text = written("x.y value=%s", "a\nERROR forged", as_json=as_json)
    assert text.count("\n") == 1


def test_a_message_cannot_overwrite_the_fields_of_the_line() -> None:
    line = json.loads(written("x.y level=%s at=%s", "none", "never", as_json=True))
    assert line["level"] == "info"
    assert line["at"] != "never"


def test_libraries_that_print_addresses_stay_quiet_at_debug() -> None:
    stream = io.StringIO()
    logs.configure(as_json=False, level="DEBUG", stream=stream)
    for name in ("aioice.ice", "aiortc.rtcpeerconnection", "aiohttp.access"):
        logging.getLogger(name).info("candidate 192.0.2.7 54321")
    assert stream.getvalue() == ""
    logging.getLogger("media.bridge").debug("leg.up")
    assert "leg.up" in stream.getvalue()


def test_an_exception_stays_on_its_json_line() -> None:
    stream = io.StringIO()
    logs.configure(as_json=True, stream=stream)
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        logging.getLogger("web").exception("page.failed")
    line = json.loads(stream.getvalue())
    assert "RuntimeError" in line["trace"]
    assert "test_an_exception_stays_on_its_json_line" in line["trace"]


NAME, BORN, HOME, MAIL = "Noor Haddad", "1990-04-12", "/home/noor", "noor@example.org"


def _looked_up(known: dict[str, int]) -> None:
    known[NAME]


def _read() -> None:
    try:
        _looked_up({})
    except KeyError as error:
        raise ValueError(f"born {BORN}") from error


def _joined() -> None:
    try:
        _read()
    except ValueError as error:
        several = [error, OSError(28, "No space left", HOME)]
        raise ExceptionGroup(f"of {NAME}", several) from None


@pytest.mark.parametrize("as_json", [True, False])
def test_a_trace_says_where_and_what_kind_and_nothing_of_what_was_worked_on(as_json: bool) -> None:
    stream = io.StringIO()
    logs.configure(as_json=as_json, stream=stream)
    try:
        _joined()
    except ExceptionGroup:
        logging.getLogger("web").exception("page.failed")
    told = stream.getvalue()
    for word in ("_looked_up", "_read", "KeyError", "ValueError", "OSError: ENOSPC"):
        assert word in told
    for value in (NAME, BORN, HOME):
        assert value not in told


def test_what_the_database_quotes_is_not_in_a_trace(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/x.db")
    insert = text("INSERT INTO person (email) VALUES (:email)")
    with engine.connect() as conn:
        conn.execute(text("CREATE TABLE person (email TEXT PRIMARY KEY)"))
        conn.execute(insert, {"email": MAIL})
        with pytest.raises(IntegrityError) as caught:
            conn.execute(insert, {"email": MAIL})
    engine.dispose()
    assert MAIL in str(caught.value)
    told = trace(caught.value)
    assert MAIL not in told
    assert "SQLITE_CONSTRAINT_PRIMARYKEY" in told
    assert "INSERT INTO person" in told
