"""Whatever a page sends, it is answered or refused in words, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
import random

import pytest

from tests.robots import Lost
from tests.signaling.conftest import House
from tests.signaling.fuzz import fuzz, mutated, seeds

MOMENT = 2.0


def test_no_message_makes_a_reader_fail_otherwise_than_it_says() -> None:
    assert fuzz(MOMENT, 20261129) > 100


@pytest.mark.parametrize("deep", ['{"type":"beat","x":' + "[" * 9_000, '{"x":' + '{"a":' * 9_000])
async def test_a_message_that_is_nested_without_end_is_a_bad_one_like_others(
    house: House, deep: str
) -> None:
    tablet = await house.page("tablet")
    await tablet.send_raw(deep)
    await tablet.send("beat")
    assert tablet.connected


async def test_a_page_that_sends_rubbish_keeps_nobody_up_and_fails_nothing_inside(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, _ = await house.in_call(tablet, dana)
    dice, known = random.Random(7), seeds()
    for _ in range(6):  # a page that was closed for it comes back, as often as it likes
        rubbish = await house.page("elsewhere")
        try:
            for _ in range(20):
                await rubbish.send_raw(mutated(dice, dice.choice(known)).replace("\ud800", "?"))
            await asyncio.wait_for(dana.send("beat"), 20)
        except (Lost, OSError):
            pass
        await rubbish.drop()
    await dana.send("chat.send", session=session, text="Still here.")
    await tablet.until_view(lambda v: v["session"] and v["session"]["chat"])
    assert [one for one in caplog.records if one.exc_info] == [], json.dumps(
        [one.getMessage() for one in caplog.records if one.exc_info]
    )
