"""What agencies have said under signing keys that a register has revoked or dropped: none of it counts any more.

announcement, with its sealing keys    forgotten; nothing is sealed to them any more
incarnation                            forgotten; the agency's next word counts as one of a higher incarnation, so that
                                       all that it is said to have goes to it again
*held* and other words of the day      forgotten; what waits is sealed anew
that an erasure is done or confirmed   forgotten; the agency is asked once more
a place in a referral's order, and     no longer keep out what the agency says under another key; see
the end of its words                   `believed_places` and `judge_event` of `consumers.agency`
"""

from collections.abc import Callable, Iterator
from datetime import datetime

import sqlalchemy as sa

from referral_bus.ledger import outbox, peers, restored_peers, tables
from referral_bus.ledger.store import Tx
from referral_bus.ledger.tombstones import ANSWERS

_OUT, _T = tables.outbox.c, tables.tombstones.c


def disbelieve(tx: Tx, believed: Callable[[str, str], bool], now: datetime) -> None:
    """`believed` is asked for an agency's code and the id of a key; see `Register.believes`."""
    for code, known in peers.forget_words(tx, believed).items():
        outbox.forget_receipts(tx, code, now)
        if known:  # under a key that still counts
            restored_peers.note(tx, code, now)
    for code in _forget_answers(tx, believed):
        restored_peers.tell_again(tx, code, now)


def _forget_answers(tx: Tx, believed: Callable[[str, str], bool]) -> set[str]:
    """Of tombstones; returns whose answers. They get no new revision: where the journal brings an answer back, the next
    start forgets it anew."""
    fallen: set[str] = set()
    for name in ANSWERS:
        at, under = _T[f"{name}_at"], _T[f"{name}_key_id"]
        for code, key_id in _said_under(tx, under):
            if not believed(code, key_id):
                fallen.add(code)
                tx.connection.execute(
                    sa.update(tables.tombstones).where(under == key_id).values({at: None, under: None})
                )
    return fallen


def _said_under(tx: Tx, under: sa.ColumnElement[str]) -> Iterator[tuple[str, str]]:
    """Each agency and key in this column, from one to the next by its index: that all this is asked for once a minute
    costs as much as there are keys, and not as there are tombstones."""
    last = ""
    while row := tx.connection.execute(sa.select(_T.peer, under).where(under > last).order_by(under).limit(1)).first():
        code, last = row
        yield code, last
