"""The tables that managers download, and their dictionary: by right, in their language."""

from __future__ import annotations

import csv
import io

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from records import case_numbers, followups, schema
from records.export_columns import dictionary
from records.schema_consents import disclosure
from records.sessions import SessionRow
from tests.web.cast import AWAY_MANAGER, NOW, XSS, Site
from web.dev import cast as demo

TABLES = ("sessions.csv", "followups.csv")


async def rows(site: Site, path: str) -> list[dict[str, str]]:
    response = await site.client.get(f"/manager/{path}")
    assert response.status == 200, path
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    name = path.partition("?")[0]
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    raw = await response.read()
    assert raw.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


async def with_followup(site: Site) -> SessionRow:
    row = await site.session(code="=1+1")

    async def write(conn: AsyncConnection) -> None:
        task = followups.NewFollowup("contact_24h", demo.MIGUEL.id, NOW + 86_400, f"note {XSS}")
        await followups.add_many(conn, site.services.vault, row.id, [task], NOW)
        await case_numbers.save(conn, row.id, "@26-1", demo.SAM.id, NOW)

    await site.services.db.write(write)
    return row


async def test_a_manager_downloads_a_row_a_follow_up_as_the_log_is_filtered(site: Site) -> None:
    row = await with_followup(site)
    await site.sign_in(demo.LENA)
    [cells] = await rows(site, "followups.csv")
    assert (cells["session"], cells["kind_label"]) == (row.id, "Contact within 24 hours")
    assert cells["code"] == "'=1+1"
    assert "owner" not in cells
    assert "note" not in str(cells)
    [named] = await rows(site, "followups.csv?names=1")
    assert (named["owner"], named["cad_number"]) == (demo.MIGUEL.name, "'@26-1")
    assert await rows(site, "followups.csv?state=waiting") == []
    audit = schema.audit
    async with site.services.db.read() as conn:
        told = await conn.execute(
            select(audit.c.action).where(audit.c.object_kind == "followup").order_by(audit.c.no)
        )
        assert list(told.scalars()) == ["log.export", "log.export_names", "log.export"]


@pytest.mark.parametrize("path", [*TABLES, "columns.csv"])
async def test_nobody_without_the_right_gets_a_table(site: Site, path: str) -> None:
    await with_followup(site)
    await site.sign_in(demo.DANA)
    assert (await site.client.get(f"/manager/{path}")).status == 403


@pytest.mark.parametrize("path", TABLES)
async def test_names_are_a_right_of_their_own_and_other_programs_see_nothing(
    site: Site, path: str
) -> None:
    await with_followup(site)
    await site.sign_in(demo.ADA)
    assert len(await rows(site, path)) == 1
    assert (await site.client.get(f"/manager/{path}?names=1")).status == 403
    await site.sign_in(AWAY_MANAGER)
    assert await rows(site, path) == []
    assert (await site.client.get(f"/manager/{path}?agency={demo.AGENCY_ID}")).status == 400


async def test_a_link_on_somebody_else_s_page_takes_nothing_out(site: Site) -> None:
    """The sign-in's cookie comes along with it, and a download is on record as a giving-out."""
    row = await with_followup(site)
    audit, given = schema.audit, disclosure
    for member, path in (
        (demo.LENA, "/manager/sessions.csv?names=1"),
        (demo.ADA, f"/manager/sessions/{row.id}/fhir"),
    ):
        await site.sign_in(member)
        for told in ("cross-site", "same-site"):
            response = await site.client.get(path, headers={"Sec-Fetch-Site": told})
            assert (response.status, response.headers.get("Content-Disposition")) == (403, None)
        async with site.services.db.read() as conn:
            assert await conn.scalar(select(func.count()).select_from(given)) == 0
            out = await conn.execute(select(audit.c.no).where(audit.c.action.like("%.export%")))
            assert out.first() is None or member is demo.ADA
        for told in ("same-origin", "none"):
            assert (await site.client.get(path, headers={"Sec-Fetch-Site": told})).status == 200


@pytest.mark.parametrize("value", ["' OR 1=1 --", "closed'; DROP TABLE session;--", "%"])
@pytest.mark.parametrize("path", TABLES)
async def test_a_filter_is_a_value_and_never_a_query(site: Site, path: str, value: str) -> None:
    await with_followup(site)
    await site.sign_in(demo.LENA)
    response = await site.client.get(f"/manager/{path}", params={"state": value})
    assert response.status == 400
    assert len(await rows(site, path)) == 1


async def test_the_dictionary_says_what_every_column_means_in_the_readers_language(
    site: Site,
) -> None:
    await site.sign_in(demo.LENA)
    english = await rows(site, "columns.csv")
    assert [(one["table"], one["column"]) for one in english] == [
        (one.table, one.column) for one in dictionary()
    ]
    by_name = {(one["table"], one["column"]): one for one in english}
    said = by_name["sessions", "actual_disposition"]
    assert "voluntary_transport = Voluntary transport" in said["codes"]
    assert by_name["sessions", "cad_number"]["with_names_only"] == "yes"
    assert all(cell for one in english for cell in one.values())
    assert not any(cell.startswith("exports.") for one in english for cell in one.values())
    await site.client.get("/manager?lang=es")
    spanish = await rows(site, "columns.csv")
    assert spanish[0]["meaning"] != english[0]["meaning"]
    assert not any(cell.startswith("exports.") for one in spanish for cell in one.values())


async def test_the_log_leads_to_the_tables_and_to_what_they_mean(site: Site) -> None:
    await with_followup(site)
    await site.sign_in(demo.LENA)
    html = await (await site.client.get("/manager?state=closed")).text()
    assert "/manager/followups.csv?state=closed" in html
    assert "/manager/columns.csv" in html
