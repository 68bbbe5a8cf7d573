"""Who is paged, by which way, and when again."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncall.escalation import default_ladder
from oncall.facts import Rules
from oncall.pager import (
    LOST,
    Contact,
    Pageable,
    PagedSession,
    PagerPlan,
    PagerRules,
    PagerSnapshot,
    PageState,
    SendPage,
    Sent,
    StandDown,
    Withdraw,
    plan_pages,
    retry_after,
)
from oncall.steps import Act, Ladder, Step

NOW = 1_800_000_000.0
RULES = PagerRules()
DEFAULT = default_ladder(Rules())
PUSH, PHONE, SMS = Contact("push", True), Contact("tablet", True), Contact("sms", False)


def person(
    name: str = "dana",
    *ways: Contact,
    tier: int | None = 1,
    supervisor: bool = False,
    busy: bool = False,
    provider: str = "prv",
) -> Pageable:
    own = tuple(replace(way, id=f"{name}-{way.id}") for way in ways)
    return Pageable(name, provider, tier, supervisor, busy, own)


def waits(
    name: str = "s1", *, age: float = 15.0, waiting: bool = True, lead: str | None = None
) -> PagedSession:
    place = (5, True, int(name[1:]), name)
    return PagedSession(name, "prv", waiting, place, NOW - age, None, 0, lead)


def page(
    who: str = "dana",
    way: str = "push",
    *,
    age: float,
    session: str = "s1",
    round: int = 0,  # noqa: A002 - the field's name
    state: PageState = PageState.SENT,
    acknowledged: float | None = None,
    opened: float | None = None,
    stand_down: bool = False,
) -> Sent:
    return Sent(
        id=f"{session}-{who}-{way}-{round}-{stand_down}",
        session_id=session,
        person_id=who,
        contact_id=f"{who}-{way}",
        stand_down=stand_down,
        round=round,
        state=state,
        queued_at=NOW - age,
        opened_at=None if opened is None else NOW - opened,
        acknowledged_at=None if acknowledged is None else NOW - acknowledged,
    )


def see(
    *sessions: PagedSession,
    people: tuple[Pageable, ...] = (),
    pages: tuple[Sent, ...] = (),
    ringing: tuple[tuple[str, str], ...] = (),
    ladder: Ladder = DEFAULT,
) -> PagerSnapshot:
    return PagerSnapshot(sessions, people, pages, frozenset(ringing), {"prv": ladder}, NOW)


def paged(plan: PagerPlan) -> dict[str, tuple[str, ...]]:
    """Person -> the ways they are paged by."""
    return {a.person_id: a.contact_ids for a in plan.actions if isinstance(a, SendPage)}


TEAM = (
    person("dana", PUSH, SMS),
    person("priya", PUSH, tier=2),
    person("ada", SMS, tier=None, supervisor=True),
    person("off", PUSH, tier=None),
    person("far", PUSH, provider="prv_other"),
)


@pytest.mark.parametrize(
    ("age", "who"),
    [(14.9, set()), (15, {"dana"}), (30, {"dana", "priya"}), (60, {"dana", "priya", "ada"})],
)
def test_each_step_pages_those_it_means_and_nobody_else(age: float, who: set[str]) -> None:
    assert paged(plan_pages(see(waits(age=age), people=TEAM), RULES)).keys() == who


def test_before_the_first_step_the_next_look_is_at_its_time() -> None:
    assert plan_pages(see(waits(age=5), people=TEAM), RULES).next_deadline == NOW + 10


def test_whose_open_console_rings_or_who_is_in_a_call_is_not_paged() -> None:
    ringing = see(waits(), people=TEAM, ringing=(("s1", "dana"),))
    assert paged(plan_pages(ringing, RULES)) == {}
    in_call = (replace(TEAM[0], busy=True),)
    assert paged(plan_pages(see(waits(), people=in_call), RULES)) == {}


def test_pushes_go_out_together_and_the_other_ways_one_after_the_other() -> None:
    people = (person("dana", PUSH, PHONE, SMS),)
    first = plan_pages(see(waits(), people=people), RULES)
    assert paged(first) == {"dana": ("dana-push", "dana-tablet")}
    sent = (page(age=30), page(way="tablet", age=30))
    second = plan_pages(see(waits(age=45), people=people, pages=sent), RULES)
    assert second.actions == (SendPage("s1", "dana", ("dana-sms",), "page", 1),)


def test_all_ways_tried_the_first_comes_again_after_the_step_s_repeat() -> None:
    pages = (page(age=59), page(way="sms", round=1, age=29))
    early = plan_pages(see(waits(age=74), people=TEAM[:1], pages=pages), RULES)
    assert early.actions == ()
    assert early.next_deadline == NOW + 1
    later = tuple(replace(p, queued_at=p.queued_at - 1) for p in pages)
    again = plan_pages(see(waits(age=75), people=TEAM[:1], pages=later), RULES)
    assert again.actions == (SendPage("s1", "dana", ("dana-push",), "page", 2),)


def test_a_page_that_failed_is_followed_by_the_next_way_at_once() -> None:
    failed = (page(age=2, state=PageState.FAILED),)
    plan = plan_pages(see(waits(), people=TEAM[:1], pages=failed), RULES)
    assert paged(plan) == {"dana": ("dana-sms",)}


def test_when_a_way_is_gone_for_good_the_one_after_it_is_next() -> None:
    left = (replace(TEAM[0], contacts=TEAM[0].contacts[1:]),)
    failed = (page(age=2, state=PageState.FAILED),)
    assert paged(plan_pages(see(waits(), people=left, pages=failed), RULES)) == {
        "dana": ("dana-sms",)
    }


def test_ways_that_all_fail_are_not_tried_in_a_storm() -> None:
    failed = (
        page(age=3, state=PageState.FAILED),
        page(way="sms", round=1, age=2, state=PageState.FAILED),
    )
    plan = plan_pages(see(waits(age=18), people=TEAM[:1], pages=failed), RULES)
    assert plan.actions == ()
    assert plan.next_deadline is not None


def test_who_says_that_they_come_has_time_to_and_is_paged_again_if_they_do_not() -> None:
    coming = (page(age=40, state=PageState.ACKNOWLEDGED, acknowledged=39),)
    held = plan_pages(see(waits(age=58), people=TEAM[:1], pages=coming), RULES)
    assert held.actions == ()
    missing = (page(age=140, state=PageState.ACKNOWLEDGED, acknowledged=120),)
    again = plan_pages(see(waits(age=160), people=TEAM[:1], pages=missing), RULES)
    assert paged(again) == {"dana": ("dana-sms",)}


def test_who_opened_the_page_is_left_alone_for_a_moment() -> None:
    opened = (page(age=31, state=PageState.OPENED, opened=30),)
    plan = plan_pages(see(waits(age=50), people=TEAM[:1], pages=opened), RULES)
    assert (plan.actions, plan.next_deadline) == ((), NOW + 10)


def test_steps_that_repeat_until_somebody_answers_do_not_stop_for_an_acknowledgement() -> None:
    ladder = Ladder((Step(15, Act.PAGE, tier=1, until="answered"), Step(60, Act.NOBODY_YET)))
    coming = (page(age=60, state=PageState.ACKNOWLEDGED, acknowledged=39),)
    view = see(waits(age=75), people=TEAM[:1], pages=coming, ladder=ladder)
    assert paged(plan_pages(view, RULES)) == {"dana": ("dana-sms",)}


def test_coming_for_one_session_holds_the_pages_of_another_one() -> None:
    coming = (page(age=35, state=PageState.ACKNOWLEDGED, acknowledged=33),)
    both = see(waits(age=50), waits("s2", age=50), people=TEAM[:1], pages=coming)
    assert plan_pages(both, RULES).actions == ()
    taken = see(
        waits(age=50, waiting=False, lead="dana"),
        waits("s2", age=50),
        people=TEAM[:1],
        pages=coming,
    )
    assert paged(plan_pages(taken, RULES)) == {"dana": ("dana-push",)}


def test_of_two_waiting_sessions_one_person_hears_of_the_first_in_line_only() -> None:
    plan = plan_pages(see(waits("s2", age=50), waits(age=20), people=TEAM[:1]), RULES)
    assert [(a.session_id, a.person_id) for a in plan.actions if isinstance(a, SendPage)] == [
        ("s1", "dana")
    ]
    heard = (page(age=10),)
    plan = plan_pages(see(waits(age=30), waits("s2", age=30), people=TEAM[:1], pages=heard), RULES)
    assert plan.actions == ()


def test_who_was_paged_is_told_to_stand_down_but_not_the_one_who_took_it() -> None:
    pages = (
        page(age=20),
        page(way="sms", round=1, age=5, state=PageState.QUEUED),
        page("priya", age=8, state=PageState.DELIVERED),
        page("ada", "sms", age=3, state=PageState.FAILED),
    )
    taken = see(waits(age=40, waiting=False, lead="dana"), people=TEAM, pages=pages)
    assert set(plan_pages(taken, RULES).actions) == {
        Withdraw("s1-dana-sms-1-False"),
        StandDown("s1", "priya", ("priya-push",), 0),
    }
    told = (*pages[:1], *pages[2:], page("priya", age=1, stand_down=True))
    assert plan_pages(see(waits(waiting=False, lead="dana"), pages=told), RULES).actions == ()


def test_nobody_is_woken_to_hear_that_a_call_of_long_ago_was_taken() -> None:
    old = see(waits(age=2000, waiting=False), people=TEAM, pages=(page(age=1000),))
    assert plan_pages(old, RULES).actions == ()


def test_when_nobody_meant_has_any_way_that_is_said() -> None:
    bare = (person("dana"), person("miguel"))
    plan = plan_pages(see(waits(), people=bare), RULES)
    assert plan.unreachable == {"s1": frozenset({"dana", "miguel"})}
    assert plan_pages(see(waits(), people=(*bare, TEAM[0])), RULES).unreachable == {}
    rung = see(waits(), people=bare, ringing=(("s1", "dana"),))
    assert plan_pages(rung, RULES).unreachable == {}


def test_a_failed_attempt_is_made_again_with_growing_pauses_and_then_given_up() -> None:
    assert [retry_after(n, None, RULES) for n in (1, 2, 3)] == [3.0, 9.0, None]
    assert retry_after(1, 20.0, RULES) == 20.0
    assert retry_after(1, 600.0, RULES) is None, "the next way is quicker"


# --- the whole of it, by chance -------------------------------------------------------------------

ACTS = st.sampled_from(["fail", "deliver", "open", "acknowledge", "ring", "nothing"])


@st.composite
def ladders(draw: st.DrawFn) -> Ladder:
    ages = st.integers(0, 90)
    steps = [Step(draw(ages), Act.NOBODY_YET, every=draw(st.integers(30, 90)))]
    for act, tier in ((Act.PAGE, 1), (Act.SECOND_TIER, None), (Act.SUPERVISOR, None)):
        if draw(st.booleans()):
            steps.append(Step(draw(ages), act, tier=tier, every=draw(st.integers(30, 120))))
    return Ladder(tuple(steps))


class Night:
    """A model of the driver: carries out plans, keeps what was sent."""

    def __init__(self, view: PagerSnapshot) -> None:
        self.view = view
        self.heard: dict[str, list[float]] = {}

    def settle(self) -> PagerPlan:
        first = plan_pages(self.view, RULES)
        for action in first.actions:
            self._do(action)
        second = plan_pages(self.view, RULES)
        assert second.actions == (), "a plan that is carried out leaves nothing to do"
        return second

    def _do(self, action: object) -> None:
        waiting = {s.id for s in self.view.sessions if s.waiting}
        match action:
            case SendPage():
                assert action.session_id in waiting
                assert (action.session_id, action.person_id) not in self.view.ringing
                [who] = [p for p in self.view.people if p.id == action.person_id]
                assert not who.busy
                assert set(action.contact_ids) <= {c.id for c in who.contacts}
                self._add(action, action.contact_ids, stand_down=False, round=action.round)
            case StandDown():
                assert action.session_id not in waiting
                self._add(action, action.contact_ids, stand_down=True, round=0)
            case Withdraw():
                self.mark(action.page_id, state=PageState.WITHDRAWN)

    def _add(
        self,
        action: SendPage | StandDown,
        ways: tuple[str, ...],
        *,
        stand_down: bool,
        round: int,  # noqa: A002
    ) -> None:
        new = tuple(
            Sent(
                id=f"p{len(self.view.pages) + n}",
                session_id=action.session_id,
                person_id=action.person_id,
                contact_id=way,
                stand_down=stand_down,
                round=round,
                state=PageState.SENT,
                queued_at=self.view.now,
            )
            for n, way in enumerate(ways)
        )
        keys = {(p.session_id, p.contact_id, p.round, p.stand_down) for p in self.view.pages}
        fresh = {(p.session_id, p.contact_id, p.round, p.stand_down) for p in new}
        assert stand_down or not keys & fresh, "a round was sent twice"
        self.view = replace(self.view, pages=(*self.view.pages, *new))

    def mark(self, page_id: str, **changes: object) -> None:
        self.view = replace(
            self.view,
            pages=tuple(
                replace(p, **changes) if p.id == page_id else p  # type: ignore[arg-type]
                for p in self.view.pages
            ),
        )

    def happen(self, what: str, which: int) -> None:
        live = [p for p in self.view.pages if not p.stand_down and p.state not in LOST]
        if not live:
            return
        page = live[which % len(live)]
        match what:
            case "fail" if page.state is PageState.SENT and page.queued_at == self.view.now:
                self.mark(page.id, state=PageState.FAILED)
            case "deliver" if page.state is PageState.SENT:
                self.mark(page.id, state=PageState.DELIVERED)
            case "open":
                self.mark(page.id, state=PageState.OPENED, opened_at=self.view.now)
            case "acknowledge":
                self.mark(page.id, state=PageState.ACKNOWLEDGED, acknowledged_at=self.view.now)
            case "ring":
                pair = frozenset({(page.session_id, page.person_id)})
                self.view = replace(self.view, ringing=self.view.ringing ^ pair)


@settings(max_examples=150, deadline=None)
@given(
    ladder=ladders(),
    ways=st.lists(st.lists(st.booleans(), max_size=4), min_size=1, max_size=4),
    ages=st.lists(st.integers(0, 100), min_size=1, max_size=3),
    events=st.lists(st.tuples(ACTS, st.integers(0, 50), st.floats(0.5, 40)), max_size=30),
    taken_after=st.integers(0, 30),
)
def test_whatever_happens_in_a_night_the_pager_keeps_its_rules(
    ladder: Ladder,
    ways: list[list[bool]],
    ages: list[int],
    events: list[tuple[str, int, float]],
    taken_after: int,
) -> None:
    people = tuple(
        Pageable(
            f"c{n}", "prv", tier=n % 2 + 1, supervisor=n == 2, busy=False,
            contacts=tuple(Contact(f"c{n}-{w}", push) for w, push in enumerate(own)),
        )
        for n, own in enumerate(ways)
    )  # fmt: skip
    sessions = tuple(waits(f"s{n}", age=age) for n, age in enumerate(ages))
    night = Night(see(*sessions, people=people, ladder=ladder))
    for number, (what, which, seconds) in enumerate(events):
        plan = night.settle()
        assert plan.next_deadline is None or plan.next_deadline > night.view.now
        night.happen(what, which)
        if number == taken_after:
            gone = replace(night.view.sessions[0], waiting=False, lead_id="c0")
            night.view = replace(night.view, sessions=(gone, *night.view.sessions[1:]))
        night.view = replace(night.view, now=night.view.now + seconds)
    for who in people:
        heard = sorted(
            {
                p.queued_at
                for p in night.view.pages
                if p.person_id == who.id and not p.stand_down and p.state not in LOST
            }
        )
        assert all(b - a >= RULES.gap_seconds for a, b in pairwise(heard))


def test_until_somebody_comes_the_pages_never_stop() -> None:
    night = Night(see(waits(age=0), people=TEAM))
    for _ in range(200):
        plan = night.settle()
        assert plan.next_deadline is not None
        night.view = replace(night.view, now=plan.next_deadline)
    for name in ("dana", "priya", "ada"):
        heard = sorted({p.queued_at for p in night.view.pages if p.person_id == name})
        assert len(heard) > 20
        assert all(30 <= b - a <= 60 for a, b in pairwise(heard))
