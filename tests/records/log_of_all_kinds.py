"""A log in which everything occurs that reports count, by chance; and a slow reading of its rows.

The slow reading is written on its own, from clinical.md's formulas and the definitions on the page:
nothing of `records.tally` or `records.measures` is used in it.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from records import people, schema
from records.engine import Database
from records.measures import LEVELS
from records.schema_identities import identity
from records.schema_reports import session_fact
from records.vocabulary import DISPOSITIONS, FLAGS, FOLLOWUP_KINDS, FUNDING
from tests.records.cast import NOW
from web.dev import sample
from web.dev.sample import DAY, Unit, World

HOUR = 3600.0
Row = Mapping[str, Any]
UNITS = (
    *(Unit(f"tab_{no}", "agy_1", ("per_sam",)) for no in (1, 2)),
    Unit("tab_far", "agy_far", ("per_sam",)),
)
WORLD = World("prv_1", "prg_1", UNITS, ("per_dana", "per_miguel"), -6 * HOUR)


@dataclass
class Log:
    """Every row of the tables that reports read."""

    sessions: list[Row]
    facts: dict[str, Row]
    tasks: list[Row]
    attempts: list[Row]
    signed: dict[str, float]
    offers: list[Row]
    people: dict[str, Row]
    own_tasks: dict[str, list[Row]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for task in self.tasks:
            self.own_tasks.setdefault(task["session_id"], []).append(task)


async def fill(db: Database, seed: int, count: int = 300, days: int = 110) -> Log:
    """A log of `days` days, up to and after now; what became of each by `seed`."""
    dice = random.Random(seed)
    made = list(sample.sessions(WORLD, count, NOW - days * DAY, NOW - 60, seq=100, seed=seed))
    rows = [_changed(dice, row) for row, _ in made]
    facts = [_fact(dice, row) for row in rows if dice.random() < 0.8]
    tasks = [_task(dice, row, no) for row in rows for no in range(dice.choice((0, 1, 1, 2, 3)))]
    attempts = [_attempt(dice, task, no) for task in tasks for no in range(dice.choice((0, 1, 2)))]
    signatures = [_signature(dice, row) for row in rows if dice.random() < 0.5 and row["closed_at"]]
    people = [_person(dice, row) for row in rows if dice.random() < 0.6]
    offers = [_offer(dice, row, no) for row in rows for no in range(dice.choice((0, 1, 2)))]

    async def write(conn: AsyncConnection) -> None:
        await _far(conn)
        for table, values in (
            (schema.session, rows), (session_fact, facts), (schema.followup, tasks),
            (schema.followup_attempt, attempts), (schema.note_signature, signatures),
            (schema.offer, offers), (identity, people),
        ):  # fmt: skip
            await conn.execute(insert(table), values)

    await db.write(write)
    return await read(db)


async def read(db: Database) -> Log:
    async with db.read() as conn:

        async def all_of(table: Any) -> list[Row]:
            return [dict(row) for row in (await conn.execute(select(table))).mappings()]

        return Log(
            sessions=await all_of(schema.session),
            facts={row["session_id"]: row for row in await all_of(session_fact)},
            tasks=await all_of(schema.followup),
            attempts=await all_of(schema.followup_attempt),
            signed={r["session_id"]: r["signed_at"] for r in await all_of(schema.note_signature)},
            offers=await all_of(schema.offer),
            people={row["session_id"]: row for row in await all_of(identity)},
        )


async def _far(conn: AsyncConnection) -> None:
    await people.add(
        conn, schema.agency, id="agy_far", name="Far", county="Far", state="SD",
        timezone="America/Denver", regional_line="1", intake_tiles="[]",
    )  # fmt: skip
    await people.add(conn, schema.tablet, id="tab_far", agency_id="agy_far", label="Far")
    await people.add(
        conn, schema.provider, id="prv_2", name="Other", timezone="UTC", bridge_line="2"
    )
    await people.add(conn, schema.program, id="prg_2", name="Other")


def _changed(dice: random.Random, row: dict[str, Any]) -> dict[str, Any]:
    """Whose it was, where, who paid; a few still run, ended otherwise or a second apart."""
    place = dice.choice(((None, None), (None, None), ("SD", "Prairie"), ("SD", "Far"), ("ND", "X")))
    row = row | {
        "provider_id": dice.choice(("prv_1", "prv_1", "prv_2")),
        "program_id": dice.choice(("prg_1", "prg_1", "prg_1", "prg_2")),
        "place_state": place[0],
        "place_county": place[1],
        "funding": dice.choice(FUNDING[:3]),
        "wellness": dice.random() < 0.1,
        "recommended_disposition": dice.choice((row["recommended_disposition"], None)),
        "actual_disposition": dice.choice((row["actual_disposition"], *DISPOSITIONS)),
    }
    if dice.random() < 0.05 and row["media_at"] is None and row["close_reason"] == "moved_to_phone":
        row |= {"accepted_at": None}
    if row["close_reason"] == "cancelled_by_officer" and dice.random() < 0.5:
        row |= {"ended_at": row["pressed_at"] + dice.choice((9.9, 10.0, 10.1, 3.0))}
    if dice.random() < 0.06:
        row |= {"state": "wrap_up", "closed_at": None, "close_reason": None}
        if row["media_at"] is None:
            row |= {"state": "waiting", "lead_id": None, "ended_at": None}
            row |= {"tablet_id": f"tab_{row['id']}"[:40]}
    return row


def _fact(dice: random.Random, row: Row) -> dict[str, Any]:
    return {
        "session_id": row["id"],
        "loss_seconds": dice.choice((None, 3.0, 10.0, 10.1, 29.9, 30.0, 200.0)),
        "lost_at_end": dice.random() < 0.2,
        "failed_setups": dice.choice((0, 0, 0, 1, 2)),
        "screens_begun": 3,
        "screens_done": dice.choice((0, 1, 2)),
        "plan": dice.choice((None, "made", "declined", "incomplete")),
        "means": dice.choice((None, "asked", "incomplete")),
        "bars_before": dice.choice((None, 1, 3, 4, 5, 6, 7)),
        "bars_after": dice.choice((None, 1, 3, 4, 5, 6, 7)),
        "scene_before": dice.choice((None, None, 2, 5, 7)),
        "scene_after": dice.choice((None, None, 1, 4, 6)),
        "rules": dice.choice((-1, 0, 1, 1, 1, 1)),
    }


def _task(dice: random.Random, row: Row, no: int) -> dict[str, Any]:
    start = row["closed_at"] or row["pressed_at"]
    due = start + dice.choice((0.5, 1, 2, 20)) * DAY
    status = dice.choice(("open", "done", "done", "closed"))
    closed = None if status == "open" else start + dice.choice((0.2, 0.9, 1.0, 3, 8, 29, 31)) * DAY
    return {
        "id": f"fup_{row['id'][4:]}-{no}", "session_id": row["id"],
        "kind": dice.choice(FOLLOWUP_KINDS), "owner_id": "per_dana", "due_at": due,
        "status": status, "created_at": start, "closed_at": closed,
        "closed_reason": None if status == "open" else "done" if status == "done" else "declined",
        "closed_by": None if status == "open" else "per_dana",
    }  # fmt: skip


def _attempt(dice: random.Random, task: Row, no: int) -> dict[str, Any]:
    at = task["created_at"] + dice.choice((0.1, 0.99, 1.5, 2.5, 4)) * DAY
    outcome = dice.choice(("reached", "no_answer", "declined"))
    return {
        "followup_id": task["id"], "no": no + 1, "at": at, "by_id": "per_dana",
        "channel": "phone", "outcome": outcome,
    }  # fmt: skip


def _signature(dice: random.Random, row: Row) -> dict[str, Any]:
    at = row["closed_at"] + dice.choice((0.0, 600.0, DAY, DAY + 1, 3 * DAY))
    return {
        "session_id": row["id"], "signer_id": "per_dana", "signed_at": at, "signer": "{}",
        "digest_enc": b"",
    }  # fmt: skip


def _person(dice: random.Random, row: Row) -> dict[str, Any]:
    return {
        "session_id": row["id"], "subject_id": f"sub_{dice.randrange(90)}", "provider_id": "prv_1",
        "tag": dice.choice((b"t", b"t", None)), "pinned": dice.random() < 0.2, "rev": 1,
        "name_enc": b"", "born_enc": b"", "alias_enc": b"", "author_id": "per_dana",
        "updated_at": NOW,
    }  # fmt: skip


def _offer(dice: random.Random, row: Row, no: int) -> dict[str, Any]:
    states = ("declined", "expired", "undelivered", "withdrawn")
    return {
        "id": f"off_{row['id'][4:]}-{no}", "session_id": row["id"], "clinician_id": "per_dana",
        "epoch": no, "token": "t", "state": "accepted" if no == 0 else dice.choice(states),
        "sent_at": row["pressed_at"] + no, "deliver_by": 0.0, "expires_at": 0.0,
    }  # fmt: skip


# --- the slow reading -----------------------------------------------------------------------------


def ended_how(row: Row) -> str:
    if row["media_at"] is not None:
        return "answered"
    if row["close_reason"] == "cancelled_by_officer":
        return "short" if row["ended_at"] - row["pressed_at"] < 10 else "abandoned"
    if row["state"] != "closed":
        return "open"
    return "other" if row["accepted_at"] is None else "failed"


def slow(log: Log, rows: Sequence[Row], now: float) -> dict[str, Any]:
    """Every figure of these sessions, one list after another."""
    answered = [r for r in rows if ended_how(r) == "answered"]
    over = [r for r in answered if r["state"] == "closed"]
    closed = [r for r in rows if r["state"] == "closed"]
    found: dict[str, Any] = {
        "endings": Counter(map(ended_how, rows)),
        "hours": Counter(math.floor(r["pressed_at"] / 3600) for r in rows),
        "funding": Counter(r["funding"] for r in rows),
        "opioid": Counter(r["opioid"] for r in over),
        "over": len(over),
        "flags": Counter(
            name for r in over for no, name in enumerate(FLAGS) if r["flags"] & (1 << no)
        ),
        "to_answer": _tenths(r["media_at"] - r["pressed_at"] for r in answered),
        "levels": Counter(
            level
            for r in answered
            for level in LEVELS
            if math.floor((r["media_at"] - r["pressed_at"]) * 1000 + 0.5) <= level * 1000
        ),
        "to_accept": _tenths(
            r["accepted_at"] - r["pressed_at"] for r in rows if r["accepted_at"] is not None
        ),
        "to_media": _tenths(r["media_at"] - r["accepted_at"] for r in answered),
        "busy": sum(
            round(r["closed_at"] - r["accepted_at"]) for r in closed if r["accepted_at"] is not None
        ),
    }
    found["pairs"] = Counter(
        (r["recommended_disposition"], r["actual_disposition"], r["otherwise"]) for r in answered
    )
    found["setup"] = sum(
        ended_how(r) == "failed" or log.facts.get(r["id"], {}).get("failed_setups", 0) > 0
        for r in rows
    )
    ids = {r["id"] for r in rows}
    rung = Counter(o["state"] for o in log.offers if o["session_id"] in ids)
    found["rings"] = (
        rung["accepted"], rung["declined"], rung["expired"] + rung["undelivered"],
    )  # fmt: skip
    visits: dict[str, list[float]] = {}
    for row in rows:
        who = log.people.get(row["id"])
        if who is not None and (who["tag"] is not None or who["pinned"]):
            visits.setdefault(who["subject_id"], []).append(row["pressed_at"])
    found["repeats"] = {
        days: (
            sum(any(0 < b - a <= days * DAY for a in own for b in own) for own in visits.values()),
            len(visits),
        )
        for days in (7, 30, 90)
    }
    found |= _slow_facts(log, over) | _slow_tasks(log, closed, over, now)
    return found


def _tenths(seconds: Any) -> list[int]:
    return sorted(math.floor(s * 10 + 0.5) for s in seconds)


Three = tuple[int, int, int]


def _three(rows: Sequence[Any], part: Callable[[Any], bool], known: Callable[[Any], bool]) -> Three:
    told = [r for r in rows if known(r)]
    return sum(map(part, told)), len(told), len(rows) - len(told)


def _slow_facts(log: Log, over: Sequence[Row]) -> dict[str, Any]:
    facts = [log.facts.get(r["id"]) for r in over]
    dropped = [f for f in facts if f and f["loss_seconds"] and f["loss_seconds"] > 10]

    def told(f: Row | None) -> bool:
        return f is not None and f["rules"] > 0

    pairs = []
    for f in facts:
        both = [
            (f[f"{by}_before"], f[f"{by}_after"])
            for by in ("bars", "scene")
            if f is not None and told(f) and f[f"{by}_before"] and f[f"{by}_after"]
        ]
        pairs += both[:1]  # the clinician's before the officer's
    return {
        "drop": _three(facts, lambda f: f in dropped, lambda f: f is not None),
        "restored": (
            len([f for f in dropped if f["loss_seconds"] < 30 and not f["lost_at_end"]]),
            len(dropped), 0,
        ),
        "screen": _three(facts, lambda f: f["screens_done"] != 0, told),
        "plan": _three(facts, lambda f: f["plan"] == "made", told),
        "means": _three(facts, lambda f: f["means"] == "asked", told),
        "bars": (len([p for p in pairs if p[1] < p[0]]), len(pairs), len(facts) - len(pairs)),
        "bars_calm": (
            len([p for p in pairs if p[0] > 4 >= p[1]]), len([p for p in pairs if p[0] > 4]), 0,
        ),
        "bars_sums": (sum(p[0] for p in pairs), sum(p[1] for p in pairs)),
    }  # fmt: skip


def _slow_tasks(log: Log, closed: Sequence[Row], over: Sequence[Row], now: float) -> dict[str, Any]:
    tasks = [t for r in closed for t in log.own_tasks.get(r["id"], [])]
    found: dict[str, Any] = {
        "followups": _three(
            tasks,
            lambda t: t["status"] == "done" and t["closed_at"] <= t["due_at"],
            lambda t: t["status"] != "open" or t["due_at"] <= now,
        ),
        "signed": _three(
            over,
            lambda r: r["id"] in log.signed and log.signed[r["id"]] <= r["closed_at"] + 86_400,
            lambda r: r["id"] in log.signed or r["closed_at"] + 86_400 <= now,
        ),
        "kits": sum(
            any(t["kind"] == "naloxone_delivery" for t in log.own_tasks.get(r["id"], []))
            for r in over
        ),
    }

    def first(row: Row, kinds: set[str], attempts: bool) -> float:
        own = [t for t in log.own_tasks.get(row["id"], []) if t["kind"] in kinds]
        moments = [t["closed_at"] for t in own if t["status"] == "done"]
        names = {t["id"] for t in own}
        if attempts:
            moments += [
                a["at"] for a in log.attempts
                if a["followup_id"] in names and a["outcome"] == "reached"
            ]  # fmt: skip
        return min(moments, default=math.inf)

    for name, kinds, attempts, spans in (
        ("contact_{}h", {"contact_24h", "contact_48h"}, True, {24: HOUR, 48: HOUR, 72: HOUR}),
        (
            "linked_{}d", {"warm_handoff", "mobile_crisis_visit", "lead_referral"}, False,
            {7: DAY, 30: DAY},
        ),
    ):  # fmt: skip
        having = [
            r for r in over if any(t["kind"] in kinds for t in log.own_tasks.get(r["id"], []))
        ]
        for number, unit in spans.items():
            when = [(first(r, kinds, attempts), r["ended_at"] + number * unit) for r in having]
            found[name.format(number)] = _three(
                when,
                lambda pair: bool(pair[0] <= pair[1]),
                lambda pair: bool(pair[0] < math.inf or pair[1] <= now),
            )
    return found
