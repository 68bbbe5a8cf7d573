"""The Encounter, and what was said about it beside its disposition. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from records import part2
from records.fhir.facts import Facts
from records.fhir.shapes import (
    ACT_CODE,
    CATEGORY,
    OURS,
    PARTICIPATION,
    Resource,
    coding,
    concept,
    encounter,
    identifier,
    instant,
    own,
    period,
    practitioner,
    reference,
    resource,
    subject,
)
from records.flags import codes_of
from records.vocabulary import CLINICIAN_FLAGS, OFFICER_FLAGS

_STATUS: Final = {
    "waiting": "arrived",
    "answering": "arrived",
    "connected": "in-progress",
    "recovering": "in-progress",
    "wrap_up": "finished",
}
_NOT_REASONS: Final = frozenset({"adult", "juvenile"})


def resources(facts: Facts) -> Iterator[Resource]:
    yield _encounter(facts)
    said = _said(facts)
    if said is not None:
        yield said


def _encounter(facts: Facts) -> Resource:
    row = facts.row
    lead = practitioner(facts, row.lead_id)
    tiles = [
        tile
        for tile in row.intake
        if tile not in _NOT_REASONS and (facts.consented or tile not in part2.TILES)
    ]
    span = period(row.pressed_at, row.ended_at or row.closed_at)
    return resource(
        "Encounter",
        row.id,
        profile="us-core-encounter",
        protected=any(tile in part2.TILES for tile in tiles),
        identifier=[
            identifier("session", row.id),
            identifier("session-code", row.code, use="secondary"),
            *_case(facts),
        ],
        status=_status(facts),
        class_=coding(ACT_CODE, "VR", "virtual"),
        type=[own(facts, "encounter", "virtual_crisis_care")],
        subject=subject(facts),
        participant=[
            {
                "type": [concept(coding(PARTICIPATION, "PPRF", "primary performer"))],
                "period": period(row.accepted_at, row.ended_at),
                "individual": lead,
            }
        ]
        if lead
        else None,
        period=span,
        reasonCode=[own(facts, "tile", tile) for tile in tiles],
        hospitalization={"dischargeDisposition": own(facts, "disposition", row.actual_disposition)}
        if row.actual_disposition
        else None,
        location=None
        if row.wellness
        else [{"location": reference("Location", row.id), "period": span}],
        serviceProvider=reference("Organization", facts.provider.id, facts.provider.name),
    )


def _status(facts: Facts) -> str:
    row = facts.row
    if row.state != "closed":
        return _STATUS[row.state]
    if row.close_reason == "duplicate":
        return "entered-in-error"
    return "finished" if row.media_at is not None or row.lead_id is not None else "cancelled"


def _case(facts: Facts) -> list[Resource]:
    """The number under which the agency's dispatch knows the incident, as somebody typed it."""
    if not facts.case_number or facts.row.wellness:
        return []
    return [
        {
            "use": "secondary",
            "type": {"text": "CAD incident number"},
            "system": f"{OURS}cad:{facts.agency.id}",
            "value": facts.case_number,
            "assigner": reference("Organization", facts.agency.id, facts.agency.name),
        }
    ]


def _said(facts: Facts) -> Resource | None:
    """Flags, and what would have happened without the call: an Observation with components.

    A side that has said nothing yet has said neither yes nor no.
    """
    row, components = facts.row, list[Resource]()
    if row.otherwise:
        components.append(
            {
                "code": concept(coding(f"{OURS}observation", "otherwise"), text="Without the call"),
                "valueCodeableConcept": own(facts, "otherwise", row.otherwise),
            }
        )
    told = set(codes_of(row.flags))
    asked = (OFFICER_FLAGS if row.actual_disposition else ()) + (
        CLINICIAN_FLAGS if row.state == "closed" and row.recommended_disposition else ()
    )
    components += [
        {"code": own(facts, "flag", flag), "valueBoolean": flag in told}
        for flag in asked
        if facts.consented or flag not in part2.FLAGS
    ]
    if facts.consented:
        components.append(
            {
                "code": concept(coding(f"{OURS}observation", "opioid"), text="About opioids"),
                "valueCodeableConcept": own(facts, "opioid", row.opioid),
            }
        )
    if not components:
        return None
    return resource(
        "Observation",
        f"said/{row.id}",
        protected=facts.consented,
        status="final" if row.state == "closed" else "preliminary",
        category=[concept(coding(CATEGORY, "survey", "Survey"))],
        code=concept(
            coding(f"{OURS}observation", "flags"), text="What else is true of the session"
        ),
        subject=subject(facts),
        encounter=encounter(facts),
        effectiveDateTime=instant(row.ended_at or row.pressed_at),
        performer=[reference("Organization", facts.provider.id, facts.provider.name)],
        component=components,
    )
