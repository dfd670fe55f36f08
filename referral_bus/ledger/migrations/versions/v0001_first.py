"""The first tables."""

import sqlalchemy as sa
from alembic import op

from referral_bus.ledger.tables import Moment

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "agency",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("incarnation", sa.BigInteger(), nullable=False),
        sa.Column("announcement_counter", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_table(
        "events",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("referral_sender", sa.String(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("writer", sa.String(), nullable=False),
        sa.Column("record", sa.String(), nullable=False),
        sa.Column("incarnation", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", Moment(), nullable=False),
        sa.Column("recorded_at", Moment(), nullable=False),
        sa.Column("status", sa.String(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("key_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("writer", "event_id", "key_id", name=op.f("uq_events_writer_event_id_key_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_events_referral_sender_referral_id_writer_incarnation_sequence"),
        "events",
        ["referral_sender", "referral_id", "writer", "incarnation", "sequence"],
        unique=False,
    )
    op.create_table(
        "handovers",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("referral_sender", sa.String(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", Moment(), nullable=True),
        sa.Column("done_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index(
        "ix_handovers_due", "handovers", ["next_attempt_at"], unique=False, sqlite_where=sa.text("done_at IS NULL")
    )
    op.create_index(
        "ix_handovers_undone", "handovers", ["number"], unique=False, sqlite_where=sa.text("done_at IS NULL")
    )
    op.create_index(
        "ix_handovers_waiting",
        "handovers",
        ["referral_id", "referral_sender", "number"],
        unique=False,
        sqlite_where=sa.text("done_at IS NULL"),
    )
    op.create_table(
        "dead_letters",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=True),
        sa.Column("writer", sa.String(), nullable=False),
        sa.Column("record", sa.String(), nullable=True),
        sa.Column("event_id", sa.Uuid(), nullable=True),
        sa.Column("referral_sender", sa.String(), nullable=True),
        sa.Column("referral_id", sa.Uuid(), nullable=True),
        sa.Column("event_number", sa.BigInteger(), nullable=True),
        sa.Column("value_sha256", sa.LargeBinary(), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("topic", sa.String(), nullable=True),
        sa.Column("partition", sa.Integer(), nullable=True),
        sa.Column("offset", sa.BigInteger(), nullable=True),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("value", sa.LargeBinary(), nullable=True),
        sa.Column("headers", sa.JSON(), nullable=True),
        sa.Column("first_at", Moment(), nullable=False),
        sa.Column("last_at", Moment(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("noticed_at", Moment(), nullable=True),
        sa.Column("reason", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("event_number", name=op.f("uq_dead_letters_event_number")),
        sa.UniqueConstraint("value_sha256", "writer", name=op.f("uq_dead_letters_value_sha256_writer")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_dead_letters_writer_event_id"), "dead_letters", ["writer", "event_id"], unique=False)
    op.create_index(op.f("ix_dead_letters_writer_state"), "dead_letters", ["writer", "state"], unique=False)
    op.create_index(op.f("ix_dead_letters_referral_id"), "dead_letters", ["referral_id"], unique=False)
    op.create_index(op.f("ix_dead_letters_state_last_at"), "dead_letters", ["state", "last_at"], unique=False)
    op.create_index(
        "ix_dead_letters_untold",
        "dead_letters",
        ["code", "writer"],
        unique=False,
        sqlite_where=sa.text("noticed_at IS NULL"),
    )
    op.create_table(
        "idempotency",
        sa.Column("caller", sa.String(), nullable=False),
        sa.Column("key_digest", sa.LargeBinary(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "key_digest"),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_idempotency_answer"), "idempotency", ["answer"], unique=False)
    op.create_index(op.f("ix_idempotency_created_at"), "idempotency", ["created_at"], unique=False)
    op.create_table(
        "repeated_requests",
        sa.Column("caller", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("referral_sender", sa.String(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "digest", "place"),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_repeated_requests_asked_at"), "repeated_requests", ["asked_at"], unique=False)
    op.create_index(
        op.f("ix_repeated_requests_referral_sender_referral_id"),
        "repeated_requests",
        ["referral_sender", "referral_id"],
        unique=False,
    )
    op.create_table(
        "inboxes",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("topic_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_table(
        "outbox",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("referral_sender", sa.String(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("incarnation", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("addressee", sa.String(), nullable=False),
        sa.Column("erasure", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("unsealed", sa.LargeBinary(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=True),
        sa.Column("key_id", sa.String(), nullable=True),
        sa.Column("gone_key_id", sa.String(), nullable=True),
        sa.Column("next_send_at", Moment(), nullable=True),
        sa.Column("sends", sa.Integer(), nullable=False),
        sa.Column("gap_reported", sa.Boolean(), nullable=False),
        sa.Column("resend_requested", sa.Boolean(), nullable=False),
        sa.Column("acknowledged_at", Moment(), nullable=True),
        sa.Column("send_failure", sa.String(), nullable=True),
        sa.Column("receipted_at", Moment(), nullable=True),
        sa.Column("receipt_issued_at", Moment(), nullable=True),
        sa.Column("receipt_incarnation", sa.BigInteger(), nullable=True),
        sa.Column("receipt_key_id", sa.String(), nullable=True),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("path", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("event_id", name=op.f("uq_outbox_event_id")),
    )
    op.create_index(
        op.f("ix_outbox_addressee_next_send_at"),
        "outbox",
        ["addressee", "next_send_at"],
        unique=False,
        sqlite_where=sa.text("next_send_at IS NOT NULL"),
    )
    op.create_index(
        "ix_outbox_due",
        "outbox",
        ["next_send_at", "state"],
        unique=False,
        sqlite_where=sa.text("next_send_at IS NOT NULL"),
    )
    op.create_index(
        "ix_outbox_untimed",
        "outbox",
        ["state", "next_send_at"],
        unique=False,
        sqlite_where=sa.text("next_send_at IS NULL AND state NOT IN ('erased', 'refused', 'stored', 'undeliverable')"),
    )
    op.create_index(
        "ix_outbox_failing",
        "outbox",
        ["addressee", "send_failure"],
        unique=False,
        sqlite_where=sa.text(
            "send_failure IS NOT NULL AND state NOT IN ('erased', 'refused', 'stored', 'undeliverable')"
        ),
    )
    op.create_index(
        "ix_outbox_lost_erasures",
        "outbox",
        ["addressee"],
        unique=False,
        sqlite_where=sa.text("erasure AND state = 'undeliverable'"),
    )
    op.create_index(
        "ix_outbox_turns",
        "outbox",
        ["referral_sender", "referral_id", "number", "state", "erasure", "receipt_issued_at"],
        unique=False,
    )
    op.create_table(
        "peers",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("incarnation", sa.BigInteger(), nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False),
        sa.Column("incarnation_key_id", sa.String(), nullable=False),
        sa.Column("announcement", sa.LargeBinary(), nullable=True),
        sa.Column("announcement_key_id", sa.String(), nullable=True),
        sa.Column("heard_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_table(
        "positions",
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("topic_id", sa.String(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition"),
    )
    op.create_table(
        "receipts_owed",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("addressee", sa.String(), nullable=False),
        sa.Column("value_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("path", sa.String(), nullable=True),
        sa.Column("held_incarnation", sa.BigInteger(), nullable=False),
        sa.Column("held_sequence", sa.BigInteger(), nullable=False),
        sa.Column("send_failure", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("addressee", "value_sha256", name=op.f("uq_receipts_owed_addressee_value_sha256")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_receipts_owed_addressee"), "receipts_owed", ["addressee"], unique=False)
    op.create_table(
        "referrals",
        sa.Column("referral_sender", sa.String(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("priority", sa.String(), nullable=False),
        sa.Column("acknowledge_by", Moment(), nullable=False),
        sa.Column("respond_by", Moment(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.Column("acknowledged_at", Moment(), nullable=True),
        sa.Column("answered_at", Moment(), nullable=True),
        sa.Column("cancel_requested_at", Moment(), nullable=True),
        sa.Column("question_asked_at", Moment(), nullable=True),
        sa.Column("consent_expires_at", Moment(), nullable=False),
        sa.Column("body_key", sa.LargeBinary(), nullable=True),
        sa.Column("local_ref", sa.LargeBinary(), nullable=True),
        sa.Column("local_ref_digest", sa.LargeBinary(), nullable=True),
        sa.Column("subject_digest", sa.LargeBinary(), nullable=True),
        sa.Column("peer_forgot_at", Moment(), nullable=True),
        sa.Column("peer_forgot_key_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("referral_sender", "referral_id"),
    )
    op.create_index(op.f("ix_referrals_referral_id"), "referrals", ["referral_id"], unique=False)
    op.create_index(
        "ix_referrals_open",
        "referrals",
        ["side", "consent_expires_at"],
        unique=False,
        sqlite_where=sa.text("status IN ('accepted', 'in-progress', 'on-hold', 'received', 'requested')"),
    )
    op.create_index(
        "ix_referrals_subject",
        "referrals",
        ["subject_digest"],
        unique=False,
        sqlite_where=sa.text("status IN ('accepted', 'in-progress', 'on-hold', 'received', 'requested')"),
    )
    op.create_index(
        "ix_referrals_ended",
        "referrals",
        ["changed_at"],
        unique=False,
        sqlite_where=sa.text("status NOT IN ('accepted', 'in-progress', 'on-hold', 'received', 'requested')"),
    )
    op.create_table(
        "sent_values",
        sa.Column("value_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("value_sha256"),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_sent_values_number"), "sent_values", ["number"], unique=False)
    op.create_table(
        "places",
        sa.Column("referral_sender", sa.String(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("writer", sa.String(), nullable=False),
        sa.Column("incarnation", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("referral_sender", "referral_id", "writer"),
    )
    op.create_table(
        "tombstones",
        sa.Column("referral_sender", sa.String(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("asked_by_us", sa.Boolean(), nullable=False),
        sa.Column("asked_by_peer", sa.Boolean(), nullable=False),
        sa.Column("incarnation", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("status_key_id", sa.String(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.Column("confirmed_at", Moment(), nullable=True),
        sa.Column("peer_erased_at", Moment(), nullable=True),
        sa.Column("peer_erased_key_id", sa.String(), nullable=True),
        sa.Column("peer_confirmed_at", Moment(), nullable=True),
        sa.Column("peer_confirmed_key_id", sa.String(), nullable=True),
        sa.Column("peer_refused_at", Moment(), nullable=True),
        sa.Column("peer_refused_key_id", sa.String(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("scrubbed_at", Moment(), nullable=True),
        sa.Column("forgotten_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("referral_sender", "referral_id"),
        sa.UniqueConstraint("revision", name=op.f("uq_tombstones_revision")),
    )
    op.create_index(op.f("ix_tombstones_peer"), "tombstones", ["peer"], unique=False)
    op.create_index(op.f("ix_tombstones_referral_id"), "tombstones", ["referral_id"], unique=False)
    op.create_index(
        "ix_tombstones_unconfirmed",
        "tombstones",
        ["asked_at"],
        unique=False,
        sqlite_where=sa.text(
            "reason <> 'retention' AND (asked_by_us AND peer_confirmed_at IS NULL AND peer_refused_at IS NULL"
            " OR (asked_by_peer OR NOT asked_by_us) AND confirmed_at IS NULL)"
        ),
    )
    op.create_index(
        "ix_tombstones_unscrubbed",
        "tombstones",
        ["revision"],
        unique=False,
        sqlite_where=sa.text("scrubbed_at IS NULL"),
    )
    op.create_index(
        "ix_tombstones_unforgotten",
        "tombstones",
        ["asked_at"],
        unique=False,
        sqlite_where=sa.text("forgotten_at IS NULL"),
    )
    for name in ("peer_erased_key_id", "peer_confirmed_key_id", "peer_refused_key_id"):
        op.create_index(
            op.f(f"ix_tombstones_{name}"),
            "tombstones",
            [name],
            unique=False,
            sqlite_where=sa.text(f"{name} IS NOT NULL"),
        )
    op.create_table(
        "quotas",
        sa.Column("writer", sa.String(), nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("writer"),
    )
    op.create_table(
        "restored_peers",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("reopened_to", sa.BigInteger(), nullable=False),
        sa.Column("reopen_to", sa.BigInteger(), nullable=False),
        sa.Column("told_sender", sa.String(), nullable=False),
        sa.Column("told_id", sa.Uuid(), nullable=False),
        sa.Column("begin_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_table(
        "resends",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("begun_at", Moment(), nullable=False),
        sa.Column("wanted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_table(
        "audit",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("peer", sa.String(), nullable=True),
        sa.Column("referral_sender", sa.String(), nullable=True),
        sa.Column("referral_id", sa.Uuid(), nullable=True),
        sa.Column("event_id", sa.Uuid(), nullable=True),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
