"""What agencies have said under signing keys that a register has revoked or dropped: none of it counts any more.

announcement, with its sealing keys    forgotten; nothing is sealed to them any more
incarnation                            forgotten; the agency's next word counts as one of a higher incarnation, so that
                                       all that it is said to have goes to it again
*held* and other words of the day      forgotten; what waits is sealed anew
a place in a referral's order          no longer keeps out what the agency says under another key; see `judging`
"""

from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa

from referral_bus.ledger import peers, restored_peers, tables
from referral_bus.ledger.sending import State, unsettled
from referral_bus.ledger.store import Tx

_OUT = tables.outbox.c


def disbelieve(tx: Tx, believed: Callable[[str, str], bool], now: datetime) -> None:
    """`believed` is asked for an agency's code and the id of a key; see `Register.believes`."""
    for code, known in peers.forget_words(tx, believed).items():
        _forget_receipts(tx, code, now)
        if known:  # under a key that still counts
            restored_peers.note(tx, code, now)


def _forget_receipts(tx: Tx, addressee: str, now: datetime) -> None:
    """Its signing key is not believed any more: what it said of rows that are not final counts for nothing, and they
    are sealed anew, to a key that it announces from now on."""
    waiting = (
        _OUT.number.in_(unsettled(_OUT.addressee == addressee)),
        _OUT.state.in_((State.SENT, State.HELD)),
        sa.not_(_OUT.erasure),
    )
    anew = {"value": None, "key_id": None, "state": State.NEW.value, "next_send_at": now, "sends": 0, "missed": False}
    tx.connection.execute(sa.update(tables.outbox).where(*waiting).values(anew))
