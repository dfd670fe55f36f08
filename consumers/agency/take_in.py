"""What becomes of one record. One call, inside one ledger transaction: who wrote it, what it is, who judges it."""

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
    """Judges one raw record from our inbox or an announcement topic, and writes down what follows from it."""
    found = authenticate(raw, context.register, context.here, context.now)
    match found:
        case Unbelieved(code):
            return NotTaken("unknown", code, owed=False)
        case Undecoded(writer, digest, code, path):
            outcome = CODES[code].outcome
            if outcome is None or raw.topic != context.register.inbox(context.here):  # elsewhere nothing is for us
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
    """Whether a record's key names a referral between us and its writer that was erased here."""
    try:
        referral_id = UUID(key.decode("ascii"))
    except ValueError:
        return False
    left = [tombstones.load(tx, ReferralKey(sender, referral_id)) for sender in (writer, here)]
    return any(each is not None and each.peer == writer for each in left)


@dataclass(frozen=True, slots=True)
class JudgedAnew:
    """`last` is the number of the last dead letter that was looked at; None when none was left."""

    verdicts: tuple[Verdict, ...]
    last: int | None


def judge_held(tx: Tx, codes: Collection[Code], context: IngestContext, after: int, most: int) -> JudgedAnew:
    """Judges anew, from the start, what was held for one of these reasons: at most so many, with a number after
    `after`. All or none of them."""
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
