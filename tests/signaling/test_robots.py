"""The robots against a real server: signing in and enrolling by HTTP, a call, coming back."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests import robots
from tests.journeys.harness import Demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    server = Demo(tmp_path_factory.mktemp("robots") / "demo").start()
    yield server
    server.stop(signal.SIGINT)


async def test_an_officer_and_a_clinician_meet_and_everything_is_written_down(demo: Demo) -> None:
    history = robots.History()
    base = demo.base_url
    async with robots.open_http() as http:
        one = demo.card["clinicians"][0]
        dana = robots.Clinician(
            http,
            base,
            await robots.sign_in(http, base, one["email"], one["password"], "dana"),
            history,
        )
        sam = robots.Officer(
            http, base, await robots.enrol(http, base, demo.card["tablet"]["code"], "sam"), history
        )
        await dana.open()
        await sam.open()
        session = await sam.press()
        offer = await dana.ring(session)
        await dana.accept(offer)
        await sam.until_state("answering")
        await sam.drop()
        await sam.until(lambda: sam.connected)  # by itself
        await sam.send("session.end", session=session, epoch=(sam.session or {})["epoch"])
        await sam.until_view(lambda v: not v["session"] or v["session"]["state"] == "closed")
        await dana.close()
        await sam.close()
    assert [m.data["session"] for m in history.of("offer", "dana")] == [session]
    assert "answering" in [m.data["state"] for m in history.of("session", "sam")]
    assert {m.data["kind"] for m in history.of("answered", "dana")} >= {
        "offer.delivered",
        "offer.accept",
    }
    assert len(history.of("open", "sam")) == 2
