"""The tables that leave as CSV, column by column, and their dictionary. Pure.

A column says here what it holds; export, dictionary and documentation are made from that, so none
of them can say something else. Whatever is not known is "unknown", never an empty cell. What tells
of substance use by the provider's word stays out (`records.part2`); what an officer said is in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Generic, Literal, TypeVar

from records import part2
from records.flags import BIT
from records.schema import OPEN_STATES
from records.sessions import SessionRow
from records.vocabulary import (
    ATTEMPT_CHANNELS,
    ATTEMPT_OUTCOMES,
    CLINICIAN_FLAGS,
    CLOSE_REASONS,
    DIFFERENCE_REASONS,
    DISPOSITIONS,
    FOLLOWUP_DONE,
    FOLLOWUP_REASONS,
    LANGUAGES,
    OFFICER_FLAGS,
    OTHERWISE,
    TILES,
)

UNKNOWN: Final = "unknown"
YES_NO: Final = ("yes", "no")
CAMERA: Final = ("on", "off", "muted")

Kind = Literal["id", "text", "code", "codes", "time", "seconds", "count", "yes_no", "label"]
Label = Callable[[str, str], str]  # (column, code) -> words
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Names:
    """Names by id. People's are empty in a de-identified export."""

    agencies: Mapping[str, str]
    providers: Mapping[str, str]
    people: Mapping[str, str]
    homes: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # an agency's county, state
    units: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """A session and what is read beside it."""

    row: SessionRow
    names: Names
    case_number: str | None = None
    signed_at: float | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """What the attempts of a follow-up add up to."""

    first_at: float | None = None
    last_at: float | None = None
    reached_at: float | None = None
    channel: str | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class FollowupFacts:
    """A follow-up of a session, with what became of its attempts; nothing sealed."""

    id: str
    kind: str
    owner_id: str
    created_at: float
    due_at: float
    status: str
    closed_at: float | None
    closed_reason: str | None
    attempts: int
    session: SessionFacts
    now: float
    tried: Tried = field(default_factory=Tried)


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """One column. `named`: only in a table with names. `codes`: what a cell can hold."""

    name: str
    kind: Kind
    value: Callable[[T], object]
    codes: tuple[str, ...] = ()
    named: bool = False


@dataclass(frozen=True, slots=True)
class Table(Generic[T]):
    """One table that leaves."""

    name: str
    columns: tuple[Column[T], ...]

    def shown(self, *, named: bool) -> list[Column[T]]:
        return [one for one in self.columns if named or not one.named]


def header(table: Table[T], *, named: bool) -> list[str]:
    """The columns' names; a code has its words in a column of its own beside it."""
    found: list[str] = []
    for one in table.shown(named=named):
        found += [one.name, f"{one.name}_label"] if _worded(one) else [one.name]
    return found


def writer(table: Table[T], label: Label, *, named: bool) -> Callable[[T], list[str]]:
    """Makes one line; unknown is said, never blank, and nothing is a formula.

    What does not change from line to line is settled here, once: there may be a million of them.
    """
    columns = [(one, _cell(one.kind), _worded(one)) for one in table.shown(named=named)]
    known: dict[tuple[str, object], str] = {}

    def words(column: str, value: object) -> str:
        said = known.get((column, value))
        if said is None:
            codes = value if isinstance(value, tuple) else () if value is None else (value,)
            said = ", ".join(label(column, str(code)) for code in codes)
            said = harmless(said or ("none" if value == () else UNKNOWN))
            known[column, value] = said
        return said

    def cells(facts: T) -> list[str]:
        found: list[str] = []
        for one, written, worded in columns:
            value = one.value(facts)
            found.append(UNKNOWN if value is None or value == "" else written(value))
            if worded:
                found.append(words(one.name, value))
        return found

    return cells


def harmless(cell: str) -> str:
    """A spreadsheet must not take a cell for a formula."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else cell


def _worded(one: Column[T]) -> bool:
    return one.kind in ("code", "codes")


def _cell(kind: Kind) -> Callable[[Any], str]:
    """How a known value of this kind is written."""
    return _WRITTEN.get(kind, _text)


def _text(value: object) -> str:
    return harmless(str(value))


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC).isoformat(timespec='milliseconds')[:-6]}Z"


_WRITTEN: Final[Mapping[Kind, Callable[[Any], str]]] = {
    "time": _time,
    "seconds": lambda value: f"{value:.3f}",
    "yes_no": lambda value: YES_NO[0] if value else YES_NO[1],
    "codes": lambda value: " ".join(value) or "none",
}


# --- a row a session ------------------------------------------------------------------------------


def _plain(name: str, kind: Kind, codes: Sequence[str] = ()) -> Column[SessionFacts]:
    """A column of the session's own row."""
    return Column(name, kind, lambda facts: getattr(facts.row, name), tuple(codes))


def _span(name: str, start: str, end: str) -> Column[SessionFacts]:
    def value(facts: SessionFacts) -> float | None:
        first, last = getattr(facts.row, start), getattr(facts.row, end)
        return None if first is None or last is None else max(0.0, last - first)

    return Column(name, "seconds", value)


def _place(facts: SessionFacts, part: int) -> str | None:
    row, home = facts.row, facts.names.homes.get(facts.row.agency_id, ("", ""))
    said = (row.place_county, row.place_state)
    return (said if row.place_county else home)[part]


def _flag(code: str) -> Column[SessionFacts]:
    """Yes or no once that side has said what happened; unknown before."""

    def value(facts: SessionFacts) -> bool | None:
        row = facts.row
        if row.flags & BIT[code]:
            return True
        asked = row.actual_disposition if code in OFFICER_FLAGS else row.recommended_disposition
        return False if asked and row.state == "closed" else None

    return Column(f"flag_{code}", "yes_no", value)


TIMES: Final = (
    *("pressed_at", "alerted_at", "accepted_at", "media_at", "handed_over_at", "handed_back_at"),
    *("recommended_at", "acknowledged_at", "ended_at", "closed_at", "disposition_at"),
)

SESSIONS: Final[Table[SessionFacts]] = Table(
    "sessions",
    (
        Column("session", "id", lambda facts: facts.row.id),
        _plain("code", "text"),
        Column("agency", "text", lambda facts: facts.names.agencies.get(facts.row.agency_id)),
        Column("provider", "text", lambda facts: facts.names.providers.get(facts.row.provider_id)),
        Column(
            "officer", "text",
            lambda facts: facts.names.people.get(facts.row.officer_id or ""), named=True,
        ),
        Column(
            "clinician", "text",
            lambda facts: facts.names.people.get(facts.row.lead_id or ""), named=True,
        ),
        Column(
            "unit", "text", lambda facts: facts.names.units.get(facts.row.tablet_id), named=True
        ),
        Column("cad_number", "text", lambda facts: facts.case_number, named=True),
        Column("place_county", "text", lambda facts: _place(facts, 0)),
        Column("place_state", "text", lambda facts: _place(facts, 1)),
        Column(
            "place_said", "yes_no",
            lambda facts: facts.row.place_county is not None,
        ),
        *(_plain(name, "time") for name in TIMES),
        Column("signed_at", "time", lambda facts: facts.signed_at),
        _span("answer_seconds", "pressed_at", "media_at"),
        _span("alert_seconds", "pressed_at", "alerted_at"),
        _span("accept_seconds", "pressed_at", "accepted_at"),
        _span("connect_seconds", "accepted_at", "media_at"),
        _span("call_seconds", "media_at", "ended_at"),
        _plain("brief_seconds", "seconds"),
        _plain("handed_over_seconds", "seconds"),
        _plain("debrief_seconds", "seconds"),
        _plain("state", "code", (*OPEN_STATES, "closed")),
        _plain("close_reason", "code", CLOSE_REASONS),
        _plain("otherwise", "code", OTHERWISE),
        _plain("recommended_disposition", "code", DISPOSITIONS),
        _plain("actual_disposition", "code", DISPOSITIONS),
        _plain("difference_reason", "code", DIFFERENCE_REASONS),
        *(_flag(code) for code in (*OFFICER_FLAGS, *CLINICIAN_FLAGS)),
        _plain("intake", "codes", TILES),
        _plain("language", "code", LANGUAGES),
        _plain("body_camera", "code", CAMERA),
        _plain("voice_only", "yes_no"),
        Column("requeued", "yes_no", lambda facts: facts.row.requeued_at is not None),
        Column("escalation_steps", "count", lambda facts: facts.row.level),
        _plain("test", "yes_no"),
    ),
)  # fmt: skip


# --- a row a follow-up ----------------------------------------------------------------------------


def _on_time(facts: FollowupFacts) -> bool | None:
    """Done by its due time; unknown while it is open and not due yet."""
    if facts.closed_at is None:
        return False if facts.due_at <= facts.now else None
    return facts.status == "done" and facts.closed_at <= facts.due_at


def _reached(facts: FollowupFacts) -> float | None:
    ended = facts.session.row.ended_at
    if facts.tried.reached_at is None or ended is None:
        return None
    return max(0.0, facts.tried.reached_at - ended)


def _kind(facts: FollowupFacts) -> str:
    return part2.followup_kind(facts.kind)


KINDS: Final = (*part2.FOLLOWUPS_OPEN, part2.FOLLOWUP_VEILED)

FOLLOWUPS: Final[Table[FollowupFacts]] = Table(
    "followups",
    (
        Column("followup", "id", lambda facts: facts.id),
        Column("session", "id", lambda facts: facts.session.row.id),
        Column("code", "text", lambda facts: facts.session.row.code),
        Column(
            "agency", "text",
            lambda facts: facts.session.names.agencies.get(facts.session.row.agency_id),
        ),
        Column(
            "provider", "text",
            lambda facts: facts.session.names.providers.get(facts.session.row.provider_id),
        ),
        Column(
            "owner", "text", lambda facts: facts.session.names.people.get(facts.owner_id),
            named=True,
        ),
        Column("cad_number", "text", lambda facts: facts.session.case_number, named=True),
        Column("kind", "code", _kind, KINDS),
        Column("status", "code", lambda facts: facts.status, ("open", "done", "closed")),
        Column(
            "closed_reason", "code", lambda facts: facts.closed_reason,
            (FOLLOWUP_DONE, *FOLLOWUP_REASONS),
        ),
        Column("session_ended_at", "time", lambda facts: facts.session.row.ended_at),
        Column("created_at", "time", lambda facts: facts.created_at),
        Column("due_at", "time", lambda facts: facts.due_at),
        Column("closed_at", "time", lambda facts: facts.closed_at),
        Column("on_time", "yes_no", _on_time),
        Column("attempts", "count", lambda facts: facts.attempts),
        Column("first_attempt_at", "time", lambda facts: facts.tried.first_at),
        Column("last_attempt_at", "time", lambda facts: facts.tried.last_at),
        Column("last_channel", "code", lambda facts: facts.tried.channel, ATTEMPT_CHANNELS),
        Column("last_outcome", "code", lambda facts: facts.tried.outcome, ATTEMPT_OUTCOMES),
        Column("reached_at", "time", lambda facts: facts.tried.reached_at),
        Column("reached_seconds", "seconds", _reached),
        Column("test", "yes_no", lambda facts: facts.session.row.test),
    ),
)  # fmt: skip


# --- the dictionary -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Meaning:
    """One column of one table, for the dictionary. `of`: the code whose words this column holds."""

    table: str
    column: str
    kind: Kind
    codes: tuple[str, ...]
    named: bool
    of: str | None = None


def dictionary() -> list[Meaning]:
    """Every column of every table, in the order of the tables."""
    found = []
    for table, columns in ((SESSIONS.name, SESSIONS.columns), (FOLLOWUPS.name, FOLLOWUPS.columns)):
        for one in columns:
            codes = YES_NO if one.kind == "yes_no" else one.codes
            found.append(Meaning(table, one.name, one.kind, codes, one.named))
            if one.kind in ("code", "codes"):
                words = f"{one.name}_label"
                found.append(Meaning(table, words, "label", (), one.named, of=one.name))
    return found
