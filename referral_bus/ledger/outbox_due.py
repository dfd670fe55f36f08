"""Whose turn it is to leave the outbox, and when the next one's is."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from referral_bus.backoff import Backoff
from referral_bus.ledger import tables
from referral_bus.ledger.at_rest import body_of
from referral_bus.ledger.outbox import OutboxState, has_older
from referral_bus.ledger.peers import agreed_time
from referral_bus.ledger.referral_key_columns import key_of, same_referral
from referral_bus.ledger.store import Tx
from referral_bus.wire.avro_codec import encode
from schemas.events import ReferralKey
from schemas.personal import StatusBody

_OUT = tables.outbox.c


@dataclass(frozen=True, slots=True)
class DueRow:
    """An event that is due. `value` is None before it has been sealed; `body` is then decrypted already."""

    number: int
    event_id: UUID
    referral: ReferralKey
    addressee: str
    state: OutboxState
    unsealed: bytes
    value: bytes | None
    body: bytes | None
    sends: int
    gone_key_id: str | None
    over: bool  # consent has expired, if our clock is right, so that it may not go any more, or not yet

    def next_send_at(self, now: datetime, backoff: Backoff) -> datetime:
        """When it is sent again without a receipt, if it is sent now."""
        return now + backoff.pause(self.sends + 1)


def due(tx: Tx, now: datetime, in_flight: Mapping[int, str], per_addressee: int, witnesses: int = 2) -> list[DueRow]:
    """What is to be sent now. `in_flight` is under way already, and to whom: at most so many at once for each
    addressee, so that no one delays another, and what is under way does not grow with the outbox.

    Of what was sent before, only the oldest event of a referral without a final receipt is sent again, unless the
    recipient has asked for another. `witnesses` is as for `agreed_time`."""
    waiting = sa.select(_OUT.addressee).where(_OUT.next_send_at <= now).distinct()
    found: list[DueRow] = []
    for addressee in tx.connection.execute(waiting).scalars().all():
        under_way = [number for number, to in in_flight.items() if to == addressee]
        if len(under_way) < per_addressee:
            found += _due_for(tx, addressee, now, under_way, per_addressee - len(under_way), witnesses)
    return found


def _due_for(
    tx: Tx, addressee: str, now: datetime, under_way: Collection[int], room: int, witnesses: int
) -> list[DueRow]:
    """First the numbers, in the order of their index and no further than needed, then the rows, which are large."""
    turn = sa.select(_OUT.number).where(_OUT.addressee == addressee, _OUT.next_send_at <= now, _its_turn())
    turn = turn.order_by(_OUT.next_send_at, _OUT.number).limit(room + len(under_way))
    numbers = [number for number in tx.connection.execute(turn).scalars() if number not in under_way]
    query = (
        sa.select(
            tables.outbox, tables.events.c.body, tables.referrals.c.body_key, tables.referrals.c.consent_expires_at
        )
        .join(tables.events, tables.events.c.number == _OUT.number)
        .outerjoin(  # an erased referral has no row any more, yet its erasure has to be told
            tables.referrals,
            sa.and_(
                same_referral(tables.referrals.c, _OUT),
            ),
        )
        .where(_OUT.number.in_(numbers[:room]))
        .order_by(_OUT.number)
    )
    return [_due_row(tx, row, now, witnesses) for row in tx.connection.execute(query)]


def _its_turn() -> sa.ColumnElement[bool]:
    """Never sent, asked for, the oldest of its referral without a final receipt, or an erasure, which overtakes."""
    return sa.or_(_OUT.state == OutboxState.NEW, _OUT.resend_requested, _OUT.erasure, sa.not_(has_older()))


def _due_row(tx: Tx, row: sa.Row[tuple[object, ...]], now: datetime, witnesses: int) -> DueRow:
    held = row._mapping
    key = key_of(held)
    body, expires_at = None, held["consent_expires_at"]
    expired = expires_at is not None and expires_at <= now
    agreed = agreed_time(tx, now, witnesses) if expired else None
    sure = agreed is not None and expires_at <= agreed
    if held["value"] is None and held["body"] is not None and held["body_key"] is not None:
        body = tx.at_rest.decrypt(held["body_key"], key, body_of(tx.code, held["event_id"]), held["body"])
        if sure:  # only the recipient's words still go: their status, nothing sealed
            body = encode(StatusBody())
    return DueRow(
        number=held["number"],
        event_id=held["event_id"],
        referral=key,
        addressee=held["addressee"],
        state=OutboxState(held["state"]),
        unsealed=held["unsealed"],
        value=held["value"],
        body=body,
        sends=held["sends"],
        gone_key_id=held["gone_key_id"],
        over=expired and (key.sender == tx.code or (not sure and body not in (None, encode(StatusBody())))),
    )


def next_due(tx: Tx) -> datetime | None:
    """When something is due next; None when nothing waits for a time."""
    query = sa.select(_OUT.next_send_at).where(_OUT.next_send_at.is_not(None), _its_turn())
    moment: datetime | None = tx.connection.execute(query.order_by(_OUT.next_send_at).limit(1)).scalar_one_or_none()
    return moment
