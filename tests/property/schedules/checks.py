"""What must be true once all is quiet, whatever has happened. Nothing here asks the code under test for an opinion: it
compares what three ledgers hold, and what the host was given.

I1  every accepted event is stored, or visibly refused, undeliverable or erased
I2  nothing takes effect twice, and nothing is answered twice
I3  what one side wrote about a referral takes effect in order
I4  both sides show the same status
I5  of what is erased no body, key or sealed bytes are left, and no late copy was opened
I6  messages stop, I7 nothing waits for ever (see `rest`)
I8  honest agencies never look like two
I9  sender, recipient and monitor say the same of where each referral is and until when somebody must act, and no agency
    announces more overdue referrals than the monitor sees
"""

from collections.abc import Iterator
from itertools import pairwise

from consumers.agency.maintenance import scrub
from referral_bus.ledger import tombstones
from referral_bus.ledger.outbox import OutboxState
from referral_bus.wire.avro_codec import decode
from schemas.events import ErasureEvent, ReferralEvent, ReferralKey, StatusEvent
from schemas.lifecycle import OPEN, ErasureKind, Side, Status, may_follow
from schemas.outcomes import Code
from tests.kit.people import PLANTED_NAME, PLANTED_NEED
from tests.property.schedules.books import Book, Entry, read_book
from tests.property.schedules.watching import asked, differences
from tests.property.schedules.world import World

NEVER = frozenset({Code.OLD_INCARNATION, Code.TRANSITION_REFUSED})
"""Nobody honest is refused so, unless the referral is erased."""
ALLOWED = frozenset({Code.VALUE_REFUSED, Code.DISCARDED, Code.CONSENT_INVALID, Code.NOT_AGREED, Code.REFERRAL_UNKNOWN})
SLICES = (150, 450, 750)  # so far before a value's end: random bytes of its sealed part, not all on one page
SLICE = 32


def violations(world: World) -> list[str]:
    """In words, the invariant first; empty when all is well."""
    books = {code: read_book(station) for code, station in world.bench.stations.items()}
    found = list(_logged(world))
    for book in books.values():
        for key in book.entries:
            found += _in_order(book, key)
            found += _answered_once(book, key)
            for entry in book.own(key):
                other = books[entry.addressee or ""]
                found += _arrived(world, book, other, entry)
        found += _erased(world, books, book)
        found += _confirmed(world, book)
    for key in {key for book in books.values() for key in book.shown}:
        found += _same_status(world, books, key)
    return [*found, *_seen_alike(world)]


def _seen_alike(world: World) -> Iterator[str]:
    for difference in differences(world.observer, world.bench.stations):
        yield f"I9 {difference}"
    for code, number in world.observer.announced_more().items():
        if not asked(world.bench[code]):
            yield f"I9 {code} announces {number} overdue referrals that the monitor does not see"


def _logged(world: World) -> Iterator[str]:
    text = world.bench.log_lines.text
    if '"event": "defect"' in text:
        yield "defect"
    if Code.EQUIVOCATION in text:
        yield "I8 EQUIVOCATION between honest agencies"
    if PLANTED_NAME in text or PLANTED_NEED in text:
        yield "I5 a name in the logs"


def _in_order(book: Book, key: ReferralKey) -> Iterator[str]:
    """Erasures have a place, yet overtake."""
    stored = [entry for entry in book.stored(key) if entry.record != ErasureEvent.record]
    if len({entry.event_id for entry in stored}) != len(stored):
        yield "I2 an event took effect twice"
    if any(later.place <= earlier.place for earlier, later in pairwise(stored)):
        yield "I3 effects out of order"


def _answered_once(book: Book, key: ReferralKey) -> Iterator[str]:
    own = book.own(key)
    said = [(Status(entry.status), entry.place) for entry in own if entry.record == StatusEvent.record and entry.status]
    for (before, earlier), (after, later) in pairwise(said):
        again = before is after and later.incarnation > earlier.incarnation
        if not again and not (before in OPEN and may_follow(before, after)):
            yield "I2 an automatic answer made twice"
    asked = sum(entry.kind == ErasureKind.REQUESTED for entry in book.stored(key))
    for kind in (ErasureKind.ERASED, ErasureKind.CONFIRMED):
        if sum(entry.kind == kind for entry in own) > asked + 1:
            yield f"I2 {kind} said more often than asked"


def _arrived(world: World, book: Book, other: Book, entry: Entry) -> Iterator[str]:
    """What its writer is shown of one event, and what the other side has."""
    key, closed = entry.key, other.closed(entry.key)
    applied = any(entry.event_id == each.event_id for each in other.stored(key))
    match entry.state:
        case OutboxState.STORED if not applied and not closed:
            yield f"I1 {entry.record} shown as stored, but it is not there"
        case OutboxState.ERASED if not closed and key not in book.tombstones:
            yield f"I1 {entry.record} shown as erased, but nothing is"
        case OutboxState.REFUSED if applied:
            yield f"I1 {entry.record} shown as refused, but it took effect"
        case OutboxState.REFUSED if entry.receipt_code in NEVER and key not in book.tombstones and not closed:
            yield f"I1 valid {entry.record} refused as {entry.receipt_code}"
        case OutboxState.REFUSED if entry.receipt_code == Code.REFERRAL_UNKNOWN:
            first = book.own(key)[0]
            ghost = (other.code, key) in world.ghosts
            if first.state is OutboxState.STORED and not ghost and key not in book.tombstones:
                yield f"I1 valid {entry.record} refused as {entry.receipt_code}"
        case OutboxState.REFUSED if entry.receipt_code not in ALLOWED | NEVER:
            yield f"I1 {entry.record} refused as {entry.receipt_code}"
        case OutboxState.UNDELIVERABLE if entry.record == ErasureEvent.record:
            yield "I5 an erasure was given up"
        case OutboxState.UNDELIVERABLE if key.sender != book.code:
            yield "I1 a word of the recipient was given up"


def _same_status(world: World, books: dict[str, Book], key: ReferralKey) -> Iterator[str]:
    sender = books[key.sender]
    here = sender.shown.get(key)
    there = next((book.shown[key] for book in books.values() if book is not sender and key in book.shown), None)
    if here is None:
        if (sender.code, key) not in world.ghosts:
            yield "I1 a referral that its sender never had"
    elif there is None:
        own = sender.own(key)
        first = own[0].state if own else None
        if first is OutboxState.STORED or (first is OutboxState.REFUSED and here != "undelivered"):
            yield f"I4 {here} at the sender, and the recipient knows nothing"
    elif here != there:
        yield f"I4 {here} at the sender, {there} at the recipient"


def _erased(world: World, books: dict[str, Book], book: Book) -> Iterator[str]:
    for key, left in book.tombstones.items():
        sealed = [entry for entry in book.entries.get(key, ()) if entry.record != ErasureEvent.record]
        if key in book.referrals or any(entry.body or entry.value for entry in sealed):
            yield "I5 a body left beside a tombstone"
        if any(about == key and record != ErasureEvent.record for about, record in book.letters):
            yield "I5 sealed bytes left among the dead letters"
        if left.needs_confirmation and key in books[left.peer].referrals:
            yield f"I5 a body left at the {'recipient' if left.side is Side.SENDER else 'sender'} after an erasure"
    yield from _in_files(world, book)
    for code, key in world.promised:
        there = book.tombstones.get(key)
        if code == book.code and (there is None or not there.needs_confirmation):
            yield "I5 what somebody was told to be erased is not"


def _in_files(world: World, book: Book) -> Iterator[str]:
    """Neither the name nor anything sealed of an erased referral, in the ledger's file or its log."""
    station = world.bench[book.code]
    if not scrub(station.ledger, station.writing()):
        yield "I5 the write-ahead log cannot be emptied"
    path = station.ledger.path
    held = b"".join(each.read_bytes() for each in (path, path.with_name(f"{path.name}-wal")) if each.exists())
    if PLANTED_NAME.encode() in held or PLANTED_NEED.encode() in held:
        yield "I5 a name in the ledger's file"
    erased = {str(key.referral_id).encode() for key in book.tombstones}
    for value in {record.value for record in world.host.seen if record.key in erased}:
        if isinstance(decode(value), ReferralEvent | StatusEvent):
            pieces = (value[-start : SLICE - start] for start in SLICES)
            if any(piece in held for piece in pieces):
                yield "I5 sealed bytes left in the ledger's file"
                return


def _confirmed(world: World, book: Book) -> Iterator[str]:
    """Everybody's own system has taken everything."""
    with world.bench[book.code].ledger.read() as tx:
        if tombstones.unconfirmed(tx, world.bench.clock()).count:
            yield "I7 an erasure that nobody confirms"
