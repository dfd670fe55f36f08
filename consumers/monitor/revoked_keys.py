"""Takes back the rank of what was signed with keys that a register has revoked or dropped, so that the agency's own
words outrank it from then on.

announcement        deleted, until the agency announces itself again
receipts            those that wait for their event are deleted, and a refusal of a referral no longer counts
events              what follows from them stays, but every later event of the agency counts as newer
"""

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy import Connection

from consumers.monitor import tables
from schemas.lifecycle import ENDED

_F, _A, _R = tables.flows.c, tables.agencies.c, tables.early_receipts.c


def disbelieve(tx: Connection, believed: Callable[[str, str], bool]) -> None:
    """Applies a changed register. `believed`: given an agency's code and the id of a key, whether the register still
    believes it; see `Register.believes`. Reads all flows, so it is called only when the register has changed."""

    def fallen(code: sa.Column[str], key_id: sa.Column[str]) -> list[sa.ColumnElement[bool]]:
        pairs = tx.execute(sa.select(code, key_id).where(key_id.is_not(None)).distinct()).all()
        return [sa.and_(code == name, key_id == key) for name, key in pairs if not believed(name, key)]

    for here in fallen(_A.code, _A.key_id):
        tx.execute(sa.delete(tables.agencies).where(here))
    for here in fallen(_R.recipient, _R.key_id):
        tx.execute(sa.delete(tables.early_receipts).where(here))
    for here in fallen(_F.recipient, _F.key_id):
        _outrank(tx, here)


def _outrank(tx: Connection, here: sa.ColumnElement[bool]) -> None:
    """Lowers these flows to the lowest incarnation, so that any later event or receipt outranks them."""
    acted = sa.and_(_F.acted_in > 0, _F.acted_in == _F.spoken_in)
    lowest = {
        "status_incarnation": 0,
        "status_sequence": 0,
        "spoken_in": sa.func.min(_F.spoken_in, 1),
        "acted_in": sa.case((acted, 1), else_=0),
        "refused": None,
        "receipt_incarnation": 0,
        "key_id": None,
        "open": sa.and_(_F.agreed, _F.status.not_in(sorted(ENDED))),  # nothing is refused any more
    }
    tx.execute(sa.update(tables.flows).where(here).values(lowest))
