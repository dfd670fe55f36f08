"""Sends signed receipts for events that have come in: one batch at a time to each addressee. A batch leaves the ledger
once the broker has acknowledged it."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from referral_bus.broker.protocols import Sender, SendFailure, Sending
from referral_bus.clock import Clock
from referral_bus.federation.register import Register
from referral_bus.ledger import receipts_owed
from referral_bus.ledger.own_agency import own_incarnation
from referral_bus.ledger.receipts_owed import OwedReceipts
from referral_bus.ledger.store import Ledger, Tx
from referral_bus.wire.record import write
from schemas.events import StorageReceipt

ITEMS = 400  # of at most 500: with every field at its longest this still fits in 64 KiB
BROKER_RETRY = timedelta(seconds=1)  # after the broker has not taken a record

Failed = Callable[[Sending | None, str], SendFailure | Literal["busy"] | None]
"""Given an attempt to send to an agency: None if it succeeded, else why it failed. Counts and logs a failure. The
attempt is None, and the answer "busy", where the broker's queue was full."""


@dataclass(slots=True)
class ReceiptSending:
    owed: OwedReceipts
    sending: Sending | None

    @property
    def done(self) -> bool:
        return self.sending is None or self.sending.done()


class Receipts:
    """Part of the relay, whose thread calls every method."""

    def __init__(
        self,
        ledger: Ledger,
        sender: Sender,
        register: Callable[[], Register],
        signing_key: Ed25519PrivateKey,
        clock: Clock,
        new_id: Callable[[], UUID],
        before_sending: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._sender = sender
        self._register = register
        self._signing_key = signing_key
        self._clock = clock
        self._new_id = new_id
        self._before_sending = before_sending
        self._under_way: dict[str, ReceiptSending] = {}
        self._paused: dict[str, datetime] = {}  # agencies whose topic the broker did not take

    def __len__(self) -> int:
        """The number of batches under way."""
        return len(self._under_way)

    def landed(self) -> list[ReceiptSending]:
        """The batches under way for which the broker has answered."""
        return [flight for flight in self._under_way.values() if flight.done]

    def settle(self, tx: Tx, landed: Collection[ReceiptSending], failed: Failed, now: datetime) -> None:
        """Stores the broker's answers: removes acknowledged receipts from the ledger, and pauses sending to an
        addressee for which it failed."""
        for flight in landed:
            to = flight.owed.addressee
            failure = failed(flight.sending, to)
            if failure is None:
                receipts_owed.sent(tx, flight.owed.numbers)
                continue
            self._paused[to] = now + BROKER_RETRY
            if failure != "busy":
                receipts_owed.failed(tx, flight.owed.numbers, failure)

    def forget(self, landed: Collection[ReceiptSending]) -> None:
        """Removes landed batches from those under way; call it after the transaction of `settle` is committed."""
        for flight in landed:
            del self._under_way[flight.owed.addressee]

    def send(self) -> None:
        """Sends one batch to each agency that is owed receipts, has no batch under way, and is not paused."""
        now, register = self._clock(), self._register()
        self._paused = {to: until for to, until in self._paused.items() if timedelta(0) < until - now <= BROKER_RETRY}
        with self._ledger.read() as tx:
            batches = receipts_owed.next_batches(tx, {*self._under_way, *self._paused}, ITEMS)
            incarnation = own_incarnation(tx) if batches else 1
        inboxes = {owed.addressee: register.inbox(owed.addressee) for owed in batches}
        self._drop_without_inbox([owed for owed in batches if inboxes[owed.addressee] is None])
        if any(inboxes.values()):
            self._before_sending()
        for owed in batches:
            inbox = inboxes[owed.addressee]
            if inbox is not None:
                record = write(self._receipt(owed, incarnation, now), inbox, register.federation, self._signing_key)
                self._under_way[owed.addressee] = ReceiptSending(owed, self._sender.send(record))

    def _receipt(self, owed: OwedReceipts, incarnation: int, now: datetime) -> StorageReceipt:
        return StorageReceipt(
            receipt_id=self._new_id(),
            writer=self._ledger.code,
            addressee=owed.addressee,
            incarnation=incarnation,
            issued_at=now,
            items=owed.items,
        )

    def _drop_without_inbox(self, batches: Sequence[OwedReceipts]) -> None:
        """Drops receipts that cannot be sent: their addressees have no inbox, or have left the register."""
        if batches:
            with self._ledger.write() as tx:
                receipts_owed.sent(tx, [number for owed in batches for number in owed.numbers])
