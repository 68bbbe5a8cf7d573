"""What browsers keep and ask for during a whole call: nothing clinical, nobody but our server."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, expect

from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import Clinician, Officer, sign_in

pytestmark = [pytest.mark.journey, pytest.mark.timeout(240)]

WORDS = ("marigold", "Quentin", "bluebird", "tangerine")  # typed below, and nowhere else to be

# everything that a page can keep, as one text
KEPT = """async () => {
    const found = [JSON.stringify({ ...localStorage }), JSON.stringify({ ...sessionStorage })];
    found.push(document.cookie, String(window.name), JSON.stringify(history.state));
    for (const { name } of await indexedDB.databases()) {
        const db = await new Promise((good, bad) => {
            const asked = indexedDB.open(name);
            asked.onsuccess = () => good(asked.result);
            asked.onerror = bad;
        });
        for (const store of db.objectStoreNames) {
            found.push(JSON.stringify(await new Promise((good) => {
                const asked = db.transaction(store).objectStore(store).getAll();
                asked.onsuccess = () => good(asked.result);
            })));
        }
    }
    for (const name of await caches.keys()) {
        const cache = await caches.open(name);
        for (const request of await cache.keys()) {
            found.push(request.url, await (await cache.match(request)).text());
        }
    }
    return found.join('\\n');
}"""


# what Trusted Types and the rest of the policy must not let through
REFUSED = """() => {
    const caught = [];
    const tries = {
        markup: () => { document.createElement('div').innerHTML = '<b>x</b>'; },
        parser: () => { new DOMParser().parseFromString('<b>x</b>', 'text/html'); },
        script: () => { document.createElement('script').src = '/x.js'; },
        worker: () => { new Worker('/static/x/js/lib/ticker_worker.js'); },
        policy: () => { trustedTypes.createPolicy('another', { createHTML: (one) => one }); },
        again: () => { trustedTypes.createPolicy('crisisbridge', { createHTML: (one) => one }); },
    };
    for (const [name, go] of Object.entries(tries)) {
        try { go(); } catch { caught.push(name); }
    }
    return caught;
}"""


class Watched:
    """The origins that one browser asked anything of."""

    def __init__(self, page: Page) -> None:
        self.origins: set[str] = set()
        page.context.on("request", lambda one: self._note(one.url))
        page.context.on("page", lambda one: one.on("websocket", lambda it: self._note(it.url)))
        page.on("websocket", lambda one: self._note(one.url))

    def _note(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"data", "blob", "about"}:
            self.origins.add(f"{parts.scheme.replace('ws', 'http')}://{parts.netloc}")


async def test_a_call_leaves_nothing_clinical_in_a_browser_and_asks_nobody_else(
    fresh_demo: Demo, people: People
) -> None:
    await asyncio.to_thread(fresh_demo.start)
    card = fresh_demo.card
    officer = Officer(await people.page("sam", size=(1024, 768)), card["tablet"])
    dana = Clinician(await people.page("dana"), card["clinicians"][0])
    watched = [Watched(officer.page), Watched(dana.page)]
    await officer.enrol()
    await dana.arrive()
    await officer.press()
    await dana.accept()
    await officer.screen("call")
    await officer.write(f"Please ask about the {WORDS[0]}")
    await expect(dana.page.locator("#chat-lines")).to_contain_text(WORDS[0], timeout=15_000)
    await dana.page.click("#about summary")
    await dana.page.fill("#about-name", WORDS[1])
    await dana.page.fill("#about-alias", WORDS[3])
    await dana.page.press("#about-alias", "Tab")
    await expect(dana.page.locator("#about-state")).to_contain_text("Saved")
    await dana.recommend("soon", "remain_in_place", f"Call {WORDS[2]} tomorrow")
    await expect(officer.page.locator("#card")).to_contain_text(WORDS[2])
    for page in (officer.page, dana.page):
        assert no_words(await page.evaluate(KEPT)), page.url
    await officer.end()
    await dana.wrap_up("remain_in_place")
    await officer.acknowledge()
    await officer.record("remain_in_place")
    for page in (officer.page, dana.page):
        assert no_words(await page.evaluate(KEPT)), page.url
        assert no_words(page.url + await page.title())
    assert {origin for one in watched for origin in one.origins} == {fresh_demo.base_url}
    assert [problem for who in people.errors.values() for problem in who] == []


async def test_no_page_can_make_markup_or_a_script_from_text_not_even_ours(
    demo: Demo, people: People
) -> None:
    page = await people.page("dana")
    await sign_in(page, demo.card["clinicians"][0])
    caught = await page.evaluate(REFUSED)
    supported = await page.evaluate("() => 'trustedTypes' in window")
    assert supported
    # the console's own heartbeat runs in a worker, so the policy is taken and let it through
    assert set(caught) == {"markup", "parser", "script", "worker", "policy", "again"}
    assert await page.evaluate("() => crossOriginIsolated")


def no_words(text: Any) -> bool:
    return not any(word in str(text) for word in WORDS)
