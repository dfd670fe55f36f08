"""Sends a signed register to all agencies over the bus. Each agency checks the signatures itself."""

import time
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from referral_bus.broker.protocols import Broker, Sender
from referral_bus.clock import system_clock
from referral_bus.errors import Reason, Refused, Unreachable
from referral_bus.federation.register import Register
from referral_bus.wire.avro_codec import encode
from referral_bus.wire.raw import RawRecord
from referral_bus.wire.record import checked_size, write
from schemas.events import RegisterVersion, StewardSignature

SENT_WITHIN_S = 20.0
MAX_BYTES = 60 * 1024  # of a register; the bound of `RegisterVersion`
MOST_SIGNATURES = 50


def publish_register(
    broker: Broker,
    register: Register,
    data: bytes,
    signatures: Sequence[StewardSignature],
    steward: Ed25519PrivateKey,
) -> None:
    """Sends `data`, the exact bytes of `register`, and returns when the broker has acknowledged them. Raises
    `Unreachable` when it has not within `SENT_WITHIN_S`, `Refused` as `as_record`."""
    version = as_record(register, data, signatures)
    record = write(version, register.register_topic, register.federation, steward)
    sender = broker.sender()
    try:
        if not _reached(sender, record):
            raise Unreachable(Reason.KAFKA_UNREACHABLE, "Kafka did not take the register; try again")
    finally:
        sender.close()


def as_record(register: Register, data: bytes, signatures: Sequence[StewardSignature]) -> RegisterVersion:
    """The record in which a version is sent. Raises `Refused` for a version too large to be sent. `register sign` calls
    this too, so that no steward signs what can never be published."""
    refuse_if_too_large(data)
    if len(signatures) > MOST_SIGNATURES:
        raise Refused(Reason.TOO_LARGE, f"a version has at most {MOST_SIGNATURES} signatures", "SIGNATURES")
    version = RegisterVersion(
        version=register.version, issued_at=system_clock(), register_file=data, signatures=tuple(signatures)
    )
    try:
        checked_size(encode(version))
    except Refused:
        advice = "the register and its signatures together are over 64 KiB; shorten the register"
        raise Refused(Reason.TOO_LARGE, advice, "REGISTER") from None
    return version


def refuse_if_too_large(data: bytes) -> None:
    if len(data) > MAX_BYTES:
        advice = f"it has {len(data)} bytes, and a record carries {MAX_BYTES}; take out what has ended long ago"
        raise Refused(Reason.TOO_LARGE, advice, "REGISTER")


def _reached(sender: Sender, record: RawRecord) -> bool:
    deadline = time.monotonic() + SENT_WITHIN_S
    attempt = sender.send(record)
    while attempt is not None and not attempt.done() and time.monotonic() < deadline:
        time.sleep(0.01)
    return attempt is not None and attempt.done() and attempt.failure() is None
