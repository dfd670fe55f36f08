"""Judges one authentic ErasureEvent. It takes effect at once: also when events before it are missing or held, or when
their hand-over waits.

known already?  ->  codes, status?  ->  about a referral of ours, by one of its two agencies?
->  the recipient's retention: its last word   or   erased here, answered *erased*, handed over to be confirmed
"""

from dataclasses import dataclass

from consumers.agency.believed_places import place_taken, places_of
from consumers.agency.verdicts import Again, IngestContext, NotTaken, TakenIn, Verdict
from referral_bus.ledger import quotas, receipts_owed, received_events, referrals, tombstones
from referral_bus.ledger.dead_letters import NotTakenIn, refused
from referral_bus.ledger.erasures import Grounds, LastWord, erase, peer_forgot, peer_has_erased, take_status, tell
from referral_bus.ledger.held_events import held_as, hold
from referral_bus.ledger.receipts import hear_incarnation
from referral_bus.ledger.receipts_owed import Owed
from referral_bus.ledger.store import Tx
from referral_bus.wire.raw import RawRecord
from schemas.code_lists import unknown_codes
from schemas.events import NOWHERE, ErasureEvent
from schemas.lifecycle import ENDED, ErasureKind, ErasureReason, Side, Status
from schemas.outcomes import Code, Outcome


@dataclass(frozen=True, slots=True)
class _Party:
    """The other agency of a referral, `peer`, and our own side in it."""

    side: Side
    peer: str
    known: bool = True  # whether we have or had the referral


def take_erasure(tx: Tx, event: ErasureEvent, digest: bytes, raw: RawRecord, context: IngestContext) -> Verdict:
    """Applies one authentic ErasureEvent, and owes its writer a receipt and our own system the hand-over. `digest`:
    SHA-256 of the record's value. Raises `QuotaExceeded`, before it writes anything, for a writer whose quota of the
    day is used up."""
    hear_incarnation(tx, event.writer, event.incarnation, raw.key_id, context.now)
    earlier = received_events.known(tx, event, context.believes(event.writer))
    if earlier is not None:
        receipts_owed.owe(tx, [_item(event, digest, earlier.outcome, earlier.code)])
        return Again(event.record)
    if unknown_codes(event):
        if held_as(tx, event.writer, event.event_id) is None:
            hold(tx, NotTakenIn(raw, digest, event.writer, event, Code.CODE_UNKNOWN), context.now)
        receipts_owed.owe(tx, [_item(event, digest, Outcome.HELD, Code.CODE_UNKNOWN)])
        return NotTaken(event.record, Code.CODE_UNKNOWN, owed=True)
    party = _party(tx, event)
    if context.arriving and (isinstance(party, Code) or not party.known):
        quotas.charge(tx, event.writer, event.record, context.now)
    if isinstance(party, Code):
        path = "status" if party is Code.VALUE_REFUSED else None
        received_events.refuse_erasure(tx, event, party, raw.key_id, context.now)
        refused(tx, NotTakenIn(raw, digest, event.writer, event, party, path), context.now)
        receipts_owed.owe(tx, [_item(event, digest, Outcome.REFUSED, party, path)])
        return NotTaken(event.record, party, owed=True)
    number = received_events.store_erasure(tx, event, raw.key_id, context.now)
    receipts_owed.owe(tx, [_item(event, digest, Outcome.STORED, None)])
    _apply(tx, event, party, raw.key_id, context)
    received_events.owe_handover(tx, event, number, context.now)
    return TakenIn(event.record)


def _party(tx: Tx, event: ErasureEvent) -> _Party | Code:
    """The two sides of the referral to erase, or why its writer may not erase it. A referral that we do not know can be
    erased before it arrives, but by its sender only."""
    if (event.status is None) != event.from_sender or (event.status is not None and event.status not in ENDED):
        return Code.VALUE_REFUSED
    about = referrals.load(tx, event.referral) or tombstones.load(tx, event.referral)
    if about is None or about.peer != event.writer:  # to any other agency: unknown
        return _Party(Side.RECIPIENT, event.writer, known=False) if event.from_sender else Code.REFERRAL_UNKNOWN
    return _Party(about.side, about.peer)


def _apply(tx: Tx, event: ErasureEvent, party: _Party, key_id: str, context: IngestContext) -> None:
    key, kind, reason = event.referral, ErasureKind(event.kind), ErasureReason(event.reason)
    last = _last_word(tx, event, key_id, context)
    if reason is ErasureReason.RETENTION and kind is ErasureKind.REQUESTED and event.status is not None:
        there = tombstones.load(tx, key)
        if last is not None and there is None:
            peer_forgot(tx, key, last, context.now)
        elif last is not None and there is not None:
            take_status(tx, there, last)
        return
    asked = kind is ErasureKind.REQUESTED
    grounds = Grounds(reason, asked_by_us=False, asked_by_peer=asked, last=last)
    left, new = erase(tx, key, party.side, party.peer, grounds, context.writing)
    if not new and last is not None:
        left = take_status(tx, left, last)
    left = peer_has_erased(tx, left, kind, key_id, context.now)
    if asked or new:
        tell(tx, left, ErasureKind.ERASED, context.writing)
    if asked and left.confirmed_at is not None:
        tell(tx, left, ErasureKind.CONFIRMED, context.writing)


def _last_word(tx: Tx, event: ErasureEvent, key_id: str, context: IngestContext) -> LastWord | None:
    """The final status that the event carries; None without one, and where a later word of its writer was taken in
    before."""
    key, believes = event.referral, context.believes(event.writer)
    held = places_of(tx, key, event.writer, NOWHERE, believes).held
    status_place = place_taken(tombstones.load(tx, key), believes)
    if event.status is None or event.place <= max(held, status_place):
        return None
    return LastWord(Status(event.status), event.place, key_id)


def _item(event: ErasureEvent, digest: bytes, outcome: Outcome, code: Code | None, path: str | None = None) -> Owed:
    return Owed(event.writer, digest, event.event_id, outcome, code, path)
