"""Signed heads of the audit trail: what a cut-off end, another key and a bad file come to."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit, checkpoints
from auth.checkpoints import Broken, Checkpoint, Signer
from records.crypto import Vault
from records.engine import Database
from tests.auth.cast import NOW
from tests.auth.test_audit import tampered
from web import trail

SIGNER = Signer(Vault(b"k" * 32))
ANOTHER = Signer(Vault(b"x" * 32))


async def _write(db: Database, count: int) -> None:
    async def work(conn: AsyncConnection) -> None:
        for number in range(count):
            await audit.record(conn, None, "a.b", "log", f"o{number}", "allowed", NOW + number)

    await db.write(work)


async def _sign(db: Database, signer: Signer = SIGNER) -> Checkpoint | None:
    return await db.write(lambda conn: checkpoints.make(conn, signer, NOW + 0.5))


async def _verify(db: Database, *kept: Checkpoint) -> Broken | None:
    async with db.read() as conn:
        return await checkpoints.verify(conn, SIGNER, kept)


async def test_a_chain_that_grew_on_agrees_with_its_signed_heads(db: Database) -> None:
    await _write(db, 3)
    first = await _sign(db)
    assert first is not None
    assert first.no == 3
    assert await _sign(db) is None, "nothing is new"
    await _write(db, 2)
    assert await _verify(db, first) is None


async def test_a_cut_off_end_is_found_by_the_database_itself(db: Database) -> None:
    await _write(db, 5)
    await _sign(db)
    await tampered(db, "DELETE FROM audit WHERE no >= 4")
    assert await _verify(db) == Broken(5, "missing")


async def test_a_cut_off_end_whose_signed_heads_were_cut_off_too_is_found_with_a_kept_file(
    db: Database,
) -> None:
    await _write(db, 5)
    kept = await _sign(db)
    await tampered(db, "DELETE FROM audit WHERE no >= 4")
    await tampered(db, "DELETE FROM audit_checkpoint")
    assert await _verify(db) is None, "nothing here can tell"
    assert kept is not None
    assert await _verify(db, kept) == Broken(5, "missing")


async def test_a_chain_written_anew_is_found_with_a_kept_file(db: Database) -> None:
    await _write(db, 3)
    kept = await _sign(db)
    await tampered(db, "DELETE FROM audit")
    await tampered(db, "DELETE FROM audit_checkpoint")
    await _write(db, 1)
    await _write(db, 4)
    assert kept is not None
    assert await _verify(db, kept) == Broken(3, "other")


async def test_a_head_signed_with_another_key_is_named(db: Database) -> None:
    await _write(db, 2)
    await _sign(db, ANOTHER)
    assert await _verify(db) == Broken(2, "signature")


async def test_an_edited_entry_is_named_before_any_signature(db: Database) -> None:
    await _write(db, 4)
    await _sign(db)
    await tampered(db, "UPDATE audit SET outcome = 'refused' WHERE no = 2")
    assert await _verify(db) == Broken(2, "entry")


async def test_where_a_request_came_from_stands_in_the_entry_and_in_its_digest(
    db: Database,
) -> None:
    token = audit.PLACE.set("198.51.100.7")
    try:
        await _write(db, 1)
    finally:
        audit.PLACE.reset(token)
    await _write(db, 1)
    async with db.read() as conn:
        places = (await conn.execute(text("SELECT place FROM audit ORDER BY no"))).scalars().all()
    assert places == ["198.51.100.7", None]
    assert await _verify(db) is None
    await tampered(db, "UPDATE audit SET place = NULL WHERE no = 1")
    assert await _verify(db) == Broken(1, "entry")


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "null",
        '{"no": 1}',
        '{"no": "x", "digest": "d", "at": 1, "signature": "s"}',
        '{"no": 1, "digest": "d", "at": NaN, "signature": "s"}',
    ],
)
def test_a_line_that_is_no_checkpoint_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="line 2"):
        checkpoints.read(["\n", line])


async def test_the_command_says_what_is_wrong_and_answers_with_its_code(
    db: Database, tmp_path: Path
) -> None:
    await _write(db, 3)
    one = await _sign(db)
    assert one is not None
    file = tmp_path / "kept.jsonl"
    checkpoints.append(file, one)
    checkpoints.append(file, one)
    out = io.StringIO()
    assert await trail.verify(db, SIGNER, [file], out) == 0
    assert "whole: 3 entries" in out.getvalue()
    await tampered(db, "DELETE FROM audit WHERE no = 3")
    out = io.StringIO()
    assert await trail.verify(db, SIGNER, [file], out) == 1
    assert "the end was cut off" in out.getvalue()
    file.write_text("nonsense\n")
    assert await trail.verify(db, SIGNER, [file], out) == 2
    assert await trail.verify(db, SIGNER, [tmp_path / "none"], out) == 2


async def test_what_is_written_out_can_be_checked_by_a_stranger(db: Database) -> None:
    """By docs/operators.md alone: SHA-256 over a JSON list without spaces."""
    import hashlib
    import json

    token = audit.PLACE.set("fd00::7")
    await _write(db, 2)
    audit.PLACE.reset(token)
    await _write(db, 2)
    out = io.StringIO()
    assert await trail.export(db, out) == 0
    previous = "0" * 64
    lines = out.getvalue().splitlines()
    assert [json.loads(line)["action"] for line in lines] == ["a.b"] * 4 + ["audit.export"]
    for line in lines:
        one = json.loads(line)
        names = ("no", "at", "actor_kind", "actor_id", "action", "object_kind", "object_id")
        parts = [previous, *(one[name] for name in names), one["outcome"]]
        parts += [one["place"]] if one["place"] is not None else []
        digest = hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()
        assert digest == one["digest"]
        assert one["previous"] == previous
        previous = digest
