"""The topics that a register asks for. Pure."""

from collections.abc import Iterator, Mapping

from referral_bus.broker.protocols import TopicPlan
from referral_bus.federation.register import Register

_DAY_MS = 24 * 60 * 60 * 1000

# A record is at most 64 KiB; a batch of records may be twice that.
MAX_MESSAGE_BYTES = 128 * 1024

ANNOUNCED_DAYS = 30
"""How long announcements are kept. Each agency announces itself every minute, and only the newest counts. After an
agency has gone silent, for so long agencies that join later still find its newest announcement, and so does the agency
itself after a restore."""


def wanted_topics(register: Register) -> tuple[TopicPlan, ...]:
    """The topics of a register: an inbox and an announcement topic for each agency that is no pure observer, and the
    notices and register topics."""
    return tuple(sorted(_plans(register), key=lambda plan: plan.name))


def _plans(register: Register) -> Iterator[TopicPlan]:
    cluster = register.content.cluster
    kept = _kept(register, cluster.inbox_retention_days)
    announced, for_ever = _kept(register, max(ANNOUNCED_DAYS, cluster.inbox_retention_days)), _kept(register, None)
    for agency in register.content.agencies:
        inbox, announcement = register.inbox(agency.code), register.announcement(agency.code)
        if inbox is not None and announcement is not None:
            yield TopicPlan(inbox, cluster.inbox_partitions, cluster.replication, kept)
            yield TopicPlan(announcement, 1, cluster.replication, announced)
    yield TopicPlan(register.notices, 1, cluster.replication, kept)
    yield TopicPlan(register.register_topic, 1, cluster.replication, for_ever)


def _kept(register: Register, days: int | None) -> Mapping[str, str]:
    """The settings of a topic that keeps everything for `days`; None means for ever. It is never compacted: for that
    the broker would decompress whatever was written there, without a bound, and one small batch could use up its memory
    at each start. For the same reason batches stay compressed as their writer sent them. Kafka deletes whole segments
    only, so a segment ends after a day: a record is deleted a day after its time, not a week."""
    return {
        "cleanup.policy": "delete",
        "compression.type": "producer",
        "retention.ms": "-1" if days is None else str(days * _DAY_MS),
        "retention.bytes": "-1",
        "segment.ms": str(_DAY_MS),
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "message.timestamp.type": "LogAppendTime",  # the broker's clock decides the age, not the writer's
        "min.insync.replicas": str(register.content.cluster.min_insync),
        "unclean.leader.election.enable": "false",
    }
