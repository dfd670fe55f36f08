"""The events and receipts that Kafka does not take, and why: about one referral, to one agency, or all of them."""

from dataclasses import dataclass

import sqlalchemy as sa

from referral_bus.broker.protocols import SendFailure
from referral_bus.broker.send_failures import known_failure
from referral_bus.ledger import tables
from referral_bus.ledger.referral_key_columns import is_about
from referral_bus.ledger.store import Tx
from schemas.events import ReferralKey

_O, _W = tables.outbox.c, tables.receipts_owed.c
_IS_FAILING: sa.ColumnElement[bool] = sa.literal_column(tables.IS_FAILING)  # no Boolean, or it becomes "= 1"


@dataclass(frozen=True, slots=True)
class Failing:
    """How many events and receipts cannot be sent to an agency, for one reason."""

    addressee: str
    failure: SendFailure
    events: int = 0
    receipts: int = 0


def of_referral(tx: Tx, key: ReferralKey) -> SendFailure | None:
    """Why Kafka does not take our oldest failing event about a referral; None if none fails."""
    same = is_about(_O, key)
    query = sa.select(_O.send_failure).where(same, _IS_FAILING).order_by(_O.number).limit(1)
    return known_failure(tx.connection.execute(query).scalar_one_or_none())


def to_agency(tx: Tx, code: str) -> SendFailure | None:
    """Why Kafka does not take an event to this agency; None if none fails. Events that wait behind it have no failure
    of their own."""
    query = sa.select(_O.send_failure).where(_O.addressee == code, _IS_FAILING).limit(1)
    return known_failure(tx.connection.execute(query).scalar_one_or_none())


def everything(tx: Tx) -> list[Failing]:
    """All failures to send, in the order of the addressees' codes."""
    found: dict[tuple[str, SendFailure], Failing] = {}
    events = sa.select(_O.addressee, _O.send_failure, sa.func.count()).where(_IS_FAILING)
    receipts = sa.select(_W.addressee, _W.send_failure, sa.func.count()).where(_W.send_failure.is_not(None))
    for addressee, word, count in tx.connection.execute(events.group_by(_O.addressee, _O.send_failure)):
        failure = known_failure(word)
        if failure is not None:
            found[addressee, failure] = Failing(addressee, failure, count)
    for addressee, word, count in tx.connection.execute(receipts.group_by(_W.addressee, _W.send_failure)):
        failure = known_failure(word)
        if failure is not None:
            waiting = found.get((addressee, failure), Failing(addressee, failure))
            found[addressee, failure] = Failing(addressee, failure, waiting.events, count)
    return [found[at] for at in sorted(found)]
