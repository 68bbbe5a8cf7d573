"""The small cases of the line, explored exhaustively, and guards taken away one after the other.

Run with -s to read the number of states and the counterexamples.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.model import forget
from tests.model.explorer import Faults, Report, Search, World, start, steps
from tests.model.store import Guards


def told(name: str, report: Report) -> Report:
    print(f"\n{name}: {report}\n{report.violation or ''}")
    return report


@pytest.mark.parametrize(
    ("name", "faults", "deepest"),
    [
        ("time passes", Faults(moments=1), 8),
        ("a node is killed, time passes", Faults(moments=1, crashes=1), 7),
        ("pages come and go, time passes", Faults(moments=1, moves=1), 7),
        ("the live layer is lost or rolled back, time passes", Faults(moments=1, lies=2), 7),
    ],
)
def test_no_interleaving_of_so_many_steps_breaks_an_invariant(
    name: str, faults: Faults, deepest: int
) -> None:
    report = told(name, Search(faults, deepest=deepest, lean=True).run())
    assert report.violation is None, str(report.violation)
    assert report.states > 1000


def test_a_clock_that_is_set_back_breaks_no_invariant() -> None:
    report = told("the clock is set back", Search(Faults(2, jumps=1, presses=1), deepest=8).run())
    assert report.violation is None, str(report.violation)
    assert report.states > 1000


@pytest.mark.parametrize(
    ("name", "faults"),
    [
        ("two sessions", Faults(moments=0)),
        ("two sessions, a node is killed", Faults(moments=0, crashes=1)),
        ("one session, a page closes", Faults(moments=0, presses=1, moves=1)),
        ("one session, the live layer is wrong", Faults(moments=0, presses=1, lies=1)),
        ("one session, time passes", Faults(moments=1, presses=1)),
        ("one session, time passes, a node is killed", Faults(moments=1, presses=1, crashes=1)),
    ],
)
def test_a_case_is_explored_until_nothing_is_left_to_reach(name: str, faults: Faults) -> None:
    report = told(name, Search(faults, lean=True).run())
    assert report.violation is None, str(report.violation)
    assert report.whole


def reached(faults: Faults, tidy: Callable[[World], World]) -> set[World]:
    """Every world that can be reached, `tidy` forgetting what can make no difference."""
    first = start(faults)
    seen, frontier = {first}, [first]
    while frontier:
        new = {tidy(w) for at in frontier for _, w in steps(at, Guards())} - seen
        seen |= new
        frontier = list(new)
    return seen


@pytest.mark.parametrize(
    "faults",
    [
        Faults(moments=0, presses=1, crashes=1),
        Faults(moments=0, presses=1, moves=1),
        Faults(moments=0, presses=1, lies=1),
    ],
)
def test_what_is_forgotten_makes_no_difference_to_what_can_be_reached(faults: Faults) -> None:
    plain = reached(faults, forget.tidy)
    lean = reached(faults, forget.whole)
    assert {forget.whole(w) for w in plain} == lean
    assert len(lean) < len(plain) / 5


# What each mutant breaks that nothing else catches. Rules in `skip` are not looked at, so that the
# harm itself is found and not only the first sign of the missing guard.
SIGNS = ("had ended", "obeyed", "does not wait", "close", "planned for", "changed hands", "entry")


@pytest.mark.parametrize(
    ("without", "faults", "skip", "breaks"),
    [
        (("state",), Faults(1), (), "had ended (accepted) and became declined"),
        (("epoch",), Faults(1, presses=1), (), "epoch"),
        (("one_ring_per_clinician",), Faults(0), (), "a clinician is rung twice at once"),
        (
            ("one_session_per_leader", "not_busy"),
            Faults(0),
            ("who leads a session",),
            "a clinician leads two sessions",
        ),
        (
            ("one_accepted_offer", "state", "epoch", "version"),
            Faults(0),
            SIGNS,
            "one assignment was answered twice",
        ),
    ],
)
def test_a_line_without_this_guard_is_caught(
    without: tuple[str, ...], faults: Faults, skip: tuple[str, ...], breaks: str
) -> None:
    search = Search(faults, Guards().without(*without), rest=False, skip=skip, deepest=12)
    report = told(f"without {', '.join(without)}", search.run())
    assert report.violation is not None, "the mutant survived"
    assert breaks in report.violation.rule


def test_the_busy_check_and_the_index_each_keep_a_clinician_out_of_two_calls() -> None:
    for without in ("not_busy", "one_session_per_leader"):
        search = Search(
            Faults(0), Guards().without(without), False, ("who leads a session",), deepest=8
        )
        assert search.run().violation is None
