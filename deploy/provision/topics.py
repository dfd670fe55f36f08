"""The topics that a register asks for. Pure."""

from collections.abc import Iterator, Mapping

from referral_bus.broker.protocols import TopicPlan
from referral_bus.federation.register import Register

_DAY_MS = 24 * 60 * 60 * 1000

# A record is at most 64 KiB; a batch of them may be twice that.
MAX_MESSAGE_BYTES = 128 * 1024

ANNOUNCED_DAYS = 30
"""Each agency announces itself every minute, so that only the newest counts. For so long it is found by those who join
later, and by its own agency after a restore, when that agency has been silent since."""


def wanted_topics(register: Register) -> tuple[TopicPlan, ...]:
    """One inbox and one announcement topic for each agency that is no pure observer, notices, and the register."""
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
    """Everything for so many days, or for ever. Never compacted: to compact a topic the broker unpacks whatever was
    written there, without a bound, and one small batch takes all its memory, at each start again. For the same reason
    batches stay packed as they were written. Only whole segments are deleted, so a segment ends after a day: a
    record is gone a day after its time, not a week."""
    return {
        "cleanup.policy": "delete",
        "compression.type": "producer",
        "retention.ms": "-1" if days is None else str(days * _DAY_MS),
        "retention.bytes": "-1",
        "segment.ms": str(_DAY_MS),
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "message.timestamp.type": "LogAppendTime",  # age is measured by the broker's clock, not by a writer's
        "min.insync.replicas": str(register.content.cluster.min_insync),
        "unclean.leader.election.enable": "false",
    }
