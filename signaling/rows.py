"""The durable row as the state machine sees it. Pure."""

from __future__ import annotations

from records.sessions import SessionRow
from signaling.session import Phase, Session, State


def machine(row: SessionRow) -> Session:
    """Field by field: the machine knows no columns beyond these."""
    return Session(
        id=row.id,
        state=State(row.state),
        phase=Phase(row.phase),
        pressed_at=row.pressed_at,
        epoch=row.epoch,
        level=row.level,
        lead_id=row.lead_id,
        voice_only=row.voice_only,
        saver=row.saver,
        held_at=row.held_at,
        intake=row.intake,
        priority=row.priority,
        language=row.language,
        place_county=row.place_county,
        place_state=row.place_state,
        provider_id=row.provider_id,
        deadline_at=row.deadline_at,
        close_reason=row.close_reason,
        alerted_at=row.alerted_at,
        accepted_at=row.accepted_at,
        media_at=row.media_at,
        handed_over_at=row.handed_over_at,
        handed_back_at=row.handed_back_at,
        recommended_at=row.recommended_at,
        acknowledged_at=row.acknowledged_at,
        ended_at=row.ended_at,
        closed_at=row.closed_at,
        disposition_at=row.disposition_at,
        requeued_at=row.requeued_at,
        brief_seconds=row.brief_seconds,
        handed_over_seconds=row.handed_over_seconds,
        debrief_seconds=row.debrief_seconds,
        phase_since=row.phase_since,
        recommended_disposition=row.recommended_disposition,
        actual_disposition=row.actual_disposition,
        difference_reason=row.difference_reason,
        otherwise=row.otherwise,
        flags=row.flags,
        opioid=row.opioid,
        wellness=row.wellness,
        body_camera=row.body_camera,
    )
