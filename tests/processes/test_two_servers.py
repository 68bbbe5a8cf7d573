"""Two real server processes on one record and one Redis, and what happens when either dies."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from records import sessions
from records.engine import Database
from records.sessions import SessionRow, TimelineRow
from tests import robots
from tests.oncall import redis_server
from tests.processes.harness import Installation, installed
from tests.records import servers

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(
        redis_server.program() is None or servers.programs() is None,
        reason="redis-server and PostgreSQL are not installed here",
    ),
]
SESSIONS, OFFICERS, CLINICIANS = 200, 40, 20
ALL_SECONDS = 240.0  # of a machine that is busy with other things; alone it takes about thirty
AGAIN_SECONDS = 10.0  # a killed server's waiting sessions ring elsewhere within this


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Installation]:
    programs = servers.programs()
    assert programs is not None
    with (
        servers.running(programs) as postgres,
        redis_server.running() as redis,
        installed(tmp_path, postgres.make(), redis) as made,
    ):
        yield made


class Working(robots.Clinician):
    """Answers whatever rings, ends the call, finishes the record; whatever breaks meanwhile."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, answers=lambda _offer: "accept", **kwargs)
        self._begun: set[tuple[str, str, int]] = set()

    def saw(self, body: dict[str, Any]) -> None:
        super().saw(body)
        shown = body.get("session") if body["type"] == "console" else None
        if not shown:
            return
        key = (shown["id"], shown["state"], shown["epoch"])
        if shown["state"] in {"answering", "recovering", "wrap_up"} and key not in self._begun:
            self._begun.add(key)
            self._do(self._finish(*key))

    async def _finish(self, session: str, state: str, epoch: int) -> None:
        named = {"session": session, "epoch": epoch}
        while self._shows(session, state, epoch):
            with contextlib.suppress(robots.Lost, robots.Refused):
                if state != "wrap_up":
                    await self.send("session.end", **named)
                else:
                    await self.wrap_up()
                return
            await asyncio.sleep(0.2)

    def _shows(self, session: str, state: str, epoch: int) -> bool:
        shown = self.session
        return (
            bool(shown)
            and shown is not None
            and ((shown["id"], shown["state"], shown["epoch"]) == (session, state, epoch))
        )


async def pressing(officer: robots.Officer, times: int) -> list[str]:
    """So many sessions one after the other; a press while one is open gives the same again."""
    made: list[str] = []
    while len(made) < times:
        with contextlib.suppress(robots.Refused, robots.Lost):
            session = await officer.press()
            if session not in made:
                made.append(session)
            await officer.until_view(partial(is_over, session), ALL_SECONDS)
        await asyncio.sleep(0.2)
    return made


def is_over(session: str, view: dict[str, Any]) -> bool:
    """Whether a tablet shows that session no more, or its end."""
    shown = view["session"]
    return not shown or shown["id"] != session or shown["state"] in {"wrap_up", "closed"}


def pressed(history: robots.History) -> int:
    """How many sessions the tablets know of."""
    return len({m.data["data"]["session"] for m in history.of("answered") if _is_press(m)})


def _is_press(moment: robots.Moment) -> bool:
    return bool(moment.data["kind"] == "session.open")


async def timelines(installation: Installation, ids: list[str]) -> dict[str, list[TimelineRow]]:
    db = Database(installation.url)
    await db.start()
    try:
        async with db.read() as conn:
            return {one: await sessions.timeline_of(conn, one) for one in ids}
    finally:
        await db.close()


async def rows_of(installation: Installation, ids: list[str]) -> list[SessionRow | None]:
    db = Database(installation.url)
    await db.start()
    try:
        async with db.read() as conn:
            return [await sessions.get(conn, one) for one in ids]
    finally:
        await db.close()


async def all_closed(installation: Installation, ids: list[str]) -> None:
    deadline = time.monotonic() + ALL_SECONDS
    while True:
        found = await rows_of(installation, ids)
        left = [row for row in found if row is None or row.state != "closed"]
        if not left:
            return
        assert time.monotonic() < deadline, f"{len(left)} sessions never closed: {left[:3]}"
        await asyncio.sleep(0.2)


async def standing(installation: Installation, history: robots.History) -> str:
    """What is not over yet, for the one who reads why a test gave up."""
    ids = {m.data["data"]["session"] for m in history.of("answered") if _is_press(m)}
    left = [
        row for row in await rows_of(installation, sorted(ids)) if row and row.state != "closed"
    ]
    told = await timelines(installation, [row.id for row in left[:3]])
    lines = [f"{len(ids)} pressed, {len(left)} not over", *map(str, left[:3])]
    for session, events in told.items():
        lines += [f"{session} {event.at:.3f} {event.kind} {event.data}" for event in events[-12:]]
        lines += [
            f"{m.at:.3f} {m.who} {m.what} {m.data}"
            for m in history.moments
            if session in str(m.data)
        ][-12:]
    return "\n".join(lines)


def nobody_leads_twice(history: robots.History, told: dict[str, list[TimelineRow]]) -> None:
    """Of each assignment one clinician was told that it is theirs, and nobody led two at once."""
    accepted = Counter(
        (moment.data["data"]["session"], moment.data["data"]["epoch"])
        for moment in history.of("answered")
        if moment.data["kind"] == "offer.accept"
    )
    assert accepted
    assert max(accepted.values()) == 1
    led: dict[str, list[tuple[float, float]]] = {}
    for session, events in told.items():
        assert [event.no for event in events] == list(range(1, len(events) + 1)), session
        since: tuple[str, float] | None = None
        for event in events:
            if event.kind == "offer.accepted":
                assert since is None, f"{session} was answered twice"
                since = (str(event.data["clinician"]), event.at)
            elif since is not None and event.kind in {"session.ended", "session.requeued"}:
                led.setdefault(since[0], []).append((since[1], event.at))
                since = None
    assert led
    for person, times in led.items():
        ordered = sorted(times)
        for (_, ended), (began, _) in itertools.pairwise(ordered):
            assert ended <= began, f"{person} led two sessions at once"


@pytest.mark.timeout(400)
@pytest.mark.parametrize("fault", ["a server is killed", "Redis is killed and comes back empty"])
async def test_in_a_busy_minute_no_session_is_lost_and_none_is_led_twice(
    two: Installation, fault: str
) -> None:
    await two.people(OFFICERS, CLINICIANS)
    await asyncio.to_thread(two.serve, 2)
    history = robots.History()
    async with robots.open_http() as http, contextlib.AsyncExitStack() as stack:
        bring = partial(two.bring, stack, http, history)
        for i, badge in enumerate(two.clinicians):
            await bring(Working, badge, i)
        officers = [await bring(robots.Officer, one, i) for i, one in enumerate(two.officers)]
        work = asyncio.gather(*(pressing(one, SESSIONS // OFFICERS) for one in officers))
        async with asyncio.timeout(ALL_SECONDS):
            while pressed(history) < SESSIONS // 3:
                await asyncio.sleep(0.1)
        if fault == "a server is killed":
            await asyncio.to_thread(two.servers[0].kill)
        else:
            two.redis.kill()
            await asyncio.sleep(1.0)  # long enough for presses to come meanwhile
            two.redis.start()
        try:
            async with asyncio.timeout(ALL_SECONDS):
                ids = [session for made in await work for session in made]
        except TimeoutError:
            raise AssertionError(await standing(two, history)) from None
        assert len(set(ids)) == SESSIONS
        await all_closed(two, ids)
    nobody_leads_twice(history, await timelines(two, ids))


async def test_a_killed_server_s_waiting_session_rings_elsewhere_within_ten_seconds(
    two: Installation,
) -> None:
    await two.people(1, 1)
    await asyncio.to_thread(two.serve, 2)
    async with robots.open_http() as http:
        officer = robots.Officer(http, two.bases, two.officers[0])
        clinician = robots.Clinician(http, two.bases, two.clinicians[0])
        await officer.open()
        await clinician.open()
        session = await officer.press()
        await clinician.ring(session)
        clinician.view = {}
        killed = time.monotonic()
        await asyncio.to_thread(two.servers[0].kill)
        offer = await clinician.ring(session, AGAIN_SECONDS)
        assert time.monotonic() - killed < AGAIN_SECONDS
        await clinician.accept(offer)
        await officer.until_state("answering")
        await officer.close()
        await clinician.close()
