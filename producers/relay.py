"""The relay: sends everything that leaves an agency for Kafka; nothing else in its service sends.

    tick:  collect what the broker has answered  ->  seal and keep what is due  ->  send  ->  receipts, announcement

An event stays in the outbox, and is sent again, until its addressee's signed receipt says that it is stored. An
acknowledgement of the broker only sets when it is sent again.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from producers.notices import Notices
from producers.receipts import BROKER_RETRY, Receipts
from producers.sealed_values import key_for, sealed
from producers.send_failure_notices import SendFailureNotices
from referral_bus.backoff import Backoff
from referral_bus.broker.protocols import Broker, Sender, SendFailure, Sending
from referral_bus.clock import Clock
from referral_bus.federation.register import Register
from referral_bus.ledger import outbox, restored_peers
from referral_bus.ledger.outbox import Leaving
from referral_bus.ledger.outbox_due import DueRow, due, next_due
from referral_bus.ledger.outbox_sweep import sweep
from referral_bus.ledger.own_events import Writing
from referral_bus.ledger.peers import agreed_time, all_peers
from referral_bus.ledger.revoked_keys import disbelieve
from referral_bus.ledger.store import Ledger
from referral_bus.logs import Log, Seldom
from referral_bus.metrics import ServiceMetrics
from referral_bus.wire.record import sign_value, write
from schemas.events import (
    AgencyAnnouncement,
    AnyEvent,
    ReferralEvent,
    StatusEvent,
)

AT_ONCE = 200  # events under way to one addressee: a long backlog must not delay the others or fill the memory
TIDY_EVERY = timedelta(minutes=1)
IDLE_S = 0.5  # longest pause between two rounds
IN_FLIGHT_S = 0.005  # pause while records are under way
LONGEST_IN_FLIGHT_S = 0.1  # that pause grows to this while no answer comes: during an outage each round costs a query
SLOWER = 1.25  # factor by which it grows


@dataclass(slots=True)
class _EventFlight:
    addressee: str
    sending: Sending | None


class Relay:
    """One thread calls `tick`. `resend_after`: the first pause before an event without a receipt is sent again; later
    pauses are longer. `before_sending` is called before anything is sent: it notes durably, outside the ledger, how far
    the ledger has come, so that an older copy of it is recognized (see `rollback_guard`)."""

    def __init__(
        self,
        ledger: Ledger,
        broker: Broker,
        register: Callable[[], Register],
        signing_key: Ed25519PrivateKey,
        clock: Clock,
        new_id: Callable[[], UUID],
        resend_after: timedelta,
        metrics: ServiceMetrics,
        log: Log,
        before_sending: Callable[[], None] = lambda: None,
    ) -> None:
        self._before_sending = before_sending
        self._ledger = ledger
        self._sender: Sender = broker.sender()
        self._register = register
        self._signing_key = signing_key
        self._clock = clock
        self._new_id = new_id
        self._backoff = Backoff(resend_after, outbox.LONGEST_PAUSE)
        self._metrics = metrics
        self._log = log
        self._seldom = Seldom(time.monotonic)
        self._events: dict[int, _EventFlight] = {}
        self._receipts = Receipts(ledger, self._sender, register, signing_key, clock, new_id, before_sending)
        self._in_flight_s = IN_FLIGHT_S
        self._tidy_at = clock()
        self._worked_by = 0  # version of the register at the last `_tidy`
        self._notices = Notices(ledger, self._sender, register, signing_key, clock, new_id)
        self._failures = SendFailureNotices(ledger, self._sender, register, signing_key, clock, new_id)
        self._announcement: AgencyAnnouncement | None = None
        self._lock = threading.Lock()
        with ledger.write() as tx:
            outbox.restarted(tx, clock())

    def announce(self, announcement: AgencyAnnouncement) -> None:
        """Queues an announcement to send; it replaces one that has not been sent yet. May be called from any thread."""
        with self._lock:
            self._announcement = announcement

    def close(self) -> None:
        self._sender.close()

    def tick(self) -> float:
        """One round. Returns the seconds until the next one is due, unless something is written to the ledger
        before."""
        landed = self._collect()
        owing = self._serve_restored_peers()
        self._send_events()
        self._receipts.send()
        self._send_announcement()
        self._notices.tick()
        self._failures.tick()
        if self._events or self._receipts:
            self._in_flight_s = IN_FLIGHT_S if landed else min(self._in_flight_s * SLOWER, LONGEST_IN_FLIGHT_S)
            return self._in_flight_s
        self._in_flight_s = IN_FLIGHT_S
        if owing:
            return IN_FLIGHT_S
        with self._ledger.read() as tx:
            moment = next_due(tx)
        if moment is None:
            return IDLE_S
        return min(IDLE_S, max(IN_FLIGHT_S, (moment - self._clock()).total_seconds()))

    # what the broker has answered

    def _collect(self) -> bool:
        """Writes down the broker's answers that have come; returns whether there was any."""
        events = [(number, flight) for number, flight in self._events.items() if _done(flight.sending)]
        receipts = self._receipts.landed()
        if not events and not receipts:
            return False
        now = self._clock()
        told = {number: self._failed(flight.sending, flight.addressee) for number, flight in events}
        failed = {number: None if why == "busy" else why for number, why in told.items() if why is not None}
        with self._ledger.write() as tx:
            outbox.broker_has(tx, [number for number, _ in events if number not in failed], now)
            outbox.broker_refused(tx, failed, now + BROKER_RETRY)
            self._receipts.settle(tx, receipts, self._failed, now)
        for number, _ in events:
            del self._events[number]
        self._receipts.forget(receipts)
        return True

    def _failed(self, attempt: Sending | None, addressee: str) -> SendFailure | Literal["busy"] | None:
        failure: SendFailure | Literal["busy"] | None = "busy" if attempt is None else attempt.failure()
        if failure is not None:
            self._metrics.produce_failures(failure)
            if self._seldom(failure, addressee):
                self._log.warning("send_failed", code=failure, addressee=addressee)
        return failure

    def _serve_restored_peers(self) -> bool:
        """Queues one bounded step of what restored agencies must get again; returns whether there was anything."""
        with self._ledger.read() as tx:
            owing = restored_peers.waiting(tx, self._clock())
        if owing:
            with self._ledger.write() as tx:
                restored_peers.step(tx, Writing(self._clock(), self._register().version, self._new_id))
        return owing

    # events

    def _send_events(self) -> None:
        now = self._clock()
        self._tidy(now)
        with self._ledger.read() as tx:
            under_way = {number: each.addressee for number, each in self._events.items()}
            rows = due(tx, now, under_way, AT_ONCE, self._register().witnesses(self._ledger.code, now))
            peers = all_peers(tx) if rows else {}
        over = [row.number for row in rows if row.over]
        if over:
            self._tidy_at = now
            self._tidy(now, over)
            rows = [row for row in rows if not row.over]
        keyless: list[DueRow] = []
        ready: list[tuple[DueRow, AnyEvent, bytes]] = []
        for row in rows:
            to_send = sealed(row, key_for(row, peers, self._clock()))
            if to_send is None:
                keyless.append(row)
            else:
                ready.append((row, *to_send))
        if not rows:
            return
        if ready:
            self._before_sending()
        with self._ledger.write() as tx:
            peers = all_peers(tx) if keyless else {}  # a key may have been announced meanwhile
            outbox.waits_for_key(tx, [row.number for row in keyless if key_for(row, peers, self._clock()) is None])
            may_go = outbox.leave(tx, [self._leaving(row, event, value, now) for row, event, value in ready])
        if keyless:
            self._log.info("waiting_for_key", count=len(keyless))
        for row, event, value in ready:
            if row.number in may_go:
                self._events[row.number] = _EventFlight(row.addressee, self._dispatch(event, value))

    def _leaving(self, row: DueRow, event: AnyEvent, value: bytes, now: datetime) -> Leaving:
        key_id = event.sealing_key_id if isinstance(event, ReferralEvent | StatusEvent) else None
        return Leaving(row.number, value, key_id, row.next_send_at(now, self._backoff))

    def _tidy(self, now: datetime, over: Sequence[int] = ()) -> None:
        """Once a minute, and when the register has changed, or when `over` names events whose time is over: forgets
        what was said under revoked keys, marks as undeliverable the events that can never be delivered any more, and
        wakes those that can be delivered again. Events that are over by our clock alone, which may be wrong, rest for
        one retry pause."""
        register = self._register()
        looked = timedelta(0) < self._tidy_at - now <= TIDY_EVERY  # a clock that was set back ends it as well
        if looked and register.version == self._worked_by:
            return
        self._tidy_at, self._worked_by = now + TIDY_EVERY, register.version
        with self._ledger.write() as tx:
            disbelieve(tx, lambda code, key_id: register.believes(code, key_id, now), now)
            agreed = agreed_time(tx, now, register.witnesses(self._ledger.code, now))
            ended = 0 if agreed is None else outbox.give_up(tx, register.departed(agreed), agreed)
            ended += outbox.let_go(tx, register.listed if agreed is None else register.believed(agreed), now)
            sweep(tx, now, self._backoff)
            # Not longer: `sweep` brings forward what is due later than any retry pause allows.
            outbox.rest(tx, over, now + self._backoff.first)
        if ended:
            self._log.warning("undeliverable", count=ended)

    def _dispatch(self, event: AnyEvent, value: bytes) -> Sending | None:
        register = self._register()
        topic = register.inbox(event.addressee) or ""
        self._metrics.produced(event.record)
        return self._sender.send(sign_value(value, event, topic, register.federation, self._signing_key))

    # announcements

    def _send_announcement(self) -> None:
        with self._lock:
            announcement, self._announcement = self._announcement, None
        if announcement is not None:
            self._before_sending()
            register = self._register()
            topic = register.announcement(self._ledger.code) or ""
            self._sender.send(write(announcement, topic, register.federation, self._signing_key))


def _done(attempt: Sending | None) -> bool:
    return attempt is None or attempt.done()
