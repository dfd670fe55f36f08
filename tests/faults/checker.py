"""Was anything lost, did anything take effect twice, out of order, or without having been said? Pure.

    said  ->  written in the writer's ledger  ->  stored in the other side's  ->  heard by its people

At each arrow what goes in is compared with what comes out, referral by referral and writer by writer.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import TypeVar
from uuid import UUID

from referral_bus.ledger.outbox import FINAL, OutboxState
from schemas.events import Place, ReferralKey
from schemas.lifecycle import Status
from schemas.outcomes import Outcome

T = TypeVar("T", bound=Hashable)
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class SaidWord:
    """Words that a person at an agency said, and that were accepted. No two texts are alike."""

    writer: str
    referral: UUID
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An event in a ledger. `state` is how far one of our own has come; `text` is what was said, None of automatic
    answers and of what was refused."""

    event_id: UUID
    referral: ReferralKey
    writer: str
    addressee: str
    place: Place
    status: Status | None
    outcome: Outcome
    state: OutboxState | None
    text: str | None


@dataclass(frozen=True, slots=True)
class Heard:
    """What an agency's own system was given: at least once, with a stable id."""

    event_id: UUID
    referral: UUID
    writer: str
    text: str | None


@dataclass(frozen=True, slots=True)
class Book:
    """One agency's ledger, in the order in which events came to be known, and what its own system was given. `erased`
    are the tombstones with their final status. `forgotten` was written before the ledger was lost and is not in the
    backup that stands in its place: automatic answers among it may still stand at the other side."""

    entries: Sequence[Entry]
    statuses: Mapping[ReferralKey, Status]
    heard: Sequence[Heard]
    erased: Mapping[ReferralKey, Status] = field(default_factory=dict)
    forgotten: Set[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Result:
    """How many events there were, and what was wrong. `refused` are honest events that the other side refused: not
    lost, since their writer knows; yet nobody honest should be refused. `differing` counts referrals, and `left` those
    that are erased at one side only, or of which something can still be read."""

    events: int = 0
    lost: int = 0
    twice: int = 0
    out_of_order: int = 0
    invented: int = 0
    differing: int = 0
    refused: int = 0
    left: int = 0

    def __add__(self, other: "Result") -> "Result":
        return Result(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    @property
    def kept(self) -> bool:
        return self == Result(events=self.events)


def check(said: Iterable[SaidWord], books: Mapping[str, Book]) -> Result:
    """Compares everything with everything, once all is quiet. Of an erased referral only the end counts."""
    erased = {key for book in books.values() for key in book.erased}
    remains = _remains(books, erased)
    said = [words for words in said if words.referral not in {key.referral_id for key in erased}]
    books = {code: _without(book, erased) for code, book in books.items()}
    parts = [
        remains,
        Result(events=sum(1 for _ in _own(books)), refused=_refused(books)),
        _said_and_written(said, books),
        *(_written_and_stored(code, books) for code in books),
        *(_stored_and_heard(code, book) for code, book in books.items()),
        Result(lost=_without_a_word(books), differing=_differing(books)),
    ]
    return sum(parts, Result())


def _remains(books: Mapping[str, Book], erased: Set[ReferralKey]) -> Result:
    """Both sides have a tombstone with one status, and nothing beside it."""
    differing = left = 0
    for key in erased:
        ends = {book.erased.get(key) for book in books.values() if key in book.erased or key in book.statuses}
        differing += len(ends) > 1
        read = [entry for book in books.values() for entry in book.entries if entry.referral == key and entry.text]
        one_sided = sum(1 for book in books.values() if key in book.erased) != 2
        left += one_sided or bool(read) or any(key in book.statuses for book in books.values())
    return Result(differing=differing, left=left)


def _without(book: Book, erased: Set[ReferralKey]) -> Book:
    ids = {key.referral_id for key in erased}
    return Book(
        [entry for entry in book.entries if entry.referral not in erased],
        {key: status for key, status in book.statuses.items() if key not in erased},
        [each for each in book.heard if each.referral not in ids],
        forgotten=book.forgotten,
    )


def compare(before: Sequence[T], after: Sequence[T], *, at_least_once: bool = False) -> Result:
    """What became of one row of things. `at_least_once`: a thing may come again as long as nothing newer has."""
    places = {thing: place for place, thing in enumerate(before)}
    counted = Counter(after)
    came = [places[thing] for thing in after if thing in places]
    return Result(
        lost=len(places.keys() - counted.keys()),
        twice=0 if at_least_once else sum(counted[thing] - 1 for thing in places if thing in counted),
        out_of_order=sum(1 for earlier, later in pairwise(came) if later < earlier),
        invented=sum(number for thing, number in counted.items() if thing not in places),
    )


def _said_and_written(said: Iterable[SaidWord], books: Mapping[str, Book]) -> Result:
    asked = _rows(((words.writer, words.referral), words.text) for words in said)
    written = _rows(
        ((entry.writer, entry.referral.referral_id), entry.text) for entry in _own(books) if entry.text is not None
    )
    return _compare_rows(asked, written)


def _written_and_stored(code: str, books: Mapping[str, Book]) -> Result:
    """What is refused, erased or can never be delivered ends visibly, and is not looked for here."""
    ended = {OutboxState.REFUSED, OutboxState.ERASED, OutboxState.UNDELIVERABLE}
    written = [entry for entry in _own(books) if entry.addressee == code and entry.state not in ended]
    forgotten = {event_id for book in books.values() for event_id in book.forgotten}
    stored = [
        entry for entry in _stored(code, books[code]) if entry.text is not None or entry.event_id not in forgotten
    ]
    return _compare_rows(_by_stream(written), _by_stream(stored))


def _stored_and_heard(code: str, book: Book) -> Result:
    stored = _rows(((entry.writer, entry.referral.referral_id), entry.event_id) for entry in _stored(code, book))
    heard = _rows(((each.writer, each.referral), each.event_id) for each in book.heard)
    texts = {entry.event_id: entry.text for entry in _stored(code, book)}
    altered = sum(1 for each in book.heard if each.event_id in texts and texts[each.event_id] != each.text)
    return _compare_rows(stored, heard, at_least_once=True) + Result(invented=altered)


def _without_a_word(books: Mapping[str, Book]) -> int:
    """Events of which their writer never learnt what became of them, or learnt what is not so."""
    refused = {
        (code, entry.writer, entry.event_id)
        for code, book in books.items()
        for entry in book.entries
        if entry.outcome is Outcome.REFUSED
    }
    told_so = [entry for entry in _own(books) if entry.state is OutboxState.REFUSED]
    wrongly = sum(1 for entry in told_so if (entry.addressee, entry.writer, entry.event_id) not in refused)
    arrived = {(code, entry.event_id) for code, book in books.items() for entry in _stored(code, book)}
    waiting = [entry for entry in _own(books) if entry.state not in FINAL]
    return wrongly + sum(1 for entry in waiting if (entry.addressee, entry.event_id) in arrived)


def _differing(books: Mapping[str, Book]) -> int:
    """The status is the recipient's last word; both sides must show it."""
    last: dict[ReferralKey, tuple[Place, Status]] = {}
    for entry in _own(books):
        said = (entry.place, entry.status) if entry.status is not None else None
        if said is not None and (entry.referral not in last or last[entry.referral][0] < entry.place):
            last[entry.referral] = (entry.place, said[1])
    shown: dict[ReferralKey, set[Status]] = defaultdict(set)
    for book in books.values():
        for key, status in book.statuses.items():
            shown[key].add(status)
    return sum(1 for key, seen in shown.items() if seen != {last[key][1] if key in last else Status.REQUESTED})


def _refused(books: Mapping[str, Book]) -> int:
    return sum(1 for entry in _own(books) if entry.state is OutboxState.REFUSED)


def _own(books: Mapping[str, Book]) -> Iterator[Entry]:
    return (entry for code, book in books.items() for entry in book.entries if entry.writer == code)


def _stored(code: str, book: Book) -> list[Entry]:
    return [entry for entry in book.entries if entry.writer != code and entry.outcome is Outcome.STORED]


def _by_stream(entries: Iterable[Entry]) -> dict[tuple[str, ReferralKey], list[tuple[UUID, Place, str | None]]]:
    return _rows(((entry.writer, entry.referral), (entry.event_id, entry.place, entry.text)) for entry in entries)


def _rows(pairs: Iterable[tuple[K, T]]) -> dict[K, list[T]]:
    rows: dict[K, list[T]] = defaultdict(list)
    for key, thing in pairs:
        rows[key].append(thing)
    return rows


def _compare_rows(before: Mapping[K, Sequence[T]], after: Mapping[K, Sequence[T]], **how: bool) -> Result:
    keys = before.keys() | after.keys()
    return sum((compare(before.get(key, ()), after.get(key, ()), **how) for key in keys), Result())
