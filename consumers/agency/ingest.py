"""The ingest loop: read our inbox and the others' announcements, take each record in, remember how far we are.

    poll  ->  one ledger transaction: take in every record, receipts owed, positions  ->  commit to Kafka (for lag)

Kafka's committed offset is a courtesy to others. The position that counts is in the ledger, in the same transaction as
what was read; so a crash at any moment repeats records at worst, and a repeated record is known.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from consumers.agency.dead_letters import keep_places, still_held
from consumers.agency.take_in import judge_held, take_in
from consumers.agency.verdicts import (
    Again,
    Missing,
    NoRoom,
    NotTaken,
    RegisterHeard,
    Reseal,
    Surroundings,
    Taken,
    Verdict,
)
from referral_bus.broker.protocols import (
    TOPIC_MADE_ANEW,
    Broker,
    Delivery,
    Position,
    Reader,
    ReaderBroken,
    Topic,
    Unreadable,
)
from referral_bus.clock import Clock
from referral_bus.errors import LedgerUnusable, Reason, Unreachable
from referral_bus.federation.register import Register
from referral_bus.ledger import receiving, sending
from referral_bus.ledger.holding import TooManyHeld
from referral_bus.ledger.store import Ledger, Tx
from referral_bus.logs import Log, Seldom, defect
from referral_bus.metrics import ServiceMetrics
from referral_bus.wire.raw import RawRecord
from referral_bus.wire.record import KeyFinder
from schemas.events import RegisterVersion
from schemas.outcomes import Code

BATCH = 200  # records in one transaction: a commit each 200, yet commands wait well under 100 ms for the write lock
POLL_S = 0.5
TOPICS_EVERY_S = 5.0  # how often we look whether a topic was made, or made anew
RETRY_S = 0.5
HELD_BY_ITSELF = (Code.REGISTER_NEWER, Code.SCHEMA_UNKNOWN, Code.CODE_UNKNOWN)


class Ingest:
    """One thread runs it; it never calls the agency's own system."""

    def __init__(
        self,
        ledger: Ledger,
        broker: Broker,
        register: Callable[[], Register],
        find_key: KeyFinder,
        clock: Clock,
        new_id: Callable[[], UUID],
        metrics: ServiceMetrics,
        log: Log,
        on_register: Callable[[RegisterVersion], None] = lambda _: None,
        dead_letters_kept: int = 10_000,
    ) -> None:
        self._dead_letters_kept = dead_letters_kept
        self._on_register = on_register
        self._ledger = ledger
        self._broker = broker
        self._register = register
        self._find_key = find_key
        self._clock = clock
        self._new_id = new_id
        self._metrics = metrics
        self._log = log
        self._seldom = Seldom(time.monotonic)
        self._topics: dict[str, Topic] = {}
        self._inboxes: dict[str, str] = {}
        self._looked = 0.0
        self._judged_with = 0  # the register's version when what is held was last judged anew
        self._progress: Callable[[], None] = lambda: None
        self.reading = False  # whether our inbox is there and being read

    def run(self, stop: threading.Event, progress: Callable[[], None]) -> None:
        """Reads until `stop`. Raises `Unreachable` while Kafka or the ledger does not answer; begun again it goes on
        where the ledger says, so that nothing is skipped."""
        self._progress = progress
        while not stop.is_set():
            progress()
            reader = self.reader()
            try:
                self.assign(reader)
                while not stop.is_set() and self.step(reader):
                    progress()
            except ReaderBroken as broken:
                self._step_over(broken)
                stop.wait(RETRY_S)
            finally:
                self.reading = False
                reader.close()

    def _step_over(self, broken: ReaderBroken) -> None:
        """Makes sure that another reader can go on."""
        if broken.unreadable is not None:
            self._log.warning("reader_broken", unreadable=True)
            self._pass_over(broken.unreadable)
        elif broken.cause != TOPIC_MADE_ANEW:
            raise Unreachable(Reason.KAFKA_FAILED, "reading has broken off; it is begun again") from None

    def reader(self) -> Reader:
        return self._broker.reader(f"referral-bus.{self._ledger.code}")

    def assign(self, reader: Reader) -> None:
        """Looks which of our topics are there, and goes on in each where the ledger says."""
        self._topics = self._look_for_topics()
        self._looked = time.monotonic()
        self._judge_held_if_it_can_help()
        reader.assign(self._positions())
        self.reading = self._register().inbox(self._ledger.code) in self._topics

    def step(self, reader: Reader, timeout_s: float = POLL_S) -> bool:
        """One poll, taken in. False when topics have come, gone, or were made anew: assign again."""
        batch = reader.poll(timeout_s, BATCH)
        if batch:
            reader.commit(self.take(batch))
        if time.monotonic() - self._looked < TOPICS_EVERY_S:
            return True
        self._looked = time.monotonic()
        return self._look_for_topics() == self._topics

    def _look_for_topics(self) -> dict[str, Topic]:
        register, here = self._register(), self._ledger.code
        names = [register.inbox(here), *(register.announcement(peer) for peer in sorted(register.parties(here)))]
        names.append(register.register_topic)
        inboxes = {register.inbox(peer): peer for peer in register.parties(here)}
        found = dict(self._broker.topics([name for name in (*names, *inboxes) if name is not None]))
        self._look_at_inboxes({peer: found.pop(name).topic_id for name, peer in inboxes.items() if name in found})
        return found

    def _look_at_inboxes(self, topic_ids: Mapping[str, str]) -> None:
        """What stood in an inbox that was made anew is sent again."""
        if topic_ids != self._inboxes:
            with self._ledger.write() as tx:
                for peer, topic_id in topic_ids.items():
                    sending.inbox_seen(tx, peer, topic_id, self._clock())
            self._inboxes = dict(topic_ids)

    def _positions(self) -> list[Position]:
        """Where to go on. A topic made anew under the same name is read from its start; so is the register's each time,
        because what it tells is not kept in the ledger."""
        with self._ledger.read() as tx:
            saved = receiving.positions(tx)
        wanted = []
        for topic in self._topics.values():
            for partition in range(topic.partitions):
                known = saved.get((topic.name, partition))
                same = known is not None and known.topic_id == topic.topic_id
                same = same and topic.name != self._register().register_topic
                wanted.append(
                    known if known is not None and same else Position(topic.name, topic.topic_id, partition, 0)
                )
        return wanted

    def take(self, batch: Sequence[Delivery]) -> list[Position]:
        """Takes a batch in and returns the positions reached. A batch that fails is repeated record by record."""
        try:
            return self._take_together(batch)
        except (Unreachable, LedgerUnusable):  # no fault of the record's: nothing is skipped
            raise
        except Exception as error:  # noqa: BLE001 # one record that we fail on must not stop all others
            if len(batch) > 1:
                return [position for delivery in batch for position in self.take([delivery])]
            self._log.error("defect", where=defect(error))
            self._metrics.process_failures("unknown", "DEFECT")
            return self._skip(batch)

    def _take_together(self, batch: Sequence[Delivery]) -> list[Position]:
        around = self._surroundings()
        reached = self._reached(batch)
        with self._ledger.write() as tx:
            verdicts = [_take_in(tx, delivery.record, around) for delivery in batch]
            dropped = keep_places(tx, batch, verdicts, self._dead_letters_kept)
            receiving.read_up_to(tx, reached)
        self._metrics.dead_letters_dropped(dropped)
        for verdict in verdicts:
            self._follow(verdict)
        return reached

    def _judge_held_if_it_can_help(self) -> None:
        """Once after the start, when our software may be newer, and then with each version of the register."""
        version = self._register().version
        if version != self._judged_with:
            self.judge_held()
            self._judged_with = version

    def judge_held(self) -> None:
        """Events that waited for a newer register, or for newer software, are judged anew."""
        last: int | None = 0
        while last is not None:
            with self._ledger.write() as tx:
                judged = judge_held(tx, HELD_BY_ITSELF, self._surroundings(), last, BATCH)
            for verdict in judged.verdicts:
                if not still_held(verdict):
                    self._follow(verdict)
            last = judged.last
            self._progress()

    def _surroundings(self) -> Surroundings:
        return Surroundings(self._ledger.code, self._register(), self._find_key, self._new_id, self._clock())

    def _skip(self, batch: Sequence[Delivery]) -> list[Position]:
        """Passes over a record that we cannot judge for a defect of ours. It has no receipt, so its writer sends it
        again, and it is not lost."""
        reached = self._reached(batch)
        with self._ledger.write() as tx:
            receiving.read_up_to(tx, reached)
        return reached

    def _pass_over(self, unreadable: Unreadable) -> None:
        """A batch in Kafka that cannot be unpacked at all. Its writers have no receipts, so they send again."""
        self._metrics.process_failures("unknown", "UNREADABLE_BATCH")
        topic = self._topics.get(unreadable.topic)
        if topic is not None:
            beyond = Position(topic.name, topic.topic_id, unreadable.partition, unreadable.next_offset)
            with self._ledger.write() as tx:
                receiving.read_up_to(tx, [beyond])

    def _reached(self, batch: Sequence[Delivery]) -> list[Position]:
        last = {(delivery.record.topic, delivery.partition): delivery.offset for delivery in batch}
        return [
            Position(name, self._topics[name].topic_id, partition, offset + 1)
            for (name, partition), offset in last.items()
            if name in self._topics
        ]

    def _tell(self, code: str, record: str) -> None:
        """A sample: whoever writes a hundred thousand wrong records fills no disk. The metrics count each."""
        if self._seldom(code, record):
            self._log.warning("not_taken", code=code, record=record)

    def _follow(self, verdict: Verdict) -> None:
        match verdict:
            case Taken(record):
                self._metrics.consumed(record)
            case Again(record):
                self._metrics.duplicate(record)
            case Missing(record):
                self._metrics.process_failures(record, "MISSING")
            case Reseal(record):
                self._metrics.process_failures(record, "RESEAL")
                self._tell("RESEAL", record)
            case RegisterHeard(version):
                self._metrics.consumed(version.record)
                self._on_register(version)
                self._judge_held_if_it_can_help()
            case NoRoom(record):
                self._metrics.process_failures(record, "NO_ROOM")
                self._tell("NO_ROOM", record)
            case NotTaken(record, code, owed):
                self._metrics.process_failures(record, code)
                if owed:
                    self._metrics.dead_letter(code)
                self._tell(code, record)


def _take_in(tx: Tx, raw: RawRecord, around: Surroundings) -> Verdict:
    try:
        return take_in(tx, raw, around)
    except TooManyHeld as full:
        return NoRoom(full.record)
