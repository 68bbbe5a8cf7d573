"""Schemathesis reads the description of /api/v1 and asks what it allows, and what it does not.

Against a server that really listens, as a program, a manager, a tablet, a guest and nobody: no
question makes it fail, and each answer is one that the description names, of the described shape.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from records.engine import Database
from tests.web.cast import ORIGIN, Site, open_site
from tests.web.programs import token
from tests.web.test_guards import everything_of
from tests.web.test_guests import enter, link_of
from web import openapi
from web.dev import cast as demo

T = TypeVar("T")
EACH = int(os.environ.get("API_CASES", "6"))  # questions of each address; `make fuzz-api`: more
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


class Running:
    """The pages on a loop of their own, so that questions can wait for their answers."""

    def __init__(self, folder: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.jars: dict[str, dict[str, str]] = {}  # by form token
        self.db = Database(f"sqlite:///{folder / 'crisisbridge.db'}")
        self.site, self.asking = self.run(self._begin(folder))
        self.seen: set[int] = set()
        self.address = str(self.site.client.make_url("/")).rstrip("/")

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        done: Future[T] = asyncio.run_coroutine_threadsafe(work, self.loop)
        return done.result(60)

    async def _begin(self, folder: Path) -> tuple[Site, list[Callable[[], dict[str, str]]]]:
        await self.db.start()
        site = await open_site(folder, self.db)
        secret = await token(site)
        await site.session()
        await site.sign_in(demo.LENA)
        manager = await self._browser(site, "/manager")
        await site.enrol()
        tablet = await self._browser(site, "/tablet")
        link, _ = await link_of(site)
        assert (await enter(site, link)).status == 200
        guest = await self._browser(site, "/guest")
        bearer = {"Authorization": f"Bearer {secret}"}
        return site, [dict, lambda: bearer, manager, tablet, guest]

    async def _browser(self, site: Site, page: str) -> Callable[[], dict[str, str]]:
        """The headers of whoever this browser is now; it keeps what it is given later."""
        async with site.client.get(page, allow_redirects=False) as shown:
            assert shown.status == 200, f"nobody is signed in at {page}"
        csrf = await site.csrf(page)
        jar = {one.key: one.value for one in site.client.session.cookie_jar}
        site.client.session.cookie_jar.clear()
        self.jars[csrf] = jar

        def headers() -> dict[str, str]:
            cookies = "; ".join(f"{name}={value}" for name, value in jar.items())
            return {"X-CSRF-Token": csrf, "Cookie": cookies}

        return headers

    def close(self) -> None:
        self.run(self.site.client.close())
        self.run(self.db.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


@pytest.fixture(scope="module")
def running(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("described")
    shutil.copytree(filled, folder, dirs_exist_ok=True)
    one = Running(folder)
    yield one
    one.close()


def walk(running: Running, whole: dict[str, Any], only: str | None = None) -> None:
    """Ask each address of a description, or one, and hold the answers against it."""

    def ask(case: Any, headers: dict[str, str]) -> None:
        running.site.clock[0] += 60  # the limits are tried elsewhere
        response = case.call(
            base_url=running.address,
            headers={**headers, "Origin": ORIGIN},
            allow_redirects=False,
            timeout=20,
        )
        jar = running.jars.get(headers.get("X-CSRF-Token", ""), {})
        for line in response.headers.get("set-cookie", ()):
            jar |= {one.key: one.value for one in SimpleCookie(line).values()}
        running.seen.add(response.status_code)
        case.validate_response(response, checks=CHECKS)

    for found in schemathesis.openapi.from_dict(whole).get_all_operations():
        operation: Any = cast("Any", found).ok()
        if only not in {None, operation.label}:
            continue

        @settings(
            max_examples=EACH,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(), who=st.sampled_from(running.asking))
        def some(case: Any, who: Callable[[], dict[str, str]]) -> None:
            ask(case, who())

        some()


def test_every_answer_is_as_the_description_says(running: Running) -> None:
    walk(running, openapi.document(everything_of(running.site)))
    assert {200, 401, 403} <= running.seen, f"the walk came nowhere: {running.seen}"


def test_the_walk_notices_a_description_that_leaves_an_answer_out(running: Running) -> None:
    whole = openapi.document(everything_of(running.site))
    answers = whole["paths"]["/api/v1/board"]["get"]["responses"]
    for status in set(answers) - {"418"}:
        answers["418"] = answers.pop(status)
    with pytest.raises((FailureGroup, Failure)):
        walk(running, whole, only="GET /api/v1/board")
