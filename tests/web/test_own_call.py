"""An officer who calls for themselves: nobody who employs them can tell that there was a call.

Every address that a manager, an administrator or a program may read is read twice: before the call,
and after one that got no picture, with a form, a card and follow-ups that are overdue. What is read
of it must be what is read of a session that is not there. New addresses come in by themselves.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select, update

from records import schema
from records.sessions import SessionRow
from tests.web.cast import Site
from tests.web.programs import EVERYTHING, token
from tests.web.test_part_two import addresses, harmless, read
from web.dev import cast as demo
from web.routes import Who

NOBODY: Any = SimpleNamespace(id="ses_nobody")
OF_READING = ("/manager/audit",)  # counts the readings themselves


async def own_call(site: Site) -> tuple[SessionRow, list[str]]:
    """A near miss, an overdose, follow-ups that nobody did, and an officer's own call."""
    row, tasks = await harmless(site)
    changes = {
        "wellness": True, "intake": '["self"]', "opioid": "yes", "media_at": None,
        "close_reason": "moved_to_phone",
    }  # fmt: skip
    change = update(schema.session).where(schema.session.c.id == row.id).values(**changes)
    await site.services.db.write(lambda conn: conn.execute(change))
    return row, tasks


async def the_same(site: Site, who: Who, secret: str | None = None) -> None:
    """Read everything before the call, and after it."""
    before = [
        (path, await read(site, path, secret)) for path in addresses(site, NOBODY, [NOBODY.id], who)
    ]
    row, tasks = await own_call(site)
    after = addresses(site, row, tasks[:1], who)
    assert len(after) == len(before) > 10
    assert sum(text.startswith("200 ") for _, text in before) > 10, "signed in"
    for path, (asked, nothing) in zip(after, before, strict=True):
        found = await read(site, path, secret)
        told = found.replace(row.id, NOBODY.id).replace(tasks[0], NOBODY.id)
        assert told == nothing or asked.startswith(OF_READING), path
        assert path.count(row.id) or row.id not in found, path


@pytest.mark.parametrize("member", [demo.LENA, demo.TOM], ids=lambda member: member.role)
async def test_who_employs_them_reads_the_same_as_before_the_call(
    site: Site, member: demo.Member
) -> None:
    await site.sign_in(member)
    await the_same(site, Who.PERSON)


@pytest.mark.parametrize(
    "path", ["/manager/audit", "/manager/audit?all=1", "/manager/audit.csv?all=1"]
)
async def test_nor_does_the_trail_tell_what_was_done_to_it(site: Site, path: str) -> None:
    await site.sign_in(demo.LENA)
    row, tasks = await own_call(site)
    other = await site.session(press_key="another-" + "0" * 20, code="777777")
    for member in (demo.DANA, demo.LENA):  # hers are refused
        await site.sign_in(member)
        for one in (other.id, row.id):
            await site.client.get(f"/manager/sessions/{one}")
        await site.client.get(f"/followups/{tasks[0]}")
    shown = await read(site, path)
    assert row.id not in shown
    assert tasks[0] not in shown
    async with site.services.db.read() as conn:
        counts = schema.audit.c.object_id.in_((row.id, tasks[0]))
        assert (await conn.execute(select(schema.audit.c.no).where(counts))).all(), (
            "it is on record"
        )
    await site.sign_in(demo.LENA)
    assert other.id in await read(site, "/manager/audit.csv?all=1")


async def test_a_program_with_every_scope_reads_the_same_too(site: Site) -> None:
    await the_same(site, Who.PROGRAM, await token(site, *EVERYTHING))


async def test_who_treats_them_reads_it_so_the_walk_would_find_a_leak(site: Site) -> None:
    await site.sign_in(demo.DANA)
    with pytest.raises(AssertionError, match=r"^/(manager|followups|notes)"):
        await the_same(site, Who.PERSON)
