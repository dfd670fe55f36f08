"""Takes one record in, inside one ledger transaction: authenticates it, finds its kind, and has the judge of that kind
decide."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import assert_never
from uuid import UUID

from consumers.agency.judge_erasure import take_erasure
from consumers.agency.judge_event import Judging
from consumers.agency.verdicts import Again, IngestContext, NotTaken, RegisterHeard, TakenIn, Verdict
from referral_bus.ledger import quotas, receipts_owed, tombstones
from referral_bus.ledger.dead_letters import NotTakenIn, is_kept, refused
from referral_bus.ledger.held_events import hold, judged, release
from referral_bus.ledger.outbox_sweep import announced
from referral_bus.ledger.peers import FAR_AHEAD, take_announcement
from referral_bus.ledger.receipts import hear_incarnation, take_receipt
from referral_bus.ledger.receipts_owed import Owed
from referral_bus.ledger.store import Tx
from referral_bus.wire.raw import RawRecord
from referral_bus.wire.record import Authentic, Unbelieved, Undecoded, authenticate
from schemas.events import (
    AgencyAnnouncement,
    ErasureEvent,
    ReferralEvent,
    ReferralKey,
    RegisterVersion,
    StatusEvent,
    StorageReceipt,
)
from schemas.outcomes import CODES, Code, Outcome


def take_in(tx: Tx, raw: RawRecord, context: IngestContext) -> Verdict:
    """Judges one raw record from our inbox, an announcement topic or the register topic, and writes what follows from
    it to the ledger. Raises `QuotaExceeded`, before it writes anything, for a writer whose quota of the day is used
    up."""
    found = authenticate(raw, context.register, context.here, context.now)
    match found:
        case Unbelieved(code):
            return NotTaken("unknown", code, owed=False)
        case Undecoded(writer, digest, code, path):
            outcome = CODES[code].outcome
            if outcome is None or raw.topic != context.register.inbox(context.here):  # no receipt outside our inbox
                return NotTaken("unknown", code, owed=False)
            if _erased(tx, raw.key, writer, context.here):
                receipts_owed.owe(tx, [Owed(writer, digest, None, Outcome.ERASED)])
                return Again("unknown")
            letter = NotTakenIn(raw, digest, writer, None, code, path)
            if outcome is Outcome.HELD:
                hold(tx, letter, context.now)
            else:
                if context.arriving and not is_kept(tx, letter):
                    quotas.charge(tx, writer, "unknown", context.now)
                refused(tx, letter, context.now)
            receipts_owed.owe(tx, [Owed(writer, digest, None, outcome, code, path)])
            return NotTaken("unknown", code, owed=True)
        case Authentic(record, digest):
            return _take_authentic(tx, record, digest, raw, context)
    assert_never(found)


def _erased(tx: Tx, key: bytes, writer: str, here: str) -> bool:
    """Whether the Kafka key of a record names a referral between `here` and `writer` that was erased here."""
    try:
        referral_id = UUID(key.decode("ascii"))
    except ValueError:
        return False
    left = [tombstones.load(tx, ReferralKey(sender, referral_id)) for sender in (writer, here)]
    return any(each is not None and each.peer == writer for each in left)


@dataclass(frozen=True, slots=True)
class JudgedAnew:
    """The verdicts of one step. `last`: number of the last held event that was judged; None when none was left."""

    verdicts: tuple[Verdict, ...]
    last: int | None


def judge_held(tx: Tx, codes: Collection[Code], context: IngestContext, after: int, most: int) -> JudgedAnew:
    """Judges again, from the first check, events that are held for one of `codes`: at most `most` of them, those with a
    number above `after`, in one transaction."""
    released = release(tx, codes, after, most)
    verdicts = tuple(take_in(tx, each.raw, context) for each in released)
    judged(tx)
    return JudgedAnew(verdicts, released[-1].number if released else None)


def _take_authentic(tx: Tx, record: object, digest: bytes, raw: RawRecord, context: IngestContext) -> Verdict:
    match record:
        case AgencyAnnouncement():
            if raw.topic == context.register.announcement(record.agency):
                if record.issued_at > context.now + FAR_AHEAD:
                    return NotTaken(record.record, Code.VALUE_REFUSED, owed=False)
                hear_incarnation(tx, record.agency, record.incarnation, raw.key_id, context.now)
                if take_announcement(tx, record, raw.value, raw.key_id, context.now):
                    announced(tx, record.agency, context.now)
            return TakenIn(record.record)
        case RegisterVersion() if raw.topic == context.register.register_topic:
            return RegisterHeard(record)
        case _ if raw.topic != context.register.inbox(context.here):
            return NotTaken("unknown", Code.NOT_ADDRESSED_HERE, owed=False)
        case StorageReceipt():
            take_receipt(tx, record, raw.key_id, context.now)
            return TakenIn(record.record)
        case ReferralEvent() | StatusEvent():
            return Judging(tx, record, digest, raw, context).take()
        case ErasureEvent():
            return take_erasure(tx, record, digest, raw, context)
    return NotTaken("unknown", Code.NOT_ADDRESSED_HERE, owed=False)
