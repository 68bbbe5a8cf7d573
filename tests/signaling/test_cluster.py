"""Two desks on one record and one Redis: whoever serves a page, the session is the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Never

import pytest
import redis.asyncio as redis
from sqlalchemy import delete, select, update

from auth import audit, tablets
from media import LegEventKind
from records import nodes, schema, sessions
from records.errors import RecordAway
from records.sessions import SessionRow
from signaling import metrics, wire
from signaling.cluster import share
from tests.oncall import redis_server
from tests.oncall.redis_server import RedisServer
from tests.signaling.conftest import START, Clock, House, a_house
from tests.signaling.pages import BOUND, Page, Refused
from tests.signaling.seeded import prepare
from tests.signaling.test_ladder import jpeg

pytestmark = pytest.mark.skipif(
    redis_server.program() is None, reason="no redis-server is installed here"
)
SECRET = "a secret of this installation, which is long"
Two = tuple[House, House]


@pytest.fixture
def redis_one() -> Iterator[RedisServer]:
    with redis_server.running() as server:
        yield server


@asynccontextmanager
async def another(
    tmp_path: Path, server: RedisServer, clock: Clock, secret: str = SECRET
) -> AsyncIterator[House]:
    url = f"sqlite:///{tmp_path}/bridge.db"
    async with a_house(url, tmp_path, clock, share(server.url, secret, clock)) as made:
        yield made


@pytest.fixture
async def two(
    tmp_path: Path, redis_one: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Two]:
    monkeypatch.setattr("signaling.desk.TICK_SECONDS", 0.2)  # they meet sooner
    monkeypatch.setattr("signaling.cluster.BEAT_SECONDS", 0.2)
    url = f"sqlite:///{tmp_path}/bridge.db"
    await prepare(url, START - 3600)
    clock = Clock()
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(another(tmp_path, redis_one, clock))
        other = await stack.enter_async_context(another(tmp_path, redis_one, clock))

        async def met() -> bool:
            return bool(one.desk.cluster.others and other.desk.cluster.others)

        await until("they never met", met)
        yield one, other


async def until(what: str, look: Callable[[], Awaitable[object]]) -> None:
    deadline = time.monotonic() + BOUND
    while not await look():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.02)


async def row_of(house: House, session: str) -> SessionRow:
    async with house.db.read() as conn:
        row = await sessions.get(conn, session)
    assert row is not None
    return row


async def known_to(house: House, person: str) -> None:
    async def look() -> bool:
        return person in await house.desk.live.snapshot(house.clock())

    await until(f"{person} never came", look)


async def answered(tablet: Page, console: Page, one: House) -> tuple[str, int]:
    session = await one.pressed(tablet)
    offer = await one.rung(console)
    accepted = await console.send("offer.accept", offer=offer["offer"], token=offer["token"])
    return session, int(accepted["epoch"])


async def connected(tablet: Page, console: Page, one: House) -> tuple[str, int]:
    """A call at `one`, whatever process serves the console."""
    session, epoch = await answered(tablet, console, one)
    for page, seat in ((tablet, "tablet"), (console, "clinician")):
        await page.send(
            "media.describe",
            session=session,
            epoch=epoch,
            generation=f"g-{seat}",
            description="v=0",
        )
        one.bridge.flow(session, seat)
    for page in (tablet, console):
        await page.until_view(lambda v: v["session"] and v["session"]["state"] == "connected")
    return session, epoch


async def test_a_leg_that_the_bridge_lost_is_made_again_by_its_page_wherever_that_is(
    two: Two,
) -> None:
    one, other = two
    tablet, console = await one.page("tablet"), await other.page("dana")
    await known_to(one, "per_dana")
    session, _ = await connected(tablet, console, one)
    one.bridge.tell(session, "clinician", LegEventKind.CLOSED)
    await console.until(lambda: console.seen("media.rebuild"))
    assert [m["session"] for m in console.seen("media.rebuild")] == [session]
    one.bridge.tell(session, "tablet", LegEventKind.CLOSED)
    await tablet.until(lambda: tablet.seen("media.rebuild"))
    assert len(console.seen("media.rebuild")) == 1, "the other side's leg is none of its business"


async def test_of_two_windows_at_two_processes_both_read_which_one_has_the_call(two: Two) -> None:
    one, other = two
    tablet, laptop = await one.page("tablet"), await other.page("dana")
    await known_to(one, "per_dana")
    session, epoch = await connected(tablet, laptop, one)
    desk = await one.page("dana")

    async def describes(window: Page, name: str, **more: object) -> None:
        described = {"generation": f"g-{name}", "description": "v=0", "page": name, **more}
        await window.send("media.describe", session=session, epoch=epoch, **described)
        one.bridge.flow(session, "clinician")

    def carried(name: str, view: dict[str, Any]) -> bool:
        return bool(view["session"]["page"] == name)

    for window, name in ((desk, "desk"), (laptop, "laptop")):
        await describes(window, name, take=True)
        for page in (desk, laptop):
            await page.until_view(partial(carried, name))
    with pytest.raises(Refused) as refused:
        await describes(desk, "desk", generation="g-again")
    assert refused.value.code == "carried-elsewhere"


async def test_a_press_here_rings_a_console_there_which_answers_and_talks_here(two: Two) -> None:
    one, other = two
    tablet, console = await one.page("tablet"), await other.page("dana")
    await known_to(one, "per_dana")
    session, _ = await connected(tablet, console, one)
    assert one.bridge.legs == {
        (session, "tablet"): "g-tablet",
        (session, "clinician"): "g-clinician",
    }
    assert other.bridge.legs == {}, "media stays on the process that holds the tablet's leg"
    assert (await row_of(one, session)).node_id == one.desk.cluster.id
    await console.until_view(lambda v: v["session"] and v["session"]["peer"]["connected"])


async def test_what_one_side_says_of_its_devices_reaches_the_other_s_process(two: Two) -> None:
    one, other = two
    tablet, console = await one.page("tablet"), await other.page("dana")
    await known_to(one, "per_dana")
    session, _ = await connected(tablet, console, one)
    state = {"session": session, "camera": True, "quality": "fair"}
    await console.send("media.state", muted=True, **state)
    await tablet.until_view(lambda v: v["session"] and v["session"]["peer"]["muted"])
    await tablet.send("media.state", muted=True, **state)
    await console.until_view(lambda v: v["session"] and v["session"]["peer"]["muted"])


async def test_a_still_picture_is_shown_on_another_process_and_redis_keeps_nothing_of_it(
    two: Two, redis_one: RedisServer
) -> None:
    one, other = two
    tablet, console = await one.page("tablet"), await other.page("dana")
    await known_to(one, "per_dana")
    session, _ = await connected(tablet, console, one)
    async with redis.Redis.from_url(redis_one.url) as client:

        async def listening() -> bool:
            (channel,) = await client.pubsub_channels("*:shouts") or [b""]
            return bool(channel) and (await client.pubsub_numsub(channel))[0][1] == 2

        await until("nobody listens", listening)
        picture = jpeg()
        await tablet.send("media.still", session=session, picture=picture)
        await console.until(lambda: console.seen("still"))
        assert console.seen("still")[0]["picture"] == picture
        assert tablet.seen("still") == []
        await console.send("media.still", session=session, picture=jpeg())
        await tablet.until(lambda: tablet.seen("still"))
        (news,) = await client.keys("*:news")
        entries: Any = await client.xrange(news)
        kept = [len(b"".join(fields.values())) for _, fields in entries]
    assert kept
    assert max(kept) < len(picture), "a picture would be larger than all news"


async def test_the_first_answer_stops_the_ring_on_consoles_of_every_process(two: Two) -> None:
    one, other = two
    tablet = await one.page("tablet")
    dana, miguel = await one.page("dana"), await other.page("miguel")
    await known_to(one, "per_miguel")
    await known_to(other, "per_dana")
    await one.pressed(tablet)
    offers = [await one.rung(page) for page in (dana, miguel)]
    both = await asyncio.gather(
        *(
            page.send("offer.accept", offer=offer["offer"], token=offer["token"])
            for page, offer in zip((dana, miguel), offers, strict=True)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Refused) for result in both) == 1
    loser = dana if isinstance(both[0], Refused) else miguel
    await loser.until(lambda: loser.seen("offer.gone"))
    assert loser.seen("offer.gone")[0]["reason"] == "taken"


async def test_the_end_of_a_call_said_elsewhere_ends_its_media_at_home(two: Two) -> None:
    one, other = two
    tablet, console = await one.page("tablet"), await other.page("dana")
    await known_to(one, "per_dana")
    session, epoch = await connected(tablet, console, one)
    await console.send("session.end", session=session, epoch=epoch)
    assert one.bridge.closed == [session]
    await tablet.until_view(lambda v: v["session"] and v["session"]["state"] == "wrap_up")


async def test_where_a_command_came_from_goes_along_to_the_process_that_carries_it_out(
    two: Two,
) -> None:
    one, other = two
    tablet, console = await one.page("tablet"), await other.page("dana")
    await known_to(one, "per_dana")
    session, epoch = await connected(tablet, console, one)
    stream = next(iter(other.desk.hub.of("console", "per_dana")))
    held = wire.SessionHold(id=99, session=session, epoch=epoch, held=True)
    token = audit.PLACE.set("203.0.113.7")
    try:
        await other.desk.handle(stream, held)
    finally:
        audit.PLACE.reset(token)
    table = schema.audit
    async with one.db.read() as conn:
        asked = select(table.c.actor_id, table.c.place).where(table.c.action == "session.hold")
        found = [tuple(row) for row in await conn.execute(asked)]
    assert found == [("per_dana", "203.0.113.7")]


async def test_a_tablet_revoked_at_one_process_is_out_of_its_call_at_another(two: Two) -> None:
    one, other = two
    tablet, console = await one.page("tablet"), await other.page("dana")
    await known_to(one, "per_dana")
    session, _ = await connected(tablet, console, one)
    await other.desk.dismiss_actor("tab_unit12", "revoked")
    await tablet.until(lambda: tablet.seen("bye"))
    bye = tablet.seen("bye")[0]
    assert (bye["reason"], bye["retry"]) == ("revoked", False)

    async def cut() -> bool:
        return (session, "tablet") in one.bridge.left

    await until("the tablet goes on hearing and seeing", cut)
    assert (session, "clinician") not in one.bridge.left
    await console.until_view(lambda v: not v["session"]["peer"]["connected"])
    async with one.db.read() as conn:
        kinds = [event.kind for event in await sessions.timeline_of(conn, session)]
    assert kinds.count("tablet.put_out") == 1


async def test_a_tablet_whose_revocation_nobody_heard_is_cut_off_all_the_same(two: Two) -> None:
    one, other = two
    tablet, console = await one.page("tablet"), await other.page("dana")
    await known_to(one, "per_dana")
    session, _ = await connected(tablet, console, one)
    await tablet.drop()  # a script of a thief's keeps the sound and closes the socket
    await one.db.write(lambda conn: tablets.revoke_tablet(conn, "tab_unit12", START))
    await console.until_view(lambda v: not v["session"]["tablet_revoked"])
    await one.desk.tablets.put_out_revoked()
    assert one.bridge.left == [(session, "tablet")]
    # so that nobody is told that it comes back by itself
    await console.until_view(lambda v: v["session"]["tablet_revoked"])


@pytest.mark.parametrize("heard", [True, False], ids=["told", "never told"])
async def test_a_clinician_who_is_shut_out_hears_and_sees_nothing_more_and_the_session_rings_on(
    two: Two, heard: bool
) -> None:
    """A closed page stops no sound, and a leg that is up counted as being there: for ever."""
    one, other = two
    tablet, console = await one.page("tablet"), await other.page("dana")
    await known_to(one, "per_dana")
    session, _ = await connected(tablet, console, one)
    shut = update(schema.person).where(schema.person.c.id == "per_dana").values(active=False)
    await one.db.write(lambda conn: conn.execute(shut))
    if heard:
        await other.desk.dismiss_actor("per_dana", "revoked")
        await console.until(lambda: console.seen("bye"))
    else:
        await console.drop()  # a script that keeps the sound and closes the socket
        await one.desk._check_welcome()

    async def cut() -> bool:
        return (session, "clinician") in one.bridge.left

    await until("the clinician goes on hearing and seeing", cut)
    assert (session, "tablet") not in one.bridge.left
    await tablet.until_view(lambda v: v["session"]["state"] == "waiting")
    assert (await row_of(one, session)).lead_id is None


async def test_who_only_has_to_sign_in_anew_loses_the_picture_and_keeps_the_call(two: Two) -> None:
    one, other = two
    tablet, console = await one.page("tablet"), await other.page("dana")
    await known_to(one, "per_dana")
    session, _ = await connected(tablet, console, one)
    await other.desk.dismiss_actor("per_dana", "revoked")

    async def cut() -> bool:
        return (session, "clinician") in one.bridge.left

    await until("whoever has the old page goes on hearing and seeing", cut)
    assert (await row_of(one, session)).lead_id == "per_dana"


@pytest.mark.parametrize("heard", [True, False], ids=["told", "never told"])
async def test_a_role_that_is_taken_away_counts_at_once_and_a_call_that_it_did_not_give_goes_on(
    two: Two, heard: bool
) -> None:
    one, other = two
    tablet, console, ada = await one.page("tablet"), await one.page("dana"), await other.page("ada")
    session, epoch = await connected(tablet, console, one)
    grant = schema.role_grant
    await one.db.write(lambda conn: conn.execute(delete(grant).where(grant.c.role == "supervisor")))
    if heard:
        await one.desk.roles_changed("per_ada")
    else:
        await other.desk._check_welcome()

    async def fewer() -> bool:
        return all("supervisor" not in s.actor.roles for s in other.desk.hub.all())

    await until("the open page keeps the role that was taken away", fewer)
    with pytest.raises(Refused):
        await ada.send("session.listen", session=session, epoch=epoch, mode="listen")
    await one.desk._check_welcome()
    assert one.bridge.left == []
    assert console.seen("bye") == []
    assert ada.seen("bye") == []
    assert (await row_of(one, session)).lead_id == "per_dana"


@pytest.mark.parametrize("heard", [True, False], ids=["told", "never told"])
async def test_who_loses_the_role_that_gave_the_call_is_out_of_it_at_once(
    two: Two, heard: bool
) -> None:
    one, other = two
    tablet, console = await one.page("tablet"), await other.page("dana")
    await known_to(one, "per_dana")
    session, _ = await connected(tablet, console, one)
    grant = schema.role_grant
    lost = delete(grant).where(grant.c.person_id == "per_dana")
    await one.db.write(lambda conn: conn.execute(lost))
    if heard:
        await other.desk.dismiss_actor("per_dana", "revoked")
    else:
        await console.drop()  # a script that keeps the sound and closes the socket
        await one.desk._check_welcome()

    async def cut() -> bool:
        return (session, "clinician") in one.bridge.left

    await until("the clinician goes on hearing and seeing", cut)
    await tablet.until_view(lambda v: v["session"]["state"] == "waiting")
    assert (await row_of(one, session)).lead_id is None


async def test_who_is_shut_out_while_listening_at_the_side_is_put_out(two: Two) -> None:
    one, other = two
    tablet, console = await one.page("tablet"), await one.page("dana")
    ada = await other.page("ada")
    session, epoch = await connected(tablet, console, one)
    await ada.send("session.listen", session=session, epoch=epoch, mode="listen")
    shut = update(schema.person).where(schema.person.c.id == "per_ada").values(active=False)
    await one.db.write(lambda conn: conn.execute(shut))
    await other.desk.dismiss_actor("per_ada", "revoked")
    await console.until_view(lambda v: v["session"] and not v["session"]["company"])
    assert (await row_of(one, session)).lead_id == "per_dana"


async def test_a_refusal_of_another_process_reads_as_its_own(two: Two) -> None:
    one, other = two
    tablet, console = await one.page("tablet"), await other.page("dana")
    await known_to(one, "per_dana")
    session, epoch = await answered(tablet, console, one)
    with pytest.raises(Refused) as refused:
        await console.send("session.end", session=session, epoch=epoch + 1)
    assert refused.value.code == "stale-epoch"


async def test_a_transfer_between_consoles_of_two_processes_goes_through_at_home(two: Two) -> None:
    one, other = two
    tablet, dana = await one.page("tablet"), await one.page("dana")
    await known_to(other, "per_dana")
    session, epoch = await connected(tablet, dana, one)
    miguel = await other.page("miguel")
    await known_to(one, "per_miguel")
    await dana.send("transfer.ask", session=session, epoch=epoch, to="per_miguel")
    offer = await other.rung(miguel)
    await miguel.send("offer.accept", offer=offer["offer"], token=offer["token"])
    await miguel.send(
        "media.describe", session=session, epoch=epoch, generation="g-side", description="v=0"
    )
    [(_, seat)] = [key for key in one.bridge.legs if key[1].startswith("side")]
    one.bridge.flow(session, seat)
    await dana.send("transfer.confirm", session=session, epoch=epoch)
    await miguel.send("transfer.confirm", session=session, epoch=epoch)
    assert one.bridge.moved == [(session, seat, "clinician")]
    assert (await row_of(one, session)).lead_id == "per_miguel"
    await dana.until(lambda: dana.seen("session.moved"))


async def test_a_second_process_leaves_the_rings_of_the_first_alone(
    two: Two, tmp_path: Path, redis_one: RedisServer
) -> None:
    one, _other = two
    tablet, console = await one.page("tablet"), await one.page("dana")
    await one.pressed(tablet)
    await one.rung(console)
    async with another(tmp_path, redis_one, one.clock) as third:
        await known_to(third, "per_dana")
        view = await console.until_view(lambda v: v["offers"])
    assert len(view["offers"]) == 1
    assert not console.seen("offer.gone")


async def test_a_server_whose_clock_is_behind_another_s_says_so_once_and_counts_it(
    two: Two, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = two
    slow = Clock()
    monkeypatch.setattr(one.desk, "now", slow)
    slow.now = other.clock() - 5

    async def is_counted() -> bool:
        return bool(_ahead()) and "clock.differs" in caplog.text

    await until("it never said so", is_counted)
    slow.now = other.clock()

    async def is_over() -> bool:
        return not _ahead()

    await until("it never took it back", is_over)
    assert caplog.text.count("clock.differs") == 1


def _ahead() -> float | None:
    return metrics.REGISTRY.get_sample_value("crisisbridge_clock_ahead_seconds")


async def test_a_process_that_leaves_hands_its_sessions_to_the_others(
    two: Two, tmp_path: Path, redis_one: RedisServer
) -> None:
    one, other = two
    async with another(tmp_path, redis_one, one.clock) as third:
        tablet = await third.page("tablet")
        session = await third.pressed(tablet)
        assert (await row_of(one, session)).node_id == third.desk.cluster.id
    console = await other.page("dana")
    living = {one.desk.cluster.id, other.desk.cluster.id}

    async def adopted() -> bool:
        return (await row_of(one, session)).node_id in living

    await until("nobody adopted it", adopted)
    assert (await other.rung(console))["session"] == session


async def test_calls_whose_process_leaves_are_made_again_at_once_by_pages_elsewhere(
    two: Two, tmp_path: Path, redis_one: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = two
    monkeypatch.setattr("signaling.cluster.MOST_AT_WORK", 1)  # however many they are
    consoles = [await other.page("dana"), await other.page("miguel")]
    async with another(tmp_path, redis_one, one.clock) as third:
        for who in ("per_dana", "per_miguel"):
            await known_to(third, who)
        for tablet, console in zip(("tablet", "elsewhere"), consoles, strict=True):
            await connected(await third.page(tablet), console, third)
    for console in consoles:
        await console.until(lambda console=console: console.seen("media.rebuild"))  # type: ignore[misc]
    again = await one.page("tablet")  # a page that was loaded anew describes itself
    await again.until_view(lambda v: v["session"])
    assert not again.seen("media.rebuild")


async def test_while_the_record_is_away_for_all_nobody_is_taken_for_dead(
    two: Two, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = two
    monkeypatch.setattr("signaling.cluster.DEAD_SECONDS", 1.0)
    tablet, console = await one.page("tablet"), await other.page("dana")
    await known_to(one, "per_dana")
    await connected(tablet, console, one)
    tries = 0

    async def no_answer(*_args: object) -> Never:
        nonlocal tries
        tries += 1
        raise RecordAway

    with monkeypatch.context() as away:
        for house in two:
            away.setattr("records.nodes.listed", no_answer)
            away.setattr(house.db, "write_aside", no_answer)
        began = time.monotonic()

        async def long_enough() -> bool:
            return tries > 4 and time.monotonic() - began > 1.5

        await until("nobody tried", long_enough)

    async def beats() -> bool:
        return bool(one.desk.cluster.others and other.desk.cluster.others)

    await until("they never met again", beats)
    await asyncio.gather(one.desk.cluster.tick(), other.desk.cluster.tick())
    assert "node.lost" not in caplog.text
    assert not tablet.seen("media.rebuild")
    assert not console.seen("media.rebuild")


async def test_a_process_that_was_taken_for_dead_takes_its_running_call_back(two: Two) -> None:
    one, other = two
    tablet, console = await one.page("tablet"), await one.page("dana")
    session, _ = await connected(tablet, console, one)
    here, there = one.desk.cluster.id, other.desk.cluster.id
    await one.db.write(lambda conn: nodes.leave(conn, here))
    await one.db.write(lambda conn: nodes.claim(conn, there, [session]))

    async def back() -> bool:
        return (await row_of(one, session)).node_id == here

    await until("the call never came back", back)
    assert one.bridge.closed == []


async def test_without_redis_calls_run_and_presses_are_kept_and_rung_here(
    two: Two, redis_one: RedisServer
) -> None:
    one, other = two
    tablet, dana = await one.page("tablet"), await one.page("dana")
    miguel = await other.page("miguel")
    await known_to(one, "per_miguel")
    session, epoch = await connected(tablet, dana, one)
    redis_one.kill()

    async def parted() -> bool:
        return one.desk.live.partial and other.desk.live.partial

    await until("they never noticed", parted)
    second = await one.page("elsewhere")
    waiting = await one.pressed(second, "q" * 20)
    await second.until_view(lambda v: v["session"] and v["session"]["state"] == "waiting")
    assert (await row_of(one, session)).state == "connected"
    redis_one.start()
    assert (await one.rung(miguel))["session"] == waiting, "it rings there when Redis is back"
    await dana.send("session.end", session=session, epoch=epoch)


async def test_what_passes_through_redis_tells_nobody_anything(
    two: Two, redis_one: RedisServer
) -> None:
    one, other = two
    tablet, console = await one.page("tablet"), await other.page("dana")
    await known_to(one, "per_dana")
    await connected(tablet, console, one)
    client = redis.Redis.from_url(redis_one.url)
    keys: Any = await client.keys("*")
    [stream] = [key for key in keys if key.endswith(b":news")]
    said: Any = await client.xrange(stream)
    await client.aclose()
    text = b"".join(b"".join(entry.values()) for _, entry in said)
    assert one.desk.cluster.id.encode() in text
    for word in (b"v=0", b"Dana", b"Unit 12", b"ses_", b"offer"):
        assert word not in text


async def test_a_server_with_another_secret_shares_nothing(
    two: Two, tmp_path: Path, redis_one: RedisServer
) -> None:
    one, _ = two
    await one.page("dana")
    async with another(tmp_path, redis_one, one.clock, "quite another secret") as stranger:
        assert await stranger.desk.live.snapshot(one.clock()) == {}
