"""What becomes of one record: the rules of taking in, in their order. One call, inside one ledger transaction.

    authentic?  addressed to us?  ->  known already?  place taken?  in order?  ->  register, party, agreement,
    opens?  values, codes, consent, life cycle?  ->  stored

Only what stands in order is judged by its content, so that an event is refused or stored once and for all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never
from uuid import UUID

from referral_bus.federation.register import Register
from referral_bus.ledger import receiving, referrals
from referral_bus.ledger.peers import learn_incarnation, take_announcement
from referral_bus.ledger.receiving import Owed
from referral_bus.ledger.referrals import Referral, Word
from referral_bus.ledger.sending import key_announced, take_receipt
from referral_bus.ledger.store import Tx
from referral_bus.ledger.writing import Writing, write_word
from referral_bus.wire.raw import RawRecord
from referral_bus.wire.record import Authentic, KeyFinder, Unbelieved, Undecoded, Unopened, authenticate, open_body
from schemas.code_lists import known as code_known
from schemas.code_lists import unknown_codes
from schemas.events import (
    AgencyAnnouncement,
    ErasureEvent,
    Place,
    ReferralEvent,
    RegisterVersion,
    SealedEvent,
    StatusEvent,
    StorageReceipt,
)
from schemas.lifecycle import CANCELLATION_REQUESTED, Side, Status, cancels_by_itself, may_follow
from schemas.outcomes import CODES, Code, Outcome
from schemas.personal import ReferralBody, StatusBody


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What taking in needs beside the ledger. `here` is our agency code."""

    here: str
    register: Register
    find_key: KeyFinder
    new_id: Callable[[], UUID]
    now: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """Done: stored, or a receipt or announcement heard."""

    record: str


@dataclass(frozen=True, slots=True)
class Again:
    """Known already; its receipt is owed once more."""

    record: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Something before it has not arrived; not kept."""

    record: str


@dataclass(frozen=True, slots=True)
class NotTaken:
    """Refused, held back or not believed, by this code. `owed` tells whether its writer is told."""

    record: str
    code: Code
    owed: bool


@dataclass(frozen=True, slots=True)
class RegisterHeard:
    """A register version from a steward. Whether it is taken is judged by its own signatures, once this transaction
    is over: the register lives in the home folder."""

    version: RegisterVersion


Verdict = Taken | Again | Missing | NotTaken | RegisterHeard


@dataclass(frozen=True, slots=True)
class _No:
    code: Code
    path: str | None = None


def take_in(tx: Tx, raw: RawRecord, around: Surroundings) -> Verdict:
    """Judges one raw record from our inbox or an announcement topic, and writes down what follows from it."""
    found = authenticate(raw, around.register, around.here, around.now)
    match found:
        case Unbelieved(code):
            return NotTaken("unknown", code, owed=False)
        case Undecoded(writer, digest, code, path):
            in_our_inbox = raw.topic == around.register.inbox(around.here)  # elsewhere nothing is addressed to us
            owed = in_our_inbox and CODES[code].outcome is Outcome.REFUSED
            if owed:
                receiving.owe(tx, [Owed(writer, digest, None, Outcome.REFUSED, code, path)])
            return NotTaken("unknown", code, owed)
        case Authentic(record, digest):
            return _take_authentic(tx, record, digest, raw, around)
    assert_never(found)


def _take_authentic(tx: Tx, record: object, digest: bytes, raw: RawRecord, around: Surroundings) -> Verdict:
    match record:
        case AgencyAnnouncement():
            if raw.topic == around.register.announcement(record.agency) and take_announcement(
                tx, record, raw.value, around.now
            ):
                key_announced(tx, record.agency, around.now)
            return Taken(record.record)
        case RegisterVersion() if raw.topic == around.register.register_topic:
            return RegisterHeard(record)
        case _ if raw.topic != around.register.inbox(around.here):
            return NotTaken("unknown", Code.NOT_ADDRESSED_HERE, owed=False)
        case StorageReceipt():
            take_receipt(tx, record, around.now)
            return Taken(record.record)
        case ReferralEvent() | StatusEvent():
            return _Event(tx, record, digest, around).take()
        case ErasureEvent():  # not built yet: left without a receipt, so that its writer keeps it
            return NotTaken(record.record, Code.SCHEMA_UNKNOWN, owed=False)
    return NotTaken("unknown", Code.NOT_ADDRESSED_HERE, owed=False)


class _Event:
    """One authentic event on its way into the ledger."""

    def __init__(self, tx: Tx, event: ReferralEvent | StatusEvent, digest: bytes, around: Surroundings) -> None:
        self.tx = tx
        self.event = event
        self.digest = digest
        self.around = around
        self.held = referrals.place_held(tx, event.referral, event.writer)

    def take(self) -> Verdict:
        event = self.event
        learn_incarnation(self.tx, event.writer, event.incarnation, self.around.now)
        earlier = receiving.known(self.tx, event.writer, event.event_id)
        if earlier is not None:
            self._owe(earlier.outcome, earlier.code)
            return Again(event.record)
        if event.place <= self.held:
            older = event.incarnation < self.held.incarnation
            return self._refuse(_No(Code.OLD_INCARNATION if older else Code.EQUIVOCATION))
        if not event.follows <= self.held:
            self._owe(Outcome.MISSING, None)
            return Missing(event.record)
        return self._judge()

    def _judge(self) -> Verdict:
        event, around = self.event, self.around
        starts = isinstance(event, ReferralEvent)
        if event.register_version > around.register.version or (starts and around.register.expired(around.now)):
            return self._leave(Code.REGISTER_NEWER)
        referral = referrals.load(self.tx, event.referral)
        outside = _refer(event, referral, around) if isinstance(event, ReferralEvent) else _party(event, referral)
        if outside is not None:
            return self._refuse(outside)
        body = open_body(event, around.find_key)
        if isinstance(body, Unopened):
            return self._unopened(body, referral)
        if unknown_codes(event) or unknown_codes(body):
            return self._leave(Code.CODE_UNKNOWN)
        if isinstance(event, ReferralEvent) and isinstance(body, ReferralBody):
            return self._start(event, body)
        if isinstance(event, StatusEvent) and isinstance(body, StatusBody) and referral is not None:
            return self._word(event, body, referral)
        raise TypeError("an event has the body of its kind")

    def _unopened(self, unopened: Unopened, referral: Referral | None) -> Verdict:
        code = unopened.code or Code.OPEN_FAILED
        if unopened.code is None or CODES[code].outcome is Outcome.HELD:
            return self._leave(code)
        return self._refuse(_No(code), referral)

    def _start(self, event: ReferralEvent, body: ReferralBody) -> Verdict:
        if event.respond_by < event.acknowledge_by:
            return self._refuse(_No(Code.VALUE_REFUSED, "respond_by"))
        if body.consent.recipient != self.around.here or body.consent.expires_at <= self.around.now:
            return self._refuse(_No(Code.CONSENT_INVALID))
        receiving.store_referral(self.tx, event, body, self.around.now)
        self._owe(Outcome.STORED, None, event.place)
        return Taken(event.record)

    def _word(self, event: StatusEvent, body: StatusBody, referral: Referral) -> Verdict:
        status = _status(event)
        if (status is None) != event.from_sender:
            return self._refuse(_No(Code.VALUE_REFUSED, "status"))
        if status is not None and not self._may_follow(referral, status):
            return self._refuse(_No(Code.TRANSITION_REFUSED, "status"))
        by = Side.SENDER if event.from_sender else Side.RECIPIENT
        word = Word(by, status, body.business_status, self.around.now)
        changed = receiving.store_word(self.tx, event, body, referral, word)
        self._owe(Outcome.STORED, None, event.place)
        if by is Side.SENDER and body.business_status == CANCELLATION_REQUESTED and cancels_by_itself(changed.status):
            writing = Writing(self.around.now, self.around.register.version, self.around.new_id)
            write_word(self.tx, changed, Status.CANCELLED, StatusBody(), writing)
        return Taken(event.record)

    def _may_follow(self, referral: Referral, status: Status) -> bool:
        """The first event of a higher incarnation sets the status unchecked: its writer's ledger was restored."""
        restored = self.event.incarnation > self.held.incarnation > 0
        return restored or may_follow(referral.status, status)

    def _refuse(self, no: _No, referral: Referral | None = None) -> Verdict:
        """Refused for good. A recipient's status counts even though its body had to be refused."""
        event = self.event
        receiving.refuse(self.tx, event, no.code, self.around.now)
        status = _status(event)
        if referral is not None and status is not None and not event.from_sender and self._may_follow(referral, status):
            said = Word(Side.RECIPIENT, status, None, self.around.now)
            referrals.save(self.tx, referrals.after(referral, said))
        self._owe(Outcome.REFUSED, no.code, event.place if CODES[no.code].place else None, no.path)
        return NotTaken(event.record, no.code, owed=True)

    def _leave(self, code: Code) -> Verdict:
        """Can be judged later: not kept, no receipt, so that its writer sends it again."""
        return NotTaken(self.event.record, code, owed=False)

    def _owe(self, outcome: Outcome, code: Code | None, held: Place | None = None, path: str | None = None) -> None:
        event = self.event
        owed = Owed(event.writer, self.digest, event.event_id, outcome, code, path, held or self.held)
        receiving.owe(self.tx, [owed])


def _refer(event: ReferralEvent, referral: Referral | None, around: Surroundings) -> _No | None:
    if event.writer != event.referral_sender:
        return _No(Code.NOT_A_PARTY)
    if referral is not None:
        return _No(Code.TRANSITION_REFUSED)
    if not around.register.agreed(event.writer, around.here, around.now):
        return _No(Code.NOT_AGREED)
    return None


def _party(event: SealedEvent, referral: Referral | None) -> _No | None:
    if referral is None:
        return _No(Code.REFERRAL_UNKNOWN)
    return None if event.writer == referral.peer else _No(Code.NOT_A_PARTY)


def _status(event: SealedEvent) -> Status | None:
    """The status that an event says, where it says one that we know."""
    said = event.status if isinstance(event, StatusEvent) else None
    return Status(said) if said is not None and code_known("status", said) else None
