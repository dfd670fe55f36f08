"""The agency's two decisions about its dead letters: retry those that wait, or discard them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from consumers.agency.judge_event import Judging
from consumers.agency.take_in import take_in
from consumers.agency.verdicts import IngestContext, NotTaken, Verdict
from referral_bus.broker.protocols import Delivery
from referral_bus.errors import Reason, Refused
from referral_bus.ledger import audit, dead_letters, handovers, held_events, referrals
from referral_bus.ledger.audit import Action
from referral_bus.ledger.dead_letter_lists import Choice, DeadLetter, chosen
from referral_bus.ledger.dead_letters import WAITING, DeadLetterState
from referral_bus.ledger.held_events import Released
from referral_bus.ledger.own_events import Writing, write_word
from referral_bus.ledger.store import Ledger, Tx
from referral_bus.wire.avro_codec import Undecodable, decode
from schemas.events import ErasureEvent, ReferralEvent, StatusEvent
from schemas.lifecycle import Side, Status
from schemas.outcomes import CODES, Code, Outcome
from schemas.personal import StatusBody

MOST = 10_000  # dead letters in one command
MOST_NAMED = 5  # numbers of dead letters in one error
UNREADABLE = "it cannot be read yet, so its place in the order is not known; upgrade, then retry it"


@dataclass(frozen=True, slots=True)
class DueAgain:
    """The event is due for hand-over at once, and its attempts are counted from zero again."""


@dataclass(frozen=True, slots=True)
class Discarded:
    """The dead letter is discarded. `answered`: the sender of its referral was told that the referral is rejected."""

    answered: bool


@dataclass(frozen=True, slots=True)
class Done:
    """A dead letter as it was before, and what became of it. `result` is None where another command, or the service,
    settled it first."""

    letter: DeadLetter
    result: Verdict | DueAgain | Discarded | None


def keep_places(tx: Tx, batch: Sequence[Delivery], verdicts: Sequence[Verdict], most: int) -> int:
    """After `batch` was taken in: notes partition and offset of each dead letter, and keeps the bytes of at most `most`
    refused records. Beyond that it drops the oldest of the writer that holds most. Returns how many it dropped."""
    not_taken = [each for each, verdict in zip(batch, verdicts, strict=True) if _is_dead_letter(verdict)]
    for each in not_taken:
        dead_letters.stood_at(tx, hashlib.sha256(each.record.value).digest(), each.partition, each.offset)
    return dead_letters.drop_beyond(tx, most) if not_taken else 0


def _is_dead_letter(verdict: Verdict) -> bool:
    return isinstance(verdict, NotTaken) and verdict.owed


def still_held(verdict: Verdict) -> bool:
    return isinstance(verdict, NotTaken) and CODES[verdict.code].outcome is Outcome.HELD


def waiting(ledger: Ledger, choice: Choice) -> list[DeadLetter]:
    """The waiting dead letters that `choice` names. Raises `Refused` where a number belongs to no dead letter, or to
    one that is refused or discarded already, and where `choice` names none at all."""
    if choice.everything:
        raise Refused(Reason.FIELD_MISSING, "name them: by their numbers, with --code, or with --from-agency", "NUMBER")
    with ledger.read() as tx:
        found = chosen(tx, choice, MOST, None if choice.numbers else WAITING)
    if len(found) < len(set(choice.numbers)) or not found:  # the error repeats no input
        raise Refused(Reason.DEAD_LETTER_UNKNOWN, "there is no such dead letter; see `referral-bus dead-letters list`")
    final = [letter.number for letter in found if letter.state not in WAITING]
    if final:
        advice = "these are refused or discarded: there is nothing left to decide"
        raise Refused(Reason.DEAD_LETTER_FINAL, advice, _numbers(final))
    return found


def retry(ledger: Ledger, letters: Sequence[DeadLetter], context: IngestContext, by: str) -> list[Done]:
    """Judges a held dead letter again from the first check, and makes one whose hand-over was given up due at once.
    Each has a transaction of its own. `by`: the person or service that asked, for the audit."""
    done = []
    for letter in letters:
        with ledger.write() as tx:
            result = (
                _judge(tx, letter, context) if letter.state is DeadLetterState.HELD else _hand_over(tx, letter, context)
            )
            if result is not None:
                _note(tx, Action.RETRIED, letter, context, by)
        done.append(Done(letter, result))
    return done


def _judge(tx: Tx, letter: DeadLetter, context: IngestContext) -> Verdict | None:
    released = held_events.release_one(tx, letter.number)
    if released is None:
        return None
    verdict = take_in(tx, released.raw, context)
    held_events.judged(tx)
    return verdict


def _hand_over(tx: Tx, letter: DeadLetter, context: IngestContext) -> DueAgain | None:
    if not _same_still(tx, letter) or letter.event_number is None:
        return None
    handovers.retry(tx, letter.event_number, context.now)
    return DueAgain()


def _same_still(tx: Tx, letter: DeadLetter) -> bool:
    return bool(chosen(tx, Choice((letter.number,)), 1, (letter.state,)))


def check_discardable(letters: Sequence[DeadLetter]) -> None:
    """Raises `Refused` where one of them must not be discarded: an erasure, or a held event that cannot be read yet."""
    erasures = [letter.number for letter in letters if letter.record == ErasureEvent.record]
    if erasures:
        advice = "an erasure is never discarded: erase in your own system, then retry it"
        raise Refused(Reason.DEAD_LETTER_KEPT, advice, _numbers(erasures))
    unreadable = [
        letter.number for letter in letters if letter.state is DeadLetterState.HELD and letter.event_id is None
    ]
    if unreadable:
        raise Refused(Reason.DEAD_LETTER_KEPT, UNREADABLE, _numbers(unreadable))


def _numbers(numbers: Sequence[int]) -> str:
    """The place of an error about these dead letters; names at most `MOST_NAMED`."""
    return ", ".join(f"NUMBER {number}" for number in numbers[:MOST_NAMED])


def discard(ledger: Ledger, letters: Sequence[DeadLetter], reason: str, context: IngestContext, by: str) -> list[Done]:
    """Discards them, each in a transaction of its own. The writer of a held event gets a receipt that it is refused. An
    event whose hand-over was given up counts as handed over; if it started a referral that is still *requested*, the
    referral is answered as *rejected*. Raises `Refused` as `check_discardable`."""
    check_discardable(letters)
    done = []
    for letter in letters:
        with ledger.write() as tx:
            decide = _refuse if letter.state is DeadLetterState.HELD else _give_up
            result = decide(tx, letter, reason, replace(context.writing, by=by), context)
            if result is not None:
                _note(tx, Action.DISCARDED, letter, context, by)
        done.append(Done(letter, result))
    return done


def _refuse(tx: Tx, letter: DeadLetter, reason: str, writing: Writing, context: IngestContext) -> Discarded | None:
    released = held_events.release_one(tx, letter.number)
    if released is None:
        return None
    verdict = _judge_against(tx, released, context)
    held_events.judged(tx)
    if not isinstance(verdict, NotTaken) or verdict.code is not Code.DISCARDED:
        return None  # since the choice was made another event has used its place
    dead_letters.discarded(tx, letter.number, reason, writing.now)
    return Discarded(answered=False)


def _judge_against(tx: Tx, released: Released, context: IngestContext) -> Verdict:
    try:
        event = decode(released.raw.value)
    except Undecodable:
        raise Refused(Reason.DEAD_LETTER_KEPT, UNREADABLE) from None
    if not isinstance(event, ReferralEvent | StatusEvent):
        raise TypeError("only events with a body can be discarded")
    digest = hashlib.sha256(released.raw.value).digest()
    return Judging(tx, event, digest, released.raw, context).discard()


def _give_up(tx: Tx, letter: DeadLetter, reason: str, writing: Writing, context: IngestContext) -> Discarded | None:
    if not _same_still(tx, letter) or letter.event_number is None or letter.referral is None:
        return None
    dead_letters.discarded(tx, letter.number, reason, context.now)
    handovers.handed_over(tx, [letter.event_number], writing)
    referral = referrals.load(tx, letter.referral)
    unseen = referral is not None and referral.side is Side.RECIPIENT and referral.status is Status.REQUESTED
    if referral is None or not unseen or letter.record != ReferralEvent.record:
        return Discarded(answered=False)
    consent_over = referral.consent_expires_at <= writing.now  # then nothing more is sealed
    body = StatusBody() if consent_over else StatusBody(outcome_reason="other")
    write_word(tx, referral, Status.REJECTED, body, writing)
    return Discarded(answered=True)


def _note(tx: Tx, action: Action, letter: DeadLetter, context: IngestContext, by: str) -> None:
    audit.note(
        tx,
        action,
        context.now,
        by=by,
        referral=letter.referral,
        event_id=letter.event_id,
        peer=letter.writer,
        code=letter.code,
    )
