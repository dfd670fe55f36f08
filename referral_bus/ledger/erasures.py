"""Erases a referral: one transaction destroys everything that this ledger holds of it, and leaves a tombstone.

asked here      erase ──> ErasureEvent requested ──> (the other side: erased, later confirmed)
asked there     erase ──> ErasureEvent erased ──> handed over to our own system ──> ErasureEvent confirmed
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from referral_bus.ledger import audit, dead_letters, outbox, referrals, repeated_requests, tables, tombstones
from referral_bus.ledger.audit import Action
from referral_bus.ledger.idempotency import forget as forget_answer
from referral_bus.ledger.own_events import ErasureWord, Writing, write_erasure
from referral_bus.ledger.referral_key_columns import is_about
from referral_bus.ledger.store import Tx
from referral_bus.ledger.tombstones import Tombstone
from schemas.events import NOWHERE, Place, ReferralKey
from schemas.lifecycle import ErasureKind, ErasureReason, Side, Status, erased_as

_OUT = tables.outbox.c


@dataclass(frozen=True, slots=True)
class LastWord:
    """The recipient's final status, the place of the event that says so, and the id of its signing key."""

    status: Status
    place: Place
    key_id: str


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why a referral is erased, and which side has asked for it. `last` is the recipient's last word, where that has
    told the final status."""

    reason: ErasureReason
    asked_by_us: bool = False
    asked_by_peer: bool = False
    last: LastWord | None = None


def erase(
    tx: Tx, key: ReferralKey, side: Side, peer: str, grounds: Grounds, writing: Writing
) -> tuple[Tombstone, bool]:
    """Destroys what the ledger holds of a referral, and leaves a tombstone. Returns the tombstone, and whether it is
    new. If retention had erased the referral before, the tombstone takes the request and its reason."""
    there = tombstones.load(tx, key)
    if there is not None:
        return _wished(tx, there, grounds, writing.now), False
    referral = referrals.load(tx, key)
    known = None if referral is None else referral.status
    status, last = erased_as(known, grounds.reason) if side is Side.RECIPIENT else known, grounds.last
    left = Tombstone(
        key=key,
        side=side,
        peer=peer,
        status=(last.status if last else status) or Status.REQUESTED,
        reason=grounds.reason,
        asked_by_us=grounds.asked_by_us,
        asked_by_peer=grounds.asked_by_peer,
        created_at=writing.now,
        asked_at=writing.now,
        status_place=last.place if last else NOWHERE,
        status_key_id=last.key_id if last else None,
    )
    left = tombstones.insert(tx, left)
    destroy(tx, key)
    audit.note(tx, Action.ERASED, writing.now, by=writing.by, referral=key, peer=peer, code=grounds.reason)
    return left, True


def _wished(tx: Tx, there: Tombstone, grounds: Grounds, now: datetime) -> Tombstone:
    """The tombstone of a referral that is erased already, with a further request to erase it."""
    first = not there.needs_confirmation and grounds.reason is not ErasureReason.RETENTION
    wished = replace(
        there,
        reason=grounds.reason if first else there.reason,
        asked_at=now if first else there.asked_at,
        asked_by_us=there.asked_by_us or grounds.asked_by_us,
        asked_by_peer=there.asked_by_peer or grounds.asked_by_peer,
    )
    return there if wished == there else tombstones.save(tx, wished)


def destroy(tx: Tx, key: ReferralKey) -> None:
    """Destroys the referral's row with the key of its bodies, the bodies, the sealed values in the outbox, its dead
    letters, and the answer to its idempotency key. The clear columns of its events stay, as Kafka's host has seen them:
    ids, places, times, statuses."""
    in_events = is_about(tables.events.c, key)
    in_handovers = is_about(tables.handovers.c, key)
    in_referrals = is_about(tables.referrals.c, key)
    run = tx.connection.execute
    run(sa.delete(tables.referrals).where(in_referrals))
    run(sa.update(tables.events).where(in_events).values(body=None))
    outbox.erase(tx, key)
    run(sa.delete(tables.handovers).where(in_handovers, tables.handovers.c.done_at.is_(None)))
    dead_letters.forget(tx, key)
    forget_answer(tx, key)
    repeated_requests.forget(tx, key)


def tell(tx: Tx, tombstone: Tombstone, kind: ErasureKind, writing: Writing) -> None:
    """Writes an ErasureEvent of this kind to the outbox. Only the recipient's carries the final status."""
    status = tombstone.status if tombstone.side is Side.RECIPIENT else None
    write_erasure(tx, tombstone.key, tombstone.peer, ErasureWord(kind, tombstone.reason, status), writing)


def ask(tx: Tx, key: ReferralKey, side: Side, peer: str, reason: ErasureReason, writing: Writing) -> Tombstone:
    """Erases a referral at this agency's request, and asks the other side to do the same. Does nothing for a referral
    that one of the sides has asked to erase before. Returns the tombstone."""
    there = tombstones.load(tx, key)
    if there is not None and there.needs_confirmation:
        return there
    left, _ = erase(tx, key, side, peer, Grounds(reason, asked_by_us=True), writing)
    tell(tx, left, ErasureKind.REQUESTED, writing)
    return left


def take_status(tx: Tx, left: Tombstone, last: LastWord) -> Tombstone:
    """At the sender, notes the final status in the recipient's word about the erasure. The caller has checked that it
    is later than the word taken before."""
    if left.side is not Side.SENDER:
        return left
    return tombstones.save(tx, replace(left, status=last.status, status_place=last.place, status_key_id=last.key_id))


def take_place(tx: Tx, left: Tombstone, place: Place, key_id: str) -> None:
    """Notes that all words of the peer up to this place are dealt with."""
    tombstones.save(tx, replace(left, status_place=place, status_key_id=key_id))


def peer_took(tx: Tx, key: ReferralKey, refused_at: datetime | None, key_id: str) -> None:
    """Notes what the peer's receipt says about our ErasureEvent: `refused_at` is set if the peer has refused it, since
    it has no such referral; after a restore it may have it again. `key_id`, here and below, is the id of the peer's
    signing key."""
    left = tombstones.load(tx, key)
    if left is not None and (left.peer_refused_at is None) != (refused_at is None):
        under = None if refused_at is None else key_id
        tombstones.save(tx, replace(left, peer_refused_at=refused_at, peer_refused_key_id=under))


def peer_has_erased(tx: Tx, left: Tombstone, kind: ErasureKind, key_id: str, now: datetime) -> Tombstone:
    """Notes what an ErasureEvent of the peer says: its service has erased the referral, and with *confirmed* its own
    system has, too."""
    heard = left
    if left.peer_erased_at is None:
        heard = replace(heard, peer_erased_at=now, peer_erased_key_id=key_id)
    if left.peer_confirmed_at is None and kind is ErasureKind.CONFIRMED:
        heard = replace(heard, peer_confirmed_at=now, peer_confirmed_key_id=key_id)
    return left if heard == left else tombstones.save(tx, heard)


def acknowledged(tx: Tx, keys: Sequence[ReferralKey], writing: Writing) -> None:
    """Notes that the agency's own system has acknowledged the erasure of these referrals, and tells the other side
    once."""
    for key in dict.fromkeys(keys):
        left = tombstones.load(tx, key)
        if left is None or left.confirmed_at is not None:
            continue
        left = tombstones.save(tx, replace(left, confirmed_at=writing.now))
        audit.note(tx, Action.CONFIRMED, writing.now, by=writing.by, referral=key, peer=left.peer)
        if left.asked_by_peer:
            tell(tx, left, ErasureKind.CONFIRMED, writing)


def peer_forgot(tx: Tx, key: ReferralKey, last: LastWord, now: datetime) -> None:
    """At the sender, notes that the recipient's retention has erased its side. `last` is the recipient's last word;
    earlier ones that have not arrived yet will not come any more."""
    referral = referrals.load(tx, key)
    if referral is None:
        return
    forgotten = replace(referral, peer_forgot_at=now, peer_forgot_key_id=last.key_id)
    answered_at = referral.answered_at or now
    referrals.save(tx, replace(forgotten, status=last.status, answered_at=answered_at, changed_at=now))
