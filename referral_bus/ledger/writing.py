"""What an agency writes: new referrals, and words about them. Used by publish, the verbs, and ingest's own answers.

Each function writes the event, its place, its outbox row and the referral together: all of it is there, or nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from referral_bus.ledger import referrals, tables
from referral_bus.ledger.referrals import Referral, Word
from referral_bus.ledger.sending import own_incarnation
from referral_bus.ledger.store import Tx
from referral_bus.wire.avro_codec import encode
from schemas.events import Place, ReferralEvent, ReferralKey, SealedEvent, StatusEvent
from schemas.lifecycle import Side, Status
from schemas.personal import ReferralBody, StatusBody

NewId = Callable[[], UUID]
_INSERT_EVENT, _INSERT_OUTBOX = sa.insert(tables.events), sa.insert(tables.outbox)
NO_KEY_YET = "0" * 32  # stands in the bare event until the relay seals it


@dataclass(frozen=True, slots=True)
class Writing:
    """When, under which register, and where ids come from."""

    now: datetime
    register_version: int
    new_id: NewId


@dataclass(frozen=True, slots=True)
class NewReferral:
    """A referral that has passed every check of publish."""

    recipient: str
    priority: str
    acknowledge_by: datetime
    respond_by: datetime
    body: ReferralBody
    local_ref: str | None = None


def write_referral(tx: Tx, new: NewReferral, writing: Writing) -> ReferralKey:
    """A new referral of ours, ready for the relay."""
    key = ReferralKey(tx.code, writing.new_id())
    referral = Referral(
        key=key,
        side=Side.SENDER,
        peer=new.recipient,
        status=Status.REQUESTED,
        priority=new.priority,
        acknowledge_by=new.acknowledge_by,
        respond_by=new.respond_by,
        created_at=writing.now,
        changed_at=writing.now,
        consent_expires_at=new.body.consent.expires_at,
    )
    referrals.insert(tx, referral)
    if new.local_ref is not None:
        referrals.set_local_ref(tx, key, new.local_ref)
    deadlines: dict[str, Any] = {
        "priority": new.priority,
        "acknowledge_by": new.acknowledge_by,
        "respond_by": new.respond_by,
    }
    _append(tx, referral, lambda common: ReferralEvent(**common, **deadlines), new.body, writing)
    return key


def write_word(tx: Tx, referral: Referral, status: Status, body: StatusBody, writing: Writing) -> Referral:
    """A word of ours about a referral we are a party of; the caller has judged it. Returns the referral after it.

    `status` is the referral's status after the word; it travels only if we are the recipient."""
    said = status if referral.side is Side.RECIPIENT else None
    changed = referrals.after(referral, Word(referral.side, said, body.business_status, writing.now))
    referrals.save(tx, changed)
    _append(tx, referral, lambda common: StatusEvent(**common, status=said and said.value), body, writing)
    return changed


def _append(
    tx: Tx,
    referral: Referral,
    build: Callable[[dict[str, Any]], SealedEvent],
    body: ReferralBody | StatusBody,
    writing: Writing,
) -> None:
    before = referrals.place_held(tx, referral.key, tx.code)
    place = Place(own_incarnation(tx), before.sequence + 1)
    event = build(_common(tx, referral, before, place, writing))
    referrals.hold_place(tx, referral.key, tx.code, before, place)
    wrapped = referrals.body_key(tx, referral.key)
    encrypted = None if wrapped is None else tx.at_rest.encrypt(wrapped, referral.key, encode(body))
    number = record_event(tx, event, writing.now, "STORED", None, encrypted)
    row = {
        "number": number,
        "event_id": event.event_id,
        "referral_sender": referral.key.sender,
        "referral_id": referral.key.referral_id,
        "incarnation": place.incarnation,
        "sequence": place.sequence,
        "addressee": referral.peer,
        "state": "new",
        "bare": encode(event),
        "next_send_at": writing.now,
        "sends": 0,
        "missed": False,
        "asked": False,
    }
    tx.connection.execute(_INSERT_OUTBOX, row)


def _common(tx: Tx, referral: Referral, before: Place, place: Place, writing: Writing) -> dict[str, Any]:
    return {
        "event_id": writing.new_id(),
        "referral_id": referral.key.referral_id,
        "referral_sender": referral.key.sender,
        "writer": tx.code,
        "addressee": referral.peer,
        "occurred_at": writing.now,
        "register_version": writing.register_version,
        "incarnation": place.incarnation,
        "sequence": place.sequence,
        "follows_incarnation": before.incarnation,
        "follows_sequence": before.sequence,
        "sealing_key_id": NO_KEY_YET,
        "sealed": b"",
    }


def record_event(tx: Tx, event: SealedEvent, now: datetime, outcome: str, code: str | None, body: bytes | None) -> int:
    """One row of `events`; returns its number, which follows commit order."""
    row = {
        "event_id": event.event_id,
        "referral_sender": event.referral_sender,
        "referral_id": event.referral_id,
        "writer": event.writer,
        "record": event.record,
        "incarnation": event.incarnation,
        "sequence": event.sequence,
        "occurred_at": event.occurred_at,
        "recorded_at": now,
        "status": event.status if isinstance(event, StatusEvent) else None,
        "outcome": outcome,
        "code": code,
        "body": body,
    }
    result = tx.connection.execute(_INSERT_EVENT, row)
    return int(result.inserted_primary_key[0]) if result.inserted_primary_key else 0
