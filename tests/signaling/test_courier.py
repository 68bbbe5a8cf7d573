"""Notices to a real HTTP server on this machine: signed, at least once, tried again, never where or
of whom they must not be."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import delete, select, update

from auth.errors import AuditFailed
from records import deliveries, followups, schema, sessions, webhooks
from records.crypto import Vault
from records.deliveries import DeliveryRow
from records.engine import Database
from records.followups import NewFollowup
from records.schema_programs import webhook, webhook_delivery
from records.sessions import Event, SessionRow
from records.webhooks import EVENTS, NewWebhook
from signaling import courier, notices
from signaling.courier import Courier
from signaling.desk import Desk
from signaling.errors import BadAddress
from signaling.post import is_public
from signaling.webhook_address import Reach, Resolver, checked
from tests.records import cast as people
from tests.records import migrated
from tests.records.cast import NOW, changed, pressed

T = TypeVar("T")
SECRET = b"0123456789abcdef0123456789abcdef"
HERE = Reach(loopback=True)
SECONDS = 30.0  # beside browsers a test may stand still for a while


@dataclass
class Got:
    headers: dict[str, str]
    body: bytes

    @property
    def words(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """The other side: remembers what came, and answers as it is told."""

    got: list[Got] = field(default_factory=list)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    streams: bool = False
    elsewhere: int = 0
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.got.append(Got({k.lower(): v for k, v in request.headers.items()}, body))
        if self.hangs:
            await self.let_go.wait()
        if self.streams:
            response = web.StreamResponse()
            await response.prepare(request)
            while True:
                await response.write(b"x" * 65_536)
                await asyncio.sleep(0)
        return web.Response(status=self.status, headers=self.headers)

    async def other(self, _request: web.Request) -> web.Response:
        self.elsewhere += 1
        return web.Response()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/in", made.take)
    app.router.add_route("*", "/elsewhere", made.other)
    server = TestServer(app)
    await server.start_server()
    made.url = str(server.make_url("/in"))
    yield made
    made.let_go.set()
    await server.close()


class Office:
    """A desk of which only the clock, the database and the vault are used."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.vault = Vault(bytes(range(32)))
        self.clock = NOW

    def now(self) -> float:
        return self.clock

    again = Desk.again

    def courier(self, reach: Reach = HERE) -> Courier:
        made = Courier(cast(Any, self))
        made.reach = reach
        return made

    async def hook(self, url: str, *events: str) -> str:
        new = NewWebhook("prg_1", "Records", "here", url, SECRET, events or tuple(EVENTS))
        return await self.db.write(
            lambda conn: webhooks.add(conn, self.vault, new, "per_lena", NOW - 60)
        )

    async def notices(self) -> list[DeliveryRow]:
        table = webhook_delivery
        async with self.db.read() as conn:
            ids = await conn.execute(select(table.c.id).order_by(table.c.at, table.c.no))
            rows = [await deliveries.get(conn, one) for one in ids.scalars().all()]
        return [one for one in rows if one is not None]

    async def settled(self) -> list[DeliveryRow]:
        """All notices, once each is where it stays for now."""

        async def look() -> list[DeliveryRow] | None:
            rows = await self.notices()
            busy = [
                one
                for one in rows
                if one.state == "queued" and (one.lease_until or one.due_at <= self.clock)
            ]
            return None if busy or not rows else rows

        return await until(look)

    async def audited(self) -> list[tuple[str, str, str, str | None, str]]:
        table = schema.audit
        async with self.db.read() as conn:
            rows = await conn.execute(
                select(
                    table.c.actor_kind, table.c.actor_id, table.c.action, table.c.object_id,
                    table.c.outcome,
                ).order_by(table.c.no)
            )  # fmt: skip
            return [cast(Any, tuple(row)) for row in rows]


async def until(look: Callable[[], Awaitable[T | None]]) -> T:
    """What `look` finds, as soon as it finds it."""
    async with asyncio.timeout(SECONDS):
        while True:
            found = await look()
            if found is not None:
                return found
            await asyncio.sleep(0.01)


async def true(look: Callable[[], bool]) -> None:
    async def one() -> bool | None:
        return look() or None

    await until(one)


@asynccontextmanager
async def running(*couriers: Courier) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(one.run()) for one in couriers]
    try:
        yield
        for task in tasks:
            assert not task.done(), task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for courier_ in couriers:
            await courier_.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "IDLE_SECONDS", 0.02)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    url = migrated.put(tmp_path / "records.db")
    db = Database(url)
    await db.start()
    await db.write(people.fill)
    await people.put(
        db, schema.person, id="per_lena", name="Lena", short_name="Lena", email="l@demo.invalid",
        program_id="prg_1",
    )  # fmt: skip
    await people.put(db, schema.role_grant, person_id="per_lena", role="manager", granted_at=NOW)
    yield Office(db)
    await db.close()


async def over(office: Office, row: SessionRow, **more: Any) -> SessionRow:
    """The session, closed a minute later."""
    return await changed(
        office.db, row, now=NOW + 60, kind="session.closed", state="closed",
        close_reason="completed", ended_at=NOW + 50, closed_at=NOW + 60,
        recommended_disposition="remain_in_place", **more,
    )  # fmt: skip


def snippet() -> Callable[[str, dict[str, str], bytes], bool]:
    """The check of a signature as docs/api.md shows it to strangers."""
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert found is not None
    space: dict[str, Any] = {}
    exec(found[1].replace("time.time()", str(NOW + 61)), space)
    return cast("Callable[[str, dict[str, str], bytes], bool]", space["genuine"])


async def test_a_notice_has_ids_times_and_dispositions_only_and_the_documented_check_accepts_it(
    office: Office,
) -> None:
    async with receiver() as there:
        hook = await office.hook(there.url, "session.closed")
        row = await over(office, await pressed(office.db), intake=("overdose",), opioid="yes")
        office.clock = NOW + 61
        async with running(office.courier()):
            (notice,) = await office.settled()
        (got,) = there.got
    assert (notice.state, notice.status, notice.attempt) == ("sent", 200, 1)
    times = dict.fromkeys(notices._TIMES) | {
        "pressed": "2026-09-21T14:13:20.000Z",
        "ended": "2026-09-21T14:14:10.000Z",
        "closed": "2026-09-21T14:14:20.000Z",
    }
    assert got.words == {
        "id": f"{hook}.{row.id}.2",
        "type": "session.closed",
        "timestamp": "2026-09-21T14:14:20.000Z",
        "data": {
            "session": {
                "id": row.id,
                "times": times,
                "recommended": "remain_in_place",
                "actual": None,
            }
        },
    }
    genuine, secret = snippet(), "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    assert genuine(secret, got.headers, got.body)
    assert not genuine(secret, got.headers, got.body + b" ")
    assert not genuine("whsec_" + "A" * 44, got.headers, got.body)
    assert not genuine(secret, got.headers | {"webhook-timestamp": str(int(NOW) - 900)}, got.body)
    assert "cookie" not in got.headers
    assert (("webhook", hook, "notice.send", row.id, "allowed")) in await office.audited()


async def test_what_happens_later_does_not_change_the_words_of_a_notice(office: Office) -> None:
    async with receiver() as there:
        there.status = 500
        await office.hook(there.url, "session.opened")
        row = await pressed(office.db)
        async with running(office.courier()):
            await office.settled()
            there.status = 200
            await over(office, row, actual_disposition="other", disposition_at=NOW + 55)
            office.clock = NOW + 100
            await office.settled()
        first, second = there.got
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


async def test_a_server_that_fails_is_asked_eight_times_within_a_day_then_it_is_given_up(
    office: Office,
) -> None:
    async with receiver() as there:
        there.status = 500
        await office.hook(there.url, "session.opened")
        await pressed(office.db)
        moments = []
        async with running(office.courier()):
            for _ in range(20):
                (notice,) = await office.settled()
                moments.append(office.clock - NOW)
                if notice.state != "queued":
                    break
                assert notice.due_at > office.clock
                office.clock = notice.due_at
        assert (notice.state, notice.status, notice.reason) == ("failed", 500, "refused")
        assert len(there.got) == notices.TRIES == 8
        assert len({one.headers["webhook-id"] for one in there.got}) == 1
    assert moments[1:4] == [10.0, 70.0, 370.0]
    assert 20 * 3600 < moments[-1] < 86_400


async def test_it_goes_on_when_the_other_side_is_well_again_and_waits_as_long_as_it_asks(
    office: Office,
) -> None:
    async with receiver() as there:
        there.status, there.headers = 503, {"Retry-After": "900"}
        await office.hook(there.url, "session.opened")
        await pressed(office.db)
        async with running(office.courier()):
            (notice,) = await office.settled()
            assert notice.due_at == NOW + 900
            there.status = 204
            office.clock = NOW + 900
            (notice,) = await office.settled()
        assert (notice.state, notice.status, notice.attempt) == ("sent", 204, 2)


async def test_a_server_that_hangs_is_left_and_holds_up_nobody_else(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        courier, "SEND_SECONDS", 3.0
    )  # the quick one's time, too: machines are busy
    async with receiver() as slow, receiver() as quick_one:
        slow.hangs = True
        await office.hook(slow.url, "session.opened")
        await office.hook(quick_one.url, "session.opened")
        for tablet in ("tab_1", "tab_2", "tab_3"):
            await pressed(office.db, tablet)
        async with running(office.courier()):
            await true(lambda: len(quick_one.got) == 3)
            assert len(slow.got) <= courier.EACH, "no more at a time"
            rows = await office.settled()
        assert Counter((one.state, one.reason) for one in rows) == {
            ("sent", None): 3,
            ("queued", "timeout"): 3,
        }


async def test_an_answer_without_end_is_not_read(office: Office) -> None:
    async with receiver() as there:
        there.streams = True
        await office.hook(there.url, "session.opened")
        await pressed(office.db)
        async with running(office.courier()):
            (notice,) = await office.settled()
        assert (notice.state, notice.status) == ("sent", 200)


async def test_a_redirect_is_not_followed(office: Office) -> None:
    async with receiver() as there:
        there.status, there.headers = 307, {"Location": there.url.replace("/in", "/elsewhere")}
        await office.hook(there.url, "session.opened")
        await pressed(office.db)
        async with running(office.courier()):
            (notice,) = await office.settled()
        assert (notice.state, notice.status, notice.reason) == ("queued", 307, "redirected")
        assert there.elsewhere == 0


async def test_an_address_that_is_gone_ends_its_notice_at_once(office: Office) -> None:
    async with receiver() as there:
        there.status = 410
        await office.hook(there.url, "session.opened")
        await pressed(office.db)
        async with running(office.courier()):
            (notice,) = await office.settled()
        assert (notice.state, notice.status, len(there.got)) == ("failed", 410, 1)


async def test_a_sender_that_is_killed_while_it_sends_leaves_the_notice_to_the_next_one(
    office: Office,
) -> None:
    async with receiver() as there:
        there.hangs = True
        await office.hook(there.url, "session.opened")
        await pressed(office.db)
        async with running(office.courier()):
            await true(lambda: len(there.got) == 1)
        (notice,) = await office.notices()
        assert (notice.state, notice.attempt) == ("queued", 1), "nobody wrote down how it ended"
        there.hangs = False
        async with running(office.courier()):
            async with office.db.read() as conn:
                assert await deliveries.waiting(conn, office.clock) == [], "the lease still holds"
            office.clock += courier.LEASE_SECONDS
            (notice,) = await office.settled()
        assert (notice.state, notice.attempt) == ("sent", 2)
        first, second = there.got
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.body == second.body


async def test_two_senders_send_nothing_twice(office: Office) -> None:
    async with receiver() as there:
        await office.hook(there.url, "session.opened", "session.closed")
        row = await pressed(office.db)
        for number in range(30):
            row = await changed(office.db, row, kind="session.closed", level=number % 2)
        async with running(office.courier(), office.courier()):
            rows = await office.settled()
        assert {one.state for one in rows} == {"sent"}
        assert Counter(one.headers["webhook-id"] for one in there.got) == {
            one.id: 1 for one in rows
        }


async def test_a_session_that_turned_out_to_be_an_officers_own_is_told_of_no_more(
    office: Office,
) -> None:
    async with receiver() as there:
        await office.hook(there.url, "session.opened")
        row = await pressed(office.db)
        await over(office, row, wellness=True)
        async with running(office.courier()):
            (notice,) = await office.settled()
        assert (notice.state, notice.reason) == ("dropped", "not_allowed")
        assert there.got == []
    assert [one[-1] for one in await office.audited()] == ["refused"]


@pytest.mark.parametrize("lost", ["left", "role"])
async def test_an_address_whose_keeper_has_left_is_paused_until_somebody_takes_it_over(
    office: Office, lost: str
) -> None:
    person, grant = schema.person, schema.role_grant
    gone: Any = (
        update(person).where(person.c.id == "per_lena").values(active=False)
        if lost == "left"
        else delete(grant).where(grant.c.person_id == "per_lena")
    )
    async with receiver() as there:
        hook = await office.hook(there.url, "session.opened")
        await pressed(office.db)
        await office.db.write(lambda conn: conn.execute(gone))

        async def paused() -> bool | None:
            async with office.db.read() as conn:
                row = (await conn.execute(select(webhook.c.state, webhook.c.why))).one()
            return True if tuple(row) == ("paused", "owner") else None

        async with running(office.courier()):
            await until(paused)
            await people.put(
                office.db, schema.person, id="per_ann", name="Ann", short_name="Ann",
                email="a@demo.invalid", program_id="prg_1",
            )  # fmt: skip
            await people.put(office.db, grant, person_id="per_ann", role="manager", granted_at=NOW)
            assert there.got == []
            await office.db.write(lambda conn: webhooks.resume(conn, hook, "per_ann", NOW))
            (notice,) = await office.settled()
        assert (notice.state, notice.attempt, len(there.got)) == ("sent", 1, 1)


async def test_what_cannot_be_put_on_record_does_not_leave(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = asyncio.Event()

    async def broken(*_args: object) -> int:
        tried.set()
        raise AuditFailed

    async with receiver() as there:
        await office.hook(there.url, "session.opened")
        await pressed(office.db)
        async with running(office.courier()):
            with monkeypatch.context() as patch:
                patch.setattr("auth.audit.record", broken)
                await asyncio.wait_for(tried.wait(), SECONDS)
                (notice,) = await office.notices()
                assert (notice.state, notice.attempt, there.got) == ("queued", 0, [])
            (notice,) = await office.settled()
        assert (notice.state, len(there.got)) == ("sent", 1)


async def test_an_overdue_follow_up_is_told_by_its_ids_and_one_that_is_done_is_not(
    office: Office,
) -> None:
    async with receiver() as there:
        await office.hook(there.url, "followup.overdue")
        row = await pressed(office.db)
        due = [NewFollowup("contact_24h", "per_dana", NOW + 30, "her number is 555"),
               NewFollowup("contact_48h", "per_dana", NOW + 40)]  # fmt: skip
        await office.db.write(lambda conn: followups.add_many(conn, office.vault, row.id, due, NOW))
        async with office.db.read() as conn:
            first, second = await followups.of_session(conn, office.vault, row.id)
        office.clock = NOW + 100
        await office.db.write(lambda conn: deliveries.queue_overdue(conn, office.clock))
        await office.db.write(
            lambda conn: followups.close(conn, second, second.rev, "done", "per_dana", NOW)
        )
        async with running(office.courier()):
            rows = await office.settled()
        assert Counter((one.state, one.reason) for one in rows) == {
            ("sent", None): 1,
            ("dropped", "over"): 1,
        }
        (got,) = there.got
        assert got.words["data"] == {
            "session": {"id": row.id},
            "followup": {"id": first.id, "due": notices.iso(first.due_at)},
        }


async def test_the_sender_finds_overdue_follow_ups_by_itself(office: Office) -> None:
    async with receiver() as there:
        await office.hook(there.url, "followup.overdue")
        row = await pressed(office.db)
        due = [NewFollowup("contact_24h", "per_dana", NOW + 30)]
        await office.db.write(lambda conn: followups.add_many(conn, office.vault, row.id, due, NOW))
        async with running(office.courier()):
            office.clock = NOW + courier.SWEEP_SECONDS
            await true(lambda: len(there.got) == 1)


async def test_a_stopping_sender_ends_what_is_under_way_and_begins_nothing(
    office: Office,
) -> None:
    async with receiver() as there:
        there.hangs = True
        await office.hook(there.url, "session.opened")
        await pressed(office.db)
        one = office.courier()
        async with running(one):
            await true(lambda: len(there.got) == 1)
            one.stop()
            await pressed(office.db, "tab_2")
            draining = asyncio.create_task(one.drain())
            done, _ = await asyncio.wait({draining}, timeout=0.05)
            assert not done
            there.let_go.set()
            await draining
        states = Counter((one.state, one.attempt) for one in await office.notices())
        assert states == {("sent", 1): 1, ("queued", 0): 1}


async def test_a_test_is_a_notice_about_nothing(office: Office) -> None:
    async with receiver() as there:
        hook = await office.hook(there.url, "session.opened")
        await office.db.write(lambda conn: deliveries.queue_test(conn, hook, NOW))
        async with running(office.courier()):
            await office.settled()
        (got,) = there.got
        assert (got.words["type"], got.words["data"]) == ("webhook.test", {})


async def test_disposition_and_recommendation_are_those_of_the_event(office: Office) -> None:
    async with receiver() as there:
        await office.hook(there.url, "disposition.recorded", "recommendation.sent")
        row = await pressed(office.db)
        sent = {"recommended_disposition": "other", "recommended_at": NOW + 9}
        advised = Event("card.sent", "person", "per_dana", {"disposition": "medical_ed"})
        said = Event("disposition.recorded", "officer", None, {"actual": "other"})
        row = await office.db.write(
            lambda conn: sessions.apply(conn, row, sent, [advised], NOW + 5)
        )
        await office.db.write(lambda conn: sessions.apply(conn, row, {"level": 1}, [said], NOW + 6))
        office.clock = NOW + 10
        async with running(office.courier()):
            await office.settled()
        told = {one.words["type"]: one.words["data"]["session"] for one in there.got}
        assert told["recommendation.sent"]["recommended"] == "medical_ed"
        assert told["disposition.recorded"]["actual"] == "other"
        assert told["disposition.recorded"]["recommended"] is None


# --- where a notice may go ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "reach", "allowed"),
    [
        ("https://records.example.org/in?x=1", Reach(), True),
        ("https://records.example.org:8443/", Reach(), True),
        ("https://93.184.216.34/", Reach(), True),
        ("https://[2606:4700::1111]/", Reach(), True),
        ("http://records.example.org/", Reach(), False),
        ("http://records.example.org/", HERE, False),
        ("http://127.0.0.1:9/", Reach(), False),
        ("http://127.0.0.1:9/", HERE, True),
        ("https://127.0.0.1/", Reach(), False),
        ("https://10.1.2.3/", Reach(), False),
        ("https://10.1.2.3/", Reach.of(("10.0.0.0/8",), loopback=False), True),
        ("https://10.1.2.3/", HERE, False),
        ("https://169.254.169.254/latest/meta-data", HERE, False),
        ("https://[::1]/", Reach(), False),
        ("https://[::ffff:10.0.0.1]/", Reach(), False),
        ("https://[64:ff9b::a00:1]/", Reach(), False),
        ("https://[fe80::1]/", Reach(), False),
        ("https://0.0.0.0/", Reach(), False),
        ("https://224.0.0.1/", Reach(), False),
        ("https://u:p@records.example.org/", Reach(), False),
        ("https://records.example.org/#x", Reach(), False),
        ("https://records.example.org:99999/", Reach(), False),
        ("https://rec ords.example.org/", Reach(), False),
        ("https://records.example.org\\@evil.example/", Reach(), False),
        ("https://", Reach(), False),
        ("file:///etc/passwd", HERE, False),
        ("javascript:alert(1)", HERE, False),
        ("https://" + "x" * 1000, Reach(), False),
    ],
)
def test_an_address_leads_to_the_open_internet_or_to_what_the_operator_named(
    url: str, reach: Reach, allowed: bool
) -> None:
    if allowed:
        assert checked(url, reach)[1] == url
        return
    with pytest.raises(BadAddress):
        checked(url, reach)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("64:ff9b::808:808", True),
        ("2002:808:808::1", True),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::1", False),
        ("::ffff:127.0.0.1", False),
        ("100.64.0.1", False),
        ("192.168.0.1", False),
        ("not an address", False),
    ],
)
def test_an_address_that_stands_for_an_inner_one_is_an_inner_one(
    address: str, public: bool
) -> None:
    assert is_public(address) is public


async def test_a_name_that_leads_inside_is_not_reached(office: Office) -> None:
    resolver = Resolver(Reach())
    with pytest.raises(OSError, match="no address"):
        await resolver.resolve("localhost", 443)
    await resolver.close()
    async with receiver() as there:
        # as if it had been registered before the rules became stricter
        await office.hook(there.url.replace("http:", "https:").replace("127.0.0.1", "localhost"))
        await office.hook(there.url)
        await pressed(office.db)
        async with running(office.courier(Reach())):
            rows = await office.settled()
        assert {(one.state, one.reason) for one in rows} == {
            ("queued", "unreachable"),
            ("queued", "not_allowed"),
        }
        assert there.got == []


async def test_a_certificate_that_is_not_valid_is_said_to_be(office: Office) -> None:
    async with receiver() as there:  # speaks no TLS at all
        await office.hook(there.url.replace("http:", "https:"), "session.opened")
        await pressed(office.db)
        async with running(office.courier()):
            (notice,) = await office.settled()
        assert (notice.state, notice.reason) in {("queued", "tls"), ("queued", "unreachable")}
        assert there.got == []


def test_the_tries_of_a_notice_end_within_a_day() -> None:
    waits = [notices.wait_after(attempt) for attempt in range(1, 9)]
    assert waits[-1] is None
    assert sum(one for one in waits if one is not None) < 86_400
    assert notices.wait_after(1, 1e9) == notices.LONGEST_ASKED
