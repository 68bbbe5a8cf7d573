"""Single sign-on, what is decided: which roles and places a directory's groups give. Pure.

An *issuer* is a directory that signs people in (OpenID Connect's own word): "provider" is taken
here. It is described in a file by whoever runs the server; nothing about it is stored.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from auth.errors import GroupsConflict, GroupsUnknown

PLACES = ("agency_id", "provider_id", "program_id")
MOST_GROUPS = 1_000


@dataclass(frozen=True, slots=True)
class GroupRule:
    """Who is in this group has these roles, at these places."""

    group: str
    roles: frozenset[str]
    agency_id: str | None = None
    provider_id: str | None = None
    program_id: str | None = None


@dataclass(frozen=True, slots=True)
class Issuer:
    """One directory. `url` is its issuer exactly as it says it itself; `id` stands in addresses."""

    id: str
    name: str
    url: str
    client_id: str
    rules: tuple[GroupRule, ...]
    client_secret: str | None = field(default=None, repr=False)
    secret_is_open: bool = False  # others on this machine can read its file
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    groups_claim: str = "groups"
    acr: frozenset[str] = frozenset()  # what it says when its own second factor was used
    amr: frozenset[str] = frozenset()
    other_ways: bool = False  # whether its people may sign in by a password or passkey of ours too


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody's groups give."""

    roles: frozenset[str]
    agency_id: str | None
    provider_id: str | None
    program_id: str | None

    @property
    def places(self) -> dict[str, str | None]:
        return {place: getattr(self, place) for place in PLACES}


def standing(issuer: Issuer, groups: Collection[str]) -> Standing | None:
    """The roles and places of somebody in these groups; None when no rule knows any of them.

    Raises GroupsConflict for groups that lie in two organisations: a person belongs to one.
    """
    mine = [rule for rule in issuer.rules if rule.group in groups]
    if not mine:
        return None
    found: dict[str, str | None] = {}
    for place in PLACES:
        named = {getattr(rule, place) for rule in mine} - {None}
        if len(named) > 1:
            raise GroupsConflict
        found[place] = next(iter(named), None)
    return Standing(frozenset().union(*(rule.roles for rule in mine)), **found)


def groups_in(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """The groups that a checked ID token names; none where it names none.

    `name` is a claim, or a path to one in others (`realm_access.roles`). Raises GroupsUnknown when
    the directory has left them out because there are too many: that is not the same as none.
    """
    elsewhere = claims.get("_claim_names")
    left_out = isinstance(elsewhere, Mapping) and name in elsewhere
    if left_out or claims.get("hasgroups") is True:  # Entra ID, above 200 and above 5 groups
        raise GroupsUnknown
    value: Any = claims.get(name)
    if value is None and name not in claims:
        value = claims
        for step in name.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or len(listed) > MOST_GROUPS:
        return frozenset()
    return frozenset(group for group in listed if isinstance(group, str))


def is_strong(issuer: Issuer, claims: Mapping[str, Any]) -> bool:
    """Whether the directory says that it asked for a second factor, in words that the settings
    take for that."""
    methods = claims.get("amr")
    named = {one for one in methods if isinstance(one, str)} if isinstance(methods, list) else set()
    return claims.get("acr") in issuer.acr or bool(named & issuer.amr)
