"""Events for the test vectors, each with an id that comes out of its name."""

from typing import Any

from schemas.events import ErasureEvent, ReferralEvent, StatusEvent
from tests.kit.vector_federation import HERE, SENDER, fixed_id, later


def event_fields(name: str, writer: str = SENDER, **changes: Any) -> dict[str, Any]:
    addressee = HERE if writer == SENDER else SENDER
    fields = {
        "event_id": fixed_id(f"event {name}"),
        "referral_id": fixed_id("referral"),
        "referral_sender": SENDER,
        "writer": writer,
        "addressee": addressee,
        "occurred_at": later(hours=-5, milliseconds=123),
        "register_version": 7,
        "incarnation": 1,
        "sequence": 1,
    }
    return fields | changes


_UNSEALED: dict[str, Any] = {"sealing_key_id": "0" * 32, "sealed": b""}
_FIRST = {"follows_incarnation": 0, "follows_sequence": 0}


def referral_event(name: str, **changes: Any) -> ReferralEvent:
    deadlines = {"priority": "routine", "acknowledge_by": later(days=3), "respond_by": later(days=14)}
    return ReferralEvent(**(event_fields(name) | _FIRST | deadlines | _UNSEALED | changes))


def status_event(name: str, writer: str, status: str | None, **changes: Any) -> StatusEvent:
    return StatusEvent(**(event_fields(name, writer) | _FIRST | {"status": status} | _UNSEALED | changes))


def erasure_event(name: str, writer: str, status: str | None, kind: str, reason: str, **changes: Any) -> ErasureEvent:
    return ErasureEvent(**(event_fields(name, writer, **changes) | {"status": status, "kind": kind, "reason": reason}))
