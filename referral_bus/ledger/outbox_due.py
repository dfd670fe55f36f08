"""Which events in the outbox are to be sent now, and when the next one is due."""

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
    """An event that is due. `value` holds the bytes last sent, None before it is sealed; then `body` holds the
    decrypted body. `sends` is how often it was sent."""

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
    over: bool  # by our clock its consent has expired, so that it must not be sent, or not before that is certain

    def next_send_at(self, now: datetime, backoff: Backoff) -> datetime:
        """When the event, sent now, is sent again if no receipt comes."""
        return now + backoff.pause(self.sends + 1)


def due(tx: Tx, now: datetime, in_flight: Mapping[int, str], per_addressee: int, witnesses: int = 2) -> list[DueRow]:
    """The events to send now. `in_flight` names the events under way and their addressees; each addressee has
    `per_addressee` under way at most, so that no addressee delays another, and so that memory does not grow with the
    outbox.

    Of the events of a referral that were sent before, only the oldest one without a final receipt is sent again, unless
    the recipient has asked for another. `witnesses` is as for `agreed_time`."""
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
    """Reads first the numbers, by an index and no more than needed, then the rows, which are large."""
    turn = sa.select(_OUT.number).where(_OUT.addressee == addressee, _OUT.next_send_at <= now, _its_turn())
    turn = turn.order_by(_OUT.next_send_at, _OUT.number).limit(room + len(under_way))
    numbers = [number for number in tx.connection.execute(turn).scalars() if number not in under_way]
    query = (
        sa.select(
            tables.outbox, tables.events.c.body, tables.referrals.c.body_key, tables.referrals.c.consent_expires_at
        )
        .join(tables.events, tables.events.c.number == _OUT.number)
        .outerjoin(  # an erased referral has no row, but its ErasureEvent must be sent
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
    """Whether an event may be sent: it was never sent, the recipient asks for it, it is the oldest of its referral
    without a final receipt, or it is an erasure, which overtakes the others."""
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
        if sure:  # only the recipient's words are still sent: their status, with an empty body
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
    """When the next event is due; None if no event has a time."""
    query = sa.select(_OUT.next_send_at).where(_OUT.next_send_at.is_not(None), _its_turn())
    moment: datetime | None = tx.connection.execute(query.order_by(_OUT.next_send_at).limit(1)).scalar_one_or_none()
    return moment
