"""The audit: a chain of entries about what was done at this agency. Each entry's head is a hash over the entry and the
head before it, and the agency's signed announcements tell the newest head and count. So a peer can detect an entry that
was changed, removed, moved or cut off at the end.

An entry holds opaque ids, agencies, closed codes and times: no free text, nothing of a person, and no hash of a text.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import sqlalchemy as sa

from referral_bus.ledger import tables
from referral_bus.ledger.store import Tx
from schemas.events import ReferralKey
from schemas.outcomes import Code


class Action(StrEnum):
    """What an entry is about."""

    SENT = "sent"  # an event of ours was written to the outbox
    RECEIVED = "received"  # an event of the other side was stored
    REFUSED = "refused"
    ERASED = "erased"
    CONFIRMED = "confirmed"  # the agency's own system has acknowledged an erasure
    RETRIED = "retried"
    DISCARDED = "discarded"
    SHOWED = "showed"  # the sealed part was shown to the caller `by`
    RESTORED = "restored"


TRAVELS = (Action.SENT, Action.RECEIVED, Action.REFUSED, Action.ERASED, Action.RESTORED)
"""Actions about a record that leaves or came in at the same time."""
SERVICE = "service"  # `by` of what the service does by itself
_TAG = b"referral-bus/audit/v1"
START = hashlib.sha256(_TAG).digest()
_A = tables.audit.c
_NEWEST = sa.select(_A.number, _A.head).order_by(_A.number.desc()).limit(1)
_INSERT = sa.insert(tables.audit)
_END = "audit end"  # the name under which a transaction's memo holds the newest entry


@dataclass(frozen=True, slots=True)
class End:
    """The end of the chain: the number of entries, and the head of the newest one (`START` before the first)."""

    count: int
    head: bytes


def end(tx: Tx) -> End:
    """The end of the whole chain."""
    row = tx.connection.execute(_NEWEST).one_or_none()
    return End(0, START) if row is None else End(row.number, row.head)


def announced(tx: Tx, now: datetime) -> End:
    """The end to announce: the newest entry about a record that left or came in, or the last entry of the day before
    (UTC). Entries about local actions, as looking at a case, move it only once a day: Kafka's host sees every
    announcement, and must not learn when the staff read. The query reads back over today's entries about local actions
    only."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    told = sa.or_(_A.action.in_(TRAVELS), _A.at < midnight)
    row = tx.connection.execute(_NEWEST.where(told)).one_or_none()
    return End(0, START) if row is None else End(row.number, row.head)


def note(
    tx: Tx,
    action: Action,
    at: datetime,
    *,
    by: str = SERVICE,
    referral: ReferralKey | None = None,
    event_id: object = None,
    peer: str | None = None,
    code: Code | str | None = None,
) -> None:
    """Adds an entry, in the same transaction as what it is about. `by` is the caller who asked for it, or
    `SERVICE`."""
    before = tx.memo.get(_END)
    if not isinstance(before, End):
        before = end(tx)
    entry = {
        "number": before.count + 1,
        "at": at,
        "action": action.value,
        "by": by,
        "peer": peer,
        "referral_sender": referral and referral.sender,
        "referral_id": referral and referral.referral_id,
        "event_id": event_id,
        "code": None if code is None else str(code),
    }
    head = chained(before.head, entry)
    tx.connection.execute(_INSERT, entry | {"head": head})
    tx.memo[_END] = End(before.count + 1, head)


def chained(before: bytes, entry: dict[str, object]) -> bytes:
    """The head of an entry: SHA-256 over the head before it and every field, each with its length before it. The order
    of the fields is that of `note`."""
    hashed = hashlib.sha256(_TAG + before)
    for value in entry.values():
        shown = b"" if value is None else _plain(value)
        hashed.update((0 if value is None else len(shown) + 1).to_bytes(4, "big") + shown)
    return hashed.digest()


def _plain(value: object) -> bytes:
    if isinstance(value, datetime):
        return str(tables.milliseconds(value)).encode()
    return str(value).encode()
