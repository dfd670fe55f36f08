"""Reads and writes flows, events and early receipts, many rows at a time."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import Insert, insert

from consumers.monitor import tables
from consumers.monitor.flow import Flow, FlowKey
from referral_bus.ledger.tables import Moment
from schemas.events import Place
from schemas.lifecycle import Status

EventName = tuple[str, UUID]
"""Writer and id of an event: an id identifies an event only together with its writer."""


@dataclass(frozen=True, slots=True)
class EarlyReceipt:
    """A final receipt for an event that the monitor has not read yet. `recipient`: the agency that wrote the
    receipt."""

    event: EventName
    recipient: str
    outcome: str
    code: str | None
    incarnation: int
    issued_at: datetime
    heard_at: datetime
    key_id: str  # that signed it


def among(column: sa.ColumnElement[Any], values: Iterable[object]) -> sa.ColumnElement[bool]:
    """`column IN values`, with one bound parameter for any number of values."""
    plain = [value.hex if isinstance(value, UUID) else value for value in values]
    listed = sa.func.json_each(sa.bindparam(None, plain, type_=sa.JSON)).table_valued("value")
    return sa.type_coerce(column, sa.String).in_(sa.select(listed.c.value))


def read_events(tx: Connection, ids: Collection[UUID]) -> dict[EventName, int | None]:
    """The events among `ids` that were read before, each with the number of the flow that it began; None for an event
    that began none."""
    if not ids:
        return {}
    columns = tables.events.c
    query = sa.select(columns.writer, columns.event_id, columns.flow).where(among(columns.event_id, ids))
    return {(writer, event_id): flow for writer, event_id, flow in tx.execute(query)}


def read_flows(tx: Connection, ids: Collection[UUID], numbers: Collection[int]) -> list[Flow]:
    """The flows with one of these referral ids, or one of these numbers."""
    columns = tables.flows.c
    wanted = [(columns.referral_id, ids), (columns.number, numbers)]
    found: dict[int, Flow] = {}
    for column, values in wanted:
        if values:
            rows = tx.execute(sa.select(tables.flows).where(among(column, values)))
            found |= {row[0]: _flow(row) for row in rows}
    return list(found.values())


def read_early(tx: Connection, ids: Collection[UUID]) -> list[EarlyReceipt]:
    """The early receipts for events with these ids."""
    if not ids:
        return []
    rows = tx.execute(sa.select(tables.early_receipts).where(among(tables.early_receipts.c.event_id, ids)))
    return [EarlyReceipt((row[1], row[0]), *row[2:]) for row in rows]


def last_number(tx: Connection) -> int:
    return tx.execute(sa.select(sa.func.max(tables.flows.c.number))).scalar_one() or 0


def save_flows(tx: Connection, flows: Iterable[Flow]) -> None:
    rows = [_row(flow) for flow in flows]
    if rows:
        tx.exec_driver_sql(_UPSERT_FLOW, rows)


def save_events(tx: Connection, events: Iterable[tuple[EventName, int | None, datetime]]) -> None:
    rows = [(event_id.hex, writer, flow, _moment(heard_at)) for (writer, event_id), flow, heard_at in events]
    if rows:
        tx.exec_driver_sql(_INSERT_EVENT, rows)


def save_early(tx: Connection, receipts: Iterable[EarlyReceipt]) -> None:
    """Stores early receipts. For each event and recipient the one of the highest incarnation is kept, within one
    incarnation the first."""
    rows = [_early_row(receipt) for receipt in receipts]
    if rows:
        tx.execute(_UPSERT_EARLY, rows)


def forget_early(tx: Connection, events: Iterable[EventName]) -> None:
    """Deletes the early receipts for these events."""
    columns = tables.early_receipts.c
    rows = [{"a_writer": writer, "an_id": event_id} for writer, event_id in events]
    if rows:
        here = (columns.writer == sa.bindparam("a_writer"), columns.event_id == sa.bindparam("an_id"))
        tx.execute(sa.delete(tables.early_receipts).where(*here), rows)


def _flow(row: Sequence[Any]) -> Flow:
    number, sender, referral_id, recipient, agreed, priority, ack_by, respond_by, started_at, *rest = row
    status, incarnation, sequence, *facts, _open = rest
    key = FlowKey(sender, referral_id, recipient)
    head = (number, key, agreed, priority, ack_by, respond_by, started_at)
    return Flow(*head, Status(status), Place(incarnation, sequence), *facts)


def _row(flow: Flow) -> tuple[Any, ...]:
    """A row in the order of the table's columns, in the driver's own types; one is written for every event."""
    return (
        flow.number,
        flow.key.sender,
        flow.key.referral_id.hex,
        flow.key.recipient,
        flow.agreed,
        flow.priority,
        _moment(flow.acknowledge_by),
        _moment(flow.respond_by),
        _moment(flow.started_at),
        flow.status.value,
        flow.status_place.incarnation,
        flow.status_place.sequence,
        flow.spoken_in,
        flow.acted_in,
        _moment(flow.stored_at),
        flow.refused,
        flow.receipt_incarnation,
        _moment(flow.acknowledged_at),
        _moment(flow.ended_at),
        _moment(flow.last_at),
        flow.key_id,
        flow.open,
    )


def _early_row(receipt: EarlyReceipt) -> Mapping[str, Any]:
    writer, event_id = receipt.event
    return {
        "event_id": event_id,
        "writer": writer,
        "recipient": receipt.recipient,
        "outcome": receipt.outcome,
        "code": receipt.code,
        "incarnation": receipt.incarnation,
        "issued_at": receipt.issued_at,
        "heard_at": receipt.heard_at,
        "key_id": receipt.key_id,
    }


def _moment(value: datetime | None) -> int | None:
    return _MOMENT.process_bind_param(value, _DIALECT)


def _sql(statement: Insert) -> str:
    """The SQL text of a statement, to be executed by the driver directly: a row then costs a fifth of what SQLAlchemy
    needs to convert its columns."""
    return str(statement.compile(dialect=_DIALECT))


_MOMENT, _DIALECT = Moment(), sqlite.dialect()
_FIXED = ("number", "sender", "referral_id", "recipient")
_NEW_FLOW = insert(tables.flows)
_UPSERT_FLOW = _sql(
    _NEW_FLOW.on_conflict_do_update(
        index_elements=["number"],
        set_={column.name: _NEW_FLOW.excluded[column.name] for column in tables.flows.c if column.name not in _FIXED},
    )
)
_INSERT_EVENT = _sql(insert(tables.events))
_NEW_EARLY = insert(tables.early_receipts)
_UPSERT_EARLY = _NEW_EARLY.on_conflict_do_update(
    index_elements=["event_id", "writer", "recipient"],
    set_={
        name: _NEW_EARLY.excluded[name]
        for name in ("outcome", "code", "incarnation", "issued_at", "heard_at", "key_id")
    },
    where=tables.early_receipts.c.incarnation < _NEW_EARLY.excluded.incarnation,
)
