"""Directed histories that random search misses, over the real desk and the real record.

Each is a fault that other queues had: an answer given twice, a late answer obeyed, a clinician in
two calls. Several guards stand in the way of each. A guard is taken away by itself (the others must
still hold) and then all of them together: that must do the harm, else the history proves nothing.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from oncall import policy
from records import offers, schema, sessions
from records.errors import RecordError
from records.offers import OfferRow
from records.sessions import SessionRow
from signaling import console_commands, scope, shared_commands, wire
from signaling.errors import SessionError
from signaling.session import SetupFailed
from tests.records import servers
from tests.signaling.conftest import ACTORS, House, a_house
from tests.signaling.pages import BOUND

EVERY_STATE = (*offers.RINGING, *offers.OVER)


@pytest.fixture(params=["sqlite", "postgresql"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    url = f"sqlite:///{tmp_path}/bridge.db"
    if request.param == "postgresql":
        url = cast("servers.Server", request.getfixturevalue("postgres")).make()
    async with a_house(url, tmp_path) as made:
        yield made


# --- taking guards away ---------------------------------------------------------------------------


class Guards:
    """The guards of one house, each of which can be taken away."""

    def __init__(self, house: House, patch: pytest.MonkeyPatch) -> None:
        self._house = house
        self._patch = patch

    async def take_away(self, names: Collection[str]) -> None:
        for name in names:
            await getattr(self, name)()

    async def offer_state(self) -> None:
        """Only what rings can be answered."""
        end = offers._end

        async def any_state(conn: Any, one: str, to: str, why: Any, now: float, _s: Any) -> bool:
            return await end(conn, one, to, why, now, EVERY_STATE)

        self._patch.setattr(offers, "_end", any_state)

    async def session_fence(self) -> None:
        """A change names the state, the epoch and the version of the session that it has read."""
        fence = {"state", "epoch", "version"}

        def unfenced(*conditions: Any) -> Any:
            kept = [c for c in conditions if c.left.name not in fence]
            return sqlalchemy.and_(*kept)

        self._patch.setattr(sessions, "and_", unfenced)

    async def numbering(self) -> None:
        """The timeline has one entry of each number; a change numbers its own from the version."""
        add = sessions._add_events

        def after_the_last(conn: Connection, one: str, last: int, *rest: Any) -> None:
            newest = conn.scalar(
                sqlalchemy.select(sqlalchemy.func.max(schema.timeline.c.no)).where(
                    schema.timeline.c.session_id == one
                )
            )
            add(conn, one, max(last, newest or 0), *rest)

        self._patch.setattr(sessions, "_add_events", after_the_last)

    async def accepted_index(self) -> None:
        """One accepted offer of one assignment."""
        await self._drop("one_accepted_offer_per_assignment")

    async def leader_index(self) -> None:
        """One session of one leader."""
        await self._drop("one_session_per_leader")

    async def busy_check(self) -> None:
        """Who leads a session is not rung."""

        def anybody(_conn: Connection, _clinicians: Collection[str]) -> None:
            return

        self._patch.setattr(offers, "refuse_leaders", anybody)

    async def page_epoch(self) -> None:
        """A page speaks of the assignment that it knows."""
        leads = scope.leads

        def any_epoch(actor: Any, row: SessionRow, _epoch: int) -> None:
            leads(actor, row, row.epoch)

        self._patch.setattr(scope, "leads", any_epoch)

    async def _drop(self, index: str) -> None:
        async def write(conn: AsyncConnection) -> None:
            await conn.execute(sqlalchemy.text(f"DROP INDEX {index}"))

        await self._house.db.write(write)


@pytest.fixture
def guards(house: House, monkeypatch: pytest.MonkeyPatch) -> Guards:
    return Guards(house, monkeypatch)


# --- a process that has read, and slept -----------------------------------------------------------

READ_BEFORE: contextvars.ContextVar[SessionRow | None] = contextvars.ContextVar(
    "read_before", default=None
)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> Callable[[SessionRow], Any]:
    """What runs inside sees one session as it was: like a process that read it, and then slept."""
    for name in ("get", "get_held"):
        get = getattr(sessions, name)

        async def as_read(
            conn: AsyncConnection, session_id: str, get: Any = get
        ) -> SessionRow | None:
            old = READ_BEFORE.get()
            return old if old is not None and old.id == session_id else await get(conn, session_id)

        monkeypatch.setattr(sessions, name, as_read)

    @contextmanager
    def sleeping(row: SessionRow) -> Iterator[None]:
        token = READ_BEFORE.set(row)
        try:
            yield
        finally:
            READ_BEFORE.reset(token)

    return sleeping


async def read(house: House, session: str) -> SessionRow:
    async with house.db.read() as conn:
        row = await sessions.get(conn, session)
    assert row is not None
    return row


async def until(look: Callable[[], Awaitable[object]]) -> None:
    """Wait for a condition, with a bound."""
    async with asyncio.timeout(BOUND):
        while not await look():
            await asyncio.sleep(0.01)


async def ring_of(house: House, session: str, who: str) -> OfferRow:
    found: list[OfferRow] = []

    async def look() -> bool:
        async with house.db.read() as conn:
            found[:] = [
                o
                for o in await offers.open_offers(conn)
                if (o.session_id, o.clinician_id) == (session, f"per_{who}")
            ]
        return bool(found)

    await until(look)
    return found[0]


async def answer(house: House, offer: OfferRow) -> bool:
    """Accept as the offer's clinician, from a page that this process serves; whether it was won."""
    command = wire.OfferAccept(id=1, offer=offer.id, token=offer.token)
    actor = ACTORS[offer.clinician_id.removeprefix("per_")]
    return await _allowed(console_commands.accept(house.desk, actor, cast("Any", None), command))


async def _allowed(deed: Awaitable[object]) -> bool:
    try:
        await deed
    except (RecordError, SessionError):
        return False
    return True


async def rest(house: House, patch: pytest.MonkeyPatch) -> None:
    """The line stops planning: what happens from now on is what the test does."""

    async def nothing() -> None:
        return None

    patch.setattr(house.desk.line, "_settle", nothing)
    seen = house.desk.line.settled
    house.desk.line.wake()

    async def rested() -> bool:
        house.desk.line.wake()
        return house.desk.line.settled >= seen + 2

    await until(rested)


# --- A: accepted, the live layer rolled back, the first one gone, answered again ------------------

A = ("offer_state", "session_fence", "numbering", "accepted_index")


@pytest.mark.parametrize("away", [(), *[(one,) for one in A], A], ids="+".join)
async def test_a_session_is_answered_once_though_the_live_layer_forgot_the_answer(
    house: House,
    guards: Guards,
    slept: Callable[[SessionRow], Any],
    monkeypatch: pytest.MonkeyPatch,
    away: tuple[str, ...],
) -> None:
    tablet, dana, _miguel = [await house.page(who) for who in ("tablet", "dana", "miguel")]
    session = await house.pressed(tablet)
    first, second = [await ring_of(house, session, who) for who in ("dana", "miguel")]
    before = await read(house, session)
    await rest(house, monkeypatch)
    await guards.take_away(away)
    assert await answer(house, first)
    await dana.drop()
    for who in await house.desk.live.snapshot(house.clock()):
        await house.desk.live.set_activity(who, policy.Activity.OFFLINE, None, house.clock())
    with slept(before):
        again = await answer(house, second)
    led = await read(house, session)
    if set(away) == set(A):
        assert again, "nothing stands in the way any more, and yet it was refused"
        assert led.lead_id == "per_miguel"
    else:
        assert not again
        assert (led.lead_id, led.epoch) == ("per_dana", before.epoch + 1)


# --- B: an offer that is over is answered late ----------------------------------------------------


@pytest.mark.parametrize("away", [(), ("offer_state",)], ids="+".join)
async def test_an_expired_offer_does_not_win_over_the_one_that_rings(
    house: House, guards: Guards, monkeypatch: pytest.MonkeyPatch, away: tuple[str, ...]
) -> None:
    tablet, _dana, _miguel = [await house.page(who) for who in ("tablet", "dana", "miguel")]
    session = await house.pressed(tablet)
    late, rings = [await ring_of(house, session, who) for who in ("dana", "miguel")]
    await rest(house, monkeypatch)
    await house.desk.line.end_ring(late.id, "expired", "expired")
    await guards.take_away(away)
    assert await answer(house, late) is bool(away)
    assert await answer(house, rings) is not bool(away)
    assert (await read(house, session)).lead_id == ("per_dana" if away else "per_miguel")


B = ("offer_state", "session_fence", "numbering", "accepted_index")


@pytest.mark.parametrize("away", [(), *[(one,) for one in B], B], ids="+".join)
async def test_an_offer_of_an_earlier_assignment_answers_nothing(
    house: House,
    guards: Guards,
    slept: Callable[[SessionRow], Any],
    monkeypatch: pytest.MonkeyPatch,
    away: tuple[str, ...],
) -> None:
    tablet, _dana, _miguel = [await house.page(who) for who in ("tablet", "dana", "miguel")]
    session = await house.pressed(tablet)
    late, taken = [await ring_of(house, session, who) for who in ("dana", "miguel")]
    before = await read(house, session)
    await rest(house, monkeypatch)
    assert await answer(house, taken)
    await house.desk._put_back(await read(house, session), SetupFailed("setup_failed"))
    waits = await read(house, session)
    assert (waits.state, waits.lead_id) == ("waiting", None)
    assert waits.epoch > before.epoch
    await guards.take_away(away)
    with slept(before):
        obeyed = await answer(house, late)
    assert obeyed is (set(away) == set(B))
    assert (await read(house, session)).lead_id == ("per_dana" if obeyed else None)


@pytest.mark.parametrize("away", [(), ("page_epoch",)], ids="+".join)
async def test_what_a_page_says_of_an_earlier_assignment_ends_nothing(
    house: House, guards: Guards, monkeypatch: pytest.MonkeyPatch, away: tuple[str, ...]
) -> None:
    monkeypatch.setattr("signaling.linekeeper.EXCLUDED_SECONDS", 0.0)  # she is asked again at once
    tablet, _dana = [await house.page(who) for who in ("tablet", "dana")]
    session = await house.pressed(tablet)
    assert await answer(house, await ring_of(house, session, "dana"))
    first = await read(house, session)
    await house.desk._put_back(first, SetupFailed("setup_failed"))
    house.desk.line.wake()
    assert await answer(house, await ring_of(house, session, "dana"))
    await rest(house, monkeypatch)
    now = await read(house, session)
    assert (now.lead_id, now.epoch) == ("per_dana", first.epoch + 2)
    await guards.take_away(away)
    late = wire.SessionEnd(id=1, session=session, epoch=first.epoch)
    ended = await _allowed(shared_commands.end(house.desk, ACTORS["dana"], cast("Any", None), late))
    assert ended is bool(away)
    assert ((await read(house, session)).state == "answering") is not bool(away)


# --- C: a clinician in a call looks idle ----------------------------------------------------------

C = ("busy_check", "leader_index")


@pytest.mark.parametrize("away", [(), *[(one,) for one in C], C], ids="+".join)
async def test_a_clinician_who_looks_idle_after_a_rollback_does_not_get_a_second_call(
    house: House, guards: Guards, monkeypatch: pytest.MonkeyPatch, away: tuple[str, ...]
) -> None:
    tablet, other, _dana = [await house.page(who) for who in ("tablet", "elsewhere", "dana")]
    session = await house.pressed(tablet)
    assert await answer(house, await ring_of(house, session, "dana"))
    await rest(house, monkeypatch)
    second = await house.pressed(other)
    now = house.clock()
    row = await read(house, second)
    stale = policy.MakeOffer(
        session_id=second,
        clinician_id="per_dana",
        epoch=row.epoch,
        deliver_by=now + 1e6,
        expires_at=now + 1e6,
        relaxed=(),
    )
    await guards.take_away(away)
    rang = await house.desk.line._act(stale)
    assert rang is ("busy_check" in away)
    got = rang and await answer(house, await ring_of(house, second, "dana"))
    assert got is (set(away) == set(C))
    led = [r for r in (await read(house, session), row) if r.lead_id == "per_dana"]
    assert len(led) == 1
    assert (await read(house, second)).lead_id == ("per_dana" if got else None)
