"""What the pager decides from, made of one reading of the record and the live state. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from oncall.pager import Contact, Pageable, PagedSession, PagerSnapshot, PageState, Sent
from oncall.steps import Ladder
from records.contacts import Way
from records.pages import PageRow
from records.sessions import SessionRow

if TYPE_CHECKING:
    from signaling.views import Picture

IN_CALL = frozenset({"answering", "connected", "recovering"})


def snapshot_of(
    picture: Picture,
    rows: Sequence[SessionRow],
    pages: Sequence[PageRow],
    ways: Sequence[Way],
    ladders: Mapping[str, Ladder],
) -> PagerSnapshot:
    """The whole pager's world; `rows` are the sessions that wait or were paged for."""
    by_person: dict[str, list[Contact]] = {}
    for way in ways:
        by_person.setdefault(way.person_id, []).append(Contact(way.id, way.kind == "push"))
    in_call = {row.lead_id for row in picture.sessions if row.state in IN_CALL}
    return PagerSnapshot(
        sessions=tuple(_session(row) for row in rows),
        people=tuple(
            Pageable(
                id=person.id,
                provider_id=provider_id,
                tier=state.tier if (state := picture.clinicians.get(person.id)) else None,
                supervisor="supervisor" in person.roles,
                busy=person.id in in_call,
                contacts=tuple(by_person.get(person.id, ())),
            )
            for provider_id in ladders
            for person in picture.directory.clinicians(provider_id)
        ),
        pages=tuple(_sent(page) for page in pages if page.session_id is not None),
        ringing=frozenset(
            (offer.session_id, offer.clinician_id)
            for offer in picture.offers
            if offer.state == "delivered"
        ),
        ladders=ladders,
        now=picture.now,
    )


def _session(row: SessionRow) -> PagedSession:
    return PagedSession(
        id=row.id,
        provider_id=row.provider_id,
        waiting=row.state == "waiting",
        place=(row.priority, row.requeued_at is None, row.seq, row.id),
        pressed_at=row.pressed_at,
        requeued_at=row.requeued_at,
        epoch=row.epoch,
        lead_id=row.lead_id,
    )


def _sent(page: PageRow) -> Sent:
    return Sent(
        id=page.id,
        session_id=page.session_id or "",
        person_id=page.person_id,
        contact_id=page.contact_id,
        stand_down=page.purpose == "stand_down",
        round=page.round,
        state=PageState(page.state),
        queued_at=page.queued_at,
        opened_at=page.opened_at,
        acknowledged_at=page.acknowledged_at,
    )
