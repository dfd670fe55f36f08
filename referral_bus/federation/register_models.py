"""The fields of `register.yaml` as frozen strict models. The rules across fields are in `register_rules`."""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints
from pydantic_core import PydanticCustomError

from referral_bus.wire.signing import key_id_of
from schemas.code_lists import CodeForm
from schemas.events import AgencyCode, FromOne
from schemas.text import line

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


def _utc_time(value: object) -> datetime:
    """Accepts one spelling only, in UTC: no reader's time zone decides when a key ends."""
    if isinstance(value, datetime) and value.tzinfo is UTC:
        return value
    try:
        if isinstance(value, str) and _TIME.fullmatch(value):
            return datetime.fromisoformat(value)
    except ValueError:
        pass  # the 31st of February
    raise PydanticCustomError("utc_time", "not a UTC time")


def _spelled(time: datetime) -> str:
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


UtcTime = Annotated[datetime, BeforeValidator(_utc_time), PlainSerializer(_spelled)]
Line = Annotated[str, line(120)]
Mailbox = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*@[a-z0-9-]+(\.[a-z0-9-]+)+$", max_length=120)]
KeyIdHex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Sha256Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
PublicKeyHex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
SignatureHex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]


class RegisterModel(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)


class StewardKey(RegisterModel):
    """One steward's Ed25519 key. It has no end of validity: it is valid until a register does not list it any more."""

    name: Line
    public_key: PublicKeyHex

    @property
    def raw(self) -> bytes:
        return bytes.fromhex(self.public_key)

    @property
    def key_id(self) -> str:
        return key_id_of(self.raw)

    def usable(self, now: datetime) -> bool:  # noqa: ARG002  (the signature of `SigningKey.usable`)
        return True

    def revoked(self, now: datetime) -> bool:  # noqa: ARG002  (as above)
        return False


class Stewards(RegisterModel):
    """The stewards' keys, and how many of the stewards must sign a register."""

    threshold: Annotated[int, Field(ge=1, le=50)]
    keys: Annotated[tuple[StewardKey, ...], Field(max_length=50)]


class Cluster(RegisterModel):
    """The names and settings of the topics in Kafka."""

    topic_prefix: CodeForm
    inbox_partitions: Annotated[int, Field(ge=1, le=64)] = 1
    replication: Annotated[int, Field(ge=1, le=9)] = 3
    min_insync: Annotated[int, Field(ge=1, le=9)] = 2
    inbox_retention_days: Annotated[int, Field(ge=1, le=90)] = 14


class SigningKey(RegisterModel):
    """An agency's Ed25519 key. `proof` proves that the agency has the private half; see `possession`."""

    public_key: PublicKeyHex
    valid_from: UtcTime
    valid_until: UtcTime
    revoked_at: UtcTime | None = None
    proof: SignatureHex

    @property
    def raw(self) -> bytes:
        return bytes.fromhex(self.public_key)

    @property
    def key_id(self) -> str:
        return key_id_of(self.raw)

    def usable(self, now: datetime) -> bool:
        """Whether a record signed with this key is authentic at `now`, by the reader's clock: the time in the record
        does not count."""
        return self.valid_from <= now < self.valid_until and not self.revoked(now)

    def revoked(self, now: datetime) -> bool:
        """Whether the key is revoked at `now`. Then earlier signatures do not count any more either; those of a key
        whose validity has merely ended do."""
        return self.revoked_at is not None and now >= self.revoked_at


class Contact(RegisterModel):
    """How to reach an agency: a function and its mailbox, never a person."""

    function: Line
    mailbox: Mailbox
    hours: Line


class Agency(RegisterModel):
    """A member of the federation. Its code is permanent."""

    code: AgencyCode
    name: Line
    kind: Literal["government", "ngo", "academic", "oversight", "un"]
    member_from: UtcTime
    member_until: UtcTime | None = None
    signing_keys: Annotated[tuple[SigningKey, ...], Field(max_length=20)] = ()
    receives_referrals: bool
    starts_referrals: bool
    connection: Literal["always", "office-hours", "occasional"]
    contacts: Annotated[tuple[Contact, ...], Field(max_length=20)] = ()
    services: tuple[CodeForm, ...] = ()
    succeeded_by: AgencyCode | None = None

    def member(self, now: datetime) -> bool:
        return self.member_from <= now and (self.member_until is None or now < self.member_until)

    def speaks(self, now: datetime) -> bool:
        """Whether its records can count: an agency that has left can still write while it has a valid key."""
        left = self.member_until is not None and self.member_until <= now
        return not left or any(key.usable(now) for key in self.signing_keys)


class Agreement(RegisterModel):
    """`sender` may start referrals to `recipient` before `until`. An ended agreement stays listed, because its
    referrals go on."""

    sender: Annotated[AgencyCode, Field(alias="from")]
    recipient: Annotated[AgencyCode, Field(alias="to")]
    until: UtcTime


class RegisterFile(RegisterModel):
    """The whole of `register.yaml`."""

    federation: CodeForm
    version: FromOne
    issued_at: UtcTime
    expires_at: UtcTime
    stewards: Stewards
    cluster: Cluster
    agencies: tuple[Agency, ...]
    agreements: tuple[Agreement, ...]
