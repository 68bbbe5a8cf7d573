"""A provider's rows of settings as the queue's rules, and back. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

from oncall.errors import BadRelaxations
from oncall.facts import Ring, Rules
from oncall.fit import Misfit, Relaxation
from records.catchments import SettingsRow

_PLAIN = tuple(one.name for one in fields(SettingsRow) if one.name not in {"ring", "relaxations"})


def rules_of(row: SettingsRow, default: Rules) -> Rules:
    """A provider's rules, over the default ones. Raises BadRules, BadRelaxations."""
    own = {name: getattr(row, name) for name in _PLAIN}
    relaxations = default.relaxations
    if row.relaxations is not None:
        relaxations = tuple(_relaxation(*step) for step in row.relaxations)
    return replace(
        default,
        ring=Ring(row.ring),
        relaxations=relaxations,
        **{name: value for name, value in own.items() if value is not None},
    )


def rules_of_rows(rows: Mapping[str, SettingsRow], default: Rules) -> dict[str, Rules]:
    """Provider to its rules, of those that have any."""
    return {provider_id: rules_of(row, default) for provider_id, row in rows.items()}


def _relaxation(what: str, after: float, at_once: bool) -> Relaxation:
    try:
        return Relaxation(Misfit(what), after, at_once)
    except ValueError:
        raise BadRelaxations("what") from None
