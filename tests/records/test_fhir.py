"""A session as a FHIR R4 Bundle: valid, with US Core's must-haves, and silent without consent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from records import instruments, part2
from records.consent_rules import CONTENT, NOTICE, SUBSTANCES, Consent, Cover
from records.fhir.bundle import WITHOUT, build
from records.fhir.facts import Facts, House, Staff
from records.identity_rules import Identity
from records.vocabulary import CLOSE_REASONS, DISPOSITIONS, TILES
from tests.records import us_core
from tests.records.cast import NOW
from tests.records.fhir_cast import COVER, DANA, MIGUEL, PLAIN, REFUSED, SECRET, facts, form, row
from tests.records.us_core import PROFILES

# R4 4.0.1, bindings of strength "required": element -> codes
REQUIRED = {
    "AuditEvent.action": "C R U D E",
    "AuditEvent.outcome": "0 4 8 12",
    "Bundle.type": "collection",
    "CarePlan.activity.detail.status": "in-progress not-started scheduled completed unknown",
    "CarePlan.intent": "proposal plan order option",
    "CarePlan.status": "draft active on-hold revoked completed entered-in-error unknown",
    "Communication.status": "preparation in-progress not-done on-hold stopped completed",
    "Composition.attester.mode": "personal professional legal official",
    "Composition.status": "preliminary final amended entered-in-error",
    "Consent.status": "draft proposed active rejected inactive entered-in-error",
    "Consent.provision.type": "deny permit",
    "Device.status": "active inactive entered-in-error unknown",
    "Encounter.status": "planned arrived triaged in-progress onleave finished cancelled"
    " entered-in-error unknown",
    "Location.mode": "instance kind",
    "Location.status": "active suspended inactive",
    "Observation.status": "registered preliminary final amended corrected cancelled unknown",
    "Patient.gender": "male female other unknown",
    "Patient.name.use": "usual official temp nickname anonymous old maiden",
    "QuestionnaireResponse.status": "in-progress completed amended entered-in-error stopped",
    "RiskAssessment.status": "registered preliminary final amended corrected cancelled unknown",
    "ServiceRequest.intent": "proposal plan directive order",
    "ServiceRequest.priority": "routine urgent asap stat",
    "ServiceRequest.status": "draft active on-hold revoked completed entered-in-error unknown",
    "Task.intent": "unknown proposal plan order",
    "Task.priority": "routine urgent asap stat",
    "Task.status": "draft requested received accepted rejected ready cancelled in-progress on-hold"
    " failed completed entered-in-error",
}

NAMED = {  # clinical.md, "Interchange"
    "Encounter", "Patient", "Practitioner", "PractitionerRole", "Device", "QuestionnaireResponse",
    "Observation", "RiskAssessment", "CarePlan", "ServiceRequest", "Task", "Consent",
    "Communication", "AuditEvent",
}  # fmt: skip
TELL = re.compile(
    rf"{SECRET}|overdose|naloxone|opioid|substance.use.{{0,20}}yes|detox|audit-c|42CFR|con_signed"
    r"|lead_referral|72109|impaired|NORDSCLCD|Part ?2",
    re.IGNORECASE,
)


ASKED_OF_ALL = "an injury, an overdose or another medical emergency"  # a question, to everybody


def spoken(bundle: dict[str, Any]) -> str:
    """The Bundle as text, without the sentences that stand in each of them."""
    return json.dumps(bundle).replace(WITHOUT, "").replace(ASKED_OF_ALL, "")


def of(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    found = [one["resource"] for one in bundle["entry"]]
    return [one for one in found if one["resourceType"] == kind]


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from nodes(one)
    elif isinstance(value, list):
        for one in value:
            yield from nodes(one)


def at(value: Any, path: str) -> list[Any]:
    """What stands at a path, through lists."""
    found = [value]
    for part in path.split("."):
        flat = [each for one in found for each in (one if isinstance(one, list) else [one])]
        found = [one[part] for one in flat if isinstance(one, dict) and part in one]
    return [each for one in found for each in (one if isinstance(one, list) else [one])]


def valid(bundle: dict[str, Any]) -> None:
    """R4: structure and cardinality by the R4B line of fhir.resources, which is R4 for all of the
    resources here; codes of required bindings; every reference leads somewhere; ids are unique."""
    Bundle.model_validate_json(json.dumps(bundle))
    urls = [one["fullUrl"] for one in bundle["entry"]]
    assert len(set(urls)) == len(urls)
    by_url = {one["fullUrl"]: one["resource"]["resourceType"] for one in bundle["entry"]}
    for node in nodes(bundle):
        if isinstance(node.get("reference"), str):
            assert by_url[node["reference"]] == node["type"]
        assert all(value not in (None, "", [], {}) for value in node.values())
    for path, codes in REQUIRED.items():
        kind, _, rest = path.partition(".")
        found = [bundle] if kind == "Bundle" else of(bundle, kind)
        assert {code for one in found for code in at(one, rest)} <= set(codes.split()), path


def profiled(bundle: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The resources that say they are of a profile."""
    url = f"{us_core.BASE}{name}|{us_core.VERSION}"
    return [one for one in of(bundle, PROFILES[name].kind) if url in at(one, "meta.profile")]


def must_haves(bundle: dict[str, Any]) -> None:
    """Each resource that says it is of a profile has what the profile asks of it."""
    by_url = {one["fullUrl"]: one["resource"]["resourceType"] for one in bundle["entry"]}
    claimed = 0
    for name, profile in PROFILES.items():
        for one in profiled(bundle, name):
            claimed += 1
            for path in profile.always.split():
                above = path.rpartition(".")[0]
                assert at(one, path) or (above and not at(one, above)), (name, path)
            for path, (system, code) in profile.codes.items():
                found = [node for node in nodes(at(one, path)) if "code" in node]
                assert (system, code) in {(node.get("system"), node["code"]) for node in found}
            for path, kinds in profile.targets.items():
                for target in at(one, path):
                    assert by_url[target["reference"]] in kinds, (name, path)
    assert claimed == len(at(bundle, "entry.resource.meta.profile")), "no profile is unknown here"
    absent = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
    for one in of(bundle, "Patient"):
        for name in one["name"]:
            parts = "family" in name or "given" in name
            assert parts != (absent in at(name, "extension.url"))  # us-core-6
    for one in of(bundle, "Practitioner"):
        assert at(one, "name._family.extension.url") == [absent]
    for one in of(bundle, "PractitionerRole"):
        for way in one["telecom"]:  # pd-1
            assert way.get("value") or at(way, "_value.extension.url") == [absent]
    for one in of(bundle, "CarePlan"):
        assert one["text"]["status"] in us_core.NARRATIVE
    for one in of(bundle, "Observation"):
        said = [key for key in one if key.startswith("value")]
        assert said or "component" in one or "dataAbsentReason" in one  # us-core-2
        assert not (said and "dataAbsentReason" in one)  # obs-6


@pytest.mark.parametrize("cover", [None, COVER], ids=["no consent", "with consent"])
def test_the_bundle_is_valid_r4_with_us_cores_must_haves_and_every_resource_that_is_asked_for(
    cover: Cover | None,
) -> None:
    bundle = build(facts(cover=cover))
    valid(bundle)
    must_haves(bundle)
    assert {one["resource"]["resourceType"] for one in bundle["entry"]} >= NAMED
    assert {one.kind for one in PROFILES.values()} | us_core.PLAIN_R4 >= NAMED
    for name, profile in PROFILES.items():
        found = profiled(bundle, name)
        assert found, name
        for path in [*profile.always.split(), *profile.known.split()]:
            assert any(at(one, path) for one in found), (name, path)
        for path in profile.not_held:
            assert not any(at(one, path) for one in found if path != "extension"), (name, path)
    for kind in us_core.PLAIN_R4:
        assert not at(of(bundle, kind), "meta.profile"), kind


# what we may not know of a session -> the path that has it when we do
KNOWN: dict[str, tuple[str, str, dict[str, Any]]] = {
    "born": ("us-core-patient", "birthDate", {"person": Identity("Doe, John", "", "")}),
    "name": ("us-core-patient", "name.text", {"person": Identity("", "1990-02-03", "")}),
    "language": ("us-core-patient", "communication.language", {"row": row(language=None)}),
    "disposition": (
        "us-core-encounter", "hospitalization.dischargeDisposition",
        {"row": row(actual_disposition=None)},
    ),
    "reasons": ("us-core-encounter", "reasonCode", {"row": row(intake=("adult",))}),
    "leader": ("us-core-encounter", "participant.individual", {"row": row(lead_id=None)}),
    "phone": (
        "us-core-practitionerrole", "telecom.value",
        {"provider": House("prv_1", "Plains Crisis Care", "")},
    ),
    "speciality": (
        "us-core-practitionerrole", "specialty", {"staff": {DANA: Staff(DANA, "Dana"),
        MIGUEL: Staff(MIGUEL, "Miguel")}},
    ),
    "licence": (
        "us-core-practitioner", "qualification.code", {"staff": {DANA: Staff(DANA, "Dana"),
        MIGUEL: Staff(MIGUEL, "Miguel")}},
    ),
    "state": (
        "us-core-location", "address.state",
        {"row": row(place_county=None, place_state=None),
         "agency": House("agy_1", "Sheriff", "", "", "")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", KNOWN)
def test_what_is_known_is_in_its_resource_and_what_is_not_known_breaks_no_must_have(
    what: str,
) -> None:
    name, path, unknown = KNOWN[what]
    assert any(at(one, path) for one in profiled(build(facts()), name))
    without = build(facts(**unknown))
    valid(without)
    must_haves(without)
    assert not any(at(one, path) for one in profiled(without, name))


def test_the_check_itself_misses_what_is_taken_away() -> None:
    for name, profile in PROFILES.items():
        for path in profile.always.split():
            bundle = build(facts(cover=COVER))
            for one in profiled(bundle, name):
                above, _, last = path.rpartition(".")
                for node in at(one, above) if above else [one]:
                    node.pop(last, None)
            with pytest.raises((AssertionError, KeyError)):
                must_haves(bundle)


def test_a_clinicians_speciality_in_substance_use_is_told_with_consent_only() -> None:
    staff = {DANA: Staff(DANA, "Dana", specialities=("psychosis", "substance_use")),
             MIGUEL: Staff(MIGUEL, "Miguel")}  # fmt: skip
    for cover, told in ((None, ["psychosis"]), (COVER, ["psychosis", "substance_use"])):
        roles = of(build(facts(staff=staff, cover=cover)), "PractitionerRole")
        assert at(roles, "specialty.coding.code") == told


@pytest.mark.parametrize(
    ("kind", "element", "value"),
    [
        ("Encounter", "actualPeriod", {"start": "2026-01-01"}),  # R5's name
        ("Encounter", "status", None),
        ("Patient", "birthDate", "03.02.1990"),
        ("Task", "intent", None),
    ],
)
def test_the_check_refuses_what_is_not_r4(kind: str, element: str, value: object) -> None:
    bundle = build(facts())
    [one, *_] = of(bundle, kind)
    if value is None:
        del one[element]
    else:
        one[element] = value
    with pytest.raises(ValidationError):
        valid(bundle)


def test_without_consent_nothing_tells_of_substance_use_whatever_was_answered() -> None:
    assert TELL.search(spoken(build(facts()))) is None
    told = json.dumps(build(facts(cover=COVER)))
    for words in (SECRET, "overdose", "leave_naloxone", "naloxone_delivery", "Dry Dock", "72109-2"):
        assert words in told, words


def test_a_cover_without_substance_use_in_its_scope_opens_nothing() -> None:
    narrow = Cover((replace(PLAIN, method="signed", scope=("identity", "clinical")),))
    assert build(facts(cover=narrow)) == build(facts())


def test_without_consent_the_bundle_is_the_same_whether_there_was_anything_to_leave_out() -> None:
    """42 CFR 2.13(c): that there is such a record must not be told, by a gap or by a sentence."""
    full = facts()
    card = replace(
        full.card,  # type: ignore[type-var]
        sent_card={
            **full.card.sent_card,  # type: ignore[union-attr,dict-item]
            "actions": full.card.sent_card["actions"][:1],  # type: ignore[union-attr,index]
            "resources": full.card.sent_card["resources"][:1],  # type: ignore[union-attr,index]
        },
    )
    plain = {
        link: value
        for link, value in full.forms[0].row.answers.items()
        if link not in full.forms[0].hidden
    }
    without = facts(
        row=row(intake=("adult", "suicidal"), flags=row().flags & ~8, opioid="unknown"),
        forms=[
            form("field-safety", **plain),
            *(one for one in full.forms[1:] if not one.form.about_substances),
        ],
        card=card,
        tasks=[one for one in full.tasks if one.row.kind not in part2.FOLLOWUPS],
        consents=full.consents[:2],
        addenda=[],
    )
    assert build(without) == build(full)


def test_a_consent_that_was_replaced_is_inactive_but_not_by_one_that_is_left_out() -> None:
    later = replace(PLAIN, id="con_later", given_at=PLAIN.given_at + 1)
    about = replace(later, id="con_about", method="signed", scope=CONTENT)

    def states(*said: Consent, cover: Cover | None = None) -> list[str]:
        return at(of(build(facts(consents=said, cover=cover)), "Consent"), "status")

    assert states(PLAIN, later) == ["inactive", "active"]
    assert states(PLAIN, about) == states(PLAIN) == ["active"]
    assert states(PLAIN, about, cover=COVER) == ["inactive", "active"]
    refusal = replace(REFUSED, participant="guardian", purpose="treatment")
    assert states(PLAIN, refusal)[0] == "inactive"


def test_a_signature_is_verified_without_its_name_and_goes_only_where_its_consent_goes() -> None:
    signed = replace(
        PLAIN, id="con_typed", method="signed", scope=CONTENT, signature="Maria Stone",
        given_at=PLAIN.given_at + 1,
    )  # fmt: skip
    assert "con_typed" not in json.dumps(build(facts(consents=[PLAIN, signed])))
    bundle = build(facts(consents=[PLAIN, signed], cover=COVER))
    assert at(of(bundle, "Consent"), "verification.verified") == [True]
    assert "Maria Stone" not in json.dumps(bundle)


def test_with_consent_the_notice_and_the_consents_scope_travel_and_protected_parts_are_marked() -> (
    None
):
    bundle = build(facts(cover=COVER))
    cover = bundle["entry"][0]["resource"]
    assert cover["resourceType"] == "Composition"
    div = cover["section"][0]["text"]["div"]
    assert NOTICE in div
    assert "con_signed" in div
    assert "Prairie General" in div
    assert "42CFRPart2" in at(bundle, "meta.security.code")
    marked = {
        one["resourceType"]
        for one in (entry["resource"] for entry in bundle["entry"])
        if "42CFRPart2" in at(one, "meta.security.code")
    }
    assert marked >= {"QuestionnaireResponse", "Observation", "RiskAssessment", "Task", "Consent"}
    assert "Patient" not in marked
    assert NOTICE not in json.dumps(build(facts()))


def test_a_level_is_computed_anew_without_the_answers_that_are_left_out() -> None:
    """Severely impaired alone makes a moderate level; without it the form is only incomplete."""
    [computed, judged] = [
        one
        for one in of(build(facts()), "RiskAssessment")
        if "field" in json.dumps(one) or "judge" in json.dumps(one)
    ]
    assert at(computed, "prediction.qualitativeRisk.coding.code") == ["incomplete"]
    assert computed["status"] == "preliminary"
    assert at(judged, "prediction.qualitativeRisk.coding.code") == ["moderate", "moderate"]
    assert "rationale" not in judged["prediction"][0]
    [computed, *_] = of(build(facts(cover=COVER)), "RiskAssessment")
    assert at(computed, "prediction.qualitativeRisk.coding.code")[0] == "moderate"


def test_a_question_that_a_later_version_protects_is_protected_in_the_older_one_too() -> None:
    old = instruments.shipped()["field-safety", "1.0"]
    assert old.protected == frozenset()
    assert "impaired" in part2.hidden(old, instruments.shipped().values())
    answers = {"impaired": "severe", "thoughts": "no"}
    silent = build(facts(forms=[form("field-safety", "1.0", **answers)]))
    assert "severe" not in json.dumps(silent)


def test_a_risk_points_at_the_response_that_it_is_based_on_and_judgement_stands_beside_it() -> None:
    bundle = build(facts(cover=COVER))
    by_url = {one["fullUrl"]: one["resource"] for one in bundle["entry"]}
    computed, judged = of(bundle, "RiskAssessment")[:2]
    basis = [by_url[one["reference"]]["resourceType"] for one in computed["basis"]]
    assert basis == ["QuestionnaireResponse", "Observation"]
    assert by_url[judged["parent"]["reference"]] == computed
    assert SECRET in judged["prediction"][0]["rationale"]


def test_a_follow_up_is_a_task_with_its_due_time_and_each_attempt() -> None:
    bundle = build(facts())
    by_url = {one["fullUrl"]: one["resource"] for one in bundle["entry"]}
    task, arrival = of(bundle, "Task")
    assert task["restriction"]["period"]["end"] == "2026-09-22T14:13:20.000Z"
    tried = [by_url[one["valueReference"]["reference"]] for one in task["output"]]
    assert [one["status"] for one in tried] == ["not-done", "completed"]
    assert at(tried[0], "statusReason.coding.code") == ["no_answer"]
    assert (task["status"], arrival["status"]) == ("in-progress", "cancelled")
    assert at(arrival, "statusReason.coding.code") == ["declined"]


def test_the_encounter_has_our_ids_and_the_dispatch_number() -> None:
    [encounter] = of(build(facts()), "Encounter")
    found = {one["system"]: one["value"] for one in encounter["identifier"]}
    assert found == {
        "urn:crisisbridge:session": "ses_1",
        "urn:crisisbridge:session-code": "482913",
        "urn:crisisbridge:cad:agy_1": "2026-004711",
    }
    [without] = of(build(facts(case_number=None)), "Encounter")
    assert len(without["identifier"]) == 2


def test_an_officer_who_called_for_themselves_is_not_given_away_by_their_employer() -> None:
    bundle = build(facts(row=row(wellness=True)))
    valid(bundle)
    text = json.dumps(bundle)
    for words in ("Prairie County Sheriff", "Unit 12", "tab_1", "agy_1", "per_sam", "2026-004711"):
        assert words not in text, words
    assert not of(bundle, "Device")


def test_what_somebody_typed_is_text_and_never_markup() -> None:
    [plan] = of(build(facts()), "CarePlan")
    assert "Sleeping badly &lt;b&gt;" in plan["text"]["div"]
    bundle = build(facts(cover=COVER))
    assert "&amp; more" in bundle["entry"][0]["resource"]["section"][1]["text"]["div"]


def test_the_same_session_gives_the_same_ids_each_time() -> None:
    first, later = build(facts()), build(facts(made_at=NOW + 200_000))
    assert [one["fullUrl"] for one in first["entry"]] == [one["fullUrl"] for one in later["entry"]]


def test_the_columbia_screener_has_loincs_codes_for_its_answers_and_its_level() -> None:
    items = [
        {
            "linkId": name, "type": "choice", "text": name, "required": True,
            "code": [{"system": "http://loinc.org", "code": code}],
            "answerOption": [
                {"valueCoding": {"system": "urn:crisisbridge:answer", "code": one}}
                for one in ("yes", "no")
            ],
        }
        for name, code in (("wish", "93246-7"), ("intent", "93249-1"))
    ]  # fmt: skip
    body = {
        "resourceType": "Questionnaire", "id": "site-cssrs", "version": "1", "title": "Screener",
        "url": "https://clinic.example.org/q", "item": items,
        "extension": [{"url": "urn:crisisbridge:scoring-rule", "valueCode": "cssrs-screener"}],
    }  # fmt: skip
    site = instruments.questionnaire.Instrument("site-cssrs", "1", body)
    base = form("bars")
    answers = {"wish": "yes", "intent": "yes"}
    stored = replace(
        base.row, instrument="site-cssrs", instrument_version="1", answers=answers,
        result=site.score(answers),
    )  # fmt: skip
    bundle = build(facts(forms=[replace(base, row=stored, form=site)]))
    valid(bundle)
    level, wish, intent = of(bundle, "Observation")[1:]
    assert "93374-7" in at(level, "code.coding.code")
    assert "LA9193-9" in at(level, "valueCodeableConcept.coding.code")
    assert at(wish, "code.coding.code") == ["93246-7"]
    assert "LA33-6" in at(intent, "valueCodeableConcept.coding.code")
    [response] = of(bundle, "QuestionnaireResponse")
    assert response["questionnaire"] == "https://clinic.example.org/q|1"


def test_five_steps_end_in_a_level_that_the_clinician_answers_for() -> None:
    bundle = build(facts(forms=[form("suicide-assessment")], cover=COVER))
    valid(bundle)
    levels = [one for one in of(bundle, "Observation") if "93374-7" in at(one, "code.coding.code")]
    assert "LA6751-7" in at(levels[0], "valueCodeableConcept.coding.code")
    [risk] = of(bundle, "RiskAssessment")
    assert at(risk, "method.coding.code") == ["safe-t-1"]
    assert at(risk, "performer.display") == ["Dana Whitefeather"]
    assert f"plan, and {SECRET}" in at(risk, "prediction.rationale")[0]
    silent = build(facts(forms=[form("suicide-assessment")]))
    assert SECRET not in spoken(silent)
    assert "moderate" in str(of(silent, "RiskAssessment")), "at least, without what is left out"


@st.composite
def sessions_of_any_kind(draw: st.DrawFn) -> Facts:
    """Sessions in any state, with anything missing, and names that hold any letter."""
    state = draw(st.sampled_from(("waiting", "connected", "wrap_up", "closed")))
    text = st.text(max_size=20)
    whole = facts()
    reached = {
        name: draw(st.none() | st.floats(NOW, NOW + 5000))
        for name in ("accepted_at", "media_at", "ended_at", "recommended_at", "closed_at")
    }
    return facts(
        row=row(
            state=state,
            close_reason=draw(st.sampled_from(CLOSE_REASONS)) if state == "closed" else None,
            lead_id=draw(st.sampled_from((None, DANA, "per_gone"))),
            intake=tuple(draw(st.sets(st.sampled_from(TILES)))),
            actual_disposition=draw(st.none() | st.sampled_from(DISPOSITIONS)),
            recommended_disposition=draw(st.none() | st.sampled_from(DISPOSITIONS)),
            flags=draw(st.integers(0, 255)),
            otherwise=draw(st.none() | st.just("medical_ed")),
            language=draw(st.none() | st.just("lkt")),
            wellness=draw(st.booleans()),
            **reached,
        ),
        person=draw(st.builds(Identity, name=text, born=st.just(""), alias=text)),
        subject_id=draw(st.none() | st.just("sub_9")),
        case_number=draw(st.none() | st.just("=1+1")),
        forms=draw(st.lists(st.sampled_from(list(whole.forms)), unique_by=lambda one: one.row.id)),
        card=draw(st.none() | st.just(whole.card)),
        tasks=draw(st.sampled_from([[], whole.tasks])),
        signature=draw(st.none() | st.just(whole.signature)),
        cover=draw(st.none() | st.just(COVER)),
    )


@settings(max_examples=60, deadline=None)
@given(sessions_of_any_kind())
def test_whatever_is_missing_the_bundle_is_valid_and_silent_without_consent(one: Facts) -> None:
    bundle = build(one)
    valid(bundle)
    must_haves(bundle)
    if one.cover is None or SUBSTANCES not in one.cover.scope:
        typed = (one.person.name, one.person.alias)
        text = spoken(bundle)
        for words in typed:
            text = text.replace(json.dumps(words)[1:-1], "") if words.strip() else text
        assert TELL.search(text) is None
