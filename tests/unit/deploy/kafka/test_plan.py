import re
from pathlib import Path

import pytest

from deploy.kafka.plan import KafkaPlan, free_port, is_free, server_properties
from referral_bus.errors import Reason, Refused

DAY_MINUTES = 24 * 60


def settings(brokers: int = 1) -> dict[str, str]:
    plan = KafkaPlan(Path("anywhere"), brokers=brokers)
    return dict(server_properties(plan, plan.nodes[-1]))


@pytest.mark.parametrize("brokers", [1, 3])
def test_every_address_is_on_loopback(brokers: int) -> None:
    addresses = [value for value in settings(brokers).values() if re.search(r":\d{2,}", value)]

    assert len(addresses) == 3
    assert all(re.fullmatch(r"((CLIENTS://|CONTROLLER://|\d@)127\.0\.0\.1:\d+,?)+", value) for value in addresses)


def test_topics_are_made_only_by_those_who_may_and_stamped_by_the_broker() -> None:
    assert settings()["auto.create.topics.enable"] == "false"
    assert settings()["log.message.timestamp.type"] == "LogAppendTime"


def test_how_far_a_group_was_is_kept_longer_than_what_it_reads() -> None:
    kept, records = int(settings()["offsets.retention.minutes"]), int(settings()["log.retention.hours"]) * 60

    assert kept > records >= 14 * DAY_MINUTES


def test_a_batch_is_at_most_a_mebibyte() -> None:
    assert int(settings()["message.max.bytes"]) <= 2**20


def test_three_brokers_keep_three_copies_and_outlive_one() -> None:
    three = settings(3)

    assert (three["default.replication.factor"], three["min.insync.replicas"]) == ("3", "2")
    assert three["offsets.topic.replication.factor"] == "3"
    assert len(three["controller.quorum.voters"].split(",")) == 3


def test_clients_are_told_to_come_by_what_stands_in_between() -> None:
    plan = KafkaPlan(Path("anywhere"), port=9092, told_port=9192)

    assert server_properties(plan, plan.nodes[0])["advertised.listeners"] == "CLIENTS://127.0.0.1:9192"


def test_a_path_with_a_comma_or_an_accent_does_not_reach_the_settings() -> None:
    plan = KafkaPlan(Path("/somewhere/oʻzbek, uy"))

    assert "uy" not in str(server_properties(plan, plan.nodes[0]))


@pytest.mark.parametrize(
    ("path", "plan"),
    [
        ("brokers", {"brokers": 2}),
        ("port", {"port": 9092, "controller_port": 9092}),
        ("port", {"port": 9092, "controller_port": 9094, "brokers": 3}),
        ("port", {"port": 65535, "brokers": 3}),
        ("port", {"port": 0}),
        ("heap_mb", {"heap_mb": 64}),
        ("told_port", {"told_port": 9192, "brokers": 3}),
    ],
)
def test_nonsense_is_refused_at_once(path: str, plan: dict[str, int]) -> None:
    with pytest.raises(Refused) as refused:
        KafkaPlan(Path("anywhere"), **plan)

    assert (refused.value.reason, refused.value.path) == (Reason.SETTINGS_INVALID, path)


def test_free_ports_are_neighbours_and_out_of_the_way_of_clients() -> None:
    first = free_port(6)

    assert all(is_free(first + i) for i in range(6))
    assert 1024 < first < 32768 - 6
