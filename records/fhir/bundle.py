"""The whole Bundle: a cover that says what is in it, then every resource. Pure.

Without consent the cover says the same whether there was anything to leave out or not: that a
record has such a part at all is protected, too (42 CFR 2.13(c)).
"""

from __future__ import annotations

from typing import Final

from records.consent_rules import NOTICE
from records.fhir import assessments, people, trail, visit, work
from records.fhir.facts import Facts
from records.fhir.shapes import (
    LOINC,
    OURS,
    PART_2,
    RESTRICTED,
    Resource,
    coding,
    concept,
    encounter,
    full,
    instant,
    key,
    narrative,
    practitioner,
    reference,
    resource,
    subject,
)

EPISODE_NOTE: Final = "34133-9"  # LOINC: summary of episode note
WITHOUT: Final = "Nothing about substance use is given out here without the person's consent."


def build(facts: Facts) -> Resource:
    """The session as a collection; its first entry is a Composition that says what it is."""
    found = [
        *people.resources(facts),
        *visit.resources(facts),
        *assessments.resources(facts),
        *work.resources(facts),
        *trail.resources(facts),
    ]
    entries = [_cover(facts), *found]
    labels = [RESTRICTED, PART_2] if facts.consented else [RESTRICTED]
    return dict(
        full(
            {
                "resourceType": "Bundle",
                "id": key("Bundle", facts.row.id),
                "meta": {"lastUpdated": instant(facts.made_at), "security": labels},
                "identifier": {"system": f"{OURS}session", "value": facts.row.id},
                "type": "collection",
                "timestamp": instant(facts.made_at),
                "entry": [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in entries],
            }
        )
    )


def _cover(facts: Facts) -> Resource:
    row, signed = facts.row, facts.signature
    notice = [NOTICE, *_scopes(facts)] if facts.consented else [WITHOUT]
    sections = [
        {
            "title": "Notice",
            "code": concept(coding(f"{OURS}section", "notice"), text="Notice"),
            "text": narrative(notice),
        }
    ]
    if facts.consented and facts.addenda:  # free text: unknown counts as protected
        sections.append(
            {
                "title": "Addenda to the signed note",
                "code": concept(coding(f"{OURS}section", "addenda"), text="Addenda"),
                "text": narrative([f"{instant(one.at)} {one.body}" for one in facts.addenda]),
            }
        )
    return resource(
        "Composition",
        row.id,
        protected=facts.consented,
        identifier={"system": f"{OURS}session", "value": row.id},
        status="final" if signed is not None else "preliminary",
        type=concept(coding(LOINC, EPISODE_NOTE), text="Crisis session"),
        subject=subject(facts),
        encounter=encounter(facts),
        date=instant(facts.made_at),
        author=[
            practitioner(facts, row.lead_id)
            or reference("Organization", facts.provider.id, facts.provider.name)
        ],
        title="Crisis session",
        confidentiality="R",
        attester=[
            {
                "mode": "professional",
                "time": instant(signed.signed_at),
                "party": practitioner(facts, signed.signer_id),
            }
        ]
        if signed is not None
        else None,
        custodian=reference("Organization", facts.provider.id, facts.provider.name),
        section=sections,
    )


def _scopes(facts: Facts) -> list[str]:
    """To whom and for what the covering consents reach: it travels with what they let out."""
    if facts.cover is None:
        return []
    scope = ", ".join(facts.words("content", code) for code in facts.cover.scope)
    return [
        f"Consent {one.id} of {instant(one.given_at)}, until {instant(one.expires_at)}: "
        f"{facts.words('purpose', one.purpose)}; to "
        f"{', '.join(facts.words('recipient', code) for code in one.recipients)}"
        + (f" ({one.recipient_name})" if one.recipient_name else "")
        + f"; {scope}"
        for one in facts.cover.consents
    ]
