"""Streams: what a page misses it gets again, and what it sends twice happens once."""

from __future__ import annotations

import json

import pytest

from auth.actors import Actor
from signaling.errors import OutOfOrder, TooMany
from signaling.hub import (
    KEPT_MESSAGES,
    KEPT_SECONDS,
    SHOWN_SECONDS,
    STREAMS_PER_ACTOR,
    Hub,
    Outlet,
)
from signaling.wire import Ack, Bye, MediaRebuild
from tests.signaling.cast import clinician, tablet


class Socket:
    """A socket that takes what it is given, up to a limit."""

    def __init__(self, room: int = 10_000) -> None:
        self.got: list[dict[str, object]] = []
        self.closed: str | None = None
        self.room = room
        self.idle = True
        self.outlet = Outlet(self._put, self._close, lambda: self.idle)

    def _put(self, text: str) -> bool:
        if len(self.got) >= self.room:
            return False
        self.got.append(json.loads(text))
        return True

    def _close(self, reason: str) -> None:
        self.closed = reason


def numbered(i: int) -> MediaRebuild:
    return MediaRebuild(session=f"ses_{i}")


def test_messages_are_numbered_from_one_without_gaps() -> None:
    stream, _ = Hub().open("s", clinician(), "console")
    socket = Socket()
    stream.attach(socket.outlet)
    for i in range(5):
        stream.send(numbered(i))
    assert [m["n"] for m in socket.got] == [1, 2, 3, 4, 5]


def test_what_is_only_shown_is_not_numbered_not_kept_and_never_waits() -> None:
    hub = Hub()
    stream, _ = hub.open("s", clinician(), "console")
    stream.show('{"type":"still"}', 0.0)  # nobody is there
    socket = Socket()
    stream.attach(socket.outlet)
    stream.send(numbered(1))
    socket.idle = False
    stream.show('{"type":"still"}', 1.0)
    socket.idle = True
    stream.show('{"type":"still"}', 2.0)
    stream.send(numbered(2))
    assert [m.get("n") for m in socket.got] == [1, None, 2]
    missed = stream.missed_since(0)
    assert missed is not None
    assert len(missed) == 2


def test_the_next_thing_is_shown_when_the_page_has_the_last_or_it_is_lost() -> None:
    stream, _ = Hub().open("s", clinician(), "console")
    socket = Socket()
    stream.attach(socket.outlet)
    stream.show('{"no":1}', 0.0)
    stream.show('{"no":2}', 3.0)
    assert [m["no"] for m in socket.got] == [1]
    stream.saw()
    stream.show('{"no":3}', 6.0)
    stream.show('{"no":4}', 6.0 + SHOWN_SECONDS)
    assert [m["no"] for m in socket.got] == [1, 3, 4]
    again = Socket()
    stream.attach(again.outlet)  # whatever was under way went down with the old socket
    stream.show('{"no":5}', 7.0 + SHOWN_SECONDS)
    assert [m["no"] for m in again.got] == [5]


def test_a_page_that_reconnects_gets_exactly_what_it_missed() -> None:
    hub = Hub()
    stream, _ = hub.open("s", clinician(), "console")
    for i in range(7):
        stream.send(numbered(i))
    again, known = hub.open("s", clinician(), "console")
    assert known
    missed = again.missed_since(4)
    assert missed is not None
    assert [json.loads(m)["n"] for m in missed] == [5, 6, 7]


def test_a_page_that_missed_more_than_is_kept_must_start_afresh() -> None:
    stream, _ = Hub().open("s", clinician(), "console")
    for i in range(KEPT_MESSAGES + 10):
        stream.send(numbered(i))
    assert stream.missed_since(3) is None
    assert stream.missed_since(KEPT_MESSAGES + 50) is None


def test_a_command_sent_twice_is_answered_twice_and_done_once() -> None:
    stream, _ = Hub().open("s", clinician(), "console")
    socket = Socket()
    stream.attach(socket.outlet)
    assert stream.admit(1)
    assert not stream.admit(1), "still at work: neither done again nor refused"
    stream.answer(1, Ack(re=1, data={"x": 1}))
    assert not stream.admit(1)
    assert socket.got == [{"type": "ack", "re": 1, "data": {"x": 1}}] * 2


def test_a_skipped_command_number_is_refused() -> None:
    stream, _ = Hub().open("s", clinician(), "console")
    with pytest.raises(OutOfOrder):
        stream.admit(2)
    assert stream.admit(1)


def test_another_actor_never_gets_my_stream() -> None:
    hub = Hub()
    mine, _ = hub.open("same-name", clinician("per_1"), "console")
    theirs, known = hub.open("same-name", clinician("per_2"), "console")
    assert not known
    assert theirs is not mine


def test_a_newer_socket_of_a_page_closes_the_older() -> None:
    stream, _ = Hub().open("s", tablet(), "tablet")
    old, new = Socket(), Socket()
    stream.attach(old.outlet)
    stream.attach(new.outlet)
    assert old.closed == "replaced"
    stream.detach(old.outlet, 1.0)
    stream.send(numbered(1))
    assert len(new.got) == 1, "the old socket's end does not take the new one away"


def test_a_socket_that_reads_too_slowly_is_cut_off_and_misses_nothing() -> None:
    stream, _ = Hub().open("s", clinician(), "console")
    slow = Socket(room=2)
    stream.attach(slow.outlet)
    for i in range(4):
        stream.send(numbered(i))
    assert slow.closed == "too-slow"
    missed = stream.missed_since(2)
    assert missed is not None
    assert len(missed) == 2


def test_one_actor_cannot_open_streams_without_bound() -> None:
    hub = Hub()
    for i in range(STREAMS_PER_ACTOR):
        stream, _ = hub.open(f"s{i}", clinician(), "console")
        stream.attach(Socket().outlet)
    with pytest.raises(TooMany):
        hub.open("one-more", clinician(), "console")


def test_a_page_that_stays_away_is_forgotten() -> None:
    hub = Hub()
    stream, _ = hub.open("s", clinician(), "console")
    socket = Socket()
    stream.attach(socket.outlet)
    stream.detach(socket.outlet, 100.0)
    hub.expire(100.0 + KEPT_SECONDS - 1)
    assert hub.open("s", clinician(), "console") == (stream, True)
    hub.expire(100.0 + KEPT_SECONDS + 1)
    _, known = hub.open("s", clinician(), "console")
    assert not known


def test_a_dismissed_page_is_told_why() -> None:
    hub = Hub()
    stream, _ = hub.open("s", clinician(), "console")
    socket = Socket()
    stream.attach(socket.outlet)
    hub.dismiss(stream, "revoked", retry=False)
    assert socket.got[-1] == {"type": "bye", "reason": "revoked", "retry": False}
    assert not list(hub.of("console"))
    assert isinstance(Bye(reason="x", retry=True), Bye)


def test_actors_of_tests_are_what_they_say() -> None:
    assert isinstance(tablet(), Actor)


def test_a_page_that_missed_several_snapshots_gets_the_newest_and_the_numbers_of_the_others() -> (
    None
):
    stream, _ = Hub().open("s", clinician(), "console")
    stream.send_text('{"type":"console","me":"old"}', snapshot=True)
    stream.send(numbered(2))
    stream.send_text('{"type":"console","me":"newer"}', snapshot=True)
    stream.send_text('{"type":"console","me":"newest"}', snapshot=True)
    missed = stream.missed_since(0)
    assert missed is not None
    assert [json.loads(text) for text in missed] == [
        {"n": 1, "type": "passed"},
        {"n": 2, "type": "media.rebuild", "session": "ses_2"},
        {"n": 3, "type": "passed"},
        {"n": 4, "type": "console", "me": "newest"},
    ]


def test_a_snapshot_that_is_no_longer_kept_is_passed_over_without_harm() -> None:
    stream, _ = Hub().open("s", clinician(), "console")
    stream.send_text('{"type":"console"}', snapshot=True)
    for i in range(KEPT_MESSAGES):
        stream.send(numbered(i))
    stream.send_text('{"type":"console"}', snapshot=True)
    assert stream.missed_since(1) is None
    missed = stream.missed_since(2)
    assert missed is not None
    assert "passed" not in "".join(missed)
