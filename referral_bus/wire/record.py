"""From a raw record to a verified, opened event or one code, and the other way. All records are read and written here.

raw ── authenticate ──> Authentic ── open_body ──> Opened
          │ Unbelieved: the writer is not proved, no receipt is owed
          └ Undecoded: the writer is proved, yet the value is not readable
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, get_args

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from referral_bus.errors import Reason, Refused
from referral_bus.wire.avro_codec import MAX_VALUE, Undecodable, decode, encode
from referral_bus.wire.envelope import headers, kafka_key, writer_of
from referral_bus.wire.raw import RawRecord
from referral_bus.wire.sealing import OpenFailed, unseal
from referral_bus.wire.signing import key_id_of, sign, signature_input, verify
from schemas.events import AnyEvent, AnyRecord, Event, ReferralEvent, StatusEvent, StorageReceipt
from schemas.outcomes import Code
from schemas.personal import ReferralBody, StatusBody

Body = ReferralBody | StatusBody
MAX_HEADERS = 32  # ours has eight; Kafka bounds only their bytes
_CLEAR_FIELDS = frozenset(name for model in get_args(AnyRecord) for name in model.model_fields)


class ListedSigningKey(Protocol):
    """A public signing key as the register lists it."""

    @property
    def raw(self) -> bytes: ...

    def usable(self, now: datetime) -> bool: ...


class Directory(Protocol):
    """The owners of signing keys: the register."""

    @property
    def federation(self) -> str: ...

    def signing_key(self, key_id: str) -> tuple[str, ListedSigningKey] | None:
        """The owner (an agency's code, or `envelope.STEWARD`) and the key; None for a key that is not listed."""
        ...


@dataclass(frozen=True, slots=True)
class Unbelieved:
    """A record whose writer is not proved: the reader counts it, and neither keeps nor answers it."""

    code: Code


@dataclass(frozen=True, slots=True)
class Undecoded:
    """Authentic, from `writer`, but not readable: MALFORMED, or a schema that we do not know. `path`: a clear field."""

    writer: str
    value_sha256: bytes
    code: Code
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Authentic:
    """A record whose writer is certain. Its body is still sealed."""

    record: AnyRecord
    value_sha256: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """An event with its body."""

    event: AnyEvent
    body: Body | None
    value_sha256: bytes


@dataclass(frozen=True, slots=True)
class Unopened:
    """Why the body of an authentic event cannot be read; `code` is None when its key is destroyed (RESEAL)."""

    code: Code | None


KeyFinder = Callable[[str], X25519PrivateKey | None]


def authenticate(raw: RawRecord, directory: Directory, here: str, now: datetime) -> Authentic | Undecoded | Unbelieved:
    """Checks size, signature, key, decoding and address of a record, in this order. `here` is the reader's agency code,
    "" for an observer, who reads records to all."""
    if raw.size > MAX_VALUE + 4096 or len(raw.value) > MAX_VALUE or len(raw.headers) > MAX_HEADERS:
        return Unbelieved(Code.TOO_LARGE)
    owner = _signed_by(raw, directory, now)
    if isinstance(owner, Code):
        return Unbelieved(owner)
    digest = hashlib.sha256(raw.value).digest()
    try:
        record = decode(raw.value)
    except Undecodable as error:
        code = Code.MALFORMED if error.code is Code.VALUE_REFUSED else error.code
        return Undecoded(owner, digest, code, _clear_field(error.path))
    if isinstance(record, Body):
        return Undecoded(owner, digest, Code.MALFORMED)  # a body in clear is never processed
    if writer_of(record) != owner:
        return Unbelieved(Code.SIGNATURE_INVALID)
    if here and isinstance(record, Event | StorageReceipt) and record.addressee != here:
        return Unbelieved(Code.NOT_ADDRESSED_HERE)
    if kafka_key(record) != raw.key:
        return Undecoded(owner, digest, Code.MALFORMED)
    return Authentic(record, digest)


def _clear_field(path: str | None) -> str | None:
    """The clear field in which `path` begins, which a receipt may name; None for the record as a whole, and for a body
    in clear."""
    field = re.split(r"[.\[]", path or "")[0]
    return field if field in _CLEAR_FIELDS else None


def _signed_by(raw: RawRecord, directory: Directory, now: datetime) -> str | Code:
    signature, key_id = raw.header("rb_signature"), raw.header("rb_keyid")
    if signature is None or key_id is None or len(key_id) != 32:
        return Code.SIGNATURE_INVALID
    name = key_id.decode("ascii", errors="replace")
    found = directory.signing_key(name)
    if found is None:
        return Code.SENDER_UNKNOWN
    owner, key = found
    if not verify(key.raw, signature, signature_input(directory.federation, name, raw.topic, raw.key, raw.value)):
        return Code.SIGNATURE_INVALID
    return owner if key.usable(now) else Code.SENDER_REVOKED


def open_body(event: ReferralEvent | StatusEvent, find_key: KeyFinder) -> Body | Unopened:
    """The body of an authentic event, or why it cannot be read: OPEN_FAILED, VALUE_REFUSED, SCHEMA_UNKNOWN, or no code
    when `find_key` does not have its key."""
    private_key = find_key(event.sealing_key_id)
    if private_key is None:
        return Unopened(None)
    try:
        body = decode(unseal(event, private_key))
    except OpenFailed:
        return Unopened(Code.OPEN_FAILED)
    except Undecodable as error:
        return Unopened(Code.VALUE_REFUSED if error.code is Code.MALFORMED else error.code)
    wanted = ReferralBody if isinstance(event, ReferralEvent) else StatusBody
    return body if isinstance(body, wanted) else Unopened(Code.VALUE_REFUSED)


def read(raw: RawRecord, directory: Directory, here: str, now: datetime, find_key: KeyFinder) -> Opened | Code | None:
    """`authenticate` and `open_body` together, for readers that keep no order: an opened event, or one code; None when
    `find_key` does not have the body's key."""
    found = authenticate(raw, directory, here, now)
    if isinstance(found, Undecoded | Unbelieved):
        return found.code
    if not isinstance(found.record, AnyEvent):
        return Code.MALFORMED
    if not isinstance(found.record, ReferralEvent | StatusEvent):
        return Opened(found.record, None, found.value_sha256)
    body = open_body(found.record, find_key)
    return body.code if isinstance(body, Unopened) else Opened(found.record, body, found.value_sha256)


def write(record: AnyRecord, topic: str, federation: str, signing_key: Ed25519PrivateKey) -> RawRecord:
    """The signed raw record to send to `topic`. An event with a body must be sealed already. Raises `Refused` for a
    value over 64 KiB."""
    return sign_value(checked_size(encode(record)), record, topic, federation, signing_key)


def checked_size(value: bytes) -> bytes:
    """The value, if it is not too large for readers. Raises `Refused` for a larger one, which they would skip."""
    if len(value) > MAX_VALUE:
        raise Refused(Reason.TOO_LARGE, "as a record this is over 64 KiB, which every reader refuses")
    return value


def sign_value(
    value: bytes, record: AnyRecord, topic: str, federation: str, signing_key: Ed25519PrivateKey
) -> RawRecord:
    """As `write`, for a value that is encoded already: an event that is sent again must have the same bytes."""
    key = kafka_key(record)
    key_id = key_id_of(signing_key.public_key().public_bytes_raw())
    signature = sign(signing_key, signature_input(federation, key_id, topic, key, value))
    signed = (("rb_signature", signature), ("rb_keyid", key_id.encode()))
    return RawRecord(topic, key, value, (*headers(record), *signed))
