"""Which topics there are, and which of them we may write to."""

from collections.abc import Collection, Mapping
from typing import Any, Literal

from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import TopicAuthorizationFailedError

from referral_bus.broker.protocols import Topic

Absent = Literal["missing", "forbidden"]


def find_topics(admin: Any, names: Collection[str]) -> Mapping[str, Topic]:
    """Those that exist and that we may know of. Nothing is created by asking."""
    found = {entry["name"]: _read(entry) for entry in _ask(admin, names)}
    return {name: topic for name, topic in found.items() if isinstance(topic, Topic)}


def find_absent(admin: Any, names: Collection[str]) -> Mapping[str, Absent]:
    """Those that we cannot write to. Asked before sending, so that such a topic costs one question and not a wait for
    each record."""
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
