"""Reading topics with the bare library, as any tool of somebody else's would."""

from typing import Any

from referral_bus.broker import kafka as loaded_first  # noqa: F401 # the library warns when it is loaded
from tests.kit.waiting import PATIENCE_S


def read_everything(bootstrap: str, topic_prefix: str) -> list[Any]:
    """Every record of every topic under the prefix."""
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False)
    topics = sorted(topic for topic in consumer.topics() if topic.startswith(f"{topic_prefix}."))
    partitions = [TopicPartition(topic, number) for topic in topics for number in consumer.partitions_for_topic(topic)]
    ends = consumer.end_offsets(partitions)
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    records: list[Any] = []
    while any(consumer.position(partition) < ends[partition] for partition in partitions):
        records += [record for batch in consumer.poll(1000).values() for record in batch]
    consumer.close()
    return records


def append_again(bootstrap: str, records: list[Any]) -> None:
    """The same bytes once more at the end of their topics, as a hostile host can."""
    from kafka import KafkaProducer

    producer = KafkaProducer(bootstrap_servers=bootstrap)
    for record in records:
        producer.send(record.topic, record.value, record.key, list(record.headers), record.partition).get(PATIENCE_S)
    producer.close()
