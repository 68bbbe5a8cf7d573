"""First light: one real call, from the officer's press to the manager's log, in three browsers.

Reloads happen at every station: whoever reloads stands in the same place of the same session.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sqlite3

import pytest
from playwright.async_api import Page, expect

from tests.journeys import axe
from tests.journeys.chromium import People
from tests.journeys.firefox import INBOUND, Firefox
from tests.journeys.harness import Demo
from tests.journeys.steps import (
    MOVED,
    STARTED,
    Clinician,
    Officer,
    heard,
    picture,
    picture_moves,
    sign_in,
    until,
)

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

TABLET = (1024, 768)


async def cast(demo: Demo, people: People) -> tuple[Officer, Clinician, Clinician]:
    """Sam at the scene, Dana and Miguel on call."""
    if not demo.running:
        await asyncio.to_thread(demo.start)
    officer = Officer(await people.page("sam", size=TABLET), demo.card["tablet"])
    dana = Clinician(await people.page("dana"), demo.card["clinicians"][0])
    miguel = Clinician(await people.page("miguel"), demo.card["clinicians"][1])
    await officer.enrol()
    await dana.arrive()
    await miguel.arrive()
    return officer, dana, miguel


async def screen_of(page: Page) -> str:
    return str(await page.evaluate("document.documentElement.dataset.screen"))


async def reload(page: Page, screen: str) -> None:
    """Reload, and stand where one stood."""
    await page.reload()
    await page.locator(f'html[data-screen="{screen}"]').wait_for(state="attached", timeout=15_000)


@pytest.mark.whole_browser
async def test_one_call_from_the_press_to_the_log(fresh_demo: Demo, people: People) -> None:
    officer, dana, miguel = await cast(fresh_demo, people)
    tablet = officer.page

    # somebody gave naloxone before the officer came: the card is one tap away, and needs no session
    await tablet.click("#overdose-open")
    await tablet.click("#dose-before")
    await tablet.click("#dose-given")
    await tablet.click('[data-product="nasal-4"]')
    assert await axe.violations(tablet) == []
    await picture(tablet, "tablet-overdose")
    await tablet.keyboard.press("Escape")
    await expect(tablet.locator("#overdose-running")).to_contain_text("2 doses")

    # the press: the session is there, the tablet says who is being alerted
    assert not await tablet.locator("#tiles").is_visible(), "nobody types before the press"
    await officer.press()
    await dana.rings()
    await miguel.rings()
    await expect(tablet.locator("html")).to_contain_text("Dana")
    await officer.tell("adult")
    await expect(dana.page.locator("#offer-tiles")).to_contain_text("Adult")
    await tablet.select_option("#otherwise", "arrest_custody")
    await tablet.click('[data-said="safe:yes"]')
    await tablet.click('[data-said="medical:yes"]')
    await expect(tablet.locator("#scene-words")).to_contain_text("First EMS")
    await expect(dana.page.locator("#offer-scene")).to_have_text(
        "No-go: Medical emergency or overdose"
    )
    await tablet.click('[data-said="read:medical"]')
    await tablet.click('[data-said="intoxicated:no"]')
    await tablet.click('[data-said="skip:willing"]')
    await picture(tablet, "tablet-activity")
    await tablet.click('[data-said="activity:6"]')
    await expect(tablet.locator("#scene-words")).to_contain_text("Told the clinician")
    await expect(dana.page.locator("#offer-countdown")).to_be_visible()
    assert "Prairie" not in await dana.page.title()
    await until(dana.page, "() => document.title.startsWith('(1)')")
    assert await axe.violations(dana.page) == []
    assert await axe.violations(tablet) == []
    await reload(tablet, "connecting")
    await expect(tablet.locator("#otherwise")).to_have_value("arrest_custody")
    await reload(dana.page, "ringing")

    # the first accept wins; the other reads who took it
    await dana.accept()
    await expect(miguel.page.locator("#taken-notice")).to_contain_text("Dana")
    await expect(miguel.page.locator("#offer")).to_be_hidden()

    # what the officer tapped stands beside the video
    said = dana.page.locator("#from-scene")
    for words in ("Medical emergency", "6, very active", "2 doses", "spray 3–4 mg, officer"):
        await expect(said).to_contain_text(words)
    await expect(said).not_to_contain_text("willing")

    # picture and sound, both ways
    for page in (tablet, dana.page):
        await picture_moves(page, "#remote-video")
        await heard(page, "#remote-audio")
        await until(page, "() => ['good', 'fair'].includes(quality.dataset.word)")
    assert await screen_of(tablet) == "call"
    assert await axe.violations(tablet) == []
    assert await axe.violations(dana.page) == []

    await officer.write("He has not slept for two days.")
    await expect(dana.page.locator("#chat-lines")).to_contain_text("not slept")
    await tablet.click("#mute")
    await expect(dana.page.locator("#peer-words")).to_be_visible()
    await tablet.click("#mute")
    await tablet.click("#camera")
    await tablet.click("#camera")
    await tablet.click("#flip")
    await picture_moves(dana.page, "#remote-video")
    await expect(tablet.locator("#self-view")).to_be_visible()

    # a reload of either side leads back into the same call
    await reload(tablet, "call")
    await picture_moves(tablet, "#remote-video")
    await picture_moves(dana.page, "#remote-video")
    await reload(dana.page, "call")
    await picture_moves(dana.page, "#remote-video")

    # handed over: no controls, no text; the PIN leads back
    await officer.hand_over()
    await expect(tablet.locator("#end")).to_be_hidden()
    await expect(tablet.locator("#overdose-open")).to_be_hidden()
    assert "2 doses" not in (await tablet.content())
    await expect(tablet.locator("#chat-lines")).not_to_contain_text("not slept")
    await reload(tablet, "handed-over")
    await expect(dana.page.locator("#phase-word")).to_be_visible()
    await officer.page.click("#talk-officer")
    await officer.type_pin("0000")
    await expect(tablet.locator("#pin-error")).to_be_visible(timeout=20_000)
    assert await screen_of(tablet) == "handed-over"
    await officer.type_pin(officer.card["pin"])
    await officer.screen("call")

    # the assessment is saved as it is filled, and survives a reload
    record = dana.page
    await record.check('[data-item="thoughts"] input[value="yes"]', force=True)
    await record.check('[data-item="plan"] input[value="no"]', force=True)
    await expect(record.locator("#save-state")).to_contain_text("Saved")
    await reload(record, "call")
    await expect(record.locator('[data-item="plan"] input[value="no"]')).to_be_checked()
    await expect(record.locator("#assessment-level")).to_be_visible()

    # the recommendation in plain words
    await record.click("#recommend")
    await dana.recommend("soon", "remain_in_place", "Stay with a friend tonight.")
    await expect(tablet.locator("#card")).to_contain_text("Stay with a friend tonight.")
    assert await axe.violations(tablet) == []
    await officer.acknowledge()
    await expect(record.locator("#card-state")).to_contain_text("cknowledged")

    # the end, the wrap-up, what happened
    await officer.end()
    await expect(record.locator("#wrapup")).to_be_visible()
    await reload(record, "wrap_up")
    assert await axe.violations(record) == []
    await record.click("#followup-add")
    await record.locator("[data-followup]").wait_for()
    await record.check("#wrapup-flag-children_present")
    await record.check("#wrapup-opioid-no")
    await picture(record, "wrapup-flags")
    await dana.wrap_up("remain_in_place")
    await reload(tablet, "outcome")
    # what the overdose card says is tapped already
    given = tablet.locator('#flags [data-flag="naloxone_given"]')
    await expect(given).to_have_attribute("aria-pressed", "true")
    await tablet.click('#after-ratings [data-activity="4"]')
    await tablet.click('#flags [data-flag="person_injured"]')
    await picture(tablet, "outcome-flags")
    await tablet.click('#dispositions [data-disposition="voluntary_transport"]')
    await officer.screen("reason")
    await reload(tablet, "reason")
    await tablet.click('#reasons [data-reason="scene_changed"]')
    await officer.screen("ready")
    await reload(tablet, "ready")

    await read_the_log(fresh_demo, people)
    for name, errors in people.errors.items():
        assert errors == [], name
    assert fresh_demo.leaks() == []


async def read_the_log(demo: Demo, people: People) -> None:
    """The manager finds the session with times, people, dispositions, and exports it."""
    page = await people.page("lena")
    await sign_in(page, demo.card["manager"])
    assert await axe.violations(page) == []
    await page.locator('a[href*="/manager/sessions/ses_"]').first.click()
    await page.wait_for_url("**/manager/sessions/ses_*")
    body = page.locator("main")
    said = ("Arrest or jail", "Person injured", "Children at the scene")
    for words in ("Sam Rivera", "Dana Whitefeather", "Stay with a friend tonight.", *said):
        await expect(body).to_contain_text(words)
    assert "Sam" not in await page.title()
    assert await axe.violations(page) == []
    answer = await page.request.get(f"{demo.base_url}/manager/sessions.csv")
    assert answer.ok
    rows = list(csv.DictReader(io.StringIO((await answer.text()).removeprefix("\ufeff"))))
    assert len(rows) == 1
    assert rows[0]["recommended_disposition"] == "remain_in_place"
    assert rows[0]["actual_disposition"] == "voluntary_transport"
    assert "Rivera" not in str(rows)


async def test_a_closed_laptop_puts_the_session_back_at_the_head_of_the_line(
    fresh_demo: Demo, people: People
) -> None:
    officer, dana, miguel = await cast(fresh_demo, people)
    await officer.press()
    await dana.accept()
    await picture_moves(officer.page, "#remote-video")
    await people.close("dana")
    await miguel.rings(60)
    await expect(officer.page.locator("html")).to_have_attribute("data-screen", "connecting")
    await miguel.accept()
    await picture_moves(officer.page, "#remote-video", 20)
    await picture_moves(miguel.page, "#remote-video", 20)


async def test_a_killed_server_comes_back_to_the_same_call(
    fresh_demo: Demo, people: People
) -> None:
    officer, dana, _ = await cast(fresh_demo, people)
    await officer.press()
    await dana.accept()
    await picture_moves(officer.page, "#remote-video")
    fresh_demo.kill()
    # loaded anew while nothing answers: numbers to call, and the way back by itself
    await officer.page.reload()
    await expect(officer.page.locator("h1")).to_have_text("No connection to the service")
    await expect(officer.page.locator("a[href='tel:988']")).to_be_visible()
    await expect(officer.page.locator(".overdose__steps li")).to_have_count(5)
    assert await axe.violations(officer.page) == []
    again = await asyncio.to_thread(fresh_demo.start)
    assert again is fresh_demo
    await officer.screen("call", 40)
    await picture_moves(officer.page, "#remote-video", 40)
    await picture_moves(dana.page, "#remote-video", 40)


async def test_a_cancelled_call_stops_ringing_and_leaves_the_tablet_ready(
    demo: Demo, people: People
) -> None:
    officer = Officer(await people.page("jo", size=TABLET), demo.card["tablets"][1])
    priya = Clinician(await people.page("dana"), demo.card["clinicians"][0])
    await officer.enrol()
    await priya.arrive()
    await officer.press()
    await priya.rings()
    await officer.cancel()
    await expect(priya.page.locator("#offer")).to_be_hidden()


async def test_a_press_that_cannot_be_written_down_is_kept_until_it_can(
    demo: Demo, people: People
) -> None:
    officer = Officer(await people.page("jo", size=TABLET), demo.card["tablets"][1])
    dana = Clinician(await people.page("dana"), demo.card["clinicians"][0])
    await officer.enrol()
    await dana.arrive()
    other = sqlite3.connect(demo.folder / "crisisbridge.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # as a disk that is full: nothing is written any more
    await officer.press()
    connecting = officer.page.locator("#status")
    await expect(connecting).to_contain_text("Not sent yet", timeout=20_000)
    assert await axe.violations(officer.page) == []
    await picture(officer.page, "record-away")
    await officer.page.click("#cancel")
    other.close()
    await dana.rings(30)
    await expect(connecting).to_contain_text("Alerting")
    await officer.page.click("#cancel-confirm")  # asked before the session was there, and still
    await officer.screen("ready")


async def test_a_tablet_in_firefox_and_a_console_in_chromium_see_and_hear_each_other(
    fresh_demo: Demo, people: People, firefox: Firefox
) -> None:
    await asyncio.to_thread(fresh_demo.start)
    dana = Clinician(await people.page("dana"), fresh_demo.card["clinicians"][0])
    await dana.arrive()
    await firefox.goto(fresh_demo.card["tablet"]["url"])
    await firefox.wait_for("document.documentElement.dataset.screen === 'ready'")
    await firefox.click("#connect")
    await dana.accept()
    await picture_moves(dana.page, "#remote-video", 30)
    await heard(dana.page, "#remote-audio")
    before = await firefox.wait_for(f"({STARTED})('#remote-video')", 30)
    moved = f"({MOVED})(['#remote-video', {json.dumps(before)}])"
    assert (await firefox.wait_for(moved, 30))["frames"] > before["frames"]
    quiet = await firefox.inbound("audio")
    louder = f"{INBOUND}('audio').then((now) => now && now.energy > {quiet['energy']} + 0.001)"
    await firefox.wait_for(louder)
    await camera_off_is_a_promise(firefox, dana.page)


async def camera_off_is_a_promise(firefox: Firefox, console: Page) -> None:
    """Firefox goes on sending a picture now and then: the bridge gives none of it on."""
    await firefox.click("#camera")
    await expect(console.locator("#remote-words")).to_contain_text("camera is off")
    video, count = (
        console.locator("#remote-video"),
        "v => v.getVideoPlaybackQuality().totalVideoFrames",
    )

    async def meanwhile(frames: int) -> int:
        """While so many pictures came the other way: how many the console has had."""
        began = (await firefox.inbound("video"))["frames"]
        await firefox.wait_for(f"{INBOUND}('video').then(now => now.frames > {began + frames})", 30)
        return int(await video.evaluate(count))

    before = await meanwhile(15)  # what was on its way has arrived
    assert await meanwhile(90) == before
    await firefox.click("#camera")
    await picture_moves(console, "#remote-video", 20)


REFUSED = """navigator.mediaDevices.getUserMedia = () =>
    Promise.reject(new DOMException('refused', 'NotAllowedError'));"""


async def test_a_refused_camera_still_rings_and_joins_by_ear(demo: Demo, people: People) -> None:
    page = await people.page("sam", size=TABLET)
    await page.add_init_script(REFUSED)
    officer = Officer(page, demo.card["tablet"])
    dana = Clinician(await people.page("dana"), demo.card["clinicians"][0])
    await officer.enrol()
    await dana.arrive()
    await officer.press()
    await dana.accept()
    await officer.screen("call")
    await picture_moves(page, "#remote-video")
    await heard(page, "#remote-audio")
    await expect(dana.page.locator("#remote-words")).to_contain_text("hears you")
    await officer.end()
    await dana.wrap_up("other")


async def test_voice_only_is_sound_both_ways_without_the_officer_s_picture(
    demo: Demo, people: People
) -> None:
    officer = Officer(await people.page("jo", size=TABLET), demo.card["tablets"][1])
    dana = Clinician(await people.page("dana"), demo.card["clinicians"][0])
    await officer.enrol()
    await dana.arrive()
    await officer.press()
    await officer.page.click("#voice-only")
    await dana.accept()
    await officer.screen("call")
    for page in (officer.page, dana.page):
        await heard(page, "#remote-audio")
    await officer.end()
    await dana.wrap_up("other")
