"""The public sealing keys that an agency announces: one for each epoch, valid exactly as long as its epoch lasts."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from schemas.times import Instant

EPOCH = timedelta(days=30)
AHEAD = 2  # epochs announced beforehand, so that an agency that is away stays reachable for 60 days
_START = datetime(1970, 1, 1, tzinfo=UTC)


def epoch_at(moment: datetime) -> int:
    """The number of the epoch: whole 30-day periods since 1970, the same for every agency."""
    return (moment - _START) // EPOCH


def epoch_start(epoch: int) -> datetime:
    return _START + epoch * EPOCH


_P = 2**255 - 19
# The u coordinates of all X25519 points whose order divides 8. What is sealed to one of them has no secret in it, and
# an honest implementation stops at it: one agency's announcement would stop every relay that wants to write to it.
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
        raise ValueError("a point of low order")
    return raw


class SealingKey(BaseModel):
    """The public half of one epoch's X25519 key; writers do not seal to it from `valid_until` on."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)
    epoch: Annotated[int, Field(ge=0, lt=2**53)]
    public_key: Annotated[bytes, Field(min_length=32, max_length=32), AfterValidator(_sealable)]
    valid_from: Instant
    valid_until: Instant

    @model_validator(mode="after")
    def _lasts_for_its_epoch(self) -> Self:
        """A thief's key that is valid for years would outlive the revocation of the signing key that announced it."""
        begins = divmod(self.valid_from - _START, EPOCH)
        if begins != (self.epoch, timedelta(0)) or self.valid_until - self.valid_from != EPOCH:
            raise ValueError("a sealing key is valid for its epoch")
        return self
