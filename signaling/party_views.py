"""What pages show of those at the side of a call, and of a session that changes hands. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, cast

from records.sessions import SessionRow
from signaling import shapes
from signaling.guest_wire import GuestSession, GuestView
from signaling.needs import elsewhere, place_of
from signaling.parties import CLINICIAN

if TYPE_CHECKING:
    from auth.actors import Actor
    from signaling.views import Details, Picture

Side = Literal["receiver", "interpreter", "supervisor"]
CALLED_OFF = frozenset({"moved_on", "handed_on"})  # outcomes that nobody needs to read


def company(
    picture: Picture, session: SessionRow, guests: Mapping[str, str]
) -> list[shapes.PartyView]:
    """Everybody at the side of a call, for everybody in it; `guests`: names by link."""
    return [
        shapes.PartyView(
            party=one.id,
            link=one.guest_link_id,
            seat=one.seat,
            role=cast("Side", one.role),
            mode=cast('Literal["speak", "listen", "whisper"]', one.mode),
            name=(
                picture.directory.short_name(one.person_id)
                if one.person_id is not None
                else guests.get(one.guest_link_id or "")
            )
            or "",
            connected=picture.legs.peer(session.id, one.seat).connected,
            held=one.held_at is not None,
        )
        for one in picture.parties
        if one.session_id == session.id and one.role != "lead"
    ]


def links(
    picture: Picture, session: SessionRow, person_id: str, details: Details
) -> list[shapes.LinkView]:
    """The links whose guests are not in the call: yet, or any more; for the lead alone.

    Who came by a link may join at any time: a link that got into wrong hands is seen, and taken
    back, before it does.
    """
    if session.lead_id != person_id:
        return []
    seated = {one.guest_link_id for one in picture.parties if one.session_id == session.id}
    return [
        shapes.LinkView(
            link=one.id,
            role=cast('Literal["interpreter", "supervisor"]', one.role),
            expires_at=one.expires_at,
            name=None if one.used_at is None else details.guests.get(one.id, ""),
        )
        for one in details.links
        if one.id not in seated
    ]


def guest_view(
    picture: Picture, session: SessionRow, guest: Actor, names: Mapping[str, str]
) -> GuestView:
    """What a guest sees of their call."""
    mine = next((p for p in picture.parties if p.guest_link_id == guest.id), None)
    return GuestView(
        role=cast('Literal["interpreter", "supervisor"]', guest.guest_role),
        name=names.get(guest.id, ""),
        session=GuestSession(
            id=session.id,
            epoch=session.epoch,
            state=session.state,
            phase=session.phase,
            agency=picture.directory.agencies[session.agency_id].name,
            unit=picture.directory.tablets[session.tablet_id].label,
            lead=picture.directory.short_name(session.lead_id) or "",
            voice_only=session.voice_only,
            saver=session.saver,
            seat=mine.seat if mine is not None else None,
            party=mine.id if mine is not None else None,
            mode=mine.mode if mine is not None else None,
            held_at=mine.held_at if mine is not None else None,
            peer=picture.legs.peer(session.id, "tablet"),
            company=company(picture, session, names),
        ),
    )


def own_page(picture: Picture, session: SessionRow, party: str | None) -> str | None:
    """Which window of mine has the call; `party`: my place at its side, if I do not lead it."""
    seats = (one.seat for one in picture.parties if one.id == party)
    return picture.legs.carrier(session.id, next(seats, CLINICIAN), picture.now)


def place(picture: Picture, session: SessionRow, person_id: str) -> tuple[str, str | None]:
    """My role in a session, and my place at its side when I do not lead it."""
    if session.lead_id == person_id:
        return "lead", None
    for one in picture.parties:
        if one.session_id == session.id and one.person_id == person_id:
            return one.role, one.id
    return "lead", None


def transfer(picture: Picture, session: SessionRow, details: Details) -> shapes.TransferView | None:
    """The transfer of this assignment, also one that has just come to nothing."""
    row = details.transfer
    if row is None or row.outcome in CALLED_OFF:
        return None
    name = picture.directory.short_name
    rung = [o for o in picture.ringing(session.id) if o.purpose == "transfer"]
    seats = [p.seat for p in picture.parties if p.session_id == session.id and p.role == "receiver"]
    stage = "ended" if row.ended_at else "sitting" if row.receiver_id else "ringing"
    return shapes.TransferView(
        id=row.id,
        stage=cast('Literal["ringing", "sitting", "ended"]', stage),
        to=name(row.to_id),
        receiver=name(row.receiver_id),
        ringing=[one for o in rung if (one := name(o.clinician_id))],
        expires_at=max((o.expires_at for o in rung), default=None),
        joined=any(picture.legs.seat(session.id, seat).up for seat in seats),
        lead_ready=row.from_ready_at is not None,
        receiver_ready=row.to_ready_at is not None,
        note=details.note,
        outcome=row.outcome,
        reason=details.declined,
    )


def live_rows(picture: Picture, provider_id: str) -> list[shapes.LiveRow]:
    """The sessions of a provider that run now, the longest first."""
    running = [
        one
        for one in picture.sessions
        if one.provider_id == provider_id
        and not one.test
        and one.state in {"answering", "connected", "recovering"}
    ]
    return [
        shapes.LiveRow(
            session=one.id,
            code=one.code,
            agency=picture.directory.agencies[one.agency_id].name,
            county=place_of(one, picture.directory.agencies[one.agency_id]).county,
            place_state=elsewhere(one, picture.directory.agencies[one.agency_id]),
            unit=picture.directory.tablets[one.tablet_id].label,
            state=one.state,
            phase=one.phase,
            epoch=one.epoch,
            lead=picture.directory.short_name(one.lead_id) or "",
            pressed_at=one.pressed_at,
            media_at=one.media_at,
            company=company(picture, one, {}),
        )
        for one in sorted(running, key=lambda s: s.pressed_at)
    ]
