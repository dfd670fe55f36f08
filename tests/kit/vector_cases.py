"""What the refused test vectors are made with."""

from dataclasses import dataclass

from referral_bus.wire.avro_codec import encode
from referral_bus.wire.envelope import kafka_key
from referral_bus.wire.raw import RawRecord
from referral_bus.wire.sealing import SealableEvent
from schemas.events import AnyRecord
from schemas.outcomes import Code
from tests.kit.vector_bodies import referral_body
from tests.kit.vector_events import referral_event
from tests.kit.vector_federation import HERE, HONEST, Signing, inbox, sealed, signed
from tests.kit.vectors_accepted import accepted


@dataclass(frozen=True, slots=True)
class Refused:
    """`about`: one sentence for whoever reads the file. `opened`: the reader must use its sealing key before it can
    tell."""

    name: str
    about: str
    expected: Code
    raw: RawRecord
    here: str = HERE
    opened: bool = False


def a_referral() -> SealableEvent:
    """An honest one, from school to clinic, to spoil."""
    return sealed(referral_event("refused"), encode(referral_body()))


def record_of(name: str) -> AnyRecord:
    """The record of an accepted vector."""
    return next(vector.record for vector in accepted() if vector.name == name)


def posted(record: AnyRecord, value: bytes | None = None, how: Signing = HONEST, topic: str = inbox(HERE)) -> RawRecord:
    """The record, or these bytes in its place, signed, in clinic's inbox."""
    return signed(encode(record) if value is None else value, topic, kafka_key(record), how)
