"""What would wait for too long in the outbox: nothing but the passing of time could end it, so it is looked at now and
then."""

from datetime import datetime

import sqlalchemy as sa

from referral_bus.backoff import Backoff
from referral_bus.ledger import resends, tables
from referral_bus.ledger.outbox import OutboxState, resend_all
from referral_bus.ledger.outbox_due import has_older
from referral_bus.ledger.peers import all_peers
from referral_bus.ledger.store import Tx
from referral_bus.wire.signing import key_id_of

_OUT = tables.outbox.c


def wake(tx: Tx, now: datetime, backoff: Backoff) -> None:
    """Everything below, once."""
    for code in resends.due(tx, now):
        resend_all(tx, code, now)
    _wake_keyless(tx, now)
    _wake_put_off(tx, now, backoff)
    _lay_down(tx, now)


def _wake_keyless(tx: Tx, now: datetime) -> None:
    """Sends what waits for a key that has become valid since it was announced."""
    peers = all_peers(tx)
    keyless = (sa.text(tables.IS_UNTIMED), _OUT.state == OutboxState.WAITING_FOR_KEY)
    waiting = sa.select(_OUT.addressee).where(*keyless).distinct()
    for addressee in tx.connection.execute(waiting).scalars().all():
        key = peers[addressee].sealing_key(now) if addressee in peers else None
        if key is not None:
            usable = _OUT.gone_key_id.is_distinct_from(key_id_of(key.public_key))
            here = (*keyless, _OUT.addressee == addressee, usable)
            values = {"state": OutboxState.NEW.value, "next_send_at": now}
            tx.connection.execute(sa.update(tables.outbox).where(*here).values(values))


def _wake_put_off(tx: Tx, now: datetime, backoff: Backoff) -> None:
    """Sends what was put off by a clock that was ahead: what waits for longer than its own pause, which doubles with
    each time that it is sent."""
    pauses = [(sends, max(pause, resends.SHORTEST)) for sends, pause in backoff.pauses().items()]
    put_off = sa.or_(
        *(sa.and_(_OUT.sends <= sends, _OUT.next_send_at > now + pause) for sends, pause in pauses),
        _OUT.next_send_at > now + backoff.longest,
    )
    at_least = _OUT.next_send_at > now + pauses[0][1]  # nothing less is put off, and for this there is an index
    tx.connection.execute(sa.update(tables.outbox).where(at_least, put_off).values(next_send_at=now))


def _lay_down(tx: Tx, now: datetime) -> None:
    """What waits behind another event of its referral has no time of its own, or every look at what is due would pass
    over all of it. It goes when that one is final (see `receipts`), and what was forgotten then goes now."""
    waits = (
        _OUT.next_send_at <= now,
        _OUT.state == OutboxState.SENT,
        sa.not_(_OUT.resend_requested),
        sa.not_(_OUT.erasure),
    )
    tx.connection.execute(sa.update(tables.outbox).where(*waits, has_older()).values(next_send_at=None))
    forgotten = (sa.text(tables.IS_UNTIMED), _OUT.state == OutboxState.SENT, sa.not_(has_older()))
    tx.connection.execute(sa.update(tables.outbox).where(*forgotten).values(next_send_at=now))
