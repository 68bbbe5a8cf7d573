"""Guarded reads: by right, on record before anything is shown, and telling a stranger nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from auth.access import (
    SessionRecord,
    read_board,
    read_log,
    read_session,
)
from auth.actors import Actor
from auth.errors import AuditFailed, AuthError, Forbidden, NoSuchRecord
from auth.exports import export_log
from records import assessments, chat, followups, recommendations, schema
from records.crypto import Vault
from records.engine import Database
from records.followups import NewFollowup
from records.log import LogFilter
from tests.auth.cast import NOW

SECRETS = ("the-draft-words", "the-note-words", "the-chat-words")


def person(role: str, side: str = "home", person_id: str | None = None) -> Actor:
    """A signed-in member of the cast."""
    place: dict[str, Any] = {
        "clinician": {"provider_id": f"prv_{side}"},
        "supervisor": {"provider_id": f"prv_{side}"},
        "manager": {"program_id": f"prg_{side}"},
        "admin": {"program_id": f"prg_{side}"},
        "officer": {"agency_id": f"agy_{side}"},
    }
    name = person_id or f"{role}_{side}"
    return Actor("person", name, name, name, frozenset({role}), **place[role])


def tablet(side: str = "home") -> Actor:
    return Actor(
        "tablet",
        f"tab_{side}",
        "Unit",
        "Unit",
        frozenset({"tablet"}),
        agency_id=f"agy_{side}",
        provider_id=f"prv_{side}",
        program_id=f"prg_{side}",
    )


@pytest.fixture
def vault() -> Vault:
    return Vault(bytes(range(32)))


@pytest.fixture
async def ses(db: Database, vault: Vault) -> str:
    """A closed session of the home side, with everything that a record can hold."""

    async def work(conn: AsyncConnection) -> None:
        for side, session_id, pressed in (("home", "ses_home", NOW), ("away", "ses_away", NOW - 9)):
            await _session(conn, side, session_id, pressed)
        await _content(conn, vault)

    await db.write(work)
    return "ses_home"


async def _session(conn: AsyncConnection, side: str, session_id: str, pressed: float) -> None:
    await conn.execute(
        insert(schema.session).values(
            id=session_id,
            code="482913",
            press_key=session_id * 3,
            agency_id=f"agy_{side}",
            provider_id=f"prv_{side}",
            program_id=f"prg_{side}",
            tablet_id=f"tab_{side}",
            officer_id=f"officer_{side}",
            state="closed",
            close_reason="completed",
            lead_id=f"clinician_{side}",
            seq=1,
            version=1,
            pressed_at=pressed,
            alerted_at=pressed + 1,
            accepted_at=pressed + 6,
            media_at=pressed + 8,
            ended_at=pressed + 1208,
            closed_at=pressed + 1500,
            brief_seconds=40,
            handed_over_seconds=1100,
            debrief_seconds=60,
        )
    )
    await conn.execute(
        insert(schema.timeline).values(
            session_id=session_id,
            no=1,
            at=pressed + 1,
            kind="offer.delivered",
            actor_kind="clinician",
            actor_id=f"clinician_{side}",
            data=f'{{"clinician":"colleague_{side}","step":1}}',
        )
    )


async def _content(conn: AsyncConnection, vault: Vault) -> None:
    author = "clinician_home"
    await assessments.save(
        conn, vault, "ses_home", "field-safety", 0, {"danger-now": "yes"}, author, NOW
    )
    for rev, words, send in ((0, "the-card-words", True), (1, "the-draft-words", False)):
        card = {"disposition": "remain_in_place", "words": words}
        await recommendations.save(conn, vault, "ses_home", rev, card, author, NOW + rev, send=send)
    await recommendations.acknowledge(conn, "ses_home", 1, NOW + 3)
    tasks = [NewFollowup("contact_24h", "colleague_home", NOW + 86400, "the-note-words")]
    await followups.add_many(conn, vault, "ses_home", tasks, NOW)
    await chat.add(
        conn,
        vault,
        "ses_home",
        sender="officer",
        sender_id="officer_home",
        body="the-chat-words",
        now=NOW,
    )


async def _audited(db: Database) -> list[tuple[str | None, str, str | None, str]]:
    async with db.read() as conn:
        rows = (await conn.execute(select(schema.audit).order_by(schema.audit.c.no))).all()
        assert await audit.verify(conn) is None
    return [(row.actor_id, row.action, row.object_id, row.outcome) for row in rows]


async def _read(db: Database, vault: Vault, actor: Actor, session_id: str) -> SessionRecord:
    return await read_session(db, vault, actor, session_id, NOW + 90_000)


# --- one session ----------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["clinician", "supervisor"])
async def test_the_lead_and_the_providers_supervisor_read_everything(
    db: Database, vault: Vault, ses: str, role: str
) -> None:
    record = await _read(db, vault, person(role), ses)
    assert record.clinical
    assert record.assessments is not None
    assert record.assessments[0].answers == {"danger-now": "yes"}
    assert record.assessments[0].author == "Clinician of home"
    assert all(secret in repr(record) for secret in SECRETS)
    assert await _audited(db) == [(f"{role}_home", "record.read_clinical", ses, "allowed")]


async def test_the_manager_reads_levels_and_the_card_but_no_answers_notes_or_conversation(
    db: Database, vault: Vault, ses: str
) -> None:
    record = await _read(db, vault, person("manager"), ses)
    assert not record.clinical
    assert record.assessments is not None
    summary = record.assessments[0]
    assert (summary.level, summary.complete) == ("high", False)
    assert (summary.answers, summary.result, summary.author) == (None, None, None)
    assert record.recommendation is not None
    assert record.recommendation.card == {
        "disposition": "remain_in_place",
        "words": "the-card-words",
    }
    assert record.recommendation.draft is None
    assert record.chat is None
    assert record.followups[0].note is None
    assert not any(secret in repr(record) for secret in (*SECRETS, "danger-now"))
    assert await _audited(db) == [("manager_home", "record.read", ses, "allowed")]


async def test_people_are_named_and_times_worked_out(db: Database, vault: Vault, ses: str) -> None:
    record = await _read(db, vault, person("manager"), ses)
    assert (record.agency, record.unit, record.provider) == (
        "Agency home",
        "Unit of home",
        "Provider home",
    )
    assert (record.officer, record.clinician) == ("Officer of home", "Clinician of home")
    spans = record.durations
    assert (spans.to_alert, spans.to_accept, spans.accept_to_media, spans.to_answer) == (1, 6, 2, 8)
    assert (spans.brief, spans.handed_over, spans.debrief) == (40, 1100, 60)
    assert (spans.call, spans.wrap_up, spans.total) == (1200, 292, 1500)
    assert spans.to_disposition is None
    entry = record.timeline[0]
    assert (entry.no, entry.after, entry.actor) == (1, 1, "Clinician of home")
    assert entry.names == {"clinician": "Colleague of home"}
    task = record.followups[0]
    assert (task.owner, task.overdue) == ("Colleague of home", True)
    assert record.recommendation is not None
    assert record.recommendation.acknowledged_at == NOW + 3


async def test_an_acknowledgement_of_an_older_card_does_not_count_for_the_new_one(
    db: Database, vault: Vault, ses: str
) -> None:
    await db.write(
        lambda conn: recommendations.save(
            conn, vault, ses, 2, {"words": "newer"}, "clinician_home", NOW + 9, send=True
        )
    )
    record = await _read(db, vault, person("manager"), ses)
    assert record.recommendation is not None
    assert record.recommendation.acknowledged_at is None


@pytest.mark.parametrize("role", ["clinician", "supervisor", "manager"])
async def test_another_organisations_session_and_an_unknown_one_are_refused_alike(
    db: Database, vault: Vault, ses: str, role: str
) -> None:
    refusals = []
    for session_id in (ses, "ses_unknown"):
        with pytest.raises(AuthError) as refused:
            await _read(db, vault, person(role, "away"), session_id)
        refusals.append((type(refused.value), str(refused.value)))
    assert refusals[0] == refusals[1]
    assert refusals[0][0] is NoSuchRecord
    assert await _audited(db) == [
        (f"{role}_away", "record.read", ses, "refused"),
        (f"{role}_away", "record.read", "ses_unknown", "refused"),
    ]


async def test_a_colleague_reads_a_session_only_while_a_follow_up_of_it_is_theirs(
    db: Database, vault: Vault, ses: str
) -> None:
    colleague = person("clinician", person_id="colleague_home")
    record = await _read(db, vault, colleague, ses)
    assert record.clinical
    assert record.followups[0].note == "the-note-words"
    assert not record.may_sign
    given_back = update(schema.followup).values(owner_id="clinician_home")
    await db.write(lambda conn: conn.execute(given_back))
    with pytest.raises(NoSuchRecord):
        await _read(db, vault, colleague, ses)


async def test_a_lead_who_moved_to_another_provider_is_refused(
    db: Database, vault: Vault, ses: str
) -> None:
    moved = replace(person("clinician"), provider_id="prv_away")
    with pytest.raises(NoSuchRecord):
        await _read(db, vault, moved, ses)


async def test_a_requeued_session_is_closed_to_the_one_who_led_it(
    db: Database, vault: Vault, ses: str
) -> None:
    await _change(db, ses, state="waiting", lead_id=None, close_reason=None)
    with pytest.raises(NoSuchRecord):
        await _read(db, vault, person("clinician"), ses)


@pytest.mark.parametrize("actor", [tablet(), person("officer"), person("admin")])
async def test_tablets_officers_and_administrators_read_no_record_known_or_not(
    db: Database, vault: Vault, ses: str, actor: Actor
) -> None:
    for session_id in (ses, "ses_unknown"):
        with pytest.raises(Forbidden):
            await _read(db, vault, actor, session_id)
    assert [row[3] for row in await _audited(db)] == ["refused", "refused"]


@pytest.mark.parametrize(
    "noise", ["", "x" * 500, "ses_1' OR 1=1", "../etc", "ses_\x00", "SES_HOME"]
)
async def test_what_is_no_id_is_refused_and_not_kept(
    db: Database, vault: Vault, ses: str, noise: str
) -> None:
    with pytest.raises(NoSuchRecord):
        await _read(db, vault, person("manager"), noise)
    assert await _audited(db) == [("manager_home", "record.read", None, "refused")]


async def test_when_the_audit_fails_nothing_is_shown(db: Database, vault: Vault, ses: str) -> None:
    await db.write(lambda conn: conn.execute(text("DROP TABLE audit")))
    manager = person("manager")
    with pytest.raises(AuditFailed):
        await _read(db, vault, manager, ses)
    with pytest.raises(AuditFailed):
        await _read(db, vault, person("admin"), ses)
    with pytest.raises(AuditFailed):
        await read_log(db, manager, LogFilter(), NOW)
    with pytest.raises(AuditFailed):
        await export_log(db, manager, LogFilter(), NOW, label=_label)


# --- the log --------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["manager", "supervisor"])
@pytest.mark.parametrize("side", ["home", "away"])
async def test_the_log_holds_the_readers_own_sessions_with_names(
    db: Database, ses: str, role: str, side: str
) -> None:
    page = await read_log(db, person(role, side), LogFilter(), NOW)
    assert [entry.row.id for entry in page.entries] == [f"ses_{side}"]
    entry = page.entries[0]
    assert (entry.agency, entry.officer, entry.clinician) == (
        f"Agency {side}",
        f"Officer of {side}",
        f"Clinician of {side}",
    )
    assert entry.durations.to_answer == 8
    assert await _audited(db) == [(f"{role}_{side}", "log.read", None, "allowed")]


@pytest.mark.parametrize(
    "actor", [tablet(), person("officer"), person("admin"), person("clinician")]
)
async def test_the_log_the_board_and_the_export_are_closed_to_all_others(
    db: Database, ses: str, actor: Actor
) -> None:
    with pytest.raises(Forbidden):
        await read_log(db, actor, LogFilter(), NOW)
    with pytest.raises(Forbidden):
        await read_board(db, actor, NOW)
    with pytest.raises(Forbidden):
        await export_log(db, actor, LogFilter(), NOW, label=_label)
    assert [(row[1], row[3]) for row in await _audited(db)] == [
        ("log.read", "refused"),
        ("board.read", "refused"),
        ("log.export", "refused"),
    ]


async def test_a_manager_without_a_program_has_no_log(db: Database, ses: str) -> None:
    with pytest.raises(Forbidden):
        await read_log(db, replace(person("manager"), program_id=None), LogFilter(), NOW)


async def test_a_filter_for_another_agency_does_not_widen_the_scope(db: Database, ses: str) -> None:
    page = await read_log(db, person("manager"), LogFilter(agency_id="agy_away"), NOW)
    assert page.entries == ()


async def test_the_board_counts_the_readers_own_sessions(db: Database, ses: str) -> None:
    await _change(db, ses, state="waiting", lead_id=None, close_reason=None)
    assert (await read_board(db, person("manager"), NOW)).waiting == 1
    assert (await read_board(db, person("manager", "away"), NOW)).waiting == 0


async def test_the_export_is_without_names_unless_asked_for_and_allowed(
    db: Database, ses: str
) -> None:
    plain = await _export(db, person("manager"), names=False)
    assert "ses_home" in plain
    assert "ses_away" not in plain
    assert "Clinician of" not in plain
    assert "Officer of" not in plain
    named = await _export(db, person("manager"), names=True)
    assert "Clinician of home" in named
    with pytest.raises(Forbidden):
        await _export(db, person("supervisor"), names=True)
    assert [(row[1], row[3]) for row in await _audited(db)] == [
        ("log.export", "allowed"),
        ("log.export_names", "allowed"),
        ("log.export_names", "refused"),
    ]


async def test_an_export_is_on_record_before_its_first_piece(db: Database, ses: str) -> None:
    await export_log(db, person("manager"), LogFilter(), NOW, label=_label)
    assert [row[1] for row in await _audited(db)] == ["log.export"]


def _label(_column: str, code: str) -> str:
    return code.replace("_", " ")


async def _export(db: Database, actor: Actor, *, names: bool) -> str:
    pieces = await export_log(db, actor, LogFilter(), NOW, label=_label, names=names)
    return "".join([piece async for piece in pieces])


async def _change(db: Database, session_id: str, **values: object) -> None:
    changes: Mapping[str, object] = values

    async def work(conn: AsyncConnection) -> None:
        session = schema.session
        await conn.execute(update(session).where(session.c.id == session_id).values(**changes))

    await db.write(work)
