"""The database goes away under a running server, and comes back."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Never

import pytest

from records.errors import RecordAway
from tests.records import servers
from tests.signaling.conftest import a_house
from tests.signaling.services import until


async def test_a_press_while_the_record_is_away_is_told_so_and_rings_when_it_is_back(
    request: pytest.FixtureRequest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url: str = request.getfixturevalue("postgres").make()
    caplog.set_level(logging.INFO)
    async with a_house(url, tmp_path) as house:
        dana, tablet = await house.page("dana"), await house.page("tablet")
        await house.desk.line.quiet(10)
        with servers.away(url):
            for _ in range(2):
                with pytest.raises(Exception, match="record-away"):
                    await tablet.send("session.open", key="a" * 20)
            for wakes in (house.desk.line.wake, house.desk.pager.wake, house.desk.courier.wake):
                wakes()
            await until(lambda: any("record.away" in line for line in said(caplog)))
        session = await house.pressed(tablet, "a" * 20)
        assert (await house.rung(dana))["session"] == session
        await until(lambda: any("record.back" in line for line in said(caplog)))
    for kind in ("reading", "writing"):
        assert sum(f"record.away for={kind}" in line for line in said(caplog)) == 1
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []


async def test_while_nothing_can_be_written_pages_come_back_to_their_call_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_house(f"sqlite:///{tmp_path}/bridge.db", tmp_path) as house:
        dana, tablet = await house.page("dana"), await house.page("tablet")
        session, _ = await house.in_call(tablet, dana)

        async def full(*_args: object) -> Never:
            raise RecordAway

        monkeypatch.setattr(house.db, "write", full)
        for who in ("dana", "tablet"):  # loaded anew, as after a crash of the browser
            page = await house.page(who)
            view = await page.until_view(lambda v: v["session"])
            assert view["session"]["id"] == session
        monkeypatch.undo()


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]
