"""Consents on a session's page: written down in full, revoked; what was given out; the wording."""

from __future__ import annotations

import hashlib
import html
import json

import pytest

from records import consents, disclosures
from records.consent_rules import NOTICE, PURPOSES, VERSION, Consent
from records.disclosures import Given
from records.sessions import SessionRow
from tests.web.cast import AWAY_SUPERVISOR, XSS, Site
from web import i18n, wording
from web.dev import cast as demo

FORM = {
    "participant": "person", "purpose": "treatment", "method": "verbal", "language": "en",
    "giver": "", "name": "", "ends": "",
}  # fmt: skip
# of every wording that ever shipped: what was spoken, and signed, must stay readable as it was
SHIPPED = {"2026-11": ("abb261c20df5df04", "4648f1f8254f77c2")}


async def said(site: Site, row: SessionRow) -> list[Consent]:
    async with site.services.db.read() as conn:
        return await consents.decisions(conn, site.services.vault, row.id)


async def add(site: Site, row: SessionRow, **typed: str) -> int:
    return (await site.post(f"/consents/{row.id}", FORM | typed, page="/notes")).status


async def page(site: Site, row: SessionRow) -> str:
    response = await site.client.get(f"/manager/sessions/{row.id}")
    assert response.status == 200
    return html.unescape(await response.text())


async def test_a_consent_is_written_down_with_its_usual_terms_and_revoked_in_one_press(
    site: Site,
) -> None:
    row = await site.session()
    await site.sign_in(demo.DANA)
    assert await add(site, row) == 303
    (one,) = await said(site, row)
    assert (one.recipients, one.scope) == (("centre",), ("identity", "summary", "clinical"))
    assert 'data-consent="given"' in await page(site, row)
    form = {"consent": one.id}
    response = await site.post(f"/consents/{row.id}/revoke", form, page="/notes")
    assert response.status == 303
    shown = await page(site, row)
    assert 'data-consent="revoked"' in shown
    assert f'action="/consents/{row.id}/revoke"' not in shown


async def test_one_that_a_later_refusal_replaced_is_not_shown_as_in_force(site: Site) -> None:
    row = await site.session()
    await site.sign_in(demo.DANA)
    assert await add(site, row) == 303
    site.clock[0] += 1
    assert await add(site, row, method="refused") == 303
    shown = await page(site, row)
    assert 'data-consent="replaced"' in shown
    assert 'data-consent="given"' not in shown
    assert f'action="/consents/{row.id}/revoke"' not in shown


async def test_a_signed_one_may_let_out_answers_about_alcohol_and_drugs_and_a_heard_one_not(
    site: Site,
) -> None:
    row = await site.session()
    await site.sign_in(demo.DANA)
    wide = {"scope": "substance_use", "recipient": "hospital", "ends": "2027-06-30"}
    assert await add(site, row, **wide) == 422
    assert await said(site, row) == []
    assert await add(site, row, method="signed", name=f"Mercy {XSS}", **wide) == 303
    (one,) = await said(site, row)
    assert (one.method, one.recipients, one.scope) == ("signed", ("hospital",), ("substance_use",))
    assert one.expires_at == 1_814_418_000.0  # midnight after that day, in Chicago
    raw = await (await site.client.get(f"/manager/sessions/{row.id}")).text()
    assert XSS not in raw
    assert "Mercy" in raw


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("purpose", "gossip", 400), ("participant", "dog", 422), ("method", "maybe", 422),
        ("language", "fr", 422), ("ends", "tomorrow", 422), ("ends", "2020-01-01", 422),
        ("ends", "2199-01-01", 422), ("giver", "x" * 121, 422), ("recipient", "agency", 422),
        ("scope", "gossip", 422),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused_and_nothing_is_kept(
    site: Site, field: str, value: str, status: int
) -> None:
    row = await site.session()
    await site.sign_in(demo.DANA)
    assert await add(site, row, **{field: value}) == status
    assert await said(site, row) == []


@pytest.mark.parametrize("member", [demo.MIGUEL, demo.LENA, AWAY_SUPERVISOR, demo.TOM])
async def test_nobody_else_reads_or_writes_them(site: Site, member: demo.Member) -> None:
    row = await site.session()
    await site.sign_in(demo.DANA)
    assert await add(site, row, giver="Ann Doe") == 303
    (one,) = await said(site, row)
    await site.sign_in(member)
    assert (await site.post(f"/consents/{row.id}", FORM)).status in (403, 404)
    form = {"consent": one.id}
    assert (await site.post(f"/consents/{row.id}/revoke", form)).status in (403, 404)
    shown = await (await site.client.get(f"/manager/sessions/{row.id}")).text()
    assert "Ann Doe" not in shown
    assert 'id="consents"' not in shown
    assert len(await said(site, row)) == 1


async def test_what_was_given_out_stands_there_with_its_basis(site: Site) -> None:
    row = await site.session()
    given = Given("fhir", "centre", "treatment", "consent", ("summary",), f"A {XSS}", ("con_1",))
    await site.services.db.write(
        lambda conn: disclosures.record(
            conn, site.services.vault, row.id, given, "person", demo.DANA.id, row.pressed_at
        )
    )
    await site.sign_in(demo.DANA)
    shown = await page(site, row)
    assert "FHIR export" in shown
    assert "Dana" in shown[shown.index('id="given-out"') :]
    assert XSS not in await (await site.client.get(f"/manager/sessions/{row.id}")).text()


def test_every_wording_that_ever_shipped_is_still_word_for_word_there() -> None:
    texts = i18n.load()
    assert VERSION in SHIPPED
    assert set(wording.VERSIONS) == set(SHIPPED)
    for version, digests in SHIPPED.items():
        both = (wording.spoken(texts, version), wording.signed(texts, version))
        for words, digest in zip(both, digests, strict=True):
            assert {*words} == {"en", "es"}
            assert all(set(one) == set(PURPOSES) for one in words.values())
            plain = json.dumps(words, sort_keys=True, ensure_ascii=False)
            assert hashlib.sha256(plain.encode()).hexdigest()[:16] == digest, version


def test_what_is_signed_leaves_alcohol_and_drugs_to_the_box_beside_it() -> None:
    """Spoken words leave them out: nobody's signature may stand under "not part of it"."""
    for words in wording.signed(i18n.load()).values():
        assert not any("?" in one for one in words.values())  # a statement, not a question
        assert any(word in words["treatment"] for word in ("only if I tick", "solo si marco"))


def test_the_notice_is_the_short_form_that_the_rule_prescribes() -> None:
    assert NOTICE == "42 CFR part 2 prohibits unauthorized use or disclosure of these records."
