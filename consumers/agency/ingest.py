"""The ingest loop: reads this agency's inbox and the other agencies' announcements, takes each record in, and keeps the
position that it has read up to.

    poll  ->  one ledger transaction: take in every record, receipts owed, positions  ->  commit to Kafka (for lag)

The committed offset in Kafka serves lag monitoring only. The loop resumes from the position in the ledger, which is in
the same transaction as what was read. So a crash at any moment at worst makes it read records again, and it recognizes
a record that it has taken in before.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import UUID

from consumers.agency.dead_letters import keep_places, still_held
from consumers.agency.ingest_report import IngestReport
from consumers.agency.subscriptions import Subscriptions
from consumers.agency.take_in import JudgedAnew, judge_held, take_in
from consumers.agency.verdicts import (
    IngestContext,
    NoRoom,
    RegisterHeard,
    Verdict,
)
from referral_bus.broker.protocols import (
    TOPIC_MADE_ANEW,
    Broker,
    Delivery,
    Position,
    Reader,
    ReaderBroken,
    Unreadable,
)
from referral_bus.clock import Clock
from referral_bus.errors import LedgerUnusable, Reason, Unreachable
from referral_bus.federation.register import Register
from referral_bus.ledger import received_events
from referral_bus.ledger.held_events import next_held
from referral_bus.ledger.quotas import QuotaExceeded
from referral_bus.ledger.revoked_keys import disbelieve
from referral_bus.ledger.store import Ledger, Tx
from referral_bus.logs import Log
from referral_bus.metrics import ServiceMetrics
from referral_bus.wire.raw import RawRecord
from referral_bus.wire.record import KeyFinder
from schemas.events import RegisterVersion
from schemas.outcomes import Code

BATCH = 200  # records in one transaction: a commit each 200, yet commands wait well under 100 ms for the write lock
POLL_S = 0.5
TOPICS_EVERY_S = 5.0  # between two looks for topics that were made, removed, or made anew
RETRY_S = 0.5
HELD_BY_ITSELF = (Code.REGISTER_NEWER, Code.SCHEMA_UNKNOWN, Code.CODE_UNKNOWN)


class Ingest:
    """One thread calls `run`. It never calls the agency's own system."""

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
        self._account = IngestReport(metrics, log)
        self._topics = Subscriptions(ledger, broker, register, clock)
        self._looked = 0.0
        self._judged_with = 0  # version of the register with which the held events were last judged
        self._progress: Callable[[], None] = lambda: None
        self.reading = False  # whether our inbox topic exists and is being read

    def run(self, stop: threading.Event, progress: Callable[[], None]) -> None:
        """Reads until `stop` is set. Raises `Unreachable` when Kafka or the ledger does not answer. Called again it
        resumes at the position in the ledger, so that no record is skipped."""
        self._progress = progress
        while not stop.is_set():
            progress()
            reader = self.reader()
            try:
                self.assign(reader)
                while not stop.is_set() and self.step(reader):
                    progress()
            except ReaderBroken as broken:
                if broken.cause != TOPIC_MADE_ANEW:
                    raise Unreachable(Reason.KAFKA_FAILED, "reading has broken off; it is begun again") from None
                stop.wait(RETRY_S)
            finally:
                self.reading = False
                reader.close()

    def reader(self) -> Reader:
        return self._broker.reader(f"referral-bus.{self._ledger.code}")

    def assign(self, reader: Reader) -> None:
        """Looks which of our topics exist, and has `reader` resume in each at the position in the ledger."""
        self._topics.look()
        self._looked = time.monotonic()
        self._judge_held_if_it_can_help()
        reader.assign(self._topics.positions())
        self.reading = self._topics.inbox_is_there

    def step(self, reader: Reader, timeout_s: float = POLL_S) -> bool:
        """Polls once and takes in what came. Returns False when a topic was made, removed, or made anew since `assign`:
        then call `assign` again."""
        batch = reader.poll(timeout_s, BATCH)
        passed, standing = reader.passed_over(), self._topics.moved(reader.reached())
        if batch or passed or standing:
            reader.commit(self.take(batch, passed, standing))
        if time.monotonic() - self._looked < TOPICS_EVERY_S:
            return True
        self._looked = time.monotonic()
        return not self._topics.changed()

    def take(
        self, batch: Sequence[Delivery], passed: Sequence[Unreadable] = (), standing: Sequence[Position] = ()
    ) -> list[Position]:
        """Takes a batch in and returns the positions reached, one for each partition. `passed`: Kafka batches in
        between that cannot be unpacked. `standing`: the positions of the reader after this batch. A batch that fails
        is repeated record by record. Raises `Unreachable` or `LedgerUnusable`."""
        try:
            return self._take_together(batch, passed, standing)
        except (Unreachable, LedgerUnusable):  # no fault of the record's: nothing is skipped
            raise
        except Exception as error:  # noqa: BLE001 # one record that we fail on must not stop all others
            if len(batch) > 1:
                for delivery in batch:
                    self.take([delivery])
                return self._move(batch, passed, standing)
            self._account.defect(error)
            return self._move(batch, passed, standing)

    def _take_together(
        self, batch: Sequence[Delivery], passed: Sequence[Unreadable], standing: Sequence[Position]
    ) -> list[Position]:
        context = replace(self._context(), arriving=True)
        reached = self._topics.reached(batch, standing)
        with self._ledger.write() as tx:
            verdicts = [_take_in(tx, delivery.record, context) for delivery in batch]
            dropped = keep_places(tx, batch, verdicts, self._dead_letters_kept)
            received_events.read_up_to(tx, reached)
        self._topics.saved(reached)
        self._metrics.dead_letters_dropped(dropped)
        for verdict in verdicts:
            self._follow(verdict)
        self._account.passed_over(passed)
        return reached

    def _judge_held_if_it_can_help(self) -> None:
        """Judges the held events again, once after the start, since the software may be newer than what held them, and
        then once for each version of the register."""
        version = self._register().version
        if version != self._judged_with:
            self._disbelieve()
            self.judge_held()
            self._judged_with = version

    def _disbelieve(self) -> None:
        """Forgets what was said under signing keys that the current register no longer believes. Must be done before
        anything is judged with that register."""
        register, now = self._register(), self._clock()
        with self._ledger.write() as tx:
            disbelieve(tx, lambda code, key_id: register.believes(code, key_id, now), now)

    def judge_held(self) -> None:
        """Judges again the events that were held because they need a newer register or newer software."""
        last: int | None = 0
        most = BATCH
        while last is not None:
            try:
                judged = self._judge_some(last, most)
            except (Unreachable, LedgerUnusable):
                raise
            except Exception as error:  # noqa: BLE001 # one event that we fail on must not stop all others
                if most == 1:
                    self._account.defect(error)
                    last = self._next_held(last)  # it stays held
                most = 1
                continue
            for verdict in judged.verdicts:
                if not still_held(verdict):
                    self._follow(verdict)
            last = judged.last
            self._progress()

    def _judge_some(self, after: int, most: int) -> JudgedAnew:
        with self._ledger.write() as tx:
            return judge_held(tx, HELD_BY_ITSELF, self._context(), after, most)

    def _next_held(self, after: int) -> int | None:
        with self._ledger.read() as tx:
            return next_held(tx, HELD_BY_ITSELF, after)

    def _context(self) -> IngestContext:
        return IngestContext(self._ledger.code, self._register(), self._find_key, self._new_id, self._clock())

    def _move(
        self, batch: Sequence[Delivery], passed: Sequence[Unreadable], standing: Sequence[Position]
    ) -> list[Position]:
        """Stores the positions only, and returns them. A record that a defect of ours keeps from being judged gets no
        receipt, so its writer sends it again, and it is not lost."""
        reached = self._topics.reached(batch, standing)
        with self._ledger.write() as tx:
            received_events.read_up_to(tx, reached)
        self._topics.saved(reached)
        self._account.passed_over(passed)
        return reached

    def _follow(self, verdict: Verdict) -> None:
        self._account.of(verdict)
        if isinstance(verdict, RegisterHeard):
            self._on_register(verdict.version)
            self._judge_held_if_it_can_help()


def _take_in(tx: Tx, raw: RawRecord, context: IngestContext) -> Verdict:
    try:
        return take_in(tx, raw, context)
    except QuotaExceeded as full:
        return NoRoom(full.record)
