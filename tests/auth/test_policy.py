"""The whole matrix, pinned: every action × every subject × every relation to the target."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import cache
from typing import Any, Literal

import pytest

from auth import policy
from auth.actors import GUEST, ROLES, TABLET, TOKEN, WEBHOOK, Actor
from auth.errors import Forbidden
from auth.policy import Action, Scope, Target

# action: (tablet, officer, clinician, supervisor, manager, admin, guest); t own tablet, l sessions
# they lead, v their provider, g their program, o their organisation, p people of nothing but their
# organisation, s themselves, c the call of their link, - never. Changing a cell changes
# what real people can see: do it on purpose, here and in auth/policy.py.
EXPECTED = {
    "session.open": "t------",
    "session.take_part": "t-ll---",
    "session.answer": "--vv---",
    "session.lead": "--ll---",
    "session.close": "---v---",
    "session.take_over": "---v---",
    "session.listen": "---v---",
    "session.invite": "--ll---",
    "session.visit": "------c",
    "queue.read": "--vv---",
    "shift.change": "t------",
    "card.read": "t-Kvg--",
    "card.acknowledge": "t------",
    "consent.sign": "t------",
    "disposition.record": "t------",
    "record.read": "--Kvg--",
    "session.read": "----g--",
    "record.read_summary": "--Kvg--",
    "record.read_clinical": "--Kv---",
    "record.write_clinical": "--ll---",
    "record.sign": "--ll---",
    "record.add": "--kv---",
    "record.break_glass": "--v----",
    "opening.review": "---vg--",
    "record.export": "--kv---",
    "case_number.set": "t-kv---",
    "person.write": "--kv---",
    "consent.write": "--kv---",
    "takeaway.make": "--kv---",
    "hold.set": "---vg--",
    "retention.set": "---vgo-",
    "followup.read": "--vvg--",
    "followup.work": "--kv---",
    "followup.assign": "--kvg--",
    "board.read": "---vg--",
    "log.read": "---vg--",
    "report.read": "---vg--",
    "log.export": "---vg--",
    "log.export_names": "----g--",
    "odmap.release": "----g--",
    "view.keep": "---vg--",
    "audit.read": "----go-",
    "miss.read": "---vg--",
    "miss.close": "---vg--",
    "alert.own": "--vvg--",
    "plan.read": "---vg--",
    "reach.read": "---vg--",
    "escalation.set": "---vg--",
    "matching.set": "---vg--",
    "grant.set": "----g--",
    "resource.set": "----g--",
    "resource.pick": "--kv---",
    "roster.read": "--vvgo-",
    "roster.manage": "---vgo-",
    "roster.swap": "--v----",
    "tablet.read": "---vgo-",
    "tablet.manage": "----go-",
    "person.manage": "-----p-",
    "sign_in.own": "--ssss-",
    "integration.make": "----g--",
    "integration.manage": "----go-",
    "notice.send": "-------",
}
# what programs of others may do, (token, webhook); all the rest is refused. r: what it was given
OUTSIDE = {
    "session.read": "r-",
    "followup.read": "r-",
    "log.read": "r-",
    "report.read": "r-",
    "log.export": "r-",
    "log.export_names": "r-",
    "notice.send": "-r",
}
SUBJECTS = (TABLET, *ROLES, GUEST, TOKEN, WEBHOOK)
FIELDS = ("agency_id", "provider_id", "program_id", "lead_id", "tablet_id", "session_id")


KINDS: dict[str, Literal["tablet", "guest", "token", "webhook"]] = {
    TABLET: "tablet",
    GUEST: "guest",
    TOKEN: "token",
    WEBHOOK: "webhook",
}


def _letters(action: str) -> str:
    return EXPECTED[action] + OUTSIDE.get(action, "--")


def _actor(subject: str) -> Actor:
    """One of `subject` who has every id that there is, so that only the rule can refuse."""
    return Actor(
        kind=KINDS.get(subject, "person"),
        id="me",
        name="Me",
        short_name="Me",
        roles=frozenset({subject}),
        agency_id="agy",
        provider_id="prv",
        program_id="prg",
        session_id="ses",
        scopes=frozenset(policy.TOKEN_SCOPES),
    )


OWN: dict[str, Any] = {
    "agency_id": "agy",
    "provider_id": "prv",
    "program_id": "prg",
    "lead_id": "me",
    "tablet_id": "me",
    "session_id": "ses",
}


@cache
def _targets() -> tuple[Target, ...]:
    """Every mixture of own, somebody else's and unknown ids, with and without a follow-up of one's
    own or an opening: 3⁶ × 4 of them."""
    choices = [(OWN[field], "other", None) for field in FIELDS]
    mixtures: list[dict[str, Any]] = [
        dict(zip(FIELDS, ids, strict=True)) for ids in itertools.product(*choices)
    ]
    return tuple(
        Target(
            **ids,
            owner_ids=frozenset(owners),
            person_id=owners[0],
            opened_to=frozenset(opened),
        )
        for ids in mixtures
        for owners in (("other",), ("me", "other"))
        for opened in (("other",), ("me", "other"))
    )


@cache
def _wanted(letter: str) -> tuple[bool, ...]:
    """What the letter means for each of these targets."""
    return tuple(_expected(letter, target) for target in _targets())


def _expected(letter: str, target: Target) -> bool:
    own = {field: bool(getattr(target, field) == OWN[field]) for field in FIELDS}
    return {
        "t": own["tablet_id"] and own["agency_id"],
        "l": own["lead_id"] and own["provider_id"],
        "k": (own["lead_id"] or "me" in target.owner_ids) and own["provider_id"],
        "K": (own["lead_id"] or "me" in target.owner_ids or "me" in target.opened_to)
        and own["provider_id"],
        "v": own["provider_id"],
        "g": own["program_id"],
        "o": own["agency_id"] or own["provider_id"] or own["program_id"],
        "p": all(
            getattr(target, place) in (OWN[place], None)
            for place in ("agency_id", "provider_id", "program_id")
        )
        and (own["agency_id"] or own["provider_id"] or own["program_id"]),
        "s": target.person_id == "me",
        "c": own["session_id"] and own["provider_id"],
        "r": own["agency_id"] and own["provider_id"] and own["program_id"],
        "-": False,
    }[letter]


@pytest.mark.parametrize("action", list(Action))
def test_the_matrix_is_as_pinned_for_every_subject_and_every_mixture_of_scopes(
    action: Action,
) -> None:
    for subject, letter in zip(SUBJECTS, _letters(action), strict=True):
        actor = _actor(subject)
        for target, wanted in zip(_targets(), _wanted(letter), strict=True):
            assert policy.allows(actor, action, target) is wanted, (subject, target)


def test_every_action_is_pinned_and_explained() -> None:
    assert set(EXPECTED) == {str(action) for action in Action}
    assert set(OUTSIDE) <= set(EXPECTED)
    assert set(policy.MEANING) == set(Action)
    assert set(policy.RULES) == set(Action)


@pytest.mark.parametrize("action", list(Action))
def test_an_actor_without_ids_can_do_nothing_to_a_target_without_ids(action: Action) -> None:
    for subject in SUBJECTS:
        unknown = _actor(subject)
        nobody = replace(
            unknown, agency_id=None, provider_id=None, program_id=None, session_id=None
        )
        assert not policy.allows(nobody, action, Target())


@pytest.mark.parametrize("action", list(Action))
def test_nobody_gains_by_an_unknown_role_or_by_claiming_to_be_a_tablet(action: Action) -> None:
    target = Target(**OWN)
    person = replace(_actor("officer"), roles=frozenset({"root", TABLET, GUEST}))
    assert not policy.allows(person, action, target)
    tablet = replace(_actor(TABLET), roles=frozenset(ROLES))
    assert policy.allows(tablet, action, target) == policy.allows(_actor(TABLET), action, target)


def test_two_roles_give_what_either_gives_and_no_more() -> None:
    both = replace(_actor("clinician"), roles=frozenset({"clinician", "manager"}))
    ones = [_actor(role) for role in ("clinician", "manager")]
    for action, target in itertools.product(Action, _targets()):
        either = any(policy.allows(one, action, target) for one in ones)
        assert policy.allows(both, action, target) is either


def test_the_tablet_never_reads_the_clinical_record() -> None:
    target = Target(**OWN)
    for action in Action:
        if action.startswith("record."):
            assert not policy.allows(_actor(TABLET), action, target)


def test_requiring_what_is_not_allowed_raises_and_what_is_allowed_does_not() -> None:
    policy.require(_actor("manager"), Action.LOG_READ, Target(**OWN))
    with pytest.raises(Forbidden):
        policy.require(_actor("manager"), Action.RECORD_READ_CLINICAL, Target(**OWN))


def test_the_reach_of_a_list_is_what_the_rule_allows_row_by_row() -> None:
    listable = [Action.LOG_READ, Action.LOG_EXPORT, Action.LOG_EXPORT_NAMES, Action.BOARD_READ]
    people = [one for one in SUBJECTS if one not in (TOKEN, WEBHOOK)]  # theirs: test_api_tokens
    for subject, action in itertools.product(people, listable):
        actor = _actor(subject)
        programs, providers = policy.reach(actor, action)
        for target in _targets():
            listed = target.program_id in programs or target.provider_id in providers
            assert listed is policy.allows(actor, action, target), (subject, action, target)


def test_the_documented_table_has_a_row_for_every_action_and_a_word_for_every_cell() -> None:
    lines = policy.matrix_markdown().splitlines()
    assert lines[0].startswith("| Action | What it is | tablet | officer | clinician |")
    cells = {line.split(" | ")[0].strip("| `"): line.strip("| ").split(" | ") for line in lines[2:]}
    letters = {"-": "–", "t": Scope.OWN_TABLET, "l": Scope.OWN_LEAD, "v": Scope.OWN_PROVIDER}
    letters |= {
        "k": Scope.OWN_CARE,
        "K": Scope.OWN_CARE_OR_OPENED,
        "g": Scope.OWN_PROGRAM,
        "o": Scope.OWN_ORGANISATION,
        "c": Scope.OWN_CALL,
        "p": Scope.OWN_PEOPLE,
        "s": Scope.SELF,
        "r": Scope.OWN_REACH,
    }
    assert set(cells) == set(EXPECTED)
    for action, row in cells.items():
        assert row[2:] == [letters[letter] for letter in _letters(action)]


def test_a_token_does_what_its_scopes_name_and_nothing_else() -> None:
    target = Target(**OWN)
    for scope, action in policy.TOKEN_SCOPES.items():
        one = replace(_actor(TOKEN), scopes=frozenset({scope}))
        assert [a for a in Action if policy.allows(one, a, target)] == [action]
        assert [a for a in Action if policy.could(one, a)] == [action]
    for scopes in (frozenset[str](), frozenset({"record.read_clinical", "root"})):
        none = replace(_actor(TOKEN), scopes=scopes)
        assert not [a for a in Action if policy.allows(none, a, target)]


def test_a_token_without_agency_or_provider_reaches_all_of_its_program_and_never_wellness() -> None:
    wide = replace(_actor(TOKEN), agency_id=None, provider_id=None)
    elsewhere = Target(agency_id="other", provider_id="other", program_id="prg")
    assert policy.allows(wide, Action.LOG_READ, elsewhere)
    assert not policy.allows(_actor(TOKEN), Action.LOG_READ, elsewhere)
    for actor, action in ((wide, Action.LOG_READ), (_actor(WEBHOOK), Action.NOTICE_SEND)):
        assert not policy.allows(actor, action, Target(**OWN, wellness=True))


def test_scopes_make_no_person_more_than_they_are() -> None:
    clinician = replace(_actor("clinician"), scopes=frozenset(policy.TOKEN_SCOPES))
    assert not policy.allows(clinician, Action.LOG_READ, Target(**OWN))
