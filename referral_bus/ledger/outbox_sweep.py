"""Makes waiting events in the outbox due, when their addressee has changed, or when only the passing of time can end
their wait."""

from datetime import datetime

import sqlalchemy as sa

from referral_bus.backoff import Backoff
from referral_bus.ledger import outbox, resends, tables
from referral_bus.ledger.outbox import OutboxState
from referral_bus.ledger.peers import all_peers
from referral_bus.ledger.store import Tx
from referral_bus.wire.signing import key_id_of

_OUT = tables.outbox.c


def announced(tx: Tx, addressee: str, now: datetime) -> None:
    """Makes events to `addressee` due, which has announced another key or a newer register: at once those that wait for
    a key, and those that wait for a receipt once in `resends.SHORTEST` at most."""
    outbox.key_announced(tx, addressee, now)
    _resend_in_turn(tx, addressee, now)


def inbox_seen(tx: Tx, addressee: str, topic_id: str, now: datetime) -> None:
    """Compares the id of an inbox topic with the last one. An inbox that was made anew has lost its records: all events
    without a receipt are sent again, once in `resends.SHORTEST` at most, since Kafka's host can make a topic anew as
    often as it likes."""
    inbox = tables.inboxes.c
    known = tx.connection.execute(sa.select(inbox.topic_id).where(inbox.code == addressee)).scalar_one_or_none()
    if known is None:
        tx.connection.execute(sa.insert(tables.inboxes).values(code=addressee, topic_id=topic_id))
    elif known != topic_id:
        tx.connection.execute(sa.update(tables.inboxes).where(inbox.code == addressee).values(topic_id=topic_id))
        _resend_in_turn(tx, addressee, now)


def _resend_in_turn(tx: Tx, addressee: str, now: datetime) -> None:
    if resends.next_turn(tx, addressee, now) <= now:
        outbox.resend_all(tx, addressee, now)
    else:
        resends.want(tx, addressee)


def sweep(tx: Tx, now: datetime, backoff: Backoff) -> None:
    """Makes events due whose wait only the passing of time can end. The relay calls it once a minute."""
    for code in resends.due(tx, now):
        outbox.resend_all(tx, code, now)
    _send_to_valid_keys(tx, now)
    pauses = {sends: max(pause, resends.SHORTEST) for sends, pause in backoff.pauses().items()}
    outbox.bring_forward(tx, pauses, backoff.longest, now)
    outbox.lay_down(tx, now)


def _send_to_valid_keys(tx: Tx, now: datetime) -> None:
    """Makes events due that wait for a key which has become valid since it was announced."""
    peers = all_peers(tx)
    keyless = (sa.text(tables.IS_UNTIMED), _OUT.state == OutboxState.WAITING_FOR_KEY)
    for addressee in tx.connection.execute(sa.select(_OUT.addressee).where(*keyless).distinct()).scalars().all():
        key = peers[addressee].sealing_key(now) if addressee in peers else None
        if key is not None:
            outbox.key_valid(tx, addressee, key_id_of(key.public_key), now)
