"""Applies a batch of judged records to the database, inside one transaction: flows, events, heartbeats, notices,
counts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from consumers.monitor import announcements, flow_rows
from consumers.monitor.counters import Tally, count_change, count_event, count_record
from consumers.monitor.flow import Flow, FlowKey, nudged, receipted, signed, spoken, started
from consumers.monitor.flow_rows import EarlyReceipt, EventName
from consumers.monitor.judging import Attributed, Judged
from consumers.monitor.kept import EARLY_RECEIPT, EVENT, FLOW, Kept
from referral_bus.federation.register import Register
from schemas.events import AgencyAnnouncement, AnyEvent, DeadLetterNotice, Event, ReferralEvent, StorageReceipt
from schemas.outcomes import FINAL_OUTCOMES


@dataclass(frozen=True, slots=True)
class Rules:
    """The register against which records are judged, and how long the monitor remembers. An event written longer than
    `keep` before it was heard may be a replayed copy of one that the monitor has forgotten: it is counted, but begins
    no flow."""

    register: Register
    keep: timedelta


def take_batch(tx: Connection, judged: Sequence[Judged], rules: Rules) -> Tally:
    """Applies the batch and returns what it adds to the counters. Reads all rows it needs at once, changes them in
    memory, and writes each changed row once."""
    said = [one for one in judged if isinstance(one, Attributed)]
    batch = _Batch(tx, said, rules)
    for one in judged:
        count_record(batch.tally, one)
        if isinstance(one, Attributed):
            batch.take(one)
    batch.save()
    return batch.tally


class _Batch:
    def __init__(self, tx: Connection, said: Sequence[Attributed], rules: Rules) -> None:
        self.tx = tx
        self.rules = rules
        self.tally = Tally()
        self.announcements: list[tuple[AgencyAnnouncement, datetime, str]] = []
        self.notices: list[tuple[DeadLetterNotice, datetime]] = []
        self.settled: set[EventName] = set()
        self.new_events: dict[EventName, tuple[int | None, datetime]] = {}
        self.changed: set[FlowKey] = set()
        self.new_early: list[EarlyReceipt] = []
        self.used_early: list[EventName] = []
        events = [one.record for one in said if isinstance(one.record, Event)]
        receipted_ids = _receipted(one.record for one in said)
        self.known = flow_rows.read_events(tx, {event.event_id for event in events} | receipted_ids)
        numbers = {number for number in self.known.values() if number is not None}
        found = flow_rows.read_flows(tx, {event.referral_id for event in events}, numbers)
        self.flows = {flow.key: flow for flow in found}
        self.by_number = {flow.number: flow.key for flow in found}
        self.next_number = flow_rows.last_number(tx) + 1
        self.early: dict[EventName, list[EarlyReceipt]] = {}
        self.kept = Kept(tx)
        for receipt in flow_rows.read_early(
            tx, receipted_ids | {e.event_id for e in events if isinstance(e, ReferralEvent)}
        ):
            self.early.setdefault(receipt.event, []).append(receipt)

    def take(self, said: Attributed) -> None:
        """Applies one attributed record to the batch in memory."""
        match said.record:
            case StorageReceipt():
                self._take_receipt(said.record, said.heard_at, said.key_id)
            case AgencyAnnouncement():
                self.announcements.append((said.record, said.heard_at, said.key_id))
            case DeadLetterNotice():
                self.notices.append((said.record, said.heard_at))
            case Event():
                self._take_event(said.record, said.heard_at, said.key_id)

    def save(self) -> None:
        """Writes everything that the batch has changed."""
        flow_rows.save_flows(self.tx, (self.flows[key] for key in self.changed))
        flow_rows.save_events(self.tx, ((name, *rest) for name, rest in self.new_events.items()))
        flow_rows.save_early(self.tx, self.new_early)
        flow_rows.forget_early(self.tx, self.used_early)
        self.kept.save()
        announcements.save_announcements(self.tx, self.announcements)
        announcements.save_notices(self.tx, self.notices, self.tally)
        announcements.settle_notices(self.tx, self.settled)

    # events

    def _take_event(self, event: AnyEvent, at: datetime, key_id: str) -> None:
        name = (event.writer, event.event_id)
        if name in self.known:
            return
        key = _flow_key(event)
        if not self._keeps(event.writer, at, EVENT if key is None or key in self.flows else EVENT + FLOW):
            return
        if key is None:  # about a referral between others
            self._remember(name, None, at)
            count_event(self.tally, event, agreed=False)
            return
        before = self.flows.get(key)
        old = at - event.occurred_at > self.rules.keep
        after = before if old else self._after(before, key, event, at, key_id)
        self._remember(name, after.number if after and isinstance(event, ReferralEvent) else None, at)
        if after is None:
            count_event(self.tally, event, self._agreed(event, key, at))
            return
        self._put(before, after)
        count_event(self.tally, event, after.agreed)
        for receipt in self.early.pop(name, ()):
            self.used_early.append(name)
            self._apply(receipt)

    def _after(self, before: Flow | None, key: FlowKey, event: AnyEvent, at: datetime, key_id: str) -> Flow | None:
        """The flow after an event. None where the monitor does not know the referral, and the event is a further word
        of its sender."""
        if isinstance(event, ReferralEvent):
            return started(before or self._new(key), event, at, self._agreed(event, key, at))
        if event.from_sender:
            return None if before is None else nudged(before, event, at)
        return signed(spoken(before or self._new(key), event, at), event.incarnation, key_id)

    def _new(self, key: FlowKey) -> Flow:
        number, self.next_number = self.next_number, self.next_number + 1
        self.by_number[number] = key
        return Flow(number, key, self._may(key))

    def _may(self, key: FlowKey) -> bool:
        """Whether the two agencies ever had an agreement; all that can be said before the referral itself was read."""
        return key.recipient in self.rules.register.parties(key.sender)

    def _agreed(self, event: AnyEvent, key: FlowKey, at: datetime) -> bool:
        starts = isinstance(event, ReferralEvent)
        return self.rules.register.agreed(key.sender, key.recipient, at) if starts else self._may(key)

    def _remember(self, name: EventName, flow: int | None, at: datetime) -> None:
        self.known[name] = flow
        self.new_events[name] = (flow, at)

    def _put(self, before: Flow | None, after: Flow) -> None:
        self.flows[after.key] = after
        self.changed.add(after.key)
        count_change(self.tally, before, after)

    def _keeps(self, agency: str, at: datetime, size: int) -> bool:
        keeps = self.kept.takes(agency, at, size)
        if not keeps:
            self.tally.count("not_kept_total", agency)
        return keeps

    # receipts

    def _take_receipt(self, receipt: StorageReceipt, at: datetime, key_id: str) -> None:
        for item in receipt.items:
            if item.event_id is None or item.outcome not in FINAL_OUTCOMES:
                continue
            name = (receipt.addressee, item.event_id)
            self.settled.add((receipt.writer, item.event_id))
            found = EarlyReceipt(
                name, receipt.writer, item.outcome, item.code, receipt.incarnation, receipt.issued_at, at, key_id
            )
            if name in self.known:
                self._apply(found)
            elif self._waits(found) or self._keeps(receipt.writer, at, EARLY_RECEIPT):
                self.new_early.append(found)
                self.early.setdefault(name, []).append(found)

    def _waits(self, receipt: EarlyReceipt) -> bool:
        """Whether an early receipt of the same agency for the same event is stored already, so that this one takes no
        further room."""
        return any(each.recipient == receipt.recipient for each in self.early.get(receipt.event, ()))

    def _apply(self, receipt: EarlyReceipt) -> None:
        """Applies a receipt to its flow. It counts only if the recipient wrote it, and only for the event that began
        the referral."""
        number = self.known[receipt.event]
        before = None if number is None else self.flows.get(self.by_number.get(number, _NO_FLOW))
        if before is None or before.key.recipient != receipt.recipient:
            return
        after = receipted(before, receipt.outcome, receipt.code, receipt.incarnation, receipt.issued_at)
        if after != before:
            after = signed(after, receipt.incarnation, receipt.key_id)
            agreed = after.agreed or self._agreed_since(after, receipt.heard_at)
            self._put(before, after if agreed == after.agreed else after._replace(agreed=agreed))

    def _agreed_since(self, flow: Flow, at: datetime) -> bool:
        """Whether the recipient has stored a referral whose agreement our register did not have when we read it, and
        has now."""
        return flow.refused is None and self.rules.register.agreed(flow.key.sender, flow.key.recipient, at)


_NO_FLOW = FlowKey("", UUID(int=0), "")


def _flow_key(event: AnyEvent) -> FlowKey | None:
    if event.referral_sender == event.writer:
        return FlowKey(event.referral_sender, event.referral_id, event.addressee)
    if event.referral_sender == event.addressee and not isinstance(event, ReferralEvent):
        return FlowKey(event.referral_sender, event.referral_id, event.writer)
    return None


def _receipted(records: Iterable[object]) -> set[UUID]:
    return {
        item.event_id
        for record in records
        if isinstance(record, StorageReceipt)
        for item in record.items
        if item.event_id is not None
    }
