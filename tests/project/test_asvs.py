"""The ASVS sheet is whole, and what it calls met can be looked up."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHEET = (ROOT / "docs" / "asvs.md").read_text(encoding="utf-8")
# requirements of levels 1 and 2 by section, as ASVS 5.0.0 numbers them
SECTIONS = {
    "1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2, "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1,
    "3.2": 2, "3.3": 4, "3.4": 6, "3.5": 5, "3.7": 2, "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4,
    "5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3, "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5,
    "6.6": 3, "6.8": 4, "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2, "8.1": 2,
    "8.2": 3, "8.3": 1, "8.4": 1, "9.1": 3, "9.2": 4, "10.1": 2, "10.2": 2, "10.3": 4, "10.4": 11,
    "10.5": 5, "10.6": 2, "10.7": 3, "11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4, "11.5": 1,
    "11.6": 1, "12.1": 3, "12.2": 2, "12.3": 4, "13.1": 1, "13.2": 5, "13.3": 2, "13.4": 5,
    "14.1": 2, "14.2": 4, "14.3": 3, "15.1": 3, "15.2": 3, "15.3": 7, "16.1": 1, "16.2": 5,
    "16.3": 4, "16.4": 3, "16.5": 3, "17.1": 1, "17.2": 4, "17.3": 2,
}  # fmt: skip
ROWS = re.findall(r"^\| (\d+\.\d+\.\d+) \| (.+?) \| (.+?) \| (.+) \|$", SHEET, re.MULTILINE)


def test_every_requirement_of_both_levels_stands_there_once_and_in_order() -> None:
    wanted = [f"{section}.{no}" for section, most in SECTIONS.items() for no in range(1, most + 1)]
    assert len(wanted) == 253
    assert [row[0] for row in ROWS] == wanted


def test_each_has_one_of_four_states_and_a_test_or_a_reason() -> None:
    assert {row[2] for row in ROWS} <= {"met", "partly", "not", "n/a"}
    for number, about, _, why in ROWS:
        assert 3 <= len(about) < 90, number
        assert len(why) >= 4, number


def test_what_is_met_names_a_file_or_says_how_and_most_name_a_test() -> None:
    met = [row for row in ROWS if row[2] == "met"]
    tested = [row for row in met if "`tests/" in row[3]]
    assert len(tested) > 0.7 * len(met)
    for _, _, _, why in ROWS:
        for path in re.findall(r"`((?:tests|web|auth|media|signaling|records)/[\w/.-]+)`", why):
            assert (ROOT / path).exists(), path


def test_it_is_honest_enough_to_say_what_is_missing() -> None:
    assert Counter(row[2] for row in ROWS)["not"] > 0
