"""Forms: QuestionnaireResponse, Observations of what was computed, RiskAssessment, CarePlan. Pure.

Without consent a protected answer is not there, and what was computed is computed anew without it,
so that no level tells of an answer that is left out: a question without an answer makes a form
incomplete, never somebody safer. Forms about substances are left out whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from records.assessments import SAFETY_PLAN
from records.fhir.facts import Facts, Form
from records.fhir.shapes import (
    CATEGORY,
    DISPLAY,
    LOINC,
    OURS,
    Resource,
    coding,
    concept,
    encounter,
    identifier,
    instant,
    narrative,
    own,
    practitioner,
    reference,
    resource,
    subject,
    words,
)
from records.instruments.questionnaire import Item
from records.scoring import INCOMPLETE, UNANSWERED

PLAN_LOINC: Final = "87626-8"
ASSESS_PLAN: Final = "http://hl7.org/fhir/us/core/CodeSystem/careplan-category"
PROBABILITY: Final = "http://terminology.hl7.org/CodeSystem/risk-probability"
LEVEL_LOINC: Final = "93374-7"  # suicide risk level by C-SSRS, answers of LL465-6

# rules whose level is a risk; the others say how somebody is, or what was agreed
RISKS: Final = frozenset({"field-safety-1", "cssrs-screener", "safe-t-1", "asq", "overdose-1"})
_SUICIDE: Final = frozenset({"cssrs-screener", "safe-t-1"})  # whose level LOINC has a code for
_LOINC_LEVELS: Final = {"low": "LA9194-7", "moderate": "LA6751-7", "high": "LA9193-9"}
_LOINC_ANSWERS: Final = {"yes": "LA33-6", "no": "LA32-8"}
_TOTALS: Final = {"audit-c": "75626-2", "dast-10": "82667-7"}
_PROBABLE: Final = frozenset({"low", "moderate", "high"})
_JUDGED, _REASON, _WHY = "judged-level", "judged-reason", "why"


@dataclass(frozen=True, slots=True)
class _Shown:
    """A form as far as it may be given out."""

    given: Form
    answers: Mapping[str, Any]
    result: Mapping[str, Any]
    protected: bool

    @property
    def id(self) -> str:
        return self.given.row.id

    @property
    def level(self) -> str:
        return str(self.result.get("level", INCOMPLETE))


def resources(facts: Facts) -> Iterator[Resource]:
    for given in facts.forms:
        shown = _shown(facts, given)
        if shown is None:
            continue
        yield _response(facts, shown)
        if given.row.instrument == SAFETY_PLAN:
            if shown.level == "made":
                yield _plan(facts, shown)
            continue
        yield _level(facts, shown)
        yield from _answers(facts, shown)
        if given.form.rule.name in RISKS:
            yield from _risks(facts, shown)


def _shown(facts: Facts, given: Form) -> _Shown | None:
    row, form = given.row, given.form
    if facts.consented:
        protected = form.about_substances or bool(given.hidden & row.answers.keys())
        return _Shown(given, row.answers, row.result, protected)
    if form.about_substances or form.rule.about_substances:
        return None
    answers = {link: value for link, value in row.answers.items() if link not in given.hidden}
    result = form.score(answers) if given.hidden else row.result
    return _Shown(given, answers, result, protected=False)


# --- what was answered ----------------------------------------------------------------------------


def _response(facts: Facts, shown: _Shown) -> Resource:
    row, form = shown.given.row, shown.given.form
    return resource(
        "QuestionnaireResponse",
        row.id,
        profile="us-core-questionnaireresponse",
        protected=shown.protected,
        identifier=identifier("assessment", row.id),
        questionnaire=f"{form.body.get('url') or OURS + 'questionnaire:' + form.code}"
        f"|{form.version}",
        _questionnaire={
            "extension": [{"url": DISPLAY, "valueString": str(form.body.get("title"))}]
        },
        status="completed" if shown.result.get("complete") is True else "in-progress",
        subject=subject(facts),
        encounter=encounter(facts),
        authored=instant(row.updated_at),
        author=practitioner(facts, row.author_id),
        item=_items(form.body["item"], shown.answers),
    )


def _items(items: Sequence[Item], answers: Mapping[str, Any]) -> list[Resource]:
    """The answered questions in the form's order, inside their groups."""
    found: list[Resource] = []
    for item in items:
        link, inner = item["linkId"], item.get("item", ())
        if item["type"] == "display":
            continue
        if item["type"] == "group":
            below = _items(inner, answers)
            if below:
                found.append({"linkId": link, "text": item.get("text"), "item": below})
            continue
        said = answers.get(link)
        given = [] if said in (None, "", []) else said if isinstance(said, list) else [said]
        each = [_answer(item, one) for one in given]
        if each and inner:  # in R4 what hangs on a question stands inside its answer
            each[0] = each[0] | {"item": _items(inner, answers)}
        if each:
            found.append({"linkId": link, "text": item.get("text"), "answer": each})
        elif inner:
            found += _items(inner, answers)
    return found


def _answer(item: Item, value: Any) -> Resource:
    if isinstance(value, bool):
        return {"valueBoolean": value}
    match item["type"]:
        case "integer":
            return {"valueInteger": value}
        case "time":
            return {"valueTime": value if value.count(":") == 2 else f"{value}:00"}
        case "choice":
            return {"valueCoding": _option(item, str(value))}
    return {"valueString": words(str(value)) or "–"}


def _option(item: Item, code: str) -> Resource:
    """The option of the form, without its translations."""
    for option in item.get("answerOption", ()):
        known = option["valueCoding"]
        if known["code"] == code:
            return {name: known[name] for name in ("system", "code", "display") if known.get(name)}
    return coding(f"{OURS}answer", code)


# --- what was computed ----------------------------------------------------------------------------


def _level(facts: Facts, shown: _Shown) -> Resource:
    """What the form's rule computed, from the response."""
    row, form = shown.given.row, shown.given.form
    rule, score = form.rule, shown.result.get("score")
    codes = [one for one in form.body.get("code", ()) if one.get("system") == LOINC]
    if rule.name in _SUICIDE:
        codes = [coding(LOINC, LEVEL_LOINC)]
    total = _TOTALS.get(rule.name)
    value = own(facts, "level", shown.level)
    if rule.name in _SUICIDE and shown.level in _LOINC_LEVELS:
        value["coding"].append(coding(LOINC, _LOINC_LEVELS[shown.level]))
    more: Resource = {"valueCodeableConcept": value}
    if shown.level == INCOMPLETE:
        unknown = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
        more = {
            "dataAbsentReason": concept(
                coding(unknown, "unknown", "Unknown"), text=facts.words("level", INCOMPLETE)
            )
        }
    return resource(
        "Observation",
        f"level/{row.id}",
        profile="us-core-observation-screening-assessment",
        protected=shown.protected,
        status="final" if shown.result.get("complete") is True else "preliminary",
        category=[concept(coding(CATEGORY, "survey", "Survey"))],
        code=concept(
            *codes, coding(f"{OURS}questionnaire", form.code), text=str(form.body.get("title"))
        ),
        subject=subject(facts),
        encounter=encounter(facts),
        effectiveDateTime=instant(row.updated_at),
        performer=[one] if (one := practitioner(facts, row.author_id)) else None,
        derivedFrom=[reference("QuestionnaireResponse", row.id)],
        component=[
            {
                "code": concept(
                    *([coding(LOINC, total)] if total else []),
                    coding(f"{OURS}score", rule.name),
                    text="Score, at least" if shown.result.get("at_least") else "Score",
                ),
                "valueInteger": score,
            }
        ]
        if isinstance(score, int)
        else None,
        **more,
    )


def _answers(facts: Facts, shown: _Shown) -> Iterator[Resource]:
    """Answers to questions that LOINC knows, each as an Observation of its own."""
    row, form = shown.given.row, shown.given.form
    for link, item in form.items.items():
        known = [one for one in item.get("code", ()) if one.get("system") == LOINC]
        said = shown.answers.get(link)
        if not known or said in UNANSWERED or not isinstance(said, str):
            continue
        answer = _option(item, said)
        codings = [answer]
        if said in _LOINC_ANSWERS and answer.get("system") != LOINC:
            codings.append(coding(LOINC, _LOINC_ANSWERS[said]))
        yield resource(
            "Observation",
            f"answer/{row.id}/{link}",
            profile="us-core-observation-screening-assessment",
            protected=shown.protected,
            status="final",
            category=[concept(coding(CATEGORY, "survey", "Survey"))],
            code=concept(*(coding(LOINC, one["code"]) for one in known), text=item.get("text")),
            subject=subject(facts),
            encounter=encounter(facts),
            effectiveDateTime=instant(row.updated_at),
            performer=[one] if (one := practitioner(facts, row.author_id)) else None,
            valueCodeableConcept=concept(*codings, text=answer.get("display")),
            derivedFrom=[reference("QuestionnaireResponse", row.id)],
        )


def _risks(facts: Facts, shown: _Shown) -> Iterator[Resource]:
    """The computed risk; and beside it, never in its place, the one that the clinician judged."""
    row, form = shown.given.row, shown.given.form
    response = reference("QuestionnaireResponse", row.id)
    reasons = [
        str(form.items[link].get("text", link))
        for link in _links(shown.result.get("reasons"))
        if link in form.items and link in shown.answers
    ]
    if form.rule.by_judgement:
        reasons.append(words(str(shown.answers.get(_WHY) or "")))
    common: Resource = {
        "protected": shown.protected,
        "subject": subject(facts),
        "encounter": encounter(facts),
        "occurrenceDateTime": instant(row.updated_at),
    }
    yield resource(
        "RiskAssessment",
        f"computed/{row.id}",
        status="final" if shown.result.get("complete") is True else "preliminary",
        method=concept(coding(f"{OURS}scoring-rule", form.rule.name), text=form.rule.name),
        performer=practitioner(facts, row.author_id) if form.rule.by_judgement else None,
        basis=[response, reference("Observation", f"level/{row.id}")],
        prediction=[
            {
                "qualitativeRisk": _risk(facts, shown.level),
                "rationale": "; ".join(filter(None, reasons)),
            }
        ],
        **common,
    )
    judged = shown.answers.get(_JUDGED)
    if judged is None:
        return
    why = words(str(shown.answers.get(_REASON) or ""))
    yield resource(
        "RiskAssessment",
        f"judged/{row.id}",
        parent=reference("RiskAssessment", f"computed/{row.id}"),
        status="final",
        method=concept(coding(f"{OURS}scoring-rule", "judgement"), text="Clinician's judgement"),
        performer=practitioner(facts, row.author_id),
        basis=[response],
        prediction=[{"qualitativeRisk": _risk(facts, str(judged)), "rationale": why}],
        **common,
    )


def _links(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple) else []


def _risk(facts: Facts, level: str) -> Resource:
    """The level in our words; in HL7's code, too, where the two mean the same."""
    found = own(facts, "level", level)
    if level in _PROBABLE:
        found["coding"].append(coding(PROBABILITY, level))
    return found


# --- the safety plan ------------------------------------------------------------------------------


def _plan(facts: Facts, shown: _Shown) -> Resource:
    row, form = shown.given.row, shown.given.form
    parts = [
        (str(item.get("text", link)), words(str(shown.answers[link])))
        for link, item in form.items.items()
        if item["type"] == "text" and shown.answers.get(link)
    ]
    title = str(form.body.get("title"))
    return resource(
        "CarePlan",
        row.id,
        profile="us-core-careplan",
        protected=shown.protected,
        text=narrative([title, *(f"{name} {said}" for name, said in parts)]),
        identifier=[identifier("assessment", row.id)],
        status="active",
        intent="plan",
        category=[
            concept(coding(ASSESS_PLAN, "assess-plan")),
            concept(coding(LOINC, PLAN_LOINC), text=title),
        ],
        title=title,
        subject=subject(facts),
        encounter=encounter(facts),
        created=instant(row.created_at),
        author=practitioner(facts, row.author_id),
        supportingInfo=[reference("QuestionnaireResponse", row.id)],
        activity=[
            {
                "detail": {
                    "code": concept(text=name),
                    "status": "in-progress",
                    "description": said,
                }
            }
            for name, said in parts
            if said
        ],
    )
