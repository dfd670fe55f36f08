"""The bytes of an event that is due: those that were sent before, or else newly sealed ones."""

from collections.abc import Mapping
from datetime import datetime

from referral_bus.ledger.ledger_errors import damaged
from referral_bus.ledger.outbox_due import DueRow
from referral_bus.ledger.peers import Peer
from referral_bus.wire.avro_codec import decode, encode
from referral_bus.wire.sealing import seal
from referral_bus.wire.signing import key_id_of
from schemas.events import AnyEvent, ErasureEvent, ReferralEvent, StatusEvent
from schemas.sealing_keys import SealingKey


def key_for(row: DueRow, peers: Mapping[str, Peer], now: datetime) -> SealingKey | None:
    """The key to which a row is sealed now. None where there is nothing to seal, and while the only key known of its
    addressee is one that the addressee has destroyed."""
    peer = peers.get(row.addressee)
    key = None if peer is None or row.body is None else peer.sealing_key(now)
    return None if key is None or key_id_of(key.public_key) == row.gone_key_id else key


def sealed(row: DueRow, key: SealingKey | None) -> tuple[AnyEvent, bytes] | None:
    """The event of a row and its encoded bytes; None while it must be sealed and `key` is None. Raises
    `LedgerUnusable` where the row holds the bytes of another event."""
    unsealed = decode(row.value or row.unsealed)
    if _event(unsealed).event_id != row.event_id:
        raise damaged()  # the bytes of another event in its row
    if row.value is not None or isinstance(unsealed, ErasureEvent):
        return _event(unsealed), row.value or row.unsealed
    if key is None or row.body is None:
        return None
    event = seal(_sealable(unsealed, key), row.body, key.public_key)
    value = encode(event)
    decode(value)  # raises `Undecodable` here rather than at the recipient
    return event, value


def _event(record: object) -> AnyEvent:
    if not isinstance(record, AnyEvent):
        raise TypeError("the outbox holds events only")
    return record


def _sealable(record: object, key: SealingKey) -> ReferralEvent | StatusEvent:
    if not isinstance(record, ReferralEvent | StatusEvent):
        raise TypeError("only events with a body are sealed")
    return record.model_copy(update={"sealing_key_id": key_id_of(key.public_key)})
