"""The providers' escalation steps, from the record to what the queue decides from."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from oncall.errors import BadSteps
from oncall.steps import Act, Ladder, Step
from records.escalations import StepRow

log = logging.getLogger(__name__)


def of_rows(rows: Mapping[str, Sequence[StepRow]]) -> dict[str, Ladder]:
    """Provider to its own steps. Steps that cannot work are left out and said: the default ones
    hold then, and the line goes on."""
    found = {}
    for provider_id, own in rows.items():
        try:
            found[provider_id] = of(own)
        except BadSteps as error:
            log.warning("escalation.bad_steps provider=%s field=%s", provider_id, error.field)
    return found


def of(rows: Sequence[StepRow]) -> Ladder:
    """One provider's steps. Raises BadSteps."""
    return Ladder(tuple(_step(row) for row in rows))


def rows_of(ladder: Ladder) -> list[StepRow]:
    """For the record."""
    return [
        StepRow(step.after, str(step.act), step.tier, step.every, step.until)
        for step in ladder.steps
    ]


def _step(row: StepRow) -> Step:
    if row.act not in set(Act):
        raise BadSteps("act")
    if row.until not in ("acknowledged", "answered"):
        raise BadSteps("until")
    return Step(
        row.after_seconds,
        Act(row.act),
        row.tier,
        row.every_seconds,
        "acknowledged" if row.until == "acknowledged" else "answered",
    )
