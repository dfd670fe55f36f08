import logging
from collections.abc import Iterator

import pytest

from referral_bus.broker.kafka import logs
from referral_bus.broker.kafka.logs import KafkaLogGuard, pin_kafka_loggers

VALUE = "personal"


@pytest.fixture(autouse=True)
def everything_at_debug(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    kafka = [logging.getLogger(name) for name in ("kafka", "kafka.producer.kafka", "kafka.made.up")]
    levels = [logger.level for logger in kafka]
    caplog.set_level(logging.DEBUG)
    yield
    for logger, level in zip(kafka, levels, strict=True):
        logger.setLevel(level)


@pytest.mark.parametrize("name", ["kafka", "kafka.producer.kafka", "kafka.made.up"])
def test_what_the_library_logs_at_debug_goes_nowhere(name: str, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger(name)
    logger.setLevel(logging.DEBUG)
    pin_kafka_loggers()

    logger.debug("value=%r", VALUE)
    logger.info("value=%r", VALUE)
    logging.getLogger("kafka.came.later").debug("value=%r", VALUE)

    assert VALUE not in caplog.text


def test_a_level_set_afterwards_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    pin_kafka_loggers()
    for name in ("kafka", "kafka.producer.kafka"):
        logging.getLogger(name).setLevel(logging.DEBUG)

    logging.getLogger("kafka.producer.kafka").debug("value=%r", VALUE)

    assert VALUE not in caplog.text


def test_warnings_are_kept(caplog: pytest.LogCaptureFixture) -> None:
    pin_kafka_loggers()
    logging.getLogger("kafka.producer.kafka").warning("something is wrong")
    assert "something is wrong" in caplog.text


def test_the_same_warning_is_kept_once_a_minute() -> None:
    now = 1000.0
    guard = KafkaLogGuard(lambda: now)

    def passes(message: str) -> bool:
        return guard.filter(logging.LogRecord("kafka", logging.WARNING, "", 0, message, (), None))

    assert [passes("a"), passes("a"), passes("b")] == [True, False, True]
    now += 61
    assert passes("a")
    for i in range(10_000):
        passes(str(i))
    assert len(guard._last_seen) <= logs.REMEMBERED


def test_other_loggers_are_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    pin_kafka_loggers()
    logging.getLogger("kafkaesque").debug("%s", "heard")
    assert "heard" in caplog.text
