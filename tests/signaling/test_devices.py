"""What a tablet tells and asks as a device, over its connection."""

from __future__ import annotations

from typing import Any

import pytest

from records import tablet_reports
from tests.signaling.conftest import House
from tests.signaling.pages import Refused

TOLD: dict[str, Any] = {
    "browser": "Safari 18.1",
    "system": "iPadOS",
    "build": "0123abcd",
    "camera": "granted",
    "microphone": "denied",
    "storage": "passing",
    "battery": 80,
    "charging": True,
}
TEST = {"picture": "ok", "microphone": "failed", "upload": "weak", "heard": "waiting"}


async def troubled(house: House) -> Any:
    async with house.db.read() as conn:
        return await tablet_reports.troubled(conn)


async def test_a_report_is_kept_and_the_next_must_wait(house: House) -> None:
    tablet = await house.page("tablet")
    await tablet.send("device.report", **TOLD, test=TEST)
    assert await troubled(house) == {"tab_unit12": ("microphone_denied", "test_failed")}
    with pytest.raises(Refused) as refused:
        await tablet.send("device.report", **TOLD)
    assert refused.value.code == "too-many"
    house.clock.advance(6)
    await tablet.send("device.report", **TOLD | {"microphone": "granted", "battery": None})
    assert await troubled(house) == {"tab_unit12": ("test_failed",)}


@pytest.mark.parametrize(
    "bad",
    [
        {"browser": "<script>"},
        {"browser": "x" * 41},
        {"camera": "perhaps"},
        {"battery": 101},
        {"storage": ""},
        {"build": "../.."},
        {"test": {"picture": "ok"}},
        {"test": TEST | {"more": "ok"}},
        {"session": "ses_1"},
    ],
)
async def test_a_report_that_is_none_is_refused_whole(house: House, bad: dict[str, Any]) -> None:
    tablet = await house.page("tablet")
    with pytest.raises(Refused) as refused:
        await tablet.send("device.report", **TOLD | bad)
    assert refused.value.code == "bad-message"
    assert await troubled(house) == {}


async def test_only_tablets_report_and_read_who_may_check_out(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    for kind, fields in (("device.report", TOLD), ("shift.officers", {})):
        with pytest.raises(Refused) as refused:
            await dana.send(kind, **fields)
        assert refused.value.code == "wrong-role"
    officers = (await tablet.send("shift.officers"))["officers"]
    assert {one["id"] for one in officers} == {"per_sam", "per_jo"}
    assert all(set(one) == {"id", "name"} for one in officers)
