"""The description of /api/v1 (OpenAPI 3.1), made from the route table and the types of its answers.

Nothing is written by hand but the words about it all, so it cannot say what is not so: an address
that is not in the table is not in here, and one that is cannot be left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from auth.policy import TOKEN_SCOPES
from web.api_types import Failure
from web.routes import SAFE, Route, Shape, Who

PREFIX: Final = "/api/v1/"
VERSION: Final = "1"
_REF: Final = "#/components/schemas/{name}"
_PART: Final = re.compile(r"{(\w+)(?::[^}]*)?}")
_ABOUT: Final = (
    "Reading by programs of others, with a token that a program's manager made. Answers hold no "
    "clinical content, and names of people only for tokens with the scope log.names. Sessions in "
    "which an officer called for themselves, and everything that tells of substance use "
    "(42 CFR Part 2), are never among them: a follow-up that would tell it is called what harmless "
    "ones are called, `referral`. Times are UTC in ISO 8601."
)
_TAGS: Final = (
    ("programs", "For programs, with a token. What is here stays; fields may be added."),
    ("pages", "What our own pages use, with their cookies. It may change with any release."),
)
_LOGIN: Final = {"type": "apiKey", "in": "cookie", "name": "cb_login"}
_SECURITY: Final[dict[Who, tuple[str, dict[str, str]] | None]] = {
    Who.PROGRAM: ("token", {"type": "http", "scheme": "bearer", "bearerFormat": "cbt_…"}),
    Who.PERSON: ("person", _LOGIN),
    Who.NEWCOMER: ("person", _LOGIN),
    Who.ABSENT: ("person", _LOGIN),
    Who.TABLET: ("tablet", {"type": "apiKey", "in": "cookie", "name": "cb_tablet"}),
    Who.GUEST: ("guest", {"type": "apiKey", "in": "cookie", "name": "cb_guest"}),
    Who.ANYBODY: None,
}
_FAILURES: Final = {
    "400": "A parameter or the body is not understood; `field` names it where one is at fault.",
    "401": "No token or sign-in, or one that does not work any more.",
    "403": "The token or the role does not allow this.",
    "404": "There is no such record within reach.",
    "422": "A value cannot be used.",
    "429": "Too often: wait as many seconds as Retry-After says.",
    "503": "Not now: the server starts or stops, or reading could not be put on record.",
}

_OF_PAGES: Final = {
    "409": "It is not any more as it was thought to be; nothing was changed.",
    "410": "The link or the set-up has ended.",
    "423": "Locked after wrong tries, or the pages are covered until somebody proves who they are.",
}
_OF_BODIES: Final = {
    "408": "The body did not arrive in time.",
    "413": "The body is too large.",
    "415": "The body is not application/json.",
}


def document(table: Iterable[Route]) -> dict[str, Any]:
    """The description of the addresses of this table that are under /api/v1."""
    routes = sorted(
        (one for one in table if one.path.startswith(PREFIX)),
        key=lambda one: (one.path, one.method),
    )
    types: list[Any] = [Failure]
    for route in routes:
        shape = route.shape or Shape()
        types += [one for one in (shape.answer, shape.query, shape.body) if one is not None]
    found, parts = msgspec.json.schema_components(types, schema_hook=_any, ref_template=_REF)
    schemas = dict(zip(types, found, strict=True))
    paths: dict[str, Any] = {}
    for route in routes:
        path = paths.setdefault(_PART.sub(r"{\1}", route.path), {})
        path[route.method.lower()] = _operation(route, schemas, parts)
    queries = {_name(one.shape.query, schemas) for one in routes if one.shape and one.shape.query}
    secured = [one for one in _SECURITY.values() if one is not None]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "CrisisBridge",
            "version": VERSION,
            "description": _ABOUT,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": words} for name, words in _TAGS],
        "paths": paths,
        "components": {
            "securitySchemes": dict(secured),
            "schemas": {name: parts[name] for name in sorted(parts) if name not in queries},
        },
    }


def written(table: Iterable[Route]) -> str:
    """The description as a file."""
    return json.dumps(document(table), indent=1, ensure_ascii=False) + "\n"


def _operation(route: Route, schemas: dict[Any, Any], parts: dict[str, Any]) -> dict[str, Any]:
    shape = route.shape or Shape()
    first = (route.handler.__doc__ or route.path).strip().splitlines()[0]
    said: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": _sentence(re.sub(r"^[A-Z]+ /\S+?(?: {[^}]*})?: ", "", first)),
        "tags": ["programs" if route.who is Who.PROGRAM else "pages"],
        "parameters": [
            *_path_parameters(route.path),
            *(_query_parameters(shape.query, schemas, parts) if shape.query else ()),
        ],
    }
    if shape.query is not None:
        said["description"] = " ".join((shape.query.__doc__ or "").split())
    secured = _SECURITY[route.who]
    said["security"] = [] if secured is None else [{secured[0]: _scopes(route)}]
    if route.method not in SAFE and not route.machine:
        said["parameters"].append(
            {"name": "X-CSRF-Token", "in": "header", "required": True, "schema": {"type": "string"}}
        )
    if shape.body is not None:
        body = schemas[shape.body]
        said["requestBody"] = {
            "required": True, "content": {"application/json": {"schema": body}}
        }  # fmt: skip
    failures = _FAILURES | (_OF_BODIES if shape.body is not None else {})
    if route.who is not Who.PROGRAM:
        failures |= _OF_PAGES
    said["responses"] = {
        "200": {
            "description": "One on each line." if shape.lines else "It worked.",
            "content": {
                shape.media: {"schema": schemas[shape.answer] if shape.answer else _ANYTHING}
            },
        },
        **{status: _failure(words, schemas) for status, words in failures.items()},
    }
    return said


def _any(kind: type) -> dict[str, Any]:
    """`object` stands for any JSON value."""
    if kind is not object:
        raise NotImplementedError
    return {"description": "any JSON value"}


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _operation_id(route: Route) -> str:
    words = re.findall(r"\w+", _PART.sub(r"by_\1", route.path[len(PREFIX) :]))
    return "_".join(["read" if route.method in SAFE else "send", *words])


_ANYTHING: Final[dict[str, Any]] = {"type": "object"}


def _scopes(route: Route) -> list[str]:
    """OpenAPI 3.1 lets a bearer token name what it needs."""
    if route.who is not Who.PROGRAM:
        return []
    return [scope for scope, action in TOKEN_SCOPES.items() if action in route.needs]


def _failure(words: str, schemas: dict[Any, Any]) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": schemas[Failure]}}}


def _path_parameters(path: str) -> list[dict[str, Any]]:
    text = {"type": "string"}
    return [
        {"name": name, "in": "path", "required": True, "schema": text}
        for name in _PART.findall(path)
    ]


def _query_parameters(
    query: type[msgspec.Struct], schemas: dict[Any, Any], parts: dict[str, Any]
) -> list[dict[str, Any]]:
    shape = parts[_name(query, schemas)]
    required = set(shape.get("required", ()))
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _given(schema)}
        for name, schema in shape["properties"].items()
    ]


def _given(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is there or not; null is nothing that an address can say."""
    kinds = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if len(kinds) == 1:
        return dict(kinds[0])
    return {key: value for key, value in schema.items() if value is not None}


def _name(query: type[msgspec.Struct], schemas: dict[Any, Any]) -> str:
    return str(schemas[query]["$ref"]).rpartition("/")[2]
