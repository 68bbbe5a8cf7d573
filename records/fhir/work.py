"""What was advised and what is done about it: ServiceRequest, Task, Communication. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from records import part2
from records.fhir.facts import Facts, Task
from records.fhir.shapes import (
    MODE,
    OURS,
    Resource,
    coding,
    concept,
    encounter,
    identifier,
    instant,
    own,
    practitioner,
    reference,
    resource,
    subject,
    words,
)
from records.followups import Attempt

_TASK_STATUS: Final = {"done": "completed", "closed": "cancelled"}
_MODES: Final = {"phone": "PHONE", "video": "VIDEOCONF", "visit": "FACE"}
_NOT_DONE: Final = frozenset({"no_answer", "wrong_number"})  # nobody was there to talk to


def resources(facts: Facts) -> Iterator[Resource]:
    yield from _advice(facts)
    for task in facts.tasks:
        if facts.consented or task.row.kind not in part2.FOLLOWUPS:
            yield from _task(facts, task)
    yield from _links(facts)


# --- the recommendation ---------------------------------------------------------------------------


def _advice(facts: Facts) -> Iterator[Resource]:
    """What the clinician advised: the disposition, each action, each place of help; and the card.

    The card was read by an officer, so nothing protected stands in it but what we take out here.
    """
    sent = facts.card.sent_card if facts.card else None
    advised = facts.row.recommended_disposition
    if sent is None or facts.card is None:
        if advised:
            yield _request(facts, "disposition", own(facts, "disposition", advised), None)
        return
    asked: list[str] = []
    disposition = sent.get("disposition") or advised
    if disposition:
        asked.append("disposition")
        yield _request(facts, "disposition", own(facts, "disposition", str(disposition)), None)
    for action in _list(sent, "actions"):
        code = str(action.get("code"))
        if facts.consented or code not in part2.ACTIONS:
            asked.append(_part(f"action/{code}", asked))
            yield _request(
                facts,
                asked[-1],
                own(facts, "card_action", code),
                str(action.get("text") or ""),
                protected=code in part2.ACTIONS,
            )
    for one in _list(sent, "resources"):
        kind = str(one.get("kind"))
        if facts.consented or kind not in part2.RESOURCES:
            asked.append(_part(f"resource/{kind}", asked))
            said = own(facts, "resource", kind) | {"text": str(one.get("name") or kind)}
            details = (str(one.get(part) or "") for part in ("phone", "address", "hours"))
            yield _request(
                facts,
                asked[-1],
                said,
                ", ".join(part for part in details if part),
                protected=kind in part2.RESOURCES,
            )
    yield _card(facts, sent, asked)


def _part(name: str, before: Sequence[str]) -> str:
    """A name of its own for each part. Numbers count within one code: no gap tells of a part that
    was left out."""
    number = sum(one == name or one.startswith(f"{name}/") for one in before)
    return f"{name}/{number}" if number else name


def _list(card: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    found = card.get(name) or ()
    return [one for one in found if isinstance(one, Mapping)]


def _request(
    facts: Facts, part: str, code: Resource, note: str | None, *, protected: bool = False
) -> Resource:
    row, card = facts.row, facts.card
    said = words(note or "")
    return resource(
        "ServiceRequest",
        f"{row.id}/{part}",
        profile="us-core-servicerequest",
        protected=protected,
        identifier=[identifier("advice", f"{row.id}/{part}")],
        status="completed" if row.state == "closed" else "active",
        intent="proposal",  # the clinician advises; officer and person decide
        category=[concept(coding(f"{OURS}advice", part.partition("/")[0]))],
        priority={"now": "stat", "soon": "urgent"}.get(
            str((card.sent_card or {}).get("level")) if card else "", "routine"
        ),
        code=code,
        subject=subject(facts),
        encounter=encounter(facts),
        occurrenceDateTime=instant(row.recommended_at or row.ended_at),
        authoredOn=instant((card.sent_at if card else None) or row.recommended_at or row.ended_at),
        requester=practitioner(facts, card.author_id if card else row.lead_id),
        note=[{"text": said}] if said else None,
    )


def _card(facts: Facts, sent: Mapping[str, Any], asked: Sequence[str]) -> Resource:
    """The card as it was given to the officer: a disclosure, with when it was read."""
    row, card = facts.row, facts.card
    if card is None:
        raise ValueError("no card")
    said = words(str(sent.get("words") or "")) if facts.consented else ""
    recipients = [
        reference("Device", row.tablet_id, facts.unit),
        reference("Organization", facts.agency.id, facts.agency.name),
    ]
    return resource(
        "Communication",
        card.id,
        protected=bool(said),
        identifier=[identifier("card", card.id)],
        basedOn=[reference("ServiceRequest", f"{row.id}/{part}") for part in asked],
        status="completed" if card.acknowledged_rev == card.sent_rev else "in-progress",
        category=[concept(coding(f"{OURS}communication", "card"), text="Recommendation card")],
        subject=subject(facts),
        encounter=encounter(facts),
        sent=instant(card.sent_at),
        received=instant(card.acknowledged_at if card.acknowledged_rev == card.sent_rev else None),
        recipient=None if row.wellness else recipients,
        sender=practitioner(facts, card.author_id),
        payload=[{"contentString": said}] if said else None,
    )


# --- follow-ups -----------------------------------------------------------------------------------


def _task(facts: Facts, task: Task) -> Iterator[Resource]:
    row = task.row
    protected = row.kind in part2.FOLLOWUPS
    note = words(row.note) if facts.consented else ""
    status = _TASK_STATUS.get(row.status, "in-progress" if task.attempts else "requested")
    yield resource(
        "Task",
        row.id,
        protected=protected or bool(note),
        identifier=[identifier("followup", row.id)],
        status=status,
        statusReason=own(facts, "followup_closed", row.closed_reason)
        if row.closed_reason
        else None,
        intent="order",
        priority="routine",
        code=own(facts, "followup", row.kind),
        for_=subject(facts),
        encounter=encounter(facts),
        executionPeriod={"end": instant(row.closed_at)} if row.closed_at else None,
        authoredOn=instant(row.created_at),
        requester=practitioner(facts, facts.row.lead_id),
        owner=practitioner(facts, row.owner_id),
        restriction={"period": {"end": instant(row.due_at)}},
        note=[{"text": note}] if note else None,
        output=[
            {
                "type": concept(coding(f"{OURS}task-output", "attempt"), text="Attempt"),
                "valueReference": reference("Communication", f"{row.id}/{one.no}"),
            }
            for one in task.attempts
        ],
    )
    for one in task.attempts:
        yield _attempt(facts, task, one, protected=protected)


def _attempt(facts: Facts, task: Task, one: Attempt, *, protected: bool) -> Resource:
    note = words(one.note) if facts.consented else ""
    medium = own(facts, "channel", one.channel)
    if one.channel in _MODES:
        medium["coding"].append(coding(MODE, _MODES[one.channel]))
    return resource(
        "Communication",
        f"{task.row.id}/{one.no}",
        protected=protected or bool(note),
        partOf=[reference("Task", task.row.id)],
        status="not-done" if one.outcome in _NOT_DONE else "completed",
        statusReason=own(facts, "attempt", one.outcome),
        category=[concept(coding(f"{OURS}communication", "attempt"), text="Follow-up attempt")],
        medium=[medium],
        subject=subject(facts),
        encounter=encounter(facts),
        sent=instant(one.at),
        recipient=[subject(facts)],
        sender=practitioner(facts, one.by_id),
        payload=[{"contentString": note}] if note else None,
    )


def _links(facts: Facts) -> Iterator[Resource]:
    """Links by which the person reads their own plan: that they were given, never the link."""
    for one in facts.takeaways:
        yield resource(
            "Communication",
            one.id,
            identifier=[identifier("takeaway", one.id)],
            status="completed" if one.opened_at is not None else "in-progress",
            category=[concept(coding(f"{OURS}communication", "plan"), text="Safety plan, by link")],
            subject=subject(facts),
            encounter=encounter(facts),
            sent=instant(one.made_at),
            received=instant(one.opened_at),
            recipient=[subject(facts)],
            sender=practitioner(facts, one.made_by),
        )
