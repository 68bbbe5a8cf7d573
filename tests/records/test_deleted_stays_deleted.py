"""A restore of an older backup, by the real commands: what was deleted since does not come back."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

import crisisbridge
from auth import audit, checkpoints
from auth.checkpoints import Signer
from auth.erasures import LIST
from records import retention, schema
from records.crypto import Vault
from records.engine import Database
from records.errors import KeyWrong
from records.retention_rules import YEAR, Rule
from tests.records import servers
from tests.records.cast import finished
from tests.records.conftest import Make

WORDS = b"what the person said"


@pytest.fixture(autouse=True)
def tools(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """pg_dump of the server's own version."""
    if backend == "postgresql":
        found = servers.programs()
        assert found is not None
        monkeypatch.setenv("PATH", f"{found}{os.pathsep}{os.environ['PATH']}")


class Operator:
    """Somebody at the command line of one installation."""

    def __init__(self, folder: Path, url: str) -> None:
        self.data, self.kept, self.url = folder / "data", folder / "kept", url
        self.data.mkdir(exist_ok=True)
        self.vault = Vault.from_key_file(self.data / "records.key")

    async def says(self, *words: str | Path, code: int = 0) -> str:
        """What a command prints; it runs as `crisisbridge` does, but for the process."""
        settings = {
            "CRISISBRIDGE_SECRET": "a secret of the tests, long enough to sign with",
            "CRISISBRIDGE_PUBLIC_ORIGINS": "https://bridge.example.org",
            "CRISISBRIDGE_DATA_DIR": str(self.data),
            "CRISISBRIDGE_DATABASE_URL": self.url,
        }
        out = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(out):
            for name, value in settings.items():
                patch.setenv(name, value)
            done = await asyncio.to_thread(crisisbridge.main, [str(word) for word in words])
        assert done == code, out.getvalue()
        return out.getvalue()

    async def backup(self) -> Path:
        await asyncio.sleep(1.01 - time.time() % 1)  # a file's name is its second
        before = set(self.kept.glob("*.backup"))
        await self.says("backup", "--to", self.kept)
        (made,) = set(self.kept.glob("*.backup")) - before
        return made


async def two(one: Operator) -> tuple[str, str]:
    """A session whose time is over and one that is kept, both with words in them."""
    db = Database(one.url)
    await db.start()
    rule = Rule(7, 25, 30, keep_numbers=False)
    now = time.time()
    try:
        rows = [await finished(db, tablet, now - 900) for tablet in ("tab_1", "tab_2")]

        async def write(conn: AsyncConnection) -> None:
            for row in rows:
                sealed = await one.vault.seal(
                    conn, row.id, "addendum", "body_enc", "add_" + row.id, WORDS
                )
                await conn.execute(
                    schema.addendum.insert().values(
                        id="add_" + row.id, session_id=row.id, author_id="per_dana", at=now,
                        body_enc=sealed,
                    )
                )  # fmt: skip
            await retention.save_rule(conn, "prv_1", 0, rule, "per_dana", now, program=False)
            table = schema.session
            old = {"closed_at": now - 30 * YEAR, "pressed_at": now - 30 * YEAR - 900}
            await conn.execute(update(table).where(table.c.id == rows[0].id).values(old))

        await db.write(write)
    finally:
        await db.close()
    return rows[0].id, rows[1].id


async def read(one: Operator) -> dict[str, bytes]:
    """Everybody's words that this installation can read, by session."""
    vault = Vault.from_key_file(one.data / "records.key", create=False)
    db = Database(one.url)
    await db.start()
    try:
        async with db.read() as conn:
            rows = (await conn.execute(select(schema.addendum))).all()
            return {
                row.session_id: await vault.open(
                    conn, row.session_id, "addendum", "body_enc", row.id, row.body_enc
                )
                for row in rows
            }
    finally:
        await db.close()


async def signed_heads(one: Operator) -> list[Path]:
    """As a running server keeps them: the files of those of each hour and of the newest."""
    heads, newest = one.data / "audit-checkpoints.jsonl", one.data / "audit-head.json"
    db = Database(one.url)
    await db.start()
    try:
        async with db.read() as conn:
            head = await audit.head(conn)
    finally:
        await db.close()
    signed = Signer(one.vault).sign(head.no, head.digest, time.time())
    checkpoints.append(heads, signed)
    checkpoints.note(newest, signed)
    return [heads, newest]


async def test_a_restore_deletes_again_what_had_been_deleted_since_the_backup(
    url: str, new_url: Make, tmp_path: Path
) -> None:
    here = Operator(tmp_path, url)
    gone, kept = await two(here)
    older = await here.backup()
    assert "1 sessions deleted" in await here.says("retention", "--run")
    assert await read(here) == {kept: WORDS}
    heads = await signed_heads(here)
    assert "whole" in await here.says("audit", "verify")
    said = await here.says("restore", older, "--replace")
    aside = [here.data / name for name in re.findall(r"kept in (\S+)\.$", said, re.MULTILINE)]
    assert len(aside) == len(heads) == 2
    assert not any(path.exists() for path in heads), "they are not this trail's"
    assert "whole" in await here.says("audit", "verify")
    lost = await here.says("audit", "verify", "--checkpoints", *aside, code=1)
    assert "was signed" in lost, "what the restore took away is still proven"
    assert "1 sessions that had been deleted since are deleted again" in said
    assert await read(here) == {kept: WORDS}, "by what the replaced record said"
    # the disk is lost: there is only what lies beside the backups
    await here.backup()
    (tmp_path / "elsewhere").mkdir()
    there = Operator(tmp_path / "elsewhere", new_url())
    (there.data / "records.key").write_text((here.data / "records.key").read_text())
    assert "are deleted again" in await there.says("restore", older)
    assert await read(there) == {kept: WORDS}
    assert gone not in await there.says("restore", older, "--replace")
    assert await read(there) == {kept: WORDS}
    assert "whole" in await there.says("audit", "verify")
    left = [one for one in await actions(there) if one.startswith(("backup.", "session."))]
    assert left[:1] == ["backup.make"], "that of the backup itself is in it"
    assert left[-1] == "backup.restore"


async def test_a_list_of_deletions_that_somebody_changed_deletes_nothing(
    url: str, tmp_path: Path
) -> None:
    here = Operator(tmp_path, url)
    gone, kept = await two(here)
    older = await here.backup()
    path = here.kept / LIST
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "erased": {kept: False}}))
    assert "was changed" in await here.says("restore", older, "--replace", code=1)
    assert await read(here) == {gone: WORDS, kept: WORDS}


async def test_a_backup_from_before_an_aging_key_was_destroyed_opens_for_nobody(
    url: str, new_url: Make, tmp_path: Path
) -> None:
    here = Operator(tmp_path, url)
    await here.says("retention", "--new-key")
    _gone, kept = await two(here)
    older = await here.backup()
    await here.says("retention", "--run")
    await here.says("retention", "--new-key")
    ring = here.data / "records.key.ring"
    lines = [line.split()[0] for line in ring.read_text().splitlines()]
    long_ago = int(time.time()) - 40 * 86_400
    ring.write_text("".join(f"{line} {long_ago + no}\n" for no, line in enumerate(lines)))
    assert "1 old keys destroyed" in await here.says("retention", "--drop-keys", "--days", "35")
    assert await read(here) == {kept: WORDS}
    # somebody has the old backup, the key file and the ring of today, and no list
    (tmp_path / "thief").mkdir()
    thief = Operator(tmp_path / "thief", new_url())
    for name in ("records.key", "records.key.ring"):
        (thief.data / name).write_text((here.data / name).read_text())
    (here.kept / LIST).unlink()
    assert "records.key.ring" in await thief.says("restore", older, code=2)
    with pytest.raises(KeyWrong):
        await read(thief)


async def test_before_any_server_has_run_no_key_is_called_missing(
    url: str, new_url: Make, tmp_path: Path
) -> None:
    here = Operator(tmp_path, new_url())
    (here.data / "records.key").unlink()
    for words in (("retention", "--preview"), ("keys", "status"), ("audit", "key")):
        said = await here.says(*words, code=2)
        assert "No server has run with these settings yet" in said, words
        assert "crisisbridge serve" in said
        assert "missing" not in said
    assert not (here.data / "records.key").exists()
    # as soon as something is encrypted, a key that is not there is missing
    here.url = url
    await two(here)
    said = await here.says("retention", "--preview", code=2)
    assert "Restore it from its backup" in said


async def actions(one: Operator) -> list[str]:
    db = Database(one.url)
    await db.start()
    try:
        async with db.read() as conn:
            asked = select(schema.audit.c.action).order_by(schema.audit.c.no)
            return list((await conn.execute(asked)).scalars())
    finally:
        await db.close()
