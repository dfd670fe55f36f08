from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.provision.topic_changes import (
    AddPartitions,
    CannotShrink,
    Change,
    ChangeSetting,
    Create,
    RemoveSetting,
    ReplicationDiffers,
    TopicUnlisted,
    apply,
    difference,
)
from deploy.provision.topic_report import as_lines, as_rows
from referral_bus.broker.memory import MemoryBroker
from referral_bus.broker.protocols import TopicPlan

INBOX = TopicPlan("test.inbox.mahalla.v1", 2, 3, {"retention.ms": "14", "min.insync.replicas": "2"})
NOTICES = TopicPlan("test.notices.v1", 1, 3, {"retention.ms": "14", "min.insync.replicas": "2"})


@pytest.fixture
def kafka() -> Iterator[MemoryBroker]:
    broker = MemoryBroker()
    yield broker
    broker.close()


def plan(kafka: MemoryBroker, *wanted: TopicPlan) -> tuple[Change, ...]:
    return difference(wanted, kafka.live_topics(), "test")


def test_on_an_empty_cluster_everything_is_created_and_then_nothing_is_left_to_do(kafka: MemoryBroker) -> None:
    changes = plan(kafka, INBOX, NOTICES)
    assert changes == (Create(INBOX), Create(NOTICES))
    assert apply(changes, kafka) == ()
    assert plan(kafka, INBOX, NOTICES) == ()


def test_a_setting_that_differs_is_changed(kafka: MemoryBroker) -> None:
    kafka.create_topic(replace(INBOX, config={"min.insync.replicas": "2", "retention.ms": "7"}))
    assert plan(kafka, INBOX) == (ChangeSetting(INBOX, "retention.ms", "7"),)
    assert apply(plan(kafka, INBOX), kafka) == ()
    assert plan(kafka, INBOX) == ()


def test_a_setting_that_is_left_to_the_broker_is_set(kafka: MemoryBroker) -> None:
    kafka.create_topic(replace(INBOX, config={"min.insync.replicas": "2"}))
    assert plan(kafka, INBOX) == (ChangeSetting(INBOX, "retention.ms", None),)


def test_missing_partitions_are_added(kafka: MemoryBroker) -> None:
    kafka.create_topic(replace(INBOX, partitions=1))
    assert plan(kafka, INBOX) == (AddPartitions(INBOX, 1),)
    assert apply(plan(kafka, INBOX), kafka) == ()
    assert plan(kafka, INBOX) == ()


def test_too_many_partitions_stay_and_are_shown_to_a_person(kafka: MemoryBroker) -> None:
    kafka.create_topic(replace(INBOX, partitions=5))
    changes = plan(kafka, INBOX)
    assert changes == (CannotShrink(INBOX, 5),)
    assert apply(changes, kafka) == changes
    assert kafka.live_topics()[INBOX.name].partitions == 5


def test_another_replication_stays_and_is_shown_to_a_person(kafka: MemoryBroker) -> None:
    kafka.create_topic(replace(INBOX, replication=2))
    changes = plan(kafka, INBOX)
    assert changes == (ReplicationDiffers(INBOX, 2),)
    assert apply(changes, kafka) == changes


@pytest.mark.parametrize("config", [{"min.insync.replicas": "1"}, {}])
def test_more_copies_in_step_than_there_are_copies_are_never_asked_for(
    kafka: MemoryBroker, config: dict[str, str]
) -> None:
    kafka.create_topic(replace(INBOX, replication=1, config=config))
    left = apply(plan(kafka, INBOX), kafka)
    assert [type(change) for change in left] == [ReplicationDiffers]
    live = kafka.live_topics()[INBOX.name]
    assert live.config.get("min.insync.replicas") == config.get("min.insync.replicas")
    assert live.config["retention.ms"] == "14"
    assert [type(change) for change in plan(kafka, INBOX)] == [ReplicationDiffers]


def test_a_setting_made_by_hand_is_removed(kafka: MemoryBroker) -> None:
    kafka.create_topic(replace(INBOX, config={**INBOX.config, "retention.bytes": "1"}))
    assert plan(kafka, INBOX) == (RemoveSetting(INBOX, "retention.bytes", "1"),)
    assert apply(plan(kafka, INBOX), kafka) == ()
    assert plan(kafka, INBOX) == ()


def test_a_topic_that_the_register_does_not_name_is_shown_and_left_alone(kafka: MemoryBroker) -> None:
    stray = replace(INBOX, name="test.inbox.gone.v1")
    kafka.create_topic(stray)
    changes = plan(kafka)
    assert changes == (TopicUnlisted("test.inbox.gone.v1"),)
    assert apply(changes, kafka) == changes
    assert kafka.live_topics() == {stray.name: stray}


@pytest.mark.parametrize("name", ["other.inbox.mahalla.v1", "test2.notices.v1", "test", "test-two.notices.v1"])
def test_topics_of_others_are_not_looked_at(kafka: MemoryBroker, name: str) -> None:
    kafka.create_topic(replace(INBOX, name=name))
    assert plan(kafka) == ()


_CONFIGS = st.dictionaries(st.sampled_from(["retention.ms", "segment.ms"]), st.sampled_from(["1", "2"]))
_TOPICS = st.builds(
    TopicPlan,
    st.sampled_from(["test.a.v1", "test.b.v1", "test.c.v1", "other.d.v1"]),
    st.integers(1, 3),
    st.integers(1, 3),
    _CONFIGS,
)
_CLUSTERS = st.lists(_TOPICS, max_size=4, unique_by=lambda plan: plan.name)


@given(_CLUSTERS, _CLUSTERS)
def test_whatever_is_live_after_applying_only_a_persons_work_is_left(
    wanted: list[TopicPlan], live: list[TopicPlan]
) -> None:
    kafka = MemoryBroker()
    for topic in live:
        kafka.create_topic(topic)
    apply(plan(kafka, *wanted), kafka)
    again = plan(kafka, *wanted)
    assert apply(again, kafka) == again
    assert {topic.name for topic in live} <= kafka.live_topics().keys()


EVERY_CHANGE: tuple[tuple[Change, str, dict[str, object]], ...] = (
    (
        Create(INBOX),
        "+ test.inbox.mahalla.v1: create, partitions 2, replication 3",
        {"change": "create", "setting": None, "live": None, "wanted": 2, "needs_person": False},
    ),
    (
        ChangeSetting(INBOX, "retention.ms", "7"),
        "~ test.inbox.mahalla.v1: retention.ms 7 -> 14",
        {"change": "change_setting", "setting": "retention.ms", "live": "7", "wanted": "14", "needs_person": False},
    ),
    (
        ChangeSetting(INBOX, "retention.ms", None),
        "~ test.inbox.mahalla.v1: retention.ms unset -> 14",
        {"change": "change_setting", "setting": "retention.ms", "live": None, "wanted": "14", "needs_person": False},
    ),
    (
        AddPartitions(INBOX, 1),
        "~ test.inbox.mahalla.v1: partitions 1 -> 2",
        {"change": "add_partitions", "setting": "partitions", "live": 1, "wanted": 2, "needs_person": False},
    ),
    (
        CannotShrink(INBOX, 5),
        "! test.inbox.mahalla.v1: has 5 partitions, the register says 2; Kafka takes none away",
        {"change": "cannot_shrink", "setting": "partitions", "live": 5, "wanted": 2, "needs_person": True},
    ),
    (
        ReplicationDiffers(INBOX, 1),
        "! test.inbox.mahalla.v1: has replication 1, the register says 3; move the replicas",
        {"change": "replication_differs", "setting": "replication", "live": 1, "wanted": 3, "needs_person": True},
    ),
    (
        RemoveSetting(INBOX, "retention.bytes", "1"),
        "~ test.inbox.mahalla.v1: retention.bytes 1 -> unset",
        {"change": "remove_setting", "setting": "retention.bytes", "live": "1", "wanted": None, "needs_person": False},
    ),
    (
        TopicUnlisted(INBOX.name),
        "! test.inbox.mahalla.v1: not in the register; left as it is",
        {"change": "unlisted", "setting": None, "live": None, "wanted": None, "needs_person": True},
    ),
)


@pytest.mark.parametrize(("change", "line", "row"), EVERY_CHANGE)
def test_people_read_a_change_as_a_line_and_programs_as_a_row(
    change: Change, line: str, row: dict[str, object]
) -> None:
    assert as_lines((change,)) == (line,)
    assert as_rows((change,)) == ({"topic": INBOX.name, **row},)


def test_every_kind_of_change_is_shown_above() -> None:
    assert {type(change) for change, _, _ in EVERY_CHANGE} == set(Change.__args__)


def test_a_plan_with_nothing_in_it_says_so() -> None:
    assert as_lines(()) == ("The topics are as the register says.",)
    assert as_rows(()) == ()
