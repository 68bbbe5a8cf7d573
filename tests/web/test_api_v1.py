"""A stranger reads the log with a scoped token: what it gives, to whom, and what it never gives."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.errors import AuditFailed
from auth.policy import TOKEN_SCOPES
from records import followups, schema, sessions
from records.flags import BIT
from records.followups import NewFollowup
from records.schema_programs import api_token
from records.sessions import Event
from records.vocabulary import FLAGS
from tests.web.cast import AWAY, AWAY_MANAGER, NOW, Site
from tests.web.programs import ask, token
from web import api_types as types
from web.dev import cast as demo

DAY = 86_400.0
GIVES = {
    "sessions": types.SessionsAnswer,
    "sessions/{id}": types.SessionAnswer,
    "sessions/{id}/timeline": types.TimelineAnswer,
    "followups": types.FollowupsAnswer,
    "reports": types.ReportsAnswer,
}
NEEDS = {
    "sessions": "log.read",
    "sessions.ndjson": "export",
    "sessions/{id}": "session.read",
    "sessions/{id}/timeline": "session.read",
    "followups": "followup.read",
    "reports": "report.read",
}
PEOPLE = ("Whitefeather", "per_dana", demo.SAM.name, demo.DANA.name)


async def with_followups(site: Site, session_id: str, *kinds: str) -> None:
    due = [NewFollowup(kind, demo.DANA.id, NOW + DAY, "call his sister") for kind in kinds]
    await site.services.db.write(
        lambda conn: followups.add_many(conn, site.services.vault, session_id, due, NOW)
    )


async def test_each_address_gives_what_its_type_says_and_names_nobody_unless_told_to(
    site: Site,
) -> None:
    row = await site.session()
    await with_followups(site, row.id, "contact_24h")
    for scopes, named in ((list(NEEDS.values()), False), ([*NEEDS.values(), "log.names"], True)):
        secret = await token(site, *scopes)
        for path, shape in GIVES.items():
            address = f"/api/v1/{path.replace('{id}', row.id)}"
            response = await site.client.get(address, headers={"Authorization": f"Bearer {secret}"})
            body = await response.read()
            assert response.status == 200, (path, body)
            assert response.headers["Cache-Control"] == "no-store"
            assert "Set-Cookie" not in response.headers
            msgspec.json.decode(body, type=shape)
            text = body.decode()
            assert "call his sister" not in text
            if path != "reports":
                assert (demo.DANA.name in text) is named, path
            if not named:
                assert not [one for one in PEOPLE if one in text], path


async def test_a_session_has_its_times_dispositions_and_flags_and_nothing_of_the_person(
    site: Site,
) -> None:
    bits = sum(BIT[flag] for flag in FLAGS)
    row = await site.session(
        flags=bits, opioid="yes", intake=("overdose",), otherwise="arrest_custody", language="lkt"
    )
    secret = await token(site, "session.read")
    status, body = await ask(site, f"sessions/{row.id}", secret)
    assert status == 200
    one = body["session"]
    assert one["times"]["pressed"] == "2027-01-15T08:00:00Z"
    assert one["times"]["answered"] == "2027-01-15T08:00:09.500000Z"
    assert one["seconds"]["to_answer"] == 9.5
    assert (one["recommended"], one["actual"], one["otherwise"]) == (
        "remain_in_place", "voluntary_transport", "arrest_custody",
    )  # fmt: skip
    assert "force_used" in one["flags"]
    text = json.dumps(body)
    for secret_word in ("naloxone", "opioid", "overdose", "lkt"):
        assert secret_word not in text


async def test_a_timeline_is_codes_and_leaves_out_what_tells_of_the_person_or_of_substances(
    site: Site,
) -> None:
    row = await site.session()
    told = [
        Event("session.intake", "officer", None, {"tiles": ["overdose"]}),
        Event("assessment.saved", "person", demo.DANA.id, {"instrument": "cows"}),
        Event("followup.added", "person", demo.DANA.id, {"followup": "naloxone_delivery"}),
        Event("followup.added", "person", demo.DANA.id, {"followup": "lethal_means_check"}),
        Event("followup.added", "person", demo.DANA.id, {"followup": "contact_24h"}),
        Event("disposition.recorded", "officer", None, {"actual": "other", "flags": ["x"]}),
        Event("something.new", "system", None, {"secret": "words"}),
    ]
    await site.services.db.write(lambda conn: sessions.apply(conn, row, {}, told, NOW + 20))
    secret = await token(site, "session.read")
    status, body = await ask(site, f"sessions/{row.id}/timeline", secret)
    assert status == 200
    assert [(one["kind"], one["data"]) for one in body["events"]] == [
        ("session.pressed", {}),
        ("offer.accepted", {}),
        ("followup.added", {"followup": "referral"}),
        ("followup.added", {"followup": "referral"}),
        ("followup.added", {"followup": "contact_24h"}),
        ("disposition.recorded", {"actual": "other"}),
    ]
    assert body["events"][2]["after"] == 20.0


async def test_officers_who_called_for_themselves_are_nowhere(site: Site) -> None:
    row = await site.session(wellness=True)
    await with_followups(site, row.id, "contact_24h")
    secret = await token(site)
    assert (await ask(site, "sessions", secret))[1]["sessions"] == []
    assert (await ask(site, "followups", secret))[1]["followups"] == []
    for path in (f"sessions/{row.id}", f"sessions/{row.id}/timeline"):
        assert (await ask(site, path, secret))[0] == 404
    report = (await ask(site, "reports?from=2027-01-01&to=2027-02-01&small=shown", secret))[1]
    assert report["report"]["endings"]["offered"] == 0
    exported = await lines(site, secret)
    assert exported == []


async def lines(site: Site, secret: str, query: str = "") -> list[Any]:
    response = await site.client.get(
        f"/api/v1/sessions.ndjson{query}", headers={"Authorization": f"Bearer {secret}"}
    )
    assert response.status == 200
    assert response.content_type == "application/x-ndjson"
    return [json.loads(line) for line in (await response.text()).splitlines()]


async def test_the_log_is_read_page_by_page_by_next_and_whole_by_export(site: Site) -> None:
    made = [await site.session(pressed_at=NOW + n, press_key=f"key-of-press-{n}") for n in range(7)]
    test = await site.session(pressed_at=NOW + 50, press_key="key-of-a-test", test=True)
    secret = await token(site, "log.read", "export")
    path, seen = "sessions?limit=3&state=closed", []
    for _ in range(4):
        _, body = await ask(site, path, secret)
        seen += [one["id"] for one in body["sessions"]]
        if body["next"] is None:
            break
        assert body["next"].startswith("/api/v1/sessions?limit=3&state=closed&after=")
        path = body["next"].removeprefix("/api/v1/")
    expected = [row.id for row in reversed(made)]
    assert seen == expected
    assert [one["id"] for one in await lines(site, secret)] == expected
    assert test.id in {one["id"] for one in await lines(site, secret, "?tests=true")}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("since=2027-01-15T08:00:00Z", True),
        ("since=2027-01-15T09:00:00%2B01:00", True),
        ("since=2027-01-15T08:00:01Z", False),
        ("until=2027-01-15T08:00:00Z", False),
        ("state=waiting", False),
        ("recommended=remain_in_place&actual=voluntary_transport", True),
        ("actual=other", False),
        ("code=482913", True),
        ("agency=agy_away", False),
    ],
)
async def test_the_filters_are_those_of_the_page(site: Site, query: str, found: bool) -> None:
    await site.session()
    secret = await token(site, "log.read")
    status, body = await ask(site, f"sessions?{query}", secret)
    assert (status, bool(body["sessions"])) == (200, found)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("limit=5&limit=6", "limit"),
        ("since=yesterday", "since"),
        ("since=2027-01-15T08:00:00", "since"),  # of which zone?
        ("state=gone", "state"),
        ("agency=' OR 1=1 --", "agency"),
        ("code=%00", "code"),
        ("after=1~", "after"),
        ("after=nan~ses_x", "after"),
        ("nonsense=<script>", None),
        ("lang=es", None),
    ],
)
async def test_a_parameter_that_is_not_understood_is_named_and_nothing_is_read(
    site: Site, query: str, field: str | None
) -> None:
    await site.session()
    secret = await token(site, "log.read")
    status, body = await ask(site, f"sessions?{query}", secret)
    assert (status, body["code"], body.get("field")) == (400, "bad-query", field)
    assert "script" not in json.dumps(body)


async def test_a_token_reads_what_its_scopes_name_and_nothing_else(site: Site) -> None:
    row = await site.session()
    for scope in TOKEN_SCOPES:
        secret = await token(site, scope)
        for path, needed in NEEDS.items():
            address = f"/api/v1/{path.replace('{id}', row.id)}"
            response = await site.client.get(address, headers={"Authorization": f"Bearer {secret}"})
            assert (response.status == 200) is (needed == scope), (scope, path)
            if response.status != 200:
                assert (response.status, (await response.json())["code"]) == (403, "no-scope")


async def test_nothing_opens_a_door_but_a_living_token_not_even_a_signed_in_manager(
    site: Site,
) -> None:
    secret = await token(site, "log.read")
    await site.sign_in(demo.LENA)
    for wrong in (None, "", "x", secret[:-1], secret + "x", secret[:-1] + "é", "cbt_" + "a" * 43):
        headers = {} if wrong is None else {"Authorization": f"Bearer {wrong}"}
        response = await site.client.get("/api/v1/sessions", headers=headers)
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        assert (await response.json())["code"] == "bad-token"
    basic = await site.client.get("/api/v1/sessions", headers={"Authorization": f"Basic {secret}"})
    assert basic.status == 401
    # and a token opens nothing of the pages'
    site.client.session.cookie_jar.clear()
    for path in ("/manager", "/api/v1/board", "/api/v1/sessions/ses_x/resources"):
        response = await site.client.get(
            path, headers={"Authorization": f"Bearer {secret}"}, allow_redirects=False
        )
        assert response.status in (303, 401), path
    other = await site.client.post(
        "/api/v1/sessions", headers={"Authorization": f"Bearer {secret}"}
    )
    assert other.status == 405
    body = await site.client.request(
        "GET", "/api/v1/sessions", data=b"x", headers={"Authorization": f"Bearer {secret}"}
    )
    assert body.status == 400


async def test_a_token_of_another_program_and_a_narrow_one_see_their_own_only(site: Site) -> None:
    ours = await site.session()
    theirs = await site.session(**AWAY, tablet_id="tab_away", officer_id=None, lead_id=None)
    away = await token(site, member=AWAY_MANAGER)
    assert [one["id"] for one in (await ask(site, "sessions", away))[1]["sessions"]] == [theirs.id]
    assert (await ask(site, f"sessions/{ours.id}", away))[0] == 404
    unknown = (await ask(site, "sessions/ses_nobody", away))[1]
    refused = (await ask(site, f"sessions/{ours.id}", away))[1]
    assert {**unknown, "request": ""} == {**refused, "request": ""}
    narrow = await token(site, agency=demo.AGENCY_ID)
    assert len((await ask(site, "sessions", narrow))[1]["sessions"]) == 1

    async def move(conn: AsyncConnection) -> None:  # the program answers for a second agency
        await conn.execute(
            update(schema.session)
            .where(schema.session.c.id == theirs.id)
            .values(program_id=demo.PROGRAM_ID)
        )

    await site.services.db.write(move)
    wide = await token(site)
    assert len((await ask(site, "sessions", wide))[1]["sessions"]) == 2
    for secret, seen in ((narrow, 1), (await token(site, provider=demo.PROVIDER_ID), 1)):
        assert len((await ask(site, "sessions", secret))[1]["sessions"]) == seen
        assert len(await lines(site, secret)) == seen
        assert (await ask(site, f"sessions/{theirs.id}", secret))[0] == 404
        report = (await ask(site, "reports?from=2027-01-01&to=2027-02-01&small=shown", secret))[1]
        assert report["report"]["endings"]["offered"] == seen


async def test_a_token_ends_with_its_day_when_it_is_taken_back_and_with_its_makers_right(
    site: Site,
) -> None:
    person, grant = schema.person, schema.role_grant
    secret = await token(site, "log.read", expires="2027-01-16")
    assert (await ask(site, "sessions", secret))[0] == 200

    async def set_active(active: bool) -> None:
        await site.services.db.write(
            lambda conn: conn.execute(
                update(person).where(person.c.id == demo.LENA.id).values(active=active)
            )
        )

    await set_active(False)
    assert (await ask(site, "sessions", secret))[0] == 401
    await set_active(True)
    assert (await ask(site, "sessions", secret))[0] == 200
    site.clock[0] = NOW + 1.6 * DAY  # 2027-01-16, 22:24
    assert (await ask(site, "sessions", secret))[0] == 200
    site.clock[0] = NOW + 1.7 * DAY  # after midnight, UTC
    assert (await ask(site, "sessions", secret))[0] == 401
    site.clock[0] = NOW
    await site.services.db.write(
        lambda conn: conn.execute(delete(grant).where(grant.c.person_id == demo.LENA.id))
    )
    assert (await ask(site, "sessions", secret))[0] == 401


async def test_every_read_is_on_record_with_the_tokens_id_and_without_it_nothing_is_read(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await site.session()
    secret = await token(site, "log.read", "session.read", "log.names")
    await ask(site, "sessions", secret)
    await ask(site, f"sessions/{row.id}", secret)
    await ask(site, "sessions/ses_nobody", secret)
    audit = schema.audit
    async with site.services.db.read() as conn:
        token_id = await conn.scalar(select(api_token.c.id))
        rows = await conn.execute(
            select(audit.c.actor_id, audit.c.action, audit.c.object_id, audit.c.outcome)
            .where(audit.c.actor_kind == "token")
            .order_by(audit.c.no)
        )
        assert [tuple(one) for one in rows] == [
            (token_id, "log.read", None, "allowed"),
            (token_id, "log.export_names", None, "allowed"),
            (token_id, "session.read", row.id, "allowed"),
            (token_id, "log.export_names", row.id, "allowed"),
            (token_id, "session.read", "ses_nobody", "refused"),
        ]
        used = await conn.scalar(select(api_token.c.last_used_at))
    assert used == NOW

    async def broken(*_args: object) -> int:
        raise AuditFailed

    monkeypatch.setattr("auth.audit.record", broken)
    for path in ("sessions", f"sessions/{row.id}"):
        status, body = await ask(site, path, secret)
        assert (status, body["code"]) == (503, "audit-failed")
        assert "sessions" not in body
        assert "session" not in body


async def test_only_a_keyed_hash_of_the_secret_is_kept(site: Site) -> None:
    secret = await token(site, "log.read")
    async with site.services.db.read() as conn:
        stored = (await conn.execute(select(api_token))).one()
    assert secret not in str(stored)
    assert hashlib.sha256(secret.encode()).hexdigest() != stored.secret_hash


async def test_follow_ups_come_by_due_time_and_those_that_tell_of_substances_look_like_others(
    site: Site,
) -> None:
    row = await site.session()
    await with_followups(site, row.id, "contact_24h", "naloxone_delivery", "lethal_means_check")
    secret = await token(site, "followup.read")
    _, body = await ask(site, "followups", secret)
    kinds = sorted(one["kind"] for one in body["followups"])
    assert kinds == ["contact_24h", "referral", "referral"]
    one = body["followups"][0]
    assert (one["session"], one["overdue"]) == (row.id, False)
    assert "owner" not in one
    site.clock[0] = NOW + DAY + 1
    assert (await ask(site, "followups", secret))[1]["followups"][0]["overdue"] is True
    assert (await ask(site, "followups?closed=true", secret))[1]["followups"] == []


async def test_small_counts_of_a_report_are_hidden_from_who_may_not_count_for_themselves(
    site: Site,
) -> None:
    for n in range(12):
        await site.session(pressed_at=NOW + n, press_key=f"key-of-press-{n}")
    await site.session(
        pressed_at=NOW + 60, press_key="key-of-another", media_at=None, accepted_at=None,
        close_reason="cancelled_by_officer", ended_at=NOW + 90,
    )  # fmt: skip
    span = "from=2027-01-14&to=2027-01-16"
    secret = await token(site, "report.read")
    _, body = await ask(site, f"reports?{span}", secret)
    endings = body["report"]["endings"]
    assert endings["offered"] == 13
    assert endings["abandoned"] is None
    assert endings["answered"] is None, "12 of 13 would give the other away"
    assert body["report"]["rates"]["abandoned"]["hidden"] is True
    assert body["report"]["times"]["to_answer"]["count"] is None, "so would this 12"
    assert "naloxone" not in json.dumps(body)
    assert "opioid" not in json.dumps(body)
    status, refused = await ask(site, f"reports?{span}&small=shown", secret)
    assert (status, refused["code"]) == (403, "no-scope")
    both = await token(site, "report.read", "log.read")
    _, body = await ask(site, f"reports?{span}&small=shown", both)
    assert body["report"]["endings"]["abandoned"] == 1
    assert body["report"]["rates"]["abandoned"]["share"] == pytest.approx(1 / 13)


@pytest.mark.parametrize(
    "query", ["from=2027-02-01&to=2027-01-01", "from=1900-01-01", "from=x", "small=perhaps"]
)
async def test_a_report_over_no_days_or_too_many_is_refused(site: Site, query: str) -> None:
    secret = await token(site, "report.read")
    status, body = await ask(site, f"reports?{query}", secret)
    assert (status, body["code"]) == (400, "bad-query")


async def test_too_many_questions_are_refused_for_a_while_by_token_and_by_place(
    site: Site,
) -> None:
    secret = await token(site, "report.read")
    path = "reports?from=2027-01-14&to=2027-01-16"
    statuses = [(await ask(site, path, secret))[0] for _ in range(21)]
    assert statuses == [200] * 20 + [429]
    other = await token(site, "log.read")
    assert (await ask(site, "sessions", other))[0] == 200, "another token is not held up"
    for _ in range(300):
        status, body = await ask(site, "sessions", None)
        if status == 429:
            break
    assert (status, body["code"]) == (429, "too-often")
    site.clock[0] += 60
    assert (await ask(site, path, secret))[0] == 200


async def test_no_name_of_a_token_and_no_secret_is_logged(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    secret = await token(site, "log.read")
    await ask(site, "sessions?code=482913", secret)
    async with site.services.db.read() as conn:
        assert await conn.scalar(select(func.count()).select_from(api_token)) == 1
    others = ("aiosqlite", "asyncio", "aiohttp.access")  # the last is off in the product
    ours = [one for one in caplog.records if not one.name.startswith(others)]
    text = "\n".join(one.getMessage() for one in ours)
    assert "/api/v1/sessions" in text
    for word in (secret, "482913", "dashboard"):
        assert word not in text
