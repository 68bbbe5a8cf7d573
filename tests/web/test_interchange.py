"""A session's way to other systems: the FHIR download and dispatch's number, each by right."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from records import (
    assessments,
    case_numbers,
    consents,
    disclosures,
    followups,
    identities,
    recommendations,
    schema,
)
from records.consent_rules import CONTENT, DAY, NOTICE, Consent
from records.identity_rules import Identity
from records.sessions import SessionRow
from tests.web.cast import AWAY_SUPERVISOR, NOW, XSS, Site
from web.dev import cast as demo

CARD: dict[str, Any] = {
    "level": "soon",
    "disposition": "remain_in_place",
    "actions": [{"code": "remove_lethal_means", "text": "in the kitchen"}],
    "words": "",
}


async def with_record(site: Site, **more: Any) -> SessionRow:
    """A session with a name, forms about safety and about alcohol, a card, a follow-up."""
    row = await site.session(**more)
    vault = site.services.vault

    async def write(conn: AsyncConnection) -> None:
        args = (conn, vault, row.id)
        await identities.save(
            conn, vault, row, 0, Identity("John Doe", "1990-02-03"), demo.DANA.id, NOW
        )
        await assessments.save(
            *args, "field-safety", 0, {"thoughts": "yes", "impaired": "severe"}, demo.DANA.id, NOW
        )
        await assessments.save(*args, "audit-c", 0, {"often": "4"}, demo.DANA.id, NOW)
        await recommendations.save(*args, 0, CARD, demo.DANA.id, NOW, send=True)
        task = followups.NewFollowup("contact_24h", demo.MIGUEL.id, NOW + 86_400, f"note {XSS}")
        await followups.add_many(*args, [task], NOW)

    await site.services.db.write(write)
    return row


async def agree(site: Site, row: SessionRow, **more: Any) -> None:
    """The person signs that a hospital may have everything."""
    said = Consent(
        "person", "treatment", "signed", NOW - 60, recipients=("hospital",), scope=CONTENT,
        expires_at=NOW + 30 * DAY, **more,
    )  # fmt: skip

    async def write(conn: AsyncConnection) -> None:
        await consents.add(conn, site.services.vault, row.id, said, demo.DANA.id, NOW)

    await site.services.db.write(write)


async def fetched(site: Site, row: SessionRow, query: str = "") -> dict[str, Any]:
    response = await site.client.get(f"/manager/sessions/{row.id}/fhir{query}")
    assert response.status == 200
    assert response.headers["Content-Type"] == "application/fhir+json; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    assert "attachment" in response.headers["Content-Disposition"]
    found: dict[str, Any] = json.loads(await response.read())
    Bundle.model_validate_json(json.dumps(found))
    return found


async def given(site: Site, row: SessionRow) -> list[disclosures.Given]:
    async with site.services.db.read() as conn:
        rows = await disclosures.of_session(conn, site.services.vault, row.id)
    return [one.given for one in rows if one.given.way == "fhir"]


async def test_its_clinician_downloads_the_record_as_valid_fhir_and_it_is_listed(
    site: Site,
) -> None:
    row = await with_record(site)
    await site.sign_in(demo.DANA)
    assert "/fhir" in await (await site.client.get(f"/manager/sessions/{row.id}")).text()
    text = json.dumps(await fetched(site, row, "?to=hospital"))
    for words in ("John Doe", "1990-02-03", "Dana Whitefeather", "Stay in place", "Unit 12"):
        assert words in text, words
    for words in ("audit-c", "impaired", "severe", NOTICE, "note <"):
        assert words not in text, words
    [one] = await given(site, row)
    assert (one.recipient, one.basis) == ("hospital", "treatment")
    assert "substance_use" not in one.content
    audit = schema.audit
    async with site.services.db.read() as conn:
        rows = await conn.execute(
            select(audit.c.object_id, audit.c.outcome).where(audit.c.action == "record.export")
        )
        assert [tuple(one) for one in rows] == [(row.id, "allowed")]


async def test_a_signed_consent_lets_the_rest_out_to_whom_it_names_and_to_nobody_else(
    site: Site,
) -> None:
    row = await with_record(site)
    await agree(site, row, recipient_name="Prairie General")
    await site.sign_in(demo.DANA)
    covered = json.dumps(await fetched(site, row, "?to=hospital"))
    for words in ("audit-c", "severe", NOTICE, "Prairie General", "42CFRPart2", "note <script>"):
        assert words in covered, words
    for query in ("", "?to=provider", "?to=centre"):
        silent = json.dumps(await fetched(site, row, query))
        assert "audit-c" not in silent
        assert "42CFRPart2" not in silent
    told = await given(site, row)
    [first] = [one for one in told if one.recipient == "hospital"]
    others = [one for one in told if one.recipient != "hospital"]
    assert len(others) == 3
    assert (first.basis, set(first.content)) == ("consent", set(CONTENT))
    assert len(first.consents) == 1
    assert {one.basis for one in others} == {"treatment"}


async def test_a_consent_that_has_run_out_lets_no_more_out_than_none(site: Site) -> None:
    row = await with_record(site)
    await agree(site, row)
    await site.sign_in(demo.DANA)
    site.clock[0] = NOW + 31 * DAY
    await site.sign_in(demo.DANA)
    assert "audit-c" not in json.dumps(await fetched(site, row, "?to=hospital"))


async def test_what_somebody_said_no_to_or_took_back_is_not_given_to_who_treats_next(
    site: Site,
) -> None:
    row = await with_record(site)
    await agree(site, row)
    await site.sign_in(demo.DANA)
    to = f"/manager/sessions/{row.id}/fhir?to="

    async def revoke(conn: AsyncConnection) -> None:
        [one] = await consents.of_session(conn, site.services.vault, row.id)
        await consents.revoke(conn, row.id, one.consent.id, demo.DANA.id, NOW)

    await site.services.db.write(revoke)
    assert (await site.client.get(f"{to}hospital")).status == 409
    await fetched(site, row, "?to=centre")  # nobody was asked about it
    no = Consent("guardian", "treatment", "refused", NOW)

    async def refuse(conn: AsyncConnection) -> None:
        await consents.add(conn, site.services.vault, row.id, no, demo.DANA.id, NOW)

    await site.services.db.write(refuse)
    refused = await site.client.get(f"{to}centre")
    assert refused.status == 409
    said = await refused.text()
    assert "said no to sharing this" in said
    assert "John Doe" not in said
    await fetched(site, row, "?to=provider")  # the own chart is no sharing
    assert {one.recipient for one in await given(site, row)} == {"centre", "provider"}


@pytest.mark.parametrize("who", [demo.LENA, demo.PRIYA, AWAY_SUPERVISOR], ids=lambda one: one.name)
async def test_nobody_else_gets_it_and_the_try_is_on_record(site: Site, who: demo.Member) -> None:
    row = await with_record(site)
    await site.sign_in(who)
    response = await site.client.get(f"/manager/sessions/{row.id}/fhir")
    assert response.status in (403, 404)
    assert "John Doe" not in await response.text()
    assert await given(site, row) == []


async def test_an_unknown_session_and_an_unknown_recipient_are_refused(site: Site) -> None:
    row = await with_record(site)
    await site.sign_in(demo.DANA)
    assert (await site.client.get("/manager/sessions/ses_nobody/fhir")).status == 404
    assert (await site.client.get(f"/manager/sessions/{row.id}/fhir?to=x")).status == 400


async def test_the_supervisor_exports_an_officers_own_call_without_their_employer(
    site: Site,
) -> None:
    row = await with_record(site, wellness=True)
    await site.sign_in(demo.ADA)
    text = json.dumps(await fetched(site, row))
    async with site.services.db.read() as conn:
        agency = (await conn.execute(select(schema.agency.c.name))).scalars().all()
    assert not any(name in text for name in agency)
    assert demo.SAM.name not in text


# --- dispatch's number ----------------------------------------------------------------------------


async def number_of(site: Site, row: SessionRow) -> str | None:
    async with site.services.db.read() as conn:
        return await case_numbers.get(conn, row.id)


async def test_the_clinician_writes_the_incident_number_and_the_manager_reads_it(
    site: Site,
) -> None:
    row = await site.session()
    await site.sign_in(demo.DANA)
    path = f"/manager/sessions/{row.id}"
    response = await site.post(f"{path}/case", {"number": " 26-004711 "}, page=path)
    assert (response.status, response.headers["Location"]) == (303, f"{path}#interchange")
    assert await number_of(site, row) == "26-004711"
    await site.sign_in(demo.LENA)
    html = await (await site.client.get(path)).text()
    assert "26-004711" in html
    assert f"{path}/case" not in html
    assert "Incident number (CAD) written down" in html
    assert (await site.post(f"{path}/case", {"number": "1"}, page=path)).status == 403
    assert await number_of(site, row) == "26-004711"


async def test_a_number_that_is_none_is_refused_in_words_and_markup_stays_text(site: Site) -> None:
    row = await site.session()
    await site.sign_in(demo.DANA)
    path = f"/manager/sessions/{row.id}"
    refused = await site.post(f"{path}/case", {"number": "x" * 41}, page=path)
    assert refused.status == 422
    assert await number_of(site, row) is None
    await site.post(f"{path}/case", {"number": XSS[:25]}, page=path)
    assert "<script>alert(1)" not in await (await site.client.get(path)).text()
    gone = await site.post(f"{path}/case", {"number": ""}, page=path)
    assert gone.status == 303
    assert await number_of(site, row) is None


async def test_a_colleague_without_care_cannot_write_it(site: Site) -> None:
    row = await site.session()
    await site.sign_in(demo.PRIYA)
    response = await site.post(f"/manager/sessions/{row.id}/case", {"number": "1"}, page="/console")
    assert response.status == 404
    assert await number_of(site, row) is None
