"""Assessments: answers to one version of an instrument, saved as they are given, sealed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records import facts, instruments, library, sessions
from records.crypto import Vault
from records.errors import BadInput, Conflict, RecordError
from records.ids import new_id
from records.instruments.questionnaire import Instrument
from records.refusals import already_there
from records.schema import assessment as table
from records.signatures import still_open

SAFETY_PLAN = "safety-plan"


@dataclass(frozen=True, slots=True)
class AssessmentRow:
    id: str
    session_id: str
    instrument: str
    instrument_version: str
    author_id: str | None  # None: an officer of a tablet that nobody had checked out
    rev: int
    answers: Mapping[str, Any]
    result: Mapping[str, Any]
    created_at: float
    updated_at: float


async def of_session(conn: AsyncConnection, vault: Vault, session_id: str) -> list[AssessmentRow]:
    """A session's assessments, opened."""
    rows = await conn.execute(
        select(table).where(table.c.session_id == session_id).order_by(table.c.instrument)
    )
    return [await _opened(conn, vault, row) for row in rows.all()]


async def _opened(conn: AsyncConnection, vault: Vault, row: Row[Any]) -> AssessmentRow:
    async def plain(column: str, sealed: bytes) -> Mapping[str, Any]:
        text = await vault.open(conn, row.session_id, "assessment", column, row.id, sealed)
        return dict(json.loads(text))

    return AssessmentRow(
        id=row.id,
        session_id=row.session_id,
        instrument=row.instrument,
        instrument_version=row.instrument_version,
        author_id=row.author_id,
        rev=row.rev,
        answers=await plain("answers_enc", row.answers_enc),
        result=await plain("result_enc", row.result_enc),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


async def said_at_scene(
    conn: AsyncConnection, vault: Vault, session_id: str
) -> list[AssessmentRow]:
    """What the officer has said of the scene, opened."""
    rows = await conn.execute(
        select(table).where(
            table.c.session_id == session_id, table.c.instrument.in_(instruments.OFFICERS)
        )
    )
    return [await _opened(conn, vault, row) for row in rows.all()]


async def doses_told(
    conn: AsyncConnection, vault: Vault, session_ids: Sequence[str]
) -> dict[str, AssessmentRow]:
    """What the officers of these sessions have tapped of naloxone, opened; by session."""
    rows = await conn.execute(
        select(table).where(
            table.c.session_id.in_(session_ids), table.c.instrument == instruments.OVERDOSE
        )
    )
    return {row.session_id: await _opened(conn, vault, row) for row in rows.all()}


async def safety_plan(conn: AsyncConnection, vault: Vault, session_id: str) -> AssessmentRow | None:
    """The session's safety plan, if it is made."""
    found = await _find(conn, vault, session_id, SAFETY_PLAN)
    return found if found is not None and found.result.get("level") == "made" else None


async def _find(
    conn: AsyncConnection, vault: Vault, session_id: str, code: str
) -> AssessmentRow | None:
    row = (
        await conn.execute(
            select(table).where(table.c.session_id == session_id, table.c.instrument == code)
        )
    ).first()
    return await _opened(conn, vault, row) if row is not None else None


async def save(
    conn: AsyncConnection,
    vault: Vault,
    session_id: str,
    code: str,
    expected_rev: int,
    changes: Mapping[str, object],
    author_id: str,
    now: float,
    *,
    version: str | None = None,
) -> AssessmentRow:
    """Merge the answers that changed (None clears one) into the revision after `expected_rev`.

    Answers stay with the version that the first of them was given to; `version`, if said, is the
    one that the page shows. Raises Conflict with the stored answers when somebody saved first,
    BadInput for an answer that the instrument cannot hold or for another version than the stored
    one, NotFound for an unknown instrument, Signed when the note is closed.
    """
    await sessions.lock(conn, session_id)  # who saves at the same moment reads what we stored
    await still_open(conn, session_id)
    known = await _find(conn, vault, session_id, code)
    form = await library.find(conn, code, known.instrument_version if known else version)
    if version not in (None, form.version):
        raise BadInput("These answers belong to another version of the form. Load the page again.")
    checked = form.checked(changes)
    if (known.rev if known else 0) != expected_rev:
        raise Conflict(
            {"rev": known.rev if known else 0, "answers": dict(known.answers) if known else {}}
        )
    merged = {**(known.answers if known else {}), **checked}
    return await _store(conn, vault, session_id, form, known, merged, author_id, now)


async def say(
    conn: AsyncConnection,
    vault: Vault,
    session_id: str,
    code: str,
    changes: Mapping[str, object],
    officer_id: str | None,
    now: float,
    *,
    whole: bool = False,
) -> AssessmentRow:
    """Merge what the officer at the scene says into one of the `instruments.OFFICERS`.

    `whole`: in place of all that was said before. There is one tablet, so there is no revision to
    agree on; and a signed note closes the clinician's record, not the officer's word. Raises
    BadInput.
    """
    await sessions.lock(conn, session_id)
    known = await _find(conn, vault, session_id, code)
    form = await library.find(conn, code, known.instrument_version if known else None)
    before = {} if known is None or whole else known.answers
    merged = {**before, **form.checked(changes)}
    return await _store(conn, vault, session_id, form, known, merged, officer_id, now)


async def _store(
    conn: AsyncConnection,
    vault: Vault,
    session_id: str,
    form: Instrument,
    known: AssessmentRow | None,
    merged: Mapping[str, object],
    author_id: str | None,
    now: float,
) -> AssessmentRow:
    answers = {link: value for link, value in merged.items() if value is not None}
    row_id = known.id if known else new_id("asm")
    before = known.rev if known else 0
    result = form.score(answers)

    async def seal(column: str, body: Mapping[str, object]) -> bytes:
        plain = json.dumps(body, separators=(",", ":")).encode()
        return await vault.seal(conn, session_id, "assessment", column, row_id, plain)

    values: dict[str, object] = {
        "rev": before + 1,
        "author_id": author_id,
        "updated_at": now,
        "instrument_version": form.version,
        "answers_enc": await seal("answers_enc", answers),
        "result_enc": await seal("result_enc", result),
    }
    if known is None:
        new = {"id": row_id, "session_id": session_id, "instrument": form.code, "created_at": now}
        try:
            await conn.execute(insert(table).values(values | new))
        except IntegrityError as error:
            raise (Conflict({}) if already_there(error) else BadInput()) from error
    else:
        done = await conn.execute(
            update(table).where(table.c.id == row_id, table.c.rev == before).values(values)
        )
        if done.rowcount != 1:
            raise Conflict({})
    await facts.answered(conn, session_id, form, answers, result)
    saved = await _find(conn, vault, session_id, form.code)
    if saved is None:
        raise RecordError
    return saved
