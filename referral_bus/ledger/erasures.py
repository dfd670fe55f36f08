"""Withdrawn means erased. Everything that this ledger holds of a referral goes in one transaction; a tombstone stays.

asked here      erase ──> ErasureEvent requested ──> (the other side: erased, later confirmed)
asked by them   erase ──> ErasureEvent erased ──> handed over to our own system ──> ErasureEvent confirmed
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
    """The recipient's final status, the place where it says so, and the id of its signing key."""

    status: Status
    place: Place
    key_id: str


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why a referral is erased, and by whose wish; the recipient's last word, where it has told its final status."""

    reason: ErasureReason
    asked_by_us: bool = False
    asked_by_peer: bool = False
    last: LastWord | None = None


def erase(
    tx: Tx, key: ReferralKey, side: Side, peer: str, grounds: Grounds, writing: Writing
) -> tuple[Tombstone, bool]:
    """Leaves a tombstone and destroys all the rest. Tells whether the tombstone is new; one that was left by retention
    takes a wish to erase as its reason."""
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
    """What is erased already, with another wish to have it erased."""
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
    """The referral's row with the key of its bodies, the bodies, what is sealed in the outbox, what is held, and the
    answer to its idempotency key. What stays is what the bus itself has seen: ids, places, times, statuses."""
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
    """Queues the word about an erasure. Only the recipient's carries the final status."""
    status = tombstone.status if tombstone.side is Side.RECIPIENT else None
    write_erasure(tx, tombstone.key, tombstone.peer, ErasureWord(kind, tombstone.reason, status), writing)


def ask(tx: Tx, key: ReferralKey, side: Side, peer: str, reason: ErasureReason, writing: Writing) -> Tombstone:
    """Erases here by our own wish, and asks the other side to. What is erased by somebody's wish stays as it is: the
    other side has been asked, or has asked."""
    there = tombstones.load(tx, key)
    if there is not None and there.needs_confirmation:
        return there
    left, _ = erase(tx, key, side, peer, Grounds(reason, asked_by_us=True), writing)
    tell(tx, left, ErasureKind.REQUESTED, writing)
    return left


def take_status(tx: Tx, left: Tombstone, last: LastWord) -> Tombstone:
    """The recipient's final status, later than every word of it that was taken before."""
    if left.side is not Side.SENDER:
        return left
    return tombstones.save(tx, replace(left, status=last.status, status_place=last.place, status_key_id=last.key_id))


def take_place(tx: Tx, left: Tombstone, place: Place, key_id: str) -> None:
    """Words of the peer up to here are dealt with."""
    tombstones.save(tx, replace(left, status_place=place, status_key_id=key_id))


def peer_took(tx: Tx, key: ReferralKey, refused_at: datetime | None, key_id: str) -> None:
    """What has become of our word about an erasure at the peer. It refuses one about a referral that it does not have;
    after a restore it may have it again. `key_id` is its signing key's, here and below."""
    left = tombstones.load(tx, key)
    if left is not None and (left.peer_refused_at is None) != (refused_at is None):
        under = None if refused_at is None else key_id
        tombstones.save(tx, replace(left, peer_refused_at=refused_at, peer_refused_key_id=under))


def peer_has_erased(tx: Tx, left: Tombstone, kind: ErasureKind, key_id: str, now: datetime) -> Tombstone:
    """Every word about an erasure says that its writer's service has erased; *confirmed* that its own system has."""
    heard = left
    if left.peer_erased_at is None:
        heard = replace(heard, peer_erased_at=now, peer_erased_key_id=key_id)
    if left.peer_confirmed_at is None and kind is ErasureKind.CONFIRMED:
        heard = replace(heard, peer_confirmed_at=now, peer_confirmed_key_id=key_id)
    return left if heard == left else tombstones.save(tx, heard)


def acknowledged(tx: Tx, keys: Sequence[ReferralKey], writing: Writing) -> None:
    """Our own system has taken the word that these referrals are erased: the other side is told, once."""
    for key in dict.fromkeys(keys):
        left = tombstones.load(tx, key)
        if left is None or left.confirmed_at is not None:
            continue
        left = tombstones.save(tx, replace(left, confirmed_at=writing.now))
        audit.note(tx, Action.CONFIRMED, writing.now, by=writing.by, referral=key, peer=left.peer)
        if left.asked_by_peer:
            tell(tx, left, ErasureKind.CONFIRMED, writing)


def peer_forgot(tx: Tx, key: ReferralKey, last: LastWord, now: datetime) -> None:
    """The recipient's retention has erased its side before all its words had arrived: this is its last one."""
    referral = referrals.load(tx, key)
    if referral is None:
        return
    forgotten = replace(referral, peer_forgot_at=now, peer_forgot_key_id=last.key_id)
    answered_at = referral.answered_at or now
    referrals.save(tx, replace(forgotten, status=last.status, answered_at=answered_at, changed_at=now))
