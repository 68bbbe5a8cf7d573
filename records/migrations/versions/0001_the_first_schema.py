"""The first schema"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "agency",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("county", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=2), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("regional_line", sa.Text(), nullable=False),
        sa.Column("intake_tiles", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agency")),
    )
    op.create_table(
        "audit",
        sa.Column("no", sa.Integer(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("actor_kind", sa.String(length=12), nullable=False),
        sa.Column("actor_id", sa.String(length=40), nullable=True),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("object_kind", sa.String(length=24), nullable=False),
        sa.Column("object_id", sa.String(length=40), nullable=True),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("no", name=op.f("pk_audit")),
    )
    op.create_table(
        "program",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_program")),
    )
    op.create_table(
        "provider",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("bridge_line", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider")),
    )
    op.create_table(
        "coverage",
        sa.Column("agency_id", sa.String(length=40), nullable=False),
        sa.Column("provider_id", sa.String(length=40), nullable=False),
        sa.Column("program_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["agency_id"], ["agency.id"], name=op.f("fk_coverage_agency_id")),
        sa.ForeignKeyConstraint(
            ["program_id"], ["program.id"], name=op.f("fk_coverage_program_id")
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["provider.id"], name=op.f("fk_coverage_provider_id")
        ),
        sa.PrimaryKeyConstraint("agency_id", name=op.f("pk_coverage")),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("short_name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("pin_hash", sa.Text(), nullable=True),
        sa.Column("agency_id", sa.String(length=40), nullable=True),
        sa.Column("provider_id", sa.String(length=40), nullable=True),
        sa.Column("program_id", sa.String(length=40), nullable=True),
        sa.Column("licence_type", sa.Text(), nullable=True),
        sa.Column("licence_state", sa.String(length=2), nullable=True),
        sa.Column("licence_number", sa.Text(), nullable=True),
        sa.Column("licence_expires_at", sa.Double(), nullable=True),
        sa.Column("locale", sa.String(length=5), server_default="en", nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("demo", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("failed_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failed_since", sa.Double(), nullable=True),
        sa.Column("locked_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["agency_id"], ["agency.id"], name=op.f("fk_person_agency_id")),
        sa.ForeignKeyConstraint(["program_id"], ["program.id"], name=op.f("fk_person_program_id")),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["provider.id"], name=op.f("fk_person_provider_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("email", name=op.f("uq_person_email")),
    )
    op.create_table(
        "tablet",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("agency_id", sa.String(length=40), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("credential", sa.Integer(), server_default="0", nullable=False),
        sa.Column("enrolled_at", sa.Double(), nullable=True),
        sa.Column("last_seen_at", sa.Double(), nullable=True),
        sa.Column("revoked_at", sa.Double(), nullable=True),
        sa.Column("demo", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(["agency_id"], ["agency.id"], name=op.f("fk_tablet_agency_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tablet")),
    )
    with op.batch_alter_table("tablet", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tablet_agency_id"), ["agency_id"], unique=False)

    op.create_table(
        "enrolment",
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("tablet_id", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("used_at", sa.Double(), nullable=True),
        sa.Column("reusable", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(["tablet_id"], ["tablet.id"], name=op.f("fk_enrolment_tablet_id")),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_enrolment")),
    )
    with op.batch_alter_table("enrolment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_enrolment_tablet_id"), ["tablet_id"], unique=False)

    op.create_table(
        "login",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("revoked_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_login_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login")),
    )
    with op.batch_alter_table("login", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_login_person_id"), ["person_id"], unique=False)

    op.create_table(
        "role_grant",
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("granted_at", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "role IN ('officer','clinician','supervisor','manager','admin')",
            name=op.f("ck_role_grant_known_role"),
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_role_grant_person_id")),
        sa.PrimaryKeyConstraint("person_id", "role", name=op.f("pk_role_grant")),
    )
    op.create_table(
        "roster_entry",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("provider_id", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("starts_minute", sa.Integer(), nullable=False),
        sa.Column("ends_minute", sa.Integer(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.CheckConstraint("days BETWEEN 1 AND 127", name=op.f("ck_roster_entry_days")),
        sa.CheckConstraint("tier BETWEEN 1 AND 9", name=op.f("ck_roster_entry_tier")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_roster_entry_person_id")
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["provider.id"], name=op.f("fk_roster_entry_provider_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roster_entry")),
    )
    with op.batch_alter_table("roster_entry", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_roster_entry_provider_id"), ["provider_id"], unique=False
        )

    op.create_table(
        "shift",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("tablet_id", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_shift_person_id")),
        sa.ForeignKeyConstraint(["tablet_id"], ["tablet.id"], name=op.f("fk_shift_tablet_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shift")),
    )
    with op.batch_alter_table("shift", schema=None) as batch_op:
        batch_op.create_index(
            "one_shift_per_tablet",
            ["tablet_id"],
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )

    op.create_table(
        "session",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("code", sa.String(length=8), nullable=False),
        sa.Column("press_key", sa.String(length=64), nullable=False),
        sa.Column("agency_id", sa.String(length=40), nullable=False),
        sa.Column("provider_id", sa.String(length=40), nullable=False),
        sa.Column("program_id", sa.String(length=40), nullable=False),
        sa.Column("tablet_id", sa.String(length=40), nullable=False),
        sa.Column("shift_id", sa.String(length=40), nullable=True),
        sa.Column("officer_id", sa.String(length=40), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("phase", sa.String(length=12), server_default="brief", nullable=False),
        sa.Column("epoch", sa.Integer(), server_default="0", nullable=False),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), server_default="5", nullable=False),
        sa.Column("level", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lead_id", sa.String(length=40), nullable=True),
        sa.Column("voice_only", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("intake", sa.Text(), server_default="[]", nullable=False),
        sa.Column("deadline_at", sa.Double(), nullable=True),
        sa.Column("close_reason", sa.String(length=24), nullable=True),
        sa.Column("test", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("pressed_at", sa.Double(), nullable=False),
        sa.Column("alerted_at", sa.Double(), nullable=True),
        sa.Column("accepted_at", sa.Double(), nullable=True),
        sa.Column("media_at", sa.Double(), nullable=True),
        sa.Column("handed_over_at", sa.Double(), nullable=True),
        sa.Column("handed_back_at", sa.Double(), nullable=True),
        sa.Column("recommended_at", sa.Double(), nullable=True),
        sa.Column("acknowledged_at", sa.Double(), nullable=True),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("closed_at", sa.Double(), nullable=True),
        sa.Column("disposition_at", sa.Double(), nullable=True),
        sa.Column("requeued_at", sa.Double(), nullable=True),
        sa.Column("brief_seconds", sa.Double(), server_default="0", nullable=False),
        sa.Column("handed_over_seconds", sa.Double(), server_default="0", nullable=False),
        sa.Column("debrief_seconds", sa.Double(), server_default="0", nullable=False),
        sa.Column("phase_since", sa.Double(), nullable=True),
        sa.Column("recommended_disposition", sa.String(length=32), nullable=True),
        sa.Column("actual_disposition", sa.String(length=32), nullable=True),
        sa.Column("difference_reason", sa.String(length=32), nullable=True),
        sa.CheckConstraint(
            "NOT (state IN ('answering','connected','recovering')) OR lead_id IS NOT NULL",
            name=op.f("ck_session_led_has_leader"),
        ),
        sa.CheckConstraint(
            "phase IN ('brief','handed_over','debrief')", name=op.f("ck_session_known_phase")
        ),
        sa.CheckConstraint(
            "state != 'closed' OR close_reason IS NOT NULL",
            name=op.f("ck_session_closed_has_reason"),
        ),
        sa.CheckConstraint(
            "state != 'waiting' OR lead_id IS NULL", name=op.f("ck_session_waiting_has_none")
        ),
        sa.CheckConstraint(
            "state IN ('waiting','answering','connected','recovering','wrap_up','closed')",
            name=op.f("ck_session_known_state"),
        ),
        sa.ForeignKeyConstraint(["agency_id"], ["agency.id"], name=op.f("fk_session_agency_id")),
        sa.ForeignKeyConstraint(["lead_id"], ["person.id"], name=op.f("fk_session_lead_id")),
        sa.ForeignKeyConstraint(["officer_id"], ["person.id"], name=op.f("fk_session_officer_id")),
        sa.ForeignKeyConstraint(["program_id"], ["program.id"], name=op.f("fk_session_program_id")),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["provider.id"], name=op.f("fk_session_provider_id")
        ),
        sa.ForeignKeyConstraint(["shift_id"], ["shift.id"], name=op.f("fk_session_shift_id")),
        sa.ForeignKeyConstraint(["tablet_id"], ["tablet.id"], name=op.f("fk_session_tablet_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session")),
        sa.UniqueConstraint("press_key", name=op.f("uq_session_press_key")),
    )
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_session_agency_id"), ["agency_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_session_program_id"), ["program_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_session_provider_id"), ["provider_id"], unique=False)
        batch_op.create_index(
            "one_open_session_per_tablet",
            ["tablet_id"],
            unique=True,
            sqlite_where=sa.text("state IN ('waiting','answering','connected','recovering')"),
            postgresql_where=sa.text("state IN ('waiting','answering','connected','recovering')"),
        )
        batch_op.create_index(
            "one_session_per_leader",
            ["lead_id"],
            unique=True,
            sqlite_where=sa.text("state IN ('answering','connected','recovering')"),
            postgresql_where=sa.text("state IN ('answering','connected','recovering')"),
        )
        batch_op.create_index("session_log", ["pressed_at", "id"], unique=False)
        batch_op.create_index("session_state", ["state"], unique=False)

    op.create_table(
        "assessment",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("instrument", sa.String(length=40), nullable=False),
        sa.Column("instrument_version", sa.String(length=16), nullable=False),
        sa.Column("author_id", sa.String(length=40), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("answers_enc", sa.LargeBinary(), nullable=False),
        sa.Column("result_enc", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["person.id"], name=op.f("fk_assessment_author_id")),
        sa.ForeignKeyConstraint(
            ["session_id"], ["session.id"], name=op.f("fk_assessment_session_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment")),
        sa.UniqueConstraint("session_id", "instrument", name="uq_assessment_instrument"),
    )
    op.create_table(
        "chat_line",
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("no", sa.Integer(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("sender", sa.String(length=12), nullable=False),
        sa.Column("sender_id", sa.String(length=40), nullable=True),
        sa.Column("body_enc", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["session.id"], name=op.f("fk_chat_line_session_id")
        ),
        sa.PrimaryKeyConstraint("session_id", "no", name=op.f("pk_chat_line")),
    )
    op.create_table(
        "followup",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("owner_id", sa.String(length=40), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("status", sa.String(length=12), server_default="open", nullable=False),
        sa.Column("note_enc", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("closed_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["owner_id"], ["person.id"], name=op.f("fk_followup_owner_id")),
        sa.ForeignKeyConstraint(
            ["session_id"], ["session.id"], name=op.f("fk_followup_session_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_followup")),
    )
    with op.batch_alter_table("followup", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_followup_session_id"), ["session_id"], unique=False)

    op.create_table(
        "offer",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("clinician_id", sa.String(length=40), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("sent_at", sa.Double(), nullable=False),
        sa.Column("deliver_by", sa.Double(), nullable=False),
        sa.Column("delivered_at", sa.Double(), nullable=True),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending','delivered','accepted','declined','expired','undelivered',"
            "'withdrawn')",
            name=op.f("ck_offer_known_state"),
        ),
        sa.ForeignKeyConstraint(
            ["clinician_id"], ["person.id"], name=op.f("fk_offer_clinician_id")
        ),
        sa.ForeignKeyConstraint(["session_id"], ["session.id"], name=op.f("fk_offer_session_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offer")),
        sa.UniqueConstraint("session_id", "clinician_id", "epoch", "sent_at", name="uq_offer_once"),
    )
    with op.batch_alter_table("offer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_offer_session_id"), ["session_id"], unique=False)
        batch_op.create_index(
            "one_accepted_offer_per_assignment",
            ["session_id", "epoch"],
            unique=True,
            sqlite_where=sa.text("state = 'accepted'"),
            postgresql_where=sa.text("state = 'accepted'"),
        )
        batch_op.create_index(
            "one_ring_per_clinician",
            ["clinician_id"],
            unique=True,
            sqlite_where=sa.text("state IN ('pending','delivered')"),
            postgresql_where=sa.text("state IN ('pending','delivered')"),
        )

    op.create_table(
        "recommendation",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("author_id", sa.String(length=40), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("card_enc", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("sent_rev", sa.Integer(), nullable=True),
        sa.Column("sent_card_enc", sa.LargeBinary(), nullable=True),
        sa.Column("sent_at", sa.Double(), nullable=True),
        sa.Column("acknowledged_rev", sa.Integer(), nullable=True),
        sa.Column("acknowledged_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["author_id"], ["person.id"], name=op.f("fk_recommendation_author_id")
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["session.id"], name=op.f("fk_recommendation_session_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recommendation")),
        sa.UniqueConstraint("session_id", name=op.f("uq_recommendation_session_id")),
    )
    op.create_table(
        "session_key",
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("kek_id", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["session.id"], name=op.f("fk_session_key_session_id")
        ),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_session_key")),
    )
    op.create_table(
        "timeline",
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("no", sa.Integer(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("actor_kind", sa.String(length=12), nullable=False),
        sa.Column("actor_id", sa.String(length=40), nullable=True),
        sa.Column("data", sa.Text(), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["session.id"], name=op.f("fk_timeline_session_id")
        ),
        sa.PrimaryKeyConstraint("session_id", "no", name=op.f("pk_timeline")),
    )


def downgrade() -> None:
    op.drop_table("timeline")
    op.drop_table("session_key")
    op.drop_table("recommendation")
    with op.batch_alter_table("offer", schema=None) as batch_op:
        batch_op.drop_index(
            "one_ring_per_clinician",
            sqlite_where=sa.text("state IN ('pending','delivered')"),
            postgresql_where=sa.text("state IN ('pending','delivered')"),
        )
        batch_op.drop_index(
            "one_accepted_offer_per_assignment",
            sqlite_where=sa.text("state = 'accepted'"),
            postgresql_where=sa.text("state = 'accepted'"),
        )
        batch_op.drop_index(batch_op.f("ix_offer_session_id"))

    op.drop_table("offer")
    with op.batch_alter_table("followup", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_followup_session_id"))

    op.drop_table("followup")
    op.drop_table("chat_line")
    op.drop_table("assessment")
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.drop_index("session_state")
        batch_op.drop_index("session_log")
        batch_op.drop_index(
            "one_session_per_leader",
            sqlite_where=sa.text("state IN ('answering','connected','recovering')"),
            postgresql_where=sa.text("state IN ('answering','connected','recovering')"),
        )
        batch_op.drop_index(
            "one_open_session_per_tablet",
            sqlite_where=sa.text("state IN ('waiting','answering','connected','recovering')"),
            postgresql_where=sa.text("state IN ('waiting','answering','connected','recovering')"),
        )
        batch_op.drop_index(batch_op.f("ix_session_provider_id"))
        batch_op.drop_index(batch_op.f("ix_session_program_id"))
        batch_op.drop_index(batch_op.f("ix_session_agency_id"))

    op.drop_table("session")
    with op.batch_alter_table("shift", schema=None) as batch_op:
        batch_op.drop_index(
            "one_shift_per_tablet",
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )

    op.drop_table("shift")
    with op.batch_alter_table("roster_entry", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_roster_entry_provider_id"))

    op.drop_table("roster_entry")
    op.drop_table("role_grant")
    with op.batch_alter_table("login", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_login_person_id"))

    op.drop_table("login")
    with op.batch_alter_table("enrolment", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_enrolment_tablet_id"))

    op.drop_table("enrolment")
    with op.batch_alter_table("tablet", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_tablet_agency_id"))

    op.drop_table("tablet")
    op.drop_table("person")
    op.drop_table("coverage")
    op.drop_table("provider")
    op.drop_table("program")
    op.drop_table("audit")
    op.drop_table("agency")
