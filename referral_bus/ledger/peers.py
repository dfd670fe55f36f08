"""What this ledger knows of other agencies: the highest incarnation and the highest announcement of each, and the time
on which they agree."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

import sqlalchemy as sa

from referral_bus.ledger import tables
from referral_bus.ledger.store import Tx
from referral_bus.wire.avro_codec import decode
from schemas.events import AgencyAnnouncement, Place
from schemas.sealing_keys import SealingKey

FAR_AHEAD = timedelta(days=1)  # of our clock: an announcement issued later is no witness
_PEER = tables.peers.c
_INCARNATION = sa.select(_PEER.incarnation, _PEER.incarnation_key_id).where(_PEER.code == sa.bindparam("of_code"))


@dataclass(frozen=True, slots=True)
class Peer:
    """Another agency: its highest incarnation and announcement, and when the last of them came, by our clock."""

    code: str
    incarnation: int
    announcement: AgencyAnnouncement | None
    heard_at: datetime

    def sealing_key(self, now: datetime) -> SealingKey | None:
        """The announced key whose epoch is the present one; None if there is none."""
        keys = self.announcement.sealing_keys if self.announcement else ()
        return next((key for key in keys if key.valid_from <= now < key.valid_until), None)


def learn_incarnation(tx: Tx, code: str, incarnation: int, key_id: str, now: datetime) -> tuple[int | None, int]:
    """Notes a peer's incarnation if it is higher than the known one. Returns the one known before (None for an unknown
    peer, 0 after its key was revoked) and the highest. Callers use `receipts.hear_incarnation`, which also acts on a
    higher one."""
    row = tx.connection.execute(_INCARNATION, {"of_code": code}).one_or_none()
    if row is None:
        values = {"code": code, "incarnation": incarnation, "incarnation_key_id": key_id, "counter": 0, "heard_at": now}
        tx.connection.execute(sa.insert(tables.peers).values(values))
        return None, incarnation
    if incarnation > row.incarnation:
        change = {"incarnation": incarnation, "incarnation_key_id": key_id, "counter": 0, "heard_at": now}
        tx.connection.execute(sa.update(tables.peers).where(_PEER.code == code).values(change))
    elif incarnation == row.incarnation and key_id != row.incarnation_key_id:
        change = {"incarnation_key_id": key_id}
        tx.connection.execute(sa.update(tables.peers).where(_PEER.code == code).values(change))
    return row.incarnation, max(incarnation, row.incarnation)


def take_announcement(tx: Tx, announcement: AgencyAnnouncement, value: bytes, key_id: str, now: datetime) -> bool:
    """Keeps an announcement if it is the highest of its agency, whose incarnation must be noted before. `value` holds
    its bytes. Returns whether it brings another register version, sealing key or readable schema, so that waiting
    events should be sent. A lower one changes nothing."""
    query = sa.select(_PEER.announcement).where(_PEER.code == announcement.agency)
    before = _announcement(tx.connection.execute(query).scalar_one_or_none())
    here = (_PEER.code == announcement.agency, sa.tuple_(_PEER.incarnation, _PEER.counter) < _place(announcement))
    newer = {"counter": announcement.counter, "announcement": value, "announcement_key_id": key_id, "heard_at": now}
    if tx.connection.execute(sa.update(tables.peers).where(*here).values(newer)).rowcount == 0:
        return False
    return before is None or (before.register_version, before.sealing_keys, before.readable_schemas) != (
        announcement.register_version,
        announcement.sealing_keys,
        announcement.readable_schemas,
    )


def forget_words(tx: Tx, believed: Callable[[str, str], bool]) -> dict[str, int]:
    """Forgets incarnations and announcements that were signed with a key that `believed` (of agency and key id) does
    not accept. Returns the agencies concerned, each with the incarnation that is left, 0 for none."""
    left: dict[str, int] = {}
    for row in tx.connection.execute(sa.select(tables.peers)).all():
        says = row.announcement is not None and believed(row.code, row.announcement_key_id)
        exists = bool(row.incarnation) and believed(row.code, row.incarnation_key_id)
        if (says or row.announcement is None) and (exists or not row.incarnation):
            continue
        announcement = _announcement(row.announcement) if says else None
        change: dict[str, object] = {"counter": announcement.counter if announcement else 0}
        if announcement is None:
            change |= {"announcement": None, "announcement_key_id": None}
        if not exists:
            known = announcement.incarnation if announcement else 0
            change |= {"incarnation": known, "incarnation_key_id": row.announcement_key_id if announcement else ""}
        tx.connection.execute(sa.update(tables.peers).where(_PEER.code == row.code).values(change))
        left[row.code] = int(str(change.get("incarnation", row.incarnation)))
    return left


def _place(announcement: AgencyAnnouncement) -> sa.Tuple:
    place = Place(announcement.incarnation, announcement.counter)
    return sa.tuple_(sa.literal(place.incarnation), sa.literal(place.sequence))


def forget_announcements(tx: Tx) -> None:
    """Forgets all announcements, in a ledger from a backup: their sealing keys may be outdated. Keeps the incarnations,
    by which it finds out that a peer was restored since the backup."""
    tx.connection.execute(sa.update(tables.peers).values(announcement=None, counter=0))


def all_peers(tx: Tx) -> dict[str, Peer]:
    """All peers by their codes."""
    rows = tx.connection.execute(sa.select(tables.peers))
    return {row.code: Peer(row.code, row.incarnation, _announcement(row.announcement), row.heard_at) for row in rows}


def agreed_time(tx: Tx, now: datetime, witnesses: int = 2) -> datetime | None:
    """The earlier of our clock's time and the latest time that `witnesses` other agencies have reached in signed
    announcements. Destroying keys and bodies goes by this time: with two witnesses one false clock does not move it.
    None while fewer agencies have announced themselves.
    """
    agreeing = witnessed(tx, now)
    return min(now, agreeing[witnesses - 1]) if len(agreeing) >= witnesses > 0 else None


def witnessed(tx: Tx, now: datetime) -> list[datetime]:
    """The times of other agencies' newest announcements, the latest first; without those more than `FAR_AHEAD` of our
    clock."""
    words = [peer.announcement.issued_at for peer in all_peers(tx).values() if peer.announcement is not None]
    return sorted((word for word in words if word <= now + FAR_AHEAD), reverse=True)


@lru_cache(maxsize=512)  # the relay reads the same few announcements at every tick
def _announcement(value: bytes | None) -> AgencyAnnouncement | None:
    announcement = None if value is None else decode(value)
    return announcement if isinstance(announcement, AgencyAnnouncement) else None
