"""A referral as an agency's ledger knows it, and what an event does to it. Both sides apply the same pure function."""

import re
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from referral_bus.ledger import tables
from referral_bus.ledger.referral_key_columns import given, is_about, is_about_given, key_of
from referral_bus.ledger.store import Tx
from schemas.events import NOWHERE, ErasureEvent, Place, ReferralKey
from schemas.lifecycle import ANSWERED, CANCELLATION_REQUESTED, OPEN, PAST_ANSWER, Side, Status
from schemas.outcomes import CODES, Outcome

MOST_NAMED = 100
LOCAL_REF = "local_ref"
MOST_ABOUT = 10


@dataclass(frozen=True, slots=True)
class Referral:
    """One row of `referrals`, its clear columns. `side` is this agency's, `peer` the other agency."""

    key: ReferralKey
    side: Side
    peer: str
    status: Status
    priority: str
    acknowledge_by: datetime
    respond_by: datetime
    created_at: datetime
    changed_at: datetime
    consent_expires_at: datetime
    acknowledged_at: datetime | None = None
    answered_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    question_asked_at: datetime | None = None
    peer_forgot_at: datetime | None = None
    peer_forgot_key_id: str | None = None

    @property
    def open(self) -> bool:
        return self.status in OPEN


@dataclass(frozen=True, slots=True)
class Word:
    """What an event says about its referral. `status` is None from the sender. `at` is when the event was written, and
    never in the future: a restored ledger takes a word a second time, and must not date it later. `restored` marks the
    first word of a restored recipient: no member of staff has acted, so it meets no deadline, and it may set back the
    status. `corrects` marks the first word after those of a revoked key, which may set back the status, too."""

    by: Side
    status: Status | None
    business_status: str | None
    at: datetime
    restored: bool = False
    corrects: bool = False


def after(referral: Referral, word: Word) -> Referral:
    """The referral after a word that the life cycle allows. A word about an ended referral changes nothing, unless it
    has another status: then the recipient's ledger was restored."""
    if not referral.open and word.status in (None, referral.status):
        return referral
    changed = replace(referral, changed_at=max(referral.changed_at, word.at))
    if word.by is Side.SENDER:
        if word.business_status == CANCELLATION_REQUESTED:
            return replace(changed, cancel_requested_at=word.at)
        return replace(changed, question_asked_at=None)
    status = word.status or referral.status
    if word.restored:
        return taken_back(changed, status, word.at)
    settles_cancellation = status != referral.status or word.business_status == "cancellation-refused"
    moved = replace(
        changed,
        status=status,
        acknowledged_at=referral.acknowledged_at or word.at,
        answered_at=referral.answered_at or (word.at if status in ANSWERED else None),
        cancel_requested_at=None if settles_cancellation else referral.cancel_requested_at,
        question_asked_at=word.at if word.business_status == "information-requested" else referral.question_asked_at,
    )
    return taken_back(moved, status, word.at) if word.corrects else moved


def taken_back(referral: Referral, status: Status, at: datetime) -> Referral:
    """The referral as a restored recipient's ledger has it, derived from the status alone, so that both sides and an
    observer get the same result. A deadline that a lost word had met must be met again."""
    answered = (referral.answered_at or at) if status in PAST_ANSWER else None
    seen = None if status is Status.REQUESTED else referral.acknowledged_at or at
    return replace(referral, status=status, acknowledged_at=seen, answered_at=answered)


def load(tx: Tx, key: ReferralKey) -> Referral | None:
    row = tx.connection.execute(_LOAD, given(key)).one_or_none()
    return None if row is None else from_row(row)


def find(tx: Tx, name: str) -> list[Referral]:
    """The referrals that `name` may mean, see `named`; `MOST_NAMED` at most."""
    rows = tx.connection.execute(_columns().where(*named(name, tables.referrals)).limit(MOST_NAMED))
    return [from_row(row) for row in rows]


def named(name: str, table: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
    """The condition for rows about referrals that `name` may mean: the beginning of an id, of six hexadecimal digits or
    more with or without hyphens, or such a beginning after its sender's code and a slash. It is false for any other
    text."""
    sender, slash, beginning = name.rpartition("/")
    digits = beginning.replace("-", "").lower()
    if not re.fullmatch(r"[0-9a-f]{6,32}", digits):
        return (sa.false(),)
    within = table.c.referral_id.between(UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f")))
    return (within, table.c.referral_sender == sender) if slash else (within,)


def save(tx: Tx, referral: Referral) -> None:
    """Writes the columns that an event may have changed. An ended referral loses the digest of its person, by which
    `open_about` finds open ones; it does not get it back if a restored recipient opens it again."""
    names = (
        "status",
        "changed_at",
        "acknowledged_at",
        "answered_at",
        "cancel_requested_at",
        "question_asked_at",
        "peer_forgot_at",
        "peer_forgot_key_id",
    )
    changes = {name: getattr(referral, name) for name in names}
    if not referral.open:
        changes["subject_digest"] = None
    tx.connection.execute(_SAVE, given(referral.key) | changes)


def insert(tx: Tx, referral: Referral, subject: UUID | None = None) -> bytes:
    """Adds a referral, with a key of its own for its bodies; returns that key, wrapped. `subject` is the person of a
    referral that this agency sends; the ledger keeps a keyed digest of it while the referral is open."""
    body_key = tx.at_rest.new_key(referral.key)
    values = {name: value for name, value in asdict(referral).items() if name != "key"}
    values |= {"referral_sender": referral.key.sender, "referral_id": referral.key.referral_id, "body_key": body_key}
    values["subject_digest"] = None if subject is None else _subject_digest(tx, subject, referral.peer)
    tx.connection.execute(_INSERT, values)
    return body_key


def open_about(tx: Tx, subject: UUID, recipient: str) -> list[UUID]:
    """The ids of this agency's open referrals about this person to this recipient, `MOST_ABOUT` at most. They are found
    by a keyed digest, which is useless without the home's key, and is destroyed with the referral's row."""
    of_subject = {"of_subject": _subject_digest(tx, subject, recipient)}
    return list(tx.connection.execute(_OPEN_ABOUT, of_subject).scalars())


def _subject_digest(tx: Tx, subject: UUID, recipient: str) -> bytes:
    """A digest of person and recipient together, so that the database does not show that a person was referred to two
    recipients."""
    return tx.at_rest.digest("subject", f"{subject}/{recipient}".encode())


def body_key(tx: Tx, key: ReferralKey) -> bytes | None:
    return tx.connection.execute(_BODY_KEY, given(key)).scalar_one_or_none()


def set_local_ref(tx: Tx, key: ReferralKey, local_ref: str) -> None:
    """Stores this agency's own case number of a referral, encrypted and with a keyed digest to find it by. It is never
    sent."""
    wrapped = body_key(tx, key)
    if wrapped is not None:
        encrypted = tx.at_rest.encrypt(wrapped, key, LOCAL_REF, local_ref.encode())
        digest = tx.at_rest.digest("local_ref", local_ref.encode())
        values = {"local_ref": encrypted, "local_ref_digest": digest}
        tx.connection.execute(sa.update(tables.referrals).where(is_about(tables.referrals.c, key)).values(values))


def place_held(tx: Tx, key: ReferralKey, writer: str) -> Place:
    """The last place of `writer` in this referral that was stored, or used up by a refusal; `NOWHERE` for none."""
    return place_said(tx, key, writer)[0]


def place_said(tx: Tx, key: ReferralKey, writer: str) -> tuple[Place, str | None]:
    """As `place_held`, with the id of the signing key of that event; None for our own events, and for none."""
    row = tx.connection.execute(_PLACE_SAID, given(key) | {"of_writer": writer}).one_or_none()
    return (NOWHERE, None) if row is None else (Place(row.incarnation, row.sequence), row.key_id)


def places_used(tx: Tx, key: ReferralKey, writer: str) -> list[tuple[Place, str]]:
    """All places that `writer` has used in this referral, the highest first, each with the id of the signing key."""
    used = (_E.outcome == Outcome.STORED) | _E.code.in_([code.value for code, rule in CODES.items() if rule.place])
    here = (is_about(tables.events.c, key), _E.writer == writer, used, _E.record != ErasureEvent.record)
    rows = sa.select(_E.incarnation, _E.sequence, _E.key_id).where(*here)
    in_order = rows.order_by(_E.incarnation.desc(), _E.sequence.desc())
    return [(Place(row.incarnation, row.sequence), row.key_id) for row in tx.connection.execute(in_order)]


def hold_place(tx: Tx, key: ReferralKey, writer: str, before: Place, place: Place, key_id: str | None = None) -> None:
    """Moves the place of `writer` from `before` to `place`. `key_id` is the id of the event's signing key, None for our
    own events."""
    to: dict[str, object] = {"incarnation": place.incarnation, "sequence": place.sequence, "key_id": key_id}
    if before == NOWHERE:
        own = {"referral_sender": key.sender, "referral_id": key.referral_id, "writer": writer}
        tx.connection.execute(_FIRST_PLACE, own | to)
    else:
        tx.connection.execute(_NEXT_PLACE, given(key) | {"of_writer": writer} | to)


def _columns() -> sa.Select[tuple[object, ...]]:
    return sa.select(tables.referrals)


def from_row(row: sa.Row[tuple[object, ...]]) -> Referral:
    held = row._mapping
    plain = {name: held[name] for name in Referral.__dataclass_fields__ if name not in ("key", "side", "status")}
    key = key_of(held)
    return Referral(key=key, side=Side(held["side"]), status=Status(held["status"]), **plain)


_E = tables.events.c
# Built once: SQLAlchemy spends more time on building a statement than SQLite on running it.
_LOAD = _columns().where(is_about_given(tables.referrals.c))
_SAVE = sa.update(tables.referrals).where(is_about_given(tables.referrals.c))
_INSERT = sa.insert(tables.referrals)
_OPEN_ABOUT = (
    sa.select(tables.referrals.c.referral_id)
    .where(tables.referrals.c.subject_digest == sa.bindparam("of_subject"), tables.IS_OPEN)  # as its index has it
    .limit(MOST_ABOUT)
)
_BODY_KEY = sa.select(tables.referrals.c.body_key).where(is_about_given(tables.referrals.c))
_PLACES_OF_WRITER = (is_about_given(tables.places.c), tables.places.c.writer == sa.bindparam("of_writer"))
_PLACE_SAID = sa.select(tables.places.c.incarnation, tables.places.c.sequence, tables.places.c.key_id).where(
    *_PLACES_OF_WRITER
)
_FIRST_PLACE = sa.insert(tables.places)
_NEXT_PLACE = sa.update(tables.places).where(*_PLACES_OF_WRITER)
