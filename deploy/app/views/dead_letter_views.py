"""Dead letters as documents for --json and as lines for people."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, assert_never

from consumers.agency.dead_letters import Discarded, Done, DueAgain
from consumers.agency.verdicts import Again, Missing, NoRoom, NotTaken, RegisterHeard, Reseal, TakenIn
from deploy.app.output import local_time
from referral_bus.ledger.dead_letter_lists import DeadLetter, Group
from referral_bus.ledger.dead_letters import WAITING
from schemas.events import ErasureEvent
from schemas.outcomes import CODES, Outcome


def group_document(group: Group) -> dict[str, Any]:
    return {
        "code": group.code,
        "state": group.state,
        "from": group.writer,
        "count": group.count,
        "oldest": group.oldest,
        "who_acts": CODES[group.code].who_acts,
        "numbers": group.numbers,
    }


def group_line(group: Group, zone: str) -> str:
    numbers = " ".join(map(str, group.numbers)) + (" ..." if group.count > len(group.numbers) else "")
    since = local_time(group.oldest, zone)
    who = CODES[group.code].who_acts
    return (
        f"{group.code:<18}  {group.state:<9}  from {group.writer}: {group.count} since {since}; acts: {who}; {numbers}"
    )


def letter_document(letter: DeadLetter) -> dict[str, Any]:
    rule = CODES[letter.code]
    return {
        "number": letter.number,
        "state": letter.state,
        "code": letter.code,
        "path": letter.path,
        "who_acts": rule.who_acts,
        "retry_helps": rule.retry_helps,
        "from": letter.writer,
        "record": letter.record,
        "event_id": letter.event_id,
        "referral_sender": letter.referral and letter.referral.sender,
        "referral_id": letter.referral and letter.referral.referral_id,
        "cursor": letter.event_number,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "schema_fingerprint": letter.fingerprint and letter.fingerprint.hex(),
        "first_at": letter.first_at,
        "last_at": letter.last_at,
        "count": letter.count,
    }


def letter_line(letter: DeadLetter, zone: str) -> str:
    about = f"referral {str(letter.referral.referral_id)[:8]}" if letter.referral else "of an unknown referral"
    record = letter.record or "a record"
    since = local_time(letter.first_at, zone)
    return f"{letter.number:>6}  {since}  {letter.code:<18}  {letter.state:<9}  {letter.writer}: {record}, {about}"


def letter_lines(letter: DeadLetter, clear: Mapping[str, object], reason: str | None, zone: str) -> Iterator[str]:
    rule = CODES[letter.code]
    yield f"Dead letter {letter.number}: {letter.state}, {letter.code}"
    yield f"  {rule.when} Acts: {rule.who_acts}."
    times = f"first {local_time(letter.first_at, zone)}, last {local_time(letter.last_at, zone)}"
    yield f"  from {letter.writer}, {times}, {letter.count} time{'' if letter.count == 1 else 's'}"
    if letter.path is not None:
        yield f"  field: {letter.path}"
    if letter.topic is not None:
        where = "" if letter.offset is None else f", partition {letter.partition}, offset {letter.offset}"
        yield f"  topic: {letter.topic}{where}"
    if letter.fingerprint is not None:
        yield f"  schema: {letter.fingerprint.hex()}"
    if letter.referral is not None:
        yield f"  referral: {letter.referral.referral_id} of {letter.referral.sender}"
    if letter.event_id is not None:
        yield f"  event: {letter.event_id}, {letter.record}"
    known = {"event_id", "referral_id", "referral_sender", "writer", "addressee"}
    for name, value in clear.items():
        if name not in known and value is not None:
            yield f"    {name}: {local_time(value, zone) if isinstance(value, datetime) else value}"
    if reason is not None:
        yield f"  discarded because: {reason}"
    if letter.state in WAITING:
        or_else = "" if letter.record == ErasureEvent.record else ", or discard it with a reason"
        yield f"  referral-bus dead-letters retry {letter.number}{or_else}"


def done_document(done: Done) -> dict[str, Any]:
    letter = done.letter
    return {"number": letter.number, "code": letter.code, "from": letter.writer, "result": _result(done)}


def done_line(done: Done) -> str:
    return f"{done.letter.number:>6}  {done.letter.code:<18}  {done.letter.writer}: {_result(done)}"


def _result(done: Done) -> str:
    match done.result:
        case None:
            return "settled meanwhile by another command or the service"
        case DueAgain():
            return "due again: handed over once the service runs"
        case Discarded(answered):
            return f"discarded{', the referral is answered as rejected' if answered else ''}"
        case TakenIn() | RegisterHeard():
            return "stored"
        case Again():
            return "known already"
        case Missing():
            return "waits for an event before it"
        case Reseal():
            return "to be sealed anew by its writer"
        case NoRoom():
            return "not kept, its writer sends it again"
        case NotTaken(_, code, _):
            return f"{'still held' if CODES[code].outcome is Outcome.HELD else 'refused'}, {code}"
        case _:
            assert_never(done.result)
