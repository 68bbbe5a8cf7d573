"""The record in words and numbers that people read. Pure: the time and the texts are passed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from auth.shapes import AssessmentRecord, SessionRecord, TimelineEntry
from records.flags import codes_of
from records.notes import DUE_SECONDS
from records.sessions import SessionRow
from web.i18n import Texts

BADGES = {
    "waiting": "badge--wait",
    "answering": "badge--wait",
    "connected": "badge--ok",
    "recovering": "badge--wait",
    "wrap_up": "badge--quiet",
    "closed": "badge--quiet",
}
_POINTS = (
    ("pressed", "pressed_at"),
    ("alerted", "alerted_at"),
    ("accepted", "accepted_at"),
    ("media", "media_at"),
    ("handed_over", "handed_over_at"),
    ("handed_back", "handed_back_at"),
    ("recommended", "recommended_at"),
    ("acknowledged", "acknowledged_at"),
    ("ended", "ended_at"),
    ("closed", "closed_at"),
    ("disposition", "disposition_at"),
)
_DURATIONS = (
    "to_alert",
    "to_accept",
    "accept_to_media",
    "to_answer",
    "brief",
    "handed_over",
    "debrief",
    "call",
    "wrap_up",
)
_LABELS = {
    "disposition": "common.disposition",
    "actual": "common.disposition",
    "reason": "common.reason",
    "step": "common.step",
    "way": "common.way",
    "role": "common.side",
    "seat": "common.seat",
    "picture": "common.picture",
    "mode": "common.mode",
    "widened": "common.widened",
    "language": "common.language",
    "otherwise": "common.otherwise",
    "camera": "common.body_camera",
    "followup": "common.followup",
    "attempt": "common.attempt",
    "closed": "common.followup_closed",
}
_COLUMNS = {
    "state": "common.state",
    "close_reason": "common.close",
    "recommended_disposition": "common.disposition",
    "actual_disposition": "common.disposition",
    "difference_reason": "common.difference",
    "otherwise": "common.otherwise",
    "intake": "common.tile",
    "language": "common.language",
    "body_camera": "common.body_camera",
    "kind": "common.followup",
    "status": "manager.session.status",
    "closed_reason": "common.followup_closed",
    "last_channel": "common.channel",
    "last_outcome": "common.attempt",
}
_MISSING = "–"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table: a name and what stands beside it."""

    name: str
    value: str
    extra: str = ""
    at: str = ""  # for <time datetime>


def label(texts: Texts, prefix: str, code: object) -> str:
    """The words of a code; an unknown one is shown as it is, readable at least."""
    if code is None:
        return texts.t("common.unknown")
    key = f"{prefix}.{code}"
    return texts.t(key) if key in texts else str(code).replace("_", " ")


def column_label(texts: Texts, column: str, code: str) -> str:
    """The words of a code in a column of the export."""
    return label(texts, _COLUMNS.get(column, "common.reason"), code)


def span(seconds: float | None) -> str:
    """A duration: 0:42, 12:05, 1:02:03; a dash for one that has no end yet."""
    if seconds is None:
        return _MISSING
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def precise(seconds: float | None) -> str:
    """A short duration with a tenth of a second: 1.4 s; longer ones as `span`."""
    if seconds is None or seconds >= 60:
        return span(seconds)
    return f"{seconds:.1f} s"


def moment(at: float | None, zone: str) -> str:
    """Date and time of day in a time zone, in the order that sorts: 2026-11-23 06:42."""
    if at is None:
        return _MISSING
    return datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


def clock(at: float, zone: str) -> str:
    """The time of day with seconds."""
    return datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%H:%M:%S")


def iso(at: float | None) -> str:
    """For <time datetime>, in UTC."""
    if at is None:
        return ""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def spoken(code: str) -> str:
    """A session's code as it is spoken: 482 913."""
    return f"{code[:3]} {code[3:]}" if len(code) == 6 else code


def points(row: SessionRow, zone: str, texts: Texts) -> list[Line]:
    """The session's clock: what was reached, when, and how long after the press."""
    lines = []
    for name, column in _POINTS:
        at: float | None = getattr(row, column)
        if at is not None:
            after = f"+{span(at - row.pressed_at)}"
            words = texts.t(f"manager.session.t.{name}")
            lines.append(Line(words, clock(at, zone), after, iso(at)))
    return lines


def durations(record: SessionRecord, texts: Texts) -> list[Line]:
    """How long each part took."""
    return [
        Line(texts.t(f"manager.session.d.{name}"), precise(getattr(record.durations, name)))
        for name in _DURATIONS
    ]


def event(entry: TimelineEntry, texts: Texts) -> str:
    """One event of the timeline in words."""
    values = {key: str(value) for key, value in entry.data.items()}
    for key, prefix in _LABELS.items():
        if key in entry.data:
            values[key] = label(texts, prefix, entry.data[key])
    if "reason" in entry.data:
        values["close"] = label(texts, "common.close", entry.data["reason"])
    values["tiles"] = tiles(entry.data.get("tiles", ()), texts)
    values["clinician"] = entry.names.get("clinician") or texts.t("common.actor.clinician")
    values["provider"] = entry.names.get("provider") or texts.t("common.unknown")
    values["by"] = label(texts, "common.actor", entry.data.get("by", entry.actor_kind))
    for key in (*_LABELS, "close"):
        values.setdefault(key, texts.t("common.unknown"))
    for key in ("county", "state"):
        values.setdefault(key, texts.t("common.unknown"))
    key = f"common.timeline.{entry.kind}"
    for switch in ("voice_only", "saver"):
        if switch in entry.data:
            key += ".on" if entry.data[switch] else ".off"
    return texts.t(key, **values)


def flags(row: SessionRow) -> tuple[str, ...]:
    """What else is true of a session, as codes."""
    return codes_of(row.flags)


def actor(entry: TimelineEntry, texts: Texts) -> str:
    """Who did it: a name, else what kind of actor."""
    return entry.actor or label(texts, "common.actor", entry.actor_kind)


def tiles(codes: object, texts: Texts) -> str:
    """The intake tiles in words."""
    known = codes if isinstance(codes, list | tuple) else ()
    return ", ".join(label(texts, "common.tile", code) for code in known) or texts.t("common.none")


def answers(record: AssessmentRecord, texts: Texts) -> list[Line]:
    """The answered questions, in the instrument's order and the page's language."""
    given = record.answers or {}
    body = record.form.definition(texts.locale)
    return [
        Line(str(item.get("text", item["linkId"])), _answer(item, given[item["linkId"]], texts))
        for item in _questions(body)
        if given.get(item["linkId"]) not in (None, "", [])
    ]


def _questions(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for item in body.get("item", ()):
        if item["type"] != "group":
            found.append(item)
        found += _questions(item)
    return found


def _answer(item: Mapping[str, Any], value: object, texts: Texts) -> str:
    if isinstance(value, bool):
        return texts.t("manager.session.yes" if value else "manager.session.no")
    if isinstance(value, list):
        return ", ".join(_answer(item, each, texts) for each in value)
    words = {
        option["valueCoding"]["code"]: option["valueCoding"].get("display")
        for option in item.get("answerOption", ())
    }
    return str(words.get(str(value)) or value)


def level(record: AssessmentRecord, texts: Texts) -> str:
    """The computed level in words; with the score, and "at least" where answers are missing."""
    words = label(texts, "common.level", record.level)
    result = record.result or {}
    if "score" in result:
        how = "scored_at_least" if result.get("at_least") else "scored"
        return texts.t(f"common.level.{how}", level=words, score=str(result["score"]))
    return texts.t("common.level.at_least", level=words) if result.get("at_least") else words


def day(at: float, zone: str) -> str:
    """The date in a time zone."""
    return datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%Y-%m-%d")


def title(record: AssessmentRecord, texts: Texts) -> str:
    """The questionnaire's name in the page's language."""
    return str(record.form.definition(texts.locale).get("title", record.instrument))


def late_note(row: SessionRow, now: float) -> bool:
    """Whether a note without a signature should have one by now."""
    return row.closed_at is not None and now - row.closed_at > DUE_SECONDS
