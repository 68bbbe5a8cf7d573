"""What the queue refuses. Every error has a stable code and a sentence that is safe to show.

OnCallError
├── BadDemand
├── BadCalendar
├── BadOverride
├── BadRelaxations
├── BadRosterEntry
├── BadRules
├── BadSteps
├── LiveStoreAway
├── LiveStoreFull
├── LiveStoreUnfit
└── NodeSilent
"""

from __future__ import annotations

from typing import ClassVar


class OnCallError(Exception):
    """The queue refuses; nothing has changed."""

    code: ClassVar[str] = "on-call"
    status: ClassVar[int] = 400


class BadDemand(OnCallError):
    """Correct the named figure; no plan can be made from it."""

    code: ClassVar[str] = "bad-demand"
    status: ClassVar[int] = 422

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(f"No plan can be made: check the {field.replace('_', ' ')}.")


class BadRosterEntry(OnCallError):
    """Correct the named field of the shift."""

    code: ClassVar[str] = "bad-roster-entry"
    status: ClassVar[int] = 422

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(f"This shift cannot be understood: check its {field.replace('_', ' ')}.")


class BadCalendar(OnCallError):
    """Correct the named line of the calendar file; nothing of it was taken over."""

    code: ClassVar[str] = "bad-calendar"
    status: ClassVar[int] = 422

    def __init__(self, problem: str, line: int | None = None) -> None:
        self.problem = problem
        self.line = line
        where = "The calendar file" if line is None else f"Line {line} of the calendar file"
        super().__init__(f"{where} cannot be used: check its {problem.replace('-', ' ')}.")


class BadOverride(OnCallError):
    """Correct the named part of the exception to the roster."""

    code: ClassVar[str] = "bad-override"
    status: ClassVar[int] = 422

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(
            f"This exception to the roster cannot be understood: check its "
            f"{field.replace('_', ' ')}."
        )


class BadRelaxations(OnCallError):
    """Correct the named part of the order in which the search widens."""

    code: ClassVar[str] = "bad-relaxations"
    status: ClassVar[int] = 422

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(f"The search cannot be widened like that: check the {field}.")


class BadRules(OnCallError):
    """Correct the named time of the queue's rules."""

    code: ClassVar[str] = "bad-rules"
    status: ClassVar[int] = 422

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(f"This time of the queue's rules cannot be used: {field}.")


class BadSteps(OnCallError):
    """Correct the named part of the escalation steps."""

    code: ClassVar[str] = "bad-steps"
    status: ClassVar[int] = 422

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(f"These escalation steps cannot be used: check the {field}.")


class LiveStoreFull(OnCallError):
    """Too many people are here at once; try again when some have left."""

    code: ClassVar[str] = "live-store-full"
    status: ClassVar[int] = 503

    def __init__(self) -> None:
        super().__init__("Too many people are signed in at once.")


class LiveStoreUnfit(OnCallError):
    """The shared live store is set up in a way that would lose people silently."""

    code: ClassVar[str] = "live-store-unfit"
    status: ClassVar[int] = 500

    def __init__(self) -> None:
        super().__init__(
            "Redis may throw live state away when its memory is full. "
            "Set its maxmemory-policy to noeviction."
        )


class LiveStoreAway(OnCallError):
    """The shared live store cannot be reached now; nothing has changed."""

    code: ClassVar[str] = "live-store-away"
    status: ClassVar[int] = 503

    def __init__(self) -> None:
        super().__init__("The servers cannot reach each other now. Trying again by itself.")


class NodeSilent(OnCallError):
    """Another server did not answer in time; it may have done what was asked."""

    code: ClassVar[str] = "node-silent"
    status: ClassVar[int] = 503

    def __init__(self) -> None:
        super().__init__("The server that carries this call does not answer. Trying again.")
