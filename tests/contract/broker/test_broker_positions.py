"""What every broker keeps to about where a reader stands: ends are reached also where nothing is handed out."""

from collections.abc import Callable

import pytest

from referral_bus.broker.protocols import Position, Reader, Topic
from tests.contract.broker.lab import Bench, record
from tests.kit.waiting import wait_until


def stands_at(bench: Bench, reader: Reader, topic: Topic) -> int:
    """The end, once the reader stands there."""
    end = bench.broker.ends(topic)[0]
    here = Position(topic.name, topic.topic_id, 0, end)

    def reached() -> bool:
        reader.poll(0.2, 100)
        return list(reader.reached()) == [here]

    wait_until(reached)
    return end


def nothing(bench: Bench, topic: Topic) -> None:
    """The end as it is."""


def marked(bench: Bench, topic: Topic) -> None:
    bench.mark(topic)


def spoiled(bench: Bench, topic: Topic) -> None:
    bench.spoil(topic)


def emptied(bench: Bench, topic: Topic) -> None:
    bench.empty(topic)


def emptied_behind_a_marker(bench: Bench, topic: Topic) -> None:
    bench.mark(topic)
    bench.empty(topic)


@pytest.mark.parametrize("tail", [nothing, marked, spoiled, emptied, emptied_behind_a_marker])
def test_a_reader_says_that_it_has_reached_the_end_whatever_stands_there(
    bench: Bench, tail: Callable[[Bench, Topic], None]
) -> None:
    topic = bench.topic()
    bench.store(*(record(topic.name) for _ in range(3)))
    tail(bench, topic)
    reader = bench.reader(*bench.start_of(topic))

    assert stands_at(bench, reader, topic) >= 3

    bench.store(record(topic.name, value=b"beyond"))
    assert [one.record.value for one in bench.read(reader, 1)] == [b"beyond"]


def test_a_reader_stands_nowhere_before_its_first_poll(bench: Bench) -> None:
    topic = bench.topic()
    bench.store(record(topic.name))
    reader = bench.reader(*bench.start_of(topic))
    assert not reader.reached()
    bench.read(reader, 1)
    reader.assign(bench.start_of(topic))
    assert not reader.reached()


def test_a_reader_stands_behind_what_it_has_handed_out_and_not_before_the_rest(bench: Bench) -> None:
    topic = bench.topic()
    bench.store(*(record(topic.name) for _ in range(5)))
    reader = bench.reader(*bench.start_of(topic))

    wait_until(lambda: bool(reader.poll(0.5, 2)))

    assert [one.offset for one in reader.reached()] == [2]
