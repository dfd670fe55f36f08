"""What every broker keeps to when somebody wrote what nobody can unpack: it is passed over, told once, and stops
nothing."""

from dataclasses import replace

import pytest

from referral_bus.broker.protocols import Position, Reader, Unreadable
from tests.contract.broker.lab import Bench, record
from tests.kit.waiting import wait_until


def read_to(reader: Reader, end: int, at_once: int = 1000) -> tuple[list[int], list[Unreadable]]:
    """Of one partition: the offsets read, and what was passed over, until both together reach `end`."""
    read: list[int] = []
    passed: list[Unreadable] = []

    def reached() -> bool:
        deliveries = reader.poll(0.5, at_once)
        assert len(deliveries) + len(reader.passed_over()) <= at_once
        read.extend(one.offset for one in deliveries)
        passed.extend(reader.passed_over())
        return end in {*(offset + 1 for offset in read), *(one.next_offset for one in passed)}

    wait_until(reached)
    return read, passed


@pytest.mark.parametrize("at_once", [1, 3, 1000])
def test_what_cannot_be_unpacked_is_passed_over_by_the_reader_that_met_it(bench: Bench, at_once: int) -> None:
    topic = bench.topic()
    for number in range(3):
        bench.store(record(topic.name, value=b"%d" % number))
        bench.spoil(topic)
        bench.spoil(topic)
    bench.store(record(topic.name, value=b"beyond"))

    read, passed = read_to(bench.reader(*bench.start_of(topic)), 10, at_once)

    assert read == [0, 3, 6, 9]
    expected = [Unreadable(topic.name, 0, offset, offset + 1, "") for offset in (1, 2, 4, 5, 7, 8)]
    assert [replace(one, cause="") for one in passed] == expected


def test_it_is_told_at_once_and_once_where_nothing_else_is_there(bench: Bench) -> None:
    topic = bench.topic()
    reader = bench.reader(*bench.start_of(topic))
    bench.spoil(topic)

    assert read_to(reader, 1) == ([], [Unreadable(topic.name, 0, 0, 1, reader.passed_over()[0].cause)])
    assert not reader.poll(0.1, 10)
    assert not reader.passed_over()

    bench.store(record(topic.name))
    assert read_to(reader, 2) == ([1], [])


def test_whoever_begins_beyond_it_does_not_meet_it(bench: Bench) -> None:
    topic = bench.topic()
    bench.spoil(topic)
    bench.store(record(topic.name))

    beyond = bench.reader(Position(topic.name, topic.topic_id, 0, 1))

    assert read_to(beyond, 2) == ([1], [])


def test_what_cannot_be_unpacked_loses_nothing_of_other_partitions(bench: Bench) -> None:
    good, bad = bench.topic("good"), bench.topic("bad")
    bench.spoil(bad)
    bench.store(*(record(good.name, value=b"%d" % i) for i in range(5)))
    reader = bench.reader(*bench.start_of(good, bad))
    read: list[int] = []
    passed: list[tuple[str, int]] = []

    while len(read) < 5 or not passed:
        read += [one.offset for one in reader.poll(0.5, 2)]
        passed += [(one.topic, one.next_offset) for one in reader.passed_over()]

    assert read == [0, 1, 2, 3, 4]
    assert passed == [(bad.name, 1)]
