"""Notices that tell the operators which records Kafka refuses: the failure, the number, the topic. While Kafka does not
answer at all no notice gets through either; then the log, `agency status` and the metrics show it."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from referral_bus.broker.protocols import Sender
from referral_bus.broker.send_failures import TOLD_EVERY, notice_code
from referral_bus.clock import Clock
from referral_bus.federation.register import Register
from referral_bus.ledger import failing_sends
from referral_bus.ledger.failing_sends import Failing
from referral_bus.ledger.store import Ledger
from referral_bus.wire.record import write
from schemas.events import DeadLetterNotice

LOOK_EVERY = timedelta(minutes=1)
_NO_KAFKA = ("timed_out", "abandoned")


class SendFailureNotices:
    """Part of the relay, whose thread calls `tick`. One notice stands for all records that fail for one reason."""

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
        self._next_at = clock()

    def tick(self) -> None:
        """One round: sends a notice for each failure that lasts, when they are due."""
        now = self._clock()
        if now < self._next_at <= now + TOLD_EVERY:  # a clock that was set back ends the pause as well
            return
        with self._ledger.read() as tx:
            found = [each for each in failing_sends.everything(tx) if each.failure not in _NO_KAFKA]
        self._next_at = now + (TOLD_EVERY if found else LOOK_EVERY)
        register = self._register()
        for failure in sorted({each.failure for each in found}):
            notice = self._notice([each for each in found if each.failure == failure], register)
            self._sender.send(write(notice, register.notices, register.federation, self._signing_key))

    def _notice(self, alike: list[Failing], register: Register) -> DeadLetterNotice:
        return DeadLetterNotice(
            notice_id=self._new_id(),
            agency=self._ledger.code,
            issued_at=self._clock(),
            code=notice_code(alike[0].failure),
            path=None,
            event_id=None,
            topic=register.inbox(alike[0].addressee) or register.notices,
            partition=0,
            offset=0,
            schema_fingerprint=None,
            count=sum(each.events + each.receipts for each in alike),
        )
