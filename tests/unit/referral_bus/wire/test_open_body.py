"""The sealed body of an authentic event: had, or not, with which code."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from referral_bus.wire.avro_codec import encode
from referral_bus.wire.record import Unopened, open_body
from schemas.events import ReferralEvent, StatusEvent
from schemas.outcomes import Code
from schemas.personal import StatusBody
from tests.kit.avro_pieces import MARKER
from tests.kit.vector_bodies import referral_body
from tests.kit.vector_cases import a_referral
from tests.kit.vector_events import referral_event, status_event
from tests.kit.vector_federation import SENDER, THIRD, find_sealing_key, later, sealed

EVENT = a_referral()
VALUE = encode(EVENT)


def _sealable(event: object) -> ReferralEvent | StatusEvent:
    assert isinstance(event, ReferralEvent | StatusEvent)
    return event


def test_it_opens_with_the_key_that_it_names() -> None:
    assert open_body(_sealable(EVENT), find_sealing_key) == referral_body()


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: sealed(referral_event("unit"), encode(referral_body()), THIRD), Code.OPEN_FAILED),
        (lambda: sealed(referral_event("unit"), b"", framed=b""), Code.OPEN_FAILED),
        (lambda: sealed(referral_event("unit"), b"garbage"), Code.VALUE_REFUSED),
        (lambda: sealed(referral_event("unit"), encode(StatusBody())), Code.VALUE_REFUSED),
        (lambda: sealed(referral_event("unit"), VALUE), Code.VALUE_REFUSED),
        (lambda: sealed(status_event("unit", SENDER, None), encode(referral_body())), Code.VALUE_REFUSED),
        (lambda: sealed(referral_event("unit"), MARKER + b"tomorrow"), Code.SCHEMA_UNKNOWN),
    ],
)
def test_a_body_that_cannot_be_had_has_a_code(make: Callable[[], Any], code: Code) -> None:
    assert open_body(make(), find_sealing_key) == Unopened(code)


def test_without_the_key_there_is_no_code_but_reseal() -> None:
    assert open_body(_sealable(EVENT), lambda _: None) == Unopened(None)


def test_only_the_key_that_the_event_names_is_asked_for() -> None:
    asked: list[str] = []

    def find(key_id: str) -> X25519PrivateKey | None:
        asked.append(key_id)
        return None

    open_body(_sealable(EVENT), find)
    assert asked == [_sealable(EVENT).sealing_key_id]


@pytest.mark.parametrize("field", [name for name in ReferralEvent.model_fields if name != "sealed"])
def test_a_clear_field_changed_by_the_writer_itself_closes_the_event(field: str) -> None:
    """Signed anew, so that only the seal is in the way."""
    others: dict[str, Any] = {
        "event_id": uuid4(),
        "referral_id": uuid4(),
        "referral_sender": THIRD,
        "writer": THIRD,
        "addressee": SENDER,
        "priority": "stat",
        "sealing_key_id": "0" * 32,
    }
    own = getattr(EVENT, field)
    other = others.get(field) or (own + 1 if isinstance(own, int) else later(days=99))
    key = find_sealing_key(_sealable(EVENT).sealing_key_id)
    changed = _sealable(EVENT.model_copy(update={field: other}))
    assert open_body(changed, lambda _: key) == Unopened(Code.OPEN_FAILED)
