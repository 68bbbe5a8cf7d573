"""Tablets in the manager's list: not ready first, in words, and as many as the four numbers say."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from auth.manage import TabletRecord
from records import tablet_reports
from records.tablet_reports import DAY, Report, SelfTest, Told
from tests.devices import Device
from tests.web.cast import NOW, Site
from web import readiness
from web.dev import cast as demo

TOLD = Told("Safari 18.1", "iPadOS 18.1", "b", "granted", "granted", "lasting")
GOOD = SelfTest("ok", "ok", "ok", "ok")
WELL = TabletRecord(
    *("tab", "Unit 1", "Agency", NOW - 90 * DAY, NOW - 60, None, "Sam"),
    has_key=True,
    key_bound_at=NOW - 90 * DAY,
    key_bound_by="enrolment",
    report=Report(NOW - 60, TOLD, NOW - DAY, GOOD, ()),
)
BROKEN = replace(WELL.report or Report(NOW, TOLD, None, None, ()), troubles=("camera_denied",))


def of(tablet: TabletRecord, *, online: bool = True) -> readiness.Shown:
    return readiness.shown(tablet, online=online, build="b", now=NOW)


def test_a_tablet_that_is_well_is_ready_and_nothing_is_said() -> None:
    assert (of(WELL).word, of(WELL).reasons, of(WELL).remarks) == ("ready", (), ())


@pytest.mark.parametrize(
    ("tablet", "online", "word", "reasons"),
    [
        (WELL, False, "not_ready", ("offline",)),
        (replace(WELL, officer=None), True, "not_ready", ("no_officer",)),
        (replace(WELL, report=BROKEN), True, "not_ready", ("camera_denied",)),
        (
            replace(WELL, officer=None, report=BROKEN),
            False,
            "not_ready",
            ("offline", "no_officer", "camera_denied"),
        ),
        (replace(WELL, key_refused_at=NOW - 10), False, "not_ready", ("key_lost",)),
        (replace(WELL, key_refused_at=NOW - 90), False, "not_ready", ("offline",)),
        (replace(WELL, enrolled_at=None, report=None), False, "never", ()),
        (replace(WELL, revoked_at=NOW), True, "ended", ()),
    ],
)
def test_why_a_tablet_is_not_ready(
    tablet: TabletRecord, online: bool, word: str, reasons: tuple[str, ...]
) -> None:
    shown = of(tablet, online=online)
    assert (shown.word, shown.reasons) == (word, reasons)


def test_a_new_or_missing_key_and_a_copied_cookie_stand_out() -> None:
    assert of(replace(WELL, has_key=False, key_bound_by=None)).remarks == ("no_key",)
    for how in ("pin", "first_use"):
        renewed = replace(WELL, key_bound_by=how, key_bound_at=NOW - DAY)
        assert of(renewed).remarks == (f"key_{how}",)
        assert of(replace(renewed, key_bound_at=NOW - 8 * DAY)).remarks == ()
    assert of(replace(WELL, key_refused_at=NOW - 10)).remarks == ("copied",)
    assert of(replace(WELL, key_refused_at=NOW - 10)).word == "ready", "it is there itself"


def test_those_that_are_not_ready_come_first() -> None:
    many = [
        replace(WELL, id="ended", revoked_at=NOW),
        replace(WELL, id="ready"),
        replace(WELL, id="never", enrolled_at=None),
        replace(WELL, id="away"),
        replace(WELL, id="free", officer=None),
    ]
    listed = readiness.listed(many, {"ready", "free"}, "b", NOW)
    assert [one.tablet.id for one in listed] == ["away", "free", "never", "ready", "ended"]


async def told(site: Site, tablet: str, word: Told) -> None:
    assert await site.services.db.write(
        lambda conn: tablet_reports.save(conn, tablet, word, GOOD, NOW)
    )


async def test_the_list_and_the_four_numbers_say_the_same(site: Site) -> None:
    await site.enrol(key=Device().key)
    site.client.session.cookie_jar.clear()
    await site.sign_in(demo.LENA)

    async def counted() -> tuple[int, int]:
        board = await (await site.client.get("/api/v1/board")).json()
        page = await (await site.client.get("/manager/tablets")).text()
        words = re.findall(r'data-word="(\w+)"', page)
        return board["tablets_not_ready"], len([w for w in words if w in {"not_ready", "never"}])

    before = await counted()
    assert before[0] == before[1]
    await told(site, demo.UNIT_12.id, replace(TOLD, camera="denied"))
    after = await counted()
    assert after == (before[0] + 1, before[1] + 1)


async def test_the_page_says_in_words_what_is_wrong(site: Site) -> None:
    await site.enrol(key=Device().key)
    site.client.session.cookie_jar.clear()
    await site.sign_in(demo.LENA)
    await told(site, demo.UNIT_12.id, replace(TOLD, microphone="denied", battery=40, charging=True))
    page = await (await site.client.get("/manager/tablets")).text()
    row = page.split(f'data-tablet="{demo.UNIT_12.id}"')[1].split("</tr>")[0]
    assert "The browser does not allow the microphone." in row
    assert "battery 40 %, charging" in row
    assert "since its set-up" in row
    assert "manager.tablets." not in page, "a text is missing"
