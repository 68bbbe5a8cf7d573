"""Who and where: Patient, Practitioner, PractitionerRole, Organization, Location, Device. Pure.

A name is one text with us, as it was typed. It is not taken apart into given and family names: we
would guess, and wrongly for many. US Core's way to say so is a data-absent-reason. The officer is
not among the practitioners; where an officer called for themselves, their employer, place and
device are left out, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from records import part2
from records.fhir.facts import Facts, House, Staff
from records.fhir.shapes import (
    ABSENT,
    OURS,
    Resource,
    coding,
    concept,
    identifier,
    own,
    reference,
    resource,
    subject_of,
)


def resources(facts: Facts) -> Iterator[Resource]:
    yield patient(facts)
    yield organization(facts.provider)
    for staff in facts.staff.values():
        yield practitioner(staff)
        yield role(facts, staff)
    if not facts.row.wellness:
        yield organization(facts.agency)
        yield location(facts)
        yield device(facts)


def patient(facts: Facts) -> Resource:
    person = facts.person
    name: Resource = {"use": "usual", "text": person.name}
    reason = "unsupported"  # we keep the name as one text
    if not person.name:
        reason = "asked-unknown" if person.alias else "unknown"
        name = {"use": "anonymous", "text": person.alias}
    language = facts.row.language
    return resource(
        "Patient",
        subject_of(facts),
        profile="us-core-patient",
        identifier=[identifier("subject", subject_of(facts), use="secondary")],
        name=[name | _absent(reason)],
        gender="unknown",  # nobody asks
        birthDate=person.born,
        communication=[
            {
                "language": concept(
                    coding("urn:ietf:bcp:47", language, facts.words("language", language))
                ),
                "preferred": True,
            }
        ]
        if language
        else None,
    )


def practitioner(staff: Staff) -> Resource:
    licences = [
        {
            "identifier": [
                {
                    "system": f"{OURS}licence:{one.state.lower()}",
                    "value": one.number,
                }
            ],
            "code": concept(text=f"{one.type}, {one.state}"),
        }
        for one in staff.licences
        if one.number
    ]
    return resource(
        "Practitioner",
        staff.id,
        profile="us-core-practitioner",
        identifier=[identifier("person", staff.id)],
        name=[{"use": "usual", "text": staff.name, "_family": _absent("unsupported")}],
        qualification=licences,
    )


def role(facts: Facts, staff: Staff) -> Resource:
    house = facts.provider
    first = staff.licences[0].type if staff.licences else None
    return resource(
        "PractitionerRole",
        staff.id,
        profile="us-core-practitionerrole",
        practitioner=reference("Practitioner", staff.id, staff.name),
        organization=reference("Organization", house.id, house.name),
        code=[concept(coding(f"{OURS}role", "clinician", "Crisis clinician"), text=first)],
        specialty=[
            own(facts, "speciality", code)
            for code in staff.specialities
            if facts.consented or code not in part2.SPECIALITIES
        ],
        telecom=[{"system": "phone", "value": house.phone, "use": "work"}]
        if house.phone
        else [{"system": "phone", "_value": _absent("unknown")}],
    )


def organization(house: House) -> Resource:
    return resource(
        "Organization",
        house.id,
        profile="us-core-organization",
        identifier=[identifier("organization", house.id)],
        active=True,
        name=house.name,
        telecom=[{"system": "phone", "value": house.phone}] if house.phone else None,
        address=[{"district": house.county, "state": house.state, "country": "US"}]
        if house.state
        else None,
    )


def location(facts: Facts) -> Resource:
    """The county of the incident: no street and no position is known to us."""
    county, state = facts.place
    return resource(
        "Location",
        facts.row.id,
        profile="us-core-location",
        status="active",
        name=", ".join(part for part in (county, state) if part) or "unknown",
        mode="instance",
        address={"district": county, "state": state, "country": "US"},
    )


def device(facts: Facts) -> Resource:
    return resource(
        "Device",
        facts.row.tablet_id,
        identifier=[identifier("tablet", facts.row.tablet_id)],
        status="active",
        deviceName=[{"name": facts.unit, "type": "user-friendly-name"}],
        type=concept(
            coding(f"{OURS}device", "tablet", "Officer's tablet"), text="Officer's tablet"
        ),
        owner=reference("Organization", facts.agency.id, facts.agency.name),
    )


def _absent(reason: str) -> Resource:
    return {"extension": [{"url": ABSENT, "valueCode": reason}]}
