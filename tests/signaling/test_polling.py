"""Without a WebSocket everything is the same: nothing is lost, nothing is taken twice."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from signaling import polling
from tests.signaling.conftest import House
from tests.signaling.pages import BOUND
from tests.signaling.polled import Line
from tests.signaling.services import until

HEADERS = {"Origin": "http://test", "X-Test-Actor": "dana"}


def hello(stream: str = "a-stream-of-a-page") -> str:
    return json.dumps(
        {"type": "hello", "protocol": 1, "page": "console", "stream": stream, "last": 0}
    )


@pytest.fixture
async def line(house: House) -> Line:
    """A connection that nobody listens on: each request is the test's own."""
    made = Line(house.http, house.url.removesuffix("/ws") + "/poll", HEADERS)
    made.connection = (await made.post())["connection"]
    return made


async def welcomed(line: Line) -> None:
    await line.post(connection=line.connection, messages=[hello()])
    line.first = 1
    answer = await line.post(connection=line.connection, wait=True)
    assert json.loads(answer["messages"][0])["type"] == "welcome"


async def test_a_whole_call_by_plain_requests_on_both_sides(house: House) -> None:
    dana, tablet = await house.poll_page("dana"), await house.poll_page("tablet")
    session, _ = await house.in_call(tablet, dana)
    await tablet.send("chat.send", session=session, text="He has not slept.")
    view = await dana.until_view(lambda v: v["session"] and v["session"]["chat"])
    assert view["session"]["chat"][0]["text"] == "He has not slept."
    await dana.drop()
    await dana.open()  # the stream goes on where it was
    assert dana.welcome["resumed"] is True
    await dana.send("beat")


async def test_a_request_that_is_repeated_is_taken_once_and_an_answer_that_was_lost_comes_again(
    house: House, line: Line
) -> None:
    await welcomed(line)
    pause = json.dumps({"type": "activity.set", "id": 1, "activity": "paused", "reason": None})
    for _ in range(3):
        await line.post(connection=line.connection, first=1, messages=[pause])

    async def acks() -> list[str]:
        answer = await line.post(connection=line.connection, wait=True)
        return [text for text in answer["messages"] if json.loads(text).get("re") == 1]

    async with asyncio.timeout(BOUND):
        while not (first := await acks()):
            pass
    assert first == await acks(), "until the page says that it has them"
    assert len(first) == 1
    everything = await line.post(connection=line.connection, wait=True)
    got = everything["first"] + len(everything["messages"])
    later = await line.post(connection=line.connection, got=got)
    assert (later["first"], later["messages"]) == (got, [])


@pytest.mark.parametrize(
    "body",
    [
        {"first": 5, "messages": ["{}"]},
        {"first": -1, "messages": []},
        {"first": 0, "messages": ["x"] * 65},
        {"first": 0, "messages": ["x" * (200 * 1024)]},
    ],
)
async def test_what_no_page_sends_ends_its_own_connection(
    house: House, line: Line, body: dict[str, object]
) -> None:
    other = await house.poll_page("miguel")
    answer = await line.post(connection=line.connection, **body)
    assert answer["closed"] == "bad-message"
    await other.send("beat")


async def test_other_origins_other_shapes_and_unknown_connections_are_refused(
    house: House, line: Line
) -> None:
    assert (await line.post(connection="nobody"))["closed"] == "unknown"
    line.headers = {**HEADERS, "Origin": "http://elsewhere"}
    with pytest.raises(ConnectionResetError, match="403"):
        await line.post()
    line.headers = HEADERS
    with pytest.raises(ConnectionResetError, match="400"):
        await line.post(connection=1)


async def test_of_two_requests_that_wait_the_older_is_let_go(house: House, line: Line) -> None:
    await welcomed(line)
    everything = await line.post(connection=line.connection, wait=True)
    got = everything["first"] + len(everything["messages"])
    for number in range(1, 6):
        older, newer = await two_that_wait(house, line, got, number)
        assert (older["closed"], newer["closed"]) == (None, None)
        if not older["messages"]:
            break
        # a snapshot of the opening came late and answered the older one: read on up to our beat
        got = max(one["first"] + len(one["messages"]) for one in (older, newer))
        heard = older["messages"] + newer["messages"]
        while not any(json.loads(text).get("re") == number for text in heard):
            more = await line.post(connection=line.connection, got=got, wait=True)
            got = more["first"] + len(more["messages"])
            heard += more["messages"]
    assert not older["messages"]
    assert newer["messages"]


async def two_that_wait(
    house: House, line: Line, got: int, number: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two requests, one after the other; when one of them is let go, something for the other."""
    async with asyncio.TaskGroup() as tasks:
        older = tasks.create_task(line.post(connection=line.connection, got=got, wait=True))
        await asyncio.sleep(0)
        newer = tasks.create_task(line.post(connection=line.connection, got=got, wait=True))
        await until(lambda: older.done() or newer.done())
        house.desk.screens.touch_all()
        beat = json.dumps({"type": "beat", "id": number})
        await line.post(connection=line.connection, first=number, messages=[beat])
    first, last = older.result(), newer.result()
    return (first, last) if len(first["messages"]) < len(last["messages"]) else (last, first)


async def test_a_page_that_asks_nothing_any_more_has_gone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "GONE_SECONDS", 2.0)
    dana = await house.poll_page("dana")
    assert dana.welcome, "it was there"
    await dana.drop()
    await until(lambda: not house.desk.hub.attached("console", "per_dana"))


async def test_connections_are_bounded_and_the_open_ones_untouched(
    house: House, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "MOST_CONNECTIONS", 1)
    with pytest.raises(ConnectionResetError, match="503"):
        await line.post()
    await welcomed(line)


async def test_who_is_not_signed_in_reads_why(house: House, line: Line) -> None:
    line.headers = {**HEADERS, "X-Test-Actor": "lena"}
    line.connection = (await line.post())["connection"]
    await line.post(connection=line.connection, messages=[hello()])
    texts: list[str] = []
    async with asyncio.timeout(BOUND):
        while not texts:
            texts = (await line.post(connection=line.connection, wait=True))["messages"]
    assert json.loads(texts[0])["code"] == "wrong-role"


async def test_the_server_ends_while_requests_wait(house: House) -> None:
    dana = await house.poll_page("dana")
    await house.desk.drain()
    await dana.until(lambda: dana.seen("bye"))
    assert dana.seen("bye")[0]["reason"] == "draining"
