"""What would wait for too long in the outbox: nothing but the passing of time could end it, so it is looked at now and
then."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from referral_bus.ledger import tables
from referral_bus.ledger.peers import all_peers
from referral_bus.ledger.sending import LONGEST_PAUSE, State
from referral_bus.ledger.store import Tx
from referral_bus.wire.signing import key_id_of

_OUT = tables.outbox.c


def wake(tx: Tx, now: datetime, first_pause: timedelta) -> None:
    """Sends what waits for a key that has become valid since it was announced, and what was put off by a clock that was
    ahead: what waits for longer than its own pause, which doubles with each time that it is sent."""
    peers = all_peers(tx)
    waiting = sa.select(_OUT.addressee).where(_OUT.state == State.WAITING_FOR_KEY).distinct()
    for addressee in tx.connection.execute(waiting).scalars().all():
        key = peers[addressee].sealing_key(now) if addressee in peers else None
        if key is not None:
            usable = _OUT.gone_key_id.is_distinct_from(key_id_of(key.public_key))
            here = (_OUT.addressee == addressee, _OUT.state == State.WAITING_FOR_KEY, usable)
            values = {"state": State.NEW.value, "next_send_at": now}
            tx.connection.execute(sa.update(tables.outbox).where(*here).values(values))
    pauses = [(sends, min(first_pause * (1 << sends), LONGEST_PAUSE)) for sends in range(21)]
    put_off = sa.or_(
        *(sa.and_(_OUT.sends <= sends, _OUT.next_send_at > now + pause) for sends, pause in pauses),
        _OUT.next_send_at > now + LONGEST_PAUSE,
    )
    tx.connection.execute(sa.update(tables.outbox).where(put_off).values(next_send_at=now))
