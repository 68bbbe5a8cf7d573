"""A realistic log without any real person: sessions of a state over months or years. Pure.

Arrivals follow the hours of the day and the days of the week and grow a little; waits, talks and
wrap-ups are log-normal. Dispositions have the mix that was published for 181 encounters: staying in
place recommended 141 times and done 137 times, voluntary 9 and 10, involuntary 27 and 19 (JMIR Ment
Health 2023;10:e42610); what is left over is ours. The other figures are our own guesses.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from records.fact_rules import RULES
from records.flags import BIT

DAY: Final = 86_400.0
HOUR_WEIGHTS: Final = (  # local hours 0 to 23: nights are thin, the evening is the peak
    5, 4, 3, 2, 2, 2, 3, 4, 5, 6, 6, 7, 7, 7, 8, 9, 10, 11, 11, 11, 10, 9, 8, 6,
)  # fmt: skip
DAY_WEIGHTS: Final = (10, 10, 10, 10, 12, 13, 12)  # Monday to Sunday
GROWTH: Final = 0.3  # from the first day to the last
ABANDONED: Final = 0.03
NEVER_CONNECTED: Final = 0.01
TESTS: Final = 0.02
RECORDED: Final = 0.96  # the officer said what happened
RECOMMENDED: Final = (
    ("remain_in_place", 141), ("involuntary_hold", 27), ("voluntary_transport", 9),
    ("medical_ed", 3), ("crisis_stabilisation", 1),
)  # fmt: skip
ACTUAL: Final = {  # by what was recommended
    "remain_in_place": (
        ("remain_in_place", 133), ("voluntary_transport", 3), ("medical_ed", 2),
        ("arrest_custody", 3),
    ),
    "involuntary_hold": (
        ("involuntary_hold", 18), ("medical_ed", 4), ("remain_in_place", 3),
        ("voluntary_transport", 1), ("arrest_custody", 1),
    ),
    "voluntary_transport": (
        ("voluntary_transport", 6), ("remain_in_place", 1), ("involuntary_hold", 1),
        ("medical_ed", 1),
    ),
    "medical_ed": (("medical_ed", 3),),
    "crisis_stabilisation": (("crisis_stabilisation", 1),),
}  # fmt: skip
ASKED_BEFORE: Final = 0.5  # the officer said what they would have done otherwise
OTHERWISE: Final = (  # a wish of ours, not a published mix
    ("involuntary_hold", 5), ("arrest_custody", 4), ("medical_ed", 4), ("remain_in_place", 3),
    ("unknown", 2),
)  # fmt: skip
FLAGGED: Final = {
    "force_used": 0.01, "person_injured": 0.03, "naloxone_given": 0.02, "weapon_present": 0.08,
    "protective_custody": 0.03, "children_present": 0.1, "calmer_at_end": 0.6,
}  # fmt: skip
OPIOID: Final = (("unknown", 3), ("no", 6), ("yes", 1))
DROPPED, RATED, SCREENED = 0.08, 0.6, 0.9  # of calls: a side was gone, BARS twice, screens whole
REASONS: Final = (
    ("person_declined", 4), ("medical_need", 2), ("no_transport_or_bed", 2), ("scene_changed", 2),
)  # fmt: skip
INTAKE: Final = (
    ("[]", 40), ('["adult"]', 40), ('["juvenile"]', 12), ('["adult","overdose"]', 8),
)  # fmt: skip
FOLLOWUPS: Final = (("contact_24h", 5), ("contact_48h", 3), ("warm_handoff", 2))


@dataclass(frozen=True, slots=True)
class Unit:
    """A tablet and where it belongs; `officers` use it by turns."""

    tablet_id: str
    agency_id: str
    officers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class World:
    """Whom the sample is about."""

    provider_id: str
    program_id: str
    units: tuple[Unit, ...]
    clinicians: tuple[str, ...]
    utc_offset: float  # seconds that local time is ahead of UTC


def sessions(
    world: World, count: int, first: float, last: float, seq: int, seed: int = 1
) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """`count` closed sessions between two moments, by time, each with its follow-ups.

    Rows for the tables `session` and `followup`; the same arguments give the same rows.
    """
    dice = random.Random(seed)  # noqa: S311 - a sample, and the same each time
    moments = sorted(_moments(dice, count, first, last, world.utc_offset))
    for no, pressed in enumerate(moments):
        row = _session(dice, world, pressed, seq + no, f"{seed}-{no:09d}")
        yield row, list(_followups(dice, row, last))


def _moments(
    dice: random.Random, count: int, first: float, last: float, offset: float
) -> Iterator[float]:
    """Moments by rejection: a random one is kept as often as its hour, day and age are busy."""
    busiest = max(HOUR_WEIGHTS) * max(DAY_WEIGHTS) * (1 + GROWTH)
    kept = 0
    while kept < count:
        share = dice.random()
        at = first + share * (last - first)
        local = at + offset
        hour, day = int(local % DAY // 3600), int(local // DAY + 3) % 7  # the epoch was a Thursday
        weight = HOUR_WEIGHTS[hour] * DAY_WEIGHTS[day] * (1 + GROWTH * share)
        if dice.random() * busiest < weight:
            kept += 1
            yield at


def _pick(dice: random.Random, weighted: tuple[tuple[str, int], ...]) -> str:
    words, weights = zip(*weighted, strict=True)
    return str(dice.choices(words, weights)[0])


def _session(
    dice: random.Random, world: World, pressed: float, seq: int, key: str
) -> dict[str, Any]:
    unit = dice.choice(world.units)
    row: dict[str, Any] = {
        **_EMPTY,
        "id": f"ses_sample-{key}",
        "code": f"{dice.randrange(10**6):06d}",
        "press_key": f"sample-{key}",
        "agency_id": unit.agency_id,
        "provider_id": world.provider_id,
        "program_id": world.program_id,
        "tablet_id": unit.tablet_id,
        "officer_id": dice.choice(unit.officers),
        "state": "closed",
        "seq": seq,
        "intake": _pick(dice, INTAKE),
        "test": dice.random() < TESTS,
        "pressed_at": pressed,
    }
    alerted = pressed + dice.uniform(0.1, 1.5)
    if dice.random() < ABANDONED:
        gone = alerted + dice.uniform(2, 120)
        return row | {
            "alerted_at": alerted, "ended_at": gone, "closed_at": gone, "version": 3,
            "close_reason": "cancelled_by_officer",
        }  # fmt: skip
    accepted = alerted + dice.lognormvariate(2.4, 0.7)  # median 11 s
    row |= {
        "lead_id": dice.choice(world.clinicians),
        "alerted_at": alerted,
        "accepted_at": accepted,
    }
    if dice.random() < NEVER_CONNECTED:
        gone = accepted + dice.uniform(20, 60)
        return row | {
            "ended_at": gone, "closed_at": gone + 120, "close_reason": "moved_to_phone",
            "version": 5,
        }  # fmt: skip
    return row | _talk(dice, accepted)


def _talk(dice: random.Random, accepted: float) -> dict[str, Any]:
    """A call of some 22 minutes (CORE 2019/2021, Avel eCare: 21 to 25), and what came of it."""
    media = accepted + dice.uniform(0.6, 3.0)
    brief = dice.lognormvariate(3.7, 0.4)  # median 40 s
    person = dice.lognormvariate(7.0, 0.45)  # median 18 min
    debrief = dice.lognormvariate(5.0, 0.5)
    handed, back = media + brief, media + brief + person
    ended = back + debrief
    closed = ended + dice.lognormvariate(6.0, 0.6)  # median 7 min
    recommended = _pick(dice, RECOMMENDED)
    known = dice.random() < RECORDED
    actual = _pick(dice, ACTUAL[recommended]) if known else None
    differs = actual is not None and actual != recommended
    said = _pick(dice, OTHERWISE) if dice.random() < ASKED_BEFORE else None
    marks = [code for code, share in FLAGGED.items() if dice.random() < share]
    return {
        "media_at": media,
        "handed_over_at": handed,
        "handed_back_at": back,
        "recommended_at": back + debrief / 2,
        "acknowledged_at": back + debrief / 2 + dice.uniform(3, 60),
        "ended_at": ended,
        "closed_at": closed,
        "disposition_at": ended + dice.uniform(10, 3600) if known else None,
        "brief_seconds": brief,
        "handed_over_seconds": person,
        "debrief_seconds": debrief,
        "recommended_disposition": recommended,
        "actual_disposition": actual,
        "difference_reason": _pick(dice, REASONS) if differs else None,
        "otherwise": said,
        "flags": sum(BIT[code] for code in marks),
        "opioid": _pick(dice, OPIOID),
        "close_reason": "completed",
        "epoch": 1,
        "version": 12,
    }


_EMPTY: Final[dict[str, Any]] = {
    **dict.fromkeys(
        (
            "lead_id", "alerted_at", "accepted_at", "media_at", "handed_over_at",
            "handed_back_at", "recommended_at", "acknowledged_at", "ended_at", "closed_at",
            "disposition_at", "recommended_disposition", "actual_disposition",
            "difference_reason", "otherwise",
        )
    ),
    "flags": 0,
    "opioid": "unknown",
    "wellness": False,
    "brief_seconds": 0.0,
    "handed_over_seconds": 0.0,
    "debrief_seconds": 0.0,
    "epoch": 0,
}  # fmt: skip


def _followups(dice: random.Random, row: dict[str, Any], last: float) -> Iterator[dict[str, Any]]:
    """One or two, closed by the end but for the newest and a few that were forgotten."""
    if row["media_at"] is None or row["test"]:
        return
    for no in range(dice.choice((0, 1, 1, 2))):
        due = row["closed_at"] + dice.choice((1, 2)) * DAY
        ended = due + dice.gauss(-0.3, 0.4) * DAY
        is_open = ended > last or dice.random() < 0.002
        done = dice.random() < 0.8
        yield {
            "id": f"fup_{row['id'][4:]}-{no}",
            "session_id": row["id"],
            "kind": _pick(dice, FOLLOWUPS),
            "owner_id": row["lead_id"],
            "due_at": due,
            "status": "open" if is_open else "done" if done else "closed",
            "created_at": row["closed_at"],
            "closed_at": None if is_open else max(row["closed_at"], ended),
            "closed_reason": None if is_open else "done" if done else "unreachable",
            "closed_by": None if is_open else row["lead_id"],
            "attempts": dice.choice((1, 1, 2, 3)) if done else 3,
        }


def fact(row: dict[str, Any]) -> dict[str, Any]:
    """A row for `session_fact`: how the call held, and what was asked and rated."""
    dice = random.Random(f"fact {row['id']}")  # noqa: S311 - a sample, and the same each time
    if row["media_at"] is None:
        return {**_NO_FACT, "session_id": row["id"]}
    lost = dice.random() < DROPPED
    rated = dice.random() < RATED
    before = dice.choice((3, 4, 4, 5, 5, 5, 6))
    return {
        "session_id": row["id"],
        "loss_seconds": dice.lognormvariate(2.8, 0.8) if lost else None,  # median 16 s
        "lost_at_end": lost and dice.random() < 0.05,
        "failed_setups": int(dice.random() < NEVER_CONNECTED),
        "screens_begun": 1,
        "screens_done": int(dice.random() < SCREENED),
        "plan": dice.choice(("made", "made", "made", "declined", "incomplete")),
        "means": "asked" if dice.random() < SCREENED else None,
        "bars_before": before if rated else None,
        "bars_after": max(1, before - dice.choice((0, 0, 1, 1, 2))) if rated else None,
        "rules": RULES,
    }


_NO_FACT: Final[dict[str, Any]] = {
    **dict.fromkeys(("loss_seconds", "plan", "means", "bars_before", "bars_after")),
    "lost_at_end": False,
    "failed_setups": 0,
    "screens_begun": 0,
    "screens_done": 0,
    "rules": RULES,
}


def tiles() -> str:
    """The intake tiles of a sample agency, as stored."""
    return json.dumps(("adult", "juvenile", "overdose"))
