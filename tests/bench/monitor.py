"""How fast the flow monitor reads, and how much memory it takes: python -m tests.bench.monitor [REFERRALS]

Not a test: a figure to look at. Processor time of this one process counts, since other work shares the machine.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from prometheus_client.exposition import generate_latest

from consumers.monitor import queries
from consumers.monitor.collector import monitor_registry
from consumers.monitor.monitor_reader import BATCH, MonitorReader
from consumers.monitor.store import open_store
from deploy.demo.federation import GeneratedFederation, Terms, example_template, generate_federation
from deploy.provision.topics import wanted_topics
from referral_bus.broker.memory import MemoryBroker
from referral_bus.broker.protocols import Delivery
from referral_bus.federation.register import Register, parse_register
from referral_bus.home import known_services
from referral_bus.logs import make_log
from referral_bus.wire.record import authenticate, write
from schemas.events import AnyEvent, ReceiptItem, ReferralEvent, StatusEvent, StorageReceipt

FEDERATION = "bench"
RECEIPT_ITEMS = 20
NOW = datetime(2026, 11, 23, 14, tzinfo=UTC)


@dataclass
class Traffic:
    """Referrals, their receipts, and their recipients' first words: all of them stay open."""

    generated: GeneratedFederation
    register: Register
    offsets: dict[str, int] = field(default_factory=dict)

    def referral(self, sender: str, recipient: str) -> tuple[ReferralEvent, StatusEvent]:
        common: dict[str, Any] = {
            "referral_id": uuid4(),
            "referral_sender": sender,
            "occurred_at": NOW,
            "register_version": 1,
            "incarnation": 1,
            "sequence": 1,
            "follows_incarnation": 0,
            "follows_sequence": 0,
            "sealing_key_id": "0" * 32,
            "sealed": bytes(1072),
        }
        due: dict[str, Any] = {"acknowledge_by": NOW + timedelta(days=1), "respond_by": NOW + timedelta(days=3)}
        there: dict[str, Any] = {"event_id": uuid4(), "writer": sender, "addressee": recipient, "priority": "urgent"}
        back: dict[str, Any] = {"event_id": uuid4(), "writer": recipient, "addressee": sender, "status": "received"}
        return ReferralEvent(**common, **due, **there), StatusEvent(**common, **back)

    def receipt(self, events: list[ReferralEvent]) -> StorageReceipt:
        items = [
            ReceiptItem(
                value_sha256=bytes(32),
                event_id=event.event_id,
                outcome="STORED",
                code=None,
                path=None,
                held_incarnation=1,
                held_sequence=1,
            )
            for event in events
        ]
        return StorageReceipt(
            receipt_id=uuid4(),
            writer=events[0].addressee,
            addressee=events[0].writer,
            incarnation=1,
            issued_at=NOW,
            items=tuple(items),
        )

    def deliveries(self, referrals: int) -> Iterator[Delivery]:
        pairs = [(a.sender, a.recipient) for a in self.register.content.agreements]
        stored: dict[tuple[str, str], list[ReferralEvent]] = {}
        for number in range(referrals):
            sender, recipient = pairs[number % len(pairs)]
            referral, word = self.referral(sender, recipient)
            yield self.delivery(recipient, referral)
            yield self.delivery(sender, word)
            waiting = stored.setdefault((sender, recipient), [])
            waiting.append(referral)
            if len(waiting) == RECEIPT_ITEMS:
                yield self.delivery(sender, self.receipt(stored.pop((sender, recipient))))

    def delivery(self, owner: str, record: AnyEvent | StorageReceipt) -> Delivery:
        topic = self.register.inbox(owner) or ""
        key = self.generated.agency_keys[record.writer]
        offset = self.offsets.get(topic, 0)
        self.offsets[topic] = offset + 1
        return Delivery(write(record, topic, FEDERATION, key), 0, offset, NOW)


def batches(deliveries: Iterator[Delivery]) -> Iterator[list[Delivery]]:
    batch: list[Delivery] = []
    for delivery in deliveries:
        batch.append(delivery)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def run(referrals: int, folder: Path) -> None:
    generated = generate_federation(example_template(), Terms(FEDERATION, "referral", NOW))
    register = parse_register(generated.files.register, known_services())
    broker = MemoryBroker(lambda: NOW)
    for plan in wanted_topics(register):
        broker.create_topic(plan)
    store = open_store(folder / "monitor.sqlite", FEDERATION, NOW)
    reading = MonitorReader(store, broker, lambda: register, lambda: NOW, timedelta(days=90), make_log())
    reading.assign(reading.reader())
    taken, spent, verifying, waited = 0, 0.0, 0.0, 0.0
    for batch in batches(Traffic(generated, register).deliveries(referrals)):
        began, clock = time.process_time(), time.perf_counter()
        reading.take(batch)
        spent += time.process_time() - began
        waited += time.perf_counter() - clock
        taken += len(batch)
        if taken % (20 * BATCH) == 0:
            began = time.process_time()
            for delivery in batch:
                authenticate(delivery.record, register, "", NOW)
            verifying = (time.process_time() - began) / len(batch)
            say(f"{taken:>8} records, {taken / spent:6.0f} a second, {resident_mb():.0f} MB resident")
    say(f"{taken / spent:.0f} records a second of processor time, {taken / waited:.0f} of the clock's")
    say(f"{spent / taken * 1e6:.0f} us a record, of them {verifying * 1e6:.0f} us to verify and decode")
    registry = monitor_registry(store, lambda: register, lambda: NOW)
    began = time.perf_counter()
    size = len(generate_latest(registry))
    say(f"metrics: {time.perf_counter() - began:.2f} s, {size} bytes; resident now {resident_mb():.0f} MB")
    began = time.perf_counter()
    with store.read() as tx:
        opened = sum(count.number for count in queries.open_counts(tx, NOW))
        queries.flow_table(tx, NOW)
        queries.waiting(tx, 20)
    say(f"status: {time.perf_counter() - began:.2f} s with {opened} open referrals")
    say(f"most that was ever resident: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    store.close()


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        run(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, Path(temporary))
