"""The durable record's tables: the whole truth about what is stored and what can never be stored.

Rules of this file:
1. Times are UTC seconds since the epoch (`Double`), durations too. Nothing here reads a clock.
2. A column that ends in `_enc` holds personal or clinical content, encrypted by `records.crypto`
   and bound to its table, column and row. Nothing personal or clinical stands in clear text.
3. States that must not exist are made unrepresentable by constraints, not only by code: at most one
   leader of a session, one session of a leader, one accepted offer, one ring of a clinician.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)

# PostgreSQL's advisory locks, by number; SQLite has one writer anyway
MIGRATION_LOCK = 0x6362_0001
PRESS_LOCK = 0x6362_0002
SERVER_LOCK = 0x6362_0003


def _id() -> Column[str]:
    return Column("id", String(40), primary_key=True)


# --- who there is ---------------------------------------------------------------------------------

agency = Table(
    "agency",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    Column("county", Text, nullable=False),
    Column("state", String(2), nullable=False),
    Column("timezone", Text, nullable=False),
    Column("regional_line", Text, nullable=False),  # phone shown on the tablet beside 988
    Column("intake_tiles", Text, nullable=False),  # JSON list of at most three codes
)

provider = Table(
    "provider",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("bridge_line", Text, nullable=False),  # phone number for "Phone instead"
)

program = Table(
    "program",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
)

coverage = Table(  # which provider answers which agency, and under which program
    "coverage",
    metadata,
    Column("agency_id", ForeignKey("agency.id"), primary_key=True),
    Column("provider_id", ForeignKey("provider.id"), nullable=False),
    Column("program_id", ForeignKey("program.id"), nullable=False),
    Column("funding", String(24), nullable=False, server_default="unknown"),  # who pays
)

catchment = Table(  # which providers may answer an incident at a place, the lowest rank first
    "catchment",
    metadata,
    Column("provider_id", ForeignKey("provider.id"), primary_key=True),
    Column("state", String(2), primary_key=True),
    Column("county", String(60), primary_key=True),  # '': the whole state
    Column("rank", Integer, nullable=False),
    CheckConstraint("rank BETWEEN 1 AND 9", name="rank"),
)

agency_place = Table(  # where an agency works beside its own county; the tablet lists them
    "agency_place",
    metadata,
    Column("agency_id", ForeignKey("agency.id"), primary_key=True),
    Column("no", Integer, primary_key=True),
    Column("county", String(60), nullable=False),
    Column("state", String(2), nullable=False),
)

queue_settings = Table(  # how a provider is rung; NULL: as the settings say
    "queue_settings",
    metadata,
    Column("provider_id", ForeignKey("provider.id"), primary_key=True),
    Column("ring", String(4), nullable=False, server_default="all"),
    Column("round_seconds", Double),
    Column("deliver_seconds", Double),
    Column("cooldown_declined", Double),
    Column("cooldown_expired", Double),
    Column("cooldown_undelivered", Double),
    Column("excluded_after_decline", Double),
    Column("promote_after", Double),
    Column("missed_limit", Integer),
    # JSON list of [what, seconds, whether at once when nobody else is left]; NULL: the default
    Column("relaxations", Text),
    CheckConstraint("ring IN ('all','one')", name="known_ring"),
)

person = Table(
    "person",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    Column("short_name", Text, nullable=False),  # what the other side reads: "Dana"
    Column("email", Text, nullable=False, unique=True),
    Column("password_hash", Text),
    Column("pin_hash", Text),
    Column("agency_id", ForeignKey("agency.id")),
    Column("provider_id", ForeignKey("provider.id")),
    Column("program_id", ForeignKey("program.id")),
    # the first of the person's rows in `licence`, for who reads one only
    Column("licence_type", Text),
    Column("licence_state", String(2)),
    Column("licence_number", Text),
    Column("licence_expires_at", Double),
    Column("serves_adult", Boolean, nullable=False, server_default=text("true")),
    Column("serves_juvenile", Boolean, nullable=False, server_default=text("true")),
    Column("locale", String(5), nullable=False, server_default="en"),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("demo", Boolean, nullable=False, server_default=text("false")),
    Column("failed_count", Integer, nullable=False, server_default="0"),
    Column("failed_since", Double),
    Column("locked_at", Double),
)

licence = Table(  # permission to practise in one state, by its board or by a compact
    "licence",
    metadata,
    Column("person_id", ForeignKey("person.id"), primary_key=True),
    Column("no", Integer, primary_key=True),
    Column("type", String(40), nullable=False),
    Column("state", String(2), nullable=False),
    Column("number", String(40), nullable=False),
    Column("expires_at", Double),  # NULL: no end is known
    Column("compact", String(24)),  # NULL: by the state's own board
)

person_tag = Table(  # languages that somebody works in, specialities that they have
    "person_tag",
    metadata,
    Column("person_id", ForeignKey("person.id"), primary_key=True),
    Column("kind", String(12), primary_key=True),
    Column("code", String(24), primary_key=True),
    CheckConstraint("kind IN ('language','speciality')", name="known_kind"),
)

role_grant = Table(
    "role_grant",
    metadata,
    Column("person_id", ForeignKey("person.id"), primary_key=True),
    # officer | clinician | supervisor | manager | admin
    Column("role", String(16), primary_key=True),
    Column("granted_at", Double, nullable=False),
    CheckConstraint(
        "role IN ('officer','clinician','supervisor','manager','admin')", name="known_role"
    ),
)

login = Table(
    "login",
    metadata,
    _id(),
    Column("person_id", ForeignKey("person.id"), nullable=False, index=True),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("revoked_at", Double),
    Column(
        "partial", Boolean, nullable=False, server_default=text("false")
    ),  # no second factor yet
    Column("proven_at", Double),  # the last proof after the sign-in itself; NULL: none
    Column("active_at", Double),  # when somebody was last seen at a page; NULL: at the sign-in
    Column("covered_at", Double),  # the pages are covered until somebody proves who they are
    Column("issuer_id", String(40)),  # the directory that it was opened by; NULL: none
    # its person has lost a role in a call: it ends when the call is over
    Column("ends_after_call", Boolean, nullable=False, server_default=text("false")),
    # what renews its short token: only digests, of the newest one and of the one before
    Column("renewal_no", Integer),  # NULL: opened by a server that had no such tokens
    Column("renewal_digest", String(64)),
    Column("renewal_before", String(64)),
    Column("renewal_salt", LargeBinary),  # makes the newest out of the one before
    Column("renewed_at", Double),
    Column("renewed_by", String(64)),  # the kind of browser, as a digest
)

tablet = Table(
    "tablet",
    metadata,
    _id(),
    Column("agency_id", ForeignKey("agency.id"), nullable=False, index=True),
    Column("label", Text, nullable=False),  # "Unit 12"
    Column("credential", Integer, nullable=False, server_default="0"),  # grows with each enrolment
    Column("enrolled_at", Double),
    Column("last_seen_at", Double),
    Column("revoked_at", Double),
    Column("demo", Boolean, nullable=False, server_default=text("false")),
    Column("device_key", String(100)),  # the public half; null: its browser keeps none (yet)
    Column("key_bound_at", Double),
    Column("key_bound_by", String(16)),  # enrolment, first_use, pin
    Column("key_refused_at", Double),  # a device without the key showed this tablet's cookie
)

enrolment = Table(
    "enrolment",
    metadata,
    Column("code_hash", String(64), primary_key=True),
    Column("tablet_id", ForeignKey("tablet.id"), nullable=False, index=True),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("used_at", Double),
    Column("reusable", Boolean, nullable=False, server_default=text("false")),  # demo only
)

shift = Table(
    "shift",
    metadata,
    _id(),
    Column("tablet_id", ForeignKey("tablet.id"), nullable=False),
    Column("person_id", ForeignKey("person.id"), nullable=False),
    Column("started_at", Double, nullable=False),
    Column("ended_at", Double),
    Index(
        "one_shift_per_tablet",
        "tablet_id",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)

roster_entry = Table(
    "roster_entry",
    metadata,
    _id(),
    Column("provider_id", ForeignKey("provider.id"), nullable=False, index=True),
    Column("person_id", ForeignKey("person.id"), nullable=False),
    Column("tier", Integer, nullable=False),
    Column("days", Integer, nullable=False),  # bit mask, Monday = 1
    Column("starts_minute", Integer, nullable=False),
    Column("ends_minute", Integer, nullable=False),  # equal to starts_minute: 24 hours
    Column("timezone", Text, nullable=False),
    Column("valid_from", Date),  # first and last local day on which the shift may begin
    Column("valid_until", Date),
    Column("ended_at", Double),  # taken out of the plan; kept, so that the past can be told
    CheckConstraint("days BETWEEN 1 AND 127", name="days"),
    CheckConstraint("tier BETWEEN 1 AND 9", name="tier"),
)

roster_override = Table(  # somebody comes, somebody goes, or one comes in another's place
    "roster_override",
    metadata,
    _id(),
    Column("provider_id", ForeignKey("provider.id"), nullable=False, index=True),
    Column("person_id", ForeignKey("person.id")),  # comes
    Column("instead_of_id", ForeignKey("person.id")),  # goes
    Column("starts_at", Double, nullable=False),
    Column("ends_at", Double, nullable=False),
    Column("tier", Integer),  # of one who is added; who comes in another's place takes theirs
    Column("made_at", Double, nullable=False),  # the later beats the earlier
    Column("made_by", ForeignKey("person.id"), nullable=False),
    Column("ended_at", Double),
    CheckConstraint("ends_at > starts_at", name="span"),
    CheckConstraint("person_id IS NOT NULL OR instead_of_id IS NOT NULL", name="somebody"),
    CheckConstraint("person_id != instead_of_id", name="not_in_own_place"),
    CheckConstraint("instead_of_id IS NULL OR tier IS NULL", name="tier_of_the_other"),
    CheckConstraint(
        "instead_of_id IS NOT NULL OR tier IS NOT NULL AND tier BETWEEN 1 AND 9",
        name="tier_of_the_added",
    ),
)

roster_swap = Table(  # a clinician offers a turn to a colleague, or to whoever takes it
    "roster_swap",
    metadata,
    _id(),
    Column("provider_id", ForeignKey("provider.id"), nullable=False, index=True),
    Column("from_id", ForeignKey("person.id"), nullable=False),
    Column("to_id", ForeignKey("person.id")),  # NULL: anybody of the provider
    Column("starts_at", Double, nullable=False),
    Column("ends_at", Double, nullable=False),
    Column("back_starts_at", Double),  # the colleague's turn that is taken in exchange
    Column("back_ends_at", Double),
    Column("state", String(12), nullable=False),
    Column("made_at", Double, nullable=False),
    Column("decided_at", Double),
    Column("decided_by", ForeignKey("person.id")),
    Column("taken_by", ForeignKey("person.id")),
    CheckConstraint(
        "state IN ('proposed','accepted','refused','withdrawn','lapsed')", name="known_state"
    ),
    CheckConstraint("ends_at > starts_at", name="span"),
    CheckConstraint("to_id != from_id", name="not_to_oneself"),
    CheckConstraint("taken_by != from_id", name="not_by_oneself"),
    CheckConstraint("state != 'accepted' OR taken_by IS NOT NULL", name="accepted_by_somebody"),
    CheckConstraint("state = 'accepted' OR taken_by IS NULL", name="taken_when_accepted"),
    CheckConstraint("state = 'proposed' OR decided_at IS NOT NULL", name="decided_has_time"),
    CheckConstraint(
        "back_starts_at IS NOT NULL AND back_ends_at IS NOT NULL"
        " AND back_ends_at > back_starts_at AND to_id IS NOT NULL"
        " OR back_starts_at IS NULL AND back_ends_at IS NULL",
        name="exchange",
    ),
    Index(
        "one_proposal_per_turn",
        "from_id",
        "starts_at",
        unique=True,
        sqlite_where=text("state = 'proposed'"),
        postgresql_where=text("state = 'proposed'"),
    ),
)

roster_version = Table(  # one row: grows with each change, so that readers know what is stale
    "roster_version",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

directory_version = Table(  # one row: the database counts each change of the directory itself
    "directory_version",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

roster_feed = Table(  # a private address for calendars; only its digest is kept
    "roster_feed",
    metadata,
    _id(),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("provider_id", ForeignKey("provider.id"), nullable=False),
    Column("person_id", ForeignKey("person.id")),  # NULL: everybody of the provider
    Column("owner_id", ForeignKey("person.id"), nullable=False, index=True),
    Column("made_at", Double, nullable=False),
    Column("revoked_at", Double),
)

roster_alarm = Table(  # gaps that somebody was told of
    "roster_alarm",
    metadata,
    Column("provider_id", ForeignKey("provider.id"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("starts_at", Double, primary_key=True),
    Column("ends_at", Double, nullable=False),
    Column("told_at", Double, nullable=False),
    CheckConstraint("kind IN ('nobody','no_first_tier')", name="known_kind"),
)

# --- the session ----------------------------------------------------------------------------------

OPEN_STATES = ("waiting", "answering", "connected", "recovering", "wrap_up")
LED_STATES = ("answering", "connected", "recovering")
_LED = "state IN ('answering','connected','recovering')"
# at the end of an index: who is narrowed to one outcome as well is found without reading the rest
_OUTCOMES = ("recommended_disposition", "actual_disposition")
_PLACE = ("agency_id", "place_county")

session = Table(
    "session",
    metadata,
    _id(),
    Column("code", String(8), nullable=False),  # spoken on the phone: "session 482 913"
    Column("press_key", String(64), nullable=False, unique=True),  # one press, one session
    Column("agency_id", ForeignKey("agency.id"), nullable=False),
    Column("provider_id", ForeignKey("provider.id"), nullable=False, index=True),
    Column("program_id", ForeignKey("program.id"), nullable=False),
    Column("tablet_id", ForeignKey("tablet.id"), nullable=False),
    Column("shift_id", ForeignKey("shift.id")),
    Column("officer_id", ForeignKey("person.id")),
    Column("state", String(12), nullable=False),
    Column("phase", String(12), nullable=False, server_default="brief"),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("version", Integer, nullable=False, server_default="0"),  # last number on the timeline
    Column("seq", Integer, nullable=False),  # place in line; survives a requeue
    Column("priority", Integer, nullable=False, server_default="5"),  # lower = more urgent
    Column("level", Integer, nullable=False, server_default="0"),  # escalation steps taken
    Column("lead_id", ForeignKey("person.id")),
    Column("voice_only", Boolean, nullable=False, server_default=text("false")),
    Column("intake", Text, nullable=False, server_default="[]"),  # JSON list of tile codes
    Column("place_county", String(60)),  # as the officer said; NULL: the agency's own
    Column("place_state", String(2)),
    Column("language", String(24)),  # that the person speaks, as the officer said
    Column("saver", Boolean, nullable=False, server_default=text("false")),
    Column("held_at", Double),  # since when the tablet is on hold
    Column("deadline_at", Double),
    Column("close_reason", String(24)),
    Column("test", Boolean, nullable=False, server_default=text("false")),
    # the clock of a session: T0 … T8
    Column("pressed_at", Double, nullable=False),
    Column("alerted_at", Double),
    Column("accepted_at", Double),
    Column("media_at", Double),
    Column("handed_over_at", Double),
    Column("handed_back_at", Double),
    Column("recommended_at", Double),
    Column("acknowledged_at", Double),
    Column("ended_at", Double),  # the call's end; wrap-up follows
    Column("closed_at", Double),
    Column("disposition_at", Double),
    Column("requeued_at", Double),
    Column("brief_seconds", Double, nullable=False, server_default="0"),
    Column("handed_over_seconds", Double, nullable=False, server_default="0"),
    Column("debrief_seconds", Double, nullable=False, server_default="0"),
    Column("phase_since", Double),
    # dispositions: what was advised and what happened
    Column("recommended_disposition", String(32)),
    Column("actual_disposition", String(32)),
    Column("difference_reason", String(32)),
    Column("otherwise", String(32)),  # what the officer would have done, said before the call
    Column("flags", Integer, nullable=False, server_default="0"),  # bits: vocabulary.FLAGS
    Column("opioid", String(8), nullable=False, server_default="unknown"),
    # the officer called for themselves: nobody of a program or an agency reads it
    Column("wellness", Boolean, nullable=False, server_default=text("false")),
    Column("funding", String(24), nullable=False, server_default="unknown"),  # as at the press
    Column("node_id", String(40)),  # the process that carries its media; no key: they come and go
    Column("body_camera", String(8)),  # as the officer said; NULL: not said
    Column("erased_at", Double),  # its time was over: numbers alone are left of it
    CheckConstraint(
        "state IN ('waiting','answering','connected','recovering','wrap_up','closed')",
        name="known_state",
    ),
    CheckConstraint("phase IN ('brief','handed_over','debrief')", name="known_phase"),
    CheckConstraint("opioid IN ('unknown','yes','no')", name="known_opioid"),
    CheckConstraint("body_camera IN ('on','off','muted')", name="known_camera"),
    CheckConstraint(f"NOT ({_LED}) OR lead_id IS NOT NULL", name="led_has_leader"),
    CheckConstraint("state != 'waiting' OR lead_id IS NULL", name="waiting_has_none"),
    CheckConstraint("state != 'closed' OR close_reason IS NOT NULL", name="closed_has_reason"),
    Index(
        "one_session_per_leader",
        "lead_id",
        unique=True,
        sqlite_where=text(_LED),
        postgresql_where=text(_LED),
    ),
    Index(
        "one_open_session_per_tablet",
        "tablet_id",
        unique=True,
        sqlite_where=text("state IN ('waiting','answering','connected','recovering')"),
        postgresql_where=text("state IN ('waiting','answering','connected','recovering')"),
    ),
    Index("one_place_in_line", "provider_id", "seq", unique=True),
    Index("newest_place_in_line", "seq"),  # each press takes the next one
    Index("session_log", "pressed_at", "id"),
    # the log by each of its filters, newest first; what follows the id is looked at in the index,
    # so that a second filter need not read each session that the first one finds
    Index("session_state", "state", "pressed_at", "id"),
    Index(  # few at any time, whatever the numbers of all say
        "session_open",
        "state",
        "pressed_at",
        "id",
        sqlite_where=text("state <> 'closed'"),
        postgresql_where=text("state <> 'closed'"),
    ),
    Index(
        "session_of_agency", "agency_id", "pressed_at", "id", *_OUTCOMES, "flags", "place_county"
    ),
    Index("session_code", "code", "pressed_at", "id"),
    Index(
        "session_recommended",
        "recommended_disposition",
        "pressed_at",
        "id",
        "actual_disposition",
        "flags",
        sqlite_where=text("recommended_disposition IS NOT NULL"),
        postgresql_where=text("recommended_disposition IS NOT NULL"),
    ),
    Index(
        "session_actual",
        "actual_disposition",
        "pressed_at",
        "id",
        "recommended_disposition",
        "flags",
        sqlite_where=text("actual_disposition IS NOT NULL"),
        postgresql_where=text("actual_disposition IS NOT NULL"),
    ),
    Index("session_led", "lead_id", "pressed_at", "id", *_OUTCOMES, "flags"),
    Index("session_of_officer", "officer_id", "pressed_at", "id", *_OUTCOMES, "flags", *_PLACE),
    Index("session_of_tablet", "tablet_id", "pressed_at", "id", *_OUTCOMES, "flags", *_PLACE),
    Index(
        "session_of_county",
        "place_county",
        "place_state",
        "pressed_at",
        "id",
        *_OUTCOMES,
        "flags",
        sqlite_where=text("place_county IS NOT NULL"),
        postgresql_where=text("place_county IS NOT NULL"),
    ),
    *(  # by one flag each; "naloxone given" is none that the log is searched by
        Index(
            f"session_flag_{bit}",
            "pressed_at",
            "id",
            sqlite_where=text(f"(flags & {1 << bit}) <> 0"),
            postgresql_where=text(f"(flags & {1 << bit}) <> 0"),
        )
        for bit in (0, 1, 2, 4, 5, 6, 7)
    ),
    Index("session_of_lead", "lead_id", "closed_at"),
    Index(  # officers' own calls, which are few and hidden from many
        "session_own_call",
        "provider_id",
        sqlite_where=text("wellness IS 1"),
        postgresql_where=text("wellness IS true"),
    ),
    Index(  # what the look-outs read: sessions in the order in which they were closed
        "session_closed",
        "closed_at",
        "id",
        sqlite_where=text("closed_at IS NOT NULL"),
        postgresql_where=text("closed_at IS NOT NULL"),
    ),
)

node = Table(  # server processes that are alive, when there is more than one
    "node",
    metadata,
    _id(),
    Column("started_at", Double, nullable=False),
    Column("beat_at", Double, nullable=False),
    Column("beats", Integer, nullable=False),  # what the others look at: no clock is compared
)

session_key = Table(  # one data key per session, wrapped by the key-encryption key
    "session_key",
    metadata,
    Column("session_id", ForeignKey("session.id"), primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
    Column("kek_id", String(16), nullable=False),
)

_UNREAD = "state IN ('declined','expired','undelivered') AND read_at IS NULL"
_RINGING = "state IN ('pending','delivered')"

offer = Table(
    "offer",
    metadata,
    _id(),
    Column("session_id", ForeignKey("session.id"), nullable=False, index=True),
    Column("clinician_id", ForeignKey("person.id"), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("token", String(40), nullable=False),  # fencing token, told to this clinician only
    Column("state", String(12), nullable=False),
    Column("sent_at", Double, nullable=False),
    Column("deliver_by", Double, nullable=False),
    Column("delivered_at", Double),
    Column("expires_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("reason", String(32)),
    Column("purpose", String(8), nullable=False, server_default="answer"),  # answer | transfer
    CheckConstraint("purpose IN ('answer','transfer')", name="known_purpose"),
    # JSON list of [step, seconds]: what was let through so that this clinician could be rung
    Column("relaxed", Text, nullable=False, server_default="[]"),
    Column("read_at", Double),  # a missed one that its clinician has seen on the list
    Column("forgiven_at", Double),  # an expired one that does not count towards a pause any more
    CheckConstraint(
        "state IN ('pending','delivered','accepted','declined','expired','undelivered',"
        "'withdrawn')",
        name="known_state",
    ),
    Index(
        "missed_in_a_row",
        "clinician_id",
        sqlite_where=text("state = 'expired' AND forgiven_at IS NULL"),
        postgresql_where=text("state = 'expired' AND forgiven_at IS NULL"),
    ),
    Index(
        "missed_unread",
        "clinician_id",
        sqlite_where=text(_UNREAD),
        postgresql_where=text(_UNREAD),
    ),
    Index(  # the same of everybody, not long ago
        "missed_lately",
        "ended_at",
        "id",
        sqlite_where=text(_UNREAD),
        postgresql_where=text(_UNREAD),
    ),
    UniqueConstraint("session_id", "clinician_id", "epoch", "sent_at", name="uq_offer_once"),
    Index(
        "one_accepted_offer_per_assignment",
        "session_id",
        "epoch",
        unique=True,
        sqlite_where=text("state = 'accepted'"),
        postgresql_where=text("state = 'accepted'"),
    ),
    Index(
        "one_ring_per_clinician",
        "clinician_id",
        unique=True,
        sqlite_where=text(_RINGING),
        postgresql_where=text(_RINGING),
    ),
    Index(  # few at any time, of all that ever rang
        "offer_rings",
        "state",
        "sent_at",
        "id",
        sqlite_where=text(_RINGING),
        postgresql_where=text(_RINGING),
    ),
    Index(  # those of not long ago
        "offer_ended",
        "ended_at",
        "id",
        sqlite_where=text("ended_at IS NOT NULL"),
        postgresql_where=text("ended_at IS NOT NULL"),
    ),
)

timeline = Table(  # append-only; data holds codes, ids and numbers only, nothing clinical
    "timeline",
    metadata,
    Column("session_id", ForeignKey("session.id"), primary_key=True),
    Column("no", Integer, primary_key=True),
    Column("at", Double, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("actor_kind", String(12), nullable=False),  # officer | clinician | system | person …
    Column("actor_id", String(40)),
    Column("data", Text, nullable=False, server_default="{}"),
)

quality = Table(  # one leg's line, every few seconds; no addresses
    "quality",
    metadata,
    Column("session_id", ForeignKey("session.id"), primary_key=True),
    Column("seat", String(12), primary_key=True),  # tablet | clinician | side1 …
    Column("at", Double, primary_key=True),
    Column("up", String(4), nullable=False),  # good | fair | poor | none: to us
    Column("down", String(4), nullable=False),  # from us
    Column("step", String(6), nullable=False),  # how much picture it sends: 720p … phone
    Column("loss_up", SmallInteger, nullable=False),  # thousandths of the packets
    Column("loss_down", SmallInteger, nullable=False),
    Column("rtt_ms", Integer),  # NULL: not known
    Column("kbit_up", Integer, nullable=False),  # per second
    Column("kbit_down", Integer, nullable=False),
)

chat_line = Table(  # text between officer and clinician; the person does not see it
    "chat_line",
    metadata,
    Column("session_id", ForeignKey("session.id"), primary_key=True),
    Column("no", Integer, primary_key=True),
    Column("at", Double, nullable=False),
    Column("sender", String(12), nullable=False),  # officer | clinician
    Column("sender_id", String(40)),
    Column("body_enc", LargeBinary, nullable=False),
)

# --- the clinical record --------------------------------------------------------------------------

instrument = Table(  # questionnaires that the site imported; what they say never changes
    "instrument",
    metadata,
    Column("code", String(40), primary_key=True),
    Column("version", String(16), primary_key=True),
    Column("body", Text, nullable=False),  # FHIR R4 Questionnaire as JSON
    Column("digest", String(64), nullable=False),  # SHA-256 of the file that was imported
    Column("imported_at", Double, nullable=False),  # the last time; the newest takes new answers
)

assessment = Table(
    "assessment",
    metadata,
    _id(),
    Column("session_id", ForeignKey("session.id"), nullable=False),
    Column("instrument", String(40), nullable=False),
    Column("instrument_version", String(16), nullable=False),
    Column("author_id", ForeignKey("person.id")),  # NULL: on a tablet that nobody had checked out
    Column("rev", Integer, nullable=False),
    Column("answers_enc", LargeBinary, nullable=False),
    Column("result_enc", LargeBinary, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    UniqueConstraint("session_id", "instrument", name="uq_assessment_instrument"),
    Index(  # what is counted from sealed answers: records.medication
        "assessment_counted",
        "session_id",
        sqlite_where=text("instrument = 'moud'"),
        postgresql_where=text("instrument = 'moud'"),
    ),
)

recommendation = Table(
    "recommendation",
    metadata,
    _id(),
    Column("session_id", ForeignKey("session.id"), nullable=False, unique=True),
    Column("author_id", ForeignKey("person.id"), nullable=False),
    Column("rev", Integer, nullable=False),
    Column("card_enc", LargeBinary, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("sent_rev", Integer),  # what the tablet shows; NULL: nothing sent yet
    Column("sent_card_enc", LargeBinary),
    Column("sent_at", Double),
    Column("acknowledged_rev", Integer),
    Column("acknowledged_at", Double),
)

note_signature = Table(  # with it the record is closed; what comes afterwards is an addendum
    "note_signature",
    metadata,
    Column("session_id", ForeignKey("session.id"), primary_key=True),
    Column("signer_id", ForeignKey("person.id"), nullable=False),
    Column("signed_at", Double, nullable=False),
    Column("signer", Text, nullable=False),  # JSON: name and licences as they were then
    Column("digest_enc", LargeBinary, nullable=False),  # SHA-256 of what was signed
    Index("note_of_signer", "signer_id", "signed_at"),
)

addendum = Table(  # words added to a signed note; never changed
    "addendum",
    metadata,
    _id(),
    Column("session_id", ForeignKey("session.id"), nullable=False),
    Column("author_id", ForeignKey("person.id"), nullable=False),
    Column("at", Double, nullable=False),
    Column("body_enc", LargeBinary, nullable=False),
    Index("addendum_session", "session_id", "at"),
)

takeaway = Table(  # a link by which the person reads their own safety plan, without an account
    "takeaway",
    metadata,
    _id(),
    Column("session_id", ForeignKey("session.id"), nullable=False, index=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("made_by", ForeignKey("person.id"), nullable=False),
    Column("made_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("revoked_at", Double),
    Column("opened_at", Double),  # the first time
    Column("opens", Integer, nullable=False, server_default="0"),
    CheckConstraint(
        "expires_at > made_at AND expires_at <= made_at + 2678400", name="a_month_at_most"
    ),
)

wrapup_draft = Table(  # what the clinician has chosen so far; deleted when the wrap-up is finished
    "wrapup_draft",
    metadata,
    Column("session_id", ForeignKey("session.id"), primary_key=True),
    Column("author_id", ForeignKey("person.id"), nullable=False),
    Column("rev", Integer, nullable=False),
    Column("draft_enc", LargeBinary, nullable=False),
    Column("updated_at", Double, nullable=False),
)

followup = Table(
    "followup",
    metadata,
    _id(),
    Column("session_id", ForeignKey("session.id"), nullable=False, index=True),
    Column("kind", String(32), nullable=False),
    Column("owner_id", ForeignKey("person.id"), nullable=False),
    Column("due_at", Double, nullable=False),
    Column("status", String(12), nullable=False, server_default="open"),
    Column("note_enc", LargeBinary),
    Column("created_at", Double, nullable=False),
    Column("closed_at", Double),
    Column("rev", Integer, nullable=False, server_default="1"),
    Column("closed_reason", String(16)),  # why it is closed; NULL while it is open
    Column("closed_by", ForeignKey("person.id")),
    Column("attempts", Integer, nullable=False, server_default="0"),
    CheckConstraint("status IN ('open','done','closed')", name="known_status"),
    CheckConstraint(
        "(status = 'open') = (closed_reason IS NULL) AND (status = 'open') = (closed_at IS NULL)",
        name="closed_with_reason",
    ),
    Index("followup_due", "status", "due_at", "id"),
    Index("followup_of_owner", "owner_id", "status"),
    Index(
        "followup_closed",
        "closed_at",
        "id",
        sqlite_where=text("closed_at IS NOT NULL"),
        postgresql_where=text("closed_at IS NOT NULL"),
    ),
)

followup_attempt = Table(  # somebody tried; never changed
    "followup_attempt",
    metadata,
    Column("followup_id", ForeignKey("followup.id"), primary_key=True),
    Column("no", Integer, primary_key=True),
    Column("at", Double, nullable=False),
    Column("by_id", ForeignKey("person.id"), nullable=False),
    Column("channel", String(12), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("note_enc", LargeBinary),
)

followup_told = Table(  # who was told of an overdue follow-up, so that each step is told once
    "followup_told",
    metadata,
    Column("followup_id", ForeignKey("followup.id"), primary_key=True),
    Column("step", String(12), primary_key=True),
    Column("told_at", Double, nullable=False),
)

# --- paging ---------------------------------------------------------------------------------------

contact_point = Table(  # one way to reach a person outside the open console
    "contact_point",
    metadata,
    _id(),
    Column("person_id", ForeignKey("person.id"), nullable=False, index=True),
    Column("kind", String(8), nullable=False),  # push | sms | voice | email | chat
    Column("place", Integer, nullable=False),  # the person's own order, from 1
    Column("details_enc", LargeBinary),  # numbers, addresses, tokens; NULL once it is removed
    Column("kek_id", String(16), nullable=False),
    Column("digest", String(64), nullable=False),  # keyed, so that one way is stored once
    Column("created_at", Double, nullable=False),
    Column("verified_at", Double),  # a test page was opened there
    Column("tested_at", Double),
    Column("removed_at", Double),
    Column("removed_reason", String(16)),  # by_owner | gone
    CheckConstraint("kind IN ('push','sms','voice','email','chat')", name="known_kind"),
    CheckConstraint("removed_at IS NOT NULL OR details_enc IS NOT NULL", name="kept_or_removed"),
    Index(
        "one_way_once",
        "person_id",
        "digest",
        unique=True,
        sqlite_where=text("removed_at IS NULL"),
        postgresql_where=text("removed_at IS NULL"),
    ),
)

page = Table(  # one message to one way of one person; never its words, only codes and ids
    "page",
    metadata,
    _id(),
    Column("key", String(200), nullable=False, unique=True),  # sent once, whoever plans it
    Column("purpose", String(12), nullable=False),  # call | stand_down | test | alarm
    Column("session_id", ForeignKey("session.id"), index=True),
    Column("provider_id", ForeignKey("provider.id")),  # a manager's test has none
    Column("person_id", ForeignKey("person.id"), nullable=False, index=True),
    Column("contact_id", ForeignKey("contact_point.id"), nullable=False),
    Column("step", String(16), nullable=False),  # the escalation step; for alarms their kind
    Column("text_key", String(64), nullable=False),
    Column("round", Integer, nullable=False, server_default="0"),
    Column("state", String(12), nullable=False),
    Column("reason", String(24)),  # why it failed
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("queued_at", Double, nullable=False),
    Column("due_at", Double, nullable=False),  # not sent before
    Column("lease_until", Double),  # a process is sending it
    Column("sent_at", Double),
    Column("delivered_at", Double),
    Column("opened_at", Double),
    Column("acknowledged_at", Double),
    Column("ended_at", Double),  # failed or withdrawn
    CheckConstraint("purpose IN ('call','stand_down','test','alarm')", name="known_purpose"),
    CheckConstraint(
        "state IN ('queued','sent','delivered','opened','acknowledged','failed','withdrawn')",
        name="known_state",
    ),
    CheckConstraint(
        "purpose NOT IN ('call','stand_down') OR session_id IS NOT NULL", name="of_a_session"
    ),
    Index(
        "page_queue",
        "due_at",
        sqlite_where=text("state = 'queued'"),
        postgresql_where=text("state = 'queued'"),
    ),
    Index("page_queued", "queued_at", "id"),
)

escalation_step = Table(  # a provider's own steps; none: the ones of the settings
    "escalation_step",
    metadata,
    Column("provider_id", ForeignKey("provider.id"), primary_key=True),
    Column("no", Integer, primary_key=True),
    Column("after_seconds", Double, nullable=False),
    Column("act", String(16), nullable=False),
    Column("tier", Integer),
    Column("every_seconds", Double),
    Column("until", String(16), nullable=False),
    CheckConstraint(
        "act IN ('page','second_tier','supervisor','nobody_yet','partner')", name="known_act"
    ),
)

# --- who saw what ---------------------------------------------------------------------------------

audit = Table(
    "audit",
    metadata,
    Column("no", Integer, primary_key=True),
    Column("at", Double, nullable=False),
    # person | tablet | guest | token | webhook | system
    Column("actor_kind", String(12), nullable=False),
    Column("actor_id", String(40)),
    Column("action", String(40), nullable=False),
    Column("object_kind", String(24), nullable=False),
    Column("object_id", String(40)),
    Column("outcome", String(12), nullable=False),  # allowed | refused | failed
    Column("place", String(64)),  # the address it came from, as far as there is one
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Index("audit_of_object", "object_id", "no"),  # who saw one record
    Index("audit_at", "at"),
)

# the rest of the schema, which hangs on the tables above
from records import schema_audit as _audit  # noqa: E402, F401
from records import schema_consents as _consents  # noqa: E402, F401
from records import schema_identities as _identities  # noqa: E402, F401
from records import schema_interchange as _interchange  # noqa: E402, F401
from records import schema_keys as _keys  # noqa: E402, F401
from records import schema_misses as _misses  # noqa: E402, F401
from records import schema_odmap as _odmap  # noqa: E402, F401
from records import schema_openings as _openings  # noqa: E402, F401
from records import schema_parties as _parties  # noqa: E402, F401
from records import schema_programs as _programs  # noqa: E402, F401
from records import schema_reports as _reports  # noqa: E402, F401
from records import schema_resources as _resources  # noqa: E402, F401
from records import schema_retention as _retention  # noqa: E402, F401
from records import schema_signin as _signin  # noqa: E402, F401
from records import schema_tablets as _tablets  # noqa: E402, F401
from records import schema_views as _views  # noqa: E402, F401
