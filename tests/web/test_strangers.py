"""A second agency's people try every address that they can learn, with our ids in it.

They get no byte of what is ours, and nothing of ours changes. New addresses and new tables come in
by themselves.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.passwords import hash_secret
from records import schema
from tests.web.cast import AWAY, AWAY_MANAGER, AWAY_SUPERVISOR, NOW, ORIGIN, PASSWORD, Site
from tests.web.test_guards import everything_of
from tests.web.test_part_two import MARK, harmless
from web import limits
from web.dev import cast as demo
from web.limits import RATES, Rate
from web.routes import SAFE, Route, Who

AWAY_CLINICIAN = demo.Member("per_cora", "Cora Away", "Cora", "clinician")
AWAY_ADMIN = demo.Member("per_axel", "Axel Away", "Axel", "admin")
STRANGERS = (AWAY_MANAGER, AWAY_SUPERVISOR, AWAY_CLINICIAN, AWAY_ADMIN)
# what names us, wherever it may stand
OURS = (
    demo.AGENCY, demo.DANA.name, demo.ADA.name, demo.LENA.name, demo.SAM.name, MARK,
    "482 913", "Unit 12", "Quiet Rooms",
)  # fmt: skip
CODE = re.compile(r"(?<![0-9A-Za-z])482913(?![0-9A-Za-z])")  # and no part of a page's token
ASKED = ("provider", "agency", "program", "session", "clinician", "person", "tablet", "resource")
TRAIL = "/manager/audit"
# a stranger's own doings are written down here, and what tells readers that something changed
NOT_OURS = {"audit", "login", "roster_version", "directory_version", "session_key"}
_ID = re.compile(r"\b(?:ses|per|tab|agy|prv|prg|flw|fup|fol|shf|ofr|res|rst|ros|way|stp)_[\w-]+")


async def rows_of(site: Site) -> dict[str, set[tuple[Any, ...]]]:
    """Every row of every table, by table."""
    found = {}
    async with site.services.db.read() as conn:
        for table in schema.metadata.sorted_tables:
            got = await conn.execute(select(table))
            found[table.name] = {tuple(map(str, row)) for row in got}
    return found


def ids_in(rows: dict[str, set[tuple[Any, ...]]]) -> dict[str, str]:
    """One of our ids by its kind: the first of each table that has any."""
    found: dict[str, str] = {}
    for name, content in sorted(rows.items()):
        keys = sorted(row[0] for row in content if re.fullmatch(r"[a-z]{2,5}_[\w-]+", row[0]))
        ours = [one for one in keys if "away" not in one and one not in {m.id for m in STRANGERS}]
        if ours:
            found[name] = ours[0]
    return found


@pytest.fixture
async def ours(site: Site, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Our ids, of a database in which we have a session with all that hangs on one."""
    monkeypatch.setattr(limits, "RATES", {kind: Rate(1e9, 1.0) for kind in RATES})
    row, tasks = await harmless(site)
    password_hash = await hash_secret(PASSWORD)

    async def add(conn: AsyncConnection) -> None:
        for member, column in ((AWAY_CLINICIAN, "provider_id"), (AWAY_ADMIN, "agency_id")):
            await conn.execute(
                insert(schema.person).values(
                    id=member.id, name=member.name, short_name=member.short_name,
                    email=member.email, password_hash=password_hash, **{column: AWAY[column]},
                )
            )  # fmt: skip
            await conn.execute(
                insert(schema.role_grant).values(
                    person_id=member.id, role=member.role, granted_at=NOW
                )
            )

    await site.services.db.write(add)
    found = ids_in(await rows_of(site))
    assert {"session", "person", "tablet", "agency", "provider", "program"} <= found.keys()
    return {**found, "session": row.id, "followup": tasks[0], "person": demo.DANA.id}


def paths(route: Route, ours: dict[str, str]) -> list[str]:
    """The route's address with each of our ids in the place of each of its parts."""
    path = route.path.replace("{code}/{version}", "field-safety/1.0").replace("{name}", "x")
    if "{" in path:
        return [re.sub(r"\{\w+\}", one, path) for one in sorted(set(ours.values()))]
    if route.method in SAFE:
        return [path, *(f"{path}?{name}={ours[name]}" for name in ASKED if name in ours)]
    return [path]


@pytest.mark.parametrize("member", STRANGERS, ids=lambda one: str(one.role))
async def test_a_stranger_s_audit_trail_tells_nothing_that_they_did_not_do(
    site: Site, ours: dict[str, str], member: demo.Member
) -> None:
    await site.sign_in(member)
    names = set(ours.values())
    for route in everything_of(site):
        if route.method == "GET" and route.path.startswith(TRAIL) and "{" not in route.path:
            response = await site.client.get(route.path)
            text = (await response.read()).decode("utf-8", "replace")
            assert not [one for one in (*names, *OURS) if one in text], route.path
            assert not CODE.search(text), route.path


@pytest.mark.timeout(300)
@pytest.mark.parametrize("member", STRANGERS, ids=lambda one: str(one.role))
async def test_a_stranger_reads_and_changes_nothing_of_ours(
    site: Site, ours: dict[str, str], member: demo.Member
) -> None:
    await site.sign_in(member)
    token = await site.csrf("/account")
    before = await rows_of(site)
    names = {*ours.values(), *(one for row in before["followup"] for one in row[:1])}
    tried = 0
    for route in everything_of(site):
        if route.machine or route.path in {"/sign-out", "/api/v1/cover", "/-/patterns"}:
            continue
        if route.who in {Who.TABLET, Who.GUEST} or "passkeys" in route.path:
            continue
        for path in paths(route, ours):
            form = {name: ours.get(name, ours["session"]) for name in (*ASKED, "to", "owner")}
            form |= {"csrf": token, "number": "1", "note": "x", "name": "x", "label": "x"}
            response = await site.client.request(
                route.method,
                path,
                data=None if route.method in SAFE else form,
                headers={"Origin": ORIGIN},
                allow_redirects=False,
            )
            text = (await response.read()).decode("utf-8", "replace")
            tried += 1
            where = (route.method, path, response.status)
            assert response.status < 500, where
            for word in OURS:
                assert word not in text, (*where, word)
            assert not CODE.search(text), where
            if not route.path.startswith(TRAIL):  # which tells them what they tried themselves
                for one in names:
                    assert one not in text.replace(path, ""), (*where, one)
            if "{id}" in route.path and route.method == "GET":
                refused = {401} if route.who is Who.PROGRAM else {400, 403, 404, 410}
                assert response.status in refused, where
    assert tried > 500
    after = await rows_of(site)
    for table, content in before.items():
        if table not in NOT_OURS:
            lost = {row for row in content - after[table] if member.id not in row}
            assert not lost, (table, lost)
            new = after[table] - content
            assert not [row for row in new if set(row) & names], (table, new)


async def test_a_tablet_of_another_agency_sees_its_own_people_only(
    site: Site, ours: dict[str, str]
) -> None:
    await site.enrol(demo.Unit("tab_away", "Unit 99"))
    text = await (await site.client.get("/tablet")).text()
    assert "Unit 99" in text
    assert not [word for word in OURS if word in text]
    assert not CODE.search(text)
    assert not [one for one in ours.values() if one in text]
