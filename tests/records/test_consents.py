"""Consents: what they cover and what never; kept sealed, revoked once; what was given out."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from records import consents, disclosures, schema_consents
from records.consent_rules import (
    CONTENT,
    DAY,
    DECIDE,
    GIVEN,
    METHODS,
    PARTICIPANTS,
    PURPOSES,
    RECIPIENTS,
    RECIPIENTS_OF,
    SUBSTANCES,
    BadConsent,
    Consent,
    Disclosure,
    checked,
    covering,
    replaced,
    usual,
)
from records.crypto import Vault
from records.disclosures import Given
from records.engine import Database
from records.errors import BadInput, Conflict, NotFound
from tests.records.cast import NOW, pressed

CLINICAL = ("identity", "summary", "clinical")
YES = Consent(
    "person", "treatment", "verbal", NOW, recipients=("centre",), scope=CLINICAL,
    expires_at=NOW + 30 * DAY, giver="Ann Doe", recipient_name="Lakes Clinic",
)  # fmt: skip
NO = Consent("person", "treatment", "refused", NOW)
SIGNED = replace(YES, method="signed", scope=CONTENT, signature="Maria Stone")


def asked(
    *content: str, purpose: str = "treatment", recipient: str = "centre", at: float = NOW + 60
) -> Disclosure:
    return Disclosure(purpose, recipient, frozenset(content or CLINICAL), at)


def test_a_consent_covers_its_purpose_its_recipient_and_its_content_until_its_end() -> None:
    cover = covering([replace(YES, id="con_1")], asked())
    assert cover is not None
    assert (cover.ids, cover.scope, cover.until) == (("con_1",), CLINICAL, NOW + 30 * DAY)
    assert covering([YES], asked("summary")) is not None
    assert covering([YES], asked(at=NOW)) is not None
    assert covering([YES], asked(at=NOW + 30 * DAY)) is None
    assert covering([YES], asked(at=NOW - 1)) is None
    assert covering([YES], asked(recipient="hospital")) is None
    assert covering([YES], asked(purpose="research", recipient="centre")) is None
    assert covering([YES], asked("summary", SUBSTANCES)) is None


@pytest.mark.parametrize(
    "consent",
    [
        NO,
        replace(NO, method="unable"),
        replace(YES, revoked_at=NOW + 30),
        replace(YES, expires_at=NOW + 30),
        replace(YES, expires_at=None),
        replace(YES, method="telepathy"),
        replace(YES, participant="officer"),
        replace(YES, participant="other"),
        replace(YES, purpose="gossip"),
        replace(YES, recipients=()),
        replace(YES, scope=()),
    ],
)
def test_refused_unable_revoked_run_out_and_unknown_never_cover(consent: Consent) -> None:
    assert covering([consent], asked()) is None


@pytest.mark.parametrize(
    "wanted",
    [
        asked(purpose="gossip"),
        asked(recipient="newspaper"),
        asked("everything"),
        Disclosure("treatment", "centre", frozenset(), NOW),
        asked(recipient="agency"),
    ],
)
def test_what_nobody_knows_is_covered_by_nothing(wanted: Disclosure) -> None:
    wide = replace(
        SIGNED, recipients=(*RECIPIENTS, "newspaper"), scope=(*CONTENT, "everything"),
        purpose=wanted.purpose,
    )  # fmt: skip
    assert covering([wide], wanted) is None
    assert covering([], asked()) is None


def test_answers_about_alcohol_and_drugs_leave_with_a_signature_only() -> None:
    heard = replace(YES, scope=CONTENT)
    assert covering([heard], asked("summary")) is not None
    assert covering([heard], asked("summary", SUBSTANCES)) is None
    assert covering([SIGNED], asked("summary", SUBSTANCES)) is not None
    with pytest.raises(BadConsent):
        checked(heard, NOW)


def test_the_last_word_counts_and_an_older_one_never_comes_back() -> None:
    later_no = replace(NO, given_at=NOW + 10)
    assert covering([YES, later_no], asked()) is None
    assert covering([later_no, replace(YES, given_at=NOW + 20)], asked()) is not None
    narrower = replace(YES, given_at=NOW + 10, scope=("summary",))
    assert covering([YES, narrower], asked()) is None
    assert covering([YES, replace(narrower, revoked_at=NOW + 11)], asked("summary")) is None
    elsewhere = replace(YES, given_at=NOW + 10, recipients=("hospital",))
    assert covering([YES, elsewhere], asked()) is not None
    assert covering([YES, NO], asked()) is None, "two at one moment: the one that allows less"


def test_a_guardian_must_agree_too_and_counts_where_the_person_cannot_say() -> None:
    guardian = replace(YES, participant="guardian")
    assert covering([YES, guardian], asked()) is not None
    assert covering([YES, replace(NO, participant="guardian")], asked()) is None
    assert covering([NO, guardian], asked()) is None
    assert covering([replace(NO, method="unable"), guardian], asked()) is not None
    assert covering([replace(YES, revoked_at=NOW + 1), guardian], asked()) is None
    assert covering([YES, replace(NO, participant="officer")], asked()) is not None


_TIMES = st.sampled_from([NOW - DAY, NOW, NOW + DAY, NOW + 2 * DAY])
_CONSENTS = st.builds(
    Consent,
    participant=st.sampled_from((*PARTICIPANTS, "somebody")),
    purpose=st.sampled_from((*PURPOSES, "gossip")),
    method=st.sampled_from((*METHODS, "telepathy")),
    given_at=_TIMES,
    recipients=st.lists(st.sampled_from(RECIPIENTS), max_size=3).map(tuple),
    scope=st.lists(st.sampled_from(CONTENT), max_size=4).map(tuple),
    expires_at=st.none() | _TIMES,
    revoked_at=st.none() | _TIMES,
)
_WANTED = st.builds(
    Disclosure,
    st.sampled_from(PURPOSES),
    st.sampled_from(RECIPIENTS),
    st.frozensets(st.sampled_from(CONTENT), min_size=1),
    _TIMES,
)


@given(st.lists(_CONSENTS, max_size=6), _WANTED)
def test_whatever_is_covered_stands_in_a_valid_consent_of_somebody_who_decides(
    said: list[Consent], wanted: Disclosure
) -> None:
    cover = covering(said, wanted)
    assert (covering(list(reversed(said)), wanted) is None) == (cover is None)
    if cover is None:
        return
    assert cover.consents
    for one in cover.consents:
        assert one.participant in DECIDE
        assert one.method in GIVEN
        assert one.purpose == wanted.purpose
        assert wanted.recipient in one.recipients
        assert wanted.content <= set(one.scope)
        assert SUBSTANCES not in wanted.content or one.method == "signed"
        assert one.given_at <= wanted.at
        assert one.expires_at is not None
        assert wanted.at < one.expires_at
        assert one.revoked_at is None or one.revoked_at > wanted.at


def test_a_later_refusal_or_one_for_the_same_recipients_takes_a_consents_place() -> None:
    later = replace(YES, given_at=NOW + 1)
    assert replaced(YES, [YES, replace(NO, given_at=NOW + 1)])
    assert replaced(YES, [NO, YES]), "of two at one moment the refusal is the last word"
    assert replaced(YES, [YES, later])
    assert not replaced(later, [YES, later])
    assert not replaced(YES, [YES, replace(later, recipients=("hospital",))])
    assert not replaced(YES, [YES, replace(NO, purpose="research", given_at=NOW + 1)])
    assert not replaced(YES, [YES, replace(NO, participant="guardian", given_at=NOW + 1)])
    assert not replaced(YES, [replace(NO, given_at=NOW - 1), YES])


@given(st.lists(_CONSENTS, max_size=6), _WANTED)
def test_a_consent_that_was_replaced_lets_nothing_out(
    said: list[Consent], wanted: Disclosure
) -> None:
    named = [replace(one, id=f"con_{number}") for number, one in enumerate(said)]
    cover = covering(named, replace(wanted, at=NOW + 2 * DAY))
    over = {one.id for one in named if replaced(one, named)}
    assert cover is None or not over & set(cover.ids)


@given(st.lists(_CONSENTS, max_size=6), _CONSENTS, _WANTED)
def test_another_no_never_opens_anything(
    said: list[Consent], more: Consent, wanted: Disclosure
) -> None:
    if covering(said, wanted) is None:
        refusal = replace(more, method="refused", expires_at=None)
        assert covering([*said, refusal], wanted) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("participant", "dog"), ("purpose", "gossip"), ("method", "maybe"), ("language", "fr"),
        ("giver", "x" * 121), ("recipient_name", "a\u202eb"), ("given_at", NOW + 1),
        ("recipients", ()), ("recipients", ("agency",)), ("scope", ()), ("scope", ("gossip",)),
        ("expires_at", None), ("expires_at", NOW), ("expires_at", NOW + 6 * 365 * DAY),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_field(field: str, value: object) -> None:
    with pytest.raises(BadConsent) as bad:
        checked(replace(YES, **{field: value}), NOW)  # type: ignore[arg-type]
    assert bad.value.field == field


def test_the_usual_terms_of_each_purpose_are_valid() -> None:
    for purpose, method in product(PURPOSES, GIVEN):
        recipients, scope, ends = usual(purpose, NOW)
        one = Consent("person", purpose, method, NOW, recipients, scope, ends)
        assert checked(one, NOW) == one
        assert SUBSTANCES not in scope
    assert set(RECIPIENTS_OF) == set(PURPOSES)


# --- as stored ------------------------------------------------------------------------------------


async def test_a_consent_comes_back_as_it_was_said_and_names_and_scope_are_sealed(
    db: Database, vault: Vault
) -> None:
    row = await pressed(db)
    added = await db.write(
        lambda conn: consents.add(conn, vault, row.id, SIGNED, "per_dana", NOW + 5)
    )
    async with db.read() as conn:
        (read,) = await consents.of_session(conn, vault, row.id)
        stored = [dict(r._mapping) for r in await conn.execute(select(schema_consents.consent))]
    assert read == added
    assert read.consent == replace(SIGNED, id=read.consent.id)
    assert (read.recorded_by, read.recorded_at, read.revoked_by) == ("per_dana", NOW + 5, None)
    told = repr(stored).casefold()
    assert not [word for word in ("ann", "lakes", "substance", "centre", "maria") if word in told]
    assert "Ann" not in repr(read)


async def test_a_revocation_is_kept_with_its_time_and_who_and_happens_once(
    db: Database, vault: Vault
) -> None:
    row = await pressed(db)
    one = await db.write(lambda conn: consents.add(conn, vault, row.id, YES, "per_dana", NOW))

    async def revoke(by: str, now: float) -> bool:
        return await db.write(lambda conn: consents.revoke(conn, row.id, one.consent.id, by, now))

    assert await revoke("per_miguel", NOW + 60)
    assert not await revoke("per_dana", NOW + 90)
    async with db.read() as conn:
        (read,) = await consents.of_session(conn, vault, row.id)
        said = await consents.decisions(conn, vault, row.id)
    assert (read.consent.revoked_at, read.revoked_by) == (NOW + 60, "per_miguel")
    assert covering(said, asked(at=NOW + 59)) is not None
    assert covering(said, asked(at=NOW + 60)) is None


async def test_a_refusal_another_sessions_consent_and_none_at_all_are_not_revoked(
    db: Database, vault: Vault
) -> None:
    row, other = await pressed(db), await pressed(db, "tab_2")
    no = await db.write(lambda conn: consents.add(conn, vault, row.id, NO, "per_dana", NOW))
    yes = await db.write(lambda conn: consents.add(conn, vault, other.id, YES, "per_dana", NOW))

    async def revoke(wanted: str) -> None:
        await db.write(lambda conn: consents.revoke(conn, row.id, wanted, "per_dana", NOW))

    for wanted in (no.consent.id, yes.consent.id, "con_none"):
        with pytest.raises(NotFound):
            await revoke(wanted)


async def test_a_page_that_missed_a_decision_is_told_and_writes_nothing(
    db: Database, vault: Vault
) -> None:
    row = await pressed(db)

    async def add(known: int | None) -> None:
        await db.write(
            lambda conn: consents.add(conn, vault, row.id, YES, "per_dana", NOW, known=known)
        )

    await add(0)
    with pytest.raises(Conflict):
        await add(0)
    await add(1)
    async with db.read() as conn:
        assert len(await consents.of_session(conn, vault, row.id)) == 2


async def test_what_cannot_be_is_never_half_stored(db: Database, vault: Vault) -> None:
    row = await pressed(db)
    with pytest.raises(BadInput, match="signed"):
        await db.write(
            lambda conn: consents.add(
                conn, vault, row.id, replace(YES, scope=CONTENT), "per_dana", NOW
            )
        )
    with pytest.raises(BadInput):
        await db.write(
            lambda conn: consents.add(
                conn, vault, row.id, replace(YES, purpose="x"), "per_dana", NOW
            )
        )
    async with db.read() as conn:
        assert await consents.of_session(conn, vault, row.id) == []


@pytest.mark.parametrize(
    "values",
    [
        {"method": "refused", "expires_at": NOW + 9},
        {"method": "verbal", "expires_at": None},
        {"method": "verbal", "expires_at": NOW - 9},
        {"method": "verbal", "expires_at": NOW + 9, "revoked_at": NOW + 1},
        {"method": "refused", "revoked_at": NOW + 1, "revoked_by": "per_dana"},
        {"method": "maybe"},
    ],
)
async def test_consents_that_cannot_be_are_refused_by_the_database_itself(
    db: Database, values: dict[str, object]
) -> None:
    row = await pressed(db)
    whole = {
        "id": "con_1", "session_id": row.id, "participant": "person", "purpose": "treatment",
        "terms_enc": b"x", "wording": "1", "language": "en", "given_at": NOW,
        "recorded_by": "per_dana", "recorded_at": NOW,
    } | values  # fmt: skip
    with pytest.raises(IntegrityError):
        await db.write(lambda conn: conn.execute(schema_consents.consent.insert().values(whole)))


async def test_what_was_given_out_says_to_whom_and_on_which_basis(
    db: Database, vault: Vault
) -> None:
    row = await pressed(db)
    given = Given("fhir", "centre", "treatment", "consent", CONTENT, "Lakes Clinic", ("con_1",))
    await db.write(
        lambda conn: disclosures.record(conn, vault, row.id, given, "person", "per_dana", NOW)
    )
    async with db.read() as conn:
        (read,) = await disclosures.of_session(conn, vault, row.id)
        stored = [dict(r._mapping) for r in await conn.execute(select(schema_consents.disclosure))]
    assert (read.given, read.at, read.actor_id) == (given, NOW, "per_dana")
    assert "Lakes" not in repr(stored)
    assert "substance" not in repr(stored)


@pytest.mark.parametrize(
    "given",
    [
        Given("fhir", "centre", "treatment", "consent", CONTENT),
        Given("fhir", "centre", "treatment", "treatment", CONTENT, consents=("con_1",)),
        Given("fhir", "centre", "treatment", "habit", CONTENT),
        Given("pigeon", "centre", "treatment", "law", CONTENT),
        Given("fhir", "newspaper", "treatment", "law", CONTENT),
        Given("fhir", "centre", "gossip", "law", CONTENT),
        Given("fhir", "centre", "treatment", "law", ()),
    ],
)
async def test_a_disclosure_without_a_known_basis_is_not_written(
    db: Database, vault: Vault, given: Given
) -> None:
    row = await pressed(db)
    with pytest.raises(BadInput):
        await db.write(
            lambda conn: disclosures.record(conn, vault, row.id, given, "person", None, NOW)
        )
