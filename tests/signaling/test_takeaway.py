"""The link to a safety plan, sent as a text: to the number once, and kept nowhere."""

from __future__ import annotations

import pytest

from records import assessments
from records.scoring.plans import PARTS
from signaling import takeaway_commands
from signaling.errors import BadWay
from signaling.gateways import Gateways, GatewaySettings
from signaling.post import Post
from signaling.takeaway_commands import Made
from tests.signaling.conftest import ACTORS, House
from tests.signaling.services import hook
from tests.signaling.test_desk import kinds_of

NUMBER = "605-555-0123"


async def made(house: House) -> tuple[str, Made]:
    """A link in a running call."""
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, _ = await house.in_call(tablet, dana)
    plan = {"made": "yes"} | dict.fromkeys(PARTS, "words")
    await house.db.write(
        lambda conn: assessments.save(
            conn, house.desk.vault, session, "safety-plan", 0, plan, "per_dana", house.clock.now
        )
    )
    return session, await takeaway_commands.make(house.desk, ACTORS["dana"], session)


async def test_a_text_carries_our_words_and_the_link_and_the_number_is_nowhere_in_the_record(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    async with hook() as server:
        house.desk.pager.post = Post(
            gateways=Gateways(
                GatewaySettings({"sms": f"json://{server.address}/sms/{{to}}"}, loopback=True)
            ),
            words=lambda locale, key: f"{locale}:{key}",
            origin="https://bridge.test",
        )
        session, link = await made(house)
        caplog.set_level("DEBUG")
        assert await takeaway_commands.send(house.desk, NUMBER, link, "es")
        path, body = server.got[0]
        assert path.endswith("16055550123")
        assert body["message"] == f"es:plan.message\nhttps://bridge.test{link.path}"
        with pytest.raises(BadWay):
            await takeaway_commands.send(house.desk, "tomorrow", link, "en")
    assert (await kinds_of(house, session))[-1] == "takeaway.made"
    ours = [one.getMessage() for one in caplog.records if one.name.startswith("signaling")]
    assert not any("5550123" in line or link.path in line for line in ours)
    assert link.path not in repr(link)


async def test_without_a_service_for_texts_it_is_said_that_none_was_sent(house: House) -> None:
    _, link = await made(house)
    assert not await takeaway_commands.send(house.desk, NUMBER, link, "en")
