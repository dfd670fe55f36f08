"""The public sealing keys that an agency announces: one for each epoch of 30 days, valid exactly for that epoch."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from schemas.times import Instant

EPOCH = timedelta(days=30)
AHEAD = 2  # epochs announced in advance: events can be sealed to an agency that is away for 60 days
_START = datetime(1970, 1, 1, tzinfo=UTC)


def epoch_at(moment: datetime) -> int:
    """The number of the epoch that contains `moment`: whole 30-day periods since 1970-01-01 UTC, so that all agencies
    count alike."""
    return (moment - _START) // EPOCH


def epoch_start(epoch: int) -> datetime:
    return _START + epoch * EPOCH


_P = 2**255 - 19
# The u coordinates of all X25519 points whose order divides 8. A body sealed to one of them is not secret, and HPKE
# implementations raise an error for it: without this check one announcement would stop every relay that writes to its
# agency.
_LOW_ORDER_U = frozenset(
    {
        0,
        1,
        _P - 1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    }
)


def _sealable(raw: bytes) -> bytes:
    if int.from_bytes(raw, "little") % 2**255 % _P in _LOW_ORDER_U:
        raise ValueError("the key is a point of low order")
    return raw


class SealingKey(BaseModel):
    """The public half of an epoch's X25519 key, 32 bytes raw. Writers do not seal to it from `valid_until` on."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)
    epoch: Annotated[int, Field(ge=0, lt=2**53)]
    public_key: Annotated[bytes, Field(min_length=32, max_length=32), AfterValidator(_sealable)]
    valid_from: Instant
    valid_until: Instant

    @model_validator(mode="after")
    def _lasts_for_its_epoch(self) -> Self:
        """Refuses any other validity: a thief could announce a key that is valid for years, and it would outlive the
        revocation of the signing key that announced it."""
        begins = divmod(self.valid_from - _START, EPOCH)
        if begins != (self.epoch, timedelta(0)) or self.valid_until - self.valid_from != EPOCH:
            raise ValueError("a sealing key must be valid exactly for its epoch")
        return self
