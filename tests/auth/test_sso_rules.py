"""Groups of a directory to roles and places, and what its claims say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.errors import GroupsConflict, GroupsUnknown
from auth.sso_rules import MOST_GROUPS, GroupRule, Issuer, groups_in, is_strong, standing

ISSUER = Issuer(
    id="prairie",
    name="Prairie County",
    url="https://login.example.org",
    client_id="crisisbridge",
    client_secret="hush",
    rules=(
        GroupRule("clinicians", frozenset({"clinician"}), provider_id="prv_a"),
        GroupRule("leads", frozenset({"clinician", "supervisor"}), provider_id="prv_a"),
        GroupRule("elsewhere", frozenset({"clinician"}), provider_id="prv_b"),
        GroupRule("managers", frozenset({"manager"}), program_id="prg_a"),
        GroupRule("admins", frozenset({"admin"}), agency_id="agy_a", program_id="prg_a"),
    ),
    acr=frozenset({"phr"}),
    amr=frozenset({"mfa", "hwk"}),
)


def test_groups_add_up_to_roles_and_places() -> None:
    found = standing(ISSUER, {"leads", "managers", "unheard of"})
    assert found is not None
    assert found.roles == {"clinician", "supervisor", "manager"}
    assert found.places == {"agency_id": None, "provider_id": "prv_a", "program_id": "prg_a"}


def test_nobody_of_an_unknown_group_has_anything() -> None:
    assert standing(ISSUER, {"Clinicians", "clinicians ", ""}) is None  # letter by letter
    assert standing(ISSUER, ()) is None


def test_two_organisations_are_a_conflict_and_not_a_choice() -> None:
    with pytest.raises(GroupsConflict):
        standing(ISSUER, {"clinicians", "elsewhere"})


@given(st.sets(st.sampled_from([rule.group for rule in ISSUER.rules] + ["other"])))
def test_nobody_gets_a_role_that_no_rule_of_their_groups_gives(groups: set[str]) -> None:
    try:
        found = standing(ISSUER, groups)
    except GroupsConflict:
        assert {"elsewhere"} < groups
        return
    mine = [rule for rule in ISSUER.rules if rule.group in groups]
    assert (found is None) == (not mine)
    if found is not None:
        assert found.roles == {role for rule in mine for role in rule.roles}


@pytest.mark.parametrize(
    ("claims", "name", "found"),
    [
        ({"groups": ["a", "b"]}, "groups", {"a", "b"}),
        ({"groups": "a"}, "groups", {"a"}),
        ({"groups": ["a", 7, None, ["b"]]}, "groups", {"a"}),
        ({}, "groups", set()),
        ({"groups": None}, "groups", set()),
        ({"groups": {"a": 1}}, "groups", set()),
        ({"realm_access": {"roles": ["a"]}}, "realm_access.roles", {"a"}),
        ({"https://x.example/groups": ["a"]}, "https://x.example/groups", {"a"}),
        ({"realm_access": "a"}, "realm_access.roles", set()),
        ({"groups": ["a"] * (MOST_GROUPS + 1)}, "groups", set()),
    ],
)
def test_groups_are_read_from_a_claim_or_a_path(
    claims: dict[str, Any], name: str, found: set[str]
) -> None:
    assert groups_in(claims, name) == found


@pytest.mark.parametrize(
    "claims",
    [{"_claim_names": {"groups": "src1"}}, {"hasgroups": True}],
)
def test_groups_that_were_left_out_are_not_no_groups(claims: dict[str, Any]) -> None:
    with pytest.raises(GroupsUnknown):
        groups_in(claims, "groups")


@pytest.mark.parametrize(
    ("claims", "strong"),
    [
        ({"amr": ["pwd", "mfa"]}, True),
        ({"amr": ["pwd"]}, False),
        ({"amr": "mfa"}, False),
        ({"acr": "phr"}, True),
        ({"acr": "0"}, False),
        ({}, False),
        ({"amr": [["mfa"]]}, False),
    ],
)
def test_a_second_factor_of_the_directory_is_one_that_the_settings_name(
    claims: dict[str, Any], strong: bool
) -> None:
    assert is_strong(ISSUER, claims) is strong


def test_without_such_a_setting_nothing_is_one() -> None:
    plain = Issuer("a", "A", "https://a.example", "c", ())
    assert not is_strong(plain, {"acr": None, "amr": ["mfa"]})
    assert not is_strong(plain, {"amr": ["mfa"]})


def test_the_secret_does_not_show_itself() -> None:
    assert "hush" not in repr(ISSUER)
