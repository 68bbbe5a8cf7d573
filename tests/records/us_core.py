"""What US Core 6.1.0 asks of the resources that clinical.md names, as facts: paths and codes.

Read from the profiles' must-support and mandatory elements (and, for elements that USCDI alone asks
for, those as well). The profiles themselves are not to be had here: they are published by HL7's own
package registry, and neither PyPI, npm nor Debian carries them; the packages there that validate
profiles load them from that registry at run time. So the facts stand here, and each is checked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

VERSION: Final = "6.1.0"
CARE_PLAN: Final = "http://hl7.org/fhir/us/core/CodeSystem/careplan-category"
BASE: Final = "http://hl7.org/fhir/us/core/StructureDefinition/"


@dataclass(frozen=True)
class Profile:
    """`always`: mandatory. `known`: must be there when we know it. `not_held`: must-support too,
    but nothing here ever knows it, and why; a test sees that it really is nowhere."""

    kind: str
    always: str
    known: str = ""
    not_held: dict[str, str] = field(default_factory=dict)
    codes: dict[str, tuple[str, str]] = field(default_factory=dict)  # path -> system, code
    targets: dict[str, tuple[str, ...]] = field(default_factory=dict)  # references -> their kinds


NOWHERE = "the record has no field for it"
STREET = "the record has no street addresses of people, and of agencies county and state only"
ONE_TEXT = "a name is one text here; a data-absent-reason stands in its place"

PROFILES: Final[dict[str, Profile]] = {
    "us-core-patient": Profile(
        "Patient",
        "identifier identifier.system identifier.value name gender",
        "name.text birthDate communication communication.language",
        dict.fromkeys(("name.family", "name.given"), ONE_TEXT)
        | dict.fromkeys(("address", "address.state", "telecom", "telecom.value"), NOWHERE)
        | dict.fromkeys(("name.suffix", "name.period", "deceasedDateTime"), NOWHERE)
        | {"extension": "race, ethnicity, tribe, sex at birth and gender identity are not asked"},
    ),
    "us-core-encounter": Profile(
        "Encounter",
        "identifier.system identifier.value status class type subject",
        "identifier participant participant.type participant.period participant.individual period"
        " reasonCode hospitalization hospitalization.dischargeDisposition location"
        " location.location serviceProvider",
        {"reasonReference": "no diagnoses are made; reasonCode is the other choice"},
        {"class": ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "VR")},
        {
            "subject": ("Patient",),
            "participant.individual": ("Practitioner", "PractitionerRole", "RelatedPerson"),
            "location.location": ("Location",),
            "serviceProvider": ("Organization",),
        },
    ),
    "us-core-practitioner": Profile(
        "Practitioner",
        "identifier identifier.system identifier.value name name._family",
        "name.text qualification.code",
        dict.fromkeys(("telecom", "address", "address.state"), NOWHERE)
        | {"name.family": ONE_TEXT},
    ),
    "us-core-practitionerrole": Profile(
        "PractitionerRole",
        "telecom telecom.system",
        "practitioner organization code specialty telecom.value",
        {"location": "clinicians work from anywhere", "endpoint": NOWHERE},
        targets={"practitioner": ("Practitioner",), "organization": ("Organization",)},
    ),
    "us-core-organization": Profile(
        "Organization",
        "active name",
        "identifier identifier.system identifier.value telecom telecom.system telecom.value address"
        " address.state address.country",
        dict.fromkeys(("address.line", "address.city", "address.postalCode"), STREET),
    ),
    "us-core-location": Profile(
        "Location",
        "name",
        "status address address.state",
        dict.fromkeys(("address.line", "address.city", "address.postalCode"), STREET)
        | dict.fromkeys(("telecom", "managingOrganization"), "a county is nobody's to manage"),
    ),
    "us-core-questionnaireresponse": Profile(
        "QuestionnaireResponse",
        "questionnaire status subject authored item.linkId",
        "identifier author item item.text item.answer item.answer.valueString"
        " item.answer.valueCoding _questionnaire.extension",
        {
            "item.answer.valueDecimal": "no form asks for a decimal number",
            "item.answer.item": "forms hang questions beside each other, by conditions",
        },
        targets={"subject": ("Patient",), "author": ("Practitioner", "Organization", "Patient")},
    ),
    "us-core-observation-screening-assessment": Profile(
        "Observation",
        "status category code subject",
        "effectiveDateTime performer valueCodeableConcept derivedFrom",
        dict.fromkeys(("valueQuantity", "valueString"), "levels and answers are codes")
        | {"hasMember": "a level is derived from its response, not from a panel"},
        {"category": ("http://terminology.hl7.org/CodeSystem/observation-category", "survey")},
        {
            "subject": ("Patient",),
            "performer": ("Practitioner", "Organization", "Patient", "PractitionerRole"),
            "derivedFrom": ("QuestionnaireResponse", "Observation"),
        },
    ),
    "us-core-careplan": Profile(
        "CarePlan",
        "text text.status text.div status intent category subject activity.detail.status",
        "",
        codes={"category": (CARE_PLAN, "assess-plan")},
        targets={"subject": ("Patient",)},
    ),
    "us-core-servicerequest": Profile(
        "ServiceRequest",
        "status intent code subject",
        "category occurrenceDateTime authoredOn requester",
        {
            "reasonCode": "what speaks for the advice is in the forms",
            "reasonReference": "what speaks for the advice is in the forms",
        },
        targets={"subject": ("Patient",), "requester": ("Practitioner", "Organization")},
    ),
}  # fmt: skip
# named in clinical.md, and without a profile in 6.1.0 (Device: its one is for implants)
PLAIN_R4: Final = frozenset(
    {"Device", "RiskAssessment", "Task", "Consent", "Communication", "AuditEvent"}
)
NARRATIVE: Final = frozenset({"generated", "additional"})  # of CarePlan.text.status
