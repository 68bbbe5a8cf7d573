"""Renewal tokens: only the newest counts, and an old one ends the line."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from auth.renewal_rules import GRACE_SECONDS, Line, Shown, Verdict, after, digest, judge, successor

START = 1000.0
ENDS = 50_000.0
HERE, THERE = "this browser", "another kind of browser"


def begun(secret: str = "first") -> Line:
    return Line(0, digest(secret), None, b"", START, None, ENDS)


def renewed(line: Line, secret: str, now: float, salt: bytes = b"s") -> tuple[Line, str]:
    shown = Shown(line.no, secret, HERE)
    assert judge(line, shown, now) is Verdict.FRESH
    following = after(line, shown, Verdict.FRESH, salt, now)
    return following, successor(secret, following.salt)


def test_a_fresh_one_gives_the_next_and_is_used_up() -> None:
    line, second = renewed(begun(), "first", START + 600)
    assert judge(line, Shown(1, second, HERE), START + 1200) is Verdict.FRESH
    assert judge(line, Shown(0, "first", HERE), START + 1200) is Verdict.REUSED


@pytest.mark.parametrize(
    ("later", "client", "verdict"),
    [
        (0.0, HERE, Verdict.AGAIN),
        (GRACE_SECONDS - 1, HERE, Verdict.AGAIN),
        (GRACE_SECONDS, HERE, Verdict.REUSED),
        (-1.0, HERE, Verdict.REUSED),  # a clock that was set back gives nobody more time
        (1.0, THERE, Verdict.REUSED),
    ],
)
def test_a_lost_answer_is_given_again_for_a_moment_to_the_same_browser(
    later: float, client: str, verdict: Verdict
) -> None:
    line, _ = renewed(begun(), "first", START)
    assert judge(line, Shown(0, "first", client), START + later) is verdict


def test_what_is_given_again_is_the_same() -> None:
    line, second = renewed(begun(), "first", START)
    shown = Shown(0, "first", HERE)
    assert after(line, shown, Verdict.AGAIN, b"another salt", START + 1) == line
    assert successor("first", line.salt) == second


def test_the_database_alone_does_not_give_the_next_one() -> None:
    line, second = renewed(begun(), "first", START)
    for kept in (line.digest, line.before or ""):
        assert successor(kept, line.salt) != second
    assert second not in repr(line)


def test_an_ended_line_and_one_whose_time_is_over_renew_nothing() -> None:
    line = begun()
    shown = Shown(0, "first", HERE)
    assert judge(line, shown, ENDS) is Verdict.OVER
    ended = after(line, shown, Verdict.REUSED, b"", START)
    assert judge(ended, shown, START) is Verdict.ENDED
    assert judge(ended, shown, ENDS) is Verdict.ENDED


@pytest.mark.parametrize(("no", "secret"), [(0, "other"), (1, "first"), (7, "first")])
def test_what_was_never_of_this_line_ends_nothing(no: int, secret: str) -> None:
    """As after a database was put back: the browser is ahead of it, and nobody copied anything."""
    assert judge(begun(), Shown(no, secret, HERE), START) is Verdict.STRANGE


class Browsers(RuleBasedStateMachine):
    """An owner and a thief with the same tokens, each in their own time."""

    @initialize()
    def begin(self) -> None:
        self.now = START
        self.line = begun()
        self.held: list[list[tuple[int, str]]] = [[(0, "first")], []]
        self.given = {0: "first"}
        self.salts = 0
        self.used_at: dict[int, float] = {}

    @rule(seconds=st.sampled_from([0.5, 30.0, 59.0, 61.0, 700.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def the_thief_copies_everything(self) -> None:
        self.held[1] += self.held[0]

    @precondition(lambda self: self.held[1])
    @rule(data=st.data(), client=st.sampled_from([HERE, THERE]))
    def the_thief_shows_one(self, data: st.DataObject, client: str) -> None:
        self.show(1, data.draw(st.sampled_from(self.held[1])), client)

    @rule()
    def the_owner_shows_the_newest(self) -> None:
        self.show(0, self.held[0][-1], HERE)

    def show(self, who: int, token: tuple[int, str], client: str) -> None:
        shown, before = Shown(*token, client), self.line
        verdict = judge(before, shown, self.now)
        self.salts += 1
        self.line = after(before, shown, verdict, str(self.salts).encode(), self.now)
        if before.ended:
            assert verdict is Verdict.ENDED
        elif self.now >= ENDS:
            assert verdict is Verdict.OVER
        elif verdict is Verdict.FRESH:
            assert token[0] not in self.used_at, "a token was good twice"
            self.used_at[token[0]] = self.now
        elif verdict is Verdict.AGAIN:
            assert self.now - self.used_at[token[0]] < GRACE_SECONDS
        else:
            assert verdict is Verdict.REUSED
            assert self.line.ended
        if verdict in {Verdict.FRESH, Verdict.AGAIN}:
            following = (self.line.no, successor(shown.secret, self.line.salt))
            assert self.given.setdefault(*following) == following[1], "two tokens of one number"
            self.held[who].append(following)

    @invariant()
    def only_the_newest_is_fresh(self) -> None:
        fresh = [
            no
            for no, secret in self.given.items()
            if judge(self.line, Shown(no, secret, HERE), self.now) is Verdict.FRESH
        ]
        assert fresh == ([] if self.line.ended or self.now >= ENDS else [self.line.no])


Browsers.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestBrowsers = Browsers.TestCase
