"""What every broker keeps to when somebody wrote what nobody can unpack."""

import pytest

from referral_bus.broker.protocols import Position, ReaderBroken, Unreadable
from tests.contract.broker.lab import Bench, record


def test_what_cannot_be_unpacked_stops_its_partition_until_somebody_steps_over_it(bench: Bench) -> None:
    topic = bench.topic()
    bench.store(*(record(topic.name, value=b"%d" % i) for i in range(3)))
    bench.spoil(topic)
    bench.store(record(topic.name, value=b"beyond"))
    reader = bench.reader(*bench.start_of(topic))

    assert [one.offset for one in bench.read(reader, 3)] == [0, 1, 2]
    for again in (reader, bench.reader(Position(topic.name, topic.topic_id, 0, 3))):
        with pytest.raises(ReaderBroken) as broken:
            bench.read(again, 1)
        unreadable = broken.value.unreadable
        assert unreadable is not None
        assert unreadable == Unreadable(topic.name, 0, 3, 4, unreadable.cause)
    with pytest.raises(ReaderBroken):
        reader.poll(0.1, 1)

    beyond = bench.reader(Position(topic.name, topic.topic_id, 0, 4))
    assert [one.record.value for one in bench.read(beyond, 1)] == [b"beyond"]


def test_what_cannot_be_unpacked_loses_nothing_of_other_partitions(bench: Bench) -> None:
    good, bad = bench.topic("good"), bench.topic("bad")
    bench.spoil(bad)
    bench.store(*(record(good.name, value=b"%d" % i) for i in range(5)))
    positions = {one.topic: one for one in bench.start_of(good, bad)}
    reader = bench.reader(*positions.values())
    read: list[int] = []
    broken: list[Unreadable | None] = []

    while len(read) < 5 or not broken:
        try:
            deliveries = reader.poll(0.5, 2)
        except ReaderBroken as error:
            broken.append(error.unreadable)
            positions[bad.name] = Position(bad.name, bad.topic_id, 0, 1)
            reader = bench.reader(*positions.values())
            continue
        read += [one.offset for one in deliveries]
        if deliveries:
            positions[good.name] = Position(good.name, good.topic_id, 0, read[-1] + 1)

    assert read == [0, 1, 2, 3, 4]
    assert [one and (one.topic, one.next_offset) for one in broken] == [(bad.name, 1)]
