"""What each page shows, made from one reading of the record and the live state.

Pure: dataclasses in, messages out. The tablet's view is built only from what a tablet may know:
no assessment, no draft, nothing that the clinician has not sent; of the scene, what its own
officer said on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeVar, cast
from zoneinfo import ZoneInfo

import msgspec

from oncall.policy import tablet_step
from oncall.presence import PresenceState
from records.assessments import AssessmentRow
from records.catchments import Place
from records.chat import ChatRow
from records.consent_asks import Ask
from records.consents import ConsentRow, newest, signed
from records.directory import Directory
from records.doses import doses_of
from records.guest_links import GuestLinkRow
from records.identities import IdentityRow, Visit
from records.instruments import ACTIVITY, OFFICERS, OVERDOSE, SCENE
from records.offers import MissedOffer, OfferRow
from records.pages import PageRow
from records.parties import PartyRow
from records.recommendations import RecommendationRow
from records.scene_signs import OPEN, Sign
from records.schema import LED_STATES
from records.sessions import SessionRow
from records.transfers import TransferRow
from records.vocabulary import GIVEN_BACK_REASONS, RESOURCE_PROTECTED
from records.wrapups import WrapupRow
from signaling import party_views, shapes, wire
from signaling.alike import Alike
from signaling.legs import Legs
from signaling.needs import elsewhere, place_of

Nearness = Literal["alerted", "ringing", "opening", "coming"]
MOST_MISSED = 20  # of one clinician, on the console
# Of a long line, or of a large staff, a console shows the first: nobody reads a thousand rows, and
# a thousand consoles that get them with each change would keep the process from ringing.
MOST_WAITING = 25
MOST_COLLEAGUES = 25
MOST_TO_HAND_TO = 200  # while there is a session to hand on
NEARNESS: tuple[Nearness, ...] = ("alerted", "ringing", "opening", "coming")
COMING_SECONDS = 180.0
OPENING_SECONDS = 120.0


T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class ClinicianState:
    """A clinician's place on the roster, choice and presence, as the console says them."""

    activity: str
    reason: str | None
    tier: int | None
    presence: PresenceState

    @property
    def present(self) -> bool:
        return self.presence is PresenceState.CONNECTED


@dataclass(frozen=True, slots=True)
class Details:
    """A session's own content, read only for those who may see it."""

    chat: Sequence[ChatRow] = ()
    recommendation: RecommendationRow | None = None
    assessments: Sequence[AssessmentRow] = ()
    said: Sequence[AssessmentRow] = ()  # by the officer, of the scene; for the tablet
    wrapup: WrapupRow | None = None
    transfer: TransferRow | None = None  # the newest of this assignment
    note: str = ""  # of the sender to the receiver
    declined: str | None = None  # why the last ring of it was declined
    requeued_for: str | None = None  # why it came back to the line last
    guests: Mapping[str, str] = field(default_factory=dict)  # names by link
    person: IdentityRow | None = None
    consents: Sequence[ConsentRow] = ()  # the oldest first
    asked: Ask | None = None  # a consent that waits on the tablet
    visits: Sequence[Visit] = ()  # other sessions of the same person
    links: Sequence[GuestLinkRow] = ()  # that let somebody in, or have


@dataclass(frozen=True, slots=True)
class Picture:
    """One consistent reading."""

    now: float
    directory: Directory
    sessions: Sequence[SessionRow]  # all that are not closed
    offers: Sequence[OfferRow]  # all that ring
    clinicians: Mapping[str, ClinicianState]
    comes_on: Mapping[str, float]  # provider without anybody on call: when somebody comes on
    alone: frozenset[str]  # providers whose sessions never ring another's clinicians
    tablets_online: frozenset[str]
    legs: Legs
    details: Mapping[str, Details] = field(default_factory=dict)
    missed: Sequence[MissedOffer] = ()  # rings that were not taken, and not read yet
    pages: Sequence[PageRow] = ()  # the calls for sessions that wait
    parties: Sequence[PartyRow] = ()  # everybody who sits in a call
    signs: Mapping[str, Sign] = field(default_factory=dict)  # go or no-go, of sessions that wait
    # worked out once for all the pages of a round: a thousand consoles look at one picture
    _index: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What `make` gives, made at the first asking."""
        if name not in self._index:
            self._index[name] = make()
        found: T = self._index[name]
        return found

    @property
    def by_id(self) -> Mapping[str, SessionRow]:
        """The open sessions."""
        return self.once("by id", lambda: {one.id: one for one in self.sessions})

    def ringing(self, session_id: str) -> list[OfferRow]:
        rings = self.once("rings", lambda: _grouped(self.offers, lambda one: one.session_id))
        return rings.get(session_id, [])

    def offers_to(self, person_id: str) -> list[OfferRow]:
        rings = self.once("rung", lambda: _grouped(self.offers, lambda one: one.clinician_id))
        return rings.get(person_id, [])

    def pages_for(self, session_id: str) -> list[PageRow]:
        sent = self.once("pages", lambda: _grouped(self.pages, lambda one: one.session_id or ""))
        return sent.get(session_id, [])

    def sides_of(self, person_id: str) -> list[PartyRow]:
        """Where a person sits at the side of a call."""
        sides = self.once(
            "sides",
            lambda: _grouped(
                [one for one in self.parties if one.role != "lead"], lambda one: one.person_id or ""
            ),
        )
        return sides.get(person_id, [])

    def _led(self, person_id: str) -> list[SessionRow]:
        led = self.once("led", lambda: _grouped(self.sessions, lambda one: one.lead_id or ""))
        return led.get(person_id, [])

    def work(self, person_id: str) -> str:
        """What a clinician is doing, derived from the rows; never stored."""
        wrapping = False
        for session in self._led(person_id):
            if session.state == "answering":
                return "answering"
            if session.state in {"connected", "recovering"}:
                return "in_call"
            wrapping = wrapping or session.state == "wrap_up"
        if any(one.role == "receiver" for one in self.sides_of(person_id)):
            return "in_call"
        if self.offers_to(person_id):
            return "ringing"
        return "wrap_up" if wrapping else "idle"

    def led_by(self, person_id: str) -> SessionRow | None:
        """The session that a clinician leads now; else the oldest one whose wrap-up they owe."""
        own = self._led(person_id)
        led = next((session for session in own if session.state in LED_STATES), None)
        owed = [session for session in own if session.state == "wrap_up"]
        return led or min(owed, key=lambda session: session.ended_at or 0.0, default=None)

    def within_reach(self, agency_id: str, place: Place | None = None) -> tuple[str, ...]:
        """The providers whose clinicians a press there may ring (no place: the agency's own)."""
        there = self.directory.providers_at(agency_id, place)
        return there[:1] if there and there[0] in self.alone else there

    def ready_clinicians(self, provider_id: str | None) -> int:
        """How many of a provider's clinicians could be rung now."""
        return self.once(f"ready {provider_id}", lambda: self._ready(provider_id))

    def _ready(self, provider_id: str | None) -> int:
        return sum(
            1
            for person in self.directory.clinicians(provider_id or "")
            if (state := self.clinicians.get(person.id)) is not None
            and state.present
            and state.activity == "available"
            and state.tier is not None
            and person.licensed(self.now)
            and self.work(person.id) in {"idle", "ringing"}
        )

    def anyone_for(self, near: Sequence[str]) -> bool:
        """Whether a press there may be answered: the plan of its first provider has anybody now
        whose licence has not run out, or a console of another's is open; they are rung, not paged.
        """
        return any(self._anyone(one, there=place > 0) for place, one in enumerate(near))

    def _anyone(self, provider_id: str, *, there: bool) -> bool:
        return self.once(
            f"on call {provider_id} {there}",
            lambda: any(
                (state := self.clinicians.get(person.id)) is not None
                and state.tier is not None
                and (state.present or not there)
                and person.licensed(self.now)
                for person in self.directory.clinicians(provider_id)
            ),
        )


# --- the tablet ---------------------------------------------------------------------------------


def tablet_view(
    picture: Picture, tablet_id: str, session: SessionRow | None, owed: str | None
) -> wire.TabletView:
    """All that one tablet shows; `session` is its open or just ended one."""
    tablet = picture.directory.tablets[tablet_id]
    agency = picture.directory.agencies[tablet.agency_id]
    provider = picture.directory.providers.get(agency.provider_id or "")
    place = place_of(session, agency) if session is not None and session.state != "closed" else None
    near = picture.within_reach(agency.id, place)
    return wire.TabletView(
        agency=agency.name,
        unit=tablet.label,
        officer=picture.directory.short_name(tablet.officer_id),
        regional_line=agency.regional_line,
        provider_line=provider.bridge_line if provider else agency.regional_line,
        tiles=list(agency.tiles),
        ready_clinicians=sum(picture.ready_clinicians(one) for one in near),
        on_call=picture.anyone_for(near),
        comes_on=picture.comes_on.get(near[0]) if near else None,
        timezone=agency.timezone,
        places=[one.words for one in agency.places],
        session=_tablet_session(picture, session) if session is not None else None,
        owed=owed,
    )


def _tablet_session(picture: Picture, session: SessionRow) -> shapes.TabletSession:
    details = picture.details.get(session.id, Details())
    lead = picture.directory.people.get(session.lead_id or "")
    handed_over = session.phase == "handed_over"  # also after the end, until the PIN is given
    other = session.officer_id != picture.directory.tablets[session.tablet_id].officer_id
    card = _card_view(picture, details.recommendation)
    return shapes.TabletSession(
        id=session.id,
        code=session.code,
        state=session.state,
        phase=session.phase,
        epoch=session.epoch,
        pressed_at=session.pressed_at,
        accepted_at=session.accepted_at,
        media_at=session.media_at,
        ended_at=session.ended_at,
        phase_since=session.phase_since,
        voice_only=session.voice_only,
        saver=session.saver,
        held_at=session.held_at,
        test=session.test,
        intake=list(session.intake),
        language=session.language,
        place=_place(picture, session),
        otherwise=session.otherwise,
        body_camera=session.body_camera,
        alerted=alerted(picture, session),
        step=tablet_step(picture.now - _waiting_since(session)).removeprefix("waiting."),
        requeued=session.requeued_at is not None,
        handed_back=details.requeued_for in GIVEN_BACK_REASONS,
        clinician=lead.short_name if lead else None,
        licence=lead.licence if lead else None,
        peer=picture.legs.peer(session.id, "clinician") if lead else None,
        company=party_views.company(picture, session, details.guests),
        chat=[] if handed_over else _chat(details),
        card=None if handed_over else card,
        close_reason=session.close_reason,
        recommended=card.card.disposition if card else None,
        actual=session.actual_disposition,
        consent=_asked(details.asked) if handed_over and session.ended_at is None else None,
        scene=None if handed_over or other else scene(picture, session, details.said),
    )


def scene(
    picture: Picture, session: SessionRow, said: Sequence[AssessmentRow]
) -> shapes.SceneView | None:
    """What the officer has said of the scene, out of the forms that it is kept in."""
    forms = {row.instrument: row for row in said if row.answers}
    if not forms:
        return None
    go, activity, naloxone = (
        dict(forms[code].answers) if code in forms else {} for code in (SCENE, ACTIVITY, OVERDOSE)
    )
    doses = []
    if OVERDOSE in forms:
        zone = ZoneInfo(picture.directory.agencies[session.agency_id].timezone)
        doses = doses_of(naloxone, zone, forms[OVERDOSE].updated_at)
    return shapes.SceneView(
        answers=go,
        activity={name: int(value) for name, value in activity.items()},
        doses=[msgspec.convert(asdict(one), shapes.Dose) for one in doses],
        response=naloxone.get("response"),
    )


def _asked(ask: Ask | None) -> shapes.ConsentAskView | None:
    if ask is None:
        return None
    return shapes.ConsentAskView(ask.id, ask.participant, ask.purpose, ask.language, ask.wording)


def _place(picture: Picture, session: SessionRow) -> int:
    """Which of its agency's places a session is at; the first is its own county."""
    agency = picture.directory.agencies[session.agency_id]
    here = place_of(session, agency)
    return next((n for n, one in enumerate(agency.places) if one.same(here)), 0)


def alerted(picture: Picture, session: SessionRow) -> list[shapes.Alerted]:
    """Whom we try to reach for a waiting session: consoles that ring, and pages that went out."""
    states: dict[str, int] = {}

    def at_least(person_id: str, state: str) -> None:
        states[person_id] = max(states.get(person_id, 0), NEARNESS.index(state))

    if session.state == "waiting":
        for offer in picture.ringing(session.id):
            at_least(offer.clinician_id, "ringing" if offer.state == "delivered" else "alerted")
        since = _waiting_since(session)
        for page in picture.pages_for(session.id):
            if page.queued_at >= since:
                state = _reached(page, picture.now)
                if state is not None:
                    at_least(page.person_id, state)
    nearest = sorted(states.items(), key=lambda one: (-one[1], one[0]))
    return [
        shapes.Alerted(name, NEARNESS[state])
        for person_id, state in nearest
        if (name := picture.directory.short_name(person_id)) is not None
    ]


def _reached(page: PageRow, now: float) -> Nearness | None:
    """How far a page has come; what somebody did a while ago without coming says nothing more."""
    if page.acknowledged_at is not None and now - page.acknowledged_at < COMING_SECONDS:
        return "coming"
    if page.opened_at is not None and now - page.opened_at < OPENING_SECONDS:
        return "opening"
    return None if page.state in {"failed", "withdrawn"} else "alerted"


def _waiting_since(session: SessionRow) -> float:
    """Since when this wait has lasted, for the words; escalation counts from the press."""
    return session.requeued_at if session.requeued_at is not None else session.pressed_at


def _for_officers(card: shapes.Card) -> shapes.Card:
    """Without the help that tells by itself that substances are the matter (42 CFR Part 2)."""
    open_to_all = [one for one in card.resources if one.kind not in RESOURCE_PROTECTED]
    return msgspec.structs.replace(card, resources=open_to_all)


def _card_view(picture: Picture, row: RecommendationRow | None) -> shapes.CardView | None:
    if row is None or row.sent_rev is None or row.sent_card is None or row.sent_at is None:
        return None
    author = picture.directory.people.get(row.author_id)
    return shapes.CardView(
        rev=row.sent_rev,
        card=_for_officers(msgspec.convert(row.sent_card, shapes.Card)),
        clinician=author.name if author else "",
        licence=(author.licence if author else None) or "",
        sent_at=row.sent_at,
        acknowledged=row.acknowledged_rev == row.sent_rev,
    )


def _chat(details: Details) -> list[shapes.ChatLine]:
    return [
        shapes.ChatLine(
            no=line.no,
            at=line.at,
            sender="officer" if line.sender == "officer" else "clinician",
            text=line.body,
        )
        for line in details.chat
    ]


# --- the console --------------------------------------------------------------------------------


def console_view(picture: Picture, person_id: str, session: SessionRow | None) -> wire.ConsoleView:
    """All that one clinician's console shows."""
    provider_id = picture.directory.people[person_id].provider_id or ""
    shared = picture.once(f"provider {provider_id}", lambda: _shared(picture, provider_id))
    most = MOST_TO_HAND_TO if session else MOST_COLLEAGUES
    rung = picture.by_id  # also for another provider's sessions, when the search was widened
    return wire.ConsoleView(
        me=_me(picture, person_id),
        waiting=shared.waiting,
        waiting_total=shared.waiting_total,
        offers=[
            offer_view(
                picture.directory,
                offer,
                rung[offer.session_id],
                picture.signs.get(offer.session_id, OPEN),
            )
            for offer in picture.offers_to(person_id)
            if offer.session_id in rung
        ],
        missed=_missed(picture, person_id),
        session=_console_session(picture, session, person_id) if session is not None else None,
        colleagues=_colleagues(picture, provider_id, shared, person_id, most),
        colleagues_total=len(shared.staff) - (person_id in shared.places),
        live=_live(picture, provider_id) if _supervises(picture, person_id) else [],
        owners=_owners(picture, provider_id) if session is not None else [],
    )


def covered_view(picture: Picture, person_id: str) -> wire.ConsoleView:
    """What a covered console is told: that it rings, and nothing of anybody."""
    whole = console_view(picture, person_id, None)
    return msgspec.structs.replace(
        whole,
        waiting=[],
        waiting_total=0,
        offers=[veiled(one) for one in whole.offers],
        missed=[],
        colleagues=[],
        colleagues_total=0,
        live=[],
        covered=True,
    )


def veiled(offer: shapes.OfferView) -> shapes.OfferView:
    """An offer that can be heard: where and about whom it is stays out of it."""
    return msgspec.structs.replace(
        offer, agency="", county="", place_state=None, unit="", officer=None, intake=[],
        language=None, by=None, relaxed=[], scene=None, stops=[],
    )  # fmt: skip


def _missed(picture: Picture, person_id: str) -> list[shapes.MissedRow]:
    mine = picture.once("missed", lambda: _grouped(picture.missed, lambda one: one.clinician_id))
    return [
        shapes.MissedRow(
            offer=one.id,
            code=one.code,
            agency=picture.directory.agencies[one.agency_id].name,
            at=one.ended_at,
            state=cast('Literal["declined", "expired", "undelivered"]', one.state),
        )
        for one in mine.get(person_id, [])[:MOST_MISSED]
    ]


def _supervises(picture: Picture, person_id: str) -> bool:
    return "supervisor" in picture.directory.people[person_id].roles


def _live(picture: Picture, provider_id: str) -> list[shapes.LiveRow]:
    return picture.once(f"live {provider_id}", lambda: party_views.live_rows(picture, provider_id))


@dataclass(frozen=True, slots=True)
class _Shared:
    """What all consoles of one provider show alike."""

    waiting: Alike[shapes.WaitingRow]
    waiting_total: int
    staff: Sequence[str]  # ids; who could be reached first, then by name
    places: Mapping[str, int]  # person -> where in `staff`


def _shared(picture: Picture, provider_id: str) -> _Shared:
    mine = [s for s in picture.sessions if s.provider_id == provider_id]
    waiting = sorted((s for s in mine if s.state == "waiting" and not s.test), key=_in_line)
    staff = [person.id for person in picture.directory.clinicians(provider_id)]
    staff.sort(key=lambda person_id: _out_of_reach(picture.clinicians.get(person_id)))
    return _Shared(
        waiting=Alike(_waiting_row(picture, s) for s in waiting[:MOST_WAITING]),
        waiting_total=len(waiting),
        staff=staff,
        places={person_id: at for at, person_id in enumerate(staff)},
    )


def _colleagues(
    picture: Picture, provider_id: str, shared: _Shared, person_id: str, most: int
) -> Alike[shapes.Me]:
    """The first of everybody else."""

    def first(most: int) -> Alike[shapes.Me]:
        # of a large staff only these are made: they are drawn with every change of the line
        return picture.once(
            f"staff {provider_id} {most}",
            lambda: Alike(_me(picture, one) for one in shared.staff[:most]),
        )

    at = shared.places.get(person_id, most)
    return first(most) if at >= most else first(most + 1).without(at)


def _owners(picture: Picture, provider_id: str) -> Alike[shapes.Option]:
    """Who may look after a follow-up."""
    staff = picture.directory.clinicians(provider_id)
    return picture.once(
        f"owners {provider_id}",
        lambda: Alike(shapes.Option(person.id, person.name) for person in staff),
    )


def _out_of_reach(state: ClinicianState | None) -> bool:
    if state is None:
        return True
    return state.tier is None and not (state.present and state.activity != "offline")


def _grouped(rows: Sequence[R], key: Callable[[R], str]) -> dict[str, list[R]]:
    found: dict[str, list[R]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def _in_line(session: SessionRow) -> tuple[int, bool, int]:
    return (session.priority, session.requeued_at is None, session.seq)


def _me(picture: Picture, person_id: str) -> shapes.Me:
    person = picture.directory.people[person_id]
    state = picture.clinicians.get(person_id)
    present = state is not None and state.present
    return shapes.Me(
        id=person.id,
        name=person.name,
        activity=state.activity if state and present else "offline",
        reason=state.reason if state else None,
        work=picture.work(person_id),
        on_call=state is not None and state.tier is not None,
        tier=state.tier if state else None,
        licensed=person.licensed(picture.now),
    )


def _unit(who: Directory, session: SessionRow) -> str:
    tablet = who.tablets.get(session.tablet_id)
    return tablet.label if tablet else ""


def _waiting_row(picture: Picture, session: SessionRow) -> shapes.WaitingRow:
    agency = picture.directory.agencies[session.agency_id]
    return shapes.WaitingRow(
        session=session.id,
        code=session.code,
        agency=agency.name,
        county=place_of(session, agency).county,
        place_state=elsewhere(session, agency),
        unit=_unit(picture.directory, session),
        intake=list(session.intake),
        pressed_at=session.pressed_at,
        requeued=session.requeued_at is not None,
        ringing=len(picture.ringing(session.id)),
        alerted=alerted(picture, session),
    )


def offer_view(
    who: Directory, offer: OfferRow, session: SessionRow, sign: Sign | None = None
) -> shapes.OfferView:
    """An offer as its own clinician sees it, with the token that answers it.

    `sign`: go or no-go; None where the ring goes out before anybody has read it. Who is handed a
    running call needs none. To another provider than the session's own it says go or no-go alone:
    why may tell of substances (42 CFR Part 2).
    """
    agency = who.agencies[session.agency_id]
    if offer.purpose == "transfer":
        sign = None
    outside = any(step == "provider" for step, _ in offer.relaxed)
    return shapes.OfferView(
        offer=offer.id,
        token=offer.token,
        session=session.id,
        epoch=offer.epoch,
        expires_at=offer.expires_at,
        agency=agency.name,
        county=place_of(session, agency).county,
        place_state=elsewhere(session, agency),
        unit=_unit(who, session),
        officer=who.short_name(session.officer_id),
        intake=list(session.intake),
        language=session.language,
        pressed_at=session.pressed_at,
        requeued=session.requeued_at is not None,
        voice_only=session.voice_only,
        purpose="transfer" if offer.purpose == "transfer" else "answer",
        by=who.short_name(session.lead_id),
        relaxed=[step for step, _ in offer.relaxed],
        scene=None if sign is None else sign.level,
        stops=[] if sign is None or outside else list(sign.stops),
    )


def _console_session(
    picture: Picture, session: SessionRow, person_id: str
) -> shapes.ConsoleSession:
    details = picture.details.get(session.id, Details())
    role, party = party_views.place(picture, session, person_id)
    agency = picture.directory.agencies[session.agency_id]
    tablet = picture.directory.tablets.get(session.tablet_id)
    return shapes.ConsoleSession(
        id=session.id,
        code=session.code,
        state=session.state,
        phase=session.phase,
        epoch=session.epoch,
        agency=agency.name,
        county=place_of(session, agency).county,
        place_state=elsewhere(session, agency),
        unit=_unit(picture.directory, session),
        officer=picture.directory.short_name(session.officer_id),
        intake=list(session.intake),
        voice_only=session.voice_only,
        saver=session.saver,
        held_at=session.held_at,
        test=session.test,
        pressed_at=session.pressed_at,
        accepted_at=session.accepted_at,
        media_at=session.media_at,
        ended_at=session.ended_at,
        phase_since=session.phase_since,
        brief_seconds=session.brief_seconds,
        handed_over_seconds=session.handed_over_seconds,
        debrief_seconds=session.debrief_seconds,
        role=cast('Literal["lead", "receiver", "supervisor"]', role),
        party=party,
        page=party_views.own_page(picture, session, party),
        lead=picture.directory.short_name(session.lead_id) or "",
        company=party_views.company(picture, session, details.guests),
        links=party_views.links(picture, session, person_id, details),
        transfer=party_views.transfer(picture, session, details),
        tablet_online=session.tablet_id in picture.tablets_online,
        tablet_revoked=tablet is not None and tablet.revoked,
        peer=picture.legs.peer(session.id, "tablet"),
        chat=_chat(details),
        card=_card_draft(details.recommendation),
        assessments=[
            shapes.AssessmentView(
                instrument=row.instrument,
                version=row.instrument_version,
                rev=row.rev,
                answers=row.answers,
                result=row.result,
                updated_at=row.updated_at,
            )
            for row in details.assessments
            if row.instrument not in OFFICERS
        ],
        wrapup=_wrapup(details.wrapup),
        person=_person(details),
        consent=_consent(details, picture.now),
        body_camera=session.body_camera,
        scene=scene(
            picture, session, [one for one in details.assessments if one.instrument in OFFICERS]
        ),
        recommended=session.recommended_disposition,
        actual=session.actual_disposition,
    )


def _person(details: Details) -> shapes.PersonView:
    row = details.person
    if row is None:
        return shapes.PersonView(0, "", "", "", None, [])
    one = row.identity
    earlier = [shapes.Earlier(visit.code, visit.pressed_at) for visit in details.visits]
    return shapes.PersonView(row.rev, one.name, one.born, one.alias, row.updated_at, earlier)


def _consent(details: Details, now: float) -> shapes.ConsentView:
    """As the clinician's page shows it."""
    rows = details.consents
    givers = [r.consent.giver for r in rows if r.consent.participant == "guardian"]
    at = max((r.consent.revoked_at or r.recorded_at for r in rows), default=None)
    return shapes.ConsentView(
        len(rows), newest(rows, now), givers[-1] if givers else "", at, signed(rows, now),
        _asked(details.asked),
    )  # fmt: skip


def _wrapup(row: WrapupRow | None) -> shapes.WrapupView:
    if row is None:
        return shapes.WrapupView(0, shapes.WrapupDraft(), None)
    draft = msgspec.convert(row.draft, shapes.WrapupDraft)
    return shapes.WrapupView(row.rev, draft, row.updated_at)


def _card_draft(row: RecommendationRow | None) -> shapes.CardDraft:
    if row is None:
        return shapes.CardDraft(0, None, None, None, None, None)
    return shapes.CardDraft(
        rev=row.rev,
        card=msgspec.convert(row.card, shapes.Card),
        sent_rev=row.sent_rev,
        sent_at=row.sent_at,
        acknowledged_rev=row.acknowledged_rev,
        acknowledged_at=row.acknowledged_at,
    )
