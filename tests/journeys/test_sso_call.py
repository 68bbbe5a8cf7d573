"""Somebody loses their group while they are in a call: the call goes on, and then they are out."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.journeys.by_directory import by_directory, there, with_directory
from tests.journeys.chromium import People
from tests.journeys.steps import Clinician, Officer, picture_moves

pytestmark = [pytest.mark.journey, pytest.mark.timeout(240)]


async def test_a_lost_group_ends_no_call_and_everything_after_it(
    tmp_path: Path, people: People
) -> None:
    demo, directory = with_directory(tmp_path)
    try:
        directory.person("dana", ["crisis-clinicians"])
        dana = Clinician(await people.page("dana"), demo.card["clinicians"][0])
        await dana.arrive()
        own = await people.page("dana")
        await own.goto(f"{demo.base_url}/account")
        await own.click('[data-connect="prairie"]')
        await there(own, "dana")
        await own.wait_for_url("**/account?done=connected")
        await own.close()

        officer = Officer(await people.page("sam", size=(1024, 768)), demo.card["tablet"])
        await officer.enrol()
        await officer.press()
        await dana.accept()
        await picture_moves(dana.page, "#remote-video")

        directory.person("dana", ["staff"])
        elsewhere = await people.page("dana-elsewhere")
        await by_directory(elsewhere, demo, "dana")
        await elsewhere.wait_for_url("**/trouble/in-a-call")
        await picture_moves(dana.page, "#remote-video")
        await dana.page.reload()  # and comes back into it
        await picture_moves(dana.page, "#remote-video")

        await officer.end()
        await dana.wrap_up("remain_in_place")  # still hers
        await expect(dana.page.locator("#network")).to_contain_text(
            "sign-in has ended", timeout=30_000
        )
        await elsewhere.goto(f"{demo.base_url}/sign-in")
        await elsewhere.click('[data-issuer="prairie"]')  # which knows her still, and asks nothing
        await elsewhere.wait_for_url("**/trouble/no-group")
        await expect(elsewhere.locator("h1")).to_contain_text("none of your groups")
    finally:
        directory.kill()
        if demo.running:
            demo.stop()
