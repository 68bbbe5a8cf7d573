"""Calendar files: what is written reads back; what others write is read or refused whole."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from oncall.coverage import Shift
from oncall.errors import BadCalendar
from oncall.ical import LARGEST, MOST_EVENTS, Parsed, Reader, SingleEvent, WeeklyEvent, write
from oncall.roster import RosterEntry

CHICAGO = ZoneInfo("America/Chicago")
PEOPLE = {
    "dana@demo.invalid": "per_dana", "dana whitefeather": "per_dana", "dana": "per_dana",
    "miguel@demo.invalid": "per_miguel", "miguel ortiz": "per_miguel",
}  # fmt: skip


def at(wall: str) -> float:
    return datetime.fromisoformat(wall).replace(tzinfo=CHICAGO).timestamp()


NOW = at("2026-01-01 00:00")
READER = Reader(PEOPLE, "America/Chicago", 1, NOW)


def calendar(*events: str) -> str:
    body = "".join(f"BEGIN:VEVENT\n{event.strip()}\nEND:VEVENT\n" for event in events)
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{body}END:VCALENDAR\n"


def one(*lines: str) -> str:
    return calendar("\n".join(("UID:1", *lines)))


def read(*lines: str) -> Parsed:
    return READER.read(one(*lines))


NIGHT = (
    "DTSTART;TZID=America/Chicago:20260105T220000",
    "DTEND;TZID=America/Chicago:20260106T060000",
)


def test_a_weekly_event_is_a_weekly_shift_on_the_wall_clock() -> None:
    parsed = read("SUMMARY:Dana Whitefeather", *NIGHT, "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,FR")
    assert parsed == Parsed(
        (WeeklyEvent(4, "per_dana", 1, 0b10011, 1320, 360, "America/Chicago",
                     date(2026, 1, 5), None),), (), 0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("left_out", "days"),
    [
        ("EXDATE;TZID=America/Chicago:20260112T220000", ["2026-01-12"]),
        ("EXDATE:20260113T040000Z", ["2026-01-12"]),
        ("EXDATE;TZID=America/Denver:20260112T210000", ["2026-01-12"]),
        ("EXDATE;VALUE=DATE:20260112", ["2026-01-12"]),
        ("EXDATE;VALUE=DATE:20260112,20260112", ["2026-01-12"]),
        # none of its own times: what else the person has then stays
        ("EXDATE;TZID=America/Chicago:20260112T210000", []),
        ("EXDATE;TZID=America/Chicago:20260113T220000", []),
        ("EXDATE;VALUE=DATE:20260113", []),
        ("EXDATE;TZID=America/Chicago:20260202T220000", []),
    ],
)
def test_only_a_time_of_the_event_itself_is_left_out(left_out: str, days: list[str]) -> None:
    parsed = read("SUMMARY:Dana", *NIGHT, "RRULE:FREQ=WEEKLY;UNTIL=20260130", left_out)
    assert [one.starts_at for one in parsed.single] == [at(f"{day} 22:00") for day in days]


def test_a_time_that_the_clocks_skip_is_left_out_as_others_count_it() -> None:
    parsed = read(
        "SUMMARY:Dana",
        "DTSTART;TZID=America/Chicago:20260301T023000",
        "DURATION:PT1H30M",
        "RRULE:FREQ=WEEKLY",
        "EXDATE:20260308T083000Z",
    )
    assert [(one.starts_at, one.ends_at) for one in parsed.single] == [
        (at("2026-03-08 03:00"), at("2026-03-08 04:00"))
    ]


@pytest.mark.parametrize(
    ("rule", "days", "last"),
    [
        ("FREQ=WEEKLY", 1, None),
        ("FREQ=DAILY", 127, None),
        ("FREQ=DAILY;COUNT=3", 127, date(2026, 1, 7)),
        ("FREQ=WEEKLY;WKST=SU;INTERVAL=1;BYDAY=MO", 1, None),
        ("FREQ=WEEKLY;BYDAY=MO,WE;COUNT=1", 0b101, date(2026, 1, 5)),
        ("FREQ=WEEKLY;BYDAY=MO,WE;COUNT=4", 0b101, date(2026, 1, 14)),
        ("FREQ=WEEKLY;UNTIL=20260119", 1, date(2026, 1, 19)),
        ("FREQ=WEEKLY;UNTIL=20260120T040000Z", 1, date(2026, 1, 19)),  # 22:00 in Chicago
        ("FREQ=WEEKLY;UNTIL=20260120T035959Z", 1, date(2026, 1, 18)),  # a second before
    ],
)
def test_a_rule_says_on_which_days_and_until_when(rule: str, days: int, last: date | None) -> None:
    (shift,) = read("SUMMARY:Dana", *NIGHT, f"RRULE:{rule}").weekly
    assert (shift.days, shift.valid_until) == (days, last)


def test_a_day_on_which_it_does_not_take_place_takes_the_person_off() -> None:
    parsed = read(
        "SUMMARY:Dana", *NIGHT, "RRULE:FREQ=WEEKLY",
        "EXDATE;TZID=America/Chicago:20260112T220000,20251229T220000",
    )  # fmt: skip
    assert parsed.single == (
        SingleEvent(10, "per_dana", True, at("2026-01-12 22:00"), at("2026-01-13 06:00"), None),
    )


@pytest.mark.parametrize(
    ("lines", "starts", "ends"),
    [
        (NIGHT, "2026-01-05 22:00", "2026-01-06 06:00"),
        (("DTSTART:20260106T040000Z", "DURATION:PT8H"), "2026-01-05 22:00", "2026-01-06 06:00"),
        (("DTSTART:20260105T220000", "DTEND:20260106T060000"),
         "2026-01-05 22:00", "2026-01-06 06:00"),  # without a zone: the provider's
        (("DTSTART;VALUE=DATE:20260105",), "2026-01-05 00:00", "2026-01-06 00:00"),
        (("DTSTART;VALUE=DATE:20260105", "DTEND;VALUE=DATE:20260108"),
         "2026-01-05 00:00", "2026-01-08 00:00"),
        (("DTSTART;TZID=Central Standard Time:20260105T220000", "DURATION:PT1H"),
         "2026-01-05 22:00", "2026-01-05 23:00"),
    ],
)  # fmt: skip
def test_a_single_event_is_an_exception_for_its_span(
    lines: tuple[str, ...], starts: str, ends: str
) -> None:
    (found,) = read("SUMMARY:Dana", *lines).single
    assert (found.starts_at, found.ends_at, found.goes) == (at(starts), at(ends), False)


@pytest.mark.parametrize(
    ("lines", "people", "tier"),
    [
        (("SUMMARY:dana",), ["per_dana"], 1),
        (("SUMMARY:On call: Dana Whitefeather (tier 2)",), ["per_dana"], 2),
        (("SUMMARY:De guardia: Miguel Ortiz - nivel 3",), ["per_miguel"], 3),
        (("SUMMARY:Night", "ATTENDEE;CN=D:MAILTO:Dana@Demo.invalid"), ["per_dana"], 1),
        (("SUMMARY:Night tier 2", "ATTENDEE:mailto:dana@demo.invalid",
          "ATTENDEE:mailto:miguel@demo.invalid"), ["per_dana", "per_miguel"], 2),
        (("SUMMARY:Dana tier 2", "X-CRISISBRIDGE-TIER:4"), ["per_dana"], 4),
    ],
)  # fmt: skip
def test_people_are_found_by_address_or_name_and_the_tier_beside_it(
    lines: tuple[str, ...], people: list[str], tier: int
) -> None:
    found = read(*NIGHT, *lines).single
    assert [one.person_id for one in found] == people
    assert {one.tier for one in found} == {tier}


def test_events_that_are_cancelled_or_over_are_left_out_and_counted() -> None:
    parsed = READER.read(
        calendar(
            "\n".join(("SUMMARY:Dana", *NIGHT, "STATUS:CANCELLED")),
            "SUMMARY:Dana\nDTSTART:20251201T000000Z\nDTEND:20251202T000000Z",
            "SUMMARY:Dana\nDTSTART:20251201T000000Z\nDTEND:20251201T080000Z\n"
            "RRULE:FREQ=WEEKLY;COUNT=2",
        )
    )
    assert parsed == Parsed((), (), 3)


@pytest.mark.parametrize(
    ("problem", "line", "lines"),
    [
        ("person", 9, (*NIGHT, "DESCRIPTION:x", "SUMMARY:Nobody Known")),
        ("person", 9, ("SUMMARY:Dana", *NIGHT, "ATTENDEE:mailto:stranger@example.org")),
        ("person", 4, NIGHT),
        ("tier", 9, ("SUMMARY:Dana", *NIGHT, "X-CRISISBRIDGE-TIER:12")),
        ("rule", 9, ("SUMMARY:Dana", *NIGHT, "RRULE:FREQ=MONTHLY")),
        ("rule", 9, ("SUMMARY:Dana", *NIGHT, "RRULE:FREQ=WEEKLY;INTERVAL=2")),
        ("rule", 9, ("SUMMARY:Dana", *NIGHT, "RRULE:FREQ=WEEKLY;BYDAY=TU")),
        ("rule", 9, ("SUMMARY:Dana", *NIGHT, "RRULE:FREQ=WEEKLY;BYDAY=1MO")),
        ("rule", 9, ("SUMMARY:Dana", *NIGHT, "RRULE:FREQ=WEEKLY;BYMONTH=1")),
        ("rule", 9, ("SUMMARY:Dana", *NIGHT, "RRULE:FREQ=WEEKLY;COUNT=2;UNTIL=20260201")),
        ("rule", 9, ("SUMMARY:Dana", *NIGHT, "RRULE:FREQ=WEEKLY;UNTIL=20250101")),
        ("rule", 9, ("SUMMARY:Dana", *NIGHT, "RDATE:20260112T220000")),
        ("moved", 9, ("SUMMARY:Dana", *NIGHT, "RECURRENCE-ID:20260112T220000")),
        ("length", 7, ("SUMMARY:Dana", "DTSTART:20260105T220000")),
        ("length", 8, ("SUMMARY:Dana", "DTSTART:20260105T220000", "DTEND:20260105T220000")),
        ("length", 8, ("SUMMARY:Dana", "DTSTART:20260105T220000", "DTEND:20270105T220000")),
        ("length", 8,
         ("SUMMARY:Dana", "DTSTART:20260105T220000", "DTEND:20260107T220000",
          "RRULE:FREQ=WEEKLY")),
        ("time", 4, ("SUMMARY:Dana",)),
        ("zone", 7,
         ("SUMMARY:Dana", "DTSTART;TZID=Mars/Olympus:20260105T220000", "DURATION:PT1H")),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_refused_with_its_line(
    problem: str, line: int, lines: tuple[str, ...]
) -> None:
    with pytest.raises(BadCalendar) as refused:
        read(*lines)
    assert (refused.value.problem, refused.value.line) == (problem, line)
    assert refused.value.code == "bad-calendar"
    assert "Nobody Known" not in str(refused.value)


def test_one_bad_event_refuses_the_whole_file_and_folded_lines_count_as_they_stand() -> None:
    good = "\n".join(("SUMMARY:Da", " na", *NIGHT))
    text = calendar(good, "\n".join(("SUMMARY:Nobo", "\tdy", *NIGHT)))
    with pytest.raises(BadCalendar) as refused:
        READER.read(text)
    assert refused.value.line == 4 + 6 + 1
    assert READER.read(calendar(good)).single[0].person_id == "per_dana"


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        ("format", ""),
        ("format", "hello"),
        ("format", "BEGIN:VCARD\nEND:VCARD\n"),
        ("format", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\n"),
        ("format", "BEGIN:VCALENDAR\n" + "BEGIN:VEVENT\n" * 9 + "END:VEVENT\n" * 9),
        ("format", "BEGIN:VCALENDAR\n\0\nEND:VCALENDAR\n"),
        ("events", "BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n"),
        ("size", "BEGIN:VCALENDAR\n" + "X" * LARGEST),
        ("size", calendar(*["SUMMARY:x"] * (MOST_EVENTS + 1))),
    ],
)
def test_what_is_no_calendar_or_too_large_is_refused(problem: str, text: str) -> None:
    with pytest.raises(BadCalendar) as refused:
        READER.read(text)
    assert refused.value.problem == problem


def test_what_is_written_reads_back_as_the_same_turns() -> None:
    turns = [
        Shift("per_dana", 1, at("2026-03-07 22:00"), at("2026-03-08 06:00")),  # spring forward
        Shift("per_miguel", 2, at("2026-10-31 22:00"), at("2026-11-01 06:00")),
    ]
    names = {"per_dana": "Dana Whitefeather", "per_miguel": "Miguel Ortiz"}
    raw = write(turns, lambda turn: f"On call: {names[turn.person_id]}", "Roster; \n x", NOW)
    assert b"\r\n" in raw
    assert all(len(line) <= 75 for line in raw.split(b"\r\n"))
    found = READER.read(raw.decode()).single
    assert [Shift(o.person_id, o.tier or 0, o.starts_at, o.ends_at) for o in found] == turns
    again = write(turns, lambda turn: "other words", "n", NOW + 5).decode()
    uids = [line for line in raw.decode().splitlines() if line.startswith("UID")]
    assert [line for line in again.splitlines() if line.startswith("UID")] == uids


_LINES = st.sampled_from(
    ["BEGIN:VEVENT", "END:VEVENT", "BEGIN:VALARM", "END:VALARM", "SUMMARY:Dana", *NIGHT,
     "DTSTART:junk", "DTEND:20269999T999999", "DTSTART;VALUE=DATE:20260105", "DTSTART:00010101",
     "DTSTART:99991231T235959Z", "DURATION:P9999999D", "DURATION:-PT1H", "RRULE:FREQ=WEEKLY",
     "RRULE:FREQ=WEEKLY;COUNT=0", "RRULE:COUNT=x", "RRULE:FREQ=DAILY;UNTIL=x", "RRULE:",
     "EXDATE:20260112T220000", "EXDATE:x", "EXDATE;VALUE=DATE:20260112", "ATTENDEE:x", "STATUS:",
     "X-CRISISBRIDGE-TIER:²", "SUMMARY;LANGUAGE=:x", ";", ":", "DTSTART", " folded",
     "DTSTART;TZID=../x:20260105T220000", "DTSTART;TZID=:20260105T220000"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(_LINES | st.text(max_size=20), max_size=12))
@example(
    ["BEGIN:VEVENT", "SUMMARY:Dana", "DTSTART:99991231T235959Z", "DURATION:PT5H", "END:VEVENT"]
)
@example(["BEGIN:VEVENT", "SUMMARY:Dana", "DTSTART;VALUE=DATE:99991231", "END:VEVENT"])
@example(
    ["BEGIN:VEVENT", "SUMMARY:Dana", "DTSTART;VALUE=DATE:99991231", "RRULE:FREQ=DAILY;COUNT=9",
     "END:VEVENT"]
)  # fmt: skip
def test_whatever_a_file_holds_it_is_read_or_refused_and_what_is_read_can_be_planned(
    lines: list[str],
) -> None:
    text = "\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *lines, "END:VCALENDAR", ""])
    try:
        parsed = READER.read(text)
    except BadCalendar:
        return
    for shift in parsed.weekly:
        RosterEntry(
            shift.person_id, "prv", shift.tier, shift.days, shift.starts_minute,
            shift.ends_minute, shift.timezone, shift.valid_from, shift.valid_until,
        )  # fmt: skip
    assert all(one.starts_at < one.ends_at for one in parsed.single)
