"""Every table of the monitor's own database. They hold opaque ids, agencies, times, codes and counts. The monitor can
read all of it from Kafka again, as far back as Kafka keeps records."""

import sqlalchemy as sa

from referral_bus.ledger.tables import Moment

VERSION = 6
metadata = sa.MetaData()

monitor = sa.Table(  # one row
    "monitor",
    metadata,
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("federation", sa.String, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("complete_at", Moment),  # everything that was in Kafka by then has been read
    sa.Column("gap_ended_at", Moment),  # when the last gap in reading ended; see `progress.GAP`
)

positions = sa.Table(
    "positions",
    metadata,
    sa.Column("topic", sa.String, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("topic_id", sa.String, nullable=False),
    sa.Column("offset", sa.BigInteger, nullable=False),  # the next one to read
    sa.Column("heard_at", Moment),  # of the last record read
    sa.Column("first_offset", sa.BigInteger),  # of the first record ever read
    sa.Column("first_heard_at", Moment),
)

flows = sa.Table(  # columns in the order of `flow.Flow`, with the fields of its key and place
    "flows",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("sender", sa.String, nullable=False),
    sa.Column("referral_id", sa.Uuid, nullable=False),
    sa.Column("recipient", sa.String, nullable=False),
    sa.Column("agreed", sa.Boolean, nullable=False),
    sa.Column("priority", sa.String),
    sa.Column("acknowledge_by", Moment),
    sa.Column("respond_by", Moment),
    sa.Column("started_at", Moment),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("status_incarnation", sa.BigInteger, nullable=False),
    sa.Column("status_sequence", sa.BigInteger, nullable=False),
    sa.Column("spoken_in", sa.BigInteger, nullable=False),
    sa.Column("acted_in", sa.BigInteger, nullable=False),
    sa.Column("stored_at", Moment),
    sa.Column("refused", sa.String),
    sa.Column("receipt_incarnation", sa.BigInteger, nullable=False),
    sa.Column("acknowledged_at", Moment),
    sa.Column("ended_at", Moment),
    sa.Column("last_at", Moment),
    sa.Column("key_id", sa.String),  # see `flow.Flow.key_id`
    sa.Column("open", sa.Boolean, nullable=False),
    sa.UniqueConstraint("referral_id", "sender", "recipient"),
    sa.Index("ix_flows_open", "recipient", sqlite_where=sa.text("open = 1")),
)

events = sa.Table(  # every event read, so that a copy is recognized; `flow`: the one that it began
    "events",
    metadata,
    sa.Column("event_id", sa.Uuid, primary_key=True),
    sa.Column("writer", sa.String, primary_key=True),
    sa.Column("flow", sa.Integer),
    sa.Column("heard_at", Moment, nullable=False),
    sqlite_with_rowid=False,
)

early_receipts = sa.Table(  # final receipts that were read before their event
    "early_receipts",
    metadata,
    sa.Column("event_id", sa.Uuid, primary_key=True),
    sa.Column("writer", sa.String, primary_key=True),  # of the event
    sa.Column("recipient", sa.String, primary_key=True),
    sa.Column("outcome", sa.String, nullable=False),
    sa.Column("code", sa.String),
    sa.Column("incarnation", sa.BigInteger, nullable=False),
    sa.Column("issued_at", Moment, nullable=False),
    sa.Column("heard_at", Moment, nullable=False),
    sa.Column("key_id", sa.String, nullable=False),  # the recipient's
    sqlite_with_rowid=False,
)

kept = sa.Table(  # how many bytes of each day are kept of each agency
    "kept",
    metadata,
    sa.Column("agency", sa.String, primary_key=True),
    sa.Column("day", sa.Integer, primary_key=True),  # days since 1970-01-01
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

agencies = sa.Table(  # the newest announcement of each agency
    "agencies",
    metadata,
    sa.Column("code", sa.String, primary_key=True),
    sa.Column("incarnation", sa.BigInteger, nullable=False),
    sa.Column("counter", sa.BigInteger, nullable=False),
    sa.Column("issued_at", Moment, nullable=False),  # its clock
    sa.Column("heard_at", Moment, nullable=False),
    sa.Column("handed_over_before", Moment, nullable=False),  # its clock
    sa.Column("open_referrals", sa.BigInteger, nullable=False),  # as the agency counts them
    sa.Column("overdue_referrals", sa.BigInteger, nullable=False),
    sa.Column("register_version", sa.BigInteger, nullable=False),
    sa.Column("software_version", sa.String, nullable=False),
    sa.Column("key_id", sa.String, nullable=False),  # that signed it
)

notices = sa.Table(
    "notices",
    metadata,
    sa.Column("notice_id", sa.Uuid, primary_key=True),
    sa.Column("agency", sa.String, nullable=False),
    sa.Column("code", sa.String, nullable=False),
    sa.Column("event_id", sa.Uuid),
    sa.Column("count", sa.Integer, nullable=False),  # dead letters that it stands for
    sa.Column("issued_at", Moment, nullable=False),  # its clock
    sa.Column("heard_at", Moment, nullable=False),
    sa.Column("settled", sa.Boolean, nullable=False),  # a final receipt has come since
    sa.Index("ix_notices_agency", "agency", "heard_at"),
)

counters = sa.Table(
    "counters",
    metadata,
    sa.Column("metric", sa.String, primary_key=True),
    sa.Column("labels", sa.JSON, primary_key=True),
    sa.Column("value", sa.Float, nullable=False),
    sa.Column("last_at", Moment, nullable=False),  # when it last grew
    sqlite_with_rowid=False,
)

lags = sa.Table(  # how far each agency's service has read, as Kafka told last
    "lags",
    metadata,
    sa.Column("group", sa.String, primary_key=True),
    sa.Column("topic", sa.String, primary_key=True),
    sa.Column("agency", sa.String, nullable=False),
    sa.Column("records", sa.BigInteger, nullable=False),
    sa.Column("seconds", sa.Float),  # None where Kafka could not tell
    sa.Column("committed", sa.BigInteger, nullable=False),
    sa.Column("moved_at", Moment, nullable=False),  # when it last read on, or had nothing to read
)
