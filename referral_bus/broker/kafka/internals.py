"""The private attributes of the Kafka library that we depend on, each behind one function. Another version of the
library is looked through for these first; the requirements pin the one that they were written for."""

from collections.abc import Callable
from typing import Any

from kafka import TopicPartition


def unpack_by(consumer: Any, make_unpacker: Callable[..., Any]) -> None:
    """`make_unpacker` stands in for the class by which the consumer unpacks what was fetched of a partition."""
    consumer._fetcher.PartitionRecords = make_unpacker


def consumed_offsets(consumer: Any) -> dict[TopicPartition, int]:
    """Where the consumer stands; of a partition that is being reset there is nothing."""
    return {place: at.offset for place, at in consumer._subscription.all_consumed_offsets().items()}


def is_at_its_end(consumer: Any, place: TopicPartition) -> bool:
    """Whether nothing is left to read of a partition, as far as the broker has told."""
    state = consumer._subscription.assignment[place]
    return state.highwater is not None and state.position is not None and state.position.offset >= state.highwater


def live_topic_id(consumer: Any, topic: str) -> str | None:
    """The id under which Kafka knows the topic now; None before it has told."""
    found = consumer._cluster.topic_id(topic)
    return None if found is None else str(found)


def update_under_way(cluster: Any) -> Any:
    """The answer that the library waits for, where it has asked for newer metadata already; else None."""
    asked = cluster._future
    return asked if cluster.need_update and asked and not asked.is_done else None
