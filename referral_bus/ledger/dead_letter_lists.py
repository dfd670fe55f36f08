"""Lists and groups dead letters, and finds those about which the operators have no notice yet."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from referral_bus.ledger import referrals, tables
from referral_bus.ledger.dead_letters import DeadLetterState, reason_of
from referral_bus.ledger.referral_key_columns import key_of
from referral_bus.ledger.store import Tx
from referral_bus.wire.avro_codec import Undecodable, decode
from schemas.events import Event, ReferralKey
from schemas.outcomes import Code

_D = tables.dead_letters.c
SHOWN_NUMBERS = 5
LISTED = (DeadLetterState.HELD, DeadLetterState.REFUSED, DeadLetterState.EXHAUSTED)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter, its clear columns without the record's bytes. `event_number` is set for a stored event that
    could not be handed over; `count` is how often the same bytes came."""

    number: int
    state: DeadLetterState
    code: Code
    path: str | None
    writer: str
    record: str | None
    event_id: UUID | None
    referral: ReferralKey | None
    event_number: int | None
    topic: str | None
    partition: int | None
    offset: int | None
    fingerprint: bytes | None
    first_at: datetime
    last_at: datetime
    count: int


_PLAIN = tuple(name for name in DeadLetter.__dataclass_fields__ if name not in ("state", "code", "referral"))
_CLEAR = [tables.events.c[name] for name in ("occurred_at", "incarnation", "sequence", "status")]
_COLUMNS = [_D[name] for name in ("state", "code", "referral_sender", "referral_id", *_PLAIN)]


@dataclass(frozen=True, slots=True)
class Choice:
    """The dead letters that a caller chooses: by their numbers, or all with this code, from this writer, or both."""

    numbers: tuple[int, ...] = ()
    code: Code | None = None
    writer: str | None = None

    @property
    def everything(self) -> bool:
        return not self.numbers and self.code is None and self.writer is None


@dataclass(frozen=True, slots=True)
class Group:
    """The dead letters with the same state, code and writer. `numbers` are the `SHOWN_NUMBERS` oldest of them."""

    state: DeadLetterState
    code: Code
    writer: str
    count: int
    oldest: datetime
    numbers: tuple[int, ...]


def groups(tx: Tx, choice: Choice) -> list[Group]:
    """The chosen dead letters in groups, the one with the oldest dead letter first. Discarded ones are included only if
    the choice names numbers or the code DISCARDED."""
    alike = (_D.state, _D.code, _D.writer)
    query = sa.select(*alike, sa.func.count().label("size"), sa.func.min(_D.first_at).label("oldest"))
    query = query.where(*_meant(choice, _listed(choice))).group_by(*alike).order_by(sa.func.min(_D.first_at))
    found = []
    for row in tx.connection.execute(query).all():
        same = (_D.state == row.state, _D.code == row.code, _D.writer == row.writer)
        numbers = sa.select(_D.number).where(*same).order_by(_D.number).limit(SHOWN_NUMBERS)
        first = tuple(tx.connection.execute(numbers).scalars())
        found.append(Group(DeadLetterState(row.state), Code(row.code), row.writer, row.size, row.oldest, first))
    return found


def chosen(tx: Tx, choice: Choice, most: int, states: Collection[DeadLetterState] | None = None) -> list[DeadLetter]:
    """The chosen dead letters one by one, the oldest first, `most` at most. Without `states` they are those that
    `groups` includes."""
    query = sa.select(*_COLUMNS).where(*_meant(choice, states or _listed(choice)))
    return [_from_row(row) for row in tx.connection.execute(query.order_by(_D.number).limit(most))]


def _listed(choice: Choice) -> Collection[DeadLetterState]:
    wanted = choice.numbers or choice.code is Code.DISCARDED
    return tuple(DeadLetterState) if wanted else LISTED


def _meant(choice: Choice, states: Collection[DeadLetterState]) -> list[sa.ColumnElement[bool]]:
    meant: list[sa.ColumnElement[bool]] = [_D.state.in_(tuple(states))]
    if choice.numbers:
        meant.append(_D.number.in_(choice.numbers))
    if choice.code is not None:
        meant.append(_D.code == choice.code)
    if choice.writer is not None:
        meant.append(_D.writer == choice.writer)
    return meant


def value(tx: Tx, letter: DeadLetter) -> bytes | None:
    """The record's value; None where the ledger does not keep it."""
    query = sa.select(_D.value).where(_D.number == letter.number)
    kept: bytes | None = tx.connection.execute(query).scalar_one_or_none()
    return kept


def clear_part(tx: Tx, letter: DeadLetter) -> dict[str, object]:
    """The clear fields of the event, by their names; empty where the event cannot be decoded or is not kept."""
    if letter.event_number is not None:
        query = sa.select(*_CLEAR).where(tables.events.c.number == letter.event_number)
        return dict(tx.connection.execute(query).one()._mapping)
    try:
        event = decode(value(tx, letter) or b"")
    except Undecodable:
        return {}
    return event.model_dump(exclude={"sealed", "sealing_key_id"}) if isinstance(event, Event) else {}


def reason(tx: Tx, letter: DeadLetter) -> str | None:
    """The reason that the staff gave when they discarded it; None where there is none, or its key is destroyed."""
    encrypted = tx.connection.execute(sa.select(_D.reason).where(_D.number == letter.number)).scalar_one_or_none()
    wrapped = None if letter.referral is None else referrals.body_key(tx, letter.referral)
    if encrypted is None or wrapped is None or letter.referral is None:
        return None
    return tx.at_rest.decrypt(wrapped, letter.referral, reason_of(letter.number), encrypted).decode()


def _from_row(row: sa.Row[tuple[object, ...]]) -> DeadLetter:
    held = row._mapping
    plain = {name: held[name] for name in _PLAIN}
    known = held["referral_sender"] is not None
    return DeadLetter(
        state=DeadLetterState(held["state"]),
        code=Code(held["code"]),
        referral=key_of(held) if known else None,
        **plain,
    )


@dataclass(frozen=True, slots=True)
class Unnoticed:
    """Dead letters without a notice to the operators that have the same code, writer and schema. The notice tells of
    `newest` and their `count`."""

    newest: DeadLetter
    count: int


def unnoticed(tx: Tx, most: int) -> list[Unnoticed]:
    """Up to `most` groups without a notice: the oldest of each writer, then the second of each, so that no writer's
    groups delay those of another."""
    alike = (_D.code, _D.writer, _D.fingerprint)
    untold = (_D.noticed_at.is_(None), _D.state.in_(LISTED))
    query = sa.select(sa.func.max(_D.number).label("newest"), sa.func.count().label("size")).where(*untold)
    oldest = sa.func.min(_D.number)
    turn = sa.func.row_number().over(partition_by=_D.writer, order_by=oldest)
    rows = tx.connection.execute(query.group_by(*alike).order_by(turn, oldest).limit(most)).all()
    sizes = {row.newest: row.size for row in rows}
    newest = chosen(tx, Choice(tuple(sizes)), len(sizes)) if sizes else []
    return [Unnoticed(letter, sizes[letter.number]) for letter in newest]


def noticed(tx: Tx, told: Sequence[Unnoticed], now: datetime) -> None:
    """Marks the groups that the operators have been told of."""
    for each in told:
        letter = each.newest
        same = (
            _D.code == letter.code,
            _D.writer == letter.writer,
            _D.fingerprint.is_not_distinct_from(letter.fingerprint),
        )
        here = (*same, _D.number <= letter.number, _D.noticed_at.is_(None))
        tx.connection.execute(sa.update(tables.dead_letters).where(*here).values(noticed_at=now))
