"""The sender when all goes well, and when a topic is not there."""

import threading
import time

import pytest
from kafka.errors import KafkaTimeoutError

from referral_bus.broker.kafka.in_flight import KafkaSending
from referral_bus.broker.kafka.sender import SenderLimits
from tests.kit.kafka_stage import LIMITS, Stage, outcome, record
from tests.kit.waiting import PATIENCE_S, wait_until


def test_sending_does_not_wait_for_a_connection_and_keeps_order(stage: Stage) -> None:
    stage.connects.clear()
    started = time.monotonic()
    sendings = [stage.send(record(value=b"%d" % i)) for i in range(10)]
    assert time.monotonic() - started < PATIENCE_S / 2  # the connection comes only afterwards
    stage.connects.set()
    stage.handed(10)
    sendings += [stage.send(record(value=b"%d" % i)) for i in range(10, 20)]

    handed = stage.handed(20)
    for _, _, future in handed:
        future.success(None)

    assert [value for _, value, _ in handed] == [b"%d" % i for i in range(20)]
    assert [outcome(one) for one in sendings] == [None] * 20


def test_a_topic_that_cannot_be_written_to_fails_and_is_not_asked_for_each_time(stage: Stage) -> None:
    stage.absent = {"gone": "missing", "closed": "forbidden"}
    assert outcome(stage.send(record("gone"))) == "topic_missing"
    assert outcome(stage.send(record("closed"))) == "refused"

    asked = len(stage.asked)
    for _ in range(100):
        assert stage.send(record("gone")).failure() == "topic_missing"
    assert len(stage.asked) == asked
    assert not stage.producers

    stage.absent = {}
    stage.now += 1
    stage.send(record("gone"))
    assert stage.handed(1)[0][0] == "gone"


@pytest.mark.parametrize("gone", [KafkaTimeoutError(), ValueError()])
def test_a_topic_that_went_away_is_asked_for_again(stage: Stage, gone: Exception) -> None:
    stage.send(record())
    stage.handed(1)[0][2].success(None)
    stage.producers[0].metadata_gone = gone
    stage.producers[0].unknown.add("t")
    stage.absent = {"t": "missing"}

    assert outcome(stage.send(record())) == "topic_missing"


def test_nothing_overtakes_what_waits_for_its_topic(stage: Stage) -> None:
    stage.send(record(value=b"1"))
    stage.handed(1)
    stage.finds.clear()
    stage.producers[0].unknown.add("t")
    stage.send(record(value=b"2"))
    stage.producers[0].unknown.clear()
    stage.send(record(value=b"3"))
    stage.finds.set()

    assert [value for _, value, _ in stage.handed(3)] == [b"1", b"2", b"3"]


def test_room_comes_back_with_every_outcome(stage: Stage) -> None:
    def fill() -> list[KafkaSending]:
        taken = []
        while (sending := stage.sender.send(record(value=bytes(1000)))) is not None:
            taken.append(sending)
        return taken

    first = fill()
    assert 5 < len(first) < 10
    for _, _, future in stage.handed(len(first)):
        future.success(None)
    second = fill()
    assert len(second) == len(first)
    stage.now += LIMITS.no_progress_s + 1
    assert [outcome(one) for one in second] == ["abandoned"] * len(second)
    assert len(fill()) == len(first)


def test_closing_lets_land_what_is_on_its_way(stage: Stage) -> None:
    landing, waiting = stage.send(record()), stage.send(record("other"))
    stage.handed(2)
    stage.producers[0].unknown.add("third")
    never = stage.send(record("third"))
    threading.Timer(0.5, lambda: [future.success(None) for _, _, future in stage.handed(2)]).start()

    stage.sender.close()

    assert [one.failure() for one in (landing, waiting, never)] == [None, None, "abandoned"]
    assert stage.producers[0].ended.wait(PATIENCE_S)


def test_closing_ends_a_producer_that_was_still_being_connected(stage: Stage) -> None:
    stage.connects.clear()
    sending = stage.send(record())
    wait_until(lambda: stage.asked)
    threading.Timer(0.5, stage.connects.set).start()

    stage.sender.close()

    assert outcome(sending) == "abandoned"
    wait_until(lambda: stage.producers)
    assert stage.producers[0].ended.wait(PATIENCE_S)


def test_limits_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError):
        SenderLimits(in_flight_bytes=0)
    with pytest.raises(ValueError):
        SenderLimits(no_progress_s=-1)
