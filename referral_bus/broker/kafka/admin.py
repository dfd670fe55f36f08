"""Reads, creates and changes topics in Kafka: a `TopicAdmin`."""

from collections.abc import Mapping
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType

from referral_bus.broker.kafka.client import open_admin
from referral_bus.broker.kafka.settings import Connection
from referral_bus.broker.kafka.timed_calls import AdminCalls
from referral_bus.broker.protocols import TopicPlan
from referral_bus.errors import Reason, Unreachable

ANSWER_WITHIN_S = 30.0
OF_THE_TOPIC = "DYNAMIC_TOPIC_CONFIG"


class KafkaTopicAdmin:
    """Every call raises `Unreachable` when Kafka does not answer within `answer_within_s` seconds, or answers with an
    error."""

    def __init__(self, connection: Connection, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        self._calls = AdminCalls(lambda: open_admin(connection, request_timeout_ms=int(answer_within_s * 1000)))
        self._answer_within_s = answer_within_s

    def live_topics(self) -> Mapping[str, TopicPlan]:
        return self._calls.call(_live_topics, self._answer_within_s)

    def create_topic(self, plan: TopicPlan) -> None:
        """Creates a topic, which can be written to when this returns."""
        topic = {
            "num_partitions": plan.partitions,
            "replication_factor": plan.replication,
            "configs": dict(plan.config),
        }
        self._calls.call(
            lambda admin: admin.create_topics({plan.name: topic}, wait_for_metadata=True), self._answer_within_s
        )

    def change_topic(self, plan: TopicPlan) -> None:
        self._calls.call(lambda admin: _change_topic(admin, plan), self._answer_within_s)

    def close(self) -> None:
        self._calls.close()


def _live_topics(admin: Any) -> Mapping[str, TopicPlan]:
    entries = [
        entry for entry in admin.describe_topics() if not entry["is_internal"] and not entry["name"].startswith("__")
    ]
    configs = _configs(admin, [entry["name"] for entry in entries])
    return {
        entry["name"]: TopicPlan(
            entry["name"],
            len(entry["partitions"]),
            min((len(partition["replica_nodes"]) for partition in entry["partitions"]), default=0),
            configs[entry["name"]],
        )
        for entry in entries
    }


def _configs(admin: Any, names: list[str]) -> Mapping[str, Mapping[str, str]]:
    """The settings of each topic, without the broker's defaults."""
    if not names:
        return {}
    answer = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    return {
        name: {key: entry["value"] for key, entry in found.items() if entry["config_source"] == OF_THE_TOPIC}
        for name, found in answer["topic"].items()
    }


def _change_topic(admin: Any, plan: TopicPlan) -> None:
    live = _live_topics(admin).get(plan.name)
    if live is None:
        raise Unreachable(Reason.KAFKA_FAILED, "There is no such topic.")
    changes: dict[str, tuple[str, str | None]] = {key: ("SET", value) for key, value in plan.config.items()}
    changes |= {key: ("DELETE", None) for key in live.config if key not in plan.config}
    if changes:
        resource = ConfigResource(ConfigResourceType.TOPIC, plan.name, configs=changes)
        outcome = admin.alter_configs([resource])["topic"][plan.name]
        if outcome != "OK":
            raise Unreachable(Reason.KAFKA_FAILED, "Kafka refused the settings of a topic.")
    if live.partitions < plan.partitions:
        admin.create_partitions({plan.name: plan.partitions})
