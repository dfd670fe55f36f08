"""The receipt items that this agency owes the writers of received records, until the broker has them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from referral_bus.broker.protocols import SendFailure
from referral_bus.ledger import tables
from referral_bus.ledger.store import Tx
from schemas.events import NOWHERE, Place, ReceiptItem
from schemas.outcomes import Code, Outcome

_OWED = tables.receipts_owed.c
_INSERT = sa.insert(tables.receipts_owed).prefix_with("OR REPLACE", dialect="sqlite")


@dataclass(frozen=True, slots=True)
class Owed:
    """A receipt item for the writer of a record, who is the receipt's `addressee`. `event_id` is None if the value
    could not be decoded."""

    addressee: str
    value_sha256: bytes
    event_id: UUID | None
    outcome: Outcome
    code: Code | None = None
    path: str | None = None
    held: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class OwedReceipts:
    """The items of one receipt to one addressee. `numbers` are their rows, to be deleted once the broker has the
    receipt."""

    addressee: str
    numbers: tuple[int, ...]
    items: tuple[ReceiptItem, ...]


def owe(tx: Tx, owed: Iterable[Owed]) -> None:
    """Notes receipt items that are owed. Of several about the same bytes only the newest stays, under a new number,
    since an earlier one may be under way."""
    rows = [
        {
            "addressee": item.addressee,
            "value_sha256": item.value_sha256,
            "event_id": item.event_id,
            "outcome": item.outcome.value,
            "code": item.code and item.code.value,
            "path": item.path,
            "held_incarnation": item.held.incarnation,
            "held_sequence": item.held.sequence,
        }
        for item in owed
    ]
    if rows:
        tx.connection.execute(_INSERT, rows)


def next_batches(tx: Tx, in_flight: Collection[str], most: int) -> list[OwedReceipts]:
    """The next batch, of up to `most` items, for each addressee that has no receipt in flight."""
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
    """Notes why the broker has not taken the receipt with these rows."""
    here = (_OWED.number.in_(numbers), _OWED.send_failure.is_distinct_from(failure))
    tx.connection.execute(sa.update(tables.receipts_owed).where(*here).values(send_failure=failure))


def sent(tx: Tx, numbers: Sequence[int]) -> None:
    """Deletes these rows, whose receipt the broker has acknowledged."""
    tx.connection.execute(sa.delete(tables.receipts_owed).where(tables.receipts_owed.c.number.in_(numbers)))
