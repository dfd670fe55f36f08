"""Notices that tell the operators of an agency's dead letters: reason, place in Kafka and number, never a value. Sent
about once a minute, without a receipt."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from referral_bus.broker.protocols import Sender, Sending
from referral_bus.clock import Clock
from referral_bus.federation.register import Register
from referral_bus.ledger.dead_letter_lists import Unnoticed, noticed, unnoticed
from referral_bus.ledger.store import Ledger
from referral_bus.wire.record import write
from schemas.events import DeadLetterNotice

LOOK_EVERY = timedelta(seconds=1)
SEND_EVERY = timedelta(minutes=1)
AT_ONCE = 20  # notices in one round; each stands for all dead letters of one reason, writer and schema


class Notices:
    """Part of the relay, whose thread calls `tick`. A notice that the broker did not take is sent again in a later
    round."""

    def __init__(
        self,
        ledger: Ledger,
        sender: Sender,
        register: Callable[[], Register],
        signing_key: Ed25519PrivateKey,
        clock: Clock,
        new_id: Callable[[], UUID],
    ) -> None:
        self._ledger = ledger
        self._sender = sender
        self._register = register
        self._signing_key = signing_key
        self._clock = clock
        self._new_id = new_id
        self._under_way: list[tuple[Unnoticed, Sending]] = []
        self._next_at = clock()

    def tick(self) -> None:
        """One round: settles what the broker has answered, and sends notices when they are due."""
        now = self._clock()
        self._collect(now)
        if self._under_way or now < self._next_at <= now + SEND_EVERY:
            return
        with self._ledger.read() as tx:
            found = unnoticed(tx, AT_ONCE)
        self._next_at = now + (SEND_EVERY if found else LOOK_EVERY)
        register = self._register()
        for each in found:
            notice = self._notice(each, register, now)
            attempt = self._sender.send(write(notice, register.notices, register.federation, self._signing_key))
            if attempt is not None:
                self._under_way.append((each, attempt))

    def _collect(self, now: datetime) -> None:
        done = [(each, attempt) for each, attempt in self._under_way if attempt.done()]
        told = [each for each, attempt in done if attempt.failure() is None]
        if told:
            with self._ledger.write() as tx:
                noticed(tx, told, now)
        if done:
            self._under_way = [(each, attempt) for each, attempt in self._under_way if not attempt.done()]

    def _notice(self, each: Unnoticed, register: Register, now: datetime) -> DeadLetterNotice:
        letter = each.newest
        return DeadLetterNotice(
            notice_id=self._new_id(),
            agency=self._ledger.code,
            issued_at=now,
            code=letter.code,
            path=letter.path,
            event_id=letter.event_id,
            topic=letter.topic or register.inbox(self._ledger.code) or "",
            partition=letter.partition or 0,
            offset=letter.offset or 0,
            schema_fingerprint=letter.fingerprint,
            count=each.count,
        )
