"""Rules of keeping, legal holds, and the deletion of a session whose time is over.

A deletion is one transaction: the session's data key, everything that hangs on the session, and the
session itself, or what is left of it as a row of numbers. What was sealed is unreadable from the
moment of its commit. Which tables hang on a session is read from the schema, so that a new one is
never forgotten.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records import identities, retention_rules, sessions
from records.crypto import Vault
from records.errors import BadInput, Conflict, NotFound, RecordError
from records.ids import new_id
from records.log import Scope, within
from records.refusals import already_there
from records.retention_rules import BadRule, Group, Rule, group_of
from records.schema import followup, metadata, session, session_key
from records.schema_reports import report_change
from records.schema_retention import legal_hold, retention_rule
from records.sessions import SessionRow, row_of

MOST_HOLDS: Final = 50
LONGEST_REASON: Final = 1000
BATCH: Final = 200
KEPT: Final = frozenset({"session_fact"})  # numbers only; stays with a row of numbers
_TIMES: Final = (
    *("pressed_at", "alerted_at", "accepted_at", "media_at", "handed_over_at", "handed_back_at"),
    *("recommended_at", "acknowledged_at", "ended_at", "closed_at", "disposition_at"),
    *("requeued_at", "phase_since"),
)


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule with its owner: a program or a provider."""

    owner_id: str
    rev: int
    rule: Rule
    changed_by: str
    changed_at: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a session must not be deleted, since when and by whom."""

    id: str
    reason: str
    set_by: str
    set_at: float
    lifted_by: str | None
    lifted_at: float | None

    def __repr__(self) -> str:
        return f"Hold({self.id})"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A session whose time is over, and what stops its deletion."""

    row: SessionRow
    group: Group
    held: bool
    owed: bool  # a follow-up is still open
    keep_numbers: bool

    @property
    def goes(self) -> bool:
        return not self.held and not self.owed


# --- rules ----------------------------------------------------------------------------------------


async def rules(conn: AsyncConnection) -> dict[str, RuleRow]:
    """All rules, by their owner's id."""
    rows = await conn.execute(select(retention_rule))
    return {
        row.id: RuleRow(
            row.id, row.rev,
            Rule(row.adult_years, row.juvenile_years, row.test_days, row.keep_numbers),
            row.changed_by, row.changed_at,
        )
        for row in rows
    }  # fmt: skip


async def save_rule(
    conn: AsyncConnection,
    owner_id: str,
    rev: int,
    rule: Rule,
    by: str,
    now: float,
    *,
    program: bool,
) -> None:
    """The rule after `rev` (0: there is none). Raises Conflict, BadInput."""
    try:
        retention_rules.checked(rule)
    except BadRule as bad:
        raise BadInput(_SENTENCES[bad.field]) from bad
    values: dict[str, Any] = {
        "rev": rev + 1, "adult_years": rule.adult_years, "juvenile_years": rule.juvenile_years,
        "test_days": rule.test_days, "keep_numbers": rule.keep_numbers,
        "changed_by": by, "changed_at": now,
    }  # fmt: skip
    mine = retention_rule.c.id == owner_id
    if rev == 0:
        owner = {"program_id" if program else "provider_id": owner_id}
        try:
            await conn.execute(insert(retention_rule).values(id=owner_id, **owner, **values))
        except IntegrityError as error:
            raise (Conflict({}) if already_there(error) else BadInput()) from error
        return
    done = await conn.execute(
        update(retention_rule).where(mine, retention_rule.c.rev == rev).values(values)
    )
    if done.rowcount != 1:
        raise Conflict({})


# --- holds ----------------------------------------------------------------------------------------


async def hold(
    conn: AsyncConnection, vault: Vault, session_id: str, reason: str, by: str, now: float
) -> str:
    """Stop a session's deletion. Raises BadInput without a reason, NotFound for one that is gone.

    It waits for a deletion that has begun, and one that begins waits for it: never both.
    """
    await sessions.lock(conn, session_id)
    row = await sessions.get(conn, session_id)
    if row is None or row.erased_at is not None:
        raise NotFound
    words = " ".join(reason.split())
    if not words or len(words) > LONGEST_REASON:
        raise BadInput("A hold needs a reason, of at most 1,000 letters. Nothing was changed.")
    if len(await holds(conn, vault, session_id)) >= MOST_HOLDS:
        raise BadInput("This session has too many holds. Nothing was changed.")
    hold_id = new_id("hld")
    sealed = await vault.seal(conn, session_id, "legal_hold", "reason_enc", hold_id, words.encode())
    await conn.execute(
        insert(legal_hold).values(
            id=hold_id, session_id=session_id, reason_enc=sealed, set_by=by, set_at=now
        )
    )
    return hold_id


async def lift(conn: AsyncConnection, session_id: str, hold_id: str, by: str, now: float) -> bool:
    """End one hold; False when it was lifted before. Raises NotFound."""
    mine = and_(legal_hold.c.id == hold_id, legal_hold.c.session_id == session_id)
    done = await conn.execute(
        update(legal_hold)
        .where(mine, legal_hold.c.lifted_at.is_(None))
        .values(lifted_by=by, lifted_at=now)
    )
    if done.rowcount == 1:
        return True
    if (await conn.execute(select(legal_hold.c.id).where(mine))).first() is None:
        raise NotFound
    return False


async def holds(conn: AsyncConnection, vault: Vault, session_id: str) -> list[Hold]:
    """A session's holds, the oldest first."""
    rows = await conn.execute(
        select(legal_hold)
        .where(legal_hold.c.session_id == session_id)
        .order_by(legal_hold.c.set_at, legal_hold.c.id)
    )
    found = []
    for row in rows.all():
        reason = await vault.open(
            conn, session_id, "legal_hold", "reason_enc", row.id, row.reason_enc
        )
        found.append(
            Hold(row.id, reason.decode(), row.set_by, row.set_at, row.lifted_by, row.lifted_at)
        )
    return found


# --- whose time is over ---------------------------------------------------------------------------


async def candidates(
    conn: AsyncConnection,
    vault: Vault,
    now: float,
    *,
    scope: Scope,
    proposed: Mapping[str, Rule] | None = None,
) -> AsyncIterator[Candidate]:
    """Every session whose time is over, the oldest end first; `proposed` rules count as if saved.

    Read in pieces, so that memory stays flat however many there are.
    """
    saved = {owner: one.rule for owner, one in (await rules(conn)).items()}
    known = {**saved, **(proposed or {})}
    if not known:
        return
    least = min(rule.test_days for rule in known.values()) * retention_rules.DAY
    years = min(rule.adult_years for rule in known.values()) * retention_rules.YEAR
    owners = list(known)
    old = and_(
        within(scope),
        session.c.state == "closed",
        session.c.erased_at.is_(None),
        or_(session.c.program_id.in_(owners), session.c.provider_id.in_(owners)),
        or_(
            and_(session.c.test.is_(True), session.c.closed_at <= now - least),
            and_(session.c.test.is_(False), session.c.closed_at <= now - years),
        ),
    )
    at: tuple[float, str] = (-1.0, "")
    while True:
        later = or_(
            session.c.closed_at > at[0],
            and_(session.c.closed_at == at[0], session.c.id > at[1]),
        )
        found = await conn.execute(
            select(session)
            .where(old, later)
            .order_by(session.c.closed_at, session.c.id)
            .limit(BATCH)
        )
        rows = [row_of(row) for row in found.all()]
        for row in rows:
            one = await _judged(conn, vault, row, known, now)
            if one is not None:
                yield one
        if len(rows) < BATCH:
            return
        at = (rows[-1].closed_at or 0.0, rows[-1].id)


async def _judged(
    conn: AsyncConnection, vault: Vault, row: SessionRow, known: Mapping[str, Rule], now: float
) -> Candidate | None:
    """What is to be done with a session; None while its time is not over."""
    mine = [known[owner] for owner in (row.program_id, row.provider_id) if owner in known]
    if row.state != "closed" or row.closed_at is None or row.erased_at is not None:
        return None
    # opened only where the shortest time is over already
    if not any(retention_rules.due(mine, group, row.closed_at, now) for group in ("adult", "test")):
        return None
    group = group_of(
        test=row.test,
        intake=row.intake,
        born=await _born(conn, vault, row),
        pressed_at=row.pressed_at,
    )
    if not retention_rules.due(mine, group, row.closed_at, now):
        return None
    return Candidate(
        row,
        group,
        held=await _any(conn, legal_hold, legal_hold.c.lifted_at.is_(None), row.id),
        owed=await _any(conn, followup, followup.c.status == "open", row.id),
        keep_numbers=retention_rules.numbers_stay(mine) and not row.test,
    )


async def _born(conn: AsyncConnection, vault: Vault, row: SessionRow) -> str:
    """The day of birth, as far as it can be read; what cannot be read is not known."""
    if row.test:
        return ""
    try:
        about = await identities.get(conn, vault, row.id)
    except RecordError:
        return ""
    return about.identity.born if about is not None else ""


async def _any(
    conn: AsyncConnection, table: Table, condition: ColumnElement[bool], session_id: str
) -> bool:
    one = select(table.c.session_id).where(table.c.session_id == session_id, condition).limit(1)
    return (await conn.execute(one)).first() is not None


# --- the deletion ---------------------------------------------------------------------------------


async def erase(
    conn: AsyncConnection, vault: Vault, session_id: str, now: float
) -> Candidate | None:
    """Delete one session if that is still right now; None, and nothing is done, if it is not.

    The session is locked and judged anew: a hold that was set a moment ago stops it, a second
    process finds it gone.
    """
    await sessions.lock(conn, session_id)
    row = await sessions.get(conn, session_id)
    if row is None:
        return None
    known = {owner: one.rule for owner, one in (await rules(conn)).items()}
    one = await _judged(conn, vault, row, known, now)
    if one is None or not one.goes:
        return None
    await _delete(conn, vault, row, one.keep_numbers, now)
    return one


async def erase_again(
    conn: AsyncConnection, vault: Vault, session_id: str, *, keep_numbers: bool, now: float
) -> bool:
    """Delete a session that a restore brought back, whatever the rules say now; False: not here."""
    await sessions.lock(conn, session_id)
    row = await sessions.get(conn, session_id)
    if row is None or row.erased_at is not None:
        return False
    await _delete(conn, vault, row, keep_numbers, now)
    return True


async def _delete(
    conn: AsyncConnection, vault: Vault, row: SessionRow, keep_numbers: bool, now: float
) -> None:
    session_id = row.id
    await conn.execute(delete(session_key).where(session_key.c.session_id == session_id))
    kept = KEPT if keep_numbers else frozenset[str]()
    for table, condition in hanging(session_id):
        if table.name not in kept and table is not session_key:
            await conn.execute(delete(table).where(condition))
    await identities.forget(conn, session_id)
    if keep_numbers:
        await conn.execute(insert(report_change).values(day=int(row.pressed_at // 86_400)))
        await conn.execute(
            update(session).where(session.c.id == session_id).values(numbers(row, now))
        )
    else:
        await conn.execute(delete(session).where(session.c.id == session_id))
    vault.forget(session_id)


def numbers(row: SessionRow, now: float) -> dict[str, object]:
    """What a row of numbers is changed to: nobody, no place but the agency's, and the year alone.

    Its times keep their distances, so that every count of seconds stays what it was.
    """
    shift = retention_rules.year_of(row.pressed_at) - row.pressed_at
    moved = {name: None if (at := getattr(row, name)) is None else at + shift for name in _TIMES}
    return {
        **moved,
        "code": "",
        "press_key": f"erased-{row.id}",
        "shift_id": None,
        "officer_id": None,
        "lead_id": None,
        "place_county": None,
        "place_state": None,
        "language": None,
        "intake": json.dumps([]),
        "body_camera": None,
        "node_id": None,
        "deadline_at": None,
        "held_at": None,
        "erased_at": now,
    }


def hanging(session_id: str) -> Sequence[tuple[Table, ColumnElement[bool]]]:
    """Every table with rows of a session, those that hang on others first."""
    found: list[tuple[Table, ColumnElement[bool]]] = []
    for table in reversed(metadata.sorted_tables):
        condition = _of_session(table, session_id)
        if condition is not None:
            found.append((table, condition))
    return found


def _of_session(table: Table, session_id: str) -> ColumnElement[bool] | None:
    """Which rows of a table belong to a session: by its own column, or by the row they hang on."""
    if table is session:
        return None
    for key in table.foreign_keys:
        if key.column.table is session:
            return key.parent == session_id
    if "session_id" in table.columns:  # by its id alone, so that the row may outlive it otherwise
        own: ColumnElement[bool] = table.c.session_id == session_id
        return own
    for key in table.foreign_keys:
        parent = key.column.table
        if key.parent.primary_key and parent is not table:
            above = _of_session(parent, session_id)
            if above is not None:
                return key.parent.in_(select(key.column).where(above))
    return None


_SENTENCES = {
    "adult_years": "Records of adults are kept for 6 to 100 years. Nothing was changed.",
    "juvenile_years": "Records of children are kept at least as long as those of adults, and at"
    " most 100 years. Nothing was changed.",
    "test_days": "Tests and drills are kept for 1 to 3650 days. Nothing was changed.",
}
