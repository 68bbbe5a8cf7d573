"""What was agreed to, and who saw the record: Consent, AuditEvent. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from records.consent_rules import DECIDE, GIVEN, SUBSTANCES, Consent, replaced
from records.fhir.facts import Facts, Seen
from records.fhir.shapes import (
    OURS,
    Resource,
    coding,
    concept,
    encounter,
    full,
    identifier,
    instant,
    own,
    period,
    practitioner,
    reference,
    resource,
    subject,
)

SCOPE: Final = "http://terminology.hl7.org/CodeSystem/consentscope"
EVENT: Final = "http://terminology.hl7.org/CodeSystem/audit-event-type"
_POLICY: Final = "https://www.ecfr.gov/current/title-42/chapter-I/subchapter-A/part-2"
_STATUS: Final = {
    "given": "active",
    "refused": "rejected",
    "unable": "inactive",
    "revoked": "inactive",
    "expired": "inactive",
}
_OUTCOMES: Final = {"allowed": "0", "refused": "4", "failed": "8"}
_CREATES: Final = frozenset({"record.add", "record.sign", "takeaway.make"})
_CHANGES: Final = frozenset(
    {
        "record.write_clinical",
        "person.write",
        "person.join",
        "person.apart",
        "disposition.record",
    }
)


def resources(facts: Facts) -> Iterator[Resource]:
    told = [
        one
        for one in facts.consents
        # that there is a consent about substance use tells already; so would one that it replaced
        if one.participant in DECIDE and (facts.consented or SUBSTANCES not in one.scope)
    ]
    for consent in told:
        yield _consent(facts, consent, replaced(consent, told))
    for seen in facts.seen:
        yield _audit(facts, seen)


def _consent(facts: Facts, one: Consent, over: bool) -> Resource:
    """What the person, or a guardian for them, decided. Others decide for themselves only."""
    given = one.method in GIVEN
    giver = subject(facts) if one.participant == "person" else {"display": one.giver or "Guardian"}
    return resource(
        "Consent",
        one.id,
        protected=SUBSTANCES in one.scope,
        identifier=[identifier("consent", one.id)],
        status="inactive" if over else _STATUS[one.state(facts.made_at)],
        scope=concept(coding(SCOPE, "patient-privacy", "Privacy Consent")),
        category=[own(facts, "consent_method", one.method)],
        patient=subject(facts),
        dateTime=instant(one.given_at),
        performer=[giver],
        organization=[reference("Organization", facts.provider.id, facts.provider.name)],
        policy=[{"uri": _POLICY}],
        verification=_signed(facts, one, giver),
        provision={
            "type": "permit" if given else "deny",
            "period": period(one.given_at, one.revoked_at or one.expires_at),
            "actor": [
                {
                    "role": concept(coding(f"{OURS}actor", "recipient"), text="Recipient"),
                    "reference": {
                        "display": facts.words("recipient", code)
                        + (f" ({one.recipient_name})" if one.recipient_name else "")
                    },
                }
                for code in one.recipients
            ],
            "purpose": [coding(f"{OURS}purpose", one.purpose, facts.words("purpose", one.purpose))],
            "class": [
                coding(f"{OURS}content", code, facts.words("content", code)) for code in one.scope
            ],
        },
    )


def _signed(facts: Facts, one: Consent, giver: Resource) -> list[Resource] | None:
    """That it was signed on the tablet, and when; the name that the person typed stays here."""
    if not one.signature:
        return None
    by = giver if one.participant == "person" else {"display": "Guardian"}
    return [{"verified": True, "verifiedWith": by, "verificationDate": instant(one.given_at)}]


def _audit(facts: Facts, seen: Seen) -> Resource:
    """One entry of the audit log; what kind it was is our own code."""
    wrote = seen.action in _CREATES or seen.action in _CHANGES
    code = "C" if seen.action in _CREATES else "U" if seen.action in _CHANGES else "R"
    return resource(
        "AuditEvent",
        str(seen.no),
        type=coding(EVENT, "rest", "RESTful Operation"),
        subtype=[coding(f"{OURS}action", seen.action)],
        action=code,
        recorded=instant(seen.at),
        outcome=_OUTCOMES.get(seen.outcome, "8"),
        agent=[
            full(
                {
                    "who": _who(facts, seen),
                    "requestor": True,
                    "type": concept(coding(f"{OURS}actor", seen.actor_kind), text=seen.actor_kind),
                }
            )
        ],
        source={
            "observer": {
                "identifier": identifier("system", "crisisbridge"),
                "display": "CrisisBridge",
            }
        },
        entity=[
            {
                "what": encounter(facts),
                "role": coding(
                    "http://terminology.hl7.org/CodeSystem/object-role",
                    "4" if not wrote else "3",
                    "Domain Resource" if not wrote else "Report",
                ),
            }
        ],
    )


def _who(facts: Facts, seen: Seen) -> Resource:
    """The actor as a resource of the Bundle where there is one, else by our own id."""
    if seen.actor_kind == "tablet":
        if facts.row.wellness:
            return {"display": "tablet"}
        if seen.actor_id == facts.row.tablet_id:
            return reference("Device", facts.row.tablet_id, facts.unit)
    known = practitioner(facts, seen.actor_id)
    if known is not None:
        return known
    if seen.actor_id is None:
        return {"display": seen.actor_kind}
    return {"identifier": identifier(seen.actor_kind, seen.actor_id)}
