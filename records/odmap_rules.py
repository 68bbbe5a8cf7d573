"""Overdoses for ODMAP: what a human may release, and the file. Pure.

Only what an officer said goes in: the tile *Overdose*, the flag *naloxone given*, the doses tapped
on the tablet, place and time. Those are no records of treatment. What a clinician learned is (42
CFR Part 2): no form of theirs, no card and no answer about opioids is asked here, neither to find a
session nor to fill a column.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from records.doses import Dose
from records.flags import BIT
from records.sessions import SessionRow
from records.vocabulary import STATES

TILE: Final = "overdose"
FLAG: Final = BIT["naloxone_given"]
FATAL: Final = ("nonfatal", "fatal")
NALOXONE: Final = ("none", "single", "multiple", "given_unknown", "unknown")
GIVEN_BY: Final = ("none", "officer", "ems", "bystander", "several", "unknown")
HELD: Final = ("not_overdose", "reported_elsewhere", "duplicate", "other")
EARLIEST: Final = 86_400.0  # an overdose was at most so long before the press
LONGEST_PLACE: Final = 120
COLUMNS: Final = (
    "reference", "occurred_at", "occurred_local", "county", "state", "place", "outcome", "naloxone",
)  # fmt: skip
MINUTE: Final = "%Y-%m-%dT%H:%M"


class BadRow(ValueError):
    """A row that cannot go out; `field` says why."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


@dataclass(frozen=True, slots=True)
class OdmapRow:
    """One overdose as a human released it. `place`: words, as near as the agency wants.

    `given_by`: empty in a file that left before it was asked.
    """

    occurred_at: float
    county: str
    state: str
    place: str
    outcome: str
    naloxone: str
    given_by: str = ""

    def __repr__(self) -> str:
        return "OdmapRow()"


def is_candidate(row: SessionRow) -> bool:
    """Whether an officer's words make it an overdose that somebody should look at."""
    told = TILE in row.intake or bool(row.flags & FLAG)
    return told and row.state == "closed" and not row.test and not row.wellness


def naloxone_said(row: SessionRow, doses: Sequence[Dose] = ()) -> str:
    """What the officer's taps tell, else the officer's flag; how many doses that does not."""
    if doses:
        return "single" if len(doses) == 1 else "multiple"
    if row.flags & FLAG:
        return "given_unknown"
    return "none" if row.actual_disposition is not None else "unknown"


def giver_said(row: SessionRow, doses: Sequence[Dose]) -> str:
    """Who gave it. One known giver beside an unknown one is not known to be the only one."""
    if not doses:
        return "none" if naloxone_said(row) == "none" else "unknown"
    givers = {one.by for one in doses}
    if len(givers) == 1:
        return givers.pop()
    return "several" if len(givers - {"unknown"}) > 1 else "unknown"


def time_said(row: SessionRow, doses: Sequence[Dose]) -> float:
    """When it was, as far as anybody said: at the press, or at a dose before it."""
    return min([row.pressed_at, *(one.at for one in doses if one.at is not None)])


def minute(at: float, zone: str) -> str:
    """A moment as a form shows it."""
    return datetime.fromtimestamp(at, ZoneInfo(zone)).strftime(MINUTE)


def checked(typed: Mapping[str, str], row: SessionRow, zone: str, now: float) -> OdmapRow:
    """What a human typed, as a row that may go out. Raises BadRow for the first that is wrong."""
    county, place = _words(typed, "county", 60), _words(typed, "place", LONGEST_PLACE)
    state = typed.get("state", "")
    outcome, naloxone = typed.get("outcome", ""), typed.get("naloxone", "")
    if state not in STATES:
        raise BadRow("state")
    if not county:
        raise BadRow("county")
    if outcome not in FATAL:
        raise BadRow("outcome")  # nobody has said it yet, so a human must
    if naloxone not in NALOXONE:
        raise BadRow("naloxone")
    given_by = typed.get("given_by", "")
    if given_by not in GIVEN_BY or (given_by == "none") != (naloxone == "none"):
        raise BadRow("given_by")
    at = _moment(typed.get("time", ""), row.pressed_at, zone)
    if not row.pressed_at - EARLIEST <= at <= min(now, (row.ended_at or now) + EARLIEST):
        raise BadRow("time")
    return OdmapRow(at, county, state, place, outcome, naloxone, given_by)


def write(rows: Iterable[tuple[str, str, OdmapRow]]) -> str:
    """The file: (reference, time zone, row) each, with a BOM; no cell is a formula.

    One that left before it was asked who gave naloxone comes again as it was.
    """
    rows = list(rows)
    asked = any(one.given_by for _, _, one in rows)
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\r\n")
    lines.writerow((*COLUMNS, "given_by") if asked else COLUMNS)
    for reference, zone, one in rows:
        at = datetime.fromtimestamp(one.occurred_at, UTC).replace(microsecond=0)
        local = at.astimezone(ZoneInfo(zone)).isoformat()
        said = at.isoformat().replace("+00:00", "Z")
        cells = (
            reference, said, local, one.county, one.state, one.place or "unknown", one.outcome,
            one.naloxone, *([one.given_by] if asked else []),
        )  # fmt: skip
        lines.writerow([_harmless(cell) for cell in cells])
    return "\ufeff" + out.getvalue()


def _words(typed: Mapping[str, str], field: str, longest: int) -> str:
    words = " ".join(typed.get(field, "").split())
    if len(words) > longest or not words.isprintable():
        raise BadRow(field)
    return words


def _moment(typed: str, pressed_at: float, zone: str) -> float:
    """The typed minute in the agency's time; the press itself where nobody changed it.

    In the doubled hour of autumn the one that is nearer to the press is meant.
    """
    if typed == minute(pressed_at, zone):
        return pressed_at
    try:
        clock = datetime.strptime(typed, MINUTE).replace(tzinfo=ZoneInfo(zone))
    except ValueError as error:
        raise BadRow("time") from error
    first, second = clock.timestamp(), clock.replace(fold=1).timestamp()
    return min((first, second), key=lambda at: abs(at - pressed_at))


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else cell
