"""Asks Kafka which topics exist, which of them we may write to, and where they end."""

from collections.abc import Collection, Mapping
from typing import Any, Literal

from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import TopicAuthorizationFailedError

from referral_bus.broker.protocols import Topic

Absent = Literal["missing", "forbidden"]


def find_topics(admin: Any, names: Collection[str]) -> Mapping[str, Topic]:
    """The topics of these names that exist and that we have the right to describe. Asking does not create a topic."""
    found = {entry["name"]: _read(entry) for entry in _ask(admin, names)}
    return {name: topic for name, topic in found.items() if isinstance(topic, Topic)}


def find_absent(admin: Any, names: Collection[str]) -> Mapping[str, Absent]:
    """The topics that we cannot write to, and why. The sender asks before it sends, so that such a topic costs one
    request, and not a time-out for each record."""
    absent: dict[str, Absent] = {}
    for entry in _ask(admin, names):
        topic = _read(entry)
        if not isinstance(topic, Topic):
            absent[entry["name"]] = topic
        elif "WRITE" not in entry["authorized_operations"]:
            absent[topic.name] = "forbidden"
    return absent


def find_ends(admin: Any, topic: Topic) -> Mapping[int, int]:
    """The offset that the next record of each partition will get."""
    partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    ends = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
    return {partition.partition: int(found.offset) for partition, found in ends.items()}


def _ask(admin: Any, names: Collection[str]) -> Collection[Mapping[str, Any]]:
    return admin.describe_topics(sorted(names)) if names else ()


def _read(entry: Mapping[str, Any]) -> Topic | Absent:
    if entry["error_code"] == TopicAuthorizationFailedError.errno:
        return "forbidden"
    if entry["error_code"] != 0 or not entry["partitions"]:
        return "missing"
    return Topic(entry["name"], str(entry["topic_id"]), len(entry["partitions"]))
