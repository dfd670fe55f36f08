"""The clear parts of all records, as frozen strict models that match the schemas in `avro/` field by field.

These models check only what every reader needs before it can act on a record: ids, agencies, the place in the order.
Whether a code is on its list, and whether a value makes sense, the recipient judges later, in the order of
`outcomes.Code`.
"""

from datetime import timedelta
from typing import Annotated, ClassVar, NamedTuple, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from schemas.code_lists import Coded
from schemas.sealing_keys import AHEAD, SealingKey, epoch_at
from schemas.times import Instant

AgencyCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", min_length=3, max_length=40)]
CodeWord = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=40)]
KeyId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
ClearPath = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=30)]  # a field of a clear record
FromOne = Annotated[int, Field(ge=1, lt=2**53)]  # exact in JSON, and adding one never overflows a long
FromZero = Annotated[int, Field(ge=0, lt=2**53)]
HIGHEST_INCARNATION = 2**25 - 1  # times 2**28, the first number of its events, stays below 2**53
Incarnation = Annotated[int, Field(ge=1, le=HIGHEST_INCARNATION)]
IncarnationOrNone = Annotated[int, Field(ge=0, le=HIGHEST_INCARNATION)]
LONGEST_ANNOUNCED = timedelta(days=90)  # the current epoch and the next two
Hash = Annotated[bytes, Field(min_length=32, max_length=32)]
Fingerprint = Annotated[bytes, Field(min_length=8, max_length=8)]


class Place(NamedTuple):
    """The place of an event among its writer's events about one referral. Places compare in the order of the
    protocol: by incarnation, then by sequence."""

    incarnation: int
    sequence: int


NOWHERE = Place(0, 0)  # lower than the place of every event


class ReferralKey(NamedTuple):
    """Identifies a referral: two senders may use the same `referral_id`."""

    sender: str
    referral_id: UUID


class ClearRecord(BaseModel):
    """Base of the clear records. `record` is the name of its schema, whose versions are in `schema_index`. Validation
    errors never quote the input."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)
    record: ClassVar[str]


class Event(ClearRecord):
    """The fields that ReferralEvent, StatusEvent and ErasureEvent share."""

    event_id: UUID
    referral_id: UUID
    referral_sender: AgencyCode
    writer: AgencyCode
    addressee: AgencyCode
    occurred_at: Instant
    register_version: FromOne
    incarnation: Incarnation
    sequence: FromOne

    @property
    def referral(self) -> ReferralKey:
        return ReferralKey(self.referral_sender, self.referral_id)

    @property
    def place(self) -> Place:
        return Place(self.incarnation, self.sequence)

    @property
    def from_sender(self) -> bool:
        """True when the referral's sender wrote this event, False when its recipient did."""
        return self.writer == self.referral_sender


class SealedEvent(Event):
    """An event with a sealed body. `follows` is the place of the writer's previous event about the referral."""

    follows_incarnation: IncarnationOrNone
    follows_sequence: FromZero

    @property
    def follows(self) -> Place:
        return Place(self.follows_incarnation, self.follows_sequence)

    @model_validator(mode="after")
    def _stands_after_what_it_follows(self) -> Self:
        if self.follows >= self.place or (self.follows_incarnation == 0) != (self.follows_sequence == 0):
            raise ValueError("the place of an event must be after the place it follows")
        return self


class ReferralEvent(SealedEvent):
    """A new referral, written by its sender. Sealed part: `personal.ReferralBody`."""

    record: ClassVar[str] = "ReferralEvent"
    priority: Annotated[CodeWord, Coded("priority")]
    acknowledge_by: Instant
    respond_by: Instant
    sealing_key_id: KeyId
    sealed: bytes


class StatusEvent(SealedEvent):
    """A later event about a referral, from either side; `status` is None from the sender. Sealed part:
    `personal.StatusBody`."""

    record: ClassVar[str] = "StatusEvent"
    status: Annotated[CodeWord, Coded("status")] | None
    sealing_key_id: KeyId
    sealed: bytes


class ErasureEvent(Event):
    """Asks the addressee to erase the personal part of a referral, or tells that the writer has erased it. `status` is
    None from the sender."""

    record: ClassVar[str] = "ErasureEvent"
    status: Annotated[CodeWord, Coded("status")] | None
    kind: Annotated[CodeWord, Coded("erasure_kind")]
    reason: Annotated[CodeWord, Coded("erasure_reason")]


class ReceiptItem(BaseModel):
    """What the recipient did with one copy of one event. `held` is the last place of this referral and writer that the
    recipient has taken."""

    model_config = ClearRecord.model_config
    value_sha256: Hash
    event_id: UUID | None
    outcome: CodeWord
    code: CodeWord | None
    path: ClearPath | None
    held_incarnation: IncarnationOrNone
    held_sequence: FromZero

    @property
    def held(self) -> Place:
        return Place(self.held_incarnation, self.held_sequence)


class StorageReceipt(ClearRecord):
    """The addressee's signed statement of what it did with up to 500 events. Only its final outcomes settle events in
    the writer's outbox."""

    record: ClassVar[str] = "StorageReceipt"
    receipt_id: UUID
    writer: AgencyCode
    addressee: AgencyCode
    incarnation: Incarnation
    issued_at: Instant
    items: Annotated[tuple[ReceiptItem, ...], Field(strict=False, min_length=1, max_length=500)]


class ServiceOffer(BaseModel):
    model_config = ClearRecord.model_config
    service_type: Annotated[CodeWord, Coded("service_types")]
    capacity: Annotated[CodeWord, Coded("capacity")]


class AgencyAnnouncement(ClearRecord):
    """An agency's regular announcement of its keys, schemas, services and state. Peers keep the one with the highest
    (incarnation, counter)."""

    record: ClassVar[str] = "AgencyAnnouncement"
    agency: AgencyCode
    incarnation: Incarnation
    counter: FromOne
    issued_at: Instant
    expires_at: Instant
    register_version: FromOne
    register_sha256: Hash
    sealing_keys: Annotated[tuple[SealingKey, ...], Field(strict=False, max_length=16)]
    readable_schemas: Annotated[tuple[Fingerprint, ...], Field(strict=False, max_length=200)]
    services: Annotated[tuple[ServiceOffer, ...], Field(strict=False, max_length=50)]
    handed_over_before: Instant
    open_referrals: FromZero
    overdue_referrals: FromZero
    handovers_blocked: FromZero
    audit_count: FromZero
    audit_head: Hash
    software_version: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.+-]+$", max_length=40)]

    @model_validator(mode="after")
    def _promises_nothing_far_ahead(self) -> Self:
        """Bounds what a stolen signing key can announce: it expires within 90 days, even for a peer that never hears of
        the key's revocation."""
        current = epoch_at(self.issued_at)
        if any(not current <= key.epoch <= current + AHEAD for key in self.sealing_keys):
            raise ValueError("sealing keys must be those of the current epoch and the next two")
        if not timedelta(0) <= self.expires_at - self.issued_at <= LONGEST_ANNOUNCED:
            raise ValueError("expires_at must be within 90 days after issued_at")
        if self.handed_over_before > self.issued_at:
            raise ValueError("handed_over_before must not be later than issued_at")
        return self


class DeadLetterNotice(ClearRecord):
    """Tells the operators that a record waits for a person at `agency`: where it is and why, never a value of it."""

    record: ClassVar[str] = "DeadLetterNotice"
    notice_id: UUID
    agency: AgencyCode
    issued_at: Instant
    code: CodeWord
    path: ClearPath | None
    event_id: UUID | None
    topic: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+$", max_length=249)]
    partition: Annotated[int, Field(ge=0, lt=2**31)]
    offset: FromZero
    schema_fingerprint: Fingerprint | None
    count: FromOne


class StewardSignature(BaseModel):
    model_config = ClearRecord.model_config
    key_id: KeyId
    signature: Annotated[bytes, Field(min_length=64, max_length=64)]


class RegisterVersion(ClearRecord):
    """One version of the register: the exact bytes of its file, and the stewards' signatures over them."""

    record: ClassVar[str] = "RegisterVersion"
    version: FromOne
    issued_at: Instant
    register_file: Annotated[bytes, Field(max_length=60 * 1024)]
    signatures: Annotated[tuple[StewardSignature, ...], Field(strict=False, max_length=50)]


AnyEvent = ReferralEvent | StatusEvent | ErasureEvent
AnyRecord = AnyEvent | StorageReceipt | AgencyAnnouncement | DeadLetterNotice | RegisterVersion
