"""What every broker keeps to while the machine below it is down, and after that machine has lost everything."""

import threading
import time

import pytest

from referral_bus.broker.protocols import TOPIC_MADE_ANEW, ReaderBroken
from referral_bus.errors import Unreachable
from tests.contract.broker.lab import ANSWER_WITHIN_S, BOUND_BYTES, FRAGILE, Bench, Host, KafkaHost, record
from tests.kit.waiting import BUSY, wait_until


def test_a_topic_made_anew_has_another_id(fragile: Bench, host: Host) -> None:
    before = fragile.topic()
    host.down()
    host.lose_everything()
    host.up()

    assert fragile.broker.topics([before.name]) == {}
    after = fragile.topic()

    assert after.name == before.name
    assert after.topic_id != before.topic_id


def test_sending_goes_on_after_everything_was_lost(fragile: Bench, host: Host) -> None:
    topic = fragile.topic()
    sender = fragile.sender()
    assert fragile.outcomes([sender.send(record(topic.name))]) == [None]

    host.down()
    in_flight = [sender.send(record(topic.name)) for _ in range(5)]
    if not hasattr(host, "broker"):  # in memory they stay until the broker is back
        assert None not in fragile.outcomes(in_flight)
    host.lose_everything()
    host.up()
    wait_until(lambda: fragile.outcomes([sender.send(record(topic.name))]) == ["topic_missing"])
    fragile.topic()

    fragile.store_in_the_end(sender, record(topic.name))


def test_what_is_acknowledged_after_everything_was_lost_is_there(fragile: Bench, host: Host) -> None:
    other = fragile.topic("other")
    fragile.topic()
    old = fragile.sender()
    assert fragile.outcomes([old.send(record(other.name))]) == [None]
    host.down()
    host.lose_everything()
    host.up()
    fragile.topic("other")
    topic = fragile.topic()
    fragile.store_in_the_end(old, record(topic.name, value=b"by a sender from before"))
    fragile.store(record(topic.name, value=b"by a new one"))

    values = [one.record.value for one in fragile.read(fragile.reader(*fragile.start_of(topic)), 2)]

    assert {b"by a sender from before", b"by a new one"} <= set(values)


def test_sending_goes_on_after_an_outage(fragile: Bench, host: Host) -> None:
    topic = fragile.topic()
    sender = fragile.sender()
    assert fragile.outcomes([sender.send(record(topic.name))]) == [None]

    host.down()
    in_flight = [sender.send(record(topic.name)) for _ in range(5)]
    if not hasattr(host, "broker"):
        assert None not in fragile.outcomes(in_flight)
    host.up()

    fragile.store_in_the_end(sender, record(topic.name))


def test_reading_goes_on_after_everything_was_lost(fragile: Bench, host: Host) -> None:
    topic = fragile.topic()
    fragile.store(*(record(topic.name) for _ in range(5)))
    reader = fragile.reader(*fragile.start_of(topic))
    fragile.read(reader, 5)

    host.down()
    host.lose_everything()
    host.up()
    anew = fragile.topic()
    fragile.store(record(topic.name, value=b"after"))
    with pytest.raises(ReaderBroken, match=TOPIC_MADE_ANEW):
        fragile.read(reader, 1)

    reader = fragile.reader(*fragile.start_of(anew))
    assert [(one.offset, one.record.value) for one in fragile.read(reader, 1)] == [(0, b"after")]


def test_reading_starts_when_the_broker_comes_up(fragile: Bench, host: Host) -> None:
    topic = fragile.topic()
    fragile.store(record(topic.name))
    host.down()
    reader = fragile.reader(*fragile.start_of(topic))
    assert not reader.poll(0.5, 10)

    host.up()

    assert len(fragile.read(reader, 1)) == 1


def test_a_poll_keeps_to_its_time_while_the_broker_is_away(fragile: Bench, host: Host) -> None:
    topic = fragile.topic()
    fragile.store(record(topic.name))
    reader, late = fragile.reader(*fragile.start_of(topic)), fragile.reader(*fragile.start_of(topic))
    fragile.read(reader, 1)
    host.down()

    for one in (reader, late):
        for _ in range(3):
            started, worked = time.monotonic(), time.process_time()
            assert not one.poll(0.5, 1)
            assert 0.4 < time.monotonic() - started < BUSY * 0.5
            assert time.process_time() - worked < 0.4


@pytest.mark.kafka
def test_a_sender_rests_while_a_topic_is_gone_that_it_has_known(patient: Bench, spare_kafka: KafkaHost) -> None:
    topic = patient.topic()
    sender = patient.sender()
    assert patient.outcomes([sender.send(record(topic.name))]) == [None]
    spare_kafka.down()
    waiting = sender.send(record(topic.name))
    spare_kafka.lose_everything()
    spare_kafka.up()

    started, worked = time.monotonic(), time.process_time()
    wait_until(lambda: time.monotonic() - started > 2)
    assert waiting is not None
    assert not waiting.done()
    assert time.process_time() - worked < 0.3 * (time.monotonic() - started)


def test_asking_for_topics_ends_in_time(fragile: Bench, host: Host) -> None:
    fragile.topic()
    host.down()

    for _ in range(2):
        started = time.monotonic()
        with pytest.raises(Unreachable):
            fragile.broker.topics(["any"])
        assert time.monotonic() - started < BUSY * ANSWER_WITHIN_S


def test_what_is_in_flight_is_bounded(fragile: Bench, host: Host) -> None:
    topic = fragile.topic()
    sender = fragile.sender()
    fragile.outcomes([sender.send(record(topic.name))])
    host.down()

    taken, slowest = 0, 0.0
    while True:
        started = time.monotonic()
        sending = sender.send(record(topic.name, value=bytes(1000)))
        slowest = max(slowest, time.monotonic() - started)
        if sending is None:
            break
        taken += 1

    assert BOUND_BYTES * 0.5 < taken * 1000 <= BOUND_BYTES
    assert slowest < 1  # to wait for an answer would take three
    host.up()
    wait_until(lambda: sender.send(record(topic.name, value=bytes(1000))) is not None)


def test_a_record_larger_than_the_bound_goes_alone(fragile: Bench) -> None:
    topic = fragile.topic()
    fragile.store(record(topic.name, value=bytes(BOUND_BYTES)))


def test_everything_closes_within_seconds_while_the_broker_is_gone(fragile: Bench, host: Host) -> None:
    topic = fragile.topic()
    fragile.store(record(topic.name))
    sender, unused = fragile.sender(), fragile.sender()
    fragile.outcomes([sender.send(record(topic.name))])
    reader = fragile.reader(*fragile.start_of(topic))
    fragile.read(reader, 1)
    reader.commit(fragile.start_of(topic))
    host.down()
    on_its_way = [sender.send(record(topic.name)) for _ in range(3)]
    waiting = [unused.send(record(topic.name)) for _ in range(3)]

    for close in (sender.close, unused.close, reader.close, fragile.broker.close):
        started = time.monotonic()
        close()
        assert time.monotonic() - started < BUSY * ANSWER_WITHIN_S  # the library would wait for half a minute
    assert fragile.outcomes(on_its_way + waiting) == ["abandoned"] * 6
    fragile.close()
    wait_until(lambda: not [one.name for one in threading.enumerate() if FRAGILE in one.name])
