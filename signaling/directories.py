"""The directory and the providers' settings, as the queue and the screens read them: kept while so.

The database counts every change (`records.directory.version`), so one small query says whether what
was read is still so; with a thousand people the whole reading would cost more than the plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from oncall.facts import Rules
from oncall.fit import Misfit, Offered
from oncall.steps import Ladder
from records import catchments, directory, escalations
from records.directory import Directory
from signaling import house_rules, ladders

REREAD_SECONDS = 60.0  # whatever the count says: a database may have been put back under us


@dataclass(frozen=True, slots=True)
class Known:
    """One reading. What is here belongs together."""

    directory: Directory
    ladders: Mapping[str, Ladder]  # of the providers that have their own
    rules: Mapping[str, Rules]  # of the providers that have their own
    #: clinician -> what the policy asks of them that only the directory changes
    offered: dict[str, Offered] = field(default_factory=dict, compare=False, repr=False)

    @property
    def alone(self) -> frozenset[str]:
        """The providers none of whose steps lets another provider's clinicians in."""
        return frozenset(
            provider_id
            for provider_id, rules in self.rules.items()
            if all(step.what is not Misfit.PROVIDER for step in rules.relaxations)
        )


class DirectoryReader:
    """The newest reading; one in a process."""

    def __init__(self) -> None:
        self._default: Rules | None = None
        self._version = -1
        self._read_at = 0.0
        self._known: Known | None = None

    @property
    def version(self) -> int:
        """Of what was read last."""
        return self._version

    async def read(self, conn: AsyncConnection, default: Rules, now: float) -> Known:
        """What holds now; `default` is for whatever a provider has not set.

        Only for transactions that read: what one writes may be undone, and its number given to
        something else.
        """
        version = await directory.version(conn)  # before the rows: what comes between is seen later
        fresh = self._read_at <= now < self._read_at + REREAD_SECONDS
        same = version == self._version and default == self._default
        if self._known is None or not same or not fresh:
            self._known = Known(
                await directory.read(conn),
                ladders.of_rows(await escalations.steps(conn)),
                house_rules.rules_of_rows(await catchments.settings(conn), default),
            )
            self._default, self._version, self._read_at = default, version, now
        return self._known
