"""Tombstones: one for each erased referral, kept for ever. A late copy of an event about such a referral is not stored.
A tombstone holds nothing about a person."""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from referral_bus.ledger import tables
from referral_bus.ledger.referral_key_columns import given, is_about, is_about_given
from referral_bus.ledger.referrals import MOST_NAMED, named
from referral_bus.ledger.store import Tx
from schemas.events import NOWHERE, Place, ReferralKey
from schemas.lifecycle import ErasureReason, Side, Status

_T = tables.tombstones.c


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What stays of an erased referral. `status` is the final one as far as this side knows; `status_place` is the
    place of the peer's last word that was taken. `peer_erased_at` tells that the peer's service has erased,
    `peer_confirmed_at` and `confirmed_at` that the peer's and this agency's own system have acknowledged. Each word of
    the peer stands beside the id of its signing key, with which it is revoked; see `revoked_keys`. `asked_at` is when a
    side first asked for the erasure, which may be long after retention has erased the referral here."""

    key: ReferralKey
    side: Side
    peer: str
    status: Status
    reason: ErasureReason
    asked_by_us: bool
    asked_by_peer: bool
    created_at: datetime
    asked_at: datetime
    status_place: Place = NOWHERE
    confirmed_at: datetime | None = None
    peer_erased_at: datetime | None = None
    peer_confirmed_at: datetime | None = None
    peer_refused_at: datetime | None = None
    revision: int = 0
    status_key_id: str | None = None
    peer_erased_key_id: str | None = None
    peer_confirmed_key_id: str | None = None
    peer_refused_key_id: str | None = None

    @property
    def needs_confirmation(self) -> bool:
        """Whether the erasure must be confirmed: a side has asked for it. One by a side's own retention need not."""
        return self.reason is not ErasureReason.RETENTION

    @property
    def waits_for_peer(self) -> bool:
        """Whether the peer has still to confirm. A peer that has answered that it has no such referral need not."""
        return self.asked_by_us and self.peer_confirmed_at is None and self.peer_refused_at is None

    @property
    def waits_for_us(self) -> bool:
        """Whether this agency's own system has still to acknowledge the erasure."""
        return (self.asked_by_peer or not self.asked_by_us) and self.confirmed_at is None


MOMENTS = ("created_at", "asked_at", "confirmed_at", "peer_erased_at", "peer_confirmed_at", "peer_refused_at")
ANSWERS = ("peer_erased", "peer_confirmed", "peer_refused")
KEY_IDS = ("status_key_id", *(f"{name}_key_id" for name in ANSWERS))


def load(tx: Tx, key: ReferralKey) -> Tombstone | None:
    row = tx.connection.execute(_LOAD, given(key)).one_or_none()
    return None if row is None else _from_row(row)


def find(tx: Tx, name: str) -> list[Tombstone]:
    """The tombstones of erased referrals that `name` may mean; see `referrals.named`."""
    query = sa.select(tables.tombstones).where(*named(name, tables.tombstones)).limit(MOST_NAMED)
    return [_from_row(row) for row in tx.connection.execute(query)]


def insert(tx: Tx, tombstone: Tombstone) -> Tombstone:
    """Adds a tombstone under the next revision; returns it with that revision."""
    numbered = replace(tombstone, revision=_next_revision(tx))
    tx.connection.execute(sa.insert(tables.tombstones), _to_row(numbered))
    return numbered


def save(tx: Tx, tombstone: Tombstone) -> Tombstone:
    """Writes back a changed tombstone under the next revision, so that the journal gets it; returns it with that
    revision."""
    numbered = replace(tombstone, revision=_next_revision(tx))
    key = tombstone.key
    here = is_about(_T, key)
    tx.connection.execute(sa.update(tables.tombstones).where(here).values(_to_row(numbered)))
    return numbered


def put_back(tx: Tx, journal: Iterable[Tombstone]) -> None:
    """Replaces all tombstones by those of the journal, with their revisions, so that the journal goes on after them."""
    tx.connection.execute(sa.delete(tables.tombstones))
    for left in journal:
        tx.connection.execute(sa.insert(tables.tombstones), _to_row(left))


def known_to_either(journal: Tombstone, backup: Tombstone) -> Tombstone:
    """Merges two tombstones of the same erasure: what either of them notes has happened. The revision is that of
    `journal`."""
    later = max(journal, backup, key=lambda left: left.status_place)
    both = replace(
        journal,
        status=later.status,
        status_place=later.status_place,
        status_key_id=later.status_key_id,
        reason=journal.reason if journal.needs_confirmation else backup.reason,
        asked_by_us=journal.asked_by_us or backup.asked_by_us,
        asked_by_peer=journal.asked_by_peer or backup.asked_by_peer,
        asked_at=journal.asked_at if journal.needs_confirmation or not backup.needs_confirmation else backup.asked_at,
        confirmed_at=journal.confirmed_at or backup.confirmed_at,
    )
    for name in ANSWERS:
        heard = backup if getattr(journal, f"{name}_at") is None else journal
        both = replace(both, **{each: getattr(heard, each) for each in (f"{name}_at", f"{name}_key_id")})
    return both


def changed_since(tx: Tx, revision: int) -> list[Tombstone]:
    """The tombstones with a higher revision, in the order of their revisions."""
    query = sa.select(tables.tombstones).where(_T.revision > revision).order_by(_T.revision)
    return [_from_row(row) for row in tx.connection.execute(query)]


def newest_revision(tx: Tx) -> int:
    """The highest revision of all tombstones; 0 for none."""
    return int(tx.connection.execute(sa.select(sa.func.coalesce(sa.func.max(_T.revision), 0))).scalar_one())


def _next_revision(tx: Tx) -> int:
    return newest_revision(tx) + 1


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """The number of erasures that one of the two sides' own systems has not acknowledged yet, and how many of them are
    overdue."""

    count: int
    overdue: int


def unconfirmed(tx: Tx, overdue_before: datetime) -> Unconfirmed:
    """Counts the unconfirmed erasures. One that was asked for before `overdue_before` is overdue."""
    query = sa.select(
        sa.func.count(), sa.func.coalesce(sa.func.sum(sa.case((_T.asked_at < overdue_before, 1), else_=0)), 0)
    ).where(_open())
    count, overdue = tx.connection.execute(query).one()
    return Unconfirmed(count, overdue)


def left_behind(tx: Tx, overdue_before: datetime, believed: Collection[str]) -> Unconfirmed:
    """As `unconfirmed`, for those that only an agency could confirm that has left the register (is not in `believed`):
    that confirmation will not come."""
    query = sa.select(
        sa.func.count(), sa.func.coalesce(sa.func.sum(sa.case((_T.asked_at < overdue_before, 1), else_=0)), 0)
    ).where(_open(), _T.peer.not_in(sorted(believed)), sa.not_(wait_for_us()))
    count, overdue = tx.connection.execute(query).one()
    return Unconfirmed(count, overdue)


def list_unconfirmed(tx: Tx, most: int, believed: Collection[str]) -> list[Tombstone]:
    """Up to `most` unconfirmed erasures, the oldest first. Those that only an agency could confirm that has left the
    register (is not in `believed`) come last."""
    alone = sa.and_(_T.peer.not_in(sorted(believed)), sa.not_(wait_for_us()))
    query = sa.select(tables.tombstones).where(_open()).order_by(alone, _T.asked_at).limit(most)
    return [_from_row(row) for row in tx.connection.execute(query)]


def wait_for_us() -> sa.ColumnElement[bool]:
    """The condition `Tombstone.waits_for_us` in SQL, for erasures that need confirmation."""
    ours = sa.and_(sa.or_(_T.asked_by_peer, sa.not_(_T.asked_by_us)), _T.confirmed_at.is_(None))
    return sa.and_(_T.reason != ErasureReason.RETENTION, ours)


def _open() -> sa.ColumnElement[bool]:
    """The condition in SQL that an erasure is unconfirmed, by `waits_for_peer` or `waits_for_us`."""
    return sa.literal_column(tables.IS_UNCONFIRMED)  # no Boolean, or it becomes "= 1"


def unscrubbed(tx: Tx) -> bool:
    """Whether a referral was erased since the write-ahead log was last emptied."""
    return tx.connection.execute(sa.select(_T.revision).where(_T.scrubbed_at.is_(None)).limit(1)).first() is not None


def scrubbed(tx: Tx, up_to: int, now: datetime) -> None:
    """Notes that the write-ahead log was emptied after the tombstones up to this revision were made."""
    here = (_T.scrubbed_at.is_(None), _T.revision <= up_to)
    tx.connection.execute(sa.update(tables.tombstones).where(*here).values(scrubbed_at=now))


def forgotten(tx: Tx, key: ReferralKey, now: datetime) -> None:
    """Notes that the events of an erased referral were deleted, so that retention need not look at it again."""
    here = is_about(_T, key)
    tx.connection.execute(sa.update(tables.tombstones).where(*here).values(forgotten_at=now))


def recorded_again(tx: Tx, key: ReferralKey) -> None:
    """Has retention look at an erased referral again, about which an event was recorded. Does nothing for one that is
    not erased."""
    here = (is_about(_T, key), _T.forgotten_at.is_not(None))
    tx.connection.execute(sa.update(tables.tombstones).where(*here).values(forgotten_at=None))


def _from_row(row: sa.Row[tuple[object, ...]]) -> Tombstone:
    held = row._mapping
    plain = ("peer", "asked_by_us", "asked_by_peer", "revision")
    referral_id: UUID = held["referral_id"]
    return Tombstone(
        key=ReferralKey(held["referral_sender"], referral_id),
        side=Side(held["side"]),
        status=Status(held["status"]),
        reason=ErasureReason(held["reason"]),
        status_place=Place(held["incarnation"], held["sequence"]),
        **{name: held[name] for name in (*plain, *MOMENTS, *KEY_IDS)},
    )


def _to_row(tombstone: Tombstone) -> dict[str, object]:
    row = {name: value for name, value in asdict(tombstone).items() if name not in ("key", "status_place")}
    return row | {
        "referral_sender": tombstone.key.sender,
        "referral_id": tombstone.key.referral_id,
        "incarnation": tombstone.status_place.incarnation,
        "sequence": tombstone.status_place.sequence,
    }


_LOAD = sa.select(tables.tombstones).where(is_about_given(_T))
