"""Many steps at once: what each of them stands on is checked as if it came alone."""

from __future__ import annotations

from typing import Any, Never

import pytest

from oncall import policy
from records import offers, sessions
from records.errors import BadInput, Busy, StaleSession
from records.sessions import Event, SessionRow
from signaling import line_batches
from signaling.line_reading import _open_offer
from tests.signaling.conftest import House
from tests.signaling.test_desk import kinds_of, row_of
from tests.signaling.test_first_rings import house as house  # the fixture: on both databases
from tests.signaling.test_first_rings import rings


async def waiting(house: House) -> list[SessionRow]:
    """Two sessions that nobody can be rung for yet."""
    rows = []
    for number, who in enumerate(("tablet", "elsewhere")):
        tablet = await house.page(who)
        rows.append(await row_of(house, await house.pressed(tablet, f"key-{number:016d}")))
    await house.desk.line.quiet(10)
    return [await row_of(house, row.id) for row in rows]


def ring(row: SessionRow, who: str, house: House, epoch: int | None = None) -> policy.MakeOffer:
    now = house.clock.now
    return policy.MakeOffer(row.id, who, row.epoch if epoch is None else epoch, now + 2, now + 20)


async def do(house: House, *actions: policy.Action) -> list[bool]:
    """As the linekeeper carries out a plan."""
    line = house.desk.line
    return [one for group in line_batches.alike(actions) for one in await line._act_all(group)]


def one_by_one_is_no_way(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_args: object) -> Never:
        raise AssertionError("this was to be one transaction")

    monkeypatch.setattr(house.desk.line, "_act", broken)


def test_only_neighbours_that_are_alike_share_a_transaction_and_not_too_many() -> None:
    ends = [policy.ExpireOffer(f"off_{n}", undelivered=n == 3) for n in range(5)]
    makes = [policy.MakeOffer(f"ses_{n}", f"per_{n}", 0, 1.0, 2.0) for n in range(45)]
    alarms = [policy.Escalate("ses_1", "page", 0.0, level) for level in (0, 1)]
    whys = [policy.Explain(f"ses_{n}", "all_busy" if n else "nobody_present") for n in range(3)]
    plan: list[policy.Action] = [*ends, *makes, *alarms, *whys, policy.PauseMissing("per_1", 3)]
    groups = list(line_batches.alike(plan))
    assert [one for group in groups for one in group] == plan
    assert [len(group) for group in groups] == [3, 1, 1, 20, 20, 5, 2, 1, 2, 1]


async def test_a_batch_leaves_out_what_was_overtaken_and_carries_out_the_rest(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await waiting(house)
    one_by_one_is_no_way(house, monkeypatch)
    done = await do(
        house,
        ring(first, "per_dana", house, epoch=first.epoch + 1),  # of another assignment
        ring(first, "per_miguel", house),
        ring(second, "per_dana", house),
    )
    assert done == [False, True, True]
    rung = {(one.session_id, one.clinician_id) for one in await rings(house)}
    assert rung == {(first.id, "per_miguel"), (second.id, "per_dana")}
    assert await do(house, ring(second, "per_miguel", house), ring(first, "per_dana", house)) == [
        False,
        False,
    ], "both of them ring already"
    for row in (first, second):
        after = await row_of(house, row.id)
        kinds = await kinds_of(house, row.id)
        assert kinds.count("offer.sent") == 1
        assert after.version == row.version + 1 == len(kinds)


async def test_two_rings_of_one_session_are_two_entries_in_their_order(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = await waiting(house)
    one_by_one_is_no_way(house, monkeypatch)
    assert await do(house, ring(first, "per_dana", house), ring(first, "per_miguel", house)) == [
        True,
        True,
    ]
    async with house.db.read() as conn:
        entries = await sessions.timeline_of(conn, first.id)
    assert [e.no for e in entries] == list(range(1, len(entries) + 1))
    assert [e.data["clinician"] for e in entries[-2:]] == ["per_dana", "per_miguel"]
    assert (await row_of(house, first.id)).version == len(entries)


async def test_rings_that_run_out_together_stop_together_but_not_one_that_was_heard(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await waiting(house)
    await do(house, ring(first, "per_dana", house), ring(second, "per_miguel", house))
    heard, silent = await rings(house)
    async with house.db.read() as conn:
        before = {one: await sessions.get(conn, one) for one in (first.id, second.id)}
    await house.db.write(lambda conn: offers.deliver(conn, heard.id, house.clock.now))
    house.desk.line.rings_read |= {one.id: (one, None) for one in (heard, silent)}  # type: ignore[misc]
    one_by_one_is_no_way(house, monkeypatch)
    ends = [policy.ExpireOffer(one.id, undelivered=True) for one in (heard, silent)]
    assert await do(house, *ends) == [False, True]
    assert [one.id for one in await rings(house)] == [heard.id]
    was = before[silent.session_id]
    assert was is not None
    after = await row_of(house, silent.session_id)
    assert after.version == was.version + 1
    assert (await kinds_of(house, silent.session_id))[-1] == "offer.undelivered"
    assert (await kinds_of(house, heard.session_id))[-1] != "offer.undelivered"


async def test_what_another_process_has_done_of_the_same_plan_is_done(house: House) -> None:
    first, second = await waiting(house)
    plan = [ring(first, "per_dana", house), ring(second, "per_miguel", house)]
    assert await do(house, *plan) == [True, True]
    told = await kinds_of(house, first.id)
    assert await do(house, *plan) == [True, True]
    assert await do(house, ring(second, "per_dana", house), ring(first, "per_miguel", house)) == [
        False,
        False,
    ], "they ring for somebody else"
    rung = await rings(house)
    house.desk.line.rings_read = {one.id: (one, _open_offer(one)) for one in rung}
    over = [policy.ExpireOffer(one.id, undelivered=True) for one in rung]
    assert await do(house, *over) == [True, True]
    assert await do(house, *over) == [True, True]
    assert await do(house, *(policy.WithdrawOffer(one.id, "off_roster") for one in rung)) == [
        False,
        False,
    ], "they ended in another way"
    assert await kinds_of(house, first.id) == [*told, "offer.undelivered"]


async def test_alarms_that_are_due_together_are_raised_once_each(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await waiting(house)
    await house.desk.line._act(policy.Escalate(first.id, "page", house.clock.now, first.level))
    one_by_one_is_no_way(house, monkeypatch)
    due = [policy.Escalate(row.id, "page", house.clock.now, row.level) for row in (first, second)]
    assert await do(house, *due) == [False, True]
    for row in (first, second):
        assert (await row_of(house, row.id)).level == row.level + 1
        assert (await kinds_of(house, row.id)).count("escalation.step") == 1


async def test_alarms_of_different_steps_share_a_transaction_and_a_session_takes_its_own_in_order(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await waiting(house)
    one_by_one_is_no_way(house, monkeypatch)
    now, level = house.clock.now, first.level
    due = [
        policy.Escalate(first.id, "page", now, level),
        policy.Escalate(second.id, "page", now, second.level),
        policy.Escalate(first.id, "second_tier", now, level + 1),
        policy.Escalate(first.id, "supervisor", now, level + 3),  # not its next one
    ]
    assert len(list(line_batches.alike(due))) == 1
    await do(house, *due)
    assert [(await row_of(house, one.id)).level for one in (first, second)] == [
        level + 2,
        second.level + 1,
    ]
    async with house.db.read() as conn:
        entries = await sessions.timeline_of(conn, first.id)
    assert [e.data["step"] for e in entries if e.kind == "escalation.step"] == [
        "page",
        "second_tier",
    ]
    assert [e.no for e in entries] == list(range(1, len(entries) + 1))


async def test_a_batch_that_the_record_refuses_is_carried_out_one_by_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await waiting(house)

    async def refused(*_args: Any) -> Never:
        raise Busy

    monkeypatch.setattr(offers, "add_held", refused)
    assert await do(house, ring(first, "per_dana", house), ring(second, "per_miguel", house)) == [
        True,
        True,
    ]
    assert len(await rings(house)) == 2


async def test_an_answer_is_never_given_for_many_rings_at_once(house: House) -> None:
    with pytest.raises(BadInput):
        await house.db.write(
            lambda conn: offers.end_held(
                conn, ["off_1"], to_state="accepted", reason=None, now=house.clock.now
            )
        )


async def test_a_batch_whose_session_moved_on_changes_none_of_them(house: House) -> None:
    first, second = await waiting(house)
    held = {row.id: row for row in (first, second)}
    await house.desk.note(second.id, "queue.nobody", {"reason": "all_busy"})
    told = {row.id: [Event("escalation.step", "system", None)] for row in (first, second)}
    with pytest.raises(StaleSession):
        await house.db.write(
            lambda conn: sessions.apply_alike(conn, held, told, house.clock.now, steps_up=True)
        )
    assert (await row_of(house, first.id)).version == first.version
    assert (await row_of(house, first.id)).level == first.level


async def test_why_nobody_rings_is_told_once_for_each_session_that_waits(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await waiting(house)
    told = [(await kinds_of(house, row.id)).count("queue.nobody") for row in (first, second)]
    one_by_one_is_no_way(house, monkeypatch)
    for reason, more in (("all_busy", 1), ("all_busy", 1), ("all_resting", 2)):
        await do(house, *(policy.Explain(row.id, reason) for row in (first, second)))
        assert [
            (await kinds_of(house, row.id)).count("queue.nobody") for row in (first, second)
        ] == [many + more for many in told]
    async with house.db.read() as conn:
        last = await sessions.last_told(conn, [first.id, second.id], ["queue.nobody"])
        assert await sessions.last_told(conn, [first.id], ["offer.sent"]) == {}
    assert last == {key: {"reason": "all_resting"} for key in (first.id, second.id)}
