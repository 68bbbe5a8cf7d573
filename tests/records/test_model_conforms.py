"""The explored model of the durable record refuses and changes what the real one does.

What `tests/model` finds out about every interleaving is worth as much as its store is true. Here
both get the same steps, right and wrong ones, and must answer alike and hold the same rows.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from records import offers, schema, sessions
from records.engine import Database
from records.errors import RecordError
from records.sessions import Event
from tests.model import store as model
from tests.records.cast import CLINICIANS, NOW, press

SESSIONS = {"ses_1": "tab_1", "ses_2": "tab_2", "ses_3": "tab_1"}
STATES = ("waiting", "answering", "connected", "recovering", "wrap_up", "closed")
EXAMPLES = 100


@dataclass(frozen=True, slots=True)
class Press:
    session: str


@dataclass(frozen=True, slots=True)
class Apply:
    session: str
    back: int  # how many changes ago it was read
    changes: tuple[tuple[str, Any], ...]
    events: int


@dataclass(frozen=True, slots=True)
class Ring:
    session: str
    clinician: str
    epoch: int
    sent_at: float


@dataclass(frozen=True, slots=True)
class Deliver:
    offer: int


@dataclass(frozen=True, slots=True)
class End:
    offer: int
    state: str


@dataclass(frozen=True, slots=True)
class WithdrawAll:
    session: str


Step = Press | Apply | Ring | Deliver | End | WithdrawAll

_session = st.sampled_from(sorted(SESSIONS))
_lead = st.sampled_from((None, *CLINICIANS))
# What the queue itself writes comes often; any other mixture now and then.
_LIKELY = st.one_of(
    st.builds(
        lambda state, lead, epoch: {"state": state, "lead_id": lead, "epoch": epoch},
        st.sampled_from(STATES[1:4]),
        st.sampled_from(CLINICIANS),
        st.integers(0, 3),
    ),
    st.builds(
        lambda at: {"state": "waiting", "lead_id": None, "requeued_at": at}, st.just(NOW + 9)
    ),
    st.just({"state": "wrap_up"}),
    st.just({"level": 1}),
    st.just({"state": "closed", "close_reason": "completed"}),
)
_ANYTHING = st.fixed_dictionaries(
    {},
    optional={
        "state": st.sampled_from(STATES),
        "lead_id": _lead,
        "epoch": st.integers(0, 3),
        "close_reason": st.sampled_from((None, "completed")),
        "deadline_at": st.sampled_from((None, NOW + 5)),
        "level": st.integers(0, 2),
        "requeued_at": st.just(NOW + 9),
    },
)
STEPS = st.lists(
    st.one_of(
        st.just(Press("ses_3")),
        st.builds(
            Apply,
            _session,
            st.sampled_from((0, 0, 0, 1, 2)),
            st.one_of(_LIKELY, _ANYTHING).map(lambda made: tuple(sorted(made.items()))),
            st.sampled_from((1, 1, 1, 0, 2)),
        ),
        st.builds(
            Ring,
            _session,
            st.sampled_from(CLINICIANS),
            st.integers(0, 2),
            st.sampled_from((NOW + 1, NOW + 2)),
        ),
        st.builds(Deliver, st.integers(0, 4)),
        st.builds(End, st.integers(0, 4), st.sampled_from(model.OVER)),
        st.builds(WithdrawAll, _session),
    ),
    min_size=8,
    max_size=20,
)


class Undo(Exception):
    """Ends an example's transaction: what it did is taken back."""


class Pair:
    """The model's store and the real one, told the same."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn
        self._store = model.Store()
        self._read: dict[str, list[tuple[model.Row, sessions.SessionRow]]] = {}
        self._rung = 0
        self.refused = 0

    async def take(self, step: Step) -> None:
        """One step on both. Raises AssertionError where they differ."""
        expected: object
        try:
            expected = self._in_model(step)
        except RecordError as error:
            expected = type(error)
        try:
            async with self._conn.begin_nested():
                given = await self._in_record(step)
        except RecordError as error:
            given = type(error)
        if self._of_many_reasons(step):  # each database names another one first
            assert isinstance(given, type), step
            assert isinstance(expected, type), step
        else:
            assert given == expected, step
        self.refused += isinstance(given, type)
        if isinstance(step, Ring):
            self._rung += 1
        await self._compare()

    def _of_many_reasons(self, step: Step) -> bool:
        if not isinstance(step, Ring):
            return False
        same = (step.session, step.clinician, step.epoch, step.sent_at)
        return model.session(self._store, step.session) is None or any(
            same == one[1:5] and one.id != f"off_{self._rung}" for one in self._store.offers
        )

    def _in_model(self, step: Step) -> object:
        every = model.Guards()
        match step:
            case Press(session):
                seq = 1 + max((row.seq for row in self._store.sessions), default=0)
                new = model.Row(session, SESSIONS[session], seq, 5, NOW)
                self._store, row = model.create(self._store, new)
                return row.id
            case Apply(session, back, changes, events):
                before = self._as_read(session, back)
                if before is None:
                    return None
                self._store, row = model.apply(self._store, before[0], dict(changes), events, every)
                return row.version
            case Ring(session, clinician, epoch, sent_at):
                new_offer = model.Offer(
                    f"off_{self._rung}", session, clinician, epoch, sent_at, NOW + 3, NOW + 4
                )
                self._store = model.add(self._store, new_offer, every)
                return None
            case Deliver(number):
                self._store, done = model.deliver(self._store, f"off_{number}")
                return done
            case End(number, state):
                self._store, done = model.end(self._store, f"off_{number}", state, NOW + 5, every)
                return done
            case WithdrawAll(session):
                self._store, rung = model.withdraw_all(self._store, session, NOW + 6)
                return {one.id for one in rung}

    async def _in_record(self, step: Step) -> object:
        conn = self._conn
        match step:
            case Press(session):
                new = press(SESSIONS[session], session)
                row, _ = await sessions.create(conn, new, NOW, session_id=session)
                return row.id
            case Apply(session, back, changes, events):
                before = self._as_read(session, back)
                if before is None:
                    return None
                told = [Event("session.note", "system", None)] * events
                row = await sessions.apply(conn, before[1], dict(changes), told, NOW)
                return row.version
            case Ring(session, clinician, epoch, sent_at):
                await offers.add(
                    conn,
                    id=f"off_{self._rung}",
                    session_id=session,
                    clinician_id=clinician,
                    epoch=epoch,
                    token="t",
                    sent_at=sent_at,
                    deliver_by=NOW + 3,
                    expires_at=NOW + 4,
                )
                return None
            case Deliver(number):
                return await offers.deliver(conn, f"off_{number}", NOW)
            case End(number, state):
                return await offers.end(
                    conn, f"off_{number}", to_state=state, reason=None, now=NOW + 5
                )
            case WithdrawAll(session):
                rung = await offers.withdraw_all(conn, session, "tried", NOW + 6)
                return {one.id for one in rung}

    def _as_read(self, session: str, back: int) -> tuple[model.Row, sessions.SessionRow] | None:
        known = self._read.get(session, [])
        return known[-1 - min(back, len(known) - 1)] if known else None

    async def _compare(self) -> None:
        real = {row.id: row for row in await self._rows()}
        assert real.keys() == {row.id for row in self._store.sessions}
        for row in self._store.sessions:
            assert row == _shaped(model.Row, real[row.id])
            read = self._read.setdefault(row.id, [])
            if not read or read[-1][0] != row:
                read.append((row, real[row.id]))
        rung = [offers.offer_of(row) for row in await self._conn.execute(select(schema.offer))]
        assert {_shaped(model.Offer, one) for one in rung} == set(self._store.offers)

    async def _rows(self) -> list[sessions.SessionRow]:
        return [sessions.row_of(row) for row in await self._conn.execute(select(schema.session))]


def _shaped(shape: type[Any], row: object) -> Any:
    """The columns of a real row that the model knows."""
    return shape(**{name: getattr(row, name) for name in shape._fields})


def test_the_model_s_store_answers_each_step_as_the_record_does(url: str) -> None:
    with asyncio.Runner() as runner:
        database = Database(url)
        runner.run(database.start())
        refused = 0

        async def play(steps: list[Step]) -> None:
            async def change(conn: AsyncConnection) -> None:
                nonlocal refused
                pair = Pair(conn)
                for step in steps:
                    await pair.take(step)
                refused += pair.refused
                raise Undo

            try:
                await database.write(change)
            except Undo:
                return

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
        @given(STEPS)
        def alike(steps: list[Step]) -> None:
            runner.run(play(steps))

        try:
            alike()
        finally:
            runner.run(database.close())
    assert refused > EXAMPLES // 4  # wrong steps were tried, too
