"""A federation on the workbench: the real publish, relay, ingest and ledger of several agencies, one step at a time.

Only the broker (in memory) and the clock are ours; nothing is patched. `settle()` lets everybody work until all is
quiet.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from consumers.agency.announcer import next_announcement
from consumers.agency.ingest import Ingest
from consumers.agency.take_in import take_in
from consumers.agency.verdicts import IngestContext, Verdict
from deploy.app.backups import go_on, put_in_place
from deploy.provision.topics import wanted_topics
from producers.publish import publish
from producers.relay import IDLE_S, Relay
from producers.verbs import move
from producers.withdrawals import withdraw
from referral_bus.broker.memory import MemoryBroker
from referral_bus.broker.protocols import Broker, Reader, ReaderBroken
from referral_bus.clock import Clock
from referral_bus.federation.keyring import EpochKey, Keyring
from referral_bus.federation.register import Register
from referral_bus.ledger import handovers, queries, receipts_owed, referrals, tombstones
from referral_bus.ledger.at_rest import AtRest
from referral_bus.ledger.own_agency import begin_anew, incarnation_by_clock
from referral_bus.ledger.own_events import Writing
from referral_bus.ledger.queries import Step
from referral_bus.ledger.referrals import Referral
from referral_bus.ledger.store import Ledger, open_ledger
from referral_bus.ledger.tombstones import Tombstone
from referral_bus.logs import make_log
from referral_bus.metrics import ServiceMetrics
from referral_bus.rollback_guard import RollbackGuard
from referral_bus.wire.raw import RawRecord
from schemas.events import ReceiptItem, ReferralKey
from schemas.lifecycle import ErasureReason
from schemas.referral_request import ReferralRequest
from schemas.sealing_keys import AHEAD, epoch_at
from tests.kit.made_once import AT_REST, empty_ledger, federation
from tests.kit.people import request

RESEND_AFTER = timedelta(seconds=30)
START = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


class SetClock:
    """Time that moves only when a test says so."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, span: timedelta) -> None:
        self.now += span


class LogLines(StringIO):
    """A stream that keeps what is logged."""

    @property
    def text(self) -> str:
        return self.getvalue()


@dataclass
class Station:
    """One agency on the bench."""

    code: str
    ledger: Ledger
    relay: Relay
    ingest: Ingest
    reader: Reader
    keyring: Keyring
    metrics: ServiceMetrics
    rollback_guard: RollbackGuard
    bench: "Bench"

    @property
    def register(self) -> Register:
        return self.bench.register_of(self.code)

    def publish(self, *requests: ReferralRequest) -> list[UUID]:
        published = publish(self.ledger, self.register, requests, self.bench.clock, self.bench.new_id, "test")
        return [each.referral_id for each in published]

    def refer(self, recipient: str, **changes: object) -> UUID:
        return self.publish(request(recipient, **changes))[0]

    def say(self, verb: str, referral_id: UUID, **detail: object) -> Referral:
        return move(self.ledger, verb, str(referral_id), detail, self.writing(), register=self.register)

    def writing(self) -> Writing:
        return Writing(self.bench.clock(), self.register.version, self.bench.new_id)

    def status(self, referral_id: UUID) -> str | None:
        with self.ledger.read() as tx:
            found = referrals.find(tx, str(referral_id))
        return found[0].status if found else None

    def history(self, referral_id: UUID) -> list[Step]:
        with self.ledger.read() as tx:
            keys = [each.key for each in referrals.find(tx, str(referral_id))]
            keys += [each.key for each in tombstones.find(tx, str(referral_id))]
            return queries.history(tx, keys[0]) if keys else []

    def referral(self, referral_id: UUID) -> Referral:
        with self.ledger.read() as tx:
            return referrals.find(tx, str(referral_id))[0]

    def referrals(self) -> list[UUID]:
        with self.ledger.read() as tx:
            return [key.referral_id for key in queries.statuses(tx)]

    def withdraw(self, referral_id: UUID, reason: ErasureReason = ErasureReason.WITHDRAWN) -> Tombstone:
        return withdraw(self.ledger, str(referral_id), reason, self.writing())

    def tombstone(self, referral_id: UUID) -> Tombstone | None:
        with self.ledger.read() as tx:
            found = tombstones.find(tx, str(referral_id))
        return found[0] if found else None

    def pull(self) -> None:
        """The agency's own system takes everything that has come in."""
        with self.ledger.write() as tx:
            handovers.acknowledged_up_to(tx, handovers.newest(tx), self.writing())

    def key(self, referral_id: UUID) -> ReferralKey:
        with self.ledger.read() as tx:
            return referrals.find(tx, str(referral_id))[0].key

    def announce(self) -> None:
        now = self.bench.clock()
        announcement = next_announcement(self.ledger, self.register, self.keyring.announced(now), now, "0.0.0")
        self.relay.announce(announcement)

    def take(self, *records: RawRecord) -> list[Verdict]:
        """As if ingest had just read them, in one transaction."""
        with self.ledger.write() as tx:
            return [take_in(tx, record, self.surroundings()) for record in records]

    def surroundings(self) -> IngestContext:
        new_id = self.bench.new_id
        return IngestContext(self.code, self.register, self.keyring.find_sealing, new_id, self.bench.clock())

    def owed(self, addressee: str) -> list[ReceiptItem]:
        """The receipt items that `addressee` has not been sent yet."""
        with self.ledger.read() as tx:
            batches = receipts_owed.next_batches(tx, (), 400)
        return [item for batch in batches if batch.addressee == addressee for item in batch.items]

    def send(self) -> bool:
        """One round of the relay; tells whether it has more to do at once."""
        return self.relay.tick() < IDLE_S

    def read(self) -> bool:
        """Everything that is there to read, with a new reader where a topic was made anew; tells whether there was
        anything."""
        found = False
        try:
            while batch := self.reader.poll(0, 500):
                self.ingest.take(batch)
                found = True
        except ReaderBroken:
            self.reader = self.ingest.reader()
            self.ingest.assign(self.reader)
            self.read()
            found = True
        return found

    def reopen(self) -> None:
        """As after a restart: a new relay, ingest and reader over the same ledger."""
        self.relay.close()
        self.reader.close()
        self._begin()

    def _begin(self) -> None:
        self.rollback_guard = self.bench.make_rollback_guard(self.code)
        self.ingest = self.bench.make_ingest(self.ledger, self.keyring, self.metrics)
        self.relay = self.bench.make_relay(self.ledger, self.keyring, rollback_guard=self.rollback_guard)
        self.reader = self.ingest.reader()
        self.ingest.assign(self.reader)

    def back_up(self) -> Path:
        """A copy of the ledger as it is now."""
        path = self.ledger.path.with_suffix(f".{uuid4().hex[:8]}.backup")
        self.ledger.back_up(path)
        return path

    def reopened_from(self, backup: Path) -> Ledger:
        """The backup as a ledger of its own, beside the real one."""
        return self.bench.open_ledger(backup, self.code)

    def restore(self, backup: Path) -> None:
        """The ledger is lost, the backup is put in its place, and the agency goes on as `agency restored` does."""
        self.put_back(backup)
        self.go_on()

    def put_back(self, backup: Path) -> None:
        """The ledger is lost, and the backup stands in its place. Nothing runs."""
        self.relay.close()
        self.reader.close()
        self.ledger.close()
        copy = self.ledger.path.with_suffix(".restoring")
        shutil.copyfile(backup, copy)
        put_in_place(copy, self.ledger.path, self.code)
        self.ledger = self.bench.open_ledger(self.ledger.path, self.code)

    def begin_anew(self) -> None:
        """Its home is lost, and `agency init --again` has made another: new keys, nothing known."""
        self.relay.close()
        self.reader.close()
        self.ledger.close()
        self.ledger.path.write_bytes(empty_ledger(self.code))
        shutil.rmtree(self.rollback_guard.folder, ignore_errors=True)
        self.keyring = self.bench.new_keyring(self.code)
        self.ledger = self.bench.open_ledger(self.ledger.path, self.code)
        with self.ledger.write() as tx:
            begin_anew(tx, incarnation_by_clock(self.bench.clock()))
        self._begin()

    def go_on(self) -> None:
        """As `agency restored` does, and then a start."""
        go_on(self.ledger, self.rollback_guard, self.writing())
        self._begin()


class Bench:
    """The whole federation: `bench[code]` is an agency."""

    def __init__(
        self, folder: Path, codes: tuple[str, ...], now: datetime | None = None, broker: MemoryBroker | None = None
    ) -> None:
        self.clock = SetClock(now or START)
        self.folder = folder
        self.log_lines = LogLines()
        self.broker = broker or MemoryBroker(self.clock)
        self.generated, self.register = federation(codes, self.clock.now)
        self.own_registers: dict[str, Register] = {}  # of agencies that have another than `register`
        for plan in wanted_topics(self.register):
            self.broker.create_topic(plan)
        self.stations = {code: self._station(code) for code in codes}

    def __getitem__(self, code: str) -> Station:
        return self.stations[code]

    def register_of(self, code: str) -> Register:
        return self.own_registers.get(code, self.register)

    def new_id(self) -> UUID:
        return uuid4()

    def new_keyring(self, code: str) -> Keyring:
        """Its own signing key, and sealing keys that nobody has seen."""
        return make_keyring(self.generated.agency_keys[code], self.clock())

    def open_ledger(self, path: Path, code: str) -> Ledger:
        return open_ledger(path, AtRest(AT_REST), code)

    def make_rollback_guard(self, code: str) -> RollbackGuard:
        return RollbackGuard(self.folder / f"{code}-outside")

    def _station(self, code: str) -> Station:
        keyring = self.new_keyring(code)
        path = self.folder / f"{code}.sqlite"
        if not path.exists():
            path.write_bytes(empty_ledger(code))
        ledger = self.open_ledger(path, code)
        metrics = ServiceMetrics()
        rollback_guard = self.make_rollback_guard(code)
        ingest = self.make_ingest(ledger, keyring, metrics)
        reader = ingest.reader()
        ingest.assign(reader)
        relay = self.make_relay(ledger, keyring, rollback_guard=rollback_guard)
        return Station(code, ledger, relay, ingest, reader, keyring, metrics, rollback_guard, self)

    def make_ingest(self, ledger: Ledger, keyring: Keyring, metrics: ServiceMetrics) -> Ingest:
        return Ingest(
            ledger,
            self.broker,
            lambda: self.register_of(ledger.code),
            keyring.find_sealing,
            self.clock,
            self.new_id,
            metrics,
            make_log(self.log_lines, agency=ledger.code),
        )

    def make_relay(
        self,
        ledger: Ledger,
        keyring: Keyring,
        broker: Broker | None = None,
        clock: Clock | None = None,
        rollback_guard: RollbackGuard | None = None,
    ) -> Relay:
        return Relay(
            ledger,
            broker or self.broker,
            lambda: self.register_of(ledger.code),
            keyring.signing,
            clock or self.clock,
            self.new_id,
            RESEND_AFTER,
            ServiceMetrics(),
            make_log(self.log_lines, agency=ledger.code),
            (lambda: None) if rollback_guard is None else (lambda: rollback_guard.keep_up(ledger)),
        )

    def announce(self) -> None:
        """Everybody hears everybody's keys."""
        for station in self.stations.values():
            station.announce()
        self.settle()

    def settle(self, rounds: int = 10) -> None:
        """Until nobody has anything to do at this hour."""
        for _ in range(rounds):
            at_work = [station.send() for station in self.stations.values()]
            at_work += [station.read() for station in self.stations.values()]
            if not any(at_work):
                return

    def close(self) -> None:
        for station in self.stations.values():
            station.relay.close()
            station.reader.close()
            station.ledger.close()


def make_keyring(signing: Ed25519PrivateKey, now: datetime) -> Keyring:
    current = epoch_at(now)
    epochs = tuple(EpochKey(current + ahead, X25519PrivateKey.generate()) for ahead in range(AHEAD + 1))
    return Keyring(signing, AT_REST, epochs)


@contextmanager
def bench(folder: Path, *codes: str) -> Iterator[Bench]:
    """A federation of these agencies that know each other's keys already."""
    made = Bench(folder, codes)
    try:
        made.announce()
        yield made
    finally:
        made.close()
