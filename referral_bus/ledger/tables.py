"""The tables of an agency's ledger.

Clear columns hold opaque ids, agencies, places, times, statuses and codes. The columns `body` and `local_ref`, and the
`reason` of a dead letter, hold what may say something about a person, encrypted under the referral's own key.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from schemas.lifecycle import OPEN

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970-01-01 UTC."""
    return (moment - _EPOCH) // _MILLISECOND


class Moment(TypeDecorator[datetime]):
    """UTC milliseconds since 1970 in the database, an aware datetime outside."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else milliseconds(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else _EPOCH + int(value) * _MILLISECOND


NAMES = {"ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s"}
metadata = sa.MetaData(naming_convention=NAMES)


def _referral_columns() -> list[sa.Column[Any]]:
    return [sa.Column("referral_sender", sa.String, nullable=False), sa.Column("referral_id", sa.Uuid, nullable=False)]


agency = sa.Table(  # one row: whose ledger this is
    "agency",
    metadata,
    sa.Column("code", sa.String, primary_key=True),
    sa.Column("incarnation", sa.BigInteger, nullable=False),
    sa.Column("announcement_counter", sa.BigInteger, nullable=False),
)

# Queries must repeat these conditions word for word: otherwise SQLite does not use the partial index with the same one.
IS_UNTIMED = "next_send_at IS NULL AND state NOT IN ('erased', 'refused', 'stored', 'undeliverable')"  # outbox.FINAL
IS_FAILING = "send_failure IS NOT NULL AND state NOT IN ('erased', 'refused', 'stored', 'undeliverable')"
IS_LOST_ERASURE = "erasure AND state = 'undeliverable'"
IS_UNCONFIRMED = (  # the same as Tombstone.needs_confirmation, waits_for_peer and waits_for_us
    "reason <> 'retention' AND (asked_by_us AND peer_confirmed_at IS NULL AND peer_refused_at IS NULL"
    " OR (asked_by_peer OR NOT asked_by_us) AND confirmed_at IS NULL)"
)
_OPEN_ONES = f"({', '.join(repr(status.value) for status in sorted(OPEN))})"
_IS_OPEN, _IS_ENDED = f"status IN {_OPEN_ONES}", f"status NOT IN {_OPEN_ONES}"

referrals = sa.Table(
    "referrals",
    metadata,
    *_referral_columns(),
    sa.Column("side", sa.String, nullable=False),  # this agency's: sender or recipient
    sa.Column("peer", sa.String, nullable=False),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("priority", sa.String, nullable=False),
    sa.Column("acknowledge_by", Moment, nullable=False),
    sa.Column("respond_by", Moment, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("changed_at", Moment, nullable=False),
    sa.Column("acknowledged_at", Moment),  # the recipient's first event
    sa.Column("answered_at", Moment),  # accepted, rejected or any end
    sa.Column("cancel_requested_at", Moment),  # the sender has asked to cancel; None once the recipient has answered
    sa.Column("question_asked_at", Moment),  # the recipient has asked; None once the sender has answered
    sa.Column("consent_expires_at", Moment, nullable=False),
    sa.Column("body_key", sa.LargeBinary),  # wrapped by the home folder's key; destroyed by erasure
    sa.Column("local_ref", sa.LargeBinary),
    sa.Column("local_ref_digest", sa.LargeBinary),  # keyed: finds a case number without storing it in clear
    sa.Column("subject_digest", sa.LargeBinary),  # keyed, of person and recipient; only where this agency is the sender
    sa.Column("peer_forgot_at", Moment),  # the recipient's retention has erased its side: no word of it follows
    sa.Column("peer_forgot_key_id", sa.String),  # the signing key that said so
    sa.PrimaryKeyConstraint("referral_sender", "referral_id"),
    sa.Index(None, "referral_id"),
    sa.Index("ix_referrals_open", "side", "consent_expires_at", sqlite_where=sa.text(_IS_OPEN)),
    sa.Index("ix_referrals_subject", "subject_digest", sqlite_where=sa.text(_IS_OPEN)),
    sa.Index("ix_referrals_ended", "changed_at", sqlite_where=sa.text(_IS_ENDED)),
)
IS_OPEN: sa.ColumnElement[bool] = sa.literal_column(f"referrals.{_IS_OPEN}")  # no Boolean, or it becomes "= 1"
IS_ENDED: sa.ColumnElement[bool] = sa.literal_column(f"referrals.{_IS_ENDED}")

places = sa.Table(  # the last place of each writer in each referral, our own included
    "places",
    metadata,
    *_referral_columns(),
    sa.Column("writer", sa.String, nullable=False),
    sa.Column("incarnation", sa.BigInteger, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("key_id", sa.String),  # the signing key that said so; None for our own
    sa.PrimaryKeyConstraint("referral_sender", "referral_id", "writer"),
)

events = sa.Table(  # every event written or judged here; `number` follows commit order and is the cursor
    "events",
    metadata,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("event_id", sa.Uuid, nullable=False),
    *_referral_columns(),
    sa.Column("writer", sa.String, nullable=False),
    sa.Column("record", sa.String, nullable=False),
    sa.Column("incarnation", sa.BigInteger, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("occurred_at", Moment, nullable=False),
    sa.Column("recorded_at", Moment, nullable=False),
    sa.Column("status", sa.String),
    sa.Column("outcome", sa.String, nullable=False),  # STORED or REFUSED; STORED for our own
    sa.Column("code", sa.String),
    sa.Column("kind", sa.String),  # of an ErasureEvent, as is the reason
    sa.Column("reason", sa.String),
    sa.Column("body", sa.LargeBinary),
    sa.Column("key_id", sa.String),  # the signing key that said so; None for our own
    sa.UniqueConstraint("writer", "event_id", "key_id"),  # an event is known by all three
    sa.Index(None, "referral_sender", "referral_id", "writer", "incarnation", "sequence"),
    sqlite_autoincrement=True,
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),  # events.number
    sa.Column("event_id", sa.Uuid, nullable=False, unique=True),
    *_referral_columns(),
    sa.Column("incarnation", sa.BigInteger, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("addressee", sa.String, nullable=False),
    sa.Column("erasure", sa.Boolean, nullable=False),  # an ErasureEvent, which overtakes other events
    sa.Column("state", sa.String, nullable=False),  # see outbox.OutboxState
    sa.Column("unsealed", sa.LargeBinary, nullable=False),  # the event's value without its sealed part
    sa.Column("value", sa.LargeBinary),  # the bytes last sent
    sa.Column("key_id", sa.String),  # the sealing key of those bytes
    sa.Column("gone_key_id", sa.String),  # a sealing key that the recipient has destroyed
    sa.Column("next_send_at", Moment),  # None while it waits for a key or another event, and once it is final
    sa.Column("sends", sa.Integer, nullable=False),
    sa.Column("gap_reported", sa.Boolean, nullable=False),  # the recipient lacks an earlier event of the referral
    sa.Column("resend_requested", sa.Boolean, nullable=False),  # the recipient lacks this event: send it out of turn
    sa.Column("acknowledged_at", Moment),  # when the broker acknowledged it; the recipient's receipt sets `state`
    sa.Column("send_failure", sa.String),  # why the last try did not reach the broker; see `send_failures`
    sa.Column("receipted_at", Moment),
    sa.Column("receipt_issued_at", Moment),  # by the recipient's clock
    sa.Column("receipt_incarnation", sa.BigInteger),
    sa.Column("receipt_key_id", sa.String),  # the recipient's signing key
    sa.Column("code", sa.String),
    sa.Column("path", sa.String),
    sa.Index(None, "addressee", "next_send_at", sqlite_where=sa.text("next_send_at IS NOT NULL")),
    sa.Index("ix_outbox_due", "next_send_at", "state", sqlite_where=sa.text("next_send_at IS NOT NULL")),
    sa.Index("ix_outbox_untimed", "state", "next_send_at", sqlite_where=sa.text(IS_UNTIMED)),
    sa.Index("ix_outbox_failing", "addressee", "send_failure", sqlite_where=sa.text(IS_FAILING)),
    sa.Index("ix_outbox_lost_erasures", "addressee", sqlite_where=sa.text(IS_LOST_ERASURE)),
    sa.Index(  # has all columns that tell whose turn it is and how far each has come: the rows need not be read
        "ix_outbox_turns",
        *("referral_sender", "referral_id", "number", "state", "erasure", "receipt_issued_at"),
    ),
)

sent_values = sa.Table(  # the hash of every version of the bytes that was sent: the recipient may store any of them
    "sent_values",
    metadata,
    sa.Column("value_sha256", sa.LargeBinary, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,  # the primary key is the table, so there are two trees and not three
)

receipts_owed = sa.Table(
    "receipts_owed",
    metadata,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("addressee", sa.String, nullable=False, index=True),
    sa.Column("value_sha256", sa.LargeBinary, nullable=False),
    sa.Column("event_id", sa.Uuid),
    sa.Column("outcome", sa.String, nullable=False),
    sa.Column("code", sa.String),
    sa.Column("path", sa.String),
    sa.Column("held_incarnation", sa.BigInteger, nullable=False),
    sa.Column("held_sequence", sa.BigInteger, nullable=False),
    sa.Column("send_failure", sa.String),  # why the last try did not reach the broker
    sa.UniqueConstraint("addressee", "value_sha256"),  # one answer is owed, however many copies come
    sqlite_autoincrement=True,
)

handovers = sa.Table(
    "handovers",
    metadata,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),  # events.number
    *_referral_columns(),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_attempt_at", Moment),  # None once it was given up and is a dead letter
    sa.Column("done_at", Moment),
    sa.Index("ix_handovers_undone", "number", sqlite_where=sa.text("done_at IS NULL")),  # without the done ones
    sa.Index("ix_handovers_due", "next_attempt_at", sqlite_where=sa.text("done_at IS NULL")),
    sa.Index(
        "ix_handovers_waiting", "referral_id", "referral_sender", "number", sqlite_where=sa.text("done_at IS NULL")
    ),
)

dead_letters = sa.Table(  # records that could not be taken in, and events that could not be handed over
    "dead_letters",
    metadata,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("state", sa.String, nullable=False),  # see dead_letters.DeadLetterState
    sa.Column("code", sa.String, nullable=False),
    sa.Column("path", sa.String),
    sa.Column("writer", sa.String, nullable=False),
    sa.Column("record", sa.String),  # None, as are the next three, where the value could not be decoded
    sa.Column("event_id", sa.Uuid),
    sa.Column("referral_sender", sa.String),
    sa.Column("referral_id", sa.Uuid),  # without a sender it is the id in the Kafka key
    sa.Column("event_number", sa.BigInteger, unique=True),  # events.number of an event that was not handed over
    sa.Column("value_sha256", sa.LargeBinary),
    sa.Column("fingerprint", sa.LargeBinary),  # of the value's schema
    sa.Column("topic", sa.String),
    sa.Column("partition", sa.Integer),
    sa.Column("offset", sa.BigInteger),
    sa.Column("key", sa.LargeBinary),
    sa.Column("value", sa.LargeBinary),  # None for an event, a discarded record, or one with a body in clear
    sa.Column("headers", sa.JSON),  # name and hex
    sa.Column("first_at", Moment, nullable=False),
    sa.Column("last_at", Moment, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),  # how often the same bytes came
    sa.Column("noticed_at", Moment),  # when the operators were told
    sa.Column("reason", sa.LargeBinary),  # the staff's reason to discard it; encrypted as a body is
    sa.UniqueConstraint("value_sha256", "writer"),
    sa.Index(None, "writer", "event_id"),
    sa.Index(None, "writer", "state"),
    sa.Index(None, "referral_id"),
    sa.Index(None, "state", "last_at"),
    sa.Index("ix_dead_letters_untold", "code", "writer", sqlite_where=sa.text("noticed_at IS NULL")),
    sqlite_autoincrement=True,
)

tombstones = sa.Table(  # one row for each erased referral, for ever
    "tombstones",
    metadata,
    *_referral_columns(),
    sa.Column("side", sa.String, nullable=False),
    sa.Column("peer", sa.String, nullable=False),
    sa.Column("status", sa.String, nullable=False),  # the final one, as far as this side knows
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("asked_by_us", sa.Boolean, nullable=False),
    sa.Column("asked_by_peer", sa.Boolean, nullable=False),
    sa.Column("incarnation", sa.BigInteger, nullable=False),  # place of the peer's last word that was taken
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("status_key_id", sa.String),  # its signing key; each word of the peer below has its own, too
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("asked_at", Moment, nullable=False),  # when a side first asked for it; created_at before
    sa.Column("confirmed_at", Moment),  # our own system has acknowledged
    sa.Column("peer_erased_at", Moment),  # the other side's service has erased
    sa.Column("peer_erased_key_id", sa.String),
    sa.Column("peer_confirmed_at", Moment),  # the other side's own system has acknowledged
    sa.Column("peer_confirmed_key_id", sa.String),
    sa.Column("peer_refused_at", Moment),  # the other side has answered that it has no such referral
    sa.Column("peer_refused_key_id", sa.String),
    sa.Column("revision", sa.BigInteger, nullable=False, unique=True),  # grows with each change; see rollback_guard
    sa.Column("scrubbed_at", Moment),  # the write-ahead log has been emptied since
    sa.Column("forgotten_at", Moment),  # the clear rows of its events have gone, too
    sa.PrimaryKeyConstraint("referral_sender", "referral_id"),
    sa.Index(None, "referral_id"),
    sa.Index(None, "peer"),
    sa.Index("ix_tombstones_unconfirmed", "asked_at", sqlite_where=sa.text(IS_UNCONFIRMED)),
    sa.Index("ix_tombstones_unscrubbed", "revision", sqlite_where=sa.text("scrubbed_at IS NULL")),
    sa.Index("ix_tombstones_unforgotten", "asked_at", sqlite_where=sa.text("forgotten_at IS NULL")),
    sa.Index(None, "peer_erased_key_id", sqlite_where=sa.text("peer_erased_key_id IS NOT NULL")),
    sa.Index(None, "peer_confirmed_key_id", sqlite_where=sa.text("peer_confirmed_key_id IS NOT NULL")),
    sa.Index(None, "peer_refused_key_id", sqlite_where=sa.text("peer_refused_key_id IS NOT NULL")),
)

restored_peers = sa.Table(  # how far each restored peer was sent everything again; see `restored_peers`
    "restored_peers",
    metadata,
    sa.Column("code", sa.String, primary_key=True),
    sa.Column("reopened_to", sa.BigInteger, nullable=False),  # number of an outbox row
    sa.Column("reopen_to", sa.BigInteger, nullable=False),
    sa.Column("told_sender", sa.String, nullable=False),  # the referral of the last tombstone that was done
    sa.Column("told_id", sa.Uuid, nullable=False),
    sa.Column("begin_at", Moment, nullable=False),  # its turn; see `resends`
)

resends = sa.Table(  # when each peer was last sent all unconfirmed events again; see `resends`
    "resends",
    metadata,
    sa.Column("code", sa.String, primary_key=True),
    sa.Column("begun_at", Moment, nullable=False),  # in the future for a turn that is reserved
    sa.Column("wanted", sa.Boolean, nullable=False),
)

quotas = sa.Table(  # how many rows each writer has caused today; see `quotas`
    "quotas",
    metadata,
    sa.Column("writer", sa.String, primary_key=True),
    sa.Column("day", sa.BigInteger, nullable=False),  # since 1970, by our clock
    sa.Column("count", sa.BigInteger, nullable=False),
)

audit = sa.Table(  # what was done here; see `audit`
    "audit",
    metadata,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("action", sa.String, nullable=False),
    sa.Column("by", sa.String, nullable=False),  # who asked: the service itself, or a caller of a command
    sa.Column("peer", sa.String),
    sa.Column("referral_sender", sa.String),
    sa.Column("referral_id", sa.Uuid),
    sa.Column("event_id", sa.Uuid),
    sa.Column("code", sa.String),
    sa.Column("head", sa.LargeBinary, nullable=False),  # SHA-256 over the entry and the head before it
)

positions = sa.Table(
    "positions",
    metadata,
    sa.Column("topic", sa.String, nullable=False),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("topic_id", sa.String, nullable=False),
    sa.Column("offset", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("topic", "partition"),
)

peers = sa.Table(  # the highest incarnation and announcement of each other agency
    "peers",
    metadata,
    sa.Column("code", sa.String, primary_key=True),
    sa.Column("incarnation", sa.BigInteger, nullable=False),
    sa.Column("counter", sa.BigInteger, nullable=False),
    sa.Column("incarnation_key_id", sa.String, nullable=False),  # the signing key that last said so
    sa.Column("announcement", sa.LargeBinary),  # its bytes; None before the first, and after it was forgotten
    sa.Column("announcement_key_id", sa.String),
    sa.Column("heard_at", Moment, nullable=False),
)

inboxes = sa.Table(  # the last known ids of other agencies' inbox topics; another id means that one was made anew
    "inboxes",
    metadata,
    sa.Column("code", sa.String, primary_key=True),
    sa.Column("topic_id", sa.String, nullable=False),
)

idempotency = sa.Table(
    "idempotency",
    metadata,
    sa.Column("caller", sa.String, nullable=False),
    sa.Column("key_digest", sa.LargeBinary, nullable=False),
    sa.Column("request_digest", sa.LargeBinary, nullable=False),
    sa.Column("answer", sa.JSON, nullable=False, index=True),
    sa.Column("created_at", Moment, nullable=False, index=True),
    sa.PrimaryKeyConstraint("caller", "key_digest"),
    sqlite_with_rowid=False,
)

repeated_requests = sa.Table(  # requests of the last ten minutes, as keyed digests; see `repeated_requests`
    "repeated_requests",
    metadata,
    sa.Column("caller", sa.String, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("place", sa.Integer, nullable=False),  # position in the request's list
    *_referral_columns(),
    sa.Column("number", sa.BigInteger, nullable=False),  # of the referral's newest event after the request
    sa.Column("asked_at", Moment, nullable=False, index=True),
    sa.PrimaryKeyConstraint("caller", "digest", "place"),
    sa.Index(None, "referral_sender", "referral_id"),
    sqlite_with_rowid=False,
)
