"""What every broker keeps to."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from referral_bus.broker.protocols import Position, Sending, TopicPlan
from referral_bus.errors import Unreachable
from tests.contract.broker.lab import Bench, record
from tests.kit.waiting import BUSY, PATIENCE_S, wait_until


def test_what_was_sent_is_read_unchanged(bench: Bench) -> None:
    topic = bench.topic()
    headers = (("rb_signature", bytes(range(64))), ("rb_keyid", b"ab"), ("rb_keyid", b""), ("o‘", b"\xff\x00"))
    sent = record(topic.name, b"\x00\xff", bytes(range(256)), *headers)

    bench.store(sent)
    (delivery,) = bench.read(bench.reader(*bench.start_of(topic)), 1)

    assert delivery.record == sent
    assert (delivery.partition, delivery.offset) == (0, 0)
    assert abs(datetime.now(UTC) - delivery.appended_at) < timedelta(minutes=5)


def test_order_is_kept_within_a_partition(bench: Bench) -> None:
    topic = bench.topic(partitions=3)
    sent = [record(topic.name, b"%d" % (i % 40), b"%d" % i) for i in range(500)]

    bench.store(*sent)
    deliveries = bench.read(bench.reader(*bench.start_of(topic)), len(sent))

    for key in {one.key for one in sent}:
        mine = [one for one in deliveries if one.record.key == key]
        assert len({one.partition for one in mine}) == 1
        assert [one.record for one in mine] == [one for one in sent if one.key == key]
    for partition in range(3):
        offsets = [one.offset for one in deliveries if one.partition == partition]
        assert offsets == list(range(len(offsets)))
    assert {one.partition for one in deliveries} == {0, 1, 2}


def test_reading_goes_on_from_a_position(bench: Bench) -> None:
    topic = bench.topic()
    bench.store(*(record(topic.name, value=b"%d" % i) for i in range(5)))

    deliveries = bench.read(bench.reader(Position(topic.name, topic.topic_id, 0, 3)), 2)

    assert [one.offset for one in deliveries] == [3, 4]


def test_a_position_at_the_end_waits_for_what_comes(bench: Bench) -> None:
    topic = bench.topic()
    bench.store(*(record(topic.name) for _ in range(3)))
    reader = bench.reader(Position(topic.name, topic.topic_id, 0, 3))
    assert not reader.poll(0.5, 10)

    bench.store(record(topic.name, value=b"next"))

    assert [one.offset for one in bench.read(reader, 1)] == [3]


def test_a_position_beyond_the_end_starts_at_the_earliest(bench: Bench) -> None:
    topic = bench.topic()
    bench.store(*(record(topic.name, value=b"%d" % i) for i in range(3)))

    deliveries = bench.read(bench.reader(Position(topic.name, topic.topic_id, 0, 1000)), 3)

    assert [one.offset for one in deliveries] == [0, 1, 2]


def test_assigning_replaces_what_is_read(bench: Bench) -> None:
    first, second = bench.topic("a"), bench.topic("b")
    bench.store(record(first.name), record(second.name))
    reader = bench.reader(*bench.start_of(first))
    bench.read(reader, 1)

    reader.assign(bench.start_of(second))
    bench.store(record(first.name, value=b"not read"))

    assert {one.record.topic for one in bench.read(reader, 1)} == {second.name}
    assert not reader.poll(0.3, 10)


def test_a_poll_takes_no_more_than_asked(bench: Bench) -> None:
    topic = bench.topic()
    bench.store(*(record(topic.name) for _ in range(10)))
    reader = bench.reader(*bench.start_of(topic))

    sizes: list[int] = []
    while sum(sizes) < 10:
        sizes.append(len(reader.poll(1.0, 4)))

    assert max(sizes) == 4


def test_a_poll_without_anything_to_read_takes_its_time_and_no_more(bench: Bench) -> None:
    topic = bench.topic()
    bench.store(record(topic.name))
    reader = bench.reader(*bench.start_of(topic))
    bench.read(reader, 1)

    started, worked = time.monotonic(), time.thread_time()
    assert not reader.poll(1.0, 1)

    assert 0.9 < time.monotonic() - started < BUSY * 1.0
    assert time.thread_time() - worked < 0.3


def test_a_poll_ends_early_when_something_comes(bench: Bench) -> None:
    topic = bench.topic()
    bench.store(record(topic.name))
    reader = bench.reader(*bench.start_of(topic))
    bench.read(reader, 1)
    sender = bench.sender()
    sendings: list[Sending | None] = []
    threading.Timer(0.3, lambda: sendings.append(sender.send(record(topic.name)))).start()

    started = time.monotonic()
    deliveries = reader.poll(PATIENCE_S, 1)

    assert len(deliveries) == 1
    assert time.monotonic() - started < PATIENCE_S / 2


def test_a_missing_topic_fails_by_itself_and_delays_nobody(bench: Bench) -> None:
    topic = bench.topic()
    sender = bench.sender()
    assert bench.outcomes([sender.send(record(topic.name))]) == [None]

    slowest = 0.0
    missing, present = [], []
    for _ in range(50):
        started = time.monotonic()
        missing.append(sender.send(record(f"{bench.prefix}.nowhere")))
        slowest = max(slowest, time.monotonic() - started)
        present.append(sender.send(record(topic.name)))

    assert bench.outcomes(present) == [None] * 50
    assert bench.outcomes(missing) == ["topic_missing"] * 50
    assert slowest < 1  # to wait until the topic is there would take as long as the library waits: a minute


def test_a_topic_that_was_missing_can_be_sent_to_once_it_is_there(bench: Bench) -> None:
    sender = bench.sender()
    name = f"{bench.prefix}.late"
    assert bench.outcomes([sender.send(record(name))]) == ["topic_missing"]

    bench.topic("late")
    bench.store_in_the_end(sender, record(name))


def test_asking_for_topics_makes_none(bench: Bench) -> None:
    topic, nowhere = bench.topic(partitions=2), f"{bench.prefix}.nowhere"
    bench.outcomes([bench.sender().send(record(nowhere))])

    found = bench.broker.topics([topic.name, nowhere])

    assert found == {topic.name: topic}
    assert topic.partitions == 2
    assert bench.broker.topics([]) == {}
    assert nowhere not in bench.admin.live_topics()


def test_a_failure_is_not_asked_for_before_it_is_known(bench: Bench) -> None:
    sender = bench.sender()
    sending = sender.send(record(bench.topic().name))
    assert sending is not None
    if not sending.done():
        with pytest.raises(RuntimeError):
            sending.failure()
    assert bench.outcomes([sending]) == [None]


def test_what_is_on_its_way_lands_before_a_sender_closes(bench: Bench) -> None:
    topic = bench.topic()
    sender = bench.sender()
    bench.outcomes([sender.send(record(topic.name))])

    sendings = [sender.send(record(topic.name, value=b"%d" % i)) for i in range(200)]
    sender.close()

    assert bench.outcomes(sendings) == [None] * 200
    with pytest.raises(RuntimeError):
        sender.send(record(topic.name))


def test_plans_come_back_as_they_were_applied(bench: Bench) -> None:
    name = f"{bench.prefix}.planned"
    plan = TopicPlan(name, 2, 1, {"retention.ms": "1209600000", "cleanup.policy": "compact"})
    bench.admin.create_topic(plan)
    assert bench.admin.live_topics()[name] == plan

    changed = TopicPlan(name, 5, 1, {"retention.ms": "86400000", "max.message.bytes": "262144"})
    bench.admin.change_topic(changed)

    assert bench.admin.live_topics()[name] == changed


def test_a_plan_that_cannot_be_applied_is_told(bench: Bench) -> None:
    plan = TopicPlan(f"{bench.prefix}.planned", 1, 1, {})
    with pytest.raises(Unreachable):
        bench.admin.change_topic(plan)
    bench.admin.create_topic(plan)
    with pytest.raises(Unreachable):
        bench.admin.create_topic(plan)


def test_a_commit_shows_others_how_far_a_reader_is(bench: Bench) -> None:
    topic = bench.topic()
    bench.store(*(record(topic.name) for _ in range(3)))
    reader = bench.reader(*bench.start_of(topic))
    bench.read(reader, 3)

    started = time.monotonic()
    for offset in (1, 2, 3):
        reader.commit([Position(topic.name, topic.topic_id, 0, offset)])
    assert time.monotonic() - started < BUSY * 1.0  # a new Kafka takes seconds to keep the first

    wait_until(lambda: bench.committed(bench.group, topic) == 3)


def test_no_position_but_the_assigned_one_counts(bench: Bench) -> None:
    topic = bench.topic()
    bench.store(*(record(topic.name) for _ in range(3)))
    reader = bench.reader(*bench.start_of(topic))
    reader.commit([Position(topic.name, topic.topic_id, 0, 3)])
    wait_until(lambda: bench.committed(bench.group, topic) == 3)

    assert len(bench.read(bench.reader(*bench.start_of(topic)), 3)) == 3
