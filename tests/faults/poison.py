"""What broken software of an agency could write with the agency's own key, and what its recipient must say to it."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import cast
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.app.agency_client import AgencyClient
from referral_bus.clock import Clock
from referral_bus.federation.register import Register
from referral_bus.wire.avro_codec import encode
from referral_bus.wire.raw import RawRecord
from referral_bus.wire.record import sign_value
from schemas.events import NOWHERE, ReferralEvent, ReferralKey
from schemas.outcomes import Code
from tests.kit.bench import Bench
from tests.kit.forge import a_referral, a_word, body_for, event_record, sealed, signed, signed_bytes


@dataclass(frozen=True, slots=True)
class Forger:
    """Three agencies' keys in the wrong hands. `quiet` is a referral from `sender` to `recipient`, stored there, about
    which nobody says anything; `stranger` is no party of it. A refused word uses up its place, so each takes a new one
    of `places`."""

    bench: Bench
    sender: str
    recipient: str
    stranger: str
    quiet: ReferralKey
    places: Iterator[int] = field(default_factory=lambda: count(1))


@dataclass(frozen=True, slots=True)
class _Keys:
    """The little of a bench that forging needs."""

    clients: Mapping[str, AgencyClient]
    clock: Clock
    register: Register

    @property
    def generated(self) -> SimpleNamespace:
        return SimpleNamespace(agency_keys={code: client.keyring.signing for code, client in self.clients.items()})

    def __getitem__(self, code: str) -> AgencyClient:
        return self.clients[code]


def forger(
    clients: Mapping[str, AgencyClient], sender: str, recipient: str, stranger: str, quiet: ReferralKey
) -> Forger:
    """`clients` are all three agencies'."""
    keys = _Keys(clients, clients[sender].clock, clients[sender].register)
    return Forger(cast(Bench, keys), sender, recipient, stranger, quiet)


Forge = Callable[[Forger], RawRecord]


def _new(f: Forger, **changes: object) -> RawRecord:
    return event_record(f.bench, a_referral(f.bench, f.sender, f.recipient, **changes))


def _sealed(f: Forger, addressee: str) -> ReferralEvent:
    event = sealed(f.bench, a_referral(f.bench, f.sender, addressee))
    assert isinstance(event, ReferralEvent)
    return event


def _deadlines_in_the_wrong_order(f: Forger) -> RawRecord:
    good = a_referral(f.bench, f.sender, f.recipient)
    late, early = good.respond_by, good.acknowledge_by
    return event_record(f.bench, good.model_copy(update={"acknowledge_by": late, "respond_by": early}))


def _with_consent_for_another(f: Forger) -> RawRecord:
    return event_record(f.bench, a_referral(f.bench, f.sender, f.recipient), body_for(f.stranger))


def _that_does_not_open(f: Forger) -> RawRecord:
    event = _sealed(f, f.recipient)
    return signed(f.bench, event.model_copy(update={"sealed": secrets.token_bytes(300)}))


def _with_bytes_left_over(f: Forger) -> RawRecord:
    event = _sealed(f, f.recipient)
    return signed_bytes(f.bench, encode(event) + b"\0", event)


def _about_nothing(f: Forger) -> RawRecord:
    key = ReferralKey(f.sender, uuid4())
    return event_record(f.bench, a_word(f.bench, key, f.sender, f.recipient, (1, 1)))


def _in_a_place_that_is_taken(f: Forger) -> RawRecord:
    return _new(f, referral_id=f.quiet.referral_id)


def _by_a_stranger(f: Forger) -> RawRecord:
    word = a_word(f.bench, f.quiet, f.stranger, f.recipient, (1, next(f.places)), follows=NOWHERE)
    return event_record(f.bench, word)


def _that_completes_what_nobody_has_accepted(f: Forger) -> RawRecord:
    place = (1, next(f.places))
    return event_record(f.bench, a_word(f.bench, f.quiet, f.recipient, f.sender, place, "completed", follows=NOWHERE))


def _with_a_code_from_nowhere(f: Forger) -> RawRecord:
    return _new(f, priority="whenever")


def _for_somebody_else(f: Forger) -> RawRecord:
    return signed(f.bench, _sealed(f, f.stranger), f.bench.register.inbox(f.recipient))


def _with_a_false_signature(f: Forger) -> RawRecord:
    return signed(f.bench, _sealed(f, f.recipient), signer=f.stranger)


def _by_nobody(f: Forger) -> RawRecord:
    event = _sealed(f, f.recipient)
    topic = f.bench.register.inbox(f.recipient) or ""
    return sign_value(encode(event), event, topic, f.bench.register.federation, Ed25519PrivateKey.generate())


def _too_large(f: Forger) -> RawRecord:
    return signed_bytes(f.bench, bytes(70_000), a_referral(f.bench, f.sender, f.recipient))


POISON: Mapping[Forge, Code] = {
    _deadlines_in_the_wrong_order: Code.VALUE_REFUSED,
    _with_consent_for_another: Code.CONSENT_INVALID,
    _that_does_not_open: Code.OPEN_FAILED,
    _with_bytes_left_over: Code.MALFORMED,
    _about_nothing: Code.REFERRAL_UNKNOWN,
    _in_a_place_that_is_taken: Code.EQUIVOCATION,
    _by_a_stranger: Code.REFERRAL_UNKNOWN,
    _that_completes_what_nobody_has_accepted: Code.TRANSITION_REFUSED,
    _with_a_code_from_nowhere: Code.CODE_UNKNOWN,
    _for_somebody_else: Code.NOT_ADDRESSED_HERE,
    _with_a_false_signature: Code.SIGNATURE_INVALID,
    _by_nobody: Code.SENDER_UNKNOWN,
    _too_large: Code.TOO_LARGE,
}
"""Every kind with the code that its recipient's service counts it under. Only a code from nowhere is kept, unjudged."""
