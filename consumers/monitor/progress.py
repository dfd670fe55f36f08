"""Stores how far the monitor has read, and its counters, in the transaction that stores what was read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.sqlite import insert

from consumers.monitor import tables
from consumers.monitor.counters import CounterName, Tally
from referral_bus.broker.protocols import Position

GAP = timedelta(minutes=2)  # without having read everything; a longer time counts as a gap


@dataclass(frozen=True, slots=True)
class Reached:
    """How far one partition was read: the next position, when the last record was heard, and the first record ever
    read. The last three are None before any record was read."""

    position: Position
    heard_at: datetime | None
    first_offset: int | None
    first_heard_at: datetime | None

    def moved(self, first: int, first_heard_at: datetime, last: int, heard_at: datetime) -> "Reached":
        """This after more records were read; `first` and `last` are the offsets of the first and the last of them."""
        position = replace(self.position, offset=last + 1)
        if self.first_heard_at is not None:
            first, first_heard_at = self.first_offset or 0, self.first_heard_at
        return Reached(position, heard_at, first, first_heard_at)

    def passed(self, next_offset: int) -> "Reached":
        """This after the reader has passed over offsets that hold no readable record, up to before `next_offset`."""
        return replace(self, position=replace(self.position, offset=next_offset))


Partition = tuple[str, int]
_HERE = tables.positions.c
_NEW = insert(tables.positions)
_KEPT = ("first_offset", "first_heard_at")
_MOVE = _NEW.on_conflict_do_update(
    index_elements=["topic", "partition"],
    set_={name: _NEW.excluded[name] for name in ("topic_id", "offset", "heard_at")}
    | {name: sa.func.coalesce(_HERE[name], _NEW.excluded[name]) for name in _KEPT},
)


def read_positions(tx: Connection) -> Mapping[Partition, Reached]:
    """How far each partition was read, by topic name and partition number."""
    found: dict[Partition, Reached] = {}
    for topic, partition, topic_id, offset, heard_at, first_offset, first_heard_at in tx.execute(
        sa.select(tables.positions)
    ):
        position = Position(topic, topic_id, partition, offset)
        found[topic, partition] = Reached(position, heard_at, first_offset, first_heard_at)
    return found


def save_positions(tx: Connection, reached: Iterable[Reached]) -> None:
    """Stores how far these partitions were read; the first record ever read in one stays as it was stored first."""
    rows = [
        {
            "topic": one.position.topic,
            "partition": one.position.partition,
            "topic_id": one.position.topic_id,
            "offset": one.position.offset,
            "heard_at": one.heard_at,
            "first_offset": one.first_offset,
            "first_heard_at": one.first_heard_at,
        }
        for one in reached
    ]
    if rows:
        tx.execute(_MOVE, rows)


def knows_since(reached: Iterable[Reached], created_at: datetime) -> datetime:
    """From when on the monitor knows everything. `reached`: how far it has read the inboxes. Where Kafka had already
    deleted the begin of an inbox when the monitor first read it, that is the time of the first record found there, the
    latest over all such inboxes; else the time of the oldest record, or `created_at` without any record."""
    known = [one for one in reached if one.first_heard_at is not None]
    cut = [one.first_heard_at for one in known if one.first_offset and one.first_heard_at]
    return max(cut) if cut else min([one.first_heard_at for one in known if one.first_heard_at], default=created_at)


_COUNTER = insert(tables.counters)
_ADD = _COUNTER.on_conflict_do_update(
    index_elements=["metric", "labels"],
    set_={
        "value": tables.counters.c.value + _COUNTER.excluded.value,
        "last_at": sa.func.max(tables.counters.c.last_at, _COUNTER.excluded.last_at),
    },
)


def save_tally(tx: Connection, tally: Tally, at: datetime) -> None:
    """Adds what a batch counted to the stored counters; `at` becomes their `last_at`."""
    rows = [
        {"metric": metric, "labels": list(labels), "value": value, "last_at": at}
        for (metric, labels), value in tally.added.items()
    ]
    if rows:
        tx.execute(_ADD, rows)


@dataclass(frozen=True, slots=True)
class Counted:
    """A counter's value, and when it was last increased."""

    value: float
    last_at: datetime


def read_counters(tx: Connection) -> Mapping[CounterName, Counted]:
    rows = tx.execute(sa.select(tables.counters))
    return {(metric, tuple(labels)): Counted(value, last_at) for metric, labels, value, last_at in rows}


def complete_at(tx: Connection) -> datetime | None:
    """The time up to which everything that was in Kafka has been read; None before that was so for the first time."""
    moment: datetime | None = tx.execute(sa.select(tables.monitor.c.complete_at)).scalar_one()
    return moment


def gap_ended_at(tx: Connection) -> datetime | None:
    """When the last gap in reading ended; None if there was none. See `GAP`."""
    moment: datetime | None = tx.execute(sa.select(tables.monitor.c.gap_ended_at)).scalar_one()
    return moment


def save_complete_at(tx: Connection, moment: datetime, gap: timedelta = GAP) -> None:
    """Stores that everything up to `moment` was read. Where the time before is more than `gap` earlier, `moment` is
    also noted as the end of a gap, in which Kafka or the monitor did not run."""
    before = complete_at(tx)
    values = {"complete_at": moment}
    if before is not None and moment - before > gap:
        values["gap_ended_at"] = moment
    tx.execute(sa.update(tables.monitor).values(values))
