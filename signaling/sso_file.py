"""The file that describes the directories which sign people in (CRISISBRIDGE_SINGLE_SIGN_ON).

docs/operators.md has an example. Mistakes are reported together, by the directory's id and the name
of the entry, never with a value.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from auth.people import PLACES
from auth.sso_rules import GroupRule, Issuer

SIGN_IN_ROLES = tuple(role for role in PLACES if role != "officer")  # an officer has a PIN
_ID = re.compile(r"[a-z][a-z0-9-]{0,38}")
_NEEDED = ("name", "issuer", "client_id")
_TEXTS = (*_NEEDED, "client_secret_file", "groups_claim", "agency", "provider", "program")
_LISTS = ("scopes", "second_factor_acr", "second_factor_amr")
_KNOWN = {*_TEXTS, *_LISTS, "other_ways", "group"}
_IN_A_GROUP = {"name", "roles", "agency", "provider", "program"}
LONGEST_NAME = 60


def read(raw: str) -> tuple[Issuer, ...]:
    """The directories of the file that is named. Raises ValueError with every mistake."""
    path = Path(raw.strip()).expanduser()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise ValueError("names a file that cannot be read") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise ValueError("names a file that is not valid TOML") from None
    problems: list[str] = []
    found = [_issuer(id_, given, path.parent, problems) for id_, given in table.items()]
    good = [one for one in found if one is not None]
    if len({one.url for one in good}) != len(good):
        problems.append("two directories have the same issuer")
    if problems:
        raise ValueError("names a file with mistakes: " + "; ".join(problems))
    return tuple(good)


def _issuer(id_: str, given: object, folder: Path, problems: list[str]) -> Issuer | None:
    before = len(problems)

    def wrong(what: str) -> None:
        problems.append(f"[{id_[:40]}] {what}")

    if not _ID.fullmatch(id_) or not isinstance(given, dict):
        wrong("must be a table whose name is of a-z, 0-9 and -")
        return None
    for name in sorted(given.keys() - _KNOWN):
        wrong(f"{name[:40]} is not an entry")
    for name in _TEXTS:
        if name in given and not _is_text(given[name]):
            wrong(f"{name} must be a text")
    for name in _LISTS:
        if not _is_texts(given.get(name, [])):
            wrong(f"{name} must be a list of texts")
    for name in _NEEDED:
        if name not in given:
            wrong(f"{name} is required")
    if not isinstance(given.get("other_ways", False), bool):
        wrong("other_ways must be true or false")
    if len(problems) > before:
        return None
    _check_address(given["issuer"], wrong)
    scopes = tuple(given.get("scopes", ("openid", "profile", "email")))
    if "openid" not in scopes:
        wrong("scopes must have openid")
    if len(given["name"]) > LONGEST_NAME or not given["name"].isprintable():
        wrong(f"name must have at most {LONGEST_NAME} letters")
    secret = _secret(given.get("client_secret_file"), folder, wrong)
    rules = _rules(given, wrong)
    if len(problems) > before:
        return None
    return Issuer(
        id=id_,
        name=given["name"],
        url=given["issuer"],
        client_id=given["client_id"],
        rules=rules,
        client_secret=secret,
        secret_is_open=_is_open(given.get("client_secret_file"), folder),
        scopes=scopes,
        groups_claim=given.get("groups_claim", "groups"),
        acr=frozenset(given.get("second_factor_acr", ())),
        amr=frozenset(given.get("second_factor_amr", ())),
        other_ways=given.get("other_ways", False),
    )


def _check_address(url: str, wrong: Any) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"https", "http"} or parts.query or parts.fragment:
        wrong("issuer must be an https address without ? and #")
    elif parts.username is not None:
        wrong("issuer must be an https address without a name in it")


def _secret(name: str | None, folder: Path, wrong: Any) -> str | None:
    """A file beside the other one, unless its path is whole."""
    if name is None:
        return None  # a public client: PKCE alone
    try:
        secret = _beside(name, folder).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        wrong("client_secret_file cannot be read")
        return None
    if not secret:
        wrong("client_secret_file is empty")
    return secret or None


def _is_open(name: str | None, folder: Path) -> bool:
    return name is not None and bool(_beside(name, folder).stat().st_mode & 0o077)


def _beside(name: str, folder: Path) -> Path:
    return folder / Path(name).expanduser()


def _rules(given: Mapping[str, Any], wrong: Any) -> tuple[GroupRule, ...]:
    groups = given.get("group", [])
    if not isinstance(groups, list) or not groups:
        wrong("needs at least one [[…group]]")
        return ()
    found = []
    for group in groups:
        fit = isinstance(group, dict) and group.keys() <= _IN_A_GROUP
        if not fit or not _is_text(group.get("name")) or not _is_texts(group.get("roles")):
            wrong("each group has a name, a list of roles, and may have agency, provider, program")
            continue
        rule = _rule(group, given)
        if not rule.roles or not rule.roles <= set(SIGN_IN_ROLES):
            wrong(f"roles of a group must be some of {', '.join(SIGN_IN_ROLES)}")
        for role in sorted(rule.roles & set(SIGN_IN_ROLES)):
            needed = PLACES[role]
            has = [getattr(rule, place) is not None for place in needed]
            if not (any(has) if role == "admin" else all(has)):
                names = " or ".join(place.removesuffix("_id") for place in needed)
                wrong(f"the role {role} needs {names}")
        found.append(rule)
    return tuple(found)


def _rule(group: Mapping[str, Any], given: Mapping[str, Any]) -> GroupRule:
    """A group's rule: only the places that its roles need, its own before the directory's."""
    roles = frozenset(group["roles"])
    needed = {place for role in roles for place in PLACES.get(role, ())}
    places = {}
    for place in needed:
        name = place.removesuffix("_id")
        its = group.get(name, given.get(name))
        places[place] = its if _is_text(its) else None
    return GroupRule(group["name"], roles, **places)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(_is_text(one) for one in value)
