"""Steps of a plan that are alike, carried out in one transaction.

When hundreds wait, hundreds of rings run out in the same second and hundreds of alarms are due. One
transaction for each keeps a press waiting that comes in that second. What each step stands on is
checked here as it is for a single one (`signaling.linekeeper`); a step that was overtaken is left
out, and one that the record refuses sends all of its batch back to be carried out one by one.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from oncall import policy
from records import offers, sessions
from records.ids import new_id
from records.offers import OfferRow
from records.sessions import Event, SessionRow
from signaling import metrics
from signaling.errors import SessionError
from signaling.session import Escalated, handle

if TYPE_CHECKING:
    from signaling.desk import Desk

AT_ONCE = 20  # steps in one transaction: a press waits for no more than these

EXPLAINS = ("queue.nobody", "offer.sent")

Ends = policy.ExpireOffer | policy.WithdrawOffer


def alike(actions: Sequence[policy.Action]) -> Iterator[list[policy.Action]]:
    """Neighbours that may share a transaction, in the plan's order; all others by themselves."""
    for kind, group in groupby(actions, key=_kind):
        run = list(group)
        size = AT_ONCE if kind is not None else 1
        yield from (run[at : at + size] for at in range(0, len(run), size))


def _kind(action: policy.Action) -> tuple[object, ...] | None:
    match action:
        case policy.ExpireOffer(undelivered=undelivered):
            return policy.ExpireOffer, undelivered
        case policy.WithdrawOffer(reason=reason):
            return policy.WithdrawOffer, reason
        case policy.MakeOffer(relaxed=()):
            return (policy.MakeOffer,)
        case policy.Escalate():
            return (policy.Escalate,)
        case policy.Explain(reason=reason):
            return policy.Explain, reason
    return None


def how_it_ends(action: Ends) -> tuple[str, str]:
    """An offer's state after this, and the reason."""
    if isinstance(action, policy.WithdrawOffer):
        return "withdrawn", action.reason
    state = "undelivered" if action.undelivered else "expired"
    return state, state


def may_end_from(state: str) -> Sequence[str]:
    """A page that says at the last moment that it rings is not a page that did not answer."""
    return ("pending",) if state == "undelivered" else offers.RINGING


@dataclass(frozen=True, slots=True)
class Done:
    """What a batch has changed: the rings that are over or made, the sessions as they are now.

    `before`: ids of rings, or session and clinician, of what was as planned already. Others make
    the same plan at the same time; that one of them was quicker is no reason to plan anew.
    """

    rings: tuple[OfferRow, ...] = ()
    rows: tuple[SessionRow, ...] = ()
    before: frozenset[object] = frozenset()


async def end_rings(desk: Desk, ends: Sequence[Ends], rings: Sequence[OfferRow]) -> Done:
    """End rings alike. `rings`: those of `ends`, as they were read."""
    state, reason = how_it_ends(ends[0])

    async def write(conn: AsyncConnection) -> Done:
        now = desk.now()
        held = await sessions.hold(conn, {one.session_id for one in rings})
        over = await offers.end_held(
            conn,
            [one.id for one in rings],
            to_state=state,
            reason=reason,
            now=now,
            from_states=may_end_from(state),
        )
        ended = tuple(one for one in rings if one.id in over)
        missing = [one.id for one in rings if one.id not in over]
        others = await offers.states(conn, missing) if missing else {}
        before = frozenset(one for one, found in others.items() if found == state)
        told = _by_session(
            (one.session_id, f"offer.{state}", {"clinician": one.clinician_id, "reason": reason})
            for one in ended
        )
        return Done(ended, tuple(await sessions.apply_alike(conn, held, told, now)), before)

    return await desk.db.write(write)


async def make_rings(desk: Desk, wanted: Sequence[policy.MakeOffer]) -> Done:
    """Ring whom the plan names, where the session waits as it did and they are free to be rung."""

    async def write(conn: AsyncConnection) -> Done:
        now = desk.now()
        held = await sessions.hold(conn, {one.session_id for one in wanted})
        on_call = await desk.rosters.on_call(conn, now)
        rung = await offers.rung(conn, {one.clinician_id for one in wanted})
        made = tuple(
            ring(one, now)
            for one in wanted
            if _waits_as_planned(held.get(one.session_id), one)
            and one.clinician_id in on_call
            and one.clinician_id not in rung
        )
        before = frozenset(
            (one.session_id, one.clinician_id)
            for one in wanted
            if rung.get(one.clinician_id) == (one.session_id, one.epoch)
        )
        if not made:
            return Done(before=before)
        await offers.add_held(conn, made)
        told = _by_session(
            (one.session_id, "offer.sent", {"clinician": one.clinician_id}) for one in made
        )
        return Done(made, tuple(await sessions.apply_alike(conn, held, told, now)), before)

    return await desk.db.write(write)


async def raise_alarms(desk: Desk, due: Sequence[policy.Escalate]) -> Done:
    """Steps up. One session may take several, in their order; who waits since another moment is at
    another step, and of a long line some are due all the time: all of them share a transaction."""
    taken: Counter[str] = Counter()

    async def write(conn: AsyncConnection) -> Done:
        now = desk.now()
        taken.clear()
        held = await sessions.hold(conn, {one.session_id for one in due})
        machines = {row.id: desk.machine(row) for row in held.values()}
        told: dict[str, list[Event]] = {}
        for one in due:
            before = machines.get(one.session_id)
            if before is None or before.level != one.level:
                continue
            try:
                step = handle(before, Escalated(one.step), now)
            except SessionError:
                continue  # it does not wait any more
            machines[one.session_id] = step.after
            events = [Event(event.kind, "system", None, event.data) for event in step.events]
            told.setdefault(one.session_id, []).extend(events)
            taken[one.step] += 1
        return Done(rows=tuple(await sessions.apply_alike(conn, held, told, now, steps_up=True)))

    done = await desk.db.write(write)
    for step, many in taken.items():
        metrics.ESCALATIONS.labels(step=step).inc(many)
    return done


async def explain(desk: Desk, silent: Collection[str], reason: str) -> Done:
    """Why nobody rings for these sessions goes on their timelines, unless it is what they say last:
    another process may have told it just now."""

    async def write(conn: AsyncConnection) -> Done:
        held = await sessions.hold(conn, silent)
        last = {} if desk.cluster.alone else await sessions.last_told(conn, silent, EXPLAINS)
        told = {
            one: [Event("queue.nobody", "system", None, {"reason": reason})]
            for one, row in held.items()
            if row.state == "waiting" and last.get(one, {}).get("reason") != reason
        }
        return Done(rows=tuple(await sessions.apply_alike(conn, held, told, desk.now())))

    return await desk.db.write(write)


def _by_session(told: Iterable[tuple[str, str, dict[str, object]]]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = {}
    for session_id, kind, data in told:
        found.setdefault(session_id, []).append(Event(kind, "system", None, data))
    return found


def _waits_as_planned(row: SessionRow | None, one: policy.MakeOffer) -> bool:
    return row is not None and row.state == "waiting" and row.epoch == one.epoch


def ring(one: policy.MakeOffer, now: float) -> OfferRow:
    """A ring that nobody has heard yet, for whoever the plan names."""
    return OfferRow(
        id=new_id("off"),
        session_id=one.session_id,
        clinician_id=one.clinician_id,
        epoch=one.epoch,
        token=secrets.token_urlsafe(18),
        state="pending",
        sent_at=now,
        deliver_by=one.deliver_by,
        delivered_at=None,
        expires_at=one.expires_at,
        ended_at=None,
        reason=None,
    )
