"""Recognises a request that is repeated without an idempotency key within ten minutes: it is a second try of the first
one, and gets the first answer.

The ledger keeps a keyed digest of the request and the ids in its answer, nothing of a person. It deletes a row after
ten minutes, and when the referral is erased.
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
    """How to treat an identical request that comes again without an idempotency key."""

    IS_NEW = "new"  # as a new request, which is not remembered
    IS_NOTICED = "noticed"  # within ten minutes as a second try, with the first answer
    IS_MEANT = "meant"  # as a new request, which is remembered, so that its own repetition is noticed


WINDOW = timedelta(minutes=10)
_C, _E = tables.repeated_requests.c, tables.events.c


@dataclass(frozen=True, slots=True)
class Earlier:
    """The answer to the earlier request: a referral, and the number of its newest event after that request."""

    referral: ReferralKey
    number: int


def recall(tx: Tx, caller: str, asked: bytes, now: datetime) -> dict[int, Earlier]:
    """The answers to the same request of the same caller, by their position in its list; empty for a new request.
    `asked` is the request as bytes."""
    query = sa.select(_C.place, _C.referral_sender, _C.referral_id, _C.number).where(
        _C.caller == caller,
        _C.digest == tx.at_rest.digest("repeat", asked),
        _C.asked_at.between(now - WINDOW, now + WINDOW),  # later rows, too: the clock may have been set back
    )
    return {
        row.place: Earlier(ReferralKey(row.referral_sender, row.referral_id), row.number)
        for row in tx.connection.execute(query)
    }


def remember(tx: Tx, caller: str, asked: bytes, answer: Mapping[int, ReferralKey], now: datetime) -> None:
    """Keeps the answer to a request, by position in its list, in place of an earlier answer to the same request."""
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
    """The number of the newest stored event about a referral, which grows with each event of either side, whatever the
    clocks show; 0 for none."""
    about = (is_about(_E, key), _E.outcome == Outcome.STORED)
    return tx.connection.execute(sa.select(sa.func.max(_E.number)).where(*about)).scalar() or 0


def forget(tx: Tx, key: ReferralKey) -> None:
    """Deletes the answers with a referral that was erased."""
    here = is_about(_C, key)
    tx.connection.execute(sa.delete(tables.repeated_requests).where(here))


def forget_older(tx: Tx, now: datetime) -> int:
    """Deletes rows older than `WINDOW`; returns how many."""
    return tx.connection.execute(sa.delete(tables.repeated_requests).where(_C.asked_at < now - WINDOW)).rowcount
