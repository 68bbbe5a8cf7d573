"""An officer who calls for themselves: nobody who employs them can tell that there was a call.

Every address that a manager, an administrator or a program may read is read twice: before the call,
and after one that got no picture, with a form, a card and follow-ups that are overdue. What is read
of it must be what is read of a session that is not there. Every address that changes something is
asked for that call and for one that is not there. New addresses come in by themselves.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Boolean, Float, Integer, LargeBinary, String, Table, insert, select, update

from auth import audit, audit_review
from auth.actors import Actor
from records import schema
from records.sessions import SessionRow
from tests.web.cast import ORIGIN, Site
from tests.web.programs import EVERYTHING, token
from tests.web.test_guards import everything_of
from tests.web.test_part_two import MARK, addresses, harmless, read, unmarked
from web.dev import cast as demo
from web.routes import Who

NOBODY: Any = SimpleNamespace(id="ses_nobody")
DANA = Actor("person", demo.DANA.id, "Dana", "Dana", frozenset({"clinician"}))
OF_READING = ("/manager/audit",)  # counts the readings themselves
FILTERS = (
    "span=7", "state=closed", "disposition=voluntary_transport", "code=482913", "tests=1",
    "flag=force_used", "miss=any", f"agency={demo.AGENCY_ID}", f"found={demo.SAM.id}",
    f"found={demo.UNIT_12.id}",
)  # fmt: skip
SAID = {  # what the forms of ours send; each address takes what it knows
    "reason": "An order", "note": "Looked into", "words": "Words", "rev": "0", "hold": "hold_x",
    "outcome": "reached", "channel": "phone", "case": "A-1", "due": "2027-02-01T10:00",
}  # fmt: skip


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


@pytest.mark.parametrize("member", [demo.LENA, demo.TOM], ids=lambda member: member.role)
async def test_nobody_who_employs_them_can_do_anything_to_it_or_tell_it_by_trying(
    site: Site, member: demo.Member
) -> None:
    row, tasks = await own_call(site)
    await site.sign_in(member)
    pages = [page for page in addresses(site, NOBODY, [NOBODY.id], Who.PERSON) if PAGE in page]
    before = [(page, await read(site, page)) for page in pages]
    token, tried = await site.csrf("/account"), 0
    for path in _changing(site):
        its, none = (tasks[0], "fup_nobody") if "/followups/{" in path else (row.id, NOBODY.id)
        answers = [await _tried(site, token, path, one) for one in (its, none)]
        assert answers[0] == answers[1], path
        tried += not answers[0].startswith("403")
    assert tried > 15, "most were let in, so it was asked for"
    for page, found in before:
        assert await read(site, page) == found or page.startswith(OF_READING), page


def _changing(site: Site) -> list[str]:
    """Every address at which a person changes something about one thing."""
    return [
        route.path
        for route in everything_of(site)
        if route.method != "GET"
        and route.who is Who.PERSON
        and ("{id}" in route.path or route.path in NAMED_INSIDE)
    ]


PAGE = "/manager"
RELEASED = {
    "decision": "release", "time": "2027-01-15T08:00", "county": "Pennington", "state": "SD",
    "place": "A street", "outcome": "no", "naloxone": "yes", "reason": "",
}  # fmt: skip
NAMED_INSIDE = ("/manager/odmap", "/manager/odmap/back", "/records/open", "/manager/search")


async def _tried(site: Site, token: str, path: str, one: str) -> str:
    """What is answered, with the id out of it."""
    for name, value in (("{id}", one), ("{person}", demo.DANA.id)):
        path = path.replace(name, value)
    row = {f"{one}.{part}": value for part, value in RELEASED.items()}
    named = {"session": one, "q": one, "csrf": token, **(row if path == "/manager/odmap" else {})}
    answer = await site.client.post(
        path, data=SAID | named, headers={"Origin": ORIGIN}, allow_redirects=False
    )
    words = f"{answer.status} {answer.headers.get('Location', '')} {unmarked(await answer.text())}"
    return words.replace(one, "ID")


async def test_a_search_of_who_employs_them_finds_the_same_as_before_the_call(site: Site) -> None:
    await site.sign_in(demo.LENA)
    token = await site.csrf("/account")

    async def searched() -> dict[str, str]:
        found = {path: await read(site, path) for path in (f"/manager?{one}" for one in FILTERS)}
        for typed in ("Sam Rivera", "Unit 12", MARK, "482913", "Whitefeather"):
            answer = await site.client.post(
                "/manager/search", data={"csrf": token, "q": typed}, headers={"Origin": ORIGIN}
            )
            found[typed] = f"{answer.status} {unmarked(await answer.text())}"
        return found

    before = await searched()
    assert not [asked for asked, text in before.items() if not text.startswith("200 ")]
    row, _ = await own_call(site)
    after = await searched()
    assert after == before
    assert not any(row.id in text for text in after.values())


async def test_a_program_with_every_scope_reads_the_same_too(site: Site) -> None:
    await the_same(site, Who.PROGRAM, await token(site, *EVERYTHING))


async def test_who_treats_them_reads_it_so_the_walk_would_find_a_leak(site: Site) -> None:
    await site.sign_in(demo.DANA)
    with pytest.raises(AssertionError, match=r"^/(manager|followups|notes)"):
        await the_same(site, Who.PERSON)


async def test_nor_of_anything_that_hangs_on_it(site: Site) -> None:
    """Follow-ups, near misses, openings, the person's link and guests' links have their own ids."""
    row = await site.session()
    named = {"session_id": row.id, "id": ""}
    entries: list[str] = []

    async def write(conn: Any) -> None:
        for number, table in enumerate(audit_review._PARTS):
            named["id"] = f"prt_{number}"
            entries.append(named["id"])
            await conn.execute(insert(table).values(some_row(table) | named))
            await audit.record(conn, DANA, "a.b", table.name, named["id"], "allowed", site.clock[0])

    await site.services.db.write(write)
    assert len(entries) == 5
    await site.sign_in(demo.LENA)
    shown = await read(site, "/manager/audit?all=1")
    assert [one in shown for one in entries] == [True] * 5
    change = update(schema.session).where(schema.session.c.id == row.id).values(wellness=True)
    await site.services.db.write(lambda conn: conn.execute(change))
    shown = await read(site, "/manager/audit?all=1")
    assert not any(one in shown for one in entries)


def some_row(table: Table) -> dict[str, Any]:
    """Something for each column that must have a value."""
    values: dict[str, Any] = {}
    for column in table.c:
        if column.nullable or column.default is not None or column.server_default is not None:
            continue
        people = any(key.column.table is schema.person for key in column.foreign_keys)
        kinds = {
            String: "x",
            Boolean: False,
            Integer: 1,
            Float: 1.0 + len(values),
            LargeBinary: b"x",
        }
        some = next((value for kind, value in kinds.items() if isinstance(column.type, kind)), 1)
        values[column.name] = demo.DANA.id if people else some
    return values | ({"role": "interpreter"} if "role" in values else {})
