"""Every code that the record knows. Labels in plain words live with the pages, by language."""

from __future__ import annotations

from typing import Final

# intake tiles on the tablet; an agency shows at most three
TILES: Final = ("adult", "juvenile", "overdose", "suicidal", "psychosis", "self", "danger")
DEFAULT_TILES: Final = ("adult", "juvenile", "overdose")

# what a tile means for the queue: the class (lower is more urgent), and whom the session asks for
ROUTINE: Final = 5
TILE_PRIORITY: Final = {"danger": 3, "suicidal": 4, "overdose": 4, "juvenile": 4}
TILE_AGE_GROUP: Final = {"adult": "adult", "juvenile": "juvenile"}
TILE_SPECIALITY: Final = {
    "overdose": "substance_use",
    "psychosis": "psychosis",
    "self": "first_responders",
}

SPECIALITIES: Final = (
    "substance_use",
    "psychosis",
    "first_responders",
    "trauma",
    "older_people",
    "disability",
)
# languages beside English that clinicians work in and people ask for; BCP 47
LANGUAGES: Final = ("es", "lkt", "dak", "so", "ar", "vi", "zh", "ne", "sw", "uk", "ase")
COMPACTS: Final = ("psypact", "counseling", "social_work", "nursing", "other")

# primary disposition: one for what was advised, one for what happened
DISPOSITIONS: Final = (
    "remain_in_place",
    "voluntary_transport",
    "crisis_stabilisation",
    "medical_ed",
    "involuntary_hold",
    "arrest_custody",
    "other",
)

# the officer's reason why it went differently from the recommendation
DIFFERENCE_REASONS: Final = (
    "person_declined",
    "scene_changed",
    "medical_need",
    "legal_requirement",
    "no_transport_or_bed",
    "officer_judgement",
)

# what the officer would have done without the call, asked while waiting; clinical.md: diversion is
# claimed only where this was said before anybody answered, and something else happened
OTHERWISE: Final = (
    "arrest_custody",
    "medical_ed",
    "involuntary_hold",
    "remain_in_place",
    "unknown",
)

# what else is true of a session, beside its one primary disposition. Stored as bits by their place
# here, so: never reorder, never remove, append only
FLAGS: Final = (
    "force_used",
    "person_injured",
    "officer_injured",
    "naloxone_given",
    "protective_custody",
    "weapon_present",
    "children_present",
    "calmer_at_end",
)
OFFICER_FLAGS: Final = FLAGS[:5]  # said with what happened
CLINICIAN_FLAGS: Final = FLAGS[5:]  # said in the wrap-up
BODY_CAMERA: Final = ("on", "off", "muted")  # the officer's; muted: picture without sound
OPIOID: Final = ("unknown", "yes", "no")  # grants ask it of every session; 42 CFR Part 2

# who pays for an agency's sessions; grants ask it of every one
FUNDING: Final = (
    "unknown",
    "opioid_settlement",
    "federal_grant",
    "state",
    "county",
    "medicaid",
    "private",
    "other",
)

CARD_LEVELS: Final = ("routine", "soon", "now")

CARD_ACTIONS: Final = (
    "stay_with_person",
    "contact_family",
    "remove_lethal_means",
    "give_988",
    "low_stimulus",
    "hand_to_family",
    "mobile_crisis",
    "transport_voluntary",
    "transport_secure",
    "call_ems",
    "leave_naloxone",
    "interpreter",
)

FOLLOWUP_KINDS: Final = (
    "contact_24h",
    "contact_48h",
    "warm_handoff",
    "mobile_crisis_visit",
    "confirm_arrival",
    "naloxone_delivery",
    "lethal_means_check",
    "lead_referral",
    "moud_start",  # a bridge clinic or telemedicine
    "bed",  # stabilisation or detox; done when it was accepted
    "voluntary_admission",
    "involuntary_petition",
    "medical_clearance",
    "support",  # shelter, food, peers, family
    "mandated_report",
)

# what counts as contact with the person afterwards, and as a link to somebody who goes on
CONTACTS: Final = frozenset({"contact_24h", "contact_48h"})
LINKS: Final = frozenset({"warm_handoff", "mobile_crisis_visit", "lead_referral"})

ATTEMPT_CHANNELS: Final = ("phone", "text", "video", "visit", "other")
ATTEMPT_OUTCOMES: Final = (  # clinical.md
    "reached",
    "no_answer",
    "wrong_number",
    "declined",
    "hospitalised",
    "jailed",
    "deceased",
)
FOLLOWUP_DONE: Final = "done"
FOLLOWUP_REASONS: Final = (  # why it is closed without having been done
    "declined",
    "unreachable",
    "hospitalised",
    "jailed",
    "deceased",
    "not_needed",
    "duplicate",
)

# what a session should have and does not: `records.care_gaps` says when
CARE_GAPS: Final = ("no_followup", "no_arrival", "no_wrapup")
JOIN_REASONS: Final = (  # why two sessions are about one person
    "name_spelt",
    "birth_wrong",
    "name_changed",
    "was_unknown",
    "told_so",
)
GAP_REASONS: Final = (  # why nobody follows up; codes as those of a follow-up that ends
    "not_needed",
    "declined",
    "elsewhere",
    "hospitalised",
    "jailed",
    "deceased",
)
GAP_FILLED: Final = "filled"  # it is so no more: somebody has the follow-up, the wrap-up is done

# what nearly went wrong: `records.near_miss_rules` says when
NEAR_MISSES: Final = (
    "unanswered",
    "no_media",
    "connection_lost",
    "clinician_lost",
    "to_phone",
    "licence_relaxed",
    "last_step",
    "no_owner",
)

CLOSE_REASONS: Final = (
    "completed",
    "cancelled_by_officer",
    "officer_lost",
    "moved_to_phone",
    "closed_by_supervisor",
    "duplicate",
)

DECLINE_REASONS: Final = (
    "busy",
    "not_my_state",
    "language",
    "age_group",
    "speciality",
    "conflict",
    "unwell",
    "technical",
    "other",
)
GIVEN_BACK_REASONS: Final = ("end_of_shift", "needs_another", "technical", "unwell", "other")
PAUSE_REASONS: Final = ("break", "paperwork", "meeting", "other")
PAUSED_FOR_MISSING: Final = "missed"  # by the line itself, after rings that were not answered

STATES: Final = (  # of the United States, with the District and Puerto Rico
    *("AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DE", "DC", "FL", "GA", "HI", "ID", "IL"),
    *("IN", "IA", "KS", "KY", "LA", "ME", "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE"),
    *("NV", "NH", "NJ", "NM", "NY", "NC", "ND", "OH", "OK", "OR", "PA", "PR", "RI", "SC"),
    *("SD", "TN", "TX", "UT", "VT", "VA", "WA", "WV", "WI", "WY"),
)
# kinds of help near by; those of RESOURCE_PROTECTED tell by themselves that substances are the
# matter (42 CFR Part 2): the person reads them, the officer's tablet never shows them
RESOURCE_KINDS: Final = (
    "crisis_centre",
    "mobile_crisis",
    "clinic",
    "detox",
    "opioid_treatment",
    "shelter",
    "food",
    "peer",
    "family",
    "youth",
    "veterans",
    "domestic_violence",
    "transport",
    "other",
)
RESOURCE_PROTECTED: Final = ("detox", "opioid_treatment")

TIMELINE_KINDS: Final = (
    "session.pressed",
    "session.intake",
    "session.voice",
    "offer.sent",
    "offer.delivered",
    "offer.accepted",
    "offer.declined",
    "offer.expired",
    "offer.undelivered",
    "offer.withdrawn",
    "session.answering",
    "media.flowing",
    "session.connected",
    "session.recovering",
    "session.recovered",
    "session.requeued",
    "handover.started",
    "handover.ended",
    "handover.pin_refused",
    "card.sent",
    "card.acknowledged",
    "chat.sent",
    "assessment.saved",
    "note.signed",
    "note.added",
    "person.told",
    "person.joined",
    "person.apart",
    "takeaway.made",
    "takeaway.opened",
    "takeaway.revoked",
    "followup.added",
    "followup.attempt",
    "followup.done",
    "followup.closed",
    "followup.reopened",
    "followup.assigned",
    "followup.moved",
    "followup.none",
    "session.ended",
    "wrapup.finished",
    "session.closed",
    "disposition.recorded",
    "disposition.postponed",
    "escalation.step",
    "page.sent",
    "page.failed",
    "page.opened",
    "page.acknowledged",
    "page.stand_down",
    "page.nobody",
    "session.place",
    "session.provider",
    "session.language",
    "session.otherwise",
    "session.body_camera",
    "consent.asked",
    "consent.called_off",
    "consent.said",
    "consent.revoked",
    "session.case_number",
    "queue.nobody",
    "queue.relaxed",
    "queue.repaired",
    "tablet.lost",
    "tablet.put_out",
    "tablet.back",
    "clinician.lost",
    "clinician.back",
    "transfer.asked",
    "transfer.accepted",
    "transfer.ready",
    "transfer.not_ready",
    "transfer.ended",
    "session.lead_changed",
    "party.joined",
    "party.mode",
    "party.left",
    "party.held",
    "party.resumed",
    "media.step",
    "session.saver",
    "session.held",
    "session.resumed",
)
