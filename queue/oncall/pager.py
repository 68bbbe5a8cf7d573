"""Who is paged for what, by which way, and when again: the pager's decisions. Pure.

Rules of this file:
1. Paging follows the session's age and its provider's steps, whatever was lost or restarted since.
2. Nobody is paged for a session that does not wait; who was paged for it is told to stand down.
3. One person hears from us at most every `gap_seconds`, over all sessions and ways; only a page
   that failed, and so reached nobody, may be followed at once by the next way.
4. Who acknowledged is left alone for a while; who does not come in that time is paged again.
5. Carrying out a plan and planning again at the same moment gives nothing more to do.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from oncall.steps import Act, Ladder, Step
from oncall.stepwise import Steps, at_once

AT_ONCE = 100  # sessions that are gone through in one step
GONE_QUIET_SECONDS = 900.0  # after so long nobody is woken to be told that all is well


class PageState(enum.StrEnum):
    """The life of one page. Order matters: a page only goes forward."""

    QUEUED = "queued"
    SENT = "sent"  # the push service or the gateway took it
    DELIVERED = "delivered"  # the device says that it showed it
    OPENED = "opened"  # its link or notification was opened
    ACKNOWLEDGED = "acknowledged"  # "I'm coming", or the console is open
    FAILED = "failed"
    WITHDRAWN = "withdrawn"  # not needed any more before it was sent


REACHED = frozenset({PageState.SENT, PageState.DELIVERED, PageState.OPENED, PageState.ACKNOWLEDGED})
LOST = frozenset({PageState.FAILED, PageState.WITHDRAWN})


@dataclass(frozen=True, slots=True)
class PagerRules:
    """All times in seconds."""

    gap_seconds: float = 30.0  # between two pages to one person
    coming_seconds: float = 120.0  # who acknowledged has this long to open the console
    opened_seconds: float = 45.0  # who opened the page has this long to press
    most_attempts: int = 3
    backoff_seconds: tuple[float, ...] = (3.0, 9.0)
    longest_wait: float = 60.0  # of what a gateway asks us to wait


@dataclass(frozen=True, slots=True)
class Contact:
    """One way to reach a person. Pushes go out together; other ways one after the other."""

    id: str
    push: bool


@dataclass(frozen=True, slots=True)
class Pageable:
    """A person who may be paged, as they are now."""

    id: str
    provider_id: str
    tier: int | None  # on call now; None: off the roster
    supervisor: bool
    busy: bool  # leads a session: nobody calls them out of it
    contacts: tuple[Contact, ...]  # in the order that the person chose


@dataclass(frozen=True, slots=True)
class Sent:
    """A page, as it is on record. Round 0 is the first to this person for this session."""

    id: str
    session_id: str
    person_id: str
    contact_id: str
    stand_down: bool
    round: int
    state: PageState
    queued_at: float
    opened_at: float | None = None
    acknowledged_at: float | None = None


@dataclass(frozen=True, slots=True)
class PagedSession:
    """A session that waits, or one that somebody was paged for not long ago."""

    id: str
    provider_id: str
    waiting: bool
    place: tuple[int, bool, int, str]  # in line
    pressed_at: float
    requeued_at: float | None
    epoch: int
    lead_id: str | None


@dataclass(frozen=True, slots=True)
class PagerSnapshot:
    """All that the pager decides from, at a moment."""

    sessions: tuple[PagedSession, ...]
    people: tuple[Pageable, ...]
    pages: tuple[Sent, ...]
    ringing: frozenset[tuple[str, str]]  # (session, person): their open console rings
    ladders: Mapping[str, Ladder]  # of every provider in the snapshot
    now: float


@dataclass(frozen=True, slots=True)
class SendPage:
    """Page this person by these ways at once, as their so-and-so-manieth round."""

    session_id: str
    person_id: str
    contact_ids: tuple[str, ...]
    act: str
    round: int


@dataclass(frozen=True, slots=True)
class StandDown:
    """Tell somebody who was paged that the session is taken, or over."""

    session_id: str
    person_id: str
    contact_ids: tuple[str, ...]
    epoch: int


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Not sent yet, and not needed any more."""

    page_id: str


PagerAction = SendPage | StandDown | Withdraw


@dataclass(frozen=True, slots=True)
class PagerPlan:
    """What to do now; when to plan again at the latest; and who wants paging but has no way.

    `unreachable`: session -> people whose step has come, where none of them has any way.
    """

    actions: tuple[PagerAction, ...]
    next_deadline: float | None
    unreachable: Mapping[str, frozenset[str]] = field(default_factory=dict)


def retry_after(attempt: int, asked: float | None, rules: PagerRules) -> float | None:
    """Seconds until a failed attempt (1, 2 …) is made again; None: give up.

    `asked` is what the other side wants (Retry-After). Longer than we can wait: give up as well,
    so that the next way is tried.
    """
    if attempt >= rules.most_attempts or (asked is not None and asked > rules.longest_wait):
        return None
    own = rules.backoff_seconds[min(attempt, len(rules.backoff_seconds)) - 1]
    return max(own, asked or 0.0)


def plan_pages(snapshot: PagerSnapshot, rules: PagerRules) -> PagerPlan:
    """Everything that is due at `snapshot.now`."""
    return at_once(planning_pages(snapshot, rules))


def planning_pages(snapshot: PagerSnapshot, rules: PagerRules) -> Steps[PagerPlan]:
    """The same in steps, for whoever has something to do between them."""
    planner = _Planner(snapshot, rules)
    yield
    return (yield from planner.plan())


class _Planner:
    def __init__(self, snapshot: PagerSnapshot, rules: PagerRules) -> None:
        self._s = snapshot
        self._rules = rules
        self._moments: list[float] = []
        self._waiting = {
            s.id: s.requeued_at or s.pressed_at for s in snapshot.sessions if s.waiting
        }
        self._ringing = {session for session, _ in snapshot.ringing}
        self._calls: dict[str, dict[str, list[Sent]]] = {}  # by session, and person
        self._stood_down: dict[str, dict[str, float]] = {}  # the same: when they were told
        self._of_person: dict[str, list[Sent]] = {}
        for page in snapshot.pages:
            if page.stand_down:
                told = self._stood_down.setdefault(page.session_id, {})
                told[page.person_id] = max(page.queued_at, told.get(page.person_id, page.queued_at))
            else:
                calls = self._calls.setdefault(page.session_id, {})
                calls.setdefault(page.person_id, []).append(page)
                self._of_person.setdefault(page.person_id, []).append(page)
        # (provider, number of steps due) -> who is meant and may hear from us now, by which step
        self._ready: dict[tuple[str, int], dict[str, tuple[Pageable, Step]]] = {}
        self._without: dict[tuple[str, int], frozenset[str]] = {}

    def plan(self) -> Steps[PagerPlan]:
        ended: list[PagerAction] = []
        sent: list[PagerAction] = []
        unreachable: dict[str, frozenset[str]] = {}
        paged: set[str] = set()
        in_order = sorted(self._s.sessions, key=lambda s: s.place)
        for number, session in enumerate(in_order):
            if number % AT_ONCE == 0:
                yield
            if not session.waiting:
                ended += self._stand_down(session)
                continue
            ready, without = self._wanted(session)
            if without and session.id not in self._ringing:
                unreachable[session.id] = without
            for person, step in ready.values():
                if person.id not in paged:
                    action = self._page(session, person, step)
                    if action is not None:
                        paged.add(person.id)
                        sent.append(action)
                        # what follows is planned when this page is on record
                        self._moments.append(self._s.now + self._rules.gap_seconds)
            for who in paged & ready.keys():
                del ready[who]
        later = min((moment for moment in self._moments if moment > self._s.now), default=None)
        return PagerPlan((*ended, *sent), later, unreachable)

    def _wanted(
        self, session: PagedSession
    ) -> tuple[dict[str, tuple[Pageable, Step]], frozenset[str]]:
        """Who should hear of a session by now and may, each by the first step that means them; and
        all who are meant, if none of them has a way. Shared by sessions at the same step."""
        ladder = self._s.ladders[session.provider_id]
        due = ladder.due(self._s.now - session.pressed_at)
        self._moments += [session.pressed_at + step.after for step in ladder.steps]
        key = (session.provider_id, len(due))
        if key not in self._ready:
            meant = [
                (person, step)
                for person in self._s.people
                if person.provider_id == session.provider_id
                and (step := next((s for s in due if means(s, person)), None)) is not None
            ]
            self._ready[key] = {p.id: (p, s) for p, s in meant if p.contacts and self._may(p, s)}
            somebody = any(person.contacts for person, _ in meant)
            self._without[key] = frozenset(() if somebody else (p.id for p, _ in meant))
        return self._ready[key], self._without[key]

    def _may(self, person: Pageable, step: Step) -> bool:
        if person.busy:
            return False
        due = max(self._not_again_before(person.id), self._held_until(person.id, step))
        self._moments.append(due)
        return due <= self._s.now

    def _page(self, session: PagedSession, person: Pageable, step: Step) -> SendPage | None:
        if (session.id, person.id) in self._s.ringing:
            return None
        rounds = self._calls.get(session.id, {}).get(person.id, [])
        ways, due = self._next_ways(rounds, person, step)
        if due > self._s.now:
            self._moments.append(due)
            return None
        number = max((page.round for page in rounds), default=-1) + 1
        return SendPage(session.id, person.id, ways, str(step.act), number)

    def _not_again_before(self, person_id: str) -> float:
        """The bound for one person, over all sessions."""
        heard = (p.queued_at for p in self._of_person.get(person_id, []) if p.state not in LOST)
        return max(heard, default=float("-inf")) + self._rules.gap_seconds

    def _held_until(self, person_id: str, step: Step) -> float:
        """Who opened a page, or says that they come, is left alone for a while."""
        if step.until != "acknowledged":
            return float("-inf")
        held = float("-inf")
        for page in self._of_person.get(person_id, []):
            since = self._waiting.get(page.session_id)
            if since is None:
                continue  # they came, or nobody had to
            if page.acknowledged_at is not None and page.acknowledged_at >= since:
                held = max(held, page.acknowledged_at + self._rules.coming_seconds)
            elif page.opened_at is not None and page.opened_at >= since:
                held = max(held, page.opened_at + self._rules.opened_seconds)
        return held

    def _next_ways(
        self, rounds: list[Sent], person: Pageable, step: Step
    ) -> tuple[tuple[str, ...], float]:
        """The ways of the next round, and when it is due: the first ones that were not tried in
        this pass; after the last, the first ones again. Ways may have come and gone meanwhile."""
        groups = list(_groups(person.contacts))
        tried = _this_pass(rounds)
        if not tried:
            return groups[0], float("-inf")
        last = [page for page in tried if page.round == tried[-1].round]
        used = {page.contact_id for page in tried}
        after_last = max(page.queued_at for page in last) + self._rules.gap_seconds
        for group in groups:
            if not used & set(group):
                unheard = all(page.state in LOST for page in last)
                return group, float("-inf") if unheard else after_last
        if all(page.state is PageState.WITHDRAWN for page in last):
            return groups[0], float("-inf")
        return groups[0], max(min(p.queued_at for p in tried) + step.repeat, after_last)

    def _stand_down(self, session: PagedSession) -> Iterator[PagerAction]:
        told = self._stood_down.get(session.id, {})
        for person_id, pages in self._calls.get(session.id, {}).items():
            yield from (Withdraw(p.id) for p in pages if p.state is PageState.QUEUED)
            fresh = [
                page
                for page in pages
                if page.state in REACHED
                and page.queued_at > told.get(person_id, float("-inf"))
                and self._s.now - page.queued_at < GONE_QUIET_SECONDS
            ]
            if fresh and person_id != session.lead_id:
                ways = tuple(dict.fromkeys(page.contact_id for page in fresh))
                yield StandDown(session.id, person_id, ways, session.epoch)


def means(step: Step, person: Pageable) -> bool:
    """Whether a step pages this person."""
    match step.act:
        case Act.PAGE:
            return person.tier is not None and person.tier == step.tier
        case Act.SECOND_TIER:
            return person.tier is not None and person.tier >= 2
        case Act.SUPERVISOR:
            return person.supervisor
    return False


def _this_pass(rounds: list[Sent]) -> list[Sent]:
    """The newest rounds, back to where a way was tried that has been tried again since."""
    used: dict[str, int] = {}
    found: list[Sent] = []
    for page in sorted(rounds, key=lambda page: page.round, reverse=True):
        if used.setdefault(page.contact_id, page.round) != page.round:
            break
        found.append(page)
    return found[::-1]


def _groups(contacts: Iterable[Contact]) -> Iterator[tuple[str, ...]]:
    """The rounds of a person: neighbouring pushes together, each other way by itself."""
    for push, run in groupby(contacts, key=lambda contact: contact.push):
        if push:
            yield tuple(contact.id for contact in run)
        else:
            yield from ((contact.id,) for contact in run)
