"""Guarded ways out of one session's record: the FHIR Bundle.

Read, opened, put on record and listed as a disclosure in one transaction: what cannot be logged is
not given out. Which content may leave is asked of the consents here, once (`consent_rules`).
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from auth.access import record_refusal, target_of
from auth.actors import Actor
from auth.errors import Objected
from auth.policy import Action, allows
from records import (
    assessments,
    case_numbers,
    consents,
    directory,
    disclosures,
    followups,
    identities,
    instruments,
    library,
    notes,
    part2,
    recommendations,
    sessions,
    takeaways,
)
from records.consent_rules import (
    CONTENT,
    SUBSTANCES,
    Consent,
    Cover,
    Disclosure,
    covering,
    objected,
)
from records.crypto import Vault
from records.directory import Directory
from records.engine import Database
from records.fhir import bundle
from records.fhir.facts import Facts, Form, House, Seen, Staff, Task, Words
from records.identity_rules import Identity
from records.instruments import OFFICERS
from records.sessions import SessionRow

RECIPIENTS: Final = ("provider", "centre", "hospital")  # the own chart, and who treats next
PURPOSE: Final = "treatment"
MOST_SEEN: Final = 500  # entries of the audit log, the newest


async def export_fhir(
    db: Database,
    vault: Vault,
    actor: Actor,
    session_id: str,
    recipient: str,
    words: Words,
    now: float,
) -> dict[str, Any]:
    """A session as a Bundle for one of RECIPIENTS, to treat the person.

    Raises Forbidden, NoSuchRecord for an unknown or out-of-scope session, Objected, AuditFailed.
    """
    if recipient not in RECIPIENTS:
        raise ValueError(recipient)

    async def work(conn: AsyncConnection) -> Facts | Objected | None:
        row = await sessions.get(conn, session_id) if len(session_id) <= 40 else None
        if row is None:
            return None
        target = target_of(row, await followups.owners(conn, row.id))
        if not allows(actor, Action.RECORD_EXPORT, target):
            return None
        said = await consents.decisions(conn, vault, row.id)
        if objected(said, Disclosure(PURPOSE, recipient, frozenset(CONTENT), now)):
            action = Action.RECORD_EXPORT
            await audit.record(conn, actor, action, "session", row.id, "refused", now)
            return Objected()
        cover = _cover(said, recipient, now)
        facts = await _facts(conn, vault, row, words, said, cover, now)
        await disclosures.record(
            conn, vault, row.id, _given(recipient, cover), actor.kind, actor.id, now
        )
        await audit.record(conn, actor, Action.RECORD_EXPORT, "session", row.id, "allowed", now)
        return facts

    found = await db.write(work)
    if found is None:
        raise await record_refusal(db, actor, Action.RECORD_EXPORT, "session", session_id, now)
    if isinstance(found, Objected):
        raise found
    return bundle.build(found)


def _cover(said: list[Consent], recipient: str, now: float) -> Cover | None:
    """The consents that let everything out, substance use too; None: that part stays here."""
    return covering(said, Disclosure(PURPOSE, recipient, frozenset(CONTENT), now))


def _given(recipient: str, cover: Cover | None) -> disclosures.Given:
    """What is told of it: without consent it is treatment (45 CFR 164.506(c)), and less."""
    if cover is not None:
        return disclosures.Given("fhir", recipient, PURPOSE, "consent", CONTENT, "", cover.ids)
    content = tuple(code for code in CONTENT if code != SUBSTANCES)
    return disclosures.Given("fhir", recipient, PURPOSE, "treatment", content)


async def _facts(
    conn: AsyncConnection,
    vault: Vault,
    row: SessionRow,
    words: Words,
    said: list[Consent],
    cover: Cover | None,
    now: float,
) -> Facts:
    who = await directory.read(conn)
    agency, provider = who.agencies[row.agency_id], who.providers[row.provider_id]
    about = await identities.get(conn, vault, row.id)
    signature = await notes.signature(conn, vault, row)
    addenda = await notes.addenda(conn, vault, row.id)
    card = await recommendations.get(conn, vault, row.id)
    forms = await _forms(conn, vault, row.id)
    tasks = [
        Task(one, tuple(await followups.attempts(conn, vault, one)))
        for one in await followups.of_session(conn, vault, row.id)
    ]
    links = await takeaways.of_session(conn, row.id)
    named = [
        row.lead_id,
        card.author_id if card else None,
        signature.signer_id if signature else None,
    ]
    named += [one.author_id for one in addenda] + [one.made_by for one in links]
    named += [form.row.author_id for form in forms if form.row.instrument not in OFFICERS]
    named += [task.row.owner_id for task in tasks]
    named += [attempt.by_id for task in tasks for attempt in task.attempts]
    return Facts(
        row=row,
        made_at=now,
        agency=House(agency.id, agency.name, agency.regional_line, agency.county, agency.state),
        provider=House(provider.id, provider.name, provider.bridge_line),
        unit=who.tablets[row.tablet_id].label,
        words=words,
        staff=_staff(who, named),
        person=about.identity if about else Identity(),
        subject_id=about.subject_id if about else None,
        case_number=await case_numbers.get(conn, row.id),
        forms=forms,
        card=card,
        tasks=tasks,
        signature=signature,
        addenda=addenda,
        takeaways=links,
        consents=said,
        seen=await _seen(conn, row.id),
        cover=cover,
    )


async def _forms(conn: AsyncConnection, vault: Vault, session_id: str) -> list[Form]:
    """The answers with their forms; what any version protects is protected in all of them."""
    known = [*instruments.shipped().values(), *(await library.current(conn)).values()]
    found = []
    for one in await assessments.of_session(conn, vault, session_id):
        form = await library.find(conn, one.instrument, one.instrument_version)
        found.append(Form(one, form, part2.hidden(form, known)))
    return found


def _staff(who: Directory, named: list[str | None]) -> dict[str, Staff]:
    """Those of the provider who took part, each once."""
    people = [who.people[one] for one in dict.fromkeys(named) if one and one in who.people]
    return {
        one.id: Staff(one.id, one.name, one.licences, tuple(sorted(one.specialities)))
        for one in people
    }


async def _seen(conn: AsyncConnection, session_id: str) -> list[Seen]:
    return [
        Seen(one.no, one.at, one.actor_kind, one.actor_id, one.action, one.outcome)
        for one in await audit.of_object(conn, "session", session_id, MOST_SEEN)
    ]
