"""The topics that a register asks for. Pure."""

from collections.abc import Iterator, Mapping

from referral_bus.broker.protocols import TopicPlan
from referral_bus.federation.register import Register

_HOUR_MS = 60 * 60 * 1000
_DAY_MS = 24 * _HOUR_MS

# A record is at most 64 KiB; a batch of them may be twice that. Readers unpack without a bound of their own.
MAX_MESSAGE_BYTES = 128 * 1024


def wanted_topics(register: Register) -> tuple[TopicPlan, ...]:
    """One inbox and one announcement topic for each agency that is no pure observer, notices, and the register."""
    return tuple(sorted(_plans(register), key=lambda plan: plan.name))


def _plans(register: Register) -> Iterator[TopicPlan]:
    cluster = register.content.cluster
    kept, compacted = _kept(register), _compacted(register)
    for agency in register.content.agencies:
        inbox, announcement = register.inbox(agency.code), register.announcement(agency.code)
        if inbox is not None and announcement is not None:
            yield TopicPlan(inbox, cluster.inbox_partitions, cluster.replication, kept)
            yield TopicPlan(announcement, 1, cluster.replication, compacted)
    yield TopicPlan(register.notices, 1, cluster.replication, kept)
    yield TopicPlan(register.register_topic, 1, cluster.replication, compacted)


def _common(register: Register) -> Mapping[str, str]:
    return {
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "message.timestamp.type": "LogAppendTime",  # age is measured by the broker's clock, not by a writer's
        "min.insync.replicas": str(register.content.cluster.min_insync),
        "unclean.leader.election.enable": "false",
    }


def _kept(register: Register) -> Mapping[str, str]:
    """Everything for so many days. Only whole segments are deleted, so a segment ends after a day: what is read by
    nobody is gone a day after its time, not a week."""
    days = register.content.cluster.inbox_retention_days
    return {
        **_common(register),
        "cleanup.policy": "delete",
        "retention.ms": str(days * _DAY_MS),
        "retention.bytes": "-1",
        "segment.ms": str(_DAY_MS),
    }


def _compacted(register: Register) -> Mapping[str, str]:
    """The newest of each key for ever. Kafka's defaults would keep a quiet topic's old records for a week and more."""
    return {
        **_common(register),
        "cleanup.policy": "compact",
        "delete.retention.ms": str(_DAY_MS),
        "max.compaction.lag.ms": str(_DAY_MS),
        "min.cleanable.dirty.ratio": "0.1",
        "segment.ms": str(_HOUR_MS),
    }
