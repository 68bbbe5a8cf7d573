"""One entry of the directory of help near by: what it may hold, and the directory as CSV. Pure.

Whoever keeps such a list keeps it in a spreadsheet, so the CSV is read as spreadsheets write it:
with or without BOM, with commas, semicolons or tabs, columns in any order, and the apostrophe that
our own export puts before a cell which a spreadsheet would take for a formula.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Final

from records.vocabulary import RESOURCE_KINDS, STATES

LARGEST: Final = 1_000_000  # bytes of a file
MOST: Final = 5_000  # entries of a program
MOST_PLACES: Final = 120
LONGEST_NAME: Final = 120
LONGEST: Final = 300
COLUMNS: Final = (
    "name", "kind", "places", "phone", "text_line", "address", "website", "hours", "hours_es",
    "accepts", "accepts_es",
)  # fmt: skip
WAYS: Final = ("phone", "text_line", "address", "website")

_PHONE = re.compile(r"\+?[0-9(][0-9 ().\-]{1,30}(?: ?(?:x|ext\.?) ?[0-9]{1,6})?")
_WEBSITE = re.compile(r"https?://[^\s<>\"]{3,290}")
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")  # with the apostrophes that keep it from being one


class BadEntry(ValueError):
    """An entry that cannot be kept; `field` says where."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


@dataclass(frozen=True, slots=True)
class Entry:
    """What somebody needs to get help there. `places`: (county, state); no county: all of it."""

    name: str
    kind: str
    places: tuple[tuple[str, str], ...]
    phone: str = ""
    text_line: str = ""
    address: str = ""
    website: str = ""
    hours: str = ""
    hours_es: str = ""
    accepts: str = ""
    accepts_es: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What makes two lines of a file the same entry."""
        return self.name.casefold(), self.kind


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a line of a file cannot be read: its number (the heading is 1) and the column."""

    line: int
    field: str


def entry(typed: Mapping[str, str]) -> Entry:
    """An entry from texts by column. Raises BadEntry for the first that cannot be kept."""
    texts = {name: _text(typed.get(name, ""), name) for name in COLUMNS if name != "places"}
    if not texts["name"]:
        raise BadEntry("name")
    if texts["kind"] not in RESOURCE_KINDS:
        raise BadEntry("kind")
    for name in ("phone", "text_line"):
        if texts[name] and not _PHONE.fullmatch(texts[name]):
            raise BadEntry(name)
    if texts["website"] and not _WEBSITE.fullmatch(texts["website"]):
        raise BadEntry("website")
    if not any(texts[name] for name in WAYS):
        raise BadEntry("phone")  # nobody could get there
    return Entry(places=places(typed.get("places", "")), **texts)


def places(typed: str) -> tuple[tuple[str, str], ...]:
    """ "Hand SD; Hyde SD; ND" as counties and whole states, each once. Raises BadEntry."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for part in re.split(r"[;\n]", typed):
        words = part.split()
        if not words:
            continue
        state, county = words[-1].upper(), " ".join(words[:-1])
        county = "" if county == "*" else re.sub(r"(?i) county$", "", county).strip(" ,")
        if state not in STATES or len(county) > 60 or not county.isprintable():
            raise BadEntry("places")
        found.setdefault((county.casefold(), state), (county, state))
    if not found or len(found) > MOST_PLACES:
        raise BadEntry("places")
    return tuple(sorted(found.values(), key=lambda place: (place[1], place[0].casefold())))


def places_text(those: Iterable[tuple[str, str]]) -> str:
    """Places as `places` reads them."""
    return "; ".join(f"{county or '*'} {state}" for county, state in those)


def write(entries: Iterable[Entry]) -> str:
    """The directory as CSV, with a BOM for spreadsheets; no cell is a formula."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\r\n")
    rows.writerow(COLUMNS)
    for one in entries:
        cells = {f.name: getattr(one, f.name) for f in fields(Entry)}
        cells["places"] = places_text(one.places)
        rows.writerow([_harmless(cells[name]) for name in COLUMNS])
    return "\ufeff" + out.getvalue()


def read(text: str) -> tuple[list[Entry], list[Problem]]:
    """A file's entries, and what is wrong with it. With any problem nothing should be kept."""
    lines = text.removeprefix("\ufeff")
    head = lines.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    rows = csv.reader(io.StringIO(lines, newline=""), delimiter=delimiter)
    try:
        names = [name.strip().lower().replace(" ", "_") for name in next(rows, [])]
        missing = [name for name in ("name", "kind", "places") if name not in names]
        if not any(names):
            return [], [Problem(1, "empty")]
        if missing or len(set(names)) != len(names):
            return [], [Problem(1, "columns")]
        return _entries(rows, names)
    except csv.Error:
        return [], [Problem(max(rows.line_num, 1), "columns")]


def _entries(rows: Iterable[list[str]], names: list[str]) -> tuple[list[Entry], list[Problem]]:
    found: dict[tuple[str, str], Entry] = {}
    problems: list[Problem] = []
    for number, cells in enumerate(rows, start=2):
        if not any(cell.strip() for cell in cells):
            continue
        try:
            one = _entry(cells, names)
        except BadEntry as bad:
            problems.append(Problem(number, bad.field))
            continue
        if one.key in found:
            problems.append(Problem(number, "name"))
        elif len(found) == MOST:
            return list(found.values()), [*problems, Problem(number, "most")]
        found[one.key] = one
    return list(found.values()), problems


def _entry(cells: list[str], names: list[str]) -> Entry:
    if len(cells) > len(names):
        raise BadEntry("columns")
    return entry({name: _plain(cell) for name, cell in zip(names, cells, strict=False)})


def _text(typed: str, name: str) -> str:
    text = " ".join(typed.split())
    longest = LONGEST_NAME if name == "name" else LONGEST
    if len(text) > longest or not text.isprintable():
        raise BadEntry(name)
    return text


def _harmless(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _plain(cell: str) -> str:
    """A cell without the apostrophe that `_harmless` puts before it."""
    return cell[1:] if cell[:1] == "'" and _FORMULA.match(cell[1:]) else cell
