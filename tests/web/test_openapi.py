"""The description of /api/v1 covers the table of addresses, and no question that fits it, or nearly
does, makes the server fail."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from records.engine import Database
from tests.web.cast import ORIGIN, Site, open_site
from tests.web.programs import token
from tests.web.test_guards import everything_of
from web import openapi
from web.dev import cast as demo
from web.routes import Who

QUESTIONS = int(os.environ.get("API_QUESTIONS", "200"))  # tried in one run
METHODS = {"get", "post", "put", "delete", "patch"}


async def test_it_is_served_to_everybody_and_is_the_table_of_addresses(site: Site) -> None:
    response = await site.client.get("/api/v1/openapi.json")
    assert (response.status, response.content_type) == (200, "application/json")
    table = everything_of(site)
    assert await response.json() == json.loads(openapi.written(table))
    described = {
        (method.upper(), path)
        for path, methods in (await response.json())["paths"].items()
        for method in methods
    }
    there = {
        (one.method, re.sub(r":[^}]*", "", one.path))
        for one in table
        if one.path.startswith("/api/")
    }
    assert described == there


async def test_every_address_says_what_it_takes_and_gives(site: Site) -> None:
    """An address for programs without types, or a question with a body that nobody described,
    stops here."""
    for route in everything_of(site):
        if not route.path.startswith("/api/v1/"):
            assert route.who is not Who.PROGRAM, f"{route.path} belongs under /api/v1"
            continue
        if route.who is Who.PROGRAM:
            assert route.shape is not None, route.path
            assert route.shape.answer is not None, route.path
            assert len(route.needs) == 1, route.path
            assert route.limit is not None, route.path
        read = re.search(r"body_of\(request, (\w+)\)", inspect.getsource(route.handler))
        if read is not None:
            body = route.shape.body if route.shape is not None else None
            assert body is not None, f"{route.path}: name the type of its body in its route"
            assert body.__name__ == read[1], route.path


async def test_it_holds_together(site: Site) -> None:
    whole = openapi.document(everything_of(site))
    assert whole["openapi"] == "3.1.0"
    parts = whole["components"]["schemas"]
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(whole)))
    assert named <= parts.keys()
    ids = [one["operationId"] for path in whole["paths"].values() for one in path.values()]
    assert len(ids) == len(set(ids))
    for path, methods in whole["paths"].items():
        for method, said in methods.items():
            assert method in METHODS
            inside = {one["name"] for one in said["parameters"] if one["in"] == "path"}
            assert inside == set(re.findall(r"{(\w+)}", path))
            assert said["summary"]
            for scheme in said["security"]:
                assert scheme.keys() <= whole["components"]["securitySchemes"].keys()


# --- a walk over it -------------------------------------------------------------------------------

# what may stand in an address: any text without lone halves of letters, which no URL can hold
anything = st.text(st.characters(codec="utf-8"), max_size=60)


def value_of(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    """A value that fits, or one that does not."""
    if "enum" in schema:
        return st.one_of(st.sampled_from(schema["enum"]), anything)
    if schema.get("format") == "date":
        return st.one_of(st.dates().map(str), anything)
    if schema.get("format") == "date-time":
        return st.one_of(
            st.datetimes(timezones=st.timezones()).map(lambda at: at.isoformat()), anything
        )
    if schema.get("type") == "integer":
        return st.one_of(st.integers().map(str), anything)
    if schema.get("type") == "boolean":
        return st.one_of(st.sampled_from(["true", "false", "1", "0"]), anything)
    if "pattern" in schema:
        return st.one_of(st.from_regex(schema["pattern"], fullmatch=True), anything)
    return anything


def json_of(schema: dict[str, Any], parts: dict[str, Any]) -> st.SearchStrategy[Any]:
    """A body that has the names of the described one, with any values in it; or none of it."""
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    leaf = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), anything)
    some = st.recursive(leaf, lambda inner: st.lists(inner, max_size=3), max_leaves=4)
    named = dict.fromkeys(parts.get(name, {}).get("properties", {}), some)
    return st.one_of(st.fixed_dictionaries(named), some)


@st.composite
def question(draw: st.DrawFn, whole: dict[str, Any]) -> dict[str, Any]:
    """One request that the description allows, or nearly."""
    path = draw(st.sampled_from(sorted(whole["paths"])))
    method = draw(st.sampled_from(sorted(whole["paths"][path])))
    said = whole["paths"][path][method]
    chosen = [
        one for one in said["parameters"] if one["in"] == "query" and draw(st.integers(0, 2)) == 0
    ]
    query = [(one["name"], draw(value_of(one["schema"]))) for one in chosen]
    if draw(st.integers(0, 9)) == 0:
        query.append((draw(anything), draw(anything)))
    ids = st.one_of(
        st.from_regex(r"ses_[a-z0-9]{5,20}", fullmatch=True), anything, st.just("{ses}")
    )
    parts = whole["components"]["schemas"]
    body = None
    if "requestBody" in said:
        shape = said["requestBody"]["content"]["application/json"]["schema"]
        body = draw(json_of(shape, parts))
    return {
        "method": method.upper(),
        "path": path,
        "ids": {name: draw(ids) for name in re.findall(r"{(\w+)}", path)},
        "query": query,
        "body": body,
        "as": draw(st.sampled_from(["token", "person", "nobody"])),
    }


class Walker:
    """Asks, as a program, as a manager, or as nobody."""

    def __init__(self, site: Site, secret: str, csrf: str, session_id: str) -> None:
        self.site = site
        self.secret = secret
        self.csrf = csrf
        self.session_id = session_id
        self.cookies = {
            one.key: one.value
            for one in site.client.session.cookie_jar
            if one.key in {"cb_login", "cb_renewal"}
        }
        site.client.session.cookie_jar.clear()
        self.statuses: set[int] = set()

    async def ask(self, wanted: dict[str, Any]) -> None:
        path = wanted["path"]
        for name, value in wanted["ids"].items():
            value = value.replace("{ses}", self.session_id)
            path = path.replace(f"{{{name}}}", quote(value, safe="") or "x")
        query = urlencode(wanted["query"])
        headers = {"Origin": ORIGIN}
        if wanted["as"] == "token":
            headers["Authorization"] = f"Bearer {self.secret}"
        if wanted["as"] == "person":
            headers["X-CSRF-Token"] = self.csrf
            headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        more: dict[str, Any] = {} if wanted["body"] is None else {"json": wanted["body"]}
        self.site.clock[0] += 60  # the limits are tried elsewhere
        url = URL(str(self.site.client.make_url("/")) + f"{path[1:]}?{query}", encoded=True)
        async with self.site.client.session.request(
            wanted["method"], url, headers=headers, allow_redirects=False, **more
        ) as response:
            text = await response.text()
        self.site.client.session.cookie_jar.clear()
        if wanted["as"] == "person":
            self.cookies |= {name: one.value for name, one in response.cookies.items()}
        self.statuses.add(response.status)
        assert response.status < 500, text
        assert "Traceback" not in text
        if response.content_type == "application/json" and "openapi" not in path:
            answer = json.loads(text)
            assert answer["ok"] is (response.status < 400)
            if response.status >= 400:
                assert answer["code"]
                assert answer["message"]


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as one:
        yield one


def test_no_question_makes_the_server_fail(
    filled: Path, tmp_path: Path, runner: asyncio.Runner
) -> None:
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    db = Database(f"sqlite:///{tmp_path / 'crisisbridge.db'}")

    async def begin() -> tuple[Walker, dict[str, Any]]:
        await db.start()
        site = await open_site(tmp_path, db)
        secret = await token(site)
        row = await site.session()
        await site.sign_in(demo.LENA)
        walker = Walker(site, secret, await site.csrf("/manager"), row.id)
        return walker, openapi.document(everything_of(site))

    async def end(walker: Walker) -> None:
        await walker.site.client.close()
        await db.close()

    walker, whole = runner.run(begin())

    @settings(
        max_examples=QUESTIONS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(question(whole))
    def walk(wanted: dict[str, Any]) -> None:
        runner.run(walker.ask(wanted))

    try:
        walk()
        assert {200, 400, 401} <= walker.statuses, "the walk came nowhere"
    finally:
        runner.run(end(walker))


async def test_a_body_of_another_kind_or_size_is_refused_as_it_is_described(site: Site) -> None:
    whole = openapi.document(everything_of(site))
    with_bodies = {
        path
        for path, methods in whole["paths"].items()
        if "requestBody" in methods.get("post", {})
        and {"413", "415"} <= methods["post"]["responses"].keys()
    }
    assert len(with_bodies) > 5
    for body, kind, expected in (
        (b"", None, 415),
        (b"{}", "text/plain", 415),
        (b"x" * 1_000_000, "application/json", 413),
    ):
        headers = {"Origin": ORIGIN} | ({"Content-Type": kind} if kind else {})
        answer = await site.client.post("/api/v1/alert", data=body, headers=headers)
        assert answer.status == expected
    assert "/api/v1/alert" in with_bodies
