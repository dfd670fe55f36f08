"""What becomes of one record: the rules of taking in, in their order. One call, inside one ledger transaction.

    authentic?  addressed to us?  ->  known already?  place taken?  in order?  ->  register, party, agreement,
    opens?  values, codes, consent, life cycle?  ->  stored

Only what stands in order is judged by its content, so that an event is refused or stored once and for all.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never
from uuid import UUID

from referral_bus.federation.register import Register
from referral_bus.ledger import receiving, referrals
from referral_bus.ledger.holding import held_as, hold, release
from referral_bus.ledger.peers import take_announcement
from referral_bus.ledger.receiving import Owed
from referral_bus.ledger.referrals import Referral, Word
from referral_bus.ledger.sending import announced
from referral_bus.ledger.settling import hear_incarnation, take_receipt
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
class Reseal:
    """Sealed to a key that is gone; not kept, its writer seals it anew."""

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


Verdict = Taken | Again | Missing | Reseal | NotTaken | RegisterHeard


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
            outcome = CODES[code].outcome
            if outcome is None or raw.topic != around.register.inbox(around.here):  # elsewhere nothing is for us
                return NotTaken("unknown", code, owed=False)
            if outcome is Outcome.HELD:
                hold(tx, raw, digest, writer, None, code, around.now)
            receiving.owe(tx, [Owed(writer, digest, None, outcome, code, path)])
            return NotTaken("unknown", code, owed=True)
        case Authentic(record, digest):
            return _take_authentic(tx, record, digest, raw, around)
    assert_never(found)


def judge_held(tx: Tx, codes: Collection[Code], around: Surroundings) -> list[Verdict]:
    """Judges anew, from the start, what was held for one of these reasons."""
    return [take_in(tx, raw, around) for raw in release(tx, codes)]


def _take_authentic(tx: Tx, record: object, digest: bytes, raw: RawRecord, around: Surroundings) -> Verdict:
    match record:
        case AgencyAnnouncement():
            if raw.topic == around.register.announcement(record.agency):
                hear_incarnation(tx, record.agency, record.incarnation, around.now)
                if take_announcement(tx, record, raw.value, around.now):
                    announced(tx, record.agency, around.now)
            return Taken(record.record)
        case RegisterVersion() if raw.topic == around.register.register_topic:
            return RegisterHeard(record)
        case _ if raw.topic != around.register.inbox(around.here):
            return NotTaken("unknown", Code.NOT_ADDRESSED_HERE, owed=False)
        case StorageReceipt():
            take_receipt(tx, record, around.now)
            return Taken(record.record)
        case ReferralEvent() | StatusEvent():
            return _Event(tx, record, digest, raw, around).take()
        case ErasureEvent():  # not built yet: left without a receipt, so that its writer keeps it
            return NotTaken(record.record, Code.SCHEMA_UNKNOWN, owed=False)
    return NotTaken("unknown", Code.NOT_ADDRESSED_HERE, owed=False)


class _Event:
    """One authentic event on its way into the ledger."""

    def __init__(
        self, tx: Tx, event: ReferralEvent | StatusEvent, digest: bytes, raw: RawRecord, around: Surroundings
    ) -> None:
        self.tx = tx
        self.event = event
        self.digest = digest
        self.raw = raw
        self.around = around
        self.held = referrals.place_held(tx, event.referral, event.writer)

    def take(self) -> Verdict:
        event = self.event
        hear_incarnation(self.tx, event.writer, event.incarnation, self.around.now)
        earlier = receiving.known(self.tx, event.writer, event.event_id)
        if earlier is not None:
            self._owe(earlier.outcome, earlier.code)
            return Again(event.record)
        held_code = held_as(self.tx, event.writer, event.event_id)
        if held_code is not None:
            self._owe(Outcome.HELD, held_code)
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
            return self._hold(Code.REGISTER_NEWER)
        referral = referrals.load(self.tx, event.referral)
        outside = _refer(event, referral, around) if isinstance(event, ReferralEvent) else _party(event, referral)
        if outside is not None:
            return self._refuse(outside)
        body = open_body(event, around.find_key)
        if isinstance(body, Unopened):
            return self._unopened(body, referral)
        if unknown_codes(event) or unknown_codes(body):
            return self._hold(Code.CODE_UNKNOWN)
        if isinstance(event, ReferralEvent) and isinstance(body, ReferralBody):
            return self._start(event, body)
        if isinstance(event, StatusEvent) and isinstance(body, StatusBody) and referral is not None:
            return self._word(event, body, referral)
        raise TypeError("an event has the body of its kind")

    def _unopened(self, unopened: Unopened, referral: Referral | None) -> Verdict:
        if unopened.code is None:
            self._owe(Outcome.RESEAL, None)
            return Reseal(self.event.record)
        if CODES[unopened.code].outcome is Outcome.HELD:
            return self._hold(unopened.code)
        return self._refuse(_No(unopened.code), referral)

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

    def _hold(self, code: Code) -> Verdict:
        """Can be judged later: its bytes are kept, its place is not used, and its writer waits."""
        event = self.event
        hold(self.tx, self.raw, self.digest, event.writer, event.event_id, code, self.around.now)
        self._owe(Outcome.HELD, code)
        return NotTaken(event.record, code, owed=True)

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
