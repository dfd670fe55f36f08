"""The receipts that are owed for what has come in, until the broker has them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from referral_bus.broker.protocols import SendFailure
from referral_bus.ledger import tables
from referral_bus.ledger.store import Tx
from schemas.events import ReceiptItem

_OWED = tables.receipts_owed.c


@dataclass(frozen=True, slots=True)
class OwedReceipts:
    """A batch for one addressee; `numbers` are forgotten once the broker has it."""

    addressee: str
    numbers: tuple[int, ...]
    items: tuple[ReceiptItem, ...]


def next_batches(tx: Tx, in_flight: Collection[str], most: int) -> list[OwedReceipts]:
    """One batch for each addressee that has none in flight."""
    batches = []
    for addressee in tx.connection.execute(sa.select(_OWED.addressee).distinct()).scalars().all():
        if addressee not in in_flight:
            query = (
                sa.select(tables.receipts_owed).where(_OWED.addressee == addressee).order_by(_OWED.number).limit(most)
            )
            rows = tx.connection.execute(query).all()
            items = tuple(
                ReceiptItem(**{name: row._mapping[name] for name in ReceiptItem.model_fields}) for row in rows
            )
            batches.append(OwedReceipts(addressee, tuple(row.number for row in rows), items))
    return batches


def failed(tx: Tx, numbers: Sequence[int], failure: SendFailure) -> None:
    """These did not get through to the broker."""
    here = (_OWED.number.in_(numbers), _OWED.send_failure.is_distinct_from(failure))
    tx.connection.execute(sa.update(tables.receipts_owed).where(*here).values(send_failure=failure))


def sent(tx: Tx, numbers: Sequence[int]) -> None:
    """The broker has these: they are forgotten."""
    tx.connection.execute(sa.delete(tables.receipts_owed).where(tables.receipts_owed.c.number.in_(numbers)))
