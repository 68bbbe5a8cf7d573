"""How each leg's line was stands in the record, with numbers only, and in /metrics."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace

from records import quality
from records.quality import QualityRow
from signaling import metrics
from tests.media.test_quality import FINE
from tests.signaling.conftest import House
from tests.signaling.pages import BOUND


async def logged(house: House, session: str) -> list[QualityRow]:
    async with house.db.read() as conn:
        return await quality.of_session(conn, session)


def legs(house: House, session: str, **changes: object) -> None:
    """What the bridge measures from now on, of both sides."""
    tablet = replace(FINE, generation="g-tablet", **changes)  # type: ignore[arg-type]
    house.bridge.measured[session] = [tablet, replace(FINE, seat="clinician")]


async def test_each_leg_of_a_call_is_written_down_with_its_step(house: House) -> None:
    tablet, dana = await house.page("tablet"), await house.page("dana")
    session, _ = await house.in_call(tablet, dana)
    said = {"muted": False, "camera": True, "quality": "good"}
    await tablet.send("media.state", session=session, **said, step="180p")
    log = house.desk.quality
    legs(house, session, loss_up=0.1, rtt_seconds=0.4)
    log.read()
    legs(house, session, loss_up=0.2, rtt_seconds=0.2)
    log.read()
    house.bridge.measured.clear()  # the server reads each second, too: from now on there is nothing
    await log.write()
    one, other = sorted(await logged(house, session), key=lambda row: row.seat)
    assert one == QualityRow(
        session, "clinician", house.clock(), "good", "good", "720p", 0, 0, 50, 800, 600
    )
    assert other == QualityRow(
        session, "tablet", house.clock(), "poor", "good", "180p", 150, 0, 300, 800, 600
    )
    house.clock.advance(5)
    await log.write()  # nothing was read since
    assert len(await logged(house, session)) == 2


async def test_a_leg_that_was_replaced_is_not_judged_by_its_predecessor(house: House) -> None:
    tablet, dana = await house.page("tablet"), await house.page("dana")
    session, _ = await house.in_call(tablet, dana)
    legs(house, session, loss_up=0.9)
    house.desk.quality.read()
    house.bridge.measured[session][0] = replace(FINE, generation="g-next")
    house.desk.quality.read()
    await house.desk.quality.write()
    rows = {row.seat: row for row in await logged(house, session)}
    assert rows["tablet"].loss_up == 0


async def test_a_tablet_that_waits_alone_or_tests_itself_is_not_logged(house: House) -> None:
    tablet = await house.page("tablet")
    session = await house.pressed(tablet)
    house.bridge.measured[session] = [FINE]
    house.desk.quality.read()
    await house.desk.quality.write()
    assert await logged(house, session) == []


async def test_the_log_reads_and_writes_by_itself_and_metrics_say_how_lines_are(
    house: House,
) -> None:
    tablet, dana = await house.page("tablet"), await house.page("dana")
    session, _ = await house.in_call(tablet, dana)
    legs(house, session, loss_up=0.3)
    async with asyncio.timeout(BOUND):
        while not await logged(house, session):
            await asyncio.sleep(0.05)
    text = metrics.render().decode()
    assert 'crisisbridge_leg_quality_total{direction="up",word="poor"}' in text
    assert "crisisbridge_leg_round_trip_seconds_bucket" in text
    for line in text.splitlines():
        assert session not in line


async def test_a_call_that_has_ended_leaves_nothing_in_memory(house: House) -> None:
    tablet, dana = await house.page("tablet"), await house.page("dana")
    session, epoch = await house.in_call(tablet, dana)
    legs(house, session)
    house.desk.quality.read()
    await dana.send("session.end", session=session, epoch=epoch)
    house.bridge.measured.clear()
    await house.desk.quality.write()
    assert len(await logged(house, session)) == 2, "the last seconds count"
    assert house.desk.legs.of(session) == {}


def test_nothing_in_a_row_can_hold_an_address_or_a_person() -> None:
    kinds = {f.name: f.type for f in fields(QualityRow)}
    texts = {name for name, kind in kinds.items() if "str" in str(kind)}
    assert texts == {"session_id", "seat", "up", "down", "step"}
