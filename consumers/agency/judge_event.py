"""Judges one authentic ReferralEvent or StatusEvent on its way into the ledger. The checks, in their order:

    erased?  known already?  place taken?  in order?  ->  register, party, agreement, opens?  values, codes, consent,
    life cycle?  ->  stored

The content of an event is judged only when everything before it in its referral's order is there. So an event that is
stored or refused stays stored or refused.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from consumers.agency.believed_places import Believes, place_taken, places_of
from consumers.agency.verdicts import Again, IngestContext, Missing, NotTaken, Reseal, TakenIn, Verdict
from referral_bus.ledger import quotas, receipts_owed, received_events, referrals, tombstones
from referral_bus.ledger.dead_letters import NotTakenIn, refused
from referral_bus.ledger.erasures import take_place, tell
from referral_bus.ledger.held_events import held_as, hold, let_go
from referral_bus.ledger.own_agency import own_incarnation
from referral_bus.ledger.own_events import write_note, write_word
from referral_bus.ledger.receipts import hear_incarnation
from referral_bus.ledger.receipts_owed import Owed
from referral_bus.ledger.referrals import Referral, Word
from referral_bus.ledger.store import Tx
from referral_bus.wire.raw import RawRecord
from referral_bus.wire.record import Unopened, open_body
from referral_bus.wire.sealing import SealableEvent
from schemas.code_lists import known as code_known
from schemas.code_lists import unknown_codes
from schemas.events import Place, ReferralEvent, StatusEvent
from schemas.lifecycle import CANCELLATION_REQUESTED, ErasureKind, Side, Status, cancels_by_itself, may_follow
from schemas.outcomes import CODES, Code, Outcome
from schemas.personal import ReferralBody, StatusBody


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why an event is refused or held. `path`: the clear field at fault, None for the event as a whole."""

    code: Code
    path: str | None = None


class Judging:
    """One authentic event on its way into the ledger."""

    def __init__(
        self, tx: Tx, event: ReferralEvent | StatusEvent, digest: bytes, raw: RawRecord, context: IngestContext
    ) -> None:
        self.tx = tx
        self.event = event
        self.digest = digest
        self.raw = raw
        self.context = context
        self.believes = context.believes(event.writer)
        places = places_of(tx, event.referral, event.writer, event.follows, self.believes)
        known = referrals.load(tx, event.referral)
        known = known if known is not None and known.peer == event.writer else None
        self.referral = _not_forgotten(known, self.believes)
        self.places = places if self.referral == known else replace(places, corrects=True)

    def take(self) -> Verdict:
        """Judges the event, writes what follows to the ledger, and returns the verdict. Raises `QuotaExceeded` for a
        writer whose quota of the day is used up."""
        event = self.event
        hear_incarnation(self.tx, event.writer, event.incarnation, self.raw.key_id, self.context.now)
        if self._erased():
            self._owe(Outcome.ERASED, None)
            return Again(event.record)
        earlier = received_events.known(self.tx, event, self.believes)
        if earlier is not None:
            self._owe(earlier.outcome, earlier.code)
            return Again(event.record)
        held_code = held_as(self.tx, event.writer, event.event_id)
        if held_code is not None:
            self._owe(Outcome.HELD, held_code)
            return Again(event.record)
        if event.place <= self.places.held:
            older = event.incarnation < self.places.held.incarnation
            return self._refuse(_Fault(Code.OLD_INCARNATION if older else Code.EQUIVOCATION))
        if not event.follows <= self.places.reached:
            self._owe(Outcome.MISSING, None, self.places.reached)
            return Missing(event.record)
        return self._judge()

    def _erased(self) -> bool:
        """Whether the referral was erased here, or its recipient has forgotten it by its own retention; then a late
        copy of an event takes no effect. A recipient that was restored, and so does not know that our retention has
        erased the referral, is asked to erase it too. To an agency that is no party the referral is unknown, whether it
        is open, erased, or never existed: then this is false."""
        if self.referral is not None:
            return self.referral.peer_forgot_at is not None
        left = tombstones.load(self.tx, self.event.referral)
        if left is None or left.peer != self.event.writer:
            return False
        let_go(self.tx, self.event.writer, self.event.event_id)
        newer = self.event.incarnation > max(self.places.held, place_taken(left, self.believes)).incarnation
        if newer and not left.needs_confirmation and left.side is Side.SENDER and isinstance(self.event, StatusEvent):
            take_place(self.tx, left, Place(self.event.incarnation, 0), self.raw.key_id)
            tell(self.tx, left, ErasureKind.REQUESTED, self.context.writing)
        return True

    def discard(self) -> Verdict:
        """Refuses a held event because a person at this agency has discarded it. That uses up its place, as any refusal
        does."""
        if self._erased() or self.event.follows > self.places.reached or self.event.place <= self.places.held:
            return self.take()  # since then it was erased, or another event has used its place
        return self._refuse(_Fault(Code.DISCARDED), self.referral if isinstance(self.event, StatusEvent) else None)

    def _judge(self) -> Verdict:
        event, context = self.event, self.context
        starts = isinstance(event, ReferralEvent)
        if event.register_version > context.register.version or (starts and context.register.expired(context.now)):
            return self._hold(Code.REGISTER_NEWER)
        referral = self.referral
        if isinstance(event, ReferralEvent):
            outside = _refer(event, referral, context)
        else:
            outside = None if referral is not None else _Fault(Code.REFERRAL_UNKNOWN)
        if outside is not None:
            return self._refuse(outside)
        body = open_body(event, context.find_key)
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
        return self._refuse(_Fault(unopened.code), referral)

    def _start(self, event: ReferralEvent, body: ReferralBody) -> Verdict:
        if event.respond_by < event.acknowledge_by:
            return self._refuse(_Fault(Code.VALUE_REFUSED, "respond_by"))
        if body.consent.recipient != self.context.here or body.consent.expires_at <= self.context.now:
            return self._refuse(_Fault(Code.CONSENT_INVALID))
        referral = received_events.store_referral(self.tx, event, body, self.raw.key_id, self.context.now)
        self._owe(Outcome.STORED, None, event.place)
        if own_incarnation(self.tx) > 1:  # our ledger was restored; before, it may have answered otherwise
            write_note(self.tx, referral, self.context.writing)
        return TakenIn(event.record)

    def _word(self, event: StatusEvent, body: StatusBody, referral: Referral) -> Verdict:
        status = _status(event)
        if (status is None) != event.from_sender:
            return self._refuse(_Fault(Code.VALUE_REFUSED, "status"))
        if status is not None and not self._may_follow(referral, status):
            return self._refuse(_Fault(Code.TRANSITION_REFUSED, "status"))
        by = Side.SENDER if event.from_sender else Side.RECIPIENT
        automatic = by is Side.RECIPIENT and self._by_itself()
        word = Word(by, status, body.business_status, self._written_at(), automatic, self.places.corrects)
        now, key_id = self.context.now, self.raw.key_id
        changed = received_events.store_word(self.tx, event, body, referral, word, key_id, now)
        self._owe(Outcome.STORED, None, event.place)
        if by is Side.SENDER and body.business_status == CANCELLATION_REQUESTED and cancels_by_itself(changed.status):
            write_word(self.tx, changed, Status.CANCELLED, StatusBody(), self.context.writing)
        return TakenIn(event.record)

    def _may_follow(self, referral: Referral, status: Status) -> bool:
        """Whether the recipient may set this status now. The first event of a higher incarnation sets it without a
        check against the life cycle, since its writer's ledger was restored; so does the first event that replaces
        words under a revoked key."""
        restored = self.event.incarnation > self.places.reached.incarnation > 0
        return restored or self.places.corrects or may_follow(referral.status, status)

    def _by_itself(self) -> bool:
        """Whether the writer's service wrote this event automatically: the first event of an incarnation above 1 is
        always such a one."""
        return self.event.incarnation > max(1, self.places.reached.incarnation)

    def _written_at(self) -> datetime:
        """When the event was written by its writer's clock, but never later than now."""
        return min(self.event.occurred_at, self.context.now)

    def _refuse(self, fault: _Fault, referral: Referral | None = None) -> Verdict:
        """Refuses the event for good. The status of a recipient's event counts even where its body is refused."""
        event = self.event
        if self.context.arriving:
            quotas.charge(self.tx, event.writer, event.record, self.context.now)
        received_events.refuse(self.tx, event, fault.code, self.raw.key_id, self.context.now)
        refused(self.tx, self._letter(fault), self.context.now)
        status = _status(event)
        if referral is not None and status is not None and not event.from_sender and self._may_follow(referral, status):
            said = Word(Side.RECIPIENT, status, None, self._written_at(), self._by_itself(), self.places.corrects)
            referrals.save(self.tx, referrals.after(referral, said))
        self._owe(Outcome.REFUSED, fault.code, event.place if CODES[fault.code].place else None, fault.path)
        return NotTaken(event.record, fault.code, owed=True)

    def _hold(self, code: Code) -> Verdict:
        """Holds an event that can be judged only later: keeps its bytes, does not use its place, and tells its writer
        to wait."""
        event = self.event
        hold(self.tx, self._letter(_Fault(code)), self.context.now)
        self._owe(Outcome.HELD, code)
        return NotTaken(event.record, code, owed=True)

    def _letter(self, fault: _Fault) -> NotTakenIn:
        return NotTakenIn(self.raw, self.digest, self.event.writer, self.event, fault.code, fault.path)

    def _owe(self, outcome: Outcome, code: Code | None, held: Place | None = None, path: str | None = None) -> None:
        event = self.event
        owed = Owed(event.writer, self.digest, event.event_id, outcome, code, path, held or self.places.held)
        receipts_owed.owe(self.tx, [owed])


def _not_forgotten(referral: Referral | None, believes: Believes) -> Referral | None:
    """The referral without the note that its recipient has forgotten it, where that was said under a key that is
    revoked since; else the referral as it is."""
    if referral is None or referral.peer_forgot_key_id is None or believes(referral.peer_forgot_key_id):
        return referral
    return replace(referral, peer_forgot_at=None, peer_forgot_key_id=None)


def _refer(event: ReferralEvent, referral: Referral | None, context: IngestContext) -> _Fault | None:
    if event.writer != event.referral_sender:
        return _Fault(Code.NOT_A_PARTY)
    if referral is not None:
        return _Fault(Code.TRANSITION_REFUSED)
    if not context.register.agreed(event.writer, context.here, context.now):
        return _Fault(Code.NOT_AGREED)
    return None


def _status(event: SealableEvent) -> Status | None:
    """The status that an event sets; None for one that sets none, or a code that we do not know."""
    said = event.status if isinstance(event, StatusEvent) else None
    return Status(said) if said is not None and code_known("status", said) else None
