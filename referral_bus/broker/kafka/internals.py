"""The private attributes of the Kafka library that we depend on, each behind one function. The requirements pin the
version that these functions were written for; look for changes to these attributes before pinning another one."""

from collections.abc import Callable
from typing import Any

from kafka import TopicPartition


def unpack_by(consumer: Any, make_unpacker: Callable[..., Any]) -> None:
    """Has the consumer call `make_unpacker` in place of the class with which it unpacks what it fetched from a
    partition."""
    consumer._fetcher.PartitionRecords = make_unpacker


def consumed_offsets(consumer: Any) -> dict[TopicPartition, int]:
    """The next offset that the consumer will hand out for each partition; without those whose position is being
    reset."""
    return {place: at.offset for place, at in consumer._subscription.all_consumed_offsets().items()}


def is_at_its_end(consumer: Any, place: TopicPartition) -> bool:
    """Whether the consumer has read a partition up to the high watermark that the broker last told."""
    state = consumer._subscription.assignment[place]
    return state.highwater is not None and state.position is not None and state.position.offset >= state.highwater


def live_topic_id(consumer: Any, topic: str) -> str | None:
    """The topic's present id in Kafka; None before the broker has told it."""
    found = consumer._cluster.topic_id(topic)
    return None if found is None else str(found)


def update_under_way(cluster: Any) -> Any:
    """The library's future of the request for newer metadata that is under way; None where none is."""
    asked = cluster._future
    return asked if cluster.need_update and asked and not asked.is_done else None
