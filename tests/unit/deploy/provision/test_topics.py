from datetime import UTC, datetime

import pytest

from deploy.demo.federation import Terms, example_template, generate_federation
from deploy.provision.topics import MAX_MESSAGE_BYTES, wanted_topics
from referral_bus.broker.protocols import TopicPlan
from referral_bus.federation.register import Register, read_register
from schemas.events import RegisterVersion

INBOX_AND_OTHERS = ("inbox.mahalla", "announcement.mahalla", "register")


def register(*only: str, replication: int = 3, min_insync: int = 2) -> Register:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    terms = Terms("test-federation", "test", now, replication=replication, min_insync=min_insync, only=only)
    return read_register(generate_federation(example_template(), terms).files.register)


@pytest.fixture(scope="module")
def topics() -> dict[str, TopicPlan]:
    return {plan.name: plan for plan in wanted_topics(register("mahalla", "justice", "unicef"))}


def test_every_agency_but_a_pure_observer_has_its_two_topics_beside_the_two_common_ones(
    topics: dict[str, TopicPlan],
) -> None:
    assert list(topics) == [
        "test.announcement.justice.v1",
        "test.announcement.mahalla.v1",
        "test.inbox.justice.v1",
        "test.inbox.mahalla.v1",
        "test.notices.v1",
        "test.register.v1",
    ]


def test_an_inbox_keeps_everything_for_fourteen_days_by_the_brokers_clock(topics: dict[str, TopicPlan]) -> None:
    inbox = topics["test.inbox.mahalla.v1"]
    assert (inbox.partitions, inbox.replication) == (1, 3)
    assert dict(inbox.config) == {
        "cleanup.policy": "delete",
        "compression.type": "producer",
        "retention.ms": "1209600000",
        "retention.bytes": "-1",
        "segment.ms": "86400000",
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": "131072",
        "min.insync.replicas": "2",
        "unclean.leader.election.enable": "false",
    }


def test_notices_are_kept_like_an_inbox(topics: dict[str, TopicPlan]) -> None:
    assert topics["test.notices.v1"].config == topics["test.inbox.mahalla.v1"].config


def test_no_topic_is_compacted(topics: dict[str, TopicPlan]) -> None:
    """To do so Kafka unpacks what anybody has written, without a bound."""
    assert {plan.config["cleanup.policy"] for plan in topics.values()} == {"delete"}


def test_announcements_are_kept_for_thirty_days_and_registers_for_ever(topics: dict[str, TopicPlan]) -> None:
    inbox, announcement, register = (topics[f"test.{name}.v1"] for name in INBOX_AND_OTHERS)
    assert (announcement.partitions, register.partitions) == (1, 1)
    assert dict(announcement.config) == {**inbox.config, "retention.ms": "2592000000"}
    assert dict(register.config) == {**inbox.config, "retention.ms": "-1"}


def test_the_registers_numbers_are_the_topics_numbers() -> None:
    content = register("mahalla").content
    cluster = content.cluster.model_copy(update={"inbox_partitions": 4, "inbox_retention_days": 21, "replication": 5})
    changed = Register(content.model_copy(update={"cluster": cluster}), "00" * 32)
    inbox, notices = (p for p in wanted_topics(changed) if p.name in {"test.inbox.mahalla.v1", "test.notices.v1"})
    assert (inbox.partitions, inbox.replication, inbox.config["retention.ms"]) == (4, 5, "1814400000")
    assert (notices.partitions, notices.replication) == (1, 5)


def test_the_largest_register_fits_into_a_message() -> None:
    bound = RegisterVersion.model_fields["register_file"].metadata
    assert max(limit.max_length for limit in bound if hasattr(limit, "max_length")) < MAX_MESSAGE_BYTES
