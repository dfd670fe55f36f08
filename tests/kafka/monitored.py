"""A small federation over a real Kafka, whose agencies do what a script says, and the flow monitor that watches it.

Its hour is its own: it begins somewhat more than an hour ago, goes on minute by minute, and ends at about now.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from consumers.monitor.home import MonitorHome, accept_register, create_monitor_home
from consumers.monitor.settings import MonitorSettings
from deploy.app.service.monitor_service import MonitorService, Sources
from deploy.demo.federation import Terms, example_template, generate_federation
from deploy.provision.topics import wanted_topics
from referral_bus.broker.kafka import Connection, KafkaBroker, KafkaTopicAdmin
from referral_bus.broker.kafka.lag import KafkaLag
from referral_bus.broker.protocols import Position, Reader
from referral_bus.clock import system_clock
from referral_bus.errors import Unreachable
from referral_bus.federation.register import parse_register
from referral_bus.home import known_services
from referral_bus.logs import make_log
from referral_bus.wire.record import write
from schemas.events import AgencyAnnouncement, AnyRecord, ReceiptItem, ReferralEvent, StorageReceipt
from tests.kit.waiting import wait_until

MINUTE = timedelta(minutes=1)


class Monitored:
    """`service` is the monitor, stepped by hand so that its clock is ours."""

    def __init__(self, kafka: str, folder: Path, codes: tuple[str, ...]) -> None:
        name = f"m{uuid4().hex[:10]}"
        self.kafka = kafka
        self.now = system_clock() - timedelta(minutes=70)
        self.generated = generate_federation(example_template(), Terms(name, name, self.now, only=codes))
        self.register = parse_register(self.generated.files.register, known_services())
        self._create_topics()
        self.home = create_monitor_home(folder, MonitorSettings(federation=name, kafka=kafka, http_port=0))
        files = self.generated.files
        accept_register(self.home, files.register, files.signatures, self.now, self.register.sha256)
        self.broker = KafkaBroker(kafka, name)
        self._sender = self.broker.sender()
        self._readers: dict[str, Reader] = {}
        self._counter = 0
        self.lag = KafkaLag(Connection(kafka, name))
        self.start_monitor()

    def _create_topics(self) -> None:
        admin = KafkaTopicAdmin(Connection(self.kafka, "monitored"))
        for plan in wanted_topics(self.register):
            admin.create_topic(plan)
        admin.close()

    def start_monitor(self) -> None:
        sources = Sources(self.broker, self.lag)
        self.service = MonitorService(MonitorHome(self.home.folder), sources, make_log(), lambda: self.now)
        self.reader = self.service.reading.reader()
        self.service.reading.assign(self.reader)

    def close(self) -> None:
        self.reader.close()
        for reader in self._readers.values():
            reader.close()
        self._sender.close()
        self.service.store.close()
        self.lag.close()
        self.broker.close()

    # what agencies do

    def send(self, *records: tuple[AnyRecord, str | None]) -> None:
        """Each record with its topic, signed by its writer."""
        sent = []
        for record, topic in records:
            writer = record.agency if isinstance(record, AgencyAnnouncement) else getattr(record, "writer", "")
            key = self.generated.agency_keys[writer]
            sent.append(self._sender.send(write(record, topic or "", self.register.federation, key)))
        wait_until(lambda: all(one is not None and one.done() for one in sent))
        assert [one and one.failure() for one in sent] == [None] * len(sent)

    def heartbeats(self, codes: Iterable[str]) -> None:
        self._counter += 1
        self.send(*((self._announcement(code), self.register.announcement(code)) for code in codes))

    def referral(self, sender: str, recipient: str, due: datetime) -> ReferralEvent:
        """Sent to the recipient's inbox, and returned."""
        event = ReferralEvent(
            event_id=uuid4(),
            referral_id=uuid4(),
            referral_sender=sender,
            writer=sender,
            addressee=recipient,
            occurred_at=self.now,
            register_version=1,
            incarnation=1,
            sequence=1,
            follows_incarnation=0,
            follows_sequence=0,
            priority="stat",
            acknowledge_by=due,
            respond_by=due + timedelta(days=1),
            sealing_key_id="0" * 32,
            sealed=b"",
        )
        self.send((event, self.register.inbox(recipient)))
        return event

    def stored(self, event: ReferralEvent) -> None:
        item = ReceiptItem(
            value_sha256=bytes(32),
            event_id=event.event_id,
            outcome="STORED",
            code=None,
            path=None,
            held_incarnation=1,
            held_sequence=1,
        )
        receipt = StorageReceipt(
            receipt_id=uuid4(),
            writer=event.addressee,
            addressee=event.writer,
            incarnation=1,
            issued_at=self.now,
            items=(item,),
        )
        self.send((receipt, self.register.inbox(event.writer)))

    def reads(self, code: str) -> None:
        """The agency's service reads its inbox to the end, and shows how far it is."""
        topic = self.broker.topics([self.register.inbox(code) or ""])[self.register.inbox(code) or ""]
        group = f"referral-bus.{code}"
        if code not in self._readers:
            self._readers[code] = self.broker.reader(group)
        (extent,) = self.lag.extents([(topic.name, 0)]).values()
        self._readers[code].commit([Position(topic.name, topic.topic_id, 0, extent.end)])
        wait_until(lambda: self.committed(group, topic.name) == extent.end)

    def committed(self, group: str, topic: str) -> int | None:
        try:
            return self.lag.committed([group])[group].get((topic, 0))
        except Unreachable:  # a new Kafka makes the topic that it keeps them in
            return None

    def _announcement(self, code: str) -> AgencyAnnouncement:
        return AgencyAnnouncement(
            agency=code,
            incarnation=1,
            counter=self._counter,
            issued_at=self.now,
            expires_at=self.now + timedelta(days=60),
            register_version=1,
            register_sha256=bytes(32),
            sealing_keys=(),
            readable_schemas=(),
            services=(),
            handed_over_before=self.now,
            open_referrals=0,
            overdue_referrals=0,
            handovers_blocked=0,
            audit_count=0,
            audit_head=bytes(32),
            software_version="0.0.0",
        )

    # what the monitor does

    def watch(self) -> None:
        """Until the monitor has read everything that is there."""

        def complete() -> bool:
            self.service.reading.step(self.reader, 0.05)
            self.service.watching.look()
            return self.service.reading.complete_at == self.now

        wait_until(complete)

    def scrape(self) -> dict[str, float]:
        """What /metrics shows, series by series."""
        text = generate_latest(self.service.registry).decode()
        return {
            _series(sample.name, sample.labels): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


def _series(name: str, labels: dict[str, str]) -> str:
    inside = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return f"{name}{{{inside}}}"
