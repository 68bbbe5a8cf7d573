"""Log lines: one a line, in both forms, and quiet where libraries print addresses."""

from __future__ import annotations

import io
import json
import logging

import pytest

from signaling import logs


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
    assert "RuntimeError: broken" in line["trace"]
