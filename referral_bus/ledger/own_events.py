"""Writes this agency's own events: new referrals, and words about them. Used by publish, the verbs, and ingest's own
answers.

Each function writes the event, its place, its outbox row and the referral in the caller's transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from referral_bus.ledger import audit, outbox, referrals, tables, tombstones
from referral_bus.ledger.at_rest import body_of
from referral_bus.ledger.audit import SERVICE, Action
from referral_bus.ledger.own_agency import own_incarnation
from referral_bus.ledger.referrals import Referral, Word
from referral_bus.ledger.store import Tx
from referral_bus.wire.avro_codec import encode
from referral_bus.wire.sealing import SealableEvent
from schemas.code_lists import known as code_known
from schemas.events import AnyEvent, ErasureEvent, Place, ReferralEvent, ReferralKey, StatusEvent
from schemas.lifecycle import ErasureKind, ErasureReason, Side, Status
from schemas.personal import ReferralBody, StatusBody

NewId = Callable[[], UUID]
_INSERT_EVENT = sa.insert(tables.events)
NO_KEY_YET = "0" * 32  # the key id in an event until the relay seals it


@dataclass(frozen=True, slots=True)
class Writing:
    """The circumstances of an event that is written: the time, the version of the register, a source of random ids, and
    the caller who asked for it."""

    now: datetime
    register_version: int
    new_id: NewId
    by: str = SERVICE


@dataclass(frozen=True, slots=True)
class NewReferral:
    """A referral to start, which has passed all checks of publish."""

    recipient: str
    priority: str
    acknowledge_by: datetime
    respond_by: datetime
    body: ReferralBody
    local_ref: str | None = None


@dataclass(frozen=True, slots=True)
class ErasureWord:
    """The content of an ErasureEvent of ours. `status` is the referral's final status if we are the recipient, else
    None."""

    kind: ErasureKind
    reason: ErasureReason
    status: Status | None


def write_referral(tx: Tx, new: NewReferral, writing: Writing) -> ReferralKey:
    """Writes a new referral of ours, for the relay to send. Returns its key."""
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
    referrals.insert(tx, referral, new.body.person.subject_ref)
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
    """Writes a word of ours about a referral. The caller has checked that the life cycle allows it. Returns the
    referral after the word.

    `status` is the referral's status after the word; only a recipient's event carries it."""
    said = status if referral.side is Side.RECIPIENT else None
    changed = referrals.after(referral, Word(referral.side, said, body.business_status, writing.now))
    referrals.save(tx, changed)
    _append(tx, referral, lambda common: StatusEvent(**common, status=said and said.value), body, writing)
    return changed


def write_note(tx: Tx, referral: Referral, writing: Writing) -> None:
    """Writes the automatic word of a recipient whose ledger was restored, which tells the status in that ledger. It
    changes the referral here as it does at the sender, so that both sides show the same stage."""
    changed = referrals.after(referral, Word(Side.RECIPIENT, referral.status, None, writing.now, restored=True))
    if changed != referral:
        referrals.save(tx, changed)
    said = referral.status.value
    _append(tx, referral, lambda common: StatusEvent(**common, status=said), StatusBody(), writing)


def _append(
    tx: Tx,
    referral: Referral,
    build: Callable[[dict[str, Any]], SealableEvent],
    body: ReferralBody | StatusBody,
    writing: Writing,
) -> None:
    before = referrals.place_held(tx, referral.key, tx.code)
    place = Place(own_incarnation(tx), before.sequence + 1)
    follows = {"follows_incarnation": before.incarnation, "follows_sequence": before.sequence}
    sealable = follows | {"sealing_key_id": NO_KEY_YET, "sealed": b""}
    event = build(_common(tx, referral.key, referral.peer, place, writing) | sealable)
    wrapped = referrals.body_key(tx, referral.key)
    body_name = body_of(event.writer, event.event_id)
    encrypted = None if wrapped is None else tx.at_rest.encrypt(wrapped, referral.key, body_name, encode(body))
    _ready(tx, event, before, writing, encrypted)


def write_erasure(tx: Tx, key: ReferralKey, peer: str, said: ErasureWord, writing: Writing) -> None:
    """Writes an ErasureEvent of ours. It has a place, so that its status can be compared with that of other words, but
    follows no event: it overtakes all others."""
    before = referrals.place_held(tx, key, tx.code)
    place = Place(own_incarnation(tx), before.sequence + 1)
    common = _common(tx, key, peer, place, writing)
    event = ErasureEvent(**common, status=said.status, kind=said.kind, reason=said.reason)
    _ready(tx, event, before, writing, None)


def _ready(tx: Tx, event: AnyEvent, before: Place, writing: Writing, body: bytes | None) -> None:
    """Takes the event's place and puts the event into the outbox."""
    now = writing.now
    referrals.hold_place(tx, event.referral, tx.code, before, event.place)
    number = record_event(tx, event, now, "STORED", None, body, None)
    outbox.put(tx, event, number, now)
    key, to = event.referral, event.addressee
    audit.note(tx, Action.SENT, now, by=writing.by, referral=key, event_id=event.event_id, peer=to)


def _common(tx: Tx, key: ReferralKey, peer: str, place: Place, writing: Writing) -> dict[str, Any]:
    return {
        "event_id": writing.new_id(),
        "referral_id": key.referral_id,
        "referral_sender": key.sender,
        "writer": tx.code,
        "addressee": peer,
        "occurred_at": writing.now,
        "register_version": writing.register_version,
        "incarnation": place.incarnation,
        "sequence": place.sequence,
    }


def record_event(
    tx: Tx, event: AnyEvent, now: datetime, outcome: str, code: str | None, body: bytes | None, key_id: str | None
) -> int:
    """Adds a row to `events`; returns its number, which grows in the order of commits. An unknown status is not kept:
    the event is refused or held then. `body` is encrypted. `key_id` is the id of the writer's signing key, None for our
    own events."""
    status = None if isinstance(event, ReferralEvent) else event.status
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
        "status": status if status is not None and code_known("status", status) else None,
        "outcome": outcome,
        "code": code,
        "kind": event.kind if isinstance(event, ErasureEvent) else None,
        "reason": event.reason if isinstance(event, ErasureEvent) else None,
        "body": body,
        "key_id": key_id,
    }
    if body is None:  # an event with a body has a referral that is not erased
        tombstones.recorded_again(tx, event.referral)
    result = tx.connection.execute(_INSERT_EVENT, row)
    return int(result.inserted_primary_key[0]) if result.inserted_primary_key else 0
