"""Handing a signed register to every agency over the bus. Each one judges the signatures for itself."""

import time
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from referral_bus.broker.protocols import Broker, Sender
from referral_bus.clock import system_clock
from referral_bus.errors import Reason, Unreachable
from referral_bus.federation.register import Register
from referral_bus.wire.raw import RawRecord
from referral_bus.wire.record import write
from schemas.events import RegisterVersion, StewardSignature

SENT_WITHIN_S = 20.0


def publish_register(
    broker: Broker,
    register: Register,
    data: bytes,
    signatures: Sequence[StewardSignature],
    steward: Ed25519PrivateKey,
) -> None:
    """Sends `data`, the exact bytes of `register`, and returns when the broker has it. Raises `Unreachable`."""
    version = RegisterVersion(
        version=register.version, issued_at=system_clock(), register_file=data, signatures=tuple(signatures)
    )
    record = write(version, register.register_topic, register.federation, steward)
    sender = broker.sender()
    try:
        if not _reached(sender, record):
            raise Unreachable(Reason.KAFKA_UNREACHABLE, "Kafka did not take the register; try again")
    finally:
        sender.close()


def _reached(sender: Sender, record: RawRecord) -> bool:
    deadline = time.monotonic() + SENT_WITHIN_S
    attempt = sender.send(record)
    while attempt is not None and not attempt.done() and time.monotonic() < deadline:
        time.sleep(0.01)
    return attempt is not None and attempt.done() and attempt.failure() is None
