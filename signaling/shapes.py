"""The shapes inside the messages: what a page is shown, and the recommendation card.

Part of the protocol like `signaling.wire`, which says how messages are numbered and checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct

Code = Annotated[str, Meta(min_length=1, max_length=32, pattern="^[a-z0-9_-]+$")]
Text = Annotated[str, Meta(max_length=2000)]

# How much picture a side sends: down to a still each three seconds, sound alone, and the telephone.
PictureStep = Literal["720p", "360p", "180p", "stills", "voice", "phone"]


class CardAction(Struct, frozen=True, forbid_unknown_fields=True):
    """One recommended step: a code from the list, with the clinician's own words if any."""

    code: Code
    text: Annotated[str, Meta(max_length=300)] = ""


class CardResource(Struct, frozen=True, forbid_unknown_fields=True):
    """Help near by, from the directory: what it said when the card was saved, whatever the page
    sent beside the id. Texts that end in `_es` are empty where the directory has none."""

    id: Annotated[str, Meta(min_length=1, max_length=40, pattern="^[A-Za-z0-9_-]+$")]
    name: Text = ""
    kind: Text = ""
    phone: Text = ""
    text_line: Text = ""
    address: Text = ""
    website: Text = ""
    hours: Text = ""
    hours_es: Text = ""
    accepts: Text = ""
    accepts_es: Text = ""


class Card(Struct, frozen=True, forbid_unknown_fields=True):
    """A recommendation in plain words; the only clinical output that a tablet ever gets."""

    level: Literal["routine", "soon", "now"]
    disposition: Code
    actions: Annotated[list[CardAction], Meta(max_length=12)]
    words: Text = ""
    resources: Annotated[list[CardResource], Meta(max_length=8)] = []


class ChatLine(Struct, frozen=True):
    no: int
    at: float
    sender: Literal["officer", "clinician"]
    text: str


class PeerView(Struct, frozen=True):
    """The other side's media, as this side should say it."""

    connected: bool  # its leg is up and packets arrive
    muted: bool
    camera: bool
    quality: Literal["good", "fair", "poor", "none"]
    blocked: bool  # its network lets nothing through; it is told whom to phone
    step: PictureStep


class CardView(Struct, frozen=True):
    rev: int
    card: Card
    clinician: str
    licence: str
    sent_at: float
    acknowledged: bool


class Alerted(Struct, frozen=True):
    """Somebody whom we try to reach for a waiting session, and how far that has come."""

    name: str  # short name
    state: Literal["alerted", "ringing", "opening", "coming"]


class PartyView(Struct, frozen=True):
    """Somebody at the side of a call: shown to everybody who is in it."""

    party: str
    link: str | None  # of a guest
    seat: str  # side1 … side4: which slot of the media carries them
    role: Literal["receiver", "interpreter", "supervisor"]
    mode: Literal["speak", "listen", "whisper"]
    name: str
    connected: bool
    held: bool  # a guest on hold: neither hears nor is heard


class LinkView(Struct, frozen=True):
    """A guest's link whose guest is not in the call; its secret was told once, when it was made."""

    link: str
    role: Literal["interpreter", "supervisor"]
    expires_at: float  # of one that nobody has come by
    name: str | None  # who has come by it, and may join at any time


YesOrNo = Literal["yes", "no"]
Activity = Annotated[int, Meta(ge=1, le=7)]  # BARS
Response = Literal["awake", "drowsy", "none"]


class Dose(Struct, frozen=True, forbid_unknown_fields=True):
    """A dose of naloxone. `at`: null where nobody knows."""

    at: Annotated[float, Meta(ge=0, le=4102444800)] | None
    product: Literal["nasal-4", "nasal-8", "injection", "unknown"] = "unknown"
    by: Literal["officer", "ems", "bystander", "unknown"] = "unknown"


class SceneView(Struct, frozen=True):
    """What the officer has said of the scene, by one tap each; what was not tapped is not there."""

    answers: Mapping[str, str]  # safe, medical, intoxicated, willing: yes | no
    activity: Mapping[str, int]  # before, after: BARS, 1 to 7
    doses: list[Dose]  # of naloxone
    response: str | None  # awake | drowsy | none


class TabletSession(Struct, frozen=True):
    id: str
    code: str
    state: str
    phase: str
    epoch: int
    pressed_at: float
    accepted_at: float | None
    media_at: float | None
    ended_at: float | None
    phase_since: float | None
    voice_only: bool
    saver: bool  # at most still pictures, both ways, until either side turns it off
    held_at: float | None  # on hold since then: nobody is heard or seen here
    test: bool
    intake: list[str]
    language: str | None
    place: int  # of the tablet's places
    otherwise: str | None  # what the officer would have done, as said while waiting
    body_camera: str | None  # on | off | muted
    alerted: list[Alerted]  # who is rung or paged now, those nearest to coming first
    step: str  # alerting | still-trying | more-people | call-instead
    requeued: bool
    handed_back: bool  # by a clinician who could not stay, and was not lost
    clinician: str | None  # short name
    licence: str | None
    peer: PeerView | None
    company: list[PartyView]  # who else is in the call
    chat: list[ChatLine]  # empty while handed over: the person must not see it
    card: CardView | None
    close_reason: str | None
    recommended: str | None  # the disposition advised on the card that was sent
    actual: str | None
    consent: ConsentAskView | None  # to be signed; only while handed over
    scene: SceneView | None  # this officer's own taps; never while handed over


class Me(Struct, frozen=True):
    id: str
    name: str
    activity: str
    reason: str | None
    work: str  # idle | ringing | answering | in_call | wrap_up
    on_call: bool
    tier: int | None
    licensed: bool  # any licence is valid: nobody else is rung


class WaitingRow(Struct, frozen=True):
    session: str
    code: str
    agency: str
    county: str  # where it is; empty: no county was said
    place_state: str | None  # where it is, if not in the agency's own state
    unit: str
    intake: list[str]
    pressed_at: float
    requeued: bool
    ringing: int
    alerted: list[Alerted]  # rung or paged


class MissedRow(Struct, frozen=True):
    """A ring that this clinician did not take, until they have read it here."""

    offer: str
    code: str
    agency: str
    at: float
    state: Literal["declined", "expired", "undelivered"]


class OfferView(Struct, frozen=True):
    offer: str
    token: str
    session: str
    epoch: int
    expires_at: float
    agency: str
    county: str  # where it is; empty: no county was said
    place_state: str | None  # where it is, if not in the agency's own state
    unit: str
    officer: str | None
    intake: list[str]
    language: str | None  # that the person speaks; None: English, or not said
    pressed_at: float
    requeued: bool
    voice_only: bool
    purpose: Literal["answer", "transfer"]
    by: str | None  # short name of who hands the session on
    relaxed: list[str]  # in what this clinician is not what it asks for: language, provider, …
    # What the officer's go or no-go comes to so far. None: not told here (see `views.offer_view`).
    scene: Literal["go", "stop", "open"] | None
    stops: list[str]  # what stands in the way: safe, medical, intoxicated, willing


class AssessmentView(Struct, frozen=True):
    instrument: str
    version: str
    rev: int
    answers: Mapping[str, object]
    result: Mapping[str, object]
    updated_at: float


class CardDraft(Struct, frozen=True):
    rev: int
    card: Card | None
    sent_rev: int | None
    sent_at: float | None
    acknowledged_rev: int | None
    acknowledged_at: float | None


class FollowupSketch(Struct, frozen=True, forbid_unknown_fields=True):
    """One row of the wrap-up as it stands; it may still lack its due time."""

    key: Annotated[str, Meta(min_length=1, max_length=40, pattern="^[A-Za-z0-9_-]+$")]
    kind: Code
    owner: Annotated[str, Meta(min_length=1, max_length=40, pattern="^[A-Za-z0-9_-]+$")]
    due_at: Annotated[float, Meta(ge=0, le=4102444800)] | None = None
    note: Text = ""


class WrapupDraft(Struct, frozen=True, forbid_unknown_fields=True):
    """What the clinician has chosen so far. `disposition` None: still the one that was advised."""

    disposition: Code | None = None
    followups: Annotated[list[FollowupSketch], Meta(max_length=20)] = []
    flags: Annotated[list[Code], Meta(max_length=8)] = []
    opioid: Code | None = None
    no_followup: Code | None = None  # why nobody follows up


class WrapupView(Struct, frozen=True):
    rev: int
    draft: WrapupDraft
    updated_at: float | None


class TransferView(Struct, frozen=True):
    """How far the handing on of a session has come; `ended`: the last one came to nothing."""

    id: str
    stage: Literal["ringing", "sitting", "ended"]
    to: str | None  # the colleague who was chosen; None: whoever is free
    receiver: str | None  # who has accepted
    ringing: list[str]  # whose consoles ring
    expires_at: float | None  # of the last ring
    joined: bool  # the receiver hears the call
    lead_ready: bool
    receiver_ready: bool
    note: str
    outcome: str | None  # declined | nobody | called_off | receiver_left | receiver_lost
    reason: str | None  # why it was declined


class LiveRow(Struct, frozen=True):
    """One session that runs, for supervisors."""

    session: str
    code: str
    agency: str
    county: str  # where it is; empty: no county was said
    place_state: str | None  # where it is, if not in the agency's own state
    unit: str
    state: str
    phase: str
    epoch: int
    lead: str
    pressed_at: float
    media_at: float | None
    company: list[PartyView]


class Earlier(Struct, frozen=True):
    """Another session of the same person."""

    code: str
    at: float


class PersonView(Struct, frozen=True):
    """Who the session is about, as far as anybody said; `rev` 0: nobody did."""

    rev: int
    name: str
    born: str
    alias: str
    updated_at: float | None
    earlier: list[Earlier]  # the newest first, at most 20


class ConsentSaid(Struct, frozen=True, forbid_unknown_fields=True):
    """One decision, as the clinician heard it."""

    participant: Literal["person", "guardian"]
    purpose: Code
    method: Literal["verbal", "refused", "unable"]


class ConsentAskView(Struct, frozen=True):
    """A consent that waits on the tablet for a signature."""

    id: str
    participant: str
    purpose: str
    language: str
    wording: str


class ConsentView(Struct, frozen=True):
    """The newest decision of each participant and purpose; `rev`: how many there are in all."""

    rev: int
    said: Mapping[str, str]  # "person.treatment": given | refused | unable | revoked | expired
    giver: str  # the guardian's name
    updated_at: float | None
    signed: list[str]  # "person.treatment": whose last word is a signature in force
    asked: ConsentAskView | None  # what waits on the tablet


class ConsoleSession(Struct, frozen=True):
    id: str
    code: str
    state: str
    phase: str
    epoch: int
    agency: str
    county: str  # where it is; empty: no county was said
    place_state: str | None  # where it is, if not in the agency's own state
    unit: str
    officer: str | None
    intake: list[str]
    voice_only: bool
    saver: bool  # at most still pictures, both ways, until either side turns it off
    held_at: float | None  # since when the tablet is on hold
    test: bool
    pressed_at: float
    accepted_at: float | None
    media_at: float | None
    ended_at: float | None
    phase_since: float | None
    brief_seconds: float
    handed_over_seconds: float
    debrief_seconds: float
    role: Literal["lead", "receiver", "supervisor"]  # mine; only the lead writes and ends
    party: str | None  # my place at the side, if I do not lead
    page: str | None  # which of my windows has sound and picture; None: none, or it seems gone
    lead: str  # short name of who leads
    company: list[PartyView]
    links: list[LinkView]
    transfer: TransferView | None
    tablet_online: bool
    tablet_revoked: bool  # it does not come back by itself
    peer: PeerView
    chat: list[ChatLine]
    card: CardDraft
    assessments: list[AssessmentView]
    wrapup: WrapupView
    person: PersonView
    consent: ConsentView
    body_camera: str | None  # on | off | muted, as the officer said
    scene: SceneView | None  # as the officer said it; None: nothing yet
    recommended: str | None
    actual: str | None


class Option(Struct, frozen=True):
    id: str
    name: str
