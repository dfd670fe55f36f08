"""The reading loop: reads every inbox and announcement topic of the register, the notices and the register topic, and
counts each record once.

    poll  ->  judge (no lock held)  ->  one transaction: what follows, the counters, the positions  ->  commit to Kafka

After a crash at any moment records are at worst read again. Their effects had not been stored either, so every count
stays exact.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from consumers.monitor.batch import Rules, take_batch
from consumers.monitor.judging import Attributed, Judged, Watched, heard, judge, watched_topics
from consumers.monitor.progress import (
    Partition,
    Reached,
    complete_at,
    read_positions,
    save_positions,
    save_tally,
)
from consumers.monitor.revoked_keys import disbelieve
from consumers.monitor.store import Store
from referral_bus.broker.protocols import Broker, Delivery, Position, Reader, ReaderBroken, Topic
from referral_bus.clock import Clock
from referral_bus.errors import Unreachable
from referral_bus.federation.register import Register
from referral_bus.logs import Log, Seldom, defect
from schemas.events import RegisterVersion

GROUP = "referral-bus-monitor"  # no agency's group has this name: theirs contain a dot
BATCH = 1500  # in one transaction: larger ones write fewer pages of the database, smaller ones take less memory
POLL_S = 0.5
TOPICS_EVERY_S = 5.0
RETRY_S = 0.5


class MonitorReader:
    """One thread calls `run`."""

    def __init__(
        self,
        store: Store,
        broker: Broker,
        register: Callable[[], Register],
        clock: Clock,
        keep: timedelta,
        log: Log,
        on_register: Callable[[RegisterVersion], None] = lambda _: None,
    ) -> None:
        self._on_register = on_register
        self._store = store
        self._broker = broker
        self._register = register
        self._read_with: int | None = None  # version of the register
        self._clock = clock
        self._keep = keep
        self._log = log
        self._seldom = Seldom(time.monotonic)
        self._looked = 0.0
        self._reached: dict[Partition, Reached] = {}
        self._watched: Mapping[str, Watched] = {}
        self.topics: Mapping[str, Topic] = {}  # those that exist and are being read
        self.kafka_answers = False
        self.complete_at: datetime | None = None  # `LagWatcher` sets it

    @property
    def lacking(self) -> bool:
        """Whether a topic of the register does not exist, or is not being read."""
        return not self.topics or set(self.topics) != set(self._watched)

    def run(self, stop: threading.Event, progress: Callable[[], None]) -> None:
        """Reads until `stop` is set. Waits while Kafka or the database does not answer; raises only on a defect, after
        which the supervisor starts it again."""
        while not stop.is_set():
            progress()
            reader = self.reader()
            try:
                self.assign(reader)
                while not stop.is_set() and self.step(reader):
                    progress()
            except ReaderBroken:
                self._log.warning("reader_broken")
            except Unreachable as error:
                self._log.warning("waiting", code=error.reason)
                stop.wait(RETRY_S)
            finally:
                self.topics, self.kafka_answers = {}, False
                reader.close()

    def reader(self) -> Reader:
        return self._broker.reader(GROUP)

    def assign(self, reader: Reader) -> None:
        """Looks which topics exist, and has `reader` resume in each at the position in the database."""
        self._watched = watched_topics(self._register())
        topics = dict(self._broker.topics(list(self._watched)))
        self.kafka_answers = True
        self._looked = time.monotonic()
        with self._store.read() as tx:
            saved = read_positions(tx)
            self.complete_at = complete_at(tx)
        self._reached = {
            (topic.name, partition): _resumed(saved.get((topic.name, partition)), topic, partition)
            for topic in topics.values()
            for partition in range(topic.partitions)
        }
        reader.assign([one.position for one in self._reached.values()])
        self.topics = topics

    def step(self, reader: Reader, timeout_s: float = POLL_S) -> bool:
        """Polls once and takes in what came. Returns False when a topic was made, removed, or made anew, or the
        register has changed: then call `assign` again."""
        batch = reader.poll(timeout_s, BATCH)
        passed, standing = reader.passed_over(), self._moved_on(reader.reached())
        for code in sorted({one.code for one in passed}):
            if self._seldom(code):
                self._log.warning("not_taken", code=code)
        if batch or standing:
            reader.commit(self.take(batch, standing))
        if time.monotonic() - self._looked < TOPICS_EVERY_S:
            return True
        self._looked = time.monotonic()
        watched = watched_topics(self._register())
        return watched == self._watched and dict(self._broker.topics(list(watched))) == self.topics

    def take(self, batch: Sequence[Delivery], standing: Sequence[Position] = ()) -> list[Position]:
        """Takes a batch in and returns the positions reached. `standing`: the positions of the reader after this batch.
        A batch that fails is repeated record by record. Waits while the database does not answer."""
        while True:
            try:
                positions, judged = self._take_together(batch, standing)
            except Unreachable as error:
                self._log.warning("waiting", code=error.reason)
                time.sleep(RETRY_S)
            except Exception as error:  # noqa: BLE001 # one record that we fail on must not stop all others
                if len(batch) > 1:
                    for delivery in batch:
                        self.take([delivery])
                    return self._move(batch, standing)
                self._log.error("defect", where=defect(error))
                return self._move(batch, standing)
            else:
                self._tell_registers(judged)
                return positions

    def _take_together(
        self, batch: Sequence[Delivery], standing: Sequence[Position]
    ) -> tuple[list[Position], list[Judged]]:
        now = self._clock()
        rules = Rules(self._register(), self._keep)
        judged = self._judged(batch, rules.register, now)
        reached = self._after(batch, standing, now)
        with self._store.write() as tx:
            if self._read_with != rules.register.version:
                disbelieve(tx, lambda code, key_id: rules.register.believes(code, key_id, now))
            save_tally(tx, take_batch(tx, judged, rules), now)
            save_positions(tx, reached)
        self._read_with = rules.register.version
        return self._moved(reached), judged

    def _tell_registers(self, judged: Sequence[Judged]) -> None:
        for one in judged:
            if isinstance(one, Attributed) and isinstance(one.record, RegisterVersion):
                self._on_register(one.record)

    def _judged(self, batch: Sequence[Delivery], register: Register, now: datetime) -> list[Judged]:
        return [
            judge(delivery, watched, register, self._heard(delivery, now))
            for delivery in batch
            if (watched := self._watched.get(delivery.record.topic)) is not None
        ]

    def _heard(self, delivery: Delivery, now: datetime) -> datetime:
        before = self._reached[delivery.record.topic, delivery.partition].heard_at
        complete = self.complete_at
        known = complete if before is None or complete is None else max(before, complete)
        return heard(delivery.appended_at, known or before, now)

    def _after(self, batch: Sequence[Delivery], standing: Sequence[Position], now: datetime) -> list[Reached]:
        """How far each partition will have been read with this batch, and with what the reader has passed over in
        it."""
        first = {(one.record.topic, one.partition): one for one in reversed(batch)}
        last = {(one.record.topic, one.partition): one for one in batch}
        reached = {
            partition: self._reached[partition].moved(
                first[partition].offset, self._heard(first[partition], now), one.offset, self._heard(one, now)
            )
            for partition, one in last.items()
        }
        for position in standing:
            here = (position.topic, position.partition)
            reached[here] = reached.get(here, self._reached[here]).passed(position.offset)
        return list(reached.values())

    def _moved_on(self, standing: Sequence[Position]) -> list[Position]:
        """Those of the reader's positions that the database does not hold yet."""
        return [one for one in standing if self._reached[one.topic, one.partition].position != one]

    def _moved(self, reached: Sequence[Reached]) -> list[Position]:
        for one in reached:
            self._reached[one.position.topic, one.position.partition] = one
        return [one.position for one in reached]

    def _move(self, batch: Sequence[Delivery], standing: Sequence[Position]) -> list[Position]:
        """Stores the positions only: passes over records that a defect of ours keeps from being judged."""
        reached = self._after(batch, standing, self._clock())
        with self._store.write() as tx:
            save_positions(tx, reached)
        return self._moved(reached)


def _resumed(saved: Reached | None, topic: Topic, partition: int) -> Reached:
    """Where to resume in a partition. A topic that was made anew under the same name is read from its start; the times
    at which its records were heard stay."""
    start = Position(topic.name, topic.topic_id, partition, 0)
    if saved is None:
        return Reached(start, None, None, None)
    return saved if saved.position.topic_id == topic.topic_id else replace(saved, position=start)
