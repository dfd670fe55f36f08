"""What one agency's ledger holds at the end, read once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from referral_bus.ledger import referrals, tables, tombstones
from referral_bus.ledger.outbox import FINAL, OutboxState
from referral_bus.ledger.queries import undelivered
from referral_bus.ledger.referrals import Referral
from referral_bus.ledger.tombstones import Tombstone
from schemas.events import Place, ReferralKey
from schemas.lifecycle import Side
from tests.kit.bench import Station

_E, _O, _D, _H = tables.events.c, tables.outbox.c, tables.dead_letters.c, tables.handovers.c


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of the ledger. `state` and `receipt_code` are of the outbox, None for what others have written."""

    event_id: UUID
    key: ReferralKey
    writer: str
    record: str
    place: Place
    status: str | None
    outcome: str
    code: str | None
    kind: str | None
    body: bytes | None
    addressee: str | None
    state: OutboxState | None
    receipt_code: str | None
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Book:
    """`shown` is what the agency is shown as each referral's status; `under_way` says in words what is not over."""

    code: str
    referrals: Mapping[ReferralKey, Referral]
    tombstones: Mapping[ReferralKey, Tombstone]
    shown: Mapping[ReferralKey, str]
    entries: Mapping[ReferralKey, Sequence[Entry]]
    letters: Sequence[tuple[ReferralKey, str]]  # dead letters with bytes: their referral and record
    under_way: Sequence[str]

    def own(self, key: ReferralKey) -> list[Entry]:
        return [entry for entry in self.entries.get(key, ()) if entry.state is not None]

    def stored(self, key: ReferralKey) -> list[Entry]:
        """What the other side has written and was stored here."""
        theirs = (entry for entry in self.entries.get(key, ()) if entry.writer != self.code)
        return [entry for entry in theirs if entry.outcome == "STORED"]

    def closed(self, key: ReferralKey) -> bool:
        """Nothing more is taken in about it: erased here, or erased by the recipient's own time."""
        there = self.referrals.get(key)
        return key in self.tombstones or (there is not None and there.peer_forgot_at is not None)


def read_book(station: Station) -> Book:
    with station.ledger.read() as tx:
        run = tx.connection.execute
        here = {each.key: each for each in map(referrals.from_row, run(sa.select(tables.referrals)))}
        left = {each.key: each for each in tombstones.changed_since(tx, 0)}
        lost = {key for key, each in here.items() if each.side is Side.SENDER and undelivered(tx, key)}
        shown = {key: "undelivered" if key in lost else str(each.status) for key, each in here.items()}
        shown |= {key: str(each.status) for key, each in left.items()}
        letters = run(sa.select(_D.referral_sender, _D.referral_id, _D.record).where(_D.value.is_not(None))).all()
        owed = run(sa.select(sa.func.count()).select_from(tables.receipts_owed)).scalar_one()
        waiting = run(sa.select(sa.func.count()).where(_H.done_at.is_(None))).scalar_one()
        entries = _entries(tx.connection)
        held = run(sa.select(_D.code).where(_D.state.in_(("held", "exhausted")))).scalars().all()
    rows = [entry for each in entries.values() for entry in each if entry.state is not None]
    under_way = [f"{entry.record} {entry.state}" for entry in rows if entry.state not in FINAL]
    under_way += (
        ["receipts owed"] * bool(owed) + ["hand-over"] * bool(waiting) + [f"dead letter {code}" for code in held]
    )
    return Book(
        station.code,
        here,
        left,
        shown,
        entries,
        [(ReferralKey(row.referral_sender, row.referral_id), row.record) for row in letters],
        under_way,
    )


def _entries(connection: sa.Connection) -> dict[ReferralKey, list[Entry]]:
    query = sa.select(tables.events, _O.addressee, _O.state, _O.code.label("receipt_code"), _O.value)
    found: dict[ReferralKey, list[Entry]] = {}
    for row in connection.execute(query.outerjoin(tables.outbox, _O.number == _E.number).order_by(_E.number)):
        held = row._mapping
        key = ReferralKey(held["referral_sender"], held["referral_id"])
        plain = ("event_id", "writer", "record", "status", "outcome", "code", "kind", "body", "addressee")
        entry = Entry(
            key=key,
            place=Place(held["incarnation"], held["sequence"]),
            state=None if held["state"] is None else OutboxState(held["state"]),
            receipt_code=held["receipt_code"],
            value=held["value"],
            **{name: held[name] for name in plain},
        )
        found.setdefault(key, []).append(entry)
    return found
