"""A session with everything in it, as facts for a Bundle."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from records import instruments, part2
from records.assessments import AssessmentRow
from records.clinicians import LicenceRow
from records.consent_rules import CONTENT, DAY, Consent, Cover
from records.fhir.facts import Facts, Form, House, Seen, Staff, Task
from records.flags import BIT
from records.followups import Attempt, FollowupRow
from records.identity_rules import Identity
from records.instruments.questionnaire import Instrument
from records.notes import Addendum, Signature, Signer
from records.recommendations import RecommendationRow
from records.sessions import SessionRow
from records.takeaways import TakeawayRow
from tests.records.cast import NOW

LICENCE: Final = LicenceRow("LPC", "SD", "123", None)
DANA, MIGUEL = "per_dana", "per_miguel"
SECRET: Final = "heroin"  # stands in every free text that nobody may read without consent
SIGNED: Final = Consent(
    "person", "treatment", "signed", NOW, recipients=("hospital",), scope=CONTENT,
    expires_at=NOW + 30 * DAY, recipient_name="Prairie General", id="con_signed",
)  # fmt: skip
PLAIN: Final = Consent(
    "guardian", "treatment", "verbal", NOW, recipients=("centre",), scope=("identity", "summary"),
    expires_at=NOW + 30 * DAY, giver="Ann Doe", id="con_plain",
)  # fmt: skip
REFUSED: Final = Consent("person", "research", "refused", NOW, id="con_refused")

ANSWERS: Final[dict[str, dict[str, Any]]] = {
    "field-safety": {
        "danger-now": "no", "medical": "no", "impaired": "severe", "thoughts": "no",
        "means": "no", "attempt": "never", "others": "no", "care": "yes", "support": "yes",
        "agrees": "yes", "judged-level": "moderate", "judged-reason": f"smells of {SECRET}",
        "notes": f"said: {SECRET}",
    },
    "suicide-assessment": {
        "risk-factors": ["hopeless", "loss"], "substances": "yes", "protective-factors": ["people"],
        "thoughts": "yes", "plan": "yes", "intent": "no", "behaviour": "never",
        "said": f"said: {SECRET}", "level": "moderate", "why": f"plan, and {SECRET}",
        "steps": ["safety-plan", "call-back"], "notes": SECRET,
    },
    "safety-plan": {
        "made": "yes", "warning-signs": "Sleeping badly <b>", "alone": "Walk the dog",
        "distraction": "The library", "people": "My sister", "professionals": "988",
        "safer": "Medicines are locked away", "copy": "link",
    },
    "lethal-means": {"firearm": "yes", "firearm-step": "locked", "medicine": "no"},
    "overdose": {
        "suspected": "yes", "responds": "yes", "breathing": "usual", "naloxone": "yes",
        "doses": 2, "first-dose": "02:15", "notes": SECRET,
    },
    "bars": {"before": "6", "after": "4"},
    "audit-c": {"cut-off": "men", "often": "4", "many": "2", "six": "1"},
}  # fmt: skip


def words(kind: str, code: str) -> str:
    return f"{kind} {code}".replace("_", " ")


def row(**changes: Any) -> SessionRow:
    """A closed session with all of its times."""
    plain = SessionRow(
        id="ses_1", code="482913", press_key="press", agency_id="agy_1", provider_id="prv_1",
        program_id="prg_1", tablet_id="tab_1", shift_id=None, officer_id="per_sam",
        state="closed", phase="debrief", epoch=1, version=9, seq=1, priority=5, level=0,
        lead_id=DANA, voice_only=False, intake=("adult", "suicidal", "overdose"),
        deadline_at=None, close_reason="completed", test=False, pressed_at=NOW,
        alerted_at=NOW + 1, accepted_at=NOW + 5, media_at=NOW + 7, handed_over_at=NOW + 60,
        handed_back_at=NOW + 900, recommended_at=NOW + 1000, acknowledged_at=NOW + 1010,
        ended_at=NOW + 1200, closed_at=NOW + 1500, disposition_at=NOW + 1300,
        requeued_at=None, brief_seconds=50.0, handed_over_seconds=800.0, debrief_seconds=300.0,
        phase_since=None, recommended_disposition="remain_in_place",
        actual_disposition="voluntary_transport", difference_reason="person_declined",
        place_county="Hand", place_state="SD", language="es", otherwise="arrest_custody",
        flags=BIT["naloxone_given"] | BIT["calmer_at_end"], opioid="yes",
    )  # fmt: skip
    return dataclasses.replace(plain, **changes)


def form(code: str, version: str | None = None, **answers: Any) -> Form:
    """Answers to one of our forms."""
    known = instruments.shipped()
    one: Instrument = known[code, version] if version else instruments.newest()[code]
    given = answers or ANSWERS[code]
    stored = AssessmentRow(
        id=f"asm_{code}", session_id="ses_1", instrument=code, instrument_version=one.version,
        author_id=DANA, rev=3, answers=given, result=one.score(given), created_at=NOW + 100,
        updated_at=NOW + 200,
    )  # fmt: skip
    return Form(stored, one, part2.hidden(one, known.values()))


def followup(kind: str, **changes: Any) -> FollowupRow:
    plain = FollowupRow(
        id=f"fup_{kind}", session_id="ses_1", kind=kind, owner_id=MIGUEL, due_at=NOW + 86400,
        status="open", note=f"ask about {SECRET}", created_at=NOW + 1500, closed_at=None,
        closed_reason=None, closed_by=None, rev=1, attempts=0,
    )  # fmt: skip
    return dataclasses.replace(plain, **changes)


CARD: Final = {
    "level": "soon",
    "disposition": "remain_in_place",
    "actions": [
        {"code": "remove_lethal_means", "text": "in the kitchen"},
        {"code": "leave_naloxone", "text": ""},
    ],
    "resources": [
        {"kind": "shelter", "name": "Open Door", "phone": "605-555-0101", "hours": "24 h"},
        {"kind": "detox", "name": "Dry Dock", "phone": "605-555-0102"},
    ],
    "words": f"No {SECRET} in the house.",
}


def facts(**changes: Any) -> Facts:
    """All of it; without consent, unless `cover` is given."""
    attempts = (
        Attempt(1, NOW + 90_000, MIGUEL, "phone", "no_answer", SECRET),
        Attempt(2, NOW + 93_600, MIGUEL, "text", "reached", ""),
    )
    plain = Facts(
        row=row(),
        made_at=NOW + 100_000,
        agency=House("agy_1", "Prairie County Sheriff", "605-555-0142", "Prairie", "SD"),
        provider=House("prv_1", "Plains Crisis Care", "605-555-0188"),
        unit="Unit 12",
        words=words,
        staff={
            DANA: Staff(DANA, "Dana Whitefeather", (LICENCE,), ("psychosis",)),
            MIGUEL: Staff(MIGUEL, "Miguel Ortiz"),
        },
        person=Identity("Doe, John", "1990-02-03", ""),
        subject_id="sub_1",
        case_number="2026-004711",
        forms=[form(code) for code in ANSWERS],
        card=RecommendationRow(
            "rec_1", "ses_1", DANA, 2, CARD, NOW + 1000, 2, CARD, NOW + 1000, 2, NOW + 1010
        ),
        tasks=[
            Task(followup("contact_24h", attempts=2), attempts),
            Task(followup("naloxone_delivery")),
            Task(
                followup(
                    "confirm_arrival",
                    status="closed", closed_at=NOW + 95_000, closed_reason="declined",
                )
            ),
        ],
        signature=Signature(
            DANA, Signer("Dana Whitefeather", (LicenceRow("LPC", "SD", "123", None),)),
            NOW + 1600, intact=True,
        ),
        addenda=[Addendum(DANA, NOW + 2000, f"Later: {SECRET} & more")],
        takeaways=[
            TakeawayRow("tak_1", "ses_1", DANA, NOW + 1100, NOW + 9_999_999, None, NOW + 1200, 1)
        ],
        consents=[PLAIN, REFUSED, SIGNED],
        seen=[
            Seen(7, NOW + 3000, "person", DANA, "record.read_clinical", "allowed"),
            Seen(8, NOW + 3100, "tablet", "tab_1", "disposition.record", "allowed"),
            Seen(9, NOW + 3200, "person", "per_lena", "record.read_clinical", "refused"),
            Seen(10, NOW + 3300, "system", None, "record.sign", "failed"),
        ],
    )  # fmt: skip
    return dataclasses.replace(plain, **changes)


COVER: Final = Cover((SIGNED,))
