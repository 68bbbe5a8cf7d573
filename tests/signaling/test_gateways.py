"""E-mail, SMS, voice and chat through Apprise, against small servers of the same protocols."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from signaling import gateways
from signaling.errors import BadWay
from signaling.gateways import FORBIDDEN, Gateways, GatewaySettings
from signaling.known_services import CHAT_SERVICES
from signaling.post import GivenUp, Message, Taken, TryAgain
from tests.signaling.services import babbler, hook, mail_server

CALL = Message("call", "CrisisBridge", "A call is waiting.", "http://x/alert#t", "tok", True, 60)


@asynccontextmanager
async def gateway(
    *, chat: tuple[str, ...] = (), loopback: bool = True, **templates: str
) -> AsyncIterator[Gateways]:
    made = Gateways(GatewaySettings(templates, chat, loopback))
    yield made
    await made.close()


async def test_an_e_mail_arrives_with_the_words_and_the_link() -> None:
    async with mail_server() as server:
        template = f"mailto://{server.address}?from=page@x.test&to={{to}}"
        async with gateway(email=template) as made:
            assert made.broken() == []
            way = await made.way("email", " dana@x.test ")
            assert await made.send("email", way.details, CALL) == Taken()
            [(to, mail)] = server.got
            assert to == ["dana@x.test"]
            assert mail["Subject"] == "CrisisBridge"
            text = mail.as_string()
            assert "A call is waiting." in text
            assert "http://x/alert#t" in text
            server.refuse = True
            assert await made.send("email", way.details, CALL) == TryAgain("gateway")


async def test_a_number_goes_to_the_operator_s_gateway() -> None:
    async with hook() as server, gateway(sms=f"json://{server.address}/sms/{{to}}") as made:
        way = await made.way("sms", "(605) 555-0199")
        assert way.details == {"to": "+16055550199"}
        assert await made.send("sms", way.details, CALL) == Taken()
        [(path, body)] = server.got
        assert "6055550199" in path
        assert body["message"] == "A call is waiting.\nhttp://x/alert#t"
        server.statuses = [500]
        assert await made.send("sms", way.details, CALL) == TryAgain("gateway")


async def test_a_voice_call_speaks_no_address() -> None:
    async with hook() as server, gateway(voice=f"json://{server.address}/call/{{to}}") as made:
        way = await made.way("voice", "+44 20 7946 0000")
        assert await made.send("voice", way.details, CALL) == Taken()
        assert server.got[0][1]["message"] == "A call is waiting."


async def test_a_service_that_does_not_answer_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gateways, "SEND_SECONDS", 0.2)
    async with babbler(None) as address, gateway(sms=f"json://{address}/{{to}}?rto=1") as made:
        assert await made.send("sms", {"to": "+16055550199"}, CALL) == TryAgain("timeout")


async def test_a_service_that_babbles_is_tried_again_and_nothing_of_it_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with (
        babbler(b"\xff\xfe not http \r\n\r\n") as address,
        gateway(sms=f"json://{address}/secret-token/{{to}}") as made,
    ):
        assert await made.send("sms", {"to": "+16055550199"}, CALL) == TryAgain("gateway")
    ours = [r.getMessage() for r in caplog.records if not r.name.startswith("asyncio")]
    assert not [line for line in ours if "6055550199" in line or "secret-token" in line]


@pytest.mark.parametrize(
    ("kind", "typed"),
    [
        ("email", "dana"),
        ("email", "dana@"),
        ("email", "a@b.test,c@d.test"),
        ("email", "dana@x.test?cc=a@b.test"),
        ("sms", "555-0199"),
        ("sms", "call me"),
        ("sms", "+1"),
        ("sms", ""),
        ("voice", "+16055550199"),
        ("pigeon", "x"),
        ("email", "x" * 600),
    ],
)
async def test_what_is_no_address_or_has_no_gateway_is_refused(kind: str, typed: str) -> None:
    async with gateway(email="mailto://127.0.0.1?to={to}", sms="json://127.0.0.1/{to}") as made:
        with pytest.raises(BadWay):
            await made.way(kind, typed)


@pytest.mark.parametrize(
    "typed",
    [
        "file:///etc/passwd",
        "syslog://",
        "dbus://",
        "json://127.0.0.1/x",
        "apprise://127.0.0.1/token",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?template=/etc/passwd",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ,json://127.0.0.1/x",
        "slack://broken",
        "https://hooks.example.test/x",
        "SLACK://x",
        "slack",
    ],
)
async def test_an_address_of_a_kind_that_is_not_allowed_is_refused(typed: str) -> None:
    async with gateway(chat=CHAT_SERVICES, loopback=False) as made:
        with pytest.raises(BadWay):
            await made.way("chat", typed)


async def test_a_chat_service_of_the_list_is_taken() -> None:
    async with gateway(chat=CHAT_SERVICES, loopback=False) as made:
        assert made.kinds == ("chat",)
        address = "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js"
        assert (await made.way("chat", address)).details == {"url": address}


async def test_a_service_with_a_host_of_its_own_must_be_public() -> None:
    async with gateway(chat=("json",), loopback=False) as made:
        for host in ("127.0.0.1", "localhost", "10.0.0.1", "[::1]"):
            with pytest.raises(BadWay):
                await made.way("chat", f"json://{host}/x")
        stored = {"url": "json://127.0.0.1:1/x"}
        assert await made.send("chat", stored, CALL) == GivenUp("not_allowed")


async def test_kinds_that_touch_this_machine_are_refused_even_when_they_are_allowed() -> None:
    async with gateway(chat=tuple(FORBIDDEN)) as made:
        assert made.kinds == ()


async def test_a_gateway_that_apprise_does_not_understand_is_found_at_the_start() -> None:
    async with gateway(sms="nonsense://{to}", email="mailto://127.0.0.1?to=fixed@x.test") as made:
        assert sorted(made.broken()) == ["email", "sms"]
