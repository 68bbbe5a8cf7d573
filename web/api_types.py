"""What programs ask for and read under /api/v1, as types: `web.openapi` describes them from here.

Times are UTC in ISO 8601; durations are seconds; codes are those of `records/vocabulary.py`. What
is not known is null, never left out. Names of people stand in `people`, which is there only for
tokens that may have names.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from records import part2
from records.schema import OPEN_STATES
from records.vocabulary import (
    CLOSE_REASONS,
    DIFFERENCE_REASONS,
    DISPOSITIONS,
    FLAGS,
    OTHERWISE,
)

STATES = (*OPEN_STATES, "closed")


def _one_of(codes: Sequence[str], title: str) -> Meta:
    """A text that is one of these."""
    return Meta(
        pattern=f"^({'|'.join(codes)})$", title=title, extra_json_schema={"enum": list(codes)}
    )


Moment = Annotated[datetime.datetime, Meta(tz=True)]
Id = Annotated[str, Meta(pattern="^[a-z]{3}_[a-z0-9_-]{1,36}$", max_length=40)]
Key = Annotated[str, Meta(pattern="^[0-9.e+-]{1,32}~[a-z]{3}_[a-z0-9_-]{1,36}$", max_length=80)]
Limit = Annotated[int, Meta(ge=1, le=200)]
Code = Annotated[str, Meta(pattern="^[0-9A-Z]{1,8}$")]
State = Annotated[str, _one_of(STATES, "State of a session")]
Disposition = Annotated[str, _one_of(DISPOSITIONS, "Disposition")]
CloseReason = Annotated[str, _one_of(CLOSE_REASONS, "Why a session is closed")]
Difference = Annotated[str, _one_of(DIFFERENCE_REASONS, "Why it went differently")]
Otherwise = Annotated[str, _one_of(OTHERWISE, "What the officer would have done")]
Flag = Annotated[str, _one_of([one for one in FLAGS if one not in part2.FLAGS], "Flag")]
FollowupKind = Annotated[str, _one_of([*part2.FOLLOWUPS_OPEN, part2.FOLLOWUP_VEILED], "Follow-up")]


class Failure(msgspec.Struct):
    """An error. `message` may be shown to people; `code` does not change."""

    ok: Literal[False]
    code: str
    message: str
    request: str
    field: str | UnsetType = UNSET


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """An address without parameters."""


# --- the log --------------------------------------------------------------------------------------


class SessionsQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which sessions, by when the button was pressed: `since` included, `until` not. `after` comes
    from the `next` of the page before."""

    since: Moment | None = None
    until: Moment | None = None
    agency: Id | None = None
    state: State | None = None
    recommended: Disposition | None = None
    actual: Disposition | None = None
    code: Code | None = None
    tests: bool = False
    limit: Limit = 50
    after: Key | None = None


class ExportQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which sessions, as for the log; all of them at once."""

    since: Moment | None = None
    until: Moment | None = None
    agency: Id | None = None
    state: State | None = None
    recommended: Disposition | None = None
    actual: Disposition | None = None
    tests: bool = False


class Organisation(msgspec.Struct):
    id: str
    name: str


class Times(msgspec.Struct):
    """The clock of a session. `answered`: sound or picture passed both ways for the first time."""

    pressed: Moment
    alerted: Moment | None
    accepted: Moment | None
    answered: Moment | None
    handed_over: Moment | None
    handed_back: Moment | None
    recommended: Moment | None
    acknowledged: Moment | None
    ended: Moment | None
    closed: Moment | None
    disposition: Moment | None
    requeued: Moment | None


class Seconds(msgspec.Struct):
    """How long each part took."""

    to_alert: float | None
    to_accept: float | None
    accept_to_media: float | None
    to_answer: float | None
    brief: float
    handed_over: float
    debrief: float
    call: float | None
    wrap_up: float | None
    total: float | None


class People(msgspec.Struct):
    """Names, for tokens with `log.names` only."""

    officer: str | None
    clinician: str | None


class Session(msgspec.Struct):
    """One session: nothing clinical, and nobody's name without `log.names`."""

    id: str
    code: str
    state: State
    test: bool
    agency: Organisation
    county: str
    provider: Organisation
    times: Times
    seconds: Seconds
    close_reason: CloseReason | None
    otherwise: Otherwise | None
    recommended: Disposition | None
    actual: Disposition | None
    difference_reason: Difference | None
    flags: list[Flag]
    voice_only: bool
    people: People | UnsetType = UNSET


class SessionsAnswer(msgspec.Struct):
    """A page of the log, newest first. `next` is the address of the page after it."""

    ok: Literal[True]
    sessions: list[Session]
    next: str | None


class SessionAnswer(msgspec.Struct):
    ok: Literal[True]
    session: Session


class Event(msgspec.Struct):
    """One event. `by` says what kind of party did it; `name` is there only with `log.names`."""

    no: int
    at: Moment
    after: float  # seconds since the press
    kind: str
    by: str
    data: dict[str, str | float | bool | None]
    name: str | UnsetType | None = UNSET


class TimelineAnswer(msgspec.Struct):
    """The events in order. Events that tell something of the person are left out, so numbers have
    gaps."""

    ok: Literal[True]
    session: str
    events: list[Event]


# --- follow-ups -----------------------------------------------------------------------------------


class FollowupsQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Open ones by due time, or closed ones, the newest first."""

    closed: bool = False
    limit: Limit = 50
    after: Key | None = None


class Followup(msgspec.Struct):
    """One follow-up, without its notes. What might tell of substance use is a `referral`, as are
    harmless kinds."""

    id: str
    session: str
    agency: Organisation
    provider: Organisation
    kind: FollowupKind
    due: Moment
    overdue: bool
    status: Annotated[str, _one_of(("open", "done", "closed"), "Status")]
    closed: Moment | None
    attempts: int
    owner: str | UnsetType | None = UNSET


class FollowupsAnswer(msgspec.Struct):
    ok: Literal[True]
    followups: list[Followup]
    next: str | None


# --- reports --------------------------------------------------------------------------------------


class ReportsQuery(msgspec.Struct, forbid_unknown_fields=True, rename={"since": "from"}):
    """Sessions pressed on these days, both included, in the agency's time zone: the last 30 unless
    others are asked for. `small=shown` needs `log.read` as well."""

    since: datetime.date | None = None
    to: datetime.date | None = None
    agency: Id | None = None
    small: Literal["hidden", "shown"] = "hidden"


class RateFigure(msgspec.Struct):
    """`part` of `whole`; `unknown` are in neither. All are null where a small count is hidden."""

    part: int | None
    whole: int | None
    unknown: int | None
    share: float | None
    hidden: bool


class TimesFigure(msgspec.Struct):
    """Seconds; null where there is nothing to measure, or too little to show."""

    count: int | None
    mean: float | None
    median: float | None
    p90: float | None
    longest: float | None


class Endings(msgspec.Struct):
    """How the presses ended; they add up to `offered`. Null: hidden."""

    offered: int | None
    answered: int | None
    short: int | None
    abandoned: int | None
    failed: int | None
    other: int | None
    open: int | None


class Matrix(msgspec.Struct):
    """Recommended (rows) × actual (columns), in the order of `codes`."""

    codes: list[str]
    cells: list[list[int | None]]


class Report(msgspec.Struct):
    """The figures of a span. Their definitions are those of the managers' handbook."""

    since: Moment
    until: Moment
    timezone: str
    endings: Endings
    rates: dict[str, RateFigure]
    times: dict[str, TimesFigure]
    matrix: Matrix
    hours: list[list[int | None]]  # Monday to Sunday × 24 hours, local


class ReportsAnswer(msgspec.Struct):
    ok: Literal[True]
    report: Report
