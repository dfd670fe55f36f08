"""What was asked within the last ten minutes: the very same asked again is a second try, not a second wish.

Kept are a keyed digest of what was asked and the ids of what came of it, nothing of a person. A row goes after ten
minutes, and with its referral's erasure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa

from referral_bus.ledger import tables
from referral_bus.ledger.referral_key_columns import is_about
from referral_bus.ledger.store import Tx
from schemas.events import ReferralKey
from schemas.outcomes import Outcome


class Repeat(StrEnum):
    """What the very same means when it is asked again without an idempotency key."""

    IS_NEW = "new"  # another wish; nothing is remembered
    IS_NOTICED = "noticed"  # a second try within ten minutes: answered as the first
    IS_MEANT = "meant"  # another wish, and remembered: the next one may be a second try of it


WINDOW = timedelta(minutes=10)
_C, _E = tables.repeated_requests.c, tables.events.c


@dataclass(frozen=True, slots=True)
class Earlier:
    """What came of it the first time. `number` is of the referral's newest event right after it."""

    referral: ReferralKey
    number: int


def recall(tx: Tx, caller: str, asked: bytes, now: datetime) -> dict[int, Earlier]:
    """What came of the same question of the same caller, by its place in a list; empty if it is a new one."""
    query = sa.select(_C.place, _C.referral_sender, _C.referral_id, _C.number).where(
        _C.caller == caller,
        _C.digest == tx.at_rest.digest("repeat", asked),
        _C.asked_at.between(now - WINDOW, now + WINDOW),  # a clock that was set back remembers no longer
    )
    return {
        row.place: Earlier(ReferralKey(row.referral_sender, row.referral_id), row.number)
        for row in tx.connection.execute(query)
    }


def remember(tx: Tx, caller: str, asked: bytes, answer: Mapping[int, ReferralKey], now: datetime) -> None:
    """In place of an earlier answer to the same question."""
    forget_older(tx, now)
    digest = tx.at_rest.digest("repeat", asked)
    tx.connection.execute(sa.delete(tables.repeated_requests).where(_C.caller == caller, _C.digest == digest))
    rows = [
        {
            "caller": caller,
            "digest": digest,
            "place": place,
            "referral_sender": key.sender,
            "referral_id": key.referral_id,
            "number": newest_event(tx, key),
            "asked_at": now,
        }
        for place, key in answer.items()
    ]
    if rows:
        tx.connection.execute(sa.insert(tables.repeated_requests), rows)


def newest_event(tx: Tx, key: ReferralKey) -> int:
    """The number of the newest stored event about a referral: it grows whenever either side has spoken, whatever the
    clocks say. 0 when there is none."""
    about = (is_about(_E, key), _E.outcome == Outcome.STORED)
    return tx.connection.execute(sa.select(sa.func.max(_E.number)).where(*about)).scalar() or 0


def forget(tx: Tx, key: ReferralKey) -> None:
    """The referral was erased."""
    here = is_about(_C, key)
    tx.connection.execute(sa.delete(tables.repeated_requests).where(here))


def forget_older(tx: Tx, now: datetime) -> int:
    return tx.connection.execute(sa.delete(tables.repeated_requests).where(_C.asked_at < now - WINDOW)).rowcount
