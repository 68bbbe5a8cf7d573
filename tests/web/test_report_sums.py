"""A reader with a pencil: nothing of a shared report gives a small count away by subtraction."""

from __future__ import annotations

from array import array
from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from auth.reporting import Report
from records.identity_rules import SPANS
from records.log import Scope
from records.measures import LEVELS, SMALL, Rate
from records.tally import Tally
from records.vocabulary import DISPOSITIONS, FLAGS, FUNDING, OPIOID
from web import api_report, packs
from web.i18n import Texts, load
from web.report_figures import Frame, Shown, drawn, teller_of

TEXTS: Texts = load()["en"]
NOW = 1_800_000_000.0
FRAME = Frame(NOW - 7 * 86_400, NOW, "UTC", share=True)
FOUND_AS_IT_IS = (Phase.explicit, Phase.generate)  # to shrink a report takes minutes
ENDINGS = ("short", "abandoned", "failed", "other", "open")
few = st.one_of(st.just(0), st.integers(1, 14), st.integers(15, 60))
told = st.sampled_from([*DISPOSITIONS[:3], ""])


@st.composite
def tallies(draw: st.DrawFn) -> Tally:
    """Sums as `records.tally` makes them, of a small program."""
    sums: Counter[str] = Counter()
    for name in ENDINGS:
        sums[f"o|{name}|||"] = draw(few)
    for _ in range(draw(st.integers(1, 4))):
        sums[f"o|answered|{draw(told)}|{draw(told)}|"] += draw(few)
    answered = sum(n for key, n in sums.items() if key.startswith("o|answered"))
    offered = sum(sums.values())
    sums["over"] = answered
    sums.update({f"within_{level}": answered for level in LEVELS})
    sums["setup"] = sums["o|failed|||"]
    for name, codes, total in (("opioid", OPIOID, answered), ("funding", FUNDING, offered)):
        part = draw(st.integers(0, total))
        sums[f"{name}_{codes[0]}"], sums[f"{name}_{codes[1]}"] = part, total - part
    unknown = draw(st.integers(0, answered))
    part = draw(st.integers(0, answered - unknown))
    for key in ("plan", "screen"):
        sums |= Counter({f"{key}.part": part, f"{key}.whole": answered - unknown})
        sums[f"{key}.unknown"] = unknown
    waits = {name: array("I", [80] * answered) for name in ("to_answer", "to_accept", "to_media")}
    hours = Counter({int(NOW // 3600) - 1 - draw(st.integers(0, 99)): offered})
    return Tally(sums=sums, hours=hours, waits=waits)


def report(tally: Tally) -> Report:
    return Report(tally, Tally(), dict.fromkeys(SPANS, Rate(0, 0)), Scope())


Row = dict[str, int]
ALL: Row = {
    f"{r}.{c}": 1 for r in range(len(DISPOSITIONS) + 1) for c in range(len(DISPOSITIONS) + 1)
}
OFFERED: Row = ALL | dict.fromkeys(ENDINGS, 1)
COUNTED: Row = {name: 1 for name in OFFERED if name != "short"}
KNOWN: Row = {name: 1 for name in ALL if not name.endswith(f".{len(DISPOSITIONS)}")}


def numbers(shown: Shown) -> dict[str, tuple[str, Row]]:
    """What stands in the report, by its definition: number, and of which sessions."""
    found: dict[str, tuple[str, Row]] = {}
    for name, number in shown.endings:
        found[name] = number, {"offered": OFFERED, "answered": ALL}.get(name, {name: 1})
    for r, (_, cells) in enumerate(shown.matrix):
        found |= {f"{r}.{c}": (cell, {f"{r}.{c}": 1}) for c, cell in enumerate(cells)}
    figures = {one.key: one for one in shown.figures}
    opioid = {"yes": 1, "no": 1}
    for code, number in shown.opioid:
        found[f"opioid {code}"] = number, {code: 1}
    for key, part, whole in (
        ("failure", {"failed": 1}, OFFERED), ("setup", {"failed": 1}, OFFERED),
        ("abandonment", {"abandoned": 1}, COUNTED), ("level_30", ALL, COUNTED),
        ("in_place", {}, KNOWN), ("opioid", {"yes": 1}, opioid), (f"flag_{FLAGS[0]}", {}, ALL),
        ("plan", {"plan": 1}, {"plan": 1, "no plan": 1}),
        ("screen", {}, {"plan": 1, "no plan": 1}),
    ):  # fmt: skip
        one = figures[key]
        if part:
            found[f"{key} part"] = one.part or "", part
        found[f"{key} whole"] = one.whole or "", whole
    found["to_answer"] = figures["to_answer_mean"].part or "", ALL
    unsaid = figures["in_place"].unknown or "0"
    found["in_place unknown"] = unsaid, {n: 1 for n in ALL if n not in KNOWN}
    found["plan unknown"] = figures["plan"].unknown or "0", {"plan unknown": 1}
    return found


def worked_out(rows: list[Row], secret: Row) -> bool:
    """Whether a sum follows from the others, by schoolbook elimination."""
    left = [{cell: Fraction(n) for cell, n in row.items()} for row in rows]
    goal = {cell: Fraction(n) for cell, n in secret.items()}
    while left:
        pivot = left.pop()
        if not pivot:
            continue
        cell = next(iter(pivot))
        for row in (*left, goal):
            if by := row.get(cell, Fraction(0)) / pivot[cell]:
                for name, n in pivot.items():
                    row[name] = row.get(name, Fraction(0)) - by * n
                    if not row[name]:
                        del row[name]
    return not goal


SAME: list[Row] = [  # the same sessions, counted twice
    ALL | {"yes": -1, "no": -1, "unknown": -1},
    ALL | {"plan": -1, "no plan": -1, "plan unknown": -1},
]


@settings(max_examples=10, deadline=None, phases=FOUND_AS_IT_IS)
@given(tally=tallies())
def test_no_small_count_of_a_shared_report_follows_from_the_others(tally: Tally) -> None:
    real = numbers(drawn(report(tally), None, Frame(FRAME.since, NOW, "UTC", share=False), TEXTS))
    seen = numbers(drawn(report(tally), None, FRAME, TEXTS))
    rows = [what for number, what in seen.values() if number.isdigit()]
    for name, (number, what) in real.items():
        if 0 < int(number) < SMALL:
            assert not seen[name][0].isdigit(), name
            assert not worked_out([*rows, *SAME], what), (name, number)


@settings(max_examples=10, deadline=None, phases=FOUND_AS_IT_IS)
@given(tally=tallies())
def test_nor_does_one_follow_from_what_a_program_is_told(tally: Tally) -> None:
    told = api_report.figures(report(tally), FRAME.since, NOW, "UTC", hide=True)
    real = api_report.figures(report(tally), FRAME.since, NOW, "UTC", hide=False)
    rows = list(SAME)

    def keep(number: int | None, what: Row) -> None:
        if number is not None:
            rows.append(what)

    for name in ("offered", "answered", *ENDINGS):
        what = {"offered": OFFERED, "answered": ALL}.get(name, {name: 1})
        keep(getattr(told.endings, name), what)
    for r, line in enumerate(told.matrix.cells):
        for c, cell in enumerate(line):
            keep(cell, {f"{r}.{c}": 1})
    shapes: dict[str, tuple[Row, Row]] = {
        "abandoned": ({"abandoned": 1}, COUNTED), "not_connected": ({"failed": 1}, OFFERED),
        "answered_within_30": (ALL, COUNTED), "stayed_in_place": ({"p": 1}, KNOWN),
    }  # fmt: skip
    for name, (part, whole) in shapes.items():
        keep(told.rates[name].part, part)
        keep(told.rates[name].whole, whole)
    keep(told.times["to_answer"].count, ALL)
    for name in ENDINGS:
        number: Any = getattr(real.endings, name)
        if 0 < number < SMALL:
            assert not worked_out(rows, {name: 1}), name


def test_the_quarter_beside_a_report_does_not_tell_what_the_report_hides() -> None:
    opioid = {"opioid_yes": 5, "opioid_no": 40, "opioid_unknown": 12}
    sums = Counter({"o|answered|||": 57, "over": 57, "funding_unknown": 57, **opioid})
    sums["flag_naloxone_given"] = 11
    waits = {name: array("I", [80] * 57) for name in ("to_answer", "to_accept", "to_media")}
    found = report(Tally(sums=sums, hours=Counter({int(NOW // 3600) - 1: 57}), waits=waits))
    teller = teller_of(found, FRAME)
    shown = drawn(found, None, FRAME, TEXTS, teller)
    assert dict(shown.opioid) == {"yes": "<11", "no": "40", "unknown": "*"}
    _, rows = packs.by_quarter([("2027-Q1", found.tally, teller)], TEXTS)
    assert rows[0][1] == "57"
    quarter = dict(zip(OPIOID, rows[0][2:5], strict=True))
    assert quarter == {"yes": "<11", "no": "40", "unknown": "*"}


def test_what_stayed_in_place_is_still_told_when_a_few_are_unknown() -> None:
    what = {"remain_in_place": 75, "medical_ed": 20, "": 5}
    sums = Counter({f"o|answered||{actual}|": often for actual, often in what.items()})
    sums |= Counter(dict.fromkeys(("over", "opioid_unknown", "funding_unknown"), 100))
    waits = {name: array("I", [80] * 100) for name in ("to_answer", "to_accept", "to_media")}
    found = report(Tally(sums=sums, hours=Counter({int(NOW // 3600) - 1: 100}), waits=waits))
    figure = next(one for one in drawn(found, None, FRAME, TEXTS).figures if one.key == "in_place")
    assert (figure.value, figure.part, figure.whole, figure.unknown) == ("80 %", "*", "*", "<11")


@pytest.mark.parametrize("share", [False, True])
def test_a_report_of_nothing_is_drawn(share: bool) -> None:
    shown = drawn(report(Tally()), None, Frame(FRAME.since, NOW, "UTC", share), TEXTS)
    assert dict(shown.endings)["offered"] == "0"
