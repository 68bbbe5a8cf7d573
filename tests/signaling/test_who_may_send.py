"""Every message type × everybody: the wrong page, somebody else's call, somebody else's provider.

Messages are made from their types, so a new one comes in by itself; the table of handlers names
them all.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import AsyncIterator
from typing import Any, Literal, Union

import msgspec
import pytest
from sqlalchemy import select

from auth.actors import Actor
from records import schema
from signaling import wire
from signaling.commands import HANDLERS
from tests.signaling.conftest import ACTORS, House
from tests.signaling.pages import Page, Refused
from tests.signaling.test_guests import Call
from web.dev.cast import AGENCY_ID, PROVIDER_ID

# about nobody's session: their own page, shift, presses and list
OF_ONESELF = {
    "beat",
    "activity.set",
    "missed.read",
    "session.open",
    "still.got",
    "media.relay",
    "shift.officers",
    "device.report",
}
REFUSALS = {"no-such-session", "stale-epoch", "wrong-role", "no-such-offer", "forbidden"}
# what a call consists of; nothing here may change by what somebody else sends
KEPT = (
    "session", "timeline", "chat_line", "assessment", "recommendation", "wrapup_draft", "followup",
    "consent", "identity", "guest_link", "participant", "transfer", "near_miss", "case_number",
)  # fmt: skip


def sample(kind: type, known: dict[str, Any]) -> dict[str, Any]:
    """A message of this type that the schema takes, about the session that is known."""
    made: dict[str, Any] = {}
    hints = typing.get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        if field.name == "id":
            continue
        if field.encode_name in known:
            made[field.encode_name] = known[field.encode_name]
        elif field.required:
            made[field.encode_name] = value_of(hints[field.name], known)
    return made


def value_of(kind: Any, known: dict[str, Any]) -> Any:
    """Some value of a type, in JSON's words."""
    if hasattr(kind, "__value__"):
        return value_of(kind.__value__, known)
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return value_of(typing.get_args(kind)[0], known)
    if origin is Literal:
        return typing.get_args(kind)[0]
    if origin in (Union, types.UnionType):
        return value_of(typing.get_args(kind)[0], known)
    if origin in (list, tuple) or kind in (list, tuple):
        return [value_of(one, known) for one in typing.get_args(kind)[:1]]
    if origin is dict or kind is dict or str(origin).endswith("Mapping'>"):
        return {}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return sample(kind, known)
    if kind is types.NoneType:
        return None
    return {bool: False, int: 1, float: 1.0, str: "x" * 20}[kind]


def tag_of(kind: type) -> str:
    return str(kind.__struct_config__.tag)  # type: ignore[attr-defined]


def audience_of(kind: type) -> tuple[str, ...]:
    found: tuple[str, ...] = getattr(kind, "audience", ())
    return found


def person(name: str, role: str, **more: str) -> Actor:
    return Actor("person", f"per_{name}", name, name, frozenset({role}), **more)  # type: ignore[arg-type]


OTHERS = {
    "sven": person("sven", "supervisor", provider_id="prv_other"),
    "tomas": person("tomas", "admin", agency_id=AGENCY_ID, provider_id=PROVIDER_ID),
    "olga": person("olga", "officer", agency_id=AGENCY_ID),
}


@pytest.fixture
async def call(house: House) -> AsyncIterator[Call]:
    cast = dict(ACTORS)
    ACTORS.update(OTHERS)
    house.welcome.update(one.id for one in OTHERS.values())
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, epoch = await house.in_call(tablet, dana)
    yield Call(house, dana, tablet, session, epoch)
    ACTORS.clear()
    ACTORS.update(cast)


async def rows(house: House) -> dict[str, list[tuple[Any, ...]]]:
    found = {}
    async with house.db.read() as conn:
        for name in KEPT:
            table = schema.metadata.tables[name]
            found[name] = sorted(tuple(map(str, row)) for row in await conn.execute(select(table)))
    return found


async def code_of(page: Page, tag: str, message: dict[str, Any]) -> str:
    try:
        await page.send(tag, **message)
    except Refused as refused:
        return refused.code
    return "done"


def test_every_message_type_has_a_handler_and_names_its_pages() -> None:
    every = {kind for kind in _members(wire.Command) if issubclass(kind, msgspec.Struct)}
    assert every == set(HANDLERS)
    for kind in every:
        made = sample(kind, {"session": "ses_x", "epoch": 1, "pin": "258047", "build": "0a1b"})
        wire.parse_command(json.dumps({"type": tag_of(kind), "id": 1, **made}))
        assert audience_of(kind), kind
        assert set(audience_of(kind)) <= {"tablet", "console", "guest"}


def _members(kind: Any) -> set[type]:
    parts = typing.get_args(kind)
    return {one for part in parts for one in _members(part)} if parts else {kind}


@pytest.mark.parametrize("who", ["elsewhere", "stranger", "sven", "miguel", "ada", "guest"])
async def test_nobody_changes_a_call_that_is_not_theirs_by_any_message(
    call: Call, who: str
) -> None:
    """Another tablet, another provider's people, a colleague, a guest who is not in the call.

    A supervisor of the provider (ada) may take part by three messages, which are left out for her.
    """
    house = call.house
    page = await call.guest() if who == "guest" else await house.page(who)
    audience = page.page
    known = {"session": call.session, "epoch": call.epoch, "pin": "258047", "build": "0a1b"}
    before = await rows(house)
    tried = refused = 0
    for kind in HANDLERS:
        tag = tag_of(kind)
        hers = who == "ada" and tag in {"session.take_over", "session.listen", "party.remove"}
        own = who == "guest" and tag in {"guest.join", "guest.leave"}
        if tag in OF_ONESELF or hers or own:
            continue
        tried += 1
        code = await code_of(page, tag, sample(kind, known))
        if audience not in audience_of(kind):
            assert code == "wrong-role", (tag, code)
        assert code != "done", tag
        assert code not in {"internal", "out-of-order"}, (tag, code)
        refused += code in REFUSALS
    assert tried > 30
    assert refused >= tried - 8, "nearly all are refused for whose it is, not for how it is written"
    assert await rows(house) == before
    await call.tablet.send("chat.send", session=call.session, text="still here")


@pytest.mark.parametrize("who", ["lena", "tomas", "olga"])
@pytest.mark.parametrize("kind", ["console", "tablet", "guest"])
async def test_managers_administrators_and_officers_have_no_conversation_at_all(
    call: Call, who: str, kind: str
) -> None:
    page = Page(call.house.http, call.house.url, kind, who)
    with pytest.raises(Refused) as caught:
        await page.open()
    assert caught.value.code == "wrong-role"


@pytest.mark.parametrize(("who", "kind"), [("tablet", "console"), ("tablet", "guest"),
                                           ("dana", "tablet"), ("dana", "guest")])  # fmt: skip
async def test_nobody_opens_another_kind_of_page_than_theirs(
    call: Call, who: str, kind: str
) -> None:
    page = Page(call.house.http, call.house.url, kind, who)
    with pytest.raises(Refused) as caught:
        await page.open()
    assert caught.value.code == "wrong-role"
