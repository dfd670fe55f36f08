"""What only a real Kafka can show: what it lets pass, what the library logs, and what it leaves behind."""

import gc
import logging
import time
from collections.abc import Callable
from functools import partial

import pytest

from referral_bus.broker.kafka import Connection
from referral_bus.broker.kafka.batches import UNPACKED_BYTES
from referral_bus.broker.kafka.producer_session import connect_session
from referral_bus.broker.kafka.reader import connect_reader
from referral_bus.broker.protocols import Unreadable
from tests.contract.broker import crafted
from tests.contract.broker.lab import Bench, record
from tests.contract.broker.test_broker_unreadable import read_to
from tests.kit.waiting import PATIENCE_S

pytestmark = pytest.mark.kafka

TWO = partial(crafted.plain, [b"1", b"2"])
BOMB = partial(crafted.plain, [bytes(UNPACKED_BYTES + 1)])


@pytest.mark.parametrize(
    ("batch", "records", "readable", "cause"),
    [
        (lambda: crafted.in_snappy(TWO()), 2, 0, "UnsupportedCodecError"),
        (lambda: crafted.in_lz4(TWO()), 2, 0, "UnsupportedCodecError"),
        (lambda: crafted.with_a_header_that_is_no_text(TWO()), 2, 1, "CorruptRecordError"),
        (lambda: crafted.in_zstd(BOMB()), 1, 0, "CorruptRecordError"),
        (lambda: crafted.in_gzip(BOMB()), 1, 0, "CorruptRecordError"),
        (lambda: crafted.with_an_offset(crafted.plain([b"1"]), 50), 1, 0, "CorruptRecordError"),
        (lambda: crafted.with_an_offset(crafted.plain([b"1"]), -1), 1, 0, "CorruptRecordError"),
    ],
    ids=["snappy", "lz4", "header", "zstd bomb", "gzip bomb", "offset ahead", "offset behind"],
)
def test_what_kafka_takes_and_we_do_not_is_passed_over(
    kafka_bench: Bench, kafka_bootstrap: str, batch: Callable[[], bytes], records: int, readable: int, cause: str
) -> None:
    topic = kafka_bench.topic()
    kafka_bench.store(record(topic.name, value=b"before"))
    crafted.produce(kafka_bootstrap, topic.name, batch())
    kafka_bench.store(record(topic.name, value=b"beyond"))

    read, passed = read_to(kafka_bench.reader(*kafka_bench.start_of(topic)), 2 + records)

    assert read == [*range(1 + readable), 1 + records]
    assert passed == [Unreadable(topic.name, 0, 1 + readable, 1 + records, cause)]


def test_hundreds_that_nobody_can_unpack_hold_up_nobody(kafka_bench: Bench, kafka_bootstrap: str) -> None:
    topic = kafka_bench.topic()
    snappy, malformed = crafted.in_snappy(TWO()), crafted.with_a_header_that_is_no_text(crafted.plain([b"1"]))
    crafted.produce(kafka_bootstrap, topic.name, *[snappy, malformed] * 200)
    kafka_bench.store(record(topic.name))
    reader = kafka_bench.reader(*kafka_bench.start_of(topic))

    began = time.monotonic()
    read, passed = read_to(reader, 601)

    assert time.monotonic() - began < PATIENCE_S / 4  # a tenth of a second for each would be more
    assert read == [600]
    assert [one.next_offset for one in passed] == [offset for end in range(3, 601, 3) for offset in (end - 1, end)]


def test_many_that_unpack_to_very_much_keep_no_poll_long(kafka_bench: Bench, kafka_bootstrap: str) -> None:
    topic = kafka_bench.topic()
    crafted.produce(kafka_bootstrap, topic.name, *[crafted.in_gzip(BOMB())] * 150)
    reader = kafka_bench.reader(*kafka_bench.start_of(topic))
    passed: list[Unreadable] = []
    longest = 0.0

    while len(passed) < 150:
        worked = time.process_time()
        assert not reader.poll(0.5, 1000)
        longest = max(longest, time.process_time() - worked)
        passed += reader.passed_over()

    assert longest < 5
    assert [one.offset for one in passed] == list(range(150))


def test_what_others_write_is_read(kafka_bench: Bench, kafka_bootstrap: str) -> None:
    topic = kafka_bench.topic()
    crafted.produce(kafka_bootstrap, topic.name, crafted.in_gzip(crafted.plain([b"1"])))
    crafted.produce(kafka_bootstrap, topic.name, crafted.plain([b"2"], header=("h", None)))

    deliveries = kafka_bench.read(kafka_bench.reader(*kafka_bench.start_of(topic)), 2)

    assert [one.record.value for one in deliveries] == [b"1", b"2"]
    assert [one.record.headers for one in deliveries] == [(("h", b"x"),), (("h", b""),)]


def test_no_log_holds_what_was_sent_or_read(kafka_bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    topic = kafka_bench.topic()
    sender, reader = kafka_bench.sender(), kafka_bench.reader(*kafka_bench.start_of(topic))
    assert kafka_bench.outcomes([sender.send(record(topic.name))]) == [None]
    assert kafka_bench.read(reader, 1)
    loggers = [logging.getLogger(name) for name in ("kafka", "kafka.producer.kafka", "kafka.protocol.parser")]
    levels = [logger.level for logger in loggers]
    try:
        caplog.set_level(logging.DEBUG)
        for logger in loggers:
            logger.setLevel(logging.DEBUG)
        marked = record(topic.name, b"THE-KEY", b"THE-VALUE", ("h", b"THE-HEADER"))
        assert kafka_bench.outcomes([sender.send(marked)]) == [None]
        assert [one.record for one in kafka_bench.read(reader, 1)] == [marked]
        sender.close()
        reader.close()
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

    assert "THE-" not in caplog.text
    assert "THE-" not in "".join(str(one.__dict__) for one in caplog.records)


def test_a_producer_that_is_gone_takes_no_logger_with_it(kafka_bootstrap: str) -> None:
    import kafka.producer.kafka as library

    producer = connect_session(Connection(kafka_bootstrap, "test"), 20)
    producer.end()
    del producer
    gc.collect()

    assert isinstance(library.log, logging.Logger)


def test_the_settings_that_correctness_rests_on_are_in_force(kafka_bootstrap: str) -> None:
    connection = Connection(kafka_bootstrap, "test")
    producer, consumer = connect_session(connection, 20), connect_reader(connection)
    sending, reading = producer.config, consumer.config
    producer.end()
    consumer.close()

    assert (sending["enable_idempotence"], sending["max_in_flight_requests_per_connection"]) == (False, 1)
    assert (sending["acks"], sending["retries"]) == (-1, float("inf"))
    assert (sending["key_serializer"], sending["value_serializer"]) == (None, None)
    assert sending["max_block_ms"] <= 5
    assert (reading["group_id"], reading["enable_auto_commit"]) == (None, False)
    assert (reading["auto_offset_reset"], reading["check_crcs"]) == ("earliest", True)
    assert (reading["key_deserializer"], reading["value_deserializer"]) == (None, None)
