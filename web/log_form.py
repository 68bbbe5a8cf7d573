"""What the log's address says, as a filter: parsed strictly, or as far as it is this reader's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from aiohttp import web

from auth.actors import Actor
from auth.log_search import MOST, readable
from records import directory
from records.directory import Agency, Directory, Person
from records.log import LogFilter
from records.log_filters import ANY_MISS, FLAGS_TO_FIND, OPEN_MISS, County, Found
from records.schema import OPEN_STATES
from records.vocabulary import DISPOSITIONS, NEAR_MISSES
from web.errors import BadRequest
from web.keys import actor_of, now_of, services_of
from web.manager import agencies_of, midnight

STATES = (*OPEN_STATES, "closed")
SPANS = (1, 7, 30, 90)  # days until today
MISSES = (ANY_MISS, OPEN_MISS, *NEAR_MISSES)
FIELDS = (
    "from", "until", "span", "agency", "county", "state", "disposition", "clinician", "flag",
    "miss", "code", "found", "tests",
)  # fmt: skip
MORE = frozenset({"clinician", "flag", "miss", "county", "code", "span"})  # folded away
_LONGEST_CODE = 8
_ID = re.compile(r"(tab|per|ses)_[a-z0-9_-]{1,36}")
_NAME = re.compile(r"[^\x00-\x1f;|]{1,60}")


@dataclass(frozen=True, slots=True)
class Choices:
    """What this reader may choose from."""

    actor: Actor
    who: Directory
    agencies: list[Agency]
    now: float

    @property
    def counties(self) -> list[tuple[str, str]]:
        """Counties of the agencies and of where else they work, by state and name."""
        own = {(one.county, one.state) for one in self.agencies}
        other = {(p.county, p.state) for one in self.agencies for p in one.places}
        return sorted(own | other, key=lambda one: (one[1], one[0].casefold()))

    @property
    def clinicians(self) -> list[Person]:
        """Of the providers that answer these agencies, by name; also those who have left."""
        providers = {one.provider_id for one in self.agencies}
        staff = (
            one
            for one in self.who.people.values()
            if one.provider_id in providers and {"clinician", "supervisor"} & one.roles
        )
        return sorted(staff, key=lambda one: (one.name.casefold(), one.id))


async def choices_of(request: web.Request) -> Choices:
    """What whoever asks may choose from, now."""
    async with services_of(request).db.read() as conn:
        who = await directory.read(conn)
    return Choices(actor_of(request), who, await agencies_of(request), now_of(request))


def kept(query: Mapping[str, str]) -> dict[str, str]:
    """The fields that say something."""
    return {name: query[name] for name in FIELDS if query.get(name)}


def parse(query: Mapping[str, str], choices: Choices) -> LogFilter:
    """The filter as it was asked for. Raises BadRequest for a value that no form of ours sends."""
    agency = _one_of(query.get("agency"), {one.id for one in choices.agencies})
    code = "".join(letter for letter in query.get("code", "") if letter.isalnum())
    if len(code) > _LONGEST_CODE:
        raise BadRequest
    zone = next((one.timezone for one in choices.agencies if agency in (None, one.id)), "UTC")
    span = _one_of(query.get("span"), {str(days) for days in SPANS})
    since = midnight(query.get("from"), zone, 0)
    if span is not None:
        today = datetime.fromtimestamp(choices.now, ZoneInfo(zone)).date()
        first = midnight((today - timedelta(days=int(span) - 1)).isoformat(), zone, 0)
        since = first if since is None else max(since, first or since)
    return LogFilter(
        pressed_from=since,
        pressed_until=midnight(query.get("until"), zone, 1),
        agency_id=agency,
        state=_one_of(query.get("state"), set(STATES)),
        actual=_one_of(query.get("disposition"), set(DISPOSITIONS)),
        code=code or None,
        tests=query.get("tests") == "1",
        lead_id=_one_of(query.get("clinician"), {one.id for one in choices.clinicians}),
        county=_county(query.get("county"), choices),
        flag=_one_of(query.get("flag"), set(FLAGS_TO_FIND)),
        miss=_one_of(query.get("miss"), set(MISSES)),
        found=_found(query.get("found"), choices),
    )


def sane(query: Mapping[str, str], choices: Choices) -> dict[str, str]:
    """The fields whose values this reader may use; others are left out."""
    good: dict[str, str] = {}
    for name, value in kept(query).items():
        try:
            parse({name: value}, choices)
        except BadRequest:
            continue
        good[name] = value
    return good


def county_code(county: str, state: str) -> str:
    """A county as it stands in an address."""
    return f"{county}|{state}"


def found_code(found: Found) -> str:
    """What was found, as it stands in an address."""
    return ".".join((*found.tablets, *found.officers, *found.sessions))


def _one_of(value: str | None, known: set[str]) -> str | None:
    if not value:
        return None
    if value not in known:
        raise BadRequest
    return value


def _county(value: str | None, choices: Choices) -> County | None:
    if not value:
        return None
    name, _, state = value.partition("|")
    if not _NAME.fullmatch(name) or (name, state) not in choices.counties:
        raise BadRequest
    own = (one.id for one in choices.agencies if (one.county, one.state) == (name, state))
    return County(name, state, tuple(own))


def _found(value: str | None, choices: Choices) -> Found | None:
    if not value:
        return None
    ids = value.split(".")
    if len(ids) > 3 * MOST or not all(_ID.fullmatch(one) for one in ids):
        raise BadRequest
    kinds = {"tab": list[str](), "per": list[str](), "ses": list[str]()}
    for one in dict.fromkeys(ids):
        kinds[one[:3]].append(one)
    found = Found(tuple(kinds["tab"]), tuple(kinds["per"]), tuple(kinds["ses"]))
    if not readable(choices.who, choices.actor, found):
        raise BadRequest
    return found
