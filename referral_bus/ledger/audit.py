"""What was done at this agency, as a chain: each entry's head is a hash over the entry and the head before it, and the
newest head and count go out signed in the announcements. So nothing can be changed, removed, put in another order, or
cut off at the end without showing.

No free text, nothing of a person, no hash of anything readable: opaque ids, agencies, closed codes, times.
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

    SENT = "sent"  # an event of ours was taken in for sending
    RECEIVED = "received"  # the other side's event was stored
    REFUSED = "refused"
    ERASED = "erased"
    CONFIRMED = "confirmed"  # our own system has acknowledged an erasure
    RETRIED = "retried"
    DISCARDED = "discarded"
    SHOWED = "showed"  # its sealed part was shown to whoever asked
    RESTORED = "restored"


TRAVELS = (Action.SENT, Action.RECEIVED, Action.REFUSED, Action.ERASED, Action.RESTORED)
"""What they are about goes to others, or came from them, at that very time."""
SERVICE = "service"  # who asked, where nobody did
_TAG = b"referral-bus/audit/v1"
START = hashlib.sha256(_TAG).digest()
_A = tables.audit.c
_NEWEST = sa.select(_A.number, _A.head).order_by(_A.number.desc()).limit(1)
_INSERT = sa.insert(tables.audit)
_END = "audit end"  # the newest entry, remembered for the length of a transaction


@dataclass(frozen=True, slots=True)
class End:
    """How many entries there are, and the newest one's head."""

    count: int
    head: bytes


def end(tx: Tx) -> End:
    row = tx.connection.execute(_NEWEST).one_or_none()
    return End(0, START) if row is None else End(row.number, row.head)


def announced(tx: Tx, now: datetime) -> End:
    """The end that is told to the others: the newest entry about something that leaves or came in, or the last one of
    the day before. What is only done here, as looking at a case, moves it once a day: the host sees each announcement,
    and must not learn when the staff read. Reads back from the newest entry, over no more than what was done only here
    today."""
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
    """Adds an entry, in the transaction of what it is about. `by` is who asked."""
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
    """The head of an entry: SHA-256 over the head before it and every field, each with its length before it."""
    hashed = hashlib.sha256(_TAG + before)
    for value in entry.values():
        shown = b"" if value is None else _plain(value)
        hashed.update((0 if value is None else len(shown) + 1).to_bytes(4, "big") + shown)
    return hashed.digest()


def _plain(value: object) -> bytes:
    if isinstance(value, datetime):
        return str(tables.milliseconds(value)).encode()
    return str(value).encode()
