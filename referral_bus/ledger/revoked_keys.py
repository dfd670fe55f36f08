"""Forgets what agencies have said under signing keys that a register has revoked or dropped.

announcement, with its sealing keys    forgotten; no event is sealed to them any more
incarnation                            forgotten; the agency's next record counts as one of a higher incarnation, so
                                       that all events it has confirmed are sent to it again
receipts that are not final            forgotten; events without a final receipt are sealed again
answers to erasures                    forgotten; the agency is asked once more
a place in a referral's order, and     no longer keep out the agency's events under another key; see
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
    """Forgets all that was said under keys that `believed` does not accept. It gets an agency's code and a key id; see
    `Register.believes`."""
    for code, known in peers.forget_words(tx, believed).items():
        outbox.forget_receipts(tx, code, now)
        if known:  # under a key that still counts
            restored_peers.note(tx, code, now)
    for code in _forget_answers(tx, believed):
        restored_peers.tell_again(tx, code, now)


def _forget_answers(tx: Tx, believed: Callable[[str, str], bool]) -> set[str]:
    """Removes answers from tombstones; returns the codes of the agencies that gave them. The tombstones get no new
    revision: if a restore takes an answer from the journal, the next start forgets it again."""
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
    """Each agency and key id in a column. Goes from one key to the next by the column's index, so that the cost, once a
    minute, grows with the number of keys and not with that of tombstones."""
    last = ""
    while row := tx.connection.execute(sa.select(_T.peer, under).where(under > last).order_by(under).limit(1)).first():
        code, last = row
        yield code, last
