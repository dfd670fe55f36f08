"""The sender when its producer, or Kafka, fails."""

import time

import pytest
from kafka.errors import (
    InvalidRecordError,
    KafkaConnectionError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnsupportedVersionError,
)

from referral_bus.broker.protocols import SendFailure
from referral_bus.errors import Reason, Unreachable
from tests.kit.kafka_stage import LIMITS, Stage, outcome, record
from tests.kit.waiting import PATIENCE_S, wait_until


def test_what_waits_for_too_long_has_timed_out(stage: Stage) -> None:
    stage.trouble = Unreachable(Reason.KAFKA_UNREACHABLE, "down")
    sending = stage.send(record())
    wait_until(lambda: stage.asked)
    stage.now += LIMITS.answer_within_s - 1
    stage.let_it_look_around()
    assert not sending.done()

    stage.now += 1

    assert outcome(sending) == "timed_out"


def test_a_producer_without_progress_is_replaced(stage: Stage) -> None:
    stuck = [stage.send(record(value=b"%d" % i)) for i in range(3)]
    futures = stage.handed(3)
    stage.now += LIMITS.no_progress_s
    stage.let_it_look_around()
    assert not stuck[0].done()

    stage.now += 1
    assert [outcome(one) for one in stuck] == ["abandoned"] * 3
    assert stage.producers[0].ended.wait(PATIENCE_S)

    later = stage.send(record(value=b"later"))
    ((_, value, future),) = stage.handed(1, producer=1)
    future.success(None)
    futures[0][2].success(None)  # the old one lands after all: too late to count
    assert value == b"later"
    assert outcome(later) is None
    assert stuck[0].failure() == "abandoned"


def test_progress_is_seen_when_the_oldest_lands(stage: Stage) -> None:
    for i in range(4):
        sending = stage.send(record(value=b"%d" % i))
        future = stage.handed(i + 1)[i][2]
        stage.now += LIMITS.no_progress_s - 1
        stage.let_it_look_around()
        future.success(None)
        assert outcome(sending) is None
    assert len(stage.producers) == 1


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (KafkaTimeoutError(), "timed_out"),
        (KafkaConnectionError(), "timed_out"),
        (UnsupportedVersionError(), "abandoned"),
        (RuntimeError(), "abandoned"),
    ],
)
def test_a_producer_is_replaced_when_the_record_is_not_to_blame(
    stage: Stage, error: Exception, failure: SendFailure
) -> None:
    failed, other = stage.send(record()), stage.send(record("other"))
    next(future for topic, _, future in stage.handed(2) if topic == "t").failure(error)

    assert outcome(failed) == failure
    assert outcome(other) == "abandoned"
    stage.send(record())
    stage.handed(1, producer=1)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (MessageSizeTooLargeError(), "too_large"),
        (TopicAuthorizationFailedError(), "refused"),
        (InvalidRecordError(), "policy"),
    ],
)
def test_a_record_that_is_refused_harms_no_other(stage: Stage, error: Exception, failure: SendFailure) -> None:
    failed, other = stage.send(record()), stage.send(record("other"))
    of_topic = {topic: future for topic, _, future in stage.handed(2)}
    of_topic["t"].failure(error)

    assert outcome(failed) == failure
    stage.let_it_look_around()
    assert not other.done()
    of_topic["other"].success(None)
    assert outcome(other) is None
    assert len(stage.producers) == 1


def test_a_record_too_large_for_the_library_harms_no_other(stage: Stage) -> None:
    stage.send(record())
    stage.handed(1)
    stage.producers[0].too_large = True
    assert outcome(stage.send(record())) == "too_large"

    stage.producers[0].too_large = False
    stage.send(record())
    stage.handed(2)


def test_the_thread_outlives_what_nobody_foresaw(stage: Stage) -> None:
    stage.trouble = ZeroDivisionError()
    sending = stage.send(record())
    wait_until(lambda: len(stage.asked) > 1)

    stage.trouble = None

    stage.handed(1)[0][2].success(None)
    assert outcome(sending) is None


def test_trouble_does_not_make_it_spin(stage: Stage) -> None:
    stage.trouble = Unreachable(Reason.KAFKA_FAILED, "no")
    started = time.monotonic()
    while time.monotonic() - started < 1:
        stage.sender.send(record())
        time.sleep(0.001)
    assert len(stage.asked) < 5 * (time.monotonic() - started)
